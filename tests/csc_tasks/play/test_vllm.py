"""Play through lm_eval's vLLM backend, in process: windows for its prefix cache, history that does
not fit, replies that were cut, the cache.
"""

import pytest
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager

from csc_tasks import TASKS_DIR
from csc_tasks.prompts import instructions
from tests.support.fakes import sample_conversations, write_corpus
from tests.support.models import make_model
from tests.support.playing import untimed
from tests.support.vllm_engine import vllm_backend

SHORT, LONG = "[Greeting] hi", "[Feedback Request] is there more that I can do?"
REPLY = 20
"""Tokens of a reply: SHORT fits, LONG is cut."""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("model"))


def answer(prompt: str) -> str:
    """LONG to a prompt of an odd length."""
    return LONG if len(prompt) % 2 else SHORT


@pytest.fixture
def load(monkeypatch, folder):
    """A function from the backend's arguments to the backend."""
    backend = vllm_backend(monkeypatch, answer)
    return lambda **arguments: backend(str(folder), **{"max_model_len": 8192} | arguments)


def play(lm, corpus, task, metadata=None, **options):
    settings = {"csc_corpus": str(corpus), "csc_language": "en"} | (metadata or {})
    manager = TaskManager(include_path=str(TASKS_DIR), include_defaults=False, metadata=settings)
    results = simple_evaluate(
        lm,
        tasks=[task],
        task_manager=manager,
        bootstrap_iters=0,
        gen_kwargs=f"max_gen_toks={REPLY}",
        **options,
    )
    asked = [
        (arguments[0], untimed(record))
        for sample in results["samples"][task]
        for arguments, record in zip(sample["arguments"], sample["turns"], strict=True)
    ]
    return results, asked


@pytest.mark.parametrize("task", ["csc_conv_ref", "csc_conv_gen"])
def test_a_reply_that_the_engine_cut_counts_as_cut(load, corpus, task):
    _, asked = play(load(), corpus, task)
    assert [record["truncated"] for _, record in asked] == [len(text) % 2 == 1 for text, _ in asked]
    assert {record["truncated"] for _, record in asked} == {True, False}


@pytest.mark.parametrize("task", ["csc_conv_ref", "csc_conv_gen"])
def test_replies_from_the_cache_are_cut_as_they_were(load, corpus, task, tmp_path):
    cache = {"use_cache": str(tmp_path / "cache")}
    _, first = play(load(), corpus, task, **cache)
    lm = load()
    _, second = play(lm, corpus, task, **cache)
    assert first == second and lm.model.calls == []
    assert any(record["truncated"] for _, record in second)


def test_a_window_of_conversations_is_asked_at_a_time(load, corpus):
    """A prefix cache of bounded size holds what a conversation's next prompt repeats."""
    lm = load()
    play(lm, corpus, "csc_conv_ref", {"csc_window": 1})
    conversations = sample_conversations(("en",))
    turns = sorted(
        sum(turn.strategy != "" for turn in one.dialogue if turn.speaker == "supporter")
        for one in conversations
    )
    assert sorted(map(len, lm.model.calls)) == turns
    lm = load()
    play(lm, corpus, "csc_conv_ref")
    assert [len(call) for call in lm.model.calls] == [sum(turns)]


def test_generated_context_goes_turn_by_turn_with_the_engines_own_replies(load, corpus):
    lm = load()
    _, asked = play(lm, corpus, "csc_conv_gen")
    assert len(lm.model.calls) == max(
        sum(turn.strategy != "" for turn in one.dialogue if turn.speaker == "supporter")
        for one in sample_conversations(("en",))
    )
    later = [text for text, record in asked if record["turn"] > 2]
    assert later and all("Supporter: [Greeting] hi" in t or LONG[:REPLY] in t for t in later)


def test_history_that_does_not_fit_the_engine_is_left_out_by_whole_turns(load, corpus):
    head = instructions("en", "predict")
    limit = len(head) + 220
    lm = load(max_model_len=limit)
    results, asked = play(lm, corpus, "csc_conv_ref")
    assert 0 < results["results"]["csc_conv_ref"]["history_truncated,none"] < 1
    assert sorted(text for call in lm.model.calls for text in call) == sorted(
        text for text, _ in asked
    )
    for text, _ in asked:
        assert text.startswith(head) and len(text) + REPLY <= limit
