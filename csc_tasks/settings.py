"""Run-time settings of the tasks: `csc_` keys of lm_eval's `--metadata`, each with an environment
variable of the same name in capitals.

`lm_eval --metadata '{"csc_corpus": "demo"}'` and `CSC_CORPUS=demo lm_eval ...` say the same; the
command line wins.
"""

import difflib
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from csc_tasks.corpora.bad_rows import BAD_ROWS
from csc_tasks.errors import SettingError
from csc_tasks.languages import languages
from csc_tasks.live.customers import RECORDED, CustomerSettings, check_customer
from csc_tasks.live.customers.settings import JOURNAL
from csc_tasks.metrics import LearnedSettings
from csc_tasks.price import Price
from csc_tasks.prompts import DATE, FORMS, ONE, SEVERAL, TEXT, iso_date
from csc_tasks.question import REFERENCES

STYLES = ("single", "chat")
PLAYS = ("auto", "plain")
PUBLISHED_CORPUS = "DianJin/DianJin-CSC-Data"
PUBLISHED_QA_CORPUS = "Lakshan2003/customer-support-client-agent-conversations"


@dataclass(frozen=True, slots=True)
class PlaySettings:
    """The part of a run's settings that every request carries: how it is played.

    play: "auto" or "plain". window: conversations that a backend with a prefix cache of its own is
    given at a time. date: today for chat templates (YYYY-MM-DD). max_failed: share of the turns, 0
    to 1, that may fail. think_tokens: tokens for thinking; None: decided for each model. reask: how
    often a reply without a readable strategy is asked for again.
    """

    play: str = PLAYS[0]
    window: int = 256
    date: str = DATE
    max_failed: float = 0.02
    think_tokens: int | None = None
    reask: int = 0


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run can choose. A field `x` is the key `csc_x` and the variable `CSC_X`."""

    corpus: str = PUBLISHED_CORPUS
    qa_corpus: str = PUBLISHED_QA_CORPUS
    revision: str | None = None
    qa_revision: str | None = None
    bad_rows: str = BAD_ROWS[0]
    metrics: str = "overlap"
    prompt: str = "single"
    format: str = TEXT
    strategies: str = ONE
    reask: int = 0
    language: str | None = None
    subset: int | None = None
    turns: tuple[str, ...] | None = None
    repeats: int = 1
    qa_variant: str | None = None
    qa_reference: str = REFERENCES[0]
    evidence: str | None = None
    passages: int | None = None
    play: str = PLAYS[0]
    window: int = 256
    date: str = DATE
    max_failed: float = 0.02
    think_tokens: int | None = None
    price: Price | None = None
    customer: str = RECORDED
    customer_url: str | None = None
    customer_journal: str = JOURNAL
    customer_temperature: float = 0.7
    customer_seed: int = 0
    customer_price: str | None = None
    customer_max_requests: int | None = None
    customer_max_cost: float | None = None
    max_turns: int = 20
    metric_device: str | None = None
    metric_batch_size: int = 32
    bertscore_model: str | None = None
    bertscore_layer: int | None = None
    bleurt_model: str | None = None
    bartscore_model: str | None = None
    cosine_model: str | None = None

    def __post_init__(self) -> None:
        for name, allowed in (
            ("prompt", STYLES),
            ("format", FORMS),
            ("strategies", (ONE, SEVERAL)),
            ("language", (None, *languages())),
            ("qa_reference", REFERENCES),
            ("play", PLAYS),
            ("bad_rows", BAD_ROWS),
        ):
            if getattr(self, name) not in allowed:
                choices = ", ".join(value for value in allowed if value)
                raise SettingError(f"csc_{name}={getattr(self, name)!r}: choose one of {choices}")
        try:
            iso_date(self.date)
        except ValueError as error:
            raise SettingError(f"csc_date={self.date!r}: {error}") from None
        for name, least in WHOLE_NUMBERS.items():
            if getattr(self, name) is not None and getattr(self, name) < least:
                raise SettingError(
                    f"csc_{name}={getattr(self, name)!r}: must be a whole number of at least"
                    f" {least}"
                )

        check_customer(self.customer)
        for name in ("customer_temperature", "customer_max_cost"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < math.inf:
                raise SettingError(f"csc_{name}={value!r}: must be a number of at least 0")
        if self.reask > 1:
            raise SettingError(f"csc_reask={self.reask!r}: must be 0, or 1: once more")
        if not 0 <= self.max_failed <= 1:
            raise SettingError(
                f"csc_max_failed={self.max_failed!r}: must be a share from 0 to 1, as in 0.02"
            )

    def playing(self) -> PlaySettings:
        """What of this every request carries."""
        return PlaySettings(
            self.play, self.window, self.date, self.max_failed, self.think_tokens, self.reask
        )

    def live_customer(self) -> CustomerSettings:
        """What of this says who plays the customer of live conversations."""
        return CustomerSettings(
            self.customer,
            self.customer_url,
            self.customer_journal,
            self.customer_temperature,
            self.customer_seed,
            self.customer_max_requests,
            self.customer_max_cost,
            self.customer_price,
        )

    def learned(self) -> LearnedSettings:
        """What of this the learned metrics need."""
        return LearnedSettings(
            self.bertscore_model,
            self.bertscore_layer,
            self.bleurt_model,
            self.bartscore_model,
            self.cosine_model,
            self.metric_device,
            self.metric_batch_size,
        )


WHOLE_NUMBERS = {
    "subset": 1,
    "repeats": 1,
    "reask": 0,
    "passages": 1,
    "window": 1,
    "think_tokens": 0,
    "customer_seed": 0,
    "customer_max_requests": 1,
    "max_turns": 1,
    "metric_batch_size": 1,
    "bertscore_layer": 1,
}
"""Settings that are whole numbers, each with its least value."""


HELP = {
    "corpus": "conversations: `demo`, a folder, a file or a Hub id",
    "qa_corpus": "questions: `demo`, a folder, a file or a Hub id",
    "revision": "commit, tag or branch of a Hub `csc_corpus`",
    "qa_revision": "commit, tag or branch of a Hub `csc_qa_corpus`",
    "bad_rows": (
        "rows of the corpus that cannot be read: `error` (the run stops and names them) or `drop`"
        " (they are left out, named and counted in the results)"
    ),
    "metrics": "`overlap`, `all`, or a comma-separated list of metric names",
    "prompt": (
        "`single` (one prompt, as in the paper) or `chat` (system message, then the turns as"
        " messages)"
    ),
    "format": (
        "how supporter turns name their strategy: `text` (`[Strategy] reply`, as in the paper) or"
        " `json` (a JSON object; API servers are sent its schema)"
    ),
    "strategies": (
        "how many strategies a reply may name: `one` (as in the paper) or `several` (one or more,"
        " in order: `[Strategy + Strategy] reply`; the first counts as the strategy)"
    ),
    "reask": (
        "1: a reply whose strategy cannot be read is asked for once more, with the reply and the"
        " format repeated; the second one stands, and how many turns it was is counted"
    ),
    "language": "keep only the conversations of this language, such as `zh` or `en`",
    "subset": "the first N documents in the corpus's fixed order: an official, comparable subset",
    "turns": (
        "ask only these turns, `CONVERSATION/TURN` separated by commas, as `csc verify --rerun`"
        " does; such a run is no measurement"
    ),
    "repeats": (
        "how often every turn or question is asked, each time with a seed of its own (in generated"
        " context: how often every conversation is played); more than once needs sampled replies"
    ),
    "qa_variant": "summaries of the config `qa_<name>` in place of `qa`",
    "qa_reference": "`refined_agent_answer` or `agent_answer`",
    "evidence": (
        "passages that support facts in answers, and that `cscx_qa_grounded` shows: a file (`csc"
        " build passages` writes one), a folder of policies, or `demo`"
    ),
    "passages": (
        "passages shown with a question, at most; without it 3 of a folder and all of a file"
    ),
    "play": (
        "`auto` (what a conversation's prompts have in common is computed once, where the backend"
        " allows it) or `plain`"
    ),
    "window": "conversations that a backend with a prefix cache of its own is given at a time",
    "date": (
        "what chat templates that print today's date are given for it; it never moves by itself"
    ),
    "max_failed": (
        "share of turns that may fail (no answer from the server) before the run stops; they are"
        " scored as wrong"
    ),
    "think_tokens": (
        "tokens for thinking aloud in addition to `max_gen_toks`; without it thinking is switched"
        " off where the chat template can do that, and models that think all the same get 2048; 0:"
        " none"
    ),
    "price": (
        "`IN,OUT`: what a million tokens of prompts and of replies cost, as in `--price 0.15,0.60`;"
        " the cost of every turn is recorded beside its tokens"
    ),
    "customer": (
        "who plays the customer of `cscx_conv_live`: `recorded` (the turns of the recorded one, no"
        " model), `scripted` (by rule from its brief), `openai:MODEL` (any OpenAI-compatible"
        " server) or `same` (the server of the evaluated model)"
    ),
    "customer_url": (
        "server of `csc_customer=openai:MODEL`, with its /v1 (default: OPENAI_BASE_URL, else"
        " OpenAI's); the key is OPENAI_API_KEY"
    ),
    "customer_journal": (
        "where every request to the customer's model is recorded and read again, so that a run that"
        f" stopped goes on (default: `{JOURNAL}` in the current folder)"
    ),
    "customer_temperature": "of the customer's model",
    "customer_seed": "what the seeds of the customer's requests are drawn from",
    "customer_price": "price of a million tokens in and out of the customer's model: `0.15,0.60`",
    "customer_max_requests": (
        "stop after so many requests to the customer's model, earlier runs in the journal included"
    ),
    "customer_max_cost": "stop when the customer's model has cost so much; needs `customer_price`",
    "max_turns": "the most turns that the model has in a live conversation",
    "metric_device": (
        "where learned metrics run: `cpu`, `cuda`, `cuda:1`; without it the GPU if there is one"
    ),
    "metric_batch_size": "texts in one forward pass of a learned metric; moves no score",
    "bertscore_model": "Hub id or folder of BERTScore's model; `bertscore_layer` goes with it",
    "bertscore_layer": (
        "layer of BERTScore's model, from 1; without it the one bert-score uses for the model"
    ),
    "bleurt_model": "Hub id or folder of BLEURT's model",
    "bartscore_model": (
        "Hub id or folder of BARTScore's model; needed for every language but English"
    ),
    "cosine_model": "Hub id or folder of the sentence-embedding model",
}


OTHER_VARIABLES = {
    "CSC_TASKS_AUTOLOAD",  # the start-up hook: docs/start-up-hook.md
    "CSC_QUIET",  # what every csc verb says: telling.py
    "CSC_LANGUAGES",  # folders of languages of one's own: docs/languages.md
    "CSC_SHARED_DATA",  # the folder of raw corpora that tests read
    "CSC_TESTS_HF_HOME",  # the cache of one test run
    # electron-builder signs code with these; they may stand in the environment of any build machine
    "CSC_LINK",
    "CSC_NAME",
    "CSC_KEYCHAIN",
    "CSC_KEY_PASSWORD",
    "CSC_INSTALLER_LINK",
    "CSC_INSTALLER_KEY_PASSWORD",
    "CSC_IDENTITY_AUTO_DISCOVERY",
    "CSC_FOR_PULL_REQUEST",
}
"""Variables that begin with CSC_ and are no settings; any other is refused like an unknown key."""


def read_settings(metadata: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings from lm_eval's metadata and the environment.

    Keys without the `csc_` prefix belong to others and are ignored. Raises SettingError for an
    unknown `csc_` key, an unknown `CSC_` variable (an empty one counts as unset) or a bad value.
    """
    known = [f"csc_{field.name}" for field in fields(Settings)]
    unknown = [key for key in metadata if key.startswith("csc_") and key not in known]
    if unknown:
        raise SettingError(f"unknown setting {unknown[0]!r} {_known(unknown[0], known)}")
    variables = [name.upper() for name in known]
    ours = {name for name, value in environ.items() if name.startswith("CSC_") and value}
    unknown = sorted(ours - set(variables) - OTHER_VARIABLES)
    if unknown:
        choices = _known(unknown[0], variables)
        raise SettingError(
            f"unknown environment variable {unknown[0]!r}: rename or unset it {choices}"
        )
    chosen: dict[str, Any] = {}
    for name in (key.removeprefix("csc_") for key in known):
        value = metadata.get(f"csc_{name}", environ.get(f"CSC_{name.upper()}"))
        if value is None or value == "":
            continue
        if name == "metrics" and isinstance(value, list | tuple):
            value = ",".join(map(str, value))
        chosen[name] = _READ.get(name, _text)(name, value)
    return Settings(**chosen)


