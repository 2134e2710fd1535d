"""What `csc gate` has found out: text for a terminal, Markdown for a CI summary, and JUnit XML."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal
from xml.etree import ElementTree as ET

from csc_tasks.shown import shown
from leaderboard.board import Column
from leaderboard.escaped import md_text
from leaderboard.gate_pairs import Refusal
from leaderboard.layout import ABSENT, WITHOUT, bound_text, head, probability
from leaderboard.numbers.drops import Change
from leaderboard.numbers.intervals import SIGNIFICANT
from leaderboard.numbers.paired_power import Plan, conversations_needed, detectable_difference

Verdict = Literal["pass", "worse", "cannot tell"]
HEADS = (
    *("model", "task", "metric", "before", "now", "change (90 % interval)", "p"),
    *("conversations", "4 in 5 find", "verdict"),
)
RULE = (
    "p: one-sided, of no drop, after Holm's correction over all lines. 4 in 5 find: the drop that a"
    " comparison as large as this one finds 4 times in 5 (csc power)."
)


@dataclass(frozen=True, slots=True)
class Compared:
    """A metric of a model, and what has become of it. differs: conditions in which the two runs
    do, by name.
    """

    model: str
    column: Column
    change: Change
    differs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that a gate has found out. changes are corrected over all of `tested`."""

    tested: tuple[Compared, ...]
    refusals: tuple[Refusal, ...]
    notes: tuple[str, ...]

    @property
    def verdict(self) -> Verdict:
        """Worse where a metric is, else `cannot tell` where one thing cannot be told."""
        verdicts = {one.change.verdict for one in self.tested}
        if "worse" in verdicts:
            return "worse"
        return "cannot tell" if self.refusals or "cannot tell" in verdicts else "pass"

    @property
    def plan_alpha(self) -> float:
        """The level at which Holm's strictest step tests."""
        return SIGNIFICANT / max(1, len(self.tested))


def as_text(outcome: Outcome) -> str:
    """The table, what cannot be told, and last the verdict with its reasons."""
    lines = []
    if outcome.tested:
        rows = [HEADS, *_rows(outcome)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        lines += ["", RULE]
    return "\n".join([*lines, *_differing(outcome), *sentences(outcome)])


def as_markdown(outcome: Outcome) -> str:
    """A summary with a heading, the verdict, and the table."""
    first, *more = sentences(outcome)
    lines = [f"## csc gate: {outcome.verdict}", "", md_text(first)]
    lines += [f"- {md_text(line)}" for line in more]
    if outcome.tested:
        rows = [HEADS, ("---",) * len(HEADS), *(map(md_text, row) for row in _rows(outcome))]
        lines += ["", *(f"| {' | '.join(row)} |" for row in rows), "", md_text(RULE)]
    lines += [md_text(line) for line in _differing(outcome)]
    return "\n".join([*lines, ""])


def as_junit(outcome: Outcome) -> str:
    """A test case for every metric and for everything that cannot be told: a failure where a metric
    is worse, an error where nothing can be said.
    """
    suite = ET.Element("testsuite", name="csc gate")
    for one in outcome.tested:
        case = _case(suite, f"{one.model}.{one.column.task}", one.column.key)
        if one.change.verdict != "not worse":
            _add(case, one.change.verdict == "worse", _said(one, outcome))
    for refusal in outcome.refusals:
        name = "/".join(filter(None, (refusal.task, refusal.metric))) or "results"
        _add(
            _case(suite, f"{refusal.model}.{refusal.task}".strip(".") or "gate", name),
            False,
            refusal.why,
        )
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(len(suite.findall("*/failure"))))
    suite.set("errors", str(len(suite.findall("*/error"))))
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=False) + "\n"


def as_document(outcome: Outcome) -> dict[str, Any]:
    """What `--json` prints: the verdict and every number of the table, in full on the metric's own
    scale (a change is now minus before, its interval 90 %).
    """
    return {
        "verdict": outcome.verdict,
        "sentences": sentences(outcome),
        "tested": [
            {
                "model": one.model,
                "task": one.column.task,
                "metric": one.column.metric,
                "column": one.column.key,
                "scale": one.column.scale,
                **asdict(one.change),
                "detectable": _smallest_drop(one, outcome),
                "verdict": one.change.verdict,
                "differs": one.differs,
            }
            for one in outcome.tested
        ],
        "refusals": [asdict(one) for one in outcome.refusals],
        "notes": outcome.notes,
    }


