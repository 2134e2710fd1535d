"""The judges of a run: each `--llm` is one, with a name of its own, and the options that rating and
comparing share.
"""

import hashlib
import json
import re
from argparse import ArgumentParser, Namespace
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from csc_tasks.errors import SettingError
from csc_tasks.llm.options import add_llm_arguments, by_stage, checked_form
from csc_tasks.out import check_writable, replace_file, say_earlier
from csc_tasks.runs.quarantine import STRICT_HELP
from csc_tasks.telling import tally
from leaderboard.judging.asking import PROMPT_VERSION, SAMPLING, prompt_hashes
from leaderboard.judging.sampling import RULE, sample
from leaderboard.judging.units import Judged, Unit, shared_ids

if TYPE_CHECKING:
    from csc_tasks.llm.client import LLM

_NAMED = re.compile(r"([\w.-]+)=(.*)", re.DOTALL)


def add_arguments(parser: ArgumentParser, replies_only: bool = False) -> None:
    """The options of every verb that asks judges; `replies_only`: without --unit and
    --show-reference, where they make no sense.
    """
    add = parser.add_argument
    add(
        "--out",
        required=True,
        type=Path,
        metavar="DIR",
        help="where ratings and results go; the journal lies beside it",
    )
    add("--strict", action="store_true", help=STRICT_HELP)
    add(
        "--tasks",
        default="",
        metavar="A,B",
        help="only these tasks, e.g. csc_conv_gen,csc_qa (default: all there are)",
    )
    add(
        "--conversations",
        type=int,
        default=100,
        metavar="N",
        help=(
            "conversations in the sample of each task (default: 100); a larger sample holds the"
            " smaller one, by turn too"
        ),
    )
    add(
        "--turns",
        type=int,
        default=1,
        metavar="K",
        help="replies taken from each, of stages as different as can be (default: 1)",
    )
    if not replies_only:
        add(
            "--unit",
            default="auto",
            choices=("auto", "reply"),
            help=(
                "what is judged in generated context: the whole conversation (auto, default) or"
                " single replies"
            ),
        )
        add(
            "--show-reference",
            action="store_true",
            help="show the judges the gold reply too; it is in the signature",
        )
    add(
        "--seed", type=int, default=0, metavar="N", help="another seed, another sample (default: 0)"
    )
    add_llm_arguments(parser)


def check_out(args: Namespace, file: str) -> None:
    """Raise SettingError where `args.out` cannot be written, and say so where it holds what an
    earlier run said in `file`.
    """
    check_writable(args.out)
    if (args.out / file).exists():
        say_earlier(
            f"{args.out} holds {file} of an earlier run, which this one replaces; its results files"
            " stay beside the new ones"
        )


def write_records(out: Path, records: Mapping[str, Mapping]) -> None:
    """Write each record as a JSON file in `out`, by name."""
    for name, content in records.items():
        replace_file(out / name, json.dumps(content, ensure_ascii=False, indent=2) + "\n")


@contextmanager
def panel(args: Namespace, what: str) -> Iterator[tuple["LLM", dict[str, str]]]:
    """(llm, judge name -> backend:model) of the judges in `args.llm`: the name given as
    NAME=BACKEND:MODEL, else the model's own.

    Each judge is a stage of its own in the journal, `--price` and `--sampling`. Raises SettingError
    for two judges of one name.
    """
    from csc_tasks.llm.client import llm_from_args
    from leaderboard.judging.scripted import play

    judges = named_judges(args.llm)
    args.llm = [f"{name}={asked}" for name, asked in judges.items()]
    play([name for name, asked in judges.items() if asked.startswith("scripted")])
    out = args.out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    with llm_from_args(args, out.with_name(f"{out.name}.{what}.journal.sqlite"), judges) as llm:
        yield llm, judges


def named_judges(specs: Sequence[str]) -> dict[str, str]:
    """Judge name -> BACKEND:MODEL; raises SettingError for two judges of one name."""
    judges: dict[str, str] = {}
    for spec in specs:
        named = _NAMED.fullmatch(spec)
        asked = named[2] if named else spec
        plain = asked.partition(":")[2] or asked.partition(":")[0]
        name = named[1] if named else re.sub(r"[^\w.-]+", "-", plain, flags=re.ASCII).strip("-")
        if name in judges:
            raise SettingError(
                f"--llm: two judges are called {name}; give one another name: --llm NAME={asked}"
            )
        judges[name] = asked
    return judges


