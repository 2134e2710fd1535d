"""Which metrics a user asks for."""

import difflib
from collections.abc import Callable, Sequence

from csc_tasks.errors import SettingError
from csc_tasks.metrics.metric import LABELS, Metric
from csc_tasks.metrics.table import METRICS

_SETS: dict[str, Callable[[Metric], bool]] = {
    "overlap": lambda metric: metric.default,
    "all": lambda metric: True,
}


def select(names: str | Sequence[str] | None, per: str, labelled: bool = False) -> list[Metric]:
    """The metrics that `names` asks for and that apply to items of kind `per` ("turn" or "answer"),
    in the table's order.

    `names` is None or "overlap" (the defaults), "all", a comma-separated list, or a sequence of
    names; sets and names can be mixed ("overlap,bertscore"). A metric of the other kind of item is
    left out, because one setting serves conversations and QA alike. labelled: whether turns carry
    labels of several raters; then the defaults have the metrics against them. Raises SettingError
    for an unknown name, with the closest known one, and when nothing that was asked for applies to
    `per`.
    """
    applicable = [metric for metric in METRICS.values() if per in metric.per]
    if not applicable:
        raise SettingError(f"no metric applies to items of kind {per!r}; there are turn and answer")
    if names is None:
        names = "overlap"
    given = names.split(",") if isinstance(names, str) else names
    asked = [name.strip() for name in given if name.strip()]
    for name in asked:
        if name not in METRICS and name not in _SETS:
            known = [*_SETS, *METRICS]
            closest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
            raise SettingError(
                f"metric {name!r} does not exist (closest: {closest}); there are {', '.join(known)}"
            )
    chosen = [
        metric
        for metric in applicable
        if metric.name in asked
        or any(name in _SETS and _SETS[name](metric) for name in asked)
        or (labelled and metric.of == LABELS and "overlap" in asked)
    ]
    if not chosen:
        here = ", ".join(metric.name for metric in applicable)
        raise SettingError(
            f"csc_metrics asks for {', '.join(asked) or 'nothing'}, and none of that applies to"
            f" each {per}; there: {here}"
        )
    return chosen
