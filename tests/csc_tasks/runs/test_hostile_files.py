"""Hostile files, read by every reader: one line that names the file, never a hang, never a
traceback, and never more memory than the bound of a line.
"""

import json
import os
import socket
from itertools import product
from pathlib import Path

import pytest

from csc_tasks.cli import main
from csc_tasks.errors import DataError
from csc_tasks.evidence import read_evidence
from csc_tasks.pii.accepted import read_accepted
from csc_tasks.reading import files, json_lines, json_text, read_json, read_text
from csc_tasks.reading.yaml_text import NotYaml, strict_yaml
from csc_tasks.runs.names import results_beside
from csc_tasks.runs.quarantine import Quarantine
from csc_tasks.runs.results_file import read_results
from csc_tasks.runs.samples_file import read_run
from leaderboard.folder import load_board
from leaderboard.judging.ratings import read_ratings
from leaderboard.judging.sheet_files import read_key
from leaderboard.judging.units import read_models
from leaderboard.reading.reported import read_reported
from tests.support.made_results import conversation_result, conversations, numbered, write_run
from tests.support.run_files import read_items

TASK = "csc_conv_ref"

# What stands in place of a file -> what its one line says.
HOSTILE = {
    "empty": (b"", r"is empty|broken JSON"),
    "cut off": (b'{"results": {', r"broken JSON, perhaps cut off \(.*line 1, column 14\)"),
    "UTF-16": ('{"results": 1}'.encode("utf-16"), r"not UTF-8 .*UTF-16: iconv -f UTF-16"),
    "UTF-32": ('{"results": 1}'.encode("utf-32"), r"not UTF-8 .*iconv -f UTF-32"),
    "UTF-16 without a mark": ('{"a": 1}'.encode("utf-16-le"), r"NUL bytes .*UTF-16"),
    "latin-1": ('{"a": "café au lait"}'.encode("latin-1"), r"0xe9.*iconv -f LATIN1"),
    "GBK": ('{"a": "您好，请稍等"}'.encode("gbk"), r"not UTF-8 .*iconv -f GB18030"),
    "NUL": (b'{"a": "x\x00y"}', r"holds NUL bytes \(the first is byte 8\)"),
    "deep": (b"[" * 100_000, r"nested too deeply \(more than 100 levels\)"),
    "deep enough for Python": (b"[" * 101 + b"]" * 101, r"nested too deeply"),
    "NaN": (b'{"a": "NaN", "b":\n [NaN]}', r"NaN is no number .*\(line 2, column 3\)"),
    "Infinity": (b'{"a": Infinity}', r"Infinity is no number .*line 1, column 7"),
    "-Infinity": (b'{"a": -Infinity}', r"-Infinity is no number"),
    "1e400": (b'{"a": {"b": [1e400]}}', r"1e400 is no number that can be used \(line 1, column 14"),
    "-1e400": (b'{"a": -1.5e+400}', r"-1\.5e\+400 is no number"),
    "a huge integer": (
        b'{"a": ' + b"9" * 5000 + b"}",
        r"9{20}\.\.\. \(5,000 characters\) is no",
    ),
    "an integer beyond floats": (b'{"a": 1' + b"0" * 309 + b"}", r"is no number that can be used"),
    "two keys": (b'{"results": {}, "results": {}}', r"the key 'results' stands twice"),
    "two inner keys": (b'[{"a": {"b": 1, "c": 2, "b": 1}}]', r"the key 'b' stands twice"),
    "a lone surrogate": (b'{"a": "\\ud83d"}', r"lone surrogates \(\\ud83d without"),
}


@pytest.fixture
def run(tmp_path):
    """A results file of three conversations, with its samples beside it."""
    return write_run(
        tmp_path / "run", "org/one", [conversation_result(TASK, conversations(3), numbered(3))]
    )


def samples_of(results: Path) -> Path:
    (file,) = results.parent.glob("samples_*.jsonl")
    return file


# One reader of each kind of file from outside; a path that is not there yet is made by the test.
READERS = {
    "results": lambda file: read_results(file, []),
    "results beside samples": lambda file: read_run(
        file.with_name(file.name.replace("results_", f"samples_{TASK}_") + "l")
    ),
    "reported": lambda file: read_reported(file, ()),
    "key": lambda file: read_key(file),
    "json": lambda file: read_json(file, "give another"),
}
NAMES = {"results": "results_2026-01-01T00-00-00.0.json"}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_json_file_is_one_line(kind, reader, tmp_path):
    content, words = HOSTILE[kind]
    file = tmp_path / NAMES["results"]
    file.write_bytes(content)
    (tmp_path / f"samples_{TASK}_2026-01-01T00-00-00.0.jsonl").write_text("{}\n")
    with pytest.raises(DataError, match=words) as raised:
        READERS[reader](file)
    assert str(raised.value).startswith(str(file)) and "\n" not in str(raised.value)


