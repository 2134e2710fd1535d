"""Limits on requests and on cost."""

import pytest

from csc_tasks.errors import SettingError
from csc_tasks.llm.outcomes import Fatal, Stopped
from csc_tasks.price import Price
from tests.support.llm_asking import ask, ask_all, rows
from tests.support.llm_server import Act, echo, in_turn, llm_server


def test_max_requests_stops_after_exactly_so_many_and_goes_on_where_it_was(make):
    with llm_server(lambda body, number: Act(echo(body).content, delay=0.02)) as server:
        for limit in (10, 25):
            with pytest.raises(
                Stopped, match=f"{limit} requests were sent and --max-requests is {limit}"
            ):
                ask_all(make(server.url, max_requests=limit, concurrency=8), range(30))
            # What was out came in.
            assert (
                server.count
                == limit
                == sum(row["state"] == "done" for row in rows(make(server.url)))
            )
        assert ask_all(make(server.url, max_requests=30), range(30)).values == [
            f"echo {i}" for i in range(30)
        ]
        assert server.count == 30
        # Everything is there now, so the limit keeps nobody from reading it.
        assert len(ask_all(make(server.url, max_requests=1), range(30)).values) == 30


def test_max_cost_stops_and_counts_earlier_runs(make):
    prices = {"": Price(1.0, 2.0)}  # 10 in and 5 out: 20 millionths a reply
    with llm_server(in_turn(Act())) as server:
        with pytest.raises(Stopped, match=r"0\.0001 was spent and --max-cost is 0.0001"):
            ask_all(make(server.url, prices=prices, max_cost=0.0001, concurrency=1), range(30))
        assert server.count == 5
        llm = make(server.url, prices=prices, max_cost=0.0002, concurrency=1)
        assert llm.budget.cost == pytest.approx(0.0001)
        with pytest.raises(Stopped):
            ask_all(llm, range(30))
        assert server.count == 10


def dear(tokens, delay=0.05):
    """A slow reply of so many tokens."""
    usage = {"prompt_tokens": 10, "completion_tokens": tokens, "total_tokens": tokens + 10}
    return Act(delay=delay, usage=usage)


@pytest.mark.parametrize("bound", [{"max_tokens": 1000}, {"max_tokens": None}])
def test_what_is_out_is_held_back_so_max_cost_is_kept_to_within_one_reply(make, bound):
    # A reply costs 1 (1,000 tokens at 0.001) and a hundred-thousandth for its prompt.
    prices = {"": Price(1.0, 1000.0)}
    with llm_server(in_turn(dear(1000))) as server:
        llm = make(server.url, prices=prices, max_cost=5.5, concurrency=16, sampling={"": bound})
        with pytest.raises(Stopped, match=r"6\.0001 was spent and --max-cost is 5\.5"):
            ask_all(llm, range(40))
        assert server.count == 6
        # The limit leaves room for five, and they are out at once: the first alone where nothing
        # says how long a reply may be.
        assert server.most == (5 if bound["max_tokens"] else 4)
        # Raised, it goes on, and what was paid is not paid again.
        llm = make(server.url, prices=prices, max_cost=10.5, concurrency=16, sampling={"": bound})
        with pytest.raises(Stopped, match=r"11\.0001 was spent"):
            ask_all(llm, range(40))
        assert server.count == 11


def test_a_reply_longer_than_its_bound_is_held_back_for_from_then_on(make):
    # The server does not keep to max_tokens: replies cost 1, and 0.1 is the bound.
    prices, sampling = {"": Price(0.0, 1000.0)}, {"": {"max_tokens": 100}}
    with llm_server(in_turn(dear(1000, 0.0), then=dear(1000))) as server:
        llm = make(server.url, prices=prices, max_cost=4.5, concurrency=4, sampling=sampling)
        ask_all(llm, range(1))
        with pytest.raises(Stopped, match=r"5\.0000 was spent"):
            ask_all(llm, range(1, 30))
        assert (server.count, server.most) == (5, 3)


def test_what_failed_is_no_longer_held_back(make):
    prices, sampling = {"": Price(0.0, 1000.0)}, {"": {"max_tokens": 1000}}
    acts = [Act(status=500), Act(status=500), dear(1000, 0.0)]
    with llm_server(in_turn(*acts)) as server:
        llm = make(server.url, prices=prices, max_cost=1.5, concurrency=8, sampling=sampling)
        with pytest.raises(Stopped, match=r"2\.0000 was spent"):
            ask_all(llm, range(8))
        assert server.count == 4


def test_a_cost_that_cannot_be_known_cannot_be_limited(make):
    with llm_server(in_turn(Act(usage=None))) as server:
        with pytest.raises(Fatal, match="counts no tokens, so --max-cost cannot be kept"):
            ask_all(
                make(server.url, prices={"": Price(1, 1)}, max_cost=1.0, concurrency=1), range(9)
            )
        assert server.count == 1
        with pytest.raises(SettingError, match="--max-cost needs a price for the stage 'test'"):
            ask(make(server.url, prices={"other": Price(1, 1)}, max_cost=1.0), "b")
    with pytest.raises(SettingError, match="--max-cost needs prices"):
        make(server.url, max_cost=1.0)


@pytest.mark.parametrize("text", ["1", "1,2,3", "a,b", "-1,2", "nan,1", "inf,1", ""])
def test_a_price_has_two_numbers(text):
    assert Price.parse("0.15,0.60") == Price(0.15, 0.6)
    with pytest.raises(SettingError, match="is not IN,OUT per million tokens"):
        Price.parse(text)
