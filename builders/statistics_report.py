"""What a dataset holds: the tables of arXiv 2508.04423 for your own conversations, printed as
Markdown, written as JSON and drawn.

    csc stats demo
    csc stats calls.jsonl
    csc stats ORG/NAME --revision v1.0
    csc stats DIR --json stats.json  every number, for csc reproduce and for yourself (--json alone
                                     prints it in place of the tables)
    csc stats DIR --plots figures/
    csc stats DIR --card  puts stats.json, the tables and the figures into the dataset folder DIR

For each config, split and language: conversations, utterances and lengths (Tables 3 and 5), with
the originals of a rewritten set beside it (DIR.originals.jsonl); topics (Table 4), strategy shares
(Figure 3), which strategy follows which, how many different ones a conversation has, how far
several raters agree where there are labels (csc label report has more), customers against their
profiles (Figure 5), and sizes of questions. Lengths are characters (zh) or words (en).
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from builders import statistics
from builders.cards.render import FIGURES, has_place, with_statistics
from builders.dataset import STATISTICS, read_record
from builders.review.originals import read_originals
from builders.schema import SPLITS
from builders.statistics_tables import FOLLOWS, STRATEGIES, tables
from csc_tasks import corpora
from csc_tasks.arguments import CORPUS, add_json
from csc_tasks.conversation import Turn
from csc_tasks.corpora.bad_rows import add_bad_rows
from csc_tasks.corpus_figures import draw
from csc_tasks.corpus_statistics import Build, CorpusStatistics, Part, Set, write_statistics
from csc_tasks.errors import DataError, MissingSplit, SettingError
from csc_tasks.out import check_writable, replace_file
from csc_tasks.telling import STDOUT, show, show_document, tally, tell


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc stats`."""
    parser.add_argument("corpus", metavar="CORPUS", help=CORPUS)
    parser.add_argument("--revision", help="commit, tag or branch of a Hub id")
    add_json(parser)
    parser.add_argument(
        "--plots", type=Path, metavar="DIR", help="draw the figures as PNG files into DIR"
    )
    parser.add_argument(
        "--card",
        action="store_true",
        help="put stats.json, tables and figures into this dataset folder and its card",
    )
    add_bad_rows(parser)


def main(args: Namespace) -> None:
    """Print the tables of a corpus; with args.json write its numbers, with args.plots draw them,
    with args.card put them into its card.
    """
    if args.json and args.json != STDOUT:
        check_writable(Path(args.json).parent, "--json")
    if args.plots:
        check_writable(args.plots, "--plots")
    if args.card:
        check_writable(card_of(args.corpus).parent, "--card")
    measured = measure(args.corpus, args.revision, args.bad_rows)
    show("\n\n".join(f"{title}\n\n{table}" for title, table in tables(measured).items()))
    if args.json == STDOUT:
        show_document(args.json, measured.model_dump(mode="json"))
    elif args.json:
        tell(f"wrote {write_statistics(Path(args.json), measured)}")
    if args.plots:
        for path in draw(measured, args.plots):
            tell(f"wrote {path}")
    if args.card:
        write_card(args.corpus, measured)


def measure(
    corpus: str, revision: str | None = None, bad_rows: str | None = None
) -> CorpusStatistics:
    """The statistics of everything in a corpus; prints what was read. Raises MissingSplit where
    nothing is there.
    """
    folder = Path(corpus).expanduser()
    local = corpus != "demo" and folder.is_dir()
    here = corpus != "demo" and folder.exists()
    read = list(_read(corpus, revision, bad_rows))
    tell()
    return CorpusStatistics(
        corpus=folder.resolve().name if here else corpus.partition("@")[0],
        revision=next((one.revision for one in read), None),
        sets=tuple(_set(one, _originals(folder) if local else {}) for one in read),
        build=_build(folder) if local else None,
    )


