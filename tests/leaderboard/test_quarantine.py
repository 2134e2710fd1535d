"""Bad files beside good ones: the board is that of the good ones, and says which files are not in
it, and why.
"""

import html
import json
import os
import re

import pytest

from csc_tasks.cli import main
from csc_tasks.errors import DataError
from leaderboard.collect import collect
from leaderboard.folder import load_board
from leaderboard.numbers.measured import Options
from leaderboard.tables import as_html, latex, markdown
from tests.support.made_results import (
    change_line,
    conversation_result,
    conversations,
    numbered,
    right,
    write_run,
)

TASK = "csc_conv_ref"
ITEMS = conversations(8)
OPTIONS = Options(seed=0, draw=3, audit=True, evidence={})
GOOD = {"org/one": right(1), "org/two": right(0.5), "org/three": numbered(3)}


def run(root, name, answer=None):
    return write_run(root, name, [conversation_result(TASK, ITEMS, answer or numbered(2))])


def good_runs(root):
    for name, answer in GOOD.items():
        run(root, name, answer)
    return root


def samples_of(results):
    (file,) = results.parent.glob("samples_*.jsonl")
    return file


def of_results(change):
    def spoil(file):
        results = json.loads(file.read_text(encoding="utf-8"))
        change(results)
        file.write_text(json.dumps(results), encoding="utf-8")
        return file

    return spoil


def of_record(**values):
    def spoil(file):
        samples = samples_of(file)
        change_line(samples, 2, lambda line: line["turns"][1].update(values))
        return samples

    return spoil


def of_line(change):
    def spoil(file):
        change_line(samples_of(file), 2, change)
        return samples_of(file)

    return spoil


def written(content, samples=False):
    def spoil(file):
        bad = samples_of(file) if samples else file
        bad.write_bytes(content)
        return bad

    return spoil


def piped(samples):
    def spoil(file):
        bad = samples_of(file) if samples else file
        bad.unlink()
        os.mkfifo(bad)
        return bad

    return spoil


def cut(file):
    samples = samples_of(file)
    samples.write_bytes(samples.read_bytes()[:-100])
    return samples


def short(file):
    samples = samples_of(file)
    samples.write_text("".join(samples.read_text().splitlines(keepends=True)[:-1]))
    return samples


def giant(file):
    samples = samples_of(file)
    with samples.open("r+b") as stream:
        stream.truncate(200 * 2**30)
    return samples


# How a run is spoilt (returns the file that is then bad) -> what the board says of it.
BAD = {
    "no JSON": (written(b"{"), "broken JSON, perhaps cut off"),
    "UTF-16": (written("{}".encode("utf-16")), "not UTF-8"),
    "deep": (written(b"[" * 10_000), "nested too deeply"),
    "two results": (written(b'{"results": {}, "results": {}}'), "'results' stands twice"),
    "1e400": (written(b'{"date": 1e400}'), "1e400 is no number"),
    "another program's": (written(b'{"results": {}}'), "configs: Field required"),
    "no csc": (
        of_results(lambda r: r["configs"][TASK]["metadata"].pop("csc")),
        "metadata.csc is missing",
    ),
    "shots that are none": (of_results(lambda r: r.update({"n-shot": None})), "n-shot: "),
    "pipe": (piped(False), "is a named pipe"),
    "samples are a pipe": (piped(True), "is a named pipe"),
    "samples are cut": (cut, "line 8: broken JSON"),
    "samples are fewer": (short, "28 turns, and results_"),
    "samples are latin-1": (written('{"a": "é"}'.encode("latin-1"), True), "line 1: not UTF-8"),
    "NaN in samples": (of_record(extra=float("nan")), "line 3: NaN is no number"),
    "turn": (of_record(turn=True), "turn True"),
    "label": (of_record(strategy=["GT"]), "line 3: strategy is ['GT']"),
    "reply": (of_record(reply=None), "line 3: reply of a record is None"),
    "language": (of_record(language="tlh"), "line 3: language 'tlh'"),
    "dialogue": (of_line(lambda line: line["doc"].update(dialogue=5)), "line 3: dialogue is 5"),
    "metrics": (of_line(lambda line: line.pop("metrics")), "line 3: metrics is None"),
    "giant": (giant, "line 9: longer than 64 MB"),
}
PIPES = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")


def numbers(board):
    return [
        (table.id, table.rows, table.comparisons, table.best, table.second)
        for table in board.tables
    ]


