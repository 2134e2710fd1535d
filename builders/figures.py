"""The figures of `csc stats`: numbers in, PNG files out; the same numbers give the same bytes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from builders import statistics
from builders.statistics import ConversationStatistics, Part, ProfileOverlap, of_talks
from csc_tasks.errors import SettingError, require
from csc_tasks.file_names import safe_name
from csc_tasks.framework import STRATEGY_IDS
from csc_tasks.languages.labels import CARDS, strategy_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw(parts: Sequence[Part], folder: Path) -> list[Path]:
    """Draw what there is as PNG files: strategies.png, transitions_*.png, profiles.png. Raises
    MissingExtra without matplotlib.
    """
    require("matplotlib", "build", "drawing figures")
    talks = of_talks(parts)
    labelled = [(name, numbers) for name, numbers in talks if numbers.labelled]
    overlaps = [
        (name, numbers.profiles)
        for name, numbers in talks
        if numbers.profiles and numbers.profiles.pairs
    ]
    figures = {
        safe_name(
            f"transitions_{name.replace('/', '_').replace(' ', '_')}.png", ending=".png"
        ): _draw_transitions(name, numbers.transitions)
        for name, numbers in labelled
    }
    if labelled:
        figures["strategies.png"] = _draw_strategies(labelled)
    if overlaps:
        figures["profiles.png"] = _draw_profiles(overlaps)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, figure in figures.items():
            # Without the library's version in it, the same numbers give the same file.
            figure.savefig(folder / name, dpi=120, metadata={"Software": None})
    except OSError as error:
        raise SettingError(f"{folder}: the figures cannot be written ({error})") from None
    return [folder / name for name in sorted(figures)]


def _figure(width: float, height: float) -> "tuple[Figure, Axes]":
    # Not pyplot: it keeps every figure and looks for a screen.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def _draw_strategies(talks: Sequence[tuple[str, ConversationStatistics]]) -> "Figure":
    figure, axes = _figure(8, 2 + 0.16 * len(talks) * len(STRATEGY_IDS))
    height = 0.8 / len(talks)
    for k, (name, numbers) in enumerate(talks):
        places = [i + (k - (len(talks) - 1) / 2) * height for i in range(len(STRATEGY_IDS))]
        percent = [100 * (numbers.share(strategy) or 0) for strategy in STRATEGY_IDS]
        axes.barh(places, percent, height, label=name)
    axes.set_yticks(range(len(STRATEGY_IDS)), [strategy_name(name, CARDS) for name in STRATEGY_IDS])
    axes.invert_yaxis()
    axes.set_xlabel("% of labelled supporter utterances")
    axes.set_title("Support strategies")
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def _draw_transitions(name: str, rows: Mapping[str, Mapping[str, int]]) -> "Figure":
    figure, axes = _figure(7.5, 6.5)
    shares = [[100 * n / max(sum(row.values()), 1) for n in row.values()] for row in rows.values()]
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    for i, row in enumerate(shares):
        for j, share in enumerate(row):
            if share >= 0.5:
                axes.text(
                    j,
                    i,
                    f"{share:.0f}",
                    ha="center",
                    va="center",
                    fontsize=8,
                    color="white" if share > 55 else "black",
                )
    axes.set_xticks(range(len(STRATEGY_IDS) + 1), [*STRATEGY_IDS, statistics.END], rotation=45)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_xlabel("next strategy")
    axes.set_ylabel("strategy")
    axes.set_title(f"Which strategy follows which, % of each row: {name}")
    figure.colorbar(image, ax=axes, label="%")
    return figure


def _draw_profiles(overlaps: Sequence[tuple[str, ProfileOverlap]]) -> "Figure":
    figure, axes = _figure(7, 4.5)
    for k, (name, overlap) in enumerate(overlaps):
        axes.plot(
            statistics.THRESHOLDS,
            [100 * share for share in overlap.pairs],
            f"C{k}-",
            label=f"{name}: pairs",
        )
        nearest = [100 * share for share in overlap.nearest]
        axes.plot(
            statistics.THRESHOLDS,
            nearest,
            f"C{k}--",
            label=f"{name}: profiles and their nearest",
        )
    axes.set_xlabel("word overlap of at least")
    axes.set_ylabel("%")
    axes.set_title("Word overlap of customer profiles")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 102)
    figure.legend(loc="outside lower center", ncols=2)
    return figure
