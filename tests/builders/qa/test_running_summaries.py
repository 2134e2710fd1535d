"""Running summaries of csc build qa: what they are made from, their bounds, who counts tokens."""

import pytest

from builders.qa.summarise import Summariser, Variant
from builders.qa.tokens import ESTIMATE, TokenCounter, estimate
from csc_tasks.cli import main
from csc_tasks.conversation import SUPPORTER
from csc_tasks.llm.exchange import Usage
from csc_tasks.llm.outcomes import Answer, Dropped
from tests.support.built_folders import record_of
from tests.support.llm_server import Act, llm_server
from tests.support.models import make_model
from tests.support.qa_builds import all_rows
from tests.support.qa_recordings import (
    recordings,
    write_source,
)
from tests.support.qa_with_models import TALK, chosen, run, said, summaries


def test_a_summary_is_made_from_the_one_before_and_the_turns_since(tmp_path):
    found, asked, _ = summaries(tmp_path, lambda body, number: Act(f"Summary {number}."))
    assert found == {0: "", 1: "Summary 0.", 2: "Summary 1.", 3: "Summary 2."}
    for number, body in enumerate(asked):
        assert [text in said(body) for text in TALK] == [i // 2 == number for i in range(8)]
        assert ("(none yet)" in said(body)) == (number == 0)
        assert [f"Summary {n}." in said(body) for n in range(3)] == [
            n == number - 1 for n in range(3)
        ]


def test_a_conversation_that_the_agent_opens_has_a_first_summary(tmp_path):
    async def worker(llm, item):
        return await Summariser(llm, Variant(), TokenCounter()).run(item)

    with llm_server(lambda body, number: Act(f"Summary {number}.")) as server:
        outcome, _ = run(tmp_path, server, [chosen(first=SUPPORTER)], worker)
    assert outcome.values[0] == {0: "Summary 0.", 1: "Summary 1.", 2: "Summary 2."}
    assert TALK[0] in said(server.asked[0]) and TALK[1] not in said(server.asked[0])


def usage(tokens):
    return {"prompt_tokens": 10, "completion_tokens": tokens}


@pytest.mark.parametrize(("tokens", "requests"), [(20, 1), (21, 2)])
def test_the_bound_is_the_servers_count(tmp_path, tokens, requests):
    """The first summary has the bound or one token more; the one asked for then fits."""
    counts = iter([tokens, 20])
    found, asked, summariser = summaries(
        tmp_path, lambda body, number: Act("Fine.", usage=usage(next(counts, 9))), most=20
    )
    assert (
        found[1] == "Fine."
        and len(asked) == 3 + (requests - 1)
        and summariser.again == requests - 1
    )
    assert summariser.counted_by == {"the server": 3}
    if requests == 2:
        assert asked[1]["messages"][:3] == [
            *asked[0]["messages"],
            {"role": "assistant", "content": "Fine."},
        ]
        assert "has 21 tokens; there is room for 20" in asked[1]["messages"][3]["content"]


def test_a_summary_that_stays_too_long_drops_its_pair_alone(tmp_path):
    """Pair 1's summary never fits; that of pair 2 is made from the turns of both."""

    def script(body, number):
        return Act(
            (
                " ".join(f"Point {n} is long." for n in range(30))
                if TALK[1] in said(body) and TALK[3] not in said(body)
                else "Short."
            ),
            usage=None,
        )

    found, asked, summariser = summaries(tmp_path, script, most=20, attempts=3)
    assert isinstance(found[1], Dropped) and found[1].reason == "summary: more tokens than allowed"
    assert found[0] == "" and found[2] == found[3] == "Short." and summariser.again == 1
    assert len(asked) == 3 + 1 + 1
    assert [text in said(asked[3]) for text in TALK] == [True] * 4 + [
        False
    ] * 4 and "(none yet)" in said(asked[3])
    assert summariser.counted_by == {ESTIMATE: 2}


def test_a_summary_that_the_server_cuts_is_not_used(tmp_path):
    found, _, _ = summaries(
        tmp_path,
        lambda body, number: Act("The customer has", finish="length", usage=usage(9)),
        attempts=2,
    )
    assert {pair: error.reason for pair, error in found.items() if error} == dict.fromkeys(
        (1, 2, 3), "summary: malformed reply"
    )


@pytest.mark.parametrize(
    ("answer", "counted"),
    [
        (Answer("four words are here", usage=Usage(9, 7)), (7, "the server")),
        (
            Answer("four words are here", usage=Usage(9, 107, 100), thinking="..."),
            (7, "the server"),
        ),
        # Thinking within the sum, no sum, and a sum of 0 say nothing about the text.
        (Answer("four words are here", usage=Usage(9, 107), thinking="..."), (5, ESTIMATE)),
        (Answer("four words are here", usage=Usage(None, None)), (5, ESTIMATE)),
        (Answer("four words are here", usage=Usage(0, 0)), (5, ESTIMATE)),
    ],
)
def test_who_counts_the_tokens(answer, counted):
    """By the estimate: four 1, words 2, are 1, here 1."""
    assert TokenCounter().count(answer) == counted


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("four", 1),
        ("fours", 2),
        ("four words are here", 5),
        ("Hi, you!", 4),
        ("你好，世界", 5),
        ("我的iPhone15坏了。", 7),
        ("12345678", 2),
    ],
)
def test_the_estimate_by_hand(text, tokens):
    assert estimate(text) == tokens


def test_a_named_tokenizer_counts_where_the_server_does_not(tmp_path):
    """The tests' tokenizer has a token for each byte."""
    counter = TokenCounter(str(make_model(tmp_path / "bytes")))
    assert counter.count(Answer("你好, you")) == (11, "the tokenizer bytes")
    assert counter.count(Answer("你好, you", usage=Usage(9, 4))) == (4, "the server")


def test_the_stand_in_keeps_to_whoever_counts(tmp_path):
    """Counted in bytes, its summaries are too long at first; asked again they fit."""
    source, tokenizer = (
        write_source(tmp_path / "calls.jsonl", recordings(2)),
        make_model(tmp_path / "bytes"),
    )
    options = [
        "--llm",
        "scripted",
        "--tokenizer",
        tokenizer,
        "--moderation",
        "none",
        "--out",
        tmp_path / "set",
    ]
    assert main(["build", "qa", "--source", str(source), *map(str, options)]) == 0
    counts, rows = record_of(tmp_path / "set")["counts"], all_rows(tmp_path / "set")
    assert counts["summaries_asked_for_again_because_too_long"]["qa"] > 5 and len(rows) > 5
    assert max(len(row["history_summary"].encode()) for row in rows) <= 250
    assert "the tokenizer bytes" in (tmp_path / "set" / "README.md").read_text(encoding="utf-8")
