"""When most of what is asked fails alike: the run stops and says what is wrong, instead of paying
for the rest of it.
"""

from collections import Counter, deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from csc_tasks.llm.diagnosis import Settings, diagnosis
from csc_tasks.llm.outcomes import Dropped, Failing, GivenUp, Malformed, Refused
from csc_tasks.llm.shards import Elsewhere

if TYPE_CHECKING:
    from csc_tasks.llm.client import LLM

# Nine of ten: a model that fails half of the time is a poor one, and the user's to judge.
MOST = 0.9
# What comes of asking itself; a rule's or a judge's no is what they are there for.
FAILURES = (Refused, Malformed, GivenUp)

Scope = tuple[str, str]


class Watch:
    """Remembers the last `size` outcomes of each scope (a stage, a round of items) and stops `llm`
    where most of them failed alike; a `size` of 0 never does.
    """

    def __init__(self, llm: "LLM", size: int) -> None:
        self.llm, self.size = llm, size
        self._last: dict[Scope, deque[Dropped | None]] = {}

    def passed(self, scope: Scope) -> None:
        """Something in this scope came out well."""
        self._window(scope).append(None)

    def failed(self, scope: Scope, error: Dropped) -> None:
        """Something failed; raises Failing, and stops the run, where that is most of the last."""
        window = self._window(scope)
        window.append(error)
        if not self.size or len(window) < self.size:
            return
        alike = [failed for failed in window if failed and failed.reason == error.reason]
        if len(alike) >= MOST * self.size:
            raise self._failing(alike, self.size)

    def item_dropped(self, round_name: str, error: Dropped) -> None:
        """An item of a round was dropped; raises Failing as `failed` does."""
        scope = ("items", round_name)
        if isinstance(error, Elsewhere):  # which says nothing of the model
            return
        if isinstance(error, FAILURES):
            self.failed(scope, error)
        else:
            self.passed(scope)

    def end_of_round(
        self, items: int, drops: Sequence[Dropped], given_up: Sequence[GivenUp]
    ) -> None:
        """Say what a round of `items` left without a reply, and why most were dropped where asking
        is the cause; raises Failing where the server has not answered a single request of this run
        (which a small part of a build may have met by chance: a `size` of 0 lets it end).
        """
        if self.size and given_up and not self.llm.answered and not self.llm.replayed:
            raise self._failing(_commonest(given_up), len(given_up))
        if given_up:
            reasons = Counter(error.reason for error in given_up)
            counts = "; ".join(f"{count:,} {reason}" for reason, count in sorted(reasons.items()))
            first = given_up[0]
            self.llm.tell(
                f"dropped without a reply: {counts} (the first: {first.item_id}, {first.detail});"
                " run.json names them all, --retry-dropped asks for them again"
            )
        alike = _commonest([error for error in drops if isinstance(error, FAILURES)])
        # Of fewer than three, "most" says nothing.
        if items >= 3 and len(alike) >= MOST * items:
            self.llm.tell(self._diagnosis(alike, items, stops=False))

    def _failing(self, alike: Sequence[Dropped], of: int) -> Failing:
        """The error that says what failed alike; the run is stopped by it."""
        # Nothing says that the server would not have answered these if it were not for what must
        # be changed.
        self.llm.take_up(error.key for error in alike if isinstance(error, GivenUp))
        reason = Failing(self._diagnosis(alike, of, stops=True))
        self.llm.stop(reason)
        return reason

    def _diagnosis(self, alike: Sequence[Dropped], of: int, stops: bool) -> str:
        stage = alike[-1].reason.partition(": ")[0]
        return diagnosis(alike, of, self._spent(), self._settings(stage), stops)

    def _window(self, scope: Scope) -> "deque[Dropped | None]":
        return self._last.setdefault(scope, deque(maxlen=self.size))

    def _spent(self) -> str:
        """Requests, tokens and cost so far."""
        stages = self.llm.budget.stages.values()
        cost = self.llm.budget.cost
        ever = sum(spent.requests for spent in stages)
        parts = (
            f"{self.llm.sent:,} requests",
            f"{ever:,} with those of earlier runs" if ever > self.llm.sent else "",
            f"{sum(spent.input for spent in stages):,} tokens in",
            f"{sum(spent.output for spent in stages):,} out",
            "cost unknown (--price)" if cost is None else f"cost {cost:.4f}",
        )
        return ", ".join(filter(None, parts))

    def _settings(self, stage: str) -> Settings:
        """What a diagnosis of this stage names."""
        backend, asked = self.llm.backend(stage), self.llm.asked[stage]
        return Settings(
            stage,
            f"{backend.name}:{backend.model}".rstrip(":"),
            asked.form if asked.schema else "",
            backend.bound(asked),
            backend.timeout,
            self.llm.concurrency,
        )


def _commonest(errors: Sequence[Dropped]) -> list[Dropped]:
    """Those with the commonest reason."""
    if not errors:
        return []
    reason, _ = Counter(error.reason for error in errors).most_common(1)[0]
    return [error for error in errors if error.reason == reason]
