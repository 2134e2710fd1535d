"""What builders ask models: the templates in `builders/prompts/<language>/`."""

from pathlib import Path

from csc_tasks.llm.prompting import Prompts

FOLDER = Path(__file__).resolve().parent / "prompts"


def templates(language: str) -> Prompts:
    """The builders' templates in one language."""
    return Prompts(language, FOLDER)
