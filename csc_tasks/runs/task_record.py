"""What a task says about itself in `configs[task].metadata.csc`.

Readers of results ask this record, never the task's name. The tasks that the project ships stand
here once: which tables they belong to, and how a results file of a version before the record
existed is to be read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from csc_tasks.errors import DataError

TURNS, ANSWERS = "turns", "answers"
LIVE = "live"
"""The unit and the variant of live conversations: a record is a whole one."""
CHOICE = "choice"
FORCED = "forced"
"""The variant whose strategies are the likeliest of the twelve names, so that none is unparsed."""
WITHOUT_STRATEGY = {"predict": "vanilla"}
"""The variant that a task is of where a deployed agent was asked, which names no strategy."""
GROUNDED = "grounded"
"""The variant that shows passages."""
SHOWN, AUDITED = "evidence", "audit_evidence"
"""The keys of metadata.csc for the hash of passages that were shown, and of passages that only
count as support of facts.
"""
CONVERSATIONS, QUESTIONS = "conversations", "questions"
"""The tables of the two main kinds of tasks."""
FORMAT_AND_CHOICE = "format_and_choice"
"""The table of how far a model keeps the reply format, and how well it chooses apart from that."""


@dataclass(frozen=True, slots=True)
class Place:
    """A task's columns in one kind of table: the heading above them, and their position."""

    table: str
    heading: str
    order: int


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """What readers need to know of a task.

    unit: what one record is, "turns", "answers" or "live" (a whole conversation); the key it stands
    under in a samples file.
    generated: the model's own earlier turns stood in its history instead of the gold ones.
    variant: what it was shown or asked ("predict", "vanilla", "oracle", "choice", "forced", a
    question's context or stage). places: the kinds of tables it stands in. The first is its own; to
    the others it is brought along by the tasks whose own table that is. Without places it has its
    own table.
    """

    unit: str
    generated: bool
    variant: str
    places: tuple[Place, ...] = ()

    @property
    def has_replies(self) -> bool:
        """Whether there is text to rate or audit: in a choice by log-likelihood there is none."""
        return self.variant != CHOICE

    @property
    def has_single_replies(self) -> bool:
        """Whether a record is one reply, which can be audited and set beside a reference."""
        return self.has_replies and self.unit != LIVE

    @property
    def has_format(self) -> bool:
        """Whether a reply's format decides what its strategy is."""
        return self.variant not in (CHOICE, FORCED, LIVE)

    def place(self, table: str) -> Place | None:
        """Its place in a kind of table; None where it does not belong."""
        return next((place for place in self.places if place.table == table), None)

    def own_table(self, task: str) -> str:
        """The kind of table that exists because of this task."""
        return self.places[0].table if self.places else task

    def to_json(self) -> dict[str, Any]:
        """The keys it adds to `metadata.csc`."""
        places = [{"table": p.table, "heading": p.heading, "order": p.order} for p in self.places]
        return {
            "unit": self.unit,
            "generated": self.generated,
            "variant": self.variant,
            "places": places,
        }


def _questions(variant: str, *places: Place) -> TaskRecord:
    return TaskRecord(ANSWERS, False, variant, places)


