"""The corpora that the verifier holds and trusts: folders, files, pinned Hub revisions, manifests,
and always the embedded demo.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from csc_tasks import corpora
from csc_tasks.corpora.bad_rows import LEFT_OUT
from csc_tasks.errors import MissingSplit, SettingError
from csc_tasks.evidence import Evidence, open_evidence
from csc_tasks.live import Brief
from csc_tasks.live.stored import stored_briefs
from csc_tasks.runs.public_values import hub_id_or_last_component
from csc_tasks.verify.manifest import Entry, Manifest, entry_of, is_manifest, read_manifest

DEMO = "demo"


@dataclass(frozen=True, slots=True)
class Held:
    """One split of a trusted corpus: its documents in the order in which tasks ask."""

    name: str
    entries: tuple[Entry, ...]

    def by_key(self) -> dict[str, Entry]:
        return {entry.key: entry for entry in self.entries}


Source = Callable[[str, str], Held | None]
"""(config, split) -> what is held of it, None where it is nothing."""


@dataclass(frozen=True, slots=True)
class Trusted:
    """Trusted corpora. `held` reads a split when it is first asked for. evidence: the passages that
    the verifier holds, for runs that showed some.
    """

    sources: tuple[Source, ...] = ()
    evidence: Evidence | None = None

    def passages(self, name: object) -> Evidence | None:
        """What a run's passages are compared with. name: of the run's evidence; the embedded demo's
        policies are always held.
        """
        return _demo_policies() if name == DEMO else self.evidence

    def held(self, config: str, split: str) -> list[Held]:
        """What the trusted corpora hold of a split."""
        return [there for source in self.sources if (there := source(config, split)) is not None]

    def briefs(self, split: str) -> list[Mapping[str, Brief]]:
        """The briefs that the trusted corpora have of a split, each by conversation id; a manifest
        has none.
        """
        kept = [source for source in (*self.sources, _demo) if isinstance(source, _Kept)]
        return [there for one in kept if (there := one.briefs(split)) is not None]

    def readable(self, config: str, split: str) -> str | None:
        """The name of the first trusted corpus that has the texts of a split."""
        return next(
            (
                source.name
                for source in self.sources
                if isinstance(source, _Kept) and source(config, split) is not None
            ),
            None,
        )

    def demo(self, config: str, split: str) -> Held | None:
        """The embedded demo's split: it is part of the package, so it is always trusted."""
        return _demo(config, split)


@cache
def _demo_policies() -> Evidence:
    return open_evidence(DEMO)


def trusted_corpora(names: Sequence[str]) -> Trusted:
    """The corpora of these names: a folder, a file, `ORG/NAME@REVISION`, a manifest or `demo`.
    Several that would be called the same carry a number, so that verdicts tell them apart.

    Raises SettingError for a Hub id without a revision, which would change under the verifier, and
    DataError for a manifest that cannot be read.
    """
    sources: list[Source] = []
    taken = {DEMO: 1}
    for name in dict.fromkeys(names):
        shown = DEMO if name == DEMO else str(hub_id_or_last_component(name.partition("@")[0]))
        if name != DEMO:
            taken[shown] = taken.get(shown, 0) + 1
        sources.append(_source(name, f" ({taken[shown]})" if taken[shown] > 1 else ""))
    return Trusted(tuple(sources))


def _source(name: str, mark: str) -> Source:
    """mark: what stands behind its name."""
    path = Path(name).expanduser()
    if name == DEMO:
        return _demo
    if is_manifest(path):
        manifest = read_manifest(path)
        return _Listed(f"{manifest.dataset} ({path.name}){mark}", manifest)
    if not os.path.exists(path) and "@" not in name:
        raise SettingError(
            f"--corpus {name}: no such file or folder here, and a Hub id needs a revision that"
            f" cannot move: {name}@COMMIT"
        )
    return _Kept(name, mark)


@dataclass(frozen=True, slots=True)
class _Listed:
    """What a manifest lists."""

    name: str
    manifest: Manifest

    def __call__(self, config: str, split: str) -> Held | None:
        entries = self.manifest.splits.get((config, split))
        return None if entries is None else Held(self.name, entries)


class _Kept:
    """A corpus that is read once a split. mark: what stands behind its name."""

    def __init__(self, name: str, mark: str = "") -> None:
        self.name = name
        self.mark = mark
        self.read: dict[tuple[str, str], Held | None] = {}
        self.told: dict[str, Mapping[str, Brief] | None] = {}

    def __call__(self, config: str, split: str) -> Held | None:
        if (config, split) not in self.read:
            self.read[config, split] = self._load(config, split)
        return self.read[config, split]

    def briefs(self, split: str) -> Mapping[str, Brief] | None:
        if split not in self.told:
            self.told[split] = stored_briefs(self.name, split)
        return self.told[split]

    def _load(self, config: str, split: str) -> Held | None:
        file = Path(self.name).expanduser()
        # One file is one kind of items, whatever it is asked for.
        if file.is_file() and corpora.file_config(file) != config.partition("_")[0]:
            return None
        try:
            # What cannot be read was asked of nobody.
            corpus = corpora.load(self.name, config, split, bad_rows="drop")
        except MissingSplit:
            return None
        left_out = f" ({len(corpus.left_out):,} {LEFT_OUT})" if corpus.left_out else ""
        # Of a path the last part says enough: verdicts are published.
        name = hub_id_or_last_component(corpus.name)
        return Held(f"{name}{self.mark}{left_out}", tuple(map(entry_of, corpus.items)))


_demo = _Kept(DEMO)
