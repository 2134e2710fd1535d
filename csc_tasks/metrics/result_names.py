"""What a metric's number is called in results and samples: formed and read here alone.

A text metric of a mixed corpus stands once per language (`bleu_4_zh`), a choice by
length-normalised likelihood beside the plain one (`strategy_acc_norm`).
"""

from collections.abc import Mapping

from csc_tasks.languages import languages
from csc_tasks.metrics import METRICS, Metric
from csc_tasks.metrics.metric import LABELS

_NORM = "_norm"
_EVIDENCE = "|evidence:"
_RATERS = "|raters:"


def in_language(metric: str, language: str) -> str:
    """The result name of a metric over one language of a mixed corpus."""
    return f"{metric}_{language}"


def normalised(name: str) -> str:
    """The result name of the same metric where choices are by length-normalised likelihood."""
    return f"{name}{_NORM}"


def parts_of(name: str) -> tuple[str, str | None, bool]:
    """(metric, language or None, whether length-normalised): `bleu_4_zh` -> ("bleu_4", "zh",
    False).
    """
    norm = name.endswith(_NORM)
    base = name.removesuffix(_NORM)
    for language in languages():
        if base.endswith(f"_{language}") and base not in METRICS:
            return base.removesuffix(f"_{language}"), language, norm
    return base, None, norm


def with_evidence(signature: str, digest: str) -> str:
    """The signature of a metric that was counted with these passages."""
    return f"{signature}{_EVIDENCE}{digest}"


def signed_with(digest: str | None, signatures: Mapping[str, str]) -> dict[str, str]:
    """Result name -> signature, those of metrics against labels of several raters with the hash of
    these labels; None where there are none.
    """
    return {
        name: f"{signature}{_RATERS}{digest}"
        if digest and (metric := metric_of(name)) and metric.of == LABELS
        else signature
        for name, signature in signatures.items()
    }


def labels_in(signature: str) -> str | None:
    """The hash of the labels that a signature names; None where it names none."""
    return signature.partition(_RATERS)[2].partition("|")[0] or None


def without_data(signature: str) -> str:
    """The same whatever the passages and the labels."""
    digest = labels_in(signature)
    return signature.replace(f"{_RATERS}{digest}", "").partition(_EVIDENCE)[0]


def metric_of(name: str) -> Metric | None:
    """The metric behind a result name, or None where this version knows none of that name."""
    return METRICS.get(parts_of(name)[0])
