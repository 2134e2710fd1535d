"""The LLM layer against real sockets: what a server may do wrong, and what becomes of the items,
the run and the key.
"""

import asyncio
import io
import logging
import os
import ssl
import subprocess
import sys
import traceback
from argparse import ArgumentParser
from collections import Counter
from email.utils import formatdate
from pathlib import Path

import pytest
from pydantic import BaseModel

from csc_tasks.errors import DataError, MissingExtra, SettingError
from csc_tasks.llm.backends import register_scripted
from csc_tasks.llm.budget import Price
from csc_tasks.llm.client import LLM, llm_from_args
from csc_tasks.llm.exchange import Reply, Usage
from csc_tasks.llm.items import run_items
from csc_tasks.llm.journal import Journal, read_rows
from csc_tasks.llm.options import add_llm_arguments
from csc_tasks.llm.outcomes import Dropped, Fatal, Malformed, Refused, Stopped
from csc_tasks.llm.pace import Pace
from csc_tasks.llm.progress import Progress, clock, short
from csc_tasks.refusals import cleaner, retry_after
from tests.support import virtual_time
from tests.support.llm_server import Act, InProcess, echo, in_turn, llm_server

KEY = "sk-planted-7f3a9c1e5b2d8064"

# A certificate nobody trusts, for 127.0.0.1, and its worthless key.
CERTIFICATE = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgWYrfnlaT/GS23eYd
XCEwaMZDaNdvlK2GypYq5hUFvsyhRANCAASmT+XD2/FByMrhuiPCXygbvCaB6ejM
CIw3z7JKOVsAgyWovF/tVv/JamLba3L9WJ1U9UHBGRq0FGDNV8AbKeH1
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBnDCCAUGgAwIBAgIUXdmc2JaxwAIPYW9GpEehddwHR48wCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMDE4NDg1OFoYDzIxMjYxMDI3
MTg0ODU4WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASmT+XD2/FByMrhuiPCXygbvCaB6ejMCIw3z7JKOVsAgyWovF/tVv/J
amLba3L9WJ1U9UHBGRq0FGDNV8AbKeH1o28wbTAdBgNVHQ4EFgQUNJWmUFagt54j
g0UDjz76J0GPGJEwHwYDVR0jBBgwFoAUNJWmUFagt54jg0UDjz76J0GPGJEwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSQAwRgIhAMfLM0tpTkCDnjFzL1fiOjMOY3gAySDDr7EmYQhq0yNcAiEA
tYshyDiI6u5inmFtD9V1CIbpfN/gJo4gl0oh42Xn174=
-----END CERTIFICATE-----
"""


class Said(BaseModel):
    text: str
    finished: bool


GOOD = '{"text": "fine", "finished": false}'


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A file with the certificate and its key."""
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_text(CERTIFICATE)
    return path


@pytest.fixture(autouse=True)
def settings_of_the_shell(monkeypatch, certificate):
    # One authority instead of the system's 140: reading those takes longer than most tests.
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    for name in [
        name
        for name in os.environ
        if name.startswith(("OPENAI_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"))
    ]:
        monkeypatch.delenv(name)


@pytest.fixture
def make(tmp_path):
    """Make an LLM over one journal file; all of them are closed at the end."""
    made = []

    def make(url, specs=("openai:model",), **settings):
        for earlier in made:
            earlier.journal.close()
        made.append(
            LLM.from_specs(
                specs,
                Journal(tmp_path / "journal.sqlite"),
                base_url=url,
                **{"first_pause": 0.01, **settings},
            )
        )
        return made[-1]

    yield make
    for earlier in made:
        earlier.journal.close()


def user(text):
    return [{"role": "user", "content": text}]


def ask(llm, text="hello", **arguments):
    """One question in an event loop of its own."""

    async def work():
        try:
            return await llm.ask(
                **{"stage": "test", "messages": user(text), "item_id": text, **arguments}
            )
        finally:
            await llm.disconnect()

    return asyncio.run(work())


def ask_all(llm, items, concurrency=None, reply=None, run=asyncio.run, **arguments):
    """One question per item."""

    async def worker(item):
        answer = await llm.ask(
            stage="test", messages=user(str(item)), item_id=str(item), reply=reply, **arguments
        )
        return answer.text

    return run(
        run_items(items, worker, llm, Progress(len(items), stream=io.StringIO()), concurrency)
    )


@pytest.fixture
def make_virtual(make):
    """Make an LLM whose server is a script in this process, and which is to be run in virtual time:
    (LLM, server).
    """

    def made(script, **settings):
        llm, server = make("http://127.0.0.1:9/v1", **settings), InProcess(script)
        server.serve(llm)
        return llm, server

    return made


