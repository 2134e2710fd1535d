"""What the search for personal data finds in real dialogues: figures, and a sample to judge.

    python -m benchmarks.pii demo
    python -m benchmarks.pii crosswoz shared/data/crosswoz/val.json.zip --show 100
    python -m benchmarks.pii star shared/data/star/dialogues --left 60

Counted are places and distinct values. --show prints a sample of the findings, masked, each
in its context, so that somebody can say right or wrong; --left one of what has seven digits or an @
and was not found, so that somebody can say what is missed.
"""

import argparse
import json
import random
import re
import time
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from csc_tasks.pii import find

_LIKELY = re.compile(r"\+?\d(?:[ ().-]{0,2}\d){6,}|\S+@\S+")
DEMO = Path(__file__).resolve().parents[1] / "csc_tasks" / "demo"


def demo(_: Path | None) -> Iterator[str]:
    """Every text of the embedded corpus."""
    for file in sorted(DEMO.rglob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            yield from (
                value
                for column, value in row.items()
                if isinstance(value, str) and column != "conversation_id"
            )
            yield from (turn["text"] for turn in row.get("dialogue", ()))


def star(folder: Path) -> Iterator[str]:
    """What customer and agent say, and what they were told, in STAR's raw dialogues."""
    for file in sorted(folder.glob("*.json")):
        events = json.loads(file.read_text(encoding="utf-8"))["Events"]
        yield from (event["Text"] for event in events if isinstance(event.get("Text"), str))


def crosswoz(archive: Path) -> Iterator[str]:
    """What both sides say in CrossWOZ's dialogues."""
    with zipfile.ZipFile(archive) as packed:
        dialogues = json.loads(packed.read(packed.namelist()[0]))
    for dialogue in dialogues.values():
        yield from (message["content"] for message in dialogue["messages"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", choices=("demo", "star", "crosswoz"))
    parser.add_argument("path", nargs="?", type=Path)
    parser.add_argument("--show", type=int, default=0, metavar="N")
    parser.add_argument("--left", type=int, default=0, metavar="N")
    args = parser.parse_args()
    texts = list({"demo": demo, "star": star, "crosswoz": crosswoz}[args.corpus](args.path))
    places: Counter[str] = Counter()
    values: dict[str, dict[str, str]] = defaultdict(dict)
    started = time.perf_counter()
    for text in texts:
        for match in find(text):
            places[match.kind] += 1
            around = text[max(0, match.start - 30) : match.start] + match.masked
            around = " ".join((around + text[match.end : match.end + 15]).split())
            values[match.kind].setdefault(match.value, around)
    seconds = time.perf_counter() - started
    print(f"{args.corpus}: {len(texts):,} texts in {seconds:.2f} s")
    for kind in sorted(places):
        print(f"  {kind}: {places[kind]:,} places, {len(values[kind]):,} distinct")
    if not places:
        print("  nothing found")
    listed = [(kind, around) for kind, own in values.items() for around in own.values()]
    for kind, around in random.Random(0).sample(listed, min(args.show, len(listed))):
        print(f"  [{kind}] {around}")
    left = {one for text in texts for one in not_found(text)}
    print(f"  not found, with seven digits or an @: {len(left):,} distinct")
    for around in random.Random(0).sample(sorted(left), min(args.left, len(left))):
        print(f"  [not found] {around}")


def not_found(text: str) -> Iterator[str]:
    """What could be a number or an address and is no finding, in its context."""
    spans = [(match.start, match.end) for match in find(text)]
    for one in _LIKELY.finditer(text):
        if not any(start < one.end() and one.start() < end for start, end in spans):
            around = text[max(0, one.start() - 20) : one.start()] + one[0][:60]
            yield " ".join(around.split())


if __name__ == "__main__":
    main()
