"""A run in which most fails alike stops early and says why; one that merely fails often goes on."""

import asyncio
import io

import pytest

from csc_tasks.llm.items import run_items
from csc_tasks.llm.outcomes import Dropped, Failing, Fatal, Stopped
from csc_tasks.llm.progress import Progress
from tests.support import virtual_time
from tests.support.llm_asking import GOOD, KEY, Said, rows, user
from tests.support.llm_server import Act, llm_server

PROSE = Act("Sure!  Here is\na plan for " + "x" * 1000, delay=1)


def play(llm, items, sampling=None, catch=False):
    """Ask about each item; returns (outcome, what was printed). `catch`: the worker goes on without
    an answer, as those do that ask several times.
    """
    stream = io.StringIO()

    async def worker(item):
        try:
            await llm.ask(
                stage="planner",
                messages=user(str(item)),
                item_id=str(item),
                reply=Said,
                sampling=sampling,
            )
        except Dropped:
            if not catch:
                raise

    async def work():
        return await run_items(items, worker, llm, Progress(len(items), "plans", stream))

    return virtual_time.run(work()), stream


@pytest.mark.parametrize("catch", [False, True])
def test_a_model_that_writes_prose_is_stopped_with_a_diagnosis(make_virtual, catch):
    llm, server = make_virtual(lambda body, number: PROSE, concurrency=4)
    with pytest.raises(Failing) as caught:
        play(llm, range(560), catch=catch)
    # Thirty items at three attempts, and what else was out.
    assert 90 <= server.count <= 90 + 3 * 4
    first, problem, sample, asked, advice, last = str(caught.value).splitlines()
    assert first == (
        "30 of the last 30 failed alike, so the run stops here: planner: malformed reply"
    )
    assert problem.startswith("  the commonest problem (30 times): not JSON: Expecting value")
    # One line, cut.
    assert sample.startswith("  a reply with it: 'Sure! Here is a plan for xxx") and (
        len(sample) < 340
    )
    # 10 tokens in and 5 out a reply.
    assert asked.startswith("  asked: openai:model; ") and "tokens in, " in asked
    assert "--llm planner=BACKEND:MODEL" in advice and "--response-format planner=" in advice
    assert "--stop-after-failures 0" in last
    # The same command pays for nothing more before it says the same.
    llm, again = make_virtual(lambda body, number: PROSE, concurrency=4)
    with pytest.raises(Failing, match="so the run stops here"):
        play(llm, range(560), catch=catch)
    assert again.count <= 3 * 4


def test_it_can_be_switched_off(make_virtual):
    llm, server = make_virtual(lambda body, number: PROSE, stop_after_failures=0, attempts=1)
    outcome, stream = play(llm, range(100))
    assert outcome.dropped == {"planner: malformed reply": 100} and server.count == 100
    # What is wrong is said all the same, at the end.
    assert "100 of 100 failed alike: planner: malformed reply" in stream.getvalue()


def test_switched_off_a_run_may_end_without_a_single_reply(make_virtual):
    """As a part of a build does that owns one item, and the server does not take it."""

    def script(body, number):
        return Act(status=413)

    llm, _ = make_virtual(script)
    with pytest.raises(Failing, match="1 of the last 1 failed alike"):
        play(llm, range(1))
    llm, server = make_virtual(script, stop_after_failures=0)
    outcome, stream = play(llm, range(1))
    assert outcome.dropped == {"planner: too large for the server": 1} and server.count == 1
    assert "--retry-dropped asks for them again" in stream.getvalue()
    llm, again = make_virtual(script, stop_after_failures=0)
    assert play(llm, range(1))[0].dropped == outcome.dropped and again.count == 0


def test_a_model_that_fails_every_other_time_is_the_users_to_judge(make_virtual):
    def script(body, number):
        return PROSE if int(body["messages"][-1]["content"]) % 4 else Act(GOOD, delay=1)

    llm, _ = make_virtual(script, attempts=1)
    outcome, stream = play(llm, range(200))
    assert len(outcome.results) == 50 and len(outcome.drops) == 150
    assert "failed alike" not in stream.getvalue()


def test_items_that_all_fail_at_one_of_many_questions_stop_the_run_too(make_virtual):
    """Nine of ten replies are fine, and no item is."""

    def script(body, number):
        return PROSE if body["messages"][-1]["content"].endswith(" 9") else Act(GOOD, delay=1)

    llm, server = make_virtual(script, attempts=1, concurrency=4)

    async def worker(item):
        for question in range(10):
            await llm.ask(
                stage="supporter",
                messages=user(f"{item} {question}"),
                item_id=str(item),
                repeat=question,
                reply=Said,
            )

    with pytest.raises(Failing, match=r"30 of the last 30 failed alike.*: supporter: malformed"):
        virtual_time.run(run_items(range(500), worker, llm, Progress(500, "", io.StringIO())))
    assert server.count <= 34 * 10


def test_few_items_that_all_fail_are_explained_too(make_virtual):
    llm, _ = make_virtual(lambda body, number: PROSE)
    outcome, stream = play(llm, range(5))
    assert len(outcome.drops) == 5
    assert "5 of 5 failed alike: planner: malformed reply" in stream.getvalue()


def test_a_rules_no_is_no_failure_of_asking(make_virtual):
    llm, _ = make_virtual(lambda body, number: Act(GOOD, delay=1))

    async def worker(item):
        await llm.ask(stage="planner", messages=user(str(item)), item_id=str(item))
        raise Dropped("rule: too short")

    outcome = virtual_time.run(
        run_items(range(200), worker, llm, Progress(200, "plans", io.StringIO()))
    )
    assert outcome.dropped == {"rule: too short": 200}


