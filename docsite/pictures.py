"""The documentation's pictures: what the page of a board looks like in a browser.

    make demo
    python -m docsite.pictures demo/board

writes board.png, model.png, compare.png and conversations.png into docs/pictures, of the models in
that board's first table of conversations; `real/board --out docs/pictures/real` those of `make
real`. Needs the extra dev and a Chromium.
"""

import argparse
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from leaderboard.board import Board
from leaderboard.folder import checked_board
from tests.support.browser import FLAGS, find_chromium

ROOT = Path(__file__).resolve().parents[1]
WIDTH, HEIGHT = 1200, 900


def main(words: list[str] | None = None) -> None:
    """Make the pictures of a board."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("board", type=Path, help="a board folder")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures")
    args = parser.parse_args(words)
    chromium = find_chromium()
    if chromium is None:
        sys.exit("no Chromium on the PATH; CHROME_BIN names one elsewhere")
    made = checked_board(args.board)
    args.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=[*FLAGS])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        for name, view in views(made).items():
            page.goto(f"{(args.board / 'index.html').resolve().as_uri()}#/{view}")
            page.reload()  # a new address after # alone loads nothing
            page.screenshot(path=args.out / f"{name}.png")
        browser.close()


def views(board: Board) -> dict[str, str]:
    """Picture -> the view of the page, as its address says it after #/.

    Raises StopIteration where no table has strategies, and IndexError where it has no models.
    """
    table = next(t for t in board.tables if any(c.metric == "strategy_acc" for c in t.columns))
    models = [row.model for row in table.rows if board.models[row.model].kind != "baseline"]
    pair = f"?a={models[-1]}&b={models[0]}"
    return {
        "board": "",
        "model": f"model/{models[-1]}",
        "compare": f"compare/{table.id}{pair}",
        "conversations": f"samples/{table.id}{pair}",
    }


if __name__ == "__main__":
    main()
