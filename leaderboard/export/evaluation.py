"""One results file as one evaluation of Every Eval Ever (schema 0.3.0): the numbers.

The schema: https://github.com/evaleval/every_eval_ever. All values of `additional_details` are
texts there, and infinite bounds are the texts "Infinity" and "-Infinity".
"""

import hashlib
import json
import math
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from csc_tasks import __version__
from csc_tasks.metrics.result_names import metric_of, parts_of
from csc_tasks.reading import read_json
from csc_tasks.runs.public import public_name, public_results
from leaderboard.board import Value
from leaderboard.export import rows
from leaderboard.numbers.measured import Measured
from leaderboard.numbers.scales import scale_of

SCHEMA = "0.3.0"
COLLECTION = "csc"
UNKNOWN = "unknown"
LEVEL = 0.95
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_PORTABLE = re.compile(r"[^\w.+-]+", re.ASCII)

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Publisher:
    """Who hands results in, how they stand to the makers of the models, and who made models whose
    name does not say it.
    """

    organization: str
    relationship: str
    developer: str


@dataclass(frozen=True)
class Evaluation:
    """All tasks of one results file; all of one model."""

    file: Path
    measured: tuple[Measured, ...]
    publisher: Publisher

    @property
    def model(self) -> str:
        """The model's name as others may see it."""
        return self.measured[0].measurement.identity.name

    @property
    def model_id(self) -> str:
        """The name in the form that names its folder too."""
        owner, _, name = self.model.partition("/")
        if name:
            return self.model
        return f"{_portable(self.publisher.developer)}/{_portable(owner)}"

    @property
    def folder(self) -> PurePosixPath:
        """Where the target keeps the evaluations of this model."""
        owner, _, name = self.model_id.partition("/")
        return PurePosixPath("data", COLLECTION, owner, name.replace("/", "_"))

    @cached_property
    def name(self) -> str:
        """An identifier in the form of a random one (version 4), of the results file's bytes."""
        digest = hashlib.sha256(self.file.read_bytes()).digest()
        return str(uuid.UUID(bytes=digest[:16], version=4))

    @property
    def companion(self) -> str:
        """The name of the file with the rows."""
        return f"{self.name}_samples.jsonl"

    @property
    def date(self) -> str:
        """When the results were written, in seconds since 1970; not now, so that exporting again
        gives the same bytes.
        """
        return str(int(self.measured[0].measurement.date))

    @property
    def id(self) -> str:
        """The evaluation's name: collection, model, date."""
        return f"{COLLECTION}/{self.model_id}/{self.date}"

    @cached_property
    def public(self) -> Mapping[str, Any]:
        """What of the results file may be published."""
        return public_results(read_json(self.file, "run the evaluation again"))

    def rows(self) -> Iterator[Json]:
        """A row for each reply and metric with a value there."""
        for one in self.measured:
            yield from rows.rows_of(one, self.id, self.model_id)

    def whole(self, samples: Sequence[Json]) -> bytes:
        """The evaluation's own file; `samples` are the rows beside it."""
        log: Json = {
            "schema_version": SCHEMA,
            "evaluation_id": self.id,
            "evaluation_timestamp": self.date,
            "retrieved_timestamp": self.date,
            "source_metadata": {
                "source_name": "csc-tasks",
                "source_type": "evaluation_run",
                "source_organization_name": self.publisher.organization,
                "evaluator_relationship": self.publisher.relationship,
            },
            "eval_library": {
                "name": "lm_eval",
                "version": self.measured[0].measurement.lm_eval_version or UNKNOWN,
                "additional_details": {
                    "csc_tasks": self.measured[0].measurement.provenance.project or UNKNOWN,
                    "exported_by": f"csc-tasks {__version__}",
                },
            },
            "model_info": self._model(),
            "evaluation_results": [
                self._result(one, name, value)
                for one in self.measured
                for name, value in exported(one)
            ],
        }
        if samples:
            data = self.lines(samples)
            log["detailed_evaluation_results"] = {
                "format": "jsonl",
                "file_path": (self.folder / self.companion).as_posix(),
                "hash_algorithm": "sha256",
                "checksum": hashlib.sha256(data).hexdigest(),
                "total_rows": len(samples),
            }
        return (json.dumps(log, indent=2, allow_nan=False) + "\n").encode()

    @staticmethod
    def lines(samples: Sequence[Json]) -> bytes:
        """The file with the rows."""
        # ASCII: characters that some readers take for line ends are escaped with the others.
        return "".join(json.dumps(row, allow_nan=False) + "\n" for row in samples).encode()

    def counts(self, samples: Sequence[Json]) -> tuple[int, int]:
        """Numbers, and replies that rows stand for."""
        replies = {(row["evaluation_name"], row["sample_id"]) for row in samples}
        return sum(1 for one in self.measured for _ in exported(one)), len(replies)

    def _model(self) -> Json:
        identity = self.measured[0].measurement.identity
        details = {"deployment_type": UNKNOWN, "model_availability": UNKNOWN}
        details |= {name: str(value) for name, value in identity.settings}
        if identity.base:
            details["base"] = identity.base
        made: Json = {"name": self.model, "id": self.model_id, "additional_details": details}
        if "/" not in self.model:
            made["developer"] = self.publisher.developer
        if isinstance(backend := self.public.get("config", {}).get("model"), str):
            made["inference_engine"] = {"name": backend}
        return made

    def _result(self, one: Measured, name: str, value: Value) -> Json:
        measurement = one.measurement
        return {
            "evaluation_result_id": rows.result_id(measurement.task, name),
            "evaluation_name": measurement.task,
            "source_data": source_of(one),
            "evaluation_timestamp": self.date,
            "metric_config": _metric(one, name),
            "score_details": _score(one, name, value),
            "generation_config": {"additional_details": self.asked(one)},
        }

    def asked(self, one: Measured) -> dict[str, str]:
        """How a task was asked, in words that may be published."""
        measurement, config = one.measurement, self.public.get("config", {})
        given = {
            "prompt": measurement.provenance.asked,
            "chat_template": measurement.templated,
            "context": "generated" if measurement.about.generated else "reference",
            "limit": measurement.limit,
            **{key: config.get(key) for key in ("model_args", "gen_kwargs", "batch_size")},
        }
        return {name: _text(value) for name, value in given.items() if value not in (None, "", {})}


