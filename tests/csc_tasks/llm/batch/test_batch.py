"""Requests that go out as batches: gathered, joined by their keys, asked again where they failed,
and collected by the next run when this one is killed.
"""

import asyncio
import io
import json
from collections import Counter
from itertools import pairwise
from types import SimpleNamespace

import pytest
from openai.types import Batch

from csc_tasks.errors import SettingError
from csc_tasks.llm.batch import files
from csc_tasks.llm.batch.files import parts
from csc_tasks.llm.exchange import Usage
from csc_tasks.llm.items import run_items
from csc_tasks.llm.outcomes import Fatal, Stopped
from csc_tasks.llm.progress import Progress
from tests.support import virtual_time
from tests.support.batch_api import BatchApi, Fate, batch_api
from tests.support.llm_asking import GOOD, KEY, Said, ask, ask_all, rows, user
from tests.support.llm_server import Act, echo, in_turn, llm_server

QUICK = 0.002


@pytest.fixture
def batched(make):
    """Make an LLM whose model is asked in batches."""

    def made(url, specs=("batch:model",), **settings):
        return make(url, specs=specs, **{"first_pause": QUICK, **settings})

    return made


def sizes(api):
    return [len(api.lines(number)) for number in range(len(api.batches))]


def folders(llm):
    root = llm.journal.path.with_name("journal.sqlite.batches")
    return sorted(root.glob("*/")) if root.exists() else []


def each_once(api, items):
    return api.answered == Counter(json.dumps(user(str(item))) for item in items)


def test_a_round_is_one_batch_joined_by_the_keys_of_the_journal(batched):
    with batch_api(echo) as api:
        llm = batched(api.url, api_key=KEY, concurrency=3)
        outcome = ask_all(llm, range(40))
    assert outcome.values == [f"echo {i}" for i in range(40)]
    assert sizes(api) == [40]
    recorded = {row["key"]: row for row in rows(llm)}
    lines = api.lines(0)
    assert {line["custom_id"] for line in lines} == set(recorded)
    for line in lines:
        row = recorded[line["custom_id"]]
        assert (line["method"], line["url"]) == ("POST", "/v1/chat/completions")
        assert line["body"]["messages"] == row["request"]["messages"]
        assert line["body"]["seed"] == row["request"]["sampling"]["seed"]
        assert (row["state"], row["tries"], row["base_url"]) == ("done", 1, api.url)
    assert (llm.sent, llm.answered) == (40, 40)
    spent = llm.budget.stages["test"]
    assert (spent.requests, spent.input, spent.output) == (40, 400, 200)
    # Neither here nor at the server is anything left.
    assert folders(llm) == [] and api.files == {}


def test_a_line_is_what_one_request_would_be(make, batched):
    with llm_server(in_turn(Act(GOOD))) as server:
        ask(make(server.url), reply=Said, sampling={"temperature": 0.5})
    with batch_api(in_turn(Act(GOOD))) as api:
        llm = batched(api.url)
        llm.journal.path.unlink()
        llm = batched(api.url)
        answer = ask(llm, reply=Said, sampling={"temperature": 0.5})
    assert [line["body"] for line in api.lines(0)] == server.asked
    assert answer.parsed == Said(text="fine", finished=False) and answer.usage == Usage(10, 5)


def test_replies_are_those_of_the_same_model_asked_one_by_one(make, batched):
    with llm_server(echo) as server, batch_api(echo) as api:
        ask_all(make(server.url), range(5))
        llm = batched(api.url)
        assert ask_all(llm, range(8)).values == [f"echo {i}" for i in range(8)]
        assert sizes(api) == [3] and llm.replayed == 5
        again = make(server.url)
        ask_all(again, range(8))
    assert server.count == 5 and again.replayed == 8


def test_what_follows_goes_into_the_next_batch_with_what_was_malformed(batched):
    def script(body, number):
        text = body["messages"][0]["content"]
        malformed = text == "first 2" and number < 6
        return Act("no JSON" if malformed else json.dumps({"text": text, "finished": True}))

    with batch_api(script) as api:
        llm = batched(api.url)

        async def worker(item):
            for step in ("first", "then"):
                await llm.ask(
                    stage=step, messages=user(f"{step} {item}"), item_id=str(item), reply=Said
                )
            return item

        progress = Progress(6, stream=io.StringIO())
        outcome = asyncio.run(run_items(range(6), worker, llm, progress))
    assert outcome.values == list(range(6))
    # Six; five that go on and one again; the one that was late.
    assert sizes(api) == [6, 6, 1]


