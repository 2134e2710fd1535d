"""Runs that asked several times (`csc_repeats`): a line of their samples file holds the records of
all repeats, one repeat after another, and with them raw replies, prompts and scores.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from csc_tasks.errors import DataError
from csc_tasks.runs.conditions import REPEAT

RATED = 0
"""The repeat that stands for a run where one is wanted: its replies are judged and shown."""
CONDITION = f"{REPEAT}repeat"
"""The condition that tells the repeats of one run apart."""


def of_repeat(line: Mapping[str, Any], unit: str, repeat: int) -> dict[str, Any]:
    """A line of a samples file with one repeat in it alone, as a run that asks once writes it."""
    records = line[unit]
    places = [i for i, record in enumerate(records) if record.get("repeat", 0) == repeat]
    one = dict(line) | {unit: [records[i] for i in places]}
    for key in ("resps", "filtered_resps"):
        if isinstance(given := line.get(key), list) and len(given) == len(records):
            one[key] = [given[i] for i in places]
    if isinstance(sent := line.get("arguments"), dict):
        asked = [(number, f"gen_args_{i}") for number, i in enumerate(places)]
        one["arguments"] = {f"gen_args_{n}": sent[key] for n, key in asked if key in sent}
    for name, entry in line.items():
        match entry:
            case [str(id_), list(items)] if name != unit and len(items) == len(records):
                one[name] = [id_, [items[i] for i in places]]
    return one


def stated_repeats(metadata: Mapping[str, Any], where: str) -> int:
    """How often a run asked, as `configs[task].metadata` says. Raises DataError for what is no
    number, or not that of the setting.
    """
    stated = metadata["csc"].get("repeats", 1)
    if type(stated) is not int or stated < 1:
        raise DataError(
            f"{where}: metadata.csc.repeats is {stated!r:.40}; it must be a whole number of at"
            " least 1"
        )
    given = metadata.get("csc_repeats")
    if given is not None and not _is(given, stated):
        raise DataError(
            f"{where}: asked with csc_repeats={given!r:.40}, and metadata.csc.repeats is {stated};"
            " give the files as lm_eval wrote them"
        )
    return stated


def _is(given: object, stated: int) -> bool:
    """Whether a setting, as it was given, is this number."""
    try:
        return float(str(given)) == stated
    except ValueError:
        return False


def check_order(records: Sequence[Mapping[str, Any]], repeats: int, where: str) -> None:
    """Raise DataError where a line has not the records of all repeats, one repeat after another."""
    own = [record.get("repeat", 0) for record in records]
    places = [repeat for repeat in own if type(repeat) is int]
    if len(places) < len(own) or own != sorted(places) or own[-1] >= repeats or own[0] < 0:
        raise DataError(
            f"{where}: repeat of its records is {own!r:.60}; a run with csc_repeats={repeats} has"
            f" records of the repeats 0 to {repeats - 1}, one repeat after another"
        )
    if len(set(own)) < repeats:
        raise DataError(
            f"{where}: has records of {len(set(own))} repeats; the run asked {repeats} times"
            " (csc_repeats)"
        )
