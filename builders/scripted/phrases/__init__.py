"""The phrase banks of the scripted stand-in: what customers and supporters say, read from the YAML
files beside this one.

A bank is data in one language; the sentences have slots such as `{amount}`. Everything random is
drawn with `random.Random.random()` alone, whose sequence for a given text seed is the same on every
machine and Python version.
"""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from pathlib import Path

from csc_tasks.errors import DataError, SettingError

LANGUAGES = ("zh", "en")
"""What the stand-in speaks."""
FOLDER = Path(__file__).resolve().parent
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


@dataclass(frozen=True, slots=True)
class Bank:
    """All phrases of one language.

    `generic` holds what is said whatever the problem is, `problems` maps a problem's id to its
    phrases (with "topic", the English name),
    `extras` maps a desk to related services.
    """

    language: str
    generic: Mapping
    problems: Mapping[str, Mapping]
    extras: Mapping[str, Sequence[Mapping]]


def check_spoken(language: str) -> None:
    """Raise SettingError for a language that the stand-in does not speak."""
    if language not in LANGUAGES:
        spoken = " and ".join(LANGUAGES)
        raise SettingError(
            f"the scripted stand-in (--llm scripted, --profiles demo) speaks {spoken}, not"
            f" {language!r}; name a model, and profiles where they are needed"
        )


@cache
def bank(language: str) -> Bank:
    """The phrases of "zh" or "en"; raises SettingError for another language."""
    import yaml

    check_spoken(language)
    generic, by_topic, extras = (
        yaml.safe_load((FOLDER / f"{language}_{part}.yaml").read_text(encoding="utf-8"))
        for part in ("generic", "problems", "extras")
    )
    problems = {
        name: {"topic": topic, **problem}
        for topic, of_topic in by_topic.items()
        for name, problem in of_topic.items()
    }
    shared = extras.pop("same_as")
    return Bank(
        language,
        generic,
        problems,
        extras | {desk: extras[other] for desk, other in shared.items()},
    )


def jobs_at(age: int) -> str:
    """The list of `generic` that the job of a customer of this age is drawn from."""
    if age >= 60:
        return "job_senior"
    return "job_young" if age < 25 else "job"


def draw(*key) -> random.Random:
    """A source of random numbers that depends on `key` alone, so that any single choice can be made
    again by itself.
    """
    return random.Random("/".join(map(str, key)))


def pick(rng: random.Random, items: Sequence):
    """One of `items`, each as likely as the others."""
    return items[int(rng.random() * len(items))]


def weighted(rng: random.Random, weights: Mapping):
    """One of the keys, in proportion to its weight."""
    left = rng.random() * sum(weights.values())
    for key, weight in weights.items():
        left -= weight
        if left < 0:
            return key
    return next(reversed(weights))


def fill(text: str, slots: Mapping[str, str]) -> str:
    """`text` with its slots filled, the slots' own slots too; raises DataError for one that has no
    value.
    """
    while "{" in text:
        try:
            text = text.format_map(slots)
        except (KeyError, ValueError, IndexError) as error:
            raise DataError(
                f"the phrase {text!r} cannot be filled ({error}); slots are"
                f" {', '.join(sorted(slots))}"
            ) from None
    # A value that starts with a vowel sound turns the English article before it into "an".
    return re.sub(r"\b([Aa]) (?=(?!one|once)[aeio]|8-|8 |11-|18-)", r"\1n ", text)


def join(language: str, *parts: str) -> str:
    """Pieces of one utterance put together: Chinese as they are, English with capitals where a
    sentence starts.
    """
    if language == "zh":
        return "".join(parts)
    text = ""
    for part in filter(None, parts):
        text += (
            part
            if text and not text.rstrip().endswith((".", "!", "?"))
            else part[0].upper() + part[1:]
        )
    return text


