"""The review page: one HTML file that works offline, with the conversations in it, and the
decisions it saves.

Everything it needs is inside the file. Texts are data in a JSON block and get into the page as
text, never as markup.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from builders.review.judged import Judgement
from builders.review.verdicts import Verdict, checked_fix, conversation_check, listed, verdict
from csc_tasks.conversation import Conversation, Turn
from csc_tasks.errors import DataError
from csc_tasks.framework import STRATEGIES
from csc_tasks.languages import language
from csc_tasks.languages.labels import CARDS, strategy_name
from csc_tasks.out import replace_file
from csc_tasks.reading import read_json

FORMAT = "csc-tasks review, version 1"
"""Stands in every file of decisions that the page saves."""

_TEMPLATE = Path(__file__).with_name("template")


def write_page(
    path: Path,
    name: str,
    conversations: Sequence[Conversation],
    originals: Mapping[str, Sequence[Turn]],
    reasons: Mapping[str, str],
    dropped: Sequence[Judgement],
) -> None:
    """Write the page for these conversations; `name` is the dataset's. `reasons` is what a judge
    said of a conversation; `dropped`, what judges dropped, is there for reading.
    """
    present = {one.language for one in conversations} | {one.language for one in dropped}
    codes = sorted({CARDS} | present)
    data = {
        "format": FORMAT,
        "dataset": name,
        "strategies": [
            {"id": s.id} | {code: strategy_name(s.id, code) for code in codes} for s in STRATEGIES
        ],
        "speakers": {code: language(code).speakers.model_dump() for code in codes},
        "conversations": [
            {
                "id": conversation.conversation_id,
                "check": conversation_check(conversation),
                "language": conversation.language,
                "topic": conversation.topic,
                "source": conversation.source,
                "judge": reasons.get(conversation.conversation_id, ""),
                "turns": _turns(conversation.dialogue),
                "original": [
                    {"speaker": t.speaker, "text": t.text}
                    for t in originals.get(conversation.conversation_id, ())
                ],
            }
            for conversation in conversations
        ],
        "dropped": [
            {
                "id": one.conversation_id,
                "language": one.language,
                "topic": one.topic,
                "judge": one.words(),
                "turns": _turns(one.turns),
            }
            for one in dropped
        ],
    }
    page = (_TEMPLATE / "page.html").read_text(encoding="utf-8")
    for part in ("page.css", "page.js"):
        page = page.replace(f"/* {part} */", (_TEMPLATE / part).read_text(encoding="utf-8"))
    # The data go in last: a text in them may look like one of the other marks.
    replace_file(path, page.replace("/* data */", _as_json(data), 1))


def read_decisions(path: Path, known: Mapping[str, Conversation]) -> list[Verdict]:
    """The verdicts in a file that the page saved; `known` are the conversations by id.

    Raises DataError that names every problem: an unknown id, one that occurs twice, a conversation
    that has changed, a correction that does not fit.
    """
    saved = read_json(path, "give a file that review.html saved")
    try:
        rows = saved["decisions"] if saved["format"] == FORMAT else None
    except (LookupError, TypeError):
        rows = None
    if not isinstance(rows, list):
        raise DataError(f"{path}: not a file of decisions that review.html saved")
    verdicts: dict[str, Verdict | None] = {}
    problems = []
    for i, row in enumerate(rows):
        try:
            _add(row, f"{path.name}, decision {i + 1}", path.name, known, verdicts)
        except DataError as error:
            problems.append(str(error))
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            problems.append(
                f"{path.name}, decision {i + 1}: not in the form that review.html saves"
                f" ({error!r:.60})"
            )
    if problems:
        raise DataError(f"{path}: {listed(problems, 'problem')}")
    return [one for one in verdicts.values() if one]


def _add(
    row: Mapping,
    place: str,
    name: str,
    known: Mapping[str, Conversation],
    verdicts: dict[str, Verdict | None],
) -> None:
    conversation = known.get(row["conversation_id"])
    if conversation is None:
        raise DataError(
            f"{place}: there is no conversation {row['conversation_id']!r} in the dataset"
        )
    if row["check"] != conversation_check(conversation):
        raise DataError(
            f"{place}: {conversation.conversation_id} has changed since the page was written;"
            " export again"
        )
    if conversation.conversation_id in verdicts:
        raise DataError(f"{place}: {conversation.conversation_id} occurs twice")
    fixes = []
    for fix in row["fixes"]:
        number = int(fix["turn"])
        if not 1 <= number <= len(conversation.dialogue):
            raise DataError(f"{place}: {conversation.conversation_id} has no turn {number}")
        where = f"{place}: {conversation.conversation_id} turn {number}"
        fixes.append(
            checked_fix(conversation, number, fix.get("strategy", ""), fix.get("text", ""), where)
        )
    verdicts[conversation.conversation_id] = verdict(
        conversation, row["decision"], fixes, row.get("comment", ""), name
    )


def _turns(turns: Sequence[Turn]) -> list[dict[str, str]]:
    return [{"speaker": t.speaker, "strategy": t.strategy, "text": t.text} for t in turns]


def _as_json(data: object) -> str:
    """JSON that can stand in a script element: no `<`, so neither `</script>` nor `<!--`."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")
