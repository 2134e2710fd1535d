"""Write the embedded demo corpus: support conversations and questions, Chinese and English, made
offline by the builders themselves.

    csc build demo --out DIR

The scripted stand-in talks through made-up calls, and `csc build rolecs`, `csc build csconv` and
`csc build qa` make the corpus of them: rolecs from the stand-in's profiles, csconv and qa from
recordings of its dialogues that show no strategies. The same seed gives the same bytes on every
machine; the corpus inside the package is the one of the default seed. Use it to try things out and
to test: every sentence is made up by rules, so a score on it says nothing about customer service.
Three scripted raters label the conversations of csconv, and disagree by a plan
(builders/scripted/raters.py).
"""

import importlib
import json
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from itertools import chain, count, zip_longest
from pathlib import Path

from builders.dataset import read_folder
from builders.scripted.phrases import bank
from builders.scripted.player import State, plan, play
from builders.scripted.raters import with_labels
from builders.wording import both
from csc_tasks.framework import TOPICS
from csc_tasks.out import check_writable, replace_file
from csc_tasks.telling import tally, tell

SEED = 20250806
ROLECS = 500
# Recorded dialogues per language that csconv and qa are made of; the builders drop some.
RECORDED = {"csconv": 30, "qa": 140}
TURNS = range(8, 25)
ALL_TOPICS = ",".join(TOPICS)


def add_arguments(parser) -> None:
    """The options of `csc build demo`."""
    parser.add_argument(
        "--out",
        required=True,
        type=Path,
        metavar="DIR",
        help="folder to write {config}/{split}.jsonl into",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=SEED,
        metavar="N",
        help="another seed, another corpus (default: %(default)s)",
    )


def main(args) -> None:
    """Build the demo corpus of args.seed and write it into args.out."""
    check_writable(args.out)
    rows, printed = build(args.seed)
    write(rows, args.out)
    if printed:
        tally(printed)
    for (config, split), part in rows.items():
        tell(f"{config}/{split}: {len(part)} rows")


def build(seed: int) -> tuple[dict[tuple[str, str], list[dict]], str]:
    """The rows of every (config, split), sorted as they are written, and what the builders
    printed.
    """
    recorded = {name: list(recordings(seed, name)) for name in RECORDED}
    rows: dict[tuple[str, str], list[dict]] = {}
    printed = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, options in commands(seed, Path(scratch)).items():
            if name in recorded:
                source = "".join(
                    json.dumps(row, ensure_ascii=False) + "\n" for row in recorded[name]
                )
                Path(scratch, f"{name}.jsonl").write_text(source, encoding="utf-8")
            out = Path(scratch, name)
            printed.append(
                run(
                    f"builders.{name}.build",
                    [*options, "--llm", "scripted", "--seed", str(seed), "--out", str(out)],
                )
            )
            for config, splits in read_folder(out)[1].items():
                rows |= {(config, split): part for split, part in splits.items() if part}
    rows |= {
        place: list(map(with_labels, part)) for place, part in rows.items() if place[0] == "csconv"
    }
    for part in rows.values():
        part.sort(key=lambda row: (row["conversation_id"], row.get("turn_index", 0)))
    return rows, "\n".join(printed)


def commands(seed: int, scratch: Path) -> dict[str, list[str]]:
    """Builder -> the options that differ from its defaults."""
    return {
        # The stand-in's scenarios are of few forms, and near one another.
        "rolecs": [
            *("--limit", str(ROLECS), "--topics", ALL_TOPICS),
            *("--threshold", "1", "--scenario-threshold", "1"),
        ],
        "csconv": ["--source", str(scratch / "csconv.jsonl")],
        "qa": ["--source", str(scratch / "qa.jsonl"), "--pairs", "published"],
    }


def run(module: str, words: list[str]) -> str:
    """Run a verb's module with these options in this process; what it printed."""
    verb, parser, output = importlib.import_module(module), ArgumentParser(), StringIO()
    verb.add_arguments(parser)
    with redirect_stdout(output):
        verb.main(parser.parse_args(words))
    return output.getvalue()


def recordings(seed: int, name: str) -> Iterator[dict]:
    """Dialogues as a recording has them: who said what, and the topic; problems taken in turn from
    all topics.

    A dialogue of fewer than 8 or more than 24 turns is drawn again.
    """
    for language in both():
        by_topic: dict[str, list[str]] = {}
        for problem_id, problem in bank(language).problems.items():
            by_topic.setdefault(problem["topic"], []).append(problem_id)
        problems = [
            problem_id for problem_id in chain(*zip_longest(*by_topic.values())) if problem_id
        ]
        for number in range(RECORDED[name]):
            state = recorded(
                f"{seed}/{name}/{language}/{number}", language, problems[number % len(problems)]
            )
            row = {
                "conversation_id": f"{language}-{number:04}",
                "language": language,
                "topic": state.scenario.topic,
                "source": "demo",
            }
            yield row | {
                "turns": [{"speaker": turn.speaker, "text": turn.text} for turn in state.turns]
            }


def recorded(seed: str, language: str, problem_id: str) -> State:
    """The end of the first dialogue about the problem that has a usual length."""
    attempts = (
        list(play(plan(f"{seed}/{attempt}", language, problem_id)))[-1] for attempt in count()
    )
    return next(last for last in attempts if len(last.turns) in TURNS)


def write(rows: dict[tuple[str, str], list[dict]], out: Path) -> None:
    """One `{config}/{split}.jsonl` per split under `out`: keys sorted, one row a line, the same
    bytes everywhere.
    """
    for (config, split), part in rows.items():
        path = out / config / f"{split}.jsonl"
        lines = (
            json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n"
            for row in part
        )
        replace_file(path, lines)


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
