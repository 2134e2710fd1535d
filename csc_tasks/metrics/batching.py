"""Work for a model in batches: equal pairs scored once, texts of like length side by side, the
longest first.

The longest come first so that a batch that does not fit the device shows at once. A score depends
on its own pair alone: batches are padded and masked, so size and order of batches move it by no
more than the last bits of a float.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from csc_tasks.errors import ModelError
from csc_tasks.telling import is_quiet

if TYPE_CHECKING:
    import torch

log = logging.getLogger("lm_eval.csc_tasks")

Item = TypeVar("Item")
Result = TypeVar("Result")


class NoRoom(ModelError):
    """The device has no memory for the model, or beside it for a single text."""


@dataclass(slots=True)
class Work:
    """What a scoring run did: items given, different pairs scored, and of the positions that went
    through the model how many held tokens.

    `advance` is called with the number of pairs that are done; a progress bar listens there.
    """

    items: int = 0
    pairs: int = 0
    tokens: int = 0
    positions: int = 0
    advance: Callable[[int], object] = field(default=lambda count: None, repr=False)

    @property
    def padding(self) -> float:
        """Share of positions, 0-1, that were computed for nothing."""
        return 1 - self.tokens / self.positions if self.positions else 0.0

    def count(self, lengths: Sequence[int]) -> None:
        """Book one batch of sequences of these lengths."""
        self.tokens += sum(lengths)
        self.positions += len(lengths) * max(lengths, default=0)


def score_once(
    name: str,
    predictions: Sequence[str],
    references: Sequence[str],
    batch_size: int,
    score: Callable[[list[tuple[str, str]], Work], list[float]],
) -> list[float]:
    """`score(pairs, work)` over the different (prediction, reference) pairs, spread to all items,
    with a progress bar called `name`.
    """
    from tqdm import tqdm

    numbers: dict[tuple[str, str], int] = {}
    where = [
        numbers.setdefault((clean(p), clean(r)), len(numbers))
        for p, r in zip(predictions, references, strict=True)
    ]
    if not where:
        return []
    with tqdm(
        total=len(numbers),
        desc=name,
        unit="pair",
        disable=len(numbers) <= batch_size or is_quiet(),
    ) as bar:
        work = Work(len(where), len(numbers), advance=bar.update)
        scores = score(list(numbers), work)
    log.info(
        "%s: %d items, %d different; %.1f %% of the model's work was padding",
        name,
        work.items,
        work.pairs,
        100 * work.padding,
    )
    return [scores[number] for number in where]


def clean(text: str) -> str:
    """`text` as Unicode that every tokenizer takes: a lone surrogate, which a cut reply can end
    in, becomes U+FFFD.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def by_length(
    lengths: Sequence[int], batch_size: int, positions: int | None = None
) -> list[list[int]]:
    """Indices of `lengths` in batches, the longest first: at most `batch_size` in one, and at most
    `positions` when padded.

    A sequence that is longer than `positions` is a batch of its own.
    """
    batches: list[list[int]] = []
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if batches and len(batches[-1]) < batch_size:
            last = batches[-1]
            if positions is None or (len(last) + 1) * lengths[last[0]] <= positions:
                last.append(i)
                continue
        batches.append([i])
    return batches


def blocks(order: Sequence[int], sizes: Sequence[int], room: int) -> list[list[int]]:
    """`order`, a list of indices, cut where the `sizes` of those in a block would add up to more
    than `room`.

    What is held for a whole block is bounded by it; one that is larger than `room` is a block of
    its own.
    """
    parts: list[list[int]] = []
    left = 0
    for i in order:
        if not parts or left < sizes[i]:
            parts.append([])
            left = room
        parts[-1].append(i)
        left -= sizes[i]
    return parts


def padded(
    sequences: Sequence[npt.NDArray[np.integer[Any]]], value: int, device: "torch.device"
) -> "tuple[torch.Tensor, torch.Tensor]":
    """(ids, mask): integer tensors of shape (n, longest) on `device`; `value` and 0 where a
    sequence has ended.
    """
    import torch

    longest = max(map(len, sequences))
    ids = np.full((len(sequences), longest), value, dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = sequence
        mask[row, : len(sequence)] = 1
    return torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device)


def states(
    run: "Callable[[list[int]], Iterable[torch.Tensor]]",
    lengths: Sequence[int],
    batch_size: int,
    work: Work,
    name: str,
) -> "list[torch.Tensor]":
    """The (length, dimension) states of sequences of these lengths; `run(indices)` computes those
    of a batch, padded or not.

    They are views of one tensor. Held one by one between a model's short-lived tensors, they would
    leave the memory full of holes.
    """
    import torch

    ends = np.cumsum(lengths)
    held: torch.Tensor | None = None
    for batch in by_length(lengths, batch_size):
        for i, rows in zip(batch, within_memory(run, batch, name), strict=True):
            if held is None:
                held = torch.empty(
                    (int(ends[-1]), rows.shape[-1]), dtype=rows.dtype, device=rows.device
                )
            held[ends[i] - lengths[i] : ends[i]] = rows[: lengths[i]]
        work.count([lengths[i] for i in batch])
    return [] if held is None else list(torch.split(held, list(lengths)))


def onto(device: "torch.device", model: "torch.nn.Module", name: str) -> None:
    """Move `model` to `device`; where it does not fit it goes back to the CPU, and NoRoom is
    raised.
    """
    import torch

    try:
        model.to(device)
    except torch.OutOfMemoryError:
        model.to("cpu")
        raise NoRoom(
            f"{name}: the device has no memory for the model; choose another one with"
            " csc_metric_device"
        ) from None


def within_memory(
    run: Callable[[list[Item]], Iterable[Result]], batch: list[Item], name: str
) -> list[Result]:
    """`run(batch)`, one result an item; where the device runs out of memory, the halves of the
    batch one after the other.

    Raises NoRoom when a single item does not fit.
    """
    import torch

    try:
        return list(run(batch))
    except torch.OutOfMemoryError:
        if len(batch) == 1:
            raise NoRoom(
                f"{name}: the device has no memory for even one text; choose another one with"
                " csc_metric_device"
            ) from None
    # Outside the except block: there the failed call's tensors would still be held by its
    # traceback.
    torch.cuda.empty_cache()
    middle = len(batch) // 2
    return within_memory(run, batch[:middle], name) + within_memory(run, batch[middle:], name)
