"""The recordings that rewritten conversations were made from: DIR.originals.jsonl beside a dataset
folder, a line a conversation.

They hold personal data and are no part of the folder, so that `csc push` cannot publish them.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from csc_tasks.conversation import Turn, turns_of
from csc_tasks.errors import DataError
from csc_tasks.out import replace_file
from csc_tasks.reading import json_lines


def originals_path(folder: Path) -> Path:
    """Where the originals of a dataset folder lie."""
    return folder.resolve().with_name(f"{folder.resolve().name}.originals.jsonl")


def read_originals(folder: Path) -> dict[str, tuple[str, tuple[Turn, ...]]]:
    """Conversation id -> (id in the source, the recorded turns); {} where the folder has no
    originals. Raises DataError for a bad line.
    """
    path = originals_path(folder)
    if not path.is_file():
        return {}
    originals = {}
    for number, row in json_lines(path, "restore the file that csc build wrote"):
        place = f"{path.name}, line {number}"
        try:
            turns = turns_of(row, "turns", place)
            originals[str(row["conversation_id"])] = str(row.get("source_id", "")), turns
        except (LookupError, TypeError, AttributeError) as error:
            raise DataError(
                f"{place}: no object with conversation_id, source_id and turns ({error!r:.80})"
            ) from None
    return originals


def write_originals(folder: Path, originals: Mapping[str, tuple[str, tuple[Turn, ...]]]) -> Path:
    """Write them beside `folder`, sorted by id, in one step; returns the file."""
    lines = (_line(name, *original) for name, original in sorted(originals.items()))
    return replace_file(originals_path(folder), lines)


def _line(name: str, source_id: str, turns: tuple[Turn, ...]) -> str:
    spoken = [{"speaker": turn.speaker, "text": turn.text} for turn in turns]
    return (
        json.dumps(
            {"conversation_id": name, "source_id": source_id, "turns": spoken}, ensure_ascii=False
        )
        + "\n"
    )
