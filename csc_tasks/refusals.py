"""What a model server's error says: too long a prompt, a parameter it does not take, a filtered
text, when to come back.

Every server has words of its own for the same refusal. They are known here and nowhere else, for
evaluation, judges and builders alike. No network here.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

# Codes with which servers refuse a prompt instead of answering it: OpenAI and Azure, OpenAI's
# reasoning models, DashScope.
FILTERED = {
    "content_filter",
    "content_policy_violation",
    "invalid_prompt",
    "data_inspection_failed",
}
# The same said in words only: DeepSeek, Azure, OpenRouter, Gemini.
_FILTERED_WORDS = re.compile(
    r"content exists risk|content management policy|content[ _-]filter|content policy"
    r"|requires moderation|was flagged|inappropriate content|prohibited[ _]content",
    re.IGNORECASE,
)
# 429 stands for "too fast" and for "the account is empty"; waiting helps against the first only.
NO_CREDIT = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}

# Parameters a request can do without, or has another name for, and how servers name them in a
# refusal.
_PARAMETERS = {
    "response_format": r"response_format|json_schema|json schema|structured output|guided_json",
    "seed": r"\bseed\b",
    "temperature": r"\btemperature\b",
    "stop": (
        r"['\"`]stop['\"`]|\bbody\.stop\b|\b(?:parameter|argument|name)s?:? ['\"`]?stop\b|(?:^|:"
        r" )stop\b"
    ),
    "max_tokens": r"\bmax_tokens\b",
    "max_completion_tokens": r"\bmax_completion_tokens\b",
}
# `temperature`, `stop` and the token limit are also mentioned by errors that do not refuse them.
_REFUSING = re.compile(
    r"unsupported|not support|n't support|unknown|unrecogni[sz]ed|unexpected|not"
    r" (?:permitted|allowed|available|valid)"
    r"|invalid|extra (?:inputs|fields)|too short|must be|should be|only the"
    r" default|deprecated|empty",
    re.IGNORECASE,
)
# The token limit is never left out: a server that knows it by the other name is told that one.
RENAMED = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}

_TOO_LONG_CODES = {"context_length_exceeded", "exceed_context_size_error"}
_TOO_LONG = re.compile(
    r"context[ _](?:length|size|window|limit)|maximum (?:model|input|prompt)"
    r" length|max_model_len|max_seq_len"
    r"|(?:prompt|input)s? (?:is|are) too long|prompt contains \d+ tokens|too many (?:input )?tokens"
    r"|input tokens exceed|input token count|reduce the length of|longer than the (?:maximum"
    r" )?model"
    r"|tokens \+ `max_new_tokens` must be|range of input length",
    re.IGNORECASE,
)
# A schema that this server's grammar cannot express, as against one that takes none.
_SCHEMA = re.compile(
    r"grammar|invalid (?:json )?schema|not supported by (?:xgrammar|outlines|guidance|llguidance)"
    r"|schema (?:contains|has|is too|uses)|(?:in|of) (?:the |your )?schema\b",
    re.IGNORECASE,
)
# Gemini and some proxies say 400 where others say 401.
_WRONG_KEY = re.compile(
    r"api[ _-]key (?:is )?(?:not valid|invalid|expired)|invalid api[ _-]key", re.IGNORECASE
)

_NUMBER = r"(\d[\d,]*)"
_BETWEEN = r"[^\d;]{0,40}?"
# Each: how the server names the tokens of the prompt.
_TOKENS = [
    (
        rf"{_NUMBER}(?: tokens)? (?:in|of|from)(?: the| your)? (?:input )?(?:messages|prompt|text"
        r" input)"
    ),
    (
        rf"(?:has|have|passed|contains?|resulted in|given:|keep the first) {_NUMBER}(?:"
        r" `inputs`)?(?: input)? tokens"
    ),
    rf"(?:request|input|prompt) \((?:length )?{_NUMBER}(?: tokens)?\)",
    rf"(?:prompt length|input token count) \({_NUMBER}\)",
    rf"too long: {_NUMBER}",
    rf"received {_NUMBER}",
    rf"context limit: {_NUMBER} \+",
    # Prompt and reply together: more than the prompt has, so that too much rather than too little
    # is left out.
    rf"requested (?:about |a total of )?{_NUMBER} tokens",
]
# Each: how the server names what it has room for.
_LIMITS = [
    rf"> {_NUMBER}(?: maximum|$|[.,;])",
    rf"context (?:length|size|window){_BETWEEN}{_NUMBER}",
    rf"{_NUMBER}(?: tokens?)? maximum context",
    rf"maximum (?:model|input|prompt) length{_BETWEEN}{_NUMBER}",
    rf"configured limit of {_NUMBER}",
    rf"tokens allowed \({_NUMBER}\)",
    rf"must be <= {_NUMBER}",
    rf"cannot exceed {_NUMBER}",
    rf"input length should be \[\d+, ?{_NUMBER}\]",
]


@dataclass(frozen=True, slots=True)
class TooLong:
    """A prompt that does not fit: the server's limit and the prompt's tokens, each None where it
    does not say.
    """

    limit: int | None
    tokens: int | None
    said: str = ""


class Parameters:
    """The parameters that one server takes: those it has refused are left out, or sent under their
    other name.

    `refused` holds their names; `tell` is called with one sentence for each, once.
    """

    def __init__(
        self, refused: set[str] | None = None, tell: Callable[[str], None] = lambda sentence: None
    ) -> None:
        self.refused = set(refused or ())
        self.tell = tell

    def accepted(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """`body` without the parameters that were refused. An empty list of stop strings is never
        sent: some refuse it.
        """
        accepted = {}
        for name, value in body.items():
            if name in RENAMED and name in self.refused and RENAMED[name] not in body:
                accepted[RENAMED[name]] = value
            elif name not in self.refused and not (name == "stop" and value == []):
                accepted[name] = value
        return accepted

    def learn(self, status: int, error: object, sent: Mapping[str, Any]) -> str | None:
        """The parameter among those `sent` that the server refuses with this error, noted for the
        next requests; else None.
        """
        name = refused_parameter(status, error, sent)
        if name is None or (RENAMED.get(name) in self.refused):
            return None
        return self.note(name, error)

    def note(self, name: str, error: object) -> str:
        """Note that the server refuses the parameter of this name, and tell it once."""
        if name not in self.refused:
            self.refused.add(name)
            self.tell(f"does not take {name}: {INSTEAD[name]} ({shortened(message(error), 200)})")
        return name

    def left_out(self) -> list[str]:
        """The refused parameters whose value the server was not told in any form."""
        return sorted(self.refused - RENAMED.keys())


INSTEAD = {
    "json_schema": "JSON objects are asked for instead, and checked",
    "bounds of length in a schema": "schemas go without them, and replies are checked",
    "this bound of tokens": "the request goes without it",
    "response_format": "structured replies are read from text",
    "seed": "requests go without a seed",
    "temperature": "requests go without it, and the server uses its own default",
    "stop": "requests go without stop strings",
    "max_tokens": "max_completion_tokens is sent instead",
    "max_completion_tokens": "max_tokens is sent instead",
}


def refused_parameter(status: int, error: object, sent: Mapping[str, Any]) -> str | None:
    """The first parameter among those `sent` that an error 400 or 422 says the server does not
    take.
    """
    if status not in (400, 422) or too_long(error) is not None:
        return None
    text = message(error)
    named = error.get("param") if isinstance(error, dict) else None
    refusing = bool(_REFUSING.search(text))
    places = {}
    for name, pattern in _PARAMETERS.items():
        if name not in sent:
            continue
        match = re.search(pattern, text, re.IGNORECASE)
        # Nothing but a refusal speaks of these two.
        certain = refusing or name in ("response_format", "seed")
        if (
            isinstance(named, str)
            and re.split(r"[.\[]", named)[0] == name
            and (certain or name not in RENAMED)
        ):
            return name
        if match and certain and not (name in RENAMED and "too large" in text):
            places[name] = match.start()
    return min(places, key=places.__getitem__, default=None)


def too_long(error: object) -> TooLong | None:
    """What an error says about a prompt that exceeds the model's context; None where it is about
    something else.
    """
    text = message(error)
    if not (codes(error) & _TOO_LONG_CODES or _TOO_LONG.search(text)):
        return None
    fields = error if isinstance(error, dict) else {}
    limit = _whole(fields.get("n_ctx")) or _first(_LIMITS, text)
    tokens = _whole(fields.get("n_prompt_tokens")) or _first(_TOKENS, text)
    more = re.search(rf"{_NUMBER} tokens > {_NUMBER}", text)
    return TooLong(limit, tokens or (_number(more[1]) if more else None), shortened(text))


def filtered(status: int, error: object) -> bool:
    """Whether a content filter refused the text of this one request."""
    if status not in (400, 403, 422, 451):
        return False
    return bool(codes(error) & FILTERED or _FILTERED_WORDS.search(message(error)))


def schema_refused(status: int, error: object) -> bool:
    """Whether the server cannot make a grammar of the schema that was sent."""
    return status in (400, 422, 500) and bool(_SCHEMA.search(message(error)))


def wrong_key(error: object) -> bool:
    """Whether the key is refused, whatever the status."""
    return "invalid_api_key" in codes(error) or bool(_WRONG_KEY.search(message(error)))


def no_credit(error: object) -> bool:
    """Whether the account is empty, against which waiting does not help."""
    return bool(codes(error) & NO_CREDIT)


def error_of(body: object) -> object:
    """The error object inside a response body: OpenAI's `error`, Gemini's list of one, or the body
    itself.
    """
    if isinstance(body, list) and len(body) == 1:
        body = body[0]
    return body["error"] if isinstance(body, dict) and body.get("error") else body


def codes(body: object) -> set[str]:
    """Every code in an error object; Azure nests the telling one."""
    if not isinstance(body, dict):
        return set()
    own = {str(body[name]) for name in ("code", "type") if body.get(name)}
    return own.union(*(codes(part) for part in body.values() if isinstance(part, dict)))


def message(body: object) -> str:
    """The server's words: `message`, or FastAPI's `detail` (text, or a list of places and
    problems), or whatever there is.
    """
    if isinstance(body, dict):
        text = body.get("message") or body.get("detail") or body
        if isinstance(text, list):
            text = "; ".join(
                (
                    f"{'.'.join(map(str, part.get('loc', ())))}: {part.get('msg')}"
                    if isinstance(part, dict)
                    else str(part)
                )
                for part in text
            )
    else:
        text = body or "no message"
    return str(text)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds a server asks to wait: `retry-after-ms`, or `Retry-After` in seconds or as an HTTP
    date; None where it does not say.
    """
    sent = {name.lower(): value.strip() for name, value in headers.items()}
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        if re.fullmatch(r"\d{1,12}(\.\d{1,6})?", sent.get(name, "")):
            return float(sent[name]) * unit
    then = _date(sent.get("retry-after"))
    if then is None:
        return None
    # The server's own clock where it tells it: ours may be minutes off.
    return max(0.0, (then - (_date(sent.get("date")) or datetime.now(UTC))).total_seconds())


def cleaner(secret: str) -> Callable[[str], str]:
    """A function that takes `secret` out of text. What is shorter than 8 characters is a
    placeholder ("none", "EMPTY"), not a secret.
    """
    return (lambda text: text.replace(secret, "[key]")) if len(secret) >= 8 else (lambda text: text)


def shortened(text: str, limit: int = 500) -> str:
    """`text`, or its first `limit` characters and a mark that there were more."""
    return text if len(text) <= limit else text[:limit] + "…"


def _first(patterns: list[str], text: str) -> int | None:
    """The number that the first matching pattern finds."""
    for pattern in patterns:
        match = re.search(pattern, text, re.IGNORECASE)
        if match:
            return _number(match[1])
    return None


def _number(text: str) -> int:
    return int(text.replace(",", ""))


def _whole(value: object) -> int | None:
    return value if type(value) is int and value > 0 else None


def _date(text: str | None) -> datetime | None:
    try:
        date = parsedate_to_datetime(text or "")
    except (TypeError, ValueError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
