"""Audit reports of customers who play live conversations (`csc audit-customer` writes them):
whether numbers of a customer may be ranked.

A report is a customer_audit.json (leaderboard/customer_audit.py). It holds for the runs whose
conversations it is about, by their content, and only where it was made again here
(leaderboard/audit/believing.py): anybody can write that a customer passes. One that says that a
customer fails, or cannot be told, counts by the customer's name already.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from csc_tasks.live.customers import RECORDED, SAME
from csc_tasks.runs.results_file import Measurement
from csc_tasks.shown import shown
from leaderboard.customer_audit import CustomerAudit

UNAUDITED = "not audited"
OWN_CUSTOMER = "played by each evaluated model itself, so no two rows have the same one"
VERDICTS = {"pass": "audit passed", "fail": "audit failed", "undecided": "audit undecided"}
PAGES = "audits"
"""The folder of a board with the pages of the audits that it links to."""
REPEATED: Final = "repeated"
CLAIMED: Final = "claimed"
REFUSED: Final = "refused"
NAMES = 3
"""Of runs, in a sentence."""


@dataclass(frozen=True, slots=True)
class Report:
    """An audit, and what is to be thought of it. standing: repeated, it was made again and says
    what that gave; claimed, that could not be done; refused, it says something else. why: in a
    sentence, "" where it was repeated. files: the samples files here that it is about.
    """

    whole: CustomerAudit
    standing: Literal["repeated", "claimed", "refused"]
    why: str = ""
    files: frozenset[Path] = field(default_factory=frozenset)

    @property
    def page(self) -> str:
        """Where its page lies in a board folder."""
        return page_of(self.whole)

    @property
    def text(self) -> str:
        """What it says, and whether that is believed."""
        audit = self.whole
        if self.standing == REFUSED:
            return f"audit refused: {self.why} (report {shown(audit.hash)})"
        words = VERDICTS[audit.verdict]
        if audit.failed:
            words += f" on {', '.join(map(shown, audit.failed))}"
        if self.standing == CLAIMED:
            return (
                f"audit claimed, not recomputed: it says {words}, but {self.why} (report"
                f" {shown(audit.hash)})"
            )
        return f"{words} (report {shown(audit.hash)})"

    @property
    def note(self) -> str:
        """A sentence for whoever gave it; "" where there is nothing to be said."""
        if self.standing == REPEATED:
            return ""
        return f"the audit of {shown(self.whole.customer)}: {self.text}; it ranks nothing"

    def names(self, measurement: Measurement) -> bool:
        """Whether it is of a customer of that name on that corpus, played in the same way as far as
        it says.
        """
        audit, p = self.whole, measurement.provenance
        return (
            (audit.customer, audit.corpus) == (p.customer, p.content_hash)
            and audit.customer_prompt in (None, p.customer_prompt)
            and audit.customer_temperature in (None, p.customer_temperature)
            and audit.briefs in (None, p.briefs)
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


def page_of(audit: CustomerAudit) -> str:
    """Where the page of an audit lies in a board folder."""
    return f"{PAGES}/{audit.hash}.html"


def badge_of(measurements: Sequence[Measurement], reports: Iterable[Report]) -> Badge | None:
    """The badge of a table of live conversations; None for any other. measurements: those whose
    numbers would be ranked.
    """
    live = [m for m in measurements if m.provenance.customer]
    if not live:
        return None
    # Without samples no audit is of it.
    files = {m.samples or m.file: m.identity.name for m in live}
    own = [
        report
        for report in reports
        if any(m.samples in report.files or report.names(m) for m in live)
    ]
    return badge_for(str(live[0].provenance.customer), files, own)


def badge_for(customer: str, files: Mapping[Path, str], own: Sequence[Report]) -> Badge:
    """What is said of a customer. files: the samples of its runs, with whom it talked; own: the
    reports about it.

    A recorded customer needs no audit, but where there is one it counts; any other is ranked where
    one that was made again has passed, of all these runs. That which every evaluated model plays
    itself never is: the rows would be of different customers.
    """
    if customer == SAME:
        return Badge(customer, OWN_CUSTOMER, False)
    against = [report for report in own if report.whole.verdict != "pass"]
    passed = [report for report in own if report not in against]
    # The worst counts: what was made again before what is claimed, and a failure before a doubt.
    against.sort(key=lambda one: (one.standing != REPEATED, one.whole.verdict != "fail"))
    for report in against:
        if report.standing != REFUSED:
            page = report.page if report.standing == REPEATED else None
            return Badge(customer, report.text, False, page)
    if customer == RECORDED:
        return Badge(customer, "recorded, needs no audit", True)
    passed.sort(key=lambda one: (REPEATED, REFUSED, CLAIMED).index(one.standing))
    if not own:
        return Badge(customer, UNAUDITED, False)
    if not passed or passed[0].standing != REPEATED:
        return Badge(customer, (passed or against)[0].text, False)
    audited = frozenset[Path]().union(*(one.files for one in passed if one.standing == REPEATED))
    first = passed[0]
    if others := sorted({name for file, name in files.items() if file not in audited}):
        listed = ", ".join(map(shown, others[:NAMES]))
        more = f" and {len(others) - NAMES} more" if len(others) > NAMES else ""
        text = f"audit of other runs, passed: it is not of those of {listed}{more}; audit them too"
        return Badge(customer, text, False, first.page)
    return Badge(customer, first.text, True, first.page)
