"""csc build csconv with faulty servers, and stopped or killed on the way: the set is the same."""

import contextlib
import json
import random

import pytest

from builders.csconv.asking import STAGES, prompt_name
from builders.scripted import rewriter
from builders.scripted.reading import read_back
from csc_tasks.errors import DataError
from csc_tasks.llm.client import LLM
from csc_tasks.llm.exchange import Request
from tests.support.built_folders import journal_rows
from tests.support.csconv_builds import (
    FIDELITY,
    LANGUAGES,
    build,
    files_of,
    recorded,
    rows_of,
    write,
)
from tests.support.killed_builds import after, kill_and_finish, until
from tests.support.llm_server import Act, fingerprint, first_asked, llm_server

GARBAGE = [
    "lorem ipsum 的的的 <|im_end|>",
    "",
    '{"abusive": "no"',
    "[1, 2",
    "{}",
    '```json\n{"abusive": 0}\n```',
    "<think>endless",
    "null",
]


def test_a_server_that_answers_garbage_leaves_nothing_and_says_so(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    source = write(tmp_path / "calls.jsonl", recorded(5, "en"))
    with llm_server(lambda body, number: Act(GARBAGE[number % len(GARBAGE)])) as server:
        status = build(source, tmp_path / "set", "--base-url", server.url, llm="openai:tiny")
    assert (
        status == 1
        and "conversations dropped by the check: 5 check: malformed reply"
        in capsys.readouterr().err
    )
    assert server.count == 5 * 3 and not (tmp_path / "set").exists()


FAULTS = (
    lambda right: Act(status=500),
    lambda right: Act(drop=True),
    lambda right: Act(right, cut=True),
    lambda right: Act(status=429, headers={"Retry-After": "0"}),
    lambda right: Act(right[: len(right) // 2]),
    lambda right: Act(f"Certainly! {right} I hope this helps."),
    lambda right: Act(
        right.replace("false", '"false"').replace("true", "1").replace('": "', '": ["')
    ),
    lambda right: Act(f"<think>Hm, {{</think>\n```json\n{right}\n```"),
)


def over_http(faulty):
    """A server that plays every stage by the stand-in; `faulty`: for every third prompt something
    goes wrong when it comes first.
    """
    seen = set()

    def script(body, number):
        messages = first_asked(body["messages"])
        for stage in STAGES:
            with contextlib.suppress(DataError):
                read_back(messages, prompt_name(stage))
                right = getattr(rewriter, stage)(Request(stage, "one id for all", 0, 0, messages))
        asked = fingerprint(messages)
        first = asked not in seen
        seen.add(asked)
        draw = int(asked[:8], 16)
        return (
            FAULTS[draw // 3 % len(FAULTS)](right)
            if faulty and first and draw % 3 == 0
            else Act(right)
        )

    return script


def test_a_server_with_faults_gives_the_same_set_as_one_without(tmp_path, capsys, monkeypatch):
    """Real sockets: storms, dropped connections, cut bodies, prose around JSON, wrong types;
    nothing of it is in the data.
    """
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setitem(LLM.__init__.__kwdefaults__, "first_pause", 0.01)
    source = write(
        tmp_path / "calls.jsonl", [row for language in LANGUAGES for row in recorded(10, language)]
    )
    for name, faulty in (("plain", False), ("faulty", True)):
        with llm_server(over_http(faulty)) as server:
            assert (
                build(
                    source,
                    tmp_path / name,
                    "--base-url",
                    server.url,
                    "--fidelity",
                    8,
                    llm="openai:m",
                )
                == 0
            )
    run = json.loads((tmp_path / "faulty" / "run.json").read_text())
    assert run["failures"] and sum(stage["malformed"] for stage in run["stages"].values()) > 5
    assert len(rows_of(tmp_path / "plain")) >= 12 and files_of(tmp_path / "plain") == files_of(
        tmp_path / "faulty"
    )


def test_a_build_that_a_limit_stops_goes_on_and_asks_nothing_twice(calls, built, tmp_path, capsys):
    for most in (30, 140):
        assert build(calls, tmp_path / "set", "--fidelity", FIDELITY, "--max-requests", most) == 1
        assert (
            f"--max-requests is {most}" in capsys.readouterr().err
            and not (tmp_path / "set").exists()
        )
    assert build(calls, tmp_path / "set", "--fidelity", FIDELITY) == 0
    assert files_of(tmp_path / "set") == files_of(built)
    assert {tries for _, _, tries, *_ in journal_rows(tmp_path / "set.journal.sqlite")} == {1}


def finished(source, whole, out, moments):
    """How often a build that is killed at each moment was still running; it ends as one that
    nobody killed.
    """
    alive = kill_and_finish(
        "csconv", whole, out, moments, "--source", source, "--fidelity", FIDELITY
    )
    assert files_of(out) == files_of(whole)
    # Neither half-written files nor the candidates' own are left beside what the build writes.
    beside = {
        path.name
        for path in out.parent.iterdir()
        if not path.name.startswith(f"{out.name}.journal")
    }
    assert beside == {out.name, f"{out.name}.originals.jsonl", f"{out.name}.judged.jsonl"}
    return alive


def test_a_build_killed_in_three_stages_ends_with_the_same_bytes(calls, built, tmp_path):
    moments = [until(9, "check"), until(11, "rewrite"), until(1, "label")]
    assert finished(calls, built, tmp_path / "killed" / "set", moments) >= 2


@pytest.mark.slow
def test_a_build_killed_at_twenty_random_moments_ends_with_the_same_bytes(tmp_path):
    source = write(
        tmp_path / "calls.jsonl", [row for language in LANGUAGES for row in recorded(400, language)]
    )
    whole = tmp_path / "whole" / "set"
    whole.parent.mkdir()
    assert build(source, whole, "--fidelity", FIDELITY) == 0
    rng = random.Random(7)
    moments = [after(rng.uniform(0.2, 4.0)) for _ in range(20)]
    finished(source, whole, tmp_path / "killed" / "set", moments)
