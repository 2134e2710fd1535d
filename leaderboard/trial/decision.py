"""Which candidate to choose: one metric, all candidates in pairs on the conversations that they
share, and a sentence.

The rule is that of every table: two candidates are told apart where the 95 % interval of their
paired difference excludes 0. How many more conversations that takes is what csc power says, with
the difference and the spread that were measured.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from csc_tasks.errors import DataError, SettingError
from csc_tasks.metrics.result_names import parts_of
from csc_tasks.metrics.text_metrics import WITHOUT_LABELS
from csc_tasks.runs.names import rated
from csc_tasks.shown import shown
from leaderboard.board import Column, Value
from leaderboard.columns import LEADING, column
from leaderboard.layout import bound_text
from leaderboard.numbers.inference import Clustered, difference, value_of
from leaderboard.numbers.intervals import with_interval
from leaderboard.numbers.measured import Measured
from leaderboard.numbers.paired_power import Plan, conversations_needed
from leaderboard.standing import Gap


@dataclass(frozen=True, slots=True)
class Pair:
    """One candidate before another: how far (positive where it is better), and how many
    conversations more would tell them apart, None where no number can be named.
    """

    gap: Gap
    more: int | None


@dataclass(frozen=True, slots=True)
class Decision:
    """How the candidates stand in one metric. order: name -> value, best first. pairs: of two
    names, the better one first. column: the metric. why: why it is this one. unlabelled: it is one
    of replies, as nobody labelled strategies.
    """

    column: Column
    why: str
    order: Mapping[str, Value]
    pairs: Mapping[tuple[str, str], Pair]
    unlabelled: bool = False

    @property
    def chosen(self) -> tuple[str, ...]:
        """The first, and all that cannot be told from it."""
        first, *others = self.order
        return (first, *(one for one in others if not self.pairs[first, one].gap.significant))

    @property
    def sentence(self) -> str:
        """What to do, and by what where that is not what the benchmark is about."""
        rests = " Compared by likeness to the recorded replies: no strategies are labelled."
        return self._answer + (rests if self.unlabelled else "")

    @property
    def _answer(self) -> str:
        first, *others = self.chosen
        what = f"{self.column.label} ({self.column.task})"
        best = f"{what} {_number(self.order[first].value, self.column)}"
        if not others:
            second = list(self.order)[1]
            ahead = _ahead(self.pairs[first, second].gap, self.column)
            return f"Choose {shown(first)}: {best}, {ahead} ahead of {shown(second)}."
        names = " or ".join(map(shown, self.chosen))
        nearest = self.pairs[first, others[0]]
        gap = _ahead(nearest.gap, self.column)
        more = "no number of conversations can be named that would tell"
        if nearest.more is not None:
            more = f"about {nearest.more:,} more conversations"
        told = f" (to tell {shown(first)} from {shown(others[0])})" if len(others) > 1 else ""
        return f"{names}: not distinguishable yet, {more}{told}; {best}, {gap} ahead."


def decide(runs: Mapping[str, Mapping[str, Measured]], tasks: Sequence[str]) -> Decision:
    """Compare candidates (name -> task -> run). Raises DataError where they have nothing in common
    that they could be compared by.
    """
    for task in tasks:
        own = {name: of[task] for name, of in runs.items() if task in of}
        if len(own) < len(runs):
            continue
        if found := _metric(own):
            name, why = found
            signature = next(iter(own.values())).measurement.provenance.signatures.get(name, "")
            return _decision(column(task, name, signature), why, name, own)
    raise DataError(
        f"the candidates have no ranked metric in common in {', '.join(tasks)}; look at the board"
    )


def _metric(runs: Mapping[str, Measured]) -> tuple[str, str] | None:
    """The metric that all runs have, and why it is that one."""
    common = set.intersection(*({*run.columns} for run in runs.values()))
    labelled = [name for name in sorted(common) if _is_labelled(name)]
    if labelled:
        return labelled[0], "strategies read from the replies by a labeller, as an agent names none"
    if LEADING in common:
        return LEADING, "strategies that the candidates chose, against those of the corpus"
    replies = [name for name in common if parts_of(name)[0] == WITHOUT_LABELS]
    if not replies:
        return None
    # Of a mixed corpus the language that has most of it.
    counted = next(iter(runs.values())).columns
    most = max(sorted(replies), key=lambda name: float(counted[name].counts.sum()))
    why = (
        "words in common with the recorded replies: the corpus has no strategies (--label-llm gives"
        " it some), and a good reply may have other words"
    )
    return most, why


def _is_labelled(name: str) -> bool:
    rating = rated(name)
    return rating is not None and rating.afterwards and rating.what == LEADING


def _decision(column: Column, why: str, name: str, runs: Mapping[str, Measured]) -> Decision:
    columns, some = _in_common({candidate: run.columns[name] for candidate, run in runs.items()})
    values = {candidate: value_of(one) for candidate, one in columns.items()}
    sign = 1 if column.higher_is_better else -1

    def place(candidate: str) -> tuple[float, str]:
        value = values[candidate].value
        return (float("inf") if value is None else -sign * value), candidate

    order = sorted(columns, key=place)
    pairs = {
        (one, other): _pair(columns[one], columns[other], sign)
        for one, other in combinations(order, 2)
    }
    ordered = {candidate: values[candidate] for candidate in order}
    return Decision(column, why + some, ordered, pairs, parts_of(name)[0] == WITHOUT_LABELS)


def _in_common(columns: Mapping[str, Clustered]) -> tuple[dict[str, Clustered], str]:
    """The columns on the conversations that all candidates have, item for item, and what of it is
    to be said. In an order over different conversations the first might be worse than the second
    wherever both were asked. Raises DataError where there are none.
    """
    every = [{*zip(one.ids, one.members, strict=True)} for one in columns.values()]
    common, whole = set.intersection(*every), set.union(*every)
    if not common:
        raise DataError("the candidates have no conversation in common; look at the board")
    if common == whole:
        return dict(columns), ""
    conversations = len({id_ for id_, _ in whole})
    left = {
        candidate: one.rows(
            [
                place
                for place, key in enumerate(zip(one.ids, one.members, strict=True))
                if key in common
            ]
        )
        for candidate, one in columns.items()
    }
    return left, f", on the {len(common)} of {conversations} conversations that all have whole"


def _pair(one: Clustered, other: Clustered, sign: int) -> Pair:
    estimated = difference(one, other)
    value = with_interval(estimated, one.scale.between())
    if value.value is None or value.low is None or value.high is None:
        return Pair(Gap(sign * (value.value or 0.0), None, None), None)
    low, high = sorted((sign * value.low, sign * value.high))
    more = None
    if value.value and estimated.stderr:
        spread = float(estimated.stderr * estimated.clusters**0.5)
        try:
            needed = conversations_needed(Plan(spread), value.value)
            more = max(1, needed - estimated.clusters)
        except SettingError:
            # Even ten million are too few.
            more = None
    return Pair(Gap(sign * value.value, low, high), more)


def _number(value: float | None, column: Column) -> str:
    if value is None:
        return "N/A"
    return f"{value * column.scale:.{column.digits}f}{' %' if column.scale == 100 else ''}"


def _ahead(gap: Gap, column: Column) -> str:
    ahead = f"{gap.ahead * column.scale:z.{column.digits}f}"
    points = f"{ahead}{' points' if column.scale == 100 else ''}"
    if gap.low is None or gap.high is None:
        return f"{points} (no interval)"
    low, high = (bound_text(bound, column) for bound in (gap.low, gap.high))
    return f"{points} (95 % interval {low} to {high})"