def ask_all_virtually(llm, items, concurrency=None):
    return ask_all(llm, items, concurrency, run=virtual_time.run)


def rows(llm):
    return list(read_rows(llm.journal.path))


def test_a_plain_answer(make):
    with llm_server(in_turn(Act("  hello you\n"))) as server:
        llm = make(server.url, api_key=KEY)
        answer = ask(llm, sampling={"temperature": 0.5, "max_tokens": 20})
    assert (answer.text, answer.parsed, answer.thinking, answer.refused) == (
        "hello you",
        None,
        "",
        "",
    )
    assert (answer.usage, answer.model, answer.attempts) == (Usage(10, 5), "model-served", 1)
    (body,) = server.asked
    assert body.pop("seed") >= 0
    assert body == {
        "model": "model",
        "messages": user("hello"),
        "temperature": 0.5,
        "max_tokens": 20,
    }
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"
    (row,) = rows(llm)
    assert (row["state"], row["tries"], row["stage"], row["item_id"], row["outcome"]) == (
        "done",
        1,
        "test",
        "hello",
        "ok",
    )
    assert row["reply"]["text"] == "  hello you\n" and row["request"]["messages"] == user("hello")


def test_a_structured_answer_is_asked_for_by_its_schema(make):
    with llm_server(in_turn(Act(GOOD))) as server:
        answer = ask(make(server.url), reply=Said)
    assert answer.parsed == Said(text="fine", finished=False)
    form = server.asked[0]["response_format"]
    assert (
        form["type"] == "json_schema"
        and form["json_schema"]["name"] == "Said"
        and form["json_schema"]["strict"] is True
    )
    assert form["json_schema"]["schema"]["required"] == ["text", "finished"]
    assert form["json_schema"]["schema"]["additionalProperties"] is False


@pytest.mark.parametrize(
    ("act", "thinking", "output"),
    [
        (Act("<think>so and so</think>\nfine"), "so and so", 5),
        (Act("fine", message={"reasoning_content": "so and so"}), "so and so", 5),
        (Act("fine", message={"reasoning": "so and so"}), "so and so", 5),
        (Act("<think>and so</think>fine", message={"reasoning_content": "so"}), "so\nand so", 5),
        (Act("[THINK]so and so[/THINK]fine"), "so and so", 5),
        (
            Act(
                "<|channel|>analysis<|message|>so and"
                " so<|end|><|start|>assistant<|channel|>final<|message|>fine"
            ),
            "so and so",
            5,
        ),
        (Act([{"type": "text", "text": "fi"}, {"type": "text", "text": "ne"}]), "", 5),
        (Act("fine", usage=None), "", None),
        (Act("fine", usage={"prompt_tokens": "10", "completion_tokens": True}), "", None),
    ],
)
def test_what_servers_add_to_an_answer(make, act, thinking, output):
    with llm_server(in_turn(act)) as server:
        answer = ask(make(server.url))
    assert (answer.text, answer.thinking, answer.usage.output) == ("fine", thinking, output)


def test_thinking_tokens_are_counted_apart(make):
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 50,
        "completion_tokens_details": {"reasoning_tokens": 45},
    }
    with llm_server(in_turn(Act("fine", usage=usage))) as server:
        llm = make(server.url)
        assert ask(llm).usage == Usage(10, 50, 45)
    assert [
        (t.input_tokens, t.output_tokens, t.thinking_tokens, t.uncounted)
        for t in llm.journal.totals()
    ] == [(10, 50, 45, 0)]


# What is tried again, and as what it is counted. A published client tried everything 1,500 times,
# wrong keys included.
@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (Act(status=500), "server"),
        (
            Act(
                status=502, body=b"<html>bad gateway</html>", headers={"Content-Type": "text/html"}
            ),
            "server",
        ),
        (Act(status=503), "server"),
        (Act(status=529), "server"),
        (Act(status=408), "timeout"),
        (Act(drop=True), "transport"),
        (Act(cut=True), "transport"),
        (Act(body=b'{"choices": [{"mess'), "transport"),
        (
            Act(body=b"<html>please log in</html>", headers={"Content-Type": "text/html"}),
            "transport",
        ),
        (Act(body=b"[" * 100_000), "transport"),
        (Act(body=[1, 2]), "transport"),
        (Act(body={"detail": "loading"}), "transport"),
        (Act(body={"error": {"message": "upstream is down", "code": 502}}), "server"),
        (Act(body={"error": "odd"}), "server"),
        (Act(status=503, headers={"Retry-After": "0.02"}), "busy"),
        (Act(status=429), "busy"),
        (Act(body={"error": {"message": "slow down", "code": 429}}), "busy"),
    ],
)
def test_transport_failures_are_tried_again(make, act, kind):
    with llm_server(in_turn(act, act, then=Act("fine"))) as server:
        llm = make(server.url)
        assert ask(llm).text == "fine"
    assert server.count == 3
    assert llm.failures == Counter({kind: 2})
    (row,) = rows(llm)
    assert (row["state"], row["tries"]) == ("done", 3)


