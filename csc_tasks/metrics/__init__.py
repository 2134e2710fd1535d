"""The one table of metrics: what each is given, where it applies, which way is up, how its corpus
value is made and how it is shown.

A metric function takes (predictions, references, language), all of one language, and returns
`Scores`: an entry per item and a signature; one that needs weights or data takes `settings` too,
and `Metric.score` calls either kind. `Metric.estimate` turns those entries, fresh or read back from
logged samples, into a value with a clustered standard error. Adding a metric is one function and
one entry here.
"""

import difflib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from csc_tasks.errors import SettingError
from csc_tasks.metrics import learned, meteor, overlap, strategy
from csc_tasks.metrics.cluster import Estimate, Scores, estimate
from csc_tasks.metrics.learned import LearnedSettings

__all__ = ["METRICS", "Estimate", "LearnedSettings", "Metric", "Scores", "estimate", "select"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric.

    of           what the function is given: "strategy" (predicted ids, None where unparsed, and
                 gold ids), "reply" (reply and reference texts) or "flag" (0/1 or a count per item
                 as predictions; references are ignored)
    per          the kinds of items it applies to: "turn" (conversations), "answer" (QA)
    range        lowest and highest possible corpus value, infinite where there is no bound
    by_language  reported per language on a mixed corpus
    extra        the extra of csc-tasks that brings what it needs, if any
    statistic    None: the corpus value is the mean of the items. Else a function from summed
                 sufficient statistics (..., d) to (...)
    expand       items to the (n, d) array that `statistic` wants, where the logged items are more
                 compact than that
    check        of a metric that needs weights or data: check(language, settings=...) raises
                 MissingExtra, ModelError or SettingError where they are not there, and its function
                 takes `settings` too. Meant to be called before anything is generated
    default      part of the default set, "overlap"
    description  one sentence: direction, unit, one known limit
    label        heading of its column in tables
    unit         what a corpus value counts in: "share", "BLEU points", "log-probability per token",
                 ...
    scale        what tables multiply a value by for showing: 100 shows a share in percent. It says
                 nothing about the range
    digits       decimals that tables show
    headline     part of the short table
    ranked       best and second are marked; false for what says how a run went, and not how good
                 its replies are
    diagnosed    not ranked, but shown by stage, topic and turn: a reply it counts is a bad one too
    order        position of its column in tables; equal ones stand by name
    """

    name: str
    function: Callable[..., Scores]
    of: str
    per: tuple[str, ...]
    higher_is_better: bool
    range: tuple[float, float]
    by_language: bool
    extra: str | None = None
    statistic: Callable | None = None
    expand: Callable | None = None
    check: Callable[..., None] | None = None
    default: bool
    description: str
    label: str
    unit: str
    scale: float = 1.0
    digits: int = 2
    headline: bool = False
    ranked: bool = True
    diagnosed: bool = False
    order: int = 1000

    def score(
        self,
        predictions: Sequence,
        references: Sequence,
        language: str,
        settings: LearnedSettings | None = None,
    ) -> Scores:
        """Scores of items of one language; `settings` (None: the defaults) reaches the metrics that
        have something to set.
        """
        if self.check is None:
            return self.function(predictions, references, language)
        return self.function(
            predictions, references, language, settings=settings or LearnedSettings()
        )

    def ready(self, language: str, settings: LearnedSettings | None = None) -> None:
        """Raise what scoring would for want of a library, weights, data or device; loads weights,
        once per process.
        """
        if self.check is not None:
            self.check(language, settings=settings or LearnedSettings())

    def estimate(self, items: Sequence, clusters: Sequence[str]) -> Estimate:
        """Corpus value and clustered standard error of this metric's items; raises as
        `cluster.estimate` does.
        """
        return estimate(items, clusters, self.statistic, self.expand)


_PERCENT = {"unit": "share", "scale": 100.0, "digits": 1}
_IN_PERCENT = {"unit": "score, 1 is best", "scale": 100.0}
_BLEU = {"unit": "BLEU points"}
_LOG_PROBABILITY = {"unit": "log-probability per token"}


def _flag(
    name: str,
    per: tuple[str, ...],
    description: str,
    label: str,
    order: int,
    diagnosed: bool = False,
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
        ranked=False,
        diagnosed=diagnosed,
        **_PERCENT,
    )


def _learned(
    name: str,
    function: Callable[..., Scores],
    per: tuple[str, ...],
    range: tuple[float, float],
    description: str,
    **shown,
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
        **shown,
    )


_TABLE = (
    Metric(
        name="strategy_acc",
        function=strategy.strategy_acc,
        of="strategy",
        per=("turn",),
        higher_is_better=True,
        range=(0.0, 1.0),
        by_language=False,
        default=True,
        description=(
            "Share of turns with the gold strategy (higher is better, 0-1); a second strategy that"
            " would also fit counts as wrong."
        ),
        label="Strategy accuracy",
        order=90,
        headline=True,
        **_PERCENT,
    ),
    Metric(
        name="strategy_macro_f1",
        function=strategy.strategy_macro_f1,
        of="strategy",
        per=("turn",),
        higher_is_better=True,
        range=(0.0, 1.0),
        by_language=False,
        statistic=strategy.macro_f1,
        expand=strategy.label_counts,
        default=True,
        description=(
            "Mean F1 of the strategies with gold turns (higher is better, corpus value 0-1); rare"
            " ones weigh like common ones."
        ),
        label="Strategy macro-F1",
        order=100,
        **_PERCENT,
    ),
    Metric(
        name="stage_overlap",
        function=strategy.stage_overlap,
        of="strategy",
        per=("turn",),
        higher_is_better=True,
        range=(0.0, 1.0),
        by_language=False,
        default=True,
        description=(
            "Jaccard overlap of predicted and gold strategies' stages (higher is better, mean over"
            " turns 0-1); strategies of the same stages look alike."
        ),
        label="Stage overlap",
        order=110,
        **_PERCENT,
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
    Metric(
        name="bleu_2",
        function=overlap.bleu_2,
        of="reply",
        per=("turn",),
        higher_is_better=True,
        range=(0.0, 100.0),
        by_language=True,
        statistic=overlap.corpus_bleu,
        default=True,
        description=(
            "sacrebleu corpus BLEU up to 2-grams, Chinese on characters (higher is better, corpus"
            " value 0-100); rewards wording, not meaning."
        ),
        label="BLEU-2",
        order=10,
        headline=True,
        **_BLEU,
    ),
    Metric(
        name="bleu_4",
        function=overlap.bleu_4,
        of="reply",
        per=("turn", "answer"),
        higher_is_better=True,
        range=(0.0, 100.0),
        by_language=True,
        statistic=overlap.corpus_bleu,
        default=True,
        description=(
            "sacrebleu corpus BLEU up to 4-grams, Chinese on characters (higher is better, corpus"
            " value 0-100); 0 on corpora of very short replies."
        ),
        label="BLEU-4",
        order=20,
        headline=True,
        **_BLEU,
    ),
    Metric(
        name="rouge_l",
        function=overlap.rouge_l,
        of="reply",
        per=("turn", "answer"),
        higher_is_better=True,
        range=(0.0, 1.0),
        by_language=True,
        default=True,
        description=(
            "ROUGE-L F1, Chinese on characters, English on unstemmed words (higher is better, mean"
            " over replies 0-1); a good answer in other words scores low."
        ),
        label="ROUGE-L",
        order=30,
        headline=True,
        **_IN_PERCENT,
    ),
    Metric(
        name="rouge_l_default",
        function=overlap.rouge_l_default,
        of="reply",
        per=("turn",),
        higher_is_better=True,
        range=(0.0, 1.0),
        by_language=True,
        default=True,
        description=(
            "ROUGE-L F1 with rouge_score's default tokenizer, only for comparison with published"
            " tables (higher is better, mean over replies 0-1); it drops every Chinese character,"
            " so identical Chinese replies score 0."
        ),
        label="ROUGE-L (default tokenizer)",
        order=180,
        ranked=False,
        **_IN_PERCENT,
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
        label="BERTScore",
        order=50,
        headline=True,
        **_IN_PERCENT,
    ),
    _learned(
        "bleurt",
        learned.bleurt,
        ("turn",),
        (-math.inf, math.inf),
        "BLEURT-20's rating (higher is better, mean over replies, about 0-1); trained on single"
        " sentences of translated news.",
        label="BLEURT",
        order=60,
        headline=True,
        **_IN_PERCENT,
    ),
    _learned(
        "bartscore",
        learned.bartscore,
        ("answer",),
        (-math.inf, 0.0),
        "BARTScore, mean of the next two (higher is better, log-probability per token, mean over"
        " replies); common phrases do well.",
        label="BARTScore",
        order=70,
        headline=True,
        **_LOG_PROBABILITY,
    ),
    _learned(
        "bartscore_to_reference",
        learned.bartscore_to_reference,
        ("answer",),
        (-math.inf, 0.0),
        "How likely the reference is after the reply (higher is better, log-probability per token,"
        " mean over replies); says whether everything is there, not whether anything is wrong.",
        label="BARTScore to reference",
        order=190,
        **_LOG_PROBABILITY,
    ),
    _learned(
        "bartscore_to_reply",
        learned.bartscore_to_reply,
        ("answer",),
        (-math.inf, 0.0),
        "How likely the reply is after the reference (higher is better, log-probability per token,"
        " mean over replies); a short reply that leaves much out does well.",
        label="BARTScore to reply",
        order=200,
        **_LOG_PROBABILITY,
    ),
    _learned(
        "cosine",
        learned.cosine,
        ("answer",),
        (-1.0, 1.0),
        "Cosine of sentence embeddings (higher is better, mean over replies, -1 to 1); topic more"
        " than truth: a negation hardly moves it.",
        label="Cosine",
        order=80,
        headline=True,
        **_IN_PERCENT,
    ),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _TABLE}
"""Every metric by name, in the order of the tables."""

_SETS = {"overlap": lambda metric: metric.default, "all": lambda metric: True}


def select(names: str | Sequence[str] | None, per: str) -> list[Metric]:
    """The metrics that `names` asks for and that apply to items of kind `per` ("turn" or "answer"),
    in the table's order.

    `names` is None or "overlap" (the defaults), "all", a comma-separated list, or a sequence of
    names; sets and names can be mixed ("overlap,bertscore"). A metric of the other kind of item is
    left out, because one setting serves conversations and QA alike. Raises SettingError for an
    unknown name, with the closest known one, and when nothing that was asked for applies to `per`.
    """
    applicable = [metric for metric in METRICS.values() if per in metric.per]
    if not applicable:
        raise SettingError(f"no metric applies to items of kind {per!r}; there are turn and answer")
    asked = (
        ["overlap"]
        if names is None
        else names.split(",")
        if isinstance(names, str)
        else list(names)
    )
    asked = [name.strip() for name in asked if name.strip()]
    for name in asked:
        if name not in METRICS and name not in _SETS:
            known = [*_SETS, *METRICS]
            closest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
            raise SettingError(
                f"metric {name!r} does not exist (closest: {closest}); there are {', '.join(known)}"
            )
    chosen = [
        metric
        for metric in applicable
        if metric.name in asked or any(name in _SETS and _SETS[name](metric) for name in asked)
    ]
    if not chosen:
        here = ", ".join(metric.name for metric in applicable)
        raise SettingError(
            f"csc_metrics asks for {', '.join(asked) or 'nothing'}, and none of that applies to"
            f" each {per}; there: {here}"
        )
    return chosen
