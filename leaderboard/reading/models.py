"""Names for models: a slug for paths, a label for readers, the base below an adapter, and the
settings in which two rows of one name differ.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from csc_tasks.file_names import safe_name
from csc_tasks.runs.results_file import Identity, Measurement
from leaderboard.board import Model

LONGEST_VALUE = 60


def name_models(measurements: Sequence[Measurement]) -> dict[Identity, Model]:
    """A Model for every identity, the same for the same measurements whatever their order."""
    identities = sorted(
        {m.identity for m in measurements},
        key=lambda i: (i.name, i.base or "", i.baseline, i.settings),
    )
    alike: dict[str, list[Identity]] = defaultdict(list)
    for identity in identities:
        alike[identity.name].append(identity)
    slugs: dict[Identity, str] = {}
    for identity in identities:
        slugs[identity] = safe_name(identity.name, set(slugs.values()))
    parameters = {m.identity: m.parameters for m in measurements}
    models = {}
    for identity in identities:
        differing = _differing(identity, alike[identity.name])
        shown = ", ".join(f"{name}={value}" for name, value in differing.items())
        models[identity] = Model(
            slug=slugs[identity],
            name=identity.name,
            label=_label(identity) + (f" ({shown})" if shown else ""),
            kind=_kind(identity),
            base=_base(identity, slugs),
            base_name=identity.base,
            parameters=parameters[identity],
            settings={name: _short(value) for name, value in identity.settings},
        )
    return models


def _kind(identity: Identity) -> Literal["model", "adapter", "baseline"]:
    if identity.baseline:
        return "baseline"
    return "adapter" if identity.base else "model"


def in_groups(models: Iterable[Model], score: Mapping[str, float]) -> list[Model]:
    """Rows in the order of a table: groups of a base and its adapters, the group with the highest
    score first; baselines last.
    """
    groups: dict[str, list[Model]] = defaultdict(list)
    for model in models:
        groups[model.base or model.slug].append(model)
    best = {
        key: max(score.get(m.slug, float("-inf")) for m in members)
        for key, members in groups.items()
    }
    ordered = sorted(
        groups, key=lambda key: (any(m.kind == "baseline" for m in groups[key]), -best[key], key)
    )
    return [
        model
        for key in ordered
        for model in sorted(groups[key], key=lambda m: (m.kind == "adapter", m.label, m.slug))
    ]


def _label(identity: Identity) -> str:
    if identity.baseline:
        return identity.name.removeprefix("baseline/")
    return f"+ {identity.name.rstrip('/').rpartition('/')[2]}" if identity.base else identity.name


def _base(identity: Identity, slugs: Mapping[Identity, str]) -> str | None:
    """The slug of the base model's row with the most like settings, or of its name where it has no
    row.
    """
    if identity.base is None:
        return None
    rows = [other for other in slugs if other.name == identity.base and other.base is None]
    if not rows:
        return safe_name(identity.base)
    return slugs[max(rows, key=lambda other: len(set(other.settings) & set(identity.settings)))]


def _differing(identity: Identity, alike: Sequence[Identity]) -> dict[str, str]:
    """The settings in which rows of one name differ, as this one has them."""
    if len(alike) == 1:
        return {}
    values = [dict(other.settings) | {"base": other.base or "none"} for other in alike]
    own = dict(identity.settings) | {"base": identity.base or "none"}
    names = sorted({name for value in values for name in value})
    return {
        name: _short(own.get(name, "default"))
        for name in names
        if len({value.get(name) for value in values}) > 1
    }


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"
