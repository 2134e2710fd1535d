"""What a record's strategy was chosen by: twelve log-likelihoods, or what a server wrote that was
made to write one of the names.
"""

from collections.abc import Callable, Mapping
from typing import Any

from csc_tasks.conversation import Conversation
from csc_tasks.framework import STRATEGY_IDS, likeliest
from csc_tasks.languages.labels import strategy_name
from csc_tasks.prompts import Reply, label_written
from csc_tasks.records import forced_record
from csc_tasks.verify.numbers import LARGEST

LIKELIHOOD = "log-likelihood"
"""What `metadata.csc.forced.choice` says where twelve log-likelihoods chose."""


def known_id(strategy: object) -> str | None:
    """The strategy id that a record names; None where it names none."""
    return strategy if isinstance(strategy, str) and strategy in STRATEGY_IDS else None


def twelve(likelihoods: object) -> list[float] | None:
    """The log-likelihoods of a record in the table's order; None where they are not twelve
    numbers.
    """
    if not isinstance(likelihoods, dict):
        return None
    numbers = [
        float(value)
        for value in (likelihoods.get(id_) for id_ in STRATEGY_IDS)
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST
    ]
    return numbers if len(numbers) == len(STRATEGY_IDS) else None


def of_choice(given: Mapping[str, Any], forcing: Mapping[str, str] | None) -> dict[str, Any]:
    """A record without what its run does not choose by. forcing: `metadata.csc.forced`, which says
    what that is; without it nothing is.
    """
    by_likelihood = forcing and forcing.get("choice") == LIKELIHOOD
    others = {"written_strategy"} if by_likelihood else {"loglikelihoods"}
    others |= set() if forcing else {"written_strategy"}
    return {name: value for name, value in given.items() if name not in others}


def forced_strategy(given: Mapping[str, Any], code: str) -> str | None:
    """The strategy id that a record's own evidence gives; None where it has none."""
    if "loglikelihoods" in given:
        sums = twelve(given["loglikelihoods"])
        return None if sums is None else likeliest(sums)
    written = given.get("written_strategy")
    if not isinstance(written, str):
        return None
    _, label = label_written(written)
    return next((id_ for id_ in STRATEGY_IDS if strategy_name(id_, code) == label), None)


def forced_again(
    item: Conversation,
    given: Mapping[str, Any],
    read: Callable[[str], Reply],
    flags: Mapping[str, bool | None],
    failure: str,
) -> dict[str, object] | None:
    """The record of a forced turn made again; None where nothing says what its strategy was chosen
    by. read: strategy id -> the raw reply, begun with its name, as it is read.
    """
    chosen = None if failure else forced_strategy(given, item.language)
    if chosen is None and not failure:
        return None
    return forced_record(
        item,
        given["turn"],
        read(chosen) if chosen else Reply(None, ""),
        flags["truncated"],
        flags["history_truncated"],
        twelve(given.get("loglikelihoods")),
        str(given.get("written_strategy") or ""),
        failure,
    )
