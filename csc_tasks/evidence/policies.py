"""A folder of policies -> passages: text, Markdown, HTML and JSON lines.

A document is cut at its headings, a section at its paragraphs, and a paragraph that is too long at
the ends of its sentences, so that a passage has at most LONGEST characters beside its heading. Each
passage opens with the headings it stands under: what a rule is about often stands there alone.
JSON lines have `{"text": "...", "title": "..."}` (title is optional), a document a line.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

from csc_tasks.errors import DataError
from csc_tasks.reading import json_lines, read_text

LONGEST = 800
"""Characters of a passage beside its heading."""
HTML, ROWS = (".html", ".htm"), (".jsonl",)
SUFFIXES = (".md", ".markdown", ".txt", *HTML, *ROWS)

_WANTED = f"give a folder of policies ({', '.join(SUFFIXES)})"
_HEADING = re.compile(r"(#{1,6})\s+(.*?)\s*#*")
_SENTENCE_END = re.compile(r"(?<=[.!?;])\s+|(?<=[。！？；])")
_BLOCKS = frozenset(
    (
        *("address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "figure"),
        *("footer", "form", "header", "hr", "li", "main", "nav", "ol", "p", "pre", "section"),
        *("table", "tr", "ul"),
    )
)
_UNSEEN = frozenset(("script", "style", "template", "noscript"))


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document. name: the file and its number there, `refunds.md#2`."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Policies:
    """passages: of all documents, in the order of their names. skipped: files of other kinds, and
    documents without text.
    """

    passages: tuple[Passage, ...]
    skipped: tuple[str, ...]


def read_policies(folder: Path) -> Policies:
    """The passages of a folder and of the folders below it; hidden files are none of them.

    Raises DataError where the folder or a document cannot be read, and where there is no passage.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder; {_WANTED}")
    passages: list[Passage] = []
    skipped = []
    for file in sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).parts):
        name = file.relative_to(folder).as_posix()
        if not file.is_file() or any(part.startswith(".") for part in Path(name).parts):
            continue
        own = list(_passages(file)) if file.suffix.lower() in SUFFIXES else []
        passages += [Passage(f"{name}#{i}", text) for i, text in enumerate(own, 1)]
        if not own:
            skipped.append(name)
    if not passages:
        others = f"; it has {', '.join(skipped[:5])}" if skipped else ""
        raise DataError(f"{folder}: no text in it{others}; {_WANTED}")
    return Policies(tuple(passages), tuple(skipped))


def _passages(file: Path) -> Iterator[str]:
    if file.suffix.lower() in ROWS:
        for number, row in json_lines(file, _WANTED):
            text, title = (
                (row.get("text"), row.get("title", "")) if isinstance(row, dict) else (None, "")
            )
            if not isinstance(text, str) or not isinstance(title, str):
                raise DataError(
                    f'{file} line {number}: not {{"text": "...", "title": "..."}} (title is'
                    " optional)"
                )
            yield from sections(f"# {' '.join(title.split())}\n\n{text}" if title else text)
        return
    text = read_text(file, _WANTED)
    yield from sections(html_text(text) if file.suffix.lower() in HTML else text)


def sections(text: str) -> Iterator[str]:
    """The passages of Markdown or plain text."""
    headings: list[tuple[int, str]] = []
    paragraphs: list[str] = []
    for block in re.split(r"\n\s*\n|\n(?=#{1,6}\s)", text.replace("\r\n", "\n").strip()):
        first, _, rest = block.strip().partition("\n")
        if heading := _HEADING.fullmatch(first.strip()):
            yield from _packed(headings, paragraphs)
            level = len(heading[1])
            headings = [one for one in headings if one[0] < level] + [(level, heading[2])]
            paragraphs, block = [], rest
        if block.strip():
            paragraphs.append("\n".join(" ".join(line.split()) for line in block.split("\n")))
    yield from _packed(headings, paragraphs)


def _packed(headings: list[tuple[int, str]], paragraphs: list[str]) -> Iterator[str]:
    """Neighbouring paragraphs together, as many as LONGEST allows, below their headings."""
    heading = " > ".join(title for _, title in headings if title)
    body = ""
    for piece in (piece for paragraph in paragraphs for piece in _pieces(paragraph)):
        if body and len(body) + 1 + len(piece) > LONGEST:
            yield f"{heading}\n{body}".strip()
            body = ""
        body = f"{body}\n{piece}" if body else piece
    if body:
        yield f"{heading}\n{body}".strip()


def _pieces(paragraph: str) -> Iterator[str]:
    """A paragraph cut at ends of sentences, and a sentence that is longer than LONGEST anywhere."""
    if len(paragraph) <= LONGEST:
        yield paragraph
        return
    piece = ""
    for sentence in _SENTENCE_END.split(paragraph):
        joined = f"{piece} {sentence}" if piece and piece[-1].isascii() else piece + sentence
        if piece and len(joined) > LONGEST:
            yield piece
            joined = sentence
        while len(joined) > LONGEST:
            cut = joined.rfind(" ", 1, LONGEST + 1)
            cut = cut if cut > 0 else LONGEST
            yield joined[:cut]
            joined = joined[cut:].lstrip()
        piece = joined
    if piece:
        yield piece


def html_text(text: str) -> str:
    """A page as the Markdown that `sections` reads: headings and paragraphs."""
    page = _Page()
    page.feed(text)
    page.close()
    return "".join(page.parts)


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.unseen += tag in _UNSEEN
        if re.fullmatch(r"h[1-6]", tag):
            self.parts.append(f"\n\n{'#' * int(tag[1])} ")
        elif tag == "title":
            self.parts.append("\n\n# ")
        elif tag in _BLOCKS:
            self.parts.append("\n\n")
        elif tag in ("td", "th"):
            self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        self.unseen -= tag in _UNSEEN and self.unseen > 0
        if tag in _BLOCKS or tag == "title" or re.fullmatch(r"h[1-6]", tag):
            self.parts.append("\n\n")

    def handle_data(self, data: str) -> None:
        if not self.unseen:
            # A page's line breaks are white space; only its elements end a paragraph.
            self.parts.append(re.sub(r"\s+", " ", data))
