"""`csc`: verbs are found, explained and run, and what goes wrong ends in one line or in a
traceback, never in something else.
"""

import errno
import importlib
import json
import os
import subprocess
import sys
from types import ModuleType

import pytest

from csc_tasks import TASKS_DIR, __version__, cli
from csc_tasks.errors import CscError, DataError

HEAVY = (
    "torch",
    "transformers",
    "datasets",
    "lm_eval",
    "pandas",
    "matplotlib",
    "openai",
    "huggingface_hub",
)


@pytest.fixture
def verbs(monkeypatch):
    """Replaces the table by `train` and `train tiny`; returns what they were called with."""
    calls = []
    monkeypatch.setattr(cli, "COMMANDS", {})
    for verb in ("train", "train tiny", "build demo"):
        module = ModuleType(
            f"fake_{verb.replace(' ', '_')}",
            f"Do {verb}.\n\n    csc {verb} FOLDER   keeps   its   spaces\n",
        )
        module.add_arguments = lambda parser: parser.add_argument("folder")
        module.main = lambda args, verb=verb: calls.append((verb, args.folder))
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setitem(cli.COMMANDS, verb, (module.__name__, f"summary of {verb}"))
    return calls


def failing_with(error, monkeypatch):
    def main(args):
        raise error

    monkeypatch.setattr(sys.modules["fake_build_demo"], "main", main)


def run(*words, **settings):
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, cwd=TASKS_DIR.parent, **settings
    )


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"]])
def test_the_overview_lists_every_verb(words, capsys):
    assert cli.main(words) == 0
    rows = [
        line.split("  ", 2)[1:]
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("  ")
    ]
    assert [(verb, summary.strip()) for verb, summary in rows] == [
        (verb, summary) for verb, (_, summary) in cli.COMMANDS.items()
    ]


@pytest.mark.parametrize("verb", list(cli.COMMANDS))
def test_every_verb_has_a_module_that_keeps_the_contract(verb, capsys):
    module = importlib.import_module(cli.COMMANDS[verb][0])
    assert callable(module.add_arguments) and callable(module.main)
    assert 1 <= len(verb.split()) <= 2
    with pytest.raises(SystemExit) as exit_:
        cli.main([*verb.split(), "--help"])
    assert exit_.value.code == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"usage: csc {verb} [-h]")
    assert module.__doc__.strip() in printed


def test_no_verbs_module_loads_a_heavy_library():
    """All of them in one process, each with its options: what `csc <verb> --help` imports."""
    script = """if True:
        import argparse, importlib, json, sys
        from csc_tasks import cli
        loaded = {}
        for verb, (module, _) in cli.COMMANDS.items():
            importlib.import_module(module).add_arguments(argparse.ArgumentParser())
            loaded[verb] = [name for name in json.loads(sys.argv[1]) if name in sys.modules]
        print(json.dumps(loaded))
    """
    done = run("-c", script, json.dumps(HEAVY))
    assert done.stderr == ""
    assert json.loads(done.stdout) == {verb: [] for verb in cli.COMMANDS}


def test_the_overview_is_instant():
    """What it costs is what it imports: of the interpreter's own modules a few dozen, of ours a few
    small ones, and no others.
    """
    script = """if True:
        import json, sys
        before = set(sys.modules)
        from csc_tasks import cli
        cli.main([])
        print(json.dumps(sorted(set(sys.modules) - before)), file=sys.stderr)
    """
    loaded = json.loads(run("-c", script).stderr)
    other = [name for name in loaded if name.partition(".")[0] not in sys.stdlib_module_names]
    ours = [
        "csc_tasks",
        "csc_tasks.arguments",
        "csc_tasks.cli",
        "csc_tasks.errors",
        "csc_tasks.out",
        "csc_tasks.telling",
    ]
    assert [name for name in other if not name.startswith("importlib")] == ours
    assert len(loaded) < 60


def test_tasks_prints_the_folder(capsys):
    assert cli.main(["tasks"]) == 0
    assert capsys.readouterr().out == f"{TASKS_DIR}\n"


