"""Print the folder that holds the task files.

lm_eval finds the tasks of an installed csc-tasks by itself. Where it does not (the start-up hook
switched off, an install with
`pip install --target`), name the folder:

    lm_eval --include_path "$(csc tasks)" --tasks 'csc_*' ...
"""

from argparse import ArgumentParser, Namespace

from csc_tasks import TASKS_DIR
from csc_tasks.telling import show


def add_arguments(parser: ArgumentParser) -> None:
    """`csc tasks` takes no arguments."""


def main(args: Namespace) -> None:
    """Print TASKS_DIR."""
    show(TASKS_DIR)
