"""Printed: no column is cut off, intervals are there as numbers, and ink is dark on a screen that
was dark.
"""

import pytest

from leaderboard import folder
from leaderboard.page.render import write_page
from tests.leaderboard.page.test_first_view import wide
from tests.support import board_example as example
from tests.support.browser import opened

# A4 on its long side, less the margins of 10 mm that the style asks for, at 96 pixels an inch.
PAPER = (round((297 - 20) / 25.4 * 96), round((210 - 20) / 25.4 * 96))


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    """The example's board with as many columns as a board of two contexts in two languages has."""
    root = example.write_example(tmp_path_factory.mktemp("paper") / "board")
    folder.replace_file(root / "board.json", folder.dumped(wide(example.example_board(), 12)))
    return write_page(root)


@pytest.mark.xdist_group("page")
@pytest.mark.parametrize("scripts", [False, True])
def test_no_column_is_cut_off(page_file, scripts):
    with opened(page_file, size=PAPER, scripts=scripts) as (page, complaints):
        assert page.locator("#table-conversations").bounding_box()["width"] > PAPER[0]
        page.emulate_media(media="print")
        table = page.locator("#table-conversations").bounding_box()
        assert table["x"] >= 0 and table["x"] + table["width"] <= PAPER[0]
        assert page.locator(".scroller").first.evaluate(
            "box => getComputedStyle(box).overflowX"
        ) == ("visible")
    assert complaints == []


@pytest.mark.xdist_group("page")
def test_intervals_are_numbers_and_what_is_pressed_is_not_there(page_file):
    with opened(page_file, size=PAPER) as (page, _):
        cell = page.locator("tr.adapter td").first
        interval = cell.locator(".unseen")
        assert interval.bounding_box()["width"] <= 1 and cell.locator(".bar").is_visible()
        page.emulate_media(media="print")
        assert interval.inner_text().strip() == "(53.0 to 61.0)"
        assert interval.bounding_box()["width"] > 20 and not cell.locator(".bar").is_visible()
        for pressed in ("#nav", "#theme", ".filters"):
            assert not page.locator(pressed).is_visible(), pressed


@pytest.mark.xdist_group("page")
def test_ink_is_dark_where_the_screen_was_dark(page_file):
    """The backgrounds of a page are not printed."""
    with opened(page_file, size=PAPER, dark=True) as (page, _):
        page.evaluate("document.documentElement.dataset.theme = 'dark'")
        ink = "getComputedStyle(document.body).color"
        assert page.evaluate(ink) == "rgb(231, 229, 225)"
        page.emulate_media(media="print", color_scheme="light")
        assert page.evaluate(ink) == "rgb(29, 28, 26)"
