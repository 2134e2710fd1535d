"""Held-out references: what maintainers keep for themselves, so that no run can copy it.

A file of rows `conversation_id, turn, reference, strategy` (JSON lines or parquet): turn is the
position of the supporter turn in the dialogue, or a question's turn_index; strategy is "" for
questions. Documents of such a corpus have `[held out]` or nothing in these places.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from csc_tasks.conversation import HELD_OUT
from csc_tasks.errors import DataError
from csc_tasks.framework import BY_ID
from csc_tasks.question import REFERENCES
from csc_tasks.reading import json_lines

COLUMNS = ("conversation_id", "turn", "reference", "strategy")
ABSENT = (None, "", HELD_OUT)
"""What stands in the place of something that is held out."""
GOLD: Mapping[str, object] = {"reference": "", "gold_strategy": "", "gold_stages": []}
"""What of a record a corpus may hold out, as it stands in a run without it."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What was held out of one turn or question."""

    text: str
    strategy: str


@dataclass(frozen=True, slots=True)
class References:
    """conversation id -> turn -> what was held out."""

    by_id: Mapping[str, Mapping[int, Reference]]

    def filled(self, row: Mapping[str, object], field: str) -> dict[str, object]:
        """A document's row with what was held out put back; field: a question's reference."""
        there = self.by_id.get(str(row.get("conversation_id")), {})
        if "turn_index" in row:
            own = there.get(row["turn_index"]) if type(row["turn_index"]) is int else None
            # The file holds the refined answers alone.
            if own is None or field != REFERENCES[0] or row.get(field) not in ABSENT:
                return dict(row)
            return {**row, field: own.text}
        dialogue = row.get("dialogue")
        if not isinstance(dialogue, list):
            return dict(row)
        return {**row, "dialogue": [_turn(turn, there.get(i)) for i, turn in enumerate(dialogue)]}


def _turn(turn: object, own: Reference | None) -> object:
    """A turn with its own text and label where it has them, else those that were held out."""
    if own is None or not isinstance(turn, Mapping):
        return turn
    held_out = {"text": own.text, "strategy": own.strategy}
    return {**turn, **{key: text for key, text in held_out.items() if turn.get(key) in ABSENT}}


def held_out_of(row: Mapping[str, object], whole: Mapping[str, object]) -> set[int]:
    """The turns of a document that were filled in `whole`, which is the same one."""
    if "turn_index" in row:
        turn = row["turn_index"]
        return {turn} if row != whole and type(turn) is int else set()
    before, after = row.get("dialogue"), whole.get("dialogue")
    if not isinstance(before, list) or not isinstance(after, list):
        return set()
    return {i for i, (own, full) in enumerate(zip(before, after, strict=True)) if own != full}


def whole_unlabelled(turns: Sequence[Mapping[str, object]]) -> bool:
    """Whether the turns of a dialogue, as a file holds them, have no labels at all and nothing is
    held out of them: a corpus of transcripts, and not an emptied one.
    """
    return bool(turns) and all(
        turn.get("strategy") in (None, "") and turn.get("text") not in ABSENT for turn in turns
    )


def has_scored_turn(dialogue: object) -> bool:
    """Whether a dialogue as a file holds it has a labelled turn; in one without labels every turn
    is scored.
    """
    rows = dialogue if isinstance(dialogue, list) else []
    turns = [turn for turn in rows if isinstance(turn, dict)]
    labelled = any(turn.get("strategy") not in ABSENT for turn in turns)
    return labelled or whole_unlabelled(turns)


def without_gold(record: Mapping[str, object]) -> dict[str, object]:
    """A record as a run without the references makes it."""
    return {**record, **{key: blank for key, blank in GOLD.items() if key in record}}


def read_references(file: Path) -> References:
    """Read a file of held-out references.

    Raises DataError that names file and row for what is missing, of another type, or there twice.
    """
    found: dict[str, dict[int, Reference]] = defaultdict(dict)
    for number, row in _rows(file):
        where = f"{file} row {number}"
        id_, turn, text = (row.get(name) for name in COLUMNS[:3])
        strategy = row.get("strategy") or ""
        if not isinstance(id_, str) or type(turn) is not int or not isinstance(text, str):
            raise DataError(
                f"{where}: found {dict(row)!r:.120}; a row has {', '.join(COLUMNS)} (text, a whole"
                " number, text, text)"
            )
        if not isinstance(strategy, str) or (strategy and strategy not in BY_ID):
            raise DataError(
                f"{where}: strategy {strategy!r:.40} is not one of {', '.join(BY_ID)} or empty"
            )
        if turn in found[id_]:
            raise DataError(f"{where}: turn {turn} of {id_!r} stands in the file twice")
        found[id_][turn] = Reference(text, strategy)
    if not found:
        raise DataError(f"{file}: there are no rows; give the references that were held out")
    return References(found)


def _rows(file: Path) -> Iterable[tuple[int, Mapping[str, object]]]:
    if file.suffix == ".parquet":
        import pyarrow.parquet

        try:
            rows: list[dict[str, object]] = pyarrow.parquet.read_table(
                file, partitioning=None
            ).to_pylist()
        except (OSError, ValueError) as error:
            raise DataError(f"{file}: not a readable parquet file ({error})") from None
        return enumerate(rows, 1)
    return _lines(file)


def _lines(file: Path) -> Iterable[tuple[int, Mapping[str, object]]]:
    wanted = "give the references that were held out (parquet or JSON lines)"
    for number, row in json_lines(file, wanted):
        if not isinstance(row, dict):
            raise DataError(f"{file} row {number}: found {row!r:.80}; a row is a JSON object")
        yield number, row
