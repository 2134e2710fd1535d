"""BLEURT (Sellam et al., 2020; BLEURT-20: Pu et al., 2021): a model that reads reference and reply
together and rates the reply.
"""

import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from csc_tasks.compat import bleurt as compat_bleurt
from csc_tasks.metrics import weights
from csc_tasks.metrics.batching import Work, by_length, onto, padded, within_memory

if TYPE_CHECKING:
    import torch

NAME = "bleurt"


@dataclass(slots=True, eq=False)
class Bleurt:
    """A loaded model. `longest` is the length, in tokens with [CLS] and two [SEP], that pairs are
    cut to.
    """

    model: Any
    ids: Callable[[str], list[int]]
    start: int
    separator: int
    longest: int
    signature: str

    def score(
        self, pairs: list[tuple[str, str]], device: "torch.device", batch_size: int, work: Work
    ) -> list[float]:
        """The rating of each (reply, reference), about 0 to 1 for BLEURT-20."""
        import torch

        onto(device, self.model, NAME)
        encoded = [self.encode(reference, reply) for reply, reference in pairs]
        scores = [0.0] * len(pairs)

        def run(batch: list[int]) -> list[float]:
            ids, mask = padded(
                [encoded[i][0] for i in batch], self.model.config.pad_token_id, device
            )
            segments, _ = padded([encoded[i][1] for i in batch], 0, device)
            with torch.inference_mode():
                logits = self.model(
                    input_ids=ids, attention_mask=mask, token_type_ids=segments
                ).logits
                ratings: list[float] = logits[:, 0].float().tolist()
            return ratings

        for batch in by_length([len(ids) for ids, _ in encoded], batch_size):
            for i, rating in zip(batch, within_memory(run, batch, NAME), strict=True):
                scores[i] = rating
            work.count([len(encoded[i][0]) for i in batch])
            work.advance(len(batch))
        return scores

    def encode(
        self, reference: str, reply: str
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int8]]:
        """(ids, segments) of `[CLS] reference [SEP] reply [SEP]`: segment 0 through the first
        [SEP], then 1.

        Where that is too long, tokens are taken off the end of the longer text, and of the reply
        when both are equally long: the rule of the original BLEURT.
        """
        first, second = self.ids(reference), self.ids(reply)
        room = self.longest - 3
        length = min(len(second), max(room // 2, room - len(first)))
        first, second = first[: room - length], second[:length]
        ids = [self.start, *first, self.separator, *second, self.separator]
        segments = [0] * (len(first) + 2) + [1] * (len(second) + 1)
        return np.asarray(ids, dtype=np.int32), np.asarray(segments, dtype=np.int8)


@cache
def load(model: str) -> Bleurt:
    """The model on the CPU. Raises MissingExtra, and ModelError for a model that cannot be loaded
    or is no complete BLEURT model.
    """
    place = weights.place(NAME, model)
    with weights.loading(NAME, model):
        rater, info = compat_bleurt.load(place)
        weights.complete(NAME, model, info, ("position_ids", "token_type_ids"))
        longest = rater.config.max_position_embeddings
        kind, ids, start, separator = compat_bleurt.vocabulary(place, longest)
    version = importlib.metadata.version("bleurt_pytorch")
    signature = (
        f"{NAME}|model:{weights.identity(place)}|vocabulary:{kind}|max:{longest}"
        f"|bleurt_pytorch:{version}"
    )
    return Bleurt(rater, ids, start, separator, longest, signature)
