"""The strategies of a turn's record where there may be several: those that the reply names, and
those that several raters name.
"""

from collections.abc import Mapping
from typing import Any

from csc_tasks.conversation import Turn
from csc_tasks.prompts import Reply, read_parts

OF_SEVERAL = ("labels", "strategies")
"""What only some records have: labels of several raters, several strategies of a reply."""


def of_several(gold: Turn, reply: Reply) -> dict[str, Any]:
    """What only turns with labels of several raters have, and replies that may name several
    strategies.
    """
    labels = [label.to_json() for label in gold.labels]
    strategies = list(reply.strategies)
    return ({"labels": labels} if labels else {}) | (
        {"strategies": strategies} if strategies else {}
    )


def named_strategies(record: Mapping[str, Any]) -> list[str]:
    """The strategies that a turn's reply names, the main one first. Where one was asked for and
    several were named, which leaves the reply unparsed, they are read from it all the same.
    """
    if several := record.get("strategies"):
        return list(several)
    if record["strategy"]:
        return [record["strategy"]]
    parts = read_parts(record["reply"], record["language"])
    return list(dict.fromkeys(name for part in parts for name in part.strategies))


def raters_of(record: Mapping[str, Any]) -> list[list[str]]:
    """What each rater of a record's turn names; [] where nobody labelled it beside the corpus."""
    return [label["strategies"] for label in record.get("labels") or ()]
