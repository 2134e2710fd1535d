"""What is rated: six dimensions for every reply, four more for answers to questions, and how scores
become classes.

Sources: the six of arXiv 2508.04423 (GPT-4o and Qwen-Plus as judges), the four of arXiv 2602.00665
(human-likeness, continuity, tone, resolution). Names and definitions, in the project's own words,
are in leaderboard/prompts/<language>/judge_dimensions.txt.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from csc_tasks.arguments import check_known, listed
from csc_tasks.errors import SettingError
from csc_tasks.languages import language as named
from csc_tasks.languages import languages
from csc_tasks.runs.names import DIMENSIONS, SIX

if TYPE_CHECKING:
    from csc_tasks.llm.prompting import Prompts

FOLDER = Path(__file__).resolve().parents[1] / "prompts"
CLASSES = 5


def judging_languages() -> tuple[str, ...]:
    """The languages that have prompts for judges and raters, in their usual order."""
    return tuple(code for code in languages() if (FOLDER / code).is_dir())


def dimensions_of(kind: str, chosen: Sequence[str] = ()) -> tuple[str, ...]:
    """The dimensions of a kind of unit (see `Unit.kind`), those of `chosen` where any are."""
    names = DIMENSIONS if kind == "answer" else SIX
    return tuple(name for name in names if not chosen or name in chosen)


def chosen_dimensions(text: str) -> tuple[str, ...]:
    """`A,B` -> (A, B); raises SettingError for a dimension that does not exist."""
    names = tuple(listed(text))
    check_known("--dimensions", names, tuple(DIMENSIONS))
    return names


def score_class(score: float) -> int:
    """The class 1..5 of a score 0..100: 1 + min(4, floor(score / 20))."""
    return 1 + min(CLASSES - 1, int(score // 20))


def middle(likert: float) -> float:
    """The score in the middle of a class: 10, 30, 50, 70, 90. So that people's 1..5 and judges'
    0..100 stand on one scale.
    """
    return 20.0 * likert - 10.0


def prompts(language: str) -> "Prompts":
    """The templates of judges and comparisons in one language; raises SettingError for one that has
    none.
    """
    from csc_tasks.llm.prompting import Prompts

    if language not in judging_languages():
        raise SettingError(
            f"there are no prompts for judging in {named(language).name} ({language}); csc judge,"
            f" pairwise and human can judge {', '.join(judging_languages())}"
        )

    return Prompts(language, FOLDER)


@cache
def wording(language: str) -> dict[str, tuple[str, str]]:
    """Dimension -> (name, definition)."""
    lines = prompts(language).text("judge_dimensions").splitlines()
    return {
        name: (shown, meaning) for name, shown, meaning in (line.split(" | ") for line in lines)
    }
