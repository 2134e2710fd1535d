"""lm_eval without what takes its seconds and no test looks at: reading its own 14,000 task files,
and asking the machine, by a dozen processes, for everything that stands in `pretty_env_info`.
"""

import functools
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# A launcher of ranks has the program's words among its own: only the program itself is changed.
AT_START = """
import sys
words = sys.orig_argv
program = words[words.index("-m") + 1] if "-m" in words else ""
if program in ("lm_eval", "csc_tasks.evaluate") or "evaluate" in words:
    from tests.support.quick_lm_eval import only_our_tasks
    only_our_tasks()
"""


def without_lm_evals_own(every: Callable[[Path], Iterable[Path]]) -> Callable:
    """`TaskIndex._iter_yaml_files` that finds nothing in the folder lm_eval/tasks."""
    return staticmethod(lambda root: () if root.parent.name == "lm_eval" else every(root))


def only_our_tasks(patch: pytest.MonkeyPatch | None = None) -> None:
    """A TaskManager of this process reads no task files of lm_eval's own: for the test that gave
    its `monkeypatch`, or for good.
    """
    from lm_eval.tasks._index import TaskIndex

    changed = without_lm_evals_own(TaskIndex._iter_yaml_files)
    (patch or pytest.MonkeyPatch()).setattr(TaskIndex, "_iter_yaml_files", changed)


def only_our_tasks_in_processes(folder: Path) -> dict[str, str]:
    """The environment in which `python -m lm_eval` and `csc evaluate` do the same; `folder` gets a
    sitecustomize.py.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(AT_START, encoding="utf-8")
    return {"PYTHONPATH": os.pathsep.join((str(folder), str(ROOT)))}


def describe_the_machine_once() -> None:
    """What lm_eval writes about the machine after every run is found out once in this process, as
    soon as it has torch.
    """
    if "torch" in sys.modules:
        from torch.utils import collect_env

        if not hasattr(collect_env.get_pretty_env_info, "cache_info"):
            collect_env.get_pretty_env_info = functools.cache(collect_env.get_pretty_env_info)