def test_version(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"csc-tasks {__version__}\n"


def test_the_longer_verb_wins(verbs):
    assert [
        cli.main(words)
        for words in (["train", "tiny", "a"], ["train", "b"], ["build", "demo", "c"])
    ] == [0, 0, 0]
    assert verbs == [("train tiny", "a"), ("train", "b"), ("build demo", "c")]


@pytest.mark.parametrize("words", [["build"], ["build", "--help"], ["build", "-h"]])
def test_a_first_word_lists_its_verbs(words, verbs, capsys):
    assert cli.main(words) == 0
    printed = capsys.readouterr().out
    assert "build demo  summary of build demo" in printed and "train" not in printed


def test_the_help_of_a_verb_is_its_docstring_as_written(verbs, capsys):
    with pytest.raises(SystemExit):
        cli.main(["train", "tiny", "--help"])
    assert (
        "Do train tiny.\n\n    csc train tiny FOLDER   keeps   its   spaces\n"
        in capsys.readouterr().out
    )


def test_the_help_of_a_verb_names_the_longer_ones(verbs, capsys):
    with pytest.raises(SystemExit):
        cli.main(["train", "--help"])
    assert capsys.readouterr().out.endswith("\ncsc train tiny: summary of train tiny\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trian", "b"], "unknown verb 'trian' (closest: train)"),
        (["build", "dmeo"], "unknown verb 'build dmeo' (closest: build demo)"),
        (["build", "--to", "x"], "unknown verb 'build' (closest: build demo)"),
        (["train-tiny"], "unknown verb 'train-tiny' (closest: train tiny)"),
    ],
)
def test_an_unknown_verb_names_the_closest(words, message, verbs, capsys):
    assert cli.main(words) == 1
    assert capsys.readouterr().err == f"error: {message}; `csc --help` lists them all\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a", "--limitt", "5"], "unknown option --limitt (closest: --limit)"),
        (["a", "--limi=5"], "unknown option --limi (closest: --limit)"),
        (["--limitt", "5"], "unknown option --limitt (closest: --limit)"),
        (["a", "-limit", "5"], "unknown option -limit (closest: --limit)"),
        (["a", "--limit", "many"], "argument --limit: invalid int value: 'many'"),
        (["a", "--limit"], "argument --limit: expected one argument"),
        (["a", "b"], "unrecognized arguments: b"),
        ([], "the following arguments are required: folder"),
    ],
)
def test_a_misused_option_is_one_line(words, message, verbs, monkeypatch, capsys):
    """Without the usage, which is a page for some verbs. Beginnings of names are misspelt names."""

    def add_arguments(parser):
        parser.add_argument("folder")
        parser.add_argument("--limit", type=int)
        parser.add_argument("--size", type=int)

    monkeypatch.setattr(sys.modules["fake_train"], "add_arguments", add_arguments)
    with pytest.raises(SystemExit) as exit_:
        cli.main(["train", *words])
    assert exit_.value.code == 2
    assert capsys.readouterr().err == f"error: {message}; `csc train --help` lists the options\n"


@pytest.mark.parametrize("words", [["-5"], ["--", "--not-an-option"], ["--text", "-- a title"]])
def test_what_only_looks_like_an_option(words, verbs, monkeypatch):
    def add_arguments(parser):
        parser.add_argument("folder", nargs="*")
        parser.add_argument("--text")

    monkeypatch.setattr(sys.modules["fake_train"], "add_arguments", add_arguments)
    assert cli.main(["train", *words]) == 0 and verbs


def test_words_for_another_program_are_not_looked_at(verbs, monkeypatch):
    monkeypatch.setattr(
        sys.modules["fake_train"],
        "add_arguments",
        lambda parser: parser.add_argument("folder", nargs="..."),
    )
    assert cli.main(["train", "x", "--model", "hf"]) == 0
    assert verbs == [("train", ["x", "--model", "hf"])]


@pytest.mark.parametrize("error", [CscError("no such row"), DataError("no such row")])
def test_an_error_of_the_tree_is_one_line(error, verbs, monkeypatch, capsys):
    failing_with(error, monkeypatch)
    assert cli.main(["build", "demo", "x"]) == 1
    assert capsys.readouterr() == ("", "error: no such row\n")


