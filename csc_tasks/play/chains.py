"""Conversations as chains of requests: what each asks next, given what the model has answered so
far.

Every way of playing (plain.py, lockstep.py, concurrent.py) draws on the same chains, so that none
of them can ask anything else.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from lm_eval.api.model import LM
from lm_eval.models.utils import normalize_gen_kwargs

from csc_tasks.errors import ModelError
from csc_tasks.framework import likeliest
from csc_tasks.live.customers import Move
from csc_tasks.play.failures import Failure, Tally
from csc_tasks.play.forced import begun, longest_name
from csc_tasks.play.played import Choice, LivePlayed, Played
from csc_tasks.play.renderer import Renderer
from csc_tasks.play.requests import Chosen, PlayInstance
from csc_tasks.play.stopwatch import Stopwatch
from csc_tasks.play.told import Told
from csc_tasks.prompts import TEXT, Reply, TurnPrompt, read_begun, read_reply, writable
from csc_tasks.refusals import TooLong

Item = TypeVar("Item")
Answered = Played | Choice | LivePlayed
"""What comes back for a request, whichever kind it is."""


@dataclass(frozen=True, slots=True)
class First:
    """What came first for a request, could not be read and is asked for again; with the arguments
    that it was asked with.
    """

    arguments: tuple[Any, ...]
    played: Played
    reply: Reply


@dataclass(eq=False, repr=False)
class Chain:
    """Requests that are asked one after the other, each as soon as the one before it is answered.

    `tally` counts those that fail. `limit` is the reply length in tokens for which every prompt
    leaves room; without it each request's own `max_gen_toks` counts. `told` is for API servers:
    what they say about the length of prompts. `watch` is told what each request took.
    """

    requests: Sequence[PlayInstance]
    renderer: Renderer
    tally: Tally
    limit: int | None = None
    told: Told | None = None
    position: int = field(default=0, init=False)
    dropped: int | None = field(default=None, init=False)
    replies: dict[int, Reply] = field(default_factory=dict, init=False)
    first: First | None = field(default=None, init=False)
    answers: list[Answered] = field(default_factory=list, init=False)
    watch: Stopwatch = field(default_factory=Stopwatch, init=False)
    # What has to be there before the next request is known: the turn of a live customer.
    coming: Future[Move] | None = field(default=None, init=False)

    def ask(self) -> PlayInstance | None:
        """The next request with its rendered prompt as `arguments[0]`; None when all are answered.

        A request whose instructions alone do not fit the model fails here, and the one after it is
        next. A forced one is given until its strategy is chosen, and then with its reply begun.
        """
        while self.position < len(self.requests):
            request = self.requests[self.position]
            kwargs = request.arguments[1]
            room = self.limit or reply_tokens(self.renderer.lm, kwargs)
            replies = self.replies if request.generated else None
            unread = self.first.reply if self.first else None
            if request.forced:
                room += longest_name(request)
            try:
                prompt, dropped = self.renderer.fitting(request, room, replies, self.told, unread)
                self.dropped = dropped
            except ModelError as error:
                if self.first:
                    self._keep(self.first)
                    continue
                self.dropped = None
                self.fail(Failure("item", "prompt too long", str(error)))
                continue
            if request.chosen:
                prompt = begun(request, prompt)
            request.arguments = (prompt, kwargs)
            return request
        return None

    def answer(self, text: str | None, truncated: bool | None) -> bool:
        """Book the reply to the request that `ask` gave last. False: its strategy cannot be read,
        and `ask` gives the request once more (`csc_reask`).
        """
        request = self.requests[self.position]
        how, prompt = self.renderer.reading(request, truncated), request.prompt
        first = self.first.played.text if self.first else None
        played = Played(
            writable(text or ""),
            truncated,
            self.dropped,
            thinking=how,
            first=first,
            chosen=request.chosen,
        )
        if request.chosen:
            reply = read_begun(text, request.chosen.strategy, prompt.language, how)
        else:
            form = prompt.form if isinstance(prompt, TurnPrompt) else TEXT
            reply = read_reply(text, how, prompt.language, form)
        if reply.strategy is None and first is None and _asks_again(request):
            self.first = First(request.arguments, played, reply)
            return False
        self._book(played, reply)
        return True

    def choose(self, loglikelihoods: Sequence[float]) -> None:
        """Book the twelve log-likelihoods for the request that `ask` gave last. Of a forced one
        they choose the strategy, and its reply is asked next.
        """
        request = self.requests[self.position]
        if request.forced:
            request.chosen = Chosen(likeliest(loglikelihoods), list(loglikelihoods))
            return
        self._book(Choice(list(loglikelihoods), self.dropped))

    def force(self, strategy: str, written: str) -> None:
        """Book the strategy id that a server wrote for the forced request that `ask` gave last."""
        self.requests[self.position].chosen = Chosen(strategy, written=written)

    def fail(self, failure: Failure) -> None:
        """Book that the request has no reply; raises ModelError when that is one too many. It
        re-enters as no reply.
        """
        request = self.requests[self.position]
        self.tally.fail(request, failure)
        if request.chooses:
            self._book(Choice(None, self.dropped, failure.reason))
        else:
            first = self.first.played.text if self.first else None
            played = Played("", False, self.dropped, failure.reason, first=first)
            self._book(played, read_reply(None))

    def shorten(self, too_long: TooLong) -> None:
        """The server refused the prompt that `ask` gave last: `ask` gives it shorter, or it fails
        where no history is left.
        """
        request = self.requests[self.position]
        droppable = request.prompt.droppable()
        if self.dropped is None or self.told is None or self.dropped >= droppable:
            if self.first:
                self._keep(self.first)
                return
            reply = self.limit or reply_tokens(self.renderer.lm, request.arguments[1])
            detail = (
                "the server has no room for instructions and question alone beside a reply of"
                f" {reply} tokens (max_gen_toks and csc_think_tokens): {too_long.said}"
            )
            self.fail(Failure("item", "prompt too long", detail))
        else:
            self.told.refused(too_long, request.arguments[0], self.dropped, droppable)

    def _keep(self, first: "First") -> None:
        """Book the first reply: there is no room to ask for it again."""
        self.requests[self.position].arguments = first.arguments
        self._book(first.played, first.reply)

    def _book(self, answer: "Played | Choice", reply: Reply | None = None) -> None:
        request = self.requests[self.position]
        took = self.watch.taken()
        if isinstance(answer, Played) and not answer.failed:
            answer = replace(answer, timing=took)
        self.answers.append(answer)
        if request.generated and reply is not None and isinstance(request.prompt, TurnPrompt):
            self.replies[request.prompt.turn] = reply
        if self.told:
            self.told.accepted()
        self.first = None
        self.position += 1


def _asks_again(request: PlayInstance) -> bool:
    """Whether a reply without a readable strategy is asked for once more."""
    prompt = request.prompt
    return bool(request.settings.reask and isinstance(prompt, TurnPrompt) and prompt.names_strategy)


def conversations(requests: Iterable[PlayInstance]) -> list[list[PlayInstance]]:
    """The requests, each once, by conversation and in the order they came in. lm_eval pads a rank's
    requests by repeating some.
    """
    grouped: dict[tuple[str | None, int | None, int], list[PlayInstance]] = {}
    for request in {id(request): request for request in requests}.values():
        grouped.setdefault(request.conversation, []).append(request)
    return list(grouped.values())


def in_order(chains: Iterable[Chain], requests: Sequence[PlayInstance]) -> list[Answered]:
    """What was booked for each request, in the order of `requests`."""
    answers = {
        id(request): answer
        for chain in chains
        for request, answer in zip(chain.requests, chain.answers, strict=True)
    }
    return [answers[id(request)] for request in requests]


def windows(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Consecutive slices of at most `size`."""
    return (items[start : start + size] for start in range(0, len(items), size))


def reply_tokens(lm: LM, kwargs: dict[str, Any]) -> int:
    """How many tokens a reply may have."""
    limit: int = normalize_gen_kwargs(kwargs, getattr(lm, "max_gen_toks", 256))["max_gen_toks"]
    return limit
