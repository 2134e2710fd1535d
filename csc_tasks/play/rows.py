"""The key-value cache of lockstep play: one row a conversation, each token at the slot of its
position.

A row keeps what it holds between turns. A prompt that starts with the same tokens as the row's
content, or as another row's, computes only the tokens after them. Rows need not be equally long, so
there is no padding between a row's tokens, nothing to move when a turn ends, and
`generate` (which wants one prefix length for all rows) cannot drive it: the forward passes here are
the model's own, with a mask and positions for every row.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lm_eval.api.model import LM

from csc_tasks.compat.transformers import CACHE_NAMES, cache_argument

ROOM = 128
"""Slots are added in steps of this many, so that the cache is copied seldom and stays near the size
it must have.
"""
SHORTEST_COPY = 16
"""Another row's prefix is copied where it saves at least this many tokens."""
PADDING = 0.125
"""Rows that are encoded together may spend at most this share of the pass on padding, once the pass
is large enough.
"""


@dataclass(slots=True)
class Target:
    """Where the keys and values of one forward pass go. `rows` is None where all rows take part, in
    order.
    """

    rows: object
    row: object
    slot: object
    real: object
    length: int


class Rows:
    """The cache of `count` rows for the model of lm_eval's HF backend, and the forward passes that
    fill and use it.

    `held[row]` are the tokens whose keys and values the row holds. `asked` counts the tokens of all
    prompts, `encoded` those of them that were computed, and `decoded` the tokens of replies.
    """

    def __init__(self, lm: LM, count: int) -> None:
        import inspect

        import torch
        from transformers import Cache

        self.lm, self.torch = lm, torch
        self.held: list[list[int]] = [[] for _ in range(count)]
        self.asked = self.encoded = self.decoded = 0
        layers = lm.model.config.get_text_config(decoder=True).num_hidden_layers
        self.cache = Cache(layers=[_layer_class()(count) for _ in range(layers)])
        base = without_adapter(lm.model)
        self.cache_argument = cache_argument(base) or CACHE_NAMES[0]
        self.can_keep = "logits_to_keep" in inspect.signature(base.forward).parameters
        self.eager = base.config._attn_implementation == "eager"
        # Where a pass costs little more than its tokens, short passes without padding are best; a
        # GPU wants large ones.
        self.small, self.large = (256, 4096) if lm.device.type == "cpu" else (4096, 16384)

    @property
    def count(self) -> int:
        return len(self.held)

    def encode(
        self,
        rows: Sequence[int],
        prompts: Sequence[list[int]],
        tails: Sequence[Sequence[list[int]]] | None = None,
    ) -> dict[str, Any]:
        """Make each row hold its prompt. Returns row -> logits: (1, vocabulary) after the prompt's
        last token.

        `tails[i]` are continuations of prompt i, none of which sees another: their logits follow,
        (1 + all their tokens, vocabulary). Rows do not keep them.
        """
        self.asked += sum(map(len, prompts))
        tails = tails or [()] * len(rows)
        waves: list[list[tuple[int, list[int], Sequence[list[int]]]]] = [[], []]
        leaders: dict[int, list[int]] = {}
        for row, prompt, tail in zip(rows, prompts, tails, strict=True):
            donor, common = self._donor(row, prompt, leaders)
            if donor in leaders:
                waves[1].append((row, prompt, tail))
                continue
            if donor is not None:
                self._copy(donor, row, prompt[:common])
            leaders[row] = prompt
            waves[0].append((row, prompt, tail))
        found = {}
        for number, wave in enumerate(waves):
            if number:
                for row, prompt, _ in wave:
                    donor, common = self._donor(row, prompt, leaders)
                    if donor is not None:
                        self._copy(donor, row, prompt[:common])
            jobs = []
            for row, prompt, tail in wave:
                start = min(shared_prefix(self.held[row], prompt), len(prompt) - 1)
                jobs.append((row, prompt, start, tail))
            for group in self._groups(jobs):
                found |= self._encode(group)
        return found

    def step(self, tokens: Sequence[int | None]):
        """Append one token to each row; None leaves a row as it is. Returns logits of shape (rows,
        vocabulary).
        """
        positions = [len(held) for held in self.held]
        # An idle row computes something too, in the slot after its content, where nobody looks.
        ids = self._tensor([[token or 0] for token in tokens])
        position = self._tensor([[p] for p in positions])
        length = max(positions) + 1
        mask = self.torch.arange(length, device=position.device) <= position[:, :, None]
        target = Target(None, self._tensor(range(self.count)), position[:, 0], None, length)
        logits = self._forward(ids, position, mask, target, 1)[:, -1]
        for held, token in zip(self.held, tokens, strict=True):
            if token is not None:
                held.append(token)
        self.decoded += sum(token is not None for token in tokens)
        return logits

    def keep(self, rows: Sequence[int]) -> None:
        """Keep only these rows, in this order."""
        self.held = [self.held[row] for row in rows]
        self.cache.batch_select_indices(self._tensor(rows))

    def _donor(
        self, row: int, prompt: list[int], leaders: dict[int, list[int]]
    ) -> tuple[int | None, int]:
        """(row that holds, or among `leaders` will hold, a clearly longer prefix of the prompt than
        `row` itself, its length).
        """
        own = shared_prefix(self.held[row], prompt)
        if own + SHORTEST_COPY >= len(prompt):
            return None, own
        best, longest = None, own + SHORTEST_COPY - 1
        for other, held in enumerate(self.held):
            content = leaders.get(other, held)
            if (
                longest >= min(len(content), len(prompt))
                or content[longest] != prompt[longest]
                or other == row
            ):
                continue
            common = shared_prefix(content, prompt)
            if common > longest:
                best, longest = other, common
        return best, longest

    def _copy(self, source: int, row: int, tokens: list[int]) -> None:
        for layer in self.cache.layers:
            layer.copy(source, row, len(tokens))
        self.held[row] = list(tokens)

    def _groups(self, jobs: list) -> list[list]:
        """Jobs that share a forward pass: of like length, and not more tokens than one pass should
        have.
        """
        groups: list[list] = []
        padded = real = longest = 0
        for job in sorted(jobs, key=_new, reverse=True):
            new = _new(job)
            if (
                groups
                and padded + longest <= self.large
                and (padded < self.small or 1 - (real + new) / (padded + longest) <= PADDING)
            ):
                groups[-1].append(job)
            else:
                groups.append([job])
                padded, real, longest = 0, 0, new
            padded, real = padded + longest, real + new
        return groups

    def _encode(self, group: list) -> dict[str, Any]:
        """One forward pass over the new tokens of some rows, aligned at the end."""
        torch = self.torch
        width = max(map(_new, group))
        length = max(len(prompt) + sum(map(len, tail)) for _, prompt, _, tail in group)
        ids = torch.zeros(len(group), width, dtype=torch.long)
        positions, slots = torch.zeros_like(ids), torch.zeros_like(ids)
        real = torch.zeros(len(group), width, dtype=torch.bool)
        for i, job in enumerate(group):
            _, prompt, start, tail = job
            new = _new(job)
            ids[i, width - new :] = torch.tensor(
                prompt[start:] + [token for option in tail for token in option]
            )
            slots[i, width - new :] = torch.arange(start, start + new)
            offsets = [len(prompt) + k for option in tail for k in range(len(option))]
            positions[i, width - new :] = torch.tensor([*range(start, len(prompt)), *offsets])
            real[i, width - new :] = True
        # Padding looks at slot 0, so that its softmax is defined; its keys and values are not kept.
        mask = torch.arange(length) <= slots[:, :, None]
        for i, (_, prompt, _, tail) in enumerate(group):
            before = 0
            for option in tail:
                first = width - sum(map(len, tail)) + before
                mask[i, first : first + len(option), len(prompt) : len(prompt) + before] = False
                before += len(option)
        rows = [row for row, *_ in group]
        which, column = real.nonzero(as_tuple=True)
        device = self.lm.device
        target = Target(
            None if rows == list(range(self.count)) else self._tensor(rows),
            self._tensor(rows)[which.to(device)],
            slots[which, column].to(device),
            (which.to(device), column.to(device)),
            length,
        )
        keep = 1 + max(sum(map(len, tail)) for *_, tail in group)
        logits = self._forward(ids.to(device), positions.to(device), mask.to(device), target, keep)
        found = {}
        for i, (row, prompt, start, tail) in enumerate(group):
            # Only a list of its own may grow: prompts are kept by others.
            self.held[row] = list(prompt)
            self.encoded += len(prompt) - start + sum(map(len, tail))
            found[row] = logits[i, -1 - sum(map(len, tail)) :]
        return found

    def _forward(self, ids, positions, mask, target: Target, keep: int):
        torch, lm = self.torch, self.lm
        for layer in self.cache.layers:
            layer.target = target
        mask = mask[:, None]
        if self.eager:
            mask = torch.zeros(mask.shape, dtype=lm.model.dtype, device=mask.device).masked_fill_(
                ~mask, torch.finfo(lm.model.dtype).min
            )
        precision = lm.mixed_precision_dtype
        with (
            torch.no_grad(),
            torch.autocast(
                device_type=lm.device.type, dtype=precision, enabled=precision is not None
            ),
        ):
            output = lm.model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=positions,
                use_cache=True,
                **{self.cache_argument: self.cache},
                **({"logits_to_keep": keep} if self.can_keep else {}),
            )
        return output.logits[:, -keep:]

    def _tensor(self, values):
        return self.torch.tensor(list(values), dtype=self.torch.long, device=self.lm.device)


