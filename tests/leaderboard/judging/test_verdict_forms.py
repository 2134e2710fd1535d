"""Which answers of a judge of facts count: words of the reply, of a known kind, nothing else."""

import json

import pytest

from csc_tasks.llm.client import schema_of
from csc_tasks.llm.replies import WrongForm, parse_reply
from csc_tasks.metrics.facts import KINDS
from leaderboard.judging.verdict_forms import Choice, ClaimsOf, rating_form

REPLY = "Your ４０ dollars,  王先生，3 月 5 日 到\u200b账 at 15:30; write to Ann@Shop.example."


CLAIM = {"text": "40", "kind": "number", "reason": "It is there.", "supported": True}


def read(*claims, reply=REPLY):
    made = [claim if isinstance(claim, dict) else CLAIM | {"text": claim} for claim in claims]
    return [claim.text for claim in parse_reply(json.dumps({"facts": made}), ClaimsOf(reply)).facts]


def test_words_of_the_reply_count_whatever_their_spacing_and_width():
    assert read() == []
    written = (
        "40",
        "４０ dollars",
        "王先生",
        "3月5日",
        "3 月5 日",
        "到账",
        "15:30",
        "15：30",
        "Ann@Shop.example",
        "dollars, 王先生",
        "5",
    )
    for text in written:
        assert read(text) == [text], text
    assert read("a\u0301", reply="á") == ["a\u0301"]


@pytest.mark.parametrize(
    "claim",
    [
        "50",
        "40 euros",
        "4 0 0",
        "ann@shop.example",
        "",
        " ",
        "\u200b",
        "王女士",
        "15:30; write to Bob",
        CLAIM | {"kind": "price"},
        CLAIM | {"supported": "true"},
        CLAIM | {"supported": 1},
        CLAIM | {"text": 40},
        CLAIM | {"why": "it is there"},
        CLAIM | {"text": None},
        CLAIM | {"supported": None},
        CLAIM | {"reason": None},
        CLAIM | {"reason": ""},
        CLAIM | {"reason": "x" * 201},
        *({name: part for name, part in CLAIM.items() if name != gone} for gone in CLAIM),
    ],
)
def test_anything_else_does_not(claim):
    with pytest.raises(WrongForm):
        read("40", claim)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        '{"facts": null}',
        '{"facts": [], "note": "none"}',
        '{"facts": "none"}',
        '{"facts": [[]]}',
        "none",
    ],
)
def test_other_forms_do_not_count(text):
    with pytest.raises(WrongForm):
        parse_reply(text, ClaimsOf(REPLY))


def test_all_replies_are_asked_about_with_one_schema():
    schema = schema_of(ClaimsOf("a"))
    assert (
        schema is schema_of(ClaimsOf("b"))
        and schema["additionalProperties"] is False
        and schema["required"] == ["facts"]
    )
    claim = next(iter(schema["$defs"].values()))
    assert claim["required"] == ["text", "kind", "reason", "supported"] and claim["properties"][
        "kind"
    ]["enum"] == list(KINDS)


@pytest.mark.parametrize("form", [Choice, rating_form(("tone", "empathy"))])
def test_a_judge_says_why_before_it_says_what(form):
    schema = schema_of(form)
    assert next(iter(schema["properties"])) == schema["required"][0] == "reason"
    assert schema["properties"]["reason"]["maxLength"] == 400
    verdict = {"better": "tie"} if form is Choice else {"tone": 1, "empathy": 2}
    assert parse_reply(json.dumps({"reason": "Why."} | verdict), form).reason == "Why."
    with pytest.raises(WrongForm, match="reason"):
        parse_reply(json.dumps(verdict), form)


def test_the_reason_is_no_score():
    form = rating_form(("tone", "empathy"))
    read_reply = parse_reply('{"reason": "Why.", "tone": 1, "empathy": 2}', form)
    assert read_reply.scores() == {"tone": 1, "empathy": 2}
