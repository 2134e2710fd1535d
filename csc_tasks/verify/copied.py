"""Replies that are the reference wherever everybody has it, and not where it is held out."""

import math
from collections.abc import Mapping, Sequence

from csc_tasks.verify.verdict import Finding

SHORTEST = 8
"""Characters: two who say a shorter text the same agree by chance."""
SHARE = 0.5
RARE = 1e-4


def check_copied(
    task: str,
    records: Sequence[Mapping[str, object]],
    as_run: Sequence[Mapping[str, object]],
) -> list[Finding]:
    """Whether replies were copied from the references of a corpus that holds a part of them out.

    records: with all references; as_run: the same without those that were held out. Copied means:
    at least half of the replies to turns whose reference everybody has are that reference to the
    letter, at most half as large a share of the others is, and chance gives such a difference less
    than once in 10,000 times (Fisher's exact test, one-sided).
    """
    public: list[bool] = []
    held_out: list[bool] = []
    for record, own in zip(records, as_run, strict=True):
        reference = str(record["reference"]).strip()
        if len(reference) >= SHORTEST:
            same = str(record["reply"]).strip() == reference
            (public if own["reference"] else held_out).append(same)
    if not public or not held_out:
        return []
    hits, others = sum(public), sum(held_out)
    share = hits / len(public)
    if share < SHARE or others / len(held_out) > share / 2:
        return []
    if at_most(others, len(held_out), hits + others, len(public) + len(held_out)) >= RARE:
        return []
    return [
        Finding(
            task,
            "replies",
            "",
            "",
            f"{hits:,} of {len(public):,} are the reference to the letter where everybody has it,"
            f" and {others:,} of {len(held_out):,} where it is held out",
        )
    ]


def at_most(hits: int, drawn: int, marked: int, total: int) -> float:
    """The chance of at most `hits` marked among `drawn` of `total`, of which `marked` are."""
    ways = sum(
        math.comb(marked, k) * math.comb(total - marked, drawn - k)
        for k in range(max(0, drawn - (total - marked)), hits + 1)
    )
    return ways / math.comb(total, drawn)
