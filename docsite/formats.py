"""The JSON schemas of the files that the project reads and writes, from the types that read and
write them, and a page about them.
"""

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, TypeAdapter

from builders.schema import COLUMNS, LABELS, NULLABLE
from csc_tasks.conversation import HELD_OUT, SPEAKERS
from csc_tasks.corpus_statistics import CorpusStatistics
from csc_tasks.framework import STRATEGY_IDS
from csc_tasks.languages import Asking, Language, Wording
from csc_tasks.papers import Papers
from csc_tasks.question import QA_STAGES
from csc_tasks.runs.provenance import Provenance
from csc_tasks.runs.results_file import _File
from csc_tasks.verify import manifest
from docsite.records import answer_schema, turn_schema
from docsite.text import cell, table
from leaderboard.board import Board
from leaderboard.model_report import ModelReport, SampleSet
from leaderboard.reliability_report import Report
from trainers import sweep_file

Schema = dict[str, Any]
FOLDER = "reference/schemas"
DRAFT = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True)
class Format:
    """A file format. files: where it occurs. about: who writes it, who reads it, one sentence or
    two of Markdown. schema: makes its JSON schema (of a line, where `files` holds lines).
    """

    name: str
    files: str
    about: str
    schema: Callable[[], Schema]


def schema_files() -> dict[str, Callable[[], str]]:
    """Place in the site -> what makes the schema file."""
    return {
        f"{FOLDER}/{one.name}.schema.json": functools.partial(schema_text, one) for one in FORMATS
    }


def schema_text(one: Format) -> str:
    """A format's schema as JSON."""
    schema = {"$schema": DRAFT, "title": one.name} | one.schema()
    return json.dumps(schema, ensure_ascii=False, indent=2) + "\n"


def page() -> str:
    """A section for each format: what it is, its fields, and its schema."""
    rows = [
        (f"[{one.name}](#{one.name})", one.files, f"[schema](schemas/{one.name}.schema.json)")
        for one in FORMATS
    ]
    return "\n\n".join([table(("format", "file", "schema"), rows), *map(section, FORMATS)])


def section(one: Format) -> str:
    """One format's part of the page."""
    schema = one.schema()
    parts = [f"## {one.name}", f"{one.files}. {one.about}", *described(schema)]
    for name, inner in schema.get("$defs", {}).items():
        if "properties" in inner:
            parts += [f"**{name}**", *described(inner)]
    parts.append(f"[JSON schema](schemas/{one.name}.schema.json)")
    return "\n\n".join(parts)


def described(schema: Schema) -> list[str]:
    """What an object is, and a table of its fields."""
    parts = [cell(schema["description"])] if schema.get("description") else []
    required = schema.get("required", ())
    rows = [
        (
            f"`{name}`",
            cell(kind(inner)),
            "always" if name in required else "may be absent",
            cell(inner.get("description", "")),
        )
        for name, inner in schema.get("properties", {}).items()
    ]
    return [*parts, table(("field", "type", "given", "meaning"), rows)] if rows else parts


