"""csc reproduce as it is used: what it writes and says, what it does not do twice, and what it
leaves alone.
"""

import json
import re
import shutil

import pytest

from csc_tasks.cli import main
from csc_tasks.corpora import DEMO_DIR
from leaderboard.reproduce import corpus_input, results_input
from tests.support.judged_models import curt, gold, write_model


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    write_model(root / "gold", "org/gold", gold, documents=4)
    write_model(root / "curt", "org/curt", curt, documents=4)
    return root


@pytest.fixture(scope="module")
def statistics(tmp_path_factory):
    """The demo's stats.json."""
    file = tmp_path_factory.mktemp("stats") / "stats.json"
    assert main(["stats", "demo", "--json", str(file)]) == 0
    return file


@pytest.fixture
def counted(monkeypatch, statistics):
    """How often csc stats was asked; it answers at once."""
    calls = []

    def count(name, file):
        calls.append(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(statistics, file)

    monkeypatch.setattr(corpus_input, "count", count)
    return calls


@pytest.fixture
def collected(monkeypatch):
    """How often results were collected."""
    calls = []

    def collect(*arguments, **options):
        calls.append(arguments[0])
        return original(*arguments, **options)

    original = results_input.collect
    monkeypatch.setattr(results_input, "collect", collect)
    return calls


def files_of(out):
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file()
    }


def test_from_a_corpus_alone_there_are_its_tables_and_a_list_of_commands(tmp_path, capsys):
    out = tmp_path / "report"
    assert main(["reproduce", "demo", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "missing: Table 6" in said and "no results of csc_conv_ref, csc_conv_gen" in said
    assert '"csc_corpus": "demo"' in said, "the command can be copied"
    page = (out / "README.md").read_text(encoding="utf-8")
    assert "[csv](table-4.csv)" in page and "![Figure 3" in page
    assert "| demo | csconv/test | 60 | en, zh | 7370fa8f3c03 |" in page
    written = json.loads((out / "report.json").read_text(encoding="utf-8"))["files"]
    named = re.findall(r"\]\(([^)]+)\)", page)
    assert {*named} <= {*written} and all((out / name).is_file() for name in written)
    for number in ("Table 7", "Table 8", "Table 9", "Table 10", "Figure 6"):
        assert f"missing: {number}" in said
    for name in written:
        if name.endswith(".png"):
            assert (out / name).read_bytes().startswith(b"\x89PNG")
            assert name.replace(".png", ".csv") in written, "the numbers lie beside a figure"


def test_the_same_command_again_collects_and_counts_nothing(
    tmp_path, runs, counted, collected, capsys
):
    out, copy = tmp_path / "report", tmp_path / "runs"
    shutil.copytree(runs, copy)
    words = ["reproduce", "demo", "--results", str(copy), "--out", str(out)]
    assert main(words) == 0
    before = files_of(out)
    assert main(words) == 0
    assert (len(counted), len(collected)) == (1, 1)
    assert files_of(out) == before
    # Another setting is another board, and so are other results.
    assert main([*words, "--replace"]) == 0
    assert len(collected) == 2
    write_model(copy / "more", "org/more", gold, documents=4)
    assert main([*words, "--replace"]) == 0
    assert (len(counted), len(collected)) == (1, 3)
    assert "org/more" in (out / "table-6.csv").read_text(encoding="utf-8")


def test_only_files_of_the_report_are_replaced_or_removed(tmp_path, runs, counted):
    out = tmp_path / "report"
    assert main(["reproduce", "demo", "--results", str(runs), "--out", str(out)]) == 0
    (out / "notes.md").write_text("mine", encoding="utf-8")
    (out / "figures" / "own.png").write_bytes(b"mine")
    assert (out / "table-6.md").is_file()
    assert main(["reproduce", "demo", "--out", str(out)]) == 0
    assert not list(out.glob("table-6.*")), "without results there is no such table any more"
    assert (out / "notes.md").read_text(encoding="utf-8") == "mine"
    assert (out / "figures" / "own.png").read_bytes() == b"mine"
    assert (out / "table-4.md").is_file()


def test_a_folder_with_other_things_is_refused(tmp_path, capsys):
    (tmp_path / "thesis.tex").write_text("x", encoding="utf-8")
    assert main(["reproduce", "demo", "--out", str(tmp_path)]) == 1
    assert "holds other things than a report" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("absent", "there is no such file or folder"),
        ("empty", "holds no results (results_DATE.json), board"),
    ],
)
def test_a_path_without_anything_to_show_is_named(tmp_path, counted, capsys, name, words):
    (tmp_path / "empty").mkdir()
    given = str(tmp_path / name)
    assert main(["reproduce", "demo", "--results", given, "--out", str(tmp_path / "r")]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"error: {given}: {words}")


