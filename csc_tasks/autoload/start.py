"""The start-up hook of csc-tasks: the one file of it that Python imports when it starts.

Installed as csc_tasks_autoload.py in site-packages. Beside it, csc_tasks_autoload.pth imports it
(Python up to 3.17) and csc_tasks_autoload.start names its function `start` (Python 3.15 and newer,
PEP 829). It needs the standard library only, opens no file and imports nothing that Python has not
imported by then. Unless the program is lm_eval it changes nothing. CSC_TASKS_AUTOLOAD=0 switches
it off, CSC_TASKS_AUTOLOAD=1 switches it on in every program. See docs/start-up-hook.md.
"""

import os
import sys

PROGRAMS = {"lm_eval", "lm-eval", "lm_eval.exe", "lm-eval.exe", "lm_eval.__main__", "-mlm_eval"}


def start() -> None:
    """Make this module one of Python's import finders if the program is lm_eval; once."""
    switch = os.environ.get("CSC_TASKS_AUTOLOAD")
    if switch == "0" or (switch != "1" and not is_lm_eval(sys.orig_argv)):
        return
    insert()


def is_lm_eval(words: "list[str]") -> bool:
    """Whether one of these words is lm_eval, as in `python -m lm_eval` or `torchrun -m lm_eval`."""
    for word in words:
        program = word.replace("\\", "/").removesuffix("/__main__.py")
        if program.rpartition("/")[2] in PROGRAMS:
            return True
    return False


def insert() -> None:
    """Put this module first among the import finders, unless it is one already."""
    finder = sys.modules[__name__]
    if finder not in sys.meta_path:
        sys.meta_path.insert(0, finder)


def find_spec(name: str, path: "list[str] | None" = None, target: object = None) -> object:
    """Python asks this for every import: None, except for two modules that csc_tasks extends."""
    if name not in ("lm_eval.tasks.manager", "lm_eval.evaluator"):
        return None
    try:
        from csc_tasks import autoload

        find = autoload.find_manager if name.endswith("manager") else autoload.find_evaluator
        return find(sys.modules[__name__], path)
    except Exception:  # csc_tasks is gone or broken: lm_eval goes on without it
        return None


if __name__ == "csc_tasks_autoload":
    start()
