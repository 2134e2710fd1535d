"""The table of metrics: what each says about itself, and which are chosen."""

import dataclasses
import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import sacrebleu

from csc_tasks.errors import DataError, SettingError
from csc_tasks.metrics import ASKED_AGAIN, DIALOGUE, METRICS, WITH_PASSAGES, select
from csc_tasks.metrics.segment import tokens
from tests.support.metric_values import OVERLAP

MORE = {WITH_PASSAGES, ASKED_AGAIN, DIALOGUE}
LIVE = [name for name, metric in METRICS.items() if metric.per == (DIALOGUE,)]


def test_every_metric_says_what_it_is():
    assert OVERLAP == [
        "strategy_acc",
        "strategy_acc_parsed",
        "format_rate",
        "strategy_macro_f1",
        "stage_overlap",
        "failed",
        "unparsed",
        "truncated",
        "history_truncated",
        "empty",
        "thinking_cut",
        "bleu_2",
        "bleu_4",
        "rouge_l",
        "rouge_l_default",
    ]
    for name, metric in METRICS.items():
        assert metric.name == name
        assert metric.of in ("strategy", "labels", "reply", "flag")
        assert metric.per and set(metric.per) <= {"turn", "answer", *MORE}
        assert metric.by_language == (metric.of == "reply")
        if name not in LIVE:
            assert metric.higher_is_better == (metric.of != "flag")
        assert metric.range[0] < metric.range[1]
        if metric.default:
            assert metric.extra is None
            if name not in LIVE:
                assert metric.range == ((0, 100) if name.startswith("bleu") else (0, 1))
        direction = "higher is better" if metric.higher_is_better else "lower is better"
        assert (
            (direction in metric.description or "neither way is better" in metric.description)
            and metric.description.endswith(".")
            and "; " in metric.description
        )
        assert json.dumps(metric.range)


def test_select():
    answer = [
        "failed",
        "truncated",
        "history_truncated",
        "empty",
        "thinking_cut",
        "bleu_4",
        "rouge_l",
    ]
    for names, per, expected in [
        (None, "turn", OVERLAP),
        ("overlap", "turn", OVERLAP),
        ("all", "turn", [name for name, metric in METRICS.items() if "turn" in metric.per]),
        (None, "answer", answer),
        ("all", "answer", [name for name, metric in METRICS.items() if "answer" in metric.per]),
        ("overlap", WITH_PASSAGES, ["unsupported_facts"]),
        ("overlap", ASKED_AGAIN, ["reasked"]),
        ("bleu_4,rouge_l", "turn", ["bleu_4", "rouge_l"]),
        (" rouge_l , bleu_4,bleu_4,", "answer", ["bleu_4", "rouge_l"]),
        (["rouge_l"], "turn", ["rouge_l"]),
        ("bleu_2,rouge_l", "answer", ["rouge_l"]),  # one setting serves both kinds of task
        ("overlap,rouge_l", "answer", answer),
    ]:
        assert [metric.name for metric in select(names, per)] == expected


def test_a_metric_that_is_no_default_comes_only_when_asked_for(monkeypatch):
    monkeypatch.setitem(
        METRICS,
        "costly",
        dataclasses.replace(METRICS["rouge_l"], name="costly", default=False, extra="learned"),
    )
    for names, there in [
        (None, False),
        ("overlap", False),
        ("all", True),
        ("costly", True),
        ("overlap,costly", True),
        ("rouge_l", False),
    ]:
        assert ("costly" in [metric.name for metric in select(names, "answer")]) == there
    with pytest.raises(SettingError, match="closest: costly"):
        select("costley", "turn")


@pytest.mark.parametrize(
    ("names", "per", "text"),
    [
        (
            "rougel",
            "turn",
            (
                "metric 'rougel' does not exist \\(closest: rouge_l\\); there are overlap, all,"
                " strategy_acc, .*bleu_4"
            ),
        ),
        ("bleu_4,blue_2", "turn", "'blue_2' does not exist \\(closest: bleu_2\\)"),
        ("Bleu_4", "turn", "closest: bleu_4"),
        (
            "strategy_acc",
            "answer",
            "none of that applies to each answer; there: failed, truncated, .*rouge_l",
        ),
        ("", "turn", "asks for nothing"),
        ("rouge_l", "document", "there are turn, answer and dialogue"),
    ],
)
def test_select_refuses(names, per, text):
    with pytest.raises(SettingError, match=text):
        select(names, per)


