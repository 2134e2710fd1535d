"""The progress bar."""

import asyncio
import io

import pytest

from csc_tasks.llm.items import run_items
from csc_tasks.llm.outcomes import Dropped
from csc_tasks.llm.progress import Progress, clock, short
from csc_tasks.price import Price
from tests.support import virtual_time
from tests.support.llm_asking import (
    user,
)
from tests.support.llm_server import Act

# Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_bar_says_what_is_asked_of_it(make_virtual, monkeypatch):
    stream = Terminal()
    llm, _ = make_virtual(
        lambda body, number: Act(delay=1), prices={"": Price(1000, 1000)}, concurrency=4
    )

    async def worker(item):
        await llm.ask(stage="test", messages=user(str(item)), item_id=str(item))
        if item == 3:
            raise Dropped("odd")

    async def work():
        await run_items(
            range(40), worker, llm, Progress(40, "rolecs", stream, asyncio.get_running_loop().time)
        )

    monkeypatch.setenv("COLUMNS", "200")
    virtual_time.run(work())
    lines = [line.strip() for line in stream.getvalue().split("\r")]
    assert any("in flight" in line and " left" in line for line in lines)
    assert stream.getvalue().endswith("\n")
    last = lines[-1].split(" | ")
    assert last[0] == "rolecs 39/40 done, 1 dropped, 0 in flight"
    # Four at a time, each a second long; the first second of the window and the pace's distances
    # between requests move it a little.
    assert 3.5 <= float(last[2].split()[0]) <= 4.5 and last[2].endswith(" requests/s")
    assert last[3:] == [
        "400 in, 200 out",
        "cost 0.60",
    ]  # 40 replies of 10 and 5 tokens, at 1,000 a million


def test_time_left_is_that_of_the_last_minute():
    now = [0.0]
    llm = Counting()
    progress = Progress(1000, stream=io.StringIO(), clock=lambda: now[0])
    progress.start(llm)
    progress.done = 500  # from the journal, at once
    for _ in range(200):
        now[0] += 1
        progress.done += 1
        line = progress.line(llm)
    assert " | 0:05:00 left | " in line  # 300 items at one a second


class Counting:
    """What a bar needs of an LLM."""

    def __init__(self, answered=0):
        self.answered, self.failures, self.backends = answered, {}, {}
        self.budget = type("B", (), {"stages": {}, "cost": None})
        self.tell = print


def test_a_round_begins_with_no_rate_and_not_with_that_of_the_rounds_before():
    now = [5000.0]
    llm = Counting(answered=27_000)
    progress = Progress(100, "round", io.StringIO(), lambda: now[0])
    progress.start(llm)
    assert progress.line(llm) == "round 0/100 done, 0 dropped, 0 in flight | ? left | 0 in, 0 out"
    # A round read from the journal in an instant has none either.
    progress.done = 60
    now[0] += 0.001
    assert "requests/s" not in progress.line(llm) and " | ? left" in progress.line(llm)
    now[0] += 10
    llm.answered += 20
    progress.done = 80
    # 20 replies and 80 items in 10 seconds; 20 items are left.
    assert " | 0:00:03 left | 2.0 requests/s" in progress.line(llm)


def test_time_outs_and_tries_are_seen():
    llm = Counting()
    progress = Progress(9, "round", io.StringIO(), lambda: 1.0)
    progress.start(llm)
    assert "timed out" not in progress.line(llm)
    llm.failures = {"timeout": 2, "server": 3, "transport": 1, "busy": 1200, "rejected": 1}
    llm.failures["unsupported"] = 5
    assert (
        " | 2 timed out, 1,200 told to wait, 4 failed and tried again, 1 rejected | "
        in progress.line(llm)
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (999, "999"), (12_345, "12.3k"), (4_500_000, "4.5M"), (2 * 10**9, "2.0G")],
)
def test_short_numbers(value, text):
    assert short(value) == text


def test_clock():
    assert [clock(seconds) for seconds in (0, 59.6, 3661, 90_000)] == [
        "0:00:00",
        "0:01:00",
        "1:01:01",
        "25:00:00",
    ]
