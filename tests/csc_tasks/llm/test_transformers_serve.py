"""Builders against a real server: `transformers serve` with a tiny random model, which answers
garbage. They end cleanly and say why.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from csc_tasks.cli import main
from tests.support.built_folders import journal_rows
from tests.support.models import make_model
from tests.support.qa_recordings import recordings, write_source

pytestmark = pytest.mark.xdist_group("transformers serve")

# Of a reply: a random model rarely ends one by itself.
SAMPLING = '{"max_tokens": 40}'


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return make_model(tmp_path_factory.mktemp("serve") / "tiny", positions=16_384)


@pytest.fixture(scope="module")
def server(model) -> Iterator[str]:
    """The base URL of a running server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        Path(sys.executable).with_name("transformers"),
        "serve",
        model,
        "--device",
        "cpu",
        "--host",
        "127.0.0.1",
        "--port",
        port,
    ]
    log = model.with_name("serve.log")
    with log.open("wb") as output:
        offline = os.environ | {"HF_HUB_OFFLINE": "1"}
        process = subprocess.Popen(
            list(map(str, command)), stdout=output, stderr=subprocess.STDOUT, env=offline
        )
    try:
        deadline = time.monotonic() + 120
        while not healthy(f"http://127.0.0.1:{port}/health"):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text(
                errors="replace"
            )[-2000:]
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(20)


def healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            return reply.status == 200
    except (urllib.error.URLError, OSError):
        return False


def build(verb: str, out: Path, server: str, model: Path, *options) -> int:
    asked = [
        "--llm",
        f"openai:{model}",
        "--base-url",
        server,
        "--sampling",
        SAMPLING,
        "--attempts",
        "2",
        "--concurrency",
        "2",
    ]
    return main(["build", verb, "--out", str(out), *asked, *map(str, options)])


def answered(out: Path) -> Counter:
    """Stage -> answered requests; every one of them was."""
    rows = journal_rows(out.with_name(f"{out.name}.journal.sqlite"))
    assert {state for _, state, *_ in rows} == {"done"}
    return Counter(stage for *_, stage in rows)


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """Two dialogues of each language."""
    return write_source(tmp_path_factory.mktemp("source") / "calls.jsonl", recordings(2))


def test_build_qa_drops_everything_in_moderation(server, model, source, tmp_path, capsys):
    assert build("qa", tmp_path / "set", server, model, "--source", source) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert (
        error == "error: none of the 4 conversations gave a row, so nothing was written; "
        "conversations dropped: 4 moderate: malformed reply"
    )
    assert answered(tmp_path / "set") == {"moderate": 8} and not (tmp_path / "set").exists()


def test_build_qa_without_moderation_drops_everything_later(
    server, model, source, tmp_path, capsys
):
    """Summaries are text, so garbage may pass for one; refined answers are not."""
    options = ["--source", source, "--moderation", "none", "--pairs", "published"]
    assert build("qa", tmp_path / "set", server, model, *options) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(
        "error: none of the 4 conversations gave a row, so nothing was written; pairs dropped: "
    )
    reasons = dict(
        part.split(" ", 1)[::-1] for part in error.split("pairs dropped: ")[1].split(", ")
    )
    assert reasons.keys() <= {
        "summary: malformed reply",
        "summary: more tokens than allowed",
        "refine: malformed reply",
    }
    assert sum(map(int, reasons.values())) == 4
    assert (
        answered(tmp_path / "set").keys() <= {"summary", "refine"}
        and not (tmp_path / "set").exists()
    )
    # The same command again asks nothing.
    before = answered(tmp_path / "set")
    assert (
        build("qa", tmp_path / "set", server, model, *options) == 1
        and answered(tmp_path / "set") == before
    )


def test_build_qa_stages_drops_everything(server, model, tmp_path, capsys):
    options = ["--split", "validation", "--limit", "4"]
    assert build("qa-stages", tmp_path / "set", server, model, "demo", *options) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert (
        error
        == "error: none of the 4 rows could be labelled, so nothing was written; dropped: 4 stage:"
        " malformed reply"
    )


def test_build_rolecs_drops_everything(server, model, tmp_path, capsys):
    pool = tmp_path / "pool.jsonl"
    pool.write_text(json.dumps({"language": "en", "profile": "The customer is a nurse."}) + "\n")
    assert (
        build("rolecs", tmp_path / "set", server, model, "--language", "en", "--profiles", pool)
        == 1
    )
    error = capsys.readouterr().err.splitlines()[-1]
    assert (
        error
        == "error: none of the 7 conversations can be used, so nothing was written; dropped: 7"
        " planner: malformed reply"
    )
    assert answered(tmp_path / "set") == {"planner": 14} and not (tmp_path / "set").exists()