@pytest.mark.parametrize("act", [Act(delay=60), Act(trickle=1)])
def test_a_reply_that_takes_too_long_is_a_timeout(make, act):
    """Nothing for a minute, or one byte a second: neither is there in full when the time is over,
    on any machine.
    """
    with llm_server(in_turn(act)) as server:
        llm = make(server.url, timeout=0.2, retries=1)
        with pytest.raises(Stopped, match=r"no reply in 2 tries, at last no reply within 0\.2 s"):
            ask(llm)
    assert llm.failures == Counter(timeout=2)
    assert (rows(llm)[0]["state"], rows(llm)[0]["tries"]) == ("failed", 2)


def test_a_server_that_is_gone_stops_the_run_after_a_bounded_number_of_tries(make):
    with llm_server(in_turn(Act(status=500))) as server:
        llm = make(server.url, retries=3)
        with pytest.raises(
            Stopped, match=r"no reply in 4 tries, at last 500: no luck .*nothing else was answered"
        ):
            ask_all(llm, range(20), concurrency=1)
        assert server.count == 4
        assert rows(llm)[0]["state"] == "failed"
        url = server.url
    with pytest.raises(Stopped, match="no reply in 2 tries"):  # nobody listens any more
        ask(make(url, retries=1))


def test_one_request_the_server_dies_of_does_not_keep_the_others(make_virtual):
    def script(body, number):
        return Act(status=500) if body["messages"][-1]["content"] == "3" else Act(delay=0.02)

    llm, server = make_virtual(script, retries=2)
    with pytest.raises(
        Stopped,
        match=(
            r"1 of 8 items are unfinished: run the same command again; .*test, 3.*no reply in 3"
            r" tries"
        ),
    ):
        ask_all_virtually(llm, range(8), concurrency=2)
    assert [row["item_id"] for row in rows(llm) if row["state"] != "done"] == ["3"]
    assert server.count == 7 + 3
    # The same command again asks for that one only.
    llm, server = make_virtual(script, retries=2)
    with pytest.raises(Stopped):
        ask_all_virtually(llm, range(8))
    assert server.count == 3
    # Or it goes, when the user says so.
    llm, server = make_virtual(script, retries=2, drop_unreachable=True)
    outcome = ask_all_virtually(llm, [*range(8), *range(100, 120)], concurrency=2)
    assert [item for item, _ in outcome.drops] == [3] and outcome.dropped == Counter(
        {"test: unreachable": 1}
    )


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 413, 422])
def test_other_4xx_stop_the_build_at_once_with_the_servers_words(make, status):
    body = {"error": {"message": "the model 'model' does not exist", "code": "nope"}}
    with llm_server(in_turn(Act(status=status, body=body, delay=0.02))) as server:
        llm = make(server.url)
        with pytest.raises(
            Fatal,
            match=(
                f"openai:model at {server.url} .*test, .*{status}: the model 'model' does not exist"
            ),
        ):
            ask_all(llm, range(100), concurrency=4)
        assert server.count <= 4
        with pytest.raises(Fatal):
            ask(llm)
        assert server.count <= 4


