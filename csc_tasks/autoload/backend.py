"""The build backend of this project: setuptools, plus the start-up hook in every wheel and install.

pyproject.toml names this file (`build-backend = "backend"`, `backend-path`), so it runs from a
checkout and from an sdist alike and imports nothing of csc_tasks. The two hooks below call
setuptools and then add three files, with their RECORD lines, to the zip that setuptools made:
installing brings them, uninstalling removes them.

    csc_tasks_autoload.py     a copy of start.py, which stands beside this file
    csc_tasks_autoload.pth    the line that imports it, for Python up to 3.17
    csc_tasks_autoload.start  the line that names its function, for Python 3.15 and newer (PEP 829);
                              such a Python then ignores the .pth

The module is a copy at the top level, and not csc_tasks.autoload.start itself: in an editable
install the checkout may not be on sys.path yet when the .pth is read, and one small file costs
every start of Python less than a package does.
"""

import base64
import hashlib
import os
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import (
    build_sdist,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

Settings = Mapping[str, Any] | None

HOOK = "csc_tasks_autoload"


def start_up_files() -> dict[str, bytes]:
    """Name and content of each file of the start-up hook."""
    folder = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(folder, "start.py"), "rb") as file:
        module = file.read()
    return {
        f"{HOOK}.py": module,
        f"{HOOK}.pth": f"import {HOOK}\n".encode(),
        f"{HOOK}.start": f"{HOOK}:start\n".encode(),
    }


def build_wheel(
    wheel_directory: str,
    config_settings: Settings = None,
    metadata_directory: str | None = None,
) -> str:
    """PEP 517's build_wheel: setuptools' wheel with the start-up hook; returns its file name."""
    with fresh_build_folder():
        name: str = build_meta.build_wheel(wheel_directory, config_settings, metadata_directory)
    add_start_up_files(os.path.join(wheel_directory, name))
    return name


def build_editable(
    wheel_directory: str,
    config_settings: Settings = None,
    metadata_directory: str | None = None,
) -> str:
    """PEP 660's build_editable: setuptools' editable wheel with the hook; returns its file name."""
    name: str = build_meta.build_editable(wheel_directory, config_settings, metadata_directory)
    add_start_up_files(os.path.join(wheel_directory, name))
    return name


@contextmanager
def fresh_build_folder() -> Iterator[None]:
    """Lets setuptools work in a temporary folder: from ./build it would also pack what earlier
    builds left, deleted task files included.
    """
    before = os.environ.get("DIST_EXTRA_CONFIG")
    with tempfile.TemporaryDirectory() as folder:
        settings = os.path.join(folder, "extra.cfg")
        with open(settings, "w", encoding="utf-8") as file:
            file.write(f"[build]\nbuild_base = {folder}\n")
        if before is None:
            os.environ["DIST_EXTRA_CONFIG"] = settings
        try:
            yield
        finally:
            if before is None:
                del os.environ["DIST_EXTRA_CONFIG"]


def add_start_up_files(wheel: str) -> None:
    """Add the start-up hook to the wheel at this path; other entries keep their bytes and dates."""
    added = start_up_files()
    with zipfile.ZipFile(wheel) as old:
        entries = [(info, old.read(info)) for info in old.infolist()]
    # A zip entry cannot be changed in place: a second file takes the first one's name.
    with zipfile.ZipFile(wheel + ".new", "w", zipfile.ZIP_DEFLATED) as new:
        for info, data in entries:
            if info.filename.endswith(".dist-info/RECORD"):
                for name, content in added.items():
                    start_up = zipfile.ZipInfo(name, info.date_time)
                    start_up.external_attr = info.external_attr
                    start_up.compress_type = info.compress_type
                    new.writestr(start_up, content)
                lines = [record_line(name, content) for name, content in added.items()]
                data = "".join(lines).encode("ascii") + data
            new.writestr(info, data)
    os.replace(wheel + ".new", wheel)


def record_line(name: str, content: bytes) -> str:
    """The line of a wheel's RECORD for one file."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode("ascii")
    return f"{name},sha256={digest},{len(content)}\n"
