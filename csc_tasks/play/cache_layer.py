"""One layer of lockstep play's key-value cache, for the cache class of transformers (rows.py)."""

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

ROOM = 128
"""Slots are added in steps of this many, so that the cache is copied seldom and stays near the size
it must have. New memory is slow: the system clears every page of it when it is first written to.
"""


@dataclass(slots=True)
class Target:
    """Where the keys and values of one forward pass go, for n new tokens of some rows.

    rows: the rows that take part, None where they are the first ones, in order. row, slot: (n,) the
    row and slot of each token. real: the tokens' places (row of the pass, column) among padding,
    each (n,); None where there is one token a row and no padding. length: how many slots the pass
    looks at.
    """

    rows: "Tensor | None"
    row: "Tensor"
    slot: "Tensor"
    real: "tuple[Tensor, Tensor] | None"
    length: int


@functools.cache
def layer_class() -> type[Any]:
    """The class of one layer's cache, which is made of a number of rows.

    It needs transformers, which is imported only where a model of it plays.
    """
    from torch import Tensor
    from transformers.cache_utils import CacheLayerMixin

    class RowLayer(CacheLayerMixin):
        """Keys and values of shape (rows, heads, slots, size of a head); `target` says where those
        of the next forward pass go.
        """

        keys: Tensor
        values: Tensor
        is_sliding = False
        is_croppable = True

        def __init__(self, count: int, slots: int = 0) -> None:
            """slots: as many as are there from the start; more are added when they are needed."""
            super().__init__()  # type: ignore[no-untyped-call]  # as transformers has it
            self.count, self.slots = count, slots
            self.target: Target | None = None

        def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
            self.dtype, self.device = key_states.dtype, key_states.device
            self.keys, self.values = (
                states.new_empty(self.count, states.shape[1], 0, states.shape[3])
                for states in (key_states, value_states)
            )
            self.is_initialized = True

        def update(
            self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object
        ) -> tuple[Tensor, Tensor]:
            """Store the new keys and values where `target` says; returns all that the pass sees."""
            if not self.is_initialized:
                self.lazy_initialization(key_states, value_states)
            to = self.target
            assert to is not None, "rows.py sets the target before every forward pass"
            if self.keys.shape[2] < to.length:
                slots = -(-max(to.length, self.slots) // ROOM) * ROOM
                self.keys, self.values = grown(self.keys, slots), grown(self.values, slots)
            return (
                self._stored(self.keys, key_states, to),
                self._stored(self.values, value_states, to),
            )

        def _stored(self, held: Tensor, states: Tensor, to: Target) -> Tensor:
            """Put `states` into `held`; returns the rows and slots that the pass looks at."""
            by_token = states.transpose(1, 2)
            if to.real is None:
                new = by_token[:, 0]
            else:
                new = by_token[to.real[0].to(self.device), to.real[1].to(self.device)]
            held[to.row.to(self.device), :, to.slot.to(self.device)] = new
            if to.rows is None:
                return held[: len(states), :, : to.length]
            return held[:, :, : to.length].index_select(0, to.rows.to(self.device))

        def copy(self, source: int, row: int, start: int, end: int) -> None:
            """Let `row` hold in the slots from start to end what `source` holds there."""
            for held in (self.keys, self.values):
                held[row, :, start:end] = held[source, :, start:end]

        def batch_select_indices(self, indices: Tensor) -> None:
            self.keys, self.values = (
                held.index_select(0, indices.to(self.device)) for held in (self.keys, self.values)
            )
            self.count = len(indices)

        def get_seq_length(self) -> int:
            return self.target.length if self.target else 0

        def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
            return self.get_seq_length(), 0

        def get_max_length(self) -> int:
            return -1

    def grown(states: Tensor, slots: int) -> Tensor:
        larger = states.new_empty(*states.shape[:2], slots, states.shape[3])
        larger[:, :, : states.shape[2]] = states
        # Zeros and not just any memory: masked slots are multiplied by 0, and what lies there might
        # be NaN.
        larger[:, :, states.shape[2] :] = 0
        return larger

    return RowLayer
