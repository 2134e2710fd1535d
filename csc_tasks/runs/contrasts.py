"""Which two runs of one model differ in exactly one thing, and what that is: the one table of which
tasks and settings are contrasts of each other.

Two runs are a contrast where their recorded conditions (csc_tasks/runs/conditions.py) differ in one
condition and in what follows from it: an adapter has a name and parameters of its own, another
variant of a task has another task name. Runs that differ in two, or in the model itself, are none.
What says only which documents were asked, and how often, is no condition of the reply to one turn:
what the runs have in common is compared.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from csc_tasks.runs.conditions import Conditions, without_repeat
from csc_tasks.runs.model_arguments import NAMES, as_text, model_arguments
from csc_tasks.runs.public_lists import OTHER
from csc_tasks.runs.results_file import Measurement

ABSENT = "not given"
"""The level of a run that has no such setting."""
LONGEST_LEVEL = 60
THINKING, NO_THINKING = "csc.thinking", "off"


@dataclass(frozen=True, slots=True)
class Family:
    """Contrasts of one kind. condition: the name of what differs. levels: its values, and how each
    is called, in the order in which one is subtracted from another (the first minus the second);
    None is its absence. others: whether values that are not named may stand against one that is;
    they come first.
    """

    name: str
    title: str
    condition: str
    levels: Mapping[str | None, str] = field(default_factory=dict)
    others: bool = False

    def has(self, one: str | None, other: str | None) -> bool:
        """Whether two values of its condition are a contrast of this kind."""
        known = [value in self.levels for value in (one, other)]
        return all(known) or (self.others and any(known))


FAMILIES = (
    Family(
        "strategies",
        "Strategies: given, predicted, none",
        "csc.variant",
        {"oracle": "Oracle", "predict": "Predict", "vanilla": "Vanilla"},
    ),
    Family(
        "history",
        "What of the history is shown",
        "csc.variant",
        {
            "summary": "Summary",
            "full": "Whole history",
            "last": "Last 4 turns",
            "none": "No history",
        },
    ),
    Family(
        "passages",
        "With and without passages",
        "csc.variant",
        {"grounded": "Summary and passages", "summary": "Summary"},
    ),
    Family(
        "context",
        "Reference and generated context",
        "csc.generated",
        {"false": "Reference context", "true": "Generated context"},
    ),
    Family("summaries", "Variants of the summaries", "csc.config", {"qa": "qa"}, others=True),
    Family("adapter", "With and without the adapter", "model_args.peft", {None: "base"}, True),
    Family("adapter", "With and without the adapter", "model_args.delta", {None: "base"}, True),
    Family("prompt", "Prompt style", "csc.prompt", {"single": "Single prompt", "chat": "Chat"}),
    Family(
        "format",
        "Reply format",
        "csc.format",
        {"json": "JSON", "several": "Several strategies", None: "Text"},
    ),
    Family("reask", "Unreadable replies", "csc.reask", {"1": "Asked again", None: "Asked once"}),
    Family(
        "chat_template",
        "Chat template",
        "file.chat_template_sha",
        {None: "not applied"},
        others=True,
    ),
    Family("thinking", "Thinking", THINKING, {NO_THINKING: NO_THINKING}, others=True),
)
"""What has a name. A condition that none of them names is a family of its own."""

# The values of these that are no contrast of a family above are none at all: stages of a
# conversation share no question, two adapters are two models.
ONLY_NAMED = frozenset(
    {"csc.variant", "csc.generated", "csc.config", "model_args.peft", "model_args.delta"}
)
# Which documents were asked, and how often. What came of the setting for thinking is recorded too.
AROUND = frozenset(
    {
        *("task.n-samples", "csc.rows", "csc.content_hash", "csc.languages", "csc.held_out"),
        *("csc.revision", "csc.repeats", "metadata.csc_repeats", "metadata.csc_language"),
        "metadata.csc_think_tokens",
    }
)
# What lm_eval reads off the model that it loaded.
_OF_MODEL = frozenset(
    {
        *("config.model_dtype", "config.model_num_parameters", "config.model_revision"),
        *("config.model_sha", "config.peft_sha", "config.delta_sha"),
        *("file.model_source", "file.max_length", "file.eot_token_id"),
        *(f"file.tokenizer_{mark}_token" for mark in ("bos", "eos", "pad")),
    }
)
_FOLLOWS: Mapping[str, frozenset[str]] = {
    "csc.variant": frozenset({"task.task", "csc.evidence"}),
    "csc.generated": frozenset({"task.task"}),
    "model_args.peft": frozenset({"file.model_name"}),
    "model_args.delta": frozenset({"file.model_name"}),
    "config.model": _OF_MODEL | {"csc.left_out"},
    # Templates show a date.
    "file.chat_template_sha": frozenset(
        {"file.fewshot_as_multiturn", "config.fewshot_as_multiturn", "csc.date"}
    ),
    "generation.temperature": frozenset({"generation.do_sample"}),
    # Of a server that takes no schema.
    "csc.format": frozenset({"csc.left_out"}),
}
"""Condition -> what differs with it."""
# Another model, other items, or something that may be several things.
_NO_CONTRAST = (
    frozenset(
        {
            *("file.model_name", "task.task", "csc.unit", "csc.split", "metadata.csc_turns"),
            *(f"config.{OTHER}", f"csc.{OTHER}"),
            *(f"model_args.{name}" for name in NAMES - {"peft", "delta"}),
        }
    )
    | _OF_MODEL
)


@dataclass(frozen=True, slots=True)
class Difference:
    """The one thing in which two runs differ.

    family: its name in paths and files. title: for readers. levels: what it is in the first and in
    the second run, for readers; all of this may be published. turned: the second run stands first
    in the contrast.
    """

    family: str
    title: str
    levels: tuple[str, str]
    turned: bool

    @property
    def in_order(self) -> tuple[str, str]:
        """The levels as the contrast has them: the first minus the second."""
        first, second = self.levels
        return (second, first) if self.turned else (first, second)


def difference(one: Measurement, other: Measurement) -> Difference | None:
    """The one condition in which two runs differ; None where they differ in none, in several, or in
    something that makes no contrast within one model.
    """
    first, second = _settings(one.recorded), _settings(other.recorded)
    names = {name for name in first.keys() | second.keys() if first.get(name) != second.get(name)}
    names -= AROUND
    leads = names - {after for name in names for after in _follow(name, names)}
    if len(leads) != 1:
        return None
    (name,) = leads
    if name in _NO_CONTRAST:
        return None
    values = first.get(name), second.get(name)
    family = next((f for f in FAMILIES if f.condition == name and f.has(*values)), None)
    if family is None and name in ONLY_NAMED:
        return None
    public = _settings(one.conditions), _settings(other.conditions)
    if family is None:
        shown = name if any(name in stated for stated in public) else "other settings"
        family = Family(shown, shown.partition(".")[2].replace("_", " ") or shown, name)
    levels = [
        family.levels.get(value) or _level(name, value, stated.get(name))
        for value, stated in zip(values, public, strict=True)
    ]
    if levels[0] == levels[1]:
        levels = [f"{level} ({number})" for number, level in enumerate(levels, 1)]
    orders = [_order(family, value) for value in values]
    return Difference(family.name, family.title, (levels[0], levels[1]), orders[0] > orders[1])


def model_key(measurement: Measurement) -> tuple[tuple[str, str], ...]:
    """What two runs of one model have in common."""
    names = {f"model_args.{name}" for name in NAMES - {"peft", "delta"}}
    stated = tuple(pair for pair in measurement.recorded if pair[0] in names)
    return stated or tuple(pair for pair in measurement.recorded if pair[0] == "file.model_name")


def _follow(name: str, names: set[str]) -> frozenset[str]:
    """What of `names` differs because `name` does."""
    after = _FOLLOWS.get(name, frozenset())
    part, _, rest = name.partition(".")
    if part == "model_args":
        after |= _OF_MODEL | {f"metadata.{rest}", THINKING, "csc.left_out"}
    if part == "generation":
        after |= {"csc.left_out"}
    return after & names


def _settings(stated: Conditions) -> dict[str, str]:
    """Condition -> value, as text where it is text, without what tells repeats apart; every
    generation setting by itself, as the run had it.
    """
    stated_as = dict(without_repeat(stated))
    settings = {name: as_text(json.loads(value)) for name, value in stated_as.items()}
    generation: dict[str, str] = {}
    for part in ("task.generation_kwargs", "config.gen_kwargs"):
        given = json.loads(stated_as.get(part, "null"))
        settings.pop(part, None)
        generation |= model_arguments(given)
    # The rest of that record is about the template, which is a condition of its own.
    thinking = json.loads(stated_as.get(THINKING, "null"))
    tokens = thinking.get("tokens") if isinstance(thinking, Mapping) else None
    settings[THINKING] = f"up to {tokens} tokens" if tokens else NO_THINKING
    return settings | {f"generation.{k}": _plain(value) for k, value in generation.items()}


def _plain(value: str) -> str:
    """Numbers in one way of writing, and truth values: lm_eval keeps them as they were given."""
    try:
        return f"{float(value):g}"
    except ValueError:
        return value.lower() if value.lower() in ("true", "false") else value


def _level(name: str, value: str | None, public: str | None) -> str:
    """How a value that no family names is called, in words that may be published."""
    if value is None:
        return ABSENT
    if public is None:
        return "not published"
    if name.endswith("_sha"):
        return f"applied ({public[:8]})"
    return public if len(public) <= LONGEST_LEVEL else f"{public[: LONGEST_LEVEL - 1]}…"


def _order(family: Family, value: str | None) -> tuple[int, float, str]:
    """What a contrast's first level has less of than its second."""
    if value in family.levels:
        return list(family.levels).index(value), 0.0, ""
    if value is None:
        return 1, 0.0, ""
    try:
        return -1, -float(value), ""
    except ValueError:
        return -1, 0.0, value
