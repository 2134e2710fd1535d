"""The start-up hook as a module: which programs it takes for lm_eval, the switch, and that it can
stand beside an older one of itself.
"""

import sys
from types import ModuleType

import pytest

from csc_tasks import TASKS_DIR, autoload
from csc_tasks.autoload import backend, start
from csc_tasks.errors import DataError

PAGE = TASKS_DIR.parent / "docs" / "start-up-hook.md"


@pytest.mark.parametrize(
    "command",
    [
        "python /venv/bin/lm_eval --tasks csc_qa",
        "/venv/bin/python /venv/bin/lm-eval run --tasks csc_qa",
        "python -m lm_eval --tasks csc_qa",
        "python -u -mlm_eval",
        "python -m lm_eval.__main__",
        "python lm_eval/__main__.py",
        "python -m torch.distributed.run --nproc-per-node 2 -m lm_eval --tasks csc_qa",
        "python /venv/bin/accelerate launch -m lm_eval",
        "python -m debugpy --listen 5678 -m lm_eval",
        r"C:\venv\Scripts\python.exe C:\venv\Scripts\lm_eval.exe --tasks csc_qa",
    ],
)
def test_lm_eval_is_known_by_a_word_of_its_command_line(command):
    assert start.is_lm_eval(command.split(" "))


@pytest.mark.parametrize(
    "command",
    [
        "python",
        "python -c import=lm_eval",
        "python train.py --out lm_eval_results",
        "python /src/lm_eval/tasks/utils.py",
        "python -m lm_evaluate",
        "python /venv/bin/csc evaluate --tasks csc_qa",
        "python -m pytest tests/test_lm_eval.py",
    ],
)
def test_every_other_program_is_left_alone(command):
    assert not start.is_lm_eval(command.split(" "))


@pytest.mark.parametrize(
    ("command", "switch", "installed"),
    [
        ("python -m lm_eval", None, True),
        ("python -m lm_eval", "1", True),
        ("python -m lm_eval", "0", False),
        ("python notebook.py", None, False),
        ("python notebook.py", "", False),
        ("python notebook.py", "0", False),
        ("python notebook.py", "1", True),
    ],
)
def test_the_switch(command, switch, installed, monkeypatch):
    monkeypatch.setattr(sys, "orig_argv", command.split())
    monkeypatch.setattr(sys, "meta_path", [])
    if switch is None:
        monkeypatch.delenv("CSC_TASKS_AUTOLOAD", raising=False)
    else:
        monkeypatch.setenv("CSC_TASKS_AUTOLOAD", switch)
    start.start()
    start.start()
    assert sys.meta_path == [start] * installed


def test_the_finder_answers_for_two_modules_and_for_no_other(monkeypatch):
    monkeypatch.setattr(autoload, "find_manager", lambda asking, path: ("manager", asking, path))
    monkeypatch.setattr(
        autoload, "find_evaluator", lambda asking, path: ("evaluator", asking, path)
    )
    assert start.find_spec("lm_eval.tasks.manager", ["a"]) == ("manager", start, ["a"])
    assert start.find_spec("lm_eval.evaluator", ["b"]) == ("evaluator", start, ["b"])
    assert [start.find_spec(name) for name in ("lm_eval", "lm_eval.tasks", "manager", "json")] == [
        None
    ] * 4
    monkeypatch.setitem(sys.modules, "csc_tasks.autoload", None)
    monkeypatch.delattr("csc_tasks.autoload")
    assert start.find_spec("lm_eval.evaluator", ["b"]) is None


def test_the_module_imports_nothing_that_the_start_of_python_has_not(monkeypatch):
    """And acts when it is imported by its installed name only."""
    source = (TASKS_DIR / "autoload" / "start.py").read_text(encoding="utf-8")
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "lm_eval"])
    monkeypatch.setattr(sys, "meta_path", [])
    for name, finders in (("csc_tasks.autoload.start", 0), ("csc_tasks_autoload", 1)):
        module = ModuleType(name)
        monkeypatch.setitem(sys.modules, name, module)
        exec(compile(source, "start.py", "exec"), module.__dict__)
        assert len(sys.meta_path) == finders


