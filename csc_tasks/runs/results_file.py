"""Results files as lm_eval, `csc score` and `csc baselines` write them -> what was measured, of
which model, under which settings.

Only what a file itself says is read, never what the code of today would say, so that old files keep
their meaning. Keys of lm_eval's own that nothing here needs may come and go; those that are needed
are checked.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from csc_tasks.errors import DataError
from csc_tasks.reading import decoded, parsed, read_bytes
from csc_tasks.runs.conditions import (
    Conditions,
    conditions,
    other_settings,
    public_copy,
    recorded,
    sampled,
    without_seed,
)
from csc_tasks.runs.model_arguments import HOW_IT_RAN, NAMES, as_text, model_arguments
from csc_tasks.runs.names import TASK, results_stamp, samples_name, value_keys
from csc_tasks.runs.provenance import Provenance, Read
from csc_tasks.runs.public import LeftOut, public_results
from csc_tasks.runs.task_record import TaskRecord, read_task_record
from csc_tasks.shown import shown

LARGEST_FILE = 64 * 2**20
OTHER_SETTINGS = "other settings"
"""The setting that is the hash of those which may not be published."""
WANTED = "give a results file as lm_eval wrote it, or leave it out"


class _Samples(Read):
    original: int
    effective: int


class _Run(Read):
    model: str | None = None
    model_args: dict[str, Any] | str | None = None
    model_num_parameters: int | None = None
    model_sha: str | None = None
    gen_kwargs: dict[str, Any] | str | None = None


class _File(Read):
    results: dict[str, dict[str, Any]]
    configs: dict[str, dict[str, Any]]
    versions: dict[str, float | str | None] = Field(default_factory=dict)
    higher_is_better: dict[str, dict[str, bool | None]] = Field(default_factory=dict)
    samples: dict[str, _Samples] = Field(default_factory=dict, alias="n-samples")
    shots: dict[str, Any] = Field(default_factory=dict, alias="n-shot")
    config: _Run
    model_name: str
    date: float = Field(ge=0, lt=1e10)
    chat_template: str | None = None
    chat_template_sha: Any = None
    system_instruction_sha: str | None = None
    lm_eval_version: str | None = None
    git_hash: str | None = None
    total_evaluation_time_seconds: str | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """Which model: its name, the base under an adapter, whether it is a baseline, and the settings
    that tell two rows of one name apart. All of it may be published: what else a run was given
    counts by its hash, as OTHER_SETTINGS. A seed is none of them: it tells repeats apart.
    """

    name: str
    base: str | None
    baseline: bool
    settings: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Measurement:
    """One task of one results file.

    numbers: result name -> (value, standard error), None where the file says N/A. higher,
    signatures: by result name. conditions: what another run must have in common to be the same;
    recorded: the same with what may not be published.
    limit: how many documents were asked about where --limit cut them.
    templated: whether a chat template was applied (None: there was no model).
    samples: the samples file, or None where there is none beside the results file. sampled: whether
    replies were drawn, and not the likeliest ones. origin: who handed it in, "" where that is not
    told apart.
    """

    file: Path
    stamp: str
    sha256: str
    identity: Identity
    parameters: int | None
    task: str
    about: TaskRecord
    date: float
    task_version: str
    provenance: Provenance
    templated: bool | None
    documents: int
    limit: int | None
    items: int
    numbers: Mapping[str, tuple[float | None, float | None]]
    higher: Mapping[str, bool]
    samples: Path | None
    conditions: Conditions
    recorded: Conditions
    sampled: bool
    lm_eval_version: str | None
    git_hash: str | None
    seconds: float | None
    origin: str = ""

    @property
    def unit(self) -> str:
        """What one record is, "turns" or "answers"."""
        return self.about.unit

    @property
    def label(self) -> str:
        """How errors name it."""
        return f"{shown(self.identity.name)} ({self.file})"

    @property
    def public_label(self) -> str:
        """How notes on a board name it: without the folders of this machine."""
        return f"{shown(self.identity.name)} ({self.file.name})"


def read_results(file: Path, notes: list[str]) -> list[Measurement]:
    """What one results file says about csc tasks; other tasks in it are named in `notes`.

    Raises DataError that names the file and the first thing in it that is not as lm_eval writes it.
    """
    data = _bytes(file)
    raw = _json(data, file)
    read = _checked(raw, file)
    tasks = [task for task in read.results if task in read.configs]
    others = [task for task in tasks if not TASK.fullmatch(task)]
    if others:
        notes.append(
            f"{file.name}: left out, not csc tasks:"
            f" {', '.join(sorted(shown(task)[:60] for task in others)[:20])}"
        )
    public = public_results(raw)
    measurements = [
        _measurement(file, hashlib.sha256(data).hexdigest(), raw, read, public, task)
        for task in tasks
        if TASK.fullmatch(task)
    ]
    if not measurements:
        raise DataError(f"{file}: no results of a csc task in it; leave the file out")
    return measurements


def task_in_results(raw: Any, task: str, file: Path) -> TaskRecord:
    """What a task says of itself in a results file's JSON. Raises DataError as `read_results` does,
    and where the task is not in it.
    """
    read = _checked(raw, file)
    if task not in read.results:
        raise DataError(
            f"{file}: not a results file with {task} in it; keep a run's files together"
        )
    csc, _ = _provenance(read, task, file)
    return read_task_record(task, csc, f"{file}: {task}")


def public_bytes(measurement: Measurement, left: LeftOut | None = None) -> bytes:
    """The results file with what may be published of it, as JSON. left: is told what stays."""
    raw = _json(_bytes(measurement.file), measurement.file)
    copy = public_copy(raw, left)
    return json.dumps(copy, ensure_ascii=False, indent=2).encode() + b"\n"


def iso(date: float) -> str:
    """A time in seconds as ISO 8601, UTC."""
    return datetime.fromtimestamp(int(date), UTC).isoformat()


def _checked(raw: Any, file: Path) -> _File:
    try:
        return _File.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise DataError(
            f"{file}: not a results file of lm_eval:"
            f" {'.'.join(map(str, first['loc'])) or 'the file'}:"
            f" {first['msg']}"
        ) from None


def _provenance(read: _File, task: str, file: Path) -> tuple[dict[str, Any], Provenance]:
    """metadata.csc of a task, as it stands and as it is read."""
    metadata = read.configs.get(task, {}).get("metadata")
    csc = metadata.get("csc") if isinstance(metadata, dict) else None
    if not isinstance(csc, dict):
        raise DataError(
            f"{file}: {task}: configs.{task}.metadata.csc is missing; the run was not made by"
            " csc-tasks, or by a version before 0.1"
        )
    try:
        return csc, Provenance.model_validate(csc)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise DataError(
            f"{file}: {task}: metadata.csc.{'.'.join(map(str, first['loc']))}: {first['msg']}"
        ) from None


def _measurement(
    file: Path,
    sha256: str,
    raw: Mapping[str, Any],
    read: _File,
    public: Mapping[str, Any],
    task: str,
) -> Measurement:
    where = f"{file}: {task}"
    csc, _ = _provenance(read, task, file)
    shown_of = _File.model_validate(public)
    _, provenance = _provenance(shown_of, task, file)
    metadata = read.configs[task]["metadata"]
    numbers = dict(_numbers(read.results[task], where))
    about = read_task_record(task, csc, where)
    unit = about.unit
    items = numbers.pop(unit, (None, None))[0]
    if not numbers:
        raise DataError(
            f"{where}: there is no metric (a run with --predict_only?); compute some with: csc"
            f" score {file.parent} --out DIR"
        )
    if not isinstance(items, int | float) or items < 1:
        raise DataError(f"{where}: the number of {unit} is {items!r}")
    counted = read.samples.get(task)
    limit = None
    if counted is not None and counted.effective < counted.original:
        limit = counted.effective
    stamp = results_stamp(file)
    samples = file.with_name(samples_name(task, stamp))
    baseline = (read.config.model or "").startswith("baseline/")
    stated = conditions(raw, task)
    templated = read.chat_template is not None or read.chat_template_sha is not None
    return Measurement(
        file=file,
        stamp=stamp,
        sha256=sha256,
        identity=_identity(shown_of, baseline, other_settings(stated)),
        parameters=read.config.model_num_parameters,
        task=task,
        about=about,
        date=read.date,
        task_version=str(metadata.get("version", read.versions.get(task))),
        provenance=provenance,
        templated=None if baseline else templated,
        documents=counted.effective if counted else provenance.rows,
        limit=limit,
        items=int(items),
        numbers=numbers,
        higher={
            name: up for name, up in read.higher_is_better.get(task, {}).items() if up is not None
        },
        samples=samples if os.path.lexists(samples) else None,
        conditions=stated,
        recorded=recorded(raw, task),
        sampled=sampled(raw, task),
        lm_eval_version=read.lm_eval_version,
        git_hash=read.git_hash,
        seconds=_seconds(read.total_evaluation_time_seconds),
    )


def _numbers(
    entries: Mapping[str, Any], where: str
) -> Iterable[tuple[str, tuple[float | None, float | None]]]:
    """(result name, (value, standard error)) of the entries `name,none`; lm_eval also writes an
    error of the error, which is nobody's.
    """
    for key, value in entries.items():
        name, comma, filter_name = key.partition(",")
        if not comma or filter_name != "none" or name.endswith("_stderr"):
            continue
        pair = []
        for number in (value, entries.get(value_keys(name)[1])):
            if number not in (None, "N/A") and (
                isinstance(number, bool)
                or not isinstance(number, int | float)
                or abs(number) > 1e300
            ):
                raise DataError(f"{where}: {name} is {number!r:.60}; it must be a number or N/A")
            pair.append(None if number in (None, "N/A") else float(number))
        yield name, (pair[0], pair[1])


def _identity(public: _File, baseline: bool, other: str) -> Identity:
    """Of what may be published; `other` is the hash of the settings that may not."""
    arguments = model_arguments(public.config.model_args)
    base = arguments.get("pretrained") if arguments.get("peft") or arguments.get("delta") else None
    if baseline:
        return Identity(public.model_name, None, True, ())
    settings = {
        name: value
        for name, value in without_seed(arguments).items()
        if name not in NAMES | HOW_IT_RAN
    }
    given = {
        "gen_kwargs": without_seed(public.config.gen_kwargs),
        "model_sha": public.config.model_sha,
        "system_instruction": public.system_instruction_sha,
        OTHER_SETTINGS: other,
    }
    settings |= {name: as_text(value) for name, value in given.items() if value}
    tokens = _thinking_tokens(public)
    if tokens:
        settings["thinking"] = f"up to {tokens} tokens"
    return Identity(public.model_name, base, False, tuple(sorted(settings.items())))


def _thinking_tokens(read: _File) -> int:
    """How many tokens the run gave the model to think: with and without thinking, one model is two
    rows.
    """
    stated = []
    for config in read.configs.values():
        metadata = config.get("metadata")
        csc = metadata.get("csc") if isinstance(metadata, dict) else None
        thinking = csc.get("thinking") if isinstance(csc, dict) else None
        tokens = thinking.get("tokens") if isinstance(thinking, dict) else None
        stated.append(tokens if type(tokens) is int else 0)
    return max(stated, default=0)


def _seconds(text: str | None) -> float | None:
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return seconds if 0 <= seconds < 1e9 else None


def _bytes(file: Path) -> bytes:
    return read_bytes(
        file,
        WANTED,
        largest=LARGEST_FILE,
        why=" (a results file has kilobytes, samples lie in other files)",
    )


def _json(data: bytes, file: Path) -> Any:
    return parsed(decoded(data, str(file)), str(file), WANTED)
