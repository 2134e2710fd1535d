"""A samples file, read line by line: whole (a Run), for what writes its lines again or needs all
texts, or as arrays (Items).

As arrays 25,000 turns take a few megabytes, however long the prompts that were logged with them.
What needs the texts (lengths, the fact audit, the sample for the browser) happens while they pass
by.
"""

import hashlib
import heapq
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from csc_tasks.errors import DataError
from csc_tasks.framework import BY_ID
from csc_tasks.languages import languages
from csc_tasks.reading import json_lines, read_json
from csc_tasks.runs.labels_in_records import check_raters
from csc_tasks.runs.names import results_beside, task_of
from csc_tasks.runs.repeats import RATED, check_order, of_repeat, stated_repeats
from csc_tasks.runs.results_file import task_in_results
from csc_tasks.runs.task_record import TaskRecord
from csc_tasks.timing import timings_in

Numbers = npt.NDArray[np.int32]
"""An array that nobody can write into."""

WANTED = "give the samples file as lm_eval wrote it"
NOT_ASKED, UNPARSED = -1, 0
UNKNOWN = 0
"""The gold strategy of an answer, and of a turn that is held out."""
FLAGS = (
    *("unparsed", "empty", "failed", "thinking_cut", "truncated", "history_truncated", "reasked"),
)
"""Keys of a record that are true or false, or null where it is not known."""


class Listener(Protocol):
    """Something that looks at every reply while the file is read."""

    def look(self, document: Mapping[str, Any], records: list[dict[str, Any]]) -> None:
        """`document` is the row of the corpus, `records` those of its turns or its answer."""
        ...


@dataclass(frozen=True, slots=True)
class Run:
    """One task of a run: its samples file, what the task says of itself, its lines, and the results
    file that was written with it. repeats: how often it asked (csc_tasks/runs/repeats.py).
    """

    file: Path
    task: str
    about: TaskRecord
    lines: list[dict[str, Any]]
    results: dict[str, Any]
    repeats: int = 1

    @property
    def unit(self) -> str:
        """The key of the records in a line."""
        return self.about.unit

    @property
    def records(self) -> list[dict[str, Any]]:
        """The records of all lines."""
        return [record for line in self.lines for record in line[self.unit]]

    def one_repeat(self, repeat: int = RATED) -> "Run":
        """The same with one repeat alone, as a run that asked once."""
        if self.repeats == 1:
            return self
        lines = [of_repeat(line, self.unit, repeat) for line in self.lines]
        return replace(self, lines=lines, repeats=1)


@dataclass(frozen=True, slots=True)
class Items:
    """One samples file as arrays, with one entry per item (turn or answer), in the order of the
    file.

    ids, members: per conversation, its id and which items of it there are. conversation: position
    in ids. turn: position in the dialogue; index: 1 = the conversation's first scored turn.
    language: position in languages(). topic, part: position in topics, parts (part -1: none). gold:
    strategy number, or UNKNOWN. predicted: number, UNPARSED, or NOT_ASKED. lengths: (n, 2) reply
    and reference (0 where it is held out), as `length` counts. items: result name -> entries as
    logged. drawn: the conversations for the browser, as logged. said: a hash of all replies,
    whatever their order.
    """

    ids: list[str]
    members: list[str]
    conversation: Numbers
    turn: Numbers
    index: Numbers
    language: Numbers
    topic: Numbers
    part: Numbers
    gold: Numbers
    predicted: Numbers
    lengths: Numbers
    topics: list[str]
    parts: list[str]
    items: dict[str, list[Any]]
    drawn: list[Mapping[str, Any]]
    said: int


def read_run(file: Path) -> Run:
    """Read a samples file whole, and the results file beside it.

    Raises DataError that names file and line for anything that is not as lm_eval writes it.
    """
    task, results_file = task_of(file), results_beside(file)
    if not os.path.lexists(results_file):
        raise DataError(
            f"{file}: the results file that lm_eval wrote with it, {results_file.name}, is missing;"
            " keep the two together"
        )
    results = read_json(results_file, "run the evaluation again")
    about = task_in_results(results, task, results_file)
    repeats = stated_repeats(results["configs"][task]["metadata"], f"{results_file}: {task}")
    lines = []
    for number, line in json_lines(file, WANTED):
        where = f"{file} line {number}"
        _, records = _checked(line, about.unit, where)
        check_order(records, repeats, where)
        lines.append(line)
    if not lines:
        raise DataError(f"{file}: the file is empty")
    return Run(file, task, about, lines, results, repeats)


