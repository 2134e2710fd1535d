"""The tables of `csc stats`: the numbers of stats.json as Markdown."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from builders.cards.render import markdown_table
from csc_tasks.conversation import HOW_TO_LABEL
from csc_tasks.corpus_statistics import (
    END,
    THRESHOLDS,
    ConversationStatistics,
    CorpusStatistics,
    LabelStatistics,
    ProfileAlignment,
    ProfileOverlap,
    QuestionStatistics,
    Sizes,
    without_others_percent,
)
from csc_tasks.framework import STRATEGY_IDS
from csc_tasks.languages.labels import CARDS, strategy_name

Counted = TypeVar("Counted")
"""The numbers that make a column."""

STRATEGIES, FOLLOWS = "Supporter strategies (Figure 3)", "Which strategy follows which"
STEPS = (1, 2, 3, 5, 8, 13, 21, 34)
"""After how many customer utterances the table of alignment has a row."""


def tables(statistics: CorpusStatistics) -> dict[str, str]:
    """Title -> Markdown table, only for what there is."""
    talks = statistics.conversations()
    questions = statistics.questions()
    titled = {}
    if talks:
        titled["Conversations (Tables 3 and 5)"] = _columns("", _with_originals(talks), _rows)
    topics = [(name, numbers.topics) for name, numbers in talks]
    topics += [(name, numbers.topics) for name, numbers in questions]
    titled["Topics (Table 4)"] = _columns("topic", topics, _topics)
    # A strategy that is held out is known to its holder.
    labelled = [(name, own) for name, own in talks if own.labelled or own.sizes.held_out]
    if talks and not labelled:
        titled[STRATEGIES] = f"No supporter utterance has a strategy; {HOW_TO_LABEL}."
    if labelled:
        titled[STRATEGIES] = _columns("strategy", labelled, _strategies)
        titled["Different strategies per conversation, without Others"] = _columns(
            "", labelled, _unique
        )
        for name, numbers in labelled:
            titled[f"{FOLLOWS}: {name}"] = _transitions(numbers)
    rated = [(name, numbers.labels) for name, numbers in talks if numbers.labels]
    if rated:
        titled["Labels of several raters"] = _columns("", rated, _labels)
    if before_and_after := _before_and_after(statistics):
        titled["Strategies before and after the rewrite (Table 3)"] = before_and_after
    aligned = [(name, numbers.alignment) for name, numbers in talks if numbers.alignment]
    if aligned:
        titled["What customers say and their profiles (Figure 5)"] = _columns(
            "similarity to the own / another profile after", aligned, _alignment
        )
    overlaps = [(name, numbers.profiles) for name, numbers in talks if numbers.profiles]
    if overlaps:
        titled["Word overlap of customer profiles"] = _columns("", overlaps, _overlap)
    if questions:
        titled["Questions"] = _columns("", questions, _questions)
    return titled


def _columns(
    head: str, named: Sequence[tuple[str, Counted]], rows_of: Callable[[Counted], dict[str, str]]
) -> str:
    """A column for each of what is named, a row for each key that any of them has."""
    columns = [rows_of(numbers) for _, numbers in named]
    keys = list(dict.fromkeys(key for column in columns for key in column))
    return markdown_table(
        [head, *(name for name, _ in named)],
        [[key, *(column.get(key, "–") for column in columns)] for key in keys],
    )


def _with_originals(
    talks: Iterable[tuple[str, ConversationStatistics]],
) -> list[tuple[str, ConversationStatistics | Sizes]]:
    """The conversations, each with the originals that it was made from behind it."""
    named: list[tuple[str, ConversationStatistics | Sizes]] = []
    for name, numbers in talks:
        named.append((name, numbers))
        if numbers.originals:
            named.append((f"{name}, originals", numbers.originals.sizes))
    return named


def _rows(numbers: ConversationStatistics | Sizes) -> dict[str, str]:
    if isinstance(numbers, Sizes):
        return _sizes(numbers)
    rows = _sizes(numbers.sizes)
    rows["supporter utterances without a label"] = f"{numbers.unlabelled:,}"
    rows["strategy use without Others (%)"] = _shown(numbers.strategy_use_without_others_percent)
    if numbers.profiles:
        rows["profiles"] = f"{numbers.profiles.distinct:,}"
    if numbers.originals and numbers.originals.missing:
        rows["conversations without their original"] = f"{numbers.originals.missing:,}"
    return rows


def _sizes(sizes: Sizes) -> dict[str, str]:
    rows = {
        "conversations": f"{sizes.conversations:,}",
        "utterances": f"{sizes.utterances:,}",
        "supporter utterances": f"{sizes.supporter_utterances:,}",
        "customer utterances": f"{sizes.customer_utterances:,}",
        "avg. utterances per conversation": _shown(sizes.avg_utterances_per_conversation),
        "avg. supporter utterances per conversation": _shown(
            sizes.avg_supporter_utterances_per_conversation
        ),
        "avg. customer utterances per conversation": _shown(
            sizes.avg_customer_utterances_per_conversation
        ),
        "avg. length of an utterance": _shown(sizes.avg_utterance_length),
        "avg. length of a supporter utterance": _shown(sizes.avg_supporter_utterance_length),
        "avg. length of a customer utterance": _shown(sizes.avg_customer_utterance_length),
    }
    if sizes.held_out:
        rows["utterances held out (in no length)"] = f"{sizes.held_out:,}"
    return rows


def _topics(counts: Mapping[str, int]) -> dict[str, str]:
    total = max(sum(counts.values()), 1)
    return {topic: f"{n:,} ({n / total:.1%})" for topic, n in counts.items()}


def _strategies(numbers: ConversationStatistics) -> dict[str, str]:
    return {
        strategy_head(strategy): f"{n:,} ({numbers.share(strategy) or 0:.1%})"
        for strategy, n in numbers.strategies.items()
    }


def strategy_head(strategy: str) -> str:
    """What heads a strategy's row: its id and its name."""
    name = strategy_name(strategy, CARDS)
    return strategy if strategy == name else f"{strategy} {name}"


