"""Whether what a report was made of has changed."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from csc_tasks import __version__


def fingerprint(paths: Iterable[Path], *settings: object) -> str:
    """A hash of all files in `paths` (folders are searched) by name and content, of the settings,
    and of this version of the project.
    """
    digest = hashlib.sha256(repr((__version__, settings)).encode())
    for path in paths:
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file():
                with file.open("rb") as stream:
                    content = hashlib.file_digest(stream, "sha256").hexdigest()
                name = file.relative_to(path.parent).as_posix()
                digest.update(f"{name}\0{content}\0".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()
