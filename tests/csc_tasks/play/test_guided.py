"""Forced choice on API servers: the way that each is made to choose, how the reply follows, and the
line where none works.
"""

import json
import re

import pytest
from lm_eval import simple_evaluate
from lm_eval.api.registry import get_model
from lm_eval.tasks import TaskManager

from csc_tasks import TASKS_DIR
from csc_tasks.errors import ModelError
from csc_tasks.languages import language
from csc_tasks.play import server as play_server
from tests.support.fakes import sample_conversations, write_corpus
from tests.support.llm_server import Act, llm_server
from tests.support.playing import untimed

TASKS = ["cscx_conv_ref_forced", "cscx_conv_gen_forced"]
EM = language("en").strategies["EM"].name
GIVEN = language("en").words.GIVEN_STRATEGY.format(name=EM)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    async def rest(seconds):
        pass

    monkeypatch.setattr(play_server, "rest", rest)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """One conversation of several scored turns."""
    return write_corpus(tmp_path_factory.mktemp("corpus"), sample_conversations(("en",))[:1], [])


def chat(url, connections=1, **settings):
    return get_model("local-chat-completions")(
        model="stub",
        base_url=f"{url}/chat/completions",
        num_concurrent=connections,
        max_retries=2,
        **settings,
    )


def completions(url, **settings):
    settings = {"tokenizer_backend": None, **settings}
    return get_model("local-completions")(
        model="stub", base_url=f"{url}/completions", max_retries=2, **settings
    )


def evaluate(lm, corpus, tasks=TASKS, metadata=None, **options):
    settings = {"csc_corpus": str(corpus), **(metadata or {})}
    manager = TaskManager(include_path=str(TASKS_DIR), include_defaults=False, metadata=settings)
    return simple_evaluate(
        lm,
        tasks=tasks,
        task_manager=manager,
        bootstrap_iters=0,
        gen_kwargs="max_gen_toks=12",
        apply_chat_template="chat" in type(lm).__name__.lower(),
        **options,
    )


def records(results, task):
    return [untimed(turn) for sample in results["samples"][task] for turn in sample["turns"]]


def texts_of(body, kind):
    """What a request lets the server choose from, where the server takes this kind; else None."""
    if kind == "structured_outputs" and kind in body:
        return body[kind]["choice"]
    if kind == "grammar" and kind in body:
        assert body[kind].startswith("root ::= ")
        return [json.loads(text) for text in re.findall(r'"(?:[^"\\]|\\.)*"', body[kind])]
    if kind == "json_schema" and "response_format" in body:
        schema = body["response_format"]["json_schema"]["schema"]
        assert schema["required"] == ["strategy"]
        return [json.dumps({"strategy": n}) for n in schema["properties"]["strategy"]["enum"]]
    return None


def obeying(kind, refuses=False):
    """A server that takes one kind of constraint, and ignores or refuses the others."""

    def script(body, number):
        texts = texts_of(body, kind)
        if texts is None:
            unknown = {"structured_outputs", "grammar", "response_format"} & body.keys()
            if refuses and unknown:
                message = f"Unrecognized request argument supplied: {min(unknown)}"
                return Act(status=400, body={"error": {"message": message}})
            return Act(" I am so sorry.")
        return Act(next((text for text in texts if EM in text), texts[-1]))

    return script


WAYS = {"structured_outputs": "prefix", "grammar": "prefix", "json_schema": "named"}


@pytest.mark.parametrize("refuses", [False, True])
@pytest.mark.parametrize("kind", WAYS)
def test_a_chat_server_chooses_in_the_way_it_takes(corpus, tmp_path, kind, refuses):
    options = {"use_cache": str(tmp_path / "cache")}
    task = TASKS[1]
    with llm_server(obeying(kind, refuses)) as server:
        results = evaluate(chat(server.url, 3), corpus, [task], **options)
        asked = list(server.asked)
        again = evaluate(chat(server.url), corpus, [task], **options)
        assert len(server.asked) == len(asked), "the cache holds the way, choices and replies"
    csc = results["configs"][task]["metadata"]["csc"]
    assert csc["forced"] == {"choice": kind, "reply": WAYS[kind]}
    made = records(results, task)
    assert made == records(again, task)
    assert {(turn["strategy"], turn["reply"]) for turn in made} == {("EM", "I am so sorry.")}
    assert all(EM in turn["written_strategy"] for turn in made)
    assert results["results"][task]["unparsed,none"] == 0
    turns = len(made)
    chosen = [body for body in asked if (texts := texts_of(body, kind)) and len(texts) == 12]
    assert len(chosen) == turns
    assert all(body["temperature"] == 0 and "stop" not in body for body in chosen)
    last = [body["messages"][-1] for body in asked]
    if WAYS[kind] == "prefix":
        begun = [one for one in last if one == {"role": "assistant", "content": f"[{EM}]"}]
    else:
        begun = [one for one in last if one["role"] == "user" and one["content"].endswith(GIVEN)]
    assert len(begun) == turns
    goes_on = [body for body in asked if body.get("continue_final_message")]
    assert len(goes_on) == (turns + 1 if kind == "structured_outputs" else 0)
    # The label re-enters in generated context.
    assert f"[{EM}] I am so sorry." in json.dumps(asked)