def sentences(outcome: Outcome) -> list[str]:
    """The verdict, and after it a line for everything that led to it or cannot be told."""
    worse = [one for one in outcome.tested if one.change.verdict == "worse"]
    unknown = [one for one in outcome.tested if one.change.verdict == "cannot tell"]
    first = f"pass: {_metrics(len(outcome.tested))}, none is worse"
    reasons = [_said(one, outcome) for one in worse]
    rest = [_said(one, outcome) for one in unknown] + [_refused(one) for one in outcome.refusals]
    if outcome.verdict == "worse":
        first = f"worse: {reasons.pop(0)}"
    elif outcome.verdict == "cannot tell":
        first = f"cannot tell: {rest.pop(0)}"
    return [first, *(f"worse: {why}" for why in reasons), *(f"cannot tell: {why}" for why in rest)]


def _rows(outcome: Outcome) -> Iterator[tuple[str, ...]]:
    for one in outcome.tested:
        c, column = one.change, one.column
        counted = f"{c.conversations}"
        if c.alone[0]:
            counted += f" of {c.conversations + c.alone[0]}"
        yield (
            *(one.model, column.task, f"{shown(column.label)} {head(column)[-1]}"),
            *(_number(c.before, column), _number(c.now, column), _interval(c, column)),
            *(
                probability(c.p_holm),
                counted,
                _number(_smallest_drop(one, outcome), column),
                c.verdict,
            ),
        )


def _said(one: Compared, outcome: Outcome) -> str:
    """Why a metric is worse, or cannot be told."""
    c, column = one.change, one.column
    name = f"{one.model}, {column.task}: {shown(column.label)}"
    if c.verdict == "worse":
        return (
            f"{name} was {_number(c.before, column)} and is {_number(c.now, column)},"
            f" {_interval(c, column)}, p {probability(c.p_holm)} over"
            f" {_metrics(len(outcome.tested))}"
        )
    if c.p is None:
        why = WITHOUT.get(c.reason, "no conversation has it in both runs")
        return f"{name}: {why} ({c.conversations} in both runs)"
    assert c.margin is not None
    needed = ""
    if c.spread:
        count = conversations_needed(Plan(c.spread, outcome.plan_alpha), c.margin)
        needed = f"; about {count:,} conversations would tell"
    return (
        f"{name} changed by {_interval(c, column)}: no drop and one of"
        f" {_number(c.margin, column)} are both possible on {c.conversations} conversations{needed}"
    )


def _refused(refusal: Refusal) -> str:
    name = ", ".join(filter(None, (refusal.model, refusal.task)))
    what = ": ".join(filter(None, (name, shown(refusal.metric))))
    return f"{what}: {refusal.why}" if what else refusal.why


def _smallest_drop(one: Compared, outcome: Outcome) -> float | None:
    """The drop that a comparison like this finds 4 times in 5."""
    c = one.change
    if not c.spread or c.p is None:
        return None
    return detectable_difference(Plan(c.spread, outcome.plan_alpha), c.conversations)


def _interval(c: Change, column: Column) -> str:
    if c.difference is None:
        return ABSENT
    if c.low is None or c.high is None:
        return f"{_signed(c.difference, column)}"
    low, high = (_plus(bound_text(bound, column)) for bound in (c.low, c.high))
    bounds = f"{low} to {high}"
    return f"{_signed(c.difference, column)} ({bounds})"


def _number(value: float | None, column: Column) -> str:
    return ABSENT if value is None else f"{value * column.scale:z.{column.digits}f}"


def _signed(value: float, column: Column) -> str:
    return _plus(f"{value * column.scale:z.{column.digits}f}")


def _plus(text: str) -> str:
    return text if text.startswith("-") else f"+{text}"


def _differing(outcome: Outcome) -> list[str]:
    """In what the runs of each model differ besides, which may be what was changed."""
    differing = {one.model: one.differs for one in outcome.tested if one.differs}
    return [
        f"{model}: the two runs differ in {', '.join(map(shown, names))}"
        for model, names in differing.items()
    ]


def _metrics(count: int) -> str:
    return f"{count} metric" if count == 1 else f"{count} metrics"


def _case(suite: ET.Element, classname: str, name: str) -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=shown(classname), name=shown(name))


def _add(case: ET.Element, worse: bool, message: str) -> None:
    # `shown` leaves no character that XML cannot hold.
    ET.SubElement(case, "failure" if worse else "error", message=shown(message))
