"""Rows of like length in one batch, in an order that depends on seed and epoch alone, so that a
resumed training sees the same batches.
"""

import random
from collections.abc import Iterator, Sequence

POOL = 50
"""Batches whose rows are sorted by length together: more waste less padding, fewer mix the rows
better.
"""


def grouped_order(lengths: Sequence[int], batch: int, seed: int, epoch: int) -> list[int]:
    """Positions of all rows, each once, such that every run of `batch` holds rows of about the same
    length.

    The batch with the longest row comes first: where memory is short, it runs out at once.
    """
    order = random.Random(f"{seed}/{epoch}")
    shuffled = list(range(len(lengths)))
    order.shuffle(shuffled)
    batches: list[list[int]] = []
    for start in range(0, len(shuffled), POOL * batch):
        pool = sorted(
            shuffled[start : start + POOL * batch], key=lambda position: -lengths[position]
        )
        batches += [pool[i : i + batch] for i in range(0, len(pool), batch)]
    # A batch that is not full can only be the last one.
    full, rest = (
        [one for one in batches if len(one) == batch],
        [one for one in batches if len(one) < batch],
    )
    order.shuffle(full)
    if full:
        longest = max(
            range(len(full)), key=lambda k: max(lengths[position] for position in full[k])
        )
        full.insert(0, full.pop(longest))
    return [position for one in (*full, *rest) for position in one]


class GroupedSampler:
    """`grouped_order` as a DataLoader's sampler; whoever reads it calls `set_epoch` first, as
    accelerate does.
    """

    def __init__(self, lengths: Sequence[int], batch: int, seed: int) -> None:
        self.lengths, self.batch, self.seed, self.epoch = lengths, batch, seed, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        return iter(grouped_order(self.lengths, self.batch, self.seed, self.epoch))
