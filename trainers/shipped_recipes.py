"""The recipes that come with csc-tasks, by name: `csc train --config demo` takes one as it is.

csc recipes
    their names, and what each is for
csc recipes rolecs > mine.yaml
    one as a file of your own, to change and give with --config mine.yaml
accelerate launch --config_file "$(csc recipes accelerate_fsdp --path)" -m trainers.train ...
    where one lies, for programs that want a file
"""

import difflib
import textwrap
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from csc_tasks.arguments import add_json
from csc_tasks.errors import SettingError
from csc_tasks.reading.yaml_text import strict_yaml
from csc_tasks.telling import show, show_document

FOLDER = Path(__file__).resolve().parent / "recipes"
LAUNCH = "accelerate"
"""How the names of files begin that are for `accelerate launch`, not for `csc train --config`."""


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc recipes`."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="print this one")
    parser.add_argument("--path", action="store_true", help="print where it lies instead")
    add_json(parser)


def main(args: Namespace) -> None:
    """List the recipes, or print one or its path. Raises SettingError for an unknown name."""
    if args.name is None:
        if args.path:
            raise SettingError("--path goes with a NAME; `csc recipes` lists them")
        show("\n".join(lines()))
        show_document(args.json, {"recipes": [described(path) for path in shipped().values()]})
        return
    path = known(args.name, shipped())
    show(path if args.path else path.read_text(encoding="utf-8").rstrip("\n"))
    settings = strict_yaml(path.read_text(encoding="utf-8"))
    show_document(args.json, described(path) | {"settings": settings})


def shipped() -> dict[str, Path]:
    """Name -> file of everything in the folder of recipes, sorted by name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.yaml"))}


def recipe_file(text: str) -> Path:
    """The file that `--config` means: a file, or a recipe of ours by its name.

    A file of a name wins over a recipe of ours, a folder does not. Raises SettingError where there
    is neither.
    """
    path = Path(text)
    if path.is_file():
        return path
    recipes = {name: one for name, one in shipped().items() if not name.startswith(LAUNCH)}
    return known(text, recipes, "--config ")


def known(name: str, recipes: dict[str, Path], option: str = "") -> Path:
    """The recipe of this name; raises SettingError with the closest and all others."""
    if name in recipes:
        return recipes[name]
    near = difflib.get_close_matches(Path(name).stem, recipes, n=1, cutoff=0.6)
    closest = f" (closest: {near[0]})" if near else ""
    missing = (
        "there is no such file, and no recipe of that name" if option else "no recipe of that name"
    )
    raise SettingError(f"{option}{name}: {missing}{closest}; there are {', '.join(recipes)}")


def described(path: Path) -> dict[str, Any]:
    """A recipe's name, what it is for, where it lies, and which program takes it."""
    program = "accelerate launch" if path.stem.startswith(LAUNCH) else "csc train"
    return {"name": path.stem, "purpose": purpose(path), "path": str(path), "for": program}


def purpose(path: Path) -> str:
    """The first sentence of the comment that opens a recipe."""
    words: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("# "):
            break
        for word in line[2:].split():
            words.append(word)
            if word.endswith("."):
                return " ".join(words)
    return " ".join(words)


def lines() -> Iterator[str]:
    """Every recipe's name, and what it is for."""
    recipes = shipped()
    width = max(map(len, recipes)) + 2
    for name, path in recipes.items():
        text = purpose(path) + (" For accelerate launch." if name.startswith(LAUNCH) else "")
        yield from textwrap.wrap(
            text, 100, initial_indent=f"{name:<{width}}", subsequent_indent=" " * width
        )


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
