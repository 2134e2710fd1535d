"""Recordings, a build of them, and a shell without settings in which nobody waits long."""

import pytest

from csc_tasks.llm.client import LLM
from tests.support.qa_builds import build
from tests.support.qa_recordings import recordings, write_source


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.setitem(LLM.__init__.__kwdefaults__, "first_pause", 0.01)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Twelve dialogues of each language."""
    return write_source(tmp_path_factory.mktemp("source") / "calls.jsonl", recordings(12))


@pytest.fixture(scope="module")
def built(source, tmp_path_factory):
    out = tmp_path_factory.mktemp("qa") / "set"
    assert build(source, out) == 0
    return out
