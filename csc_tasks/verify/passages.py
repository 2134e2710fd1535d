"""Are the passages of a run those of the evidence that the verifier holds?

They are the first ones that the evidence gives for the question: a run may show fewer, never
others. Where nothing is held, they are taken as they are given, and what is counted with them is
not re-scored; nor is anything else of a run that showed them: whoever chooses the passages chooses
what a reply can be right about.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from csc_tasks.errors import MissingExtra
from csc_tasks.evidence import Evidence, evidence_hash
from csc_tasks.question import Question
from csc_tasks.runs.samples_file import Run
from csc_tasks.runs.task_record import AUDITED, GROUNDED, SHOWN, TaskRecord
from csc_tasks.verify.trusted import Trusted
from csc_tasks.verify.verdict import Finding


class ShownPassages:
    """used: whether the run has any. held: whether there is nothing that would have to be compared
    and cannot be.
    """

    def __init__(self, run: Run, about: TaskRecord, trusted: Trusted) -> None:
        self.task = run.task
        self.shows = about.variant == GROUNDED
        self.used = self.shows or any("passages" in record for record in run.records)
        self.evidence: Evidence | None = None
        self.why = "give the evidence that you hold with --evidence"
        self.csc: Mapping[str, Any] = run.results["configs"][run.task]["metadata"]["csc"]
        self.shown: dict[str, dict[int | None, list[str]]] = {}
        self.whole = True
        # One question is asked with the same passages in every repeat.
        self.counts: dict[tuple[str, int | None], int] = {}
        self.otherwise: list[str] = []
        if self.used:
            try:
                self.evidence = trusted.passages(self.csc.get("evidence_name"))
            except MissingExtra as error:
                # That looking up needs a library is no fault of the run.
                self.why = str(error)
        self.held = not self.used or self.evidence is not None

    def of(self, item: Question, given: Mapping[str, Any]) -> list[str] | None:
        """The passages of a question: as the evidence has them, as many as the record does."""
        if not self.shows and "passages" not in given:
            return None
        claimed = given.get("passages")
        texts = claimed if isinstance(claimed, list) else []
        cut = self.shows and bool(given.get("history_truncated"))
        self.whole &= not cut
        key = item.conversation_id, item.turn_index
        if self.counts.setdefault(key, len(texts)) != len(texts):
            self.otherwise.append(item.conversation_id)
        if self.evidence is None:
            return [text for text in texts if isinstance(text, str)]
        if not texts and cut:
            # A prompt may have no room for any.
            return []
        passages = [passage.text for passage in self.evidence.of(item, len(texts) or None)]
        if passages:
            self.shown.setdefault(item.conversation_id, {})[item.turn_index] = passages
        return passages

    def known(self, made: Mapping[str, Any]) -> Sequence[str]:
        """Of a record made again, the passages that are known to be the evidence's."""
        return made.get("passages") or () if self.shows and self.evidence is not None else ()

    def findings(self, rows: int, logged: int) -> tuple[Finding, ...]:
        """What is wrong with a run of `logged` documents of a task of `rows`."""
        if self.otherwise:
            sentence = f"other passages in another repeat of {self.otherwise[0]}"
            return (Finding(self.task, "passages", "", "", sentence),)
        if not self.held:
            sentence = f"its passages are compared with none: {self.why}"
            return (Finding(self.task, "passages", "", "", sentence, contradicts=False),)
        key = SHOWN if self.shows else AUDITED
        claimed, made = self.csc.get(key), evidence_hash(self.shown)
        if not self.used or not self.whole or rows != logged or claimed == made:
            return ()
        sentence = "the file names other evidence than its passages are of"
        return (Finding(self.task, key, f"{claimed!s:.40}", made, sentence),)
