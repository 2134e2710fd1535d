"""Split the variance of live conversations into conversation, customer and chance.

  csc variance results/
  csc variance results-recorded/ results-player-a/ results-player-b/ --metrics goal_by_rule

RESULTS are runs of cscx_conv_live with their samples. Runs of one model with different customers,
and the repeats of each (csc_repeats), are one table: a value is that of a conversation with a
customer in a repeat. Conversations that not every customer and repeat has are left out and counted.
With one repeat, chance and what conversation and customer do together are one.
"""

from argparse import ArgumentParser, Namespace
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from csc_tasks.arguments import add_json
from csc_tasks.errors import DataError
from csc_tasks.metrics import DIALOGUE, METRICS, select
from csc_tasks.runs.finding import find_samples
from csc_tasks.runs.names import task_of
from csc_tasks.runs.quarantine import STRICT_HELP, Quarantine, read_newest
from csc_tasks.runs.samples_file import Run, read_run
from csc_tasks.runs.task_record import LIVE, LIVE_TASK
from csc_tasks.shown import shown
from csc_tasks.telling import show, show_document
from leaderboard.numbers.variance import Cell, Components, components

DEFAULT = "goal_reached,goal_by_rule,live_turns,repeated_questions"
PARTS = ("conversation", "customer", "both", "sampling")
Found = dict[str, dict[str, Components | DataError]]


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc variance`."""
    parser.add_argument(
        "results",
        nargs="+",
        type=Path,
        metavar="RESULTS",
        help="samples files of cscx_conv_live, or folders that hold them",
    )
    parser.add_argument(
        "--metrics", default=DEFAULT, help=f"a comma-separated list, or all (default: {DEFAULT})"
    )
    parser.add_argument("--strict", action="store_true", help=STRICT_HELP)
    add_json(parser)


def main(args: Namespace) -> None:
    """Print the components of every metric for every model. Raises DataError where no live run is
    among the results.
    """
    metrics = [metric.name for metric in select(args.metrics, DIALOGUE)]
    files = [file for file in find_samples(args.results) if task_of(file) == LIVE_TASK]
    runs = list(read_newest(files, Quarantine(args.results, args.strict), read_run))
    if not runs:
        raise DataError(f"{args.results[0]}: no run of {LIVE_TASK} in it")
    found = measured(runs, metrics)
    show("\n".join(lines(found)))
    show_document(args.json, document(found))


def measured(runs: list[Run], metrics: list[str]) -> Found:
    """Model -> metric -> its components, or why there are none."""
    by_model: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        by_model[str(run.results["model_name"])].append(run)
    found: Found = {}
    for model, own in sorted(by_model.items()):
        found[model] = {}
        for name in metrics:
            values = values_of(own, name)
            try:
                found[model][name] = components(values)
            except DataError as error:
                found[model][name] = error
    return found


def lines(found: Found) -> list[str]:
    """What is printed: a block for each model."""
    out: list[str] = []
    for model, own in found.items():
        out.append(f"{shown(model)}:")
        for name, made in own.items():
            text = _line(name, made) if isinstance(made, Components) else str(made)
            out.append(f"  {name}: {text}")
    return out


def document(found: Found) -> dict[str, object]:
    """What `--json` prints: standard deviations on each metric's own scale, and their shares of the
    variance.
    """
    return {
        "models": {
            model: {name: _described(made) for name, made in own.items()}
            for model, own in found.items()
        }
    }


def _described(made: Components | DataError) -> dict[str, object]:
    if not isinstance(made, Components):
        return {"error": str(made)}
    parts = {name: getattr(made, name) for name in PARTS}
    return {
        name: None
        if value is None
        else {"standard_deviation": value**0.5, "share": made.share(value)}
        for name, value in parts.items()
    } | {
        name: getattr(made, name) for name in ("conversations", "customers", "repeats", "left_out")
    }


def values_of(runs: list[Run], name: str) -> Mapping[Cell, list[float]]:
    """(conversation, customer) -> the metric's value in each repeat, where it has one.

    Raises DataError for two runs with one customer, which would be one cell.
    """
    values: dict[Cell, list[float]] = {}
    played: dict[str, Path] = {}
    for run in runs:
        stated = run.results["configs"][run.task]["metadata"]["csc"]
        customer = f"{stated.get('customer')} {stated.get('customer_prompt')}"
        if (other := played.setdefault(customer, run.file)) != run.file:
            raise DataError(
                f"{other} and {run.file} are two runs with the customer"
                f" {shown(str(stated.get('customer')))}; give one (csc_repeats asks several times)"
            )
        for line in run.lines:
            own = [record[name] for record in line[LIVE] if record.get(name) is not None]
            if own:
                values[str(line["doc"]["conversation_id"]), customer] = [float(v) for v in own]
    return values


def _line(name: str, made: Components) -> str:
    scale, digits = METRICS[name].scale, METRICS[name].digits

    def part(label: str, value: float | None) -> str:
        if value is None:
            return f"{label} N/A"
        share = made.share(value)
        of = "" if share is None else f" ({share:.0%})"
        return f"{label} {value**0.5 * scale:.{digits}f}{of}"

    parts = [part(name, getattr(made, name)) for name in PARTS]
    table = f"{made.conversations} conversations x {made.customers} customers x {made.repeats}"
    left = f", {made.left_out} left out" if made.left_out else ""
    return f"standard deviations: {', '.join(parts)}; {table} repeats{left}"


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
