"""The pool of customer profiles that RoleCS plays: read from a file that `csc build profiles`
wrote, or made up for the demo.

A pool is JSON lines with at least `language` (a code, as zh or en) and `profile`, a description of
the customer in the third person. A profile that speaks to its reader ("You are ...") is left out
and counted.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from csc_tasks.errors import DataError
from csc_tasks.languages import languages as known_languages
from csc_tasks.llm.unwanted import second_person
from csc_tasks.reading import json_lines

POOL_FILE = "profiles.jsonl"
DEMO_PROFILES = 40
ADDRESSED = "in the second person"
"""Why a profile is left out."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One customer, as a description in the third person."""

    language: str
    text: str


def read_pool(name: str, languages: Sequence[str], left_out: Counter[str]) -> list[Profile]:
    """The profiles in `languages` of `demo`, a JSON-lines file, or a folder that holds
    profiles.jsonl, each text once; counts in `left_out` those that cannot be played, by reason.

    Raises DataError for a line that is no profile and for a language without any.
    """
    profiles = _demo(languages) if name == "demo" else _from_file(Path(name).expanduser())
    own = list(dict.fromkeys(profile for profile in profiles if profile.language in languages))
    chosen = [profile for profile in own if not second_person(profile.text, profile.language)]
    if len(chosen) < len(own):
        left_out[ADDRESSED] += len(own) - len(chosen)
    for language in languages:
        if any(profile.language == language for profile in chosen):
            continue
        if addressed := next((one for one in own if one.language == language), None):
            raise DataError(
                f"{name}: every profile in {language!r} is {ADDRESSED} (the first says"
                f" {second_person(addressed.text, language)!r}: {addressed.text[:60]!r}); csc build"
                " profiles writes them in the third person"
            )
        raise DataError(
            f"{name} holds no profile in {language!r}; give another pool, or --language with"
            " one that it has"
        )
    return chosen


def _demo(languages):
    from builders.scripted.profiles import invent

    return [
        Profile(language, invent(language, number))
        for language in languages
        for number in range(DEMO_PROFILES)
    ]


def _from_file(path):
    path = path / POOL_FILE if path.is_dir() else path
    for number, row in json_lines(path, f"give the {POOL_FILE} of csc build profiles, or demo"):
        yield _profile(row, f"{path} line {number}")


def _profile(row, where):
    language, text = (
        (row.get("language"), row.get("profile")) if isinstance(row, dict) else (None, None)
    )
    if language not in known_languages() or not isinstance(text, str) or not text.strip():
        raise DataError(
            f"{where}: found {row!r:.80}; a profile has language ({', '.join(known_languages())})"
            " and profile (text)"
        )
    return Profile(language, " ".join(text.split()))
