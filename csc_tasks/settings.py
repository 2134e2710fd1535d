"""Run-time settings of the tasks: `csc_` keys of lm_eval's `--metadata`, each with an environment
variable of the same name in capitals.

`lm_eval --metadata '{"csc_corpus": "demo"}'` and `CSC_CORPUS=demo lm_eval ...` say the same; the
command line wins.
"""

import difflib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
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
from csc_tasks.setting_kinds import (
    ANY_TEXT,
    SHARE,
    Checked,
    Choice,
    Listed,
    Names,
    Number,
    Text,
    TokenPrice,
    WholeNumber,
)

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


def setting(default: Any, meaning: str, kind: Text = ANY_TEXT) -> Any:
    """A field of Settings: what it is without a word of the user's, what it takes, in words, and
    which values it can have.
    """
    return field(default=default, metadata={"meaning": meaning, "kind": kind})


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run can choose. A field `x` is the key `csc_x` and the variable `CSC_X`.

    Raises SettingError for a value that a setting cannot have.
    """

    corpus: str = setting(PUBLISHED_CORPUS, "conversations: `demo`, a folder, a file or a Hub id")
    qa_corpus: str = setting(PUBLISHED_QA_CORPUS, "questions: `demo`, a folder, a file or a Hub id")
    revision: str | None = setting(None, "commit, tag or branch of a Hub `csc_corpus`")
    qa_revision: str | None = setting(None, "commit, tag or branch of a Hub `csc_qa_corpus`")
    bad_rows: str = setting(
        BAD_ROWS[0],
        "rows of the corpus that cannot be read: `error` (the run stops and names them) or `drop`"
        " (they are left out, named and counted in the results)",
        Choice(BAD_ROWS),
    )
    metrics: str = setting(
        "overlap", "`overlap`, `all`, or a comma-separated list of metric names", Listed()
    )
    prompt: str = setting(
        "single",
        "`single` (one prompt, as in the paper) or `chat` (system message, then the turns as"
        " messages)",
        Choice(STYLES),
    )
    format: str = setting(
        TEXT,
        "how supporter turns name their strategy: `text` (`[Strategy] reply`, as in the paper) or"
        " `json` (a JSON object; API servers are sent its schema)",
        Choice(FORMS),
    )
    strategies: str = setting(
        ONE,
        "how many strategies a reply may name: `one` (as in the paper) or `several` (one or more,"
        " in order: `[Strategy + Strategy] reply`; the first counts as the strategy)",
        Choice((ONE, SEVERAL)),
    )
    reask: int = setting(
        0,
        "1: a reply whose strategy cannot be read is asked for once more, with the reply and the"
        " format repeated; the second one stands, and how many turns it was is counted",
        WholeNumber(0, most=1),
    )
    language: str | None = setting(
        None,
        "keep only the conversations of this language, such as `zh` or `en`",
        Choice(languages),
    )
    subset: int | None = setting(
        None,
        "the first N documents in the corpus's fixed order: an official, comparable subset",
        WholeNumber(1),
    )
    turns: tuple[str, ...] | None = setting(
        None,
        "ask only these turns, `CONVERSATION/TURN` separated by commas, as `csc verify --rerun`"
        " does; such a run is no measurement",
        Names(),
    )
    repeats: int = setting(
        1,
        "how often every turn or question is asked, each time with a seed of its own (in generated"
        " context: how often every conversation is played); more than once needs sampled replies",
        WholeNumber(1),
    )
    qa_variant: str | None = setting(None, "summaries of the config `qa_<name>` in place of `qa`")
    qa_reference: str = setting(
        REFERENCES[0], "`refined_agent_answer` or `agent_answer`", Choice(REFERENCES)
    )
    evidence: str | None = setting(
        None,
        "passages that support facts in answers, and that `cscx_qa_grounded` shows: a file (`csc"
        " build passages` writes one), a folder of policies, or `demo`",
    )
    passages: int | None = setting(
        None,
        "passages shown with a question, at most; without it 3 of a folder and all of a file",
        WholeNumber(1),
    )
    play: str = setting(
        PLAYS[0],
        "`auto` (what a conversation's prompts have in common is computed once, where the backend"
        " allows it) or `plain`",
        Choice(PLAYS),
    )
    window: int = setting(
        256,
        "conversations that a backend with a prefix cache of its own is given at a time",
        WholeNumber(1),
    )
    date: str = setting(
        DATE,
        "what chat templates that print today's date are given for it; it never moves by itself",
        Checked(iso_date),
    )
    max_failed: float = setting(
        0.02,
        "share of turns that may fail (no answer from the server) before the run stops; they are"
        " scored as wrong",
        SHARE,
    )
    think_tokens: int | None = setting(
        None,
        "tokens for thinking aloud in addition to `max_gen_toks`; without it thinking is switched"
        " off where the chat template can do that, and models that think all the same get 2048; 0:"
        " none",
        WholeNumber(0),
    )
    price: Price | None = setting(
        None,
        "`IN,OUT`: what a million tokens of prompts and of replies cost, as in `--price 0.15,0.60`;"
        " the cost of every turn is recorded beside its tokens",
        TokenPrice(),
    )
    customer: str = setting(
        RECORDED,
        "who plays the customer of `cscx_conv_live`: `recorded` (the turns of the recorded one, no"
        " model), `scripted` (by rule from its brief), `openai:MODEL` (any OpenAI-compatible"
        " server) or `same` (the server of the evaluated model)",
        Checked(check_customer),
    )
    customer_url: str | None = setting(
        None,
        "server of `csc_customer=openai:MODEL`, with its /v1 (default: OPENAI_BASE_URL, else"
        " OpenAI's); the key is OPENAI_API_KEY",
    )
    customer_journal: str = setting(
        JOURNAL,
        "where every request to the customer's model is recorded and read again, so that a run that"
        f" stopped goes on (default: `{JOURNAL}` in the current folder)",
    )
    customer_temperature: float = setting(0.7, "of the customer's model", Number())
    customer_seed: int = setting(
        0, "what the seeds of the customer's requests are drawn from", WholeNumber(0)
    )
    customer_price: str | None = setting(
        None, "price of a million tokens in and out of the customer's model: `0.15,0.60`"
    )
    customer_max_requests: int | None = setting(
        None,
        "stop after so many requests to the customer's model, earlier runs in the journal included",
        WholeNumber(1),
    )
    customer_max_cost: float | None = setting(
        None, "stop when the customer's model has cost so much; needs `customer_price`", Number()
    )
    max_turns: int = setting(
        20, "the most turns that the model has in a live conversation", WholeNumber(1)
    )
    metric_device: str | None = setting(
        None,
        "where learned metrics run: `cpu`, `cuda`, `cuda:1`; without it the GPU if there is one",
    )
    metric_batch_size: int = setting(
        32, "texts in one forward pass of a learned metric; moves no score", WholeNumber(1)
    )
    bertscore_model: str | None = setting(
        None, "Hub id or folder of BERTScore's model; `bertscore_layer` goes with it"
    )
    bertscore_layer: int | None = setting(
        None,
        "layer of BERTScore's model, from 1; without it the one bert-score uses for the model",
        WholeNumber(1),
    )
    bleurt_model: str | None = setting(None, "Hub id or folder of BLEURT's model")
    bartscore_model: str | None = setting(
        None, "Hub id or folder of BARTScore's model; needed for every language but English"
    )
    cosine_model: str | None = setting(None, "Hub id or folder of the sentence-embedding model")

    def __post_init__(self) -> None:
        # Languages of the user's own are read, and refused, whichever is chosen.
        languages()
        for one in fields(self):
            value = getattr(self, one.name)
            if value is not None or one.default is not None:
                with _named(one.name, value):
                    one.metadata["kind"].check(value)

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


HELP = {one.name: one.metadata["meaning"] for one in fields(Settings)}
"""Setting -> what it takes, for the reference page."""


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
    for one in fields(Settings):
        name = one.name
        value = metadata.get(f"csc_{name}", environ.get(f"CSC_{name.upper()}"))
        if value is None or value == "":
            continue
        with _named(name, value):
            chosen[name] = one.metadata["kind"].read(value)
    return Settings(**chosen)


@contextmanager
def _named(name: str, value: object) -> Iterator[None]:
    """What a kind refuses, as an error that names the setting and what was given."""
    try:
        yield
    except ValueError as problem:
        raise SettingError(f"csc_{name}={value!r}: {problem}") from None


def _known(name: str, known: list[str]) -> str:
    """The end of an error about an unknown name: the closest one and all there are."""
    closest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
    return f"(closest: {closest}); known: {', '.join(known)}"
