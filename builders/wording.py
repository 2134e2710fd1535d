"""What builders ask models: the templates and the few words of their own in
`builders/prompts/<language>/`.
"""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, field_validator

from csc_tasks.errors import SettingError
from csc_tasks.framework import STAGES
from csc_tasks.languages import language as named
from csc_tasks.languages import languages
from csc_tasks.llm.prompting import Prompts

FOLDER = Path(__file__).resolve().parent / "prompts"


class Words(BaseModel):
    """What stands inside the prompts of one language beside its templates, and how long its
    utterances may be.

    nothing_said: in place of an empty history. example: the heading of an example. no_summary:
    before the first summary. unknown: in place of what a profile does not say. longest_utterance:
    characters. stages: the framework's five, by id -> what is achieved in each.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    nothing_said: str
    example: str
    no_summary: str
    unknown: str
    longest_utterance: int
    stages: dict[str, str]

    @field_validator("stages")
    @classmethod
    def all_five(cls, stages: dict[str, str]) -> dict[str, str]:
        """Refuses stages that are not the framework's."""
        if set(stages) != {stage.id for stage in STAGES}:
            raise ValueError(f"must be {', '.join(stage.id for stage in STAGES)}")
        return stages


def building_languages() -> tuple[str, ...]:
    """The languages that have prompts for building, in their usual order."""
    return tuple(code for code in languages() if (FOLDER / code).is_dir())


def both() -> tuple[str, ...]:
    """What `--language both` means: the languages of the papers' data."""
    return tuple(code for code, one in languages().items() if one.read_everywhere)


def templates(language: str) -> Prompts:
    """The builders' templates in one language; raises SettingError for one that has none."""
    check_building(language)
    return Prompts(language, FOLDER)


def prompt_hashes(languages: Iterable[str], names: Iterable[str]) -> dict[str, str]:
    """`language/name` -> 16 hex digits of each template in each language, for build.json."""
    names = tuple(names)
    return {
        name: digest
        for language in languages
        for name, digest in templates(language).hashes(*names).items()
    }


@cache
def words(language: str) -> Words:
    """The builders' words of one language; raises SettingError for one that has none."""
    check_building(language)
    text = (FOLDER / language / "words.yaml").read_text(encoding="utf-8")
    return Words.model_validate(yaml.safe_load(text))


@cache
def check_building(language: str) -> None:
    """Raise SettingError unless datasets can be built in this language."""
    if language not in building_languages():
        there = ", ".join(building_languages())
        raise SettingError(
            f"csc build: there are no prompts for building in {named(language).name} ({language});"
            f" the languages that have them are {there}"
        )
