"""Turns that got no reply: why, how many, and when there are so many that the run stops.

A failed turn is scored as wrong and never cached as a reply, so that the next run with the same
cache asks it again.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from csc_tasks.errors import ModelError
from csc_tasks.play.requests import PlayInstance

FIRST = 5
"""So many turns that the server failed before it answered any are enough to know that it is not
there.
"""
LATER = 20
"""So many in a row are enough to know that it has gone."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request got no reply. `reason` is one of few and is counted; `detail` is what happened
    to this request.

    `kind`: "item" (this request alone), "odd" (a response that is none: try again), "server" (try
    again), "busy" (wait
    `wait` seconds where given), "final" (a wrong key, a model that does not exist: nothing works
    until it is changed).
    """

    kind: str
    reason: str
    detail: str
    wait: float | None = None


class Tally:
    """Counts the failed turns of one call and stops the run when they are more than
    `csc_max_failed` allows.

    where: the model or server, as it is named in errors. kept: whether replies are kept by
    --use_cache.
    connections: how many requests may be under way at once at a server, None for a model on this
    machine.
    """

    def __init__(
        self,
        requests: Sequence[PlayInstance],
        where: str,
        kept: bool,
        connections: int | None = None,
    ) -> None:
        self.total = sum(one.expected for one in {id(one): one for one in requests}.values())
        self.share = min(request.settings.max_failed for request in requests) if requests else 0.0
        self.where, self.kept, self.connections = where, kept, connections
        self.answered = 0
        self.reasons: Counter[str] = Counter()
        self.first = ""
        self._in_a_row = 0

    @property
    def allowed(self) -> int:
        """How many may fail. One bad turn never ends a run, however few turns it has, unless none
        is allowed.
        """
        return max(1, int(self.share * self.total)) if self.share else 0

    def answer(self) -> None:
        """The server has answered a request."""
        self.answered += 1
        self._in_a_row = 0

    def fail(self, request: PlayInstance, failure: Failure) -> None:
        """Count a failed turn; raises ModelError when the run is to stop."""
        what = f"{_place(request)}: {failure.detail}"
        self.reasons[failure.reason] += 1
        self.first = self.first or what
        silent = self.connections is not None and not self.answered
        if failure.kind == "final" and silent:
            raise ModelError(f"{self.where}: {failure.detail}; no request was answered")
        failed = self.reasons.total()
        self._in_a_row += failure.kind in ("server", "busy")
        gone = self._in_a_row >= (FIRST if silent else max(LATER, 2 * (self.connections or 1)))
        where = f"{self.where}: no request was answered, and" if silent else f"{self.where}:"
        if gone:
            raise ModelError(
                f"{where} {self._in_a_row} turns in a row failed ({self._most()}), at last {what};"
                f" {self._way_on()}"
            )
        if failed > self.allowed:
            raise ModelError(
                f"{where} {failed} of {self.total} turns failed ({self._most()}), more than"
                f" csc_max_failed={self.share:g} allows; the first: {self.first}; {self._way_on()}"
            )

    def summary(self) -> str:
        """One sentence about the failed turns, "" where there are none."""
        if not self.reasons:
            return ""
        return (
            f"{self.reasons.total()} of {self.total} turns failed and count as wrong"
            f" ({self._most()}); the first: {self.first}; the same command"
            f" {'' if self.kept else 'with --use_cache '}asks them again"
        )

    def _most(self) -> str:
        most = self.reasons.most_common(4)
        others = self.reasons.total() - sum(count for _, count in most)
        return ", ".join(
            f"{reason}: {count}"
            for reason, count in [*most, *([("others", others)] if others else [])]
        )

    def _way_on(self) -> str:
        if self.kept:
            return "finished replies are in the cache: the same command goes on from there"
        return (
            "with --use_cache FILE finished replies are kept, and the same command goes on from"
            " there"
        )


def _place(request: PlayInstance) -> str:
    turn = getattr(request.prompt, "turn", None)
    return f"{request.doc['conversation_id']}{'' if turn is None else f' turn {turn}'}"