@pytest.mark.parametrize(
    ("act", "advice"),
    [
        (Act('{"text": "f', finish="length", delay=1), "--max-tokens planner=8192 (now 2048)"),
        (Act(None, message={"reasoning": "hm, " * 99}, delay=1), "--max-tokens planner=8192"),
        (Act(None, message={"refusal": "no"}, delay=1), "another model for it (--llm planner="),
        (
            Act(status=400, body={"error": {"message": "Failed to parse grammar"}}, delay=1),
            "--response-format planner=text",
        ),
        (Act(status=413, delay=1), "a server that takes larger requests"),
        (
            Act(status=400, body={"error": {"message": "the prompt is too long"}}, delay=1),
            "a model or server with a larger context for planner",
        ),
    ],
)
def test_it_says_which_option_may_help(make_virtual, act, advice):
    llm, _ = make_virtual(lambda body, number: act)
    with pytest.raises(Failing) as caught:
        play(llm, range(100))
    assert advice in str(caught.value)


def test_what_a_server_rejected_when_it_rejected_everything_is_asked_again(make_virtual):
    """A wrong field, or a server started with too small a context: nothing is given up by it."""
    llm, _ = make_virtual(lambda body, number: Act(status=422, delay=1), concurrency=4)
    with pytest.raises(Failing, match="planner: rejected with 422"):
        play(llm, range(100))
    assert {row["state"] for row in rows(llm)} == {"failed"}
    assert not llm.journal.all_given_up()
    llm, _ = make_virtual(lambda body, number: Act(GOOD, delay=1), concurrency=4)
    assert len(play(llm, range(100))[0].results) == 100
    # Fewer than make a breaker open, but all there are.
    llm, _ = make_virtual(lambda body, number: Act(status=422, delay=1), specs=["openai:b"])
    with pytest.raises(Failing, match="5 of the last 5 failed alike"):
        play(llm, range(5))
    assert not llm.journal.all_given_up()


def test_a_server_that_hangs_stops_the_run_and_nothing_is_given_up(make_virtual):
    """It answers fifty and then nothing more: neither item is to blame."""

    def script(body, number):
        return Act(GOOD, delay=1 if number < 50 else 10_000)

    for concurrency in (1, 8):
        llm, server = make_virtual(
            script, specs=[f"openai:m{concurrency}"], concurrency=concurrency, timeout=60
        )
        with pytest.raises(Stopped, match="nothing else was answered meanwhile: run the same"):
            play(llm, range(100), sampling={"temperature": 0})
        assert not llm.journal.all_given_up()
        # Not every item is waited for in vain.
        assert server.count <= 50 + 3 * 16


def test_what_was_out_when_the_run_was_stopped_is_not_given_up(make_virtual):
    """The key is refused while three requests are out that are then called too large."""

    def script(body, number):
        if number == 20:
            return Act(status=401, delay=1)
        return Act(status=413, delay=5) if number > 20 else Act(GOOD, delay=1)

    llm, _ = make_virtual(script, concurrency=4)
    with pytest.raises(Fatal, match="401: no luck"):
        play(llm, range(100))
    assert not llm.journal.all_given_up()
    assert sum(row["state"] == "failed" for row in rows(llm)) > 1


def test_a_time_out_is_repeated_with_another_seed_or_not_at_all(make_virtual):
    def script(body, number):
        bodies.append(body)
        return Act(GOOD, delay=10_000 if body["messages"][-1]["content"] == "3" else 1)

    for sampling, tries in (({"temperature": 0}, 1), ({"temperature": 0.7}, 3), (None, 3)):
        bodies = []
        llm, _ = make_virtual(script, specs=[f"openai:{sampling}"], concurrency=4, timeout=60)
        outcome, stream = play(llm, range(60), sampling=sampling)
        assert outcome.dropped == {"planner: timed out": 1}
        asked = [body for body in bodies if body["messages"][-1]["content"] == "3"]
        assert len(asked) == tries == len({body["seed"] for body in asked})
        (line,) = [line for line in stream.getvalue().splitlines() if "without a reply" in line]
        assert "1 planner: timed out" in line and "--retry-dropped" in line


def test_a_slow_server_is_asked_less_before_anything_is_given_up(make_virtual):
    """Replies take the longer the more are out: at sixteen a quarter is not there in time."""

    def script(body, number):
        return Act(GOOD, delay=5 * server.running)

    llm, server = make_virtual(script, concurrency=16, timeout=60)
    outcome, _ = play(llm, range(60), sampling={"temperature": 0})
    assert len(outcome.results) >= 54 and llm.failures["timeout"]


def test_the_sample_holds_no_key(make):
    """What is printed went through the cleaning of everything a server sends."""
    with llm_server(lambda body, number: Act(f"your key is {KEY}")) as server:
        llm = make(server.url, api_key=KEY, stop_after_failures=3, attempts=1)

        async def worker(item):
            await llm.ask(stage="planner", messages=user(item), item_id=item, reply=Said)

        with pytest.raises(Failing) as caught:
            asyncio.run(run_items(list("abcd"), worker, llm, Progress(4, "", io.StringIO())))
    assert "your key is [key]" in str(caught.value) and KEY[:14] not in str(caught.value)
