"""Agreement of predicted and gold strategies, and the flags that are counted beside them. All
functions return Scores.

Strategy functions take predicted strategy ids (None where the reply could not be parsed) and gold
ids; "Others" is a label like any other. The language plays no part.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from csc_tasks.errors import DataError
from csc_tasks.framework import BY_ID, BY_NUMBER
from csc_tasks.metrics.cluster import Floats, Scores


def strategy_acc(
    predictions: list[str | None], references: list[str], language: str = ""
) -> Scores:
    """1.0 where the predicted strategy is the gold one, else 0.0; unparsed is wrong.

    Unit: one turn, 0-1, higher is better. Limit: several strategies may suit a turn and only the
    annotated one counts. Raises DataError for an id that is none of the twelve.
    """
    _check(predictions, references)
    items = [float(ours == gold) for ours, gold in zip(predictions, references, strict=True)]
    return Scores(items, "strategy_acc|labels:12|unparsed:wrong")


def strategy_acc_parsed(
    predictions: list[str | None], references: list[str], language: str = ""
) -> Scores:
    """As `strategy_acc`, of turns whose strategy was read: `Metric.counts` leaves the others out.

    Unit: one parsed turn, 0-1, higher is better. Limit: says nothing of the turns that were not
    parsed, and two models are compared on different turns. Raises DataError for an id that is none
    of the twelve, and for None.
    """
    if None in predictions:
        raise DataError("strategy_acc_parsed is of parsed replies alone; one of these is not")
    items = strategy_acc(predictions, references).items
    return Scores(items, "strategy_acc_parsed|labels:12|unparsed:left_out")


def format_rate(predictions: list[str | None], references: list[str], language: str = "") -> Scores:
    """1.0 where exactly one known strategy was read, else 0.0.

    Unit: one turn, 0-1, higher is better. Limit: whether the strategy is right plays no part.
    Raises DataError for an id that is none of the twelve.
    """
    _check(predictions, references)
    items = [float(ours is not None) for ours in predictions]
    return Scores(items, "format_rate|share")


def strategy_macro_f1(
    predictions: list[str | None], references: list[str], language: str = ""
) -> Scores:
    """[gold number, predicted number] per turn, 0 where unparsed; `label_counts` and `macro_f1`
    make a corpus value of them.

    Unit: the corpus, 0-1, higher is better. Limit: a label with few gold turns weighs as much as a
    frequent one. Raises DataError for an id that is none of the twelve.
    """
    _check(predictions, references)
    items: list[list[float]] = [
        [BY_ID[gold].number, 0 if ours is None else BY_ID[ours].number]
        for ours, gold in zip(predictions, references, strict=True)
    ]
    return Scores(items, "strategy_macro_f1|labels:gold_support|unparsed:false_negative")


def label_counts(items: Sequence[Sequence[float]]) -> Floats:
    """(n, 3k) counts from the items of `strategy_macro_f1`: true positive, false positive, false
    negative of each of k labels.

    The k labels are those with at least one gold turn among the items, so they are fixed before any
    turn is left out. An unparsed turn is a false negative of its gold label and a false positive of
    none; so is a prediction of a label without gold support.
    """
    pairs: npt.NDArray[np.generic] = np.asarray(items)
    numbers = list(BY_NUMBER)
    shaped = pairs.ndim == 2 and pairs.shape[1] == 2
    if (
        not shaped
        or not np.isin(pairs[:, 0], numbers).all()
        or not np.isin(pairs[:, 1], [0, *numbers]).all()
    ):
        raise DataError(
            "strategy_macro_f1 items are [gold number, predicted number or 0], up to"
            f" {numbers[-1]}; the first is {items[0]!r}"
        )
    labels = np.unique(pairs[:, 0])
    gold, ours = pairs[:, :1] == labels, pairs[:, 1:] == labels
    counts = np.stack([gold & ours, ~gold & ours, gold & ~ours], axis=-1)
    return counts.reshape(len(pairs), -1).astype(float)


def macro_f1(counts: Floats) -> Floats:
    """Mean F1 of k labels from summed counts (..., 3k) as `label_counts` lays them out; the result
    has shape (...).

    A label that neither occurs nor is predicted any more, which only a jackknife replicate can
    show, has F1 0: a label that rests on one conversation makes the standard error large, as it
    should.
    """
    counts = np.asarray(counts, dtype=float)
    counts = counts.reshape(*counts.shape[:-1], -1, 3)
    hits = 2 * counts[..., 0]
    f1 = hits / np.maximum(hits + counts[..., 1] + counts[..., 2], 1)
    means: Floats = f1.mean(axis=-1)
    return means


def stage_overlap(
    predictions: list[str | None], references: list[str], language: str = ""
) -> Scores:
    """Jaccard overlap of the stage sets of the predicted and the gold strategy; both Others 1, one
    Others 0, unparsed 0.

    Unit: one turn, 0-1, higher is better. Limit: strategies of the same stages (PS and ID, or RC
    and AC) cannot be told apart. Raises DataError for an id that is none of the twelve.
    """
    _check(predictions, references)
    stages: dict[str | None, frozenset[str]] = {s.id: frozenset(s.stages) for s in BY_ID.values()}
    stages[None] = frozenset()
    items = []
    for ours, gold in zip(predictions, references, strict=True):
        union = stages[ours] | stages[gold]
        # Only Others and an unparsed turn have no stages: without a union the pair is Others-Others
        # (1) or unparsed-Others (0).
        items.append(
            len(stages[ours] & stages[gold]) / len(union) if union else float(ours == gold)
        )
    return Scores(items, "stage_overlap|jaccard|others:own|unparsed:0")


def flag(name: str) -> Callable[..., Scores]:
    """The metric function of a flag: 1.0 for every item whose value (0/1, true/false, or a count)
    is not 0, so that the mean is a share.

    The function raises DataError for a value that is not a number, or is negative.
    """

    def shares(
        predictions: list[float], references: Sequence[object] | None = None, language: str = ""
    ) -> Scores:
        for i, value in enumerate(predictions):
            if not isinstance(value, int | float) or not value >= 0:
                raise DataError(f"scored item {i}: {name} is {value!r}; 0, 1 or a count is needed")
        return Scores([1.0 if value else 0.0 for value in predictions], f"{name}|share")

    return shares


def _check(predictions: Sequence[str | None], references: Sequence[str]) -> None:
    """Raise DataError unless the lists are equally long, gold are strategy ids and predicted are
    ids or None.
    """
    if len(predictions) != len(references):
        raise DataError(
            f"{len(predictions)} predicted strategies but {len(references)} gold ones; every turn"
            " needs both"
        )
    for i, (ours, gold) in enumerate(zip(predictions, references, strict=True)):
        if gold not in BY_ID:
            raise DataError(
                f"scored item {i}: gold strategy {gold!r} is not one of {', '.join(BY_ID)}; an"
                " unlabelled turn is not scored"
            )
        if ours is not None and ours not in BY_ID:
            raise DataError(
                f"scored item {i}: predicted strategy {ours!r} is not one of {', '.join(BY_ID)}; an"
                " unparsed reply is None"
            )
