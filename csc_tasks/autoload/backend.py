"""The build backend of this project: setuptools, plus one start-up line in every wheel and editable install.

pyproject.toml names this file (`build-backend = "backend"`, `backend-path`), so it runs from a checkout and from an sdist alike and imports
nothing of csc_tasks. The two hooks below call setuptools and then add `csc_tasks_autoload.pth`, with its RECORD line, to the zip that
setuptools made: installing starts the line, uninstalling removes it.

The line carries the finder itself instead of importing it: at interpreter start nothing is looked up on disk, nothing can be missing, and
csc_tasks is read only by a process that imports lm_eval's task manager, from wherever that process would import it.
"""

import base64
import hashlib
import os
import tempfile
import zipfile
from contextlib import contextmanager

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

PTH_NAME = "csc_tasks_autoload.pth"

FINDER = """
class CscTasksFinder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "lm_eval.tasks.manager":
            try:
                from csc_tasks.autoload import find_manager
            except Exception:
                return None
            return find_manager(CscTasksFinder, path)
if not any(getattr(finder, "__name__", "") == "CscTasksFinder" for finder in sys.meta_path):
    sys.meta_path.insert(0, CscTasksFinder)
"""

# In a virtual environment `site` reads every .pth file twice, hence the test before the insertion. It runs a line only if
# it starts with "import"; the dict keeps the names out of the `site` module.
PTH_LINE = f"import sys; exec({FINDER!r}, {{'sys': sys}})\n"


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """PEP 517's build_wheel: the wheel that setuptools builds, with the start-up line; returns its file name."""
    with fresh_build_folder():
        name = build_meta.build_wheel(wheel_directory, config_settings, metadata_directory)
    add_start_up_line(os.path.join(wheel_directory, name))
    return name


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    """PEP 660's build_editable: the editable wheel that setuptools builds, with the start-up line; returns its file name."""
    name = build_meta.build_editable(wheel_directory, config_settings, metadata_directory)
    add_start_up_line(os.path.join(wheel_directory, name))
    return name


@contextmanager
def fresh_build_folder():
    """Lets setuptools work in a temporary folder: from ./build it would also pack what earlier builds left, deleted task files included."""
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


def add_start_up_line(wheel):
    """Add the .pth file and its RECORD line to the wheel at this path; every other entry keeps its bytes and its date."""
    content = PTH_LINE.encode("ascii")
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode("ascii")
    record_line = f"{PTH_NAME},sha256={digest},{len(content)}\n"
    with zipfile.ZipFile(wheel) as old:
        entries = [(info, old.read(info)) for info in old.infolist()]
    # A zip entry cannot be changed in place: write a second file and let it take the first one's name.
    with zipfile.ZipFile(wheel + ".new", "w", zipfile.ZIP_DEFLATED) as new:
        for info, data in entries:
            if info.filename.endswith(".dist-info/RECORD"):
                start_up = zipfile.ZipInfo(PTH_NAME, info.date_time)
                start_up.external_attr, start_up.compress_type = info.external_attr, info.compress_type
                new.writestr(start_up, content)
                data = record_line.encode("ascii") + data
            new.writestr(info, data)
    os.replace(wheel + ".new", wheel)