def _known(name: str, known: list[str]) -> str:
    """The end of an error about an unknown name: the closest one and all there are."""
    closest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
    return f"(closest: {closest}); known: {', '.join(known)}"


def _whole_number(name: str, value: Any) -> int:
    """5, "5" and 5.0; never true, and never the whole part of a fraction."""
    try:
        number = int(value)
        if isinstance(value, bool) or (not isinstance(value, str) and number != value):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise SettingError(
            f"csc_{name}={value!r}: must be a whole number of at least {WHOLE_NUMBERS[name]}"
        ) from None
    return number


def _share(name: str, value: Any) -> float:
    """0.02 and "0.02"; never true."""
    try:
        if isinstance(value, bool):
            raise ValueError
        return float(value)
    except (TypeError, ValueError):
        raise SettingError(
            f"csc_{name}={value!r}: must be a share from 0 to 1, as in 0.02"
        ) from None


def _number(name: str, value: Any) -> float:
    """0.7 and "0.7"; never true."""
    try:
        if isinstance(value, bool):
            raise ValueError
        return float(value)
    except (TypeError, ValueError):
        raise SettingError(f"csc_{name}={value!r}: must be a number of at least 0") from None


def _names(name: str, value: object) -> tuple[str, ...]:
    """A list, or text with commas."""
    given = value.split(",") if isinstance(value, str) else value
    if not isinstance(given, list | tuple) or not all(isinstance(part, str) for part in given):
        raise SettingError(f"csc_{name}={value!r}: must be a list of names, as in a/3,b/1")
    return tuple(part.strip() for part in given if part.strip())


def _price(name: str, value: object) -> Price:
    """`0.15,0.60`, or a list of two numbers."""
    text = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    try:
        return Price.parse(text)
    except SettingError as error:
        raise SettingError(f"csc_{name}: {error}") from None


def _text(name: str, value: object) -> str:
    return str(value)


_READ: dict[str, Callable[[str, Any], object]] = {
    **dict.fromkeys(WHOLE_NUMBERS, _whole_number),
    "max_failed": _share,
    "customer_temperature": _number,
    "customer_max_cost": _number,
    "turns": _names,
    "price": _price,
}
