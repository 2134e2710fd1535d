"""What learned metrics need is said, and looked for, before anything is loaded."""

import logging
from unittest.mock import Mock

import pytest

from csc_tasks.errors import ModelError
from csc_tasks.measuring import check_ready
from csc_tasks.metrics import LearnedSettings, select
from csc_tasks.metrics import learned as learned_metrics
from csc_tasks.metrics.needed import check_there, located, needed
from tests.support.hub_server import hub_server


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
            return type("Info", (), {"siblings": files, "gated": False})()

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    (model,) = check_there(select("bleurt", "turn"), ["en"])
    assert model.line() == "lucadiliello/BLEURT-20 (bleurt en; 2.0 GB, on the Hub)"


# Why a model cannot be had


def why(model):
    """What is said of a model for cosine that is nowhere."""
    (one,) = located(needed(["cosine"], ["en"], LearnedSettings(cosine_model=str(model))))
    assert one.where == "" and one.size is None
    return one.why


@pytest.fixture
def hub(monkeypatch):
    """A loopback Hub, with no way to any other."""
    from huggingface_hub import constants

    with hub_server() as running:
        monkeypatch.setattr(constants, "ENDPOINT", running.url)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setenv("NO_PROXY", "*")
        yield running


def test_a_folder_that_is_not_there(tmp_path, hub):
    assert why(tmp_path / "scorer") == "no such folder, and no Hub id"
    assert hub.requests == []


def test_a_folder_that_may_not_be_read(tmp_path, monkeypatch, hub):
    """Who runs this may be root, who may read everything: the system's refusal is a stand-in."""
    folder, refused = tmp_path / "scorer", PermissionError(13, "Permission denied")
    folder.mkdir()
    monkeypatch.setattr("os.listdir", Mock(side_effect=refused))
    monkeypatch.setattr("os.scandir", Mock(side_effect=refused))
    assert why(folder) == "here, but it cannot be read (Permission denied)"
    assert hub.requests == []


def test_a_file_in_the_place_of_a_folder(tmp_path, hub):
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"0")
    assert why(file) == "here, but it cannot be read (Not a directory)"


def test_a_repository_that_the_hub_does_not_have(hub):
    assert why("org/none") == "not here, and the Hub has no such model that this token may read"


def test_a_gated_repository_can_be_read_of_and_not_fetched(hub):
    info = {"id": "org/gated", "gated": "manual", "siblings": []}
    hub.fail("GET", "/api/models/org/gated/auth-check", 403, {}, {"X-Error-Code": "GatedRepo"})
    hub.fail("GET", "/api/models/org/gated", 200, info, times=2)
    assert why("org/gated") == "gated: accept its conditions on its page and set HF_TOKEN"
    # Whose token may fetch it is told so.
    hub.fail("GET", "/api/models/org/gated/auth-check", 200, {})
    settings = LearnedSettings(cosine_model="org/gated")
    (one,) = located(needed(["cosine"], ["en"], settings))
    assert (one.where, one.why) == ("on the Hub", "")


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (500, {}, "not here, and the Hub answers 500"),
        (200, b"<html>Log in to this network</html>", "what answers for the Hub is something else"),
        (0, None, "not here, and the Hub cannot be reached (RemoteProtocolError)"),
    ],
)
def test_a_hub_that_gives_no_answer(hub, status, body, words):
    hub.fail("GET", "/api/models/org/one", status, body, times=9)
    assert words in why("org/one")


def test_no_network(hub, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:1")
    assert why("org/one") == "not here, and the Hub cannot be reached (ConnectError)"
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert why("org/one") == "not here, and HF_HUB_OFFLINE is set"
