"""The documentation, built as a site, and what its pages say."""

from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}


@dataclass
class Rendered:
    """A page of the site. text: what is read on it. ids: what links may lead to. loads: what a
    browser fetches with it. links: what is clicked.
    """

    text: str
    ids: set[str]
    loads: list[str]
    links: list[str]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.texts: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag not in VOID:
            self._open.append(tag)
        self.ids |= {given[name] for name in ("id", "name") if given.get(name)}
        self.loads += [given[name] for name in ("src", "data-src") if given.get(name)]
        if tag == "link" and given.get("rel") != "canonical" and "href" in given:
            self.loads.append(given["href"])
        if tag == "a" and "href" in given:
            self.links.append(given["href"])

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if not {"script", "style", "nav"} & set(self._open):
            self.texts.append(data)


def read_page(file: Path) -> Rendered:
    """A page of the built site."""
    reader = _Reader()
    reader.feed(file.read_text(encoding="utf-8"))
    return Rendered("".join(reader.texts), reader.ids, reader.loads, reader.links)
