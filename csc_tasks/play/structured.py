"""JSON replies of API servers: asked for by their schema, as any JSON object where a server refuses
that, and in the prompt's words alone where it refuses both. Each is learned once and kept.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from lm_eval.api.model import LM

from csc_tasks.play.requests import PlayInstance
from csc_tasks.prompts import JSON, TurnPrompt, schema
from csc_tasks.refusals import Parameters, refused_parameter, schema_refused
from csc_tasks.thinking import thinks_in_text

PARAMETER = "response_format"
SCHEMA, OBJECT = "json_schema", "json_object"


def by_schema(lm: LM, requests: Iterable[PlayInstance]) -> None:
    """Have the requests that want JSON carry its schema, as API backends send it.

    Those of a user's own `response_format` keep it. A model that thinks in its text gets none: a
    schema that is enforced from the first token leaves it no room to think.
    """
    if thinks_in_text(str(getattr(lm, "model", ""))):
        return
    for request in {id(request): request for request in requests}.values():
        prompt = request.prompt
        if not isinstance(prompt, TurnPrompt) or request.chooses:
            continue
        if prompt.form == JSON and prompt.names_strategy:
            text, kwargs = request.arguments
            form = {"name": "reply", "schema": schema(prompt.language), "strict": True}
            asked = {PARAMETER: {"type": SCHEMA, SCHEMA: form}}
            request.arguments = (text, asked | kwargs)


class FormParameters(Parameters):
    """The parameters that one server takes, the forms in which it takes JSON among them."""

    def accepted(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """As `Parameters.accepted`; a schema that was refused becomes any JSON object."""
        accepted = super().accepted(body)
        if SCHEMA in self.refused and _has_schema(accepted):
            accepted[PARAMETER] = {"type": OBJECT}
        return accepted

    def learn(self, status: int, error: object, sent: Mapping[str, Any]) -> str | None:
        """As `Parameters.learn`; of a schema first the schema is refused."""
        if _has_schema(sent) and (
            schema_refused(status, error) or refused_parameter(status, error, sent) == PARAMETER
        ):
            return self.note(SCHEMA, error)
        return super().learn(status, error, sent)


def _has_schema(body: Mapping[str, Any]) -> bool:
    form = body.get(PARAMETER)
    return isinstance(form, Mapping) and form.get("type") == SCHEMA
