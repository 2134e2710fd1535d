"""BERTScore (Zhang et al., 2020): F1 of greedy matches between the token embeddings of a reply and
of its reference.

As bert-score computes it, without IDF weights and without rescaling: [CLS] and [SEP] can be matched
but have no weight of their own. One difference: bert-score lets padding stand as similarity 0, so
where all real similarities are negative a score there depends on the texts it shares a batch with.
Here padding matches nothing, and every score is the one that bert-score gives the pair alone.
"""

import importlib.metadata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from csc_tasks.compat import bert_score as compat_bert_score
from csc_tasks.errors import SettingError, require
from csc_tasks.metrics import weights
from csc_tasks.metrics.batching import Work, blocks, onto, padded, states, within_memory

if TYPE_CHECKING:
    import torch

Ids = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]

NAME = "bertscore"
# A model without a table of positions is still not fed whole books.
_LONGEST = 512
# Where the Hub has moved models that bert-score knows without an organisation.
_RENAMED = (
    "google-bert/",
    "FacebookAI/",
    "distilbert/",
    "albert/",
    "openai-community/",
    "google-t5/",
    "xlnet/",
)


@dataclass(slots=True, eq=False)
class BertScore:
    """A loaded model. `longest` is the length, in tokens with the special ones, that texts are cut
    to.
    """

    model: Any
    encode: Callable[[str], list[int]]
    weightless: tuple[int, ...]
    padding: int
    longest: int
    signature: str

    def score(
        self, pairs: list[tuple[str, str]], device: "torch.device", batch_size: int, work: Work
    ) -> list[float]:
        """F1 of each (reply, reference); 0 where one of them has no tokens."""
        onto(device, self.model, NAME)
        empty = len(self.encode(""))
        tokens = {
            text: np.asarray(self.encode(text), dtype=np.int32)
            for text in {text: None for pair in pairs for text in pair}
        }
        scores = [0.0] * len(pairs)
        live = [
            i for i, pair in enumerate(pairs) if min(len(tokens[text]) for text in pair) > empty
        ]
        work.advance(len(pairs) - len(live))
        sizes = [sum(len(tokens[text]) for text in pair) for pair in pairs]
        # Embeddings are held for a block: as many as two batches of the longest texts have, or many
        # batches of short ones.
        for block in blocks(
            sorted(live, key=lambda i: -sizes[i]), sizes, 2 * batch_size * self.longest
        ):
            block_scores = self._score_block(
                [pairs[i] for i in block], tokens, device, batch_size, work
            )
            for i, f1 in zip(block, block_scores, strict=True):
                scores[i] = f1
        return scores

    def _score_block(
        self,
        pairs: list[tuple[str, str]],
        tokens: dict[str, Ids],
        device: "torch.device",
        batch_size: int,
        work: Work,
    ) -> list[float]:
        texts = list({text: None for pair in pairs for text in pair})
        embedded = dict(
            zip(
                texts,
                self._embed([tokens[text] for text in texts], device, batch_size, work),
                strict=True,
            )
        )
        weight = {text: ~np.isin(tokens[text], self.weightless) for text in texts}

        def match(batch: list[tuple[str, str]]) -> list[float]:
            replies, references = zip(*batch, strict=True)
            return _f1(
                [embedded[text] for text in replies],
                [weight[text] for text in replies],
                [embedded[text] for text in references],
                [weight[text] for text in references],
            )

        scores: list[float] = []
        for start in range(0, len(pairs), batch_size):
            batch = pairs[start : start + batch_size]
            scores += within_memory(match, batch, NAME)
            work.advance(len(batch))
        return scores

    def _embed(
        self, sequences: list[Ids], device: "torch.device", batch_size: int, work: Work
    ) -> "list[torch.Tensor]":
        """The (length, dimension) embeddings of each sequence, every row of norm 1."""
        import torch
        from bert_score.utils import bert_encode

        def run(batch: list[int]) -> torch.Tensor:
            ids, mask = padded([sequences[i] for i in batch], self.padding, device)
            return torch.nn.functional.normalize(bert_encode(self.model, ids, mask), dim=-1)

        return states(run, list(map(len, sequences)), batch_size, work, NAME)