def test_text_of_another_language_is_not_split_as_if_it_were_english():
    with pytest.raises(SettingError, match=r"know the languages zh, en, .*, not 'xx'"):
        tokens("bonjour", "xx")


def test_reading_the_table_loads_no_scoring_library():
    heavy = {
        "torch",
        "transformers",
        "datasets",
        "lm_eval",
        "pandas",
        "sacrebleu",
        "rouge_score",
        "nltk",
    }
    code = "import sys, csc_tasks.metrics; print(*sys.modules)"
    root = Path(__file__).resolve().parents[3]
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    ).stdout.split()
    assert "csc_tasks.metrics" in loaded
    assert not heavy & set(loaded)


@pytest.mark.parametrize("name", [*OVERLAP, *LIVE])
def test_items_survive_json_and_functions_take_no_items(name):
    metric = METRICS[name]
    predictions, references = {
        "strategy": (["GT", "PR" if metric.parsed_only else None, "Others"], ["GT", "PS", "ID"]),
        "reply": (["您好", "", "请稍等"], ["您好", "好的", "请等一下"]),
        # What a live conversation is counted by is a number already.
        "flag": ([1.0, False, 0.5] if DIALOGUE in metric.per else [1.0, False, 3], None),
    }[metric.of]
    scores = metric.function(predictions, references, "zh")
    assert len(scores.items) == 3
    assert (
        scores.signature.split("|")[0] in name
    )  # bleu_2 and bleu_4 share "bleu", with the order as a field of its own
    again = json.loads(json.dumps(scores.items, allow_nan=False))
    assert metric.estimate(again, ["a", "b", "b"]) == metric.estimate(scores.items, ["a", "b", "b"])
    low, high = metric.range
    assert low <= metric.estimate(scores.items, ["a", "b", "b"]).value <= high
    nothing = metric.function([], [], "zh")
    assert nothing.items == [] and nothing.signature == scores.signature
    assert metric.estimate([], []).value is None


@pytest.mark.parametrize("name", LIVE)
def test_a_live_number_that_cannot_be_is_refused(name):
    most = METRICS[name].range[1]
    for value in (-1, float("nan"), float("inf"), most + 1, "1", None):
        with pytest.raises(DataError, match=rf"scored item 1: {name} is "):
            METRICS[name].function([0.0, value], None, "en")


@pytest.mark.parametrize(
    ("name", "language", "expected"),
    [
        (
            "bleu_4",
            "zh",
            f"bleu|ngram:4|tok:zh|case:mixed|smooth:exp|eff:no|version:{version('sacrebleu')}",
        ),
        (
            "bleu_2",
            "en",
            f"bleu|ngram:2|tok:13a|case:mixed|smooth:exp|eff:no|version:{version('sacrebleu')}",
        ),
        ("rouge_l", "zh", "rouge_l|f1|tok:cjk-char+word:1|case:lower|stem:no"),
        (
            "rouge_l",
            "en",
            f"rouge_l|f1|tok:rouge_score-{version('rouge_score')}|case:lower|stem:no",
        ),
        (
            "rouge_l_default",
            "zh",
            f"rouge_l_default|f1|tok:rouge_score-{version('rouge_score')}|case:lower|stem:no",
        ),
        (
            "rouge_l_default",
            "en",
            f"rouge_l_default|f1|tok:rouge_score-{version('rouge_score')}|case:lower|stem:no",
        ),
    ],
)
def test_signatures(name, language, expected):
    assert METRICS[name].function(["a"], ["a"], language).signature == expected


@pytest.mark.parametrize(("order", "language"), [(2, "zh"), (4, "zh"), (2, "en"), (4, "en")])
def test_the_bleu_signature_says_what_sacrebleu_says(order, language):
    bleu = sacrebleu.BLEU(tokenize={"zh": "zh", "en": "13a"}[language], max_ngram_order=order)
    bleu.corpus_score(["a"], [["a"]])
    ours = METRICS[f"bleu_{order}"].function(["a"], ["a"], language).signature.split("|")
    assert set(str(bleu.get_signature()).split("|")) - {"nrefs:1"} <= set(ours)
