"""Metrics of what is read of a reply or known about it: strategies, and flags of records."""

from collections.abc import Callable
from dataclasses import replace

from csc_tasks.metrics import rater_labels, strategy
from csc_tasks.metrics.cluster import Scores
from csc_tasks.metrics.metric import LABELS, Metric, Shown

WITH_PASSAGES = "answer with passages"
"""The kind of an answer to a question that passages were shown with; it is an "answer" as well."""

ASKED_AGAIN = "turn that may be asked again"
"""The kind of a turn of a run with `csc_reask`; it is a "turn" as well."""

UNSUPPORTED_FACTS = "unsupported_facts"
"""The metric that says what an audit of facts found, where it is made of the records alone."""


_PERCENT: Shown = {"unit": "share", "scale": 100.0, "digits": 1}


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


def _rated(
    name: str, function: Callable[..., Scores], description: str, label: str, order: int
) -> Metric:
    """A metric against the labels of several raters: by default where a corpus has some."""
    metric = _choice(name, function, description, label, order)
    return replace(metric, of=LABELS, default=False)


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


RECORD_METRICS = (
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
            "Share of turns whose reply names exactly one known strategy, 1 - unparsed of the turns"
            " whose gold strategy is not held out (higher is better, 0-1); times the accuracy where"
            " parsed it is the strategy accuracy.",
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
    replace(
        _rated(
            "strategy_in_set",
            rater_labels.strategy_in_set,
            "Share of turns whose main strategy at least a third of the raters name (higher is"
            " better, 0-1; N/A without labels of raters); where raters disagree widely nearly"
            " everything is in the set.",
            "Strategy in set",
            112,
        ),
        headline=True,
    ),
    _rated(
        "strategy_agreement",
        rater_labels.strategy_agreement,
        "Share of the raters whose main strategy is that of the reply, mean over turns (higher is"
        " better, 0-1; N/A without labels of raters); nobody reaches 1 where raters disagree.",
        "Agreement with a rater",
        114,
    ),
    _rated(
        "strategy_set_f1",
        rater_labels.strategy_set_f1,
        "F1 of the strategies that a reply names and those that a rater names, mean over raters and"
        " turns (higher is better, 0-1; N/A without labels of raters); their order plays no part.",
        "Strategy-set F1",
        116,
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
)
