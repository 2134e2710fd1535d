"""The key-value cache of lockstep play: one row a conversation, each token at the slot of its
position.

A row keeps what it holds between turns. A prompt that starts with the same tokens as the row's
content, or as another row's, computes only the tokens after them. Rows need not be equally long, so
there is no padding between a row's tokens, nothing to move when a turn ends, and
`generate` (which wants one prefix length for all rows) cannot drive it: the forward passes here are
the model's own, with a mask and positions for every row.
"""

import inspect
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lm_eval.api.model import LM

from csc_tasks.compat.transformers import CACHE_NAMES, cache_argument
from csc_tasks.play.attention import LEAST, can_share, sharing
from csc_tasks.play.cache_layer import Target, layer_class
from csc_tasks.tokens import shared_prefix

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

SHORTEST_COPY = 16
"""Another row's prefix is copied where it saves at least this many tokens."""
PADDING = 0.125
"""Rows that are encoded together may spend at most this share of the pass on padding, once the pass
is large enough.
"""


@dataclass(frozen=True, slots=True)
class Job:
    """One row's part of a forward pass: its prompt, from which token on it is computed, and its
    continuations, none of which sees another.
    """

    row: int
    prompt: list[int]
    start: int
    tails: Sequence[list[int]]

    @property
    def tail(self) -> int:
        """How many tokens the continuations have together."""
        return sum(map(len, self.tails))

    @property
    def new(self) -> int:
        """How many tokens are computed."""
        return len(self.prompt) - self.start + self.tail


