"""Re-scoring logged samples: the same numbers as the run itself, no model asked, and clear errors."""

import json
import zlib

import pytest
from fakes import FakeLM, gold_replies, write_corpus
from lm_eval import simple_evaluate
from lm_eval.loggers import EvaluationTracker
from lm_eval.tasks import TaskManager

from csc_tasks import TASKS_DIR, score
from csc_tasks.cli import main
from csc_tasks.errors import DataError, SettingError

TASKS = ["csc_conv_ref", "csc_qa", "cscx_conv_ref_vanilla", "cscx_strategy_choice"]


def hash_of(arguments):
    return zlib.crc32("".join(arguments).encode()) % 1000


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    """A run with half the replies right, written by lm_eval's own tracker."""
    root = tmp_path_factory.mktemp("run")
    corpus = write_corpus(root / "corpus")
    gold, flips = gold_replies(corpus), iter([0, 1, 1, 0, 1] * 40)
    model = FakeLM(lambda prompt: gold[prompt] if prompt in gold and next(flips) else "[Greeting] 三个 days hello")
    model.loglikelihood = lambda requests: [(-float(hash_of(request.args)), False) for request in requests]
    manager = TaskManager(
        include_path=str(TASKS_DIR), include_defaults=False, metadata={"csc_corpus": str(corpus), "csc_qa_corpus": str(corpus)}
    )
    results = simple_evaluate(model, tasks=TASKS, task_manager=manager, bootstrap_iters=0)
    tracker = EvaluationTracker(output_path=str(root / "out"))
    tracker.general_config_tracker.log_experiment_args("fake", "pretrained=org/fake", None, None, False)
    samples = results.pop("samples")
    tracker.save_results_aggregated(results=results, samples=samples)
    for task in TASKS:
        tracker.save_results_samples(task, samples[task])
    return root / "out"


def test_rescoring_gives_the_numbers_of_the_run(logged, tmp_path, capsys):
    assert main(["score", str(logged), "--out", str(tmp_path)]) == 0
    assert "csc_qa" in capsys.readouterr().out
    original = json.loads(next(logged.rglob("results_*.json")).read_text(encoding="utf-8"))
    found = {}
    for file in tmp_path.rglob("results_*.json"):
        found |= json.loads(file.read_text(encoding="utf-8"))["results"]
    assert set(found) == set(TASKS)
    for task in TASKS:
        for name, value in found[task].items():
            assert value == (
                original["results"][task][name] if not isinstance(value, float) else pytest.approx(original["results"][task][name])
            ), name


def test_a_new_metric_is_added_beside_the_old_ones(logged, tmp_path, monkeypatch):
    from dataclasses import replace

    from csc_tasks import metrics
    from csc_tasks.metrics.cluster import Scores

    length = replace(
        metrics.METRICS["rouge_l"],
        name="length",
        default=False,
        function=lambda predictions, references, language: Scores([float(len(text)) for text in predictions], "length|characters"),
    )
    monkeypatch.setitem(metrics.METRICS, "length", length)
    file = next(logged.rglob("samples_csc_conv_ref_*.jsonl"))
    assert main(["score", str(file), "--metrics", "length", "--out", str(tmp_path)]) == 0
    results = json.loads(next(tmp_path.rglob("results_*.json")).read_text(encoding="utf-8"))
    numbers = results["results"]["csc_conv_ref"]
    replies = [turn for line in score.read(file).lines for turn in line["turns"]]
    for language in ("zh", "en"):
        lengths = [len(turn["reply"]) for turn in replies if turn["language"] == language]
        assert numbers[f"length_{language},none"] == pytest.approx(sum(lengths) / len(lengths))
        assert results["configs"]["csc_conv_ref"]["metadata"]["csc"]["signatures"][f"length_{language}"] == "length|characters"
    assert "strategy_acc,none" in numbers and "rouge_l_zh,none" in numbers
    # What was written can be read again.
    again = score.read(next(tmp_path.rglob("samples_*.jsonl")))
    assert [turn["reply"] for turn in again.records] == [turn["reply"] for turn in replies]


def test_samples_of_an_earlier_version_have_no_flag_that_came_later(logged, tmp_path):
    old = tmp_path / "old"
    old.mkdir()
    for file in [*logged.rglob("samples_csc_conv_gen_*.jsonl"), *logged.rglob("samples_csc_qa_*.jsonl"), *logged.rglob("results_*.json")]:
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.suffix == ".jsonl" else []
        for line in lines:
            for record in line.get("turns", line.get("answers")):
                del record["thinking_cut"]
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines) or file.read_text(encoding="utf-8")
        (old / file.name).write_text(text, encoding="utf-8")
    assert main(["score", str(old), "--out", str(tmp_path / "new")]) == 0
    for file in (tmp_path / "new").rglob("results_*.json"):
        ((_, numbers),) = json.loads(file.read_text(encoding="utf-8"))["results"].items()
        assert numbers["thinking_cut,none"] == "N/A" and isinstance(numbers["empty,none"], float)


def test_bad_files_are_named(logged, tmp_path, capsys):
    with pytest.raises(DataError, match="no samples file of a csc task"):
        score.find([tmp_path])
    file = next(logged.rglob("samples_csc_qa_*.jsonl"))
    lonely = tmp_path / file.name
    lonely.write_bytes(file.read_bytes())
    with pytest.raises(DataError, match=r"results_.*\.json, is missing"):
        score.read(lonely)
    stamp = file.name.split("csc_qa_")[1].removesuffix(".jsonl")
    (tmp_path / f"results_{stamp}.json").write_bytes((file.parent / f"results_{stamp}.json").read_bytes())
    lonely.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(DataError, match=r"line 6: broken JSON"):
        score.read(lonely)
    lonely.write_text(json.dumps({"doc": {"conversation_id": "x"}}) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"line 1: no 'answers' in it"):
        score.read(lonely)
    (tmp_path / f"results_{stamp}.json").write_text("[]", encoding="utf-8")
    with pytest.raises(DataError, match="not a results file with csc_qa in it"):
        score.read(lonely)
    assert main(["score", str(file), "--metrics", "bleu4", "--out", str(tmp_path / "no")]) == 1
    assert "closest: bleu_4" in capsys.readouterr().err
    with pytest.raises(SettingError):
        score.rescored(score.read(file), "strategy_acc")
