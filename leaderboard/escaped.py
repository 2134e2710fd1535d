"""Text from outside as Markdown and LaTeX show it: one line, without any markup of its own."""

import re

from csc_tasks.shown import shown
from leaderboard.trust import CLAIMED

_TEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "–": "--",
    "±": r"$\pm$",
    "×": r"$\times$",
    CLAIMED: r"$^\dagger$",
}


def md_text(text: str) -> str:
    """Text that Markdown shows as it is: one line, no markup, no HTML, no end of a cell."""
    return re.sub(r"([\\`*_{}\[\]<>#|~&!])", r"\\\1", shown(text))


def tex_text(text: str) -> str:
    """Text that LaTeX shows as it is."""
    return "".join(_TEX.get(character, character) for character in shown(text))
