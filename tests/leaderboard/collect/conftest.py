"""The corpus that the collector trusts."""

import shutil

import pytest

from tests.support.collecting import HELD, ITEMS
from tests.support.fakes import write_corpus


@pytest.fixture(scope="module", autouse=True)
def held():
    """The corpus of ITEMS, which the collector trusts."""
    write_corpus(HELD, ITEMS, [])
    yield
    shutil.rmtree(HELD)
