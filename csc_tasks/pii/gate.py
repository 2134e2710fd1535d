"""What may be published: every finding, grouped, and a decision on each.

A number that stands in 40 places is one finding. It is shown masked, with its name, its count and
where; it is published only where pii.yaml accepts it with why and who. Access tokens are never
accepted.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from csc_tasks.errors import DataError
from csc_tasks.pii.accepted import ACCEPTED, Accepted, entry_line, read_accepted
from csc_tasks.pii.kinds import KINDS, TOKEN, Match

PLACES = 3
"""How many places of a finding are named; the others are counted."""

__all__ = ["ACCEPTED", "Finding", "check", "grouped"]


@dataclass(slots=True)
class Finding:
    """One number, address or token, however often it occurs. places: place -> how often."""

    kind: str
    masked: str
    name: str
    places: Counter[str] = field(default_factory=Counter)

    def line(self) -> str:
        """How it is shown."""
        count, named = self.places.total(), list(self.places)[:PLACES]
        more = f" and {len(self.places) - PLACES} more" if len(self.places) > PLACES else ""
        times = f"{count:,} times in " if count > 1 else "in "
        return f"{self.kind} {self.masked}  {self.name}  {times}{', '.join(named)}{more}"


def grouped(matches: Iterable[tuple[str, Match]], accepted: Accepted) -> list[Finding]:
    """The distinct findings of (place, match), by kind and then by how often they occur."""
    findings: dict[str, Finding] = {}
    for place, match in matches:
        name = accepted.name(match.kind, match.value)
        finding = findings.setdefault(name, Finding(match.kind, match.masked, name))
        finding.places[place] += 1
    return sorted(
        findings.values(),
        key=lambda one: (KINDS.index(one.kind), -one.places.total(), one.masked, one.name),
    )


def check(
    matches: Iterable[tuple[str, Match]],
    file: Path | str = ACCEPTED,
    say: Callable[[str], None] = print,
) -> None:
    """Print every finding and what pii.yaml (`file`, made where it is absent and needed) says of
    it. Raises DataError when there is an access token or a finding that is not accepted.
    """
    matches = list(matches)
    if not matches:
        say("personal data: none found")
        return
    accepted = read_accepted(Path(file))
    findings = grouped(matches, accepted)
    say(f"personal data: {counted(findings)}")
    for finding in findings:
        say(f"  {finding.line()}")
        if finding.kind != TOKEN and finding.name in accepted.decisions:
            why, who = accepted.decisions[finding.name]
            say(f"    accepted by {who}: {why}")
    if unused := accepted.decisions.keys() - {finding.name for finding in findings}:
        say(f"  {len(unused):,} accepted in {accepted.file} do not occur here")
    tokens = [finding for finding in findings if finding.kind == TOKEN]
    if tokens:
        raise DataError(
            f"{len(tokens)} access token found (see the list): never publish one; revoke it and"
            " take it out"
        )
    undecided = [finding for finding in findings if finding.name not in accepted.decisions]
    if undecided:
        for line in _advice(undecided, accepted.file):
            say(line)
        raise DataError(
            f"personal data found (see the list): {counted(undecided)} not accepted; remove them,"
            f" or accept each in {accepted.file} with why and who"
        )
    say(f"  all accepted in {accepted.file}")


def counted(findings: Iterable[Finding]) -> str:
    """`27 phone (405 places), 1 e-mail (1 place)`."""
    kinds: Counter[str] = Counter()
    places: Counter[str] = Counter()
    for finding in findings:
        kinds[finding.kind] += 1
        places[finding.kind] += finding.places.total()
    return ", ".join(
        f"{kinds[kind]:,} {kind} ({places[kind]:,} place{'s' if places[kind] != 1 else ''})"
        for kind in KINDS
        if kind in kinds
    )


def _advice(undecided: list[Finding], file: Path) -> Iterator[str]:
    yield (
        f"To publish one all the same, put its line under `accepted:` in {file}, with why and who:"
    )
    yield from (entry_line(finding.name) for finding in undecided)
