"""A page for every verb of `csc`, from its argparse parser."""

import argparse
import functools
import importlib
from collections.abc import Callable

from csc_tasks.arguments import Parser, add_quiet
from csc_tasks.cli import COMMANDS
from docsite.text import cell, described, table

FOLDER = "reference/commands"
WIDTH = 88


def pages() -> dict[str, Callable[[], str]]:
    """Place in the site -> what makes the page, in the order of `csc --help`."""
    return {f"{FOLDER}/{slug(verb)}.md": functools.partial(page, verb) for verb in COMMANDS}


def slug(verb: str) -> str:
    """A verb's name in addresses."""
    return verb.replace(" ", "-")


def overview() -> str:
    """A table of all verbs and what each is for."""
    rows = [
        (f"[`csc {verb}`](commands/{slug(verb)}.md)", cell(summary))
        for verb, (_, summary) in COMMANDS.items()
    ]
    return table(("verb", "makes or does"), rows)


def page(verb: str) -> str:
    """The page of one verb: what it does, its usage, its options."""
    module_name, summary = COMMANDS[verb]
    module = importlib.import_module(module_name)
    parser = Parser(prog=f"csc {verb}", formatter_class=Formatter)
    module.add_arguments(parser)
    add_quiet(parser)
    parts = [f"# csc {verb}", f"{summary[0].upper()}{summary[1:]}."]
    usage = parser.format_usage().removeprefix("usage: ").rstrip()
    parts.append(f"```text\n{usage}\n```")
    parts += described(module.__doc__ or "")
    if parser.get_default("passes_on"):
        parts.append("All other arguments are those of `lm_eval run`, which its own help lists.")
    for group in parser._action_groups:
        actions = [a for a in group._group_actions if a.help != argparse.SUPPRESS]
        if actions:
            rows = [(written(action), explained(parser, action)) for action in actions]
            title = group.title or "options"
            parts.append(f"## {title[0].upper()}{title[1:]}")
            parts.append(table(("written", "what it does"), rows))
    parts.append("All verbs: [commands](../commands.md).")
    return "\n\n".join(parts) + "\n"


class Formatter(argparse.RawDescriptionHelpFormatter):
    """argparse's own, whatever the width of the terminal that builds the site."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=WIDTH)


def written(action: argparse.Action) -> str:
    """How an option or a word of the command is written, with what it takes."""
    formatter = Formatter("")
    if not action.option_strings:
        return f"`{' '.join(formatter._metavar_formatter(action, action.dest)(1))}`"
    value = ""
    if action.nargs != 0:
        default = formatter._get_default_metavar_for_optional(action)
        value = " " + formatter._format_args(action, default)
    return ", ".join(f"`{name}{value}`" for name in action.option_strings).replace("|", "\\|")


def explained(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    """An option's help, and whether it has to be given."""
    text = parser._get_formatter()._expand_help(action) if action.help else ""
    if action.required and action.option_strings:
        text = f"{text} (required)"
    return cell(text)
