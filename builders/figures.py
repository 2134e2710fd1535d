"""The figures of `csc stats`: numbers in, PNG files out; the same numbers give the same bytes."""

from collections.abc import Sequence
from pathlib import Path

from builders import statistics
from builders.statistics import ConversationStatistics, Part
from csc_tasks.errors import SettingError, require
from csc_tasks.file_names import safe_name
from csc_tasks.framework import STRATEGY_IDS
from csc_tasks.languages.labels import CARDS, strategy_name


def draw(parts: Sequence[Part], folder: Path) -> list[Path]:
    """Draw what there is as PNG files: strategies.png, transitions_*.png, profiles.png. Raises
    MissingExtra without matplotlib.
    """
    require("matplotlib", "build", "drawing figures")
    talks = [part for part in parts if isinstance(part.found, ConversationStatistics)]
    profiled = [part for part in talks if part.found.profiles and part.found.profiles.pairs]
    talks = [part for part in talks if part.found.labelled]
    figures = {
        safe_name(
            f"transitions_{part.name.replace('/', '_').replace(' ', '_')}.png", ending=".png"
        ): _draw_transitions(part)
        for part in talks
    }
    if talks:
        figures["strategies.png"] = _draw_strategies(talks)
    if profiled:
        figures["profiles.png"] = _draw_profiles(profiled)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, figure in figures.items():
            # Without the library's version in it, the same numbers give the same file.
            figure.savefig(folder / name, dpi=120, metadata={"Software": None})
    except OSError as error:
        raise SettingError(f"{folder}: the figures cannot be written ({error})") from None
    return [folder / name for name in sorted(figures)]


def _figure(width: float, height: float):
    # Not pyplot: it keeps every figure and looks for a screen.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def _draw_strategies(parts: Sequence[Part]):
    figure, axes = _figure(8, 2 + 0.16 * len(parts) * len(STRATEGY_IDS))
    height = 0.8 / len(parts)
    for k, part in enumerate(parts):
        places = [i + (k - (len(parts) - 1) / 2) * height for i in range(len(STRATEGY_IDS))]
        axes.barh(
            places, [100 * part.found.share(name) for name in STRATEGY_IDS], height, label=part.name
        )
    axes.set_yticks(range(len(STRATEGY_IDS)), [strategy_name(name, CARDS) for name in STRATEGY_IDS])
    axes.invert_yaxis()
    axes.set_xlabel("% of labelled supporter utterances")
    axes.set_title("Support strategies")
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def _draw_transitions(part: Part):
    figure, axes = _figure(7.5, 6.5)
    rows = part.found.transitions
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
    axes.set_title(f"Which strategy follows which, % of each row: {part.name}")
    figure.colorbar(image, ax=axes, label="%")
    return figure


def _draw_profiles(parts: Sequence[Part]):
    figure, axes = _figure(7, 4.5)
    for k, part in enumerate(parts):
        overlap = part.found.profiles
        axes.plot(
            statistics.THRESHOLDS,
            [100 * share for share in overlap.pairs],
            f"C{k}-",
            label=f"{part.name}: pairs",
        )
        nearest = [100 * share for share in overlap.nearest]
        axes.plot(
            statistics.THRESHOLDS,
            nearest,
            f"C{k}--",
            label=f"{part.name}: profiles and their nearest",
        )
    axes.set_xlabel("word overlap of at least")
    axes.set_ylabel("%")
    axes.set_title("Word overlap of customer profiles")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 102)
    figure.legend(loc="outside lower center", ncols=2)
    return figure