def sampled(
    models: Sequence[Judged], conversations: int, turns: int, seed: int
) -> tuple[list[Judged], dict[str, list[Unit]]]:
    """(the models with the sampled units in full, task -> the sampled units' outlines); see
    `outlines`.
    """
    chosen = outlines(models, conversations, turns, seed)
    return [
        judged.with_texts([unit.id for unit in chosen[judged.task]]) for judged in models
    ], chosen


def outlines(
    models: Sequence[Judged], conversations: int, turns: int, seed: int
) -> dict[str, list[Unit]]:
    """Task -> the outlines of a sample of the units that all models of the task share.

    Prints how much of what there is was taken, and what not all models have.
    """
    for name, value in (("--conversations", conversations), ("--turns", turns)):
        if value < 1:
            raise SettingError(f"{name} {value}: at least 1")
    by_task: dict[str, list[Judged]] = defaultdict(list)
    for judged in models:
        by_task[judged.task].append(judged)
    chosen = {}
    for task, judged_models in by_task.items():
        common, others = shared_ids(judged_models)
        units = [unit for id_, unit in judged_models[0].units.items() if id_ in common]
        chosen[task] = sample(units, conversations, turns, seed)
        lacking = f"; {others:,} that not every model has are left out" if others else ""
        strata = len({(unit.language, unit.topic, unit.stage) for unit in chosen[task]})
        kind = {"conversation": "conversations", "reply": "replies", "answer": "answers"}[
            units[0].kind
        ]
        tally(
            f"{task}: {len(chosen[task]):,} of {len(units):,} {kind} in {strata} strata, of"
            f" {len(judged_models)} models{lacking}"
        )
    return chosen


def signatures(
    args: Namespace,
    judges: Mapping[str, str],
    sampling: Mapping[str, Mapping],
    templates: Sequence[str],
    languages: Sequence[str],
    *more: str,
) -> dict[str, str]:
    """Judge name -> what it was asked exactly: the model, the prompts' version and hash, whether it
    saw the reference, the sample.
    """
    more = (*more, f"reference:{'shown' if args.show_reference else 'hidden'}", f"unit:{args.unit}")
    return signed(
        args, judges, sampling, PROMPT_VERSION, prompt_hashes(templates, languages), *more
    )


def signed(
    args: Namespace,
    judges: Mapping[str, str],
    sampling: Mapping[str, Mapping],
    version: int,
    hashes: Mapping[str, str],
    *more: str,
) -> dict[str, str]:
    """Judge name -> its signature: the model, version and `hashes` of its prompts, what else there
    is to say, the sample.
    """
    digest = hashlib.sha256(json.dumps(dict(hashes), sort_keys=True).encode()).hexdigest()[:8]
    texts = {}
    forms = by_stage(args.response_format, checked_form, "--response-format")
    for name, asked in judges.items():
        own = {**SAMPLING, **sampling.get("", {}), **sampling.get(name, {})}
        parts = (
            f"judge:{asked}",
            f"prompt:{version}-{digest}",
            *more,
            f"sample:{RULE}-{args.conversations}x{args.turns}",
            f"seed:{args.seed}",
            f"sampling:{json.dumps(own, sort_keys=True, separators=(',', ':'))}",
            *(f"format:{form}" for form in filter(None, [forms.get(name, forms.get(""))])),
        )
        texts[name] = "|".join(parts)
    return texts


def languages_of(units: Mapping[str, Iterable[Unit]]) -> list[str]:
    """The languages there are among the units of each task, sorted."""
    return sorted({unit.language for own in units.values() for unit in own})


def spent_line(llm: "LLM") -> str:
    """What was asked, in one line."""
    cost = "" if llm.budget.cost is None else f", cost {llm.budget.cost:.4f} in all"
    return (
        f"{llm.sent:,} requests sent, {llm.replayed:,} read from the journal{cost}; every one is in"
        f" {llm.journal.path}"
    )
