"""The words that a shell completes after `csc`: verbs, options, and choices of options.

    csc completion bash > ~/.local/share/bash-completion/completions/csc
    csc completion zsh > ~/.zfunc/_csc

shtab writes the script from the parsers of all verbs; a file name is completed where an option
takes a file or folder. Write it again after an update.
"""

import importlib
from argparse import ArgumentParser, Namespace

from csc_tasks import __version__
from csc_tasks.arguments import add_quiet, is_path
from csc_tasks.errors import missing_libraries
from csc_tasks.telling import show

SHELLS = ("bash", "zsh", "tcsh")


def add_arguments(parser: ArgumentParser) -> None:
    """The shell."""
    parser.add_argument("shell", choices=SHELLS)


def main(args: Namespace) -> None:
    """Print the script."""
    with missing_libraries("csc completion", __name__):
        import shtab
    show(shtab.complete(whole_parser(), args.shell))


def whole_parser() -> ArgumentParser:
    """One parser with every verb below it: what `csc` would be if it loaded all of them."""
    import shtab

    from csc_tasks.cli import COMMANDS, starting_with

    parser = ArgumentParser(prog="csc")
    parser.add_argument("--version", action="version", version=__version__)
    first = parser.add_subparsers()
    for word in sorted({verb.split()[0] for verb in COMMANDS}):
        longer = starting_with(word)
        summary = COMMANDS[word][1] if word in COMMANDS else ", ".join(longer)
        places = [(word, first.add_parser(word, help=summary.replace("%", "%%")))]
        if longer:
            second = places[0][1].add_subparsers()
            places += [
                (verb, second.add_parser(verb.split()[1], help=COMMANDS[verb][1]))
                for verb in longer
            ]
        for verb, place in places:
            if verb in COMMANDS:
                importlib.import_module(COMMANDS[verb][0]).add_arguments(place)
                add_quiet(place)
            for action in place._actions:
                if is_path(action):
                    action.complete = shtab.FILE  # type: ignore[attr-defined]  # shtab's own name
    return parser
