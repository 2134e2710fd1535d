"""What is rated: units made from logged samples, each a reply in its context or a whole
conversation as it was played.

In reference context and for questions the unit is one reply after the gold history. In generated
context the model's own turns are part of the history, and the unit is the whole conversation with
them in it; with `whole=False` it is again one reply, after the model's own earlier ones.
"""

import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from csc_tasks.arguments import check_known, listed
from csc_tasks.conversation import CUSTOMER, SUPPORTER
from csc_tasks.errors import DataError
from csc_tasks.languages import language
from csc_tasks.languages.labels import topic_name
from csc_tasks.reading import read_json
from csc_tasks.runs.finding import find_samples
from csc_tasks.runs.names import results_beside, task_of
from csc_tasks.runs.public import distinct_names
from csc_tasks.runs.quarantine import Quarantine, read_newest
from csc_tasks.runs.repeats import RATED
from csc_tasks.runs.samples_file import Run, read_run
from csc_tasks.runs.task_record import LIVE

WHOLE = -1


@dataclass(frozen=True, slots=True)
class Unit:
    """One thing to rate, the same one for every model.

    id: `task/conversation id/turn`; turn is the position of the reply (questions: of the pair),
    WHOLE for a conversation. stage: the first stage of the gold strategy, early, mid or late for a
    question, "" where there is none. conversation: [speaker, text] pairs before the reply, or all
    of it as played. reply: "" for a conversation. reference: the gold reply, or the gold
    conversation's pairs. answers: whether the task is about questions. failed: the model's turn (of
    a conversation: one of its turns) failed, so that there is nothing of the model's to rate.
    """

    id: str
    task: str
    conversation_id: str
    turn: int
    language: str
    topic: str
    stage: str
    conversation: tuple[tuple[str, str], ...]
    reply: str
    reference: str | tuple[tuple[str, str], ...]
    instruction: str = ""
    summary: str = ""
    answers: bool = False
    failed: bool = False

    @property
    def kind(self) -> str:
        """ "answer", "reply" or "conversation": which dimensions and wording apply."""
        if self.turn == WHOLE:
            return "conversation"
        return "answer" if self.answers else "reply"

    @property
    def length(self) -> int:
        """Characters of what the model said."""
        own = (
            [text for speaker, text in self.conversation if speaker == SUPPORTER]
            if self.turn == WHOLE
            else [self.reply]
        )
        return sum(map(len, own))


@dataclass(frozen=True, slots=True)
class Judged:
    """A model's units of one task, and the samples file they come from (with the results file
    beside it).

    As `read_models` gives them, units are outlines without texts, so that many models fit into
    memory; `with_texts` reads those that are wanted in full.
    """

    model: str
    task: str
    file: Path
    whole: bool
    generated: bool
    units: dict[str, Unit]

    def with_texts(self, ids: Collection[str]) -> "Judged":
        """The same with these units only, in full."""
        units = units_of(read_run(self.file).one_repeat(), self.whole)
        return replace(self, units={id_: units[id_] for id_ in ids})


def read_models(
    paths: Sequence[Path], tasks: Iterable[str] = (), whole: bool = True, strict: bool = False
) -> list[Judged]:
    """The units of every samples file among `paths` (`tasks`: only of these), in the order of model
    and task.

    Of several runs with the same settings the newest is taken, of several that differ only in their
    seed the first that can be read, of a run that asked several times (csc_repeats) the first time:
    all of which is said. Raises DataError where a model has two files for
    one task with different settings, and where nothing can be rated. A file that cannot be read is
    set aside, or an error where `strict`. Strategy choice has no replies and is passed over, and so
    are models that never say anything (strategy baselines), and live conversations where single
    replies are wanted.
    """
    judged: dict[tuple[str, str], Judged] = {}
    passed = []
    files = [file for file in find_samples(paths) if not tasks or task_of(file) in tasks]
    names = _names(files)
    repeats: list[tuple[Path, int]] = []

    def rateable(logged: Run) -> bool:
        about = logged.about
        return about.has_replies if whole else about.has_single_replies

    def read(file: Path) -> tuple[Run, dict[str, Unit]]:
        run = read_run(file)
        if run.repeats > 1:
            repeats.append((file, run.repeats))
        logged = run.one_repeat()
        return logged, units_of(logged, whole) if rateable(logged) else {}

    for logged, units in read_newest(files, Quarantine(paths, strict), read, repeats=False):
        model = names[str(logged.results["model_name"])]
        if not rateable(logged):
            continue
        if not any(record["reply"] for record in logged.records):
            passed.append(f"{model} ({logged.task})")
            continue
        if other := judged.get((model, logged.task)):
            raise DataError(
                f"{model} has two samples files for {logged.task}, with different settings:"
                f" {other.file} and {logged.file}; give one of them"
            )
        outlines = {
            id_: replace(unit, conversation=(), reply="", reference="")
            for id_, unit in units.items()
        }
        judged[model, logged.task] = Judged(
            model, logged.task, logged.file, whole, logged.about.generated, outlines
        )
    for file, count in repeats:
        print(
            f"note: {file}: of its {count} repeats (csc_repeats) repeat {RATED} is rated",
            file=sys.stderr,
        )
    if not judged:
        silent = f"; these say nothing: {', '.join(passed)}" if passed else ""
        raise DataError(f"{', '.join(map(str, paths))}: no replies to rate{silent}")
    return [judged[key] for key in sorted(judged)]


