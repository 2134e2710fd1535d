"""The one reader of samples files takes and refuses the same lines, whole or as arrays."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from csc_tasks.errors import DataError
from csc_tasks.runs.finding import find_results, find_samples
from csc_tasks.runs.results_file import read_results
from csc_tasks.runs.samples_file import NOT_ASKED, UNPARSED, read_run
from csc_tasks.runs.writing import only, with_columns
from tests.support.made_results import (
    conversation_result,
    conversations,
    numbered,
    right,
    write_run,
)
from tests.support.run_files import read_items

TASK = "csc_conv_ref"


@pytest.fixture
def run(tmp_path):
    """A run of three conversations with four turns each; the last turn of each is unparsed."""
    write_run(tmp_path, "org/one", [conversation_result(TASK, conversations(3), numbered(3))])
    return tmp_path


def items_of(file):
    return read_items(file, "turns", ["strategy_acc"], 2, 0, [])


def test_whole_and_as_arrays_it_is_the_same(run):
    (file,) = find_samples([run])
    whole, items = read_run(file), items_of(file)
    assert [record["turn"] for record in whole.records] == items.turn.tolist() == [1, 3, 5, 7] * 3
    assert [record["conversation_id"] for record in whole.records] == [
        items.ids[code] for code in items.conversation
    ]
    assert items.index.tolist() == [1, 2, 3, 4] * 3 and items.members == ["1,3,5,7"] * 3
    unparsed = [record["unparsed"] for record in whole.records]
    assert (
        (items.predicted == UNPARSED).tolist() == unparsed
        and sum(unparsed) == 3
        and NOT_ASKED not in items.predicted
    )
    lengths = [
        [len(record[key].split()) for key in ("reply", "reference")] for record in whole.records
    ]
    assert items.lengths.tolist() == lengths
    assert items.items["strategy_acc"] == [
        item for line in whole.lines for item in line["strategy_acc"][1]
    ]
    (results,) = find_results([run])
    (measurement,) = read_results(results, [])
    assert (
        measurement.about == whole.about
        and measurement.samples == file
        and measurement.items == len(items.turn)
    )


def test_arrays_cannot_be_written_into(run):
    items = items_of(find_samples([run])[0])
    for name, value in ((name, getattr(items, name)) for name in type(items).__dataclass_fields__):
        if isinstance(value, np.ndarray):
            with pytest.raises(ValueError, match="read-only"):
                value[0] = 1
        with pytest.raises(AttributeError):
            setattr(items, name, value)


def changed(line, **record):
    return json.dumps(line | {"turns": [line["turns"][0] | record, *line["turns"][1:]]})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda line: "[]", "line 2: no 'doc' and 'turns' in it"),
        (lambda line: json.dumps({"doc": line["doc"]}), "line 2: no 'doc' and 'turns' in it"),
        (lambda line: json.dumps(line)[:-30], "line 2: broken JSON, perhaps cut off"),
        (
            lambda line: changed(line, extra=float("nan")),
            "line 2: NaN is no number that can be used (column ",
        ),
        (
            lambda line: changed(line, reply=None),
            "line 2: reply of a record is None; it must be text",
        ),
        (lambda line: changed(line, turn="1"), "turn '1'"),
        (
            lambda line: changed(line, conversation_id="other"),
            "line 2: a record of conversation 'other' stands under",
        ),
    ],
)
def test_both_refuse_the_same_lines(run, change, words):
    (file,) = find_samples([run])
    lines = file.read_text(encoding="utf-8").splitlines()
    lines[1] = change(json.loads(lines[1]))
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    for read in (read_run, items_of):
        with pytest.raises(DataError, match=re.escape(words)):
            read(file)


def test_columns_stand_beside_and_over_what_there_was(run):
    whole = read_run(find_samples([run])[0])
    lines = with_columns(whole, {"new": list(range(12)), "strategy_acc": [0.5] * 12})
    assert [line["new"] for line in lines] == [
        [line["doc"]["conversation_id"], list(range(start, start + 4))]
        for start, line in zip((0, 4, 8), whole.lines, strict=True)
    ]
    for line, old in zip(lines, whole.lines, strict=True):
        assert line["strategy_acc"][1] == [0.5] * 4 and line["rouge_l"] == old["rouge_l"]
        assert line["metrics"] == [*old["metrics"], "new"]


def test_a_results_dictionary_is_reduced_to_some_tasks(tmp_path):
    made = [
        conversation_result(task, conversations(2), right(0.5)) for task in (TASK, "csc_conv_gen")
    ]
    results = json.loads(Path(write_run(tmp_path, "org/one", made)).read_text(encoding="utf-8"))
    one = only(results, ["csc_conv_gen"])
    assert {
        name
        for name, value in one.items()
        if isinstance(value, dict) and set(value) == {"csc_conv_gen"}
    } == {
        "results",
        "group_subtasks",
        "configs",
        "versions",
        "n-shot",
        "higher_is_better",
        "n-samples",
    }
    assert one["model_name"] == "org/one" and one["config"] == results["config"]
    one["results"]["csc_conv_gen"].clear()
    assert results["results"]["csc_conv_gen"]
