"""Which files of a folder or repository hold one split of a corpus."""

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from csc_tasks.errors import DataError, MissingSplit

CONFIGS = ("csconv", "rolecs", "qa")
RECORDS = ("build.json", "run.json", "manifest.json", "stats.json")
"""What builders and `csc stats` write beside the data."""
SPLITS = ("train", "validation", "test")
SUFFIXES = (".parquet", ".jsonl", ".json", ".csv")
PUBLISHED_FILES = {"csconv": "CSConv", "rolecs": "RoleCS"}
PUBLISHED_SPLITS = {"csconv": "test", "rolecs": "train"}
_SHARD = re.compile(r"-\d+-of-(\d+)$")


def choose_files(files: Iterable[str], config: str, split: str) -> list[str]:
    """Of a folder's or repository's relative paths, those of one split: our layout first, then the
    published ones.

    Published are CSConv.* (csconv/test) and RoleCS.* (rolecs/train) anywhere, and for `qa` a file
    named after the split.
    """
    paths = [path for path in map(PurePosixPath, sorted(files)) if path.suffix in SUFFIXES]
    of_split = [
        path for path in paths if re.fullmatch(rf"{re.escape(split)}(-\d+-of-\d+)?", path.stem)
    ]
    chosen = [
        path
        for path in of_split
        if path.parent in (PurePosixPath(config), PurePosixPath("data", config))
    ]
    if not chosen and split == PUBLISHED_SPLITS.get(config):
        chosen = [
            path for path in paths if path.stem.casefold() == PUBLISHED_FILES[config].casefold()
        ]
    if not chosen and config == "qa":
        chosen = [
            path
            for path in of_split
            if path.parent.name not in CONFIGS and not path.parent.name.startswith("qa_")
        ]
    suffix = min((path.suffix for path in chosen), key=SUFFIXES.index, default="")
    return [path.as_posix() for path in chosen if path.suffix == suffix]


def one_set(name: str, files: list[str], config: str, split: str) -> list[str]:
    """`choose_files`, and DataError unless that is one file or every shard of one set."""
    chosen = choose_files(files, config, split)
    if not chosen:
        raise MissingSplit(
            f"{name}: no {config}/{split} found; {_elsewhere(files, config)}{_listing(files)}"
        )
    sets = {(path.parent, _shards(path)) for path in map(PurePosixPath, chosen)}
    (_, total), *others = sets
    if others or len(chosen) > total:
        raise DataError(
            f"{name}: {config}/{split} is there more than once ({', '.join(chosen)}); give the"
            " folder or file that is meant"
        )
    if len(chosen) < total:
        raise DataError(
            f"{name}: {config}/{split} has {len(chosen)} of {total} files ({', '.join(chosen)});"
            " fetch or build it again"
        )
    return chosen


def _shards(path: PurePosixPath) -> int:
    """How many files the set of this one has, by its name."""
    match = _SHARD.search(path.stem)
    return int(match[1]) if match else 1


def _elsewhere(files: list[str], config: str) -> str:
    """What to do where a config has other splits than the one asked for; "" where there is nothing
    to do.
    """
    splits = [split for split in SPLITS if choose_files(files, config, split)]
    if not splits or not config.startswith("qa"):
        return ""
    return (
        f"all its questions are in {' and '.join(splits)} (csc build qa --splits 0,0,100 puts all"
        " into test); "
    )


def relative_files(root: Path) -> list[str]:
    """The paths of the data files below a folder, relative to it."""
    data = (
        file
        for file in root.rglob("*")
        if file.suffix in SUFFIXES and file.name not in RECORDS and file.is_file()
    )
    return [file.relative_to(root).as_posix() for file in data]


def _listing(files: list[str]) -> str:
    """What a folder or repository holds instead, for an error."""
    shown = ", ".join(sorted(files)[:12]) + (", ..." if len(files) > 12 else "")
    there = shown or f"no {', '.join(SUFFIXES)} file"
    return (
        f"there is {there}. A dataset folder has CONFIG/SPLIT-*.parquet (configs"
        f" {', '.join(CONFIGS)})"
    )
