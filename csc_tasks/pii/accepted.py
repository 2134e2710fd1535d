"""pii.yaml: the findings that somebody has looked at and accepted, each with why and by whom.

    key: 6e1f...                     # random, made with the file
    accepted:
    - {finding: "3fa9c2d1e07b5a64", why: "the shop's own counter", who: "A. Reviewer"}

A finding is named by the first 16 hex digits of HMAC-SHA256 over its kind and normalised value,
with the file's key. A plain hash would not do: beside a mask that leaves a million numbers, whoever
reads a log could try them all. The file itself is read by reviewers and never published; what it
accepts stands in the published data anyway.
"""

import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from csc_tasks.errors import DataError
from csc_tasks.out import replace_file
from csc_tasks.reading import read_text
from csc_tasks.reading.yaml_text import LARGEST, NotYaml, strict_yaml

ACCEPTED = "pii.yaml"
_KEY = re.compile(r"[0-9a-f]{32,}")
_FINDING = re.compile(r"[0-9a-f]{16}")
_HEAD = """\
# Personal data that may be published: a line for each finding, with why and who decided it.
# `csc push` and `csc publish` print the lines. The key makes the names of the findings: keep them
# together, and never publish this file.
"""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a pii.yaml holds. decisions: finding -> (why, who)."""

    file: Path
    key: str
    decisions: Mapping[str, tuple[str, str]]

    def name(self, kind: str, value: str) -> str:
        """The name of a finding of this kind and normalised value."""
        content = f"{kind}\0{value}".encode(errors="surrogatepass")
        return hmac.new(bytes.fromhex(self.key), content, "sha256").hexdigest()[:16]


def read_accepted(file: Path) -> Accepted:
    """The decisions in a file; it is made, with a new key and no decision, where it is absent.

    Raises DataError for a file that is no such list, names the entry that lacks why or who, and
    SettingError where it cannot be made.
    """
    if not file.exists():
        key = secrets.token_hex(32)
        replace_file(file, f"{_HEAD}key: {key}\naccepted:\n")
        return Accepted(file, key, {})
    try:
        content = strict_yaml(read_text(file, f"give a {ACCEPTED}", largest=LARGEST))
    except NotYaml as error:
        raise DataError(f"{file}: cannot be read as YAML ({error})") from None
    if not isinstance(content, dict) or not _is(content.get("key"), _KEY):
        raise DataError(
            f"{file}: there is no `key:` of hex digits; move the file away and a new one is made"
        )
    if unknown := content.keys() - {"key", "accepted"}:
        raise DataError(f"{file}: {sorted(map(str, unknown))[0]!r} is neither key nor accepted")
    entries = content.get("accepted") or []
    if not isinstance(entries, list):
        raise DataError(f"{file}: `accepted:` is {entries!r:.40}; a list of findings belongs there")
    decisions: dict[str, tuple[str, str]] = {}
    for number, entry in enumerate(entries, 1):
        finding, why, who = _decision(entry, f"{file}, entry {number}")
        if finding in decisions:
            raise DataError(f"{file}, entry {number}: {finding} stands there twice; leave one")
        decisions[finding] = (why, who)
    return Accepted(file, content["key"], decisions)


def entry_line(finding: str) -> str:
    """The line of pii.yaml that accepts a finding once why and who are filled in."""
    return f'- {{finding: "{finding}", why: "", who: ""}}'


def _decision(entry: Any, where: str) -> tuple[str, str, str]:
    if not isinstance(entry, dict) or set(entry) != {"finding", "why", "who"}:
        raise DataError(f"{where}: {entry!r:.80} is not `{entry_line('HASH')}`")
    # YAML reads digits alone as a number, and 1e5 as one too.
    finding = entry["finding"]
    if not _is(finding, _FINDING):
        raise DataError(
            f"{where}: finding {finding!r:.40} is not the 16 hex digits that are printed; write"
            " them in quotes"
        )
    for name in ("why", "who"):
        if not isinstance(entry[name], str) or not entry[name].strip():
            raise DataError(f"{where}: {finding} is accepted without {name}; fill it in")
    return finding, entry["why"].strip(), entry["who"].strip()


def _is(value: Any, pattern: re.Pattern[str]) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None
