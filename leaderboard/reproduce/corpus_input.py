"""The statistics of a report's corpora: stats.json beside a dataset, else what `csc stats` counts,
as a process of its own.
"""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from csc_tasks.corpora import DEMO_DIR, load
from csc_tasks.corpus_statistics import CorpusStatistics, read_statistics
from csc_tasks.errors import DataError
from csc_tasks.file_names import safe_name
from csc_tasks.runs.public_values import hub_id_or_last_component
from csc_tasks.verify.trusted import DEMO
from leaderboard.reproduce.fingerprint import fingerprint

STATISTICS = "stats.json"
FOLDER = "corpora"
"""The folder of a report that holds what `csc stats` counted for it."""


@dataclass(frozen=True, slots=True)
class CorpusInput:
    """A corpus that was given, by name, and what it holds. public: the name that a report shows.
    slug: its name in files and records. fingerprint: of its files, "" for a Hub id.
    """

    given: str
    public: str
    slug: str
    statistics: CorpusStatistics
    fingerprint: str

    @property
    def trusted(self) -> str:
        """The name under which results can be verified against it; a Hub id with the commit that
        was read.
        """
        is_local = self.given == DEMO or Path(self.given).expanduser().exists()
        if is_local or "@" in self.given or self.statistics.revision is None:
            return self.given
        return f"{self.given}@{self.statistics.revision}"


def read_corpora(names: list[str], out: Path, before: Mapping[str, str]) -> tuple[CorpusInput, ...]:
    """What every corpus holds, as the stats.json beside its rows says unless they have changed
    since. before: fingerprint of each, by slug, as an earlier report counted it, whose statistics
    stand as long as it has not changed.

    Raises DataError for a stats.json that cannot be read, and where csc stats fails.
    """
    read: list[CorpusInput] = []
    taken: list[str] = []
    for name in dict.fromkeys(names):
        public = str(hub_id_or_last_component(name))
        taken.append(safe_name(public, taken))
        read.append(_read(name, public, out / FOLDER / f"{taken[-1]}.json", before))
    return tuple(read)


def _read(name: str, public: str, file: Path, before: Mapping[str, str]) -> CorpusInput:
    place = DEMO_DIR if name == DEMO else Path(name).expanduser()
    slug = file.stem
    # The originals of rewritten conversations are counted too.
    originals = place.with_name(f"{place.name}.originals.jsonl")
    files = [one for one in (place, originals) if one.exists()]
    mark = fingerprint(files) if place.exists() else ""
    beside = place / STATISTICS
    if place.is_dir() and beside.is_file() and is_of(statistics := read_statistics(beside), name):
        return CorpusInput(name, public, slug, statistics, mark)
    if not mark or before.get(slug) != mark or not file.is_file():
        count(name, file)
    return CorpusInput(name, public, slug, read_statistics(file), mark)


def is_of(statistics: CorpusStatistics, name: str) -> bool:
    """Whether statistics are of what the corpus holds now: every split has the same rows."""
    try:
        return all(
            load(name, one.config, one.split, bad_rows="drop").content_hash == one.content_hash
            for one in statistics.sets
        )
    except DataError:
        return False


def count(name: str, file: Path) -> None:
    """Let `csc stats` count a corpus into `file`; raises DataError with its last line where it
    fails.
    """
    command = [sys.executable, "-m", "csc_tasks.cli", "stats", name, "--json", str(file)]
    done = subprocess.run(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise DataError(f"csc stats {name}: {last.removeprefix('error: ')}")
