"""Live conversations: the model under evaluation talks to a customer who is played.

`Brief` is what that customer knows and wants, `LiveDialogue` what the two said (dialogue.py).
"""

from csc_tasks.live.dialogue import (
    CAP,
    ENDINGS,
    FAILED,
    GAVE_UP,
    SATISFIED,
    TRANSFERRED,
    Brief,
    Fact,
    LiveDialogue,
    LiveTurn,
    dialogues_of,
)

__all__ = [
    "CAP",
    "ENDINGS",
    "FAILED",
    "GAVE_UP",
    "SATISFIED",
    "TRANSFERRED",
    "Brief",
    "Fact",
    "LiveDialogue",
    "LiveTurn",
    "dialogues_of",
]
