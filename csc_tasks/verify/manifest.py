"""A dataset's manifest: its documents' ids and hashes, so that who holds it can verify runs without
holding the texts.

`csc build` and `csc push` write it into the dataset folder as manifest.json. Entries stand in the
order in which tasks ask (sha256 of the id), and say what decides whether a task asks: language,
stage, number of labelled supporter turns.
"""

import hashlib
import json
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from csc_tasks import corpora
from csc_tasks.conversation import Conversation
from csc_tasks.documents import document_key
from csc_tasks.errors import DataError
from csc_tasks.labels import row_labels_hash, without_labels
from csc_tasks.question import Question
from csc_tasks.reading import read_json

FORMAT = "csc-tasks manifest, version 1"
NAME = "manifest.json"


@dataclass(frozen=True, slots=True)
class Entry:
    """One document: its key ("id", or "id/turn" of a question), the hash of its row, and what
    decides whether a task asks about it. labels: the hash of what several raters say of its turns,
    where they do.
    """

    key: str
    sha256: str
    language: str
    stage: str | None
    scored: int
    labels: str | None = None

    def to_json(self) -> dict[str, object]:
        """What manifest.json holds of it."""
        return {
            name: value
            for name, value in asdict(self).items()
            if name != "labels" or value is not None
        }


@dataclass(frozen=True, slots=True)
class Manifest:
    """The documents of a dataset: (config, split) -> entries in the order in which tasks ask."""

    dataset: str
    revision: str | None
    splits: Mapping[tuple[str, str], tuple[Entry, ...]]

    def to_json(self) -> dict[str, object]:
        """What manifest.json holds."""
        splits: dict[str, dict[str, list[dict[str, object]]]] = {}
        for (config, split), entries in self.splits.items():
            splits.setdefault(config, {})[split] = [entry.to_json() for entry in entries]
        return {
            "format": FORMAT,
            "dataset": self.dataset,
            "revision": self.revision,
            "splits": splits,
        }


