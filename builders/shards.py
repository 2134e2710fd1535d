"""The files of a build in parts, beside its dataset folder:

OUT.shard-3-of-8.journal.sqlite   what part 3 has asked
OUT.shard-3-of-8.json             that part 3 is finished, and by which command
OUT.journal.sqlite                all of it, joined by csc build merge; a part that is run again
                                  reads it too
"""

import json
import os
import re
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import csc_tasks
from csc_tasks.errors import DataError, SettingError
from csc_tasks.llm.shards import Shard
from csc_tasks.out import replace_file

FORMAT = "csc-tasks part of a build, version 1"

DIFFER = (
    "--base-url",
    "--batch-command",
    "--concurrency",
    "--timeout",
    "--retries",
    "--max-wait",
    "--stop-after-failures",
    "--price",
    "--max-requests",
    "--max-cost",
    "--out",
    "--hold-out",
    "--source",
)
"""Options that may differ between the parts of one build."""

RETRY = "--retry-dropped"
"""Likewise, and without a value."""


def shard_of(args: Namespace) -> Shard | None:
    """The part that `--shard` names, or None; raises SettingError."""
    if getattr(args, "shard", None) is None:
        return None
    if args.journal:
        raise SettingError("--journal and --shard: every part has a journal of its own beside OUT")
    return Shard.parse(args.shard)


def whole_journal(out: Path) -> Path:
    """The journal of a build without parts, or of all parts."""
    return out.with_name(f"{out.name}.journal.sqlite")


def part_journal(out: Path, shard: Shard) -> Path:
    """The journal of a part; that of the one that joins is the whole one."""
    if shard.joins:
        return whole_journal(out)
    return out.with_name(f"{out.name}.shard-{shard.number}-of-{shard.count}.journal.sqlite")


def part_record(out: Path, shard: Shard) -> Path:
    """The file that says that a part is finished."""
    return out.with_name(f"{out.name}.shard-{shard.number}-of-{shard.count}.json")


def write_part(
    out: Path, shard: Shard, module: str, words: list[str], counts: Mapping[str, int]
) -> Path:
    """Record that a part is finished; `words` are those of its command. Returns the file."""
    record = {
        "format": FORMAT,
        "shard": str(shard),
        "csc_tasks": csc_tasks.__version__,
        "module": module,
        "words": without(["--shard"], words),
        # Where the paths among the words start, from the folder of this file: both move together.
        "folder": os.path.relpath(os.getcwd(), out.parent),
        "counts": dict(counts),
    }
    path = part_record(out, shard)
    replace_file(path, json.dumps(record, ensure_ascii=False, indent=2) + "\n")
    return path


@dataclass(frozen=True, slots=True)
class Parts:
    """The finished parts of a build: how many, their journals, the command of all of them, and the
    folder it was given in.
    """

    count: int
    journals: tuple[Path, ...]
    module: str
    words: tuple[str, ...]
    folder: Path


def read_parts(out: Path) -> Parts:
    """The parts beside `out`; raises DataError where one is missing, unfinished, or was made by
    another command or another csc-tasks.
    """
    records, folders, own = {}, {}, re.compile(re.escape(out.name) + r"\.shard-\d+-of-\d+\.json")
    for path in sorted(out.parent.iterdir() if out.parent.is_dir() else ()):
        if not own.fullmatch(path.name):
            continue
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            shard = Shard.parse(record["shard"])
            command = (record["module"], tuple(map(str, record["words"])))
            version, folder = str(record["csc_tasks"]), Path(record["folder"])
            if path != part_record(out, shard):
                raise ValueError("another part's")
        except (OSError, ValueError, LookupError, TypeError, AttributeError, SettingError):
            raise DataError(f"{path} does not say which part it is; run that part again") from None
        if version != csc_tasks.__version__:
            raise DataError(
                f"part {shard} was made by csc-tasks {version}, and this is"
                f" {csc_tasks.__version__}; join them with that version, or run the part again"
            )
        records[shard], folders[shard] = command, folder
    if not records:
        raise DataError(f"there are no finished parts {out.name}.shard-I-of-N beside {out}")
    counts = {shard.count for shard in records}
    if len(counts) > 1:
        raise DataError(
            f"{out}: there are parts of {' and of '.join(map(str, sorted(counts)))}; move those of"
            " one away"
        )
    (count,) = counts
    wanted = [Shard(number, count) for number in range(1, count + 1)]
    if missing := [str(shard) for shard in wanted if shard not in records]:
        raise DataError(f"{out}: not finished: --shard {', '.join(missing)}; run the command again")
    first = records[wanted[0]]
    for shard in wanted:
        if _compared(records[shard]) != _compared(first):
            raise DataError(
                f"{out}: part {shard} was made by another command than part {wanted[0]}:"
                f" {' '.join(records[shard][1])} and {' '.join(first[1])}; run it again"
            )
        if not part_journal(out, shard).is_file():
            raise DataError(f"{part_journal(out, shard)} is missing; put it beside {out}")
    journals = tuple(part_journal(out, shard) for shard in wanted)
    return Parts(count, journals, *first, out.parent / folders[wanted[0]])


def without(options: Sequence[str], words: Sequence[str]) -> list[str]:
    """The words of a command without these options and their values; `RETRY` has none."""
    left, skip = [], False
    for word in words:
        if skip:
            skip = False
        elif word in options:
            skip = word != RETRY
        elif word.partition("=")[0] not in options:
            left.append(word)
    return left


def _compared(command: tuple[str, tuple[str, ...]]) -> tuple[str, list[str]]:
    """What must be the same in all parts. The same source and the same folder may have other paths
    on another machine: a part that read something else leaves requests open, which are counted.
    """
    return command[0], without((*DIFFER, RETRY), command[1])