LINES = {
    "samples": read_run,
    "samples as arrays": lambda file: read_items(file, "turns", ["strategy_acc"], 2, 0, []),
    "evidence": read_evidence,
    "ratings": lambda file: read_ratings([file]),
    "lines": lambda file: list(json_lines(file, "give another")),
}


@pytest.mark.parametrize("reader", LINES)
@pytest.mark.parametrize("kind", [kind for kind in HOSTILE if kind != "empty"])
def test_a_hostile_line_is_one_line_that_names_it(kind, reader, run, tmp_path):
    content, words = HOSTILE[kind]
    file = samples_of(run) if reader.startswith("samples") else tmp_path / "ratings.jsonl"
    file.write_bytes(b"\n" + content.replace(b"\n", b" ") + b"\n")
    # Within one line a column says where; in UTF-16 a line ends in the middle of a character.
    words = words.replace("line 2, ", "").replace("line 1, ", "").replace("column 3", "column 21")
    with pytest.raises(DataError, match=rf"line 2: .*{words}"):
        LINES[reader](file)


def test_what_is_near_to_hostile_is_read(tmp_path):
    file = tmp_path / "a.json"
    value = {"a": ["NaN", 1.7e308, 10**307, 5e-324, "\u2028", "𝒳", None, True], "b": {"a": 1}}
    text = json.dumps(value)
    assert "\\ud835" in text
    file.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read_json(file, "") == value
    file.write_text("[" * 100 + "]" * 100)
    assert read_json(file, "") is not None
    file.write_text('{"a": 1}\n\n{"a": "x\u2028y"}\n', encoding="utf-8")
    assert list(json_lines(file, "")) == [(1, {"a": 1}), (3, {"a": "x\u2028y"})]


def as_fifo(file: Path) -> None:
    os.mkfifo(file)


def as_socket(file: Path) -> None:
    folder = os.getcwd()
    # The path of a socket is short.
    os.chdir(file.parent)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(file.name)
    os.chdir(folder)


PLACES = {
    "a named pipe, not a file": as_fifo,
    "a folder": Path.mkdir,
    "a socket, not a file": as_socket,
    "a device, not a file": lambda file: file.symlink_to("/dev/zero"),
    "there is no such file": lambda file: file.symlink_to("nowhere"),
}
EVERY = {
    **READERS,
    **LINES,
    "text": lambda file: read_text(file, "give another"),
    "board": lambda file: load_board(file.parent),
    "accepted": read_accepted,
}
# A key and ratings are looked for in a folder, and a list of accepted findings is made.
FINE = {("key", "a folder"), ("ratings", "a folder"), ("accepted", "there is no such file")}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
@pytest.mark.parametrize(
    ("reader", "place"), [pair for pair in product(EVERY, PLACES) if pair not in FINE]
)
def test_what_is_no_regular_file_is_refused_before_it_is_opened(
    reader, place, run, tmp_path, monkeypatch
):
    """A pipe that nobody writes into would wait for ever: that it is never opened proves that
    nothing waits.
    """
    names = {"ratings": "ratings.jsonl", "board": "board.json", "results": NAMES["results"]}
    file = tmp_path / names.get(reader, "a.json")
    if reader.startswith("samples"):
        file = samples_of(run)
        file.unlink()
    elif reader == "results beside samples":
        file = run
        file.unlink()
    PLACES[place](file)
    opened = []
    real = os.open
    monkeypatch.setattr(
        os, "open", lambda path, *more: opened.append(str(path)) or real(path, *more)
    )
    if reader == "board" and place != "there is no such file":
        monkeypatch.setattr(Path, "is_file", lambda path: True)
    with pytest.raises(DataError, match=rf"{place}|no board.json in it"):
        EVERY[reader](file)
    assert str(file) not in opened


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_that_takes_the_place_of_a_file_does_not_hang(tmp_path, monkeypatch):
    file = tmp_path / "a.json"
    file.write_text("{}")
    regular = os.stat(file)
    file.unlink()
    os.mkfifo(file)
    monkeypatch.setattr(files.os, "stat", lambda path: regular)
    with pytest.raises(DataError, match="is a named pipe"):
        read_json(file, "give another")


def test_a_giant_line_is_never_held(run, monkeypatch):
    """The file has 200 GB, all of it one line, and no byte of it lies on the disk."""
    monkeypatch.setattr(json_text, "LONGEST_LINE", 2**20)
    file = samples_of(run)
    with file.open("r+b") as stream:
        stream.seek(0, os.SEEK_END)
        stream.truncate(200 * 2**30)
    asked = []

    class Counted:
        def __init__(self, stream):
            self.stream = stream

        def readline(self, size):
            asked.append(size)
            return self.stream.readline(size)

        def __getattr__(self, name):
            return getattr(self.stream, name)

    real = json_text.open_bytes

    def counted(*given):
        return _Wrapped(real(*given), Counted)

    monkeypatch.setattr(json_text, "open_bytes", counted)
    for read in (read_run, LINES["samples as arrays"]):
        with pytest.raises(DataError, match=r"line 4: longer than 1 MB, the most that is read"):
            read(file)
    assert set(asked) == {2**20 + 1}


