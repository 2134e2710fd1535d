"""How JSON is asked for and how long a reply may be: the defaults, the options, and what is learned
from a server that refuses.
"""

import pytest
from pydantic import BaseModel, create_model

from csc_tasks.llm.outcomes import GivenUp
from tests.support.llm_asking import GOOD, Said, ask, rows
from tests.support.llm_server import Act, in_turn, llm_server


def form_of(body):
    return body.get("response_format", {}).get("type", "text")


def refusal(message, **fields):
    return Act(status=400, body={"error": {"message": message, **fields}})


@pytest.mark.parametrize(
    ("model", "options", "form"),
    [
        ("gpt-4o", {}, "json_schema"),
        ("gpt-4o", {"": "json-object"}, "json_object"),
        ("gpt-4o", {"": "text"}, "text"),
        ("gpt-4o", {"": "text", "test": "json-schema"}, "json_schema"),
        # Its maker's server keeps the thinking apart; a schema does not suppress it.
        ("o3-mini", {}, "json_schema"),
        # Anybody's server may enforce the schema from the first token.
        ("Qwen/QwQ-32B", {}, "text"),
        ("Qwen/QwQ-32B", {"": "json-schema"}, "json_schema"),
    ],
)
def test_the_form_in_which_json_is_asked_for(make, model, options, form):
    with llm_server(in_turn(Act(GOOD))) as server:
        llm = make(server.url, specs=[f"openai:{model}"], response_format=options)
        assert ask(llm, reply=Said).parsed.text == "fine"
        assert ask(llm, "no JSON is asked for").text == GOOD
    assert [form_of(body) for body in server.asked] == [form, "text"]


def test_a_form_that_the_user_chose_makes_another_request(make):
    """What was malformed in one form is not replayed in another; the default's key is as before."""
    with llm_server(in_turn(Act(GOOD))) as server:
        for options in ({}, {"": "json-object"}, {"": "text"}, {}, {"": "text"}):
            ask(make(server.url, response_format=options), reply=Said)
        assert server.count == 3
        keys = [row["request"] for row in rows(make(server.url))]
    assert [row.get("response_format") for row in keys] == [None, "json-object", "text"]


def test_one_schema_that_a_server_cannot_follow_is_asked_for_more_loosely(make, capsys):
    """The others keep theirs, until it is plain that the server can follow none."""

    def script(body, number):
        schema = body.get("response_format", {}).get("json_schema", {})
        if schema.get("name", "").startswith("Odd"):
            return refusal("Failed to compile the grammar: minItems is not implemented")
        return Act(GOOD)

    def odd(name: str) -> type[BaseModel]:
        return create_model(name, __base__=Said, more=(int, 0))

    with llm_server(script) as server:
        llm = make(server.url)
        for i, model in enumerate((odd("Odd1"), Said, odd("Odd1"))):
            ask(llm, str(i), reply=model)
        assert [form_of(body) for body in server.asked] == [
            "json_schema",
            "json_object",
            "json_schema",
            "json_object",
        ]
        assert llm.left_out() == ["openai:model: json_schema"]
        for i, model in enumerate((odd("Odd2"), odd("Odd3"), Said), 3):
            ask(llm, str(i), reply=model)
        assert form_of(server.asked[-1]) == "json_object"
    assert capsys.readouterr().err.count("does not take json_schema") == 1


def test_requests_that_are_out_together_take_one_step_and_not_several(make_virtual):
    """All sixteen are refused with the schema before any of them is sent again."""

    def script(body, number):
        if form_of(body) == "json_schema":
            return Act(
                status=400,
                delay=1,
                body={"error": {"message": "response_format type json_schema is unavailable"}},
            )
        return Act(GOOD, delay=1)

    from tests.csc_tasks.llm.test_watch import play

    llm, server = make_virtual(script, concurrency=16)
    outcome, _ = play(llm, range(64))
    assert len(outcome.results) == 64
    # None was refused twice, and after the first sixteen none at all.
    assert server.count <= 64 + 16
    assert llm.left_out() == ["openai:model: json_schema"]


