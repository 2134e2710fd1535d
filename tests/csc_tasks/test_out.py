"""Where verbs write: every one of them says before its work that it cannot, and what an earlier run
left there.
"""

import errno
import importlib
import json
import os
import shutil
import tempfile
from argparse import ArgumentParser

import pytest

from csc_tasks import out as out_module
from csc_tasks.cli import COMMANDS, main
from csc_tasks.errors import DataError, SettingError
from csc_tasks.out import check_writable, replace_file, replace_folder

NOWHERE = "nowhere-at-all"
MORE = {
    "train": ["--model", NOWHERE],
    "train tiny": ["--minutes", "0"],
    "build rolecs": ["--limit", "0"],
}
"""Words without which a verb would not write, or would have everything it needs."""


def actions(verb):
    parser = ArgumentParser()
    importlib.import_module(COMMANDS[verb][0]).add_arguments(parser)
    return parser._actions


WRITING = [
    verb
    for verb in COMMANDS
    if any(
        "--out" in action.option_strings and action.metavar != "FILE" for action in actions(verb)
    )
]
"""Verbs whose --out is a folder."""


def words(verb, out):
    """A command line of a verb whose inputs do not exist: it cannot have worked before it says what
    is wrong with --out.
    """
    given = []
    for action in actions(verb):
        if not action.option_strings and action.nargs != "?":
            given.append(action.choices[0] if action.choices else NOWHERE)
        elif action.required and "--out" not in action.option_strings:
            value = "scripted" if "--llm" in action.option_strings else NOWHERE
            given += [action.option_strings[0], action.choices[0] if action.choices else value]
    return [*verb.split(), *given, *MORE.get(verb, []), "--out", str(out)]


def place(kind, tmp_path, monkeypatch):
    """(a path that cannot be written, what is said about it)."""
    (tmp_path / "file").write_text("mine")
    if kind == "a file":
        return tmp_path / "file", "is a file; give a folder"
    if kind == "below a file":
        return tmp_path / "file" / "deep" / "out", "which is a file; give another folder"
    if kind == "a link to nowhere":
        (tmp_path / "link").symlink_to(tmp_path / "gone")
        return tmp_path / "link", "is a link that leads nowhere"
    if kind == "a name that is too long":
        return tmp_path / ("x" * 300), "File name too long"
    if kind == "no disk space":
        monkeypatch.setattr(
            shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(10**9, 10**9 - 5000, 5000)
        )
        return tmp_path / "out", "0.0 MiB are free"
    number = {
        "no permission": errno.EACCES,
        "a read-only file system": errno.EROFS,
        "a quota": errno.EDQUOT,
    }[kind]

    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(tempfile, "TemporaryDirectory", refuse)
    return tmp_path / "out", os.strerror(number)


KINDS = (
    "a file",
    "below a file",
    "a link to nowhere",
    "a name that is too long",
    "no disk space",
    "no permission",
    "a read-only file system",
    "a quota",
)


def test_all_verbs_that_write_are_here():
    assert {
        "build demo",
        "build star",
        "build csconv",
        "train",
        "train tiny",
        "score",
        "collect",
        "judge",
        "agreement",
    } <= set(WRITING)
    assert len(WRITING) >= 19


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("verb", WRITING)
def test_a_place_that_cannot_be_written_is_one_line_before_the_work(
    verb, kind, tmp_path, monkeypatch, capsys
):
    path, said = place(kind, tmp_path, monkeypatch)
    before = sorted(entry.name for entry in tmp_path.iterdir())
    assert main(words(verb, path)) == 1
    printed, error = capsys.readouterr()
    assert printed == "" and error.count("\n") == 1
    assert error.startswith(f"error: --out {path}: ") and said in error
    assert (
        sorted(entry.name for entry in tmp_path.iterdir()) == before
        and (tmp_path / "file").read_text() == "mine"
    )


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="no /proc")
@pytest.mark.parametrize("verb", WRITING)
def test_a_file_system_that_takes_nothing(verb, capsys):
    """Not even from root, and without anything being simulated."""
    assert main(words(verb, "/proc/out")) == 1
    assert capsys.readouterr().err.startswith(
        "error: --out /proc/out: cannot be written in /proc ("
    )


@pytest.mark.parametrize("verb", WRITING)
def test_a_place_that_can_be_written_is_no_complaint(verb, tmp_path, capsys):
    """What is said is then about the input, and neither the folder nor the probe is there."""
    if verb in ("build demo", "train"):
        pytest.skip("reads nothing, or a model first")
    out = tmp_path / "new" / "out"
    assert main(words(verb, out)) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and str(out) not in error
    assert not [
        entry
        for entry in tmp_path.rglob("*")
        if entry.name.startswith(".csc-tasks-") or entry == out
    ]


