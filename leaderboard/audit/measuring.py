"""Conversations -> everything that the comparison needs, once: the features of each conversation,
and how alike any two are. Which side a conversation is on plays no part here, so that a thousand
comparisons can follow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csc_tasks.metrics.facts import has_rules
from leaderboard.audit.classifier import wording
from leaderboard.audit.dimensions import DIMENSIONS, Context, Dimension
from leaderboard.audit.features import runs
from leaderboard.audit.turns import Talk

Floats = NDArray[np.float64]
_MISSING = {
    "cues": "no file of cues for this language",
    "brief": "the customer had no brief with facts",
    "facts": "no brief, or no rules that find facts in this language",
}


@dataclass(frozen=True, slots=True)
class Measured:
    """n conversations measured. features: dimension -> (n, k). likeness, gram: (n, n), what two
    conversations share and the products of their wording. missing: dimension -> why it is not
    applicable.
    """

    ids: NDArray[Any]
    features: Mapping[str, Floats]
    likeness: Floats
    gram: Floats
    missing: Mapping[str, str]

    def rows(self, chosen: NDArray[Any]) -> "Measured":
        """The conversations at these positions."""
        return Measured(
            self.ids[chosen],
            {name: values[chosen] for name, values in self.features.items()},
            self.likeness[np.ix_(chosen, chosen)],
            self.gram[np.ix_(chosen, chosen)],
            self.missing,
        )


FEATURES = tuple(
    (dimension.id, feature) for dimension in DIMENSIONS for feature in dimension.features
)
"""Every feature, with its dimension."""


def feature_table(talks: Sequence[Talk], context: Context) -> Floats:
    """(n, len(FEATURES)): each feature of each conversation, which depends on it alone."""
    rows = [[feature.of(talk, context) for _, feature in FEATURES] for talk in talks]
    return np.asarray(rows, dtype=float).reshape(len(talks), len(FEATURES))


def measure(talks: Sequence[Talk], context: Context, table: Floats | None = None) -> Measured:
    """Measure conversations, of one language. table: their `feature_table`, where it is known."""
    table = feature_table(talks, context) if table is None else table
    missing = {}
    values: dict[str, Floats] = {}
    for dimension in DIMENSIONS:
        columns = [i for i, (name, _) in enumerate(FEATURES) if name == dimension.id]
        if reason := _not_applicable(dimension, talks, context):
            missing[dimension.id] = reason
        elif columns and np.isnan(table[:, columns]).all():
            missing[dimension.id] = "no conversation says anything of it"
        elif columns:
            values[dimension.id] = table[:, columns]
    return Measured(
        np.asarray([talk.conversation_id for talk in talks]),
        values,
        shared_runs(talks),
        wording([talk.text for talk in talks]),
        missing,
    )


def shared_runs(talks: Sequence[Talk]) -> Floats:
    """(n, n): of the runs of words that two conversations' customers say, the share that both do
    (cosine of the sets).
    """
    from scipy.sparse import csr_matrix

    vocabulary: dict[tuple[str, ...], int] = {}
    rows, columns = [], []
    for i, talk in enumerate(talks):
        for run in runs(talk):
            rows.append(i)
            columns.append(vocabulary.setdefault(run, len(vocabulary)))
    sets = csr_matrix(
        (np.ones(len(rows)), (rows, columns)), shape=(len(talks), max(1, len(vocabulary)))
    )
    both = np.asarray((sets @ sets.T).toarray())
    sizes = np.sqrt(np.maximum(1.0, both.diagonal()))
    return np.asarray(both / np.outer(sizes, sizes))


def _not_applicable(dimension: Dimension, talks: Sequence[Talk], context: Context) -> str | None:
    """Why a dimension cannot be measured of these conversations, or None."""
    briefs = [talk.brief for talk in talks if talk.brief is not None]
    language = talks[0].language
    there = {
        "cues": context.cues is not None,
        "brief": any(brief.facts for brief in briefs),
        "facts": bool(briefs) and has_rules(language),
    }
    return next((_MISSING[need] for need in dimension.needs if not there[need]), None)
