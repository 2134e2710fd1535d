"""Headless Chromium for tests that look at a page: `opened(page_file)` gives a Playwright page and
what went wrong in it. A worker starts one browser, when it first needs it.

Needed are the `playwright` package and a Chromium (CHROME_BIN names one that is not on the PATH).
Where either is absent the test skips and says which.

    from tests.support.browser import opened

    def test_the_page(tmp_path):
        with opened(tmp_path / "index.html") as (page, complaints):
            page.get_by_role("button", name="Keep").click()
        assert complaints == []
"""

import asyncio
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    *(
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
    ),
    *(
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--disable-default-apps",
        "--disable-extensions",
    ),
)
DESKTOP, PHONE = (1280, 800), (390, 844)


def find_chromium() -> str | None:
    """The path of an installed Chromium, or None."""
    return next(
        (
            path
            for name in (os.environ.get("CHROME_BIN"), *NAMES)
            if name and (path := shutil.which(name))
        ),
        None,
    )


class Shared:
    """The browser of this process. Playwright's loop counts as running in this thread for as long
    as it lives, and then asyncio.run refuses to work: between two pages it does not count.
    """

    def __init__(self) -> None:
        self._play = self._browser = self._loop = None

    @contextmanager
    def browser(self) -> Iterator["Browser"]:
        """Chromium, started by the first call."""
        sync_api = pytest.importorskip(
            "playwright.sync_api",
            reason="no playwright: pip install playwright (its own browsers are not needed)",
        )
        path = find_chromium() or pytest.skip(
            "no Chromium: install the system's package, or name one in CHROME_BIN"
        )
        before = asyncio._get_running_loop()
        try:
            if self._play is None:
                self._play = sync_api.sync_playwright().start()
                self._loop = asyncio._get_running_loop()
            else:
                asyncio._set_running_loop(self._loop)
            if self._browser is None or not self._browser.is_connected():
                # Playwright gives a launch an empty --user-data-dir of its own and removes it.
                self._browser = self._play.chromium.launch(
                    executable_path=path, args=[*FLAGS], timeout=60_000
                )
            yield self._browser
        finally:
            asyncio._set_running_loop(before)

    def close(self) -> None:
        """End the browser, and what drives it."""
        if self._play is not None:
            asyncio._set_running_loop(self._loop)
            if self._browser is not None:
                self._browser.close()
            self._play.stop()
            asyncio._set_running_loop(None)
            self._play = self._browser = self._loop = None


SHARED = Shared()


@contextmanager
def opened(
    target: Path | str,
    *,
    size: tuple[int, int] = DESKTOP,
    dark: bool = False,
    scripts: bool = True,
) -> Iterator[tuple["Page", list[str]]]:
    """(page, complaints) of a page in a profile of its own, empty at first: `target` is a file or a
    URL on this machine.

    `complaints` fills while the page lives: errors and warnings on its console, exceptions, and
    every request that is not for this machine (refused, so a page that wants a CDN cannot pass).
    Downloads are accepted: `with page.expect_download() as found`. scripts: whether the page's own
    may run. Skips the test where there is no browser.
    """
    url = target if isinstance(target, str) else target.resolve().as_uri()
    complaints: list[str] = []

    def route(route):
        if route.request.url.startswith(
            ("file:", "data:", "blob:", "http://127.0.0.1", "http://localhost")
        ):
            route.continue_()
        else:
            complaints.append(f"request to {route.request.url}")
            route.abort()

    with SHARED.browser() as browser:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
            accept_downloads=True,
            java_script_enabled=scripts,
            locale="en-GB",
        )
        context.set_default_timeout(120_000)
        context.route("**/*", route)
        page = context.new_page()
        page.on(
            "console",
            lambda message: (
                complaints.append(message.text) if message.type in ("error", "warning") else None
            ),
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        try:
            page.goto(url)
            yield page, complaints
        finally:
            context.close()


def follow(page: "Page", act: Callable[[], object]) -> None:
    """Do what leads to another address of the page, and wait until the page says that it shows it:
    the browser tells it when it likes.
    """
    before = page.evaluate("location.hash")
    act()
    page.wait_for_function(
        "before => location.hash !== before && document.documentElement.dataset.shown ==="
        " location.hash",
        arg=before,
    )


def reload_until(page: "Page", shows: str) -> None:
    """Load the page again, until the JavaScript expression `shows` is true. Another process of the
    browser writes what a page keeps: a page that is left at once may take it along, and one that is
    loaded early may not find it. Fails where it is not true after five.
    """
    for _ in range(5):
        page.wait_for_timeout(1_000)
        page.reload()
        if page.evaluate(shows):
            return
    pytest.fail(f"not so after five reloads: {shows}")
