"""The documentation as a site: it builds without a warning, no page, anchor or file that it links
to is missing, nothing on it comes from elsewhere, it is searched offline, and the reference pages
leave out no verb, option, setting, metric or recipe key.
"""

import argparse
import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml
from PIL import Image

from csc_tasks.cli import COMMANDS, main
from csc_tasks.framework import STRATEGY_IDS
from csc_tasks.metrics import METRICS
from csc_tasks.settings import Settings
from docsite.pictures import main as make_pictures
from tests.support.browser import find_chromium, opened
from tests.support.built_site import read_page
from tests.support.made_results import conversation_result, conversations, right, write_run
from trainers.recipe import Recipe

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = "csc_conv_ref"

pytestmark = pytest.mark.xdist_group("docs")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site, built as `make docs` builds it."""
    out = tmp_path_factory.mktemp("docs") / "site"
    words = ["build", "--strict"]
    assert f"mkdocs {' '.join(words)}\n" in (ROOT / "Makefile").read_text(encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", *words, "--site-dir", str(out)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and "WARNING" not in done.stderr, done.stderr
    # Where warnings are not shown they are not counted either, and nothing is strict.
    assert "INFO" in done.stderr
    return out


@pytest.fixture(scope="module")
def pages(site):
    """Path in the site -> page."""
    return {
        file.relative_to(site).as_posix(): read_page(file)
        for file in site.rglob("*.html")
        if file.name != "404.html"
    }


def test_every_file_of_the_documentation_is_a_page(pages):
    for file in (ROOT / "docs").rglob("*.md"):
        place = file.relative_to(ROOT / "docs").with_suffix(".html")
        place = place.with_name("index.html") if place.stem == "README" else place
        assert place.as_posix() in pages
    assert {"index.html", "reference/tasks.html", "explanation/measurements.html"} <= set(pages)


def test_links_and_anchors_lead_somewhere(site, pages):
    broken = []
    for place, page in pages.items():
        for link in page.links:
            target, _, anchor = unquote(link).partition("#")
            if re.match(r"[a-z]+:", target):
                continue
            file = (site / place).parent / target if target else site / place
            there = file.resolve().relative_to(site.resolve()).as_posix()
            if not file.is_file() or (anchor and anchor not in pages[there].ids):
                broken.append((place, link))
    assert broken == []


def test_a_page_loads_nothing_from_elsewhere(site, pages):
    for place, page in pages.items():
        assert page.loads
        for source in page.loads:
            assert ((site / place).parent / source.split("?")[0]).is_file(), (place, source)


def test_every_verb_has_a_page_with_its_options(pages):
    listed = pages["reference/commands.html"]
    for verb, (module, summary) in COMMANDS.items():
        page = pages[f"reference/commands/{verb.replace(' ', '-')}.html"]
        parser = argparse.ArgumentParser()
        importlib.import_module(module).add_arguments(parser)
        shown = [action for action in parser._actions if action.help != argparse.SUPPRESS]
        for name in (name for action in shown for name in action.option_strings):
            assert re.search(rf"(?<![\w-]){name}(?![\w-])", page.text), (verb, name)
        hidden = [
            name
            for action in parser._actions
            if action.help == argparse.SUPPRESS
            for name in action.option_strings
        ]
        assert not any(re.search(rf"{name}(?![\w-])", page.text) for name in hidden), verb
        assert f"csc {verb}" in listed.text
        assert summary.replace("`", "") in " ".join(listed.text.split())
        assert f"commands/{verb.replace(' ', '-')}.html" in listed.links


def test_every_setting_metric_strategy_and_recipe_key_is_listed(pages):
    words = {
        "settings": [f"csc_{name}" for name in Settings.__dataclass_fields__],
        "metrics": list(METRICS),
        "strategies": list(STRATEGY_IDS),
        "recipe": list(Recipe.__dataclass_fields__),
    }
    for page, names in words.items():
        text = pages[f"reference/{page}.html"].text.split()
        assert len(names) >= 12 and set(names) <= set(text), page
    for metric in METRICS.values():
        assert " ".join(metric.description.split()) in " ".join(
            pages["reference/metrics.html"].text.split()
        )


def test_every_task_has_its_row(pages):
    names = [
        yaml.safe_load(re.sub(r"!function .*", "x", file.read_text()))["task"]
        for file in (ROOT / "csc_tasks").rglob("csc*.yaml")
        if file.stem != "csc"
    ]
    assert len(names) >= 15
    assert set(names) <= set(pages["reference/tasks.html"].text.split())


def test_no_generated_part_is_left_out(site):
    """A mark that is left is that of a part which a test holds in the page itself."""
    for file in site.rglob("*.html"):
        text = file.read_text(encoding="utf-8")
        for mark in re.findall(r"<!-- generated: ([a-z ]+) -->", text):
            assert f"<!-- end: {mark} -->" in text, (file, mark)


def test_what_it_is_searched_by_holds_every_page(site, pages):
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    assert {entry["location"].split("#")[0] for entry in index["docs"]} >= set(pages)


def test_it_is_searched_as_a_file_without_a_network(site):
    """A page that is opened as a file may start no web worker; the search works all the same."""
    with opened(site / "index.html") as (page, complaints):
        page.locator(".md-search__input").fill("csc_think_tokens")
        results = page.locator(".md-search-result__item")
        results.first.wait_for(timeout=60_000)
        titles = " ".join(results.all_inner_texts())
    assert "Settings" in titles and "Models that think aloud" in titles
    assert complaints == []


@pytest.mark.parametrize("place", ["index.html", "reference/commands/collect.html"])
def test_a_page_can_be_read_by_everybody(site, place):
    """axe-core finds nothing of weight: contrast, names of what is clicked, links in sentences."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    with opened(site / place) as (page, _):
        violations = axe.Axe().run(page).response["violations"]
    heavy = [one for one in violations if one["impact"] in ("serious", "critical")]
    assert [(one["id"], one["nodes"][0]["target"]) for one in heavy] == []


@pytest.mark.parametrize(
    "place",
    [
        "reference/metrics.html",
        "reference/settings.html",
        "reference/recipe.html",
        "explanation/habits.html",
    ],
)
def test_a_table_fits_a_desk(site, place):
    """The last column of these tables is what describes the row; none of it is beside the page."""
    with opened(site / place, size=(1280, 800)) as (page, _):
        table = page.locator(".md-typeset__scrollwrap").first
        assert table.evaluate("box => box.scrollWidth - box.clientWidth") <= 0
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_pictures_are_those_that_the_script_makes(tmp_path):
    if find_chromium() is None:
        pytest.skip("no Chromium")
    board = tmp_path / "board"
    lines = conversations(6)
    for name, share in (("org/one", 0.25), ("org/two", 0.75)):
        write_run(tmp_path / "runs", name, [conversation_result(REFERENCE, lines, right(share))])
    assert main(["collect", str(tmp_path / "runs"), "--out", str(board)]) == 0
    make_pictures([str(board), "--out", str(tmp_path / "pictures")])
    made = {file.name for file in (tmp_path / "pictures").iterdir()}
    pictures = ROOT / "docs" / "pictures"
    kept = {file.relative_to(pictures).as_posix() for file in pictures.rglob("*.png")}
    assert kept == made | {f"real/{name}" for name in made}
    shown = {
        picture
        for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
        for picture in re.findall(r"!\[[^\]]+\]\([^)]*pictures/([^)]+)\)", page.read_text())
    }
    assert shown == kept
    for file in (tmp_path / "pictures").iterdir():
        with Image.open(file) as image:
            assert image.size == (1200, 900) and len(image.getcolors(1_000_000)) > 20, file
