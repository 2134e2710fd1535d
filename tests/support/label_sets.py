"""A dataset folder of short conversations to label, and models that label by order."""

import json
from collections.abc import Callable
from pathlib import Path

from builders.cards.render import Card
from builders.cards.transcripts import UNLABELLED, WITHOUT_LABELS
from builders.dataset import read_folder, write_folder
from csc_tasks.cli import main
from csc_tasks.conversation import CUSTOMER, SUPPORTER, Conversation, Turn, content_id
from tests.support.llm_server import Act

CARD = Card(
    title="Talks",
    summary=f"Recorded talks{WITHOUT_LABELS}.",
    licence="other",
    languages=("en",),
    source="Made up.",
    made="By hand.",
    limits=(UNLABELLED, "Only short ones."),
)
SAID = (
    (SUPPORTER, "Hello, how can I help you?"),
    (CUSTOMER, "My card of {} is gone."),
    (SUPPORTER, "What is your name, please?"),
    (CUSTOMER, "{}"),
    (SUPPORTER, "Goodbye and take care, {}."),
)
NAMES = ("Ann", "Bob", "Cy", "Dee")


def talk(name: str, strategies: tuple[str, str, str] = ("", "", "")) -> Conversation:
    """Five turns with a person of this name; the supporter's three have these strategies."""
    left = iter(strategies)
    turns = tuple(
        Turn(speaker, text.format(name), next(left) if speaker == SUPPORTER else "")
        for speaker, text in SAID
    )
    id_ = content_id("talk", [[turn.speaker, turn.text] for turn in turns])
    return Conversation(id_, "en", "", "test", turns)


def write_set(out: Path, talks: list[Conversation] | None = None, split: str = "test") -> Path:
    """The talks (default: one a name, without strategies) as a dataset folder."""
    rows = [one.to_row() for one in talks or map(talk, NAMES)]
    build = {"builder": "test", "settings": {}, "counts": {"made": len(rows)}}
    write_folder(out, {"csconv": {split: rows}}, CARD, build, {})
    return out


def csc(*words: object) -> int:
    """Run a verb."""
    return main([str(word) for word in words])


def turns_of(folder: Path) -> dict[tuple[str, int], Turn]:
    """(Conversation id, position) -> supporter turn of a folder."""
    _, rows = read_folder(folder)
    return {
        (row["conversation_id"], place): turn
        for splits in rows.values()
        for part in splits.values()
        for row in part
        for place, turn in enumerate(Conversation.from_row(row, "row").dialogue)
        if turn.speaker == SUPPORTER
    }


def labelled(*names: str, reason: str = "Because.") -> Act:
    """A reply with these strategies."""
    return Act(json.dumps({"reason": reason, "strategies": list(names)}))


def utterance(body: dict) -> str:
    """What a request asks about."""
    return body["messages"][1]["content"].rpartition("said by the supporter: ")[2]


def by_words(body: dict, number: int = 0) -> Act:
    """A model that knows the three utterances of a talk."""
    said = utterance(body)
    if said.startswith("Hello"):
        return labelled("Greeting")
    if said.startswith("What"):
        return labelled("Identity Verification", "Problem Refinement")
    return labelled("Appreciation and Closure")


def by_model(**models: Callable[[dict], Act]) -> Callable[[dict, int], Act]:
    """A server of several models."""
    return lambda body, number: models[body["model"]](body)
