"""The table of format and choice: as asked, where parsed, how often that is, and forced."""

import json

import pytest

from csc_tasks.cli import main
from leaderboard.contrast_tables import contrast_tables
from leaderboard.folder import load_board
from tests.support.fakes import sample_conversations, write_corpus
from tests.support.handed_in import hand_in

TASKS = ["csc_conv_ref", "csc_conv_gen", "cscx_conv_ref_forced", "cscx_conv_gen_forced"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Replies with a label and without one, by their prompt."""
    corpus = write_corpus(tmp_path_factory.mktemp("corpus"), sample_conversations(("en",)), [])

    def reply(prompt):
        return ("[Greeting] hello", "just text", "[Emotional Management] sorry")[len(prompt) % 3]

    return corpus, hand_in(
        tmp_path_factory.mktemp("run"), TASKS, reply, {"csc_corpus": str(corpus)}
    )


def board_of(run, out):
    corpus, results = run
    assert main(["collect", str(results.parent), "--corpus", str(corpus), "--out", str(out)]) == 0
    return json.loads((out / "board.json").read_text(encoding="utf-8"))


def test_the_table_says_the_three_numbers_and_their_format_rate(run, tmp_path, capsys):
    _, results = run
    board = board_of(run, tmp_path / "board")
    (table,) = [one for one in board["tables"] if one["id"] == "format-and-choice"]
    assert table["title"] == "Format and choice of strategies"
    short = [(one["group"], one["label"]) for one in table["columns"] if one["headline"]]
    asked = ["Strategy accuracy", "Accuracy where parsed", "Format rate"]
    expected = []
    for context in ("Reference context", "Generated context"):
        expected += [(f"{context}, as asked", label) for label in asked]
        expected.append((f"{context}, forced", "Strategy accuracy"))
    assert short == expected
    ranked = {one["metric"] for one in table["columns"] if one["headline"] and one["ranked"]}
    assert ranked == {"strategy_acc"}
    # Counted by hand from the samples.
    (row,) = table["rows"]
    for task in TASKS:
        file = next(results.parent.glob(f"samples_{task}_*.jsonl"))
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        turns = [turn for line in lines for turn in line["turns"]]
        parsed = [turn for turn in turns if turn["strategy"] is not None]
        right = sum(turn["strategy"] == turn["gold_strategy"] for turn in parsed)
        shown = {
            metric: row["values"][f"{task}/{metric}"]["value"]
            for metric in ("strategy_acc", "strategy_acc_parsed", "format_rate")
            if f"{task}/{metric}" in row["values"]
        }
        if "forced" in task:
            assert len(parsed) == len(turns) and shown == {"strategy_acc": right / len(turns)}
        else:
            assert 0 < len(parsed) < len(turns)
            assert shown == pytest.approx(
                {
                    "strategy_acc": right / len(turns),
                    "strategy_acc_parsed": right / len(parsed),
                    "format_rate": len(parsed) / len(turns),
                }
            )
    capsys.readouterr()
    for form, words in (("md", "as asked<br>Format rate ↑"), ("csv", ",strategy_acc_parsed,")):
        command = ["tables", str(tmp_path / "board"), "--table", "format-and-choice"]
        assert main([*command, "--format", form]) == 0
        assert words in capsys.readouterr().out
    notes = " ".join(table["footnotes"])
    assert "strategy accuracy = accuracy where parsed x format rate" in notes
    assert "Accuracy where parsed" in (tmp_path / "board" / "index.html").read_text("utf-8")


def test_the_tasks_of_the_table_have_versions_of_their_own(run, tmp_path, capsys):
    """Rows of one task are compared by its version: what was not moved stays comparable."""
    corpus, results = run
    both = "2.0, and 2.1 of cscx_conv_gen_forced and cscx_conv_ref_forced"
    versions = {
        table["id"]: table["setting"]["task_version"]
        for table in board_of(run, tmp_path / "one")["tables"]
    }
    assert versions == {
        "conversations": "2.0",
        "format-and-choice": both,
    }
    other = tmp_path / "results" / "other"
    other.mkdir(parents=True)
    text = json.loads(results.read_text(encoding="utf-8"))
    text["model_name"] = "org/another"
    for task in TASKS[2:]:
        text["configs"][task]["metadata"]["version"] = 2.0
    (other / results.name).write_text(json.dumps(text), encoding="utf-8")
    command = ["collect", str(results.parent), str(other), "--corpus", str(corpus)]
    assert main([*command, "--out", str(tmp_path / "two")]) == 1
    said = capsys.readouterr().err
    assert "rows that cannot be compared: task version is 2." in said
    assert "cscx_conv_" in said and "_forced, and 2." in said and "--split-by version" in said
    assert main([*command, "--out", str(tmp_path / "two"), "--split-by", "version"]) == 0
    rows = {
        (table.title, table.setting.task_version): {
            row.model: {key.partition("/")[0] for key in row.values} for row in table.rows
        }
        for table in load_board(tmp_path / "two").tables
    }
    models, asked = ("org__fake", "org__another"), {*TASKS[:2]}
    assert rows == {
        ("Conversations (version: 2.0)", "2.0"): dict.fromkeys(models, asked),
        ("Format and choice of strategies (version: 2.0)", "2.0"): {
            "org__another": {*TASKS},
            "org__fake": asked,
        },
        ("Format and choice of strategies (version: 2.1)", both): {
            "org__another": asked,
            "org__fake": {*TASKS},
        },
    }


def test_rows_that_were_forced_in_other_ways_need_tables_of_their_own(run, tmp_path, capsys):
    corpus, results = run
    other = tmp_path / "results" / "other"
    other.mkdir(parents=True)
    text = json.loads(results.read_text(encoding="utf-8"))
    text["model_name"] = "org/another"
    for task in TASKS[2:]:
        forced = {"choice": "json_schema", "reply": "named"}
        text["configs"][task]["metadata"]["csc"]["forced"] = forced
    (other / results.name).write_text(json.dumps(text), encoding="utf-8")
    command = ["collect", str(results.parent), str(other), "--corpus", str(corpus)]
    assert main([*command, "--out", str(tmp_path / "one")]) == 1
    said = capsys.readouterr().err
    assert "way in which a strategy is forced is log-likelihood and prefix" in said
    assert "--split-by forced" in said
    assert main([*command, "--out", str(tmp_path / "two"), "--split-by", "forced"]) == 0


def test_contrasts_say_which_of_several_they_are(tmp_path):
    """As asked and forced; JSON with and without asking again: never two rows of the same name."""
    corpus = write_corpus(tmp_path / "corpus", sample_conversations(("en",)), [])
    for number, more in enumerate(
        ({}, {"csc_reask": 1}, {"csc_format": "json"}, {"csc_format": "json", "csc_reask": 1})
    ):
        tasks = TASKS if not more else TASKS[:2]

        def reply(prompt, number=number):
            return ("[Greeting] hello", "no label", "[Others] fine")[(len(prompt) + number) % 3]

        hand_in(tmp_path / f"runs/{number}", tasks, reply, {"csc_corpus": str(corpus)} | more)
    words = ["collect", str(tmp_path / "runs"), "--corpus", str(corpus), "--split-by", "prompt"]
    assert main([*words, "--out", str(tmp_path / "board")]) == 0
    board = load_board(tmp_path / "board")
    places = [
        (row[1], row[2])
        for table in contrast_tables(board, False)
        for row, _ in table.rows
        if row[3].startswith("Strategy accuracy")
    ]
    assert len(set(places)) == len(places)
    context, form = "Reference context \u2212 Generated context", "JSON \u2212 Text"
    assert {(context, "prompt: single"), (context, "forced; prompt: single")} < set(places)
    assert {(form, "Reference context; prompt: single-reask")} < set(places)
    assert {("Asked again \u2212 Asked once", "Generated context; prompt: single-json")} < set(
        places
    )
