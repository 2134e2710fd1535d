"""What reviewers decided about conversations, whether they agree, and what a correction makes of a
conversation.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from csc_tasks.conversation import SUPPORTER, Conversation, Turn, content_id
from csc_tasks.errors import DataError, UnknownStrategy
from csc_tasks.languages.labels import strategy

DECISIONS = ("keep", "fix", "drop")
NAMED = 10
"""So many problems are named in one error."""


@dataclass(frozen=True, slots=True)
class Fix:
    """A correction of one turn, counted from 1: another strategy (an id), another text, or both; ""
    leaves it as it is.
    """

    turn: int
    strategy: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one reviewer decided about one conversation; `place` says where it stands."""

    conversation_id: str
    decision: str
    fixes: tuple[Fix, ...]
    comment: str
    place: str


def turn_check(conversation: Conversation, number: int) -> str:
    """A short hash of turn `number` (from 1), the same whatever happens to its white space."""
    turn = conversation.dialogue[number - 1]
    parts = [
        conversation.conversation_id,
        number,
        turn.speaker,
        turn.strategy,
        " ".join(turn.text.split()),
    ]
    # The letter keeps spreadsheets from reading 12e456 as a number.
    return "c" + hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()[:12]


def conversation_check(conversation: Conversation) -> str:
    """A short hash of all turns."""
    checks = [
        turn_check(conversation, number) for number in range(1, len(conversation.dialogue) + 1)
    ]
    return "c" + hashlib.sha256(" ".join(checks).encode()).hexdigest()[:12]


def checked_fix(
    conversation: Conversation, number: int, label: str, text: str, place: str
) -> Fix | None:
    """The correction a reviewer gave for a turn, or None where it changes nothing.

    Raises DataError for a strategy on a customer's turn or one that is none of the twelve (names in
    either language and ids are known).
    """
    turn = conversation.dialogue[number - 1]
    text = "\n".join(
        line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").strip().split("\n")
    )
    try:
        strategy_id = strategy(label.strip()).id if label.strip() else ""
    except UnknownStrategy as error:
        raise DataError(f"{place}: {error}") from None
    if strategy_id and turn.speaker != SUPPORTER:
        raise DataError(
            f"{place}: strategy {label.strip()!r} for a turn of the customer, who has none"
        )
    if strategy_id == turn.strategy:
        strategy_id = ""
    fix = Fix(number, strategy_id, text if text != turn.text else "")
    return fix if fix.strategy or fix.text else None


def verdict(
    conversation: Conversation, decision: str, fixes: Iterable[Fix | None], comment: str, place: str
) -> Verdict | None:
    """The verdict from a decision as it was written and the corrections; None where there is
    neither.

    Corrections without a decision mean fix. Raises DataError for an unknown decision, keep with
    corrections, and fix without any.
    """
    name, given = conversation.conversation_id, tuple(fix for fix in fixes if fix)
    decision = decision.strip().lower() or ("fix" if given else "")
    if not decision:
        return None
    if decision not in DECISIONS:
        raise DataError(
            f"{place}: {name}: the decision is {decision!r}; it must be {', '.join(DECISIONS)} or"
            " empty"
        )
    if decision == "keep" and given:
        raise DataError(
            f"{place}: {name}: the decision is keep, but turn {given[0].turn} is corrected; write"
            " fix, or take that away"
        )
    if decision == "fix" and not given:
        raise DataError(
            f"{place}: {name}: the decision is fix, but nothing is corrected; give a new strategy"
            " or text, or drop it"
        )
    return Verdict(name, decision, given if decision == "fix" else (), comment, place)


def settle(
    files: Sequence[Sequence[Verdict]], on_conflict: str | None
) -> tuple[dict[str, Verdict], list[str]]:
    """Conversation -> the one verdict of all reviewers (a sequence of verdicts each), and a line
    for every disagreement.

    `on_conflict` decides where they disagree: "drop" the conversation or "keep" it as it was.
    Raises DataError that lists the disagreements where it is None.
    """
    by_conversation: dict[str, list[Verdict]] = {}
    for verdicts in files:
        for one in verdicts:
            by_conversation.setdefault(one.conversation_id, []).append(one)
    settled, conflicts = {}, []
    for name, verdicts in by_conversation.items():
        settled[name] = verdicts[0]
        if len({(one.decision, one.fixes) for one in verdicts}) > 1:
            listing = "; ".join(f"{one.place}: {_described(one)}" for one in verdicts)
            conflicts.append(f"{name}: {listing}")
            settled[name] = replace(verdicts[0], decision=on_conflict or "", fixes=())
    if conflicts and on_conflict is None:
        raise DataError(
            f"{listed(conflicts, 'disagreement', ' | ')}. Settle them in the files, or give"
            " --on-conflict drop or keep"
        )
    return settled, conflicts


def corrected(conversation: Conversation, one: Verdict) -> Conversation:
    """The conversation with the verdict's corrections, under the id that its new content has.
    Raises DataError where it breaks a rule.
    """
    turns = list(conversation.dialogue)
    for fix in one.fixes:
        old = turns[fix.turn - 1]
        # What raters say of a turn is of the text that they read.
        labels = old.labels if fix.text in ("", old.text) else ()
        turns[fix.turn - 1] = Turn(
            old.speaker, fix.text or old.text, fix.strategy or old.strategy, labels
        )
    content = [[turn.speaker, turn.strategy, turn.text] for turn in turns]
    prefix = conversation.conversation_id.rpartition("-")[0] or "reviewed"
    name = content_id(prefix, conversation.language, content)
    fixed = replace(conversation, conversation_id=name, dialogue=tuple(turns))
    if problems := fixed.problems():
        raise DataError(
            f"{one.place}: {conversation.conversation_id} as corrected: {'; '.join(problems)}"
        )
    return fixed


def listed(lines: Sequence[str], what: str, joint: str = "; ") -> str:
    """`2 problems: first; second`, the first NAMED of them."""
    more = f"{joint}and {len(lines) - NAMED:,} more" if len(lines) > NAMED else ""
    return (
        f"{len(lines):,} {what}{'s' if len(lines) != 1 else ''}: {joint.join(lines[:NAMED])}{more}"
    )


def _described(one: Verdict) -> str:
    fixes = [
        " ".join(
            filter(
                None, (f"turn {fix.turn}", fix.strategy, repr(fix.text)[:60] if fix.text else "")
            )
        )
        for fix in one.fixes
    ]
    return one.decision + (f" ({', '.join(fixes)})" if fixes else "")
