"""A curve as a picture: SVG without a library, readable on light and dark pages."""

import html

from leaderboard.customer_audit import AuditedDimension, Curve

WIDTH, HEIGHT = 520, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 16, 34, 66
STYLE = (
    ".csc-audit{font:13px system-ui,sans-serif;color:#1b1b1b}"
    ".csc-audit text{fill:currentColor}"
    ".csc-audit .axis{stroke:currentColor;stroke-opacity:.5;fill:none}"
    ".csc-audit .halves{fill:#8a8a8a;fill-opacity:.35}"
    ".csc-audit .recorded{stroke:#1f5fa8;stroke-width:2;fill:none}"
    ".csc-audit .played{stroke:#c2410c;stroke-width:2;fill:none;stroke-dasharray:6 3}"
    "@media(prefers-color-scheme:dark){.csc-audit{color:#e6e6e6}"
    ".csc-audit .recorded{stroke:#7db4f0}.csc-audit .played{stroke:#f7a072}}"
)


def svg(dimension: AuditedDimension, customer: str) -> str:
    """The picture of one dimension; raises ValueError for one without a curve."""
    curve = dimension.curve
    if curve is None:
        raise ValueError(f"{dimension.id} has no curve")
    described = (
        f"Share of conversations with at most x: {curve.label}. Solid line: recorded people. Grey:"
        f" where 95 % of halves of them lie. Dashed line: {customer}."
    )
    title = html.escape(dimension.title, quote=True)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="csc-audit" role="img" width="{WIDTH}"'
        f' height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}">',
        f"<title>{title}</title><desc>{html.escape(described)}</desc><style>{STYLE}</style>",
        f'<text x="{LEFT}" y="20" font-weight="600">{title}</text>',
        *_axes(curve),
        f'<path class="halves" d="{_band(curve)}"/>',
        f'<path class="recorded" d="{_steps(curve, curve.recorded)}"/>',
        f'<path class="played" d="{_steps(curve, curve.played)}"/>',
        *_legend(),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _axes(curve: Curve) -> list[str]:
    low, high = _range(curve)
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts = [f'<path class="axis" d="M{LEFT} {TOP}V{bottom}H{right}"/>']
    for share in (0, 0.5, 1):
        parts.append(
            f'<text x="{LEFT - 6}" y="{_y(share) + 4:.1f}" text-anchor="end">{share:.0%}</text>'
        )
    for x in (low, (low + high) / 2, high):
        parts.append(
            f'<text x="{_x(curve, x):.1f}" y="{bottom + 17}" text-anchor="middle">{x:.3g}</text>'
        )
    middle = (LEFT + right) / 2
    label = html.escape(curve.label)
    parts.append(f'<text x="{middle}" y="{bottom + 35}" text-anchor="middle">{label}</text>')
    return parts


def _legend() -> list[str]:
    y = HEIGHT - 10
    entries = (("recorded", "recorded"), ("halves", "halves of recorded"), ("played", "played"))
    parts = []
    for (kind, text), x in zip(entries, (LEFT, LEFT + 110, LEFT + 280), strict=True):
        mark = (
            f'<rect class="halves" x="{x}" y="{y - 9}" width="24" height="10"/>'
            if kind == "halves"
            else f'<path class="{kind}" d="M{x} {y - 4}h24"/>'
        )
        parts.append(f'{mark}<text x="{x + 30}" y="{y}">{text}</text>')
    return parts


def _range(curve: Curve) -> tuple[float, float]:
    low, high = curve.xs[0], curve.xs[-1]
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _x(curve: Curve, x: float) -> float:
    low, high = _range(curve)
    return LEFT + (x - low) / (high - low) * (WIDTH - LEFT - RIGHT)


def _y(share: float) -> float:
    return TOP + (1 - share) * (HEIGHT - TOP - BOTTOM)


def _points(curve: Curve, shares: tuple[float, ...]) -> list[str]:
    """The corners of a step function, from the left edge to the right."""
    points = []
    before = 0.0
    for x, share in zip(curve.xs, shares, strict=True):
        place = _x(curve, x)
        points += [f"{place:.1f} {_y(before):.1f}", f"{place:.1f} {_y(share):.1f}"]
        before = share
    points.append(f"{WIDTH - RIGHT:.1f} {_y(before):.1f}")
    return points


def _steps(curve: Curve, shares: tuple[float, ...]) -> str:
    return "M" + "L".join(_points(curve, shares))


def _band(curve: Curve) -> str:
    upper, lower = _points(curve, curve.high), _points(curve, curve.low)
    return "M" + "L".join([*upper, *reversed(lower)]) + "Z"
