"""The review table: a CSV file with a row a turn, for any spreadsheet, and the same file read back.

A cell that a spreadsheet would run as a formula or turn into a number or date gets an apostrophe in
front (`'=1+1`, `'0314`), and so does a dangerous sign behind a separator, for a spreadsheet that
expects another one. Where apostrophes already stand there it is one more, so that taking one away
again gives every text back exactly. Texts that nobody corrected are taken from the dataset, not
from the table.
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from builders.review.sheet import read_rows, turn_of_row
from builders.review.verdicts import Fix, Verdict, checked_fix, listed, turn_check, verdict
from csc_tasks.conversation import Conversation, Turn
from csc_tasks.csv_cells import GuardedWriter, guarded, unguarded
from csc_tasks.errors import DataError
from csc_tasks.languages.labels import strategy_name
from csc_tasks.out import replace_file

COLUMNS = (
    "conversation_id",
    "language",
    "topic",
    "turn",
    "speaker",
    "original",
    "judge",
    "strategy",
    "text",
    "decision",
    "new_strategy",
    "new_text",
    "comment",
    "check",
)
"""The reviewer fills decision (in any row of a conversation), new_strategy, new_text and comment.
"""
OPTIONAL = frozenset({"language", "topic", "original", "judge", "comment"})


def write_table(
    path: Path,
    conversations: Sequence[Conversation],
    originals: Mapping[str, Sequence[Turn]],
    reasons: Mapping[str, str],
    delimiter: str,
) -> None:
    """Write the table: UTF-8 with a byte order mark, every cell in quotes. `reasons` is what a
    judge said of a conversation, which stands in its first row. It appears whole or not at all;
    raises SettingError where it cannot be written.
    """
    with io.StringIO(newline="") as file:
        out = GuardedWriter(file, delimiter=delimiter, quote_all=True, guard=guarded)
        out.row(COLUMNS)
        for conversation in conversations:
            beside = _beside(
                originals.get(conversation.conversation_id, ()), len(conversation.dialogue)
            )
            for number, turn in enumerate(conversation.dialogue, 1):
                name = strategy_name(turn.strategy, conversation.language) if turn.strategy else ""
                out.row(
                    (
                        conversation.conversation_id,
                        conversation.language,
                        conversation.topic,
                        number,
                        turn.speaker,
                        beside[number - 1],
                        reasons.get(conversation.conversation_id, "") if number == 1 else "",
                        name,
                        turn.text,
                        "",
                        "",
                        "",
                        "",
                        turn_check(conversation, number),
                    )
                )
        replace_file(path, "\ufeff" + file.getvalue())


def read_table(path: Path, known: Mapping[str, Conversation]) -> list[Verdict]:
    """The verdicts in a table that a reviewer filled in, in whatever order its rows stand; `known`
    are the conversations by id.

    Comma, semicolon and tab separate; rows and columns may be reordered, rows left out. Raises
    DataError that names every problem: an unknown id, a turn twice, a text that is not the
    dataset's, decisions of one conversation that differ, a correction that does not fit.
    """
    filled: dict[str, dict[int, dict[str, str]]] = {}
    problems = []
    for line, row in read_rows(path, COLUMNS, OPTIONAL):
        place = f"{path.name}, line {line}"
        try:
            name, number = _checked(row, known, place)
            if filled.setdefault(name, {}).setdefault(number, row) is not row:
                raise DataError(
                    f"{place}: {name} turn {number} occurs twice; leave one of the rows"
                )
        except DataError as error:
            problems.append(str(error))
    verdicts = []
    for name, rows in filled.items():
        try:
            if one := _verdict(known[name], rows, path.name):
                verdicts.append(one)
        except DataError as error:
            problems.append(str(error))
    if problems:
        raise DataError(f"{path}: {listed(problems, 'problem')}")
    return verdicts


def _checked(
    row: Mapping[str, str], known: Mapping[str, Conversation], place: str
) -> tuple[str, int]:
    """The conversation and the turn a row speaks of, once it is known to be the dataset's."""
    name, number = turn_of_row(
        row,
        known,
        place,
        turn_check,
        "the text was changed in place, to {}; corrections go into new_text",
    )
    conversation, spoken = known[name], known[name].dialogue[number - 1]
    shown = strategy_name(spoken.strategy, conversation.language) if spoken.strategy else ""
    if row["strategy"].strip() != shown:
        raise DataError(
            f"{place}: {name} turn {number}: the strategy was changed in place; corrections go into"
            " new_strategy"
        )
    return name, number


def _verdict(
    conversation: Conversation, rows: Mapping[int, Mapping[str, str]], name: str
) -> Verdict | None:
    decisions = {row["decision"].strip().lower() for row in rows.values()} - {""}
    if len(decisions) > 1:
        raise DataError(
            f"{conversation.conversation_id}: its rows say {' and '.join(sorted(decisions))}; a"
            " conversation has one decision"
        )
    fixes: list[Fix | None] = []
    for number, row in sorted(rows.items()):
        place = f"{conversation.conversation_id} turn {number}"
        fixes.append(
            checked_fix(
                conversation, number, row["new_strategy"], unguarded(row["new_text"]), place
            )
        )
    comment = "; ".join(
        unguarded(row["comment"]).strip()
        for _, row in sorted(rows.items())
        if row["comment"].strip()
    )
    return verdict(conversation, decisions.pop() if decisions else "", fixes, comment, name)


def _beside(original: Sequence[Turn], rows: int) -> list[str]:
    """The original's turns spread over so many rows, in order: the two can be read side by side
    though their lengths differ.
    """
    cells: list[list[str]] = [[] for _ in range(rows)]
    for i, turn in enumerate(original):
        cells[i * rows // len(original)].append(f"{turn.speaker}: {turn.text}")
    return ["\n".join(lines) for lines in cells]
