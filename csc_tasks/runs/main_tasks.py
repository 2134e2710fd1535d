"""The main tasks among those that are shipped, by what one record of theirs is."""

from collections.abc import Collection
from itertools import takewhile

from csc_tasks import TASKS_DIR
from csc_tasks.runs.task_record import SHIPPED


def main_tasks(units: Collection[str]) -> list[str]:
    """The main tasks whose records are of these units (task_record.TURNS, ANSWERS).

    Their YAML files stand in the folder of the tasks itself; the others stand in `more/`.
    """
    names = sorted(file.stem for file in TASKS_DIR.glob("*.yaml"))
    return [name for name in names if SHIPPED[name].unit in units]


def task_pattern(units: Collection[str]) -> str:
    """The same as one word for `lm_eval --tasks`: a pattern that matches no other shipped task, or
    the names.
    """
    names = main_tasks(units)
    if len(names) < 2:
        return ",".join(names)
    words = zip(*(name.split("_") for name in names), strict=False)
    start = "".join(f"{word}_" for word, *_ in takewhile(_all_equal, words))
    matched = [name for name in SHIPPED if name.startswith(start)]
    return f"{start}*" if sorted(matched) == names else ",".join(names)


def _all_equal(words: tuple[str, ...]) -> bool:
    return len(set(words)) == 1
