"""The forms in which a strategy and a reply are asked for, stand in a history and are learned:
`[Strategy name] reply`, as in the paper, a JSON object, and `[A + B] reply` where a reply may name
several strategies.
"""

import json
from collections.abc import Sequence
from typing import Any

from csc_tasks.errors import SettingError
from csc_tasks.framework import STRATEGIES
from csc_tasks.languages import language
from csc_tasks.languages.labels import strategy_name

TEXT, JSON = "text", "json"
FORMS = (TEXT, JSON)
"""Those that csc_format names."""
ONE, SEVERAL = "one", "several"
"""How many strategies a reply may name (csc_strategies); several are a form of their own."""
_SUFFIX = {JSON: "_JSON", SEVERAL: "_SEVERAL"}
"""How the keys of a form's wordings end."""
STRATEGY, RESPONSE = "strategy", "response"
"""The two names in a JSON object."""


def tagged(
    strategy: str, text: str, code: str, form: str = TEXT, several: Sequence[str] = ()
) -> str:
    """`[Strategy name] text` or the JSON object, or just the text where there is no strategy
    (unlabelled or unparsed turns). several: all strategies, where there may be more than one.
    """
    if not strategy:
        return text
    name = " + ".join(strategy_name(one, code) for one in several or (strategy,))
    if form == JSON:
        return json.dumps({STRATEGY: name, RESPONSE: text}, ensure_ascii=False)
    return language(code).words.TAGGED.format(name=name, text=text)


def opening(strategy: str, code: str, form: str = TEXT) -> str:
    """What of a reply in this form names its strategy, up to where the text begins."""
    return tagged(strategy, "", code, form).removesuffix('"}').rstrip()


def format_line(code: str, form: str = TEXT) -> str:
    """How a prompt asks for this form."""
    return wording(code, f"FORMAT{_SUFFIX.get(form, '')}")


def ask_again_line(code: str, form: str = TEXT) -> str:
    """What a model is told after a reply that could not be read."""
    return wording(code, f"ASK_AGAIN{_SUFFIX.get(form, '')}")


def wording(code: str, key: str) -> str:
    """A wording that a language may lack. Raises SettingError where it does."""
    words: str | None = getattr(language(code).words, key)
    if words is None:
        raise SettingError(
            f"language {code!r} has no {key} in its prompts.yaml, which csc_format=json,"
            " csc_strategies=several and csc_reask=1 need; add it, or leave the setting out"
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
