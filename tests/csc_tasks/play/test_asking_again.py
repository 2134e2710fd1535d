"""Replies asked for as JSON, and once more where they cannot be read: in every way of playing."""

import json
import logging
from collections import Counter

import pytest
from lm_eval import simple_evaluate
from lm_eval.api.registry import get_model
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

from csc_tasks import TASKS_DIR
from csc_tasks.play import rows
from csc_tasks.play import server as play_server
from csc_tasks.prompts import ask_again_line, schema
from tests.support.fakes import FakeLM, sample_conversations, write_corpus
from tests.support.llm_server import Act, llm_server
from tests.support.play_models import random_model
from tests.support.playing import untimed
from tests.support.repeated import SAMPLING

HINT, JSON_HINT = ask_again_line("en"), ask_again_line("en", "json")
REF, GEN = "csc_conv_ref", "csc_conv_gen"
MEND = "[Greeting] mended"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    async def rest(seconds):
        pass

    monkeypatch.setattr(play_server, "rest", rest)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """One conversation with three scored turns."""
    return write_corpus(tmp_path_factory.mktemp("corpus"), [sample_conversations(("en",))[2]])


def evaluate(model, corpus, task=GEN, metadata=None, **options):
    settings = {"csc_corpus": str(corpus), "csc_reask": 1} | (metadata or {})
    manager = TaskManager(include_path=str(TASKS_DIR), include_defaults=False, metadata=settings)
    results = simple_evaluate(
        model, tasks=[task], task_manager=manager, bootstrap_iters=0, **options
    )
    (sample,) = results["samples"][task]
    return results, list(map(untimed, sample["turns"])), [pair[0] for pair in sample["arguments"]]


def chat_model(url, **settings):
    return get_model("local-chat-completions")(
        model="stub", base_url=f"{url}/chat/completions", max_retries=1, **settings
    )


def mending(prompt):
    """The second turn cannot be read at first."""
    if "(0)" not in prompt or "(1)" in prompt:
        return "[Greeting] at once"
    return MEND if HINT in prompt else "no label"


def test_a_reply_that_cannot_be_read_is_asked_for_once_more(corpus):
    model = FakeLM(mending)
    results, turns, prompts = evaluate(model, corpus)
    assert [turn["reasked"] for turn in turns] == [False, True, False]
    assert [turn["reply"] for turn in turns] == ["at once", "mended", "at once"]
    assert [turn.get("first_reply") for turn in turns] == [None, "no label", None]
    assert len(model.asked) == 4 and results["results"][GEN]["reasked,none"] == 1 / 3
    assert results["results"][GEN]["unparsed,none"] == 0
    # The prompt that was sent last is logged; what re-enters is the second reply.
    assert prompts[1].endswith(f"\nno label\n\n{HINT}\n\nSupporter's next reply:")
    assert "[Greeting] mended" in prompts[2] and "no label" not in prompts[2]
    csc = results["configs"][GEN]["metadata"]["csc"]
    assert csc["reask"] == 1 and "format" not in csc


@pytest.mark.parametrize("task", [REF, GEN])
def test_the_second_reply_stands_whatever_it_is(corpus, task):
    numbers = iter(range(100))
    model = FakeLM(lambda prompt: f"never a label {next(numbers)}")
    results, turns, _ = evaluate(model, corpus, task)
    assert len(model.asked) == 6 and all(turn["unparsed"] for turn in turns)
    said = {int(turn["reply"].split()[-1]) for turn in turns}
    first = {int(turn["first_reply"].split()[-1]) for turn in turns}
    assert said | first == {*range(6)} and len(said) == len(first) == 3
    assert results["results"][task]["reasked,none"] == 1


def test_without_the_setting_nothing_is_asked_again_and_nothing_says_so(corpus):
    model = FakeLM(lambda prompt: "never a label")
    results, turns, _ = evaluate(model, corpus, metadata={"csc_reask": 0})
    assert len(model.asked) == 3 and not any("reasked" in turn for turn in turns)
    csc = results["configs"][GEN]["metadata"]["csc"]
    assert not {"reask", "format"} & {*csc} and "reasked,none" not in results["results"][GEN]


@pytest.mark.parametrize("task", ["cscx_conv_ref_vanilla", "cscx_conv_ref_oracle"])
def test_a_task_that_wants_no_strategy_asks_once_and_has_no_form(corpus, task):
    model = FakeLM(lambda prompt: "no label, and none is wanted")
    results, turns, prompts = evaluate(model, corpus, task, {"csc_format": "json"})
    assert len(model.asked) == 3 and not any("reasked" in turn for turn in turns)
    csc = results["configs"][task]["metadata"]["csc"]
    assert not {"reask", "format"} & {*csc} and not any("JSON" in prompt for prompt in prompts)