def soften(language: str, template: str) -> str:
    """An English template that is to follow a comma: its first letter small, unless the word is
    always written with a capital.
    """
    if language == "zh" or re.match(r"I\b|[A-Z]{2}", template):
        return template
    return template[:1].lower() + template[1:]


# Whose mouth a slot is in: "my landlord" said by the customer is "your landlord" to the supporter
# and "their landlord" in a summary.
_VOICES: dict[str, dict[str, tuple[tuple[str, str], ...]]] = {
    "zh": {"supporter": (("我", "您"),), "summary": (("我", "客户"),)},
    "en": {
        "supporter": (
            ("I'm", "you're"),
            ("I've", "you've"),
            ("I", "you"),
            ("my", "your"),
            ("me", "you"),
        ),
        "summary": (
            ("I'm", "they're"),
            ("I've", "they've"),
            ("I", "they"),
            ("my", "their"),
            ("me", "them"),
        ),
    },
}


@lru_cache(maxsize=4096)
def voiced(language: str, text: str, voice: str) -> str:
    """A slot's value as `voice` (customer, supporter or summary) says it."""
    for own, other in _VOICES[language].get(voice, ()):
        if language == "zh":
            text = text.replace(own, other)
        else:
            text = re.sub(rf"\b{re.escape(own)}(?!['\w])", other, text)
    return text


def slot_values(specs: Mapping, chosen: Bank, rng: random.Random) -> dict[str, str]:
    """A value for every slot a problem declares, in order; raises DataError for a kind that does
    not exist.

    A list means one of its items. `money LOW HIGH [STEP]`, `int LOW HIGH [STEP]`, `date`, `list
    NAME`; computed from earlier slots are
    `percent AMOUNT RATE`, `times A B`, `minus NUMBER A`, `interest AMOUNT RATE YEARS`, `split
    AMOUNT PARTS RATE`, `save MONTHLY YEARS` and
    `annuity LOAN RATE YEARS` (level monthly payment at a yearly rate in percent).
    """
    values: dict[str, str] = {}

    def number(text: str) -> Fraction:
        return Fraction(re.sub(r"[$,]", "", values.get(text, text)))

    def money(amount) -> str:
        return f"${round(amount):,}" if chosen.language == "en" else str(round(amount))

    for name, spec in specs.items():
        if isinstance(spec, list):
            values[name] = str(pick(rng, spec))
            continue
        kind, *words = spec.split()
        if kind == "list":
            values[name] = pick(rng, chosen.generic["lists"][words[0]])
        elif kind == "date":
            month, day = int(rng.random() * 12), int(rng.random() * 28) + 1
            values[name] = (
                f"{month + 1}月{day}日" if chosen.language == "zh" else f"{_MONTHS[month]} {day}"
            )
        elif kind in ("money", "int"):
            low, high, step = (*map(int, words), 1)[:3]
            value = low + step * int(rng.random() * ((high - low) // step + 1))
            if kind == "money":
                values[name] = money(value)
            else:
                values[name] = f"{value:,}" if chosen.language == "en" else str(value)
        elif kind in _FORMULAS:
            result = _FORMULAS[kind](*map(number, words))
            values[name] = str(result) if kind == "minus" else money(result)
        else:
            raise DataError(f"slot {name!r} is of the unknown kind {spec!r}")
    return values


def _annuity(loan: Fraction, rate: Fraction, years: Fraction) -> Fraction:
    monthly = rate / 1200
    return loan * monthly / (1 - 1 / (1 + monthly) ** int(years * 12))


_FORMULAS: dict[str, Callable[..., Fraction]] = {
    "percent": lambda amount, rate: amount * rate / 100,
    "times": lambda a, b: a * b,
    "minus": lambda a, b: a - b,
    "interest": lambda amount, rate, years: amount * rate / 100 * years,
    "split": lambda amount, parts, rate: amount / parts + amount * rate / 100,
    "save": lambda monthly, years: monthly * 12 * years,
    "annuity": _annuity,
}
