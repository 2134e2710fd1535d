"""What a results file calls itself, held to what it says elsewhere: its model's name, its date, and
the signatures of its metrics. They decide in which row and table a run stands.
"""

import re
import time
import unicodedata
from collections.abc import Mapping

from csc_tasks.metrics import Metric
from csc_tasks.metrics.consistency import consistency
from csc_tasks.metrics.result_names import metric_of, parts_of, without_data
from csc_tasks.runs.model_arguments import model_arguments
from csc_tasks.runs.public import public_name
from csc_tasks.runs.results_file import Measurement, iso
from csc_tasks.runs.samples_file import Run
from csc_tasks.verify.verdict import Finding

NAMING = ("peft", "delta", "pretrained", "model", "path", "engine")
"""The model arguments that lm_eval takes a name from."""
LATIN_LIKE = {"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "FULLWIDTH"}
"""Scripts with letters that look like those of another of them."""
DAY = 86_400


def check_name(measurement: Measurement) -> list[Finding]:
    """A model's name that only looks like another one, and a date that has not come yet."""
    findings = []
    name = measurement.identity.name
    if reason := _deceiving(name):
        findings.append(Finding(measurement.task, "model_name", "", "", reason))
    if measurement.date > time.time() + DAY:
        findings.append(
            Finding(
                measurement.task,
                "date",
                iso(measurement.date),
                "at most today",
                "the date has not come yet",
            )
        )
    return findings


def check_named_model(run: Run, measurement: Measurement) -> list[Finding]:
    """A name that is not that of the model which the run's arguments name."""
    config = run.results.get("config")
    given = config.get("model_args") if isinstance(config, Mapping) else None
    arguments = model_arguments(given)
    # As the file's own name is read: without the folders of this machine.
    named = [public_name(arguments[name]) for name in NAMING if arguments.get(name)]
    name = measurement.identity.name
    if not named or measurement.identity.baseline or name in named:
        return []
    return [
        Finding(
            measurement.task,
            "model_name",
            f"{name:.60}",
            f"{named[0]:.60}",
            "the run asked another model than the file is named after",
        )
    ]


def check_signatures(measurement: Measurement, languages: tuple[str, ...]) -> list[Finding]:
    """Signatures of other ways of counting than the numbers are computed by: rows of two signatures
    never meet. Versions of libraries may differ.
    """
    findings = []
    for name, claimed in measurement.provenance.signatures.items():
        metric, of_repeats = metric_of(name), consistency(name)
        # What needs weights is signed by their settings, which only the run knows.
        if name not in measurement.numbers or (metric is not None and metric.check is not None):
            continue
        if of_repeats is not None:
            ours = [of_repeats.signature]
        elif metric is not None:
            ours = _signatures(name, metric, measurement, languages)
        else:
            continue
        if ours and _versionless(without_data(claimed)) not in map(_versionless, ours):
            findings.append(
                Finding(
                    measurement.task,
                    f"{name} signature",
                    f"{claimed:.80}",
                    f"{ours[0]:.80}",
                    "this is not how the number is counted",
                )
            )
    return findings


def _signatures(
    name: str, metric: Metric, measurement: Measurement, languages: tuple[str, ...]
) -> list[str]:
    _, language, norm = parts_of(name)
    spoken = [language] if language else sorted({*languages, *measurement.provenance.languages})
    signed = list(dict.fromkeys(metric.score([], [], one, None).signature for one in spoken))
    if measurement.about.has_replies or not metric.of_choice:
        return signed
    way = "per-character" if norm else "sum"
    return [f"{signature}|likelihood:{way}" for signature in signed]


def _versionless(signature: str) -> str:
    return re.sub(r"\d+(\.\d+)+\S*?(?=\||$)", "", signature)


def _deceiving(name: str) -> str:
    """Why a name may be taken for another one, "" where it cannot."""
    if name != name.strip() or any(unicodedata.category(sign) in ("Cf", "Cc") for sign in name):
        return "the name has signs that nobody sees, and looks like another one"
    for word in re.findall(r"[^\W\d_]+", name):
        scripts = {unicodedata.name(sign, "").partition(" ")[0] for sign in word} & LATIN_LIKE
        if len(scripts) > 1:
            return (
                f"the name mixes {' and '.join(sorted(scripts)).lower()} letters in one word, and"
                " looks like another one"
            )
    return ""
