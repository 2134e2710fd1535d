"""The packaged real model behind llama.cpp's server, for the tests that ask a real model."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.packaged import missing
from benchmarks.serving import Served, serve_packaged


@contextmanager
def real_server() -> Iterator[Served]:
    """A running server; skips the test that asks for it where the packages are not installed."""
    if why := missing():
        pytest.skip(why)
    with (
        tempfile.TemporaryDirectory(prefix="csc-real-") as folder,
        serve_packaged(Path(folder, "log")) as served,
    ):
        yield served
