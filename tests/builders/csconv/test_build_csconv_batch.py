"""csc build csconv in batches: the folder of the same model asked one by one."""

import hashlib
import json

from builders.scripted import rewriter
from csc_tasks.llm.exchange import Request
from tests.support.batch_api import batch_api
from tests.support.csconv_builds import build, files_of, recorded, write
from tests.support.llm_server import Act, llm_server

PLAYED = {
    "Check": rewriter.check,
    "ChosenTopic": rewriter.topic,
    "Rewritten": rewriter.rewrite,
    "Verdict": rewriter.judge,
}


def script(body, number):
    """The offline stand-in behind a server."""
    name = body["response_format"]["json_schema"]["name"]
    text = json.dumps(body["messages"], sort_keys=True)
    item_id = hashlib.sha256(text.encode()).hexdigest()
    return Act(PLAYED[name](Request("", item_id, 0, 0, body["messages"])))


def test_a_build_in_batches_is_the_build_of_the_same_model(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    calls = write(tmp_path / "calls.jsonl", recorded(12, "en"))
    one_by_one, batched = tmp_path / "a" / "set", tmp_path / "b" / "set"
    with llm_server(script) as server:
        assert build(calls, one_by_one, "--base-url", server.url, llm="openai:model") == 0
    with batch_api(script) as api:
        options = ("--base-url", api.url, "--price", "1,2")
        monkeypatch.setattr("csc_tasks.llm.client.FIRST_PAUSE", 0.002)
        assert build(calls, batched, *options, llm="batch:model") == 0
    assert files_of(batched) == files_of(one_by_one)
    lines = [len(api.lines(number)) for number in range(len(api.batches))]
    # check, topic, rewrite, judge.
    assert len(lines) == 4 and lines[0] == 12 and sum(lines) == len(server.asked)
    run = json.loads((batched / "run.json").read_text())
    assert run["requests_sent"] == sum(lines)
    assert run["cost"] == sum(lines) * (10 * 1 + 5 * 2) / 1_000_000
