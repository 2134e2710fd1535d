"""The key reaches nothing that stays: no journal, no log, no error, no output."""

import asyncio
import io
import json
import logging
import os
import ssl
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from csc_tasks.errors import SettingError
from csc_tasks.llm.client import LLM
from csc_tasks.llm.items import run_items
from csc_tasks.llm.journal.journal import Journal
from csc_tasks.llm.options import checked_sampling
from csc_tasks.llm.outcomes import Fatal, Stopped
from csc_tasks.llm.progress import Progress
from csc_tasks.refusals import cleaner
from tests.support.llm_asking import (
    KEY,
    ask,
    rows,
    user,
)
from tests.support.llm_server import Act, echo, in_turn, llm_server

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
        from csc_tasks.llm.journal.journal import Journal
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


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"api_key": "x"}, "api_key"),
        ({"extra": [{"Authorization": "Bearer x"}]}, "Authorization"),
        ({"user": f"me:{KEY}"}, "user"),
    ],
)
def test_a_secret_among_the_sampling_is_refused_without_showing_it(fields, name, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(SettingError) as caught:
        checked_sampling(json.dumps(fields))
    assert str(caught.value).startswith(f"--sampling: {name!r} holds a secret")
    assert KEY not in str(caught.value) and "Bearer" not in str(caught.value)
    harmless = {"max_tokens": 9, "min_tokens": 1, "logit_bias": {"7": -1}, "user": "me"}
    assert checked_sampling(json.dumps(harmless)) == harmless


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
