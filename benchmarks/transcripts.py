"""Time and peak memory of `csc build transcripts` by the number of rows, offline.

    python -m benchmarks.transcripts [10000 100000]

Writes a CSV of so many rows in no order (about 14 make a conversation; a tenth in HTML, a tenth
with a signature or a quotation, some with a telephone number) and the same as an array of tickets,
builds each in a process of its own, and prints a Markdown row for each: seconds, seconds of the
processor (the same on a machine that others use too), and the process's peak memory.
"""

import argparse
import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.talkmap import WORDS

PER = 14
KINDS = ("csv", "json")


def rows(count: int, seed: int = 0) -> Iterator[tuple[int, int, str, str]]:
    """(conversation, second, speaker, text), conversation by conversation."""
    draw = random.Random(seed)
    for number in range(count):
        text = " ".join(draw.choices(WORDS, k=draw.randint(3, 30)))
        kind = draw.random()
        if kind < 0.1:
            text = f"<p>{text}</p><p>Reference <b>{number}</b></p>"
        elif kind < 0.15:
            text = f"{text}\n\nBest regards,\nAnna"
        elif kind < 0.2:
            text = f"{text}\n\nOn 5 March 2024, Anna wrote:\n> {text}"
        elif kind < 0.23:
            text = f"{text} +44 20 7946 {draw.randrange(10**4):04}"
        yield number // PER, number % PER, ("Agent", "End-user")[number % 2], text


def write(path: Path, kind: str, count: int) -> None:
    """The rows as a table in no order, or as tickets."""
    if kind == "csv":
        table = list(rows(count))
        random.Random(1).shuffle(table)
        with path.open("w", encoding="utf-8", newline="") as file:
            out = csv.writer(file)
            out.writerow(["ticket_id", "created_at", "author_type", "body"])
            for ticket, second, speaker, text in table:
                out.writerow([ticket, f"2024-03-05T10:00:{second:02}Z", speaker, text])
        return
    with path.open("w", encoding="utf-8") as file:
        file.write('{"tickets": [')
        comments: list[dict] = []
        for ticket, second, speaker, text in rows(count):
            comments.append({"author": {"role": speaker}, "public": True, "body": text})
            if second == PER - 1:
                file.write(f"{',' if ticket else ''}\n")
                json.dump({"id": ticket, "comments": comments}, file)
                comments.clear()
        file.write("]}")


def measured(kind: str, count: int) -> tuple[float, float, int]:
    """Seconds, seconds of the processor and peak memory (KiB) of a build of so many rows."""
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder, f"calls.{kind}"), Path(folder, "set")
        write(source, kind, count)
        command = [sys.executable, "-m", "csc_tasks.cli", "build", "transcripts"]
        started = time.monotonic()
        process = subprocess.Popen(
            [*command, str(source), "--out", str(out)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - started
        if status:
            raise SystemExit(f"csc build transcripts {source} ended with {status}")
        return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", type=int, nargs="*", default=[10_000, 100_000])
    args = parser.parse_args()
    print("| file | rows | seconds | processor seconds | peak memory (MiB) |")
    print("|---|---:|---:|---:|---:|")
    for kind in KINDS:
        for count in args.rows:
            seconds, processor, memory = measured(kind, count)
            print(
                f"| {kind} | {count:,} | {seconds:.1f} | {processor:.1f} | {memory / 1024:,.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
