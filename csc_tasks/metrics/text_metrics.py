"""Metrics that compare a reply's text with the reference."""

import math
from collections.abc import Callable
from dataclasses import replace

from csc_tasks.metrics import learned, meteor, overlap
from csc_tasks.metrics.cluster import Scores
from csc_tasks.metrics.metric import Metric, Shown

_IN_PERCENT: Shown = {"unit": "score, 1 is best", "scale": 100.0}
_BLEU: Shown = {"unit": "BLEU points"}
_LOG_PROBABILITY: Shown = {"unit": "log-probability per token"}


def _overlap(
    name: str,
    function: Callable[..., Scores],
    per: tuple[str, ...],
    description: str,
    label: str,
    order: int,
    shown: Shown,
) -> Metric:
    bleu = shown is _BLEU
    return Metric(
        name=name,
        function=function,
        of="reply",
        per=per,
        higher_is_better=True,
        range=(0.0, 100.0 if bleu else 1.0),
        by_language=True,
        statistic=overlap.corpus_bleu if bleu else None,
        default=True,
        description=description,
        label=label,
        order=order,
        headline=True,
        **shown,
    )


def _learned(
    name: str,
    function: Callable[..., Scores],
    per: tuple[str, ...],
    range: tuple[float, float],
    description: str,
    shown: Shown,
    *,
    label: str,
    order: int,
    headline: bool = False,
) -> Metric:
    return Metric(
        name=name,
        function=function,
        of="reply",
        per=per,
        higher_is_better=True,
        range=range,
        by_language=True,
        extra="learned",
        check=learned.check(name.partition("_")[0]),
        default=False,
        description=description,
        label=label,
        order=order,
        headline=headline,
        **shown,
    )


TEXT_METRICS = (
    _overlap(
        "bleu_2",
        overlap.bleu_2,
        ("turn",),
        "sacrebleu corpus BLEU up to 2-grams, Chinese on characters (higher is better, corpus"
        " value 0-100); rewards wording, not meaning.",
        "BLEU-2",
        10,
        _BLEU,
    ),
    _overlap(
        "bleu_4",
        overlap.bleu_4,
        ("turn", "answer"),
        "sacrebleu corpus BLEU up to 4-grams, Chinese on characters (higher is better, corpus"
        " value 0-100); 0 on corpora of very short replies.",
        "BLEU-4",
        20,
        _BLEU,
    ),
    _overlap(
        "rouge_l",
        overlap.rouge_l,
        ("turn", "answer"),
        "ROUGE-L F1, Chinese on characters, English on unstemmed words (higher is better, mean"
        " over replies 0-1); a good answer in other words scores low.",
        "ROUGE-L",
        30,
        _IN_PERCENT,
    ),
    replace(
        _overlap(
            "rouge_l_default",
            overlap.rouge_l_default,
            ("turn",),
            "ROUGE-L F1 with rouge_score's default tokenizer, only for comparison with published"
            " tables (higher is better, mean over replies 0-1); it drops every Chinese character,"
            " so identical Chinese replies score 0.",
            "ROUGE-L (default tokenizer)",
            180,
            _IN_PERCENT,
        ),
        headline=False,
        ranked=False,
    ),
    Metric(
        name="meteor",
        function=meteor.meteor,
        of="reply",
        per=("answer",),
        higher_is_better=True,
        range=(0.0, 1.0),
        by_language=True,
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
        "bertscore",
        learned.bertscore,
        ("turn", "answer"),
        (-1.0, 1.0),
        "BERTScore F1, not rescaled (higher is better, mean over replies, in practice 0.5-1);"
        " fluent and wrong scores high.",
        _IN_PERCENT,
        label="BERTScore",
        order=50,
        headline=True,
    ),
    _learned(
        "bleurt",
        learned.bleurt,
        ("turn",),
        (-math.inf, math.inf),
        "BLEURT-20's rating (higher is better, mean over replies, about 0-1); trained on single"
        " sentences of translated news.",
        _IN_PERCENT,
        label="BLEURT",
        order=60,
        headline=True,
    ),
    _learned(
        "bartscore",
        learned.bartscore,
        ("answer",),
        (-math.inf, 0.0),
        "BARTScore, mean of the next two (higher is better, log-probability per token, mean over"
        " replies); common phrases do well.",
        _LOG_PROBABILITY,
        label="BARTScore",
        order=70,
        headline=True,
    ),
    _learned(
        "bartscore_to_reference",
        learned.bartscore_to_reference,
        ("answer",),
        (-math.inf, 0.0),
        "How likely the reference is after the reply (higher is better, log-probability per token,"
        " mean over replies); says whether everything is there, not whether anything is wrong.",
        _LOG_PROBABILITY,
        label="BARTScore to reference",
        order=190,
    ),
    _learned(
        "bartscore_to_reply",
        learned.bartscore_to_reply,
        ("answer",),
        (-math.inf, 0.0),
        "How likely the reply is after the reference (higher is better, log-probability per token,"
        " mean over replies); a short reply that leaves much out does well.",
        _LOG_PROBABILITY,
        label="BARTScore to reply",
        order=200,
    ),
    _learned(
        "cosine",
        learned.cosine,
        ("answer",),
        (-1.0, 1.0),
        "Cosine of sentence embeddings (higher is better, mean over replies, -1 to 1); topic more"
        " than truth: a negation hardly moves it.",
        _IN_PERCENT,
        label="Cosine",
        order=80,
        headline=True,
    ),
)

WITHOUT_LABELS = "rouge_l"
"""What models are compared by where no strategies are known: it stands on recorded replies and
needs no weights.
"""
