"""One server with every fault: each costs its own item at most, and so many requests; nothing is
lost, nothing is paid twice, and the same command asks for nothing again.
"""

import io
from collections import Counter
from dataclasses import dataclass

import pytest

from csc_tasks.llm.items import run_items
from csc_tasks.llm.outcomes import Fatal
from csc_tasks.llm.progress import Progress
from tests.support import virtual_time
from tests.support.llm_asking import GOOD, Said, rows, user
from tests.support.llm_server import Act, fingerprint

SAID = Act(GOOD, delay=1)
PROSE = Act("Sure! Here is what you asked for.", delay=1)


def error(status, message, **fields):
    return Act(status=status, body={"error": {"message": message, **fields}}, delay=0.1)


@dataclass(frozen=True)
class Fault:
    """What the server does to one item, request by request (the last for ever), what becomes of
    the item ("" for a result), and the requests it takes.
    """

    acts: tuple[Act, ...]
    dropped: str
    requests: int


LONG = "This model's maximum context length is 8192 tokens."
FAULTS = {
    "nothing": Fault((SAID,), "", 1),
    "too long, in numbers": Fault(
        (
            error(
                400,
                f"{LONG} However, your messages resulted in 9000 tokens.",
                code="context_length_exceeded",
            ),
        ),
        "longer than the model's context",
        1,
    ),
    # Whether it is the prompt or the room for the reply is not said: asked once without the bound.
    "too long, in words": Fault((error(400, LONG),), "longer than the model's context", 2),
    "too long, as a server's own error": Fault(
        (error(500, "the request exceeds the available context size"),),
        "longer than the model's context",
        1,
    ),
    "too large": Fault((error(413, "Payload Too Large"),), "too large for the server", 1),
    "content risk": Fault((error(400, "Content Exists Risk"),), "refused", 1),
    "content policy": Fault((error(403, "flagged", code="content_filter"),), "refused", 1),
    "a refusal": Fault((Act(None, message={"refusal": "no"}, delay=1),), "refused", 1),
    "a filter": Fault((Act("half of", finish="content_filter", delay=1),), "refused", 1),
    "a bad field": Fault(
        (Act(status=422, body={"detail": [{"loc": ["body", "top_p"], "msg": "odd"}]}),),
        "rejected with 422",
        1,
    ),
    "an odd status": Fault((error(409, "conflict"),), "rejected with 409", 1),
    "silence": Fault((Act(delay=10_000),), "timed out", 1),
    "an error for ever": Fault((error(500, "oops"),), "unreachable", 3),
    "no connection for ever": Fault((Act(drop=True),), "unreachable", 3),
    "errors, then a reply": Fault((error(502, "a"), Act(drop=True), SAID), "", 3),
    "too fast, then a reply": Fault((error(429, "slow down"), SAID), "", 2),
    "prose": Fault((PROSE,), "malformed reply", 3),
    "prose, then a reply": Fault((PROSE, PROSE, SAID), "", 3),
    "nothing in it": Fault((Act(None, delay=1),), "malformed reply", 3),
    "only thinking": Fault((Act("<think>and so on", delay=1),), "malformed reply", 3),
    "cut": Fault((Act('{"text": "fi', finish="length", delay=1),), "malformed reply", 3),
    "a lone surrogate": Fault((Act("half \ud83d", delay=1),), "malformed reply", 3),
    "ten thousand brackets": Fault((Act("[" * 10_000, delay=1),), "malformed reply", 3),
}
ITEMS = [name for fault in FAULTS for name in (fault, *(f"{fault}/{i}" for i in range(2)))]


class Hostile:
    """The script: item by item, `count` requests of each so far."""

    def __init__(self):
        self.count = Counter()
        self.paid = Counter()

    def __call__(self, body, number):
        item = body["messages"][0]["content"]
        acts = FAULTS.get(item, FAULTS["nothing"]).acts
        act = acts[min(self.count[item], len(acts) - 1)]
        self.count[item] += 1
        if act.status == 200 and not act.drop and act.delay < 100:
            self.paid[fingerprint(body)] += 1
        return act


def play(llm, concurrency):
    async def worker(item):
        answer = await llm.ask(
            stage="test",
            messages=user(item),
            item_id=item,
            reply=Said,
            sampling={"temperature": 0},
        )
        return answer.parsed.text

    progress = Progress(len(ITEMS), "items", io.StringIO())
    return virtual_time.run(run_items(ITEMS, worker, llm, progress, concurrency))


@pytest.mark.parametrize("concurrency", [1, 4, 16])
def test_every_fault_costs_its_own_item_and_nothing_else(make_virtual, concurrency):
    script = Hostile()
    llm, _ = make_virtual(script, retries=2, timeout=60)
    outcome = play(llm, concurrency)
    # Nothing lost: every item is a result or a drop, in the items' order.
    expected = [item for item in ITEMS if not FAULTS.get(item, FAULTS["nothing"]).dropped]
    assert [item for item, _ in outcome.results] == expected
    assert {item: drop.reason for item, drop in outcome.drops} == {
        name: f"test: {fault.dropped}" for name, fault in FAULTS.items() if fault.dropped
    }
    assert {name: script.count[name] for name in FAULTS} == {
        name: fault.requests for name, fault in FAULTS.items()
    }
    # Nothing doubled: no reply was paid twice, and the same command asks for nothing.
    assert set(script.paid.values()) == {1}
    again, second = make_virtual(Hostile(), retries=2, timeout=60)
    repeated = play(again, concurrency)
    assert second.count == 0
    assert repeated.results == outcome.results
    assert [(item, str(drop)) for item, drop in repeated.drops] == [
        (item, str(drop)) for item, drop in outcome.drops
    ]
    # What no reply came to is counted, named in the run's record, and asked again on request.
    given_up = [row for row in rows(again) if row["state"] == "failed"]
    assert sorted(row["item_id"] for row in given_up) == sorted(
        name
        for name, fault in FAULTS.items()
        if fault.dropped not in ("", "refused", "malformed reply")
    )
    assert sorted(error.item_id for error in again.given_up) == sorted(
        row["item_id"] for row in given_up
    )
    retried = Hostile()
    third, _ = make_virtual(retried, retries=2, timeout=60, retry_dropped=True)
    play(third, concurrency)
    assert set(retried.count) == {row["item_id"] for row in given_up}


@pytest.mark.parametrize("status", [401, 402, 403, 404])
def test_a_run_that_must_end_keeps_what_was_out(make_virtual, status):
    """The key is withdrawn in the middle: the replies that are out come in, and the same command
    asks for the others only.
    """

    def withdrawn(body, number):
        return Act(status=status) if number == 30 else Act(GOOD, delay=1 + number % 7)

    llm, first = make_virtual(withdrawn)
    with pytest.raises(Fatal, match=f"{status}: no luck"):
        play(llm, 16)
    done = sum(row["state"] == "done" for row in rows(llm))
    assert done == first.count - 1
    llm, second = make_virtual(lambda body, number: SAID)
    assert len(play(llm, 16).results) == len(ITEMS)
    assert second.count == len(ITEMS) - done
