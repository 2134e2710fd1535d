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
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn, TypeVar

from lm_eval.api.model import LM
from tqdm import tqdm

from csc_tasks.play.ahead import Ahead
from csc_tasks.play.book import Book
from csc_tasks.play.chains import Chain
from csc_tasks.play.eligible import longest_prompt
from csc_tasks.play.failures import Tally
from csc_tasks.play.forced import longest_name, options
from csc_tasks.play.likelihoods import likelihoods, option_tokens
from csc_tasks.play.live import chain_of
from csc_tasks.play.renderer import Renderer
from csc_tasks.play.requests import PlayInstance
from csc_tasks.play.rows import Rows
from csc_tasks.play.seats import Seats
from csc_tasks.play.stop import Reply, Stop

if TYPE_CHECKING:
    from torch import Tensor

Value = TypeVar("Value")

Tokens = tuple[list[int], list[list[int]]]
"""A prompt's, and those of names to be compared after it."""

WAITING = 4
"""The next prompts are encoded when one row in this many waits: idle rows cost less than many small
forward passes.
"""


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
    chains = [
        chain_of(asked_together)(asked_together, renderer, tally)
        for requests in conversations
        for asked_together in ([requests] if requests[0].generated else [[r] for r in requests])
    ]
    _Replies(lm, chains, renderer, batch_size, progress).play()
    return chains


