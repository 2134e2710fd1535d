"""Lockstep play for lm_eval's HF backend: a batch of conversations with one key-value cache that is
kept between turns.

In reference context every prompt is known beforehand, so turns are played one by one in whichever
row is free: a conversation's longest prompt is encoded once, into a row kept for that, and each
turn starts from a copy of what it needs of it. In generated context a row plays a conversation,
those with the most turns first. A row that has new tokens to encode waits until a share of the rows
waits with it, so that they are encoded together; a row whose conversation has ended takes the next
one, and finds the instructions already in the cache. Memory is bounded by the batch: one cache row
for each reply in the making, and one more in reference context.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, NoReturn, TypeVar

from lm_eval.api.model import LM
from lm_eval.models.utils import (
    handle_stop_sequences,
    normalize_gen_kwargs,
    postprocess_generated_text,
)
from tqdm import tqdm

from csc_tasks.play.ahead import Ahead
from csc_tasks.play.book import Arguments, Book
from csc_tasks.play.chains import Chain
from csc_tasks.play.failures import Tally
from csc_tasks.play.forced import longest_name, options
from csc_tasks.play.likelihoods import likelihoods, option_tokens
from csc_tasks.play.requests import PlayInstance, Renderer
from csc_tasks.play.rows import Rows
from csc_tasks.stops import end_tokens

if TYPE_CHECKING:
    from torch import Tensor

Encoded = TypeVar("Encoded")
Value = TypeVar("Value")

Tokens = tuple[list[int], list[list[int]]]
"""A prompt's, and those of names to be compared after it."""

WAITING = 4
"""The next prompts are encoded when one row in this many waits: idle rows cost less than many small
forward passes.
"""


@dataclass(slots=True)
class Reply:
    """A reply in the making."""

    arguments: Arguments
    limit: int
    stops: list[str]
    penalty: float
    tokens: list[int] = field(default_factory=list)


def encoder(lm: LM) -> Callable[[str], list[int]]:
    """Prompts to tokens as the backend encodes those it generates from."""

    def encode(prompt: str) -> list[int]:
        tokens: list[int] = lm.tok_batch_encode([prompt])[0][0].tolist()
        return tokens

    return encode


