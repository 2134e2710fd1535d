"""Files that nobody should trust: results, samples and names that are not what they should be."""

import json
import os
from pathlib import Path

import pytest

from csc_tasks.cli import main
from csc_tasks.errors import DataError, SettingError
from leaderboard.collect import collect
from leaderboard.earlier_board import check_out
from leaderboard.folder import load_board, load_report
from leaderboard.numbers.measured import Options
from tests.support.collecting import PLAIN, TASK, board_of, run
from tests.support.made_results import (
    change_line,
    csc_of,
    right,
)


def broken(file, text):
    file.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "broken JSON"),
        ('{"results": {', "broken JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("[]", "not a results file"),
        ("{}", "results: Field required"),
        ('{"results": NaN}', "NaN is no number"),
        (
            '{"results": 5, "configs": {}, "config": {}, "model_name": "x", "date": 1.0}',
            "results: Input should be",
        ),
        (
            '{"results": {}, "configs": {}, "config": {}, "model_name": "x", "date": 1.0}',
            "no results of a csc task",
        ),
        (
            '{"results": {}, "configs": {}, "config": {}, "model_name": ["x"], "date": 1.0}',
            "model_name: Input should be",
        ),
        (
            '{"results": {}, "configs": {}, "config": {}, "model_name": "x", "date": 1e300}',
            "date: Input should be",
        ),
    ],
)
def test_a_results_file_that_is_none(tmp_path, text, words, capsys):
    (tmp_path / "results_1.json").write_text(text, encoding="utf-8")
    assert (
        main(["collect", str(tmp_path / "results_1.json"), "--out", str(tmp_path / "board")]) == 1
    )
    error = capsys.readouterr().err
    assert words in error and "results_1.json" in error and "Traceback" not in error
    assert not (tmp_path / "board").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda r: r["results"][TASK].update({"strategy_acc,none": "high"}),
            "strategy_acc is 'high'",
        ),
        (
            lambda r: r["results"][TASK].update({"strategy_acc,none": 10**400}),
            "is no number that can be used",
        ),
        (lambda r: r["results"][TASK].update({"turns,none": -3}), "the number of turns"),
        (lambda r: r["configs"][TASK].update(metadata=[]), "metadata.csc is missing"),
        (lambda r: csc_of(r).update(signatures=["x"]), "metadata.csc.signatures"),
        (lambda r: r["results"].update({TASK: {"turns,none": 3}}), "there is no metric"),
    ],
)
def test_wrong_types_in_a_results_file(tmp_path, change, words):
    file = run(tmp_path / "runs")
    results = json.loads(file.read_text(encoding="utf-8"))
    change(results)
    broken(file, json.dumps(results))
    with pytest.raises(DataError, match=words):
        board_of(tmp_path / "runs", out=tmp_path / "board")


def of_record(**values):
    return lambda line: line["turns"][0].update(values)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (of_record(reply=None), "reply of a record is None"),
        (of_record(strategy=["GT"]), "strategy is .*; it must be text or null"),
        (of_record(turn=True), "turn True"),
        (of_record(turn=10**30), "turn 1000"),
        (of_record(language="xx"), "language 'xx'"),
        (of_record(conversation_id="other"), "stands under"),
        (lambda line: line.update(turns=[]), "no 'doc' and 'turns'"),
        (lambda line: line.update(turns=["x"]), "a record in 'turns' is 'x'"),
        (lambda line: line.update(doc="x"), "no 'doc' and 'turns'"),
        (lambda line: line["doc"].update(dialogue=[{"text": None}]), None),
    ],
)
def test_samples_that_do_not_hold_what_they_should(tmp_path, change, words):
    file = run(tmp_path / "runs")
    change_line(next(file.parent.glob("samples_*")), 2, change)
    if words is None:
        # Only the fact audit reads the dialogue.
        board_of(tmp_path / "runs", out=tmp_path / "board")
        words, options = "turn 0 of dialogue", Options(0, 3, True, {})
        change_line(next(file.parent.glob("samples_*")), 2, of_record(reply="That is $40."))
    else:
        options = PLAIN
    with pytest.raises(DataError, match=words):
        collect([tmp_path / "runs"], tmp_path / "other", options)
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("change", "item"),
    [
        (of_record(strategy="Greeting"), "strategy"),
        (of_record(gold_strategy=None), "gold_strategy"),
        (lambda line: line.update(strategy_acc=["x", [1.0]]), "strategy_acc items"),
        (
            lambda line: line["strategy_acc"].__setitem__(1, ["a", {}, [], 1]),
            "strategy_acc items",
        ),
        (lambda line: line["bleu_2"].__setitem__(1, [[1], [1, 2], 3, 4]), "bleu_2 items"),
        (lambda line: line["strategy_acc"][1].__setitem__(0, 0.5), "strategy_acc items"),
        (
            lambda line: line["strategy_macro_f1"][1].__setitem__(0, [99, 1]),
            "strategy_macro_f1 items",
        ),
    ],
)
def test_what_samples_say_of_their_replies_falls_to_the_replies(tmp_path, change, item):
    file = run(tmp_path / "runs")
    honest = board_of(tmp_path / "runs", out=tmp_path / "honest").tables[0].rows[0]
    change_line(next(file.parent.glob("samples_*")), 2, change)
    board = board_of(tmp_path / "runs", out=tmp_path / "board")
    (row,) = board.tables[0].rows
    assert row.values == honest.values and row.trust == "re-scored"
    assert [found.item for found in row.runs[TASK].findings] == [item]
    assert "1 result with statements that do not hold:" in board.notes


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty"),
        ("{\n", "line 1: broken JSON"),
        ("[" * 100_000, "line 1: nested too deeply"),
        ("[]\n", "line 1: no 'doc'"),
        ('{"doc": Infinity}\n', "Infinity is no number"),
        ("\xff\xfe", "line 1: not UTF-8"),
    ],
)
def test_samples_that_are_none(tmp_path, text, words):
    file = run(tmp_path / "runs")
    next(file.parent.glob("samples_*")).write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=words):
        board_of(tmp_path / "runs", out=tmp_path / "board")


