"""Where the variance of a live metric comes from: the conversation, who plays the customer, the two
together, and chance (the sampling of both sides).

A value is that of one conversation with one customer in one repeat. Conversations G and customers K
are crossed at random, with r repeats in each cell; the components are those of the two-way random
effects analysis of variance, from its mean squares:

    E MS_conversation = s2 + r s2_both + r K s2_conversation
    E MS_customer     = s2 + r s2_both + r G s2_customer
    E MS_both         = s2 + r s2_both
    E MS_sampling     = s2

A negative estimate is 0. With one repeat, sampling and what conversation and customer do together
cannot be told apart: both are in `sampling`. With one customer there is no component of customers.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from csc_tasks.errors import DataError

Cell = tuple[str, str]
"""A conversation, and who plays its customer."""
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Components:
    """The components of one metric's variance, on its own scale squared; None where there is none.

    conversations, customers, repeats: how many there are in the balanced table. left_out: the
    conversations that some customer or repeat lacks.
    """

    conversation: float
    customer: float | None
    both: float | None
    sampling: float | None
    conversations: int
    customers: int
    repeats: int
    left_out: int

    @property
    def total(self) -> float:
        """The variance of one value: all components together."""
        return self.conversation + sum(
            part for part in (self.customer, self.both, self.sampling) if part is not None
        )

    def share(self, part: float | None) -> float | None:
        """A component's share of the whole; None where there is no variance or no component."""
        return part / self.total if part is not None and self.total > 0 else None


def components(values: Mapping[Cell, Iterable[float]]) -> Components:
    """The components of values by cell, each with its repeats.

    Raises DataError where fewer than two conversations have a value with every customer.
    """
    by_conversation: dict[str, dict[str, list[float]]] = defaultdict(dict)
    for (conversation, customer), own in values.items():
        by_conversation[conversation][customer] = list(own)
    customers = sorted({customer for _, customer in values})
    sizes = [len(own) for row in by_conversation.values() for own in row.values()]
    repeats = max(sizes, default=0)
    whole = [
        [row[customer] for customer in customers]
        for row in by_conversation.values()
        if len(row) == len(customers) and all(len(own) == repeats for own in row.values())
    ]
    if len(whole) < 2 or not repeats:
        raise DataError(
            f"{len(whole)} of {len(by_conversation)} conversations have a value with each of"
            f" {len(customers)} customers in each of {repeats} repeats; two are needed"
        )
    left_out = len(by_conversation) - len(whole)
    return _of_table(np.asarray(whole, dtype=np.float64), left_out)


def _of_table(table: Floats, left_out: int) -> Components:
    """The components of a table (conversations, customers, repeats)."""
    rows, columns, repeats = table.shape
    mean, by_cell = table.mean(), table.mean(axis=2)
    by_row, by_column = table.mean(axis=(1, 2)), table.mean(axis=(0, 2))
    of_rows = columns * repeats * float(((by_row - mean) ** 2).sum()) / (rows - 1)
    within = rows * columns * (repeats - 1)
    sampling = float(((table - by_cell[:, :, None]) ** 2).sum()) / within if within else None
    if columns == 1:
        # Of one value of each conversation, what is chance and what the conversation is not known.
        own = _at_least_0((of_rows - (sampling or 0.0)) / repeats)
        return Components(own, None, None, sampling, rows, columns, repeats, left_out)
    of_columns = rows * repeats * float(((by_column - mean) ** 2).sum()) / (columns - 1)
    apart = by_cell - by_row[:, None] - by_column[None, :] + mean
    of_both = repeats * float((apart**2).sum()) / ((rows - 1) * (columns - 1))
    return Components(
        conversation=_at_least_0((of_rows - of_both) / (columns * repeats)),
        customer=_at_least_0((of_columns - of_both) / (rows * repeats)),
        both=None if sampling is None else _at_least_0((of_both - sampling) / repeats),
        sampling=of_both if sampling is None else sampling,
        conversations=rows,
        customers=columns,
        repeats=repeats,
        left_out=left_out,
    )


def _at_least_0(value: float) -> float:
    return max(0.0, value)
