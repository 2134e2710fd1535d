"""A row -> a conversation or a question, whichever public schema it is written in."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from csc_tasks import shapes
from csc_tasks.conversation import TEXTS, Conversation, content_id, text_of, turns_of
from csc_tasks.corpora.files import PUBLISHED_FILES
from csc_tasks.errors import DataError
from csc_tasks.labels import majority
from csc_tasks.languages.labels import topic_name, topic_names
from csc_tasks.question import Question

_HISTORY_LINE = re.compile(
    rf"\s*({'|'.join(shapes.SPEAKERS)})\s*[:：]\s*(.*)", re.IGNORECASE | re.DOTALL
)


def read_conversation(
    row: Mapping[str, Any], where: str, config: str, counts: Counter[str]
) -> Conversation:
    """A row of a dataset folder, or of CSConv.json and RoleCS.json: `{dialogue: [{speaker:
    客服|客户, strategy, text}], source}`.

    What a row does not say is found in the same way whatever else it says: an id from the content,
    the language from the text. The published files name the topic in `source`. Raises DataError
    that opens with `where`.
    """
    key = shapes.turns_key(row)
    if key is None:
        raise DataError(
            f"{where}: found the columns {', '.join(map(str, row)) or 'none'}; conversations have"
            " 'dialogue' (or turns, messages) and 'source' (published) or also conversation_id,"
            " language and topic (dataset folder)"
        )
    turns = turns_of(row, key, where)
    texts = {name: text_of(row, name, where) for name in TEXTS}
    given = texts["conversation_id"]
    if not given:
        texts["conversation_id"] = content_id(
            config, [[turn.speaker, turn.strategy, turn.text] for turn in turns]
        )
        counts["ids made from content"] += 1
    if "topic" not in row and texts["source"].strip() in topic_names().keys() | {""}:
        texts |= {"topic": texts["source"], "source": PUBLISHED_FILES.get(config, config)}
    texts["topic"] = topic_name(texts["topic"])
    conversation = Conversation(dialogue=turns, **texts)
    conversation.check(f"{where} ({given})" if given else where)
    others = sum(bool(t.labels) and t.strategy != majority(t.labels) for t in turns)
    if others:
        counts["turns whose strategy is not what most raters name first"] += others
    return conversation


def read_question(
    row: Mapping[str, Any], where: str, config: str, counts: Counter[str]
) -> Question:
    """A row of the `qa` config, or of the published questions. Raises DataError that opens with
    `where`.
    """
    if "client_question" not in row:
        columns = ", ".join(map(str, row)) or "none"
        raise DataError(
            f"{where}: found the columns {columns}; QA rows have"
            f" {', '.join(Question.__dataclass_fields__)}"
        )
    row = dict(row)
    history = row.get("conversation_history")
    # A CSV file of ours holds the turns as a JSON list; the published one holds lines.
    if isinstance(history, str) and not history.lstrip().startswith("[{"):
        row["conversation_history"] = _history_from_text(history, where, counts)
    row.setdefault("source", "published")
    return Question.from_row(row, where)


def _history_from_text(text: str, where: str, counts: Counter[str]) -> list[dict[str, Any]]:
    """The published string form: lines that start with `Client:` or `Agent:`; other lines go on
    with the turn before them.
    """
    turns: list[dict[str, Any]] = []
    for line in text.split("\n"):
        match = _HISTORY_LINE.fullmatch(line)
        if match:
            turns.append({"speaker": shapes.speaker_of(match[1]), "text": match[2].strip()})
        elif turns:
            turns[-1]["text"] += f"\n{line}"
        elif line.strip():
            wanted = "a line that starts with 'Client:' or 'Agent:'"
            raise DataError(
                f"{where}: conversation_history opens with {line[:60]!r}; expected {wanted}"
            )
    for turn in turns:
        turn["text"] = turn["text"].strip()
    spoken = [turn for turn in turns if turn["text"]]
    if len(spoken) < len(turns):
        counts["empty history lines left out"] += len(turns) - len(spoken)
    return spoken


def text_of_row(row: Mapping[str, Any], where: str) -> str:
    """What is said in a row of either kind."""
    if "client_question" in row:
        names = (
            "client_question",
            "agent_answer",
            "refined_agent_answer",
            "history_summary",
            "conversation_history",
        )
        texts = [row.get(name) for name in names]
        return " ".join(text for text in texts if isinstance(text, str))
    key = shapes.turns_key(row) or "dialogue"
    return " ".join(turn.text for turn in turns_of(row, key, where))
