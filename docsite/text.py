"""Plain text and tables as Markdown."""

import html
import re
import textwrap
from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; cells are Markdown without line breaks."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def prose(text: str) -> str:
    """Plain text on one line that Markdown and HTML leave as it is, but for `code`."""
    parts = re.split(r"(`[^`]+`)", " ".join(text.split()))
    for i in range(0, len(parts), 2):
        parts[i] = re.sub(r"([\\`*_\[\]])", r"\\\1", html.escape(parts[i], quote=False))
    return "".join(parts)


def cell(text: str) -> str:
    """The same for the cell of a table."""
    return prose(text).replace("|", "\\|")


def described(text: str) -> list[str]:
    """A docstring's paragraphs as Markdown; one with indented lines stays as it is set."""
    parts = []
    for paragraph in text.strip("\n").split("\n\n"):
        if re.search(r"^ ", paragraph, re.MULTILINE):
            parts.append(f"```text\n{textwrap.dedent(paragraph)}\n```")
        else:
            parts.append(prose(paragraph))
    return parts
