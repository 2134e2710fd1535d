"""What several raters say of the turns of a corpus, and which strategy stands for it, counted: what
csc stats shows, and what csc train says of its targets.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from csc_tasks.conversation import Turn
from csc_tasks.labels import majority


@dataclass(frozen=True, slots=True)
class LabelCounts:
    """Of supporter turns: labelled by somebody; several: by at least two raters. Of these:
    disagreed: not all name the same strategy first; tied: no single one is named most, and their
    strategy is the earliest of these; other: their strategy is not what the raters make together
    (`labels.majority`), but one that the corpus came with.
    """

    labelled: int = 0
    several: int = 0
    disagreed: int = 0
    tied: int = 0
    other: int = 0


def label_counts(turns: Iterable[Turn]) -> LabelCounts:
    """The counts of these turns."""
    counts: Counter[str] = Counter()
    for turn in turns:
        votes = Counter(label.strategies[0] for label in turn.labels)
        counts["labelled"] += bool(turn.labels)
        if len(turn.labels) < 2:
            continue
        counts["several"] += 1
        counts["disagreed"] += len(votes) > 1
        if turn.strategy != majority(turn.labels):
            counts["other"] += 1
        else:
            counts["tied"] += sum(n == max(votes.values()) for n in votes.values()) > 1
    return LabelCounts(**counts)
