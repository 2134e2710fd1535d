"""Size and opening time of a board's page: 100 models on 25,970 turns in both contexts.

  python -m benchmarks.page [--models 100] [--conversations 1855] [--turns 14]

One model's samples files are made as `python -m benchmarks.leaderboard` makes them and collected;
its row, its diagnosis and its replies then stand for those of all models, with numbers drawn anew,
and every pair of models is compared in every column. The page is opened from the disk in headless
Chromium, three times, of which the middle one is shown. Prints a Markdown table.
"""

import argparse
import random
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import combinations
from pathlib import Path

from benchmarks.leaderboard import write
from csc_tasks.verify import Trust
from leaderboard import folder
from leaderboard.board import Column, Comparison, Row, Table, Value
from leaderboard.model_report import ModelReport, SampleSet
from leaderboard.page.render import write_page
from tests.support.browser import opened

OTHER = "csc_conv_gen"
TABLE = "document.querySelectorAll('#table-conversations tbody tr').length"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=int, default=100)
    parser.add_argument("--conversations", type=int, default=1855)
    parser.add_argument("--turns", type=int, default=14)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="csc-benchmark-") as root:
        results, board = Path(root) / "results", Path(root) / "board"
        write(results, 1, args.conversations, args.turns)
        command = [sys.executable, "-m", "leaderboard.collect", str(results), "--out", str(board)]
        command += ["--corpus", str(results / "corpus.jsonl")]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        multiply(board, args.models)
        started = time.perf_counter()
        page = write_page(board)
        seconds = time.perf_counter() - started
        beside = [file.stat().st_size for file in folder.page_files(board).values()]
        opening = [open_page(page, args.models) for _ in range(3)]
        drawn, painted, model, compare = map(statistics.median, zip(*opening, strict=True))
        print(
            "|models|turns of each|written in|first view|beside it|files|first paint|table drawn|a"
            " model's page|compare|\n|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
        )
        print(
            f"|{args.models}|{args.conversations * args.turns:,}|{seconds:.1f} s"
            f"|{page.stat().st_size / 1e6:.2f} MB|{sum(beside) / 1e6:.1f} MB|{len(beside)}"
            f"|{painted:.2f} s|{drawn:.2f} s|{model:.2f} s|{compare:.2f} s|"
        )


def open_page(page_file: Path, models: int) -> tuple[float, float, float, float]:
    """Seconds until the table is drawn and until something is seen, from the start of loading; then
    those that a model's page and the comparison take.
    """
    with opened(page_file, size=(1400, 900)) as (page, complaints):
        page.wait_for_load_state("load")
        if page.evaluate(TABLE) != models or complaints:
            raise SystemExit(f"the table is not there: {complaints}")
        drawn = page.evaluate("performance.getEntriesByType('navigation')[0].domComplete")
        page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length")
        painted = page.evaluate(
            "performance.getEntriesByName('first-contentful-paint')[0].startTime"
        )
        views = []
        for view, heading in (
            (f"#/model/model-{models // 2:03}", "Confusion of strategies"),
            ("#/compare/conversations", "Difference"),
        ):
            started = time.perf_counter()
            page.evaluate("view => { location.hash = view; }", view)
            page.get_by_text(heading, exact=True).first.wait_for()
            views.append(time.perf_counter() - started)
        return drawn / 1000, painted / 1000, views[0], views[1]


def multiply(root: Path, count: int) -> None:
    """Make `count` models of a board's first one, in both contexts."""
    board, draw = folder.load_board(root), random.Random(0)
    (slug, model), *_ = board.models.items()
    report, table = folder.load_report(root, slug), board.tables[0]
    samples = folder.load_samples(root, table.id)
    slugs = [f"model-{number:03}" for number in range(count)]
    models = {
        one: model.model_copy(update={"slug": one, "name": f"org/{one}", "label": f"org/{one}"})
        for one in slugs
    }
    columns = both_contexts(table)
    rows = tuple(_row(table.rows[0], one, columns, draw) for one in slugs)
    changed = table.model_copy(
        update={"columns": columns, "rows": rows, "comparisons": tuple(_pairs(rows, columns))}
    )
    reports = {one: _report(report, one) for one in slugs}
    made = board.model_copy(update={"models": models, "tables": (changed,)})
    folder.write_board(root, made, reports, {table.id: _samples(samples, slug, slugs)})


def both_contexts(table: Table) -> tuple[Column, ...]:
    """The table's columns, and the same again for generated context."""
    other = [
        column.model_copy(
            update={
                "key": column.key.replace(column.task, OTHER),
                "task": OTHER,
                "group": "Generated context",
            }
        )
        for column in table.columns
    ]
    leading = table.columns[0].metric
    every = (*table.columns, *other)
    return tuple(sorted(every, key=lambda column: column.metric != leading))


def _row(row: Row, slug: str, columns: tuple[Column, ...], draw: random.Random) -> Row:
    (task, run), *_ = row.runs.items()
    values = {}
    for column in columns:
        value = row.values[column.key.replace(OTHER, task)]
        factor = draw.uniform(0.5, 1.5)
        numbers = {name: getattr(value, name) for name in ("value", "low", "high")}
        moved = {name: n if n is None else n * factor for name, n in numbers.items()}
        values[column.key] = value.model_copy(update=moved)
    changed = {
        "model": slug,
        "runs": {task: run, OTHER: run},
        "values": values,
        "trusts": dict.fromkeys(values, Trust.RESCORED),
    }
    return row.model_copy(update=changed)


def _pairs(rows: tuple[Row, ...], columns: tuple[Column, ...]):
    for column in columns:
        for a, b in combinations(rows, 2):
            one, other = a.values[column.key], b.values[column.key]
            yield _comparison(column.key, a.model, b.model, one, other)


def _comparison(column: str, a: str, b: str, one: Value, other: Value) -> Comparison:
    difference = (one.value or 0.0) - (other.value or 0.0)
    half = (one.stderr or 0.0) * 2.7
    return Comparison(
        column=column,
        a=a,
        b=b,
        difference=difference,
        stderr=half / 1.96,
        low=difference - half,
        high=difference + half,
        p=0.0123,
        p_holm=0.123,
        items=one.items,
        clusters=one.clusters,
    )


def _report(report: ModelReport, slug: str) -> ModelReport:
    other = tuple(one.model_copy(update={"task": OTHER}) for one in report.diagnoses)
    return report.model_copy(update={"slug": slug, "diagnoses": (*report.diagnoses, *other)})


def _samples(samples: SampleSet, slug: str, slugs: list[str]) -> SampleSet:
    conversations = tuple(
        conversation.model_copy(
            update={
                "turns": tuple(
                    turn.model_copy(
                        update={
                            "replies": {
                                one: replies | {OTHER: next(iter(replies.values()))}
                                for one in slugs
                                for replies in [turn.replies[slug]]
                            }
                        }
                    )
                    for turn in conversation.turns
                )
            }
        )
        for conversation in samples.conversations
    )
    return samples.model_copy(update={"conversations": conversations})


if __name__ == "__main__":
    main()