def _unique(numbers: ConversationStatistics) -> dict[str, str]:
    """Without holes, so that columns line up; nothing but the average where nobody can say."""
    counts = numbers.unique_strategies
    rows = {"average": _shown(numbers.avg_unique_strategies)}
    for n in range(len(STRATEGY_IDS)) if counts else ():
        rows[f"conversations with {n}"] = f"{counts.get(n, 0):,}"
    return rows


def _labels(labels: LabelStatistics) -> dict[str, str]:
    return {
        "supporter utterances with labels": f"{labels.utterances:,}",
        "raters (models among them)": f"{labels.raters:,} ({labels.models:,})",
        "utterances with labels of several": f"{labels.several:,}",
        "of these, raters disagree": f"{labels.disagreed:,}",
        "of these, a tie: the strategy is the earliest of the twelve": f"{labels.tied:,}",
        "of these, the strategy is not what most name first": f"{labels.other:,}",
        "Krippendorff's alpha, nominal, all raters": _shown(labels.alpha),
    }


def _before_and_after(statistics: CorpusStatistics) -> str:
    build = statistics.build
    if not build or build.strategies_before is None or build.strategies_after is None:
        return ""
    sides = {"originals": build.strategies_before, "rewritten": build.strategies_after}
    rows = [["conversations", *[f"{build.originals_labelled or 0:,}"] * 2]]
    rows.append(
        [
            "strategy use without Others (%)",
            *(_shown(without_others_percent(counts)) for counts in sides.values()),
        ]
    )
    for strategy in STRATEGY_IDS:
        cells = [_share(counts, strategy) for counts in sides.values()]
        rows.append([strategy_head(strategy), *cells])
    return markdown_table(["", *sides], rows)


def _share(counts: Mapping[str, int], strategy: str) -> str:
    n = counts.get(strategy, 0)
    return f"{n:,} ({n / max(sum(counts.values()), 1):.1%})"


def _transitions(numbers: ConversationStatistics) -> str:
    return markdown_table(
        ["before \\ after", *STRATEGY_IDS, END],
        [[before, *map(str, row.values())] for before, row in numbers.transitions.items()],
    )


def _alignment(alignment: ProfileAlignment) -> dict[str, str]:
    return {
        f"{point.utterances} customer utterances": (
            f"{point.aligned:.3f} / {point.random:.3f} ({point.conversations:,} conversations)"
        )
        for point in alignment.points
        if point.utterances in STEPS
    }


def _overlap(overlap: ProfileOverlap) -> dict[str, str]:
    rows = {
        "distinct profiles": f"{overlap.distinct:,}",
        "profiles compared": f"{overlap.measured:,}",
        "mean overlap of two": _shown(overlap.mean_pair),
        "mean overlap with the nearest": _shown(overlap.mean_nearest),
    }
    for threshold, pairs, nearest in zip(
        THRESHOLDS[2::2], overlap.pairs[2::2], overlap.nearest[2::2], strict=False
    ):
        rows[f"overlap ≥ {threshold:.1f}: pairs / profiles with such another"] = (
            f"{pairs:.2%} / {nearest:.1%}"
        )
    return rows


def _questions(numbers: QuestionStatistics) -> dict[str, str]:
    rows = {"questions": f"{numbers.questions:,}", "conversations": f"{numbers.conversations:,}"}
    if numbers.held_out:
        rows["answers held out (in no length)"] = f"{numbers.held_out:,}"
    rows["avg. turns before the question"] = _shown(numbers.avg_history_turns)
    rows |= {f"avg. length of {name}": _shown(mean) for name, mean in numbers.avg_lengths.items()}
    return rows | {f"stage {stage}": f"{n:,}" for stage, n in numbers.stages.items()}


def _shown(number: float | None) -> str:
    return "–" if number is None else f"{number:.2f}"
