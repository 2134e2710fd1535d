"""Limits on requests and on cost."""

import pytest

from csc_tasks.errors import SettingError
from csc_tasks.llm.budget import Price
from csc_tasks.llm.outcomes import Fatal, Stopped
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