class _Wrapped:
    def __init__(self, context, wrap):
        self.context, self.wrap = context, wrap

    def __enter__(self):
        return self.wrap(self.context.__enter__())

    def __exit__(self, *error):
        return self.context.__exit__(*error)


@pytest.mark.parametrize(
    ("reader", "largest"),
    [("results", 64 * 2**20), ("reported", 2**30), ("accepted", 2**20), ("text", 2**30)],
)
def test_a_file_that_is_too_large_is_not_read(reader, largest, tmp_path, monkeypatch):
    file = tmp_path / NAMES["results"]
    with file.open("wb") as stream:
        stream.truncate(largest + 2**20)
    monkeypatch.setattr(files, "decoded", lambda *given: pytest.fail("it was read"))
    size = f"{largest / 2**20 + 1:,.0f} MB; at most {largest / 2**20:,.0f} MB are read"
    with pytest.raises(DataError, match=size):
        EVERY[reader](file)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: 2\na: 3", "a stands there more than once"),
        ("a:\n  b: 1\n  b: 1", "b stands there more than once"),
        ("a: &x [1]\nb: [*x, *x]", r"line 2: aliases \(\*name\) are not read"),
        ("a: .inf", r"line 1: \.inf is no number"),
        ("a: 1\nb: [.nan]", r"line 2: \.nan is no number"),
        ("a: 2026-13-45", "month must be in"),
        ("[" * 2000, "nested too deeply"),
        ("a: [", "expected"),
        ("a: !!python/object:os.system x", "could not determine a constructor"),
    ],
)
def test_hostile_yaml_is_one_line(text, words, tmp_path):
    with pytest.raises(NotYaml, match=words) as raised:
        strict_yaml(text)
    assert "\n" not in str(raised.value)
    file = tmp_path / "pii.yaml"
    file.write_text(text)
    with pytest.raises(DataError, match=words):
        read_accepted(file)


VERBS = {
    "collect": ["--out", "{out}"],
    "verify": [],
    "score": ["--out", "{out}"],
    "judge": ["--llm", "scripted", "--out", "{out}"],
    "pairwise": ["--llm", "scripted", "--out", "{out}"],
    "human export": ["--out", "{out}"],
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("part", ["results", "samples"])
def test_every_verb_names_the_file_in_a_line(verb, part, run, tmp_path, capsys):
    """Of one file nothing is left, so each verb ends with exit status 1 and one error."""
    bad = run if part == "results" else samples_of(run)
    bad.write_bytes('{"a": 1}'.encode("utf-16"))
    more = [word.format(out=tmp_path / "out") for word in VERBS[verb]]
    status = main([*verb.split(), str(run.parent), *more])
    text = "".join(capsys.readouterr())
    assert status == 1 and "Traceback" not in text
    (line, *_) = [line for line in text.splitlines() if bad.name in line and "UTF-16" in line]
    assert bad.name in line


def test_a_samples_file_of_another_run_falls_back_to_the_one_before(tmp_path, capsys):
    """The newest of two runs with the same settings is broken: the older one is scored."""
    older = write_run(
        tmp_path / "runs", "org/one", [conversation_result(TASK, conversations(3), numbered(3))]
    )
    newer = write_run(
        tmp_path / "runs",
        "org/one",
        [conversation_result(TASK, conversations(3), numbered(2))],
        lambda results: results.update(date=1_790_000_001.0),
    )
    first, second = sorted(tmp_path.rglob("samples_*"))
    assert results_beside(first) == older and results_beside(second) == newer
    second.write_text("{\n")
    assert main(["score", str(tmp_path / "runs"), "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr()
    assert said.out.startswith(first.name) and "1 file set aside" in said.err
    (judged,) = read_models([tmp_path / "runs"])
    assert judged.file == first
    strict = ["score", str(tmp_path / "runs"), "--out", str(tmp_path / "other"), "--strict"]
    assert main(strict) == 1 and "line 1: broken JSON" in capsys.readouterr().err


def test_a_reason_names_no_folder_of_the_machine(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    root = tmp_path / "home" / "runs"
    file = root / "org" / "results_\x1b[1m.json"
    aside = Quarantine([root])
    aside.add(file, DataError(f"{file}: belongs to {file.parent / 'x'} and {tmp_path}/home/y\nz"))
    assert aside.entries() == [
        ("org/results_\ufffd[1m.json", "belongs to x and ~/y z"),
    ]
