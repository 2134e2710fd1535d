"""How fast a build asks: requests per second and CPU time per request, against a server that takes
300 ms for each.

    python -m benchmarks.build [--concurrency 64] [--requests 4000] [--latency 0.3]
    python -m benchmarks.build --dialogues 10000

The server runs in a process of its own. Compared in the same run: the LLM layer with its journal,
and a pool of as many threads that call
`requests.post`, a new connection each, and record nothing. The ideal is concurrency / latency.
Prints a Markdown row for each; exits with 1 when the LLM layer stays below 85 % of the ideal.

With `--dialogues` no server is asked: that many role-played dialogues of 20 requests with a growing
history, answered at once by a scripted function, show what the layer itself costs: CPU time per
request, the process's peak memory, and the journal on disk.
"""

import argparse
import asyncio
import gc
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel

from csc_tasks.llm.backends import register_scripted
from csc_tasks.llm.client import LLM
from csc_tasks.llm.items import run_items
from csc_tasks.llm.journal.journal import Journal

GOAL = 0.85

# About the size of a role-playing prompt in the middle of a dialogue.
SYSTEM = "You are a customer service agent. " * 30
HISTORY = "Customer: I have been waiting for three weeks and nobody tells me anything. " * 40


class Said(BaseModel):
    """A structured reply like those of the role-playing agents."""

    strategy: str
    reply: str


CONTENT = (
    '{"strategy": "EM", "reply": "I am sorry that you had to wait; let me look at your case at'
    ' once."}'
)


def messages(number: int) -> list[dict[str, str]]:
    """The prompt of one request."""
    return [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": f"{HISTORY}\n{number}"},
    ]


@contextmanager
def server(latency: float) -> Iterator[str]:
    """The base URL of a server process."""
    command = [
        sys.executable,
        "-m",
        "tests.support.llm_server",
        "--latency",
        str(latency),
        "--content",
        CONTENT,
    ]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).resolve().parents[1]
    )
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


def ask_with_llm(url: str, count: int, concurrency: int, folder: str) -> None:
    """`count` items of one request each, journal included."""
    with LLM.from_specs(
        ["openai:model"],
        Journal(Path(folder, f"{count}.sqlite")),
        base_url=url,
        concurrency=concurrency,
    ) as llm:

        async def worker(number):
            answer = await llm.ask(
                stage="supporter", messages=messages(number), reply=Said, item_id=str(number)
            )
            return answer.parsed.reply

        outcome = asyncio.run(run_items(range(count), worker, llm))
        assert len(outcome.results) == count


def ask_with_threads(url: str, count: int, concurrency: int) -> None:
    """The same requests from a pool of threads around `requests` without sessions."""
    import requests

    def work(number):
        body = {"model": "model", "messages": messages(number)}
        answer = requests.post(
            f"{url}/chat/completions",
            json=body,
            headers={"Authorization": "Bearer none"},
            timeout=60,
        )
        return Said.model_validate_json(answer.json()["choices"][0]["message"]["content"]).reply

    with ThreadPoolExecutor(concurrency) as pool:
        assert len(list(pool.map(work, range(count)))) == count


def play_dialogues(count: int, folder: str) -> None:
    """`count` dialogues of 20 scripted requests; prints what they cost."""
    register_scripted("supporter", lambda request: CONTENT)
    path = Path(folder, "dialogues.sqlite")
    with LLM.from_specs(["scripted"], Journal(path), concurrency=64) as llm:

        async def dialogue(number):
            said = []
            for _ in range(20):
                prompt = [
                    {"role": "system", "content": SYSTEM},
                    {"role": "user", "content": f"{number}\n" + "\n".join(said)},
                ]
                said.append(
                    (
                        await llm.ask(
                            stage="supporter", messages=prompt, reply=Said, item_id=str(number)
                        )
                    ).parsed.reply
                )
            return said

        wall, cpu = measured(lambda: asyncio.run(run_items(range(count), dialogue, llm)))
    requests, size = (
        20 * count,
        sum(file.stat().st_size for file in path.parent.glob("dialogues.sqlite*")),
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        "| dialogues | requests | seconds | CPU ms per request | peak memory | journal |\n| ---: |"
        " ---: | ---: | ---: | ---: | ---: |"
    )
    print(
        f"| {count:,} | {requests:,} | {wall:.0f} | {cpu / requests * 1000:.2f} | {peak:.0f} MB |"
        f" {size / 2**20:.0f} MB |"
    )


def measured(work, *arguments) -> tuple[float, float]:
    """(wall seconds, CPU seconds of this process)."""
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    work(*arguments)
    return time.perf_counter() - wall, time.process_time() - cpu


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--latency", type=float, default=0.3)
    parser.add_argument("--dialogues", type=int, metavar="N")
    args = parser.parse_args()
    if args.dialogues:
        with tempfile.TemporaryDirectory() as folder:
            play_dialogues(args.dialogues, folder)
        return 0
    ideal = args.concurrency / args.latency
    print(
        f"concurrency {args.concurrency}, latency {args.latency:g} s, {args.requests:,} requests:"
        f" ideally {ideal:.1f} requests/s\n"
    )
    shares = {}
    with server(args.latency) as url, tempfile.TemporaryDirectory() as folder:
        ways = {
            "csc_tasks.llm.client": (ask_with_llm, folder),
            "threads around requests": (ask_with_threads,),
        }
        print(
            "| way | requests/s | of the ideal | CPU ms per request |\n| --- | ---: | ---: | ---: |"
        )
        for name, (work, *more) in ways.items():
            work(url, args.concurrency, args.concurrency, *more)  # imports and connections
            wall, cpu = measured(work, url, args.requests, args.concurrency, *more)
            shares[name] = args.requests / wall / ideal
            print(
                f"| {name} | {args.requests / wall:.1f} | {shares[name]:.1%} |"
                f" {cpu / args.requests * 1000:.2f} |",
                flush=True,
            )
    print(f"\npeak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    return 0 if shares["csc_tasks.llm.client"] >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
