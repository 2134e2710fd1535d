"""Shows lm_eval where the csc tasks are, and looks at a run before its model is loaded.

The start-up hook (start.py) installs a finder that calls `find_manager` and `find_evaluator` when
an lm_eval process imports those two modules:

- every `TaskManager` made from then on also scans `csc_tasks.TASKS_DIR`: after lm_eval's built-in
  tasks and before the user's `include_path`, which therefore still wins;
- `simple_evaluate` first checks what it is asked for (csc_tasks.checks), and an error of ours that
  ends lm_eval is one line instead of a traceback.

Programs and notebooks that are not lm_eval call `install`. The start-up files stay as they were
installed while an editable checkout moves on, so `find_manager(asking, path)` and
`find_evaluator(asking, path)` keep their names and arguments.
"""

import difflib
import functools
import importlib
import inspect
import logging
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, cast

from csc_tasks import TASKS_DIR
from csc_tasks.autoload import start
from csc_tasks.errors import CscError

if TYPE_CHECKING:
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec

SWITCH = "CSC_TASKS_AUTOLOAD"
HOOK = "csc_tasks_autoload"  # the name under which start.py is installed
ENTRY_POINT_GROUP = "lm_eval.tasks"
MANAGER = "lm_eval.tasks.manager"
EVALUATOR = "lm_eval.evaluator"
AGENTS, AGENT_CLASS = "csc-agent", "csc_tasks.play.agent.model:AgentLM"
NOT_FOUND = "Tasks not found: "  # how lm_eval's error about unknown task names begins

Hook = Callable[[type[BaseException], BaseException, TracebackType | None], object]

logger = logging.getLogger(__name__)
_looking: set[str] = set()


def install() -> None:
    """Do in this process what the start-up hook does in lm_eval's.

    For programs and notebooks that call lm_eval from Python. Works before and after lm_eval is
    imported, and whatever CSC_TASKS_AUTOLOAD says. A `simple_evaluate` that was imported by name
    before finds the tasks, but checks nothing early.
    """
    start.insert()
    for name, change in ((MANAGER, extend), (EVALUATOR, check_first)):
        if name in sys.modules:
            change(sys.modules[name])


def find_manager(asking: object, path: Sequence[str] | None) -> "ModuleSpec | None":
    """The spec of lm_eval's task manager, with a loader that extends the module.

    `asking` is the finder that calls; the spec is the one that the other finders give.
    """
    return _find(asking, MANAGER, path, extend)


def find_evaluator(asking: object, path: Sequence[str] | None) -> "ModuleSpec | None":
    """The same for lm_eval's evaluator, which then checks a run before it loads a model."""
    return _find(asking, EVALUATOR, path, check_first)


def _find(
    asking: object, name: str, path: Sequence[str] | None, change: Callable[[Any], None]
) -> "ModuleSpec | None":
    if name in _looking:  # a second finder of ours, asked by the loop below
        return None
    _looking.add(name)
    try:
        for finder in sys.meta_path:
            if finder is asking or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(name, path)
            if spec is not None:
                if spec.loader is not None:
                    # A loader by what it can do: as a subclass of Loader it would inherit methods
                    # that are to be those of the loader it stands in for.
                    spec.loader = cast("Loader", ChangingLoader(spec.loader, change))
                return spec
        return None
    finally:
        _looking.discard(name)


class ChangingLoader:
    """Stands in for a module's loader until the module is loaded, then changes the module."""

    def __init__(self, loader: "Loader", change: Callable[[Any], None]) -> None:
        self.loader = loader
        self.change = change

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self.loader
        if module.__spec__ is not None:
            module.__spec__.loader = self.loader
        self.loader.exec_module(module)
        try:
            self.change(module)
        except Exception as error:  # lm_eval must go on working whatever it has become
            logger.warning("%s (%s: %s)", UNCHANGED[self.change], type(error).__name__, error)


def extend(manager: Any) -> None:
    """Make `manager.TaskManager` scan the csc tasks too; an lm_eval that finds plugins stays."""
    original = manager.TaskManager.__init__
    if discovers_plugins(manager) or hasattr(original, "csc_tasks"):
        return
    signature = inspect.signature(original)
    if "include_path" not in signature.parameters:
        raise TypeError("TaskManager takes no include_path")

    @functools.wraps(original)
    def init(self: Any, *args: Any, **settings: Any) -> None:
        call = signature.bind(self, *args, **settings)
        call.apply_defaults()
        asked = call.arguments["include_path"]
        include_defaults = call.arguments.get("include_defaults", True)
        call.arguments["include_path"] = with_tasks_dir(asked, include_defaults)
        original(*call.args, **call.kwargs)
        self.include_path = asked

    vars(init)["csc_tasks"] = True
    manager.TaskManager.__init__ = init


