"""The frame of every builder that asks a language model: the options they share, and the way from
options to a dataset folder.

A builder is a class that says what is its own: its options, what it makes of them with a model, and
its card. `run` does the rest in one order for all: look at the target and the options, open the
journal beside the target and the models, make, write the folder in one step, print what was
counted.
"""

import sys
import time
from abc import ABC, abstractmethod
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path

from builders.cards.render import Card, contents_table, count_lines
from builders.dataset import check_target, write_folder
from builders.executors import check_executor, launch
from builders.hold_out import (
    LAST,
    HeldOut,
    check_hold_out,
    hold_out,
    kept_note,
    without_counts,
    write_references,
)
from builders.outlook import NothingKept as NothingKept
from builders.outlook import Outlook
from builders.partial import leaving_partial, remove_partial
from builders.plan import check_plan, plan
from builders.rows import Rows
from builders.shards import part_journal, shard_of, whole_journal, write_part
from builders.wording import both, building_languages
from csc_tasks.errors import SettingError
from csc_tasks.llm.client import LLM, llm_from_args
from csc_tasks.llm.outcomes import Stopped
from csc_tasks.llm.runs import run_record, stage_models
from csc_tasks.llm.shards import Shard
from csc_tasks.telling import tally, tell

DATASET = "the dataset folder to write; the journal lies beside it"


def add_out(parser: ArgumentParser, meaning: str = DATASET) -> None:
    """Add `--out`."""
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help=meaning)


def add_limit(parser: ArgumentParser, meaning: str) -> None:
    """Add `--limit`; `Builder` refuses a limit below 1."""
    parser.add_argument("--limit", type=int, metavar="N", help=meaning)


def add_language(parser: ArgumentParser) -> None:
    """Add `--language`, which `chosen_languages` reads."""
    parser.add_argument(
        "--language",
        default="both",
        choices=[*building_languages(), "both"],
        help="of the conversations (default: both, zh and en)",
    )


def add_licence(parser: ArgumentParser) -> None:
    """Add `--licence`."""
    parser.add_argument(
        "--licence",
        default="other",
        metavar="ID",
        help="the dataset's licence, as the Hub names it (default: other)",
    )


def add_seed(parser: ArgumentParser, meaning: str) -> None:
    """Add `--seed`."""
    parser.add_argument("--seed", type=int, default=0, metavar="N", help=meaning)


def chosen_languages(args: Namespace) -> tuple[str, ...]:
    """The languages that `--language` names."""
    return both() if args.language == "both" else (args.language,)


def check_least(args: Namespace, **least: int) -> None:
    """Raise SettingError for a number below its least value; None is an option not given."""
    for option, bound in least.items():
        value = getattr(args, option)
        if value is not None and value < bound:
            raise SettingError(f"--{option.replace('_', '-')} {value}: at least {bound}")


@dataclass(frozen=True, slots=True)
class Built:
    """What a builder made.

    rows: config -> split -> rows, splits without rows left out. record: what build.json says of
    them, the same in two identical builds; its "counts" are printed. notes: lines to print after
    the counts. also: what the last line says after the journal's place.
    """

    rows: Mapping[str, Mapping[str, Rows]]
    record: dict
    notes: tuple[str, ...] = ()
    also: str = ""