def items_of(
    file: Path,
    lines: Iterable[tuple[int, dict[str, Any]]],
    unit: str,
    names: list[str],
    draw: int,
    seed: int,
    listeners: Sequence[Listener],
) -> Items:
    """The records and the items of the metrics `names` in the lines (with their numbers) of `file`;
    the same `draw` conversations are kept for every model of a corpus.

    Raises DataError that names file and line for anything that is not as lm_eval writes it, and for
    a document that stands twice.
    """
    items: dict[str, list[Any]] = {name: [] for name in names}
    rows: list[tuple[int, ...]] = []
    codes: dict[str, int] = {}
    known = list(languages())
    seen: set[tuple[str, int]] = set()
    members: list[list[int]] = []
    topics: dict[str, int] = {}
    parts: dict[str, int] = {}
    drawn: list[tuple[int, str, list[Mapping[str, Any]]]] = []
    said = 0
    for number, line in lines:
        where = f"{file} line {number}"
        document, records = _checked(line, unit, where)
        id_ = document["conversation_id"]
        code = codes.setdefault(id_, len(codes))
        if code == len(members):
            members.append([])
        for position, record in enumerate(records):
            _check_flags(record, where)
            timings_in(record, where)
            gold, predicted = _strategies(record, unit, where)
            if (id_, record["turn"]) in seen:
                raise DataError(f"{where}: turn {record['turn']} of {id_} stands in the file twice")
            seen.add((id_, record["turn"]))
            said ^= _hash(f"{id_}\n{record['turn']}\n{record['reply']}")
            members[code].append(record["turn"])
            rows.append(
                (
                    code,
                    record["turn"],
                    position + 1 if unit == "turns" else record["turn"] + 1,
                    known.index(record["language"]),
                    topics.setdefault(record["topic"], len(topics)),
                    parts.setdefault(record["stage"], len(parts)) if record.get("stage") else -1,
                    gold,
                    predicted,
                    length(record["reply"], record["language"]),
                    length(record["reference"], record["language"]),
                )
            )
        for name, own in items.items():
            own += _items(line, name, id_, len(records), where)
        for listener in listeners:
            listener.look(document, records)
        _draw(
            drawn,
            draw,
            seed,
            id_,
            {
                "doc": document,
                "records": records,
                "scores": {name: line[name][1] for name in names},
            },
        )
    if not codes:
        raise DataError(f"{file}: the file is empty")
    columns = np.asarray(rows, dtype=np.int32).T
    plain = ("conversation", "turn", "index", "language", "topic", "part", "gold", "predicted")
    arrays = {name: _frozen(column) for name, column in zip(plain, columns[:8], strict=True)}
    return Items(
        ids=list(codes),
        members=[",".join(map(str, turns)) for turns in members],
        **arrays,
        lengths=_frozen(columns[8:].T),
        topics=list(topics),
        parts=list(parts),
        items=items,
        drawn=[
            line
            for _, _, lines in sorted(drawn, key=lambda entry: (-entry[0], entry[1]))
            for line in lines
        ],
        said=said,
    )