@PIPES
def test_good_files_give_the_same_numbers_beside_bad_ones(tmp_path, capsys):
    """Three good runs, and one for each way to be bad, in one folder: the numbers are those of the
    three alone, and each bad file is named once, with its reason, wherever the board is read.
    """
    root = good_runs(tmp_path / "runs")
    alone = collect([root], tmp_path / "alone", OPTIONS)
    bad = {}
    for number, (kind, (spoil, _)) in enumerate(BAD.items()):
        bad[kind] = spoil(run(root, f"bad/{number:02}")).relative_to(root).as_posix()
    capsys.readouterr()
    board = collect([root], tmp_path / "board", OPTIONS)
    assert numbers(board) == numbers(alone) and board.models == alone.models
    assert board.notes == alone.notes and alone.quarantine == ()
    reasons = {one.file: one.reason for one in board.quarantine}
    assert len(board.quarantine) == len(BAD) and set(reasons) == set(bad.values())
    for kind, (_, words) in BAD.items():
        assert reasons[bad[kind]].startswith(words) or words in reasons[bad[kind]], kind
    published = (tmp_path / "board" / "board.json").read_text(encoding="utf-8")
    assert str(tmp_path) not in json.dumps(json.loads(published)["quarantine"])
    said = capsys.readouterr().err
    for name in bad.values():
        assert len([s for s in said.splitlines() if s.startswith("set aside: ") and name in s]) == 1
    assert f"{len(BAD)} files set aside" in said
    assert load_board(tmp_path / "board") == board


def test_the_page_and_the_tables_name_what_is_not_in_them(tmp_path, capsys):
    root = good_runs(tmp_path / "runs")
    bad = run(root, "org/<b>")
    bad.write_text('{"results": {}, "results": {}}')
    out = tmp_path / "board"
    assert main(["collect", str(root), "--out", str(out)]) == 0
    assert "1 file set aside, each named above; --strict" in capsys.readouterr().err
    page = (out / "index.html").read_text(encoding="utf-8")
    (section,) = re.findall(r'<section class="card" id="set-aside">.*?</section>', page, re.DOTALL)
    text = html.unescape(re.sub("<[^>]+>", "", section))
    name = bad.relative_to(root).as_posix()
    assert "Set aside (1)" in text and f"{name}: the key 'results' stands twice" in text
    assert str(tmp_path) not in section
    board = load_board(out)
    for write in (markdown, latex, as_html):
        assert "1 file that cannot be used" in write(board, board.tables[0]).replace("\\", "")
    # The next collection without it says nothing more of it.
    bad.unlink()
    assert main(["collect", str(root), "--out", str(out)]) == 0
    assert "set-aside" not in (out / "index.html").read_text(encoding="utf-8").split("<script")[0]
    assert load_board(out).quarantine == ()


@pytest.mark.parametrize("kind", ["no JSON", "turn"])
def test_strict_makes_the_first_bad_file_an_error(kind, tmp_path, capsys):
    root = good_runs(tmp_path / "runs")
    spoil, words = BAD[kind]
    bad = spoil(run(root, "org/bad"))
    out = tmp_path / "board"
    assert main(["collect", str(root), "--out", str(out), "--strict"]) == 1
    (line,) = [s for s in capsys.readouterr().err.splitlines() if s.startswith("error: ")]
    assert str(bad) in line and words in line and not out.exists()


def test_nothing_left_is_an_error(tmp_path):
    for name, (spoil, _) in {"org/a": BAD["no JSON"], "org/b": BAD["turn"]}.items():
        spoil(run(tmp_path / "runs", name))
    with pytest.raises(DataError, match="none of 2 files can be used; the first: "):
        collect([tmp_path / "runs"], tmp_path / "board", OPTIONS)
    assert not (tmp_path / "board").exists()


def test_a_bad_newer_run_does_not_push_out_a_good_one(tmp_path):
    root = good_runs(tmp_path / "runs")
    alone = collect([root], tmp_path / "alone", OPTIONS)
    newer = write_run(
        root,
        "org/one",
        [conversation_result(TASK, ITEMS, numbered(2))],
        lambda results: results.update(date=1_790_000_001.0),
    )
    stamp = newer.name.removeprefix("results_").removesuffix(".json")
    samples = newer.with_name(f"samples_{TASK}_{stamp}.jsonl")
    change_line(samples, 0, lambda line: line["turns"][0].update(turn="1"))
    board = collect([root], tmp_path / "board", OPTIONS)
    assert numbers(board) == numbers(alone)
    assert [one.file for one in board.quarantine] == [f"org__one/{samples.name}"]


def test_processes_hand_over_what_is_wrong(tmp_path, monkeypatch):
    from leaderboard.numbers import measuring

    root = good_runs(tmp_path / "runs")
    BAD["turn"][0](run(root, "org/bad"))
    one = collect([root], tmp_path / "one", OPTIONS)
    monkeypatch.setattr(measuring, "WORTH_A_PROCESS", 0)
    assert collect([root], tmp_path / "two", OPTIONS, jobs=2) == one and len(one.quarantine) == 1
