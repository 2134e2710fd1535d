"""BARTScore (Yuan et al., 2021): how likely a sequence-to-sequence model finds one text after
reading the other.

The mean log-probability of the target's tokens, `<s>` and `</s>` among them, as the original code
has it. Of a reply and its reference each can be the target: the reference given the reply
("to_reference": is everything there?) or the reply given the reference ("to_reply": is everything
right?).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from csc_tasks.errors import require
from csc_tasks.languages import language as language_of
from csc_tasks.metrics import weights
from csc_tasks.metrics.batching import Work, blocks, by_length, onto, padded, states, within_memory

if TYPE_CHECKING:
    import torch

Ids = npt.NDArray[np.int32]
Pairs = list[tuple[str, str]]

NAME = "bartscore"
# The original code's cut, and the length of bart-large-cnn's table of positions.
_LONGEST = 1024
# Logits are by far the largest thing in memory: so many numbers of 4 bytes at a time, or those of
# one target where it alone has more.
_LOGITS = 1 << 27


@dataclass(slots=True, eq=False)
class BartScore:
    """A loaded model. `longest` is the length, in tokens with the special ones, that texts are cut
    to.
    """

    model: Any
    encode: Callable[[str], list[int]]
    padding: int
    longest: int
    signature: str
    remembered: dict[bool, tuple[Pairs, list[float]]] = field(default_factory=dict)

    def score(
        self,
        pairs: Pairs,
        device: "torch.device",
        batch_size: int,
        work: Work,
        to_reference: bool,
    ) -> list[float]:
        """Mean log-probability per target token of each (reply, reference); the target is the
        reference, or else the reply.

        The last scores of each direction are remembered, because three metrics are made of two
        directions.
        """
        known, scores = self.remembered.get(to_reference, (None, []))
        if known != pairs:
            scores = self._score(pairs, device, batch_size, work, to_reference)
            self.remembered[to_reference] = pairs, scores
        else:
            work.advance(len(pairs))
        return scores

    def _score(
        self,
        pairs: Pairs,
        device: "torch.device",
        batch_size: int,
        work: Work,
        to_reference: bool,
    ) -> list[float]:
        onto(device, self.model, NAME)
        tokens = {
            text: np.asarray(self.encode(text), dtype=np.int32)
            for text in {text: None for pair in pairs for text in pair}
        }
        chosen = [pair if to_reference else pair[::-1] for pair in pairs]
        lengths = [(len(tokens[source]), len(tokens[target])) for source, target in chosen]
        scores = [0.0] * len(pairs)
        # Sources are read in batches of like sources and targets in batches of like targets; in
        # between, a block's sources are held.
        order = sorted(range(len(pairs)), key=lambda i: -lengths[i][1])
        for block in blocks(
            order, [length for length, _ in lengths], 2 * batch_size * self.longest
        ):
            ids = [(tokens[chosen[i][0]], tokens[chosen[i][1]]) for i in block]
            block_scores = self._score_block(ids, device, batch_size, work)
            for i, score in zip(block, block_scores, strict=True):
                scores[i] = score
        return scores

    def _score_block(
        self, pairs: list[tuple[Ids, Ids]], device: "torch.device", batch_size: int, work: Work
    ) -> list[float]:
        """Scores of (source, target) ids."""
        # The ids of one text are one array, so equal sources are one object.
        sources = list({id(source): source for source, _ in pairs}.values())
        read = dict(
            zip(map(id, sources), self._read(sources, device, batch_size, work), strict=True)
        )

        def run(batch: list[int]) -> list[float]:
            return self._write(
                [read[id(pairs[i][0])] for i in batch], [pairs[i][1] for i in batch], device
            )

        scores = [0.0] * len(pairs)
        lengths = [len(target) for _, target in pairs]
        for batch in by_length(
            lengths, batch_size, max(1, _LOGITS // self.model.config.vocab_size)
        ):
            for i, score in zip(batch, within_memory(run, batch, NAME), strict=True):
                scores[i] = score
            work.count([lengths[i] for i in batch])
            work.advance(len(batch))
        return scores

    def _read(
        self, sources: list[Ids], device: "torch.device", batch_size: int, work: Work
    ) -> "list[torch.Tensor]":
        """The encoder's (length, dimension) states of each source."""
        import torch

        def run(batch: list[int]) -> torch.Tensor:
            ids, mask = padded([sources[i] for i in batch], self.padding, device)
            with torch.inference_mode():
                output = self.model.get_encoder()(input_ids=ids, attention_mask=mask)
                hidden: torch.Tensor = output.last_hidden_state
            return hidden

        return states(run, list(map(len, sources)), batch_size, work, NAME)

    def _write(
        self, sources: "list[torch.Tensor]", targets: list[Ids], device: "torch.device"
    ) -> list[float]:
        """Mean log-probability of the tokens of each target, given its source's states."""
        import torch
        from torch.nn.functional import cross_entropy
        from torch.nn.utils.rnn import pad_sequence
        from transformers.modeling_outputs import BaseModelOutput

        labels, real = padded(targets, -100, device)
        mask = pad_sequence(
            [torch.ones(len(rows), dtype=torch.long) for rows in sources], batch_first=True
        ).to(device)
        with torch.inference_mode():
            # Given as decoder input, because given as labels they would make the model compute a
            # loss over all of them too.
            read = self.model.prepare_decoder_input_ids_from_labels(labels)
            source = BaseModelOutput(last_hidden_state=pad_sequence(sources, batch_first=True))
            logits = self.model(
                encoder_outputs=source, attention_mask=mask, decoder_input_ids=read, use_cache=False
            ).logits
            # Row by row: a second array of the logits' size would double the memory.
            losses = [
                cross_entropy(row.float(), label, reduction="sum")
                for row, label in zip(logits, labels, strict=True)
            ]
            means: list[float] = (-torch.stack(losses) / real.sum(dim=1)).tolist()
        return means


