"""Contrasts within one model: two runs that differ in one condition (strategies given, predicted or
none; whose earlier turns; summary or whole history; base or adapter; prompt style; ...), paired on
the turns that both were asked.

`contrasts` returns board.Contrast records, as they stand in board.json (`Board.contrasts`), in the
order of families, models and levels. Each holds, for every result that both runs have, both values
on the shared conversations, the first minus the second with its 95 % interval, and p corrected
(Holm) over all contrasts of its family in this result. Which runs are a contrast is said by
csc_tasks/runs/contrasts.py; `family` is the name there: "strategies" (levels "Oracle", "Predict",
"Vanilla"), "history", "context", "adapter", "prompt", ... Only numbers that were computed again
here are contrasted, as in the comparisons of a table; what is left out is named with its reason.
Baselines are no models: they have none, and would only make the correction stricter.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations

from csc_tasks.metrics import UNSUPPORTED_FACTS
from csc_tasks.runs.contrasts import FAMILIES, Difference, difference, model_key
from csc_tasks.runs.results_file import Identity
from leaderboard.board import Contrast, ContrastNumber, ContrastSide, Model, Row
from leaderboard.columns import column, place_of
from leaderboard.numbers.inference import Clustered, clustered_estimate, holm, paired, shared
from leaderboard.numbers.measured import Measured, RunKey
from leaderboard.numbers.rows import row_of
from leaderboard.reading.origins import SETTING

PROMPT = "prompt: {}"
"""What stands at a table of runs that were asked alike (`Provenance.asked`)."""
CLAIMED = "not computed again here"
OTHERWISE = "computed in another way"
NO_ITEMS = "no items to pair"
ONE_REPEAT = "counted in one repeat alone"
"""Why a result that both runs have is not contrasted."""
Places = Mapping[RunKey, Mapping[str, tuple[str, ...]]]
Side = tuple[Measured, Row]
"""A run of a contrast, and the row that it makes by itself."""
_ORDER = {family.name: number for number, family in reversed([*enumerate(FAMILIES)])}


def contrasts(
    measured: Iterable[Measured],
    models: Mapping[Identity, Model],
    raw: Mapping[RunKey, str],
    places: Places,
) -> tuple[Contrast, ...]:
    """Every pair of runs of one model that differ in one condition. raw: (results file, task) ->
    path of its copy in the board folder. places: (results file, task) -> id of a table in which it
    stands -> what this was split by, in words.
    """
    # What several repeats make together stands for each of them.
    runs = [
        run
        for run in {id(run): run for run in measured}.values()
        if not run.measurement.identity.baseline
    ]
    pairs = [
        (found, b, a) if found.turned else (found, a, b)
        for own in _of_one_model(runs)
        for a, b in combinations(own, 2)
        if _same_content(a, b) and (found := difference(a.measurement, b.measurement))
    ]
    rows = {id(run): row_of("", {run.measurement.task: run}, raw) for run in runs}
    made = [
        _contrast(found, (a, rows[id(a)]), (b, rows[id(b)]), models, places)
        for found, a, b in pairs
    ]
    made.sort(key=lambda one: (_ORDER.get(one.family, len(_ORDER)), one.family, *_place(one)))
    return tuple(_corrected(made))


def _of_one_model(runs: Iterable[Measured]) -> Iterator[list[Measured]]:
    """The runs of each model; those that others handed in under its name are apart."""
    groups: dict[object, list[Measured]] = defaultdict(list)
    for run in runs:
        m = run.measurement
        groups[model_key(m), dict(m.identity.settings).get(SETTING), m.unit].append(run)
    for own in groups.values():
        yield sorted(own, key=lambda run: (run.measurement.task, run.measurement.conditions))


def _same_content(a: Measured, b: Measured) -> bool:
    """Whether conversations of the same id are the same: of one content, or of one trusted corpus,
    whose variants of the summaries differ in them and in nothing else of a question.
    """
    one, other = a.measurement.provenance, b.measurement.provenance
    if one.config == other.config and one.content_hash == other.content_hash:
        return True
    return a.verified.corpus != "" and a.verified.corpus == b.verified.corpus


def _contrast(
    found: Difference,
    one: Side,
    other: Side,
    models: Mapping[Identity, Model],
    places: Places,
) -> Contrast:
    (a, _), (b, _) = one, other
    first_places, second_places = (
        places.get((run.measurement.file, run.measurement.task), {}) for run in (a, b)
    )
    names = sorted(a.values.keys() & b.values.keys(), key=place_of)
    whys = {name: _why_not(name, one, other) for name in names}
    first, second = (
        ContrastSide(
            model=models[run.measurement.identity].slug, task=run.measurement.task, level=level
        )
        for run, level in zip((a, b), found.in_order, strict=True)
    )
    return Contrast(
        family=found.family,
        title=found.title,
        first=first,
        second=second,
        tables=tuple(id_ for id_ in first_places if id_ in second_places),
        within="; ".join(_in_common(one, other, first_places, second_places)),
        numbers=(
            *(_number(name, a.columns[name], b.columns[name]) for name in names if not whys[name]),
            *_audited(a, b),
        ),
        skipped={name: why for name, why in whys.items() if why} | _unaudited(a, b),
    )


def _in_common(
    one: Side,
    other: Side,
    first: Mapping[str, Sequence[str]],
    second: Mapping[str, Sequence[str]],
) -> Iterator[str]:
    """What the tables of two runs were split by alike, in the words of the first, once. Of two ways
    of asking (`chat-json`, `single-json`) what they have in common stands.
    """
    asked, others = (run.measurement.provenance.asked or "" for run, _ in (one, other))
    both = "-".join(part for part in asked.split("-") if part in others.split("-"))
    shared_words = {word for parted in second.values() for word in parted}
    for word in dict.fromkeys(word for parted in first.values() for word in parted):
        if word in shared_words:
            yield word
        elif both and word == PROMPT.format(asked):
            yield PROMPT.format(both)


def _audited(a: Measured, b: Measured) -> Iterator[ContrastNumber]:
    """What the audits found, where only one of the runs has it as a metric of its own: the other
    was shown no passages.
    """
    if not _one_has_it(a, b) or a.repeats or b.repeats:
        return
    proven = a.verified.proven and b.verified.proven
    if proven and a.audited is not None and b.audited is not None:
        yield _number(UNSUPPORTED_FACTS, a.audited, b.audited)


def _unaudited(a: Measured, b: Measured) -> dict[str, str]:
    """Facts are looked for in one of several repeats, whose mean the other run's metric is."""
    one = (a.repeats or b.repeats) and a.audited is not None and b.audited is not None
    return {UNSUPPORTED_FACTS: ONE_REPEAT} if one and _one_has_it(a, b) else {}


