"""Conversations for the audit of played customers: written by hand, and people of the demo."""

from csc_tasks.corpora import load
from csc_tasks.live import Brief, Fact, LiveDialogue, LiveTurn
from csc_tasks.live.briefs import brief_by_rule
from leaderboard.audit.turns import Talk, recorded_dialogue, talk_of


def dialogue(
    *texts: str,
    brief: Brief | None = None,
    language: str = "en",
    id_: str = "c",
    customer: str = "by hand",
) -> LiveDialogue:
    """A dialogue in which customer and supporter take turns; the customer begins unless the first
    text is "".
    """
    turns = tuple(
        LiveTurn("supporter" if i % 2 else "customer", text)
        for i, text in enumerate(texts)
        if text or i
    )
    return LiveDialogue(id_, customer, brief, turns, "satisfied", None, language)


def talk(*texts: str, brief: Brief | None = None, language: str = "en", id_: str = "c") -> Talk:
    """`dialogue` as the audit looks at it."""
    return talk_of(dialogue(*texts, brief=brief, language=language, id_=id_), language)


def brief(**facts: str) -> Brief:
    """A brief with these facts."""
    known = tuple(Fact(name.replace("_", " "), value) for name, value in facts.items())
    return Brief("c", known, "wants a refund", "writes in very short words", "is upset", (), "en")


def people(language: str, most: int = 80) -> list[LiveDialogue]:
    """The first conversations of the demo's role-plays in a language, as if people had spoken."""
    items = [item for item in load("demo", "rolecs", "train").items if item.language == language]
    return [recorded_dialogue(item, brief_by_rule(item)) for item in items[:most]]
