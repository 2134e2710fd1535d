"""One server for all tests that ask the real model."""

from collections.abc import Iterator

import pytest

from benchmarks.serving import Served
from tests.support.real_server import real_server


@pytest.fixture(scope="session")
def server() -> Iterator[Served]:
    with real_server() as running:
        yield running