def generate(
    lm: LM,
    conversations: Sequence[Sequence[PlayInstance]],
    renderer: Renderer,
    batch_size: int,
    tally: Tally,
    progress: "tqdm[NoReturn]",
) -> list[Chain]:
    """Play all conversations greedily. The replies are those that the backend itself gives to one
    prompt at a time. `renderer` encodes with `encoder`.
    """
    book = Book(lm)
    lm = book.model
    chains = [
        Chain(asked_together, renderer, tally)
        for requests in conversations
        for asked_together in ([requests] if requests[0].generated else [[r] for r in requests])
    ]

    def cached(chain: Chain, request: PlayInstance) -> bool:
        if request.choosing:
            values = book.likelihoods(request.arguments[0], options(request))
            if values is not None:
                chain.choose(values)
            return values is not None
        known = book.reply(request.arguments)
        if known is None:
            return False
        progress.update(chain.answer(*known))
        return True

    def split(request: PlayInstance) -> Tokens:
        if request.choosing:
            return option_tokens(renderer, request.arguments[0], options(request))
        return renderer.tokens(request.arguments[0]), []

    seats = _Seats(chains, batch_size, cached, split)
    rows, stop, ahead = Rows(lm, seats.count, spare=1), _Stop(lm), Ahead(chains)
    replies: dict[int, Reply] = {}
    starts: dict[int, int] = {}
    choosing: dict[int, PlayInstance] = {}
    to_encode: dict[int, Tokens] = {}
    started = time.perf_counter()

    def take(row: int, token: int) -> None:
        reply = replies[row]
        reply.tokens.append(token)
        ended = stop.reached(reply)
        if ended or len(reply.tokens) == reply.limit:
            text, cut = stop.text(reply), not ended and not stop.inside(reply)
            book.keep_reply(reply.arguments, text, cut)
            done = seats.chain(row).answer(text, cut)
            seats.waiting.append(row)
            del replies[row]
            _show(progress, rows, started, done)

    while True:
        for row, request, (prompt, names) in seats.next_requests():
            longest = ahead.prompt(request, prompt)
            if longest is not None:
                rows.encode([rows.count], [longest])
            if names:
                choosing[row] = request
            else:
                replies[row] = stop.new_reply(request)
                if rows.fork(row, prompt):
                    starts[row] = prompt[-1]
                    continue
            to_encode[row] = prompt, names
        if to_encode and (
            len(to_encode) == len(replies) + len(choosing)
            or len(to_encode) * WAITING >= seats.count
        ):
            encoded = _encoded(rows, to_encode)
            named, to_encode = to_encode, {}
            for row, after in encoded.items():
                forced = choosing.pop(row, None)
                if forced:
                    answers = likelihoods(after, named[row][1], lm.softmax_dtype)
                    book.keep_likelihoods(forced.arguments[0], options(forced), answers)
                    seats.chain(row).choose([answer[0] for answer in answers])
                    seats.waiting.append(row)
                    continue
                take(row, stop.likeliest(after[-1], replies[row], rows.held[row]))
            if seats.waiting:
                continue
        if not replies:
            return chains
        still_playing = seats.shrunk()
        if still_playing:
            rows.keep(still_playing)
            replies = _moved(replies, still_playing)
            starts, to_encode = _moved(starts, still_playing), _moved(to_encode, still_playing)
            choosing = _moved(choosing, still_playing)
        playing = [row for row in sorted(replies) if row not in to_encode]
        last = {
            row: starts.pop(row) if row in starts else replies[row].tokens[-1] for row in playing
        }
        logits = rows.step([last.get(row) for row in range(seats.count)])
        best = logits.float().argmax(-1).tolist()
        for row in playing:
            if replies[row].penalty == 1:
                take(row, best[row])
            else:
                take(row, stop.likeliest(logits[row], replies[row], rows.held[row]))


def choose(
    lm: LM,
    conversations: Sequence[Sequence[PlayInstance]],
    renderer: Renderer,
    batch_size: int,
    tally: Tally,
    progress: "tqdm[NoReturn]",
) -> list[Chain]:
    """The twelve names' log-likelihoods after every prompt, from one pass over what is new in the
    prompt and the names.
    """
    book = Book(lm)
    lm = book.model
    chains = [
        Chain(requests, renderer, tally, longest_name(requests[0]))
        for requests in _spread(conversations, batch_size)
    ]

    def cached(chain: Chain, request: PlayInstance) -> bool:
        known = book.likelihoods(request.arguments[0], options(request))
        if known is None:
            return False
        chain.choose(known)
        progress.update()
        return True

    def split(request: PlayInstance) -> Tokens:
        return option_tokens(renderer, request.arguments[0], options(request))

    seats = _Seats(chains, batch_size, cached, split)
    rows = Rows(lm, seats.count)
    started = time.perf_counter()
    while asked := seats.next_requests():
        logits = _encoded(rows, {row: encoded for row, _, encoded in asked})
        for row, request, (_, names) in asked:
            answers = likelihoods(logits.pop(row), names, lm.softmax_dtype)
            book.keep_likelihoods(request.arguments[0], options(request), answers)
            seats.chain(row).choose([answer[0] for answer in answers])
            seats.waiting.append(row)
            _show(progress, rows, started, True)
    return chains


def _encoded(rows: Rows, asked: Mapping[int, Tokens]) -> "dict[int, Tensor]":
    """The logits after each row's prompt, and after the tokens of names to be compared."""
    # A name's last token predicts nothing that is asked for.
    tails = [[tokens[:-1] for tokens in names] for _, names in asked.values()]
    return rows.encode(list(asked), [prompt for prompt, _ in asked.values()], tails)


