"""No module of leaderboard knows a task or a metric by name: it asks the record or the Metric."""

import ast
from pathlib import Path

import pytest

import leaderboard
from csc_tasks.corpora import CONFIGS
from csc_tasks.metrics import METRICS
from csc_tasks.papers import papers
from csc_tasks.runs.task_record import SHIPPED
from leaderboard.columns import column, leading_column
from leaderboard.reading.reported import printed_tables

ROOT = Path(leaderboard.__file__).parent
# Keys of records and fields of reports that bear the name of a metric.
FIELDS = {"unparsed", "failed", "empty", "truncated", "history_truncated", "thinking_cut"}


@pytest.mark.parametrize("file", sorted(ROOT.rglob("*.py")), ids=lambda file: file.stem)
def test_no_task_or_metric_stands_in_code(file):
    texts = {
        node.value
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert not texts & ({*SHIPPED} | {*METRICS} - FIELDS)
    assert not any(text.partition("/")[0] in SHIPPED for text in texts)


def test_the_papers_name_tasks_metrics_and_tables_that_there_are():
    kinds = {place.table for record in SHIPPED.values() for place in record.places}
    for exhibit in papers().exhibits:
        assert {*exhibit.metrics, *exhibit.optional} <= {*METRICS}
        assert {*exhibit.optional} <= {*exhibit.metrics}
        assert {*exhibit.tasks} <= {*SHIPPED}
        of_corpora = exhibit.maker.startswith("corpus_")
        assert exhibit.table in ({*CONFIGS} if of_corpora else kinds) | {""}
        for key in exhibit.reported.columns.values() if exhibit.reported else ():
            task, _, metric = key.rpartition("/")
            assert not task or (task in SHIPPED and metric in METRICS)
    assert [*printed_tables()] == ["table6_csconv"], "rows of models for a board"


def test_a_table_is_judged_by_its_first_ranked_column():
    columns = [column("t", name, "signed") for name in ("failed", "stage_overlap", "bleu_4_en")]
    assert leading_column(columns).metric == "bleu_4", "of the short table"
    assert leading_column(columns[:2]).metric == "stage_overlap"
    assert leading_column(columns[:1]) is None
    unknown = column("t", "a_metric_of_tomorrow", "signed")
    assert leading_column([unknown]) is None, "nothing here can compute it again"
