"""Playing an async worker over many items: bounded concurrency, counted drops, results in the
items' order, a clean stop.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from csc_tasks.llm.outcomes import Dropped, Failing, Fatal, OpenRound, Stopped, Unanswered
from csc_tasks.llm.progress import Progress

if TYPE_CHECKING:
    from csc_tasks.llm.client import LLM


Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Item, Result]):
    """What became of the items: `results` (item, value) and `drops` (item, what it raised), both in
    the items' order.
    """

    results: list[tuple[Item, Result]]
    drops: list[tuple[Item, Dropped]]

    @property
    def values(self) -> list[Result]:
        """What the worker returned, in the items' order."""
        return [value for _, value in self.results]

    @property
    def ended(self) -> int:
        """How many items there are results or drops of."""
        return len(self.results) + len(self.drops)

    @property
    def dropped(self) -> Counter[str]:
        """Reason -> number of items."""
        return Counter(error.reason for _, error in self.drops)


async def run_items(
    items: Iterable[Item],
    worker: Callable[[Item], Awaitable[Result]],
    llm: "LLM",
    progress: Progress | None = None,
    concurrency: int | None = None,
) -> Outcome[Item, Result]:
    """Await `worker(item)` for every item, at most `concurrency` at once (default: what the
    llm works at together), and close the llm's connections.

    A worker that raises Dropped drops its item. Stopped and Fatal let what is out come in, and are
    raised when it has; so is Failing, where most items fail alike or nothing was answered at all.
    Anything else (a bug, Ctrl-C) cancels the rest and is raised. The journal keeps what was
    answered in every case. The outcome does not depend on the order in which replies arrive. Where
    the llm only reads its journal, the outcome ends before the first item that is not complete.
    """
    items = list(items)
    # By the item's place.
    results: dict[int, Result] = {}
    drops: dict[int, Dropped] = {}
    stops: list[Stopped | Fatal] = []
    unanswered: list[int] = []
    waiting = iter(range(len(items)))
    progress = progress or Progress(len(items))
    if not llm.only_reads:
        progress.start(llm)
    before = len(llm.given_up)

    async def work() -> None:
        for i in waiting:
            if stops or unanswered:
                return
            progress.begin()
            try:
                results[i] = await worker(items[i])
                progress.done += 1
                llm.watch.passed(("items", progress.name))
            except Dropped as error:
                # Its traceback would hold all that the worker had in hand.
                drops[i] = error.with_traceback(None)
                progress.dropped += 1
                try:
                    llm.watch.item_dropped(progress.name, error)
                except Failing as failing:
                    stops.append(failing)
            except Unanswered:
                unanswered.append(i)
            except (Stopped, Fatal) as error:
                stops.append(error)
            finally:
                progress.end()

    tasks = [
        asyncio.create_task(work()) for _ in range(min(concurrency or llm.together, len(items)))
    ]
    drawing = asyncio.create_task(progress.draw_on(llm))
    try:
        await _all_or_first_error(tasks)
    finally:
        for task in (*tasks, drawing):
            task.cancel()
        await asyncio.gather(*tasks, drawing, return_exceptions=True)
        await llm.disconnect()
        if not llm.only_reads:
            progress.finish(llm)
    if stops:
        raise llm.stopped or stops[0]
    complete = len(items)
    if unanswered:
        complete = min(unanswered)
        llm.open_rounds.append(OpenRound(progress.name, complete, len(items)))
    elif not llm.only_reads:
        llm.watch.end_of_round(len(items), list(drops.values()), llm.given_up[before:])
    return Outcome(
        [(items[i], results[i]) for i in sorted(results) if i < complete],
        [(items[i], drops[i]) for i in sorted(drops) if i < complete],
    )


async def _all_or_first_error(tasks: Sequence["asyncio.Task[None]"]) -> None:
    """Wait for every task, and raise the first error as soon as it is there."""
    if tasks:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