@pytest.mark.parametrize(
    ("option", "given"),
    [
        ("--plots", ["stats", "demo", "--plots"]),
        ("--merge", ["train", "--model", NOWHERE, "--out", "{out}", "--merge"]),
        (
            "--save-quantized-base",
            ["train", "--model", NOWHERE, "--out", "{out}", "--save-quantized-base"],
        ),
    ],
)
def test_other_options_that_write(option, given, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert (
        main([*(word.format(out=tmp_path / "out") for word in given), str(tmp_path / "file" / "x")])
        == 1
    )
    assert capsys.readouterr().err.startswith(
        f"error: {option} {tmp_path / 'file' / 'x'}: cannot be made below"
    )


EARLIER = {
    "judge": ("ratings.jsonl", "replaces"),
    "judge facts": ("facts.jsonl", "replaces"),
    "pairwise": ("comparisons.jsonl", "replaces"),
    "human import": ("ratings.jsonl", "replaces"),
    "agreement": ("reliability.json", "replaces"),
    "collect": ("board.json", "replaces"),
    "score": ("m/results_2026.json", "earlier results, which stay"),
    "baselines": ("m/results_2026.json", "earlier results, which stay"),
    "export": ("thesis.txt", "stay"),
    "label report": ("labels.json", "replaces"),
    "label samples": ("m/results_2026.json", "earlier results, which stay"),
    "label export": (f"label-{NOWHERE}.csv", "error"),
    "audit-customer": ("customer_audit.json", "replaces"),
    "customers": ("customers.json", "replaces"),
    "trial": ("trial.json", "goes on"),
    "human export": ("key.json", "error"),
    "review export": ("review.csv", "error"),
}


@pytest.mark.parametrize("verb", WRITING)
def test_what_an_earlier_run_left_is_said_first_or_refused(verb, tmp_path, capsys):
    """Verbs that replace whole folders refuse what they did not write; theirs is in the tests of
    each.
    """
    if verb in ("build demo", "train"):
        pytest.skip("writes the same files again; reads a model first (test_train)")
    name, said = EARLIER.get(verb, ("thesis.txt", "error"))
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    assert main(words(verb, tmp_path)) == 1
    first = capsys.readouterr().err.splitlines()[0]
    assert said in first and str(tmp_path) in first
    assert (tmp_path / name).read_text() == "mine"


def test_a_dataset_that_will_be_replaced_is_said(tmp_path, capsys):
    from builders.dataset import FORMAT, check_target

    (tmp_path / "build.json").write_text(
        json.dumps({"format": FORMAT, "splits": {}}), encoding="utf-8"
    )
    check_target(tmp_path)
    assert (
        capsys.readouterr().err
        == f"note: {tmp_path} holds an earlier dataset, which this one replaces at the end\n"
    )


def test_a_tiny_model_that_will_be_replaced_is_said(tmp_path, capsys):
    from trainers.tiny import FORMAT

    (tmp_path / "tiny.json").write_text(
        json.dumps({"format": FORMAT, "files": ["tiny.json"]}), encoding="utf-8"
    )
    assert main(["train", "tiny", "--out", str(tmp_path), "--minutes", "0"]) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert (
        "holds an earlier model, which this one replaces at the end" in first
        and second == "error: --minutes 0: must be greater than 0"
    )


def test_beside_looks_at_the_folder_above_too(tmp_path, monkeypatch):
    folder = tmp_path / "out"
    folder.mkdir()
    probed = []
    monkeypatch.setattr(out_module, "_probe", lambda where, *_: probed.append(where))
    check_writable(folder)
    check_writable(folder, beside=True)
    assert probed == [folder, folder, tmp_path]
    with pytest.raises(SettingError, match="is a mount point"):
        check_writable("/", beside=True)


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    file = tmp_path / "a" / "b.txt"
    assert (
        replace_file(file, ["一\n", "two\r\n"]) == file
        and file.read_bytes() == "一\ntwo\r\n".encode()
    )
    replace_file(file, b"\xff")

    def broken():
        yield "half"
        raise DataError("no more")

    with pytest.raises(DataError, match="no more"):
        replace_file(file, broken())
    assert file.read_bytes() == b"\xff" and os.listdir(file.parent) == ["b.txt"]
    with pytest.raises(SettingError, match=r"c: cannot be written \("):
        replace_file(file / "c", "x")


def test_a_folder_is_written_whole_or_not_at_all(tmp_path):
    out = tmp_path / "out"
    for text in ("one", "two"):
        with replace_folder(out) as fresh:
            (fresh / text).write_text(text)
        assert os.listdir(out) == [text] and os.listdir(tmp_path) == ["out"]
    with pytest.raises(DataError), replace_folder(out) as fresh:
        (fresh / "three").write_text("three")
        raise DataError("no more")
    with (
        pytest.raises(SettingError, match=r"out: cannot be written \(No space left on device\)"),
        replace_folder(out),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    # Whatever else goes wrong while it is filled is not the disk's doing.
    with pytest.raises(FileNotFoundError), replace_folder(out):
        raise FileNotFoundError(errno.ENOENT, "No such file", "model.bin")
    assert os.listdir(out) == ["two"] and os.listdir(tmp_path) == ["out"]
