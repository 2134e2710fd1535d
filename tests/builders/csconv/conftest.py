"""What the tests of csconv builds share: recordings, and one finished build of them."""

import pytest

from builders.scripted import roles
from csc_tasks.llm.backends import register_scripted
from tests.support.csconv_builds import FIDELITY, LANGUAGES, build, recorded, write


@pytest.fixture(scope="package")
def calls(tmp_path_factory):
    """Sixty recordings, half of them Chinese, without topics."""
    rows = [row for language in LANGUAGES for row in recorded(30, language)]
    return write(tmp_path_factory.mktemp("calls") / "calls.jsonl", rows)


@pytest.fixture(scope="package")
def built(calls, tmp_path_factory):
    out = tmp_path_factory.mktemp("csconv") / "set"
    assert build(calls, out, "--fidelity", FIDELITY) == 0
    return out


@pytest.fixture(autouse=True)
def the_judge_is_put_back():
    """The registry is one for the process, and test_rolecs expects its own judge there."""
    yield
    register_scripted("judge", roles.judge)
