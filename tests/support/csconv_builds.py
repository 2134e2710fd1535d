"""Building csconv in this process, and what a build left behind."""

import json
from collections import Counter
from pathlib import Path

import pyarrow.parquet

from builders.scripted.phrases import bank
from builders.scripted.player import plan, play
from csc_tasks.cli import main
from csc_tasks.framework import TOPICS
from tests.support import built_folders
from tests.support.built_folders import journal_rows

ROOT = Path(__file__).resolve().parents[2]
PARQUET = "csconv/{}-00000-of-00001.parquet"
ACCOUNTS, RISKS = TOPICS[0], TOPICS[5]

LANGUAGES = ("zh", "en")
FIDELITY = 12
"""Conversations whose rewriting is judged in the builds that tests compare."""


def build(source, out, *options, llm="scripted"):
    """Run the command in this process; returns its exit status."""
    return main(
        [
            "build",
            "csconv",
            "--source",
            str(source),
            "--llm",
            llm,
            "--out",
            str(out),
            *map(str, options),
        ]
    )


def rows_of(out, part="test"):
    return pyarrow.parquet.read_table(out / PARQUET.format(part), partitioning=None).to_pylist()


def ids_of(out):
    return {row["conversation_id"] for row in rows_of(out)}


def originals_of(out):
    lines = out.with_name(f"{out.name}.originals.jsonl").read_text(encoding="utf-8").splitlines()
    return {row["conversation_id"]: row for row in map(json.loads, lines)}


def files_of(out):
    """Everything but run.json, which may differ, and what lies beside the folder."""
    found = built_folders.files_of(out)
    beside = (out.with_name(f"{out.name}.{name}.jsonl") for name in ("originals", "judged"))
    return found | {path.name.removeprefix(out.name): path.read_bytes() for path in beside}


def stages_of(out):
    return Counter(stage for *_, stage in journal_rows(out.with_name(f"{out.name}.journal.sqlite")))


def recorded(count, language, topic=False, start=0):
    """So many scripted dialogues as rows of our JSONL: no strategies, and a topic only where it is
    asked for.
    """
    names = list(bank(language).problems)
    for number in range(start, start + count):
        scenario = plan(f"recorded/{number}", language, names[number % len(names)])
        turns = [
            {"speaker": turn.speaker, "text": turn.text} for turn in list(play(scenario))[-1].turns
        ]
        row = {
            "conversation_id": f"{language}-{number}",
            "language": language,
            "source": "recordings",
            "turns": turns,
        }
        yield row | ({"topic": scenario.topic} if topic else {})


def write(path, rows):
    path.write_text(
        "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8"
    )
    return path
