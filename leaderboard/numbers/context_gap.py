"""What a model loses when its own earlier turns stand in the history instead of the gold ones:
reference minus generated context.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from csc_tasks.metrics.result_names import metric_of
from csc_tasks.runs.names import rated
from csc_tasks.runs.samples_file import NOT_ASKED, UNPARSED, Items
from leaderboard.board import Value
from leaderboard.model_report import ContextGap, Divergence, GapPoint
from leaderboard.numbers.diagnose import MOST_TURNS
from leaderboard.numbers.inference import Clustered, clustered, holm, paired, value_of
from leaderboard.numbers.intervals import SIGNIFICANT
from leaderboard.numbers.scales import scale_of


def context_gaps(
    reference: Items,
    generated: Items,
    reference_means: Mapping[str, np.ndarray],
    generated_means: Mapping[str, np.ndarray],
) -> tuple[ContextGap, ...]:
    """The gap of every mean metric that both runs have, overall and per turn index, on the turns
    that both have.

    Ratings have none: of the two contexts other things are rated, replies in one and whole
    conversations in the other.
    """
    ours, theirs = _shared(reference, generated)
    found = []
    for metric in (
        name
        for name in reference_means
        if name in generated_means and not rated(name) and not _says_how_it_went(name)
    ):
        with_gold, with_own = reference_means[metric][ours], generated_means[metric][theirs]
        known = ~np.isnan(with_gold) & ~np.isnan(with_own)
        if not known.any():
            continue
        with_gold, with_own = with_gold[known], with_own[known]
        codes, index = reference.conversation[ours][known], reference.index[ours][known]

        columns = _Columns(metric, with_gold, with_own, codes, reference.ids)
        overall, _ = paired(*columns.of(np.full(len(codes), True)))
        turns = range(1, min(int(index.max()), MOST_TURNS) + 1)
        pairs = {k: columns.of(index == k) for k in turns if (index == k).any()}
        found.append(_curve(metric, overall, pairs))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Columns:
    """One metric in both contexts on the same items, and the conversation of each item."""

    metric: str
    with_gold: np.ndarray
    with_own: np.ndarray
    codes: np.ndarray
    ids: Sequence[str]

    def of(self, chosen: np.ndarray) -> tuple[Clustered, Clustered]:
        """The chosen items, summed per conversation."""
        codes, scale = self.codes[chosen], scale_of(self.metric)
        return (
            clustered(self.with_gold[chosen], codes, self.ids, scale=scale),
            clustered(self.with_own[chosen], codes, self.ids, scale=scale),
        )


def _curve(
    metric: str, overall: Value, pairs: Mapping[int, tuple[Clustered, Clustered]]
) -> ContextGap:
    """The curve over turns. Some turn of many differs by chance: the first that differs is looked
    for among p-values that are corrected for how many were looked at.
    """
    apart = {k: paired(*pair) for k, pair in pairs.items()}
    corrected = holm([p for _, p in apart.values()])
    points = tuple(
        GapPoint(
            turn_index=k,
            reference=value_of(pairs[k][0]),
            generated=value_of(pairs[k][1]),
            difference=difference,
            p_holm=p,
        )
        for (k, (difference, _)), p in zip(apart.items(), corrected, strict=True)
    )
    first = next(
        (
            point.turn_index
            for point in points
            if point.p_holm is not None and point.p_holm < SIGNIFICANT
        ),
        None,
    )
    return ContextGap(metric=metric, overall=overall, points=points, first_significant=first)


def divergence(reference: Items, generated: Items) -> Divergence | None:
    """The first turn index at which the two contexts led to different strategies, over
    conversations; None without strategies.

    An unparsed reply is a choice of its own: it differs from every strategy and equals another
    unparsed one.
    """
    if (reference.predicted == NOT_ASKED).any() or (generated.predicted == NOT_ASKED).any():
        return None
    ours, theirs = _shared(reference, generated)
    codes, index = reference.conversation[ours], reference.index[ours]
    differs = reference.predicted[ours] != generated.predicted[theirs]
    parsed = (reference.predicted[ours] != UNPARSED) | (generated.predicted[theirs] != UNPARSED)
    # Where neither chose a strategy in the whole conversation there is nothing to differ in.
    chosen = np.isin(codes, codes[parsed])
    if not chosen.any():
        return None
    codes, index, differs = codes[chosen], index[chosen], differs[chosen]
    conversations = len(np.unique(codes))
    first = np.full(len(reference.ids), np.iinfo(np.int32).max)
    np.minimum.at(first, codes[differs], index[differs])
    there = first[first < np.iinfo(np.int32).max]
    # Turn indexes begin with 1.
    counts = np.bincount(np.minimum(there, MOST_TURNS), minlength=2)[1:].tolist()
    median = float(np.median(there)) if len(there) else None
    return Divergence(
        conversations=conversations,
        never=conversations - len(there),
        median=median,
        firsts=tuple(counts) if len(there) else (),
    )


def _says_how_it_went(name: str) -> bool:
    metric = metric_of(name)
    return metric is not None and not metric.ranked


def _shared(reference: Items, generated: Items) -> tuple[np.ndarray, np.ndarray]:
    """Positions in both runs of the turns that both have."""
    there = {
        (generated.ids[c], t): i
        for i, (c, t) in enumerate(
            zip(generated.conversation, generated.turn.tolist(), strict=True)
        )
    }
    pairs = [
        (i, there[key])
        for i, key in enumerate(
            (reference.ids[c], t)
            for c, t in zip(reference.conversation, reference.turn.tolist(), strict=True)
        )
        if key in there
    ]
    positions = np.asarray(pairs, dtype=int).reshape(-1, 2)
    return positions[:, 0], positions[:, 1]
