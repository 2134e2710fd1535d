"""What all text metrics give for odd texts, and what they refuse."""

import math

import numpy as np
import pytest

from csc_tasks.errors import DataError, SettingError
from csc_tasks.metrics import METRICS
from tests.support.metric_values import ODD, TEXT


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("name", TEXT)
def test_odd_texts_give_numbers_in_range(name, language):
    metric = METRICS[name]
    predictions = [one for one in ODD for _ in ODD]
    references = ODD * len(ODD)
    scores = metric.function(predictions, references, language)
    assert len(scores.items) == len(ODD) ** 2
    low, high = metric.range
    if metric.statistic is None:
        assert all(low <= item <= high for item in scores.items)
    else:
        each = metric.statistic(np.array(scores.items))
        assert ((each >= low) & (each <= high)).all()
    found = metric.estimate(scores.items, [f"c{i % 5}" for i in range(len(predictions))])
    assert low <= found.value <= high
    assert math.isfinite(found.stderr)


@pytest.mark.parametrize("name", TEXT)
def test_text_metrics_refuse_what_is_no_text(name):
    for predictions, references, text in [
        ([None], ["好"], "item 0: the reply is None"),
        (["好", "好"], ["好", None], "item 1: the reference is None"),
        ([["好"]], ["好"], "item 0: the reply is"),
        (["好"], [], "1 replies but 0 references"),
    ]:
        with pytest.raises(DataError, match=text):
            METRICS[name].function(predictions, references, "zh")
    with pytest.raises(SettingError, match=r"zh, en, .*, not 'xx'|there is no language 'xx'"):
        METRICS[name].function(["a"], ["a"], "xx")
    with pytest.raises(SettingError, match="not ''"):
        METRICS[name].function([], [], "")
