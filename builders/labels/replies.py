"""The replies in logged samples that are to be labelled, each after the conversation that led to
it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from csc_tasks.conversation import HOW_TO_LABEL, Turn
from csc_tasks.draws import digest
from csc_tasks.errors import DataError
from csc_tasks.languages import language as language_of
from csc_tasks.runs.finding import find_samples
from csc_tasks.runs.names import task_of
from csc_tasks.runs.quarantine import Quarantine, read_newest
from csc_tasks.runs.repeats import RATED
from csc_tasks.runs.samples_file import Run, read_run
from csc_tasks.runs.task_record import TURNS


@dataclass(frozen=True, slots=True)
class LoggedReply:
    """A reply of a model. before: the turns that led to it, the model's own ones where it played
    on them. silent: it is empty or failed, and there is nothing to label.
    """

    file: Path
    model: str
    task: str
    conversation_id: str
    turn: int
    language: str
    before: tuple[Turn, ...]
    text: str
    silent: bool

    @property
    def item_id(self) -> str:
        """Its name in the journal."""
        return f"{self.task}/{self.model}/{self.conversation_id}/{self.turn}"

    @property
    def place(self) -> tuple[str, int]:
        """Where its record stands in its file."""
        return self.conversation_id, self.turn


def logged_replies(
    paths: Sequence[Path], tasks: Sequence[str], most: int | None, seed: int, strict: bool
) -> list[LoggedReply]:
    """The replies of every run of conversations among `paths` (`tasks`: only of these), of the
    first of several repeats, in at most `most` conversations of each task: the same for all models.

    Raises DataError where there are none, and for a run whose corpus has no strategies.
    """
    files = [file for file in find_samples(paths) if not tasks or task_of(file) in tasks]
    replies: list[LoggedReply] = []
    for run in read_newest(files, Quarantine(paths, strict), read_run, repeats=False):
        if run.about.unit != TURNS or not run.about.has_replies:
            continue
        if not any(record["gold_strategy"] for record in run.records):
            raise DataError(
                f"{run.file}: the corpus of this run has no strategies to compare with;"
                f" {HOW_TO_LABEL}, on which the model is then run"
            )
        replies += _of_run(run.one_repeat(), most, seed)
    if not replies:
        raise DataError(
            f"{', '.join(map(str, paths))}: no replies in conversations to label (answers to"
            " questions have no strategies)"
        )
    return replies


def _of_run(run: Run, most: int | None, seed: int) -> Iterator[LoggedReply]:
    by_hash = sorted(
        run.lines, key=lambda line: digest(f"label {seed} {line['doc']['conversation_id']}")
    )
    for line in by_hash[:most]:
        records = line[run.unit]
        own = {record["turn"]: record for record in records} if run.about.generated else {}
        spoken = _spoken(run, line["doc"], own)
        for record in records:
            yield LoggedReply(
                run.file,
                str(run.results["model_name"]),
                run.task,
                record["conversation_id"],
                record["turn"],
                record["language"],
                spoken[: record["turn"]],
                record["reply"],
                bool(record.get("failed")) or not record["reply"].strip(),
            )


def _spoken(
    run: Run, document: Mapping[str, Any], own: Mapping[int, Mapping[str, Any]]
) -> tuple[Turn, ...]:
    """The dialogue without strategies, the model's replies in their places."""
    try:
        turns = [Turn(turn["speaker"], turn["text"]) for turn in document["dialogue"]]
    except (LookupError, TypeError) as error:
        raise DataError(
            f"{run.file}: {document['conversation_id']} has no dialogue"
            f" ({type(error).__name__}: {error}); give the samples file as lm_eval wrote it"
        ) from None
    for place, record in own.items():
        said = record["reply"].strip() or language_of(record["language"]).words.NO_REPLY
        turns[place] = Turn(turns[place].speaker, said)
    return tuple(turns)


def is_labelled(record: Mapping[str, Any]) -> bool:
    """Whether a record is of the repeat whose replies are labelled."""
    return bool(record.get("repeat", RATED) == RATED)
