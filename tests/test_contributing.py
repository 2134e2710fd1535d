"""CONTRIBUTING.md: its source and its language work; the release script refuses what it must."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from builders.sources import READERS, Reading, read_source
from csc_tasks import TASKS_DIR

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def block(heading: str, language: str) -> str:
    """The first block of a language under a heading."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)[1]


def test_the_source(tmp_path, monkeypatch):
    monkeypatch.setitem(READERS, "calls", None)
    exec(block("A source of conversations", "python"), {})
    (tmp_path / "a.call").write_text("A: Hello, how can I help?\nC: My card is lost.\n")
    (tmp_path / "b.call").write_text("A: Hello\nB: Who am I?\n")
    reading = Reading()
    (conversation,) = read_source(tmp_path, reading, "calls")
    assert [turn.text for turn in conversation.turns] == [
        "Hello, how can I help?",
        "My card is lost.",
    ]
    assert reading.problems == ["b.call, line 2: no speaker ('B: Who am I?')"]
    assert reading.counts["conversations_left_out"] == 1


def test_the_language(tmp_path, monkeypatch):
    """The two files that the page copies are all that a language needs."""
    copied = re.search(r"^cp (.*) languages/nl/$", block("A language", "bash"), re.MULTILINE)[1]
    (tmp_path / "nl").mkdir()
    for name in copied.replace('"$(csc tasks)"', str(TASKS_DIR)).split():
        shutil.copy(name, tmp_path / "nl")
    described = tmp_path / "nl" / "language.yaml"
    names = yaml.safe_load(described.read_text(encoding="utf-8"))
    described.write_text(yaml.safe_dump({**names, "name": "Dutch", "native": "Nederlands"}))
    seen = subprocess.run(
        [sys.executable, "-c", "from csc_tasks.languages import languages; print(*languages())"],
        env={**os.environ, "CSC_LANGUAGES": str(tmp_path), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert "nl" in seen.stdout.split(), seen.stderr


@pytest.fixture
def release(tmp_path):
    """A copy of what the release script looks at, as a repository of its own."""
    for name in (
        ".ci/release",
        "csc_tasks/__init__.py",
        "CHANGELOG.md",
        "CITATION.cff",
        "setup.cfg",
        "docs/examples/hf_job.py",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    git(tmp_path, "init", "-q")
    return tmp_path


def git(root: Path, *words: str) -> None:
    named = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *named, *words], cwd=root, check=True)


def refused(root: Path) -> str:
    done = subprocess.run([".ci/release", "--check"], cwd=root, capture_output=True, text=True)
    assert (done.returncode == 0) == (not done.stderr)
    return done.stderr or done.stdout


ADDRESSES = {
    "setup.cfg": ("[metadata]\n", "[metadata]\nurl = https://example.org/csc-tasks\n"),
    "CITATION.cff": ("license:", "repository-code: https://example.org/csc-tasks\nlicense:"),
    "docs/examples/hf_job.py": ("github.com/ORG/csc-tasks", "example.org/csc-tasks"),
}


def filled_in(root: Path) -> None:
    """Write down what only the publisher knows, a file at a time; until all is there, the script
    names what is not.
    """
    section = PAGE.split("\n## A release\n")[1]
    for done, (name, (old, new)) in enumerate(ADDRESSES.items()):
        said = refused(root)
        assert said.startswith("error: not filled in yet:\n")
        assert [other in said for other in ADDRESSES] == [i >= done for i in range(3)], said
        assert f"`{name}`" in section
        file = root / name
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new, 1))
        git(root, "commit", "-qam", f"Address in {name}")


def test_no_address_is_made_up():
    """None is known: where one would stand there is none, or a word that asks for it."""
    setup = (ROOT / "setup.cfg").read_text(encoding="utf-8")
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    texts = {
        file: file.read_text(encoding="utf-8")
        for folder in (".github", "docs", "csc_tasks", "builders", "trainers", "leaderboard")
        for file in (ROOT / folder).rglob("*")
        if file.suffix in (".md", ".yml", ".yaml", ".py", ".html", ".js")
    } | {ROOT / name: (ROOT / name).read_text() for name in ("README.md", "SECURITY.md")}
    own = r"https?://[\w./-]*?csc[-_]tasks[\w./-]*|[\w.+-]+@[\w-]*csc[\w.-]*"
    named = {(file.name, link) for file, text in texts.items() for link in re.findall(own, text)}
    if re.search(r"^url = ", setup, re.MULTILINE):  # from the first release on
        assert "repository-code" in citation
    else:
        assert "repository-code" not in citation and "url" not in citation
        assert named == {("hf_job.py", "https://github.com/ORG/csc-tasks")}


def test_a_release_needs_tree_changelog_citation_and_a_new_tag(release):
    assert refused(release).startswith("error: the tree has changes")
    git(release, "add", ".")
    git(release, "commit", "-qm", "All")
    assert refused(release).startswith("error: CHANGELOG.md: no section '## [0.1.0] - DATE'")
    page = release / "CHANGELOG.md"
    page.write_text(page.read_text().replace("## [Unreleased]", "## [0.1.0] - 2026-01-01"))
    git(release, "commit", "-qam", "Release")
    filled_in(release)
    assert refused(release) == "v0.1.0: tree, changelog and citation agree\n"
    git(release, "tag", "v0.1.0")
    assert refused(release).startswith("error: the tag v0.1.0 is there already")
    citation = release / "CITATION.cff"
    citation.write_text(citation.read_text().replace("version: 0.1.0", "version: 0.0.9"))
    git(release, "commit", "-qam", "Older")
    assert refused(release) == "error: CITATION.cff: its version is not 0.1.0\n"
