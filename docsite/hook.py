"""What mkdocs calls while it builds the site: pages that lie elsewhere in the repository or are
made of the program's tables, and links that work in the repository and in the site alike.
"""

import os
import re
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from docsite import commands, formats, tables

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent

ELSEWHERE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "reporting.md",
    "csc_tasks/README.md": "reference/tasks.md",
    "benchmarks/RESULTS.md": "explanation/measurements.md",
}
"""Pages that lie outside docs/, where they are looked for, and their places in the site."""

GENERATED = {
    "settings": tables.settings_table,
    "strategies": tables.strategies_table,
    "metrics": tables.metrics_table,
    "recipe": tables.recipe_table,
    "file formats": formats.page,
    "commands": commands.overview,
}
"""What stands where a page says `<!-- generated: NAME -->`."""

_MARK = re.compile(r"<!-- generated: ([a-z ]+) -->")
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
_TABLE_CODE = re.compile(r"(?<=\|) ?`[^`\n]*\\\|[^`\n]*`")
_FENCE = re.compile(r"^( *)(```+).*?^\1\2$", re.DOTALL | re.MULTILINE)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """A page for every verb of `csc`, in the navigation under Commands."""
    reference = next(part["Reference"] for part in config.nav or () if "Reference" in part)
    entry = next(part for part in reference if isinstance(part, dict) and "Commands" in part)
    entry["Commands"] = ["reference/commands.md", *commands.pages()]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages and files that docs/ does not hold."""
    for source, place in ELSEWHERE.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, place, content=text))
    for asset in sorted((HERE / "assets").iterdir()):
        place = f"assets/{asset.name}"
        files.append(File.generated(config, place, abs_src_path=str(asset)))
    for place, make in (commands.pages() | formats.schema_files()).items():
        files.append(File.generated(config, place, content=make()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill in what is generated, and turn links between files into links between pages."""
    place = page.file.src_uri
    source = next((s for s, p in ELSEWHERE.items() if p == place), f"docs/{place}")
    markdown = _MARK.sub(
        lambda mark: GENERATED[mark[1]]() if mark[1] in GENERATED else mark[0], markdown
    )
    if place == "index.md":
        page.meta["hide"] = ["navigation"]
    # Python-Markdown leaves Markdown inside HTML alone unless it is told not to, and shows the
    # backslash of a pipe inside code in a table.
    markdown = markdown.replace("<details>", '<details markdown="1">')
    markdown = _TABLE_CODE.sub(lambda code: code[0].replace("\\|", "|"), markdown)
    return relinked(markdown, source, place)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Give the theme's search, a dialog without a name, one for those who hear the page."""
    return output.replace('role="dialog"', 'role="dialog" aria-label="Search"', 1)


def relinked(markdown: str, source: str, place: str) -> str:
    """`markdown` of the repository's file `source` with links as the page `place` needs them.

    A file of the repository that is no part of the site is named and not linked.
    """

    def link(match: re.Match[str]) -> str:
        target, _, anchor = match[3].partition("#")
        if not target or re.match(r"[a-z]+:", target):
            return match[0]
        file = os.path.normpath(PurePosixPath(source).parent / target)
        if file not in ELSEWHERE and not file.startswith("docs/"):
            return f"`{file}`" if (ROOT / file).exists() else match[0]
        there = ELSEWHERE.get(file) or file.removeprefix("docs/")
        shown = os.path.relpath(there, PurePosixPath(place).parent)
        return f"{match[1]}[{match[2]}]({shown}{'#' + anchor if anchor else ''})"

    parts, end = [], 0
    for fence in _FENCE.finditer(markdown):
        parts += [_LINK.sub(link, markdown[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, _LINK.sub(link, markdown[end:])])
