"""csc judge facts, killed and run again."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter

from tests.support.audited_facts import lines_of
from tests.support.llm_server import Act, fingerprint, llm_server
from tests.support.quoted import unquote


def faulty(body, number):
    """Some answers are malformed or refusals, by the request alone; one request in fifty is turned
    away.
    """
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).digest()
    _, data = unquote(body["messages"][1]["content"])
    delay = 0.01 + digest[9] / 255 * 0.03
    if number % 50 == 20:
        return Act(status=500, delay=delay)
    if digest[7] % 12 == 0:
        return Act(None, message={"refusal": "no"}, delay=delay)
    words = "made up" if digest[8] % 6 == 0 else data["reply"].split()[0]
    fact = {"text": words, "kind": "name", "reason": "Why.", "supported": digest[6] % 2 == 0}
    return Act(json.dumps({"facts": [fact]}), delay=delay)


def test_killed_and_run_again_the_audit_is_the_same_and_nothing_is_asked_twice(
    demo, tmp_path, repository
):
    environment = {**os.environ, "OPENAI_API_KEY": "none"}

    def command(out, url):
        judges = [
            "--llm",
            "one=openai:m1",
            "--llm",
            "two=openai:m2",
            "--base-url",
            url,
            "--concurrency",
            "4",
        ]
        return [
            sys.executable,
            "-m",
            "csc_tasks.cli",
            "judge",
            "facts",
            str(demo),
            *judges,
            "--conversations",
            "6",
            "--out",
            str(out),
        ]

    def run(out, url):
        done = subprocess.run(
            command(out, url), cwd=repository, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    with llm_server(faulty) as server:
        run(tmp_path / "whole", server.url)
    out = tmp_path / "killed"
    with llm_server(faulty) as server:
        process = subprocess.Popen(
            command(out, server.url),
            cwd=repository,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 60
        while server.count < 25 and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert server.count >= 25 and not out.exists(), (
            "no results may be there before they are complete"
        )
        resumed = run(out, server.url)
        answered = Counter(map(fingerprint, server.answered))
        count = server.count
        again = run(out, server.url)
        assert server.count == count and "0 requests sent" in again, "a finished run asks nothing"
    # Only what was out when the process was killed, four at most, may have been answered twice.
    assert sum(times - 1 for times in answered.values()) <= 4 and "read from the journal" in resumed
    for name in ("facts.jsonl", "facts.json"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    lines = lines_of(out)
    assert any(line["facts"] is None and "refused" in line["problem"] for line in lines)
    assert any(line["attempts"] > 1 and line["facts"] for line in lines)
