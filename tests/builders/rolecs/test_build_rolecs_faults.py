"""csc build rolecs with models that answer garbage, and stopped or killed and run again."""

import contextlib
import json
import random
from collections import Counter

import pytest

from builders.rolecs.pool import read_pool
from builders.scripted import roles as scripted_roles
from builders.scripted.reading import read_back
from csc_tasks.errors import DataError
from csc_tasks.llm.backends import register_scripted
from csc_tasks.llm.client import LLM
from csc_tasks.llm.exchange import Request
from tests.support.built_folders import files_of, journal_rows, record_of
from tests.support.killed_builds import after, kill_and_finish, until
from tests.support.llm_server import Act, fingerprint, first_asked, llm_server
from tests.support.rolecs_builds import LANGUAGES, build, rows_of


def test_garbage_at_one_stage_drops_that_conversation_and_no_other(tmp_path, capsys):
    customer = scripted_roles.customer

    def sometimes(request):
        return (
            "Sure! Here is what I would say."
            if request.item_id[-1] in "0123"
            else customer(request)
        )

    register_scripted("customer", sometimes)
    try:
        assert build(tmp_path / "set", "--language", "zh", "--topics", "产品咨询") == 0
    finally:
        register_scripted("customer", customer)
    counts = record_of(tmp_path / "set")["counts"]
    assert (
        counts["conversations_tried"] == 40
        and 0 < counts["conversations_dropped"]["customer: malformed reply"] < 40
    )
    assert (
        counts["conversations_kept"]
        == 40 - sum(counts["conversations_dropped"].values())
        == len(rows_of(tmp_path / "set"))
    )


GARBAGE = [
    "lorem ipsum 的的的 <|im_end|>",
    "",
    '{"scenario": "cut',
    "[1, 2",
    "{}",
    '```json\n{"reply": 1}\n```',
    "<think>endless",
    "null",
]


def test_a_server_that_answers_garbage_leaves_nothing_and_says_so(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    pool = tmp_path / "pool.jsonl"
    pool.write_text(json.dumps({"language": "en", "profile": "The customer is a nurse."}) + "\n")
    with llm_server(lambda body, number: Act(GARBAGE[number % len(GARBAGE)])) as server:
        status = build(
            tmp_path / "set",
            "--base-url",
            server.url,
            "--language",
            "en",
            "--profiles",
            pool,
            llm="openai:tiny",
        )
    error = capsys.readouterr().err.splitlines()[-1]
    assert status == 1
    assert (
        error
        == "error: none of the 7 conversations can be used, so nothing was written; dropped: 7"
        " planner: malformed reply"
    )
    assert server.count == 7 * 3 and not (tmp_path / "set").exists()
    states = journal_rows(tmp_path / "set.journal.sqlite")
    assert len(states) == 21 and {state for _, state, *_ in states} == {"done"}


def test_a_server_that_refuses_everything_is_counted_too(tmp_path, capsys):
    pool = tmp_path / "pool.jsonl"
    pool.write_text(json.dumps({"language": "en", "profile": "The customer is a nurse."}) + "\n")
    with llm_server(
        lambda body, number: Act(None, message={"refusal": "I cannot help with that."})
    ) as server:
        status = build(
            tmp_path / "set",
            "--base-url",
            server.url,
            "--language",
            "en",
            "--profiles",
            pool,
            llm="openai:tiny",
        )
    assert status == 1 and "dropped: 7 planner: refused" in capsys.readouterr().err


STAND_INS = {  # stage -> its prompts
    "planner": ("rolecs_planner",),
    "supporter_assistant": ("rolecs_supporter_assistant",),
    "supporter": ("rolecs_supporter",),
    "customer_assistant": ("rolecs_customer_assistant",),
    "customer": ("rolecs_customer",),
    "judge": ("rolecs_judge",),
}
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
    lambda right: Act(None, choices=[]),
    lambda right: Act(f"<think>Hm, {{</think>\n```json\n{right}\n```"),
)


def over_http(faulty):
    """A server that plays every role by the stand-in; `faulty`: for every third prompt something
    goes wrong when it comes first.
    """
    seen = set()

    def script(body, number):
        messages = first_asked(body["messages"])
        for stage, names in STAND_INS.items():
            with contextlib.suppress(DataError):
                read_back(messages, *names)
                right = getattr(scripted_roles, stage)(
                    Request(stage, "one id for all", 0, 0, messages)
                )
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
    pool = tmp_path / "pool.jsonl"
    pool.write_text(
        "".join(
            json.dumps({"language": p.language, "profile": p.text}) + "\n"
            for p in read_pool("demo", LANGUAGES, Counter())[::40]
        )
    )
    for name, faulty in (("plain", False), ("faulty", True)):
        with llm_server(over_http(faulty)) as server:
            assert (
                build(tmp_path / name, "--base-url", server.url, "--profiles", pool, llm="openai:m")
                == 0
            )
    counts = record_of(tmp_path / "plain")["counts"]
    assert counts["conversations_tried"] == 14 and counts["conversations_kept"] >= 10
    run = json.loads((tmp_path / "faulty" / "run.json").read_text())
    assert {"server", "transport", "busy"} <= run["failures"].keys() and sum(
        stage["malformed"] for stage in run["stages"].values()
    ) > 20
    assert files_of(tmp_path / "plain") == files_of(tmp_path / "faulty")


def test_a_wrong_key_stops_the_build_at_once(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret-key")
    with llm_server(lambda body, number: Act(status=401)) as server:
        assert (
            build(tmp_path / "set", "--base-url", server.url, "--concurrency", 2, llm="openai:m")
            == 1
        )
        assert server.count <= 2
    error = capsys.readouterr().err
    assert error.splitlines()[-1].startswith("error: ") and "401" in error and "secret" not in error
    assert not (tmp_path / "set").exists()


def test_a_stopped_build_goes_on_in_the_middle_of_a_dialogue(tmp_path, capsys):
    """Stopped twice by the request limit, then finished: the same bytes, and every request sent
    once.
    """
    options = ["--limit", 6, "--language", "en"]
    assert build(tmp_path / "whole", *options) == 0
    for most in (40, 120):
        assert build(tmp_path / "set", *options, "--max-requests", most) == 1
        assert f"--max-requests is {most}" in capsys.readouterr().err
        assert not (tmp_path / "set").exists()
        stages = Counter(stage for *_, stage in journal_rows(tmp_path / "set.journal.sqlite"))
        assert stages["judge"] < 6 and sum(stages.values()) == most
    assert build(tmp_path / "set", *options) == 0
    assert files_of(tmp_path / "set") == files_of(tmp_path / "whole")
    assert {tries for _, _, tries, *_ in journal_rows(tmp_path / "set.journal.sqlite")} == {1}


def finished(tmp_path, limit, moments):
    """How often a build that is killed at each moment was still running; it ends as one that
    nobody killed.
    """
    whole, out = tmp_path / "whole", tmp_path / "killed" / "set"
    assert build(whole, "--limit", limit) == 0
    alive = kill_and_finish("rolecs", whole, out, moments, "--limit", limit)
    assert files_of(out) == files_of(whole)
    return alive


def test_a_killed_build_ends_with_the_same_bytes(tmp_path):
    assert finished(tmp_path, 12, [until(count) for count in (40, 170, 320)]) >= 2


@pytest.mark.slow
def test_a_build_killed_at_twenty_random_moments_ends_with_the_same_bytes(tmp_path):
    rng = random.Random(7)
    finished(tmp_path, 300, [after(rng.uniform(0.2, 4.0)) for _ in range(20)])