def row_hash(row: Mapping[str, object]) -> str:
    """sha256 (hex) of a document's row without the labels of several raters; the order of its
    columns does not move it.
    """
    text = json.dumps(without_labels(row), ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def entry_of(item: Conversation | Question) -> Entry:
    """The entry of one corpus item."""
    row = item.to_row()
    if isinstance(item, Question):
        return Entry(document_key(row), row_hash(row), item.language, item.stage, 1)
    scored, labels = len(item.scored_turns()), row_labels_hash(row)
    return Entry(document_key(row), row_hash(row), item.language, None, scored, labels)


def in_order(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Entries in the order in which tasks ask: by sha256 of the key."""
    return tuple(
        sorted(
            entries, key=lambda entry: (hashlib.sha256(entry.key.encode()).hexdigest(), entry.key)
        )
    )


class ManifestWriter:
    """Writes `folder`/manifest.json; a context manager. Filled by `add` in any order, which memory
    does not hold: the entries wait in a database in the folder until they are sorted.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts: dict[tuple[str, str], int] = {}

    def __enter__(self) -> "ManifestWriter":
        self._scratch = tempfile.TemporaryDirectory(prefix=".manifest.", dir=self._folder)
        # No autocommit: one transaction, of which nothing needs to outlive the process.
        self._entries = sqlite3.connect(Path(self._scratch.name, "entries"), isolation_level=None)
        for statement in (
            "PRAGMA journal_mode = OFF",
            "PRAGMA synchronous = OFF",
            "CREATE TABLE entries (part INTEGER, place BLOB, key TEXT, entry TEXT,"
            " PRIMARY KEY (part, place, key)) WITHOUT ROWID",
            "BEGIN",
        ):
            self._entries.execute(statement)
        return self

    def __exit__(self, *_: object) -> None:
        self._entries.close()
        self._scratch.cleanup()

    def add(self, config: str, split: str, item: Conversation | Question) -> None:
        """Take an item of a split in."""
        entry = entry_of(item)
        part = self._parts.setdefault((config, split), len(self._parts))
        place = hashlib.sha256(entry.key.encode()).digest()
        text = json.dumps(entry.to_json(), ensure_ascii=False, indent=1).replace("\n", "\n    ")
        row = part, place, entry.key, text
        self._entries.execute("INSERT INTO entries VALUES (?, ?, ?, ?)", row)

    def write(self, dataset: str) -> None:
        """Write what was added, in the order in which tasks ask."""
        with (self._folder / NAME).open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(self._text(dataset))

    def _text(self, dataset: str) -> Iterator[str]:
        """The text of `Manifest.to_json` in pieces, one for an entry."""
        empty = json.dumps(Manifest(dataset, None, {}).to_json(), ensure_ascii=False, indent=1)
        before, after = empty.rsplit("{}", 1)
        yield before + "{"
        configs: dict[str, list[tuple[str, int]]] = {}
        for (config, split), part in self._parts.items():
            configs.setdefault(config, []).append((split, part))
        for i, (config, splits) in enumerate(configs.items()):
            yield f"{',' if i else ''}\n  {_quoted(config)}: {{"
            for j, (split, part) in enumerate(splits):
                yield f"{',' if j else ''}\n   {_quoted(split)}: ["
                for n, entry in enumerate(self._sorted(part)):
                    yield f"{',' if n else ''}\n    {entry}"
                yield "\n   ]"
            yield "\n  }"
        yield ("\n }" if configs else "}") + after + "\n"

    def _sorted(self, part: int) -> Iterator[str]:
        query = "SELECT entry FROM entries WHERE part = ? ORDER BY place, key"
        return (entry for (entry,) in self._entries.execute(query, (part,)))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def write_manifest(folder: Path, dataset: str, splits: Mapping[str, Iterable[str]]) -> None:
    """Write the manifest of a dataset folder; splits: config -> splits with at least one row.

    Rows are read as the tasks read them, so that hashes are of what a run logs.
    """
    with ManifestWriter(folder) as manifest:
        for config, names in splits.items():
            for split in names:
                for item in corpora.load(str(folder), config, split).items:
                    manifest.add(config, split, item)
        manifest.write(dataset)


def is_manifest(file: Path) -> bool:
    """Whether a file says that it is a manifest of ours."""
    if file.suffix != ".json" or not file.is_file():
        return False
    try:
        with file.open(encoding="utf-8-sig") as stream:
            return FORMAT in stream.read(200)
    except (OSError, ValueError):
        return False


def read_manifest(file: Path) -> Manifest:
    """Read a manifest; raises DataError that names the file and the first thing that is wrong."""
    wanted = "give a manifest.json that csc build wrote"
    raw = read_json(file, wanted)
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise DataError(f"{file}: not a manifest of this project; {wanted}")
    splits: dict[tuple[str, str], tuple[Entry, ...]] = {}
    try:
        for config, named in raw["splits"].items():
            for split, entries in named.items():
                splits[config, split] = in_order(_entry(entry) for entry in entries)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"{file}: an entry is not as csc build writes it ({type(error).__name__}: {error});"
            f" {wanted}"
        ) from None
    return Manifest(str(raw.get("dataset") or file.parent.name), raw.get("revision"), splits)


def _entry(raw: Mapping[str, object]) -> Entry:
    key, sha256, language, stage, scored = (
        raw[name] for name in ("key", "sha256", "language", "stage", "scored")
    )
    if (
        not isinstance(key, str)
        or not isinstance(sha256, str)
        or not isinstance(language, str)
        or not (stage is None or isinstance(stage, str))
        or type(scored) is not int
        or not isinstance(labels := raw.get("labels"), str | None)
    ):
        raise ValueError(f"{key!r:.80}: {language!r:.20}, {stage!r:.20}, {scored!r:.20}")
    return Entry(key, sha256, language, stage, scored, labels)