def _hash(text: str) -> int:
    """64 bits."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8])


def _frozen(values: Numbers) -> Numbers:
    """A copy that nobody can write into: every table and report reads the same arrays."""
    copy = values.copy(order="C")
    copy.setflags(write=False)
    return copy


def length(text: str, language: str) -> int:
    """Words, or characters without white space where the language does not space its words."""
    return len(text.split()) if languages()[language].text.spaced else len("".join(text.split()))


def _checked(line: object, unit: str, where: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The line's document and records, each key of them of the type that everything else relies
    on.
    """
    if not isinstance(line, dict):
        line = {}
    document, records = line.get("doc"), line.get(unit)
    if not isinstance(document, dict) or not isinstance(records, list) or not records:
        raise DataError(
            f"{where}: no 'doc' and '{unit}' in it; was it written by another task or cut off?"
        )
    id_ = document.get("conversation_id")
    for record in records:
        if not isinstance(record, dict):
            raise DataError(f"{where}: a record in '{unit}' is {record!r:.60}")
        for key in ("conversation_id", "language", "topic", "reference", "reply"):
            if not isinstance(record.get(key), str):
                raise DataError(
                    f"{where}: {key} of a record is {record.get(key)!r:.60}; it must be text"
                )
        turn = record.get("turn")
        if record["conversation_id"] != id_ or not id_:
            raise DataError(
                f"{where}: a record of conversation {record['conversation_id']!r:.80} stands under"
                f" {id_!r:.80}"
            )
        if (
            record["language"] not in languages()
            or type(turn) is not int
            or not 0 <= turn < 1_000_000
        ):
            known = ", ".join(languages())
            raise DataError(
                f"{where}: language {record['language']!r:.20}, turn {turn!r:.20}; one of {known}"
                " and a position are needed"
            )
        _check_labels(record, unit, where)
        check_raters(record, where)
        _check_passages(record, where)
    metrics = line.get("metrics")
    if not isinstance(metrics, list) or not all(isinstance(name, str) for name in metrics):
        raise DataError(f"{where}: metrics is {metrics!r:.60}; it must be a list of names")
    for key in ("dialogue", "conversation_history"):
        if not isinstance(document.get(key), list | str | None):
            raise DataError(f"{where}: {key} is {document[key]!r:.60}; it must be a list of turns")
    return document, records


def _check_labels(record: Mapping[str, Any], unit: str, where: str) -> None:
    for key in ("stage", "strategy", "gold_strategy"):
        if not isinstance(record.get(key), str | None):
            raise DataError(f"{where}: {key} is {record[key]!r:.40}; it must be text or null")
    if unit == "turns":
        for key in ("strategy", "gold_strategy", "unparsed"):
            if key not in record:
                raise DataError(f"{where}: a record of a turn has no {key}")


def _check_passages(record: Mapping[str, Any], where: str) -> None:
    passages = record.get("passages", [])
    if not isinstance(passages, list) or not all(isinstance(text, str) for text in passages):
        raise DataError(f"{where}: passages is {passages!r:.60}; it must be a list of texts")


def _check_flags(record: Mapping[str, Any], where: str) -> None:
    for key in FLAGS:
        if not isinstance(record.get(key), bool | None):
            raise DataError(
                f"{where}: {key} is {record[key]!r:.40}; it must be true, false or null"
            )


def _strategies(record: Mapping[str, Any], unit: str, where: str) -> tuple[int, int]:
    """Gold and predicted strategy as numbers; gold may be UNKNOWN, predicted is UNPARSED, or
    NOT_ASKED where the task asks for none.
    """
    if unit != "turns":
        return UNKNOWN, NOT_ASKED
    # What a corpus holds out is "".
    label = record.get("gold_strategy")
    gold, predicted = UNKNOWN if label == "" else _number(label, where), UNPARSED
    if record.get("strategy") is not None:
        predicted = _number(record["strategy"], where)
    return gold, NOT_ASKED if record.get("unparsed") is None else predicted


def _number(strategy: object, where: str) -> int:
    if not isinstance(strategy, str) or strategy not in BY_ID:
        raise DataError(f"{where}: strategy {strategy!r:.40} is not one of {', '.join(BY_ID)}")
    return BY_ID[strategy].number


def _items(line: Mapping[str, Any], name: str, id_: str, count: int, where: str) -> list[Any]:
    entry = line.get(name)
    if (
        not isinstance(entry, list)
        or len(entry) != 2
        or entry[0] != id_
        or not isinstance(entry[1], list)
        or len(entry[1]) != count
    ):
        raise DataError(
            f"{where}: {name} is {entry!r:.60}; it must be the conversation's id and {count} scores"
        )
    return entry[1]


def _draw(
    drawn: list[tuple[int, str, list[Mapping[str, Any]]]],
    draw: int,
    seed: int,
    id_: str,
    line: Mapping[str, Any],
) -> None:
    """Keep the `draw` conversations with the smallest hash of seed and id: a random sample, and the
    same one whatever the order.
    """
    rank = -_hash(f"{seed}/{id_}")
    for other, there, lines in drawn:
        if (other, there) == (rank, id_):
            lines.append(line)
            return
    if len(drawn) < draw:
        heapq.heappush(drawn, (rank, id_, [line]))
    elif drawn and (rank, id_) > drawn[0][:2]:
        heapq.heapreplace(drawn, (rank, id_, [line]))