SHIPPED: dict[str, TaskRecord] = {
    "csc_conv_ref": TaskRecord(
        TURNS,
        False,
        "predict",
        (
            Place("conversations", "Reference context", 1),
            Place("strategy_variants", "Predict", 2),
            Place(FORMAT_AND_CHOICE, "Reference context, as asked", 1),
        ),
    ),
    "csc_conv_gen": TaskRecord(
        TURNS,
        True,
        "predict",
        (
            Place("conversations", "Generated context", 2),
            Place(FORMAT_AND_CHOICE, "Generated context, as asked", 3),
        ),
    ),
    "csc_qa": _questions(
        "summary", Place("questions", "Answers", 1), Place("question_context", "Summary", 1)
    ),
    "cscx_conv_ref_vanilla": TaskRecord(
        TURNS, False, "vanilla", (Place("strategy_variants", "Vanilla", 1),)
    ),
    "cscx_conv_ref_oracle": TaskRecord(
        TURNS, False, "oracle", (Place("strategy_variants", "Oracle", 3),)
    ),
    "cscx_strategy_choice": TaskRecord(
        TURNS, False, CHOICE, (Place("strategy_choice", "Strategy choice", 1),)
    ),
    "cscx_conv_ref_forced": TaskRecord(
        TURNS, False, FORCED, (Place(FORMAT_AND_CHOICE, "Reference context, forced", 2),)
    ),
    "cscx_conv_gen_forced": TaskRecord(
        TURNS, True, FORCED, (Place(FORMAT_AND_CHOICE, "Generated context, forced", 4),)
    ),
    "cscx_conv_live": TaskRecord(LIVE, True, LIVE, (Place(LIVE, "Live conversations", 1),)),
    "cscx_qa_full": _questions("full", Place("question_context", "Whole history", 2)),
    "cscx_qa_last": _questions("last", Place("question_context", "Last 4 turns", 3)),
    "cscx_qa_none": _questions("none", Place("question_context", "No history", 4)),
    "cscx_qa_grounded": _questions(GROUNDED, Place("question_context", "Summary and passages", 5)),
    "cscx_qa_early": _questions("early", Place("question_stages", "Early", 1)),
    "cscx_qa_mid": _questions("mid", Place("question_stages", "Mid", 2)),
    "cscx_qa_late": _questions("late", Place("question_stages", "Late", 3)),
}


LIVE_TASK = "cscx_conv_live"
"""The one with a played customer."""
GENERATED_TASK = "csc_conv_gen"
"""Its counterpart, in which the customer's turns are the recorded ones."""


def shipped_in(table: str) -> dict[str, TaskRecord]:
    """The shipped tasks whose own table this is, by name."""
    return {task: about for task, about in SHIPPED.items() if about.own_table(task) == table}


def read_task_record(task: str, csc: Mapping[str, Any], where: str = "") -> TaskRecord:
    """The record in a task's `metadata.csc`.

    Files of versions that wrote none are read by the task's name, unknown tasks by their config.
    Raises DataError that names `where` (default: the task) and the key that is not of its type.
    """
    where = where or task
    if "generated" not in csc:
        unit = ANSWERS if str(csc.get("config", "")).startswith("qa") else TURNS
        return SHIPPED.get(task, TaskRecord(unit, False, ""))
    for key, kind in (("unit", str), ("generated", bool), ("variant", str), ("places", list)):
        if not isinstance(csc.get(key), kind):
            raise DataError(
                f"{where}: metadata.csc.{key} is {csc.get(key)!r:.60}; it must be {_KINDS[kind]}"
            )
    if csc["unit"] not in (TURNS, ANSWERS, LIVE):
        raise DataError(
            f"{where}: metadata.csc.unit is {csc['unit']!r:.60}; it must be {TURNS}, {ANSWERS} or"
            f" {LIVE}"
        )
    places = tuple(_place(entry, where) for entry in csc["places"])
    return TaskRecord(csc["unit"], csc["generated"], csc["variant"], places)


_KINDS = {str: "text", bool: "true or false", list: "a list"}


def _place(entry: object, where: str) -> Place:
    if not isinstance(entry, Mapping):
        raise DataError(
            f"{where}: metadata.csc.places holds {entry!r:.60}; each is a table, a heading and an"
            " order"
        )
    table, heading, order = (entry.get(key) for key in ("table", "heading", "order"))
    if not isinstance(table, str) or not isinstance(heading, str) or type(order) is not int:
        raise DataError(
            f"{where}: metadata.csc.places holds {entry!r:.60}; each is a table, a heading and an"
            " order"
        )
    return Place(table, heading, order)
