"""Every command in the READMEs and the documentation parses: make targets, extras, csc verbs,
lm_eval tasks and settings; links lead somewhere, and the file tree is the one there is.
"""

import argparse
import configparser
import importlib
import re
import shlex
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from csc_tasks.arguments import add_quiet
from csc_tasks.cli import COMMANDS
from csc_tasks.evaluate import config_names
from csc_tasks.papers import papers
from csc_tasks.settings import read_settings

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "csc_tasks" / "README.md",
    ROOT / "benchmarks" / "RESULTS.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]

LINKED = sorted(
    {*PAGES, *ROOT.glob("*.md"), *ROOT.glob("*/README.md"), *(ROOT / ".github").rglob("*.md")}
)
"""Every page whose links are followed."""


def commands() -> list[tuple[str, str]]:
    """(page, command) for every command in a bash block, continued lines joined, and every one that
    a report names.
    """
    found = []
    for page in PAGES:
        for block in re.findall(r"```bash\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                if line.strip() and not line.startswith("#"):
                    found.append((page.relative_to(ROOT).as_posix(), line.strip()))
    for exhibit in papers().exhibits:
        found += [
            ("csc_tasks/papers/papers.yaml", command) for command in exhibit.command.split("; ")
        ]
    return found


def words_of(command: str) -> list[str]:
    """Words of a command without comment and leading NAME=value."""
    words = shlex.split(command, comments=True)
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words.pop(0)
    return words


def test_there_are_commands():
    assert {words_of(command)[0] for _, command in commands()} >= {"make", "pip", "lm_eval", "csc"}


@pytest.mark.parametrize(("page", "command"), commands())
def test_the_command_parses(page, command):
    words = words_of(command)
    check = {
        "make": make,
        "pip": pip,
        "lm_eval": lm_eval,
        "csc": csc,
        "python": python,
        "cd": lambda words: None,
        "mkdir": lambda words: None,
        "cp": lambda words: None,
        ".venv/bin/pre-commit": lambda words: None,
    }[words[0]]
    check(words[1:])


def make(words):
    targets = [word for word in words if "=" not in word]
    assert subprocess.run(["make", "-n", *targets], cwd=ROOT, capture_output=True).returncode == 0


def pip(words):
    assert words[0] == "install"
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    for extra in re.findall(r"(?:csc-tasks|\.)\[([\w,]+)\]", " ".join(words)):
        assert set(extra.split(",")) <= set(setup["options.extras_require"])


def csc(words):
    if words in (["--help"], ["tasks"]):
        return
    verb = " ".join(words[:2]) if " ".join(words[:2]) in COMMANDS else words[0]
    module = importlib.import_module(COMMANDS[verb][0])
    parser = argparse.ArgumentParser(exit_on_error=False)
    module.add_arguments(parser)
    add_quiet(parser)
    if parser.get_default("passes_on"):
        return lm_eval(words[1:])
    parser.parse_args(words[len(verb.split()) :])


def python(words):
    assert words[0] == "-m"
    module = ROOT / words[1].replace(".", "/")
    assert module.with_suffix(".py").exists() or (module / "__main__.py").exists()


def lm_eval(words):
    from lm_eval._cli.harness import HarnessCLI
    from lm_eval.tasks import TaskManager

    from csc_tasks import TASKS_DIR

    arguments = HarnessCLI()._parser.parse_args(
        words if words[0] in ("run", "ls", "validate") else ["run", *words]
    )
    if words[0] == "ls":
        return
    manager = TaskManager(include_path=str(TASKS_DIR), include_defaults=False)
    if arguments.tasks is None:  # they stand in a configuration that comes with the package
        assert arguments.config in config_names()
        return
    for pattern in (
        arguments.tasks if isinstance(arguments.tasks, list) else arguments.tasks.split(",")
    ):
        assert manager.match_tasks([pattern]), pattern
    if getattr(arguments, "metadata", None):
        read_settings(arguments.metadata, {})


@pytest.mark.parametrize("page", LINKED, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    for link in links(without_code(page)):
        target, _, anchor = link.partition("#")
        file = page.parent / target if target else page
        assert file.exists(), link
        assert not anchor or anchor in anchors(file), link


def links(text):
    """Every link of Markdown text that does not lead to another host: in the line, of an image,
    with a title, from below the text, and as HTML. Raises ValueError for a reference to a link that
    is not there.
    """
    text = re.sub(r"``.+?``|`[^`\n]+`", "", text)
    below = dict(re.findall(r"^ {0,3}\[([^\]]+)\]:\s+<?([^\s>]+)", text, re.MULTILINE))
    for shown, name in re.findall(r"\[([^\]]+)\]\[([^\]]*)\]", text):
        if (name or shown) not in below:
            raise ValueError(f"no link [{name or shown}]")
    inline = re.findall(r"\]\(<?([^)\s>]+)>?(?:\s+[\"'][^)]*)?\)", text)
    tags = re.findall(r"<(?:a|img)\s[^>]*?(?:href|src)=[\"']([^\"']+)", text)
    return [
        link for link in (*inline, *below.values(), *tags) if not re.match(r"https?:|mailto:", link)
    ]


def without_code(page):
    """The text of a page without its blocks of code."""
    return re.sub(r"^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)


def anchors(page):
    """What GitHub makes of a page's headings: one that comes again is numbered."""
    seen = Counter()
    names = set()
    for title in re.findall(r"^#+ (.+)$", without_code(page), re.MULTILINE):
        name = re.sub(r"[^\w -]", "", re.sub(r"\]\([^)]*\)", "]", title).lower()).replace(" ", "-")
        names.add(f"{name}-{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return names


def test_every_kind_of_link_is_followed(tmp_path):
    text = """
[a](a.md) ![b](<b.png> "title") [c](c.md#one 'title') [d][] [text][e] <a href="f.md">f</a>
`[no](no.md)` [far](https://example.org/x) <img alt="" src='g.png'>

[d]: d.md
[e]: <e.md>
"""
    assert sorted(links(text)) == [
        *("a.md", "b.png", "c.md#one", "d.md", "e.md", "f.md", "g.png"),
    ]
    with pytest.raises(ValueError, match=r"no link \[e\]"):
        links(text.replace("[e]:", "[x]:"))
    page = tmp_path / "page.md"
    page.write_text(
        "# One, two\n## A [link](x.md) in `code`\n## One, two\n```\n# not\n```\n# One, two\n"
    )
    assert anchors(page) == {"one-two", "a-link-in-code", "one-two-1", "one-two-2"}


def test_the_front_page_is_two_screens():
    assert len(PAGES[0].read_text(encoding="utf-8").splitlines()) <= 110


def test_an_anchor_is_that_of_a_heading():
    results = anchors(ROOT / "benchmarks" / "RESULTS.md")
    assert "the-same-model-through-the-servers-that-people-run" in results
    tasks = anchors(ROOT / "csc_tasks" / "README.md")
    assert "tasks" in tasks and "no-such" not in tasks


def test_the_file_tree_is_the_one_there_is():
    """Every module is named in the tree, and every name in the tree exists."""
    text = (ROOT / "docs" / "reference" / "files.md").read_text(encoding="utf-8")
    tree = text.split("```")[1]
    folder, named = "", set()
    for line in tree.splitlines():
        indent = len(line) - len(line.lstrip())
        if not line.strip():
            continue
        if indent > 2:  # goes on with the entry above
            named |= set(re.findall(r"[\w./]+\.py", line))
            continue
        entry = line.split()[0]
        if indent == 0:
            folder = entry if entry.endswith("/") else ""
        path = ROOT / (entry if indent == 0 else folder + entry)
        assert path.exists(), entry
        named |= set(re.findall(r"[\w./]+\.py", line)) | {entry}
    for package in ("csc_tasks", "builders", "trainers", "leaderboard"):
        for module in (ROOT / package).rglob("*.py"):
            name = module.relative_to(ROOT / package)
            if name.name != "__init__.py":
                known = {str(name), f"{name.parts[0]}/"}
                assert known & named, f"{package}/{name} is not in docs/reference/files.md"
