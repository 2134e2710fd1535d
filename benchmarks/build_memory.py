"""Peak memory and time of `csc build qa` by the number of conversations, offline.

    python -m benchmarks.build_memory [1000 10000]

Makes so many different conversations of 12 turns (six pairs), builds them with functions that
answer at once (the stand-ins of `--llm scripted` take longer than all the rest), each number in a
process of its own, and prints a Markdown row for each: seconds, requests, the process's peak
memory, and the memory per conversation beyond the smallest build.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from builders import runner
from builders.qa.build import QA, add_arguments
from csc_tasks.llm.backends import register_scripted

TURNS = 12
TEXT = (
    "Turn {turn} of call {call}: the order 4{call:07} was to arrive on 12 May, costs 37.50 and has"
    " not been seen by anybody since it left the depot in the north of the city last week."
)


def write_source(path: Path, count: int) -> None:
    """So many conversations, no two the same."""
    with path.open("w", encoding="utf-8") as file:
        for call in range(count):
            turns = [
                {
                    "speaker": ("customer", "supporter")[turn % 2],
                    "text": TEXT.format(turn=turn, call=call),
                }
                for turn in range(TURNS)
            ]
            row = {"conversation_id": str(call), "language": "en", "turns": turns}
            file.write(json.dumps(row) + "\n")


def measured(count: int) -> tuple[float, int, int]:
    """Seconds, requests and peak memory (KiB) of a build of so many conversations."""
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder, "calls.jsonl"), Path(folder, "set")
        write_source(source, count)
        command = [
            sys.executable,
            "-m",
            "benchmarks.build_memory",
            "--build",
            str(source),
            str(out),
        ]
        started = time.monotonic()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # Of this child alone: RUSAGE_CHILDREN is the largest of all that there were.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - started
        if status:
            sys.exit(f"the build of {count:,} conversations ended with {status}")
        stages = json.loads((out / "run.json").read_text(encoding="utf-8"))["stages"]
        return seconds, sum(stage["requests"] for stage in stages.values()), usage.ru_maxrss


class Quick(QA):
    """The build with answers that cost nothing."""

    def stand_in(self) -> None:
        answers = {
            "moderate": '{"reason": "Nothing is wrong.", "flagged": false, "categories": []}',
            "summary": "The customer asks for an order that has not arrived; the agent looks.",
            "refine": '{"answer": "I am sorry that your order has not arrived; let me look."}',
        }
        for stage, answer in answers.items():
            register_scripted(stage, lambda request, answer=answer: answer)


def build(source: str, out: str) -> None:
    """One build in this process."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    words = ["--source", source, "--llm", "scripted", "--out", out]
    args = parser.parse_args(words)
    args.words = words
    runner.run(Quick, args)


def main() -> None:
    if sys.argv[1:2] == ["--build"]:
        build(*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("counts", type=int, nargs="*", default=[1_000, 10_000])
    counts = sorted(parser.parse_args().counts)
    print("| conversations | seconds | requests | peak memory | beyond the first, each |")
    print("| --- | --- | --- | --- | --- |")
    first = None
    for count in counts:
        seconds, requests, peak = measured(count)
        first = first or (count, peak)
        each = (peak - first[1]) / (count - first[0]) if count > first[0] else None
        more = "–" if each is None else f"{each:,.2f} KiB"
        print(
            f"| {count:,} | {seconds:,.0f} | {requests:,} | {peak / 1024:,.0f} MiB | {more} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
