"""What every test gets: no network, no settings from the caller's shell, caches of its own, one
thread a worker.
"""

import gc
import logging
import os
import sys
import tempfile
from pathlib import Path

import pytest

from tests.support.groups import group_by_fixtures
from tests.support.quick_lm_eval import describe_the_machine_once

KEPT = {"CSC_SHARED_DATA", "CSC_TESTS_HF_HOME"}
REPOSITORY = Path(__file__).resolve().parents[1]

CACHES = tempfile.TemporaryDirectory(prefix="csc-tests-")

# A worker of pytest-xdist starts with the environment of the process that started it. Models that a
# test puts into the cache of its worker must not be there for the tests of another.
if os.environ.get("CSC_TESTS_HF_HOME") == os.environ.get("HF_HOME"):
    os.environ.pop("HF_HOME", None)

# Read when the libraries are first imported, so they are set here and not in a fixture. A value
# from the shell wins: HF_HUB_OFFLINE=0 pytest -m network
for name, value in {
    "HF_HUB_OFFLINE": "1",
    "HF_HOME": CACHES.name,
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "OMP_NUM_THREADS": "1",
}.items():
    os.environ.setdefault(name, value)
if os.environ["HF_HOME"] == CACHES.name:
    os.environ["CSC_TESTS_HF_HOME"] = CACHES.name

for name in [name for name in os.environ if name.startswith("CSC_") and name not in KEPT]:
    del os.environ[name]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    group_by_fixtures(items)


def pytest_collection_finish():
    """What was collected and imported stays to the end: garbage is looked for in the rest alone."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def lm_eval_logs_as_before(monkeypatch):
    """lm_eval's command line changes its logger for the whole process: records stop there, and go
    to what was stderr at that moment.

    A later test would see no records in caplog, or complaints about a closed file.
    """
    logger = logging.getLogger("lm_eval")
    monkeypatch.setattr(logger, "propagate", True)
    monkeypatch.setattr(logger, "handlers", [])


@pytest.fixture(autouse=True)
def the_machine_is_described_once():
    """Else every run of lm_eval would list all installed packages again."""
    describe_the_machine_once()


@pytest.fixture(scope="session", autouse=True)
def the_browser_ends_with_the_tests():
    """A worker has one, if any of its tests looked at a page."""
    yield
    if "tests.support.browser" in sys.modules:
        sys.modules["tests.support.browser"].SHARED.close()


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout under test."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of raw corpora that are not part of the repository; a test that needs it skips
    where it is absent.
    """
    folder = Path(os.environ.get("CSC_SHARED_DATA") or REPOSITORY.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no raw corpora at {folder} (CSC_SHARED_DATA names another place)")
    return folder


@pytest.fixture
def steps():
    """Counts the lines of Python that a call runs: what a call costs, on any machine and however
    busy it is.
    """

    def count(function, *arguments) -> int:
        lines = 0

        def trace(frame, event, argument):
            nonlocal lines
            lines += event == "line"
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            function(*arguments)
        finally:
            sys.settrace(before)
        return lines

    return count
