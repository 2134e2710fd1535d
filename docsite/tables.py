"""Tables of the reference pages, from the tables that the program itself goes by."""

import dataclasses
import math

from csc_tasks.framework import STRATEGIES
from csc_tasks.languages.labels import strategy_name
from csc_tasks.metrics import METRICS
from csc_tasks.settings import HELP, Settings
from docsite.text import cell, table
from trainers.recipe import Recipe
from trainers.recipe_keys import Key, help_of, keys_of, option_of


def settings_table() -> str:
    """Every setting: key, environment variable, default and values."""
    rows = []
    for name in Settings.__dataclass_fields__:
        default = getattr(Settings(), name)
        shown = "–" if default is None else f"`{default}`"
        rows.append((f"`csc_{name}`", f"`CSC_{name.upper()}`", shown, HELP[name]))
    return table(("key", "environment", "default", "values"), rows)


def strategies_table() -> str:
    """The twelve strategies with their names and stages."""
    rows = [
        (
            str(s.number),
            s.id,
            strategy_name(s.id, "en"),
            strategy_name(s.id, "zh"),
            ", ".join(s.stages) or "–",
        )
        for s in STRATEGIES
    ]
    return table(("no.", "id", "English", "Chinese", "stages"), rows)


def metrics_table() -> str:
    """Every metric: where it applies, its range, which way is up, and what it says."""
    rows = []
    for metric in METRICS.values():
        low, high = (f"{bound:g}".replace("inf", "∞").replace("-", "−") for bound in metric.range)
        rows.append(
            (
                f"`{metric.name}`",
                ", ".join(metric.per),
                f"{low} to {high}",
                "higher" if metric.higher_is_better else "lower",
                "yes" if metric.default else "",
                f"`{metric.extra}`" if metric.extra else "",
                metric.description,
            )
        )
    header = ("metric", "of each", "range", "better", "default", "extra", "what it says")
    return table(header, rows)


def recipe_table() -> str:
    """Every key of a training recipe: its option, what it may be, its help with the default."""
    about = keys_of(Recipe)
    rows = [
        (
            f"`{one.name}`",
            f"`{option_of(one.name, about[one.name])}`",
            values_of(about[one.name]),
            cell(help_of(one)),
        )
        for one in dataclasses.fields(Recipe)
    ]
    return table(("key", "option", "values", "what it is"), rows)


def values_of(about: Key) -> str:
    """The values that a key may have, or its range; empty where anything of its type will do."""
    if about.choices:
        return ", ".join(f"`{'none' if choice is None else choice}`" for choice in about.choices)
    bounds = [
        f"{word} {bound:g}"
        for word, bound in (
            ("above", about.above),
            ("at least", about.least),
            ("at most", about.most),
        )
        if math.isfinite(bound)
    ]
    return ", ".join(bounds)
