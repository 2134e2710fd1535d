"""What one server takes of one model, learned from what it refuses: the form in which JSON is asked
for, the bound of a reply's tokens, single parameters. Each is learned once and kept for the run.

JSON is asked for in steps: by its schema, as any JSON object, in the prompt's words alone. A model
that thinks in its text starts at the last: a schema that is enforced from the first token leaves it
no room to think.
"""

import re
from collections.abc import Mapping

from csc_tasks import refusals
from csc_tasks.llm.exchange import Request
from csc_tasks.llm.journal.rows import canonical
from csc_tasks.llm.replies import without_bounds
from csc_tasks.thinking import thinks, thinks_in_text

AUTO = "auto"
FORMS = ("json-schema", "json-object", "text")
SCHEMA, OBJECT, TEXT = range(3)

# The most tokens a reply may have where neither the verb nor the user says otherwise, and what is
# added for a model that thinks first.
REPLY_TOKENS = 2048
THINKING_TOKENS = 16_384
# Of so many different schemas that a server could not follow, it is asked for no other one.
MOST_SCHEMAS = 3

SCHEMA_FORM, OBJECT_FORM, BOUND = "json_schema", "response_format", "this bound of tokens"
SCHEMA_BOUNDS = "bounds of length in a schema"
_LIMITS = ("max_tokens", "max_completion_tokens")
# A server that does not know the parameter's name, rather than one that wants another value.
_UNKNOWN = re.compile(
    r"unsupported|not supported|n't support|unknown|unrecogni[sz]ed|unexpected|extra|not permitted"
    r"|not allowed|\binstead\b",
    re.IGNORECASE,
)


class Accepted:
    """What the server of `model` takes. `parameters` are those it refused."""

    def __init__(self, model: str) -> None:
        self.parameters = refusals.Parameters()
        self.thinks = thinks(model)
        self._start = TEXT if thinks_in_text(model) else SCHEMA
        self._step = SCHEMA
        # Schema, as canonical JSON -> the step at which it is asked for.
        self._schemas: dict[str, int] = {}
        self._schema_bounds = self._bounded = True
        # Requests that were said to be too long with our bound, and go without it.
        self._unbounded: set[tuple[object, ...]] = set()

    def form(self, request: Request) -> int:
        """The step at which the request's schema is asked for."""
        start = self._start if request.form == AUTO else FORMS.index(request.form)
        own = self._schemas.get(canonical(request.schema), SCHEMA) if self._schemas else SCHEMA
        return max(start, self._step, own)

    def bound(self, request: Request) -> int | None:
        """The most tokens of the reply, where that is ours to say."""
        if request.tokens is None or not self._bounded or _identity(request) in self._unbounded:
            return None
        if any(name in request.sampling for name in _LIMITS):
            return None
        return request.tokens + (THINKING_TOKENS if self.thinks else 0)

    def most(self, request: Request) -> int | None:
        """The most tokens of the reply, whoever says so; None for no bound."""
        for name in _LIMITS:
            given = request.sampling.get(name)
            if isinstance(given, int):
                return given
        return self.bound(request)

    def body(self, model: str, request: Request) -> dict[str, object]:
        """The request's body, without what the server refused."""
        body: dict[str, object] = {"model": model, "messages": request.messages}
        body |= request.sampling
        bound = self.bound(request)
        if bound is not None:
            body["max_tokens"] = bound
        if request.schema is not None:
            form = self.form(request)
            if form == SCHEMA:
                schema = request.schema if self._schema_bounds else without_bounds(request.schema)
                named = {"name": schema.get("title", "reply"), "schema": schema, "strict": True}
                body["response_format"] = {"type": "json_schema", "json_schema": named}
            elif form == OBJECT:
                body["response_format"] = {"type": "json_object"}
        return self.parameters.accepted(body)

    def answered(self, request: Request) -> None:
        """Learn from a reply: what was too long with our bound only is too long for it always."""
        if _identity(request) in self._unbounded:
            self._bounded = False

    def learn(
        self, status: int, error: object, sent: Mapping[str, object], request: Request
    ) -> str | None:
        """What of the body `sent` the server refuses with this error, so that the same request may
        go without it; None where it is about something else.
        """
        if self._learn_bound(status, error, sent, request):
            return BOUND
        asked = sent.get("response_format")
        if isinstance(asked, dict):
            sent_form = SCHEMA if asked.get("type") == "json_schema" else OBJECT
            if sent_form == SCHEMA and refusals.schema_refused(status, error):
                # OpenAI takes no length of a text, llama.cpp no large one.
                schema = asked["json_schema"]["schema"]
                if without_bounds(schema) != schema:
                    self._schema_bounds = False
                    return SCHEMA_BOUNDS
                self._schemas[canonical(request.schema)] = OBJECT
                if len(self._schemas) >= MOST_SCHEMAS:
                    self._step = max(self._step, OBJECT)
                return SCHEMA_FORM
            if refusals.refused_parameter(status, error, sent) == "response_format":
                unknown = "schema" not in refusals.message(error).lower()
                next_step = TEXT if sent_form == OBJECT or unknown else OBJECT
                # Others that were out at the same time may have been refused before.
                if self._step <= sent_form:
                    self._step = next_step
                return SCHEMA_FORM if self._step == OBJECT else OBJECT_FORM
        return self.parameters.learn(status, error, sent)

    def left_out(self) -> list[str]:
        """What the server refused and was not told in any form."""
        names = set(self.parameters.left_out())
        if self._step == TEXT:
            names.add(OBJECT_FORM)
        elif self._step == OBJECT or self._schemas:
            names.add(SCHEMA_FORM)
        if not self._schema_bounds:
            names.add(SCHEMA_BOUNDS)
        if not self._bounded:
            names.add(BOUND)
        return sorted(names)

    def _learn_bound(
        self, status: int, error: object, sent: Mapping[str, object], request: Request
    ) -> bool:
        """Whether our bound may be what the server refuses; the request then goes without it."""
        if status not in (400, 422) or self.bound(request) is None:
            return False
        long = refusals.too_long(error)
        if long is None:
            text = refusals.message(error)
            if not any(name in text for name in _LIMITS) or _UNKNOWN.search(text):
                return False
        elif "requested" not in long.said and (long.tokens or 0) >= (long.limit or 1):
            # The prompt alone is too long; where "requested" stands, the reply may be counted in.
            return False
        self._unbounded.add(_identity(request))
        return True


def _identity(request: Request) -> tuple[object, ...]:
    return request.stage, request.item_id, request.repeat, request.attempt
