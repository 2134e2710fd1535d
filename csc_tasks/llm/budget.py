"""What the requests of a build cost, and where it stops: `--price`, `--max-requests`, `--max-cost`.

Limits count everything in the journal, earlier runs included: a build that is started again by
accident does not spend its budget again. The cost of a reply is known when it is in, so while it is
out the most that it can cost is held back: what is spent goes over `--max-cost` by one reply at
most, and near the limit fewer are out at once.
"""

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from csc_tasks.errors import SettingError
from csc_tasks.llm.exchange import Request, Usage
from csc_tasks.llm.journal.totals import Totals
from csc_tasks.llm.outcomes import Fatal, Stopped
from csc_tasks.price import Price

if TYPE_CHECKING:
    from csc_tasks.llm.backends import Backend


@dataclass(slots=True)
class Spent:
    """What one stage has used. `uncounted` replies came without a token count: their cost is
    unknown and not in `cost`.
    """

    requests: int = 0
    input: int = 0
    output: int = 0
    uncounted: int = 0
    cost: float | None = None


class Budget:
    """Counts what each stage spends and says when it is enough.

    `prices`: stage -> Price; "" is the price of every other stage. Raises SettingError for a cost
    limit without prices.
    """

    def __init__(
        self,
        prices: Mapping[str, Price],
        max_requests: int | None = None,
        max_cost: float | None = None,
    ) -> None:
        if max_cost is not None and not prices:
            raise SettingError("--max-cost needs prices: --price IN,OUT per million tokens")
        self.prices = dict(prices)
        self.max_requests = max_requests
        self.max_cost = max_cost
        self.stages: dict[str, Spent] = {}
        # What is held for each request that is out; the longest reply of each stage, in tokens; who
        # waits for room.
        self._held: list[float] = []
        self._longest: dict[str, int] = {}
        self._waiting: list[asyncio.Future[None]] = []

    def carry_over(self, totals: Iterable[Totals]) -> None:
        """Count what earlier runs of this journal spent."""
        for part in totals:
            spent = self._stage(part.stage)
            spent.requests += part.tries
            spent.uncounted += part.uncounted
            self._add(part.stage, part.input_tokens, part.output_tokens)

    def admit(self, stage: str, most_input: int, most_output: int | None) -> float | None:
        """Count a request that is about to be sent and return what is held for it, for `release`;
        None where those that are out must come in first; raises Stopped when the limits leave no
        room for it.

        `most_input` and `most_output` are the most tokens of the request and of its reply; None is
        no bound.
        """
        held = 0.0
        sent = sum(spent.requests for spent in self.stages.values())
        if self.max_requests is not None and sent >= self.max_requests:
            raise Stopped(
                f"{sent:,} requests were sent and --max-requests is {self.max_requests:,}; raise it"
                " and run the command again"
            )
        if self.max_cost is not None:
            if stage not in self.prices and "" not in self.prices:
                raise SettingError(
                    f"--max-cost needs a price for the stage {stage!r}: --price {stage}=IN,OUT"
                )
            cost = self.cost or 0.0
            if cost >= self.max_cost:
                raise Stopped(
                    f"{cost:.4f} was spent and --max-cost is {self.max_cost:g}; raise it and"
                    " run the command again"
                )
            held = self._most(stage, most_input, most_output)
            if self._held and cost + sum(self._held) + held > self.max_cost:
                return None
        self._held.append(held)
        self._stage(stage).requests += 1
        return held

    def release(self, held: float | None) -> None:
        """The request that `held` was for is no longer out; None was never admitted."""
        if held is not None:
            self._held.remove(held)
            self.wake()

    async def room(
        self, backend: "Backend", request: Request, text: str, check: Callable[[], None]
    ) -> float:
        """Wait until `admit` has room for the request, whose text is sent; returns what is held for
        it. Raises what `admit` and `check` raise; `check` is called whenever something was
        released, and after `wake`.
        """
        most: tuple[int, int | None] = (0, None)
        if self.max_cost is not None:
            # A token is a byte at least.
            most = (len(text.encode()), backend.bound(request))
        while True:
            check()
            held = self.admit(request.stage, *most)
            if held is not None:
                return held
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn

    def wake(self) -> None:
        """Let all who wait look again."""
        waiting, self._waiting = self._waiting, []
        for turn in waiting:
            if not turn.done():
                turn.set_result(None)

    def add(self, stage: str, usage: Usage) -> None:
        """Count a reply; raises Fatal when its cost is unknown and limited."""
        if not usage.known:
            self._stage(stage).uncounted += 1
            if self.max_cost is not None:
                raise Fatal(
                    f"{stage}: the server counts no tokens, so --max-cost cannot be kept; use"
                    " --max-requests instead"
                )
        self._longest[stage] = max(self._longest.get(stage, 0), usage.output or 0)
        self._add(stage, usage.input or 0, usage.output or 0)

    @property
    def cost(self) -> float | None:
        """What is known to be spent in all; None where no stage has a price."""
        costs = [spent.cost for spent in self.stages.values() if spent.cost is not None]
        return sum(costs) if costs or self.prices else None

    def _stage(self, stage: str) -> Spent:
        return self.stages.setdefault(stage, Spent(cost=0.0 if self._price(stage) else None))

    def _price(self, stage: str) -> Price | None:
        return self.prices.get(stage, self.prices.get(""))

    def _most(self, stage: str, most_input: int, most_output: int | None) -> float:
        """The most that a request can cost; without a bound, what the longest reply of its stage
        would, and anything before there is one.
        """
        longest = self._longest.get(stage)
        if most_output is None and longest is None:
            return math.inf
        price = self._price(stage)
        return price.of(most_input, max(most_output or 0, longest or 0)) if price else 0.0

    def _add(self, stage: str, input_tokens: int, output_tokens: int) -> None:
        spent = self._stage(stage)
        spent.input += input_tokens
        spent.output += output_tokens
        price = self._price(stage)
        if price:
            spent.cost = (spent.cost or 0.0) + price.of(input_tokens, output_tokens)


def costs(
    totals: Iterable[Totals], prices: Mapping[str, Price]
) -> list[tuple[Totals, float | None]]:
    """Each stage and model of a journal with its known cost, None where it has no price."""
    priced = []
    for part in totals:
        price = prices.get(part.stage, prices.get(""))
        cost = price.of(part.input_tokens, part.output_tokens) if price else None
        priced.append((part, cost))
    return priced
