"""The documented way to play two candidates with three customers, from a clone and offline: the
command of docs/how-to/live-conversations.md, on fewer and shorter conversations.
"""

import itertools
import json
import re
import shlex
import sys
from pathlib import Path

import pytest
from lm_eval.tasks import TaskManager
from scipy.stats import kendalltau

from benchmarks import live_customers
from csc_tasks import TASKS_DIR
from csc_tasks.languages.labels import strategy_name
from leaderboard.customer_audit import load_audit

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "live-conversations.md"
COMMAND = re.compile(r"^python -m benchmarks\.live_customers (demo .+?[^\\])$", re.M | re.S)
pytestmark = pytest.mark.xdist_group("live_customers")
CUSTOMERS = ("openai:stand-in/answering", "recorded", "scripted")


@pytest.fixture(scope="module")
def words():
    """What the page gives the command, with fewer conversations; without where they go."""
    (command,) = COMMAND.findall(PAGE.read_text(encoding="utf-8").replace("\\\n", " "))
    given = shlex.split(command)
    given[given.index("--limit") + 1] = "6"
    place = given.index("--out")
    del given[place : place + 2]
    return [*given, "--max-turns", "3"]


@pytest.fixture(scope="module")
def out(words, tmp_path_factory):
    root = tmp_path_factory.mktemp("live") / "out"
    with pytest.MonkeyPatch.context() as patch:
        # lm_eval reads the YAML of its own thousands of tasks for every run: nine seconds.
        own = {"include_path": str(TASKS_DIR), "include_defaults": False}
        patch.setattr("lm_eval.tasks.TaskManager", lambda **given: TaskManager(**given | own))
        patch.setattr("sys.argv", list(sys.argv))
        live_customers.main([*words, "--out", str(root)])
    return root


def lines(out, customer, supporter):
    (file,) = (out / "live" / customer / supporter).rglob("samples_*.jsonl")
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_every_pair_has_talked_and_every_customer_is_another_one(out):
    said = {}
    for customer in ("recorded", "scripted", "answering"):
        for supporter in ("nearest", "random"):
            dialogues = [line["live"][0] for line in lines(out, customer, supporter)]
            assert len(dialogues) == 6 and {one["language"] for one in dialogues} == {"en"}
            assert all(one["turns"][-1]["text"] for one in dialogues)
            assert {one["ending"] for one in dialogues} <= {"satisfied", "gave_up", "cap"}
            said[customer, supporter] = [
                [turn["text"] for turn in one["turns"]] for one in dialogues
            ]
    assert len({json.dumps(texts) for texts in said.values()}) == 6


def test_the_third_customer_says_what_somebody_answered_to_such_words(out):
    recorded = live_customers.training("demo", "en")
    answers = {turn.text for one in recorded for turn in one.dialogue if turn.speaker == "customer"}
    for line in lines(out, "answering", "nearest"):
        (one,) = line["live"]
        turns = [turn["text"] for turn in one["turns"] if turn["speaker"] == "customer"]
        begins = line["doc"]["dialogue"][0]["speaker"] == "customer"
        assert turns[0] == one["brief"]["aim"] or not begins
        assert set(turns[begins:]) <= answers


def test_the_orders_are_beside_each_other_with_scipys_tau_and_in_words(out):
    report = json.loads((out / "orders" / "customers.json").read_text())
    sections = {section["title"]: section for section in report["sections"]}
    assert "Change against csc_conv_gen" in sections
    place = next(title for title in sections if title.startswith("Repeated questions"))
    section = sections[place]
    assert [head.partition(" (")[0] for head in section["columns"]] == ["model", *CUSTOMERS]
    means = [[cell["value"] for cell in row[1:]] for row in section["rows"][:2]]
    folders = ("answering", "recorded", "scripted")
    for supporter, row in zip(("nearest", "random"), means, strict=True):
        for customer, mean in zip(folders, row, strict=True):
            own = [
                line["live"][0]["repeated_questions"] for line in lines(out, customer, supporter)
            ]
            assert mean == pytest.approx(sum(own) / len(own))
    columns = list(zip(*means, strict=True))
    taus, told = section["rows"][2], section["rows"][3]
    for i in (1, 2):
        expected = kendalltau(columns[0], columns[i]).statistic
        cell = taus[1 + i]
        assert cell["value"] == (None if expected != expected else pytest.approx(expected))
        same = cell["value"] is not None and cell["low"] == cell["high"]
        assert told[1 + i] in (
            ("the same model first", "another model first")
            if same
            else ("not settled", "with one of the two customers the models are equal")
        )
    pairs = [kendalltau(a, b).statistic for a, b in itertools.combinations(columns, 2)]
    mean = section["rows"][4][1]["value"]
    assert mean is None or mean == pytest.approx(sum(pairs) / 3)


def test_their_audits_are_believed_from_these_runs(out):
    notes = json.loads((out / "orders" / "customers.json").read_text())["notes"]
    for customer, name in (("scripted", "scripted"), ("answering", CUSTOMERS[0])):
        audit = load_audit(out / "audits" / customer)
        assert (audit.conversations, len(audit.runs)) == (6, 2)
        note = next(note for note in notes if note.startswith(f"customer {name}: "))
        assert note.startswith(f"customer {name}: audit {audit.verdict}") or audit.failed
        assert "claimed" not in note and "refused" not in note and audit.hash in note
    assert "none of these customers may rank models" in str(notes)


def test_what_is_there_is_not_made_again_and_another_size_is_refused(out, words, capsys):
    before = {file: file.stat().st_mtime_ns for file in out.rglob("results_*.json")}
    live_customers.main([*words, "--out", str(out)])
    printed = capsys.readouterr().out
    assert printed.count("there already") == 8
    assert before == {file: file.stat().st_mtime_ns for file in out.rglob("results_*.json")}
    with pytest.raises(SystemExit, match=r"holds runs with .*'limit': 6"):
        live_customers.main([*words, "--limit", "7", "--out", str(out)])


def test_labels_of_supporters_are_ones_that_are_read(out):
    names = {strategy_name(turn["strategy"], "en") for line in lines(out, "scripted", "nearest")
             for turn in line["live"][0]["turns"] if turn["speaker"] == "supporter"}  # fmt: skip
    assert names and None not in names