def test_a_null_reply_is_asked_for_again_as_no_reply(corpus):
    model = FakeLM(lambda prompt: MEND if HINT in prompt else None)
    _, turns, prompts = evaluate(model, corpus, REF)
    assert [turn["reply"] for turn in turns] == ["mended"] * 3
    assert all("\n(no reply)\n\n" in prompt for prompt in prompts)


def test_every_repeat_asks_again_for_itself(corpus):
    numbers = iter(range(100))
    model = FakeLM(lambda prompt: f"draw {next(numbers)}")
    results, turns, _ = evaluate(model, corpus, REF, {"csc_repeats": 2}, gen_kwargs=SAMPLING)
    assert len(model.asked) == 12 and [turn["repeat"] for turn in turns] == [0] * 3 + [1] * 3
    first = {int(turn["first_reply"].split()[-1]) for turn in turns[:3]}
    assert max(first) < 6, "the first repeat is asked before the second"
    assert results["results"][REF]["reasked,none"] == 1


@pytest.mark.parametrize("style", ["single", "chat"])
@pytest.mark.parametrize("task", [REF, GEN])
def test_lockstep_and_plain_play_ask_the_same_again(corpus, tmp_path, monkeypatch, style, task):
    model = HFLM(
        pretrained=str(random_model(tmp_path)), dtype="float32", device="cpu", batch_size=2
    )
    passes = []
    forward = rows.Rows._forward
    monkeypatch.setattr(rows.Rows, "_forward", lambda *args: passes.append(1) or forward(*args))
    asked = {}
    for play in ("plain", "auto"):
        settings = {"csc_play": play, "csc_prompt": style, "csc_format": "json"}
        _, turns, prompts = evaluate(
            model, corpus, task, settings, apply_chat_template=True, gen_kwargs="max_gen_toks=6"
        )
        asked[play] = turns, prompts
        assert bool(passes) is (play == "auto")
    assert asked["plain"] == asked["auto"]
    # Replies of random weights name nothing.
    assert all(turn["reasked"] for turn in turns) and all(JSON_HINT in prompt for prompt in prompts)


def test_a_cache_holds_both_replies_and_a_run_that_goes_on_asks_for_neither(corpus, tmp_path):
    options = {"use_cache": str(tmp_path / "cache")}
    first = FakeLM(mending)
    _, turns, _ = evaluate(first, corpus, **options)
    second = FakeLM(lambda prompt: "[Others] asked after all")
    _, again, _ = evaluate(second, corpus, **options)
    assert len(first.asked) == 4 and second.asked == [] and again == turns


def talk(body):
    return "\n".join(message["content"] for message in body["messages"])


def test_a_server_is_asked_again_in_messages(corpus):
    def script(body, number):
        return Act('{"strategy": "Others", "response": "x"}' if JSON_HINT in talk(body) else "well")

    with llm_server(script) as server:
        model = chat_model(server.url)
        settings = {"csc_prompt": "chat", "csc_format": "json"}
        _, turns, _ = evaluate(model, corpus, GEN, settings, apply_chat_template=True)
    assert [turn["strategy"] for turn in turns] == ["Others"] * 3
    roles = [[message["role"] for message in body["messages"][-3:]] for body in server.asked]
    assert len(roles) == 6 and roles[1] == ["user", "assistant", "user"]
    again = [message["content"] for message in server.asked[1]["messages"][-2:]]
    assert again == ["well", JSON_HINT]
    # It re-enters in the form in which it was asked for.
    assert server.asked[2]["messages"][2]["content"] == '{"strategy": "Others", "response": "x"}'
    sent = server.asked[0]["response_format"]
    assert sent["type"] == "json_schema" and sent["json_schema"]["strict"] is True
    assert sent["json_schema"]["schema"] == schema("en")
    assert all(body["response_format"] == sent for body in server.asked)


def test_a_second_asking_without_an_answer_is_a_failed_turn(corpus):
    with llm_server(
        lambda body, number: Act(status=500) if HINT in talk(body) else Act("no label")
    ) as server:
        model = chat_model(server.url)
        settings = {"csc_max_failed": 1}
        results, turns, _ = evaluate(model, corpus, REF, settings, apply_chat_template=True)
    assert all(turn["failed"] and turn["reply"] == "" for turn in turns)
    assert [turn["first_reply"] for turn in turns] == ["no label"] * 3
    assert results["results"][REF]["failed,none"] == 1


