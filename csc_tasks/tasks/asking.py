"""How a task's items were asked, for its checks and its files."""

import json
from dataclasses import asdict
from typing import Any

from csc_tasks import play
from csc_tasks.errors import SettingError
from csc_tasks.price import Price
from csc_tasks.prompts import SERVER_DATE, SPOKEN
from csc_tasks.runs.task_record import WITHOUT_STRATEGY


def check_repeats(task: str, repeats: int, compares: bool, of_yaml: int) -> None:
    """Raise SettingError where asking several times makes no sense.

    compares: the task compares log-likelihoods. of_yaml: lm_eval's own `repeats`.
    """
    if repeats > 1 and compares:
        raise SettingError(
            f"csc_repeats={repeats}: {task} compares log-likelihoods, which are the same every"
            " time; leave the task out, or csc_repeats"
        )
    if of_yaml != 1:
        raise SettingError(
            f"{task}: repeats: {of_yaml} in its YAML is not for these tasks, which ask again by"
            f" csc_repeats={of_yaml}; leave it out there"
        )


def as_spoken(csc: dict[str, Any], signatures: dict[str, str]) -> None:
    """Make a task's record (metadata.csc) that of a run in which a deployed agent was told what was
    said and nothing of ours.
    """
    csc |= {"prompt": SPOKEN, "date": SERVER_DATE, "signatures": signatures}
    csc["variant"] = WITHOUT_STRATEGY.get(csc["variant"], csc["variant"])
    for name in ("format", "reask"):
        csc.pop(name, None)


def logged(answered: play.Answered) -> object:
    """What stands under `resps`: the raw reply, or all that a choice or a live conversation was
    made of.
    """
    if isinstance(answered, play.Played):
        return answered.text
    if isinstance(answered, play.LivePlayed):
        return json.dumps([asdict(raw) for raw in answered.raws], ensure_ascii=False)
    return asdict(answered)


def flag(count: int | None) -> bool | None:
    """Whether there were any; None where that is not known."""
    return None if count is None else count > 0


def took(answered: play.Answered, price: Price | None) -> dict[str, Any]:
    """What a record says of the time, tokens and cost of its reply, or of each turn of a live
    conversation; nothing of a choice.
    """
    if isinstance(answered, play.Played):
        return {"timing": answered.timing.priced(price).to_json()}
    if isinstance(answered, play.LivePlayed):
        return {"timings": [timing.priced(price).to_json() for timing in answered.timings]}
    return {}
