"""The lowest versions that setup.cfg allows, as pip constraints: `python tests/floors.py`. Needs
nothing but the standard library.
"""

import configparser
import re
from pathlib import Path

SETUP = Path(__file__).resolve().parents[1] / "setup.cfg"
REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)(\[[\w,]+\])?>=(?P<floor>[\w.]+)(,<(?P<bound>[\w.]+))?")


def requirements(text: str) -> dict[str, tuple[str, str | None]]:
    """Library -> (lowest version, first version that is too new or None) of all extras in the text
    of a setup.cfg.

    Raises ValueError for a requirement without a lowest version, and for a library whose extras
    disagree.
    """
    config = configparser.ConfigParser()
    config.read_string(text)
    lists = [config["options"]["install_requires"], *config["options.extras_require"].values()]
    ranges: dict[str, tuple[str, str | None]] = {}
    for line in "\n".join(lists).split():
        if line.startswith("csc-tasks["):
            continue
        parts = REQUIREMENT.fullmatch(line)
        if parts is None:
            raise ValueError(f"setup.cfg: {line} names no lowest version")
        versions = parts["floor"], parts["bound"]
        if ranges.setdefault(parts["name"], versions) != versions:
            raise ValueError(
                f"setup.cfg: {line}, and elsewhere {parts['name']} {ranges[parts['name']]}"
            )
    return ranges


if __name__ == "__main__":
    for library, (floor, _) in requirements(SETUP.read_text(encoding="utf-8")).items():
        print(f"{library}=={floor}")
