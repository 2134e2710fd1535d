"""Metrics that compare a reply's text with the reference."""

import math
from functools import partial
from typing import Any

from csc_tasks.metrics import learned, meteor, overlap
from csc_tasks.metrics.cluster import Statistic
from csc_tasks.metrics.metric import Metric, Shown


class _Overlap(Shown):
    """The fields of metrics of wording: how one is shown says what it can be."""

    range: tuple[float, float]
    statistic: Statistic | None


_IN_PERCENT: Shown = {"unit": "score, 1 is best", "scale": 100.0}
_LOG_PROBABILITY: Shown = {"unit": "log-probability per token"}
_F1: _Overlap = {"range": (0.0, 1.0), "statistic": None, **_IN_PERCENT}
_BLEU: _Overlap = {
    "range": (0.0, 100.0),
    "statistic": overlap.corpus_bleu,
    "unit": "BLEU points",
}
_text = partial(Metric, of="reply", higher_is_better=True, by_language=True)
_overlap = partial(_text, default=True)


def _learned(*, name: str, **row: Any) -> Metric:
    """A metric that loads weights."""
    check = learned.check(name.partition("_")[0])
    return _text(name=name, extra="learned", check=check, default=False, **row)


TEXT_METRICS = (
    _overlap(
        name="bleu_2",
        function=overlap.bleu_2,
        per=("turn",),
        description=(
            "sacrebleu corpus BLEU up to 2-grams, Chinese on characters (higher is better, corpus"
            " value 0-100); rewards wording, not meaning."
        ),
        label="BLEU-2",
        order=10,
        headline=True,
        **_BLEU,
    ),
    _overlap(
        name="bleu_4",
        function=overlap.bleu_4,
        per=("turn", "answer"),
        description=(
            "sacrebleu corpus BLEU up to 4-grams, Chinese on characters (higher is better, corpus"
            " value 0-100); 0 on corpora of very short replies."
        ),
        label="BLEU-4",
        order=20,
        headline=True,
        **_BLEU,
    ),
    _overlap(
        name="rouge_l",
        function=overlap.rouge_l,
        per=("turn", "answer"),
        description=(
            "ROUGE-L F1, Chinese on characters, English on unstemmed words (higher is better, mean"
            " over replies 0-1); a good answer in other words scores low."
        ),
        label="ROUGE-L",
        order=30,
        headline=True,
        **_F1,
    ),
    _overlap(
        name="rouge_l_default",
        function=overlap.rouge_l_default,
        per=("turn",),
        description=(
            "ROUGE-L F1 with rouge_score's default tokenizer, only for comparison with published"
            " tables (higher is better, mean over replies 0-1); it drops every Chinese character,"
            " so identical Chinese replies score 0."
        ),
        label="ROUGE-L (default tokenizer)",
        order=180,
        **_F1,
        headline=False,
        ranked=False,
    ),
    _text(
        name="meteor",
        function=meteor.meteor,
        per=("answer",),
        range=(0.0, 1.0),
        extra="learned",
        check=meteor.check,
        default=False,
        description=(
            "METEOR by nltk, English with stems and WordNet, Chinese on characters (higher is"
            " better, mean over replies 0-1); many synonyms are missed because WordNet is asked for"
            " stems."
        ),
        label="METEOR",
        order=40,
        headline=True,
        **_IN_PERCENT,
    ),
    _learned(
        name="bertscore",
        function=learned.bertscore,
        per=("turn", "answer"),
        range=(-1.0, 1.0),
        description=(
            "BERTScore F1, not rescaled (higher is better, mean over replies, in practice 0.5-1);"
            " fluent and wrong scores high."
        ),
        **_IN_PERCENT,
        label="BERTScore",
        order=50,
        headline=True,
    ),
    _learned(
        name="bleurt",
        function=learned.bleurt,
        per=("turn",),
        range=(-math.inf, math.inf),
        description=(
            "BLEURT-20's rating (higher is better, mean over replies, about 0-1); trained on single"
            " sentences of translated news."
        ),
        **_IN_PERCENT,
        label="BLEURT",
        order=60,
        headline=True,
    ),
    _learned(
        name="bartscore",
        function=learned.bartscore,
        per=("answer",),
        range=(-math.inf, 0.0),
        description=(
            "BARTScore, mean of the next two (higher is better, log-probability per token, mean"
            " over replies); common phrases do well."
        ),
        **_LOG_PROBABILITY,
        label="BARTScore",
        order=70,
        headline=True,
    ),
    _learned(
        name="bartscore_to_reference",
        function=learned.bartscore_to_reference,
        per=("answer",),
        range=(-math.inf, 0.0),
        description=(
            "How likely the reference is after the reply (higher is better, log-probability per"
            " token, mean over replies); says whether everything is there, not whether anything is"
            " wrong."
        ),
        **_LOG_PROBABILITY,
        label="BARTScore to reference",
        order=190,
    ),
    _learned(
        name="bartscore_to_reply",
        function=learned.bartscore_to_reply,
        per=("answer",),
        range=(-math.inf, 0.0),
        description=(
            "How likely the reply is after the reference (higher is better, log-probability per"
            " token, mean over replies); a short reply that leaves much out does well."
        ),
        **_LOG_PROBABILITY,
        label="BARTScore to reply",
        order=200,
    ),
    _learned(
        name="cosine",
        function=learned.cosine,
        per=("answer",),
        range=(-1.0, 1.0),
        description=(
            "Cosine of sentence embeddings (higher is better, mean over replies, -1 to 1); topic"
            " more than truth: a negation hardly moves it."
        ),
        **_IN_PERCENT,
        label="Cosine",
        order=80,
        headline=True,
    ),
)

WITHOUT_LABELS = "rouge_l"
"""What models are compared by where no strategies are known: it stands on recorded replies and
needs no weights.
"""
