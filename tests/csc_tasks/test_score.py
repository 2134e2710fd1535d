"""Re-scoring logged samples: the same numbers as the run itself, no model asked, and clear
errors.
"""

import json
import shutil
import zlib

import pytest
from lm_eval import simple_evaluate
from lm_eval.loggers import EvaluationTracker
from lm_eval.tasks import TaskManager

from csc_tasks import TASKS_DIR, score
from csc_tasks.cli import main
from csc_tasks.errors import DataError, SettingError
from csc_tasks.runs.finding import find_samples
from csc_tasks.runs.names import task_of
from csc_tasks.runs.samples_file import read_run
from tests.support.fakes import FakeLM, gold_replies, write_corpus
from tests.support.run_files import newest_runs

TASKS = ["csc_conv_ref", "csc_qa", "cscx_conv_ref_vanilla", "cscx_strategy_choice"]


def hash_of(arguments):
    return zlib.crc32("".join(arguments).encode()) % 1000


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    """A run with half the replies right, written by lm_eval's own tracker."""
    root = tmp_path_factory.mktemp("run")
    corpus = write_corpus(root / "corpus")
    gold, flips = gold_replies(corpus), iter([0, 1, 1, 0, 1] * 40)
    model = FakeLM(
        lambda prompt: (
            gold[prompt] if prompt in gold and next(flips) else "[Greeting] 三个 days hello"
        )
    )
    model.loglikelihood = lambda requests: [
        (-float(hash_of(request.args)), False) for request in requests
    ]
    manager = TaskManager(
        include_path=str(TASKS_DIR),
        include_defaults=False,
        metadata={"csc_corpus": str(corpus), "csc_qa_corpus": str(corpus)},
    )
    results = simple_evaluate(model, tasks=TASKS, task_manager=manager, bootstrap_iters=0)
    tracker = EvaluationTracker(output_path=str(root / "out"))
    tracker.general_config_tracker.log_experiment_args(
        "fake", "pretrained=org/fake", None, None, False
    )
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
                original["results"][task][name]
                if not isinstance(value, float)
                else pytest.approx(original["results"][task][name])
            ), name


def test_samples_that_know_nothing_of_failures_have_no_share_of_them(logged, tmp_path):
    for file in logged.rglob("samples_*.jsonl"):
        results = next(file.parent.glob("results_*.json"))
        (tmp_path / "old").mkdir(exist_ok=True)
        (tmp_path / "old" / results.name).write_bytes(results.read_bytes())
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        for line in lines:
            for record in line["answers" if "csc_qa" in file.name else "turns"]:
                assert record.pop("failed") is False
        (tmp_path / "old" / file.name).write_text(
            "\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8"
        )
    assert main(["score", str(tmp_path / "old"), "--out", str(tmp_path / "new")]) == 0
    for file in (tmp_path / "new").rglob("results_*.json"):
        for numbers in json.loads(file.read_text(encoding="utf-8"))["results"].values():
            assert numbers["failed,none"] == numbers["failed_stderr,none"] == "N/A"


def test_a_new_metric_is_added_beside_the_old_ones(logged, tmp_path, monkeypatch):
    from dataclasses import replace

    from csc_tasks import metrics
    from csc_tasks.metrics.cluster import Scores

    length = replace(
        metrics.METRICS["rouge_l"],
        name="length",
        default=False,
        function=lambda predictions, references, language: Scores(
            [float(len(text)) for text in predictions], "length|characters"
        ),
    )
    monkeypatch.setitem(metrics.METRICS, "length", length)
    file = next(logged.rglob("samples_csc_conv_ref_*.jsonl"))
    assert main(["score", str(file), "--metrics", "length", "--out", str(tmp_path)]) == 0
    results = json.loads(next(tmp_path.rglob("results_*.json")).read_text(encoding="utf-8"))
    numbers = results["results"]["csc_conv_ref"]
    replies = [turn for line in read_run(file).lines for turn in line["turns"]]
    for language in ("zh", "en"):
        lengths = [len(turn["reply"]) for turn in replies if turn["language"] == language]
        assert numbers[f"length_{language},none"] == pytest.approx(sum(lengths) / len(lengths))
        assert (
            results["configs"]["csc_conv_ref"]["metadata"]["csc"]["signatures"][
                f"length_{language}"
            ]
            == "length|characters"
        )
    assert "strategy_acc,none" in numbers and "rouge_l_zh,none" in numbers
    # What was written can be read again.
    again = read_run(next(tmp_path.rglob("samples_*.jsonl")))
    assert [turn["reply"] for turn in again.records] == [turn["reply"] for turn in replies]


def test_of_several_runs_with_the_same_settings_the_newest_is_taken_and_said(
    logged, tmp_path, capsys
):
    """Scoring into the folder that is scored makes such runs; what is scored next is what was
    written last.
    """
    out = tmp_path / "out"
    shutil.copytree(logged, out)
    first = {task_of(file): file for file in find_samples([out])}
    assert main(["score", str(out), "--out", str(out)]) == 0
    assert (
        "holds earlier results, which stay; of runs with the same settings every verb takes the"
        " newest" in capsys.readouterr().err
    )
    files = find_samples([out])
    assert len(files) == 2 * len(first)
    kept = newest_runs(files)
    assert {task_of(file) for file in kept} == set(first) and not set(kept) & set(first.values())
    error = capsys.readouterr().err
    assert (
        error.startswith("note: of runs with the same settings the newest is taken; left out: ")
        and error.count("\n") == 1
    )
    assert "and 1 more" in error
    assert main(["score", str(out), "--out", str(tmp_path / "again")]) == 0
    assert len(find_samples([tmp_path / "again"])) == len(first)


