"""Reading what a chat server sent: a completion, or an error and what it means. No network here.

Which errors are final is decided here and nowhere else: 429, 5xx, 408 and anything that is no HTTP
response are tried again; a content filter's 4xx is a refusal; a 400 or 422 that names a parameter
the request can do without says that the server does not take it (`csc_tasks.refusals` knows the
wordings); the rest is final.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from csc_tasks import refusals
from csc_tasks.llm.exchange import Failure, Reply, Usage
from csc_tasks.thinking import reasoning_of


@dataclass(frozen=True, slots=True)
class Rejected:
    """An HTTP status that is no success. `body` is what the server sent: its `error` object, other
    JSON, or text.
    """

    status: int
    headers: Mapping[str, str]
    body: object


def read(data) -> Reply | Failure | Rejected:
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
    choice = choices[0] if isinstance(choices[0], dict) else {}
    message = choice.get("message") if isinstance(choice.get("message"), dict) else {}
    finish = _text(choice.get("finish_reason"))
    refusal = _text(message.get("refusal")) or (
        "stopped by the content filter" if finish == "content_filter" else ""
    )
    return Reply(
        _content(message.get("content")), reasoning_of(message), refusal, finish, usage, model
    )


def read_moderation(data) -> Reply | Failure | Rejected:
    """What a moderation endpoint says, as the JSON text that `Request` describes; the reply is
    free, so no tokens are counted.
    """
    if isinstance(data, dict) and data.get("error"):
        return read(data)
    results = data.get("results") if isinstance(data, dict) else None
    if not isinstance(results, list) or not all(isinstance(result, dict) for result in results):
        return Failure("transport", f"the response is no moderation: {data}")
    said = [
        {"flagged": result.get("flagged"), "categories": _flagged(result.get("categories"))}
        for result in results
    ]
    return Reply(json.dumps({"results": said}), usage=Usage(0, 0), model=_text(data.get("model")))


def judge(rejected: Rejected, sent: Mapping, parameters: refusals.Parameters) -> Reply | Failure:
    """What a rejection of the body `sent` means; a parameter that the server does not take is noted
    in `parameters`.
    """
    status, body = rejected.status, refusals.error_of(rejected.body)
    said = f"{status}: {refusals.message(body)}"
    if refusals.filtered(status, body):
        return Reply(None, refusal=said, finish="content_filter", usage=Usage(0, 0))
    feature = parameters.learn(status, body, sent)
    if feature:
        return Failure("unsupported", said, feature=feature)
    wait = refusals.retry_after(rejected.headers)
    if status == 429 and not refusals.no_credit(body):
        return Failure("busy", said, wait)
    if status == 503 and wait is not None:
        return Failure("busy", said, wait)
    if status >= 500:
        return Failure("server", said)
    return Failure("timeout" if status == 408 else "fatal", said)


def broken(error: BaseException) -> Failure:
    """What an error below HTTP means; a certificate that is not trusted now will not be on a second
    try, and a bug of ours stays one.
    """
    # The libraries above rename what they catch (one calls every disconnection a timeout): the
    # first error is the telling one.
    while error.__cause__ is not None:
        error = error.__cause__
    said = f"{type(error).__name__}: {error}"
    if isinstance(error, TimeoutError) or type(error).__name__.endswith("Timeout"):
        return Failure("timeout", said)
    library = type(error).__module__.split(".")[0]
    if not isinstance(error, (OSError, ValueError, RecursionError)) and library in (
        "builtins",
        "builders",
    ):
        return Failure("fatal", said)
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return Failure(
            "fatal", f"{said}; if the server is yours, point SSL_CERT_FILE to its certificate"
        )
    return Failure("transport", said)


def cleaned(found: Reply | Failure, clean: Callable[[str], str]) -> Reply | Failure:
    """`found` with every text cleaned: servers quote the key in errors, and some echo whatever they
    were sent.
    """
    if isinstance(found, Failure):
        # Cut last: half a secret would no longer be found.
        return replace(found, message=refusals.shortened(" ".join(clean(found.message).split())))
    texts = {
        name: clean(getattr(found, name)) for name in ("thinking", "refusal", "finish", "model")
    }
    return replace(found, text=None if found.text is None else clean(found.text), **texts)


def _flagged(categories):
    """The names of the categories that hold."""
    return (
        sorted(name for name, holds in categories.items() if holds is True)
        if isinstance(categories, dict)
        else []
    )


def _usage(found):
    found = found if isinstance(found, dict) else {}
    details = found.get("completion_tokens_details")
    return Usage(
        _count(found.get("prompt_tokens")),
        _count(found.get("completion_tokens")),
        _count(details.get("reasoning_tokens")) if isinstance(details, dict) else None,
    )


def _count(value):
    return value if type(value) is int and value >= 0 else None


def _text(value):
    return value if isinstance(value, str) else ""


def _content(value):
    """Text, or the joined text parts of the list form."""
    if isinstance(value, list):
        return "".join(_text(part.get("text")) for part in value if isinstance(part, dict))
    return value if isinstance(value, str) else None
