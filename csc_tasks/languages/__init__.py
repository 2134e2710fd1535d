"""Languages as data: `languages/<code>/language.yaml` (names, text, metrics), `prompts.yaml`
(wording of every prompt) and `asking.yaml` (what is said to other models about their replies).

Adding a language adds a folder and touches no Python file. Folders of your own are read too, from
the directories that the environment variable CSC_LANGUAGES names (separated as PATH is); what they
hold is always a draft.

A released language may be ranked. A draft works like any other, but its results say so and are not
ranked until a native speaker who knows customer support has read its wording.
"""

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from csc_tasks.errors import DataError, SettingError
from csc_tasks.framework import STAGES, STRATEGY_IDS, TOPICS

SHIPPED = Path(__file__).resolve().parent
OWN_FOLDERS = "CSC_LANGUAGES"
# The parser in C is ten times as fast, where PyYAML was built with it.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_FILES = {"words": "prompts.yaml", "asking": "asking.yaml"}
"""Keys of a Language that have a file of their own."""


class _Part(BaseModel):
    """What every part of a language file has in common: no unknown key, no change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_min_length=1)


class Named(_Part):
    """A strategy's name and its definition, one sentence."""

    name: str
    definition: str


class Speakers(_Part):
    """What the two sides are called where a person reads about them."""

    customer: str
    supporter: str


class Text(_Part):
    """How text is written.

    spaced: words are separated by spaces, so that texts are joined with one and lengths are counted
    in words (else in characters).
    colon: what stands between a speaker's name and the words. letters: the language's own letters,
    as the inside of a regular expression's [...].
    """

    spaced: bool
    colon: str
    letters: str


class Scoring(_Part):
    """What the metrics do with the language; every choice stands in the metrics' signatures.

    tokens: what ROUGE-L compares: "characters" (scripts without spaces), "words" (lower-cased runs
    of letters and digits) or "rouge_score" (that library's own English rule). bleu: sacrebleu
    tokenizers, the first whose library is installed. meteor: "wordnet" (English), "stem:NAME"
    (words, with that Snowball stemmer of nltk) or "characters". bertscore, bleurt, bartscore,
    cosine: Hub ids of the default models; None where a user has to name one. bartscore_codes: what
    multilingual models call the language.
    """

    tokens: Literal["characters", "words", "rouge_score"]
    bleu: tuple[str, ...] = Field(min_length=1)
    meteor: str = Field(pattern=r"^(wordnet|characters|stem:[a-z]+)$")
    bertscore: str | None = None
    bleurt: str | None = None
    bartscore: str | None = None
    bartscore_codes: tuple[str, ...] = ()
    cosine: str | None = None


class Wording(_Part):
    """The wording of every prompt; `prompts/render.py` puts it together. A changed word is a
    changed task: the version moves with it.

    FORMAT_JSON, FORMAT_SEVERAL, ASK_AGAIN and those that begin with it are what csc_format=json,
    csc_strategies=several and csc_reask=1 need; a folder may leave them out, and goes without.
    """

    TASK: str
    TASK_WITHOUT_STRATEGY: str
    TASK_GIVEN_STRATEGY: str
    STRATEGIES: str
    STRATEGY: str
    FORMAT: str
    FORMAT_JSON: str | None = None
    FORMAT_SEVERAL: str | None = None
    FORMAT_WITHOUT_STRATEGY: str
    HISTORY: str
    CUSTOMER: str
    SUPPORTER: str
    TAIL: str
    TAIL_GIVEN_STRATEGY: str
    GIVEN_STRATEGY: str
    TAGGED: str
    OPENING: str
    EARLIER: str
    CONTINUE: str
    NO_REPLY: str
    ASK_AGAIN: str | None = None
    ASK_AGAIN_JSON: str | None = None
    ASK_AGAIN_SEVERAL: str | None = None
    QA_INSTRUCTION: str
    QA_SUMMARY: str
    QA_HISTORY: str
    QA_NOTHING: str
    QA_PASSAGES: str
    QA_PASSAGE: str
    QA_QUESTION: str
    QA_TAIL: str


class Asking(_Part):
    """What is said to a model whose reply cannot be used, and what gives away a text that nobody
    should take.

    repair: with a `${problem}`. shorter: is added where the reply was cut. refusals: regular
    expressions of a model that declines as a model (not of a supporter who cannot do something),
    looked for without regard to case. The words that placeholders in brackets are made of, as
    [Your Name]: things (one of them at least), owners, and those `addressed` to whoever fills it
    in. second_person: regular expressions, likewise, of words that speak to the reader, as "you".
    """

    repair: str = Field(pattern=r"\$\{problem\}")
    shorter: str
    refusals: tuple[str, ...]
    addressed: tuple[str, ...]
    owners: tuple[str, ...]
    things: tuple[str, ...]
    second_person: tuple[str, ...] = ()