class Builder(ABC):
    """One build. Subclasses name the `stages` that ask a model, by the time they are made, and
    `OPTIONS`, the options that build.json lists.

    Making one looks at the target and at the options, and raises SettingError or DataError before
    any model is asked.

    `pilot` is how many items `make` takes, None for all; it then leaves in `outlook` what these say
    of the whole. `later` says why a build that stops leaves no rows, "" where it does; `rounds`
    what comes before the first of them.
    """

    OPTIONS: tuple[str, ...] = ()
    ALSO_HOLD = "the journal, which holds them"
    """The files beside the dataset that hold its texts."""
    stages: Sequence[str] = ()
    in_turn: Sequence[str] = ()
    """The stages in which a request about an item waits for the reply before."""
    later = rounds = ""
    pilot: int | None = None
    outlook: Outlook | None = None

    def __init__(self, args: Namespace) -> None:
        self.args = args
        self.out: Path = args.out.resolve()
        self.check_target()
        check_least(args, limit=1)
        if self.held_out is not None:
            check_hold_out(self.held_out, self.out)

    @property
    def held_out(self) -> Path | None:
        """The file of `--hold-out`; None where it was not given, or the builder has no such
        option.
        """
        return getattr(self.args, "hold_out", None)

    @property
    def hold_out_turns(self) -> str:
        """Which turns `--hold-out` holds out."""
        turns: str = getattr(self.args, "hold_out_turns", LAST)
        return turns

    def check_target(self) -> None:
        """Raise SettingError unless the target may be written."""
        check_target(self.args.out)

    @abstractmethod
    def stand_in(self) -> None:
        """Register what plays the stages of `--llm scripted`; called for that alone."""

    @abstractmethod
    def make(self, llm: LLM) -> Built:
        """Ask, and give what is to be written; raises NothingKept where that is nothing."""

    def item_of(self, item_id: str) -> str:
        """The item that a request is about: `conversation/3` belongs to its conversation."""
        return item_id.partition("/")[0]

    def card(self, record: Mapping) -> Card:
        """The dataset's card, for what build.json says; where `write` writes no dataset, none."""
        raise NotImplementedError

    def settings(self, llm: LLM, **own: object) -> dict:
        """The settings for build.json: those of `OPTIONS`, the builder's `own`, the sampling."""
        given = {name: getattr(self.args, name) for name in self.OPTIONS}
        forms = {"response_format": llm.response_format} if llm.response_format else {}
        return given | own | {"sampling": llm.sampling} | forms

    def models(self, llm: LLM) -> dict[str, str]:
        """Stage -> `backend:model`."""
        return stage_models(llm, self.stages)

    def write(self, built: Built, run: Mapping, journal: Path) -> None:
        """Write the dataset folder, and print its counts, contents and place."""
        card, rows, said = self.card(built.record), built.rows, built.record
        held: HeldOut | None = None
        if self.held_out is not None:
            held = hold_out(rows, self.hold_out_turns)
            rows, said = held.public, without_counts(said, held)
            card = replace(card, limits=(*card.limits, *held.limits))
            # First: a folder without its references could never be measured.
            write_references(self.held_out, held.references)
        record = write_folder(self.out, rows, card, said, run)
        tally(*count_lines(built.record["counts"]), end="\n\n")
        tell(contents_table(record["splits"]), end="\n\n")
        for note in built.notes:
            tally(note)
        if self.held_out is not None and held is not None:
            tally(kept_note(held, self.held_out, f" and {self.ALSO_HOLD} too,"))
        tell(
            f"Wrote {self.args.out}; its README.md says how to load it. Every request is in"
            f" {journal}{built.also}"
        )


def run(builder: type[Builder], args: Namespace) -> None:
    """Build. Raises SettingError and DataError as the builder does, and what asking raises
    (csc_tasks.llm.outcomes); the journal keeps every answer, and the same command goes on.
    """
    check_executor(args)
    check_plan(args)
    if args.executor:
        launch(module_of(builder), args)
        return
    started, given, shard = time.time(), copy(args), shard_of(args)
    build = builder(args)
    build.out.parent.mkdir(parents=True, exist_ok=True)
    journal = part_journal(build.out, shard) if shard else whole_journal(build.out)
    # What a part leaves is its journal.
    with nullcontext() if shard else leaving_partial(builder, given, journal):
        if not plan(builder, given, journal):
            return
        asks = not (shard and shard.joins)
        with llm_from_args(args, journal, build.stages, build.in_turn, asks=asks) as llm:
            llm.shard = shard
            if shard and not shard.joins and whole_journal(build.out).is_file():
                llm.journal.read_also(whole_journal(build.out))
            if any(backend.name == "scripted" for backend in llm.backends.values()):
                build.stand_in()
            try:
                built = build.make(llm)
            except NothingKept:
                if not llm.elsewhere:
                    raise
            run_json = run_record(llm, started)
    if shard and llm.is_part:
        end_part(build, shard, llm)
    else:
        build.write(built, run_json, llm.journal.path)
        remove_partial(build.out)


def module_of(builder: type[Builder]) -> str:
    """The module that `python -m` runs this builder by, also where it is the one that runs."""
    spec = sys.modules["__main__"].__spec__
    return spec.name if builder.__module__ == "__main__" and spec else builder.__module__


def end_part(build: Builder, shard: Shard, llm: LLM) -> None:
    """Say what a part has asked, and record that it is finished; raises Stopped where the parts
    were to be joined and requests are still open.
    """
    if shard.joins:
        raise Stopped(
            f"{llm.elsewhere:,} requests or more are still open: run the parts again, they go on"
            " from here; or csc build merge --ask"
        )
    counts = {"sent": llm.sent, "answered_by_a_journal": llm.replayed}
    write_part(build.out, shard, module_of(type(build)), build.args.command_words, counts)
    tell(
        f"Part {shard} is finished: {llm.sent:,} requests sent, {llm.replayed:,} answered by a"
        f" journal. Every request is in {llm.journal.path}; when all {shard.count} parts are"
        f" finished: csc build merge {build.args.out}"
    )
