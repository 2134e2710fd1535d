"""Baselines of a corpus: what a score is worth that needs no model at all.

  csc baselines demo
  csc baselines ORG/NAME --out results/

majority   always the commonest strategy of the training split
bigram     the strategy that most often follows the previous one
position   the commonest at this turn's place, counted from the beginning of the conversation
share      the commonest in this tenth of the dialogue, whose length no model is told
customer   a logistic regression on the customer's last words
combined   the same on the customer's last words, the previous strategy and the place
echo       repeats the customer's last words; no strategy

In generated context the previous strategy is a baseline's own choice. The strongest is named below
the table: it is what a model has to beat.

They are made per language from the corpus's training split (csconv/train, else rolecs/train, or
what --train names), without the conversations that are scored. Strategy baselines say nothing and
are scored on strategies only; echo is scored on text only. Results are written in lm_eval's format,
one folder per baseline; the replies stand there as a model would write them, so that csc verify and
csc collect score them again.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from csc_tasks.arguments import CORPUS, add_json
from csc_tasks.corpora.bad_rows import add_bad_rows
from csc_tasks.errors import SettingError
from csc_tasks.languages import languages
from csc_tasks.runs.names import value_keys
from csc_tasks.runs.writing import as_results, check_out, derived, numbers_of, samples, write
from csc_tasks.telling import show, show_document, tell
from leaderboard.baseline_scores import baselines
from leaderboard.columns import LEADING


def add_arguments(parser) -> None:
    """The options of `csc baselines`."""
    parser.add_argument(
        "corpus",
        metavar="CORPUS",
        help=f"{CORPUS}; its csconv/test and qa/test, as far as they exist, are scored",
    )
    parser.add_argument(
        "--train",
        metavar="CORPUS",
        help="count strategies here instead of in the corpus's own training split",
    )
    parser.add_argument("--revision", help="commit, tag or branch of a Hub corpus")
    add_bad_rows(parser)
    parser.add_argument("--language", choices=tuple(languages()), help="only this language")
    parser.add_argument(
        "--metrics",
        default="overlap",
        help="text metrics of echo: overlap, all or a comma-separated list",
    )
    parser.add_argument(
        "--limit",
        type=int,
        metavar="N",
        help="only the first N documents, which lm_eval --limit N asks about too",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="also write results and samples files below DIR"
    )
    add_json(parser)


def main(args) -> None:
    """Compute the baselines of a corpus, print them, and write them into args.out as results."""
    if args.limit is not None and args.limit < 1:
        raise SettingError(f"--limit {args.limit}: must be at least 1")
    if args.out:
        check_out(args.out)
    found = baselines(
        args.corpus,
        args.train,
        args.revision,
        args.language,
        args.metrics,
        args.bad_rows,
        args.limit,
    )
    settings = {"corpus": args.corpus, "train": args.train}
    tables = {
        name: as_results(f"baseline/{name}", settings, results) for name, results in found.items()
    }
    print_table(tables)
    show("\n".join(strongest_lines(tables)))
    document: dict[str, Any] = {
        "baselines": {
            name: {task: numbers_of(table, task) for task in table["results"]}
            for name, table in tables.items()
        },
        "strongest": {
            task: {"metric": LEADING, "baseline": name, "value": value}
            for task, (name, value) in strongest(tables).items()
        },
        "files": {},
    }
    for name, results in found.items() if args.out else ():
        logged = {result.task: samples(result) for result in results}
        file = write(args.out, derived(tables[name]), logged)
        document["files"][name] = str(file)
        tell(f"wrote {file}")
    show_document(args.json, document)


def print_table(tables: Mapping[str, Mapping]) -> None:
    """One Markdown row per baseline, task and metric of each baseline's results dictionary."""
    show("|baseline|task|metric|value|stderr|\n|---|---|---|---:|---:|")
    for name, table in tables.items():
        for task, numbers in table["results"].items():
            for metric in table["higher_is_better"][task]:
                value, error = (numbers[key] for key in value_keys(metric))
                show(f"|{name}|{task}|{metric}|{_shown(value)}|{_shown(error)}|")


def strongest(tables: Mapping[str, Mapping]) -> dict[str, tuple[str, float]]:
    """Task -> the baseline with the highest strategy accuracy, the first of several, and that."""
    values: dict[str, dict[str, float]] = {}
    for name, table in tables.items():
        for task, numbers in table["results"].items():
            value = numbers.get(value_keys(LEADING)[0])
            if isinstance(value, float):
                values.setdefault(task, {})[name] = value
    return {
        task: (max(own, key=own.__getitem__), max(own.values())) for task, own in values.items()
    }


def strongest_lines(tables: Mapping[str, Mapping]) -> list[str]:
    """A line per task: the strongest baseline in it."""
    return [
        f"strongest in {task} by {LEADING}: {name} ({value:.4f})"
        for task, (name, value) in strongest(tables).items()
    ]


def _shown(number: float | str) -> str:
    return number if isinstance(number, str) else f"{number:.4f}"


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