def exported(one: Measured) -> Iterator[tuple[str, Value]]:
    """The numbers of one task that are exported: ranked metrics, and what spoils a reply."""
    for name, value in one.values.items():
        metric = metric_of(name)
        if metric and (metric.ranked or metric.diagnosed) and value.value is not None:
            yield name, value


def source_of(one: Measured) -> Json:
    """Where the documents of a task are from."""
    origin, measurement = one.measurement.provenance, one.measurement
    details = {
        "config": origin.config,
        "split": origin.split,
        "content_hash": origin.content_hash,
        "revision": origin.revision or "",
        "languages": ", ".join(origin.languages),
        "documents": str(measurement.documents),
    }
    made: Json = {
        "dataset_name": public_name(origin.corpus),
        "additional_details": {name: text for name, text in details.items() if text},
    }
    # Only what is on the Hub has a commit.
    if origin.revision and _HUB_ID.fullmatch(origin.corpus):
        hub = {"source_type": "hf_dataset", "hf_repo": origin.corpus, "hf_split": origin.split}
        return made | hub | {"samples_number": origin.rows}
    return made | {"source_type": "other"}


def _metric(one: Measured, name: str) -> Json:
    metric, scale = metric_of(name), scale_of(name)
    assert metric is not None
    _, language, _ = parts_of(name)
    return {
        "evaluation_description": metric.description,
        "metric_id": f"{COLLECTION}.{name}",
        "metric_name": metric.label,
        "metric_unit": metric.unit,
        "metric_parameters": {"language": language} if language else {},
        "lower_is_better": not metric.higher_is_better,
        "score_type": "continuous",
        "min_score": _bound(scale.low),
        "max_score": _bound(scale.high),
        "additional_details": {"signature": one.measurement.provenance.signatures.get(name, "")},
    }


def _score(one: Measured, name: str, value: Value) -> Json:
    details = {
        "conversations": str(value.clusters),
        "unit": one.measurement.unit,
        "trust": str(one.verified.number(name).trust),
    }
    uncertainty: Json = {"num_samples": value.items}
    if value.stderr is not None:
        uncertainty["standard_error"] = {
            "value": value.stderr,
            "method": "clustered by conversation",
        }
    if value.low is not None and value.high is not None:
        uncertainty["confidence_interval"] = {
            "lower": value.low,
            "upper": value.high,
            "confidence_level": LEVEL,
            "method": f"{value.method}, clusters of conversations",
        }
    if value.reason:
        details["no_interval"] = str(value.reason)
    return {"score": value.value, "details": details, "uncertainty": uncertainty}


def _bound(number: float) -> float | str:
    if math.isfinite(number):
        return number
    return "Infinity" if number > 0 else "-Infinity"


def _portable(name: str) -> str:
    return _PORTABLE.sub("-", name).strip(".-") or UNKNOWN


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
