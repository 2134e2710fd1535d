"""Recorded conversations from any of the sources we know, one after another: our JSONL, CrossWOZ,
STAR, talkmap, a dataset folder, and transcripts as `csc build transcripts` reads them.

    reading = Reading()
    for conversation in read_source(Path("calls.jsonl"), reading):
        ...
    print(reading.counts, *reading.problems, sep="\\n")

A bad line, a null text, an unknown speaker or a file that ends too early is a problem with its
place. It costs the conversation it stands in, never half of one, and reading goes on.
"""

from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from pathlib import Path

from builders.sources import crosswoz, folder, jsonl, star, talkmap
from builders.sources.formats import FORMATS, format_of
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
            " folder), talkmap's banking corpus (.csv, .csv.gz), a dataset folder, or transcripts"
            " as csc build transcripts reads them"
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
    known = sorted({*FORMATS, *READERS}, key=(*FORMATS, *READERS).index)
    if kind not in known:
        raise SettingError(f"format {kind!r} does not exist; there are {', '.join(known)}")
    if not path.exists():
        raise DataError(
            f"{path} does not exist; --source takes a file or folder of recorded conversations"
        )
    kind = format_of(path) if kind == "auto" else kind
    if kind == "jsonl":
        return jsonl.read(path, reading, language)
    if kind == "transcripts":
        # It builds on this package.
        from builders.transcripts.source import read

        return read(path, reading, language)
    return READERS[kind](path, reading)


READERS: dict[str, Callable[[Path, Reading], Iterator[RawConversation]]] = {
    "dataset": folder.read,
    "crosswoz": crosswoz.read,
    "star": star.read,
    "talkmap": talkmap.read,
}
"""Readers of sources whose rows say or imply their language."""
