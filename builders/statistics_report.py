"""What a dataset holds: the tables of arXiv 2508.04423 for your own conversations, printed as
Markdown and drawn.

    csc stats demo
    csc stats calls.jsonl
    csc stats ORG/NAME --revision v1.0
    csc stats DIR --plots figures/
    csc stats DIR --card  puts the tables and figures into the card of the dataset folder DIR

For each config, split and language: conversations, utterances and lengths (Tables 3 and 5), topics
(Table 4), strategy shares (Figure 3), which strategy follows which, and the word overlap of
customer profiles (Figure 5). Lengths are characters (zh) or words (en).
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from builders import statistics
from builders.cards.render import FIGURES, has_place, markdown_table, with_statistics
from builders.dataset import read_record
from builders.figures import draw
from builders.schema import SPLITS
from builders.statistics import ConversationStatistics, Part, ProfileOverlap, QuestionStatistics
from csc_tasks import corpora
from csc_tasks.arguments import CORPUS
from csc_tasks.errors import DataError, MissingSplit, SettingError
from csc_tasks.framework import STRATEGY_IDS
from csc_tasks.languages.labels import CARDS, strategy_name
from csc_tasks.out import check_writable, replace_file

Counted = TypeVar("Counted")
"""The numbers that make a column."""

STRATEGIES, FOLLOWS = "Supporter strategies (Figure 3)", "Which strategy follows which"


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc stats`."""
    parser.add_argument("corpus", metavar="CORPUS", help=CORPUS)
    parser.add_argument("--revision", help="commit, tag or branch of a Hub id")
    parser.add_argument(
        "--plots", type=Path, metavar="DIR", help="draw the figures as PNG files into DIR"
    )
    parser.add_argument(
        "--card",
        action="store_true",
        help="put tables and figures into the card of this dataset folder",
    )


def main(args: Namespace) -> None:
    """Print the tables of a corpus; with args.plots draw them, with args.card put them into its
    card.
    """
    if args.plots:
        check_writable(args.plots, "--plots")
    if args.card:
        check_writable(card_of(args.corpus).parent, "--card")
    parts = list(measure(args.corpus, args.revision))
    print("\n\n".join(f"{title}\n\n{table}" for title, table in tables(parts).items()))
    if args.plots:
        for path in draw(parts, args.plots):
            print(f"wrote {path}")
    if args.card:
        write_card(args.corpus, parts)


def measure(corpus: str, revision: str | None = None) -> Iterator[Part]:
    """The statistics of everything in a corpus; prints what was read. Raises MissingSplit where
    nothing is there.
    """
    file = Path(corpus).expanduser()
    wanted = [(config, split) for config in configs(corpus) for split in SPLITS]
    if file.is_file():
        # A file does not say which split it is; it stands there as the one that the benchmark would
        # read it as.
        wanted = [(corpora.file_config(file), "test")]
    missing: list[MissingSplit] = []
    for config, split in wanted:
        try:
            read = corpora.load(corpus, config, split, revision)
        except MissingSplit as error:
            missing.append(error)
            continue
        print(read.summary())
        for language in read.languages:
            items = [item for item in read.items if item.language == language]
            yield Part(config, split, language, _numbers(config, items))
    if len(missing) == len(wanted):
        raise missing[0]
    print()


def _numbers(config: str, items: Sequence) -> ConversationStatistics | QuestionStatistics:
    if config.startswith("qa"):
        return statistics.of_questions(items)
    return statistics.of_conversations(items)


def configs(corpus: str) -> list[str]:
    """The configs to look for: the three of every dataset, and the variants (qa_<name>) that a
    local folder holds.
    """
    root = corpora.DEMO_DIR if corpus == "demo" else Path(corpus).expanduser()
    folders = [*root.glob("qa_*"), *root.glob("data/qa_*")] if root.is_dir() else []
    return [*corpora.CONFIGS, *sorted({folder.name for folder in folders if folder.is_dir()})]


def tables(parts: Sequence[Part]) -> dict[str, str]:
    """Title -> Markdown table, only for what there is."""
    talks = statistics.of_talks(parts)
    asked = [
        (part.name, part.numbers) for part in parts if isinstance(part.numbers, QuestionStatistics)
    ]
    profiled = [(name, numbers.profiles) for name, numbers in talks if numbers.profiles]
    titled = {}
    if talks:
        titled["Conversations (Tables 3 and 5)"] = _columns("", talks, _sizes)
    topics = [(part.name, part.numbers.topics) for part in parts]
    titled["Topics (Table 4)"] = _columns(
        "topic", topics, lambda counts: {topic: f"{n:,}" for topic, n in counts.items()}
    )
    if talks:
        titled[STRATEGIES] = _columns("strategy", talks, _strategies)
        for name, numbers in talks:
            titled[f"{FOLLOWS}: {name}"] = _transitions(numbers)
    if profiled:
        titled["Word overlap of customer profiles (Figure 5)"] = _columns("", profiled, _profiles)
    if asked:
        titled["Questions"] = _columns("", asked, _questions)
    return titled


