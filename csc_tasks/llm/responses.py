"""Reading what a chat server sent: a completion, or an error and what it means. No network here.

What an error means is decided here and nowhere else: 429, 5xx, 408 and anything that is no HTTP
response are tried again; a content filter's 4xx is a refusal; a 400 or 422 that names something the
request can do without says that the server does not take it (`csc_tasks.refusals` knows the
wordings); a redirect, 401, 402, 403, 404, a wrong key and an empty account end the run, because
every other request would fail alike; any other 4xx, and a prompt that is too long, concern this
request alone.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from csc_tasks import refusals
from csc_tasks.llm.accepted import Accepted
from csc_tasks.llm.exchange import Failure, Reply, Request, Usage
from csc_tasks.thinking import reasoning_of


@dataclass(frozen=True, slots=True)
class Rejected:
    """An HTTP status that is no success. `body` is what the server sent: its `error` object, other
    JSON, or text.
    """

    status: int
    headers: Mapping[str, str]
    body: object


def read(data: object) -> Reply | Failure | Rejected:
    """The first choice of a chat completion; what is not one is a Failure, and an `error` sent with
    status 200 is a Rejected.
    """
    if not isinstance(data, dict):
        return Failure("transport", f"the response is no JSON object: {data}")
    if data.get("error"):
        error = data["error"]
        code = error.get("code") if isinstance(error, dict) else None
        return Rejected(code if type(code) is int and 400 <= code < 600 else 500, {}, error)
    choices = data.get("choices")
    if not isinstance(choices, list):
        return Failure("transport", f"the response is no chat completion: {data}")
    usage, model = _usage(data.get("usage")), _text(data.get("model"))
    if not choices:
        return Reply(None, finish="", usage=usage, model=model)
    choice = _object(choices[0])
    message = _object(choice.get("message"))
    finish = _text(choice.get("finish_reason"))
    refusal = _text(message.get("refusal")) or (
        "stopped by the content filter" if finish == "content_filter" else ""
    )
    return Reply(
        _content(message.get("content")), reasoning_of(message), refusal, finish, usage, model
    )


def read_moderation(data: object) -> Reply | Failure | Rejected:
    """What a moderation endpoint says, as the JSON text that `Request` describes; the reply is
    free, so no tokens are counted.
    """
    if isinstance(data, dict) and data.get("error"):
        return read(data)
    results = _object(data).get("results")
    if not isinstance(results, list) or not all(isinstance(result, dict) for result in results):
        return Failure("transport", f"the response is no moderation: {data}")
    verdicts = [
        {"flagged": result.get("flagged"), "categories": _flagged(result.get("categories"))}
        for result in results
    ]
    model = _text(_object(data).get("model"))
    return Reply(json.dumps({"results": verdicts}), usage=Usage(0, 0), model=model)


# Of the whole run: the key, the account, what it may use, the address or the model's name.
FATAL = (401, 402, 403, 404)
# Why a request gets no reply, in the few words that are counted.
TOO_LONG = "longer than the model's context"
TOO_LARGE = "too large for the server"
NO_GRAMMAR = "a schema the server cannot follow"


def judge(
    rejected: Rejected, sent: Mapping[str, object], accepted: Accepted, request: Request
) -> Reply | Failure:
    """What a rejection of the body `sent` for `request` means; what the server does not take is
    noted in `accepted`.
    """
    status, body = rejected.status, refusals.error_of(rejected.body)
    message = f"{status}: {refusals.message(body)}"
    if 300 <= status < 400:
        place = str(rejected.headers.get("location", "nowhere"))
        return Failure("fatal", f"{status}: redirects to {place:.200}; give that address instead")
    if refusals.filtered(status, body):
        return Reply(None, refusal=message, finish="content_filter", usage=Usage(0, 0))
    feature = accepted.learn(status, body, sent, request)
    if feature:
        return Failure("unsupported", message, feature=feature)
    wait = refusals.retry_after(rejected.headers)
    if status == 429 and not refusals.no_credit(body):
        return Failure("busy", message, wait)
    if status == 503 and wait is not None:
        return Failure("busy", message, wait)
    if status in FATAL or refusals.no_credit(body) or refusals.wrong_key(body):
        return Failure("fatal", message)
    if status == 408:
        return Failure("timeout", message)
    reason = _reason(status, body)
    if status >= 500 and reason != TOO_LONG:
        return Failure("server", message)
    return Failure("rejected", message, feature=reason)


def _reason(status: int, body: object) -> str:
    """Why the server rejects this one request, in a few words."""
    if refusals.too_long(body) is not None:
        return TOO_LONG
    if status == 413:
        return TOO_LARGE
    return NO_GRAMMAR if refusals.schema_refused(status, body) else f"rejected with {status}"


def broken(error: BaseException) -> Failure:
    """What an error below HTTP means; a certificate that is not trusted now will not be on a second
    try, and a bug of ours stays one.
    """
    # The libraries above rename what they catch (one calls every disconnection a timeout): the
    # first error is the telling one.
    while error.__cause__ is not None:
        error = error.__cause__
    message = f"{type(error).__name__}: {error}"
    if isinstance(error, TimeoutError) or type(error).__name__.endswith("Timeout"):
        return Failure("timeout", message)
    library = type(error).__module__.split(".")[0]
    if not isinstance(error, (OSError, ValueError, RecursionError)) and library in (
        "builtins",
        "builders",
    ):
        return Failure("fatal", message)
    if "CERTIFICATE_VERIFY_FAILED" in message:
        return Failure(
            "fatal", f"{message}; if the server is yours, point SSL_CERT_FILE to its certificate"
        )
    return Failure("transport", message)


def cleaned(response: Reply | Failure, clean: Callable[[str], str]) -> Reply | Failure:
    """`response` with every text cleaned: servers quote the key in errors, and some echo whatever
    they were sent.
    """
    if isinstance(response, Failure):
        message = " ".join(clean(response.message).split())
        # Cut last: half a secret would no longer be found.
        return replace(response, message=refusals.shortened(message))
    return replace(
        response,
        text=None if response.text is None else clean(response.text),
        thinking=clean(response.thinking),
        refusal=clean(response.refusal),
        finish=clean(response.finish),
        model=clean(response.model),
    )


def _flagged(categories: object) -> list[str]:
    """The names of the categories that hold."""
    return sorted(name for name, holds in _object(categories).items() if holds is True)


def _usage(value: object) -> Usage:
    usage = _object(value)
    return Usage(
        _count(usage.get("prompt_tokens")),
        _count(usage.get("completion_tokens")),
        _count(_object(usage.get("completion_tokens_details")).get("reasoning_tokens")),
    )


def _object(value: object) -> dict[str, Any]:
    """`value` where it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def _count(value: object) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _content(value: object) -> str | None:
    """Text, or the joined text parts of the list form."""
    if isinstance(value, list):
        return "".join(_text(part.get("text")) for part in value if isinstance(part, dict))
    return value if isinstance(value, str) else None
