"""Audit reports of customers who play live conversations (`csc audit-customer` writes them):
whether numbers of a customer may be ranked.

A report is a customer_audit.json, whole and as it was written (leaderboard/customer_audit.py). It
holds for the runs of its customer on its corpus, with its prompt, temperature and briefs. A verdict
that is not "pass" counts also where the audit was of dialogues that say nothing of these; a "pass"
does not.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from csc_tasks.errors import DataError
from csc_tasks.live.customers import RECORDED, SAME
from csc_tasks.runs.results_file import Measurement
from csc_tasks.shown import shown
from leaderboard.customer_audit import CustomerAudit, load_audit

UNAUDITED = "not audited"
OWN_CUSTOMER = "played by each evaluated model itself, so no two rows have the same one"
VERDICTS = {"pass": "audit passed", "fail": "audit failed", "undecided": "audit undecided"}
PAGES = "audits"
"""The folder of a board with the pages of the audits that it links to."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a board needs of an audit."""

    whole: CustomerAudit

    @property
    def page(self) -> str:
        """Where its page lies in a board folder."""
        return f"{PAGES}/{self.whole.hash}.html"

    def about(self, measurement: Measurement) -> bool:
        """Whether it is an audit of the customer that this run was played with."""
        audit, p = self.whole, measurement.provenance
        unknown = () if audit.verdict == "pass" else (None,)
        return (
            (audit.customer, audit.corpus) == (p.customer, p.content_hash)
            and audit.customer_prompt in (*unknown, p.customer_prompt)
            and audit.customer_temperature in (*unknown, p.customer_temperature)
            and audit.briefs in (*unknown, p.briefs)
        )


@dataclass(frozen=True, slots=True)
class Badge:
    """What a board says of the customer of a table. ranked: whether its numbers may be ranked.
    page: of the audit, as a path in the board folder.
    """

    customer: str
    text: str
    ranked: bool
    page: str | None = None


def read_audits(files: Iterable[Path]) -> list[Report]:
    """Audit reports. Raises DataError that names the file and what is wrong with it, and for two of
    one customer that disagree.
    """
    reports: dict[tuple[Any, ...], tuple[CustomerAudit, Path]] = {}
    for file in files:
        audit = load_audit(file)
        key = (
            *(audit.customer, audit.corpus, audit.customer_prompt),
            *(audit.customer_temperature, audit.briefs),
        )
        other, there = reports.setdefault(key, (audit, file))
        if other.verdict != audit.verdict:
            raise DataError(
                f"{file} and {there} disagree on {shown(audit.customer)}; give the one that holds"
            )
    return [Report(audit) for audit, _ in reports.values()]


def badge_of(measurements: Sequence[Measurement], reports: Iterable[Report]) -> Badge | None:
    """The badge of a table of live conversations; None for any other. A recorded customer needs no
    audit, but where there is one it counts; any other is ranked where one has passed. That which
    every evaluated model plays itself never is: the rows would be of different customers.
    """
    live = [m for m in measurements if m.provenance.customer]
    if not live:
        return None
    customer = str(live[0].provenance.customer)
    if customer == SAME:
        return Badge(customer, OWN_CUSTOMER, False)
    own = [report.whole for report in reports if report.about(live[0])]
    if customer == RECORDED and not own:
        return Badge(customer, "recorded, needs no audit", True)
    # The worst verdict counts.
    order = ("fail", "undecided", "pass")
    worst = min(own, key=lambda audit: order.index(audit.verdict), default=None)
    if worst is None:
        return Badge(customer, UNAUDITED, False)
    words = VERDICTS[worst.verdict]
    if worst.failed:
        words += f" on {', '.join(map(shown, worst.failed))}"
    text = f"{words} (report {shown(worst.hash)})"
    return Badge(customer, text, worst.verdict == "pass", Report(worst).page)
