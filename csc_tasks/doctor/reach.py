"""What can be fetched from here: the Hub and who we are there, the corpora of the settings, models.

All requests run side by side under one time limit, name resolution included, so that a machine
without a network answers quickly. Texts of errors are not shown: an address in them may hold a
password.
"""

import importlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from csc_tasks import corpora
from csc_tasks.compat.huggingface_hub import fetched_before
from csc_tasks.doctor import BROKEN, NOTE, OK, Finding
from csc_tasks.errors import CscError
from csc_tasks.hub import endpoint
from csc_tasks.languages import languages
from csc_tasks.metrics.learned import NAMES, default_model
from csc_tasks.metrics.needed import shown_size, usual_size
from csc_tasks.settings import Settings, read_settings

OFFLINE = "HF_HUB_OFFLINE is set"


def reach(models: Sequence[str], seconds: float) -> Iterator[Finding]:
    """The findings about the Hub, the corpora and the models; `models` are folders or Hub ids the
    user asks about.
    """
    try:
        settings = read_settings({})
    except CscError as error:
        yield Finding(BROKEN, "settings", str(error), "correct or unset the environment variable")
        settings = Settings()
    sets = {
        "csc_corpus": (settings.corpus, "csconv", settings.revision),
        "csc_qa_corpus": (settings.qa_corpus, "qa", settings.qa_revision),
    }
    remote = {
        key: _repository(name, revision)
        for key, (name, _, revision) in sets.items()
        if name != "demo" and not os.path.exists(os.path.expanduser(name))
    }
    asked = [name for name in models if not Path(name).expanduser().exists()]
    needed = sorted(
        name for name in metric_models(settings) if not Path(name).expanduser().exists()
    )
    answers = _answers(remote, {*asked, *needed}, seconds)
    yield from hub_findings(answers.get("hub"), seconds)
    for key, (name, config, _) in sets.items():
        if key in remote:
            yield _fetched(
                key,
                *remote[key],
                "dataset",
                answers.get(key),
                f"set {key.upper()} to demo or a folder",
            )
        else:
            yield _local(key, name, config, settings.bad_rows)
    for name in models:
        if name in asked:
            yield _fetched(
                "model",
                name,
                None,
                "model",
                answers.get(("model", name)),
                "check the name, or give a local folder",
            )
        else:
            yield _model_folder(name)
    yield _metric_models(needed, answers)


def _answers(
    datasets: Mapping[str, tuple[str, str | None]], models: Iterable[str], seconds: float
) -> Mapping[object, Any]:
    """What the Hub says of us ("hub"), of the datasets (by their key) and of the models (by
    ("model", name)); nothing where it may not be asked.
    """
    from huggingface_hub import HfApi, constants

    if constants.HF_HUB_OFFLINE:
        return {}
    api = HfApi()
    questions: dict[object, Callable[[], object]] = {"hub": lambda: _who(seconds)}
    questions |= {key: _question(api.dataset_info, *at, seconds) for key, at in datasets.items()}
    questions |= {
        ("model", name): _question(api.model_info, name, None, seconds) for name in models
    }
    return side_by_side(questions, seconds)


def _model_folder(name: str) -> Finding:
    if (Path(name).expanduser() / "config.json").is_file():
        return Finding(OK, "model", f"{name}: a folder here")
    return Finding(
        BROKEN,
        "model",
        f"{name}: no config.json in it",
        "give the folder that save_pretrained wrote",
    )


def _metric_models(needed: Sequence[str], answers: Mapping[object, Any]) -> Finding:
    """Where the models of the learned metrics are: here, on the Hub, or neither."""
    here = {name for name in needed if _is_here(name)}
    away = [
        name
        for name in needed
        if name not in here and not hasattr(answers.get(("model", name)), "sha")
    ]
    if away:
        advice = (
            "needed only by csc_metrics=all and the like; give local copies with csc_<metric>_model"
        )
        return Finding(
            NOTE,
            "metric models",
            f"neither here nor reachable: {', '.join(map(_sized, away))}",
            advice,
        )
    return Finding(OK, "metric models", f"{len(here)} here, {len(needed) - len(here)} on the Hub")


def _sized(model: str) -> str:
    size = usual_size(model)
    return f"{model} ({shown_size(size)})" if size else model


def metric_models(settings: Settings) -> set[str]:
    """The models that the learned metrics would load: for csc_language, or for the languages of the
    published corpora.
    """
    codes = [code for code, one in languages().items() if one.read_everywhere]
    if settings.language:
        codes = [settings.language]
    named = {
        getattr(settings, f"{name}_model") or default_model(name, code)
        for name in NAMES
        for code in codes
    }
    return {name for name in named if name}


def side_by_side(
    questions: Mapping[Any, Callable[[], object]], seconds: float
) -> dict[object, Any]:
    """Question -> what its function returned, or the exception it ended with; TimeoutError when
    `seconds` have passed.

    The threads are daemons: one that hangs in name resolution cannot hold up the end of the
    process.
    """
    answers: dict[object, object] = {}

    def answer(key: object, function: Callable[[], object]) -> None:
        try:
            answers[key] = function()
        except Exception as error:  # told apart by who reads the answer
            answers[key] = error

    threads = [
        threading.Thread(target=answer, args=question, daemon=True)
        for question in questions.items()
    ]
    for thread in threads:
        thread.start()
    end = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return {key: answers.get(key, TimeoutError()) for key in questions}


