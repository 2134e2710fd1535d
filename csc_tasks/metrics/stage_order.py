"""Whether a conversation goes through the stages in order, when most strategies belong to several
of them.

A strategy such as Emotional Management may be in any of four stages, so a sequence of strategies
can be read in many ways. It is given the benefit of the doubt: what counts is the fewest steps back
to an earlier stage over all ways to give each turn one of its stages.
"""

from collections.abc import Iterable
from functools import cache

from csc_tasks.framework import STAGES, STRATEGIES

_POSITION = {stage.id: i for i, stage in enumerate(STAGES)}
_STAGES = {s.id: tuple(sorted(_POSITION[stage] for stage in s.stages)) for s in STRATEGIES}
_START = (0,) * len(STAGES)


def fewest_backward_moves(strategies: Iterable[str | None]) -> int:
    """The fewest backward moves of a sequence of strategy ids; Others and unparsed turns (None)
    have no stage and are stepped over.
    """
    costs, total = _START, 0
    for strategy in strategies:
        if strategy is not None and _STAGES[strategy]:
            costs, more = _step(costs, strategy)
            total += more
    return total


def has_stages(strategies: Iterable[str | None]) -> bool:
    """Whether any of these turns is in a stage. Where none is (nothing parsed, or Others alone)
    there is no order to speak of: neither a backward move nor their absence.
    """
    return any(strategy is not None and _STAGES[strategy] for strategy in strategies)


@cache
def _step(costs: tuple[int, ...], strategy: str) -> tuple[tuple[int, ...], int]:
    """Dynamic programming: `costs[s]` is how many more moves than the best it took to be in stage
    s, capped where it no longer matters.

    Being in a stage can be at most one move worse than the best (one move back leads anywhere), so
    there are few states and all repeat.
    """
    allowed = _STAGES[strategy]
    reached = {
        stage: min(cost + (stage < before) for before, cost in enumerate(costs))
        for stage in allowed
    }
    best = min(reached.values())
    # A stage that this strategy does not have is out of reach: two moves worse than the best is as
    # good as never.
    return (
        tuple(
            min(reached[stage] - best, 2) if stage in reached else 2 for stage in range(len(STAGES))
        ),
        best,
    )
