"""The two forms in which a strategy and a reply are asked for, stand in a history and are learned:
`[Strategy name] reply`, as in the paper, and a JSON object.
"""

import json
from typing import Any

from csc_tasks.errors import SettingError
from csc_tasks.framework import STRATEGIES
from csc_tasks.languages import language
from csc_tasks.languages.labels import strategy_name

TEXT, JSON = "text", "json"
FORMS = (TEXT, JSON)
STRATEGY, RESPONSE = "strategy", "response"
"""The two names in a JSON object."""


def tagged(strategy: str, text: str, code: str, form: str = TEXT) -> str:
    """`[Strategy name] text` or the JSON object, or just the text where there is no strategy
    (unlabelled or unparsed turns).
    """
    if not strategy:
        return text
    name = strategy_name(strategy, code)
    if form == JSON:
        return json.dumps({STRATEGY: name, RESPONSE: text}, ensure_ascii=False)
    return language(code).words.TAGGED.format(name=name, text=text)


def opening(strategy: str, code: str, form: str = TEXT) -> str:
    """What of a reply in this form names its strategy, up to where the text begins."""
    return tagged(strategy, "", code, form).removesuffix('"}').rstrip()


def format_line(code: str, form: str = TEXT) -> str:
    """How a prompt asks for this form."""
    return wording(code, "FORMAT_JSON" if form == JSON else "FORMAT")


def ask_again_line(code: str, form: str = TEXT) -> str:
    """What a model is told after a reply that could not be read."""
    return wording(code, "ASK_AGAIN_JSON" if form == JSON else "ASK_AGAIN")


def wording(code: str, key: str) -> str:
    """A wording that a language may lack. Raises SettingError where it does."""
    words: str | None = getattr(language(code).words, key)
    if words is None:
        raise SettingError(
            f"language {code!r} has no {key} in its prompts.yaml, which csc_format=json and"
            " csc_reask=1 need; add it, or leave the setting out"
        )
    return words


def schema(code: str) -> dict[str, Any]:
    """JSON schema of a reply: one of the twelve names in the language, and text."""
    names = [strategy_name(strategy.id, code) for strategy in STRATEGIES]
    return {
        "type": "object",
        "properties": {
            STRATEGY: {"type": "string", "enum": names},
            RESPONSE: {"type": "string"},
        },
        "required": [STRATEGY, RESPONSE],
        "additionalProperties": False,
    }
