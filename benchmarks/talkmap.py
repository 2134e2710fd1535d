"""Speed and memory of reading talkmap's banking corpus: a generated CSV with its columns and its
faults, read as the builders read it.

  python -m benchmarks.talkmap [--rows 250000 1000000]

The rows stand in no order, some with microseconds and some without, 2 % without text, 1 % twice;
about 14 make a conversation. Each reading is a process of its own. For comparison: all rows in
memory, grouped and sorted there. Prints a Markdown row per size and way.
"""

import argparse
import csv
import random
import resource
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

_TEXT = (
    "account balance card payment transfer branch statement fee charge deposit loan rate limit"
    " please thank you could would help with my your today yesterday number address verify security"
    " question answer hold moment check see that this it is was have need want the"
)
WORDS = tuple(_TEXT.split())


def write(path: Path, rows: int, seed: int = 0) -> None:
    """A CSV of `rows` rows: texts of 3 to 30 words, some with commas, quotes and line breaks."""
    draw = random.Random(seed)
    ids = [f"{draw.getrandbits(128):032x}" for _ in range(max(1, rows // 14))]
    start = datetime(2023, 1, 1)
    recent: list[list[str]] = []
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["conversation_id", "speaker", "date_time", "text"])
        for number in range(rows):
            if recent and draw.random() < 0.01:
                out.writerow(draw.choice(recent))
                continue
            moment = start + timedelta(
                seconds=draw.randrange(10**7), microseconds=draw.choice((0, draw.randrange(10**6)))
            )
            text = (
                "" if draw.random() < 0.02 else " ".join(draw.choices(WORDS, k=draw.randint(3, 30)))
            )
            if number % 50 == 0 and text:
                text = f'He said: "{text}",\nand then hung up.'
            row = [draw.choice(ids), draw.choice(("agent", "client")), moment.isoformat(" "), text]
            recent = [*recent[-99:], row]
            out.writerow(row)


def all_in_memory(path: Path) -> int:
    """The shortest way: every row in a dict, each conversation sorted; returns how many turns there
    are.
    """
    grouped: dict[str, list] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file)):
            if row["text"]:
                grouped.setdefault(row["conversation_id"], []).append(
                    (datetime.fromisoformat(row["date_time"]), number, row)
                )
    return sum(len(sorted(rows, key=lambda row: row[:2])) for rows in grouped.values())


def as_builders_read(path: Path) -> int:
    """Through builders.sources."""
    from builders.sources import Reading, read_source

    reading = Reading()
    turns = sum(len(conversation.turns) for conversation in read_source(path, reading))
    return turns + reading.counts["turns_merged_into_the_one_before"]


WAYS = {"csc-tasks": as_builders_read, "all in memory": all_in_memory}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[250_000, 1_000_000])
    parser.add_argument("--read", nargs=2, metavar=("WAY", "FILE"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.read:
        start = time.perf_counter()
        turns = WAYS[args.read[0]](Path(args.read[1]))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
            1 if sys.platform != "darwin" else 1024
        )
        print(turns, time.perf_counter() - start, time.process_time(), peak / 1024)
        return
    print(
        "|rows|file|way|turns|seconds|of CPU|rows per CPU second|peak"
        " memory|\n|---:|---:|---|---:|---:|---:|---:|---:|"
    )
    with tempfile.TemporaryDirectory() as folder:
        for rows in args.rows:
            path = Path(folder, f"{rows}.csv")
            write(path, rows)
            size = path.stat().st_size / 2**20
            for way in WAYS:
                command = [sys.executable, "-m", "benchmarks.talkmap", "--read", way, str(path)]
                printed = subprocess.run(
                    command, check=True, stdout=subprocess.PIPE, text=True
                ).stdout
                turns, seconds, cpu, peak = map(float, printed.split())
                print(
                    f"|{rows:,}|{size:,.0f}"
                    f" MB|{way}|{turns:,.0f}|{seconds:.1f}|{cpu:.1f}|{rows / cpu:,.0f}"
                    f"|{peak:,.0f} MB|",
                    flush=True,
                )
            path.unlink()


if __name__ == "__main__":
    main()
