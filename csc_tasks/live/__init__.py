"""Live conversations: the model under evaluation talks to a customer who is played.

`Brief` is what that customer knows and wants, `LiveDialogue` what the two said (dialogue.py).
"""

from csc_tasks.live.dialogue import (
    ENDINGS,
    FAILED,
    Brief,
    Fact,
    LiveDialogue,
    LiveTurn,
    dialogues_of,
)

__all__ = ["ENDINGS", "FAILED", "Brief", "Fact", "LiveDialogue", "LiveTurn", "dialogues_of"]