class _Replies:
    """The rows of `generate`, and what each does: it takes part in the next steps with a reply in
    the making, or waits to be encoded, for a reply or for names to be compared.
    """

    def __init__(
        self,
        lm: LM,
        chains: Sequence[Chain],
        renderer: Renderer,
        batch_size: int,
        progress: "tqdm[NoReturn]",
    ) -> None:
        self.book = Book(lm)
        self.lm = self.book.model
        self.renderer = renderer
        self.progress = progress
        self.seats = Seats(chains, batch_size, self._cached, self._tokens)
        self.rows = Rows(self.lm, self.seats.count, spare=1, slots=_slots(self.lm, chains))
        self.stop, self.ahead = Stop(self.lm), Ahead(chains)
        self.replies: dict[int, Reply] = {}
        # Of prompts that other rows held but for the last token: that token, for the next step.
        self.starts: dict[int, int] = {}
        self.choosing: dict[int, PlayInstance] = {}
        self.to_encode: dict[int, Tokens] = {}
        self.started = time.perf_counter()

    def play(self) -> None:
        """Until every chain is played."""
        while True:
            self._fill()
            if self._enough_to_encode():
                self._encode()
            if self.seats.ready():
                continue
            if not self.replies:
                if self.seats.waiting:
                    self.seats.wait()
                    continue
                return
            self._shrink()
            self._step()

    def _cached(self, chain: Chain, request: PlayInstance) -> bool:
        """Whether an earlier run's answer to the request is booked."""
        if request.choosing:
            values = self.book.likelihoods(request.arguments[0], options(request))
            if values is not None:
                chain.watch.add(self.book.cached_timing(request.arguments))
                chain.choose(values)
            return values is not None
        known = self.book.reply(request.arguments)
        if known is None:
            return False
        chain.watch.add(self.book.cached_timing(request.arguments))
        self.progress.update(chain.answer(*known))
        return True

    def _tokens(self, request: PlayInstance) -> Tokens:
        if request.choosing:
            return option_tokens(self.renderer, request.arguments[0], options(request))
        return self.renderer.tokens(request.arguments[0]), []

    def _fill(self) -> None:
        """Give the waiting rows their next requests. What another row holds of a prompt is copied;
        a row that lacks more than a token then is to be encoded.
        """
        for row, request, (prompt, names) in self.seats.next_requests():
            self.seats.chain(row).watch.start()
            longest = self.ahead.prompt(request, prompt)
            if longest is not None:
                self.rows.encode([self.rows.count], [longest])
            if names:
                self.choosing[row] = request
            else:
                self.replies[row] = self.stop.new_reply(request, len(prompt))
                if self.rows.fork(row, prompt):
                    self.starts[row] = prompt[-1]
                    continue
            self.to_encode[row] = prompt, names

    def _enough_to_encode(self) -> bool:
        """Whether as many rows wait as are worth a pass, or no other has anything to do."""
        waiting = len(self.to_encode)
        everyone = len(self.replies) + len(self.choosing)
        return waiting > 0 and (waiting == everyone or waiting * WAITING >= self.seats.count)

    def _encode(self) -> None:
        """Encode what waits: strategies are chosen, and replies get their first token."""
        encoded = _encoded(self.rows, self.to_encode)
        named, self.to_encode = self.to_encode, {}
        for row, logits in encoded.items():
            forced = self.choosing.pop(row, None)
            if forced:
                answers = likelihoods(logits, named[row][1], self.lm.softmax_dtype)
                self.book.keep_likelihoods(forced.arguments[0], options(forced), answers)
                self.seats.chain(row).watch.stop(len(named[row][0]), 0)
                self.seats.chain(row).choose([answer[0] for answer in answers])
                self.seats.waiting.append(row)
            else:
                self._take(row, self._likeliest(row, logits[-1]))

    def _shrink(self) -> None:
        """Keep only the rows that play, where they are half or less."""
        kept = self.seats.shrunk()
        if kept:
            self.rows.keep(kept)
            self.replies = _moved(self.replies, kept)
            self.starts, self.to_encode = _moved(self.starts, kept), _moved(self.to_encode, kept)
            self.choosing = _moved(self.choosing, kept)

    def _step(self) -> None:
        """One token more for every reply whose prompt is encoded."""
        playing = [row for row in sorted(self.replies) if row not in self.to_encode]
        last = {
            row: self.starts.pop(row) if row in self.starts else self.replies[row].tokens[-1]
            for row in playing
        }
        logits = self.rows.step([last.get(row) for row in range(self.seats.count)])
        best = logits.float().argmax(-1).tolist()
        for row in playing:
            alone = self.replies[row].penalty != 1
            self._take(row, self._likeliest(row, logits[row]) if alone else best[row])

    def _likeliest(self, row: int, logits: "Tensor") -> int:
        return self.stop.likeliest(logits, self.replies[row], self.rows.held[row])

    def _take(self, row: int, token: int) -> None:
        """Append a token to the row's reply; one that ends with it is booked, and the row waits."""
        reply = self.replies[row]
        chain = self.seats.chain(row)
        reply.tokens.append(token)
        chain.watch.token()
        ended = self.stop.reached(reply)
        if ended or len(reply.tokens) == reply.limit:
            text, cut = self.stop.text(reply), not ended and not self.stop.inside(reply)
            took = chain.watch.stop(reply.prompt_tokens, len(reply.tokens))
            self.book.keep_reply(reply.arguments, text, cut, took)
            done = chain.answer(text, cut)
            self.seats.waiting.append(row)
            del self.replies[row]
            _show(self.progress, self.rows, self.started, done)


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

    seats = Seats(chains, batch_size, cached, split)
    rows = Rows(lm, seats.count, slots=_slots(lm, chains))
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


def _slots(lm: LM, chains: Sequence[Chain]) -> int:
    """How many tokens a row will hold about: the longest prompt, or as much of it as is sent."""
    asked = [request for chain in chains for request in chain.requests]
    return min(longest_prompt(lm, asked), int(lm.max_length))


def _encoded(rows: Rows, asked: Mapping[int, Tokens]) -> "dict[int, Tensor]":
    """The logits after each row's prompt, and after the tokens of names to be compared."""
    # A name's last token predicts nothing that is asked for.
    tails = [[tokens[:-1] for tokens in names] for _, names in asked.values()]
    return rows.encode(list(asked), [prompt for prompt, _ in asked.values()], tails)


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