def _read(corpus: str, revision: str | None, bad_rows: str | None) -> Iterator[corpora.Corpus]:
    """Every split that is there."""
    file = Path(corpus).expanduser()
    wanted = [(config, split) for config in configs(corpus) for split in SPLITS]
    if file.is_file():
        # A file does not say which split it is; it stands there as the one that the benchmark would
        # read it as.
        wanted = [(corpora.file_config(file), "test")]
    missing: list[MissingSplit] = []
    for config, split in wanted:
        try:
            read = corpora.load(corpus, config, split, revision, bad_rows)
        except MissingSplit as error:
            missing.append(error)
            continue
        tally(*read.report(), sep="\n")
        yield read
    if len(missing) == len(wanted):
        raise missing[0]


def _set(read: corpora.Corpus, originals: Mapping[str, tuple[Turn, ...]]) -> Set:
    """The numbers of one split."""
    parts = []
    for language in read.languages:
        items = [item for item in read.items if item.language == language]
        if read.config.startswith("qa"):
            parts.append(Part(language=language, numbers=statistics.of_questions(items)))
        else:
            numbers = statistics.of_conversations(items, originals)
            parts.append(Part(language=language, numbers=numbers))
    return Set(
        config=read.config,
        split=read.split,
        documents=len(read.items),
        content_hash=read.content_hash,
        counts=dict(sorted(read.counts.items())),
        parts=tuple(parts),
    )


def _originals(folder: Path) -> dict[str, tuple[Turn, ...]]:
    """The recordings beside a dataset folder, by conversation id."""
    return {name: turns for name, (_, turns) in read_originals(folder).items()}


def _build(folder: Path) -> Build | None:
    """What the folder's build.json counted; None for a folder that is not one of ours."""
    record = read_record(folder)
    if record is None:
        return None
    counts = record.get("counts") or {}
    names = set(Build.model_fields) & set(counts)
    try:
        return Build(builder=record.get("builder", ""), **{name: counts[name] for name in names})
    except ValidationError as error:
        name = error.errors()[0]["loc"][0]
        raise DataError(
            f"{folder / 'build.json'}: {name} is not as csc build writes it; build it again"
        ) from None


def configs(corpus: str) -> list[str]:
    """The configs to look for: the three of every dataset, and the variants (qa_<name>) that a
    local folder holds.
    """
    root = corpora.DEMO_DIR if corpus == "demo" else Path(corpus).expanduser()
    folders = [*root.glob("qa_*"), *root.glob("data/qa_*")] if root.is_dir() else []
    return [*corpora.CONFIGS, *sorted({folder.name for folder in folders if folder.is_dir()})]


def card_of(corpus: str) -> Path:
    """The card of a dataset folder of ours. Raises SettingError for anything else."""
    folder = Path(corpus).expanduser()
    if corpus == "demo" or read_record(folder) is None:
        raise SettingError(
            f"{corpus} is not a dataset folder that a builder wrote; --card changes the card of one"
        )
    return folder / "README.md"


def write_card(corpus: str, measured: CorpusStatistics) -> None:
    """Put stats.json, tables and figures into a dataset folder and its card, in place of earlier
    ones.
    """
    card = card_of(corpus)
    text = card.read_text(encoding="utf-8")
    if not has_place(text):
        raise DataError(f"{card}: it has no place for statistics; build the folder again")
    for old in (card.parent / FIGURES).glob("*.png"):
        old.unlink()
    drawn = draw(measured, card.parent / FIGURES)
    write_statistics(card.parent / STATISTICS, measured)
    # The card has the strategies' table already, and the transitions as figures.
    blocks = [
        f"### {title}\n\n{table}"
        for title, table in tables(measured).items()
        if not title.startswith((STRATEGIES, FOLLOWS))
    ]
    blocks += [f"![{path.stem.replace('_', ' ')}]({FIGURES}/{path.name})" for path in drawn]
    note = (
        "Table and figure numbers are those of arXiv 2508.04423. Lengths are characters (zh) or"
        " words (en)."
    )
    replace_file(card, with_statistics(text, "\n\n".join([note, *blocks])))
    tell(f"wrote {card}, {STATISTICS} and {len(drawn)} figures beside it")


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
