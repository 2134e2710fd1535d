"""Tables of the reference pages, from the tables that the program itself goes by."""

from csc_tasks.framework import STRATEGIES
from csc_tasks.languages.labels import strategy_name
from csc_tasks.metrics import METRICS
from csc_tasks.settings import HELP, Settings


def settings_table():
    lines = ["| key | environment | default | values |", "|---|---|---|---|"]
    for name, default in (
        (field, getattr(Settings(), field)) for field in Settings.__dataclass_fields__
    ):
        shown = "–" if default is None else f"`{default}`"
        lines.append(f"| `csc_{name}` | `CSC_{name.upper()}` | {shown} | {HELP[name]} |")
    return "\n".join(lines)


def strategies_table():
    lines = ["| no. | id | English | Chinese | stages |", "|---|---|---|---|---|"]
    lines += [
        f"| {s.number} | {s.id} | {strategy_name(s.id, 'en')} | {strategy_name(s.id, 'zh')} |"
        f" {', '.join(s.stages) or '–'} |"
        for s in STRATEGIES
    ]
    return "\n".join(lines)


def metrics_table():
    lines = [
        "| metric | of each | range | better | default | extra | what it says |",
        "|---|---|---|---|---|---|---|",
    ]
    for metric in METRICS.values():
        low, high = (f"{bound:g}".replace("inf", "∞").replace("-", "−") for bound in metric.range)
        better, default = (
            "higher" if metric.higher_is_better else "lower",
            "yes" if metric.default else "",
        )
        extra = f"`{metric.extra}`" if metric.extra else ""
        cells = (
            f"`{metric.name}`",
            ", ".join(metric.per),
            f"{low} to {high}",
            better,
            default,
            extra,
            metric.description,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
