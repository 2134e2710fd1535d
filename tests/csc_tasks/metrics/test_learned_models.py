"""Models of learned metrics: defaults, incomplete weights, layers, languages."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from csc_tasks.errors import ModelError, SettingError
from csc_tasks.metrics import (
    METRICS,
    LearnedSettings,
    bartscore,
    bertscore,
    bleurt,
    cosine,
)
from csc_tasks.metrics import weights as model_files
from tests.support import scorers
from tests.support.learned_metrics import CHECKED, LEARNED, score

pytestmark = pytest.mark.xdist_group("learned")


def test_missing_weights_stop_the_run_and_name_both_ways_out(models, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    for name in CHECKED:
        for model in (None, "nobody/nothing", str(tmp_path / "nowhere"), "./nowhere", str(empty)):
            made = LearnedSettings(**{f"{name}_model": model}, bertscore_layer=1)
            shown = (
                model
                or {
                    "bertscore": "roberta-large",
                    "bleurt": "lucadiliello/BLEURT-20",
                    "bartscore": "facebook/bart-large-cnn",
                    "cosine": "sentence-transformers/all-mpnet-base-v2",
                }[name]
            )
            ways = (
                "choose other metrics with csc_metrics, or give the folder of a local copy with"
                f" csc_{name}_model"
            )
            text = f"{name} cannot load {shown}.*{ways}"
            for call in (
                METRICS[name].ready,
                lambda language, made, name=name: METRICS[name].score([], [], language, made),
            ):
                with pytest.raises(ModelError, match=text):
                    call("en", made)


def test_the_default_models(monkeypatch):
    asked = []
    for module in (bertscore, bleurt, bartscore, cosine):
        monkeypatch.setattr(module, "load", lambda *model: asked.append(model))
    for language in ("zh", "en"):
        for name in CHECKED:
            if (name, language) != ("bartscore", "zh"):
                METRICS[name].ready(language)
    assert asked == [
        ("bert-base-chinese", None),
        ("lucadiliello/BLEURT-20",),
        ("sentence-transformers/paraphrase-multilingual-mpnet-base-v2",),
        ("roberta-large", None),
        ("lucadiliello/BLEURT-20",),
        ("facebook/bart-large-cnn", "en"),
        ("sentence-transformers/all-mpnet-base-v2",),
    ]
    from bert_score.utils import model2layers

    assert (model2layers["bert-base-chinese"], model2layers["roberta-large"]) == (8, 17)


def test_default_models_out_of_the_hubs_cache(models, tmp_path, monkeypatch):
    """Offline, with the weights downloaded before: names, layers and commits as they stand in
    published numbers.
    """
    from huggingface_hub import constants

    commit = "8f23c25b06e129b6c986331a13d8d025a92cf0ea"
    deep = scorers.make_bert(tmp_path / "deep", layers=8)
    cached = {
        "bert-base-chinese": deep,
        "lucadiliello/BLEURT-20": models.sentencepiece,
        "lucadiliello/bleurt-tiny-128": models.wordpiece,
        "facebook/bart-large-cnn": models.bart,
        "sentence-transformers/all-mpnet-base-v2": models.embedder,
    }
    for name, folder in cached.items():
        repository = Path(constants.HF_HUB_CACHE, f"models--{name.replace('/', '--')}")
        shutil.copytree(folder, repository / "snapshots" / commit)
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text(commit)
    try:
        found = {
            (name, language): METRICS[name].score(["您好"], ["您好吗"], language)
            for name, language in (
                ("bertscore", "zh"),
                ("bleurt", "zh"),
                ("bartscore", "en"),
                ("cosine", "en"),
            )
        }
        small = METRICS["bleurt"].score(
            [], [], "en", LearnedSettings(bleurt_model="lucadiliello/bleurt-tiny-128")
        )
    finally:
        for name in cached:
            shutil.rmtree(Path(constants.HF_HUB_CACHE, f"models--{name.replace('/', '--')}"))
        for load in (
            bertscore.load,
            bleurt.load,
            bartscore.load,
            bartscore._reader,
            cosine.load,
            model_files.identity,
        ):
            load.cache_clear()
    assert "|model:bert-base-chinese@8f23c25b06e1|layer:8|" in found["bertscore", "zh"].signature
    assert (
        "|model:lucadiliello/BLEURT-20@8f23c25b06e1|vocabulary:sentencepiece|"
        in found["bleurt", "zh"].signature
    )
    assert "|model:facebook/bart-large-cnn@8f23c25b06e1|" in found["bartscore", "en"].signature
    assert (
        "|model:sentence-transformers/all-mpnet-base-v2@8f23c25b06e1|"
        in found["cosine", "en"].signature
    )
    assert (
        "|model:lucadiliello/bleurt-tiny-128@8f23c25b06e1|vocabulary:wordpiece|" in small.signature
    )
    assert found["bleurt", "zh"].items == score(
        "bleurt", ["您好"], ["您好吗"], LearnedSettings(bleurt_model=str(models.sentencepiece))
    )


def test_chinese_bartscore_needs_a_model_that_knows_chinese(models):
    for name in LEARNED[2:5]:
        with pytest.raises(
            ModelError,
            match=r"bartscore has no model of its own for zh.*csc_bartscore_model.*csc_metrics",
        ):
            METRICS[name].ready("zh")
    METRICS["bartscore"].ready("zh", LearnedSettings(bartscore_model=str(models.bart)))


def test_a_model_of_another_kind_or_with_gaps_is_refused(models, tmp_path):
    half = shutil.copytree(models.bert, tmp_path / "half")
    whole = (half / "model.safetensors").read_bytes()
    (half / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    holed = shutil.copytree(models.wordpiece, tmp_path / "holed")
    from safetensors.numpy import load_file, save_file

    tensors = load_file(holed / "model.safetensors")
    del tensors["classifier.weight"]
    save_file(tensors, holed / "model.safetensors", metadata={"format": "pt"})
    for name, folder, text in [
        ("bertscore", half, "cannot load .*half .*incomplete"),
        (
            "bleurt",
            holed,
            (
                r"holed: it lacks 1 of the weights that are needed \(first:"
                r" classifier.weight\).*csc_bleurt_model"
            ),
        ),
        ("bleurt", models.bert, "it is a bert model, not a bleurt model"),
        ("bartscore", models.bert, "cannot load .*bert"),
    ]:
        with pytest.raises(ModelError, match=text):
            METRICS[name].ready(
                "en", LearnedSettings(**{f"{name}_model": str(folder)}, bertscore_layer=1)
            )


def test_bleurt_needs_no_table_of_positions_in_its_file(models, tmp_path):
    """transformers 5 leaves a buffer that is not in the file as it found the memory."""
    from safetensors.numpy import load_file, save_file

    folder = shutil.copytree(models.wordpiece, tmp_path / "without")
    tensors = load_file(folder / "model.safetensors")
    del tensors["bleurt.embeddings.position_ids"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    texts = ["I am sorry.", "Your card"], ["Your card is locked", "您好"]
    ours, whole = (
        score("bleurt", *texts, LearnedSettings(bleurt_model=str(path)))
        for path in (folder, models.wordpiece)
    )
    # The last bit of a float depends on where in a file, and so in memory, the weights stand.
    assert ours == pytest.approx(whole, abs=1e-6)
    assert bleurt.load(str(folder)).model.bleurt.embeddings.token_type_ids.unique().tolist() == [0]


def test_a_model_of_many_languages_is_told_which():
    codes = {"zh_CN": 7, "en_XX": 8}
    tokenizer = SimpleNamespace(
        src_lang="en_XX", unk_token_id=3, convert_tokens_to_ids=lambda code: codes.get(code, 3)
    )
    assert (bartscore._speak(tokenizer, "zh"), tokenizer.src_lang) == ("|language:zh_CN", "zh_CN")
    codes.pop("zh_CN")
    with pytest.raises(ValueError, match="does not know the language zh"):
        bartscore._speak(tokenizer, "zh")
    assert bartscore._speak(SimpleNamespace(), "zh") == ""


def test_layers(models, tmp_path):
    for layer, text in (
        (None, "knows no best layer of .*csc_bertscore_layer"),
        (4, "csc_bertscore_layer=4: .* has 3 layers"),
    ):
        with pytest.raises(SettingError, match=text):
            METRICS["bertscore"].ready(
                "en", LearnedSettings(bertscore_model=str(models.bert), bertscore_layer=layer)
            )
    # A copy that goes by the name of a model bert-score knows has that model's layer.
    named = shutil.copytree(models.bert, tmp_path / "roberta-large")
    # So has one out of the Hub's cache under the name that the Hub has given it since.
    cached = (
        tmp_path
        / "models--FacebookAI--roberta-large"
        / "snapshots"
        / "722cf37b1afa9454edce342e7895e588b6ff1d59"
    )
    moved = shutil.copytree(models.bert, cached)
    for folder in (named, moved):
        with pytest.raises(SettingError, match=r"csc_bertscore_layer=17: .* has 3 layers"):
            METRICS["bertscore"].ready("en", LearnedSettings(bertscore_model=str(folder)))
    assert len(bertscore.load(str(models.bert), 2).model.encoder.layer) == 2
