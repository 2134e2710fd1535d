"""Cosine of the sentence embeddings of a reply and of its reference, by sentence-transformers."""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from csc_tasks.errors import require
from csc_tasks.metrics import weights
from csc_tasks.metrics.batching import Work, by_length, onto, within_memory

if TYPE_CHECKING:
    import torch

NAME = "cosine"
_LONGEST = 512
# Pairs whose embeddings are held at a time, in batches.
_BLOCK = 32


@dataclass(slots=True, eq=False)
class Cosine:
    """A loaded model."""

    model: Any
    signature: str

    def score(
        self, pairs: list[tuple[str, str]], device: "torch.device", batch_size: int, work: Work
    ) -> list[float]:
        """Cosine, -1 to 1, of each (reply, reference). An empty text has an embedding too, as the
        model makes it.
        """
        import torch

        onto(device, self.model, NAME)
        scores = [0.0] * len(pairs)
        order = sorted(range(len(pairs)), key=lambda i: -len(pairs[i][0]) - len(pairs[i][1]))
        for start in range(0, len(order), _BLOCK * batch_size):
            block = order[start : start + _BLOCK * batch_size]
            rows = {
                text: row
                for row, text in enumerate({text: None for i in block for text in pairs[i]})
            }
            embeddings = self._embed(list(rows), batch_size, work)
            ours, theirs = (
                torch.stack([embeddings[rows[pairs[i][side]]] for i in block]) for side in (0, 1)
            )
            for i, cosine in zip(
                block, torch.nn.functional.cosine_similarity(ours, theirs).tolist(), strict=True
            ):
                scores[i] = cosine
            work.advance(len(block))
        return scores

    def _embed(self, texts: list[str], batch_size: int, work: Work) -> "list[torch.Tensor]":
        longest = self.model.max_seq_length or _LONGEST
        lengths = [
            min(len(ids), longest)
            for ids in self.model.tokenizer(texts, verbose=False)["input_ids"]
        ]

        def run(batch: list[int]) -> "list[torch.Tensor]":
            here = [texts[i] for i in batch]
            return list(
                self.model.encode(
                    here, batch_size=len(here), convert_to_tensor=True, show_progress_bar=False
                )
            )

        embeddings: dict[int, torch.Tensor] = {}
        for batch in by_length(lengths, batch_size):
            for i, embedding in zip(batch, within_memory(run, batch, NAME), strict=True):
                embeddings[i] = embedding.float()
            work.count([lengths[i] for i in batch])
        return [embeddings[i] for i in range(len(texts))]


@cache
def load(model: str) -> Cosine:
    """The model on the CPU. Raises MissingExtra, and ModelError for a model that cannot be
    loaded.
    """
    library = require("sentence_transformers", "learned", NAME)
    place = weights.place(NAME, model)
    with weights.loading(NAME, model):
        import torch

        embedder = library.SentenceTransformer(
            place, device="cpu", model_kwargs={"dtype": torch.float32}
        )
    signature = (
        f"{NAME}|model:{weights.identity(place)}|max:{embedder.max_seq_length}"
        f"|sentence_transformers:{library.__version__}"
    )
    return Cosine(embedder.eval(), signature)
