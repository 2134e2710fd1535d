"""The metric and the task of CONTRIBUTING.md, run from lm_eval to the exports.

No module of the project knows the metric or the task.
"""

import json
import math
import re
import shutil
from pathlib import Path

import pytest
from lm_eval import simple_evaluate
from lm_eval.loggers import EvaluationTracker
from lm_eval.tasks import TaskManager

from csc_tasks import TASKS_DIR
from csc_tasks.cli import main
from csc_tasks.conversation import Conversation, Turn
from csc_tasks.metrics import METRICS
from csc_tasks.runs.task_record import SHIPPED, Place, TaskRecord, read_task_record
from leaderboard.columns import columns
from leaderboard.folder import load_board, load_report
from leaderboard.judging.units import WHOLE, read_models
from leaderboard.publishing import flat
from leaderboard.tables import markdown
from tests.support.fakes import FakeLM, write_corpus

ROOT = Path(__file__).resolve().parents[1]
REFERENCE, OWN = "csc_conv_ref", "cscx_conv_gen_opening"
REPLY = "It costs $120."
GOLD = ("Hello, it costs $120 today.", "Yes, it is $120.", "Goodbye, and thank you.")


def page_blocks():
    """The code blocks of the page: metric, task class, task file."""
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    sections = page.split("\n## A metric\n")[1].split("\n## A source of conversations\n")[0]
    return re.findall(r"```(?:python|yaml)\n(.*?)```", sections, re.DOTALL)