def card_of(corpus: str) -> Path:
    """The card of a dataset folder of ours. Raises SettingError for anything else."""
    folder = Path(corpus).expanduser()
    if corpus == "demo" or read_record(folder) is None:
        raise SettingError(
            f"{corpus} is not a dataset folder that a builder wrote; --card changes the card of one"
        )
    return folder / "README.md"


def write_card(corpus: str, parts: Sequence[Part]) -> None:
    """Put tables and figures into a dataset folder's card, in place of earlier ones."""
    card = card_of(corpus)
    text = card.read_text(encoding="utf-8")
    if not has_place(text):
        raise DataError(f"{card}: it has no place for statistics; build the folder again")
    for old in (card.parent / FIGURES).glob("*.png"):
        old.unlink()
    drawn = draw(parts, card.parent / FIGURES)
    # The card has the strategies' table already, and the transitions as figures.
    blocks = [
        f"### {title}\n\n{table}"
        for title, table in tables(parts).items()
        if not title.startswith((STRATEGIES, FOLLOWS))
    ]
    blocks += [f"![{path.stem.replace('_', ' ')}]({FIGURES}/{path.name})" for path in drawn]
    note = (
        "Table and figure numbers are those of arXiv 2508.04423. Lengths are characters (zh) or"
        " words (en)."
    )
    replace_file(card, with_statistics(text, "\n\n".join([note, *blocks])))
    print(f"wrote {card} and {len(drawn)} figures beside it")


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


def _sizes(numbers: ConversationStatistics) -> dict[str, str]:
    unlabelled = numbers.supporter_utterances - numbers.labelled
    rows = {
        "conversations": f"{numbers.conversations:,}",
        "utterances": f"{numbers.utterances:,}",
        "avg. utterances per conversation": _shown(numbers.avg_utterances_per_conversation),
        "supporter utterances": f"{numbers.supporter_utterances:,}",
        "customer utterances": f"{numbers.customer_utterances:,}",
        "avg. length of a supporter utterance": _shown(numbers.avg_supporter_utterance_length),
        "avg. length of a customer utterance": _shown(numbers.avg_customer_utterance_length),
        "supporter utterances without a label": f"{unlabelled:,}",
        "strategy use without Others (%)": _shown(numbers.strategy_use_without_others_percent),
    }
    if numbers.profiles:
        rows["profiles"] = f"{numbers.profiles.distinct:,}"
    return rows


def _strategies(numbers: ConversationStatistics) -> dict[str, str]:
    rows = {}
    for strategy, n in numbers.strategies.items():
        name = strategy_name(strategy, CARDS)
        head = strategy if strategy == name else f"{strategy} {name}"
        rows[head] = f"{n:,} ({numbers.share(strategy) or 0:.1%})"
    return rows


def _transitions(numbers: ConversationStatistics) -> str:
    header = ["before \\ after", *STRATEGY_IDS, statistics.END]
    return markdown_table(
        header, [[before, *map(str, row.values())] for before, row in numbers.transitions.items()]
    )


def _profiles(overlap: ProfileOverlap) -> dict[str, str]:
    rows = {
        "distinct profiles": f"{overlap.distinct:,}",
        "profiles compared": f"{overlap.measured:,}",
    }
    rows |= {
        "mean overlap of two": _shown(overlap.mean_pair),
        "mean overlap with the nearest": _shown(overlap.mean_nearest),
    }
    for threshold, pairs, nearest in zip(
        statistics.THRESHOLDS[2::2], overlap.pairs[2::2], overlap.nearest[2::2], strict=False
    ):
        rows[f"overlap ≥ {threshold:.1f}: pairs / profiles with such another"] = (
            f"{pairs:.2%} / {nearest:.1%}"
        )
    return rows


def _questions(numbers: QuestionStatistics) -> dict[str, str]:
    rows = {"questions": f"{numbers.questions:,}", "conversations": f"{numbers.conversations:,}"}
    rows["avg. turns before the question"] = _shown(numbers.avg_history_turns)
    rows |= {f"avg. length of {name}": _shown(mean) for name, mean in numbers.avg_lengths.items()}
    return rows | {f"stage {stage}": f"{n:,}" for stage, n in numbers.stages.items()}


def _shown(number: float | None) -> str:
    return "–" if number is None else f"{number:.2f}"


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