@pytest.mark.parametrize(
    "change",
    [
        lambda results: results["configs"]["csc_qa"]["metadata"]["csc"].update(
            reference="agent_answer"
        ),
        lambda results: results["configs"]["csc_qa"]["metadata"]["csc"].update(date="2025-01-31"),
        lambda results: results["configs"]["csc_qa"]["metadata"]["csc"].update(
            thinking={"family": "think", "tokens": 512}
        ),
        lambda results: results["configs"]["csc_qa"]["metadata"].update(version=99.0),
        lambda results: results["n-samples"]["csc_qa"].update(effective=1),
        lambda results: results.update(model_name="org/other"),
        lambda results: results["config"].update(model_args="pretrained=org/fake,dtype=float16"),
    ],
)
def test_runs_with_other_settings_are_both_taken(logged, tmp_path, change, capsys):
    shutil.copytree(logged, tmp_path / "one")
    shutil.copytree(logged, tmp_path / "two")
    (file,) = (tmp_path / "two").rglob("results_*.json")
    results = json.loads(file.read_text(encoding="utf-8"))
    results["config"].setdefault("model_args", "pretrained=org/fake")
    change(results)
    file.write_text(json.dumps(results), encoding="utf-8")
    files = [path for path in find_samples([tmp_path]) if task_of(path) == "csc_qa"]
    assert len(files) == 2 and newest_runs(files) == files and capsys.readouterr().err == ""


def test_how_a_model_was_run_is_no_other_setting(logged, tmp_path):
    for name, arguments in (
        ("one", "pretrained=org/fake,batch_size=4"),
        ("two", {"pretrained": "org/fake", "device": "cpu"}),
    ):
        shutil.copytree(logged, tmp_path / name)
        (file,) = (tmp_path / name).rglob("results_*.json")
        results = json.loads(file.read_text(encoding="utf-8"))
        results["config"]["model_args"] = arguments
        results["date"] += name == "one"
        file.write_text(json.dumps(results), encoding="utf-8")
    files = [path for path in find_samples([tmp_path]) if task_of(path) == "csc_qa"]
    (kept,) = newest_runs(files)
    assert kept.is_relative_to(tmp_path / "one"), "the later date"


def test_samples_of_an_earlier_version_have_no_flag_that_came_later(logged, tmp_path):
    old = tmp_path / "old"
    old.mkdir()
    for file in [
        *logged.rglob("samples_csc_conv_gen_*.jsonl"),
        *logged.rglob("samples_csc_qa_*.jsonl"),
        *logged.rglob("results_*.json"),
    ]:
        lines = (
            [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
            if file.suffix == ".jsonl"
            else []
        )
        for line in lines:
            for record in line.get("turns", line.get("answers")):
                del record["thinking_cut"]
        text = "".join(
            json.dumps(line, ensure_ascii=False) + "\n" for line in lines
        ) or file.read_text(encoding="utf-8")
        (old / file.name).write_text(text, encoding="utf-8")
    assert main(["score", str(old), "--out", str(tmp_path / "new")]) == 0
    for file in (tmp_path / "new").rglob("results_*.json"):
        ((_, numbers),) = json.loads(file.read_text(encoding="utf-8"))["results"].items()
        assert numbers["thinking_cut,none"] == "N/A" and isinstance(numbers["empty,none"], float)


def test_bad_files_are_named(logged, tmp_path, capsys):
    with pytest.raises(DataError, match="no samples file of a csc task"):
        find_samples([tmp_path])
    file = next(logged.rglob("samples_csc_qa_*.jsonl"))
    lonely = tmp_path / file.name
    lonely.write_bytes(file.read_bytes())
    with pytest.raises(DataError, match=r"results_.*\.json, is missing"):
        read_run(lonely)
    stamp = file.name.split("csc_qa_")[1].removesuffix(".jsonl")
    (tmp_path / f"results_{stamp}.json").write_bytes(
        (file.parent / f"results_{stamp}.json").read_bytes()
    )
    lonely.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(DataError, match=r"line 6: broken JSON"):
        read_run(lonely)
    lonely.write_bytes(b"\xff\xfe")
    with pytest.raises(
        DataError, match=r"line 1: not UTF-8 \(byte 0 is 0xff\); save the file as UTF-8"
    ):
        read_run(lonely)
    with pytest.raises(DataError, match="nowhere: there is no such file or folder"):
        find_samples([tmp_path / "nowhere"])
    lonely.write_text(json.dumps({"doc": {"conversation_id": "x"}}) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"line 1: no 'doc' and 'answers' in it"):
        read_run(lonely)
    (tmp_path / f"results_{stamp}.json").write_text("[]", encoding="utf-8")
    with pytest.raises(DataError, match="not a results file of lm_eval: the file: Input should be"):
        read_run(lonely)
    assert main(["score", str(file), "--metrics", "bleu4", "--out", str(tmp_path / "no")]) == 1
    assert "closest: bleu_4" in capsys.readouterr().err
    with pytest.raises(SettingError):
        score.rescored(read_run(file), "strategy_acc")
