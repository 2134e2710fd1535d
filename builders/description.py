"""What build.json says of the rows of a split."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence

from builders.schema import columns
from csc_tasks.conversation import SUPPORTER
from csc_tasks.framework import STRATEGIES


class Description:
    """Counts of one split, and a hash of its rows that does not depend on the parquet writer's
    version.
    """

    def __init__(self, config: str) -> None:
        self._spoken = "dialogue" in columns(config)
        self._rows = self._turns = 0
        self._labels: Counter[str] = Counter()
        self._raters: Counter[str] = Counter()
        self._several = 0
        self._digest = hashlib.sha256()

    def add(self, row: dict) -> None:
        """Take the next row in."""
        self._rows += 1
        if self._spoken:
            turns = row["dialogue"]
            self._turns += len(turns)
            self._labels.update(turn["strategy"] for turn in turns if turn["speaker"] == SUPPORTER)
            for turn in turns:
                self._raters.update(label["rater"] for label in turn.get("labels", ()))
                self._several += bool(turn.get("labels"))
        text = json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        self._digest.update(text.encode() + b"\n")

    def finish(self) -> dict:
        """What build.json says of the split."""
        description: dict = {"rows": self._rows}
        if self._spoken:
            labels = self._labels
            description["turns"] = self._turns
            description["supporter_turns_labelled"] = sum(n for label, n in labels.items() if label)
            description["supporter_turns_unlabelled"] = labels[""]
            description["strategies"] = {s.id: labels[s.id] for s in STRATEGIES}
        if self._several:
            description["turns_with_labels"] = self._several
            description["raters"] = dict(sorted(self._raters.items()))
        return description | {"content_sha256": self._digest.hexdigest()}


def describe_rows(config: str, rows: Sequence[dict]) -> dict:
    """The description of rows that are at hand."""
    description = Description(config)
    for row in rows:
        description.add(row)
    return description.finish()
