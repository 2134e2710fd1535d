"""The figures of a corpus: the numbers of stats.json in, drawings out. The same numbers give the
same bytes.
"""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from csc_tasks.corpus_statistics import (
    END,
    THRESHOLDS,
    AlignmentPoint,
    ConversationStatistics,
    CorpusStatistics,
    ProfileAlignment,
)
from csc_tasks.errors import require
from csc_tasks.file_names import safe_name
from csc_tasks.framework import STRATEGY_IDS
from csc_tasks.languages.labels import CARDS, strategy_name
from csc_tasks.out import replace_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Talks = Sequence[tuple[str, ConversationStatistics]]
FEWEST = 0.1
"""A curve over utterances ends where fewer than this share of the conversations are that long."""


@dataclass(frozen=True, slots=True)
class CorpusFigure:
    """A figure. kind: strategies, unique_strategies, transitions, alignment or profiles; name: of
    its file, without the ending. shown: what is drawn, (CONFIG/SPLIT LANGUAGE, numbers) each. draw
    fills an empty matplotlib figure of this size (inches).
    """

    kind: str
    name: str
    title: str
    shown: tuple[tuple[str, ConversationStatistics], ...]
    draw: "Callable[[Figure], None]"
    size: tuple[float, float] = (7.0, 4.5)


def figures(talks: Talks) -> Iterator[CorpusFigure]:
    """What there is to draw of conversations, (CONFIG/SPLIT LANGUAGE, numbers) each."""
    labelled = tuple((name, numbers) for name, numbers in talks if numbers.labelled)
    unique = tuple((name, numbers) for name, numbers in talks if numbers.unique_strategies)
    aligned = tuple((name, numbers) for name, numbers in talks if numbers.alignment)
    overlap = tuple(
        (name, numbers) for name, numbers in talks if numbers.profiles and numbers.profiles.pairs
    )
    for kind, title, shown, draw, size in (
        (
            "strategies",
            "Support strategies",
            labelled,
            _draw_strategies,
            (8, 2 + 0.16 * len(labelled) * len(STRATEGY_IDS)),
        ),
        (
            "unique_strategies",
            "Different strategies per conversation",
            unique,
            _draw_unique,
            (7, 4.5),
        ),
        (
            "alignment",
            "What customers have said, and profiles",
            aligned,
            _draw_alignment,
            (7, 4.5),
        ),
        ("profiles", "Word overlap of customer profiles", overlap, _draw_profiles, (7, 4.5)),
    ):
        if shown:
            yield CorpusFigure(kind, kind, title, shown, partial(draw, title, shown), size)
    for name, numbers in labelled:
        title = f"Which strategy follows which: {name}"
        yield CorpusFigure(
            "transitions",
            safe_name(f"transitions_{name.replace('/', '_').replace(' ', '_')}"),
            title,
            ((name, numbers),),
            partial(_draw_transitions, title, numbers.transitions),
            (7.5, 6.5),
        )


def draw(statistics: CorpusStatistics, folder: Path) -> list[Path]:
    """Write what there is as NAME.png into a folder. Raises MissingExtra without matplotlib,
    SettingError where a file cannot be written.
    """
    require("matplotlib", "build", "drawing figures")
    # Not pyplot: it keeps every figure and looks for a screen.
    from matplotlib.figure import Figure

    files = []
    for one in sorted(figures(statistics.conversations()), key=lambda figure: figure.name):
        figure = Figure(figsize=one.size, layout="constrained")
        one.draw(figure)
        stream = io.BytesIO()
        # Without the library's version in it, the same numbers give the same file.
        figure.savefig(stream, format="png", dpi=120, metadata={"Software": None})
        files.append(replace_file(folder / f"{one.name}.png", stream.getvalue()))
    return files


def enough(alignment: ProfileAlignment) -> list[AlignmentPoint]:
    """The points that are drawn: those that enough of the conversations reach."""
    return [
        point
        for point in alignment.points
        if point.conversations >= FEWEST * alignment.conversations
    ]


def _axes(figure: "Figure", title: str) -> "Axes":
    axes: Axes = figure.add_subplot()
    axes.set_title(title)
    return axes


def _draw_strategies(title: str, talks: Talks, figure: "Figure") -> None:
    axes = _axes(figure, title)
    height = 0.8 / len(talks)
    for k, (name, numbers) in enumerate(talks):
        places = [i + (k - (len(talks) - 1) / 2) * height for i in range(len(STRATEGY_IDS))]
        percent = [100 * (numbers.share(strategy) or 0) for strategy in STRATEGY_IDS]
        axes.barh(places, percent, height, label=name)
    axes.set_yticks(range(len(STRATEGY_IDS)), [strategy_name(name, CARDS) for name in STRATEGY_IDS])
    axes.invert_yaxis()
    axes.margins(y=0.01)
    axes.set_xlabel("% of labelled supporter utterances")
    figure.legend(loc="outside lower center", ncols=2)


def _draw_unique(title: str, talks: Talks, figure: "Figure") -> None:
    axes = _axes(figure, title)
    width = 0.8 / len(talks)
    numbers_of = range(len(STRATEGY_IDS))
    for k, (name, numbers) in enumerate(talks):
        total = sum(numbers.unique_strategies.values())
        places = [n + (k - (len(talks) - 1) / 2) * width for n in numbers_of]
        percent = [100 * numbers.unique_strategies.get(n, 0) / total for n in numbers_of]
        axes.bar(places, percent, width, label=name)
    axes.set_xticks(numbers_of)
    axes.set_xlabel("different strategies, Others not counted")
    axes.set_ylabel("% of conversations")
    figure.legend(loc="outside lower center", ncols=2)


def _draw_transitions(title: str, rows: Mapping[str, Mapping[str, int]], figure: "Figure") -> None:
    axes = _axes(figure, title)
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
    axes.set_xticks(range(len(STRATEGY_IDS) + 1), [*STRATEGY_IDS, END], rotation=45)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_xlabel("next strategy, % of each row")
    axes.set_ylabel("strategy")
    figure.colorbar(image, ax=axes, label="%")


def _draw_alignment(title: str, talks: Talks, figure: "Figure") -> None:
    from matplotlib.ticker import MaxNLocator

    axes = _axes(figure, title)
    for k, (name, numbers) in enumerate(talks):
        points = enough(numbers.alignment) if numbers.alignment else []
        steps = [point.utterances for point in points]
        aligned, other = [p.aligned for p in points], [p.random for p in points]
        axes.plot(steps, aligned, f"C{k}o-", markersize=3, label=f"{name}: own profile")
        axes.plot(steps, other, f"C{k}o--", markersize=3, label=f"{name}: another profile")
    axes.set_xlabel("customer utterances so far")
    axes.set_ylabel("similarity (TF-IDF cosine)")
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(loc="outside lower center", ncols=2)


def _draw_profiles(title: str, talks: Talks, figure: "Figure") -> None:
    axes = _axes(figure, title)
    for k, (name, numbers) in enumerate(talks):
        overlap = numbers.profiles
        if overlap is None:
            continue
        pairs = [100 * share for share in overlap.pairs]
        nearest = [100 * share for share in overlap.nearest]
        axes.plot(THRESHOLDS, pairs, f"C{k}-", label=f"{name}: pairs")
        axes.plot(THRESHOLDS, nearest, f"C{k}--", label=f"{name}: profiles and their nearest")
    axes.set_xlabel("word overlap of at least")
    axes.set_ylabel("%")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 102)
    figure.legend(loc="outside lower center", ncols=2)
