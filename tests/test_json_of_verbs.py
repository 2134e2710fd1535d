"""`--json` of every verb that prints a table or report: one document on stdout, and in it, in full,
the numbers that the table shows.
"""

import json
import re
from pathlib import Path

import pytest
import yaml

from csc_tasks.cli import COMMANDS, main
from csc_tasks.corpora import load
from csc_tasks.live import LiveDialogue
from csc_tasks.live.briefs import brief_by_rule
from leaderboard.audit.turns import recorded_dialogue
from tests.support.fakes import write_corpus
from tests.support.live_runs import write_live
from tests.support.made_results import (
    conversation_result,
    conversations,
    numbered,
    right,
    write_run,
)

PRINT_TABLES = (
    *("stats", "power", "variance", "gate", "customers", "audit-customer", "verify"),
    *("label report", "agreement", "journal", "recipes", "baselines", "collect", "doctor"),
    *("tables", "trial", "score"),
)
REF = "csc_conv_ref"
ITEMS = conversations(12)
TRAIN = conversations(30)[12:]


@pytest.mark.parametrize("verb", COMMANDS)
def test_which_verbs_take_json(verb, capsys):
    with pytest.raises(SystemExit):
        main([*verb.split(), "--help"])
    assert ("--json" in capsys.readouterr().out) == (verb in PRINT_TABLES)


@pytest.fixture
def both(capsys):
    """What a verb prints as text, and as one document; both end with the same status."""

    def run(*words, status=0):
        words = [str(word) for word in words]
        capsys.readouterr()
        assert main(words) == status
        text = capsys.readouterr().out
        assert main([*words, "--json", "--quiet"]) == status
        document = capsys.readouterr().out
        assert "NaN" not in document and "Infinity" not in document
        return text, json.loads(document)

    return run


