"""Which columns a table has. How one is shown and which way is up its metric says, never a file;
where it stands says its task.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from csc_tasks.languages import languages
from csc_tasks.metrics import METRICS
from csc_tasks.metrics.consistency import consistency
from csc_tasks.metrics.result_names import parts_of
from csc_tasks.runs.names import FACTS, OVERALL, PEOPLE, UNSUPPORTED, higher_is_better, rated
from csc_tasks.runs.task_record import FORMAT_AND_CHOICE, TaskRecord
from leaderboard.board import Column

LEADING = min(
    (metric for metric in METRICS.values() if metric.of == "strategy" and metric.headline),
    key=lambda metric: metric.order,
).name
"""The metric that the benchmark is about."""
DRAFT_NOTE = "Draft language"
"""How the footnote begins that says why a table in a draft language is not ranked."""
# Ratings stand after everything that is computed.
_RATED = 10**6


def of_conversations(generated: bool, name: str, signature: str) -> bool:
    """Whether ratings are of whole conversations, which only generated context has. They are then
    logged at a conversation's last turn.
    """
    return generated and rated(name) is not None and "unit:reply" not in signature.split("|")


def column(
    task: str,
    name: str,
    signature: str,
    group: str | None = None,
    generated: bool = False,
) -> Column:
    """The column of one result name of a task: `group` is the heading above the task, its name by
    default.
    """
    group = group or task
    if rating := rated(name):
        return Column(
            key=f"{task}/{name}",
            task=task,
            group=group,
            metric=name,
            label=rating.label,
            higher_is_better=higher_is_better(name),
            signature=signature,
            scale=100.0 if rating.share else 1.0,
            digits=2 if rating.rater == PEOPLE and not rating.absent else 1,
            headline=rating.what in (OVERALL, UNSUPPORTED, LEADING),
            ranked=not rating.absent,
            rater=rating.rater,
            whole=of_conversations(generated, name, signature),
            audits=rating.what in FACTS,
            afterwards=rating.afterwards,
        )
    if of_repeats := consistency(name):
        made_of = METRICS[of_repeats.metric]
        return Column(
            key=f"{task}/{name}",
            task=task,
            group=group,
            metric=name,
            label=of_repeats.label,
            higher_is_better=made_of.higher_is_better,
            signature=of_repeats.signature,
            scale=made_of.scale,
            digits=made_of.digits,
            headline=made_of.headline,
            ranked=made_of.ranked,
        )
    base, language, norm = parts_of(name)
    metric = METRICS.get(base)
    words = [
        metric.label if metric else base,
        *([language] if language else []),
        *(["(per character)"] if norm else []),
    ]
    return Column(
        key=f"{task}/{name}",
        task=task,
        group=group,
        metric=base,
        language=language,
        label=" ".join(words),
        # A metric of another version: its number as the file has it, which is never ranked.
        higher_is_better=metric.higher_is_better if metric else True,
        signature=signature,
        scale=metric.scale if metric else 1.0,
        digits=metric.digits if metric else 2,
        headline=metric.headline if metric else False,
        ranked=metric.ranked if metric else False,
    )


def columns(
    kind: str,
    measured: Mapping[str, Mapping[str, str]],
    about: Mapping[str, TaskRecord],
) -> tuple[Column, ...]:
    """The columns of a table of this kind, in order: task -> result name -> signature, and task ->
    its record.
    """
    places = {task: about[task].place(kind) for task in measured}
    placed = sorted((place.order, task) for task, place in places.items() if place)
    tasks = [
        *(task for _, task in placed),
        *sorted(task for task, place in places.items() if place is None),
    ]
    headings = {task: place.heading if place else task for task, place in places.items()}
    shared = Counter(headings.values())
    # Two tasks under one heading would look like one.
    groups = {
        task: f"{heading} ({task})" if shared[heading] > 1 else heading
        for task, heading in headings.items()
    }
    ordered = [
        column(task, name, measured[task][name], groups[task], about[task].generated)
        for task in tasks
        for name in sorted(measured[task], key=place_of)
    ]
    if kind == FORMAT_AND_CHOICE:
        # As asked, where parsed, how often that is, and forced, one context after the other.
        ordered = [one.model_copy(update={"headline": _of_choice(one.metric)}) for one in ordered]
        return tuple(sorted(ordered, key=lambda one: (tasks.index(one.task), not one.headline)))
    # What the benchmark is about comes first, in every context side by side; sorting is stable.
    return tuple(sorted(ordered, key=lambda column: column.metric != LEADING))


def _of_choice(name: str) -> bool:
    """Whether a metric stands in the short table of format and choice."""
    metric = METRICS.get(name)
    return name == LEADING or (metric is not None and metric.of_format)


def leading_column(columns: Sequence[Column]) -> Column | None:
    """The column that a table is judged by: the first ranked one of the short table, else the first
    ranked one; None where nothing is ranked.
    """
    ranked = [column for column in columns if column.ranked]
    return next((column for column in ranked if column.headline), ranked[0] if ranked else None)


def place_of(name: str) -> tuple:
    """What result names of one task are sorted by for showing."""
    if rating := rated(name):
        rater, what = rating.place
        return _RATED, rater, False, what
    if of_repeats := consistency(name):
        # At the front of its task, as near to what it is of as another task's columns allow.
        return -1, of_repeats.kind, False, of_repeats.k
    base, language, norm = parts_of(name)
    order = METRICS[base].order if base in METRICS else _RATED - 1
    return order, base, norm, list(languages()).index(language) if language else -1
