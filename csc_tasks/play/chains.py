"""Conversations as chains of requests: what each asks next, given what the model has answered so far.

Every way of playing (plain.py, lockstep.py, concurrent.py) draws on the same chains, so that none of them can ask anything else.
"""

from collections.abc import Iterable, Iterator, Sequence

from lm_eval.models.utils import normalize_gen_kwargs

from csc_tasks.play.requests import Played, PlayInstance, Renderer
from csc_tasks.prompts import Reply, read_reply, writable


class Chain:
    """Requests that are asked one after the other, each as soon as the one before it is answered.

    `limit` is the reply length in tokens for which every prompt leaves room; without it each request's own `max_gen_toks` counts.
    """

    def __init__(self, requests: Sequence[PlayInstance], renderer: Renderer, limit: int | None = None) -> None:
        self.requests = requests
        self.renderer = renderer
        self.limit = limit
        self.position = 0
        self.dropped: int | None = None
        self.replies: dict[int, Reply] = {}
        self.answers: list = []

    def ask(self) -> PlayInstance | None:
        """The next request with its rendered prompt as `arguments[0]`; None when all are answered."""
        if self.position == len(self.requests):
            return None
        request = self.requests[self.position]
        kwargs = request.arguments[1]
        room = self.limit or reply_tokens(self.renderer.lm, kwargs)
        prompt, self.dropped = self.renderer.fitting(request, room, self.replies if request.generated else None)
        request.arguments = (prompt, kwargs)
        return request

    def answer(self, text: str | None, truncated: bool | None) -> None:
        """Book the reply to the request that `ask` gave last."""
        request = self.requests[self.position]
        how = self.renderer.reading(request, truncated)
        self.answers.append(Played(writable(text or ""), truncated, self.dropped, how))
        if request.generated:
            self.replies[request.prompt.turn] = read_reply(text, how)
        self.position += 1

    def choose(self, loglikelihoods: Sequence[float]) -> None:
        """Book the twelve log-likelihoods for the request that `ask` gave last."""
        self.answers.append({"loglikelihoods": list(loglikelihoods), "history_truncated": self.dropped})
        self.position += 1


def conversations(requests: Iterable[PlayInstance]) -> list[list[PlayInstance]]:
    """The requests, each once, by conversation and in the order they came in. lm_eval pads a rank's requests by repeating some."""
    grouped: dict[tuple, list[PlayInstance]] = {}
    for request in {id(request): request for request in requests}.values():
        grouped.setdefault(request.conversation, []).append(request)
    return list(grouped.values())


def in_order(chains: Iterable[Chain], requests: Sequence[PlayInstance]) -> list:
    """What was booked for each request, in the order of `requests`."""
    found = {id(request): answer for chain in chains for request, answer in zip(chain.requests, chain.answers, strict=True)}
    return [found[id(request)] for request in requests]


def windows(items: Sequence, size: int) -> Iterator[Sequence]:
    """Consecutive slices of at most `size`."""
    return (items[start : start + size] for start in range(0, len(items), size))


def reply_tokens(lm, kwargs: dict) -> int:
    """How many tokens a reply may have."""
    return normalize_gen_kwargs(kwargs, getattr(lm, "max_gen_toks", 256))["max_gen_toks"]
