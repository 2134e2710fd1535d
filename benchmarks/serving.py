"""Model servers that people run, each started as a process of its own and ended with the block:
`transformers serve`, llama.cpp's server, `vllm serve`.

All take OpenAI chat requests at `Served.url`; they listen on a free loopback port and need no
network. A server that ends or is not healthy in time is a ServerError with the end of its log.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import packaged

ROOT = Path(__file__).resolve().parents[1]
PR_SET_PDEATHSIG = 1
"""Of Linux's prctl."""
GGML = {"float32": "F32", "bfloat16": "BF16"}
"""What ggml calls the types; the cache of a quantised model is in F16, llama.cpp's default."""


class ServerError(RuntimeError):
    """A server that did not come up."""


@dataclass(frozen=True, slots=True)
class Start:
    """What to start. kind: a key of COMMANDS. model: a folder, or a GGUF file for llama.cpp.
    precision: float32, bfloat16, or the name of a quantised file's type.

    threads: of the computation. slots: requests at once. context: tokens a request may have.
    eager: vLLM compiles nothing, so that it starts sooner. python: of the environment that has the
    server. alias: the model's name for requests, where llama.cpp's is not to be its path.
    """

    kind: str
    model: Path
    precision: str = "float32"
    threads: int = 1
    slots: int = 16
    context: int = 4096
    eager: bool = False
    python: Path = Path(sys.executable)
    alias: str = ""


@dataclass(frozen=True, slots=True)
class Served:
    """A running server: its address without a path, the model's name for requests, its process."""

    address: str
    model: str
    process: int

    @property
    def base(self) -> str:
        """What clients of OpenAI's API are given (`csc build --base-url`)."""
        return f"{self.address}/v1"

    @property
    def url(self) -> str:
        """Where chat requests go."""
        return f"{self.base}/chat/completions"


def _transformers(start: Start, port: int) -> list[str]:
    command = ["serve", str(start.model), "--device", "cpu", "--dtype", start.precision]
    program = str(start.python.with_name("transformers"))
    return [program, *command, "--host", "127.0.0.1", "--port", str(port)]


def _llama(start: Start, port: int) -> list[str]:
    sizes = ["--threads", start.threads, "--slots", start.slots, "--context", start.context]
    cache = ["--cache", GGML.get(start.precision, "F16")]
    command = [start.python, "-m", "benchmarks.llama_server", start.model, "--port", port]
    alias = ["--alias", start.alias] if start.alias else []
    return [str(part) for part in (*command, *sizes, *cache, *alias)]


def _vllm(start: Start, port: int) -> list[str]:
    sizes = ["--max-model-len", str(start.context), "--max-num-seqs", str(start.slots)]
    model = [str(start.model), "--dtype", start.precision, "--enable-prefix-caching"]
    model += ["--enforce-eager"] if start.eager else []
    program = str(start.python.with_name("vllm"))
    return [program, "serve", *model, *sizes, "--host", "127.0.0.1", "--port", str(port)]


COMMANDS = {"transformers": _transformers, "llama.cpp": _llama, "vllm": _vllm}


def environment(threads: int) -> dict[str, str]:
    """Of the servers and of vLLM in a process: offline, so many threads, no core chosen for
    them.
    """
    return {
        **os.environ,
        "OMP_NUM_THREADS": str(threads),
        "HF_HUB_OFFLINE": "1",
        "VLLM_CPU_KVCACHE_SPACE": "4",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "VLLM_NO_USAGE_STATS": "1",
    }


@contextmanager
def serve(start: Start, log: Path, wait: float = 600.0) -> Iterator[Served]:
    """A healthy server, ended with all its processes at the end. log: the file of its output.

    Raises ServerError where it is not healthy within `wait` seconds.
    """
    port = free_port()
    start = replace(start, model=start.model.absolute())
    command = COMMANDS[start.kind](start, port)
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment(start.threads),
            cwd=ROOT,
            start_new_session=True,
            preexec_fn=end_with_parent,
        )
    try:
        name = start.alias or str(start.model)
        served = Served(f"http://127.0.0.1:{port}", name, process.pid)
        _await_health(served, process, log, wait)
        yield served
    finally:
        _end(process)


@contextmanager
def serve_packaged(log: Path, threads: int = 1, slots: int = 4) -> Iterator[Served]:
    """The model of packaged.py behind llama.cpp's server. Raises ServerError where the packages are
    not installed.
    """
    file = packaged.weights()
    if file is None or packaged.missing():
        raise ServerError(packaged.missing())
    start = Start(
        "llama.cpp",
        file,
        "Q4_1",
        threads,
        slots,
        packaged.CONTEXT,
        alias=packaged.MODEL,
    )
    with serve(start, log, wait=120) as served:
        yield served


def end_with_parent() -> None:
    """For a child, before its program starts: it ends when its parent does, however that happens
    (Linux; elsewhere nothing is done).
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


def _await_health(
    served: Served, process: "subprocess.Popen[bytes]", log: Path, wait: float
) -> None:
    end = time.monotonic() + wait
    while time.monotonic() < end:
        if process.poll() is not None:
            raise ServerError(f"the server ended with {process.returncode}: {_tail(log)}")
        try:
            with urllib.request.urlopen(f"{served.address}/health", timeout=5) as response:
                if response.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.2)
    raise ServerError(f"the server was not healthy within {wait:g} s: {_tail(log)}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """The process and its children, which are a group of their own."""
    for sent in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sent)
            process.wait(20)
        except ProcessLookupError:
            break
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def _tail(log: Path, lines: int = 5) -> str:
    return " | ".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def cpu_seconds(processes: Sequence[int]) -> float:
    """User and system seconds so far of these processes and all they started that still run."""
    import psutil

    total = 0.0
    for number in processes:
        first = psutil.Process(number)
        for one in (first, *first.children(recursive=True)):
            times = one.cpu_times()
            total += times.user + times.system
    return total
