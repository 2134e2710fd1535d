"""A reply in the making, and where it ends: by the rules of lm_eval's HF backend."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lm_eval.api.model import LM
from lm_eval.models.utils import (
    handle_stop_sequences,
    normalize_gen_kwargs,
    postprocess_generated_text,
)

from csc_tasks.play.book import Arguments
from csc_tasks.play.requests import PlayInstance
from csc_tasks.stops import end_tokens

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(slots=True)
class Reply:
    """A reply in the making."""

    arguments: Arguments
    limit: int
    stops: list[str]
    penalty: float
    prompt_tokens: int
    tokens: list[int] = field(default_factory=list)


class Stop:
    """When a reply ends and what its text is, by the rules of lm_eval's HF backend for a batch of
    one.
    """

    def __init__(self, lm: LM) -> None:
        self.lm = lm
        self.ends = end_tokens(lm.tokenizer, lm.model.generation_config.eos_token_id)
        self.eos = lm.tok_decode(lm.eot_token_id, skip_special_tokens=False)
        self.penalty = lm.model.generation_config.repetition_penalty or 1.0
        self._lengths: dict[str, int] = {}

    def new_reply(self, request: PlayInstance, prompt_tokens: int) -> Reply:
        kwargs = normalize_gen_kwargs(request.arguments[1], self.lm.max_gen_toks)
        stops = handle_stop_sequences(kwargs.get("until"), eos=self.eos)
        return Reply(
            request.arguments,
            kwargs["max_gen_toks"],
            stops,
            kwargs.get("repetition_penalty", self.penalty),
            prompt_tokens,
        )

    def likeliest(self, logits: "Tensor", reply: Reply, held: list[int]) -> int:
        """The greedy choice from logits of shape (vocabulary,) after the tokens `held`."""
        import torch
        from transformers import RepetitionPenaltyLogitsProcessor

        scores = logits.float()[None]
        if reply.penalty != 1:
            scores = RepetitionPenaltyLogitsProcessor(reply.penalty)(
                torch.tensor([held], device=scores.device), scores
            )
        return int(scores.argmax(-1))

    def reached(self, reply: Reply) -> bool:
        """Whether the reply's last token ends it or completes a stop string; each is looked for in
        its own length and two tokens.
        """
        if reply.tokens[-1] in self.ends:
            return True
        lengths = {stop: self._length(stop) + 2 for stop in reply.stops}
        texts = {
            length: self.lm.tokenizer.decode(reply.tokens[-length:])
            for length in set(lengths.values())
        }
        return any(stop in texts[length] for stop, length in lengths.items())

    def inside(self, reply: Reply) -> bool:
        """Whether a stop string stands in the reply though no token seemed to complete it: spelt in
        unusually many tokens.
        """
        text = self.lm.tok_decode(reply.tokens, skip_special_tokens=False)
        return any(stop and stop in text for stop in reply.stops)

    def text(self, reply: Reply) -> str:
        text: str = postprocess_generated_text(self.lm.tok_decode(reply.tokens), reply.stops, None)
        return text

    def _length(self, stop: str) -> int:
        if stop not in self._lengths:
            self._lengths[stop] = len(self.lm.tokenizer.encode(stop, add_special_tokens=False))
        return self._lengths[stop]
