"""Metrics of what is read of a reply or known about it: strategies, and flags of records."""

from functools import partial
from typing import Any

from csc_tasks.metrics import rater_labels, strategy
from csc_tasks.metrics.live_metrics import DIALOGUE
from csc_tasks.metrics.metric import LABELS, SHARE, Metric

WITH_PASSAGES = "answer with passages"
"""The kind of an answer to a question that passages were shown with; it is an "answer" as well."""

ASKED_AGAIN = "turn that may be asked again"
"""The kind of a turn of a run with `csc_reask`; it is a "turn" as well."""

UNSUPPORTED_FACTS = "unsupported_facts"
"""The metric that says what an audit of facts found, where it is made of the records alone."""


# Of strategies; and against the labels of several raters: by default where a corpus has some.
_choice = partial(Metric, of="strategy", per=("turn",), higher_is_better=True, **SHARE)
_rated = partial(_choice, of=LABELS, default=False)


def _flag(*, name: str, ranked: bool = False, **row: Any) -> Metric:
    """A flag of the records, named after it: the fewer, the better."""
    return Metric(
        name=name,
        function=strategy.flag(name),
        of="flag",
        higher_is_better=False,
        ranked=ranked,
        headline=ranked,
        **SHARE,
        **row,
    )


RECORD_METRICS = (
    _choice(
        name="strategy_acc",
        function=strategy.strategy_acc,
        description=(
            "Share of turns with the gold strategy (higher is better, 0-1); a second strategy that"
            " would also fit counts as wrong."
        ),
        label="Strategy accuracy",
        order=90,
        headline=True,
    ),
    _choice(
        name="strategy_acc_parsed",
        function=strategy.strategy_acc_parsed,
        description=(
            "Share of the parsed turns with the gold strategy (higher is better, 0-1; N/A where no"
            " reply was parsed); a model that keeps the format only where it is sure does well."
        ),
        label="Accuracy where parsed",
        order=92,
        ranked=False,
        parsed_only=True,
        of_format=True,
    ),
    _choice(
        name="format_rate",
        function=strategy.format_rate,
        description=(
            "Share of turns whose reply names exactly one known strategy, 1 - unparsed of the turns"
            " whose gold strategy is not held out (higher is better, 0-1); times the accuracy where"
            " parsed it is the strategy accuracy."
        ),
        label="Format rate",
        order=94,
        ranked=False,
        of_format=True,
    ),
    _choice(
        name="strategy_macro_f1",
        function=strategy.strategy_macro_f1,
        description=(
            "Mean F1 of the strategies with gold turns (higher is better, corpus value 0-1); rare"
            " ones weigh like common ones."
        ),
        label="Strategy macro-F1",
        order=100,
        statistic=strategy.macro_f1,
        expand=strategy.label_counts,
    ),
    _choice(
        name="stage_overlap",
        function=strategy.stage_overlap,
        description=(
            "Jaccard overlap of predicted and gold strategies' stages (higher is better, mean over"
            " turns 0-1); strategies of the same stages look alike."
        ),
        label="Stage overlap",
        order=110,
    ),
    _rated(
        name="strategy_in_set",
        function=rater_labels.strategy_in_set,
        description=(
            "Share of turns whose main strategy at least a third of the raters name (higher is"
            " better, 0-1; N/A without labels of raters); where raters disagree widely nearly"
            " everything is in the set."
        ),
        label="Strategy in set",
        order=112,
        headline=True,
    ),
    _rated(
        name="strategy_agreement",
        function=rater_labels.strategy_agreement,
        description=(
            "Share of the raters whose main strategy is that of the reply, mean over turns (higher"
            " is better, 0-1; N/A without labels of raters); nobody reaches 1 where raters"
            " disagree."
        ),
        label="Agreement with a rater",
        order=114,
    ),
    _rated(
        name="strategy_set_f1",
        function=rater_labels.strategy_set_f1,
        description=(
            "F1 of the strategies that a reply names and those that a rater names, mean over raters"
            " and turns (higher is better, 0-1; N/A without labels of raters); their order plays no"
            " part."
        ),
        label="Strategy-set F1",
        order=116,
    ),
    _flag(
        name="failed",
        per=("turn", "answer", DIALOGUE),
        description=(
            "Share of items without an answer from the model's server, scored as wrong (lower is"
            " better, 0-1); asked again, some may succeed."
        ),
        label="Failed",
        order=120,
    ),
    _flag(
        name="unparsed",
        per=("turn",),
        description=(
            "Share of turns whose reply names no single known strategy (lower is better, 0-1); a"
            " parsed strategy may still be wrong."
        ),
        label="Unparsed",
        order=130,
        diagnosed=True,
    ),
    _flag(
        name="truncated",
        per=("turn", "answer", DIALOGUE),
        description=(
            "Share of replies cut by the token limit (lower is better, 0-1); says nothing about how"
            " much was lost."
        ),
        label="Cut replies",
        order=140,
    ),
    _flag(
        name="history_truncated",
        per=("turn", "answer", DIALOGUE),
        description=(
            "Share of items whose history lost its oldest turns to fit the model (lower is better,"
            " 0-1); one lost turn counts like twenty."
        ),
        label="Cut histories",
        order=150,
    ),
    _flag(
        name="empty",
        per=("turn", "answer"),
        description=(
            "Share of items without any reply text (lower is better, 0-1); a reply of one mark is"
            " not empty."
        ),
        label="Empty replies",
        order=160,
    ),
    _flag(
        name="thinking_cut",
        per=("turn", "answer"),
        description=(
            "Share of items without a reply because the model was still thinking (lower is better,"
            " 0-1); empty counts them too."
        ),
        label="Cut thinking",
        order=170,
    ),
    _flag(
        name="reasked",
        per=(ASKED_AGAIN,),
        description=(
            "Share of turns that were asked once more, because the first reply named no single"
            " known strategy (lower is better, 0-1); the second may name none either."
        ),
        label="Asked again",
        order=135,
    ),
    _flag(
        name=UNSUPPORTED_FACTS,
        per=(WITH_PASSAGES,),
        description=(
            "Share of answers with a fact (name, number, amount, date or code) that neither"
            " passages nor what came before hold, by rule (lower is better, 0-1); a right fact in"
            " other words counts too."
        ),
        label="Unsupported facts",
        order=85,
        ranked=True,
    ),
)