def without_adapter(model):
    """The transformers model itself, where peft has wrapped it."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def _new(job: tuple) -> int:
    """How many tokens a job computes."""
    _, prompt, start, tail = job
    return len(prompt) - start + sum(map(len, tail))


def shared_prefix(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two sequences have in common at their start. Slices are compared, which is
    quick, so the end is found by halving.
    """
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


@functools.cache
def _layer_class():
    """The class of one layer's cache: it needs transformers, which is imported only where a model
    of it plays.
    """
    import torch
    from transformers.cache_utils import CacheLayerMixin

    class RowLayer(CacheLayerMixin):
        """Keys and values of shape (rows, heads, slots, size of a head); `target` says where those
        of the next forward pass go.
        """

        is_sliding = False
        is_croppable = True

        def __init__(self, count: int) -> None:
            super().__init__()
            self.count = count
            self.target: Target | None = None

        def lazy_initialization(self, key_states, value_states) -> None:
            self.dtype, self.device = key_states.dtype, key_states.device
            # Zeros and not just any memory: masked slots are multiplied by 0, and what lies there
            # might be NaN.
            self.keys, self.values = (
                torch.zeros(
                    self.count,
                    states.shape[1],
                    0,
                    states.shape[3],
                    dtype=states.dtype,
                    device=states.device,
                )
                for states in (key_states, value_states)
            )
            self.is_initialized = True

        def update(self, key_states, value_states, *args, **kwargs):
            if not self.is_initialized:
                self.lazy_initialization(key_states, value_states)
            to = self.target
            if self.keys.shape[2] < to.length:
                slots = -(-to.length // ROOM) * ROOM
                self.keys, self.values = grown(self.keys, slots), grown(self.values, slots)
            row, slot = to.row.to(self.device), to.slot.to(self.device)
            seen = []
            for kept, states in ((self.keys, key_states), (self.values, value_states)):
                by_token = states.transpose(1, 2)
                kept[row, :, slot] = (
                    by_token[:, 0]
                    if to.real is None
                    else by_token[to.real[0].to(self.device), to.real[1].to(self.device)]
                )
                kept = kept[:, :, : to.length]
                seen.append(
                    kept if to.rows is None else kept.index_select(0, to.rows.to(self.device))
                )
            return tuple(seen)

        def copy(self, source: int, row: int, length: int) -> None:
            """Let `row` start with the first `length` slots of `source`."""
            for kept in (self.keys, self.values):
                kept[row, :, :length] = kept[source, :, :length]

        def batch_select_indices(self, indices) -> None:
            self.keys, self.values = (
                kept.index_select(0, indices.to(self.device)) for kept in (self.keys, self.values)
            )
            self.count = len(indices)

        def get_seq_length(self) -> int:
            return self.target.length if self.target else 0

        def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
            return self.target.length, 0

        def get_max_length(self) -> int:
            return -1

    def grown(states, slots: int):
        larger = torch.zeros(
            *states.shape[:2], slots, states.shape[3], dtype=states.dtype, device=states.device
        )
        larger[:, :, : states.shape[2]] = states
        return larger

    return RowLayer
