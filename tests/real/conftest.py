"""One server for all tests that ask the real model."""

from collections.abc import Iterator

import pytest

from tests.support.real_server import RealServer, real_server


@pytest.fixture(scope="session")
def server() -> Iterator[RealServer]:
    with real_server() as running:
        yield running
