"""Customers of the scripted stand-in: the demo's profiles, both stages of csc build profiles, and
what the roles read out of a profile.

Importing this module registers the stages `profile` and `describe`.
"""

import json
import re
from collections.abc import Mapping
from functools import cache

from builders.scripted.phrases import FOLDER, bank, check_spoken, draw, fill, jobs_at, pick
from builders.scripted.reading import inverted, read_back
from csc_tasks.llm.backends import register_scripted
from csc_tasks.llm.exchange import Request

AGES = (20, 69)


@cache
def words(language: str) -> Mapping:
    """The phrases that role-playing alone needs: `profile`, `money`, `case`, `directions`,
    `demographics`, `described`.
    """
    import yaml

    check_spoken(language)
    return yaml.safe_load((FOLDER / f"{language}_roles.yaml").read_text(encoding="utf-8"))


def invent(language: str, number: int) -> str:
    """The demo pool's profile of this number, in the third person."""
    return fill(words(language)["profile"], _customer(language, number))


def who(language: str, text: str, template: str) -> dict[str, str]:
    """What `text`, made from the words' `template`, says about the customer: title, surname and
    mood as far as it tells them.
    """
    generic = bank(language).generic
    match = re.fullmatch(inverted(words(language)[template], r"\{(\w+)\}"), text, re.DOTALL)
    values = match.groupdict() if match else {}
    for honorific in generic["honorific"].values():
        if titled := re.fullmatch(inverted(honorific, r"\{(\w+)\}"), values.get("title", "")):
            values["surname"] = titled["surname"]
    moods = {wording: mood for mood, wording in generic["moods"].items()}
    temper = values.get("temper") or values.get("communication_preference")
    return values | ({"mood": moods[temper]} if temper in moods else {})


def profile(request: Request) -> str:
    """A profile invented for the conversation: it says nothing that the conversation contradicts,
    because it names nobody.
    """
    language, _, _ = read_back(request.messages, "profile_extract")
    slots = _customer(language, request.item_id)
    values = {
        "demographics": fill(words(language)["demographics"], slots),
        "financial_status": slots["money"],
    }
    return json.dumps(values | {"communication_preference": slots["temper"]}, ensure_ascii=False)


def describe(request: Request) -> str:
    """The description of a customer, as JSON, from the facts in the prompt."""
    language, _, values = read_back(request.messages, "profile_describe")
    return json.dumps(
        {"description": fill(words(language)["described"], values)}, ensure_ascii=False
    )


def _customer(language, key):
    """The slots of a customer, drawn from `key`."""
    rng, generic = draw("profile", language, key), bank(language).generic
    lists = generic["lists"]
    age = AGES[0] + int(rng.random() * (AGES[1] - AGES[0] + 1))
    job = pick(rng, lists[jobs_at(age)])
    if language == "en":
        job = f"{'an' if job[0] in 'aeiou' else 'a'} {job}"
    title = pick(rng, tuple(generic["honorific"].values())).format(
        surname=pick(rng, lists["surname"])
    )
    slots = {"title": title, "years_old": str(age), "job": job, "city": pick(rng, lists["city"])}
    return slots | {
        "money": pick(rng, words(language)["money"]),
        "temper": generic["moods"][pick(rng, tuple(generic["moods"]))],
    }


for _function in (profile, describe):
    register_scripted(_function.__name__, _function)
