"""The labels of several raters for samples that were logged before a corpus had them."""

from typing import Any

from csc_tasks import corpora
from csc_tasks.conversation import Conversation
from csc_tasks.errors import DataError
from csc_tasks.runs.samples_file import Run
from csc_tasks.runs.task_record import TURNS
from csc_tasks.verify.manifest import row_hash


def add_labels(run: Run, corpus: str) -> None:
    """Put what the raters of a corpus say into the documents and records of a run, in place; a run
    over questions stays as it is.

    Raises DataError where the corpus has no labels, or a document of the run is not in it as it was
    asked about.
    """
    if run.unit != TURNS:
        return
    csc = run.results["configs"][run.task]["metadata"]["csc"]
    read = corpora.load(corpus, csc["config"], csc["split"])
    if read.labels is None:
        raise DataError(f"--labels {corpus}: none of its turns carries labels of several raters")
    items: dict[str, Conversation] = {item.conversation_id: item for item in read.items}
    for line in run.lines:
        id_ = line["doc"]["conversation_id"]
        row = items[id_].to_row() if id_ in items else None
        if row is None or row_hash(row) != row_hash(line["doc"]):
            raise DataError(
                f"{run.file}: {id_} was asked about as {corpus} does not have it; give --labels the"
                " corpus of the run, with labels"
            )
        line["doc"] = {**line["doc"], "dialogue": row["dialogue"]}
        for record in line[TURNS]:
            _label(record, row["dialogue"][record["turn"]])
    csc["labels"] = read.labels


def _label(record: dict[str, Any], turn: dict[str, Any]) -> None:
    record.pop("labels", None)
    if "labels" in turn:
        record["labels"] = turn["labels"]