def hub_findings(answer: Any, seconds: float) -> Iterator[Finding]:
    """What the Hub's answer to "who am I" says about the way there and about the login; None where
    it was not asked.
    """
    from huggingface_hub import get_token

    token = get_token()
    origin = "HF_TOKEN" if os.environ.get("HF_TOKEN") else "`hf auth login`"
    if answer is None:
        yield Finding(NOTE, "hub", f"not asked: {OFFLINE}", "unset it to fetch or publish anything")
        yield Finding(
            NOTE, "hub login", f"a token from {origin}, not tried" if token else "no token"
        )
        return
    if isinstance(answer, UnicodeError):
        yield Finding(
            BROKEN,
            "hub login",
            f"the token from {origin} holds characters that no token has",
            "set it again",
        )
        return
    if isinstance(answer, Exception):
        why = type(answer).__name__
        if isinstance(answer, TimeoutError):
            why = f"no answer within {seconds:g} s"
        ways = (
            "check network, HTTPS_PROXY and HF_ENDPOINT; HF_HUB_OFFLINE=1 works with what is here"
        )
        yield Finding(BROKEN, "hub", f"{endpoint()} cannot be reached ({why})", ways)
        yield Finding(
            NOTE, "hub login", f"a token from {origin}, not tried" if token else "no token"
        )
        return
    status, who = answer
    if status >= 500:
        yield Finding(BROKEN, "hub", f"{endpoint()} answers {status}", "try again later")
        return
    yield Finding(OK, "hub", f"{endpoint()} answers")
    if status == 200:
        role = (who.get("auth") or {}).get("accessToken", {}).get("role")
        advice = "publishing needs a token with write access" if role == "read" else ""
        shown = f"{who.get('name')}, by a token from {origin}"
        if role:
            shown += f" with the role {role}"
        yield Finding(NOTE if advice else OK, "hub login", shown, advice)
    elif token:
        yield Finding(
            BROKEN,
            "hub login",
            f"the token from {origin} is refused ({status})",
            "hf auth login, or set HF_TOKEN again",
        )
    else:
        yield Finding(
            NOTE,
            "hub login",
            "no token: public data can be read, nothing published",
            "hf auth login, or set HF_TOKEN",
        )


def _who(seconds: float) -> tuple[int, dict[str, Any]]:
    from huggingface_hub import constants

    # Not declared as exported, and so without a type.
    utils: Any = importlib.import_module("huggingface_hub.utils")
    answer = utils.get_session().get(
        f"{constants.ENDPOINT}/api/whoami-v2", headers=utils.build_hf_headers(), timeout=seconds
    )
    return answer.status_code, answer.json() if answer.status_code == 200 else {}


def _question(
    ask: Callable[..., object], name: str, revision: str | None, seconds: float
) -> Callable[[], object]:
    return lambda: ask(name, revision=revision, timeout=seconds)


def _repository(name: str, revision: str | None) -> tuple[str, str | None]:
    repo, _, at = name.partition("@")
    return repo, revision or at or None


def _local(key: str, name: str, config: str, bad_rows: str) -> Finding:
    try:
        corpus = corpora.load(name, config, "test", bad_rows=bad_rows)
        return Finding(OK, key, corpus.summary())
    except CscError as error:
        return Finding(BROKEN, key, str(error), f"mend it, or set {key.upper()}")


def _fetched(
    subject: str, name: str, revision: str | None, kind: str, answer: Any, elsewhere: str
) -> Finding:
    """One finding about something of the Hub, from what model_info or dataset_info answered and
    from what was fetched before.
    """
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    if getattr(answer, "sha", None):
        if answer.gated:
            page = f"{endpoint()}/{'datasets/' if kind == 'dataset' else ''}{name}"
            return Finding(
                NOTE,
                subject,
                f"{name}@{answer.sha[:12]} is gated",
                f"accept its conditions at {page} and log in",
            )
        return Finding(OK, subject, f"{name}@{answer.sha[:12]} on the Hub")
    if isinstance(answer, GatedRepoError):
        return Finding(
            BROKEN, subject, f"{name} is gated", "accept its conditions on its page and log in"
        )
    if isinstance(answer, RepositoryNotFoundError):
        return Finding(BROKEN, subject, f"the Hub has no {kind} {name} that we may read", elsewhere)
    if isinstance(answer, RevisionNotFoundError):
        return Finding(
            BROKEN,
            subject,
            f"{name} has no revision {revision!r}",
            "give a commit, tag or branch of it",
        )
    try:
        commit = _cached(name, revision, kind)
    except HFValidationError:
        return Finding(BROKEN, subject, f"{name}: no such folder here, and no Hub id", elsewhere)
    if commit:
        return Finding(OK, subject, f"{name}@{commit[:12]}, fetched before")
    if answer is None:
        return Finding(
            NOTE, subject, f"{name} is not here and was not asked for: {OFFLINE}", elsewhere
        )
    why = (
        f"the Hub answers {answer.response.status_code}"
        if isinstance(answer, HfHubHTTPError)
        else "cannot be reached"
    )
    return Finding(BROKEN, subject, f"{name} is not here and {why}", elsewhere)


def _cached(name: str, revision: str | None, kind: str) -> str | None:
    """The commit of which something lies in the local cache; raises HFValidationError for what
    cannot be a Hub id.
    """
    folder = fetched_before(name, kind, revision)
    return folder.name if folder else None


def _is_here(model: str) -> bool:
    from huggingface_hub.errors import HFValidationError

    try:
        return _cached(model, None, "model") is not None
    except HFValidationError:
        return False