MANAGER = """
class TaskManager:
    def __init__(self, include_path=None, include_defaults=True):
        self.include_path = self.scanned = include_path
"""
EVALUATOR = """
def simple_evaluate(model, model_args=None, tasks=None, task_manager=None):
    return tasks
"""


@pytest.fixture
def fake_lm_eval(tmp_path, monkeypatch):
    """An lm_eval of two modules, not imported yet."""
    tasks = tmp_path / "lm_eval" / "tasks"
    tasks.mkdir(parents=True)
    (tmp_path / "lm_eval" / "__init__.py").touch()
    (tasks / "__init__.py").touch()
    (tasks / "manager.py").write_text(MANAGER)
    (tmp_path / "lm_eval" / "evaluator.py").write_text(EVALUATOR)
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] == "lm_eval"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(
        sys,
        "meta_path",
        [finder for finder in sys.meta_path if "csc" not in str(finder).casefold()],
    )
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == "lm_eval"]:
        del sys.modules[name]


class OlderFinder:
    """The finder of version 0.1.0, which may be there still: it knows the task manager only."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        return autoload.find_manager(OlderFinder, path) if name == "lm_eval.tasks.manager" else None


@pytest.mark.parametrize("before", [True, False], ids=["before lm_eval", "after lm_eval"])
def test_install_works_before_and_after_lm_eval_is_imported(before, fake_lm_eval, monkeypatch):
    """Once, twice, and beside an older hook: tasks are added once."""
    import importlib

    hook = sys.excepthook
    if before:
        sys.meta_path.insert(0, OlderFinder)
        autoload.install()
    manager, evaluator = (
        importlib.import_module(name) for name in ("lm_eval.tasks.manager", "lm_eval.evaluator")
    )
    assert (
        manager.__file__
        and manager.__spec__.loader is manager.__loader__
        and type(manager.__loader__).__name__ == "SourceFileLoader"
    )
    autoload.install()
    autoload.install()
    assert manager.TaskManager(["mine"]).scanned == [TASKS_DIR, "mine"]
    assert manager.TaskManager("mine").include_path == "mine"
    checked = []
    checks = ModuleType("csc_tasks.checks")
    checks.check_run = lambda run: checked.append(dict(run)) or run.update(tasks=["loaded"])
    monkeypatch.setitem(sys.modules, "csc_tasks.checks", checks)
    assert evaluator.simple_evaluate("hf", tasks=["csc_qa"]) == ["loaded"]
    assert checked == [{"model": "hf", "tasks": ["csc_qa"]}]
    assert sys.excepthook is hook


def test_one_line_for_our_errors_and_the_old_hook_for_the_others(capsys):
    others = []
    hook = autoload.one_line_hook(lambda *caught: others.append(caught))
    unknown = [ValueError("Tasks not found: csc_q, other"), ValueError("Tasks not found: other")]
    for error in (DataError("a row is broken"), *unknown, KeyError("x")):
        hook(type(error), error, None)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "error: a row is broken"
    assert lines[1].startswith(
        "error: Tasks not found: csc_q, other (closest: csc_qa); csc-tasks has csc, csc_conv_gen, "
    )
    assert len(lines) == 2 and [str(error) for _, error, _ in others] == [
        "Tasks not found: other",
        "'x'",
    ]


def test_the_page_shows_every_line():
    """The three files in code blocks, exactly as they are installed."""
    text = PAGE.read_text(encoding="utf-8")
    for name, content in backend.start_up_files().items():
        assert f"`{name}`" in text
        assert f"\n{content.decode()}```\n" in text, name
    assert "docs/start-up-hook.md" in (TASKS_DIR.parent / "README.md").read_text(encoding="utf-8")