@pytest.mark.parametrize(
    ("act", "error", "words"),
    [
        (
            Act(
                status=429,
                body={
                    "error": {
                        "message": "You exceeded your current quota",
                        "code": "insufficient_quota",
                    }
                },
            ),
            Fatal,
            "current quota",
        ),
        (
            Act(status=422, body={"detail": [{"loc": ["body", "top_p"], "msg": "not a number"}]}),
            Fatal,
            "422: body.top_p: not a number",
        ),
        (
            Act(status=400, body=b"no json", headers={"Content-Type": "text/plain"}),
            Fatal,
            "400: no json",
        ),
        (Act(status=400, body=b""), Fatal, "400"),
        (Act(status=429, headers={"Retry-After": "3600"}), Stopped, "asks to wait 3,600 s"),
        (
            Act(status=429, headers={"Retry-After": "Fri, 01 Jan 2100 00:00:00 GMT"}),
            Stopped,
            "asks to wait",
        ),
        (
            Act(status=429, headers={"Retry-After": "0.01"}),
            Stopped,
            "nothing was answered for 0.3 s",
        ),
        (Act(status=429), Stopped, "nothing was answered for 0.3 s"),
    ],
)
def test_other_ends_of_a_run(make, act, error, words):
    with llm_server(in_turn(act)) as server, pytest.raises(error) as caught:
        ask(make(server.url, max_wait=0.3))
    assert words in str(caught.value)
    assert server.count < 60


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


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (Act(None, message={"refusal": "I cannot help with that."}), "I cannot help with that."),
        (Act("", finish="content_filter"), "stopped by the content filter"),
        (Act("half of", finish="content_filter"), "stopped by the content filter"),
        (
            Act(
                status=400,
                body={
                    "error": {
                        "message": "filtered",
                        "code": "content_filter",
                        "innererror": {"code": "X"},
                    }
                },
            ),
            "400: filtered",
        ),
        (
            Act(
                status=400,
                body={"error": {"message": "inappropriate", "code": "data_inspection_failed"}},
            ),
            "400: inappropriate",
        ),
    ],
)
def test_a_refusal_drops_the_item_and_is_never_asked_again(make, act, words):
    def script(body, number):
        return act if body["messages"][-1]["content"] == "1" else Act()

    with llm_server(script) as server:
        for again in (False, True):
            outcome = ask_all(make(server.url), range(3))
            assert [item for item, _ in outcome.results] == [0, 2]
            assert outcome.dropped == Counter({"test: refused": 1})
            ((item, error),) = outcome.drops
            assert item == 1 and isinstance(error, Refused)
            assert (error.detail, error.answer.refused) == (words, words)
            assert server.count == 3, f"asked again: {again}"
    assert [
        row["outcome"] for row in sorted(rows(make(server.url)), key=lambda row: row["item_id"])
    ] == ["ok", "refused", "ok"]


MALFORMED = [
    (Act('{"text": "cut off he'), "not JSON: Unterminated string"),
    (Act(f"Here it is: {GOOD}"), "not JSON"),
    (Act('{"text": "fine", "finished": "false"}'), "finished: Input should be a valid boolean"),
    (Act('{"text": 5, "finished": false}'), "text: Input should be a valid string"),
    (Act('{"text": "fine"}'), "finished: Field required"),
    (Act("[]"), "Input should be an object"),
    (Act(None), "empty"),
    (Act(""), "empty"),
    (Act("<think>and so on"), "empty"),
    (Act("<|channel|>analysis<|message|>and so on"), "empty"),
    (Act(choices=[]), "empty"),
    (Act(choices=[{"index": 0}]), "empty"),
    (Act(choices=["odd"]), "empty"),
    (Act(7), "empty"),
    (Act('{"text": "half \\ud83d", "finished": false}'), "lone surrogate"),
    (Act("half \ud83d"), "lone surrogate"),
    (Act('{"text": "fi', finish="length"), "cut at the token limit; not JSON"),
]


@pytest.mark.parametrize(("act", "problem"), MALFORMED)
def test_a_malformed_reply_is_asked_again_each_time_as_a_row(make, act, problem):
    with llm_server(in_turn(act, act, then=Act(GOOD))) as server:
        llm = make(server.url)
        answer = ask(llm, reply=Said)
        assert answer.parsed == Said(text="fine", finished=False) and answer.attempts == 3
        found = rows(llm)
        assert [(row["attempt"], row["state"], row["tries"], row["outcome"]) for row in found] == [
            (0, "done", 1, "malformed"),
            (1, "done", 1, "malformed"),
            (2, "done", 1, "ok"),
        ]
        assert problem in found[0]["problem"] and problem in found[1]["problem"]
        # A server that keeps to seeds would repeat itself.
        assert len({body["seed"] for body in server.asked}) == 3
        ask(make(server.url), reply=Said)
    assert server.count == 3


@pytest.mark.parametrize(("act", "problem"), MALFORMED)
def test_replies_that_stay_malformed_drop_the_item_after_a_bounded_number(make, act, problem):
    def script(body, number):
        return act if body["messages"][-1]["content"] == "1" else Act(GOOD)

    with llm_server(script) as server:
        for _ in range(2):
            outcome = ask_all(make(server.url, attempts=2), range(3), reply=Said)
            assert [item for item, _ in outcome.results] == [0, 2]
            assert outcome.dropped == Counter({"test: malformed reply": 1})
            error = outcome.drops[0][1]
            assert (
                isinstance(error, Malformed)
                and len(error.problems) == 2
                and problem in error.detail
            )
            assert server.count == 4


@pytest.mark.parametrize(
    ("act", "problem"),
    [
        (Act("half of a senten", finish="length"), "cut at the token limit"),
        (Act(None), "empty"),
        (Act("half \ud83d"), "lone surrogate"),
    ],
)
def test_text_can_be_malformed_too(make, act, problem):
    with llm_server(in_turn(act)) as server, pytest.raises(Malformed, match=problem):
        ask(make(server.url))
    assert server.count == 3


