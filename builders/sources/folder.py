"""A dataset folder of this project as recorded conversations, of `csc build transcripts` or any
other builder. Labels are left out.
"""

from collections.abc import Iterator
from pathlib import Path

from builders.sources.raw import RawConversation, Reading
from csc_tasks.conversation import HELD_OUT, Turn
from csc_tasks.corpora import SPLITS, available, load
from csc_tasks.errors import DataError

CONFIGS = ("csconv", "rolecs")


def read(path: Path, reading: Reading) -> Iterator[RawConversation]:
    """The conversations of all splits of the first of CONFIGS that is there. Raises DataError where
    none is.
    """
    there = [
        (config, split)
        for config in CONFIGS
        for split in SPLITS
        if available(str(path), config, split)
    ]
    if not there:
        raise DataError(
            f"{path} is a dataset folder without conversations ({' or '.join(CONFIGS)})"
        )
    first = there[0][0]
    for config, split in there:
        if config != first:
            continue
        for item in load(str(path), config, split).items:
            place = f"{path.name} (conversation {item.conversation_id})"
            if any(turn.text == HELD_OUT for turn in item.dialogue):
                reading.leave_out("turns are held out", place)
                continue
            turns = [Turn(turn.speaker, turn.text) for turn in item.dialogue]
            taken = reading.take(
                item.conversation_id, item.language, item.topic, item.source, turns, place
            )
            if taken:
                yield taken
