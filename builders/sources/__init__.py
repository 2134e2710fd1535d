"""Recorded conversations from any of the sources we know, one after another: our JSONL, CrossWOZ,
STAR, talkmap.

    reading = Reading()
    for conversation in read_source(Path("calls.jsonl"), reading):
        ...
    print(reading.counts, *reading.problems, sep="\\n")

A bad line, a null text, an unknown speaker or a file that ends too early is a problem with its
place. It costs the conversation it stands in, never half of one, and reading goes on.
"""

from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path

from builders.sources import crosswoz, jsonl, star, talkmap
from builders.sources.raw import RawConversation, Reading, raw_id
from csc_tasks.errors import DataError, SettingError
from csc_tasks.languages import languages

__all__ = [
    "FORMATS",
    "RawConversation",
    "Reading",
    "add_source_arguments",
    "format_of",
    "raw_id",
    "read_source",
]

FORMATS = ("auto", "jsonl", "crosswoz", "star", "talkmap")

_SPLITS = ("train", "val", "test")


def add_source_arguments(parser: ArgumentParser, *, required: bool = True) -> None:
    """`--source`, `--format` and `--source-language`: what `read_source` needs."""
    add = parser.add_argument
    add(
        "--source",
        required=required,
        type=Path,
        metavar="FILE",
        help=(
            "recorded conversations: JSONL rows {conversation_id, topic?, language?, source?,"
            " turns: [{speaker, text}]} (.jsonl), CrossWOZ (val.json.zip), STAR (its dialogues/"
            " folder), talkmap's banking corpus (.csv, .csv.gz)"
        ),
    )
    add(
        "--format",
        default="auto",
        choices=FORMATS,
        help="of the source (default: auto, by its name and first characters)",
    )
    add(
        "--source-language",
        choices=tuple(languages()),
        help="of JSONL rows that do not say it (default: by their text)",
    )


def read_source(
    path: Path, reading: Reading, kind: str = "auto", language: str | None = None
) -> Iterator[RawConversation]:
    """The conversations of a source in a fixed order; `reading` fills while they are taken.

    The order is that of the source, for talkmap that of a hash of the ids. `language` is that of
    JSONL rows without one. Raises DataError for a source that is not there, SettingError for a kind
    that is none of FORMATS; what is wrong inside goes into `reading.problems`.
    """
    if kind not in FORMATS:
        raise SettingError(f"format {kind!r} does not exist; there are {', '.join(FORMATS)}")
    if not path.exists():
        raise DataError(
            f"{path} does not exist; --source takes a file or folder of recorded conversations"
        )
    kind = format_of(path) if kind == "auto" else kind
    if kind == "jsonl":
        return jsonl.read(path, reading, language)
    readers = {"crosswoz": crosswoz.read, "star": star.read, "talkmap": talkmap.read}
    return readers[kind](path, reading)


def format_of(path: Path) -> str:
    """Which of FORMATS a file or folder is in, by its name and, for .json, its first characters.
    Raises SettingError where neither says.
    """
    names = [part.lower() for part in path.suffixes if part.lower() != ".gz"]
    suffix = names[-1] if names else ""
    if path.is_dir():
        files = [path / f"{split}.json{end}" for split in _SPLITS for end in ("", ".zip")]
        return "crosswoz" if any(file.is_file() for file in files) else "star"
    if suffix in (".jsonl", ".ndjson"):
        return "jsonl"
    if suffix == ".csv":
        return "talkmap"
    if suffix == ".zip":
        return "crosswoz"
    if suffix == ".json":
        with path.open("rb") as file:
            start = file.read(4096)
        return "star" if b'"DialogueID"' in start or b'"FORMAT-VERSION"' in start else "crosswoz"
    raise SettingError(f"{path}: its name says no format; give --format {', '.join(FORMATS[1:])}")
