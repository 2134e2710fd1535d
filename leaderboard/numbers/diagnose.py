"""What one model does well and badly in one task: strategies, transitions, stage order, breakdowns,
lengths.

Everything is counted from the records of one samples file; intervals are clustered by conversation.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from csc_tasks.framework import BY_ID, BY_NUMBER, STAGES, STRATEGY_IDS
from csc_tasks.languages import languages
from csc_tasks.metrics import METRICS
from csc_tasks.metrics.result_names import parts_of
from csc_tasks.metrics.stage_order import fewest_backward_moves, has_stages
from csc_tasks.runs.names import OVERALL, rated
from csc_tasks.runs.samples_file import NOT_ASKED, UNKNOWN, UNPARSED, Items
from leaderboard.board import Value
from leaderboard.model_report import (
    Breakdown,
    Confusion,
    Group,
    Lengths,
    StageOrder,
    StrategyScore,
    Transitions,
)
from leaderboard.numbers.inference import apart_from, clustered, holm, value_of
from leaderboard.numbers.intervals import COUNT, SHARE, UNBOUNDED, Scale
from leaderboard.numbers.scales import scale_of

START = "START"
MOST_TURNS = 40
MOST_TOPICS = 40
OTHER = "(all others)"
PARTS = ("early", "mid", "late")
_BROKEN = -1
CorpusValue = Callable[[np.ndarray], Value | None]
"""Which items (n,) -> the corpus metric of these, None where nothing is known of them."""
By = Literal["stage", "topic", "language", "turn_index", "part"]


def confusion(logged: Items) -> Confusion:
    """Gold against predicted strategy, unparsed last; turns whose gold strategy is held out are
    left out.
    """
    size = len(STRATEGY_IDS)
    predicted = np.where(logged.predicted == UNPARSED, size, logged.predicted - 1)
    cells = (logged.gold - 1) * (size + 1) + predicted
    counts = np.bincount(cells[logged.gold != UNKNOWN], minlength=size * (size + 1)).reshape(
        size, size + 1
    )
    return Confusion(
        labels=STRATEGY_IDS, predicted=(*STRATEGY_IDS, "unparsed"), counts=_table(counts)
    )


def strategy_scores(table: Confusion) -> tuple[StrategyScore, ...]:
    """Precision, recall and F1 of each strategy; an unparsed turn is a miss of its gold strategy
    and no false alarm of any.
    """
    counts = np.asarray(table.counts)
    scores = []
    for i, strategy in enumerate(table.labels):
        hits, gold, predicted = int(counts[i, i]), int(counts[i].sum()), int(counts[:, i].sum())
        scores.append(
            StrategyScore(
                strategy=strategy,
                gold=gold,
                predicted=predicted,
                precision=hits / predicted if predicted else None,
                recall=hits / gold if gold else None,
                f1=2 * hits / (gold + predicted) if gold + predicted else None,
            )
        )
    return tuple(scores)


def transitions(logged: Items) -> Transitions:
    """How often one strategy followed another, in gold and as predicted, from START on."""
    size = len(STRATEGY_IDS)
    gold, ours = np.zeros((size + 1, size), dtype=int), np.zeros((size + 1, size), dtype=int)
    skipped = 0
    for own in _by_conversation(logged):
        before_gold = before_ours = 0
        for gold_number, number in zip(
            logged.gold[own].tolist(), logged.predicted[own].tolist(), strict=True
        ):
            known = gold_number != UNKNOWN
            if known and before_gold != _BROKEN:
                gold[before_gold, gold_number - 1] += 1
            before_gold = gold_number if known else _BROKEN
            if number == UNPARSED or before_ours == _BROKEN:
                skipped += 1
            else:
                ours[before_ours, number - 1] += 1
            before_ours = _BROKEN if number == UNPARSED else number
    both = (gold.sum(axis=1) > 0) & (ours.sum(axis=1) > 0)
    distance = None
    if both.any():
        share = (
            gold[both] / gold[both].sum(axis=1, keepdims=True),
            ours[both] / ours[both].sum(axis=1, keepdims=True),
        )
        apart = np.abs(share[0] - share[1]).sum(axis=1) / 2
        distance = float(np.average(apart, weights=gold[both].sum(axis=1)))
    return Transitions(
        before=(START, *STRATEGY_IDS),
        after=STRATEGY_IDS,
        gold=_table(gold),
        predicted=_table(ours),
        distance=distance,
        skipped=skipped,
    )


def stage_order(logged: Items) -> StageOrder:
    """Fewest backward moves per conversation, predicted beside gold.

    A conversation in which no turn is in a stage (nothing parsed) counts on neither side: it has no
    order. Gold has none either where one of its strategies is held out. Where that is true of all,
    the values are None.
    """
    names = {number: strategy.id for number, strategy in BY_NUMBER.items()} | {UNPARSED: None}

    def moves(numbers: NDArray[np.int64]) -> float:
        strategies = [names[number] for number in numbers.tolist()]
        return fewest_backward_moves(strategies) if has_stages(strategies) else np.nan

    conversations = list(_by_conversation(logged))
    ours = np.array([moves(logged.predicted[own]) for own in conversations], dtype=float)
    gold = np.array(
        [
            moves(logged.gold[own]) if (logged.gold[own] != UNKNOWN).all() else np.nan
            for own in conversations
        ],
        dtype=float,
    )

    def mean(values: ArrayLike, counts: ArrayLike, scale: Scale) -> Value:
        there = np.flatnonzero(~np.isnan(counts))
        own = np.asarray(values, dtype=float)[there]
        return value_of(clustered(own, there, logged.ids, scale=scale))

    return StageOrder(
        predicted=mean(ours, ours, COUNT),
        gold=mean(gold, gold, COUNT),
        difference=mean(ours - gold, ours - gold, UNBOUNDED),
        predicted_in_order=mean(ours == 0, ours, SHARE),
        gold_in_order=mean(gold == 0, gold, SHARE),
    )


def breakdowns(
    logged: Items,
    means: Mapping[str, np.ndarray],
    whole: Collection[str] = (),
    corpus: Mapping[str, CorpusValue] | None = None,
) -> tuple[Breakdown, ...]:
    """The mean metrics (`means`: result name -> (n,), NaN where unknown) by stage, topic, language,
    turn index and part; by part the corpus metrics too (`corpus`: result name -> what it is of the
    items that a mask (n,) keeps).

    A breakdown with a single group says nothing new and is left out, except by language. whole: the
    metrics that speak of whole conversations; by stage and by turn they say nothing.
    """
    masks: dict[By, list[tuple[str, np.ndarray]]] = {
        "stage": [],
        "topic": [],
        "language": [],
        "turn_index": [],
        "part": [],
    }
    if (logged.gold > 0).any():
        for stage in STAGES:
            numbers = [
                strategy.number for strategy in BY_ID.values() if stage.id in strategy.stages
            ]
            masks["stage"].append((stage.id, np.isin(logged.gold, numbers)))
    masks["topic"] = _most(logged.topic, logged.topics)
    masks["language"] = [(language, logged.language == i) for i, language in enumerate(languages())]
    last = min(int(logged.index.max()), MOST_TURNS)
    masks["turn_index"] = [(str(k), logged.index == k) for k in range(1, last + 1)]
    named = sorted(
        logged.parts, key=lambda part: PARTS.index(part) if part in PARTS else len(PARTS)
    )[:MOST_TOPICS]
    masks["part"] = [(part, logged.part == logged.parts.index(part)) for part in named]
    found = []
    for by, groups in masks.items():
        own = {
            name: column
            for name, column in means.items()
            if by not in ("stage", "turn_index") or name not in whole
        }
        named_masks = [(name, mask) for name, mask in groups if mask.any()]
        if len(named_masks) > 1 or (named_masks and by == "language"):
            tested = _apart(logged, [mask for _, mask in named_masks], own)
            made = tuple(
                _group(logged, name, mask, own, p, (corpus or {}) if by == "part" else {})
                for (name, mask), p in zip(named_masks, tested, strict=True)
            )
            found.append(Breakdown(by=by, groups=made))
    return tuple(found)


def lengths(logged: Items) -> tuple[Lengths, ...]:
    """Lengths of replies and references per language; nothing where no reply has any text."""
    if not logged.lengths[:, 0].any():
        return ()
    found = []
    for i, language in enumerate(languages()):
        own = logged.lengths[logged.language == i]
        # What is held out has no length.
        known = own[own[:, 1] > 0, 1]
        if len(own):
            found.append(
                Lengths(
                    language=language,
                    unit="words" if languages()[language].text.spaced else "characters",
                    items=len(own),
                    reply=_spread(own[:, 0]),
                    reference=_spread(known) if len(known) else None,
                )
            )
    return tuple(found)


def _spread(values: np.ndarray) -> tuple[float, float, float, float]:
    """Mean, 5 % quantile, median and 95 % quantile."""
    low, middle, high = np.quantile(values, [0.05, 0.5, 0.95]).tolist()
    return float(values.mean()), low, middle, high


def unparsed(logged: Items) -> Value | None:
    """The share of unparsed replies; None where no strategy was asked for."""
    if not asks_for_strategies(logged):
        return None
    return value_of(
        clustered(
            logged.predicted == UNPARSED,
            logged.conversation,
            logged.ids,
            logged.members,
            scale=SHARE,
        )
    )


def asks_for_strategies(logged: Items) -> bool:
    """Whether the task of this samples file asks for strategies."""
    return bool((logged.predicted != NOT_ASKED).all())


def mean_columns(logged: Items) -> dict[str, np.ndarray]:
    """The metrics that are means over items, for breakdowns and the context gap: result name ->
    (n,) with NaN where unknown.

    Of ratings only the overall ones: each rater has a dozen columns.
    """
    found = {}
    for name, items in logged.items.items():
        base, _, norm = parts_of(name)
        corpus = (
            METRICS[base].statistic is not None
            if base in METRICS
            else any(isinstance(item, list) for item in items)
        )
        part = rated(name)
        if corpus or norm or (part and part.what != OVERALL) or _says_how_it_went(base):
            continue
        found[name] = np.asarray([np.nan if item is None else item for item in items], dtype=float)
    return found


def _says_how_it_went(name: str) -> bool:
    """Whether a metric says how a run went and not how good its replies are."""
    return name in METRICS and not (METRICS[name].ranked or METRICS[name].diagnosed)


def _apart(
    logged: Items, masks: Sequence[np.ndarray], means: Mapping[str, np.ndarray]
) -> list[dict[str, float]]:
    """For each group and metric the p of being like the items outside the group, corrected over
    the groups.
    """
    tested: list[dict[str, float]] = [{} for _ in masks]
    for metric, column in means.items():
        known = ~np.isnan(column)
        values, codes = column[known], logged.conversation[known]
        corrected = holm([apart_from(values, codes, mask[known]) for mask in masks])
        for own, p in zip(tested, corrected, strict=True):
            if p is not None:
                own[metric] = p
    return tested


def _group(
    logged: Items,
    name: str,
    mask: np.ndarray,
    means: Mapping[str, np.ndarray],
    p_holm: dict[str, float],
    corpus: Mapping[str, CorpusValue],
) -> Group:
    values = {}
    for metric, column in means.items():
        own = mask & ~np.isnan(column)
        if own.any():
            scores, codes = column[own], logged.conversation[own]
            values[metric] = value_of(clustered(scores, codes, logged.ids, scale=scale_of(metric)))
    for metric, of_items in corpus.items():
        if (value := of_items(mask)) is not None:
            values[metric] = value
    return Group(
        name=name,
        items=int(mask.sum()),
        clusters=len(np.unique(logged.conversation[mask])),
        values=values,
        p_holm=p_holm,
    )


def _most(codes: np.ndarray, names: list[str]) -> list[tuple[str, np.ndarray]]:
    """The commonest groups by name, in alphabetical order, and the rest as one."""
    counts = np.bincount(codes, minlength=len(names))
    top = sorted(range(len(names)), key=lambda i: (-counts[i], names[i]))[:MOST_TOPICS]
    groups = [(names[i] or "(none)", codes == i) for i in sorted(top, key=lambda i: names[i])]
    return [*groups, *([(OTHER, ~np.isin(codes, top))] if len(names) > len(top) else [])]


def _by_conversation(logged: Items) -> list[np.ndarray]:
    """Positions of each conversation's items, in the order of its turns."""
    order = np.lexsort((logged.turn, logged.conversation))
    return np.split(order, np.flatnonzero(np.diff(logged.conversation[order])) + 1)


def _table(counts: np.ndarray) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(row) for row in counts.tolist())
