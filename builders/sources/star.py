"""STAR's raw dialogues (github.com/RasaHQ/STAR, English) as plain two-party conversations: what
User and Wizard said, typed or picked.

Completed and broken-off dialogues alike: the filters of a builder decide. `csc build star` is the
other way to read them, with labels.
"""

from collections.abc import Iterator
from pathlib import Path

from builders.sources.raw import RawConversation, Reading
from builders.star import SAID, dialogue_files, load_dialogue, topic_of
from csc_tasks.conversation import Turn
from csc_tasks.errors import DataError


def read(path: Path, reading: Reading) -> Iterator[RawConversation]:
    """The dialogues of a clone, of its dialogues/ folder, or of one file. The topic is "" where the
    scenario spans several tasks.
    """
    for file in [path] if path.is_file() else dialogue_files(path):
        try:
            raw = load_dialogue(file)
            topic = topic_of(raw, file)
        except (DataError, RecursionError) as error:
            reading.leave_out("no STAR dialogue", file.name, str(error).removeprefix(f"{file}: "))
            continue
        turns = _turns(raw["Events"], file.name, reading)
        if turns is not None:
            conversation = reading.take(
                str(raw["DialogueID"]),
                "en",
                "" if topic == "Others" else topic,
                "STAR",
                turns,
                file.name,
            )
            if conversation:
                yield conversation


def _turns(events: list, name: str, reading: Reading) -> list[Turn] | None:
    turns = []
    for i, event in enumerate(events):
        place = f"{name}: Events[{i}]"
        if not isinstance(event, dict) or not all(
            isinstance(event.get(key), str) for key in ("Agent", "Action")
        ):
            reading.leave_out("no event with the texts Agent and Action", place, repr(event)[:80])
            return None
        speaker = SAID.get((event["Agent"], event["Action"]))
        if speaker is None:
            reading.counts["events_in_which_nobody_speaks"] += 1
            continue
        text = event.get("Text")
        if not isinstance(text, str):
            reading.leave_out(
                "text is null" if text is None else "text is no text", place, repr(text)[:60]
            )
            return None
        turns.append(Turn(speaker, text))
    return turns