@pytest.mark.parametrize(
    "fault",
    [
        Act(status=500),
        Act(status=429),
        Act(status=408),
        Act(body={"error": {"message": "down", "code": 502}}),
        Act(body={"no": "completion"}),
    ],
)
def test_a_line_that_failed_is_asked_again(batched, fault):
    with batch_api(lambda body, number: fault if number in (1, 3) else echo(body)) as api:
        llm = batched(api.url)
        assert ask_all(llm, range(5)).values == [f"echo {i}" for i in range(5)]
    assert sizes(api) == [5, 2]
    assert sorted(row["tries"] for row in rows(llm)) == [1, 1, 1, 2, 2]
    assert sum(llm.failures.values()) == 2


def test_what_expired_is_asked_again_and_nothing_else(batched):
    def fate(number):
        return Fate("expired", reached=lambda place: place % 3 > 0) if number == 0 else Fate()

    with batch_api(echo, fate) as api:
        llm = batched(api.url)
        assert ask_all(llm, range(9)).values == [f"echo {i}" for i in range(9)]
    assert sizes(api) == [9, 3] and each_once(api, range(9))


def test_a_cancelled_batch_ends_the_run_and_the_next_asks_for_the_rest(batched):
    def fate(number):
        return Fate("cancelled", reached=lambda place: place < 4) if number == 0 else Fate()

    with batch_api(echo, fate) as api:
        with pytest.raises(Fatal, match=r"was cancelled .*the same command asks for the rest"):
            ask_all(batched(api.url), range(6))
        llm = batched(api.url)
        assert ask_all(llm, range(6)).values == [f"echo {i}" for i in range(6)]
    assert sizes(api) == [6, 2] and each_once(api, range(6)) and llm.replayed == 4
    assert folders(llm) == []


def test_nothing_goes_out_after_a_batch_that_ended_the_run(batched):
    with batch_api(echo, lambda number: Fate("cancelled", reached=lambda place: place < 4)) as api:
        llm = batched(api.url)

        async def worker(item):
            for step in ("first", "then"):
                await llm.ask(stage=step, messages=user(f"{step} {item}"), item_id=str(item))

        with pytest.raises(Fatal, match="was cancelled"):
            asyncio.run(run_items(range(6), worker, llm, Progress(6, stream=io.StringIO())))
    assert sizes(api) == [6]
    states = Counter((row["stage"], row["state"]) for row in rows(llm))
    assert states == {("first", "done"): 4, ("first", "failed"): 2, ("then", "failed"): 4}


def test_a_line_that_spoils_its_batch_is_dropped_and_the_others_go_again(batched):
    error = {"code": "invalid_value", "message": "bad line", "param": None, "line": 3}

    def fate(number):
        return Fate("failed", [error]) if number == 0 else Fate()

    with batch_api(echo, fate) as api:
        llm = batched(api.url)
        outcome = ask_all(llm, range(5))
    assert outcome.values == ["echo 0", "echo 1", "echo 3", "echo 4"]
    assert outcome.dropped == {"test: rejected with 400": 1}
    assert sizes(api) == [5, 4]


def test_a_batch_that_is_not_taken_at_all_ends_the_run(batched):
    error = {"code": "model_not_found", "message": "no such model", "param": None, "line": None}
    with batch_api(echo, lambda number: Fate("failed", [error])) as api:
        llm = batched(api.url)
        with pytest.raises(Fatal, match="the batch was not taken: no such model"):
            ask_all(llm, range(5))
    assert sizes(api) == [5] and folders(llm) == []


def test_a_batch_that_is_too_much_is_halved(batched):
    limit = {"code": "token_limit_exceeded", "message": "too many tokens", "line": None}

    def fate(number):
        return Fate("failed", [limit]) if len(api.lines(number)) > 3 else Fate()

    with batch_api(echo, fate) as api:
        llm = batched(api.url)
        assert ask_all(llm, range(8)).values == [f"echo {i}" for i in range(8)]
    assert sizes(api) == [8, 4, 2, 2, 4, 2, 2] and each_once(api, range(8))
    assert {row["tries"] for row in rows(llm)} == {1} and folders(llm) == []


def test_lines_that_answer_nothing_are_told_and_missing_ones_asked_again(batched):
    stranger = json.dumps({"custom_id": "stranger", "response": {"status_code": 200, "body": {}}})

    def fate(number):
        if number:
            return Fate()
        return Fate(reached=lambda place: place != 2, extra=("{ cut", stranger, "[1]"))

    with batch_api(echo, fate) as api:
        llm = batched(api.url)
        told = []
        llm.backends[""].tell = told.append
        assert ask_all(llm, range(4)).values == [f"echo {i}" for i in range(4)]
    assert sizes(api) == [4, 1] and each_once(api, range(4))
    assert told == ["batch batch_0: 3 lines answer no request of it"]


