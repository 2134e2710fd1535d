"""Many items: results in the items' order, drops counted, errors raised."""

import asyncio
import io
from collections import Counter

import pytest

from csc_tasks.llm.items import run_items
from csc_tasks.llm.outcomes import Dropped
from csc_tasks.llm.progress import Progress
from tests.support import virtual_time
from tests.support.llm_asking import (
    ask_all_virtually,
)
from tests.support.llm_server import Act, echo


def test_sixty_four_are_out_at_once_and_results_keep_the_items_order(make_virtual):
    def script(body, number):
        return Act(echo(body).content, delay=0.4 if number < 64 else 0.02 * (number % 7))

    llm, server = make_virtual(script, concurrency=64)
    outcome = ask_all_virtually(llm, range(300))
    assert server.most == 64
    assert outcome.values == [f"echo {i}" for i in range(300)]
    assert [item for item, _ in outcome.results] == list(range(300))
    assert llm.sent == server.count == 300


def test_run_items_counts_drops_and_keeps_their_order(make):
    llm = make("http://127.0.0.1:9/v1", specs=["scripted"])

    async def worker(item):
        await asyncio.sleep(0.01 * (item % 3))
        if item % 5 == 0:
            raise Dropped("too_few_turns", f"{item} turns")
        return item * 2

    outcome = asyncio.run(
        run_items(range(20), worker, llm, Progress(20, stream=io.StringIO()), concurrency=6)
    )
    assert outcome.values == [item * 2 for item in range(20) if item % 5]
    assert [(item, error.detail) for item, error in outcome.drops] == [
        (item, f"{item} turns") for item in (0, 5, 10, 15)
    ]
    assert outcome.dropped == Counter(too_few_turns=4)
    assert asyncio.run(run_items([], worker, llm, Progress(0, stream=io.StringIO()))).values == []


def test_a_bug_in_a_worker_is_raised_as_it_is(make):
    llm = make("http://127.0.0.1:9/v1", specs=["scripted"])

    async def worker(item):
        await asyncio.sleep(0 if item == 3 else 30)
        raise ZeroDivisionError("ours")

    async def work():
        try:
            await run_items(range(8), worker, llm, Progress(8, stream=io.StringIO()))
        finally:
            ended.append(asyncio.get_running_loop().time())

    ended = []
    with pytest.raises(ZeroDivisionError, match="ours"):
        virtual_time.run(work())
    assert ended == [0.0], "the others are not waited for"