def test_a_server_that_obeys_nothing_is_one_line_before_anything_is_asked(corpus):
    with llm_server(lambda body, number: Act("[Greeting] Hello")) as server:
        for lm, ways in (
            (chat(server.url), "none of structured_outputs, grammar, json_schema"),
            (
                completions(server.url),
                "none of log-likelihood, structured_outputs, grammar, json_schema",
            ),
        ):
            server.asked.clear()
            with pytest.raises(ModelError, match=f"cannot be asked here: .*{ways}"):
                evaluate(lm, corpus)
            # Three ways were tried on a greeting.
            assert len(server.asked) == 3 and "Hello" in str(server.asked)
            assert "Strategies:" not in str(server.asked)


def test_a_server_that_is_not_there_is_said_as_such(corpus):
    with pytest.raises(ModelError, match="no request was answered"):
        evaluate(chat("http://127.0.0.1:9/v1"), corpus)


def test_plain_play_of_a_chat_server_is_refused_in_one_line(corpus):
    with (
        llm_server(obeying("grammar")) as server,
        pytest.raises(ModelError, match="gives no log-likelihoods, which this task needs"),
    ):
        evaluate(chat(server.url), corpus, metadata={"csc_play": "plain"})


def test_a_choice_that_is_none_is_a_failed_turn(corpus):
    good = obeying("grammar")

    def script(body, number):
        texts = texts_of(body, "grammar")
        return Act("[Small Talk]") if texts and len(texts) == 12 else good(body, number)

    with llm_server(script) as server:
        results = evaluate(chat(server.url), corpus, TASKS[:1], {"csc_max_failed": 1})
    made = records(results, TASKS[0])
    assert {(turn["failed"], turn["failure"], turn["strategy"]) for turn in made} == {
        (True, "no choice", None)
    }


def test_a_completions_server_with_log_probabilities_is_asked_for_those(corpus, tmp_path_factory):
    """Each token's log-probability is made of its id: the sums can be added up by hand."""
    from tests.support.models import make_model

    folder = make_model(tmp_path_factory.mktemp("tokenizer"))

    def worth(token):
        return -(token * 31 % 97) / 10

    def script(body, number):
        tokens = body["prompt"][0] if isinstance(body["prompt"][0], list) else body["prompt"]
        if not body.get("echo"):
            return Act(" I am so sorry.")
        values = [*map(worth, tokens), 0.0]
        logprobs = {"token_logprobs": values, "top_logprobs": [{"x": v} for v in values]}
        return Act(
            choices=[{"index": 0, "text": "", "logprobs": logprobs, "finish_reason": "length"}]
        )

    with llm_server(script) as server:
        settings = {"tokenizer_backend": "huggingface", "tokenizer": str(folder)}
        lm = completions(server.url, max_length=4096, **settings)
        results = evaluate(lm, corpus, TASKS[:1])
    names = {id_: one.name for id_, one in language("en").strategies.items()}
    sums = {id_: sum(map(worth, lm.tokenizer.encode(f" [{name}]"))) for id_, name in names.items()}
    best = max(sums, key=sums.get)
    for turn in records(results, TASKS[0]):
        assert turn["loglikelihoods"] == pytest.approx(sums)
        assert (turn["strategy"], turn["reply"]) == (best, "I am so sorry.")
    csc = results["configs"][TASKS[0]]["metadata"]["csc"]
    assert csc["forced"] == {"choice": "log-likelihood", "reply": "prefix"}