class Language(_Part):
    """One language. `strategies`, `stages` and `topics` are keyed by the framework's ids (a topic's
    id is its English name).

    asking: None where its folder has no asking.yaml; models are then told in English.
    read_everywhere: its strategy names are read in replies of every language, because the papers'
    data use them. order: languages with a lower number come first wherever several are listed.
    """

    code: str
    name: str
    native: str
    status: Literal["released", "draft"]
    read_everywhere: bool = False
    order: int = 100
    speakers: Speakers
    stages: dict[str, str]
    strategies: dict[str, Named]
    topics: dict[str, str]
    text: Text
    metrics: Scoring
    words: Wording
    asking: Asking | None = None

    @property
    def draft(self) -> bool:
        """Whether results in this language are shown as a draft and not ranked."""
        return self.status == "draft"


def read(folder: Path) -> Language:
    """The language in one folder.

    Raises DataError that names the file and the first key that is missing, unknown or of the wrong
    kind.
    """
    values = _yaml(folder / "language.yaml") | {
        "code": folder.name,
        "words": _yaml(folder / "prompts.yaml"),
    }
    if (folder / "asking.yaml").exists():
        values["asking"] = _yaml(folder / "asking.yaml")
    try:
        language = Language.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = [str(part) for part in first["loc"]]
        file = _FILES.get(place[0], "language.yaml") if place else "language.yaml"
        key = ".".join(place if file == "language.yaml" else place[1:])
        raise DataError(f"{folder / file}: {key}: {first['msg']}") from None
    for kind, ids in (
        ("stages", tuple(stage.id for stage in STAGES)),
        ("strategies", STRATEGY_IDS),
        ("topics", TOPICS),
    ):
        missing = [id_ for id_ in ids if id_ not in getattr(language, kind)]
        unknown = [id_ for id_ in getattr(language, kind) if id_ not in ids]
        if missing or unknown:
            wrong = (
                f"{missing[0]} is missing" if missing else f"{unknown[0]} is none of the {len(ids)}"
            )
            raise DataError(
                f"{folder / 'language.yaml'}: {kind}: {wrong}; there must be {', '.join(ids)}"
            )
    return language


def _yaml(file: Path) -> dict[str, Any]:
    try:
        values = yaml.load(file.read_text(encoding="utf-8"), _LOADER)
    except OSError as error:
        raise DataError(
            f"{file}: cannot be read ({error.strerror}); a language folder holds language.yaml and"
            " prompts.yaml"
        ) from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(
            f"{file}: not readable as YAML ({' '.join(str(error).split())[:200]})"
        ) from None
    if not isinstance(values, dict):
        raise DataError(f"{file}: must hold keys and values, found {values!r:.60}")
    return values


@cache
def languages() -> Mapping[str, Language]:
    """Code -> language, in the order in which they are listed.

    Raises DataError for a folder that cannot be read, two folders with one code, or a strategy name
    that two languages use for different strategies (a reply could then be read in two ways).
    """
    read_so_far: dict[str, Language] = {}
    own = [Path(part) for part in os.environ.get(OWN_FOLDERS, "").split(os.pathsep) if part]
    for parent in (SHIPPED, *own):
        if not parent.is_dir():
            raise DataError(f"{OWN_FOLDERS}: {parent} is not a folder")
        for folder in sorted(path.parent for path in parent.glob("*/language.yaml")):
            language = read(folder)
            if language.code in read_so_far:
                raise DataError(
                    f"{folder}: there is a language {language.code!r} already; give the folder"
                    " another name"
                )
            if parent != SHIPPED:
                language = language.model_copy(update={"status": "draft"})
            read_so_far[language.code] = language
    ordered = dict(sorted(read_so_far.items(), key=lambda pair: (pair[1].order, pair[0])))
    _check_names(ordered)
    return ordered


def _check_names(named: Mapping[str, Language]) -> None:
    meaning: dict[str, tuple[str, str]] = {}
    for code, language in named.items():
        for id_, strategy in language.strategies.items():
            other_id, other_code = meaning.setdefault(strategy.name.casefold(), (id_, code))
            if other_id != id_:
                raise DataError(
                    f"language {code!r} calls {id_} {strategy.name!r}, which in {other_code!r} is"
                    f" {other_id}; choose another name"
                )


def language(code: str) -> Language:
    """The language of this code; raises SettingError that lists the codes there are."""
    known = languages()
    if code not in known:
        raise SettingError(
            f"there is no language {code!r}; there are {', '.join(known)}. Give the row one of"
            f" them, or add a folder for it ({OWN_FOLDERS})"
        )
    return known[code]
