"""The table of a sweep: what each value cost, and what it scored."""

from collections.abc import Mapping, Sequence

from csc_tasks.metrics.result_names import metric_of
from trainers.sweep_file import Point


def comparison(key: str, points: Sequence[Point]) -> str:
    """The table, Markdown: validation loss, and each headline metric with its clustered standard
    error. Seeds stand in a column of their own where a value has several.
    """
    columns = _columns(points)
    several = len({point.seed for point in points if not point.base}) > 1 and key != "seed"
    header = [
        key,
        *(["seed"] if several else []),
        "validation loss",
        "rows",
        "tokens an epoch",
        "steps",
        "trained parameters",
        "seconds",
    ]
    header += [f"{task} {name}" for task, name in columns]
    lines = [header, ["---", *["---:"] * (len(header) - 1)]]
    for point in points:
        cells = [f"{point.value} (the base)" if point.base else point.value]
        cells += [_or_dash(point.seed, "d")] if several else []
        cells += [_or_dash(point.validation_loss, ".4f")]
        tokens = point.counts.get("tokens", 0)
        sizes = (point.rows, tokens, point.steps, point.trained_parameters)
        cells += [*(f"{size:,}" for size in sizes), f"{point.seconds:.0f}"]
        cells += [_with_error(point.scores.get(task, {}), name) for task, name in columns]
        lines.append(cells)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _columns(points: Sequence[Point]) -> list[tuple[str, str]]:
    """(task, result name) of every headline metric that a point has, the metrics of a task in the
    order of the tables.
    """
    places: dict[tuple[str, str], int] = {}
    tasks = list(dict.fromkeys(task for point in points for task in point.scores))
    for task in tasks:
        for name in (name for point in points for name in point.scores.get(task, {})):
            metric = metric_of(name)
            if metric is not None and metric.headline:
                places[task, name] = metric.order
    return sorted(places, key=lambda column: (tasks.index(column[0]), places[column], column[1]))


def _or_dash(number: float | None, form: str) -> str:
    return "–" if number is None else f"{number:{form}}"


def _with_error(numbers: Mapping[str, float], name: str) -> str:
    if name not in numbers:
        return "–"
    error = numbers.get(f"{name}_stderr")
    return f"{numbers[name]:.4g}" + (f" ± {error:.2g}" if error is not None else "")
