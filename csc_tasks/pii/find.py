"""What stands in a text, and in a row of a dataset."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from csc_tasks.pii.identities import find_accounts, find_cards, find_identities
from csc_tasks.pii.kinds import EMAIL, Match, masked
from csc_tasks.pii.phones import find_phones
from csc_tasks.pii.plain import plain
from csc_tasks.pii.tokens import find_tokens

_ADDRESS = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}")
# Addresses of nobody: reserved names (RFC 2606), what documentation writes, and service addresses.
_NO_DOMAIN = re.compile(
    r"(?:^|\.)(?:example|test|invalid|localhost|xxx*|your-?(?:domain|company|mail|site))(?:\.|$)"
    r"|^(?:domain|company)\.com$"
)
_NO_NAME = re.compile(
    r"x+|[._-]+|your[._-]?(?:name|e?mail)|user[._-]?name|name|e?mail|first[._-]?name[._-]last[._-]?name"
    r"|support|service|help|info|no-?reply|contact|customer-?service|kefu"
)
_SPOKEN = str.maketrans("〇零一幺二两三四五六七八九", "0011223456789")
_SPOKEN_RUN = re.compile(r"[〇零一幺二两三四五六七八九]{11,}")
# Nearly every text ends here: fewer than seven digits, no @, and nothing a token starts with.
_SUSPICIOUS = re.compile(
    r"(?:\d[^\d]*){7}|[@＠﹫]|[〇零一幺二两三四五六七八九]{11}"
    r"|hf_|sk-|AKIA|ASIA|gh[pousr]_|github_pat_|gl[a-z]+-|xox|xapp-|slack|AIza|ya29|GOCSPX|_live_"
    r"|_test_|npm_|pypi-|eyJ|BEGIN "
)


def find(text: str) -> list[Match]:
    """What `text` holds, in reading order; of two readings of one place the first in the order of
    KINDS.
    """
    if not _SUSPICIOUS.search(text):
        return []
    read = plain(text)
    matches: list[Match] = []
    for match in chain.from_iterable(detector(read.text) for detector in DETECTORS):
        if all(match.end <= other.start or match.start >= other.end for other in matches):
            matches.append(match)
    matches = [_placed(match, *read.span(match.start, match.end)) for match in matches]
    for run in _SPOKEN_RUN.finditer(text):
        spoken = find(run[0].translate(_SPOKEN))
        matches += [_placed(match, run.start(), run.end()) for match in spoken]
    return sorted(matches, key=lambda match: match.start)


def find_in_row(row: Mapping[str, Any]) -> Iterator[tuple[str, Match]]:
    """(place, match) for every text of a dataset-folder row, and every name of a rater; the place
    is a column or `dialogue turn 3`. Ids are made by us: left out.
    """
    for column, value in row.items():
        if isinstance(value, str) and column != "conversation_id":
            yield from ((column, match) for match in find(value))
        elif isinstance(value, Iterable) and not isinstance(value, str | Mapping):
            for i, turn in enumerate(value):
                texts = [turn["text"], *(label["rater"] for label in turn.get("labels") or ())]
                for text in texts:
                    yield from ((f"{column} turn {i}", match) for match in find(text))


def find_addresses(text: str) -> Iterator[Match]:
    """E-mail addresses of somebody."""
    for match in _ADDRESS.finditer(text):
        name, _, domain = match[0].lower().rpartition("@")
        if not _NO_DOMAIN.search(domain) and not _NO_NAME.fullmatch(name):
            shown = masked(EMAIL, match[0])
            yield Match(EMAIL, match.start(), match.end(), shown, match[0].lower())


def _placed(match: Match, start: int, end: int) -> Match:
    return Match(match.kind, start, end, match.masked, match.value)


DETECTORS: tuple[Callable[[str], Iterator[Match]], ...] = (
    find_tokens,
    find_addresses,
    find_accounts,
    find_identities,
    find_cards,
    find_phones,
)
