"""Which tests one worker of pytest-xdist runs, so that what they share is made once.

With `--dist loadgroup` a test without a group goes to whichever worker is free, and a fixture of a
module is then made by every worker. Tests without such a fixture stay free: they fill the gaps.
"""

from collections.abc import Iterable

import pytest


def group_by_fixtures(items: Iterable[pytest.Item]) -> None:
    """Tests that use a fixture of a whole module get its group; where one of a whole folder is
    used, all of the module get the folder's. A group that a test names itself stays.
    """
    shared = {
        item: found
        for item in items
        if not item.get_closest_marker("xdist_group") and (found := _long_lived(item))
    }
    folders = {
        _module(item): made.baseid
        for item, found in shared.items()
        for made in found
        if made.scope in ("package", "session")
    }
    for item in shared:
        module = _module(item)
        item.add_marker(pytest.mark.xdist_group(folders.get(module, module)))


def _module(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def _long_lived(item: pytest.Item) -> list[pytest.FixtureDef]:
    """The fixtures of the test that live longer than it does; those of all tests do not count."""
    known = getattr(item, "_fixtureinfo", None)
    made = [found[-1] for found in known.name2fixturedefs.values()] if known else []
    return [one for one in made if one.scope != "function" and one.baseid.startswith("tests/")]
