"""An audit as text: Markdown for people and terminals, HTML as a page that stands alone."""

import html

from csc_tasks.shown import shown
from leaderboard.audit.drawing import svg
from leaderboard.board import Value
from leaderboard.customer_audit import AuditedDimension, AuditedFeature, CustomerAudit, badge
from leaderboard.reliability_report import cell_text

HEADINGS = (
    *("dimension", "differs most in", "recorded", "played"),
    *("distance (95 % interval)", "halves of people, 95 % up to", "p", "verdict"),
)
READING = (
    "A distance is 0 where played and recorded customers are alike, whatever their number; two"
    " halves of the recorded people are apart by up to the number beside it 95 times in 100."
    " p, adjusted for the number of dimensions, is the chance of such a distance if both were the"
    " same kind of customer; below 0.05 the customer fails on that dimension."
)


def title(audit: CustomerAudit) -> str:
    """The heading."""
    return f"Audit of the customer {shown(audit.customer)}"


def verdict_line(audit: CustomerAudit) -> str:
    """The verdict as one sentence."""
    corpus = shown(audit.corpus_name)
    who = f"{shown(audit.customer)}, {audit.conversations} conversations of {corpus}"
    titles = [d.title.lower() for d in audit.dimensions if d.failed]
    if audit.verdict == "fail":
        return f"{who}: FAILS on {', '.join(titles)}. It may be shown, and is not ranked."
    if audit.verdict == "undecided":
        return f"{who}: UNDECIDED, not ranked: {'; '.join(audit.undecided)}."
    return f"{who}: PASSES on all {len(audit.dimensions)} dimensions."


def facts_of(audit: CustomerAudit) -> list[str]:
    """What was compared, a line each."""
    at = f" at {audit.revision}" if audit.revision else ""
    endings = ", ".join(f"{name} {count}" for name, count in audit.endings.items())
    lines = [
        f"corpus: {shown(audit.corpus_name)}{at} ({audit.config}/{audit.split}, {audit.language},"
        f" content {audit.corpus}); report {audit.hash}",
        *([f"talked with: {', '.join(map(shown, audit.models))}"] if audit.models else []),
        *(f"{reason}: {count}" for reason, count in audit.counts.items()),
        f"endings of the played conversations: {endings}",
    ]
    if audit.unfit is not None:
        lines.append(f"turns at which nothing recorded fits: {cell_text(audit.unfit, 3)}")
    return lines


def as_markdown(audit: CustomerAudit) -> str:
    """The audit as one Markdown document."""
    parts = [
        f"# {title(audit)}",
        "",
        f"**{verdict_line(audit)}**",
        "",
        *(f"- {line}" for line in facts_of(audit)),
        "",
        READING,
        "",
        f"|{'|'.join(HEADINGS)}|",
        "|---|---|---|---|---|---:|---:|---|",
        *("|" + "|".join(_cells(d)).replace("\n", " ") + "|" for d in audit.dimensions),
        "",
        "## What this audit cannot see",
        "",
        *(f"- {text}" for text in audit.cannot_see),
    ]
    return "\n".join(parts) + "\n"


def as_html(audit: CustomerAudit) -> str:
    """The audit as a page that needs nothing else, with its pictures."""
    rows = []
    for dimension in audit.dimensions:
        cells = "".join(f"<td>{html.escape(cell)}</td>" for cell in _cells(dimension))
        kind = ' class="failed"' if dimension.failed else ""
        rows.append(f"<tr{kind}>{cells}</tr>")
    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in HEADINGS)
    sections = "".join(_section(dimension, audit) for dimension in audit.dimensions)
    heading = html.escape(title(audit))
    facts = "".join(f"<li>{html.escape(line)}</li>" for line in facts_of(audit))
    limits = "".join(f"<li>{html.escape(text)}</li>" for text in audit.cannot_see)
    return (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8"><meta name="viewport"'
        f' content="width=device-width"><title>{heading}</title>\n<style>{STYLE}</style>\n'
        f"<main><h1>{heading}</h1>\n"
        f'<p class="verdict {audit.verdict}">{html.escape(verdict_line(audit))}</p>'
        f"<ul>{facts}</ul><p>{html.escape(READING)}</p>\n"
        f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody>'
        f"</table></div>\n{sections}\n<section><h2>What this audit cannot see</h2>"
        f"<ul>{limits}</ul></section></main>\n</html>\n"
    )


def _section(dimension: AuditedDimension, audit: CustomerAudit) -> str:
    verdict = dimension.missing or ("fails" if dimension.failed else "passes")
    parts = [
        f"<section><h2>{html.escape(dimension.title)}: {html.escape(verdict)}</h2>",
        f"<p>{html.escape(dimension.asks)}</p>",
    ]
    if dimension.curve is not None:
        parts.append(svg(dimension, shown(audit.customer)))
    if dimension.features:
        rows = "".join(
            f"<tr><td>{html.escape(feature.label)}</td>"
            f'<td class="number">{cell_text(feature.recorded, 3)}</td>'
            f'<td class="number">{cell_text(feature.played, 3)}</td></tr>'
            for feature in dimension.features
        )
        parts.append(
            '<div class="wide"><table><thead><tr><th scope="col">mean over conversations</th>'
            '<th scope="col">recorded</th><th scope="col">played</th></tr></thead>'
            f"<tbody>{rows}</tbody></table></div>"
        )
    return "".join([*parts, "</section>"])


def _cells(dimension: AuditedDimension) -> list[str]:
    if dimension.distance is None or dimension.halves is None or dimension.adjusted is None:
        return [dimension.title, f"N/A: {dimension.missing}", *["–"] * (len(HEADINGS) - 2)]
    feature = _differing(dimension)
    return [
        dimension.title,
        feature.label if feature else (dimension.curve.label if dimension.curve else ""),
        _short(feature.recorded) if feature else "–",
        _short(feature.played) if feature else "–",
        f"{dimension.distance:z.2f} ({dimension.low:z.2f} to {dimension.high:z.2f})",
        f"{dimension.halves[1]:z.2f}",
        f"{dimension.adjusted:.3f}",
        "fails" if dimension.failed else "passes",
    ]


def _differing(dimension: AuditedDimension) -> AuditedFeature | None:
    """The feature that the picture shows: the one that differs most."""
    label = dimension.curve.label if dimension.curve else ""
    return next((f for f in dimension.features if f.label == label), None)


def _short(value: Value) -> str:
    return "–" if value.value is None else f"{value.value:z.2f}"


STYLE = (
    ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;margin:0}"
    "main{max-width:72rem;margin:2rem auto;padding:0 1rem}.wide{overflow-x:auto}"
    "table{border-collapse:collapse}"
    "td,th{padding:.25rem .75rem;border-bottom:1px solid #8884;text-align:left}"
    ".number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}"
    "p{max-width:50rem}.verdict{font-weight:600;border-left:.4rem solid #888;padding-left:.75rem}"
    ".fail{border-color:#c2410c}.pass{border-color:#15803d}"
    "tr.failed td:last-child{font-weight:700}"
    "svg{max-width:100%;height:auto}"
)


__all__ = ["as_html", "as_markdown", "badge", "title", "verdict_line"]