def test_batches_are_split_by_the_limits_of_the_api(batched, monkeypatch):
    monkeypatch.setattr(files, "MOST_LINES", 4)
    with batch_api(echo) as api:
        assert len(ask_all(batched(api.url), range(10)).values) == 10
    assert sorted(sizes(api)) == [2, 4, 4] and each_once(api, range(10))


def test_no_part_is_larger_than_the_limits(monkeypatch):
    monkeypatch.setattr(files, "MOST_BYTES", 10)
    # With their line ends: 4 + 6 bytes; 3 and then 10; 1 + 1.
    lines = ["aaa", "bbbbb", "cc", "ddddddddd", "", ""]
    assert list(parts(lines)) == [["aaa", "bbbbb"], ["cc"], ["ddddddddd"], ["", ""]]
    assert (files.MOST_LINES, list(parts([]))) == (50_000, [])


def test_calls_that_fail_are_tried_again(batched):
    with batch_api(echo) as api:
        seen = Counter()

        def trouble(method, path):
            seen[method, path] += 1
            return 503 if seen[method, path] <= 2 else 0

        api.trouble = trouble
        llm = batched(api.url)
        assert ask_all(llm, range(3)).values == [f"echo {i}" for i in range(3)]
    assert sizes(api) == [3] and llm.failures == {}


def test_a_batch_whose_making_was_not_answered_is_not_made_twice(batched):
    with batch_api(echo) as api:
        lost = iter([-1])
        api.trouble = lambda method, path: (
            next(lost, 0) if (method, path) == ("POST", "/batches") else 0
        )
        assert len(ask_all(batched(api.url), range(3)).values) == 3
    assert sizes(api) == [3]


@pytest.mark.parametrize("recorded", [True, False])
def test_a_run_that_lost_its_server_collects_the_batch_later(batched, recorded):
    """Also where it ended between the server's answer and the record of the batch's id."""
    with batch_api(echo) as api:
        api.trouble = lambda method, path: 401 if path.startswith("/batches/") else 0
        llm = batched(api.url, max_requests=6)
        with pytest.raises(Fatal, match=r"batch batch_0 in .*\.batches: 401: trouble"):
            ask_all(llm, range(6))
        (folder,) = folders(llm)
        if not recorded:
            record = json.loads((folder / "batch.json").read_text())
            (folder / "batch.json").write_text(json.dumps(record | {"batch_id": ""}))
        api.trouble = lambda method, path: 0
        llm = batched(api.url, max_requests=6)
        assert ask_all(llm, range(6)).values == [f"echo {i}" for i in range(6)]
        assert (llm.sent, llm.answered) == (0, 6)
        with pytest.raises(Stopped, match="--max-requests is 6"):
            ask(llm, "one more")
    assert sizes(api) == [6] and each_once(api, range(6))
    assert {row["tries"] for row in rows(llm)} == {1} and folders(llm) == []


def test_a_batch_of_which_a_part_is_wanted_keeps_the_rest(batched):
    with batch_api(echo) as api:
        api.trouble = lambda method, path: 401 if path.startswith("/batches/") else 0
        with pytest.raises(Fatal):
            ask_all(batched(api.url), range(6))
        api.trouble = lambda method, path: 0
        llm = batched(api.url)
        assert ask_all(llm, range(2)).values == ["echo 0", "echo 1"]
        assert len(folders(llm)) == 1
        llm = batched(api.url)
        assert len(ask_all(llm, range(7)).values) == 7
    assert sizes(api) == [6, 1] and each_once(api, range(7)) and folders(llm) == []


def test_a_batch_at_another_server_is_left_alone(batched):
    with batch_api(echo) as api, batch_api(echo) as other:
        api.trouble = lambda method, path: 401 if path.startswith("/batches/") else 0
        with pytest.raises(Fatal):
            ask_all(batched(api.url), range(2))
        llm = batched(other.url)
        told = []
        llm.backends[""].tell = told.append
        assert len(ask_all(llm, range(2)).values) == 2
    assert sizes(other) == [2] and len(folders(llm)) == 1
    assert told == [
        f"{folders(llm)[0]}: this batch is out at {api.url}, and is not collected from here"
    ]