@cache
def load(model: str, language: str) -> BartScore:
    """The model on the CPU; one that knows many languages is told to read and write `language`.

    Raises MissingExtra, and ModelError for a model that cannot be loaded, is incomplete, has no
    decoder or does not know the language.
    """
    transformers = require("transformers", "learned", NAME)
    place = weights.place(NAME, model)
    with weights.loading(NAME, model):
        reader = _reader(place)
        tokenizer = transformers.AutoTokenizer.from_pretrained(place)
        spoken = _speak(tokenizer, language)
        positions = getattr(reader.config, "max_position_embeddings", None) or _LONGEST
        longest = min(_LONGEST, positions, tokenizer.model_max_length)

    def encode(text: str) -> list[int]:
        ids: list[int] = tokenizer.encode(text, max_length=longest, truncation=True)
        return ids

    signature = (
        f"model:{weights.identity(place)}{spoken}|max:{longest}"
        f"|transformers:{transformers.__version__.split('.')[0]}"
    )
    return BartScore(reader, encode, tokenizer.pad_token_id, longest, signature)


@cache
def _reader(place: str) -> Any:
    import torch
    from transformers import AutoModelForSeq2SeqLM

    reader, info = AutoModelForSeq2SeqLM.from_pretrained(
        place, dtype=torch.float32, output_loading_info=True
    )
    weights.complete(NAME, place, info, ("final_logits_bias", "position_ids"))
    if not hasattr(reader, "prepare_decoder_input_ids_from_labels"):
        raise ValueError(f"a {type(reader).__name__} cannot be told what to write")
    return reader.eval()


def _speak(tokenizer: Any, language: str) -> str:
    """Set the language of a tokenizer that marks texts with one; "|language:CODE" for the
    signature, or nothing.
    """
    if getattr(tokenizer, "src_lang", None) is None:
        return ""
    codes = language_of(language).metrics.bartscore_codes
    known = [
        code
        for code in codes
        if tokenizer.convert_tokens_to_ids(code) not in (None, tokenizer.unk_token_id)
    ]
    if not known:
        raise ValueError(f"it does not know the language {language}")
    tokenizer.src_lang = known[0]
    return f"|language:{known[0]}"
