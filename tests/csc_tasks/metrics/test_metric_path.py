"""The metrics through Hugging Face evaluate: the table's own numbers, offline."""

import contextlib
import io

import evaluate
import pytest
import sacrebleu

from csc_tasks.cli import main
from csc_tasks.errors import SettingError
from csc_tasks.metrics import METRICS


@pytest.fixture(scope="module")
def path():
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert main(["metric-path"]) == 0
    return printed.getvalue().strip()


PAIRS = {
    "zh": (
        ["您好，请问有什么可以帮您？", "好的"],
        ["您好，有什么可以帮您？", "好的，马上为您处理。"],
    ),
    "en": (["hello there", "yes"], ["hello you", "yes"]),
}


@pytest.mark.parametrize("language", ["zh", "en"])
def test_bleu_is_sacrebleus(path, language):
    predictions, references = PAIRS[language]
    found = evaluate.load(path, "bleu_4").compute(
        predictions=predictions, references=references, language=language
    )
    expected = sacrebleu.corpus_bleu(
        predictions, [references], tokenize={"zh": "zh", "en": "13a"}[language]
    )
    assert found["bleu_4"] == pytest.approx(expected.score)
    assert (
        found["bleu_4_stderr"] is None
        and found["items"] == 2
        and found["signature"].startswith("bleu|ngram:4")
    )


@pytest.mark.parametrize(
    "name",
    [name for name, metric in METRICS.items() if metric.of == "reply" and metric.extra is None],
)
def test_every_text_metric_gives_the_tables_number(path, name):
    predictions, references = PAIRS["zh"]
    ids = ["a", "b"]
    found = evaluate.load(path, name).compute(
        predictions=predictions, references=references, language="zh", conversation_ids=ids
    )
    metric = METRICS[name]
    expected = metric.estimate(metric.score(predictions, references, "zh").items, ids)
    assert (found[name], found[f"{name}_stderr"]) == (expected.value, expected.stderr)


def test_strategies_in_any_form(path):
    found = evaluate.load(path, "strategy_acc").compute(
        predictions=["Greeting", "策略5 情感管理", "", "ID"],
        references=["GT", "EM", "PS", "提供建议"],
        language="zh",
    )
    assert found["strategy_acc"] == 0.5


def test_an_unknown_name_is_named(path):
    with pytest.raises(SettingError, match=r"name one of .*bleu_4"):
        evaluate.load(path, "blue")
    with pytest.raises(SettingError, match="'default'"):
        evaluate.load(path)
