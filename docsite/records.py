"""The JSON schemas of what a samples file of lm_eval holds of each turn and answer
(csc_tasks/records.py makes the records).
"""

from typing import Any

from csc_tasks.framework import STRATEGY_IDS

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
NULL: Schema = {"type": "null"}
FLAG: Schema = {"anyOf": [{"type": "boolean"}, NULL]}
STRATEGY: Schema = {"anyOf": [{"type": "string", "enum": list(STRATEGY_IDS)}, NULL]}

_BOTH = {
    "conversation_id": (TEXT, "of the corpus"),
    "turn": ({"type": "integer"}, "position of the reply in the dialogue; `turn_index`"),
    "language": (TEXT, "code of the language"),
    "topic": (TEXT, 'as in the corpus; "" where it is not known'),
    "reference": (TEXT, 'the gold text; "" where it is held out'),
    "reply": (TEXT, "what is left of the raw reply: no label, no thinking"),
    "empty": (FLAG, "there is no text in it"),
    "thinking_cut": (FLAG, "because the model was still thinking"),
    "truncated": (FLAG, "cut by the token limit; null where the backend does not tell"),
    "history_truncated": (FLAG, "oldest turns were left out to fit the model"),
    "failed": ({"type": "boolean"}, "there was no answer from the model's server"),
}
_BOTH_OPTIONAL = {
    "failure": (TEXT, "why it failed"),
    "repeat": ({"type": "integer"}, "which time it was asked, from 0 (`csc_repeats`)"),
}
_TURN = {
    "gold_strategy": (
        {"type": "string", "enum": [*STRATEGY_IDS, ""]},
        '"" where the corpus has none, or holds it out',
    ),
    "gold_stages": ({"type": "array", "items": TEXT}, "the stages of the gold strategy"),
    "strategy": (STRATEGY, "what the reply names, or what was chosen; null: unparsed"),
    "stages": ({"type": "array", "items": TEXT}, "the stages of that strategy"),
    "unparsed": (FLAG, "it names no single known strategy; null where none was asked for"),
}
_TURN_OPTIONAL = {
    "reasked": ({"type": "boolean"}, "it was asked once more (`csc_reask`)"),
    "first_reply": (TEXT, "the raw reply that could not be read"),
    "strategy_norm": (STRATEGY, "`cscx_strategy_choice`: the choice by character"),
    "loglikelihoods": (
        {"anyOf": [{"type": "object", "additionalProperties": {"type": "number"}}, NULL]},
        "strategy -> the log-likelihood of its name, where the choice was made by it",
    ),
    "written_strategy": (TEXT, "what a server wrote that was made to write one of the names"),
}
_ANSWER = {"stage": ({"anyOf": [TEXT, NULL]}, "early, mid or late; null where it is not known")}
_ANSWER_OPTIONAL = {
    "passages": ({"type": "array", "items": TEXT}, "those that support facts (`csc_evidence`)"),
    "unsupported_facts": (
        {"anyOf": [{"type": "integer"}, NULL]},
        "facts that neither they nor what came before hold; null: no rules for the language",
    ),
}


def turn_schema() -> Schema:
    """A scored supporter turn: an entry of `turns` in a line of a samples file."""
    return _record(_BOTH | _TURN, _BOTH_OPTIONAL | _TURN_OPTIONAL)


def answer_schema() -> Schema:
    """An answer to a question: an entry of `answers`."""
    return _record(_BOTH | _ANSWER, _BOTH_OPTIONAL | _ANSWER_OPTIONAL)


def _record(required: dict[str, Any], optional: dict[str, Any]) -> Schema:
    properties = {
        name: schema | {"description": meaning}
        for name, (schema, meaning) in (required | optional).items()
    }
    return {"type": "object", "properties": properties, "required": list(required)}
