"""Which facts in a reply does nothing support that the model was given? A hallucination rate by
rule.

Names, numbers, amounts, dates and codes are found by csc_tasks.metrics.facts; what counts as
support is the history, the summary, the instruction and the question, the passages that stand in a
record, and those of an evidence file. In generated context the model's own earlier words are no
support: an invented number does not become true by being said twice. Only the customer's turns and
unlabelled gold turns, which the model saw, are.

A rule sees words, not meaning: a right fact in other words counts as unsupported, a wrong use of a
supported number does not.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from csc_tasks.errors import DataError
from csc_tasks.evidence import Passages
from csc_tasks.metrics.facts import KINDS, find_facts, unsupported
from csc_tasks.runs.samples_file import Items
from csc_tasks.shapes import CUSTOMER, SUPPORTER
from leaderboard.model_report import FactAudit, FactExample
from leaderboard.numbers.inference import Clustered, clustered, value_of
from leaderboard.numbers.intervals import SHARE

EXAMPLES = 12


class FactAuditor:
    """Looks at every reply while a samples file is read; `audit` then says what was found."""

    def __init__(self, generated: bool, evidence: Passages) -> None:
        self.generated = generated
        self.evidence = evidence
        self.passages = False
        self.found: list[int] = []
        self.missing: list[int] = []
        self.kinds: dict[str, list[int]] = {kind: [0, 0] for kind in KINDS}
        self.examples: list[FactExample] = []
        self.texts: dict[tuple[str, int], tuple[str, ...]] = {}

    def look(self, document: Mapping[str, Any], records: list[dict[str, Any]]) -> None:
        """Audit the replies of one document; `texts` keeps the unsupported facts of those that have
        any.
        """
        own = passages_of(records)
        self.passages |= any(own.values())
        support = Support(document, self.generated, self.evidence, own)
        found = [
            find_facts(record["reply"], record["language"]) if record["reply"] else []
            for record in records
        ]
        # What the whole conversation does not support, no part of it does: mostly one look is
        # enough for all its replies.
        never: set[tuple[str, str]] = set()
        for language in {
            record["language"] for record, facts in zip(records, found, strict=True) if facts
        }:
            asked = [
                fact
                for record, facts in zip(records, found, strict=True)
                if record["language"] == language
                for fact in facts
            ]
            never |= {
                (fact.kind, fact.value) for fact in unsupported(asked, support.all(), language)
            }
        for record, facts in zip(records, found, strict=True):
            id_, turn = record["conversation_id"], record["turn"]
            perhaps = [fact for fact in facts if (fact.kind, fact.value) not in never]
            lacking = (
                unsupported(perhaps, support.before(turn), record["language"]) if perhaps else ()
            )
            missing = {(fact.kind, fact.value) for fact in lacking}
            without = [fact for fact in facts if (fact.kind, fact.value) in never | missing]
            self.found.append(len(facts))
            self.missing.append(len(without))
            for fact in facts:
                self.kinds[fact.kind][0] += 1
            for fact in without:
                self.kinds[fact.kind][1] += 1
            if without:
                self.texts[id_, turn] = tuple(dict.fromkeys(fact.text for fact in without))
                if len(self.examples) < EXAMPLES:
                    self.examples.append(
                        FactExample(
                            conversation_id=id_,
                            turn=turn,
                            kind=without[0].kind,
                            text=without[0].text,
                            reply=record["reply"][:600],
                        )
                    )

    def column(self, logged: Items) -> Clustered:
        """Which replies have an unsupported fact, for their share and for comparisons."""
        wrong = np.asarray(self.missing) > 0
        return clustered(wrong, logged.conversation, logged.ids, logged.members, scale=SHARE)

    def audit(self, logged: Items) -> FactAudit:
        """The audit of all replies; the rate is clustered by conversation."""
        named = (
            "history without the model's own turns" if self.generated else "history",
            "summary",
            "instruction",
            "question",
        )
        return FactAudit(
            hallucination_rate=value_of(self.column(logged)),
            facts=sum(self.found),
            unsupported=sum(self.missing),
            kinds={kind: (n, m) for kind, (n, m) in self.kinds.items() if n},
            support=(
                *named,
                *(["passages"] if self.passages else []),
                *(["evidence"] if self.evidence else []),
            ),
            examples=tuple(self.examples),
        )


def passages_of(records: Sequence[Mapping[str, Any]]) -> dict[int, list[str]]:
    """Turn -> the passages of its record, where a run has some (cscx_qa_grounded shows them)."""
    return {record["turn"]: record["passages"] for record in records if "passages" in record}


class Support:
    """The texts that a reply to one document may take its facts from: what the rule counts, and
    what a judge of facts is shown.

    told: summary, instruction and question, by their names in the document. history: a question's
    (speaker, text) turns. spoken: those of a dialogue as (position, speaker, text); in generated
    context without the gold turns that the model's own stood in for. evidence: passages of a file.
    own: turn -> the passages of its record
    (`passages_of`).
    """

    def __init__(
        self,
        document: Mapping[str, Any],
        generated: bool,
        evidence: Passages,
        own: Mapping[int, Sequence[str]],
    ) -> None:
        self.id = document["conversation_id"]
        keys = ("history_summary", "instruction", "client_question")
        self.told = {
            key: text for key in keys if isinstance(text := document.get(key), str) and text
        }
        self.history: list[tuple[str, str]] = []
        self.spoken: list[tuple[int, str, str]] = []
        for name in ("dialogue", "conversation_history"):
            turns = document.get(name)
            for position, turn in enumerate(turns if isinstance(turns, list) else ()):
                if not isinstance(turn, dict) or not isinstance(turn.get("text"), str):
                    raise DataError(
                        f"{self.id}: turn {position} of {name} is {turn!r:.60}; it must have a text"
                    )
                speaker = CUSTOMER if turn.get("speaker") == CUSTOMER else SUPPORTER
                if name == "conversation_history":
                    self.history.append((speaker, turn["text"]))
                elif not generated or speaker == CUSTOMER or not turn.get("strategy"):
                    self.spoken.append((position, speaker, turn["text"]))
        self._passages = dict(evidence.get(self.id, {}))
        for turn, texts in own.items():
            # A file may hold the very passages of the record.
            there = {*self._passages.get(None, ()), *self._passages.get(turn, ())}
            others = [text for text in texts if text not in there]
            self._passages[turn] = [*others, *self._passages.get(turn, ())]
        self._fixed = [
            *self.told.values(),
            *self._passages.get(None, ()),
            *(text for _, text in self.history),
        ]

    def all(self) -> list[str]:
        """Everything that supports any reply."""
        return [
            *self._fixed,
            *(text for _, _, text in self.spoken),
            *(text for texts in self._passages.values() for text in texts),
        ]

    def before(self, turn: int) -> list[str]:
        """What supports a reply at this position of the dialogue."""
        spoken = (text for position, _, text in self.spoken if position < turn)
        return [*self._fixed, *spoken, *self._passages.get(turn, ())]

    def passages(self, turn: int) -> list[str]:
        """What was retrieved for a reply at this position: passages for the whole conversation,
        then its own, those of its record first.
        """
        return [*self._passages.get(None, ()), *self._passages.get(turn, ())]
