"""The record of a live conversation: what stands under `live` in a samples file.

It is `LiveDialogue.to_json()` with what every record has (`turn` is 0, `reply` all that the
supporter said, `reference` ""), and the numbers of measures.py.
"""

from typing import Any

from csc_tasks.conversation import SUPPORTER
from csc_tasks.live.dialogue import LiveDialogue
from csc_tasks.live.measures import measures


def live_record(
    dialogue: LiveDialogue,
    topic: str,
    truncated: bool | None,
    history_truncated: bool | None,
    failures: int,
    customer_failure: str = "",
) -> dict[str, Any]:
    """failures: how many turns the evaluated model did not answer. customer_failure: why the
    customer has no further turn, "" where it has.
    """
    replies = [turn.text for turn in dialogue.turns if turn.speaker == SUPPORTER]
    why = {"customer_failure": customer_failure} if customer_failure else {}
    return (
        dialogue.to_json()
        | {
            "turn": 0,
            "topic": topic,
            "reference": "",
            "reply": "\n".join(replies),
            "failed": failures > 0,
            "failed_turns": failures,
            "truncated": truncated,
            "history_truncated": history_truncated,
        }
        | why
        | measures(dialogue)
    )
