"""Shows lm_eval where the csc tasks are, so that `lm_eval --tasks csc_*` works without `--include_path`.

The start-up line (see backend.py) installs a finder that calls `find_manager` when a process imports `lm_eval.tasks.manager`. Every
`TaskManager` made from then on also scans `csc_tasks.TASKS_DIR`: after lm_eval's built-in tasks and before the user's `include_path`, which
therefore still wins. CSC_TASKS_AUTOLOAD=0 leaves lm_eval as it is, and so does an lm_eval that reads the entry point group itself.
"""

import functools
import inspect
import logging
import os
import re
import sys
from pathlib import Path

from csc_tasks import TASKS_DIR

SWITCH = "CSC_TASKS_AUTOLOAD"
ENTRY_POINT_GROUP = "lm_eval.tasks"

logger = logging.getLogger(__name__)


def find_manager(asking, path):
    """The spec of lm_eval's task manager as the finders other than `asking` give it, with a loader that extends the module."""
    for finder in sys.meta_path:
        spec = None if finder is asking or not hasattr(finder, "find_spec") else finder.find_spec("lm_eval.tasks.manager", path)
        if spec is not None:
            if spec.loader is not None:
                spec.loader = ManagerLoader(spec.loader)
            return spec
    return None


class ManagerLoader:
    """Stands in for the manager's own loader until the module is loaded, then puts that loader back."""

    def __init__(self, loader):
        self.loader = loader

    def __getattr__(self, name):
        return getattr(self.loader, name)

    def exec_module(self, module):
        module.__loader__ = module.__spec__.loader = self.loader
        self.loader.exec_module(module)
        try:
            extend(module)
        except Exception as error:  # lm_eval must go on working whatever it has become
            logger.warning("csc tasks are not added to lm_eval (%s: %s); pass --include_path %s", type(error).__name__, error, TASKS_DIR)


def extend(manager):
    """Make `manager.TaskManager` scan the csc tasks too, unless lm_eval discovers plugins by itself."""
    if discovers_plugins(manager):
        return
    original = manager.TaskManager.__init__
    signature = inspect.signature(original)
    if "include_path" not in signature.parameters:
        raise TypeError("TaskManager takes no include_path")

    @functools.wraps(original)
    def init(self, *args, **settings):
        call = signature.bind(self, *args, **settings)
        call.apply_defaults()
        asked = call.arguments["include_path"]
        call.arguments["include_path"] = with_tasks_dir(asked, call.arguments.get("include_defaults", True))
        original(*call.args, **call.kwargs)
        self.include_path = asked

    manager.TaskManager.__init__ = init


def with_tasks_dir(include_path, include_defaults=True):
    """`include_path` with TASKS_DIR in front: later folders override earlier ones.

    Unchanged when switched off, when the caller wants nothing but what he names (`include_defaults=False`), and when a named folder is
    TASKS_DIR or holds it, because lm_eval warns about every task that it meets twice.
    """
    paths = list(include_path) if isinstance(include_path, (list, tuple)) else [include_path] if include_path else []
    if os.environ.get(SWITCH) == "0" or not include_defaults or any(TASKS_DIR.is_relative_to(Path(path).resolve()) for path in paths):
        return include_path
    return [TASKS_DIR, *paths]


def discovers_plugins(manager):
    """Whether the source of lm_eval's task discovery names the entry point group; 0.4.13 does not."""
    quoted_group = re.compile(rf"""["']{re.escape(ENTRY_POINT_GROUP)}["']""")
    sources = Path(manager.__file__).parent.glob("*.py")
    return any(quoted_group.search(source.read_text(encoding="utf-8")) for source in sources)
