"""What one commit is to bring about, and what of it a repository lacks."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from csc_tasks.errors import SettingError
from csc_tasks.hub.address import endpoint, page

if TYPE_CHECKING:
    from huggingface_hub import HfApi


@dataclass(frozen=True, slots=True)
class Publication:
    """What one commit is to bring about. `files` maps paths in the repository to local files.

    passengers: paths that are sent along with other changes but are no reason for a commit (they
    differ between identical builds).
    stale: an expression; a file of the repository whose whole path it matches and that is not in
    `files` is deleted.
    marker: a repository that holds data but not this path was made by somebody else and is only
    changed by a pull request.
    """

    repo_id: str
    files: Mapping[str, Path]
    message: str
    repo_type: str = "dataset"
    private: bool = False
    pull_request: bool = False
    tag: str | None = None
    passengers: frozenset[str] = frozenset()
    stale: str = ""
    marker: str | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", self.repo_id, re.ASCII):
            raise SettingError(
                f"{self.repo_id!r} is not the name of a repository; it looks like ORG/NAME"
            )
        if self.tag is not None and not re.fullmatch(r"[A-Za-z0-9][\w.-]*", self.tag, re.ASCII):
            raise SettingError(
                f"{self.tag!r} cannot be a tag; letters, digits, '.', '-' and '_' can, as in v1.0"
            )
        if self.tag is not None and self.pull_request:
            raise SettingError(
                "a pull request is not tagged: publish with --pr, and tag what was merged by"
                " publishing again with --tag"
            )

    def lines(self) -> list[str]:
        """What would be sent, where to, and who could read it, as text."""
        width = max(map(len, self.files))
        sizes = {path: file.stat().st_size for path, file in self.files.items()}
        how = "a pull request" if self.pull_request else "one commit to main"
        wishes = [how, *([f"tag {self.tag}"] if self.tag else [])]
        visibility = "private" if self.private else "public, if it is created now"
        listed = [
            f"{self.repo_type} {self.repo_id} ({visibility}) at {endpoint()}: {', '.join(wishes)}"
        ]
        for path, size in sizes.items():
            note = "  goes along with other changes only" if path in self.passengers else ""
            listed.append(f"  {path:<{width}}  {readable_size(size):>9}{note}")
        return [*listed, f"  {len(sizes)} files, {readable_size(sum(sizes.values()))}"]


@dataclass(frozen=True, slots=True)
class Published:
    """What happened: the commit that now holds the files, whether it is new, and where to look at
    it.
    """

    commit: str
    url: str
    new: bool
    created: bool


def readable_size(size: int) -> str:
    """Bytes in the units people use: `512 B`, `4.1 kB`, `1.2 MB`."""
    if size < 1_000:
        return f"{size} B"
    unit, shown = next(
        ((u, size / d) for u, d in (("kB", 1e3), ("MB", 1e6)) if size / d < 999.95),
        ("GB", size / 1e9),
    )
    return f"{shown:.1f} {unit}"


def page_of(publication: Publication, commit: str = "") -> str:
    """The address of a publication in a browser; of one commit where that is given."""
    return page(publication.repo_id, publication.repo_type) + (
        f"/commit/{commit}" if commit else ""
    )


def held_files(api: "HfApi", publication: Publication, revision: str) -> dict[str, str]:
    """Path -> hash of what the repository holds: sha256 of an LFS file, git's blob id of any
    other.
    """
    from huggingface_hub import RepoFile

    entries = api.list_repo_tree(
        publication.repo_id, recursive=True, revision=revision, repo_type=publication.repo_type
    )
    return {
        entry.path: entry.lfs.sha256 if entry.lfs else entry.blob_id
        for entry in entries
        if isinstance(entry, RepoFile)
    }


def changes_to(publication: Publication, held: Mapping[str, str]) -> dict[str, str]:
    """Path -> new, changed or deleted; empty when only passengers differ."""
    changes = {
        path: "changed" if path in held else "new"
        for path, file in publication.files.items()
        if held.get(path) not in hashes(file)
    }
    gone = [
        path
        for path in held
        if path not in publication.files and re.fullmatch(publication.stale, path)
    ]
    changes |= dict.fromkeys(gone, "deleted")
    return changes if changes.keys() - publication.passengers else {}


def hashes(file: Path) -> tuple[str, str]:
    """A local file's sha256 and git blob id: which of the two the Hub shows depends on how it
    stores the file.
    """
    sha256, blob = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % file.stat().st_size)
    with file.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            sha256.update(chunk)
            blob.update(chunk)
    return sha256.hexdigest(), blob.hexdigest()
