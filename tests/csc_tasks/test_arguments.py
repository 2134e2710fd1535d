"""What verbs have in common on the command line: corpora, old spellings, shares, names, and files
that a user names.
"""

import importlib
import json
from argparse import ArgumentParser

import pytest

from csc_tasks.arguments import Parser, add_corpus, check_known, check_share, corpus_of
from csc_tasks.cli import COMMANDS, main
from csc_tasks.errors import DataError, SettingError
from csc_tasks.reading import read_json, read_text


@pytest.mark.parametrize(
    ("value", "ends", "said"),
    [
        (3, {}, "--x 3: must be a share, at least 0 and at most 1; 3 percent are 0.03"),
        (100, {}, "100 percent are 1"),
        (120, {}, "--x 120: must be a share, at least 0 and at most 1$"),
        (-0.1, {}, "--x -0.1: must be a share, at least 0 and at most 1$"),
        (0, {"zero": False}, "above 0 and at most 1"),
        (1, {"one": False}, "at least 0 and below 1$"),
        (float("nan"), {}, "--x nan: must be a share"),
    ],
)
def test_what_is_no_share(value, ends, said):
    with pytest.raises(SettingError, match=said):
        check_share("--x", value, **ends)


def test_what_is_a_share():
    for value in (None, 0, 0.5, 1):
        check_share("--x", value)


@pytest.mark.parametrize(
    "words",
    [
        ["power", "--turns", "5", "--rate", "0.4", "--difference", "3"],
        ["power", "--turns", "5", "--rate", "40"],
        ["power", "--turns", "5", "--rate", "0.4", "--power", "80"],
        ["judge", "nowhere", "--llm", "scripted", "--out", "{out}", "--again", "20"],
        [
            "build",
            "csconv",
            "--source",
            "nowhere",
            "--llm",
            "scripted",
            "--out",
            "{out}",
            "--train-share",
            "20",
        ],
        ["build", "profiles", "demo", "--llm", "scripted", "--out", "{out}", "--threshold", "85"],
        ["train", "--model", "nowhere", "--out", "{out}", "--validation-share", "5"],
    ],
    ids=" ".join,
)
def test_every_share_says_what_percent_would_be(words, tmp_path, capsys):
    assert main([word.format(out=tmp_path / "out") for word in words]) == 1
    error = capsys.readouterr().err
    assert "percent are 0." in error and error.count("\n") == 1


def test_names_that_are_not_known():
    check_known("--tasks", ["a"], ["a", "b"])
    with pytest.raises(
        SettingError,
        match=(
            r"^--tasks csc_q: there is no such one \(closest: csc_qa\); there are csc_conv_ref,"
            r" csc_qa$"
        ),
    ):
        check_known("--tasks", ["csc_q"], ["csc_conv_ref", "csc_qa"])
    with pytest.raises(SettingError, match=r"^--tasks z: there is no such one; there are csc_qa$"):
        check_known("--tasks", ["z"], ["csc_qa"])


def parsed(words, **settings):
    parser = Parser(prog="csc x")
    add_corpus(parser, "", old="--source", **settings)
    parser.add_argument("--out")
    return parser.parse_args(words)


@pytest.mark.parametrize("words", [["calls"], ["calls", "--out", "x"], ["--out", "x", "calls"]])
def test_the_corpus_is_the_first_word(words, capsys):
    assert corpus_of(parsed(words)) == "calls" and capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "words",
    [["--source", "calls"], ["--out", "x", "--source=calls"], ["--source", "calls", "--out", "x"]],
)
def test_the_old_spelling_works_and_says_the_new_one(words, capsys):
    assert corpus_of(parsed(words)) == "calls"
    assert (
        capsys.readouterr().err
        == "deprecated: --source will go with the next version; write the corpus as the first"
        " word\n"
    )


def test_no_corpus_and_two():
    assert corpus_of(parsed([], default="demo")) == "demo"
    with pytest.raises(
        SettingError,
        match="no corpus is given; the first word is demo, a dataset folder, a file or a Hub id",
    ):
        corpus_of(parsed([]))
    with pytest.raises(SettingError, match="two corpora are given, a and b"):
        corpus_of(parsed(["a", "--source", "b"]))


OLD = {"--data": "--corpus", "--test-data": "--test-corpus"}


