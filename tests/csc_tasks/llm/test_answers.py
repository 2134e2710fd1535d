"""Refusals and malformed replies: what is asked again, what drops an item."""

from collections import Counter

import pytest

from csc_tasks.llm.outcomes import Malformed, Refused
from tests.support.llm_asking import GOOD, Said, ask, ask_all, rows
from tests.support.llm_server import Act, in_turn, llm_server


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (Act(None, message={"refusal": "I cannot help with that."}), "I cannot help with that."),
        (Act("", finish="content_filter"), "stopped by the content filter"),
        (Act("half of", finish="content_filter"), "stopped by the content filter"),
        (
            Act(
                status=400,
                body={
                    "error": {
                        "message": "filtered",
                        "code": "content_filter",
                        "innererror": {"code": "X"},
                    }
                },
            ),
            "400: filtered",
        ),
        (
            Act(
                status=400,
                body={"error": {"message": "inappropriate", "code": "data_inspection_failed"}},
            ),
            "400: inappropriate",
        ),
    ],
)
def test_a_refusal_drops_the_item_and_is_never_asked_again(make, act, words):
    def script(body, number):
        return act if body["messages"][-1]["content"] == "1" else Act()

    with llm_server(script) as server:
        for again in (False, True):
            outcome = ask_all(make(server.url), range(3))
            assert [item for item, _ in outcome.results] == [0, 2]
            assert outcome.dropped == Counter({"test: refused": 1})
            ((item, error),) = outcome.drops
            assert item == 1 and isinstance(error, Refused)
            assert (error.detail, error.answer.refused) == (words, words)
            assert server.count == 3, f"asked again: {again}"
    assert [
        row["outcome"] for row in sorted(rows(make(server.url)), key=lambda row: row["item_id"])
    ] == ["ok", "refused", "ok"]


MALFORMED = [
    (Act('{"text": "cut off he'), "not JSON: Unterminated string"),
    (Act(f"Here it is: {GOOD}"), "not JSON"),
    (Act('{"text": "fine", "finished": "false"}'), "finished: Input should be a valid boolean"),
    (Act('{"text": 5, "finished": false}'), "text: Input should be a valid string"),
    (Act('{"text": "fine"}'), "finished: Field required"),
    (Act("[]"), "Input should be an object"),
    (Act(None), "empty"),
    (Act(""), "empty"),
    (Act("<think>and so on"), "empty"),
    (Act("<|channel|>analysis<|message|>and so on"), "empty"),
    (Act(choices=[]), "empty"),
    (Act(choices=[{"index": 0}]), "empty"),
    (Act(choices=["odd"]), "empty"),
    (Act(7), "empty"),
    (Act('{"text": "half \\ud83d", "finished": false}'), "lone surrogate"),
    (Act("half \ud83d"), "lone surrogate"),
    (Act('{"text": "fi', finish="length"), "cut at the token limit; not JSON"),
]


@pytest.mark.parametrize(("act", "problem"), MALFORMED)
def test_a_malformed_reply_is_asked_again_each_time_as_a_row(make, act, problem):
    with llm_server(in_turn(act, act, then=Act(GOOD))) as server:
        llm = make(server.url)
        answer = ask(llm, reply=Said)
        assert answer.parsed == Said(text="fine", finished=False) and answer.attempts == 3
        found = rows(llm)
        assert [(row["attempt"], row["state"], row["tries"], row["outcome"]) for row in found] == [
            (0, "done", 1, "malformed"),
            (1, "done", 1, "malformed"),
            (2, "done", 1, "ok"),
        ]
        assert problem in found[0]["problem"] and problem in found[1]["problem"]
        # A server that keeps to seeds would repeat itself.
        assert len({body["seed"] for body in server.asked}) == 3
        ask(make(server.url), reply=Said)
    assert server.count == 3


@pytest.mark.parametrize(("act", "problem"), MALFORMED)
def test_replies_that_stay_malformed_drop_the_item_after_a_bounded_number(make, act, problem):
    def script(body, number):
        return act if body["messages"][0]["content"] == "1" else Act(GOOD)

    with llm_server(script) as server:
        for _ in range(2):
            outcome = ask_all(make(server.url, attempts=2), range(3), reply=Said)
            assert [item for item, _ in outcome.results] == [0, 2]
            assert outcome.dropped == Counter({"test: malformed reply": 1})
            error = outcome.drops[0][1]
            assert (
                isinstance(error, Malformed)
                and len(error.problems) == 2
                and problem in error.detail
            )
            assert server.count == 4


@pytest.mark.parametrize(
    ("act", "problem"),
    [
        (Act("half of a senten", finish="length"), "cut at the token limit"),
        (Act(None), "empty"),
        (Act("half \ud83d"), "lone surrogate"),
    ],
)
def test_text_can_be_malformed_too(make, act, problem):
    with llm_server(in_turn(act)) as server, pytest.raises(Malformed, match=problem):
        ask(make(server.url))
    assert server.count == 3


def test_json_that_is_whole_counts_although_the_limit_was_reached(make):
    with llm_server(in_turn(Act(GOOD + "\n" * 50, finish="length"))) as server:
        assert ask(make(server.url), reply=Said).parsed.text == "fine"
