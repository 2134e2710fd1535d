"""Tiny models of every learned metric, built once, and settings that name them."""

from types import SimpleNamespace

import pytest

from csc_tasks.metrics import (
    LearnedSettings,
)
from tests.support import scorers


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Folder by name. "t5" in a name is nothing a metric may read anything into."""
    root = tmp_path_factory.mktemp("models")
    return SimpleNamespace(
        bert=scorers.make_bert(root / "bert-t5"),
        roberta=scorers.make_roberta(root / "roberta"),
        bart=scorers.make_bart(root / "bart"),
        wordpiece=scorers.make_bleurt(root / "wordpiece"),
        sentencepiece=scorers.make_bleurt(root / "sentencepiece", "sentencepiece"),
        embedder=scorers.make_embedder(root / "embedder"),
    )


@pytest.fixture(scope="session")
def settings(models):
    """Every metric on a tiny model."""
    return LearnedSettings(
        bertscore_model=str(models.bert),
        bertscore_layer=2,
        bleurt_model=str(models.sentencepiece),
        bartscore_model=str(models.bart),
        cosine_model=str(models.embedder),
        device="cpu",
        batch_size=4,
    )