@pytest.mark.parametrize(
    ("model", "arguments", "sampling", "sent"),
    [
        ("gpt-4o", {}, None, {"max_tokens": 2048}),
        ("gpt-4o", {"tokens": 8192}, None, {"max_tokens": 8192}),
        ("deepseek-r1", {}, None, {"max_tokens": 2048 + 16_384}),
        ("gpt-4o", {}, {"": {"max_tokens": 99}}, {"max_tokens": 99}),
        ("gpt-4o", {}, {"test": {"max_tokens": 99}}, {"max_tokens": 99}),
        # No bound, and a bound under the other name.
        ("gpt-4o", {}, {"": {"max_tokens": None}}, {}),
        ("gpt-4o", {}, {"": {"max_completion_tokens": 9}}, {"max_completion_tokens": 9}),
        ("gpt-4o", {"sampling": {"max_tokens": 7}}, None, {"max_tokens": 7}),
        ("gpt-4o", {"kind": "moderation"}, None, {}),
    ],
)
def test_the_bound_of_a_reply(make, model, arguments, sampling, sent):
    moderated = {"results": [{"flagged": False, "categories": {}}]}
    act = Act(body=moderated) if "kind" in arguments else Act()
    with llm_server(in_turn(act)) as server:
        ask(make(server.url, specs=[f"openai:{model}"], sampling=sampling), **arguments)
    limits = {name: server.asked[0].get(name) for name in ("max_tokens", "max_completion_tokens")}
    assert {name: value for name, value in limits.items() if value} == sent


def test_our_bound_is_no_part_of_a_requests_identity(make):
    """A journal of before replays, and a default of later does too."""
    with llm_server(in_turn(Act())) as server:
        ask(make(server.url), tokens=100)
        ask(make(server.url), tokens=5000)
        assert server.count == 1
        (row,) = rows(make(server.url))
    assert "max_tokens" not in row["request"]["sampling"]


@pytest.mark.parametrize(
    "message",
    [
        "maximum context length is 2048 tokens. However, you requested 2100 tokens (52 in the"
        " messages, 2048 in the completion). Please reduce the length of the messages.",
        "max_tokens is too large: 2048. This model supports at most 1024 completion tokens",
        "Invalid max_tokens value, the valid range of max_tokens is [1, 1024]",
    ],
)
def test_a_server_with_less_room_than_our_bound_is_asked_without(make, message, capsys):
    def script(body, number):
        return refusal(message) if body.get("max_tokens", 0) > 1024 else Act()

    with llm_server(script) as server:
        llm = make(server.url)
        for text in "abc":
            assert ask(llm, text).text == "fine"
        assert ["max_tokens" in body for body in server.asked] == [True, False, False, False]
    assert llm.left_out() == ["openai:model: this bound of tokens"]
    assert capsys.readouterr().err.count("does not take this bound of tokens") == 1


def test_our_bound_goes_by_its_other_name_where_the_server_wants_that(make):
    words = "Unsupported parameter: 'max_tokens' is not supported with this model. Use"

    def script(body, number):
        return refusal(f"{words} 'max_completion_tokens'.") if "max_tokens" in body else Act()

    with llm_server(script) as server:
        llm = make(server.url, specs=["openai:o3-mini"])
        ask(llm, "a")
        ask(llm, "b")
    sent = [body.get("max_completion_tokens") for body in server.asked]
    assert sent == [None, 2048 + 16_384, 2048 + 16_384] and llm.left_out() == []


def test_one_prompt_that_is_too_long_leaves_the_bound_to_the_others(make):
    def script(body, number):
        return refusal("the prompt is too long") if "long" in str(body["messages"]) else Act()

    with llm_server(script) as server:
        llm = make(server.url)
        with pytest.raises(GivenUp, match="test: longer than the model's context"):
            ask(llm, "long")
        ask(llm, "short")
        assert server.count == 3 and server.asked[-1]["max_tokens"] == 2048
    assert llm.left_out() == []
