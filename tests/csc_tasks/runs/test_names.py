"""Names in a run's files: what is formed is read back as it was meant."""

from pathlib import Path

import pytest

from csc_tasks.metrics import METRICS
from csc_tasks.metrics.result_names import in_language, metric_of, normalised, parts_of
from csc_tasks.runs.names import (
    DIMENSIONS,
    FACTS,
    HUMAN,
    MISSING,
    OVERALL,
    RESULTS,
    TASK,
    Rated,
    folder_name,
    higher_is_better,
    judge_prefix,
    rated,
    rating_column,
    results_beside,
    results_name,
    samples_name,
    stamp_of,
    task_of,
    value_keys,
)
from csc_tasks.runs.task_record import SHIPPED

STAMP = "2026-11-28T21-21-52.021051"


@pytest.mark.parametrize("task", SHIPPED)
def test_files_of_a_run_find_each_other(task):
    samples = Path("out") / folder_name("org/a-model") / samples_name(task, STAMP)
    assert samples.as_posix() == f"out/org__a-model/samples_{task}_{STAMP}.jsonl"
    assert (task_of(samples), stamp_of(samples)) == (task, STAMP) and TASK.fullmatch(task)
    assert results_beside(samples).as_posix() == f"out/org__a-model/results_{STAMP}.json"
    assert RESULTS.fullmatch(results_name(STAMP))["stamp"] == STAMP


@pytest.mark.parametrize("name", METRICS)
def test_a_result_name_tells_metric_language_and_normalisation(name):
    for language in ("zh", "en"):
        assert parts_of(in_language(name, language)) == (name, language, False)
        assert parts_of(normalised(in_language(name, language))) == (name, language, True)
    assert parts_of(name) == (name, None, False) and parts_of(normalised(name)) == (
        name,
        None,
        True,
    )
    assert (
        metric_of(normalised(in_language(name, "zh"))) is METRICS[name]
        and metric_of("unheard_of") is None
    )
    assert value_keys(in_language(name, "zh")) == (f"{name}_zh,none", f"{name}_zh_stderr,none")


@pytest.mark.parametrize("what", [OVERALL, *DIMENSIONS, MISSING, *FACTS])
@pytest.mark.parametrize("judge", ["gpt-4o", "a_b", "tone", "overall_missing"])
def test_a_judges_column_is_read_back(judge, what):
    column = rating_column(judge_prefix(judge), what)
    assert column == f"judge_{judge}_{what}"
    assert rated(column) == Rated(f"Judge {judge}", what)
    assert higher_is_better(column) == (what in (OVERALL, *DIMENSIONS))


def test_peoples_columns_hold_no_fact_audits():
    for what in (OVERALL, *DIMENSIONS, MISSING):
        assert rated(rating_column(HUMAN, what)) == Rated("People", what)
    assert [rated(rating_column(HUMAN, what)) for what in FACTS] == [None, None]
