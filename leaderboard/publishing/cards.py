"""The README files that publishing sends along: the card of the dataset with the results, and that
of the Space with the page.
"""

from typing import Any

from leaderboard.board import Board
from leaderboard.tables import markdown
from leaderboard.trust import summary

FORMS = {
    "results": (
        "one row per model, task and metric: value, clustered standard error, 95 % interval, trust"
        " (re-scored or claimed), signature, corpus, settings"
    ),
    "comparisons": (
        "one row per pair of models and metric: difference on shared conversations, interval, p, p"
        " corrected by Holm"
    ),
}

RELIABILITY = "- `reliability.json`: how far the ratings by judges and people can be believed\n"


def dataset_card(
    board: Board,
    name: str,
    configs: tuple[str, ...],
    licence: str,
    space: str | None,
    rated: bool = False,
) -> str:
    """Markdown with front matter: the tables of the board, what the files hold, how to load them.
    rated: with a reliability report.
    """
    front = {
        "pretty_name": board.title,
        "license": licence,
        "language": sorted(
            {language for table in board.tables for language in table.setting.languages}
        ),
        "tags": ["customer-support", "dialogue", "leaderboard", "evaluation-results"],
        "configs": [
            {
                "config_name": config,
                "data_files": [{"split": "test", "path": f"{config}/test-*.parquet"}],
            }
            for config in configs
        ],
    }
    held = "\n".join(f"- `{config}`: {FORMS[config]}" for config in configs)
    tables = "\n".join(markdown(board, table) for table in board.tables)
    page = (
        f" The same as a page: [{space}](https://huggingface.co/spaces/{space})." if space else ""
    )
    return (
        f"{_front_matter(front)}\n# {board.title}\n\n{len(board.models)} models and baselines,"
        f" newest run {board.date[:10]}, "
        f"made with csc-tasks {board.project}.{page} How far numbers can be trusted:"
        f" {summary(board)}.\n\n{tables}\n\n## Files\n\n{held}\n"
        "- `board.json`: all of it in one file, with footnotes\n"
        f"{RELIABILITY if rated else ''}- `raw/`: the results files of lm_eval that the numbers"
        " came from\n\n"
        f'```python\nfrom datasets import load_dataset\n\nload_dataset("{name}", "{configs[0]}",'
        ' split="test")\n```\n'
    )


def space_card(board: Board, results: str | None) -> str:
    """Front matter of a static Space whose page is index.html, and one line for who reads it in the
    repository.
    """
    front: dict[str, Any] = {
        "title": board.title,
        "emoji": "📊",
        "colorFrom": "blue",
        "colorTo": "gray",
        "sdk": "static",
        "app_file": "index.html",
    }
    front |= {
        "pinned": False,
        "tags": ["leaderboard", "customer-support"],
        **({"datasets": [results]} if results else {}),
    }
    return (
        f"{_front_matter(front)}\nThe page is index.html, which needs no server. Its"
        f" numbers are in board.json. How far they can be trusted: {summary(board)}.\n"
    )


def _front_matter(front: dict) -> str:
    import yaml

    return f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True, width=1000)}---\n"
