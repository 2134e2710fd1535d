"""Learned metrics inside lm_eval and in `csc score`: the demo corpus, every metric, tiny local
scorers given by path.
"""

import json
import math

import pytest
from lm_eval import simple_evaluate
from lm_eval.loggers import EvaluationTracker
from lm_eval.tasks import TaskManager

from csc_tasks import TASKS_DIR
from csc_tasks.cli import main
from csc_tasks.errors import ModelError
from csc_tasks.metrics import METRICS
from tests.support.fakes import FakeLM
from tests.support.scorers import make_bart, make_bert, make_bleurt, make_embedder

MAKERS = {
    "bertscore": make_bert,
    "bleurt": make_bleurt,
    "bartscore": make_bart,
    "cosine": make_embedder,
}
REPLIES = {
    "zh": "[情感管理] 非常抱歉给您带来不便，我马上为您核实。",
    "en": "[Emotional Management] I am sorry for the trouble.",
}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("scorers")
    return {name: str(make(root / name)) for name, make in MAKERS.items()}


def run(model, metadata, tasks=("csc_conv_ref", "csc_qa"), **options):
    settings = {
        "csc_corpus": "demo",
        "csc_qa_corpus": "demo",
        "csc_subset": 2,
        "csc_metric_device": "cpu",
    } | metadata
    manager = TaskManager(include_path=str(TASKS_DIR), include_defaults=False, metadata=settings)
    return simple_evaluate(
        model, tasks=list(tasks), task_manager=manager, bootstrap_iters=0, **options
    )


def model_settings(models):
    return {f"csc_{name}_model": path for name, path in models.items()} | {"csc_bertscore_layer": 2}


def test_every_metric_end_to_end_and_again_from_the_samples(models, tmp_path):
    results = run(
        FakeLM(lambda prompt: REPLIES["zh"]),
        model_settings(models) | {"csc_metrics": "all", "csc_language": "zh"},
    )
    for task, per in (("csc_conv_ref", "turn"), ("csc_qa", "answer")):
        numbers = results["results"][task]
        signatures = results["configs"][task]["metadata"]["csc"]["signatures"]
        wanted = [name for name, metric in METRICS.items() if per in metric.per]
        for name in wanted:
            value = numbers[f"{name},none"]
            assert value == "N/A" or math.isfinite(value), name
            assert value != "N/A" or METRICS[name].of == "flag", name
            assert signatures[name]
        learned = [name for name in wanted if METRICS[name].extra == "learned"]
        assert len(learned) >= 2 and all(f"{name}_stderr,none" in numbers for name in learned)

    tracker = EvaluationTracker(output_path=str(tmp_path / "out"))
    tracker.general_config_tracker.log_experiment_args(
        "fake", "pretrained=org/fake", None, None, False
    )
    samples = results.pop("samples")
    tracker.save_results_aggregated(results=results, samples=samples)
    tracker.save_results_samples("csc_conv_ref", samples["csc_conv_ref"])
    paths = [
        word
        for name in ("bertscore", "bleurt")
        for word in ("--model-path", f"{name}={models[name]}")
    ]
    metrics = [
        "--metrics",
        "bertscore,bleurt",
        "--bertscore-layer",
        "2",
        "--device",
        "cpu",
        "--batch-size",
        "3",
    ]
    assert (
        main(["score", str(tmp_path / "out"), "--out", str(tmp_path / "again"), *metrics, *paths])
        == 0
    )
    again = json.loads(
        next((tmp_path / "again").rglob("results_*.json")).read_text(encoding="utf-8")
    )["results"]["csc_conv_ref"]
    for name in ("bertscore", "bleurt"):
        assert again[f"{name},none"] == pytest.approx(
            results["results"]["csc_conv_ref"][f"{name},none"], abs=1e-5
        )


def test_a_mixed_corpus_has_learned_metrics_per_language(models):
    def reply(prompt):
        return REPLIES["zh"] if "客服" in prompt else REPLIES["en"]

    names = ["bertscore", "cosine", "bartscore"]
    found = run(
        FakeLM(reply),
        model_settings(models)
        | {
            "csc_metrics": ["cosine", "bartscore", "bertscore"],
            "csc_subset": 6,
        },
        ["csc_qa"],
    )
    numbers = found["results"]["csc_qa"]
    assert {f"{name}_{language},none" for name in names for language in ("zh", "en")} <= set(
        numbers
    )


@pytest.mark.parametrize("metric", sorted(MAKERS))
def test_missing_weights_stop_the_run_before_anything_is_asked(metric, models, tmp_path):
    model = FakeLM(lambda prompt: REPLIES["en"])
    settings = model_settings(models) | {
        f"csc_{metric}_model": str(tmp_path / "nowhere"),
        "csc_metrics": metric,
        "csc_language": "en",
    }
    tasks = ["csc_conv_ref"] if "turn" in METRICS[metric].per else ["csc_qa"]
    with pytest.raises(ModelError, match=rf"csc_metrics.*csc_{metric}_model"):
        run(model, settings, tasks)
    assert model.asked == []


def test_score_says_which_model_path_is_wrong(tmp_path, capsys):
    assert main(["score", str(tmp_path), "--out", str(tmp_path), "--model-path", "bertscor=x"]) == 1
    assert (
        "METRIC=MODEL with one of bartscore, bertscore, bleurt, cosine" in capsys.readouterr().err
    )