class Rows:
    """The cache of `count` rows for the model of lm_eval's HF backend, and the forward passes that
    fill and use it.

    `spare` rows more (count, count + 1, ...) are not part of `step`: they hold what others copy.
    `held[row]` are the tokens whose keys and values the row holds. `asked` counts the tokens of all
    prompts, `encoded` those of them that were computed, and `decoded` the tokens of replies.
    """

    def __init__(self, lm: LM, count: int, spare: int = 0, slots: int = 0) -> None:
        """slots: about as many tokens as the longest prompt has; a row may hold more."""
        import torch
        from transformers import Cache

        self.lm, self.torch, self.spare = lm, torch, spare
        self.held: list[list[int]] = [[] for _ in range(count + spare)]
        self.asked = self.encoded = self.decoded = 0
        layers = lm.model.config.get_text_config(decoder=True).num_hidden_layers
        self.layers = [layer_class()(count + spare, slots) for _ in range(layers)]
        self.cache = Cache(layers=self.layers)
        base = without_adapter(lm.model)
        self.cache_argument = cache_argument(base) or CACHE_NAMES[0]
        self.can_keep = "logits_to_keep" in inspect.signature(base.forward).parameters
        self.eager = base.config._attn_implementation == "eager"
        self.config = base.config.get_text_config(decoder=True)
        self.can_share = can_share(base) and lm.mixed_precision_dtype is None
        # (a row, how many tokens all rows that play share with it), until rows change.
        self._shared: tuple[int, int] | None = None
        # Where a pass costs little more than its tokens, short passes without padding are best; a
        # GPU wants large ones.
        self.small, self.large = (256, 4096) if lm.device.type == "cpu" else (4096, 16384)

    @property
    def count(self) -> int:
        """How many rows there are, without the spare ones."""
        return len(self.held) - self.spare

    def encode(
        self,
        rows: Sequence[int],
        prompts: Sequence[list[int]],
        tails: Sequence[Sequence[list[int]]] | None = None,
    ) -> "dict[int, Tensor]":
        """Make each row hold its prompt. Returns row -> logits: (1, vocabulary) after the prompt's
        last token.

        `tails[i]` are continuations of prompt i, none of which sees another: their logits follow,
        (1 + all their tokens, vocabulary). Rows do not keep them.
        """
        self.asked += sum(
            len(prompt) for row, prompt in zip(rows, prompts, strict=True) if row < self.count
        )
        self._shared = None
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
        logits: dict[int, Tensor] = {}
        for number, wave in enumerate(waves):
            if number:
                for row, prompt, _ in wave:
                    donor, common = self._donor(row, prompt, leaders)
                    if donor is not None:
                        self._copy(donor, row, prompt[:common])
            jobs = []
            for row, prompt, tail in wave:
                start = min(shared_prefix(self.held[row], prompt), len(prompt) - 1)
                jobs.append(Job(row, prompt, start, tail))
            for group in self._groups(jobs):
                logits |= self._encode(group)
        return logits

    def fork(self, row: int, prompt: list[int]) -> bool:
        """Copy into the row what another one holds of the prompt, where that is more than its own.
        True where only the prompt's last token is missing then: the next step takes it.
        """
        donor, common = self._donor(row, prompt, {}, least=1)
        if donor is not None:
            self._copy(donor, row, prompt[:common])
        if shared_prefix(self.held[row], prompt) < len(prompt) - 1:
            return False
        self.held[row] = prompt[:-1]
        self._shared = None
        self.asked += len(prompt)
        # That step computes a token of the prompt and not of the reply.
        self.encoded, self.decoded = self.encoded + 1, self.decoded - 1
        return True

    def step(self, tokens: Sequence[int | None]) -> "Tensor":
        """Append one token to each row; None leaves a row as it is. Returns logits of shape (rows,
        vocabulary).
        """
        positions = [len(held) for held in self.held[: self.count]]
        # An idle row computes something too, in the slot after its content, where nobody looks.
        ids = self._tensor([[token or 0] for token in tokens])
        position = self._tensor([[p] for p in positions])
        length = max(positions) + 1
        mask = self.torch.arange(length, device=position.device) <= position[:, :, None]
        target = Target(None, self._tensor(range(self.count)), position[:, 0], None, length)
        row, shared = self._shared_by(tokens)
        with sharing(self.config, row, shared) if shared else nullcontext():
            logits = self._forward(ids, position, mask, target, 1)[:, -1]
        for held, token in zip(self.held[: self.count], tokens, strict=True):
            if token is not None:
                held.append(token)
        self.decoded += sum(token is not None for token in tokens)
        return logits

    def _shared_by(self, tokens: Sequence[int | None]) -> tuple[int, int]:
        """(a row that plays, how many tokens all others that play share with it: 0 where that is
        not worth anything).
        """
        if self._shared is None:
            playing = [row for row, token in enumerate(tokens) if token is not None]
            one, *others = playing
            common = [shared_prefix(self.held[one], self.held[other]) for other in others]
            length = min(common, default=0)
            self._shared = one, length if self.can_share and length >= LEAST else 0
        return self._shared

    def keep(self, rows: Sequence[int]) -> None:
        """Keep only these rows, in this order, and the spare ones."""
        rows = [*rows, *range(self.count, len(self.held))]
        self._shared = None
        self.held = [self.held[row] for row in rows]
        self.cache.batch_select_indices(self._tensor(rows))

    def _donor(
        self,
        row: int,
        prompt: list[int],
        leaders: dict[int, list[int]],
        least: int = SHORTEST_COPY,
    ) -> tuple[int | None, int]:
        """(row that holds, or among `leaders` will hold, a prefix of the prompt that is longer by
        `least` tokens than what `row` itself holds, its length).
        """
        own = shared_prefix(self.held[row], prompt)
        if own + least >= len(prompt):
            return None, own
        best, longest = None, own + least - 1
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
        start = shared_prefix(self.held[row], tokens)
        for layer in self.layers:
            layer.copy(source, row, start, len(tokens))
        self.held[row] = list(tokens)

    def _groups(self, jobs: Sequence[Job]) -> list[list[Job]]:
        """Jobs that share a forward pass: of like length, and not more tokens than one pass should
        have.
        """
        groups: list[list[Job]] = []
        padded = real = longest = 0
        for job in sorted(jobs, key=lambda job: job.new, reverse=True):
            new = job.new
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

    def _encode(self, group: Sequence[Job]) -> "dict[int, Tensor]":
        """One forward pass over the new tokens of some rows, aligned at the end."""
        torch = self.torch
        width = max(job.new for job in group)
        length = max(len(job.prompt) + job.tail for job in group)
        ids = torch.zeros(len(group), width, dtype=torch.long)
        positions, slots = torch.zeros_like(ids), torch.zeros_like(ids)
        real = torch.zeros(len(group), width, dtype=torch.bool)
        for i, job in enumerate(group):
            new, end = job.new, len(job.prompt)
            ids[i, width - new :] = torch.tensor(
                job.prompt[job.start :] + [token for option in job.tails for token in option]
            )
            slots[i, width - new :] = torch.arange(job.start, job.start + new)
            offsets = [end + k for option in job.tails for k in range(len(option))]
            positions[i, width - new :] = torch.tensor([*range(job.start, end), *offsets])
            real[i, width - new :] = True
        # Padding looks at slot 0, so that its softmax is defined; its keys and values are not kept.
        mask = torch.arange(length) <= slots[:, :, None]
        for i, job in enumerate(group):
            before, end = 0, len(job.prompt)
            for option in job.tails:
                first = width - job.tail + before
                mask[i, first : first + len(option), end : end + before] = False
                before += len(option)
        rows = [job.row for job in group]
        which, column = real.nonzero(as_tuple=True)
        device = self.lm.device
        target = Target(
            None if rows == list(range(self.count)) else self._tensor(rows),
            self._tensor(rows)[which.to(device)],
            slots[which, column].to(device),
            (which.to(device), column.to(device)),
            length,
        )
        keep = 1 + max(job.tail for job in group)
        logits = self._forward(ids.to(device), positions.to(device), mask.to(device), target, keep)
        by_row = {}
        for i, job in enumerate(group):
            # Only a list of its own may grow: prompts are kept by others.
            self.held[job.row] = list(job.prompt)
            self.encoded += job.new
            by_row[job.row] = logits[i, -1 - job.tail :]
        return by_row

    def _forward(
        self, ids: "Tensor", positions: "Tensor", mask: "Tensor", target: Target, keep: int
    ) -> "Tensor":
        """One pass of the model. ids, positions: (rows, tokens). mask: (rows, tokens, slots), True
        where a token looks. Returns the last `keep` logits: (rows, keep, vocabulary).
        """
        torch, lm = self.torch, self.lm
        for layer in self.layers:
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
        logits: Tensor = output.logits[:, -keep:]
        return logits

    def _tensor(self, values: Iterable[Any]) -> "Tensor":
        return self.torch.tensor(list(values), dtype=self.torch.long, device=self.lm.device)


def without_adapter(model: Any) -> "PreTrainedModel":
    """The transformers model itself, where peft has wrapped it."""
    base: PreTrainedModel = model.get_base_model() if hasattr(model, "get_base_model") else model
    return base
