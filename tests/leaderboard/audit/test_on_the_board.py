"""A board of live conversations: the audit's verdict, and a link to its page."""

import json
import random

import pytest

from benchmarks.planted_customers import planted
from csc_tasks.cli import main
from csc_tasks.corpora import load
from csc_tasks.live import LiveDialogue
from csc_tasks.live.briefs import brief_by_rule
from leaderboard.audit.turns import recorded_dialogue
from leaderboard.audit_pages import audit_pages
from leaderboard.folder import load_board
from tests.support.live_runs import write_live

ITEMS = [item for item in load("demo", "csconv", "test").items if item.language == "en"]


def run(root, kind=None, items=ITEMS):
    """A live run whose customer says what was recorded, or is planted; its results file."""
    generator = random.Random(1)
    dialogues = []
    for item in items:
        one = recorded_dialogue(item, brief_by_rule(item))
        one = planted(kind, one, generator) if kind else one
        dialogues.append(LiveDialogue.from_json(one.to_json() | {"customer": "openai:x"}, "x"))
    return write_live(root, "org/a", dialogues, items)


def audited(results, out):
    words = ["--simulated", str(results.parent), "--recorded", "demo", "--out", str(out)]
    assert main(["audit-customer", *words]) == 0
    return out


@pytest.mark.parametrize(
    ("kind", "verdict"), [(None, "audit passed"), ("polite", "audit failed on length, ")]
)
def test_the_verdict_stands_on_the_board_with_a_link(kind, verdict, tmp_path, capsys):
    results = run(tmp_path / "run", kind)
    audit = audited(results, tmp_path / "audit")
    words = ["collect", str(results.parent), "--out", str(tmp_path / "board")]
    assert main([*words, "--audit", str(audit), "--jobs", "1"]) == 0
    board = load_board(tmp_path / "board")
    setting = board.tables[0].setting
    assert setting.customer == "openai:x"
    assert setting.audit.startswith(verdict)
    assert any(column.ranked for column in board.tables[0].columns) == (kind is None)
    assert list(audit_pages(tmp_path / "board", board)) == [setting.audit_page]
    page = (tmp_path / "board" / setting.audit_page).read_text()
    assert "Audit of the customer openai:x" in page
    index = (tmp_path / "board" / "index.html").read_text()
    assert f'<a href="{setting.audit_page}">The audit of the customer</a>' in index
    # Without the audit the page goes, and nothing is ranked.
    assert main([*words, "--jobs", "1"]) == 0
    board = load_board(tmp_path / "board")
    assert board.tables[0].setting.audit == "not audited"
    assert board.tables[0].setting.audit_page is None
    assert not list((tmp_path / "board" / "audits").iterdir())
    assert not any(column.ranked for column in board.tables[0].columns)


def test_an_undecided_audit_ranks_nothing(tmp_path, capsys):
    few = run(tmp_path / "few", items=ITEMS[:29])
    audit = audited(few, tmp_path / "audit")
    words = ["collect", str(few.parent), "--out", str(tmp_path / "board"), "--jobs", "1"]
    assert main([*words, "--audit", str(audit)]) == 0
    table = load_board(tmp_path / "board").tables[0]
    assert table.setting.audit.startswith("audit undecided (report ")
    assert not any(column.ranked for column in table.columns)
    file = audit / "customer_audit.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"customer": "openai:y"}))
    capsys.readouterr()
    assert main([*words, "--audit", str(file)]) == 1
    assert "was changed after it was written" in capsys.readouterr().err


def test_the_people_of_another_corpus_are_refused(tmp_path, capsys):
    results = run(tmp_path / "run")
    (samples,) = results.parent.glob("samples_*.jsonl")
    lines = [json.loads(line) for line in samples.read_text().splitlines()]
    lines[3]["doc"]["dialogue"][0]["text"] = "Somebody else's words."
    samples.write_text("".join(json.dumps(line) + "\n" for line in lines))
    words = ["--simulated", str(results.parent), "--recorded", "demo"]
    assert main(["audit-customer", *words, "--out", str(tmp_path / "audit")]) == 1
    id_ = lines[3]["doc"]["conversation_id"]
    assert f"the run was made with another conversation {id_} than" in capsys.readouterr().err


def test_customers_played_in_two_ways_are_not_one(tmp_path, capsys):
    for name, prompt in (("one", "a" * 16), ("two", "b" * 16)):
        results = run(tmp_path / "runs" / name)
        text = results.read_text().replace("0123456789abcdef", prompt)
        results.write_text(text)
    words = ["--simulated", str(tmp_path / "runs"), "--recorded", "demo"]
    assert main(["audit-customer", *words, "--out", str(tmp_path / "audit")]) == 1
    said = capsys.readouterr().err
    assert f"differ in the prompt of the customer ({'a' * 16}, {'b' * 16}); audit" in said
