"""Reading a rendered prompt back: how the scripted stand-in learns what it is asked, from the same
text that a language model gets.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from builders.scripted.phrases import LANGUAGES
from builders.transcript import prefixes
from builders.wording import templates, words
from csc_tasks.conversation import SUPPORTER, Turn
from csc_tasks.errors import DataError
from csc_tasks.languages.labels import find_strategy

_TAGGED = re.compile(r"\[([^\]]+)\] (.*)")
_PLACE = r"\$\{(\w+)\}"


def read_back(messages: Sequence[Mapping], *names: str) -> tuple[str, str, dict[str, str]]:
    """(language, template, its values) of a prompt rendered from one of the templates `names`;
    raises DataError for any other prompt.
    """
    rendered = "\n".join(message["content"] for message in messages)
    for language in LANGUAGES:
        for name in names:
            if match := _pattern(language, name).fullmatch(rendered):
                return language, name, match.groupdict()
    raise DataError(
        f"the scripted stand-in knows no such prompt; it speaks {' and '.join(LANGUAGES)} and knows"
        f" {', '.join(names)}"
    )


def turns_in(history: str, language: str) -> list[Turn]:
    """The turns of a history as a prompt shows it; strategies where it shows them."""
    turns, opening = [], prefixes(language)
    for line in [] if history == words(language).nothing_said else history.split("\n"):
        speaker = next(speaker for speaker, prefix in opening.items() if line.startswith(prefix))
        text, strategy = line.removeprefix(opening[speaker]), ""
        tagged = _TAGGED.match(text) if speaker == SUPPORTER else None
        named = find_strategy(tagged[1], ids=False) if tagged else None
        if tagged and named:
            strategy, text = named.id, tagged[2]
        turns.append(Turn(speaker, text, strategy))
    return turns


def inverted(template: str, place: str) -> str:
    """A pattern that reads the values back out of what was made from `template`; `place` finds its
    places and captures their names.
    """
    pieces, seen = re.split(place, template), set()
    pattern = re.escape(pieces[0])
    for name, literal in zip(pieces[1::2], pieces[2::2], strict=True):
        pattern += (f"(?P={name})" if name in seen else f"(?P<{name}>.*?)") + re.escape(literal)
        seen.add(name)
    return pattern


@lru_cache(maxsize=64)
def _pattern(language: str, name: str) -> re.Pattern:
    parts = re.split(
        r"^=== (?:system|user) ===$", templates(language).text(name), flags=re.MULTILINE
    )
    return re.compile(
        inverted("\n".join(part.strip() for part in parts if part.strip()), _PLACE), re.DOTALL
    )
