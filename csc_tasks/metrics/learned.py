"""Learned metrics: BERTScore, BLEURT, BARTScore and the cosine of sentence embeddings.

All functions take (predictions, references, language, settings=LearnedSettings()) and return
Scores. Weights load once per process and onto the CPU; the first scoring moves them to the device,
so that they take none of its memory while a model under test generates.
`check(name)(language, settings)` loads them and nothing more: called before generation, it is what
a run fails on that cannot be scored. Calling a function with empty lists needs no more than its
check.

Texts are only cut to the length that the model takes, and equal pairs are scored once. Reference
values come from bert-score, bleurt-pytorch, the original BARTScore code and sentence-transformers;
the neighbours of this file say where they had to be helped.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from csc_tasks.errors import ModelError, SettingError, require
from csc_tasks.languages import language as language_of
from csc_tasks.metrics import bartscore as bart
from csc_tasks.metrics import bertscore as bert
from csc_tasks.metrics import bleurt as rating
from csc_tasks.metrics import cosine as embedding
from csc_tasks.metrics import weights
from csc_tasks.metrics.batching import NoRoom, score_once
from csc_tasks.metrics.cluster import Scores
from csc_tasks.metrics.overlap import check_texts
from csc_tasks.metrics.segment import known_language

if TYPE_CHECKING:
    import torch

log = logging.getLogger("lm_eval.csc_tasks")

NAMES = ("bertscore", "bleurt", "bartscore", "cosine")


def default_model(name: str, language: str) -> str | None:
    """The Hub id of a metric's model in a language, or None where a user has to name one.

    BERTScore's layers are bert-score's own choice: 8 of bert-base-chinese, 17 of roberta-large.
    """
    model: str | None = getattr(language_of(known_language(language)).metrics, name)
    return model


@dataclass(frozen=True, slots=True)
class LearnedSettings:
    """What a user can set of learned metrics, each under `csc_` and its name here; device and batch
    size are `csc_metric_...`.

    *_model          a Hub id or the folder of a local copy, for every language; None is the default
                     of the language
    bertscore_layer  1 is the first; None is the one bert-score uses for a model of that name
    device           as torch names it; None is the current CUDA device where there is one with
                     room, else the CPU
    batch_size       texts, or pairs where a model reads both at once, in one forward pass; bounds
                     memory and moves no score
    """

    bertscore_model: str | None = None
    bertscore_layer: int | None = None
    bleurt_model: str | None = None
    bartscore_model: str | None = None
    cosine_model: str | None = None
    device: str | None = None
    batch_size: int = 32

    def __post_init__(self) -> None:
        for name, key in (
            ("bertscore_layer", "csc_bertscore_layer"),
            ("batch_size", "csc_metric_batch_size"),
        ):
            value = getattr(self, name)
            if not (value is None and name == "bertscore_layer") and (
                type(value) is not int or value < 1
            ):
                raise SettingError(f"{key}={value!r}: must be a whole number of at least 1")


DEFAULTS = LearnedSettings()


def bertscore(
    predictions: list[str],
    references: list[str],
    language: str,
    settings: LearnedSettings = DEFAULTS,
) -> Scores:
    """BERTScore F1 per item, without IDF weights and not rescaled.

    Unit: one reply, within -1 and 1 and in practice 0.5-1, higher is better; a reply or reference
    without tokens scores 0.
    Limit: fluent and wrong scores high; only numbers of one model and layer compare.
    Raises DataError for a reply or reference that is not text, SettingError for another language, a
    layer or a device that does not exist, MissingExtra without bert-score, ModelError for a model
    that cannot be loaded or does not fit the device.
    """
    return _scores("bertscore", predictions, references, language, settings)


def bleurt(
    predictions: list[str],
    references: list[str],
    language: str,
    settings: LearnedSettings = DEFAULTS,
) -> Scores:
    """BLEURT's rating per item.

    Unit: one reply, for BLEURT-20 about 0-1 and not bounded, higher is better; an empty reply is
    rated like any other, low.
    Limit: trained on ratings of news translations, one sentence each. Raises as `bertscore` does.
    """
    return _scores("bleurt", predictions, references, language, settings)


def cosine(
    predictions: list[str],
    references: list[str],
    language: str,
    settings: LearnedSettings = DEFAULTS,
) -> Scores:
    """Cosine of the sentence embeddings per item.

    Unit: one reply, -1 to 1, higher is better; an empty text has an embedding like any other.
    Limit: topic more than truth: "can" and "cannot" lie close together. Raises as `bertscore` does.
    """
    return _scores("cosine", predictions, references, language, settings)


def bartscore(
    predictions: list[str],
    references: list[str],
    language: str,
    settings: LearnedSettings = DEFAULTS,
) -> Scores:
    """BARTScore per item: the mean of `bartscore_to_reference` and `bartscore_to_reply`.

    Unit: one reply, a mean log-probability per token: negative, higher is better; an empty text is
    `<s></s>`.
    Limit: a language model's habits are in it, so short and common replies do well. Raises as
    `bertscore` does, and ModelError for a language without a model: bart-large-cnn knows English
    only.
    """
    recall, _ = _values("bartscore", predictions, references, language, settings, True)
    precision, _ = _values("bartscore", predictions, references, language, settings, False)
    items = [(one + other) / 2 for one, other in zip(recall, precision, strict=True)]
    return Scores(
        items, f"bartscore|to:reference+reply|{_loaded('bartscore', language, settings).signature}"
    )


def bartscore_to_reference(
    predictions: list[str],
    references: list[str],
    language: str,
    settings: LearnedSettings = DEFAULTS,
) -> Scores:
    """How likely the reference is after the reply, per item; the recall of the BARTScore paper.
    Otherwise as `bartscore`.
    """
    return _scores("bartscore", predictions, references, language, settings, to_reference=True)


def bartscore_to_reply(
    predictions: list[str],
    references: list[str],
    language: str,
    settings: LearnedSettings = DEFAULTS,
) -> Scores:
    """How likely the reply is after the reference, per item; the precision of the BARTScore paper.
    Otherwise as `bartscore`.
    """
    return _scores("bartscore", predictions, references, language, settings, to_reference=False)


def check(name: str) -> Callable[..., None]:
    """The check of a metric of `NAMES`: check(language, settings) loads its weights, once per
    process.

    Raises what the metric's function would for reasons other than its texts: MissingExtra,
    ModelError, SettingError.
    """

    def check_weights(language: str, settings: LearnedSettings = DEFAULTS) -> None:
        _loaded(name, language, settings)
        weights.device(settings.device)

    return check_weights


class Scorer(Protocol):
    """A loaded model: `score(pairs, device, batch_size, work)` is one number per (reply,
    reference), and BARTScore's takes `to_reference` too.
    """

    signature: str

    @property
    def score(self) -> Callable[..., list[float]]:
        """The function."""


def _loaded(name: str, language: str, settings: LearnedSettings) -> Scorer:
    """The scorer of one metric; raises MissingExtra and ModelError."""
    require("torch", "learned", name)
    model = getattr(settings, f"{name}_model") or default_model(name, language)
    if model is None:
        raise ModelError(
            f"{name} has no model of its own for {language}; name one that was trained on it with"
            f" csc_{name}_model (a Hub id or a folder), or choose other metrics with csc_metrics"
        )
    scorer: Scorer
    if name == "bertscore":
        scorer = bert.load(model, settings.bertscore_layer)
    elif name == "bartscore":
        scorer = bart.load(model, language)
    elif name == "bleurt":
        scorer = rating.load(model)
    else:
        scorer = embedding.load(model)
    return scorer


def _scores(
    name: str,
    predictions: list[str],
    references: list[str],
    language: str,
    settings: LearnedSettings,
    to_reference: bool | None = None,
) -> Scores:
    return Scores(*_values(name, predictions, references, language, settings, to_reference))


def _values(
    name: str,
    predictions: list[str],
    references: list[str],
    language: str,
    settings: LearnedSettings,
    to_reference: bool | None,
) -> tuple[list[float], str]:
    """One number per item, and the signature."""
    check_texts(predictions, references)
    scorer = _loaded(name, language, settings)
    signature, label = scorer.signature, name
    direction: dict[str, bool] = {}
    if to_reference is not None:
        label = f"bartscore_to_{'reference' if to_reference else 'reply'}"
        signature, direction = f"{label}|{signature}", {"to_reference": to_reference}
    if not predictions:
        return [], signature

    def on(device: "torch.device") -> list[float]:
        return score_once(
            f"{label} {language}",
            predictions,
            references,
            settings.batch_size,
            lambda pairs, work: scorer.score(pairs, device, settings.batch_size, work, **direction),
        )

    try:
        return on(weights.device(settings.device)), signature
    except NoRoom as error:
        # The model under test may have filled a device that nobody chose; hours of generation must
        # not be lost to that.
        if settings.device is not None:
            raise
        log.warning("%s; it goes on on the CPU", error)
    return on(weights.device("cpu")), signature