def _names(samples: Sequence[Path]) -> dict[str, str]:
    """Model name in a results file -> the name that it is written and shown under."""
    given = []
    for file in samples:
        # What is wrong with a file that cannot be read, `read_run` says.
        with suppress(DataError, LookupError, TypeError):
            results = read_json(results_beside(file), "run the evaluation again")
            given.append(str(results["model_name"]))
    return distinct_names(given)


def chosen_tasks(text: str, paths: Sequence[Path]) -> list[str]:
    """The tasks of --tasks A,B; raises SettingError for one that no samples file among `paths` is
    about.
    """
    names = listed(text)
    if names:
        check_known("--tasks", names, sorted({task_of(file) for file in find_samples(paths)}))
    return names


def units_of(logged: Run, whole: bool = True) -> dict[str, Unit]:
    """Unit id -> unit, of one samples file; raises DataError for a line whose parts do not fit
    together.
    """
    units: dict[str, Unit] = {}
    for number, line in enumerate(logged.lines, 1):
        try:
            if logged.unit == "answers":
                made = [_answer(logged.task, line["doc"], record) for record in line["answers"]]
            elif logged.unit == LIVE:
                made = [_live(logged.task, line["doc"], line[LIVE][0])] if line[LIVE] else []
            elif logged.about.generated and whole:
                made = [_played(logged.task, line["doc"], line["turns"])] if line["turns"] else []
            else:
                made = [
                    _reply(logged, line["doc"], line["turns"], record) for record in line["turns"]
                ]
        except (KeyError, TypeError, IndexError, ValueError) as error:
            raise DataError(
                f"{logged.file} line {number}: cannot be read as {logged.unit}"
                f" ({type(error).__name__}: {error})"
            ) from None
        units |= {unit.id: unit for unit in made}
    return units


def shared_ids(models: Sequence[Judged]) -> tuple[set[str], int]:
    """The ids that all of these models (of one task) have, and how many others some of them
    have.
    """
    sets = [set(judged.units) for judged in models]
    common = set.intersection(*sets)
    if not common:
        names = ", ".join(judged.model for judged in models)
        raise DataError(
            f"{models[0].task}: {names} were not asked about any common conversation, so they"
            " cannot be rated side by side"
        )
    return common, len(set.union(*sets) - common)


def _unit(task: str, record: Mapping, turn: int, stage: str, **parts) -> Unit:
    conversation_id, topic = record["conversation_id"], topic_name(record["topic"] or "")
    id_ = f"{task}/{conversation_id}/{'all' if turn == WHOLE else turn}"
    return Unit(id_, task, conversation_id, turn, record["language"], topic, stage, **parts)


def _answer(task: str, doc: Mapping, record: Mapping) -> Unit:
    conversation = (
        *((turn["speaker"], turn["text"]) for turn in doc["conversation_history"]),
        (CUSTOMER, doc["client_question"]),
    )
    # What the customer said before is the better evidence; the summary stands in where a corpus has
    # only that.
    summary = "" if len(conversation) > 1 else doc["history_summary"]
    return _unit(
        task,
        record,
        record["turn"],
        record["stage"] or "",
        conversation=conversation,
        reply=_shown(record),
        reference=record["reference"],
        instruction=doc["instruction"],
        summary=summary,
        answers=True,
        failed=_failed(record),
    )


def _reply(logged: Run, doc: Mapping, records: Sequence[Mapping], record: Mapping) -> Unit:
    conversation = _conversation(doc, records if logged.about.generated else ())[: record["turn"]]
    return _unit(
        logged.task,
        record,
        record["turn"],
        _stage(record),
        conversation=conversation,
        reply=_shown(record),
        reference=record["reference"],
        failed=_failed(record),
    )


def _played(task: str, doc: Mapping, records: Sequence[Mapping]) -> Unit:
    return _unit(
        task,
        records[0],
        WHOLE,
        "",
        conversation=_conversation(doc, records),
        reply="",
        reference=_conversation(doc, ()),
        failed=any(map(_failed, records)),
    )


def _live(task: str, doc: Mapping, record: Mapping) -> Unit:
    """A live conversation, always rated as a whole; its reference is the recorded one."""
    return _unit(
        task,
        record,
        WHOLE,
        "",
        conversation=tuple((turn["speaker"], turn["text"]) for turn in record["turns"]),
        reply="",
        reference=_conversation(doc, ()),
        failed=_failed(record),
    )


def _conversation(doc: Mapping, records: Sequence[Mapping]) -> tuple[tuple[str, str], ...]:
    """The dialogue without strategies, the model's replies in place of the gold ones where there
    are `records`.
    """
    own = {record["turn"]: _shown(record) for record in records}
    return tuple(
        (turn["speaker"], own.get(position, turn["text"]))
        for position, turn in enumerate(doc["dialogue"])
    )


def _shown(record: Mapping) -> str:
    """The reply, or what stands for an empty one in a history."""
    return (
        record["reply"] if record["reply"].strip() else language(record["language"]).words.NO_REPLY
    )


def _failed(record: Mapping) -> bool:
    """Whether the server gave no reply to this turn; files of earlier versions do not say."""
    return bool(record.get("failed"))


def _stage(record: Mapping) -> str:
    return record["gold_stages"][0] if record["gold_stages"] else ""
