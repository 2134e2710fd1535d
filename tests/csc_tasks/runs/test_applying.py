"""Which metrics a task has a number of."""

import pytest

from csc_tasks.metrics import METRICS
from csc_tasks.runs.applying import KIND_OF, applying, why_not
from csc_tasks.runs.task_record import SHIPPED

NO_REPLY = "a choice by log-likelihood has no reply"
NO_STRATEGY = "this task asks for no strategy"
NO_FORMAT = "no format decides what its strategies are"
# Task -> strategy_acc, format_rate, unparsed, failed, bleu_4.
REASONS = {
    "csc_conv_ref": ("", "", "", "", ""),
    "csc_conv_gen": ("", "", "", "", ""),
    "cscx_conv_ref_vanilla": (NO_STRATEGY, NO_STRATEGY, NO_STRATEGY, "", ""),
    "cscx_conv_ref_oracle": (NO_STRATEGY, NO_STRATEGY, NO_STRATEGY, "", ""),
    "cscx_conv_ref_forced": ("", NO_FORMAT, "", "", ""),
    "cscx_strategy_choice": ("", NO_FORMAT, NO_REPLY, "", NO_REPLY),
}


@pytest.mark.parametrize(("task", "reasons"), REASONS.items())
def test_a_task_says_which_metrics_it_has_no_number_of(task, reasons):
    names = ("strategy_acc", "format_rate", "unparsed", "failed", "bleu_4")
    metrics = [METRICS[name] for name in names]
    assert tuple(why_not(metric, SHIPPED[task]) for metric in metrics) == reasons
    has = [name for name, reason in zip(names, reasons, strict=True) if not reason]
    assert [metric.name for metric in applying(metrics, SHIPPED[task])] == has


def test_every_unit_has_its_kind_of_items():
    kinds = {kind for metric in METRICS.values() for kind in metric.per}
    assert {KIND_OF[about.unit] for about in SHIPPED.values()} == set(KIND_OF.values()) <= kinds
