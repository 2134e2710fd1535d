"""What learned metrics need is said, and looked for, before anything is loaded."""

import logging

import pytest

from csc_tasks.errors import ModelError
from csc_tasks.metrics import LearnedSettings, select
from csc_tasks.metrics import learned as learned_metrics
from csc_tasks.metrics.needed import check_there, located, needed
from csc_tasks.records import check_ready


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))


def test_each_model_once_with_what_needs_it():
    models = needed([one.name for one in select("all", "turn")], ["en", "zh"])
    assert [(one.model, one.uses) for one in models] == [
        ("roberta-large", ("bertscore en",)),
        ("bert-base-chinese", ("bertscore zh",)),
        ("lucadiliello/BLEURT-20", ("bleurt en", "bleurt zh")),
    ]
    assert needed([one.name for one in select("overlap", "turn")], ["en"]) == []


def test_all_that_are_missing_are_named_and_none_is_loaded(monkeypatch):
    monkeypatch.setattr(learned_metrics, "_loaded", lambda *args: pytest.fail("loaded"))
    with pytest.raises(ModelError) as error:
        check_ready(select("all", "answer"), ["en"])
    away = "not here, and HF_HUB_OFFLINE is set"
    # 355, 406 and 109 million parameters of 4 bytes.
    assert str(error.value) == (
        "the metrics need 3 models, and 3 of them cannot be had:"
        f" roberta-large (bertscore en; 1.4 GB, {away});"
        f" facebook/bart-large-cnn (bartscore en; 1.6 GB, {away});"
        f" sentence-transformers/all-mpnet-base-v2 (cosine en; 0.4 GB, {away});"
        " choose other metrics with csc_metrics (overlap needs none), or give folders of local"
        " copies with csc_bartscore_model, csc_bertscore_model, csc_cosine_model"
    )


def test_a_folder_is_here_and_its_weights_are_counted_in_one_form(tmp_path, caplog, monkeypatch):
    folder = tmp_path / "scorer"
    folder.mkdir()
    for name, size in (("model.safetensors", 5), ("pytorch_model.bin", 7), ("config.json", 9)):
        (folder / name).write_bytes(b"0" * size)
    settings = LearnedSettings(cosine_model=str(folder), bertscore_model="no/such/place")
    (bert, cosine) = located(needed(["bertscore", "cosine"], ["en"], settings))
    assert (cosine.where, cosine.size) == ("here", 5)
    assert (bert.where, bert.size, bert.why) == ("", None, "no such folder, and no Hub id")
    monkeypatch.setattr(learned_metrics, "_loaded", lambda *args: None)
    with caplog.at_level(logging.INFO, "lm_eval.csc_tasks"):
        check_ready(select("cosine", "answer"), ["en"], LearnedSettings(cosine_model=str(folder)))
    assert caplog.messages == [f"the metrics need {folder} (cosine en; 0.0 GB, here)"]


def test_a_model_of_the_hub_tells_its_size(monkeypatch):
    import huggingface_hub
    from huggingface_hub import constants

    class File:
        def __init__(self, rfilename, size):
            self.rfilename, self.size = rfilename, size

    class Api:
        def model_info(self, name, files_metadata, timeout):
            assert files_metadata
            files = [File("model.safetensors", 2_000_000_000), File("onnx/model.bin", 9)]
            return type("Info", (), {"siblings": files})()

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    (model,) = check_there(select("bleurt", "turn"), ["en"])
    assert model.line() == "lucadiliello/BLEURT-20 (bleurt en; 2.0 GB, on the Hub)"
