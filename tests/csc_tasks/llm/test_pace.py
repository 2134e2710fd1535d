"""How many requests are out at once, and when: rejections, pauses, order."""

import asyncio
from collections import Counter
from email.utils import formatdate

import pytest

from csc_tasks.llm.outcomes import Stopped
from csc_tasks.llm.pace import Pace
from csc_tasks.refusals import retry_after
from tests.support import virtual_time
from tests.support.llm_asking import (
    ask,
    ask_all_virtually,
    rows,
)
from tests.support.llm_server import Act, echo, in_turn, llm_server


def test_a_429_storm_without_a_hint_is_weathered(make_virtual):
    """A server that takes 8 at a time and says nothing but 429 to the others."""
    running = Counter()

    def script(body, number):
        if server.running > 8:
            running["rejected"] += 1
            return Act(status=429)
        return Act(echo(body).content, delay=0.02)

    llm, server = make_virtual(script, concurrency=64)
    outcome = ask_all_virtually(llm, range(200))
    assert outcome.values == [f"echo {i}" for i in range(200)]
    (pace,) = llm._state.paces.values()
    assert pace.lowest <= 16
    # Every rejection was answered by sending less: far fewer than one per request.
    assert 0 < running["rejected"] == llm.failures["busy"] < 200


def test_after_a_storm_the_pace_recovers(make_virtual):
    """Everything is rejected for 0.3 s; then the server takes 32 at a time again."""

    def script(body, number):
        return Act(status=429) if asyncio.get_running_loop().time() < 0.3 else Act(delay=0.02)

    llm, _ = make_virtual(script, concurrency=32)
    assert len(ask_all_virtually(llm, range(600)).results) == 600
    (pace,) = llm._state.paces.values()
    assert pace.lowest <= 8
    assert pace.limit == 32


@pytest.mark.parametrize("form", ["seconds", "date", "milliseconds"])
def test_retry_after_is_respected(make_virtual, form):
    """Four at once are told to wait a second; nobody sends before it is over, and all do soon
    after.
    """
    # The server's clock says another time than ours, and it says so.
    headers = {
        "seconds": {"Retry-After": "1"},
        "date": {
            "Retry-After": formatdate(3601, usegmt=True),
            "Date": formatdate(3600, usegmt=True),
        },
        "milliseconds": {"retry-after-ms": "1000", "Retry-After": "7"},
    }

    def script(body, number):
        return Act(echo(body).content) if number >= 4 else Act(status=429, headers=headers[form])

    llm, server = make_virtual(script, concurrency=4)
    outcome = ask_all_virtually(llm, range(4))
    assert outcome.values == [f"echo {i}" for i in range(4)]
    assert server.times[:4] == [0.0] * 4 and server.count == 8
    # Up to a tenth is added, so that clients that were rejected together do not return together.
    assert min(server.times[4:]) >= 1.0 and max(server.times[4:]) <= 1.1 + 1e-9


def test_retry_after_arrives_from_a_real_server(make):
    """The header's way through the HTTP libraries: a pause of a day is more than is waited for."""
    with (
        llm_server(in_turn(Act(status=429, headers={"Retry-After": "86400"}))) as server,
        pytest.raises(Stopped, match="wait 86,400 s"),
    ):
        ask(make(server.url))
    assert server.count == 1


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "2"}, 2),
        ({"retry-after": " 2.5 "}, 2.5),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "nan"}, None),
        (
            {
                "Retry-After": "Wed, 06 Aug 2025 10:00:30 GMT",
                "Date": "Wed, 06 Aug 2025 10:00:00 GMT",
            },
            30,
        ),
        (
            {
                "Retry-After": "Wed, 06 Aug 2025 12:00:30 +0200",
                "Date": "Wed, 06 Aug 2025 10:00:00 GMT",
            },
            30,
        ),
        (
            {
                "Retry-After": "Wed, 06 Aug 2025 09:59:00 GMT",
                "Date": "Wed, 06 Aug 2025 10:00:00 GMT",
            },
            0,
        ),
        ({"Retry-After": "Wed, 06 Aug 2025 10:00:00 GMT"}, 0),  # long ago by our clock
        ({"Retry-After": "Wed, 99 Aug 2025 10:00:00 GMT"}, None),
        ({"retry-after-ms": "250"}, 0.25),
    ],
)
def test_retry_after_is_read(headers, seconds):
    assert retry_after(headers) == seconds


def test_a_request_that_alone_is_too_much_does_not_hold_up_the_others(make_virtual):
    """Some servers answer 429 to a prompt that is over the limit by itself."""

    def script(body, number):
        return (
            Act(status=429, headers={"Retry-After": "0.001"})
            if body["messages"][-1]["content"] == "3"
            else Act()
        )

    llm, _ = make_virtual(script, max_wait=1.0)
    with pytest.raises(Stopped):
        ask_all_virtually(llm, range(30), concurrency=4)
    assert sum(row["state"] == "done" for row in rows(llm)) == 29


# The pace by itself


def test_a_rejection_counts_once_for_all_that_were_out():
    async def work():
        pace = Pace(16, first_pause=0.01)
        generations = [await pace.enter() for _ in range(16)]
        for generation in generations:
            pace.rejected(generation, 0.05)
            pace.leave()
        assert pace.limit == pytest.approx(16 * 0.7)
        assert await pace.enter() == 1
        # The pause that the server named and up to a tenth more, and not 16 of them one after the
        # other.
        assert 0.05 <= asyncio.get_running_loop().time() <= 0.055 + 1e-9
        pace.rejected(1, 0.01)
        assert pace.limit == pytest.approx(16 * 0.7 * 0.7)
        pace.leave()

    virtual_time.run(work())


def test_turns_are_first_come_first_served_and_a_rejected_request_goes_first():
    async def work():
        pace, order = Pace(1), []

        async def one(name, again=False):
            await pace.enter(again)
            order.append(name)
            await asyncio.sleep(0)
            pace.leave()

        await pace.enter()
        tasks = [asyncio.create_task(one(name)) for name in "abc"]
        await asyncio.sleep(0)
        tasks.append(asyncio.create_task(one("again", True)))
        cancelled = asyncio.create_task(one("cancelled", True))
        await asyncio.sleep(0)
        cancelled.cancel()
        pace.leave()
        await asyncio.gather(*tasks)
        assert order == ["again", "a", "b", "c"]
        assert pace.running == 0

    asyncio.run(work())


def test_a_turn_that_is_given_in_the_moment_of_a_cancellation_is_given_back():
    async def work():
        pace = Pace(1)
        await pace.enter()
        waiting = asyncio.create_task(pace.enter())
        await asyncio.sleep(0)
        pace.leave()  # gives the turn to the waiting one ...
        waiting.cancel()  # ... which never comes to use it
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert pace.running == 0
        await asyncio.wait_for(pace.enter(), 1)

    asyncio.run(work())
