"""Which runs of two folders can be compared: every task of the earlier folder with its counterpart
in the later one.

With one model in each folder these two are compared, whatever they are called: a gate is there to
compare what is new with what was. With several, each model is compared with that of its name (and
settings, where these tell several of one name apart). Whatever stands in the earlier folder and has
no counterpart is a refusal, so that nothing passes by being left out; what is new is a note.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from csc_tasks.errors import DataError
from csc_tasks.runs.conditions import differing, without_repeat
from csc_tasks.runs.quarantine import Quarantine
from csc_tasks.runs.results_file import Identity, Measurement
from csc_tasks.shown import shown
from leaderboard.numbers.measured import Measured, Options, measure
from leaderboard.numbers.repeats import merge_repeats
from leaderboard.reading.comparable import FIELDS, newest
from leaderboard.reading.origins import read_all

Runs = Mapping[Identity, Mapping[str, Sequence[Measured]]]
"""Model -> task -> its runs, which differ in what FIELDS names."""
PLAIN = Options(seed=0, draw=0, audit=False, evidence={})
CHANGEABLE = ("prompt", "date", "chat_template")
"""What may be the change that is tested (--differing); all else of FIELDS makes other questions."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What cannot be told, and why, in a few words. model, task, metric: "" for any."""

    model: str
    task: str
    metric: str
    why: str


@dataclass(frozen=True, slots=True)
class Pair:
    """A run and the one before it. differs: the conditions in which they do, by name."""

    before: Measured
    now: Measured
    differs: tuple[str, ...]

    @property
    def model(self) -> str:
        """The later run's model, on one line; baselines are none."""
        return shown(self.now.measurement.identity.name)

    @property
    def task(self) -> str:
        """The task of both."""
        return self.now.measurement.task


def read_runs(path: Path, notes: list[str], options: Options = PLAIN) -> Runs:
    """Every model's runs below a path, with what repeats make together; baselines are left out.

    Raises DataError for a file that cannot be read, for samples that do not belong to their
    results, and where no model is left.
    """
    every = read_all([path], notes, Quarantine([path], strict=True), apart=False)
    models = [m for m in newest(every, notes) if not m.identity.baseline]
    if not models:
        raise DataError(f"{path}: only baselines, which do not change; give the results of a model")
    measured = {}
    for m in models:
        measured[m.file, m.task] = run = measure(m, options)
        notes += run.notes
    merged = merge_repeats(measured, notes)
    runs: dict[Identity, dict[str, list[Measured]]] = defaultdict(lambda: defaultdict(list))
    for run in {id(run): run for run in merged.values()}.values():
        runs[run.measurement.identity][run.measurement.task].append(run)
    return runs


def pairs_of(
    before: Runs, now: Runs, differing_in: Sequence[str], notes: list[str]
) -> tuple[list[Pair], list[Refusal]]:
    """The runs that can be compared, and why others cannot."""
    pairs, refusals = [], []
    partners = _partners(before, now)
    for identity, tasks in before.items():
        name = shown(identity.name)
        if identity not in partners:
            refusals.append(Refusal(name, "", "", f"no run of {name} is among the new results"))
            continue
        new = now[partners[identity]]
        for task, olds in sorted(tasks.items()):
            made, refused = _of_task(olds, new.get(task, ()), differing_in)
            pairs += made
            refusals += [Refusal(name, task, "", why) for why in refused]
        notes += [
            f"{shown(partners[identity].name)}, {task}: new, with nothing to be compared with"
            for task in sorted(new.keys() - tasks.keys())
        ]
    notes += [
        f"{shown(identity.name)}: new, with nothing to be compared with"
        for identity in now
        if identity not in partners.values()
    ]
    return pairs, refusals


def _partners(before: Runs, now: Runs) -> dict[Identity, Identity]:
    """Each earlier model's later one: the only one, the same, or the only other one of its name."""
    if len(before) == len(now) == 1:
        return dict(zip(before, now, strict=True))
    partners = {identity: identity for identity in before if identity in now}
    old = _by_name(identity for identity in before if identity not in partners)
    new = _by_name(identity for identity in now if identity not in partners)
    return partners | {old[name]: new[name] for name in old.keys() & new.keys()}


def _by_name(identities: Iterable[Identity]) -> dict[tuple[str, str | None], Identity]:
    """Those that are the only one with their name and base."""
    named: dict[tuple[str, str | None], list[Identity]] = defaultdict(list)
    for identity in identities:
        named[identity.name, identity.base].append(identity)
    return {name: own[0] for name, own in named.items() if len(own) == 1}


def _of_task(
    olds: Sequence[Measured], news: Sequence[Measured], differing_in: Sequence[str]
) -> tuple[list[Pair], list[str]]:
    """The pairs of one model's runs of one task, and what stands in the way of others."""
    pairs, refusals = [], []
    for old in olds:
        apart = {id(new): _apart(old.measurement, new.measurement, differing_in) for new in news}
        alike = [new for new in news if not apart[id(new)]]
        if len(alike) == 1:
            one, other = old.measurement.conditions, alike[0].measurement.conditions
            names = differing(without_repeat(one), without_repeat(other))
            pairs.append(Pair(old, alike[0], tuple(name.partition(".")[2] for name in names)))
        elif alike:
            files = " and ".join(new.measurement.file.name for new in alike)
            refusals.append(f"several new runs could be compared with it ({files}); give one")
        elif news:
            # What stands least in the way says most.
            refusals.append("; ".join(sorted(apart.values(), key=len)[0]))
        else:
            refusals.append("no new run of this task")
    return pairs, refusals


def _apart(old: Measurement, new: Measurement, differing_in: Sequence[str]) -> tuple[str, ...]:
    """In what two runs of a task were not asked alike."""
    apart = []
    for name, (words, tell) in FIELDS.items():
        one, other = tell(old), tell(new)
        if one is None or other is None or one == other or name in differing_in:
            continue
        way = f" (--differing {name} compares them)" if name in CHANGEABLE else ""
        apart.append(f"the {words} was {shown(one)} and is {shown(other)}{way}")
    return tuple(apart)
