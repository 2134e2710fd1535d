"""What a board may show of conversations whose references are held out."""

from collections.abc import Mapping
from typing import Any

from csc_tasks.conversation import HELD_OUT
from csc_tasks.verify.references import whole_unlabelled


def withheld(line: Mapping[str, Any]) -> dict[str, Any]:
    """A drawn conversation without what its corpus holds out, and without the scores of these
    turns, which tell it: a board is published.
    """
    hidden = {"reference": "", "gold_strategy": None}
    out = [_held_out(line["doc"], record["turn"]) for record in line["records"]]
    records = [
        {**record, **hidden} if own else record
        for record, own in zip(line["records"], out, strict=True)
    ]
    scores = {
        name: [None if own else item for item, own in zip(items, out, strict=True)]
        for name, items in line["scores"].items()
    }
    return {**line, "records": records, "scores": scores}


def _held_out(document: Mapping[str, Any], turn: int) -> bool:
    """Whether a document lacks the reference of a turn; of questions it lacks all."""
    dialogue = document.get("dialogue")
    if not isinstance(dialogue, list):
        return True
    return not whole_unlabelled(dialogue) and dialogue[turn].get("strategy") in ("", HELD_OUT)