def test_moderation_and_chat_are_batches_of_their_own(batched):
    def script(body, number):
        if "input" not in body:
            return echo(body)
        results = [
            {"flagged": text == "bad", "categories": {"hate": True}} for text in body["input"]
        ]
        return Act(body={"model": "mod", "results": results})

    with batch_api(script) as api:
        llm = batched(api.url)

        async def worker(item):
            kind = "moderation" if item == "bad" else "chat"
            answer = await llm.ask(stage=kind, messages=user(item), item_id=item, kind=kind)
            return answer.text

        progress = Progress(2, stream=io.StringIO())
        outcome = asyncio.run(run_items(["bad", "hello"], worker, llm, progress))
    judged = {"results": [{"flagged": True, "categories": ["hate"]}]}
    assert (json.loads(outcome.values[0]), outcome.values[1]) == (judged, "echo hello")
    assert sorted(batch["endpoint"] for batch in api.batches) == [
        "/v1/chat/completions",
        "/v1/moderations",
    ]


def test_a_parameter_that_lines_are_refused_for_is_left_out_of_the_next_batch(batched):
    def script(body, number):
        if "seed" in body:
            error = {"message": "Unsupported parameter: 'seed'", "code": "unsupported_parameter",
                     "param": "seed"}  # fmt: skip
            return Act(status=400, body={"error": error})
        return echo(body)

    with batch_api(script) as api:
        llm = batched(api.url)
        assert len(ask_all(llm, range(4)).values) == 4
    assert sizes(api) == [4, 4] and llm.left_out() == ["openai:model: seed"]


def test_the_bar_says_how_far_the_batches_are(batched):
    with batch_api(echo) as api:
        api.hold.set()
        llm = batched(api.url)
        seen = []
        progress = Progress(10, "checked", stream=io.StringIO())

        async def worker(item):
            return (await llm.ask(stage="test", messages=user(item), item_id=item)).text

        async def work():
            running = asyncio.create_task(
                run_items([str(i) for i in range(10)], worker, llm, progress)
            )
            while not seen:
                await asyncio.sleep(QUICK)
                if "5/10" in (line := progress.line(llm)):
                    seen.append(line)
                    api.hold.clear()
            return await running

        assert len(asyncio.run(work()).values) == 10
    assert " | batches: 1 out, 5/10 answered | " in seen[0]


def test_the_key_is_in_no_file_and_no_message(batched, capsys):
    with batch_api(echo) as api:
        api.trouble = lambda method, path: 401 if path.startswith("/batches/") else 0
        llm = batched(api.url, api_key=KEY)
        with pytest.raises(Fatal) as raised:
            ask_all(llm, ["a", "b"])
    assert "401: trouble 401, Bearer" in str(raised.value)
    texts = [path.read_text() for path in llm.journal.path.parent.rglob("batch.json")]
    assert texts and not any(KEY in text for text in texts)
    assert KEY not in str(raised.value) + "".join(capsys.readouterr())


def test_settings_that_cannot_be(make):
    with pytest.raises(SettingError, match="batch:MODEL"):
        make("http://127.0.0.1:9/v1", specs=["batch"])


def test_commands_that_cannot_be(make):
    with pytest.raises(SettingError, match="--batch-command belongs to --llm batch:MODEL"):
        make("http://127.0.0.1:9/v1", specs=["openai:model"], batch_command="vllm run-batch")


def test_programs_that_cannot_be(make):
    with pytest.raises(SettingError, match="there is no such program; give one that takes -i"):
        make("http://127.0.0.1:9/v1", specs=["batch:model"], batch_command="no-such-vllm run-batch")


def test_a_batch_is_looked_at_less_and_less_often(make, monkeypatch):
    """Every five seconds at first, then at a tenth of its age, at last every five minutes."""
    api = BatchApi(echo, lambda number: Fate(looks=400))
    looks = []

    class Files:
        async def create(self, *, file, **_):
            return SimpleNamespace(**api.upload(file[1]))

        async def content(self, file_id, **_):
            return SimpleNamespace(content=api.files[file_id])

        async def delete(self, file_id):
            del api.files[file_id]

    class Batches:
        async def create(self, **asked):
            return Batch.construct(**api.create(asked))

        async def retrieve(self, name):
            looks.append(asyncio.get_running_loop().time())
            return Batch.construct(**api.look(name))

    llm = make("http://127.0.0.1:9/v1", specs=["batch:model"], first_pause=0.5)
    client = SimpleNamespace(files=Files(), batches=Batches())
    monkeypatch.setattr(llm.backends[""]._server, "client", lambda: client)
    assert ask_all(llm, ["a"], run=virtual_time.run).values == ["echo a"]
    # Gathered for two seconds.
    assert looks[:3] == [7.0, 12.0, 17.0]
    pauses = [round(after - before, 6) for before, after in pairwise(looks[:400])]
    assert pauses == sorted(pauses) and pauses[-1] == 300.0
    assert pauses[30] == pytest.approx((looks[30] - 2.0) / 10)
    assert len(looks) < 400 + 2 and looks[399] > 24 * 3600