def cells(text):
    """The rows of all Markdown tables in a text: their cells."""
    lines = [line.strip() for line in text.splitlines() if line.lstrip().startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def sections_are_shown(text, document):
    """Every number of a report's sections stands in its text, rounded as the section says."""
    counted = 0
    shown = [cell for row in cells(text) for cell in row]
    for section in document["sections"]:
        for row in section["rows"]:
            for cell in row:
                if isinstance(cell, dict) and cell["value"] is not None:
                    start = f"{cell['value']:.{section['digits']}f}"
                    assert any(one.startswith(start) for one in shown), (section["title"], start)
                    counted += 1
    return counted


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two models on twelve conversations, the first of them when it was better, and the corpus."""
    root = tmp_path_factory.mktemp("runs")
    write_corpus(root / "corpus", ITEMS, [], TRAIN)
    for place, name, answer in (
        ("now/a", "org/a", numbered(2)),
        ("now/b", "org/b", numbered(3)),
        ("before/a", "org/a", right(1.0)),
    ):
        write_run(root / place, name, [conversation_result(REF, ITEMS, answer)])
    return root


@pytest.fixture(scope="module")
def board(runs, tmp_path_factory):
    out = tmp_path_factory.mktemp("board") / "board"
    words = ["collect", str(runs / "now"), "--corpus", str(runs / "corpus"), "--jobs", "1"]
    assert main([*words, "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def judged(runs, tmp_path_factory):
    out = tmp_path_factory.mktemp("judged") / "judged"
    words = ["judge", str(runs / "now"), "--llm", "scripted", "--out", str(out)]
    assert main([*words, "--conversations", "6"]) == 0
    return out


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """Two models that talked with two customers, who said what was recorded."""
    root = tmp_path_factory.mktemp("live")
    items = [item for item in load("demo", "csconv", "test").items if item.language == "en"][:8]
    for customer in ("openai:x", "scripted"):
        for model, less in (("org/a", 0), ("org/b", 2)):
            dialogues = []
            for item in items:
                one = recorded_dialogue(item, brief_by_rule(item)).to_json()
                one["turns"] = one["turns"][: len(one["turns"]) - less]
                dialogues.append(LiveDialogue.from_json(one | {"customer": customer}, "x"))
            write_live(root / customer.replace(":", "-"), model, dialogues, items)
    return root


def test_stats(both):
    text, document = both("stats", "demo")
    table = {row[0]: row[1:] for row in cells(text)[:14]}
    sizes = [
        part["numbers"]["sizes"]
        for one in document["sets"]
        if not one["config"].startswith("qa")
        for part in one["parts"]
    ]
    for name, form in (
        ("utterances", "{:,}"),
        ("avg_utterance_length", "{:.2f}"),
        ("avg_utterances_per_conversation", "{:.2f}"),
    ):
        label = name.replace("_", " ").replace("avg utterance length", "avg length of an utterance")
        label = label.replace("avg ", "avg. ").replace("..", ".")
        assert table[label] == [form.format(own[name]) for own in sizes]


def test_power(both, board):
    words = ("power", "--turns", "5", "--rate", "0.4", "--difference", "0.03")
    text, document = both(*words, "--conversations", "60")
    needed = document["needed"]
    assert (
        f"to detect {needed['difference']:.4f} with power {document['power']}:"
        f" {needed['conversations']:,} conversations (about {needed['turns']:,} turns)" in text
    )
    for row in document["detectable"]:
        assert (
            f"{row['conversations']:,} conversations: detectable difference"
            f" {row['difference']:.4f}, interval of a difference -+ {row['half_width']:.4f}" in text
        )
    assert f"60 conversations: power {document['detectable'][0]['power']:.3f} for 0.0300" in text
    column = f"{REF}/strategy_acc"
    text, document = both("power", "--board", board, "--metric", column, "--rank", "org/a", "org/b")
    rank = document["rank"]
    assert (
        f"org/a minus org/b: {rank['difference']:+.4f} (95 % interval {rank['low']:+.4f} to"
        f" {rank['high']:+.4f}, {rank['conversations']} conversations)" in text
    )
    # The interval holds 0: the two cannot be ranked yet, and there is no bound.
    assert (rank["ranked"], rank["most"]) == (False, None)
    assert f"interval: {rank['fewest']:,} conversations to no bound" in text
    assert f"12 conversations: power {rank['power']:.3f} for that difference" in text
    assert document["needed"]["difference"] == rank["difference"]


def test_gate(both, runs):
    words = ("gate", runs / "now" / "a", "--against", runs / "before", "--metric", "strategy_acc")
    text, document = both(*words, status=1)
    assert (document["verdict"], document["exit_status"]) == ("worse", 1)
    (one,) = document["tested"]
    row = next(line for line in text.splitlines() if line.startswith("org/a"))
    before, now, change, low, high = re.findall(r"[-+]?\d+\.\d+", row)[:5]
    shown = [one[name] * one["scale"] for name in ("before", "now", "difference", "low", "high")]
    assert [float(text) for text in (before, now, change, low, high)] == pytest.approx(
        shown, abs=0.051
    )
    # Right on every turn.
    assert one["before"] == 1 and one["difference"] == pytest.approx(one["now"] - 1)
    assert document["sentences"][0] in text
    text, document = both("gate", runs / "no", "--against", runs / "before", status=2)
    assert document["verdict"] == "cannot tell" and document["refusals"][0]["why"] in text


def test_collect(both, runs, tmp_path):
    words = ("collect", runs / "now", "--corpus", runs / "corpus", "--jobs", "1")
    text, document = both(*words, "--out", tmp_path / "board")
    (table,) = document["tables"]
    assert table["sentence"] in text and document["page"] in text
    assert [row["name"] for row in table["order"]] == ["org/b", "org/a"]
    written = json.loads((tmp_path / "board" / "board.json").read_text())
    values = {row["model"]: row["values"] for row in written["tables"][0]["rows"]}
    for row in table["order"]:
        assert row["value"] == values[row["model"]][table["column"]]["value"]


def test_tables(both, board):
    text, document = both("tables", board, "--columns", "all")
    assert document == json.loads(both("tables", board, "--format", "json")[0])
    table = {row[0]: row for row in cells(text)}
    values = [row for row in document if row["metric"] == "strategy_acc"]
    assert len(values) == 2
    for row in values:
        shown = re.findall(r"\d+\.\d+", " ".join(table[row["model"]]))
        assert f"{row['value'] * 100:.1f}" in shown
        below = f"{(row['value'] - row['low']) * 100:.1f}"
        assert below in shown or f"{row['low'] * 100:.1f}" in shown


def test_tables_as_a_file_or_in_another_form(board, tmp_path, capsys):
    assert main(["tables", str(board), "--json", "--format", "csv"]) == 1
    assert "--json is --format json" in capsys.readouterr().err
    file = tmp_path / "rows.json"
    assert main(["tables", str(board), "--json", str(file), "--format", "csv"]) == 0
    assert {row["model"] for row in json.loads(file.read_text())} == {"org/a", "org/b"}
    assert capsys.readouterr().out.startswith("table,")


def test_verify(both, runs):
    text, document = both("verify", runs / "now", "--corpus", runs / "corpus")
    assert document["contradicted"] is False and len(document["runs"]) == 2
    numbers = 0
    for run in document["runs"]:
        part = text.split(f"{run['model']}: ")[1]
        for name, number in run["numbers"].items():
            value = number["claimed"][0]
            line = next(line for line in part.splitlines() if f" {name} " in line)
            assert number["trust"] == "re-scored" and line.split()[0] == run["task"]
            assert number["recomputed"][0] == pytest.approx(value)
            if value is not None:
                fields = line.split()[2:]
                claimed, recomputed = fields[0], fields[3 if fields[1] == "±" else 1]
                assert float(claimed) == float(recomputed) == pytest.approx(value, rel=1e-3)
                numbers += 1
    assert numbers > 10


def test_score(both, runs, tmp_path):
    text, document = both("score", runs / "now", "--metrics", "rouge_l", "--out", tmp_path)
    lines = text.splitlines()
    assert len(document["files"]) == len(lines) == 2
    for one in document["files"]:
        assert any(line.startswith(f"{one['samples'].rpartition('/')[2]}: ") for line in lines)
        results = json.loads(Path(one["results"]).read_text(encoding="utf-8"))["results"][REF]
        assert one["metrics"]["rouge_l"]["higher_is_better"] is True
        for name, number in one["metrics"].items():
            assert number["value"] == results[f"{name},none"]


def test_baselines(both, runs):
    text, document = both("baselines", runs / "corpus")
    rows = cells(text)[2:]
    assert len(rows) > 20
    for name, task, metric, value, error in rows:
        number = document["baselines"][name][task][metric]
        assert value == ("N/A" if number["value"] is None else f"{number['value']:.4f}")
        assert error == ("N/A" if number["stderr"] is None else f"{number['stderr']:.4f}")
    for task, best in document["strongest"].items():
        assert f"strongest in {task} by strategy_acc: {best['baseline']} ({best['value']:.4f})" in (
            text
        )


def test_label_report(both):
    text, document = both("label", "report", "demo")
    assert sections_are_shown(text, document) > 10


def test_agreement(both, judged, tmp_path):
    text, document = both("agreement", judged, "--out", tmp_path)
    assert sections_are_shown(text, document) > 2
    assert document == json.loads((tmp_path / "reliability.json").read_text())


def test_journal(both, judged):
    journal = judged.with_name("judged.judge.journal.sqlite")
    text, document = both("journal", "stats", journal)
    rows = cells(text)
    assert [int(row[3].replace(",", "")) for row in rows[2:-1]] == [
        stage["rows"] for stage in document["stages"]
    ]
    text, document = both("journal", "costs", journal, "--price", "1,10")
    last = cells(text)[-1]
    assert int(last[3].replace(",", "")) == sum(one["input_tokens"] for one in document["stages"])
    assert last[-1].startswith(f"{document['cost']:.4f}")


def test_recipes(both):
    text, document = both("recipes")
    assert [one["name"] for one in document["recipes"]] == [
        line.split()[0] for line in text.splitlines() if not line.startswith(" ")
    ]
    text, document = both("recipes", "demo")
    assert document["settings"] == yaml.safe_load(text)


def test_doctor_of_a_model_is_an_object_a_line(capsys, tmp_path):
    assert main(["doctor", "--model", str(tmp_path)]) == 1
    text = capsys.readouterr().out
    assert main(["doctor", "--model", str(tmp_path), "--json"]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    finding = json.loads(line)
    assert finding["state"] == "broken" and finding["found"] in text


def test_variance(both, live):
    text, document = both("variance", live, "--metrics", "live_turns")
    for model, own in document["models"].items():
        found = own["live_turns"]
        line = text.split(f"{model}:")[1].splitlines()[1]
        shown = re.findall(r"(conversation|customer|sampling) ([\d.]+) \((\d+)%\)", line)
        assert len(shown) == 3
        for name, deviation, share in shown:
            assert float(deviation) == pytest.approx(found[name]["standard_deviation"], abs=0.051)
            assert int(share) == round(found[name]["share"] * 100)
        assert f"{found['conversations']} conversations x {found['customers']} customers" in line


def test_customers(both, live, tmp_path):
    text, document = both("customers", live, "--out", tmp_path)
    assert sections_are_shown(text, document) > 5


def test_audit_customer(both, live, tmp_path):
    words = ("--simulated", live / "openai-x", "--recorded", "demo", "--language", "en")
    text, document = both("audit-customer", *words, "--out", tmp_path)
    assert document["customer"] == "openai:x" and document["conversations"] > 0
    shown = [cell for row in cells(text) for cell in row]
    distances = [one["distance"] for one in document["dimensions"] if one["distance"] is not None]
    assert len(distances) > 3
    for distance in distances:
        assert any(cell.startswith(f"{distance:.2f}") for cell in shown), distance
