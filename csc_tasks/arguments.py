"""What all verbs have in common on the command line: a parser that names the closest option, one
way to name a corpus, and shares.

A corpus is a verb's first word where the verb reads one, else `--corpus`; `--source` is raw input
that is no corpus yet. Old spellings work for one version: they are not in the help, and a line on
stderr says what to write in their place.
"""

import argparse
import difflib
import itertools
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from csc_tasks.errors import SettingError
from csc_tasks.telling import STDOUT

CORPUS = "demo, a dataset folder, a file or a Hub id"
"""What can be given for a corpus, for help texts."""

QUIET = "--quiet"
JSON = "--json"


class Parser(ArgumentParser):
    """argparse's parser with errors of one line. Options are written out in full: the start of a
    name is a misspelt name.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, allow_abbrev=False)

    def parse_args(  # type: ignore[override]  # argparse has an overload for namespaces of any class
        self, words: Sequence[str], namespace: Namespace | None = None
    ) -> Namespace:
        """As argparse does; a misspelt option is named before one that is missing, which it often
        is.
        """
        self._check_spelling(words)
        given = self._with_json_file(words)
        found, left = self.parse_known_args(given, namespace)
        if left:
            self.error(f"unrecognized arguments: {' '.join(left)}{_no_json_file(given, left)}")
        return found

    def error(self, message: str) -> NoReturn:
        """Exit with status 2 and one line."""
        self.exit(2, f"error: {message}; `{self.prog} --help` lists the options\n")

    def _check_spelling(self, words: Sequence[str]) -> None:
        if any(action.nargs in (argparse.REMAINDER, argparse.PARSER) for action in self._actions):
            # What follows belongs to another program.
            return
        known = [name for action in self._actions for name in action.option_strings]
        shown = [
            name
            for action in self._actions
            if action.help != argparse.SUPPRESS
            for name in action.option_strings
        ]
        paths = {
            name for action in self._actions if is_path(action) for name in action.option_strings
        }
        before = ""
        for word in words:
            if word == "--":
                return
            name, equals, value = word.partition("=")
            if (before in paths and not word) or (name in paths and equals and not value):
                self.error(f"{name or before} is empty (a variable that is not set?)")
            before = word
            # A word with a space is text, and -5 a number.
            if (
                not name.startswith("-")
                or name == "-"
                or " " in word
                or name[1] in ".0123456789"
                or name in known
            ):
                continue
            closest = difflib.get_close_matches(name, shown, n=1, cutoff=0.0)[0]
            self.error(f"unknown option {name} (closest: {closest})")

    def _with_json_file(self, words: Sequence[str]) -> list[str]:
        """The words with `--json` as `--json=-` where no name of a JSON file follows: what follows
        it then (a corpus, a folder) is no file to be written over.
        """
        given = list(words)
        if not any(JSON in action.option_strings for action in self._actions):
            return given
        last = given.index("--") if "--" in given else len(given)
        for place, word in enumerate(given[:last]):
            after = given[place + 1] if place + 1 < last else ""
            if word == JSON and after != STDOUT and not after.endswith(".json"):
                given[place] = f"{JSON}={STDOUT}"
        return given


def _no_json_file(words: Sequence[str], left: Sequence[str]) -> str:
    """What to do where the word after `--json` was meant as its file."""
    for word, after in itertools.pairwise(words):
        if word == f"{JSON}={STDOUT}" and after in left:
            return f" (the name of {JSON}'s file ends in .json, or write {JSON}={after})"
    return ""


def is_path(action: argparse.Action) -> bool:
    """Whether an option takes a file or folder: an empty name would be the folder one stands in."""
    return action.type is Path or action.metavar in ("DIR", "FILE")


class Renamed(argparse.Action):
    """An old spelling: works, is not in the help, and says what to write `instead`."""

    def __init__(
        self, option_strings: Sequence[str], dest: str, *, instead: str, **settings: Any
    ) -> None:
        self.instead = instead
        super().__init__(option_strings, dest, **{**settings, "help": argparse.SUPPRESS})

    def __call__(
        self,
        parser: ArgumentParser,
        namespace: Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        """Keep the value and say the new spelling."""
        print(
            f"deprecated: {option_string} will go with the next version; write {self.instead}",
            file=sys.stderr,
        )
        setattr(namespace, self.dest, values)


def add_quiet(parser: ArgumentParser) -> None:
    """What every verb takes: `csc_tasks.telling` says what is not said then."""
    parser.add_argument(
        QUIET,
        action="store_true",
        help="only what was asked for, warnings and errors (or CSC_QUIET=1)",
    )


def add_json(parser: ArgumentParser) -> None:
    """For a verb that prints a table or report; `csc_tasks.telling.show_document` does it."""
    parser.add_argument(
        JSON,
        nargs="?",
        const=STDOUT,
        metavar="FILE",
        help=(
            "print one JSON document in place of the text; with FILE.json (or --json=FILE) write"
            " it there beside the text"
        ),
    )


def add_corpus(parser: ArgumentParser, text: str, *, old: str, default: str | None = None) -> None:
    """The corpus as first word of a verb that once called it `old`; `corpus_of` reads it. Without a
    default it must be given.
    """
    parser.add_argument("corpus", nargs="?", metavar="CORPUS", help=f"{CORPUS}{text}")
    parser.add_argument(
        old,
        dest="old_corpus",
        action=Renamed,
        instead="the corpus as the first word",
        metavar="CORPUS",
    )
    parser.set_defaults(default_corpus=default)


def corpus_of(args: Namespace) -> str:
    """The corpus of a verb with `add_corpus`; raises SettingError where there is none, or two."""
    if args.corpus is not None and args.old_corpus is not None:
        raise SettingError(f"two corpora are given, {args.corpus} and {args.old_corpus}; give one")
    named = args.corpus if args.corpus is not None else args.old_corpus
    if named is None and args.default_corpus is None:
        raise SettingError(f"no corpus is given; the first word is {CORPUS}")
    corpus: str = args.default_corpus if named is None else named
    return corpus


def check_share(option: str, value: float | None, *, zero: bool = True, one: bool = True) -> None:
    """Raise SettingError unless `value` is None or a share between 0 and 1; `zero` and `one` say
    whether the ends belong to it.
    """
    if value is None or 0 < value < 1 or (value == 0 and zero) or (value == 1 and one):
        return
    low = "at least 0" if zero else "above 0"
    high = "at most 1" if one else "below 1"
    percent = f"; {value:g} percent are {value / 100:g}" if 1 < value <= 100 else ""
    raise SettingError(f"{option} {value:g}: must be a share, {low} and {high}{percent}")


def listed(text: str) -> list[str]:
    """The names in `a,b`, without empty ones and the spaces around them."""
    return [name.strip() for name in text.split(",") if name.strip()]


def check_known(option: str, given: Sequence[str], known: Sequence[str]) -> None:
    """Raise SettingError for a name that is not `known`; it says which are, and which is
    closest.
    """
    for name in given:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            closest = f" (closest: {close[0]})" if close else ""
            raise SettingError(
                f"{option} {name}: there is no such one{closest}; there are {', '.join(known)}"
            )