@pytest.mark.parametrize(
    ("verb", "old"),
    [("train tiny", "--corpus"), *(("train", old) for old in OLD)],
)
def test_old_spellings_are_not_in_the_help(verb, old, capsys):
    with pytest.raises(SystemExit):
        main([*verb.split(), "--help"])
    assert f"{old} " not in capsys.readouterr().out.split("options:")[1]


@pytest.mark.parametrize("old", OLD)
def test_train_takes_both_spellings(old, capsys):
    module = importlib.import_module(COMMANDS["train"][0])
    found = []
    for option in (old, OLD[old]):
        parser = ArgumentParser()
        module.add_arguments(parser)
        found.append(parser.parse_args(["--out", "x", option, "calls"]))
    assert found[0] == found[1]
    assert (
        capsys.readouterr().err
        == f"deprecated: {old} will go with the next version; write {OLD[old]}\n"
    )


@pytest.mark.parametrize("verb", COMMANDS)
def test_a_corpus_is_called_so_everywhere(verb):
    """No verb calls one --data or --dataset, and --source is raw input: what csc_tasks cannot
    read.
    """
    parser = ArgumentParser()
    importlib.import_module(COMMANDS[verb][0]).add_arguments(parser)
    shown = {
        name
        for action in parser._actions
        if action.help != "==SUPPRESS=="
        for name in action.option_strings
    }
    assert not shown & {"--data", "--dataset", "--test-data"}
    assert "--source" not in shown or verb in (
        "build star",
        "build csconv",
        "build qa",
        "build profiles",
        "build merge",
    )


@pytest.mark.parametrize(
    "words",
    [["collect", "x", "--out", ""], ["collect", "x", "--out="], ["stats", "demo", "--plots", ""]],
)
def test_a_path_of_a_variable_that_is_not_set(words, capsys):
    with pytest.raises(SystemExit) as exit_:
        main(words)
    assert (
        exit_.value.code == 2
        and " is empty (a variable that is not set?)" in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no such file; give a recipe"),
        ("folder", "is a folder; give a recipe"),
        (
            b"\xff\xfe",
            r"not UTF-8 \(byte 0 is 0xff\); save the file as UTF-8"
            r" \(it may be UTF-16: iconv -f UTF-16 -t UTF-8 OLD > NEW\)",
        ),
        (b"", "is empty; give a recipe"),
        (
            b'{"a": [1,',
            r"broken JSON, perhaps cut off \(Expecting value, line 1, column 10\); give a recipe",
        ),
        (b"[" * 100_000, r"nested too deeply \(more than 100 levels\); give a recipe"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(content, said, tmp_path):
    file = tmp_path / "file.json"
    if content == "folder":
        file.mkdir()
    elif content is not None:
        file.write_bytes(content)
    with pytest.raises(DataError, match=f"file.json: {said}$"):
        read_json(file, "give a recipe")


def test_a_file_is_read_without_its_byte_order_mark(tmp_path):
    (tmp_path / "a.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(["一"]).encode())
    assert read_json(tmp_path / "a.json", "x") == ["一"] and read_text(
        tmp_path / "a.json", "x"
    ).startswith("[")


@pytest.mark.parametrize(
    "words",
    [
        ["human", "import", "{study}", "{missing}", "--out", "{out}"],
        ["collect", "{missing}", "--out", "{out}"],
        ["collect", "{study}", "--out", "{out}", "--reported", "{missing}"],
        ["collect", "{study}", "--out", "{out}", "--evidence", "{missing}"],
        ["agreement", "{missing}", "--out", "{out}"],
        ["score", "{missing}", "--out", "{out}"],
        ["train", "--config", "{missing}", "--out", "{out}"],
        ["build", "rolecs", "--llm", "scripted", "--profiles", "{missing}", "--out", "{out}"],
        [
            "build",
            "qa",
            "--llm",
            "scripted",
            "--source",
            "x",
            "--variant",
            "short=prompt:{missing}",
            "--out",
            "{out}",
        ],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_a_missing_file_is_missing_and_not_of_another_encoding(words, tmp_path, capsys):
    study = tmp_path / "study"
    study.mkdir()
    (study / "key.json").write_text('{"study": "s", "raters": [], "items": {}}', encoding="utf-8")
    names = {"study": study, "missing": tmp_path / "missing.csv", "out": tmp_path / "out"}
    assert main([word.format(**names) for word in words]) == 1
    error = capsys.readouterr().err
    assert "missing.csv" in error and "there is no such file" in error and "UTF-8" not in error