def _f1(
    ours: "list[torch.Tensor]",
    our_weights: Sequence[Bools],
    theirs: "list[torch.Tensor]",
    their_weights: Sequence[Bools],
) -> list[float]:
    """BERTScore F1 of pairs of (length, dimension) unit embeddings; a text whose weights are all 0
    scores 0.
    """
    import torch
    from torch.nn.utils.rnn import pad_sequence

    device = ours[0].device

    def side(
        embeddings: list[torch.Tensor], weights: Sequence[Bools]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        real = pad_sequence(
            [torch.ones(len(rows), dtype=torch.bool) for rows in embeddings], batch_first=True
        )
        share = pad_sequence(
            [torch.from_numpy(row).float() / max(1, row.sum()) for row in weights], batch_first=True
        )
        return pad_sequence(embeddings, batch_first=True), real.to(device), share.to(device)

    (a, a_real, a_share), (b, b_real, b_share) = (
        side(ours, our_weights),
        side(theirs, their_weights),
    )
    similarity = torch.bmm(a, b.transpose(1, 2))
    nothing = -torch.inf
    precision = (similarity.masked_fill(~b_real[:, None, :], nothing).amax(dim=2) * a_share).sum(
        dim=1
    )
    recall = (similarity.masked_fill(~a_real[:, :, None], nothing).amax(dim=1) * b_share).sum(dim=1)
    f1 = 2 * precision * recall / (precision + recall)
    scores: list[float] = torch.where(f1.isfinite(), f1, 0.0).tolist()
    return scores


@cache
def load(model: str, layer: int | None) -> BertScore:
    """The model, cut above `layer`, on the CPU; `layer` None is the one bert-score uses for a model
    of that name.

    Raises MissingExtra, ModelError for a model that cannot be loaded or whose weights are
    incomplete, SettingError for a layer that it does not have or that nothing is known about.
    """
    require("bert_score", "learned", NAME)
    place = weights.place(NAME, model)
    with weights.loading(NAME, model):
        import torch
        from bert_score.utils import get_tokenizer, model2layers
        from transformers import AutoModel, T5EncoderModel
        from transformers.models.auto.configuration_auto import AutoConfig

        config = AutoConfig.from_pretrained(place)
        kind: Any = T5EncoderModel if "t5" in config.model_type else AutoModel
        encoder, info = kind.from_pretrained(place, dtype=torch.float32, output_loading_info=True)
        # Nothing here uses a pooler, and most models come without one.
        weights.complete(NAME, model, info, ("pooler", "position_ids", "token_type_ids"))
        tokenizer = get_tokenizer(place)
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        tokenizer.model_max_length = longest = min(
            tokenizer.model_max_length, _positions(encoder, config)
        )
        if layer is None:
            name = weights.hub_name(place)
            layer = model2layers.get(name) or (
                model2layers.get(name.rpartition("/")[2]) if name.startswith(_RENAMED) else None
            )
        if layer is None:
            raise SettingError(
                f"bert-score knows no best layer of {model}; choose one with csc_bertscore_layer (1"
                " is the first)"
            )
        layers = config.num_hidden_layers
        if layer > layers:
            raise SettingError(f"csc_bertscore_layer={layer}: {model} has {layers} layers")
        encoder = compat_bert_score.cut(encoder.eval(), layer)
        encode = compat_bert_score.encoder(tokenizer, config.model_type)
    # Of the distribution: bert_score 0.3.13 calls itself 0.3.12.
    version = importlib.metadata.version("bert-score")
    signature = (
        f"{NAME}|f1|model:{weights.identity(place)}|layer:{layer}|idf:no|rescale:no"
        f"|max:{longest}|bert_score:{version}"
    )
    return BertScore(
        encoder,
        encode,
        (tokenizer.cls_token_id, tokenizer.sep_token_id),
        tokenizer.pad_token_id,
        longest,
        signature,
    )


def _positions(model: "torch.nn.Module", config: Any) -> int:
    """How many tokens the model can tell apart by position."""
    positions: int = (
        getattr(config, "max_position_embeddings", None)
        or getattr(config, "n_positions", None)
        or _LONGEST
    )
    for name, module in model.named_modules():
        # RoBERTa and its kin count positions from one after the padding token's.
        padding: int | None = getattr(module, "padding_idx", None)
        if name.endswith("position_embeddings") and padding is not None:
            return positions - padding - 1
    return positions
