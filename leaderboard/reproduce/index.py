"""report/README.md: what there is, what is missing and the command that makes it, and under which
conditions the numbers were made.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from csc_tasks import __version__
from leaderboard.board import Table
from leaderboard.escaped import md_text
from leaderboard.reproduce.cells import PLAIN, named
from leaderboard.reproduce.corpus_input import CorpusInput
from leaderboard.reproduce.exhibits import Exhibit, Missing, ReportFigure, ReportTable
from leaderboard.reproduce.sources import BoardSource, Sources
from leaderboard.trust import summary

FIGURES = "figures"
HOW = (
    "Intervals are 95 %, clustered by conversation. Bold: better than every other row by the paired"
    " interval of the difference; underlined: next. † marks numbers that nobody computed again"
    " here: they are neither compared nor ranked. Reported rows are as printed in a paper."
)


def index(exhibits: Sequence[Exhibit], corpora: Sequence[CorpusInput], sources: Sources) -> str:
    """The report's first page as Markdown."""
    made = [exhibit for exhibit in exhibits if not isinstance(exhibit, Missing)]
    missing = [exhibit for exhibit in exhibits if isinstance(exhibit, Missing)]
    parts = [
        "# Tables and figures",
        f"Of {', '.join(md_text(corpus.public) for corpus in corpora)}, by csc reproduce"
        f" (csc-tasks {__version__}). {HOW}",
        "## What there is",
        _contents(made) if made else "Nothing yet.",
        "## What is missing",
        _missing(missing) if missing else "Nothing.",
        "## Conditions",
        _corpora(corpora),
        *(_board(source) for source in sources.boards),
    ]
    return "\n\n".join(parts) + "\n"


def with_names(exhibits: Sequence[Exhibit], corpora: Sequence[CorpusInput]) -> list[Exhibit]:
    """The exhibits, with the corpus' name in the commands of those that are missing; of several
    only the reader knows which is meant.
    """
    names = [corpus.public for corpus in corpora if PLAIN.fullmatch(corpus.public)]
    if len(corpora) != 1 or not names:
        return list(exhibits)
    return [
        replace(one, command=named(one.command, names[0])) if isinstance(one, Missing) else one
        for one in exhibits
    ]


def _contents(made: Sequence[ReportTable | ReportFigure]) -> str:
    lines = ["| | in | files |", "|---|---|---|"]
    images = []
    for exhibit in made:
        if isinstance(exhibit, ReportFigure):
            table = exhibit.numbers
            files = [f"{FIGURES}/{table.name}.png", f"{FIGURES}/{table.name}.csv"]
            images.append(f"![{md_text(table.title)}]({FIGURES}/{table.name}.png)")
        else:
            table = exhibit
            files = [f"{table.name}.{ending}" for ending in ("md", "tex", "csv")]
        links = ", ".join(f"[{file.rpartition('.')[2]}]({file})" for file in files)
        lines.append(f"| {md_text(table.title)} | {md_text(table.paper)} | {links} |")
    return "\n\n".join(["\n".join(lines), *images])


def _missing(missing: Sequence[Missing]) -> str:
    lines = ["| | in | what is missing | the command that makes it |", "|---|---|---|---|"]
    for one in missing:
        lines.append(
            f"| {md_text(one.title)} | {md_text(one.paper)} | {md_text(one.reason)} |"
            f" {code(one.command)} |"
        )
    return "\n".join(lines)


def code(text: str) -> str:
    """A command in a cell of Markdown."""
    inner = " ".join(text.replace("`", "'").split()).replace("|", r"\|")
    return f"`{inner}`"


def _corpora(corpora: Sequence[CorpusInput]) -> str:
    lines = ["| corpus | split | rows | languages | content hash |", "|---|---|---:|---|---|"]
    for corpus in corpora:
        revision = corpus.statistics.revision
        name = f"{corpus.public}@{revision[:12]}" if revision else corpus.public
        for one in corpus.statistics.sets:
            languages = ", ".join(part.language for part in one.parts)
            cells = (md_text(name), md_text(one.name), f"{one.documents:,}", languages)
            lines.append(f"| {' | '.join(cells)} | {one.content_hash[:12]} |")
    return "\n".join(lines)


def _board(source: BoardSource) -> str:
    board = source.board
    lines = [
        "| table | corpus | prompt | chat template | rows | conversations | replies | runs | seeds"
        " | trust | lm_eval | csc-tasks |",
        "|---|---|---|---|---:|---:|---:|---:|---|---|---|---|",
        *(_line(table) for table in board.tables),
    ]
    aside = (f"set aside: {one.file}: {one.reason}" for one in board.quarantine)
    notes = [summary(board), f"seed of the board: {board.seed}", *aside, *board.notes]
    made = f"Board {md_text(source.name)}, made by csc-tasks {md_text(board.project)}:"
    items = "\n".join(f"- {md_text(note)}" for note in notes)
    return "\n\n".join([made, "\n".join(lines), items])


def _line(table: Table) -> str:
    runs = [run for row in table.rows for _, run in row.all_runs]
    templates = {True: "applied", False: "not applied", None: "–"}
    cells = (
        f"{table.title} (version {table.setting.task_version})",
        f"{table.setting.corpus} {table.setting.config}/{table.setting.split}",
        table.setting.prompt or "–",
        templates[table.setting.chat_template],
        f"{len(table.rows):,}",
        _range([run.conversations for run in runs]),
        _range([run.items for run in runs]),
        f"{len(runs):,}",
        _each(run.repeat for run in runs),
        _each(str(run.trust) for run in runs),
        _each(run.lm_eval_version for run in runs),
        _each(run.project for run in runs),
    )
    return f"| {' | '.join(map(md_text, cells))} |"


def _each(texts: Iterable[str | None]) -> str:
    """Every text once; a seed stands only where rows have several runs."""
    return ", ".join(sorted({text for text in texts if text})) or "–"


def _range(counts: Sequence[int | None]) -> str:
    """`60`, or `20 to 60` where the runs differ."""
    known = sorted({count for count in counts if count is not None})
    if not known:
        return "–"
    return f"{known[0]:,}" if len(known) == 1 else f"{known[0]:,} to {known[-1]:,}"
