"""What verification says: how far each number can be trusted, and what was found."""

import enum
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


class Trust(enum.StrEnum):
    """How far a number, a task or a run can be trusted.

    RESCORED: computed here from samples that match a trusted corpus. PARTLY: some of its numbers
    are (learned metrics are claimed). CLAIMED: no samples, no trusted corpus, or no match.
    """

    RESCORED = "re-scored"
    PARTLY = "partly"
    CLAIMED = "claimed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not hold, or a reason why something could not be verified.

    item: the metric, key or document it is about. claimed, recomputed: as text, "" where there is
    none. sentence: what it means, without the task. contradicts: whether what a file says is wrong,
    and not only unproven.
    """

    task: str
    item: str
    claimed: str
    recomputed: str
    sentence: str
    contradicts: bool = True

    def line(self) -> str:
        """As the command line shows it."""
        values = (
            f" (claimed {self.claimed}, recomputed {self.recomputed})"
            if self.claimed and self.recomputed
            else ""
        )
        kind = "contradicted" if self.contradicts else "note"
        return f"{kind}: {self.task} {self.item}: {self.sentence}{values}"


def short(value: object) -> str:
    """A value as a finding shows it."""
    if isinstance(value, str):
        return value if len(value) <= 80 else f"{value[:77]}..."
    return f"{json.dumps(value, ensure_ascii=False, default=str):.80}"


@dataclass(frozen=True, slots=True)
class Pair:
    """A value with its standard error; None where the metric is not defined (N/A)."""

    value: float | None
    stderr: float | None


@dataclass(frozen=True, slots=True)
class Number:
    """One result name. claimed: what the file says. recomputed: what its samples give, None where
    nothing was computed. trust: never PARTLY.
    """

    name: str
    claimed: Pair
    recomputed: Pair | None
    trust: Trust

    @property
    def shown(self) -> Pair:
        """What to show: a claimed value never displaces a recomputed one."""
        return self.claimed if self.recomputed is None else self.recomputed


@dataclass(frozen=True, slots=True)
class Verified:
    """One task of one results file. model: its name as the file gives it. corpus: the trusted
    corpus its documents were compared with, "" where there was none. proven: whether its documents
    are all there and those of that corpus, with the raw reply to every scored turn.
    """

    file: Path
    model: str
    task: str
    corpus: str
    trust: Trust
    numbers: tuple[Number, ...]
    findings: tuple[Finding, ...]
    proven: bool = False

    @property
    def contradicted(self) -> bool:
        """Whether anything the file says is wrong."""
        return any(finding.contradicts for finding in self.findings)

    def number(self, name: str) -> Number:
        """The number of a result name; raises KeyError where the file has none."""
        for number in self.numbers:
            if number.name == name:
                return number
        raise KeyError(name)

    @property
    def badge(self) -> str:
        """How far it can be trusted, and whether anything the file says is wrong."""
        return badge(self.trust, self.contradicted)

    def to_json(self) -> dict[str, object]:
        """As `csc verify --json` writes it."""
        return {
            "file": str(self.file),
            "model": self.model,
            "task": self.task,
            "corpus": self.corpus,
            "trust": str(self.trust),
            "contradicted": self.contradicted,
            "proven": self.proven,
            "numbers": {
                number.name: {
                    "trust": str(number.trust),
                    "claimed": [number.claimed.value, number.claimed.stderr],
                    "recomputed": number.recomputed
                    and [number.recomputed.value, number.recomputed.stderr],
                }
                for number in self.numbers
            },
            "findings": [
                {
                    "item": finding.item,
                    "claimed": finding.claimed,
                    "recomputed": finding.recomputed,
                    "sentence": finding.sentence,
                    "contradicts": finding.contradicts,
                }
                for finding in self.findings
            ],
        }


def badge(trust: Trust, contradicted: bool) -> str:
    """A trust as it is shown: that files claim what does not hold is part of it."""
    return f"{trust}, contradicted" if contradicted else str(trust)


def together(trusts: Sequence[Trust]) -> Trust:
    """The trust of a whole: RESCORED or CLAIMED where all its parts are, else PARTLY."""
    kinds = set(trusts)
    if not kinds:
        return Trust.CLAIMED
    return kinds.pop() if len(kinds) == 1 else Trust.PARTLY