def _one_has_it(a: Measured, b: Measured) -> bool:
    """Whether one of two runs alone counts unsupported facts as a metric."""
    return len({UNSUPPORTED_FACTS in run.values for run in (a, b)}) == 2


def _why_not(name: str, one: Side, other: Side) -> str:
    """Why two values of one result name are not contrasted, "" where they are."""
    (a, _), (b, _) = one, other
    signatures = [run.measurement.provenance.signatures.get(name) for run in (a, b)]
    if signatures[0] != signatures[1] or _unlike(a, b, name):
        return OTHERWISE
    if not all(_ranks(side, name) for side in (one, other)):
        return CLAIMED
    return "" if name in a.columns and name in b.columns else NO_ITEMS


def _unlike(a: Measured, b: Measured, name: str) -> bool:
    """Whether two columns hold different statistics."""
    if name not in a.columns or name not in b.columns:
        return False
    one, other = a.columns[name], b.columns[name]
    widths = [c.sums.size / len(c.sums) / c.repeats for c in (one, other) if len(c.sums)]
    return one.statistic is not other.statistic or len(set(widths)) > 1


def _ranks(side: Side, name: str) -> bool:
    run, row = side
    signature = run.measurement.provenance.signatures.get(name, "")
    return row.ranks(column(run.measurement.task, name, signature))


def _number(name: str, a: Clustered, b: Clustered) -> ContrastNumber:
    """One result of a contrast; p_holm is still to be corrected."""
    one, other = shared(a, b)
    apart, p = paired(one, other)
    return ContrastNumber(
        metric=name,
        first=clustered_estimate(one).value,
        second=clustered_estimate(other).value,
        difference=apart,
        p=p,
        p_holm=p,
        alone=(len(a.ids) - len(one.ids), len(b.ids) - len(one.ids)),
    )


def _corrected(made: Iterable[Contrast]) -> list[Contrast]:
    """The contrasts with p corrected over all of one family in one result."""
    made = list(made)
    families: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for i, one in enumerate(made):
        for j, number in enumerate(one.numbers):
            families[one.family, number.metric].append((i, j))
    numbers = [list(one.numbers) for one in made]
    for places in families.values():
        adjusted = holm([numbers[i][j].p for i, j in places])
        for (i, j), p in zip(places, adjusted, strict=True):
            numbers[i][j] = numbers[i][j].model_copy(update={"p_holm": p})
    return [
        one.model_copy(update={"numbers": tuple(own)})
        for one, own in zip(made, numbers, strict=True)
    ]


def _place(one: Contrast) -> tuple[str, ...]:
    sides = one.first, one.second
    return one.within, *(text for side in sides for text in (side.model, side.task, side.level))
