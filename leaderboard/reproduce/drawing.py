"""A report's figures as PNG files: the same numbers give the same bytes."""

import io
from typing import TYPE_CHECKING

from leaderboard.reproduce.exhibits import Number, ReportFigure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

DOTS_PER_INCH = 150


def png(figure: ReportFigure) -> bytes:
    """The figure drawn. matplotlib has to be there."""
    # Not pyplot: it keeps every figure and looks for a screen.
    from matplotlib.figure import Figure

    drawn = Figure(figsize=figure.size, layout="constrained")
    figure.draw(drawn)
    stream = io.BytesIO()
    # matplotlib would write its version into the file.
    drawn.savefig(stream, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return stream.getvalue()


def line_with_intervals(
    axes: "Axes", xs: "Sequence[float]", numbers: "Sequence[Number]", label: str
) -> None:
    """One series with its intervals as error bars; points without a value are left out, points
    without an interval have no bar.
    """
    points = [(x, n) for x, n in zip(xs, numbers, strict=True) if n.value is not None]
    values = [n.value or 0.0 for _, n in points]
    below = [0.0 if n.low is None else (n.value or 0.0) - n.low for _, n in points]
    above = [0.0 if n.high is None else n.high - (n.value or 0.0) for _, n in points]
    axes.errorbar(
        [x for x, _ in points], values, yerr=[below, above], marker="o", capsize=3, label=label
    )