def corpus_of(root):
    items = []
    for number in range(3):
        turns = [Turn("customer", f"What does it cost? Case {number}.")]
        for text, strategy in zip(GOLD, ("ID", "ID", "AC"), strict=True):
            turns += [Turn("supporter", text, strategy), Turn("customer", "I see.")]
        items.append(Conversation(f"case-{number}", "en", "Others", "test", tuple(turns)))
    return write_corpus(root, conversations=items)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of both tasks, with the metric, and its board."""
    root = tmp_path_factory.mktemp("own")
    metric, task, yaml = page_blocks()
    # What a contributor would put into the package lies in a folder here.
    (root / "tasks" / "more").mkdir(parents=True)
    shutil.copy(TASKS_DIR / "_csc_yaml", root / "tasks")
    (root / "tasks" / "more" / "opening.py").write_text(task, encoding="utf-8")
    (root / "tasks" / "more" / "opening.yaml").write_text(
        yaml.replace("csc_tasks.tasks.", "opening."), encoding="utf-8"
    )
    before = dict(METRICS)
    try:
        exec(metric, {})
        metadata = {"csc_corpus": str(corpus_of(root / "corpus"))}
        paths = [str(TASKS_DIR), str(root / "tasks")]
        manager = TaskManager(include_path=paths, include_defaults=False, metadata=metadata)
        results = simple_evaluate(
            FakeLM(lambda prompt: f"[Information Delivery] {REPLY}"),
            tasks=[REFERENCE, OWN],
            task_manager=manager,
            bootstrap_iters=0,
        )
        tracker = EvaluationTracker(output_path=str(root / "out"))
        tracker.general_config_tracker.log_experiment_args(
            "fake", "pretrained=org/own", None, None, False
        )
        samples = results.pop("samples")
        tracker.save_results_aggregated(results=results, samples=samples)
        for name in (REFERENCE, OWN):
            tracker.save_results_samples(name, samples[name])
        assert (
            main(
                [
                    "collect",
                    str(root / "out"),
                    "--out",
                    str(root / "board"),
                    "--jobs",
                    "1",
                ]
            )
            == 0
        )
        yield root
    finally:
        METRICS.clear()
        METRICS.update(before)


def own_table(board):
    return next(
        table for table in board.tables if {column.task for column in table.columns} == {OWN}
    )


def mean_ratio(count):
    return sum(len(REPLY) / len(gold) for gold in GOLD[:count]) / count


def test_the_results_say_what_the_task_is(run):
    results = json.loads(next((run / "out").rglob("results_*.json")).read_text(encoding="utf-8"))
    csc = results["configs"][OWN]["metadata"]["csc"]
    assert {key: csc[key] for key in ("unit", "generated", "variant", "places")} == {
        "unit": "turns",
        "generated": True,
        "variant": "predict",
        "places": [],
    }
    assert results["results"][OWN]["turns,none"] == 6
    known = results["configs"][REFERENCE]["metadata"]["csc"]
    assert known["generated"] is False and [place["heading"] for place in known["places"]] == [
        "Reference context",
        "Predict",
        "Reference context, as asked",
    ]


def test_a_ratio_is_no_share(run):
    board = load_board(run / "board")
    for table, task, count in ((own_table(board), OWN, 2), (board.tables[0], REFERENCE, 3)):
        column = next(column for column in table.columns if column.key == f"{task}/length_ratio")
        shown = (
            column.label,
            column.scale,
            column.digits,
            column.headline,
            column.ranked,
            column.higher_is_better,
        )
        assert shown == ("Length ratio", 1.0, 2, True, False, False)
        assert table.rows[0].values[column.key].value == pytest.approx(mean_ratio(count))
        text = markdown(board, table)
        assert f"{mean_ratio(count):.2f}" in text and f"{100 * mean_ratio(count):.2f}" not in text
        assert column.key not in table.best
    assert math.isinf(METRICS["length_ratio"].range[1])


def test_a_task_without_places_has_a_table_of_its_own(run):
    board = load_board(run / "board")
    assert [table.kind for table in board.tables] == ["conversations", OWN]
    assert {column.group for column in own_table(board).columns} == {OWN}
    page = (run / "board" / "index.html").read_text(encoding="utf-8")
    assert OWN in page and "Length ratio" in page


def test_gold_turns_that_the_model_never_saw_support_nothing(run):
    (model,) = load_board(run / "board").models
    audits = {
        diagnosis.task: diagnosis.facts for diagnosis in load_report(run / "board", model).diagnoses
    }
    # In reference context the gold "$120" stands before the second and third reply, not the first.
    assert (audits[REFERENCE].facts, audits[REFERENCE].unsupported) == (9, 3)
    assert (audits[OWN].facts, audits[OWN].unsupported) == (6, 6)
    assert audits[OWN].support[0] == "history without the model's own turns"


def test_judges_are_shown_the_conversation_as_it_was_played(run):
    judged = {one.task: one for one in read_models([run / "out"])}
    assert judged[OWN].generated and not judged[REFERENCE].generated
    assert {unit.turn for unit in judged[OWN].units.values()} == {WHOLE}
    assert WHOLE not in {unit.turn for unit in judged[REFERENCE].units.values()}
    one = next(iter(judged[OWN].with_texts(list(judged[OWN].units)[:1]).units.values()))
    # The third supporter turn was not asked about and stays as it was.
    assert [text for speaker, text in one.conversation if speaker == "supporter"] == [
        REPLY,
        REPLY,
        GOLD[2],
    ]


def test_the_flat_export_has_both(run):
    rows = [
        row for row in flat.results(load_board(run / "board")) if row["metric"] == "length_ratio"
    ]
    assert {row["task"]: row["value"] for row in rows} == {
        REFERENCE: pytest.approx(mean_ratio(3)),
        OWN: pytest.approx(mean_ratio(2)),
    }
    assert {row["higher_is_better"] for row in rows} == {False}


def test_the_shipped_tasks_say_of_themselves_what_stands_in_the_table():
    manager = TaskManager(
        include_path=str(TASKS_DIR),
        include_defaults=False,
        metadata={"csc_corpus": "demo", "csc_qa_corpus": "demo"},
    )
    assert set(manager.all_subtasks) == set(SHIPPED)
    tasks = manager.load(sorted(SHIPPED))["tasks"]
    assert {name: task.describe() for name, task in tasks.items()} == SHIPPED


def test_two_tasks_under_one_heading_are_told_apart():
    other = TaskRecord("turns", True, "predict", (Place("conversations", "Generated context", 3),))
    about = SHIPPED | {"cscx_other": other}
    measured = {task: {"rouge_l": "s"} for task in ("cscx_other", "csc_conv_gen", "csc_conv_ref")}
    made = columns("conversations", measured, about)
    assert [(column.task, column.group) for column in made] == [
        ("csc_conv_ref", "Reference context"),
        ("csc_conv_gen", "Generated context (csc_conv_gen)"),
        ("cscx_other", "Generated context (cscx_other)"),
    ]


def test_a_record_survives_writing_and_a_file_without_one_is_read_by_name():
    for task, record in SHIPPED.items():
        assert read_task_record("another", record.to_json()) == record
        assert read_task_record(task, {"config": "csconv"}) == record
    assert read_task_record("cscx_unknown", {"config": "qa_short"}) == TaskRecord(
        "answers", False, ""
    )
    assert read_task_record("cscx_unknown", {"config": "csconv"}) == TaskRecord("turns", False, "")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"generated": "yes"}, "run: metadata.csc.generated is 'yes'; it must be true or false"),
        ({"unit": "words"}, "run: metadata.csc.unit is 'words'; it must be turns, answers or live"),
        ({"variant": None}, "run: metadata.csc.variant is None; it must be text"),
        ({"places": ["conversations"]}, "run: metadata.csc.places holds 'conversations'"),
        (
            {"places": [{"table": "t", "heading": "h", "order": True}]},
            "run: metadata.csc.places holds",
        ),
    ],
)
def test_a_record_of_other_types_is_refused(change, words):
    from csc_tasks.errors import DataError

    with pytest.raises(DataError, match=re.escape(words)):
        read_task_record("csc_qa", SHIPPED["csc_qa"].to_json() | change, "run")
