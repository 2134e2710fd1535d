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
from collections.abc import Iterator, Sequence
from pathlib import Path

from builders import statistics
from builders.cards.render import FIGURES, markdown_table, with_statistics
from builders.dataset import read_record
from builders.figures import draw
from builders.schema import SPLITS
from builders.statistics import ConversationStatistics, Part, QuestionStatistics
from csc_tasks import corpora
from csc_tasks.arguments import CORPUS
from csc_tasks.errors import DataError, MissingSplit, SettingError
from csc_tasks.framework import STRATEGY_IDS
from csc_tasks.languages.labels import CARDS, strategy_name
from csc_tasks.out import check_writable, replace_file

STRATEGIES, FOLLOWS = "Supporter strategies (Figure 3)", "Which strategy follows which"


def add_arguments(parser: ArgumentParser) -> None:
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
    one = file.is_file()
    missing, found = None, False
    for config in [corpora.file_config(file)] if one else configs(corpus):
        # A file does not say which split it is; it stands there as the one that the benchmark would
        # read it as.
        for split in ("test",) if one else SPLITS:
            try:
                read = corpora.load(corpus, config, split, revision)
            except MissingSplit as error:
                missing = missing or error
                continue
            found = True
            print(read.summary())
            count = (
                statistics.of_questions if config.startswith("qa") else statistics.of_conversations
            )
            for language in read.languages:
                yield Part(
                    config,
                    split,
                    language,
                    count([item for item in read.items if item.language == language]),
                )
    if not found:
        raise missing
    print()


def configs(corpus: str) -> list[str]:
    """The configs to look for: the three of every dataset, and the variants (qa_<name>) that a
    local folder holds.
    """
    root = corpora.DEMO_DIR if corpus == "demo" else Path(corpus).expanduser()
    folders = [*root.glob("qa_*"), *root.glob("data/qa_*")] if root.is_dir() else []
    return [*corpora.CONFIGS, *sorted({folder.name for folder in folders if folder.is_dir()})]


def tables(parts: Sequence[Part]) -> dict[str, str]:
    """Title -> Markdown table, only for what there is."""
    talks = [part for part in parts if isinstance(part.found, ConversationStatistics)]
    asked = [part for part in parts if isinstance(part.found, QuestionStatistics)]
    made = {}
    if talks:
        made["Conversations (Tables 3 and 5)"] = _columns("", talks, _sizes)
    made["Topics (Table 4)"] = _columns(
        "topic", parts, lambda s: {topic: f"{n:,}" for topic, n in s.topics.items()}
    )
    if talks:
        made[STRATEGIES] = _columns("strategy", talks, _strategies)
        for part in talks:
            made[f"{FOLLOWS}: {part.name}"] = _transitions(part.found)
    if profiled := [part for part in talks if part.found.profiles]:
        made["Word overlap of customer profiles (Figure 5)"] = _columns("", profiled, _profiles)
    if asked:
        made["Questions"] = _columns("", asked, _questions)
    return made


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
    if with_statistics(text, "") is None:
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


def _columns(head: str, parts: Sequence[Part], rows_of) -> str:
    """A column for each part, a row for each key that any of them has."""
    columns = [rows_of(part.found) for part in parts]
    keys = list(dict.fromkeys(key for column in columns for key in column))
    return markdown_table(
        [head, *(part.name for part in parts)],
        [[key, *(column.get(key, "–") for column in columns)] for key in keys],
    )


def _sizes(found: ConversationStatistics) -> dict[str, str]:
    rows = {
        "conversations": f"{found.conversations:,}",
        "utterances": f"{found.utterances:,}",
        "avg. utterances per conversation": _shown(found.avg_utterances_per_conversation),
        "supporter utterances": f"{found.supporter_utterances:,}",
        "customer utterances": f"{found.customer_utterances:,}",
        "avg. length of a supporter utterance": _shown(found.avg_supporter_utterance_length),
        "avg. length of a customer utterance": _shown(found.avg_customer_utterance_length),
        "supporter utterances without a label": f"{found.supporter_utterances - found.labelled:,}",
        "strategy use without Others (%)": _shown(found.strategy_use_without_others_percent),
    }
    return rows | ({"profiles": f"{found.profiles.distinct:,}"} if found.profiles else {})


def _strategies(found: ConversationStatistics) -> dict[str, str]:
    return {
        (
            f"{name} {strategy_name(name, CARDS)}" if name != strategy_name(name, CARDS) else name
        ): f"{n:,} ({found.share(name) or 0:.1%})"
        for name, n in found.strategies.items()
    }


def _transitions(found: ConversationStatistics) -> str:
    header = ["before \\ after", *STRATEGY_IDS, statistics.END]
    return markdown_table(
        header, [[before, *map(str, row.values())] for before, row in found.transitions.items()]
    )


def _profiles(found: ConversationStatistics) -> dict[str, str]:
    overlap = found.profiles
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


def _questions(found: QuestionStatistics) -> dict[str, str]:
    rows = {"questions": f"{found.questions:,}", "conversations": f"{found.conversations:,}"}
    rows["avg. turns before the question"] = _shown(found.avg_history_turns)
    rows |= {f"avg. length of {name}": _shown(mean) for name, mean in found.avg_lengths.items()}
    return rows | {f"stage {stage}": f"{n:,}" for stage, n in found.stages.items()}


def _shown(number: float | None) -> str:
    return "–" if number is None else f"{number:.2f}"


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
