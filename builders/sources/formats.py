"""Which format a source is in, by its name and, where that does not say it, by its beginning."""

import csv
import gzip
import json
import re
from pathlib import Path
from typing import Any

from builders.sources import talkmap
from csc_tasks import shapes
from csc_tasks.errors import SettingError

FORMATS = ("auto", "jsonl", "crosswoz", "star", "talkmap", "dataset", "transcripts")

_SPLITS = ("train", "val", "test")
_START = 1 << 18
_CROSSWOZ = re.compile(rb'"sys-usr"|"role"\s*:\s*"(?:usr|sys)"')
_STAR = (b'"DialogueID"', b'"FORMAT-VERSION"')
_TRANSCRIPTS = (".tsv", ".tab", ".parquet", ".txt", ".log", ".md")


def format_of(path: Path) -> str:
    """Which of FORMATS a file or folder is in. Raises SettingError where nothing says it."""
    names = [part.lower() for part in path.suffixes if part.lower() != ".gz"]
    suffix = names[-1] if names else ""
    if path.is_dir():
        return _of_folder(path)
    if suffix in (".jsonl", ".ndjson"):
        return "jsonl" if _is_ours(_start(path)) else "transcripts"
    if suffix == ".csv":
        return "talkmap" if _is_talkmap(_start(path)) else "transcripts"
    if suffix == ".zip":
        return "crosswoz"
    if suffix in _TRANSCRIPTS:
        return "transcripts"
    if suffix == ".json":
        return _of_json(_start(path))
    raise SettingError(f"{path}: its name says no format; give --format {', '.join(FORMATS[1:])}")


def _of_folder(path: Path) -> str:
    files = [path / f"{split}.json{end}" for split in _SPLITS for end in ("", ".zip")]
    if any(file.is_file() for file in files):
        return "crosswoz"
    if (path / "build.json").is_file():
        return "dataset"
    if (path / "dialogues").is_dir() or any(path.glob("*/dialogues")):
        return "star"
    first = next((file for file in sorted(path.rglob("*.*")) if file.is_file()), None)
    if first is None or (first.suffix == ".json" and _of_json(_start(first)) == "star"):
        return "star"
    return "transcripts"


def _start(path: Path) -> bytes:
    """What a file begins with; nothing of one that cannot be read, which its reader will say."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return file.read(_START)
    except (OSError, EOFError):
        return b""


def _of_json(start: bytes) -> str:
    if any(mark in start for mark in _STAR):
        return "star"
    return "crosswoz" if not start.strip() or _CROSSWOZ.search(start) else "transcripts"


def _is_talkmap(start: bytes) -> bool:
    first = start.decode("utf-8-sig", "replace").partition("\n")[0]
    header = [cell.strip() for cell in next(csv.reader([first.rstrip("\r")]), [])]
    return not start or set(talkmap.COLUMNS) <= set(header)


def _is_ours(start: bytes) -> bool:
    """Whether lines of JSON are in our own form, whatever else may be wrong with them: a list of
    turns under one of our names, without the roles of chat messages that we have no name for.
    """
    for line in start.split(b"\n")[:20]:
        try:
            row = json.loads(line.decode("utf-8-sig"))
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict):
            return _has_our_turns(row)
    return True


def _has_our_turns(row: dict[str, Any]) -> bool:
    key = shapes.turns_key(row)
    turns = row.get(key) if key else None
    if not isinstance(turns, list):
        return key is not None or "conversation_id" in row
    parts = [turn for turn in turns if isinstance(turn, dict)]
    if not parts:
        return True
    chat = {shapes.part(turn, shapes.SPEAKER) for turn in parts} & {"system", "tool", "developer"}
    texts = [shapes.part(turn, shapes.TEXT) for turn in parts]
    return not chat and "conversation_id" in row and any(isinstance(text, str) for text in texts)
