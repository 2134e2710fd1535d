"""Which models metrics need, how large they are, and whether they are here or can be fetched: known
before the first of them is loaded.
"""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from csc_tasks.compat.huggingface_hub import fetched_before, no_connection
from csc_tasks.errors import ModelError
from csc_tasks.metrics.learned import DEFAULTS, NAMES, LearnedSettings, default_model
from csc_tasks.metrics.metric import Metric

SECONDS = 10.0
"""So long the Hub may take to say whether it has a model."""

# Millions of parameters of the defaults, as their papers and pages give them: what a machine
# without a network can say of their size (4 bytes each).
_MILLIONS = {
    "bert-base-chinese": 102,
    "bert-base-multilingual-cased": 178,
    "roberta-large": 355,
    "lucadiliello/BLEURT-20": 579,
    "facebook/bart-large-cnn": 406,
    "sentence-transformers/all-mpnet-base-v2": 109,
    "sentence-transformers/paraphrase-multilingual-mpnet-base-v2": 278,
}
_WEIGHTS = (".safetensors", ".bin")


@dataclass(frozen=True, slots=True)
class Needed:
    """A model that metrics need. uses: "bertscore zh"; size: bytes of its weights, None where
    nobody knows; where: "here", "on the Hub" or "" for nowhere, with why.
    """

    model: str
    uses: tuple[str, ...]
    size: int | None = None
    where: str = ""
    why: str = ""

    def line(self) -> str:
        """What it is, in words."""
        place = self.where or self.why
        return f"{self.model} ({', '.join(self.uses)}; {shown_size(self.size)}, {place})"


def shown_size(size: int | None) -> str:
    """Bytes as people read them."""
    return "size unknown" if size is None else f"{size / 1e9:.1f} GB"


def usual_size(model: str) -> int | None:
    """About how many bytes the weights of a default model have; None for any other."""
    millions = _MILLIONS.get(model)
    return None if millions is None else millions * 4_000_000


def needed(
    metrics: Iterable[str], languages: Sequence[str], settings: LearnedSettings | None = None
) -> list[Needed]:
    """The models of these metrics in these languages, each once, in the order of the metrics; not
    yet looked for. A metric without a model in a language is left to its own check.
    """
    settings = settings or DEFAULTS
    uses: dict[str, dict[str, None]] = {}
    for name in (name for name in NAMES if any(one.startswith(name) for one in metrics)):
        for language in languages:
            model = getattr(settings, f"{name}_model") or default_model(name, language)
            if model:
                uses.setdefault(model, {})[f"{name} {language}"] = None
    return [Needed(model, tuple(names)) for model, names in uses.items()]


def located(models: Sequence[Needed]) -> list[Needed]:
    """The same, each looked for: in its folder, among what was fetched before, on the Hub (all at
    once, and not where HF_HUB_OFFLINE is set).
    """
    if not models:
        return []
    with ThreadPoolExecutor(len(models)) as pool:
        return list(pool.map(_located, models))


def _located(one: Needed) -> Needed:
    from huggingface_hub import constants
    from huggingface_hub.errors import HFValidationError

    folder = Path(os.path.expanduser(one.model))
    try:
        here = folder if folder.exists() else fetched_before(one.model, "model", None)
        if here is not None:
            sizes = ((path.name, path.stat().st_size) for path in here.iterdir() if path.is_file())
            return Needed(one.model, one.uses, _weights(sizes), "here")
    except HFValidationError:
        return _nowhere(one, "no such folder, and no Hub id")
    except OSError as error:
        return _nowhere(one, f"here, but it cannot be read ({error.strerror or error})")
    if constants.HF_HUB_OFFLINE:
        return _nowhere(one, "not here, and HF_HUB_OFFLINE is set")
    return _on_hub(one)


def _on_hub(one: Needed) -> Needed:
    """The same as the Hub tells it, also whether this token may fetch it."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

    api = HfApi()
    try:
        info = api.model_info(one.model, files_metadata=True, timeout=SECONDS)
        if info.gated:
            # Everybody may read of it, but not fetch it.
            api.auth_check(one.model)
    except GatedRepoError:
        return _nowhere(one, "gated: accept its conditions on its page and set HF_TOKEN")
    except RepositoryNotFoundError:
        return _nowhere(one, "not here, and the Hub has no such model that this token may read")
    except HfHubHTTPError as error:
        return _nowhere(one, f"not here, and the Hub answers {error.response.status_code}")
    except no_connection() as error:
        return _nowhere(one, f"not here, and the Hub cannot be reached ({type(error).__name__})")
    except ValueError:
        return _nowhere(one, "not here, and what answers for the Hub is something else")
    files = ((file.rfilename, file.size or 0) for file in info.siblings or ())
    return Needed(one.model, one.uses, _weights(files) or usual_size(one.model), "on the Hub")


def _nowhere(one: Needed, why: str) -> Needed:
    return Needed(one.model, one.uses, usual_size(one.model), "", why)


def _weights(files: Iterable[tuple[str, int]]) -> int | None:
    """Bytes of the weights among (name, size): of one form where a model has several."""
    by_form: dict[str, int] = {}
    for name, size in files:
        form = os.path.splitext(name)[1]
        if form in _WEIGHTS and "/" not in name:
            by_form[form] = by_form.get(form, 0) + size
    return next((by_form[form] for form in _WEIGHTS if form in by_form), None)


def check_there(
    metrics: Sequence[Metric], languages: Sequence[str], settings: LearnedSettings | None = None
) -> list[Needed]:
    """The models that the metrics need, each here or to be fetched.

    Raises ModelError that names all that are neither, before any is loaded.
    """
    models = located(needed([metric.name for metric in metrics], languages, settings))
    missing = [one for one in models if not one.where]
    if missing:
        raise ModelError(
            f"the metrics need {len(models)} models, and {len(missing)} of them cannot be had:"
            f" {'; '.join(one.line() for one in missing)}; choose other metrics with csc_metrics"
            " (overlap needs none), or give folders of local copies with"
            f" {', '.join(_keys(missing))}"
        )
    return models


def _keys(models: Iterable[Needed]) -> list[str]:
    return sorted({f"csc_{use.split()[0]}_model" for one in models for use in one.uses})
