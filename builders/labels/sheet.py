"""The sheet on which one person labels: a row a turn, the strategies to be filled in, and nothing
of what others say of a turn, people or models.
"""

import hashlib
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from builders.labels.asking import MOST
from builders.labels.raters import check_person
from builders.review.sheet import read_rows, turn_of_row
from builders.wording import templates
from csc_tasks.conversation import SUPPORTER, Conversation
from csc_tasks.csv_cells import GuardedWriter, guarded, unguarded
from csc_tasks.errors import DataError, SettingError, UnknownStrategy
from csc_tasks.framework import STRATEGIES
from csc_tasks.labels import Label
from csc_tasks.languages.labels import definition, strategy, strategy_name
from csc_tasks.out import replace_file

COLUMNS = (
    "rater",
    "conversation_id",
    "language",
    "turn",
    "speaker",
    "text",
    "strategies",
    "comment",
    "check",
)
"""The person fills `strategies`, and `comment` at will."""
OPTIONAL = frozenset({"language", "comment"})
CHANGED = "the text was changed, to {}; the sheet is for labels alone"
GUIDE = "GUIDE.md"

_BETWEEN = re.compile(r"[+;；,，、|\n]")


def said_check(conversation: Conversation, number: int) -> str:
    """A short hash of what is said in turn `number` (from 1), whoever labels it later."""
    turn = conversation.dialogue[number - 1]
    parts = [conversation.conversation_id, number, turn.speaker, " ".join(turn.text.split())]
    # The letter keeps spreadsheets from reading 12e456 as a number.
    return "c" + hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()[:12]


def write_sheet(
    path: Path, rater: str, conversations: Sequence[Conversation], delimiter: str
) -> None:
    """Write a person's sheet: UTF-8 with a byte order mark, every cell in quotes. It appears whole
    or not at all; raises SettingError where it cannot be written.
    """
    with io.StringIO(newline="") as file:
        out = GuardedWriter(file, delimiter=delimiter, quote_all=True, guard=guarded)
        out.row(COLUMNS)
        for one in conversations:
            for number, turn in enumerate(one.dialogue, 1):
                own = (rater, one.conversation_id, one.language, number, turn.speaker, turn.text)
                out.row((*own, "", "", said_check(one, number)))
        replace_file(path, "\ufeff" + file.getvalue())


def guide(languages: Sequence[str]) -> str:
    """What people are told, in each of the languages."""
    parts = []
    for language in languages:
        lines = "\n".join(
            f"- **{strategy_name(one.id, language)}** ({one.id}): {definition(one.id, language)}"
            for one in STRATEGIES
        )
        (message,) = templates(language).messages("label_guide", most=str(MOST), strategies=lines)
        parts.append(message["content"])
    return "\n\n---\n\n".join(parts) + "\n"


@dataclass(frozen=True, slots=True)
class Sheet:
    """What one person says. labels: (conversation id, position of the turn) -> strategies. empty:
    the supporter turns on the sheet that were left empty.
    """

    file: str
    rater: str
    labels: Mapping[tuple[str, int], Label]
    empty: int


def read_sheet(path: Path, known: Mapping[str, Conversation]) -> tuple[Sheet | None, list[str]]:
    """A person's sheet, and what is wrong with it, a line each; None where that is anything."""
    try:
        rows = read_rows(path, COLUMNS, OPTIONAL)
    except DataError as error:
        return None, [str(error)]
    problems: list[str] = []
    raters: dict[str, int] = {}
    seen: dict[tuple[str, int], int] = {}
    labels: dict[tuple[str, int], tuple[str, ...]] = {}
    empty = 0
    for line, row in rows:
        place = f"{path.name}, line {line}"
        raters.setdefault(unguarded(row["rater"]).strip(), line)
        try:
            name, number = turn_of_row(row, known, place, said_check, CHANGED)
            if (first := seen.setdefault((name, number), line)) != line:
                raise DataError(
                    f"{place}: {name} turn {number} stands in line {first} too; leave one of them"
                )
            where = f"{place}: {name} turn {number}"
            strategies = _strategies(unguarded(row["strategies"]), where)
            if known[name].dialogue[number - 1].speaker != SUPPORTER:
                if strategies:
                    raise DataError(f"{where}: a strategy for a turn of the customer, who has none")
            elif strategies:
                labels[name, number - 1] = strategies
            else:
                empty += 1
        except DataError as error:
            problems.append(str(error))
    problems += _who(path, raters)
    if not problems and not labels:
        problems.append(f"{path.name}: no strategy is filled in; leave the file out")
    if problems:
        return None, problems
    (rater,) = raters
    given = {place: Label(rater, strategies) for place, strategies in labels.items()}
    return Sheet(path.name, rater, given, empty), []


def _who(path: Path, raters: Mapping[str, int]) -> Iterator[str]:
    """What is wrong with the names of the person in a sheet's rows (name -> first line)."""
    for name, line in raters.items():
        try:
            if not name:
                raise SettingError("the rater is empty; write the person's name into every row")
            check_person(name)
        except SettingError as error:
            yield f"{path.name}, line {line}: {error}"
    if len(raters) > 1:
        (one, first), (other, second), *_ = raters.items()
        yield (
            f"{path.name}: is of {one!r} (line {first}) and of {other!r} (line {second}); a sheet"
            " is one person's"
        )


def _strategies(cell: str, where: str) -> tuple[str, ...]:
    """The strategies of a cell by id; raises DataError for an unknown or repeated one, and for too
    many.
    """
    ids = []
    for name in filter(None, (part.strip() for part in _BETWEEN.split(cell))):
        try:
            ids.append(strategy(name).id)
        except UnknownStrategy as error:
            raise DataError(f"{where}: {error}") from None
        if ids.count(ids[-1]) > 1:
            raise DataError(f"{where}: {name!r} is named twice")
    if len(ids) > MOST:
        raise DataError(f"{where}: {len(ids)} strategies; name at most {MOST}, the main one first")
    return tuple(ids)