def test_an_interruption_is_one_line(verbs, monkeypatch, capsys):
    failing_with(KeyboardInterrupt(), monkeypatch)
    assert cli.main(["build", "demo", "x"]) == 130
    assert capsys.readouterr() == ("", "interrupted\n")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (
            PermissionError(errno.EACCES, "Permission denied", "/data/x"),
            "/data/x: Permission denied",
        ),
        (
            OSError(errno.EROFS, "Read-only file system", "/data/x"),
            "/data/x: Read-only file system",
        ),
    ],
)
def test_what_a_disk_refuses_is_one_line(error, said, verbs, monkeypatch, capsys):
    failing_with(error, monkeypatch)
    assert cli.main(["build", "demo", "x"]) == 1
    assert capsys.readouterr() == ("", f"error: {said}\n")


@pytest.mark.parametrize(
    "error", [ValueError("a bug"), FileNotFoundError("a bug"), BrokenPipeError("of a socket")]
)
def test_anything_else_keeps_its_traceback(error, verbs, monkeypatch):
    failing_with(error, monkeypatch)
    with pytest.raises(type(error), match=str(error)):
        cli.main(["build", "demo", "x"])


def test_what_main_returns_is_the_exit_status(verbs, monkeypatch):
    monkeypatch.setattr(sys.modules["fake_build_demo"], "main", lambda args: 3)
    assert cli.main(["build", "demo", "x"]) == 3


@pytest.fixture(params=["package", "module", "package with a module of the same name"])
def shadowed(request, tmp_path):
    """A folder of the user's own with a `leaderboard` in it that Python finds before ours; returns
    the folder and the path that is in the way.
    """
    if request.param == "module":
        (tmp_path / "leaderboard.py").write_text("")
        return tmp_path, tmp_path / "leaderboard.py"
    (tmp_path / "leaderboard").mkdir()
    (tmp_path / "leaderboard" / "__init__.py").write_text("")
    if request.param != "package":
        (tmp_path / "leaderboard" / "tables.py").write_text("")
    return tmp_path, tmp_path / "leaderboard"


def csc_from(folder, *words):
    return subprocess.run(
        [sys.executable, "-m", "csc_tasks.cli", *words],
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": f"{folder}:{TASKS_DIR.parent}"},
    )


def test_a_package_of_the_users_own_in_the_way_is_one_line(shadowed):
    folder, path = shadowed
    done = csc_from(folder, "tables", "--help")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "error: csc tables needs the package leaderboard of csc-tasks, and Python finds"
        f" {path} first: rename that, or take its folder off PYTHONPATH and run from another"
        " folder\n"
    )
    # Verbs of other packages work there, and a folder that is no package is in nobody's way.
    assert csc_from(folder, "tasks").stdout == f"{TASKS_DIR}\n"


def test_a_folder_of_results_called_leaderboard_is_in_nobodys_way(tmp_path):
    (tmp_path / "leaderboard").mkdir()
    (tmp_path / "leaderboard" / "board.json").write_text("{}")
    done = csc_from(tmp_path, "tables", "--help")
    assert done.returncode == 0 and done.stdout.startswith("usage: csc tables")


PROGRAM = '''"""Print numbers."""
from csc_tasks.cli import standalone
from csc_tasks.errors import SettingError

def add_arguments(parser):
    parser.add_argument("count", type=int)

def main(args):
    if not args.count:
        raise SettingError("nothing to print")
    for i in range(args.count):
        print(i)

if __name__ == "__main__":
    standalone(add_arguments, main, __doc__)
'''


@pytest.fixture
def program(tmp_path):
    (tmp_path / "numbers_program.py").write_text(PROGRAM)
    return {"PYTHONPATH": f"{tmp_path}:{TASKS_DIR.parent}"}


def test_a_module_runs_by_itself(program):
    done = run("-m", "numbers_program", "2", env=program)
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n1\n", "")
    shown = run("-m", "numbers_program", "--help", env=program).stdout
    assert shown.startswith("usage: python -m numbers_program [-h] [--quiet] count\n\nPrint num")
    done = run("-m", "numbers_program", "0", env=program)
    assert (done.returncode, done.stderr) == (1, "error: nothing to print\n")


@pytest.mark.parametrize("options", [[], ["-u"]], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("word", ["1", "100000", "--help"])
def test_a_reader_that_has_gone_is_no_error(program, word, options):
    command = [sys.executable, *options, "-m", "numbers_program", word]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=program, cwd=TASKS_DIR.parent
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
        # argparse itself ignores an output that it cannot write to
        assert process.wait() == 141 or word == "--help"
