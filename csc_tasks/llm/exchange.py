"""What goes to an LLM backend and what comes back: Request, then Reply or Failure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Message = dict[str, str]
"""One chat message: its `role` and its `content`."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one reply as the server counted them; None where it did not say. `thinking` is a
    part of `output`.
    """

    input: int | None = None
    output: int | None = None
    thinking: int | None = None

    @property
    def known(self) -> bool:
        """Whether the reply's cost can be computed."""
        return self.input is not None and self.output is not None


UNCOUNTED = Usage()


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked. `schema` is the JSON schema of the reply or None; `sampling` goes into the
    request's body as it is.

    `form` is how the schema is to be asked for: "auto" or one of `csc_tasks.llm.reply_steps`.
    `tokens` is the most a reply may have where `sampling` does not say; None is no bound.

    `kind` is "chat", or "moderation": each message's text is then judged by a moderation endpoint,
    and the reply is JSON text
    `{"results": [{"flagged": ..., "categories": [...]}, ...]}`, one result for each message.

    `key` is the journal's name for the request, once it has a row there.
    """

    stage: str
    item_id: str
    repeat: int
    attempt: int
    messages: list[Message]
    schema: dict[str, Any] | None = None
    sampling: dict[str, object] = field(default_factory=dict)
    kind: str = "chat"
    form: str = "auto"
    tokens: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered. `text` is None when there was no content; `refusal` is "" unless the
    model or a filter declined.

    `finish` is the server's reason for the end: "stop", "length" (cut at the token limit), "" where
    it gave none.
    """

    text: str | None
    thinking: str = ""
    refusal: str = ""
    finish: str = "stop"
    usage: Usage = UNCOUNTED
    model: str = ""

    @classmethod
    def recorded(cls, fields: Mapping[str, Any]) -> "Reply":
        """The one whose `asdict` a journal holds."""
        return cls(**{**fields, "usage": Usage(**fields["usage"])})


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no reply, and so what to do.

    `kind`: "transport" (no usable response: try again), "timeout" (none in time: see
    `csc_tasks.llm.sending`), "server" (5xx: try again), "busy" (429, or 503 with Retry-After: wait
    `retry_after` seconds where given), "unsupported" (leave `feature` out), "rejected" (this one
    request will never be answered as it is; `feature` says in a few words why), "fatal" (no request
    will: the key, the account, the model's name or the address is wrong).
    """

    kind: str
    message: str
    retry_after: float | None = None
    feature: str = ""
