"""Audited facts on a board: beside ratings that were there before, in tables and on the page."""

import json
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO

import pytest

from csc_tasks.cli import main
from csc_tasks.runs.names import Rated, rated
from leaderboard.board import Column
from leaderboard.columns import column, of_conversations
from leaderboard.rated import doubts
from leaderboard.reliability_report import Report
from tests.support.audited_facts import facts
from tests.support.browser import opened


@pytest.fixture(scope="module")
def boarded(demo, tmp_path_factory):
    """(the board's folder, what csc collect printed) of results that were first judged and then
    audited, beside a reliability report.
    """
    root = tmp_path_factory.mktemp("boarded")
    assert (
        main(
            [
                "judge",
                str(demo),
                "--llm",
                "j=scripted",
                "--conversations",
                "5",
                "--out",
                str(root / "judged"),
            ]
        )
        == 0
    )
    assert facts(root / "judged", root / "both", "--llm", "j=scripted", "--conversations", "5") == 0
    judged = json.loads((root / "judged" / "judge.json").read_text())
    report = Report(
        title="x",
        notes=(),
        sections=(),
        signatures=tuple(f"judge {text}" for text in judged["signatures"]),
    )
    (root / "reliability.json").write_text(report.model_dump_json(), encoding="utf-8")
    words = [
        "collect",
        str(root / "both"),
        "--out",
        str(root / "board"),
        "--jobs",
        "1",
    ]
    printed, notes = StringIO(), StringIO()
    with redirect_stdout(StringIO()), redirect_stderr(notes):
        assert main([*words, "--reliability", str(root / "reliability.json")]) == 0
    with redirect_stdout(printed):
        assert main(["tables", str(root / "board")]) == 0
    return root / "board", printed.getvalue(), notes.getvalue()


def test_earlier_columns_are_kept_and_the_board_shows_both(boarded):
    folder, printed, notes = boarded
    assert "reliability report" not in notes, "it is about the ratings; the audits have none"
    for group in ("Reference context", "Generated context", "Answers"):
        assert (
            f"{group}<br>Judge j: overall ↑" in printed
            and f"{group}<br>Judge j: unsupported facts ↓" in printed
        )
    assert (
        "Unsupported facts by a judge: of a sample" in printed
        and "Judge j, unsupported facts: judge:scripted" in printed
    )
    assert (
        "Judge j, unsupported facts: 0 of 20 replies missing" in printed
        and "Judge j: 0 of 20 ratings missing" in printed
    )
    board = json.loads((folder / "board.json").read_text(encoding="utf-8"))
    columns = {one["key"]: one for table in board["tables"] for one in table["columns"]}
    audit, whole = (
        columns["csc_conv_gen/judge_j_unsupported"],
        columns["csc_conv_gen/judge_j_overall"],
    )
    assert (
        (audit["scale"], audit["higher_is_better"], audit["ranked"]) == (100, False, True)
        and audit["headline"]
        and not audit["whole"]
    )
    assert (
        whole["whole"] is True
        and columns["csc_conv_gen/judge_j_unsupported_missing"]["ranked"] is False
    )
    (table,) = (table for table in board["tables"] if table["kind"] == "conversations")
    values = {
        row["model"]: row["values"]["csc_conv_ref/judge_j_unsupported"]["value"]
        for row in table["rows"]
    }
    assert values["org__other"] == 1.0 > values["org__wordy"], (
        "the other model invents an amount in every reply"
    )
    # Five conversations are too few to call one better.
    assert "csc_conv_ref/judge_j_unsupported" not in table["best"]


def test_the_page_keeps_audits_apart_from_ratings(boarded):
    with opened(boarded[0] / "index.html") as (page, complaints):
        raters = page.locator("#table-conversations thead th.rater").all_inner_texts()
        ratings = [
            ["Judge j", "how reliable?"],
            ["Judge j", "whole conversations", "how reliable?"],
        ]
        assert [text.split("\n") for text in raters] == [
            ratings[0],
            ["Judge j", "fact audit"],
            ratings[1],
            ["Judge j", "fact audit"],
        ]
        row = page.locator("#table-conversations tr[data-model=org__other]")
        assert "100.0" in row.locator(".number").all_inner_texts()
        # Less is better: the first press puts the model with the smaller share on top.
        page.get_by_role("button", name="Judge j: unsupported facts").first.click()
        assert "org/wordy" in page.locator("#table-conversations tbody tr").first.inner_text()
    assert complaints == []


def test_names_of_the_columns():
    assert rated("judge_gpt-4o_unsupported") == Rated("Judge gpt-4o", "unsupported")
    assert rated("judge_m_unsupported_missing") == Rated("Judge m", "unsupported_missing")
    assert rated("judge_m_missing") == Rated("Judge m", "missing")
    assert rated("human_unsupported") is rated("judge_unsupported") is None
    assert rated("judge_m_unsupported").label == "Judge m: unsupported facts"
    signature = "judge_unsupported|judge:x|unit:reply|sample:9x1"
    assert not of_conversations(True, "judge_m_unsupported", signature)
    made = column("csc_qa", "judge_m_unsupported_missing", signature)
    assert (made.label, made.scale, made.digits) == (
        "Judge m: unsupported facts, missing",
        100.0,
        1,
    ) and not (made.headline or made.ranked)
    assert isinstance(made, Column) and doubts([made], None) == []
