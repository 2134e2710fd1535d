"""One source from its files to conversations with cleaned texts, as `RawConversation`s.

with Transcripts(Path("tickets.json"), Path("."), Choices()) as transcripts:
    transcripts.guess()
    transcripts.read()
    for conversation in transcripts.conversations("en"):
        ...
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from types import TracebackType

from builders.sources.raw import RawConversation, Reading, is_unicode
from builders.transcripts import cleaning, lines, tables, tau2, turns
from builders.transcripts.files import Record, files_of, records
from builders.transcripts.said import SPOILED, Said
from builders.transcripts.shapes import LINES, SAMPLE, TABLE, Shape, shape_of
from builders.transcripts.speakers import (
    NOBODY,
    check_agents,
    decided,
    first_roles,
    unknown_roles,
)
from builders.transcripts.store import MOST, Store, Uttered
from csc_tasks.conversation import CUSTOMER, SUPPORTER, Turn
from csc_tasks.errors import DataError, SettingError

AMBIGUOUS = 0.1
"""In at most this share of conversations names may leave open who is who; they are left out."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What a user may say instead of the guess: part -> column, the supporters' names in plain
    form, and a format that is not guessed (tau2.TAU2).
    """

    columns: dict[str, str] = field(default_factory=dict)
    agents: frozenset[str] = frozenset()
    format: str = ""


class Transcripts:
    """A source of transcripts. `reading` counts what was left out, cut and merged; `shape` says how
    the records are read.

    Raises what `files_of` does.
    """

    def __init__(
        self, source: Path, folder: Path | None, choices: Choices, reading: Reading
    ) -> None:
        self.source, self.choices, self.reading = source, choices, reading
        self.files = files_of(source)
        self.shape = self._guess()
        self.cut: Counter[str] = Counter()
        self.utterances_left_out: Counter[str] = Counter()
        self.store = Store(folder)

    def __enter__(self) -> "Transcripts":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.store.__exit__(kind, error, trace)

    def _guess(self) -> Shape:
        if self.choices.format == tau2.TAU2:
            return Shape(tau2.KIND, {}, notes=(tau2.NOTE,))
        sample = list(islice(records(self.source, self.files), SAMPLE))
        return shape_of(self.source.name, sample, self.choices.columns)

    def read(self) -> None:
        """Read all and settle who is who.

        Raises DataError where nobody says anything, SettingError where names do not tell the
        supporters from the customers.
        """
        self.store.add(self._checked(self._said()))
        self.store.grouped()
        labels = list(self.store.labels())
        if not labels:
            self.reading.show_problems()
            raise DataError(f"{self.source.name}: nobody says anything in it")
        check_agents(self.choices.agents, (name for name, _ in labels))
        roles = list(first_roles(labels, self.choices.agents))
        self.store.give_roles(roles)
        undecided = {name for name, role, _ in roles if not role}
        if undecided:
            self._decide({name: n for name, n in labels if name in undecided})

    def _decide(self, undecided: dict[str, int]) -> None:
        votes, ambiguous, cast = decided(self.store.casts())
        if ambiguous > AMBIGUOUS * cast:
            raise SettingError(unknown_roles(undecided, ambiguous))
        self.store.give_roles(votes)

    def _said(self) -> Iterator[Said]:
        read: Callable[[Record, Shape], Iterator[Said]] = turns.said_in
        read = {TABLE: tables.said_in, LINES: _said_in_lines}.get(self.shape.kind, read)
        found = records(self.source, self.files)
        if self.shape.kind == tau2.KIND:
            found, read = tau2.simulations(found), self._simulated
        for record in found:
            self.reading.counts["records_read"] += 1
            if record.problem:
                self.reading.problem(record.problem, record.place, record.detail)
                if self.shape.kind != TABLE:
                    continue
            said = list(read(record, self.shape))
            if not said and not record.problem:
                what = "no conversation's id" if self.shape.kind == TABLE else "no turns"
                self.reading.problem(what, record.place, str(record.row)[:80])
            yield from said

    def _simulated(self, record: Record, shape: Shape) -> Iterator[Said]:
        return tau2.said_in(record, self.cut)

    def _checked(self, said: Iterator[Said]) -> Iterator[Said]:
        """The same with texts that a database can hold."""
        for one in said:
            if is_unicode(one.text) and is_unicode(one.speaker) and is_unicode(one.conversation):
                yield one
                continue
            place = repr(one.conversation)
            detail = f"{one.text[:60]!r}; save the file as UTF-8"
            self.reading.problem("text is not valid Unicode", place, detail)
            yield Said(ascii(one.conversation).strip("'"), None, "", "", SPOILED)

    def conversations(self, name: str) -> Iterator[RawConversation]:
        """The conversations, cleaned and merged, in the order of their ids in the source; `name` is
        what they say of their source. Their language is "": nobody has looked yet.
        """
        for uttered in self.store.conversations():
            place = f"{self.source.name} (conversation {uttered[0].conversation})"
            reason, detail = _why_not(uttered)
            if reason:
                self.reading.leave_out(reason, place, detail)
                continue
            spoken = list(self._turns(_ordered(uttered)))
            raw = self.reading.take(uttered[0].conversation, "", "", name, spoken, place)
            if raw is None:
                continue
            speakers = {turn.speaker for turn in raw.turns}
            missing = [one for one in (SUPPORTER, CUSTOMER) if one not in speakers]
            if missing:
                self.reading.counts["conversations_read"] -= 1
                self.reading.leave_out(f"no {missing[0]} says anything", place)
            else:
                yield raw

    def _turns(self, uttered: list[Uttered]) -> Iterator[Turn]:
        """The turns of a conversation with cleaned texts; what is left out or cut is counted."""
        before = None
        for one in uttered:
            left_out = one.left_out or ("a system line" if one.role == NOBODY else "")
            if not left_out and cleaning.is_system(one.text):
                left_out = "a system line"
            if not left_out and one[1:] == before and one.time is not None:
                left_out = "said twice at the same time"
            before = one[1:]
            cleaned = cleaning.Cleaned("") if left_out else cleaning.clean(one.text)
            self.cut.update(cleaned.done)
            if not left_out and not cleaned.text.strip():
                left_out = "nothing but what was cut" if cleaned.done else "no text"
            if left_out:
                self.utterances_left_out[left_out] += 1
            else:
                yield Turn(one.role, cleaned.text)


def _said_in_lines(record: Record, shape: Shape) -> Iterator[Said]:
    text = record.row.get(shape.columns["turns"])
    return lines.said_in(text, record.place) if isinstance(text, str) else iter(())


def _why_not(uttered: list[Uttered]) -> tuple[str, str]:
    """(reason, detail) for a conversation that is left out before it is cleaned."""
    if len(uttered) > MOST:
        return f"more than {MOST:,} utterances", "is the id right?"
    for one in uttered:
        if one.left_out == SPOILED:
            return SPOILED, one.text
        if not one.left_out and not one.role:
            return "nothing tells who is the supporter", "give --agents NAME,NAME"
    return "", ""


def _ordered(uttered: list[Uttered]) -> list[Uttered]:
    """By time where all have one; those of one time, and all else, in the order of the source."""
    spoken = [one for one in uttered if not one.left_out]
    if any(one.time is None for one in spoken):
        return uttered
    return sorted(uttered, key=lambda one: (one.time is None, one.time or 0.0))
