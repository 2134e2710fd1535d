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
    axes: "Axes", xs: "Sequence[float]", numbers: "Sequence[Number]", label: str, shift: float = 0.0
) -> None:
    """One series: points with their intervals as error bars, and a line through the means of the
    points that share an x. Points without an interval have no bar; `shift` moves the series along
    x, so that another one does not hide it.
    """
    points = [
        (x, number, number.value)
        for x, number in zip(xs, numbers, strict=True)
        if number.value is not None
    ]
    if not points:
        return
    places = [x + shift for x, _, _ in points]
    below = [0.0 if one.low is None else value - one.low for _, one, value in points]
    above = [0.0 if one.high is None else one.high - value for _, one, value in points]
    values = [value for _, _, value in points]
    drawn = axes.errorbar(
        places, values, yerr=[below, above], marker="o", linestyle="none", capsize=3, label=label
    )
    means: dict[float, list[float]] = {}
    for place, value in sorted(zip(places, values, strict=True)):
        means.setdefault(place, []).append(value)
    axes.plot(
        list(means),
        [sum(own) / len(own) for own in means.values()],
        color=drawn.lines[0].get_color(),
        linewidth=1.0,
    )