def test_json_that_is_whole_counts_although_the_limit_was_reached(make):
    with llm_server(in_turn(Act(GOOD + "\n" * 50, finish="length"))) as server:
        assert ask(make(server.url), reply=Said).parsed.text == "fine"


@pytest.mark.parametrize(
    ("feature", "body"),
    [
        (
            "response_format",
            {"error": {"message": "response_format.type `json_schema` is unavailable now"}},
        ),
        (
            "response_format",
            {"error": {"message": "unknown parameter", "param": "response_format"}},
        ),
        (
            "response_format",
            {
                "detail": [
                    {
                        "loc": ["body", "response_format"],
                        "msg": "extra fields not permitted",
                        "input": {},
                    }
                ]
            },
        ),
        ("seed", {"error": {"message": "Unrecognized request argument supplied: seed"}}),
        ("seed", {"detail": [{"loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]}),
        (
            "temperature",
            {
                "error": {
                    "message": (
                        "Unsupported value: 'temperature' does not support 0.2 with this model."
                        " Only the default (1) value is supported."
                    ),
                    "param": "temperature",
                    "code": "unsupported_value",
                }
            },
        ),
        (
            "stop",
            {
                "error": {
                    "message": "Unsupported parameter: 'stop' is not supported with this model.",
                    "param": "stop",
                }
            },
        ),
        (
            "max_tokens",
            {
                "error": {
                    "message": (
                        "Unsupported parameter: 'max_tokens' is not supported with this model. Use"
                        " 'max_completion_tokens' instead."
                    ),
                    "param": "max_tokens",
                    "code": "unsupported_parameter",
                }
            },
        ),
    ],
)
def test_what_a_server_does_not_know_is_left_out_from_then_on(make, feature, body, capsys):
    status = 422 if "detail" in body else 400

    def script(asked, number):
        return (
            Act(status=status, body=body)
            if feature in asked
            else Act(f"Yes:\n```json\n{GOOD}\n```")
        )

    with llm_server(script) as server:
        llm = make(server.url)
        sampling = {"temperature": 0.2, "max_tokens": 9, "stop": ["."]}
        answers = [ask(llm, str(i), reply=Said, sampling=sampling) for i in range(3)]
        assert [answer.parsed.text for answer in answers] == ["fine"] * 3
        assert [feature in asked for asked in server.asked] == [True, False, False, False]
        other = {"response_format", "seed", *sampling} - {feature}
        assert all(other <= asked.keys() for asked in server.asked)
        # The token limit is not left out but told by its other name.
        limits = [asked.get("max_completion_tokens") for asked in server.asked]
        assert limits == ([None, 9, 9, 9] if feature == "max_tokens" else [None] * 4)
        assert llm.left_out() == ([] if feature == "max_tokens" else [f"openai:model: {feature}"])
        # The key does not depend on what the server takes.
        assert ask(make(server.url), "0", reply=Said, sampling=sampling).parsed.text == "fine"
        assert server.count == 4
    assert capsys.readouterr().err.count(f"openai:model does not take {feature}") == 1


def test_a_400_about_something_else_is_final(make):
    with llm_server(
        in_turn(
            Act(status=400, body={"error": {"message": "maximum context length is 8192 tokens"}})
        )
    ) as server:
        with pytest.raises(Fatal, match="maximum context length"):
            ask(make(server.url), reply=Said)
        assert server.count == 1


def test_a_request_asked_twice_at_once_is_sent_once(make):
    with llm_server(in_turn(Act(delay=0.1))) as server:
        llm = make(server.url)

        async def work():
            asked = [
                llm.ask(stage="test", messages=user("same"), item_id="1", repeat=repeat)
                for repeat in (0, 0, 0, 1)
            ]
            found = await asyncio.gather(*asked)
            await llm.disconnect()
            return found

        assert [answer.text for answer in asyncio.run(work())] == ["fine"] * 4
    assert server.count == 2  # repeat 1 is meant to be independent
    assert (llm.sent, llm.replayed) == (2, 2)


@pytest.mark.parametrize(
    "change",
    [
        {"messages": user("other")},
        {"item_id": "other"},
        {"repeat": 1},
        {"sampling": {"temperature": 0.1}},
        {"reply": Said},
    ],
)
def test_anything_that_changes_a_request_makes_it_another(make, change):
    with llm_server(in_turn(Act(GOOD))) as server:
        ask(make(server.url))
        ask(make(server.url))
        assert server.count == 1
        ask(make(server.url), **change)
        assert server.count == 2


def test_the_model_and_the_server_are_parts_of_a_request_too(make):
    with llm_server(in_turn(Act())) as one, llm_server(in_turn(Act())) as two:
        for url, settings in (
            (one.url, {}),
            (one.url, {"specs": ["openai:other"]}),
            (two.url, {}),
            (two.url, {"seed": 1}),
        ):
            ask(make(url, **settings))
        assert (one.count, two.count) == (2, 2)


def test_stages_have_their_models_and_the_users_sampling_wins(make):
    with llm_server(in_turn(Act())) as server:
        llm = make(
            server.url,
            specs=["openai:a:b=c", "summary=openai:d"],
            sampling={"": {"temperature": 0.1}, "summary": {"top_p": None}},
        )
        for stage in ("planner", "summary"):
            ask(llm, stage=stage, sampling={"temperature": 0.9, "top_p": 0.5})
    sent = [
        {name: body.get(name) for name in ("model", "temperature", "top_p")}
        for body in server.asked
    ]
    assert sent == [
        {"model": "a:b=c", "temperature": 0.1, "top_p": 0.5},
        {"model": "d", "temperature": 0.1, "top_p": None},
    ]
    assert "top_p" not in server.asked[1]


def test_several_event_loops_one_after_the_other(make):
    with llm_server(echo) as server:
        llm = make(server.url, concurrency=2)
        for text in ("a", "b"):
            # Without closing anything: the connections of the first loop die with it.
            answer = asyncio.run(llm.ask(stage="test", messages=user(text), item_id=text))
            assert answer.text == f"echo {text}"


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


# Keys

ECHOES = [
    Act(
        status=401,
        body={"error": {"message": f"Incorrect API key provided: {KEY}. " + "x" * 470 + KEY}},
    ),
    Act(status=500, body={"error": {"message": "y" * 490 + KEY}}),
    Act(
        status=400,
        body=f"bad request: Authorization: Bearer {KEY}".encode(),
        headers={"Content-Type": "text/plain"},
    ),
    Act(f"your key is {KEY}", message={"reasoning_content": KEY, "refusal": KEY}),
    Act(f"your key is {KEY}", message={"reasoning_content": KEY}, finish=KEY),
    Act(body={"choices": KEY}),
    Act(drop=True),
]


@pytest.mark.parametrize("act", ECHOES)
def test_the_key_reaches_nothing_that_stays(make, act, caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    progress = io.StringIO()
    with llm_server(in_turn(act)) as server:
        llm = make(server.url, api_key=f" {KEY}\n", retries=1)
        seen = [repr(llm), repr(llm.backends), str(vars(llm)), str(vars(llm.backends[""]))]

        async def worker(item):
            answer = await llm.ask(stage="test", messages=user("what is my key?"), item_id="1")
            seen.append(repr(answer))

        try:
            outcome = asyncio.run(run_items([1], worker, llm, Progress(1, stream=progress)))
            seen += [repr(outcome), *(repr(vars(error)) for _, error in outcome.drops)]
        except (Fatal, Stopped) as error:
            seen += [str(error), repr(error), *everything_in(error)]
        assert server.headers[0]["authorization"] == f"Bearer {KEY}"
        seen += [repr(row) for row in rows(llm)]
    llm.journal.close()
    seen += [
        path.read_bytes().decode("latin-1")
        for path in llm.journal.path.parent.glob("journal.sqlite*")
    ]
    seen += [caplog.text, progress.getvalue()]
    # No half of it either: texts are cut after cleaning.
    assert [text for text in seen if KEY[:14] in text] == []
    assert act.drop or "[key]" in "".join(seen)


def everything_in(error):
    """The traceback with every local variable of every frame but this file's own, and those of all
    the errors behind this one.
    """
    found = traceback.TracebackException.from_exception(error, capture_locals=True)
    found.stack = traceback.StackSummary.from_list(
        [frame for frame in found.stack if frame.filename != __file__]
    )
    assert found.stack and any(frame.locals for frame in found.stack)
    yield "".join(found.format())
    for behind in (error.__cause__, error.__context__):
        if behind is not None:
            yield from everything_in(behind)


def test_a_key_in_a_prompt_is_not_recorded_either(make):
    with llm_server(echo) as server:
        llm = make(server.url, api_key=KEY)
        assert ask(llm, f"my key is {KEY}!", item_id="1").text == "echo my key is [key]!"
    llm.journal.close()
    assert rows(llm)[0]["request"]["messages"] == user("my key is [key]!")
    assert KEY.encode() not in llm.journal.path.read_bytes()


def test_the_key_reaches_no_output_of_a_failing_build(tmp_path):
    """In a process of its own, with all the logging the libraries have."""
    script = """if True:
        import asyncio, logging, sys
        logging.basicConfig(level=logging.DEBUG)
        from csc_tasks.llm.client import LLM
        from csc_tasks.llm.items import run_items
        from csc_tasks.llm.journal import Journal
        async def worker(item):
            await llm.ask(stage="test", messages=[{"role": "user", "content": "hello"}],
            item_id=str(item))
        with LLM.from_specs(["openai:model"], Journal(sys.argv[1]), first_pause=0.01) as llm:
            asyncio.run(run_items(range(5), worker, llm))
    """
    acts = in_turn(Act(), Act(status=500), Act(drop=True), ECHOES[0])
    with llm_server(acts) as server:
        settings = {
            "OPENAI_API_KEY": KEY,
            "OPENAI_BASE_URL": server.url,
            "OPENAI_LOG": "debug",
            "PYTHONASYNCIODEBUG": "1",
        }
        command = [sys.executable, "-X", "dev", "-c", script, str(tmp_path / "journal.sqlite")]
        done = subprocess.run(
            command,
            env=os.environ | settings,
            capture_output=True,
            text=True,
            cwd=Path(__file__).resolve().parents[3],
        )
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"
    assert (
        done.returncode == 1
        and "Fatal: openai:model at" in done.stderr
        and "DEBUG:openai" in done.stderr
    )
    assert KEY[:14] not in done.stdout + done.stderr
    assert not [path for path in tmp_path.iterdir() if KEY[:14].encode() in path.read_bytes()]


def test_placeholders_are_no_secrets():
    assert cleaner("none")("none of it") == "none of it"
    assert cleaner("longer-than-8")("a longer-than-8 b") == "a [key] b"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"api_key": "sk-with-ümlaut-0123456"}, "characters that no key has"),
        ({"api_key": "sk-line\nbreak-0123456"}, "characters that no key has"),
        ({"api_key": "", "base_url": None}, "OPENAI_API_KEY is not set"),
        ({"base_url": f"https://user:{KEY}@host/v1"}, "carries a user name, password"),
        ({"base_url": f"https://host/v1?key={KEY}"}, "carries a user name, password, query"),
        ({"base_url": "host:8000/v1"}, "is not http://"),
        ({"base_url": "ftp://host/v1"}, "is not http://"),
        ({"concurrency": 0}, "concurrency 0 is not in 1..1000"),
        ({"attempts": 0}, "at least 0 and 1"),
    ],
)
def test_settings_that_cannot_work_are_refused_without_showing_a_key(tmp_path, settings, words):
    with pytest.raises(SettingError) as caught:
        LLM.from_specs(
            ["openai:model"],
            Journal(tmp_path / "j"),
            **{"base_url": "http://127.0.0.1:9/v1", **settings},
        )
    assert words in str(caught.value)
    assert KEY not in str(caught.value) and "sk-" not in str(caught.value)


def test_certificates_are_checked(make, tmp_path, certificate, monkeypatch):
    """A published client switched that off."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    monkeypatch.delenv("SSL_CERT_FILE")
    with llm_server(in_turn(Act()), tls=context) as server:
        with pytest.raises(Fatal, match=r"CERTIFICATE_VERIFY_FAILED.*SSL_CERT_FILE"):
            ask(make(server.url))
        assert server.count == 0
        # The way out that the message names.
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert ask(make(server.url)).text == "fine"


# The stand-in


def test_scripted_functions_answer_through_the_same_path(make, monkeypatch):
    monkeypatch.setattr("csc_tasks.llm.backends._SCRIPTED", {})

    async def later(request):
        return Reply(None, refusal="no")

    register_scripted(
        "customer",
        lambda request: (
            GOOD if request.attempt else f"{request.item_id} {request.sampling['seed']}"
        ),
    )
    register_scripted("supporter", later)
    llm = make(None, specs=["scripted"], api_key="")
    answer = ask(llm, stage="customer", reply=Said)
    assert answer.parsed.text == "fine" and answer.attempts == 2 and answer.usage == Usage(0, 0)
    with pytest.raises(Refused):
        ask(llm, stage="supporter")
    with pytest.raises(
        Fatal, match="nothing plays the stage 'judge'; scripted are customer, supporter"
    ):
        ask(llm, stage="judge")
    # Recorded like any other, and seeded by what is asked.
    first = rows(llm)[0]
    assert (first["backend"], first["reply"]["text"]) == (
        "scripted",
        f"hello {first['request']['sampling']['seed']}",
    )


# Options


def parsed(*words):
    parser = ArgumentParser()
    add_llm_arguments(parser)
    return parser.parse_args(words)


def test_every_option_arrives(tmp_path):
    words = [
        "--llm",
        "openai:a",
        "--llm",
        "judge=scripted",
        "--base-url",
        "http://127.0.0.1:9/v1/",
        "--concurrency",
        "3",
        "--timeout",
        "7",
        "--retries",
        "2",
        "--attempts",
        "4",
        "--max-wait",
        "9",
        "--sampling",
        '{"top_p": null}',
        "--sampling",
        'judge={"a": "b=c"}',
        "--price",
        "1,2",
        "--price",
        "judge=3,4",
        "--max-requests",
        "5",
        "--max-cost",
        "6",
        "--drop-unreachable",
    ]
    with llm_from_args(parsed(*words), tmp_path / "j.sqlite", stages=["planner", "judge"]) as llm:
        assert {
            stage: (backend.name, backend.model) for stage, backend in llm.backends.items()
        } == {
            "": ("openai", "a"),
            "judge": ("scripted", ""),
        }
        assert (llm.backends[""].base_url, llm.backends[""].timeout) == ("http://127.0.0.1:9/v1", 7)
        assert (llm.concurrency, llm.retries, llm.attempts, llm.max_wait, llm.drop_unreachable) == (
            3,
            2,
            4,
            9,
            True,
        )
        assert llm.sampling == {"": {"top_p": None}, "judge": {"a": "b=c"}}
        assert llm.budget.prices == {"": Price(1, 2), "judge": Price(3, 4)}
        assert (llm.budget.max_requests, llm.budget.max_cost) == (5, 6)
        assert llm.journal.path == tmp_path / "j.sqlite"
    with llm_from_args(
        parsed("--llm", "scripted", "--journal", str(tmp_path / "k")), tmp_path / "j.sqlite"
    ) as llm:
        assert llm.journal.path == tmp_path / "k"


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--llm", "gpt-4o"], "there is no backend 'gpt-4o'; there are openai, scripted"),
        (["--llm", "openai"], "--llm openai needs a model"),
        (["--llm", "openai:"], "--llm openai needs a model"),
        (["--llm", "scripted:zh"], "--llm scripted takes no model"),
        (["--llm", "scripted", "--llm", "scripted"], "--llm is given twice for all other stages"),
        (
            ["--llm", "scripted", "--llm", "plan=scripted"],
            "--llm: there is no stage 'plan'; there are planner, judge",
        ),
        (["--llm", "judge=scripted"], "no --llm for planner"),
        (["--llm", "scripted", "--price", "1,2", "--price", "2,3"], "--price is given twice"),
        (["--llm", "scripted", "--price", "juge=1,2"], "--price: there is no stage 'juge'"),
        (["--llm", "scripted", "--sampling", "{"], "not JSON"),
        (["--llm", "scripted", "--sampling", "[1]"], "must be a JSON object"),
        (["--llm", "scripted", "--sampling", '{"messages": []}'], "sampling cannot hold messages"),
    ],
)
def test_options_that_do_not_fit(tmp_path, words, problem):
    with pytest.raises(SettingError) as caught:
        llm_from_args(
            parsed("--base-url", "http://127.0.0.1:9/v1", *words),
            tmp_path / "j",
            stages=["planner", "judge"],
        )
    assert problem in str(caught.value)
    Journal(tmp_path / "j").close()  # and the journal is free again


def test_the_openai_package_is_an_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(MissingExtra, match=r"pip install 'csc-tasks\[build\]'"):
        LLM.from_specs(["openai:model"], Journal(tmp_path / "j"), base_url="http://127.0.0.1:9/v1")
    LLM.from_specs(["scripted"], Journal(tmp_path / "k"))


def test_a_request_that_is_no_json_names_its_item(make):
    llm = make(None, specs=["scripted"], api_key="")
    for wrong in (
        {"messages": user("half \ud83d")},
        {"sampling": {"temperature": float("nan")}},
        {"sampling": {"stop": {1, 2}}},
    ):
        with pytest.raises(DataError, match="test conv-7: the request cannot be written as JSON"):
            ask(llm, **{"item_id": "conv-7", **wrong})
    with pytest.raises(SettingError, match="sampling cannot hold n"):
        ask(llm, sampling={"n": 2})


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
    llm = type("L", (), {"answered": 0, "budget": type("B", (), {"stages": {}, "cost": None})})
    progress = Progress(1000, stream=io.StringIO(), clock=lambda: now[0])
    progress.done = 500  # from the journal, at once
    for _ in range(200):
        now[0] += 1
        progress.done += 1
        line = progress.line(llm)
    assert " | 0:05:00 left | " in line  # 300 items at one a second


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
