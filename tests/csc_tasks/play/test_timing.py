"""What every turn took: seconds as far as the backend tells, tokens, cost; and that nothing else of
a run depends on it.
"""

import itertools

import pytest
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager

from csc_tasks import TASKS_DIR
from csc_tasks.errors import DataError, SettingError
from csc_tasks.play import server, stopwatch
from csc_tasks.play.answers import tokens
from csc_tasks.price import Price
from csc_tasks.settings import read_settings
from csc_tasks.timing import Timing, timing_of, together
from tests.support.fakes import FakeLM, write_corpus
from tests.support.play_models import random_model
from tests.support.playing import backend, untimed
from tests.support.servers import chat_server

NOTHING = dict.fromkeys(("first_token_s", "last_token_s", "tokens_in", "tokens_out", "cost"))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes a quarter of a second further whenever it is looked at."""
    ticks = itertools.count()
    for module in (server, stopwatch):
        monkeypatch.setattr(module, "perf_counter", lambda: next(ticks) / 4)


def records(model, corpus, task="csc_conv_ref", metadata=None, **options):
    """(the task's records, its metadata.csc)."""
    settings = {"csc_corpus": str(corpus)} | (metadata or {})
    manager = TaskManager(include_path=str(TASKS_DIR), include_defaults=False, metadata=settings)
    options = {"bootstrap_iters": 0, "gen_kwargs": "max_gen_toks=6", "limit": 2, **options}
    results = simple_evaluate(model, tasks=[task], task_manager=manager, **options)
    every = [record for sample in results["samples"][task] for record in sample["turns"]]
    return every, results["configs"][task]["metadata"]["csc"]


def asked(url, corpus, metadata=None, **options):
    arguments = f"model=m,base_url={url},num_concurrent=1,tokenized_requests=False,max_retries=1"
    return records(
        "local-chat-completions",
        corpus,
        metadata=metadata,
        model_args=arguments,
        apply_chat_template=True,
        **options,
    )


def test_a_server_tells_seconds_and_tokens_and_they_are_priced(corpus, clock):
    with chat_server(lambda body: ("[Greeting] Hello.", "stop")) as made:
        made.usage = {"prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050}
        every, csc = asked(made.url, corpus, {"csc_price": [0.15, 0.6]})
    # 1000 x 0.15 + 50 x 0.60 a million
    told = {"measured": "request", "last_token_s": 0.25, "tokens_in": 1000, "tokens_out": 50}
    assert [record["timing"] for record in every] == [NOTHING | told | {"cost": 0.00018}] * len(
        every
    )
    assert csc["price"] == "0.15,0.6"
    assert csc["play"] == {"mode": "concurrent", "connections": 1}


def test_what_a_server_does_not_count_is_null(corpus, clock):
    with chat_server(lambda body: ("[Greeting] Hello.", "stop")) as made:
        every, csc = asked(made.url, corpus, {"csc_price": "1,2"}, limit=1)
    told = {"measured": "request", "last_token_s": 0.25}
    assert all(record["timing"] == NOTHING | told for record in every)
    assert "price" in csc


def test_a_cached_reply_has_its_tokens_and_no_seconds(corpus, tmp_path, clock):
    with chat_server(lambda body: ("[Greeting] Hello.", "stop")) as made:
        made.usage = {"prompt_tokens": 10, "completion_tokens": 5}
        first, _ = asked(made.url, corpus, use_cache=str(tmp_path / "cache"))
        sent = len(made.asked)
        again, _ = asked(made.url, corpus, use_cache=str(tmp_path / "cache"))
        assert len(made.asked) == sent
    told = {"measured": "cache", "tokens_in": 10, "tokens_out": 5}
    assert all(record["timing"] == NOTHING | told for record in again)
    assert all(record["timing"]["measured"] == "request" for record in first)
    assert list(map(untimed, first)) == list(map(untimed, again))


def test_a_failed_turn_has_no_timing(corpus, clock):
    def answer(body):
        return ("x", "content_filter") if len(made.asked) == 1 else ("[Greeting] Hello.", "stop")

    with chat_server(answer) as made:
        every, _ = asked(made.url, corpus, {"csc_max_failed": 1.0}, limit=1)
    failed = [record for record in every if record["failed"]]
    assert len(failed) == 1
    assert failed[0]["timing"] == {"measured": ""} | NOTHING


def test_lockstep_times_are_of_a_batch(corpus, tmp_path, clock):
    model = backend(random_model(tmp_path / "model"))
    every, csc = records(model, corpus, task="csc_conv_gen", batch_size=2, limit=1)
    assert csc["play"] == {"mode": "lockstep"}
    for record in every:
        timing = record["timing"]
        assert timing["measured"] == "batch"
        assert 0 < timing["first_token_s"] <= timing["last_token_s"]
        assert 0 < timing["tokens_out"] <= 6 < timing["tokens_in"]


def test_a_backend_that_tells_nothing(corpus):
    every, _ = records(FakeLM(lambda prompt: "[Greeting] Hello."), corpus, limit=1)
    assert all(record["timing"] == NOTHING | {"measured": "batch"} for record in every)


@pytest.mark.parametrize(
    ("outputs", "counted"),
    [
        ({"usage": {"prompt_tokens": 3, "completion_tokens": 2}}, (3, 2)),
        ({"usage": {"input_tokens": 3, "output_tokens": 2}}, (3, 2)),
        ({"meta_info": {"prompt_tokens": 3, "completion_tokens": 2}}, (3, 2)),
        ({"usage": {"prompt_tokens": True, "completion_tokens": -2}}, (None, None)),
        ({"usage": {"prompt_tokens": 10**30, "completion_tokens": "2"}}, (None, None)),
        ({"usage": None}, (None, None)),
        ([], (None, None)),
    ],
)
def test_tokens_as_servers_count_them(outputs, counted):
    assert tokens(outputs) == counted


def test_two_requests_for_one_reply():
    choosing = Timing("request", None, 0.5, 100, 4)
    reply = Timing("request", 0.25, 2.0, 110, 30)
    assert together([choosing, reply]) == Timing("request", 0.75, 2.5, 210, 34)
    assert together([Timing("cache"), reply]) == Timing("cache")
    assert together([choosing]) == choosing
    assert together([]) == Timing()


def test_cost_needs_both_counts():
    assert Timing("request", tokens_in=2_000_000, tokens_out=0).priced(Price(3, 9)).cost == 6
    assert Timing("request", tokens_in=5).priced(Price(3, 9)).cost is None
    assert Timing("request", tokens_in=5, tokens_out=5).priced(None).cost is None


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        ("fast", "an object"),
        ({"measured": "guess"}, "an object whose `measured`"),
        ({"last_token_s": -1}, "timing.last_token_s is -1"),
        ({"last_token_s": float("nan")}, "timing.last_token_s is nan"),
        ({"tokens_in": 1.5}, "timing.tokens_in is 1.5; it must be a whole number"),
        ({"tokens_out": True}, "timing.tokens_out is True"),
        ({"cost": 10**400}, "timing.cost is 1000"),
    ],
)
def test_what_cannot_be_a_timing_is_named(raw, named):
    with pytest.raises(DataError, match=r"samples\.jsonl line 3") as error:
        timing_of({"timing": raw}, "samples.jsonl line 3")
    assert named in str(error.value)


def test_records_of_earlier_versions_have_none():
    assert timing_of({}) is None
    whole = Timing("request", 0.1, 0.2, 3, 4, 0.5)
    assert timing_of({"timing": whole.to_json() | {"of_a_later_version": 1}}) == whole


def test_a_price_is_in_and_out():
    assert read_settings({"csc_price": "0.15,0.60"}, {}).price == Price(0.15, 0.6)
    with pytest.raises(SettingError, match="csc_price=3: price '3' is not IN,OUT"):
        read_settings({"csc_price": 3}, {})
