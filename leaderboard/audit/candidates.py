"""The same candidates with several customers -> what each reached in every conversation, counted
again from the logged dialogues; and the same counts of their csc_conv_gen, whose customers' turns
are recorded and hear nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from csc_tasks.conversation import SUPPORTER
from csc_tasks.errors import DataError, SettingError
from csc_tasks.live import Brief, LiveDialogue, LiveTurn, dialogues_of
from csc_tasks.live.dialogue import CAP
from csc_tasks.live.measures import measures
from csc_tasks.runs.finding import find_samples
from csc_tasks.runs.quarantine import Quarantine, read_newest
from csc_tasks.runs.samples_file import Run, read_run
from csc_tasks.runs.task_record import GENERATED_TASK, LIVE, TURNS
from csc_tasks.shown import shown

WAY = ("customer_prompt", "customer_temperature", "briefs", "max_turns")
"""What makes a customer of one name another one."""
Numbers = Mapping[str, Mapping[str, float | None]]
"""Conversation id -> measure -> its value, None where there is nothing to say."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """live: (model, customer) -> numbers; generated: model -> numbers. corpora: the content hashes
    of all runs. files: customer -> the samples files of its runs, each with the model's name.
    """

    live: Mapping[tuple[str, str], Numbers]
    generated: Mapping[str, Numbers]
    corpora: tuple[str, ...]
    files: Mapping[str, Mapping[Path, str]]

    @property
    def customers(self) -> list[str]:
        """The customers, in the order of their names."""
        return sorted({customer for _, customer in self.live})

    @property
    def models(self) -> list[str]:
        """The models that talked with every customer."""
        every = {model for model, _ in self.live}
        return sorted(
            model for model in every if all((model, one) in self.live for one in self.customers)
        )


def read_candidates(paths: Sequence[Path]) -> Candidates:
    """Read live conversations, and csc_conv_gen of the same models where it is there.

    Raises DataError where nothing is live, where corpora differ, and where one customer was played
    in several ways; SettingError for fewer than two customers, or fewer than two models that talked
    with all of them.
    """
    live: dict[tuple[str, str], dict[str, list[LiveDialogue]]] = {}
    generated: dict[str, Run] = {}
    corpora: set[str] = set()
    ways: dict[str, str] = {}
    files: dict[str, dict[Path, str]] = {}
    for run in _runs(paths):
        model = str(run.results["model_name"])
        if run.unit == LIVE:
            corpora.add(_corpus(run))
            files.setdefault(_check_way(run, ways), {})[run.file] = model
            for dialogue in _dialogues(run):
                group = live.setdefault((model, dialogue.customer), defaultdict(list))
                group[dialogue.conversation_id].append(dialogue)
        elif run.unit == TURNS and run.task == GENERATED_TASK:
            generated[model] = run
    if not live:
        raise DataError(f"{', '.join(map(str, paths))}: no live conversations (cscx_conv_live)")
    corpora |= {_corpus(run) for run in generated.values()}
    if len(corpora) > 1:
        raise DataError(
            f"the runs are of {len(corpora)} corpora ({', '.join(sorted(corpora))}); give those of"
            " one"
        )
    found = Candidates(
        {key: {id_: _mean(group) for id_, group in own.items()} for key, own in live.items()},
        {},
        tuple(sorted(corpora)),
        files,
    )
    if len(found.customers) < 2 or len(found.models) < 2:
        listed = "; ".join(f"{model} with {customer}" for model, customer in sorted(live))
        raise SettingError(
            f"an order needs two models that talked with two customers or more; there are: {listed}"
        )
    briefs = {id_: group[0].brief for own in live.values() for id_, group in own.items()}
    played = {model: _generated(run, briefs) for model, run in sorted(generated.items())}
    return replace(found, generated=played)


def _runs(paths: Sequence[Path]) -> Iterable[Run]:
    """The newest runs below the paths, of each model, task and settings."""

    def read(file: Path) -> tuple[Run, None]:
        return read_run(file), None

    files = find_samples(paths)
    for run, _ in read_newest(files, Quarantine(paths, strict=False), read, repeats=False):
        yield run.one_repeat() if run.unit != LIVE else run


def _check_way(run: Run, ways: dict[str, str]) -> str:
    """The customer of a run. Raises DataError where it was played in another way than in an earlier
    run: the mean of both would be of neither. ways: customer -> how, of the runs so far.
    """
    csc = run.results["configs"][run.task]["metadata"]["csc"]
    customer = str(csc.get("customer"))
    way = ", ".join(f"{name} {csc[name]}" for name in WAY if csc.get(name) is not None)
    if (other := ways.setdefault(customer, way)) != way:
        raise DataError(
            f"customer {shown(customer)} was played in two ways ({shown(other)}; {shown(way)});"
            " give the runs of one"
        )
    return customer


def _corpus(run: Run) -> str:
    return str(run.results["configs"][run.task]["metadata"]["csc"]["content_hash"])


def _dialogues(run: Run) -> Iterable[LiveDialogue]:
    for number, line in enumerate(run.lines, 1):
        yield from dialogues_of(line, f"{run.file} line {number}")


def _mean(dialogues: Sequence[LiveDialogue]) -> dict[str, float | None]:
    """The measures of a conversation, each the mean over its repeats that have one."""
    every = [measures(dialogue) for dialogue in dialogues]
    means: dict[str, float | None] = {}
    for name in every[0]:
        known = [value for one in every if (value := one[name]) is not None]
        means[name] = sum(known) / len(known) if known else None
    return means


def _generated(run: Run, briefs: Mapping[str, Brief | None]) -> Numbers:
    """The measures of a model's turns in generated context; how a conversation ends there says
    nothing.
    """
    numbers = {}
    for line in run.lines:
        doc, records = line["doc"], line[TURNS]
        id_ = doc["conversation_id"]
        if id_ in briefs and records:
            numbers[id_] = measures(_as_dialogue(doc, records, briefs[id_]))
    return numbers


def _as_dialogue(
    doc: Mapping[str, Any], records: Sequence[Mapping[str, Any]], brief: Brief | None
) -> LiveDialogue:
    """The model's turns and the recorded customer's; the recorded supporter's unlabelled ones are
    nobody's here.
    """
    own = {record["turn"]: record for record in records}
    turns = []
    for position, turn in enumerate(doc["dialogue"]):
        record = own.get(position)
        if turn["speaker"] != SUPPORTER:
            turns.append(LiveTurn(turn["speaker"], turn["text"]))
        elif record is not None:
            turns.append(LiveTurn(SUPPORTER, record["reply"] or "", record["strategy"] or None))
    return LiveDialogue(
        conversation_id=doc["conversation_id"],
        customer=GENERATED_TASK,
        brief=brief,
        turns=tuple(turns),
        ending=CAP,
        language=records[0]["language"],
    )
