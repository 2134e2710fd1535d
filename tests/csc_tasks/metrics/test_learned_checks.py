"""Learned metrics before generation: settings, devices, libraries, loading, signatures."""

import shutil
import sys

import pytest

from csc_tasks.compat import bleurt as compat_bleurt
from csc_tasks.errors import MissingExtra, SettingError
from csc_tasks.metrics import (
    METRICS,
    LearnedSettings,
    bartscore,
    bertscore,
    bleurt,
    cosine,
    select,
)
from csc_tasks.metrics import weights as model_files
from tests.support.learned_metrics import LEARNED, drawn_texts, score

pytestmark = pytest.mark.xdist_group("learned")


def test_settings_are_checked():
    bad = {"batch_size": (0, -1, 2.0, True, None, "8"), "bertscore_layer": (0, 1.5, False, "8")}
    for key, value in ((key, value) for key, values in bad.items() for value in values):
        with pytest.raises(
            SettingError,
            match=f"csc_(metric_)?{key}={value!r}: must be a whole number of at least 1",
        ):
            LearnedSettings(**{key: value})


def test_a_device_that_is_not_there_is_an_error_of_the_check(settings, monkeypatch):
    made = LearnedSettings(bleurt_model=settings.bleurt_model, device="gpu0")
    with pytest.raises(
        SettingError, match=r"csc_metric_device='gpu0': no such device here .*cpu always works"
    ):
        METRICS["bleurt"].ready("en", made)
    import torch

    for there, chosen in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert model_files.device(None) == torch.device(chosen)


def test_a_missing_library_is_named(settings, monkeypatch):
    libraries = {
        "bertscore": "bert_score",
        "bleurt": "bleurt_pytorch",
        "bartscore": "torch",
        "cosine": "sentence_transformers",
    }
    for name, library in libraries.items():
        for module in (bertscore, bleurt, bartscore, cosine):
            module.load.cache_clear()
        compat_bleurt.package.cache_clear()
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, library, None)
            with pytest.raises(
                MissingExtra, match=rf"{name} needs '{library}': pip install 'csc-tasks\[learned\]'"
            ):
                METRICS[name].ready("en", settings)
    compat_bleurt.package.cache_clear()


def test_weights_load_once_and_stay_off_the_device_until_they_are_used(settings, monkeypatch):
    from transformers import PreTrainedModel

    loaded, moved = [], []
    load, to = PreTrainedModel.from_pretrained.__func__, PreTrainedModel.to
    counted = classmethod(lambda cls, *a, **k: loaded.append(cls.__name__) or load(cls, *a, **k))
    monkeypatch.setattr(PreTrainedModel, "from_pretrained", counted)
    monkeypatch.setattr(
        PreTrainedModel,
        "to",
        lambda self, *a, **k: moved.append(type(self).__name__) or to(self, *a, **k),
    )
    bertscore.load.cache_clear()
    bartscore.load.cache_clear()
    bartscore._reader.cache_clear()
    for language in ("zh", "en"):
        for name in ("bertscore", *LEARNED[2:5]):
            METRICS[name].ready(language, settings)
            METRICS[name].score([], [], language, settings)
    assert sorted(loaded) == ["BartForConditionalGeneration", "BertModel"] and moved == []
    score("bertscore", ["a"], ["b"], settings)
    score("bartscore", ["a"], ["b"], settings)
    assert sorted(loaded) == ["BartForConditionalGeneration", "BertModel"] and set(moved) == set(
        loaded
    )


def test_each_direction_of_bartscore_is_computed_once(settings, monkeypatch):
    runs = []
    compute = bartscore.BartScore._score
    monkeypatch.setattr(
        bartscore.BartScore, "_score", lambda self, *a: runs.append(a[-1]) or compute(self, *a)
    )
    replies, references = drawn_texts(8, 5), drawn_texts(9, 5)
    found = {name: score(name, replies, references, settings) for name in LEARNED[2:5]}
    assert sorted(runs) == [False, True]
    assert score("bartscore_to_reply", replies[1:], references[1:], settings) == pytest.approx(
        found["bartscore_to_reply"][1:], abs=1e-5
    )
    assert sorted(runs) == [False, False, True]


def test_signatures(models, settings):
    from importlib.metadata import version

    import transformers

    hashes = {
        name: model_files.identity(str(getattr(models, name)))
        for name in ("bert", "sentencepiece", "bart", "embedder")
    }
    assert hashes["bert"].startswith("bert-t5#") and len(hashes["bert"]) == len("bert-t5#") + 12
    bart = f"model:{hashes['bart']}|max:64|transformers:{transformers.__version__.split('.')[0]}"
    assert {name: METRICS[name].score([], [], "en", settings).signature for name in LEARNED} == {
        "bertscore": (
            f"bertscore|f1|model:{hashes['bert']}|layer:2|idf:no|rescale:no|max:64|bert_score:{version('bert-score')}"
        ),
        "bleurt": (
            f"bleurt|model:{hashes['sentencepiece']}|vocabulary:sentencepiece|max:64|bleurt_pytorch:{version('bleurt-pytorch')}"
        ),
        "bartscore": f"bartscore|to:reference+reply|{bart}",
        "bartscore_to_reference": f"bartscore_to_reference|{bart}",
        "bartscore_to_reply": f"bartscore_to_reply|{bart}",
        "cosine": (
            f"cosine|model:{hashes['embedder']}|max:64|sentence_transformers:{version('sentence-transformers')}"
        ),
    }


def test_a_model_is_known_by_its_commit_or_by_its_contents(models, tmp_path):
    model_files.identity.cache_clear()
    name = model_files.identity(str(models.bert))
    copy = shutil.copytree(models.bert, tmp_path / "bert-t5")
    (copy / "README.md").write_text("not part of the model")
    (copy / ".cache").mkdir()
    (copy / ".cache" / "state.json").write_text("{}")
    assert model_files.identity(str(copy)) == name
    (copy / "vocab.txt").write_text("other")
    model_files.identity.cache_clear()
    assert model_files.identity(str(copy)) != name
    snapshot = (
        tmp_path
        / "models--google-bert--bert-base-chinese"
        / "snapshots"
        / "8f23c25b06e129b6c986331a13d8d025a92cf0ea"
    )
    shutil.copytree(models.bert, snapshot)
    assert model_files.identity(str(snapshot)) == "google-bert/bert-base-chinese@8f23c25b06e1"


def test_the_table_holds_them_for_those_who_ask():
    for name in LEARNED:
        metric = METRICS[name]
        assert (
            metric.extra == "learned"
            and metric.check
            and not metric.default
            and metric.of == "reply"
            and metric.by_language
        )
    assert [metric.name for metric in select("overlap,bertscore,bleurt", "turn")][-2:] == [
        "bertscore",
        "bleurt",
    ]
    assert [metric.name for metric in select("bertscore,bleurt,bartscore,cosine", "answer")] == [
        "bertscore",
        "bartscore",
        "cosine",
    ]
    plain = METRICS["rouge_l"]
    assert (
        plain.score(["a"], ["a"], "en", LearnedSettings()).items == [1.0]
        and plain.ready("en") is None
    )