def kind(schema: Schema) -> str:
    """A field's type in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " or ".join(json.dumps(value, ensure_ascii=False) for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(kind(one) for one in schema["anyOf"])
    if schema.get("type") == "array":
        inner = schema.get("items") or {"type": "any"}
        return f"list of {kind(inner)}"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {kind(schema['additionalProperties'])}"
    if isinstance(schema.get("type"), list):
        return " or ".join(schema["type"])
    return str(schema.get("type", "any"))


# --- schemas


def of(model: type[BaseModel]) -> Callable[[], Schema]:
    """The schema of a pydantic model, by the names that stand in the file."""
    return functools.partial(model.model_json_schema, by_alias=True)


def listing(properties: Schema, types: Schema | None = None) -> Schema:
    """An object with these fields and no other. types: what `$ref`s in them name."""
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return schema | ({"$defs": types} if types else {})


VALUES: dict[str, list[str]] = {
    "speaker": list(SPEAKERS),
    "strategy": [*STRATEGY_IDS, "", HELD_OUT],
    "stage": list(QA_STAGES),
}
"""The values of columns that hold one of a few."""


LABEL_LIST: Schema = {
    "type": "array",
    "items": listing(
        {
            "rater": {"type": "string"},
            "strategies": {"type": "array", "items": {"enum": list(STRATEGY_IDS)}},
        }
    ),
}
"""What several raters say of a turn; absent where there is one opinion only."""


def row_of(config: str) -> Schema:
    """A row of a dataset folder's config, from the builders' table of columns."""
    properties = {}
    for name, (column, meaning) in COLUMNS[config].items():
        schema = column_schema(name, column)
        if name in NULLABLE:
            schema = {"anyOf": [schema, {"type": "null"}]}
        properties[name] = schema | {"description": meaning}
    if "dialogue" in properties:
        of_a_turn = properties["dialogue"]["items"]["properties"]
        of_a_turn["labels"] = LABEL_LIST | {"description": LABELS[1]}
    return listing(properties)


def column_schema(name: str, column: Any) -> Schema:
    """The schema of a column's type: the name of an Arrow type, or names to types for a list of
    such records.
    """
    if isinstance(column, dict):
        fields = {inner: column_schema(inner, typed) for inner, typed in column.items()}
        return {"type": "array", "items": listing(fields)}
    if column.startswith("int"):
        return {"type": "integer"}
    return {"type": "string"} | ({"enum": VALUES[name]} if name in VALUES else {})


def language_schema() -> Schema:
    """language.yaml: what a Language holds but its code, the folder's name, and the words, which
    stand in files of their own.
    """
    schema = Language.model_json_schema()
    for name in ("code", "words", "asking"):
        schema["properties"].pop(name)
        if name in schema["required"]:
            schema["required"].remove(name)
    for name in ("Wording", "Asking"):
        schema["$defs"].pop(name)
    return schema


def manifest_schema() -> Schema:
    """manifest.json: the documents of a dataset by config and split."""
    entry = TypeAdapter(manifest.Entry).json_schema()
    by_split = {"type": "object", "additionalProperties": {"type": "array", "items": REF_ENTRY}}
    return listing(
        {
            "format": {"const": manifest.FORMAT},
            "dataset": {"type": "string"},
            "revision": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "splits": {"type": "object", "additionalProperties": by_split},
        },
        {"Entry": entry},
    )


REF_ENTRY = {"$ref": "#/$defs/Entry"}


def sweep_schema() -> Schema:
    """sweep.json: the points of a sweep."""
    point = TypeAdapter(sweep_file.Point).json_schema()
    return listing(
        {
            "format": {"const": sweep_file.FORMAT},
            "key": {"type": "string"},
            "limit": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            "points": {"type": "array", "items": {"$ref": "#/$defs/Point"}},
        },
        {"Point": point},
    )


def passages_schema() -> Schema:
    """A line of a file of passages; other keys beside these are left alone."""
    texts = {"type": "array", "items": {"type": "string"}}
    return {
        "type": "object",
        "properties": {
            "conversation_id": {"type": "string"},
            "turn": {
                "anyOf": [{"type": "integer"}, {"type": "null"}],
                "description": "of a question its turn_index; absent: for every reply",
            },
            "passages": texts | {"description": "the best first"},
        },
        "required": ["conversation_id", "passages"],
    }


FORMATS = (
    Format(
        "conversation",
        "`csconv/{split}-00000-of-00001.parquet` or `.jsonl`, a row",
        "Every builder of conversations writes it. What else is read as a conversation:"
        " [corpora](corpora.md).",
        functools.partial(row_of, "csconv"),
    ),
    Format(
        "role-played-conversation",
        "`rolecs/{split}-00000-of-00001.parquet` or `.jsonl`, a row",
        "`csc build rolecs` writes it, `csc train` learns from it.",
        functools.partial(row_of, "rolecs"),
    ),
    Format(
        "question",
        "`qa/{split}-00000-of-00001.parquet` or `.jsonl`, a row",
        "`csc build qa` writes it, `csc_qa` and its variants ask it.",
        functools.partial(row_of, "qa"),
    ),
    Format(
        "passages",
        "`passages.jsonl`, a line",
        "`csc build passages` writes it; `csc_evidence`, `csc collect --evidence` and `csc judge"
        " facts --evidence` read it.",
        passages_schema,
    ),
    Format(
        "manifest",
        "`manifest.json` in a dataset folder",
        "Builders write it; `csc verify --corpus` takes it in place of the texts.",
        manifest_schema,
    ),
    Format(
        "statistics",
        "`stats.json`",
        "`csc stats --json` writes it; `csc reproduce` makes tables and figures of it.",
        of(CorpusStatistics),
    ),
    Format(
        "results",
        "`results_*.json` of lm_eval, as far as it is read here",
        "What lm_eval writes besides is left alone. `configs[task].metadata.csc` is the next"
        " format.",
        of(_File),
    ),
    Format(
        "task-record",
        "`configs[task].metadata.csc` in a results file, as far as it is read here",
        "What else stands there: [results](results.md).",
        of(Provenance),
    ),
    Format(
        "turn-record",
        "an entry of `turns` in a line of `samples_csc_conv_*.jsonl`",
        "lm_eval logs it with `--log_samples`; `csc score`, `csc verify` and `csc collect` compute"
        " every number again from it and the raw reply beside it (`resps`).",
        turn_schema,
    ),
    Format(
        "answer-record",
        "an entry of `answers` in a line of `samples_csc_qa_*.jsonl`",
        "The same of an answer to a question.",
        answer_schema,
    ),
    Format(
        "sweep",
        "`sweep.json` beside the adapters of a sweep",
        "`csc train --sweep` writes it; `csc reproduce` plots it.",
        sweep_schema,
    ),
    Format(
        "board",
        "`board.json` in a board folder",
        "`csc collect` writes it; `csc tables`, `csc power` and `csc publish` read it.",
        of(Board),
    ),
    Format(
        "model-report",
        "`models/{slug}.json` in a board folder",
        "What one model does well and badly, per table and task.",
        of(ModelReport),
    ),
    Format(
        "samples-to-read",
        "`samples/{table}.json` in a board folder",
        "A seeded sample of conversations with every model's replies.",
        of(SampleSet),
    ),
    Format(
        "reliability",
        "`reliability.json`",
        "`csc agreement` writes it; `csc collect --reliability` puts it on the board.",
        of(Report),
    ),
    Format(
        "language",
        "`language.yaml` in a folder of `csc_tasks/languages/` or of `CSC_LANGUAGES`",
        "What the keys mean: [languages](../languages.md).",
        language_schema,
    ),
    Format(
        "wording",
        "`prompts.yaml` beside it",
        "The wording of every prompt.",
        of(Wording),
    ),
    Format(
        "asking",
        "`asking.yaml` beside it, where there is one",
        "What builders and judges tell a model of a reply that cannot be used.",
        of(Asking),
    ),
    Format(
        "papers",
        "`csc_tasks/papers/papers.yaml`",
        "Which tasks and metrics make which table of a paper.",
        of(Papers),
    ),
)