def test_where_there_is_no_room_to_ask_again_the_first_reply_stands(corpus):
    long = "word " * 400

    class Short(FakeLM):
        max_length, max_gen_toks, tokenizer = 2300, 20, object()

        def tok_encode(self, text, **_):
            return list(text.encode())

    model = Short(lambda prompt: long)
    _, turns, prompts = evaluate(model, corpus, REF)
    assert len(model.asked) == 3 and not any(turn["reasked"] for turn in turns)
    assert all(turn["reply"] == long.strip() for turn in turns)
    assert all(prompt.endswith("Supporter's next reply:") for prompt in prompts)
    assert not any(HINT in prompt for prompt in prompts)


def test_where_a_server_has_no_room_to_ask_again_the_first_reply_stands(corpus):
    error = {"message": "too long", "code": "context_length_exceeded"}

    def script(body, number):
        return Act(status=400, body={"error": error}) if HINT in talk(body) else Act("no label")

    with llm_server(script) as server:
        _, turns, prompts = evaluate(chat_model(server.url), corpus, REF, apply_chat_template=True)
    assert [turn["reply"] for turn in turns] == ["no label"] * 3
    assert not any(turn["reasked"] or turn["failed"] for turn in turns)
    assert not any(HINT in str(prompt) for prompt in prompts)


REFUSALS = {
    "schema": {"message": "response_format json_schema is not supported by this model"},
    "parameter": {"message": "Unrecognized request argument supplied: response_format"},
}


@pytest.mark.parametrize("refused", [1, 2])
def test_what_a_server_refuses_of_the_form_is_left_out_and_said_once(corpus, caplog, refused):
    """A server without schemas is asked for any object; one without either, in words alone."""

    def script(body, number):
        form = (body.get("response_format") or {}).get("type")
        if form == "json_schema":
            return Act(status=400, body={"error": REFUSALS["schema"]})
        if form and refused == 2:
            return Act(status=400, body={"error": REFUSALS["parameter"]})
        return Act('{"strategy": "Greeting", "response": "hi"}')

    with llm_server(script) as server, caplog.at_level(logging.WARNING):
        model = chat_model(server.url)
        settings = {"csc_format": "json", "csc_reask": 0}
        results, turns, _ = evaluate(model, corpus, REF, settings, apply_chat_template=True)
    forms = Counter((body.get("response_format") or {}).get("type") for body in server.asked)
    last = None if refused == 2 else "json_object"
    assert forms == {"json_schema": 1, last: 3} | ({"json_object": 1} if refused == 2 else {})
    assert [turn["strategy"] for turn in turns] == ["GT"] * 3
    said = [record.getMessage() for record in caplog.records if "does not take" in record.message]
    assert len(said) == refused and "JSON objects are asked for instead" in said[0]
    left_out = results["configs"][REF]["metadata"]["csc"]["left_out"]
    assert left_out == ["json_schema", "response_format"][:refused]


@pytest.mark.parametrize(
    ("name", "given", "sent"),
    [
        ("stub", {"type": "json_object"}, "json_object"),
        ("qwen3-8b", None, None),
        ("qwen3-8b-instruct", None, "json_schema"),
    ],
)
def test_who_is_sent_no_schema(corpus, name, given, sent):
    """A user's own form stays; a model that thinks in its text has no room under a schema."""
    with llm_server(lambda body, number: Act("[Greeting] hi")) as server:
        model = get_model("local-chat-completions")(
            model=name, base_url=f"{server.url}/chat/completions"
        )
        options = {"gen_kwargs": {"response_format": given}} if given else {}
        settings = {"csc_format": "json", "csc_reask": 0}
        evaluate(model, corpus, REF, settings, apply_chat_template=True, **options)
    assert {(body.get("response_format") or {}).get("type") for body in server.asked} == {sent}


def test_the_plain_way_sends_the_schema_too(corpus):
    with llm_server(lambda body, number: Act("[Greeting] hi")) as server:
        model = chat_model(server.url)
        settings = {"csc_format": "json", "csc_play": "plain"}
        evaluate(model, corpus, GEN, settings, apply_chat_template=True)
    assert len(server.asked) == 3
    assert {body["response_format"]["type"] for body in server.asked} == {"json_schema"}


def test_text_is_asked_for_without_a_schema(corpus):
    with llm_server(lambda body, number: Act("[Greeting] hi")) as server:
        evaluate(chat_model(server.url), corpus, REF, apply_chat_template=True)
    assert not any("response_format" in body for body in server.asked)
    assert "json" not in json.dumps(server.asked).lower()