def test_a_corpus_that_cannot_be_read_is_named(tmp_path, capsys):
    assert main(["reproduce", str(tmp_path / "none"), "--out", str(tmp_path / "r")]) == 1
    assert str(tmp_path / "none") in capsys.readouterr().err.splitlines()[-1]


def test_stats_json_beside_a_dataset_is_read_and_not_counted(tmp_path, statistics, counted):
    folder = tmp_path / "my set"
    shutil.copytree(DEMO_DIR, folder)
    shutil.copyfile(statistics, folder / "stats.json")
    out = tmp_path / "report"
    assert main(["reproduce", str(folder), "--out", str(out)]) == 0
    assert counted == []
    page = (out / "README.md").read_text(encoding="utf-8")
    assert "Of my set, by csc reproduce" in page, "and nothing of this disk's folders"
    texts = [page, (out / "report.json").read_text(encoding="utf-8")]
    assert not any(str(tmp_path) in text for text in texts)
    assert "CORPUS" in page, "a name with a space would break the command"


def test_a_board_is_shown_as_it_is(tmp_path, runs, counted, collected):
    board, out = tmp_path / "board", tmp_path / "report"
    assert main(["collect", str(runs), "--out", str(board)]) == 0
    before = files_of(board)
    assert main(["reproduce", "demo", "--results", str(board), "--out", str(out)]) == 0
    assert collected == [] and not (out / "board").exists()
    assert files_of(board) == before
    assert "org/gold" in (out / "table-6.csv").read_text(encoding="utf-8")


def test_results_that_do_not_hold_are_set_aside_and_said(tmp_path, runs, counted):
    copy, out = tmp_path / "runs", tmp_path / "report"
    shutil.copytree(runs, copy)
    (samples,) = (copy / "curt").rglob("samples_csc_qa_*.jsonl")
    samples.write_text(samples.read_text(encoding="utf-8")[:-200], encoding="utf-8")
    assert main(["reproduce", "demo", "--results", str(copy), "--out", str(out)]) == 0
    page = (out / "README.md").read_text(encoding="utf-8")
    assert "set aside" in page and samples.name.replace("_", r"\_") in page
    assert "org/curt" not in (out / "qa-results.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": "csc-tasks sweep, version 9"}, "not a sweep in the form"),
        ({"points": [{"size": 3}]}, "points.0.value"),
        ({"points": [{"value": "3", "file": "../secret.json"}]}, "must lie below its folder"),
    ],
)
def test_a_sweep_of_another_form_is_named(tmp_path, counted, capsys, change, words):
    data = {"format": "csc-tasks sweep, version 1", "key": "train_size", "points": []} | change
    file = tmp_path / "sweep.json"
    file.write_text(json.dumps(data), encoding="utf-8")
    given = ["--results", str(file)]
    assert main(["reproduce", "demo", *given, "--out", str(tmp_path / "r")]) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith(f"error: {file}: ") and words in line


def test_the_help_says_what_there_is(capsys):
    with pytest.raises(SystemExit) as left:
        main(["reproduce", "--help"])
    assert left.value.code == 0
    text = capsys.readouterr().out
    assert "csc reproduce demo --out report/" in text and "--reported FILE" in text