def test_cut_and_doubled_samples(tmp_path):
    file = run(tmp_path / "runs")
    samples = next(file.parent.glob("samples_*"))
    whole = samples.read_text(encoding="utf-8").splitlines(keepends=True)
    samples.write_text("".join(whole[:-1]), encoding="utf-8")
    with pytest.raises(DataError, match=r"44 turns, and results_.* says 48"):
        board_of(tmp_path / "runs", out=tmp_path / "board")
    samples.write_text("".join([*whole, whole[3]]), encoding="utf-8")
    twice = json.loads(whole[3])["doc"]["conversation_id"]
    with pytest.raises(DataError, match=rf"line 13: turn 1 of {twice} stands in the file twice"):
        board_of(tmp_path / "runs", out=tmp_path / "board")


def test_the_order_of_the_lines_does_not_matter(tmp_path):
    """Several ranks may log in any order."""
    run(tmp_path / "runs", "org/one", right(0.5))
    file = run(tmp_path / "runs", "org/two")
    before = board_of(tmp_path / "runs", out=tmp_path / "board").tables[0]
    samples = next(file.parent.glob("samples_*"))
    samples.write_text(
        "".join(reversed(samples.read_text(encoding="utf-8").splitlines(keepends=True))),
        encoding="utf-8",
    )
    after = board_of(tmp_path / "runs", out=tmp_path / "board").tables[0]
    assert [c.p for c in after.comparisons] == pytest.approx([c.p for c in before.comparisons])


def test_names_cannot_leave_the_folder(tmp_path):
    """Hostile names of models, variants and texts: all that is written lies in --out, and the names
    are only names.
    """
    names = {
        "../../../evil": "evil",
        "/etc/passwd": "passwd",
        "<script>alert(1)": "<script>alert(1)",
        "..": "unnamed",
        "": "unnamed",
        "x" * 500: "x" * 200,
        "a\nb": "a\nb",
        "模型/七": "模型/七",
        "con\x00": "con\x00",
    }
    for i, name in enumerate(names):
        file = run(tmp_path / "runs" / str(i))
        file.write_text(
            json.dumps(json.loads(file.read_text(encoding="utf-8")) | {"model_name": name}),
            encoding="utf-8",
        )
    before = set(tmp_path.rglob("*"))
    board = board_of(tmp_path / "runs", out=tmp_path / "out" / "board")
    assert sorted(model.name for model in board.models.values()) == sorted(names.values())
    written = set(tmp_path.rglob("*")) - before
    assert all(
        Path(os.path.realpath(path)).is_relative_to(tmp_path.resolve() / "out") for path in written
    )
    assert len(list((tmp_path / "out" / "board" / "models").iterdir())) == len(names)
    # A lone surrogate is no name at all.
    file.write_text(
        json.dumps(json.loads(file.read_text(encoding="utf-8")) | {"model_name": "\ud800"}),
        encoding="utf-8",
    )
    with pytest.raises(DataError, match="lone surrogates"):
        board_of(file, out=tmp_path / "other")


def test_lone_surrogates_in_texts_are_refused(tmp_path):
    file = run(tmp_path / "runs")
    samples = next(file.parent.glob("samples_*"))
    change_line(samples, 0, lambda line: line["doc"].update(topic="half \\ud800"))
    samples.write_text(
        samples.read_text(encoding="utf-8").replace("\\\\ud800", "\\ud800"), encoding="utf-8"
    )
    assert "\\ud800" in samples.read_text(encoding="utf-8")
    with pytest.raises(DataError, match=r"line 1: holds lone surrogates \(\\ud800 without"):
        board_of(tmp_path / "runs", out=tmp_path / "board")


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    run(tmp_path / "runs", "org/one")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").write_text("text", encoding="utf-8")
    with pytest.raises(SettingError, match=r"holds other things \(thesis.txt\)"):
        check_out(tmp_path / "home")
    with pytest.raises(SettingError, match="is a file"):
        check_out(tmp_path / "home" / "thesis.txt")
    with pytest.raises(DataError, match="there is no such file"):
        board_of(tmp_path / "nowhere", out=tmp_path / "board")
    with pytest.raises(DataError, match="no results file"):
        board_of(tmp_path / "home", out=tmp_path / "board")


def test_what_an_earlier_board_left_goes(tmp_path):
    run(tmp_path / "a", "org/one")
    run(tmp_path / "b", "org/two")
    board_of(tmp_path / "a", tmp_path / "b", out=tmp_path / "board")
    board_of(tmp_path / "b", out=tmp_path / "board")
    assert [file.name for file in (tmp_path / "board" / "models").iterdir()] == ["org__two.json"]
    assert [file.name for file in (tmp_path / "board" / "raw").iterdir()] == ["org__two"]


def test_a_board_that_was_changed_is_refused(tmp_path):
    run(tmp_path / "runs", "org/one")
    board_of(tmp_path / "runs", out=tmp_path / "board")
    file = tmp_path / "board" / "board.json"
    data = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(data | {"colour": "red"}), encoding="utf-8")
    with pytest.raises(DataError, match=r"colour: Extra inputs are not permitted"):
        load_board(tmp_path / "board")
    with pytest.raises(DataError, match=r"no board\.json"):
        load_board(tmp_path)
    with pytest.raises(DataError, match="is no name of a file"):
        load_report(tmp_path / "board", "../../x")
