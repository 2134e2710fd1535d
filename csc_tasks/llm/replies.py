"""What a model wrote -> the pydantic model that was asked for. Thinking was taken out before, by
csc_tasks.thinking.

A structured reply is read by one rule. Either the whole text is one JSON value, or the text has
exactly two lines that start with three backticks, the first with nothing or `json` after them and
the last with nothing, and what lies between is one JSON value; prose around such a block is
ignored. Anything else (prose around bare JSON, two blocks, a cut reply) is malformed and asked
again: nothing is searched for, cut out or repaired. A line break inside a JSON string is read as it
stands, because many models write it so and it is unambiguous. A name that occurs twice in an
object, NaN and Infinity are refused. Types are strict: "false" is no boolean and "3" is no number.
"""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

FENCE = "```"

# Characters of any reply; a longer one is not read.
LONGEST_REPLY = 200_000
# What bounds a value in a schema; not every server that takes schemas takes these.
BOUNDS = ("maxLength", "maxItems")

Parsed = TypeVar("Parsed", bound="BaseModel")


class WrongForm(ValueError):
    """A reply has not the asked-for form; the text says in a few words what is wrong."""


def check_text(text: str) -> str:
    """`text` itself; raises WrongForm when it is empty, longer than LONGEST_REPLY or holds a lone
    surrogate, which no file can hold.
    """
    if len(text) > LONGEST_REPLY:
        raise WrongForm(f"the reply has {len(text):,} characters, {LONGEST_REPLY:,} are read")
    if not text.strip():
        raise WrongForm("the reply is empty")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise WrongForm("the reply holds a lone surrogate") from None
    return text


def parse_reply(text: str, model: type[Parsed]) -> Parsed:
    """Read `text` as `model` by the rule above; raises WrongForm."""
    from pydantic import ValidationError

    block = json_block(check_text(text))
    try:
        value = json.loads(block, strict=False, object_pairs_hook=_object, parse_constant=_constant)
        # pydantic gets JSON text, not the value: only so do strict types take tuples, dates and
        # enumerations in their JSON form.
        canonical = json.dumps(value, ensure_ascii=False)
        canonical.encode()
    except UnicodeEncodeError:
        raise WrongForm("the reply holds a lone surrogate") from None
    except RecursionError:
        raise WrongForm("JSON nested too deeply") from None
    except json.JSONDecodeError as error:
        raise WrongForm(
            f"not JSON: {error.msg} at line {error.lineno} column {error.colno}"
        ) from None
    except ValueError as error:
        raise WrongForm(f"not JSON: {error}") from None
    try:
        return model.model_validate_json(canonical, strict=True)
    except ValidationError as error:
        raise WrongForm(_problems(error)) from None


def json_block(text: str) -> str:
    """The part of a reply that must be JSON: the one fenced block, or all of it; raises WrongForm
    for an unclear fence.
    """
    stripped = text.strip()
    if stripped[:1] in "{[":
        return stripped
    lines = stripped.split("\n")
    fences = [i for i, line in enumerate(lines) if line.strip().startswith(FENCE)]
    if not fences:
        return stripped
    if len(fences) != 2:
        raise WrongForm(f"{len(fences)} lines with {FENCE}; one fenced block has two")
    first, last = fences
    if lines[first].strip().lower() not in (FENCE, f"{FENCE}json") or lines[last].strip() != FENCE:
        raise WrongForm(
            f"the fenced block opens with {lines[first].strip()[:20]!r} and closes with"
            f" {lines[last].strip()[:20]!r}"
        )
    return "\n".join(lines[first + 1 : last])


def reply_schema(model: "type[BaseModel]") -> dict[str, Any]:
    """The JSON schema of `model` in the strict form servers take: every object is closed and all of
    its names are required.
    """
    return _closed_object(model.model_json_schema())


def without_bounds(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema of `reply_schema` without the bounds of its values."""
    return {key: _unbounded(key, value) for key, value in schema.items() if key not in BOUNDS}


def _unbounded(key: str, value: object) -> object:
    if key in ("properties", "$defs") and isinstance(value, dict):
        return {name: _unbounded("", part) for name, part in value.items()}
    return without_bounds(value) if isinstance(value, dict) else value


def _closed_object(node: Mapping[str, object]) -> dict[str, object]:
    closed = {key: _closed_value(key, value) for key, value in node.items() if key != "default"}
    properties = node.get("properties")
    if isinstance(properties, dict):
        closed |= {"additionalProperties": False, "required": list(properties)}
    return closed


def _closed_value(key: str, value: object) -> object:
    # Below these two keys stand names of the user's, which may be called "type" or "properties" as
    # well.
    if key in ("properties", "$defs") and isinstance(value, dict):
        return {name: _closed(part) for name, part in value.items()}
    return _closed(value)


def _closed(node: object) -> object:
    if isinstance(node, list):
        return [_closed(part) for part in node]
    return _closed_object(node) if isinstance(node, dict) else node


def _object(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} occurs twice in one object")
    return values


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _problems(error: "ValidationError") -> str:
    """pydantic's findings in one line, without the values (they may be long)."""
    problems = [
        f"{'.'.join(map(str, problem['loc'])) or 'the reply'}: {problem['msg']}"
        for problem in error.errors(include_url=False)
    ]
    more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
    return "; ".join(problems[:3]) + more
