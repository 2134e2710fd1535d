"""Live conversations made again: the model's turns from its raw replies, the customer's turns and
the ending where the customer follows rules, the brief where rules made it, and every number from
the dialogue. A brief of the corpus has to be the one that a trusted corpus has.

What another model said as the customer is taken as it is logged, as raw replies are: nobody can
compute it. A finding says so, and it contradicts nothing.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from csc_tasks.conversation import SUPPORTER, Conversation
from csc_tasks.errors import CscError, DataError
from csc_tasks.languages import language
from csc_tasks.live import CAP, FAILED, Brief, LiveDialogue, LiveTurn
from csc_tasks.live.briefs import METHOD, brief_by_rule, briefs_hash, quoted_supporter
from csc_tasks.live.customers import (
    RECORDED,
    SCRIPTED,
    Customer,
    CustomerSettings,
    Part,
    customer_of,
)
from csc_tasks.live.record import live_record
from csc_tasks.prompts import Reply, read_reply
from csc_tasks.runs.samples_file import Run
from csc_tasks.verify.again import Again
from csc_tasks.verify.asked import asked
from csc_tasks.verify.replies import Replies
from csc_tasks.verify.thoughts import opening, ways
from csc_tasks.verify.verdict import Finding, short

STORED = "stored brief"
"""What findings about a brief of the corpus are called."""
NOT_HELD = (
    "no corpus that is trusted here has the briefs that the run calls stored, so that nobody here"
    " knows what its customer was told"
)
TAKEN = "the customer is another model, whose turns are taken as they are logged"


def check_live(run: Run, rows: int, briefs: Sequence[Mapping[str, Brief]]) -> Replies:
    """Make every record of a live run again, and say what is not as the file says. rows: how many
    documents its task has. briefs: those that trusted corpora have, each by conversation id.
    """
    checker = _Checker(run, briefs)
    records: list[list[dict[str, object]]] = [[] for _ in run.lines]
    for repeat in range(run.repeats):
        own = {"repeat": repeat} if run.repeats > 1 else {}
        for made, line in zip(records, run.one_repeat(repeat).lines, strict=True):
            made += [record | own for record in checker.line(line, repeat)]
    checker.end(rows)
    return Replies(records, checker.complete, checker.findings())


class _Checker:
    """Collects what differs, by kind. complete: every conversation has its raw replies."""

    def __init__(self, run: Run, held: Sequence[Mapping[str, Brief]]) -> None:
        csc = run.results["configs"][run.task]["metadata"]["csc"]
        self.run = run
        self.different: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
        self.form, self.ways = Again(run).form, ways(run)
        self.name = str(csc.get("customer"))
        self.most = csc.get("max_turns")
        self.source = csc.get("brief_source")
        self.stated = csc.get("briefs")
        self.held = held
        self.unheld = False
        self.complete = True
        self.briefs: dict[str, Brief] = {}
        self.rules: Customer | None = None
        if self.name in (RECORDED, SCRIPTED):
            self.rules = customer_of(CustomerSettings(self.name))

    def differs(self, item: str, where: str, claimed: object, made: object) -> None:
        self.different[item].append((where, short(claimed), short(made)))

    def findings(self) -> tuple[Finding, ...]:
        """What differs: of each kind the first case, and how many there are."""
        findings = []
        for item, cases in self.different.items():
            where, claimed, made = cases[0]
            more = f" and {len(cases) - 1:,} more places" if len(cases) > 1 else ""
            given = "documents and raw replies give"
            if item == STORED:
                given = "trusted corpus has"
            sentence = f"not what the {given}, in {where}{more}"
            findings.append(Finding(self.run.task, item, claimed, made, sentence))
        if self.unheld:
            findings.append(Finding(self.run.task, STORED, "", "", NOT_HELD, contradicts=False))
        if self.rules is None:
            findings.append(Finding(self.run.task, "customer", "", "", TAKEN, contradicts=False))
        return tuple(findings)

    def line(self, line: Mapping[str, Any], repeat: int) -> list[dict[str, object]]:
        """The record of one conversation in one repeat, made again."""
        (given,) = line[self.run.unit][:1]
        where = str(line["doc"].get("conversation_id"))
        try:
            item = Conversation.from_row(line["doc"], where)
            dialogue = LiveDialogue.from_json(given, where)
        except DataError as error:
            self._incomplete("document", where, "a live conversation", str(error))
            return []
        raws = self._raws(line, where)
        if raws is None:
            return []
        turns = self._heard(dialogue, raws, item.language, where)
        made = LiveDialogue(
            item.conversation_id,
            self.name,
            self._brief(dialogue, item, where),
            turns,
            dialogue.ending,
            dialogue.goal,
            item.language,
        )
        made = self._played(made, item, repeat, where)
        self._prompt(line, made, raws, where)
        failures = sum(bool(raw.get("failed")) for raw in raws)
        cut = [raw.get("history_truncated") for raw in raws]
        record = live_record(
            made,
            item.topic,
            _any([raw.get("truncated") for raw in raws]),
            _any([None if count is None else bool(count) for count in cut]),
            failures,
            str(given.get("customer_failure") or ""),
        )
        for key, value in record.items():
            if given.get(key) != value and not _close(given.get(key), value):
                self.differs(key, where, given.get(key), value)
        return [record]

    def end(self, documents: int) -> None:
        """Compare the briefs with what the run says of them, where all of them are there."""
        if len(self.briefs) == documents and briefs_hash(self.briefs.values()) != self.stated:
            made = briefs_hash(self.briefs.values())
            self.differs("briefs", "metadata.csc", self.stated, made)

    def _incomplete(self, item: str, where: str, claimed: object, made: object) -> None:
        self.complete = False
        self.differs(item, where, claimed, made)

    def _raws(self, line: Mapping[str, Any], where: str) -> list[Mapping[str, Any]] | None:
        """The model's turns as they were logged."""
        match line.get("resps"):
            case [[str(text)]]:
                with suppress(ValueError, RecursionError):
                    raws = json.loads(text)
                    if isinstance(raws, list) and all(map(_is_raw, raws)):
                        return raws
        self._incomplete("raw reply", where, "a live conversation", "no raw replies")
        return None

    def _heard(
        self,
        dialogue: LiveDialogue,
        raws: Sequence[Mapping[str, Any]],
        code: str,
        where: str,
    ) -> tuple[LiveTurn, ...]:
        """The dialogue's turns, the supporter's read again from the raw replies."""
        left = list(raws)
        turns = []
        for turn in dialogue.turns:
            if turn.speaker != SUPPORTER:
                turns.append(turn)
            elif left:
                turns.append(self._read(left.pop(0), turn, code))
        count = sum(turn.speaker == SUPPORTER for turn in dialogue.turns)
        if count != len(raws):
            self._incomplete("turns", where, f"{count} turns", f"{len(raws)} raw replies")
        return tuple(turns)

    def _read(self, raw: Mapping[str, Any], turn: LiveTurn, code: str) -> LiveTurn:
        """A raw reply as it is read; how a model thinks aloud is known no better than the file says
        it.
        """
        silence = language(code).words.NO_REPLY
        readings = []
        for way in opening(self.ways, str(raw.get("opened") or "")):
            reply: Reply = read_reply(raw["text"], way, code, self.form)
            read = LiveTurn(SUPPORTER, silence)
            if not reply.empty:
                read = LiveTurn(SUPPORTER, reply.text, reply.strategy)
            if read == turn:
                return read
            readings.append(read)
        return readings[0]

    def _brief(self, dialogue: LiveDialogue, item: Conversation, where: str) -> Brief | None:
        brief = dialogue.brief
        if self.source == METHOD:
            made = brief_by_rule(item)
            if brief != made:
                self.differs("brief", where, "another brief", "what the rules make")
            brief = made
        elif brief is None or brief.conversation_id != item.conversation_id:
            # Without it nothing below could be held against the customer's turns.
            self._incomplete("brief", where, "no brief of this conversation", "one")
        else:
            brief = self._stored(brief, item, where)
        if brief is not None:
            self.briefs[item.conversation_id] = brief
        return brief

    def _stored(self, brief: Brief, item: Conversation, where: str) -> Brief:
        """The brief that a trusted corpus has. With another one, or where none has any, the
        customer may have been played more easily: no number of the run is proven.
        """
        if quoted := quoted_supporter(brief, item):
            self.differs("brief", where, quoted, "no words of the recorded supporter")
        held = [own[item.conversation_id] for own in self.held if item.conversation_id in own]
        if not held:
            self.unheld, self.complete = True, False
            return brief
        if brief in held:
            return brief
        claimed, there = brief.to_json(), held[0].to_json()
        name = next(name for name in there if claimed[name] != there[name])
        self._incomplete(STORED, f"{where} ({name})", claimed[name], there[name])
        return held[0]

    def _played(
        self, dialogue: LiveDialogue, item: Conversation, repeat: int, where: str
    ) -> LiveDialogue:
        """The dialogue with the customer's turns and its ending played again where rules play it,
        and held to the cap.
        """
        count = sum(turn.speaker == SUPPORTER for turn in dialogue.turns)
        if type(self.most) is not int or count > self.most:
            self.differs("max_turns", where, f"{count} turns", f"at most {self.most!r:.20}")
        if dialogue.ending == CAP and count != self.most:
            self.differs("ending", where, CAP, f"{count} of {self.most!r:.20} turns")
        if self.rules is None or dialogue.brief is None:
            return dialogue
        if dialogue.ending == FAILED:
            self.differs("customer", where, FAILED, f"{self.name} always has something to say")
        part = Part(item, dialogue.brief, repeat)
        turns: list[LiveTurn] = []
        ending, goal = CAP, None
        supporter = [turn for turn in dialogue.turns if turn.speaker == SUPPORTER]
        begins = item.dialogue[0].speaker != SUPPORTER
        for heard in ([None] if begins else []) + supporter:
            turns += [heard] if heard else []
            try:
                move = self.rules.answer(part, tuple(turns)).result()
            except CscError as error:
                self.differs("customer", where, "a customer", str(error))
                return dialogue
            if move.text:
                turns.append(LiveTurn("customer", move.text, unfit=move.unfit))
            if move.ending:
                ending, goal = move.ending, move.goal
                break
            goal = move.goal
        made = LiveDialogue(
            dialogue.conversation_id,
            dialogue.customer,
            dialogue.brief,
            tuple(turns),
            ending,
            goal,
            dialogue.language,
        )
        if made.turns != dialogue.turns or made.ending != dialogue.ending:
            self.differs("customer", where, "another conversation", f"what {self.name} plays")
        return made

    def _prompt(
        self,
        line: Mapping[str, Any],
        dialogue: LiveDialogue,
        raws: Sequence[Mapping[str, Any]],
        where: str,
    ) -> None:
        """The last prompt, which is the one that is logged, holds what was said before it."""
        prompt = asked(line, 0)
        if prompt is None or not raws or raws[-1].get("history_truncated"):
            return
        own = [i for i, turn in enumerate(dialogue.turns) if turn.speaker == SUPPORTER]
        before = dialogue.turns[: own[-1]] if own else ()
        if any(prompt.lacks(turn.text) for turn in before):
            self.differs("prompt", where, "", "it lacks what was said before")


def _is_raw(raw: object) -> bool:
    return isinstance(raw, Mapping) and isinstance(raw.get("text"), str)


def _any(flags: Sequence[object]) -> bool | None:
    known = [bool(flag) for flag in flags if flag is not None]
    return any(known) if known else None


def _close(ours: object, theirs: object) -> bool:
    """Whether two shares are the same but for their last digits."""
    if not isinstance(ours, float) or not isinstance(theirs, float):
        return False
    return abs(ours - theirs) < 1e-9
