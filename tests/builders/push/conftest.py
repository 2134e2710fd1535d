"""`csc push` in a process of its own against a loopback Hub, in a folder of the test's own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.hub_server import READER, WRITER, environment, hub_server
from tests.support.pushing import write

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    """pii.yaml lies where the command is run."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def server():
    with hub_server() as running:
        yield running


@pytest.fixture
def run(server, tmp_path):
    """Runs a command in `tmp_path` against the loopback Hub; (exit status, output, error output),
    in which there is never a token.
    """

    def run(*command, **settings):
        paths = str(ROOT)
        env = os.environ | environment(server, tmp_path / "hf") | {"PYTHONPATH": paths} | settings
        env = {name: value for name, value in env.items() if value is not None}
        done = subprocess.run(
            [sys.executable, *command],
            env=env,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        for token in (WRITER, READER, "Bearer"):
            assert token not in done.stdout + done.stderr
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.fixture
def csc(run):
    return lambda *words, **settings: run("-m", "csc_tasks.cli", *words, **settings)


@pytest.fixture
def published(server, tmp_path, csc):
    """A repository org/name that `csc push` made from the folder `out`, tagged v1.0."""
    write(tmp_path / "out")
    assert csc("push", "out", "--repo-id", "org/name", "--tag", "v1.0", "--push")[0] == 0
    return server.repository("org/name")
