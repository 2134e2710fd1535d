"""Three conversations and three questions to ask a misbehaving server for, and nobody waits."""

import pytest

from csc_tasks.play import server as play_server
from tests.support.fakes import sample_conversations, sample_questions, write_corpus


@pytest.fixture(autouse=True)
def pauses(monkeypatch):
    """The waits between tries, which nobody waits for here."""
    waited = []

    async def rest(seconds):
        waited.append(seconds)

    monkeypatch.setattr(play_server, "rest", rest)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted-55f0c1d2e3")
    return waited


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """Three conversations with 13 scored turns, three questions."""
    questions = [question for question in sample_questions() if question.language == "en"]
    return write_corpus(tmp_path_factory.mktemp("corpus"), sample_conversations(("en",)), questions)


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory):
    from tests.support.models import make_model

    return {
        "tokenizer_backend": "huggingface",
        "tokenizer": str(make_model(tmp_path_factory.mktemp("model"))),
        "max_length": 4096,
    }
