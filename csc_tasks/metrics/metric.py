"""What a metric says about itself, and how its items become a value with a standard error."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NotRequired, TypedDict

from csc_tasks.metrics.cluster import (
    Estimate,
    Expand,
    ItemSequence,
    Scores,
    Statistic,
    estimate,
)
from csc_tasks.metrics.learned import LearnedSettings

LABELS = "labels"
"""What a metric is `of` whose reference is the labels of several raters."""


class Shown(TypedDict):
    """How a value is shown: fields of `Metric` that several metrics share."""

    unit: str
    scale: NotRequired[float]
    digits: NotRequired[int]


class Share(Shown):
    """The fields of a metric that is a share of items, in all languages together."""

    range: tuple[float, float]
    by_language: bool
    default: bool


SHARE: Share = {
    "range": (0.0, 1.0),
    "by_language": False,
    "default": True,
    "unit": "share",
    "scale": 100.0,
    "digits": 1,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric.

    of           what the function is given: "strategy" (predicted ids, None where unparsed, and
                 gold ids), "labels" (per turn the ids that the reply names, and those that each
                 rater names), "reply" (reply and reference texts) or "flag" (0/1 or a count per
                 item as predictions; references are ignored)
    per          the kinds of items it applies to: "turn" (conversations), "answer" (QA),
                 "answer with passages" (QA where passages are shown)
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
    parsed_only  items whose strategy was not read are left out; N/A where all of them are
    of_format    says how far replies keep the format, or how right the choice is where they do: of
                 no use where the format decides nothing
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
    statistic: Statistic | None = None
    expand: Expand | None = None
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
    parsed_only: bool = False
    of_format: bool = False
    order: int = 1000

    @property
    def of_choice(self) -> bool:
        """Whether it is of the strategies that are chosen, whatever is said."""
        return self.of in ("strategy", LABELS)

    def counts(self, prediction: object) -> bool:
        """Whether an item with this prediction counts at all."""
        return not (self.parsed_only and prediction is None)

    def score(
        self,
        predictions: Sequence[object],
        references: Sequence[object],
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

    def estimate(
        self,
        items: ItemSequence,
        clusters: Sequence[str],
        repeats: Sequence[int] | None = None,
    ) -> Estimate:
        """Corpus value and clustered standard error of this metric's items, the mean over repeats
        where there are several; raises as `cluster.estimate` does.
        """
        return estimate(items, clusters, self.statistic, self.expand, repeats)
