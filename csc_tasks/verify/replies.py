"""Records made again from the raw replies of a samples file: what `csc_tasks.tasks` makes when it
runs, compared with what the file says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from csc_tasks.conversation import HELD_OUT, Conversation
from csc_tasks.errors import DataError
from csc_tasks.named_strategies import OF_SEVERAL
from csc_tasks.prompts import Reply, read_answer, read_begun, read_reply, read_text
from csc_tasks.question import REFERENCES, Question
from csc_tasks.records import answer_record, choice_record, turn_record
from csc_tasks.runs.results_file import Measurement
from csc_tasks.runs.samples_file import Run
from csc_tasks.runs.task_record import ANSWERS, FORCED, TaskRecord
from csc_tasks.verify.again import UNREADABLE, Again, is_flag
from csc_tasks.verify.asked import asked, wrong
from csc_tasks.verify.choices import forced_again, known_id, of_choice, twelve
from csc_tasks.verify.passages import ShownPassages
from csc_tasks.verify.references import (
    ABSENT,
    GOLD,
    References,
    has_scored_turn,
    held_out_of,
    without_gold,
)
from csc_tasks.verify.thoughts import MARK, opened, opening, ways
from csc_tasks.verify.trusted import Trusted
from csc_tasks.verify.verdict import Finding, short

OPTIONAL = ("failed", "thinking_cut")
"""Flags that records of earlier versions do not have."""
SEEN_BY_THE_BACKEND = ("truncated", "history_truncated")
"""Flags that no text shows: they must be true, false or unknown."""


@dataclass(frozen=True, slots=True)
class Replies:
    """records: one list per line of the samples file, made again. complete: every scored turn is
    there once, with its raw reply. as_run: where references were held out of the run and are
    supplied now, the records as the run could make them, without these; else None. passages: those
    of the run are the trusted evidence's.
    """

    records: list[list[dict[str, object]]]
    complete: bool
    findings: tuple[Finding, ...]
    as_run: list[list[dict[str, object]]] | None = None
    passages: bool = True


def check_replies(
    run: Run,
    measurement: Measurement,
    about: TaskRecord,
    references: References | None,
    trusted: Trusted,
) -> Replies:
    """Make every record again. Gold comes from the documents, or from what was held out; passages
    from the evidence that is held; the rest from the raw replies.
    """
    checker = _Checker(run, measurement, about, references, trusted)
    if references is None and not any(checker.has_gold(line["doc"]) for line in run.lines):
        absent = "the corpus holds its references out; supply them with --references"
        finding = Finding(run.task, "references", "", "", absent, contradicts=False)
        return Replies([], False, (finding,))
    records: list[list[dict[str, object]]] = [[] for _ in run.lines]
    for repeat in range(run.repeats):
        own = {"repeat": repeat} if run.repeats > 1 else {}
        for made, line in zip(records, run.one_repeat(repeat).lines, strict=True):
            made += [record | own for record in checker.line(line)]
    as_run = [list(map(checker.as_run, own)) for own in records] if checker.supplied else None
    passages = checker.passages.held and not checker.passages.otherwise
    return Replies(records, checker.complete, checker.findings(), as_run, passages)


class _Checker:
    """Collects what differs, by kind: the first case and how many there are."""

    def __init__(
        self,
        run: Run,
        measurement: Measurement,
        about: TaskRecord,
        references: References | None,
        trusted: Trusted,
    ) -> None:
        self.task = run.task
        self.run = run
        self.rows = measurement.provenance.rows
        self.forcing = measurement.provenance.forced
        self.passages = ShownPassages(run, about, trusted)
        self.about = about
        self.references = references
        self.field = REFERENCES[0]
        self.baseline = measurement.identity.baseline
        self.complete = True
        self.filled: set[int] = set()
        # (conversation, turn) of the gold that the run did not have and that is supplied now.
        self.supplied: set[tuple[str, int]] = set()
        self.unasked = self.unsupplied = 0
        self.different: dict[str, list[tuple[str, str, str]]] = {}
        self.again = Again(run)
        self.ways = ways(run)
        self.closing = self.ways[0].closing
        if self.closing and not MARK.search(self.closing):
            self.complete = False
        # Baselines of earlier versions logged none.
        self.without_raws = self.baseline and not any("resps" in line for line in run.lines)
        if self.without_raws or (self.passages.shows and not self.passages.held):
            self.complete = False
        stated = measurement.provenance.reference
        if stated in REFERENCES:
            self.field = stated
        elif stated is not None:
            self.differs("reference", "metadata.csc", stated, " or ".join(REFERENCES))

    def findings(self) -> tuple[Finding, ...]:
        found = [
            Finding(self.task, item, cases[0][1], cases[0][2], _sentence(item, cases))
            for item, cases in self.different.items()
        ]
        notes = []
        if self.closing and not MARK.search(self.closing):
            words = "is no mark that ends a thought, so it can be chosen to fit the replies"
            notes.append(("think_end_token", f"{self.closing!r:.40} {words}"))
        if self.unsupplied:
            words = "references are held out and not in --references"
            notes.append(("references", f"{self.unsupplied:,} {words}"))
        if self.unasked:
            words = "prompts are not in the samples, so nobody can see what the model was asked"
            notes.append(("prompts", f"{self.unasked:,} {words}"))
        if self.without_raws:
            words = "it logs no raw replies; run csc baselines of this version again"
            notes.append(("baseline", words))
        found += [
            Finding(self.task, item, "", "", words, contradicts=False) for item, words in notes
        ]
        return (*found, *self.passages.findings(self.rows, len(self.run.lines)))

    def differs(self, item: str, where: str, claimed: object, recomputed: object) -> None:
        self.different.setdefault(item, []).append((where, short(claimed), short(recomputed)))

    def line(self, line: Mapping[str, Any]) -> list[dict[str, object]]:
        """The records of one document, made again."""
        row, given = line["doc"], line[self.about.unit]
        where = str(row["conversation_id"])
        if self.references:
            row = self.references.filled(row, self.field)
        self.filled = held_out_of(line["doc"], row)
        item: Conversation | Question
        try:
            if self.about.unit == ANSWERS:
                item = Question.from_row(row, where)
                due = [item.turn_index]
                if getattr(item, self.field) == HELD_OUT:
                    self.complete = False
                    self.unsupplied += 1
            else:
                item = Conversation.from_row(row, where)
                due = item.scored_turns()
                if absent := len(item.held_out_turns()):
                    self.complete = False
                    self.unsupplied += absent
        except DataError as error:
            self.complete = False
            self.differs("document", where, "a document", str(error))
            return []
        turns = [record["turn"] for record in given]
        if sorted(turns) != sorted(due):
            self.complete = False
            self.differs(
                "turns", where, f"{len(turns)} in {where}", f"{len(due)} scored turns in {where}"
            )
        raws = self.raws(line, len(given), where)
        records = [
            self.record(item, record, raw, mark, f"{where} turn {record['turn']}")
            for record, (raw, mark) in zip(given, raws, strict=True)
            if record["turn"] in due
        ]
        if not self.baseline:
            self.prompts(line, item, given, records)
        return records

    def prompts(
        self,
        line: Mapping[str, Any],
        item: Conversation | Question,
        given: Sequence[Mapping[str, Any]],
        records: Sequence[Mapping[str, Any]],
    ) -> None:
        """Look at the logged prompts: whether they show what only another task shows."""
        said = {int(record["turn"]): str(record["reply"]) for record in records}
        made = {record["turn"]: record for record in records}
        for number, record in enumerate(given):
            if (turn := record["turn"]) not in made:
                continue
            where = f"{record['conversation_id']} turn {turn}"
            if (prompt := asked(line, number)) is None:
                self.complete = False
                self.unasked += 1
            elif words := wrong(
                prompt,
                self.about,
                item,
                turn,
                {position: text for position, text in said.items() if position < turn},
                str(made[turn]["reference"]),
                self.passages.known(made[turn]),
                self.again.first(record),
                str(made[turn].get("strategy") or ""),
                self.again.form,
            ):
                self.differs("prompt", where, "", words)

    def raws(
        self, line: Mapping[str, Any], count: int, where: str
    ) -> Sequence[tuple[str | None, str]]:
        """(raw reply, what the prompt opens) of each record; None where there is no raw reply."""
        if self.without_raws or not self.about.has_replies:
            return [(None, "")] * count
        responses = line.get("resps")
        texts = [
            response[0] if isinstance(response, list) and len(response) == 1 else None
            for response in (responses if isinstance(responses, list) else [])
        ]
        if len(texts) != count or not all(isinstance(text, str) for text in texts):
            self.complete = False
            self.differs("raw reply", where, f"{count} replies", "no raw reply for each of them")
            return [(None, "")] * count
        return [(text, opened(line, number)) for number, text in enumerate(texts)]

    def record(
        self,
        item: Conversation | Question,
        given: Mapping[str, Any],
        raw: str | None,
        mark: str,
        where: str,
    ) -> dict[str, object]:
        """One record made again; what differs from the given one is kept in mind."""
        flags = {}
        for name in SEEN_BY_THE_BACKEND:
            flag = given.get(name)
            if not is_flag(flag):
                self.differs(name, where, flag, "true, false or unknown")
                flag = None
            flags[name] = None if flag is None else bool(flag)
        failure = str(given.get("failure") or "no reason given") if given.get("failed") else ""
        if failure and raw:
            self.differs("failed", where, True, f"a reply of {len(raw)} characters")
            failure = ""
        if isinstance(item, Question):
            reply = self.parsed(given, raw, mark, item.language, answer=True)
            made: dict[str, object] = answer_record(
                item,
                str(getattr(item, self.field)),
                reply,
                flags["truncated"],
                flags["history_truncated"],
                failure,
                self.passages.of(item, given),
            )
        elif not self.about.has_replies:
            sums = None if failure or self.baseline else self.sums(given, where)
            if sums is None and not failure:
                return self.with_gold(item, given)
            made = choice_record(item, given["turn"], sums, flags["history_truncated"], failure)
        elif self.about.variant == FORCED:
            read = partial(self.parsed, given, raw, mark, item.language, False)
            again = forced_again(item, of_choice(given, self.forcing), read, flags, failure)
            if again is None:
                self.complete = False
                self.differs("strategy", where, given.get("strategy"), "nothing it was chosen by")
                return self.with_gold(item, given)
            made = again
        else:
            made = turn_record(
                item,
                given["turn"],
                self.parsed(given, raw, mark, item.language),
                flags["truncated"],
                flags["history_truncated"],
                self.chooses(given),
                failure,
            )
            more, first = self.again.made(given, opening(self.ways, mark), item.language)
            made |= more
            if first:
                self.differs("first_reply", where, first, UNREADABLE)
        return self.compared(made, given, where)

    def chooses(self, given: Mapping[str, Any]) -> bool:
        """Whether a strategy was asked for; of a baseline that chooses none there was none."""
        return self.about.variant == "predict" and not (
            self.baseline and given.get("unparsed") is None
        )

    def compared(
        self, made: dict[str, object], given: Mapping[str, Any], where: str
    ) -> dict[str, object]:
        for key, value in list(made.items()):
            if key in OPTIONAL and key not in given:
                del made[key]
            elif key not in ("failure", *SEEN_BY_THE_BACKEND) and not (
                given.get(key) == value or self.held_out(given, key)
            ):
                secret = key in GOLD and given["turn"] in self.filled
                self.differs(key, where, given.get(key), HELD_OUT if secret else value)
        for key in OF_SEVERAL:
            if key in given and key not in made:
                self.differs(key, where, given[key], "none")
        return made

    def held_out(self, given: Mapping[str, Any], key: str) -> bool:
        """Whether a run was made without this, and it is supplied now."""
        out = key in GOLD and given["turn"] in self.filled and not given.get(key)
        if out:
            self.supplied.add((given["conversation_id"], given["turn"]))
        return out

    def as_run(self, record: dict[str, object]) -> dict[str, object]:
        """A record without the gold that the run did not have."""
        own = record["conversation_id"], record["turn"]
        return without_gold(record) if own in self.supplied else record

    def has_gold(self, row: Mapping[str, Any]) -> bool:
        """Whether a document has a reference or a scored turn."""
        if self.about.unit == ANSWERS:
            return row.get(self.field) not in ABSENT
        return has_scored_turn(row.get("dialogue"))

    def parsed(
        self,
        given: Mapping[str, Any],
        raw: str | None,
        mark: str,
        language: str,
        answer: bool = False,
        chosen: str | None = None,
    ) -> Reply:
        """The raw reply as it is read; how a model thinks aloud is known no better than the file
        says it. chosen: the strategy whose name it was begun with.
        """
        if raw is None:
            return Reply(
                chosen or known_id(given.get("strategy")),
                given["reply"],
                given.get("thinking_cut") is True,
            )
        wanted = (None if answer else given.get("strategy"), given["reply"])
        readings = []
        for way in opening(self.ways, mark):
            if answer:
                reply = read_answer(raw, way)
            elif chosen:
                reply = read_begun(raw, chosen, language, way)
            elif self.chooses(given):
                reply = read_reply(raw, way, language, self.again.form)
            else:
                reply = read_text(raw, way, language)
            if (reply.strategy, reply.text) == wanted:
                return reply
            readings.append(reply)
        return readings[0]

    def sums(self, given: Mapping[str, Any], where: str) -> list[float] | None:
        """The twelve log-likelihoods of a choice, in the table's order."""
        numbers = twelve(given.get("loglikelihoods"))
        if numbers is None:
            self.complete = False
            self.differs(
                "loglikelihoods", where, given.get("loglikelihoods"), "twelve log-likelihoods"
            )
        return numbers

    def with_gold(self, item: Conversation, given: Mapping[str, Any]) -> dict[str, object]:
        """A choice's record as it is given, where its likelihoods are not there to choose from."""
        gold = item.dialogue[given["turn"]]
        chosen = {name: known_id(given.get(name)) for name in ("strategy", "strategy_norm")}
        return dict(given) | chosen | {"gold_strategy": "" if gold.held_out else gold.strategy}


def _sentence(item: str, cases: Sequence[tuple[str, str, str]]) -> str:
    where, count = cases[0][0], len(cases)
    more = f" and {count - 1:,} more places" if count > 1 else ""
    if item == "prompt":
        return f"not what this task asks: {cases[0][2]}, in {where}{more}"
    return f"not what the documents and raw replies give, in {where}{more}"