def register_agents() -> None:
    """Make `--model csc-agent` known to lm_eval; what it is made of is imported when it is used. An
    lm_eval of another shape does without.
    """
    try:
        # An lm_eval whose registry is not empty looks for no models of its own.
        importlib.import_module("lm_eval.models")
        from lm_eval.api.registry import model_registry

        if AGENTS not in model_registry:
            model_registry.register(AGENTS, target=AGENT_CLASS)
    except Exception as error:  # lm_eval must go on working whatever it has become
        logger.debug("--model %s is not there (%s: %s)", AGENTS, type(error).__name__, error)


def with_tasks_dir(include_path: Any, include_defaults: bool = True) -> Any:
    """`include_path` with TASKS_DIR in front: later folders override earlier ones.

    Unchanged when the caller wants nothing but what he names (`include_defaults=False`), and when a
    named folder is TASKS_DIR or holds it, because lm_eval warns about every task it meets twice.
    """
    paths = include_path or []
    if not isinstance(paths, (list, tuple)):
        paths = [paths]
    named = any(TASKS_DIR.is_relative_to(Path(path).resolve()) for path in paths)
    if named or not include_defaults:
        return include_path
    return [TASKS_DIR, *paths]


def check_first(evaluator: Any) -> None:
    """Make `evaluator.simple_evaluate` check its arguments before it loads a model, and know the
    model for deployed agents.

    In lm_eval's own process, and in no other, errors of ours then end in one line.
    """
    original = evaluator.simple_evaluate
    if hasattr(original, "csc_tasks"):
        return
    signature = inspect.signature(original)
    if not {"model", "model_args", "tasks", "task_manager"} <= set(signature.parameters):
        raise TypeError("simple_evaluate takes other arguments")

    @functools.wraps(original)
    def simple_evaluate(*args: Any, **settings: Any) -> Any:
        from csc_tasks.checks import check_run

        call = signature.bind(*args, **settings)
        check_run(call.arguments)
        return original(*call.args, **call.kwargs)

    vars(simple_evaluate)["csc_tasks"] = True
    evaluator.simple_evaluate = simple_evaluate
    register_agents()
    if start.is_lm_eval(sys.orig_argv):
        sys.excepthook = one_line_hook(sys.excepthook)


def one_line_hook(otherwise: Hook) -> Hook:
    """An `excepthook` that prints one line for what `explain` knows, else calls `otherwise`."""

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        line = explain(error)
        if line is None:
            otherwise(kind, error, trace)
        else:
            sys.stdout.flush()
            print(f"error: {line}", file=sys.stderr)

    return hook


def explain(error: BaseException) -> str | None:
    """One line for an error of ours, or for lm_eval's about a task name like ours; else None."""
    if isinstance(error, CscError):
        return str(error)
    if isinstance(error, ValueError) and str(error).startswith(NOT_FOUND):
        names = str(error).removeprefix(NOT_FOUND).split(", ")
        missing = [name for name in names if name.startswith("csc")]
        if missing:
            tasks = sorted(file.stem for file in TASKS_DIR.rglob("csc*.yaml"))
            closest = difflib.get_close_matches(missing[0], tasks, n=1, cutoff=0.0)[0]
            return f"{error} (closest: {closest}); csc-tasks has {', '.join(tasks)}"
    return None


def discovers_plugins(manager: Any) -> bool:
    """Whether the source of lm_eval's task discovery names our entry point group (0.4.13: no)."""
    quoted_group = re.compile(rf"""["']{re.escape(ENTRY_POINT_GROUP)}["']""")
    sources = Path(manager.__file__).parent.glob("*.py")
    return any(quoted_group.search(source.read_text(encoding="utf-8")) for source in sources)


# What an lm_eval of another shape does without.
UNCHANGED = {
    extend: f"csc tasks are not added to lm_eval; pass --include_path {TASKS_DIR}",
    check_first: "csc tasks are not checked before the model is loaded",
}
