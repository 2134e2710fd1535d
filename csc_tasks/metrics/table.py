"""The one table of metrics, in the order of the result tables."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import NotRequired, TypedDict

from csc_tasks.metrics import learned, meteor, overlap, strategy
from csc_tasks.metrics.cluster import Scores
from csc_tasks.metrics.metric import Metric

WITH_PASSAGES = "answer with passages"
"""The kind of an answer to a question that passages were shown with; it is an "answer" as well."""

ASKED_AGAIN = "turn that may be asked again"
"""The kind of a turn of a run with `csc_reask`; it is a "turn" as well."""

UNSUPPORTED_FACTS = "unsupported_facts"
"""The metric that says what an audit of facts found, where it is made of the records alone."""


class Shown(TypedDict):
    """How a value is shown: fields of `Metric` that several metrics share."""

    unit: str
    scale: NotRequired[float]
    digits: NotRequired[int]


_PERCENT: Shown = {"unit": "share", "scale": 100.0, "digits": 1}
_IN_PERCENT: Shown = {"unit": "score, 1 is best", "scale": 100.0}
_BLEU: Shown = {"unit": "BLEU points"}
_LOG_PROBABILITY: Shown = {"unit": "log-probability per token"}


def _choice(
    name: str,
    function: Callable[..., Scores],
    description: str,
    label: str,
    order: int,
) -> Metric:
    return Metric(
        name=name,
        function=function,
        of="strategy",
        per=("turn",),
        higher_is_better=True,
        range=(0.0, 1.0),
        by_language=False,
        default=True,
        description=description,
        label=label,
        order=order,
        **_PERCENT,
    )


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


def _flag(
    name: str,
    per: tuple[str, ...],
    description: str,
    label: str,
    order: int,
    diagnosed: bool = False,
    ranked: bool = False,
) -> Metric:
    return Metric(
        name=name,
        function=strategy.flag(name),
        of="flag",
        per=per,
        higher_is_better=False,
        range=(0.0, 1.0),
        by_language=False,
        default=True,
        description=description,
        label=label,
        order=order,
        ranked=ranked,
        headline=ranked,
        diagnosed=diagnosed,
        **_PERCENT,
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


_TABLE = (
    replace(
        _choice(
            "strategy_acc",
            strategy.strategy_acc,
            "Share of turns with the gold strategy (higher is better, 0-1); a second strategy that"
            " would also fit counts as wrong.",
            "Strategy accuracy",
            90,
        ),
        headline=True,
    ),
    replace(
        _choice(
            "strategy_acc_parsed",
            strategy.strategy_acc_parsed,
            "Share of the parsed turns with the gold strategy (higher is better, 0-1; N/A where no"
            " reply was parsed); a model that keeps the format only where it is sure does well.",
            "Accuracy where parsed",
            92,
        ),
        ranked=False,
        parsed_only=True,
        of_format=True,
    ),
    replace(
        _choice(
            "format_rate",
            strategy.format_rate,
            "Share of turns whose reply names exactly one known strategy, 1 - unparsed (higher is"
            " better, 0-1); times the accuracy where parsed it is the strategy accuracy.",
            "Format rate",
            94,
        ),
        ranked=False,
        of_format=True,
    ),
    replace(
        _choice(
            "strategy_macro_f1",
            strategy.strategy_macro_f1,
            "Mean F1 of the strategies with gold turns (higher is better, corpus value 0-1); rare"
            " ones weigh like common ones.",
            "Strategy macro-F1",
            100,
        ),
        statistic=strategy.macro_f1,
        expand=strategy.label_counts,
    ),
    _choice(
        "stage_overlap",
        strategy.stage_overlap,
        "Jaccard overlap of predicted and gold strategies' stages (higher is better, mean over"
        " turns 0-1); strategies of the same stages look alike.",
        "Stage overlap",
        110,
    ),
    _flag(
        "failed",
        ("turn", "answer"),
        "Share of items without an answer from the model's server, scored as wrong (lower is"
        " better, 0-1); asked again, some may succeed.",
        "Failed",
        120,
    ),
    _flag(
        "unparsed",
        ("turn",),
        "Share of turns whose reply names no single known strategy (lower is better, 0-1); a parsed"
        " strategy may still be wrong.",
        "Unparsed",
        130,
        diagnosed=True,
    ),
    _flag(
        "truncated",
        ("turn", "answer"),
        "Share of replies cut by the token limit (lower is better, 0-1); says nothing about how"
        " much was lost.",
        "Cut replies",
        140,
    ),
    _flag(
        "history_truncated",
        ("turn", "answer"),
        "Share of items whose history lost its oldest turns to fit the model (lower is better,"
        " 0-1); one lost turn counts like twenty.",
        "Cut histories",
        150,
    ),
    _flag(
        "empty",
        ("turn", "answer"),
        "Share of items without any reply text (lower is better, 0-1); a reply of one mark is not"
        " empty.",
        "Empty replies",
        160,
    ),
    _flag(
        "thinking_cut",
        ("turn", "answer"),
        "Share of items without a reply because the model was still thinking (lower is better,"
        " 0-1); empty counts them too.",
        "Cut thinking",
        170,
    ),
    _flag(
        "reasked",
        (ASKED_AGAIN,),
        "Share of turns that were asked once more, because the first reply named no single known"
        " strategy (lower is better, 0-1); the second may name none either.",
        "Asked again",
        135,
    ),
    _flag(
        UNSUPPORTED_FACTS,
        (WITH_PASSAGES,),
        "Share of answers with a fact (name, number, amount, date or code) that neither passages"
        " nor what came before hold, by rule (lower is better, 0-1); a right fact in other words"
        " counts too.",
        "Unsupported facts",
        85,
        ranked=True,
    ),
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

METRICS: dict[str, Metric] = {metric.name: metric for metric in _TABLE}
"""Every metric by name, in the order of the tables."""