class _Seats(Generic[Encoded]):
    """Which conversation plays in which row. `waiting` rows want their next prompt."""

    def __init__(
        self,
        chains: Sequence[Chain],
        batch_size: int,
        cached: Callable[[Chain, PlayInstance], bool],
        encode: Callable[[PlayInstance], Encoded],
    ) -> None:
        self.queue = deque(sorted(chains, key=lambda chain: -len(chain.requests)))
        self.cached = cached
        self.encode = encode
        self.chains: list[Chain | None] = [
            self.queue.popleft() for _ in range(min(batch_size, len(chains)))
        ]
        self.waiting = list(range(self.count))

    @property
    def count(self) -> int:
        return len(self.chains)

    def chain(self, row: int) -> Chain:
        """The conversation that plays in a row that is not empty."""
        chain = self.chains[row]
        assert chain is not None
        return chain

    def next_requests(self) -> list[tuple[int, PlayInstance, Encoded]]:
        """(row, request, what `encode` makes of it) for the waiting rows; a row for which nothing
        is left to ask stays empty.
        """
        asked = []
        for row in self.waiting:
            while (chain := self.chains[row]) is not None:
                request = chain.ask()
                if request is None:
                    self.chains[row] = self.queue.popleft() if self.queue else None
                elif not self.cached(chain, request):
                    asked.append((row, request, self.encode(request)))
                    break
        self.waiting = []
        return asked

    def shrunk(self) -> list[int]:
        """The rows to keep where half of them or more have nothing left to do; they become the rows
        0, 1, ... of this.
        """
        taken = [row for row, chain in enumerate(self.chains) if chain is not None]
        if not taken or len(taken) * 2 > self.count:
            return []
        self.chains = [self.chains[row] for row in taken]
        self.waiting = [taken.index(row) for row in self.waiting]
        return taken


class _Stop:
    """When a reply ends and what its text is, by the rules of lm_eval's HF backend for a batch of
    one.
    """

    def __init__(self, lm: LM) -> None:
        self.lm = lm
        self.ends = end_tokens(lm.tokenizer, lm.model.generation_config.eos_token_id)
        self.eos = lm.tok_decode(lm.eot_token_id, skip_special_tokens=False)
        self.penalty = lm.model.generation_config.repetition_penalty or 1.0
        self._lengths: dict[str, int] = {}

    def new_reply(self, request: PlayInstance) -> Reply:
        kwargs = normalize_gen_kwargs(request.arguments[1], self.lm.max_gen_toks)
        stops = handle_stop_sequences(kwargs.get("until"), eos=self.eos)
        return Reply(
            request.arguments,
            kwargs["max_gen_toks"],
            stops,
            kwargs.get("repetition_penalty", self.penalty),
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


def _moved(of_row: Mapping[int, Value], kept: Sequence[int]) -> dict[int, Value]:
    """What belongs to the rows that are kept, by their new numbers."""
    return {new: of_row[old] for new, old in enumerate(kept) if old in of_row}


def _spread(
    conversations: Sequence[Sequence[PlayInstance]], batch_size: int
) -> list[Sequence[PlayInstance]]:
    """The conversations; where they are fewer than rows, those whose turns do not depend on replies
    as runs of their turns.
    """
    runs = -(-batch_size // max(1, len(conversations)))
    spread: list[Sequence[PlayInstance]] = []
    for requests in conversations:
        size = len(requests) if requests[0].generated else -(-len(requests) // runs)
        spread += [requests[start : start + size] for start in range(0, len(requests), size)]
    return spread


def _show(progress: "tqdm[NoReturn]", rows: Rows, started: float, done: bool) -> None:
    """Count a turn, where it is done. Shown are the turns done (and so the time left), and tokens
    of prompts and replies a second, whether they were computed or re-used.
    """
    tokens = rows.asked + rows.decoded
    progress.set_postfix_str(
        f"{tokens / (time.perf_counter() - started):,.0f} tokens/s", refresh=False
    )
    progress.update(done)
