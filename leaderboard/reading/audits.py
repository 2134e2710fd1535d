"""Audit reports of customers who play live conversations (`csc audit-customer` writes them):
whether numbers of a customer may be ranked.

A report is a JSON object with `customer` (as in the run's `csc_customer`), `corpus` (the content
hash of the corpus that it was audited on), `verdict` ("pass", "fail" or "undecided"), `failed` (the
dimensions on which it failed) and `hash` (of the report); other keys are the audit's business.
Where it has `customer_prompt` or `briefs`, it holds for runs with these alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from csc_tasks.errors import DataError
from csc_tasks.live.customers import RECORDED
from csc_tasks.reading import read_json
from csc_tasks.runs.results_file import Measurement
from csc_tasks.shown import shown
from leaderboard.customer_audit import NAME, CustomerAudit, load_audit

UNAUDITED = "not audited"
PAGES = "audits"
"""The folder of a board with the pages of the audits that it links to."""


class Report(BaseModel):
    """What a board needs of an audit report. whole: all of it, where csc audit-customer of this
    version wrote it.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    customer: str
    corpus: str
    verdict: Literal["pass", "fail", "undecided"]
    failed: list[str]
    hash: str
    customer_prompt: str | None = None
    briefs: str | None = None
    whole: CustomerAudit | None = None

    @property
    def page(self) -> str | None:
        """Where its page lies in a board folder; None where the file has the verdict alone."""
        return f"{PAGES}/{self.whole.hash}.html" if self.whole else None

    def about(self, measurement: Measurement) -> bool:
        """Whether it is an audit of the customer that this run was played with."""
        p = measurement.provenance
        return (
            (self.customer, self.corpus) == (p.customer, p.content_hash)
            and self.customer_prompt in (None, p.customer_prompt)
            and self.briefs in (None, p.briefs)
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
    reports: dict[tuple[Any, ...], tuple[Report, Path]] = {}
    for file in files:
        file = file / f"{NAME}.json" if file.is_dir() else file
        try:
            data = read_json(file, "give a report of csc audit-customer")
            whole = load_audit(file) if isinstance(data, dict) and "dimensions" in data else None
            report = Report.model_validate(data | {"whole": None}).model_copy(
                update={"whole": whole}
            )
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"])) or "the file"
            raise DataError(
                f"{file}: not a report of csc audit-customer: {place}: {first['msg']}"
            ) from None
        if (report.verdict == "fail") != bool(report.failed):
            raise DataError(
                f"{file}: the verdict is {report.verdict}, and failed names {len(report.failed)}"
                " dimensions; give the report as csc audit-customer wrote it"
            )
        key = report.customer, report.corpus, report.customer_prompt, report.briefs
        other, there = reports.setdefault(key, (report, file))
        if other.verdict != report.verdict:
            raise DataError(
                f"{file} and {there} disagree on {shown(report.customer)}; give the one that holds"
            )
    return [report for report, _ in reports.values()]


def badge_of(measurements: Sequence[Measurement], reports: Iterable[Report]) -> Badge | None:
    """The badge of a table of live conversations; None for any other. A recorded customer needs no
    audit, but where there is one it counts; any other is ranked where one has passed.
    """
    live = [m for m in measurements if m.provenance.customer]
    if not live:
        return None
    customer = str(live[0].provenance.customer)
    own = [report for report in reports if report.about(live[0])]
    if customer == RECORDED and not own:
        return Badge(customer, "recorded, needs no audit", True)
    failed = next((report for report in own if report.verdict == "fail"), None)
    if failed:
        words = ", ".join(map(shown, failed.failed))
        return Badge(
            customer, f"audit failed on {words} (report {shown(failed.hash)})", False, failed.page
        )
    undecided = next((report for report in own if report.verdict == "undecided"), None)
    if undecided:
        text = f"audit undecided (report {shown(undecided.hash)})"
        return Badge(customer, text, False, undecided.page)
    if own:
        return Badge(customer, f"audit passed (report {shown(own[0].hash)})", True, own[0].page)
    return Badge(customer, UNAUDITED, False)
