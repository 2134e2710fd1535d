"""What one forgery is, and the list that the others join."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.red_team.forging import Edit, Lines, Text

INVENTED = (
    "samples hold what the model is said to have replied, and here that is invented: only --rerun,"
    " or a corpus that holds references out, can tell"
)
NOT_OURS = "no text of a run shows it; no score moves by it"

Files = Callable[[Path], None]
"""Changes what lies in the folder after both files are written."""


@dataclass(frozen=True, slots=True)
class Forgery:
    """One way to cheat. edit: of the two files' content. tells: words that csc verify must print.
    principle: why it cannot be caught, "" for what must be. files: what is done to the files.
    beside: whether the honest run that it was made from is handed in too. apart: whether it is a
    true run of something smaller, which the board keeps in a table of its own. held: the turns that
    the corpus holds out ("" for none); the verifier has the references. again: of a run that asked
    for JSON, and again for what it could not read.
    """

    name: str
    task: str
    edit: Edit
    tells: str
    principle: str = ""
    files: Files | None = field(default=None, repr=False)
    beside: bool = False
    apart: bool = False
    held: str = ""
    again: bool = False


FORGERIES: list[Forgery] = []


def forgery(
    name: str,
    tells: str = "",
    task: str = "csc_conv_ref",
    principle: str = "",
    files: Files | None = None,
    beside: bool = False,
    apart: bool = False,
    held: str = "",
    again: bool = False,
) -> Callable[[Edit], Edit]:
    """Add a function to the list, once per call."""

    def add(edit: Edit) -> Edit:
        FORGERIES.append(
            Forgery(name, task, edit, tells, principle, files, beside, apart, held, again)
        )
        return edit

    return add


def nothing(text: Text, lines: Lines) -> None:
    """The content stays honest."""
