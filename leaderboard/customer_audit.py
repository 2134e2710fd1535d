"""customer_audit.json as data: can the customer of a live run be believed? What `csc
audit-customer` writes, and a board reads (leaderboard/reading/audits.py).

`runs` says by their content which live runs it is about; `customer`, `corpus` (the content hash of
the runs' corpus), `customer_prompt`, `customer_temperature`, `briefs` and `max_turns` are what
these say of themselves. `failed` names the dimensions that a customer fails on. `hash` is that of
the report: it shows a slip, and is no proof, since anybody can make one. What a report says is
believed where it was made again (leaderboard/audit/believing.py). A customer is ranked with the
verdict "pass", and neither with "fail" nor where the audit is "undecided".
"""

import hashlib
import json
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import ValidationError

from csc_tasks.errors import DataError
from csc_tasks.reading import read_text
from leaderboard.board import Strict, Value

NAME: Final = "customer_audit"
VERSION: Final = 2
"""Moves with what is measured, how it is tested, and what the file holds."""
Verdict = Literal["pass", "fail", "undecided"]
FEWEST: Final = 30
"""Conversations below which no customer passes: so few would let most faults pass too."""
LEVEL: Final = 0.05
"""A customer fails on a dimension whose adjusted p is below it."""


class AuditedFeature(Strict):
    """What a dimension is made of: its mean over conversations on both sides."""

    label: str
    recorded: Value
    played: Value


class Curve(Strict):
    """What a picture shows: the share of conversations (0 to 1) with at most x of a feature.

    low, high: between which bounds 95 % of halves of the recorded conversations lie.
    """

    label: str
    xs: tuple[float, ...]
    recorded: tuple[float, ...]
    played: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


class AuditedDimension(Strict):
    """One dimension. missing: why it is not applicable; then there are no numbers.

    unit: what the distance is in. distance with its 95 % interval over conversations; halves, the
    median and the 95th percentile of it between two halves of the recorded conversations. p: the
    share of random divisions of all conversations into two sides with a distance as large; adjusted
    for the number of dimensions (Holm). failed: adjusted below 0.05.
    """

    id: str
    title: str
    asks: str
    missing: str | None = None
    unit: str = ""
    distance: float | None = None
    low: float | None = None
    high: float | None = None
    halves: tuple[float, float] | None = None
    p: float | None = None
    adjusted: float | None = None
    failed: bool = False
    features: tuple[AuditedFeature, ...] = ()
    curve: Curve | None = None


class AuditedRun(Strict):
    """One run whose conversations were audited. model: who talked with the customer, "" where that
    is not known. sha256: of its settings, documents and dialogues (audit/reading.py).
    """

    model: str
    sha256: str


class CustomerAudit(Strict):
    """A customer_audit.json.

    corpus: hash of the content that the runs were made with; corpus_name, config, split, revision:
    where the recorded conversations are from, recorded: the hash of their content. customer_prompt,
    customer_temperature, briefs, max_turns: as the runs say, None where they do not. models:
    who talked with the customer. counts: what was read and left out, by reason. endings: how the
    played conversations ended. undecided: why the customer, though it fails nowhere, is not passed.
    hash: sha256 of all the rest (16 hex digits).
    """

    format: Literal[2] = VERSION
    customer: str
    verdict: Verdict
    failed: tuple[str, ...]
    undecided: tuple[str, ...]
    corpus: str
    corpus_name: str
    recorded: str
    config: str
    split: str
    revision: str | None
    customer_prompt: str | None
    customer_temperature: float | None
    briefs: str | None
    max_turns: int | None
    runs: tuple[AuditedRun, ...]
    language: str
    models: tuple[str, ...]
    conversations: int
    counts: dict[str, int]
    endings: dict[str, int]
    unfit: Value | None
    seed: int
    dimensions: tuple[AuditedDimension, ...]
    cannot_see: tuple[str, ...]
    hash: str = ""

    def signed(self) -> "CustomerAudit":
        """The same with its hash."""
        content = self.model_dump(mode="json", exclude={"hash"})
        text = json.dumps(content, sort_keys=True, ensure_ascii=False)
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        return self.model_copy(update={"hash": digest})


def load_audit(file: Path) -> CustomerAudit:
    """Read a customer_audit.json, or the folder with it; raises DataError for anything else."""
    file = file / f"{NAME}.json" if file.is_dir() else file
    text = read_text(file, "give what csc audit-customer wrote")
    if (made := _version(text)) != VERSION:
        raise DataError(
            f"{file}: made by version {made!r:.20} of the audit; this is version {VERSION}, which"
            " measures something else; make it again with csc audit-customer"
        )
    try:
        audit = CustomerAudit.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise DataError(
            f"{file}: {place}: {first['msg']}; make it again with csc audit-customer"
        ) from None
    if not _follows(audit):
        raise DataError(
            f"{file}: verdict {audit.verdict!r} does not follow from its dimensions; make it again"
            " with csc audit-customer"
        )
    if audit.hash != audit.signed().hash:
        raise DataError(
            f"{file}: was changed after it was written; make it again with csc audit-customer"
        )
    return audit


def _version(text: str) -> Any:
    """The version that a report says; this one where it says nothing that can be read."""
    try:
        report = json.loads(text)
    except (ValueError, RecursionError):
        return VERSION
    return report.get("format", VERSION) if isinstance(report, dict) else VERSION


def _follows(audit: CustomerAudit) -> bool:
    """Whether the verdict is the one that the dimensions and the number of conversations give."""
    dimensions = audit.dimensions
    tested = [one for one in dimensions if one.missing is None]
    for one in tested:
        if one.distance is None or one.p is None or one.adjusted is None or one.adjusted < one.p:
            return False
        if one.failed != (one.adjusted < LEVEL):
            return False
    failed = tuple(one.id for one in tested if one.failed)
    if failed != audit.failed or any(one.failed for one in dimensions if one.missing is not None):
        return False
    whole = len(tested) == len(dimensions) > 0 and audit.conversations >= FEWEST
    verdict = "pass" if whole else "undecided"
    if failed:
        verdict = "fail"
    return audit.verdict == verdict and bool(audit.undecided) == (verdict == "undecided")


def badge(audit: CustomerAudit) -> str:
    """The verdict in a few words, as a board shows it beside the customer."""
    if audit.verdict == "pass":
        return "audit passed"
    if audit.verdict == "undecided":
        return "audit undecided"
    titles = {dimension.id: dimension.title.lower() for dimension in audit.dimensions}
    return f"audit failed: {', '.join(titles[id_] for id_ in audit.failed)}"
