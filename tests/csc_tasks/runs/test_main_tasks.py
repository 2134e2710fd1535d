"""Which of the shipped tasks are the main ones, and the word that names them to lm_eval."""

import fnmatch

import pytest

from csc_tasks.runs.main_tasks import main_tasks, task_pattern
from csc_tasks.runs.task_record import ANSWERS, SHIPPED, TURNS


@pytest.mark.parametrize(
    ("units", "names", "pattern"),
    [
        ([TURNS], ["csc_conv_gen", "csc_conv_ref"], "csc_conv_*"),
        ([ANSWERS], ["csc_qa"], "csc_qa"),
        ([TURNS, ANSWERS], ["csc_conv_gen", "csc_conv_ref", "csc_qa"], "csc_*"),
        ([], [], ""),
    ],
)
def test_the_pattern_matches_the_main_tasks_of_a_unit_and_no_other(units, names, pattern):
    assert main_tasks(units) == names and task_pattern(units) == pattern
    assert sorted(fnmatch.filter(SHIPPED, pattern)) == names


def test_tasks_that_no_pattern_names_alone_are_listed(monkeypatch):
    monkeypatch.setitem(SHIPPED, "csc_conv_other", SHIPPED["csc_qa"])
    assert task_pattern([TURNS]) == "csc_conv_gen,csc_conv_ref"
