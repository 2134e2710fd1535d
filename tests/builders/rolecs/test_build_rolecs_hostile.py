"""csc build rolecs against a server with every kind of error: what a user sees, what is kept, and
what the same command does then.
"""

import contextlib
import hashlib
import json
from collections import Counter

import builders.scripted.roles  # noqa: F401 - registers what plays the server
from builders.scripted.reading import read_back
from csc_tasks.errors import DataError
from csc_tasks.llm.backends import _SCRIPTED
from csc_tasks.llm.client import LLM
from csc_tasks.llm.exchange import Request
from tests.support.built_folders import files_of, record_of
from tests.support.llm_server import Act, first_asked, llm_server
from tests.support.rolecs_builds import build, rows_of

STAGES = ("planner", "supporter_assistant", "supporter", "customer_assistant", "customer", "judge")
LONG = "This model's maximum context length is 8192 tokens, your messages resulted in 9000 tokens."


def error(status, message):
    return Act(status=status, body={"error": {"message": message}})


# For ever, and only the first time; by a draw from the prompt.
FOR_EVER = (
    error(400, LONG),
    error(400, "Content Exists Risk"),
    error(413, "Payload Too Large"),
    error(400, "Failed to compile the grammar"),
    error(422, "odd"),
    Act(delay=60),
    Act(status=500),
    Act("Sure! I would love to."),
    Act(None, message={"refusal": "I cannot help with that."}),
)
ONCE = (
    Act(status=502),
    Act(drop=True),
    Act(status=429, headers={"Retry-After": "0.01"}),
    Act("Sure! I would love to."),
)
OF = 400


class Hostile:
    """The script; `errors` counts what went wrong for ever."""

    def __init__(self):
        self.seen = Counter()
        self.errors = Counter()

    def __call__(self, body, number):
        if body.get("response_format", {}).get("type") == "json_schema":
            return error(400, "response_format of type json_schema is unavailable now")
        if "seed" in body:
            return error(400, "Unrecognized request argument supplied: seed")
        messages = first_asked(body["messages"])
        text = json.dumps(messages, sort_keys=True)
        draw = int(hashlib.sha256(text.encode()).hexdigest(), 16) % OF
        first = not self.seen[text]
        self.seen[text] += 1
        if draw < len(FOR_EVER):
            self.errors[draw] += 1
            return FOR_EVER[draw]
        if first and draw < len(FOR_EVER) + len(ONCE):
            return ONCE[draw - len(FOR_EVER)]
        for stage in STAGES:
            with contextlib.suppress(DataError):
                read_back(messages, f"rolecs_{stage}")
                request = Request(stage, "conversation", 0, 0, messages)
                return Act(_SCRIPTED[stage](request))
        raise AssertionError(f"a prompt of no stage: {text:.200}")


def test_no_error_of_one_item_ends_the_build(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setitem(LLM.__init__.__kwdefaults__, "first_pause", 0.01)
    out = tmp_path / "set"
    options = ("--limit", 8, "--timeout", 2, "--retries", 2, "--price", "1,2")
    options += ("--sampling", '{"temperature": 0}', "--threshold", 1, "--scenario-threshold", 1)
    with llm_server(script := Hostile()) as server:
        options = ("--base-url", server.url, *options)
        assert build(out, *options, llm="openai:model") == 0
        said = capsys.readouterr()
        asked, files = server.count, files_of(out)
        assert build(out, *options, llm="openai:model") == 0
        assert server.count == asked and files_of(out) == files
    assert len(rows_of(out)) == 8
    assert len(script.errors) >= 6, "the server was not hostile enough"
    # What was dropped is counted by reason, and named.
    dropped = record_of(out)["counts"]["conversations_dropped"]
    reasons = Counter()
    for reason, count in dropped.items():
        reasons[reason.partition(": ")[2]] += count
    assert {"longer than the model's context", "rejected with 422", "timed out"} & reasons.keys()
    named = json.loads((out / "run.json").read_text(encoding="utf-8"))["dropped_without_a_reply"]
    assert {f"{row['stage']}: {row['outcome']}" for row in named} >= {
        reason
        for reason in dropped
        if not reason.endswith(("refused", "malformed reply")) and not reason.startswith("judge: ")
    }
    # What the user sees: no traceback, what the server does not take, once; and no absurd rate.
    assert "Traceback" not in said.err + said.out
    assert said.err.count("does not take json_schema") == said.err.count("not take seed") == 1
    assert "dropped without a reply: " in said.err and "--retry-dropped" in said.err
    rates = [
        float(part.split()[0])
        for line in said.err.splitlines()
        for part in line.split(" | ")
        if part.endswith("requests/s")
    ]
    assert all(rate < 10_000 for rate in rates)


def test_a_model_that_writes_prose_costs_little(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with llm_server(lambda body, number: Act("Of course! Meet Anna, a nurse.")) as server:
        status = build(
            tmp_path / "set", "--base-url", server.url, "--price", "1,2", llm="openai:model"
        )
    error = capsys.readouterr().err
    assert status == 1 and not (tmp_path / "set").exists()
    # 30 items of three attempts, and what the other 15 workers had out.
    assert server.count <= 30 * 3 + 15 * 3
    assert "so the run stops here: planner: malformed reply" in error
    assert "a reply with it: 'Of course! Meet Anna, a nurse.'" in error
    assert "tokens in" in error and "cost 0.0" in error and "--llm planner=" in error
