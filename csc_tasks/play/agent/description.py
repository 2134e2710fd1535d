"""How to talk to a deployed agent: a small YAML file, or the address of an OpenAI-shaped endpoint.

    url: https://agents.example.com/v1/turn
    headers:
      Authorization: Bearer ${AGENT_KEY}   # from the environment
    request:                               # sent as JSON
      session: ${session}
      text: ${message}
    reply: output.0.text                   # where the reply stands in the response
    stateful: true                         # the agent remembers; without it ${messages} is sent

It runs no code: placeholders are filled in, and paths are followed. Further keys: `stream`, the
path of a piece of the reply in each event of a stream (SSE); `session`, the path in a response at
which the agent itself names the session; `tokens`, `{in: PATH, out: PATH}`.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from csc_tasks.errors import SettingError
from csc_tasks.reading import read_text
from csc_tasks.reading.yaml_text import LARGEST, NotYaml, strict_yaml

PLACEHOLDERS = ("message", "messages", "session", "language")
"""What `request` may have as ${NAME}: the customer's new words, the whole history as a list of
{role, content}, the session's id, the language's code.
"""
KEYS = ("url", "headers", "request", "reply", "stateful", "stream", "session", "tokens")
SECRET = re.compile(r"auth|key|token|secret|cookie|passw|credential|signature", re.IGNORECASE)
"""In the names of headers whose value is a secret, and so comes from the environment."""
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")
_WANTED = "give the YAML file of an agent"


@dataclass(frozen=True, slots=True)
class Agent:
    """request: the body's template. reply, stream, session, tokens_in, tokens_out: paths; None
    where the agent does not tell. secrets: values that must not be shown. digest: a hash of what
    tells this description from others, without values from the environment.
    """

    url: str
    request: Mapping[str, Any]
    reply: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    stateful: bool = False
    stream: str | None = None
    session: str | None = None
    tokens_in: str | None = None
    tokens_out: str | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)
    digest: str = ""

    def body(self, known: Mapping[str, Any]) -> dict[str, Any]:
        """The request's body. known: the placeholders' values; a key whose whole value is one that
        is None is left out.
        """
        filled = _filled(self.request, known)
        assert isinstance(filled, dict)
        return filled


def openai_shaped(url: str, model: str, stream: bool, environ: Mapping[str, str]) -> Agent:
    """The agent behind an OpenAI-shaped chat address, with the key in OPENAI_API_KEY, if any."""
    _check_url(url, "base_url")
    key = environ.get("OPENAI_API_KEY", "")
    request: dict[str, Any] = {"model": model, "messages": "${messages}"}
    if stream:
        request |= {"stream": True, "stream_options": {"include_usage": True}}
    return Agent(
        url=url,
        request=request,
        reply="choices.0.message.content",
        headers={"Authorization": f"Bearer {key}"} if key else {},
        stream="choices.0.delta.content" if stream else None,
        tokens_in="usage.prompt_tokens",
        tokens_out="usage.completion_tokens",
        secrets=(key,),
        digest=_digest({"openai": request}),
    )


def read_agent(file: Path, environ: Mapping[str, str] = os.environ) -> Agent:
    """The agent that a YAML file describes. Raises DataError or SettingError, in one line, for a
    file that cannot be read, an unknown key, and a value that does not fit.
    """
    try:
        raw = strict_yaml(read_text(file, _WANTED, largest=LARGEST))
    except NotYaml as error:
        raise SettingError(f"{file}: {error}; {_WANTED}") from None
    where = str(file)
    if not isinstance(raw, dict):
        raise SettingError(f"{where}: must be a mapping with {', '.join(KEYS[:4])}")
    if unknown := sorted(str(key) for key in raw if key not in KEYS):
        raise SettingError(f"{where}: unknown key {unknown[0]!r}; known: {', '.join(KEYS)}")
    for name in ("url", "request", "reply"):
        if name not in raw:
            raise SettingError(f"{where}: {name} is missing")
    url, request, stateful = raw["url"], raw["request"], raw.get("stateful", False)
    _check_url(url, f"{where}: url")
    if not isinstance(request, dict):
        raise SettingError(f"{where}: request is {request!r:.60}; it must be a JSON object")
    if not isinstance(stateful, bool):
        raise SettingError(f"{where}: stateful is {stateful!r:.40}; it must be true or false")
    _check_request(request, stateful, where)
    headers, secrets = _headers(raw.get("headers") or {}, where, environ)
    tokens = raw.get("tokens") or {}
    if not isinstance(tokens, dict) or tokens.keys() - {"in", "out"}:
        raise SettingError(f"{where}: tokens is {tokens!r:.60}; it must be {{in: PATH, out: PATH}}")
    paths = {"reply": raw["reply"], "stream": raw.get("stream"), "session": raw.get("session")}
    paths |= {"tokens.in": tokens.get("in"), "tokens.out": tokens.get("out")}
    for name, path in paths.items():
        if (path is not None or name == "reply") and (
            not isinstance(path, str) or "" in path.split(".")
        ):
            raise SettingError(
                f"{where}: {name} is {path!r:.60}; it must be a path, as in choices.0.text"
            )
    return Agent(
        url=url,
        request=request,
        reply=raw["reply"],
        headers=headers,
        stateful=stateful,
        stream=raw.get("stream"),
        session=raw.get("session"),
        tokens_in=tokens.get("in"),
        tokens_out=tokens.get("out"),
        secrets=secrets,
        digest=_digest(raw),
    )


def follow(data: Any, path: str) -> Any:
    """What stands at a path (`choices.0.text`) of a response; raises LookupError for nothing."""
    for word in path.split("."):
        if isinstance(data, list) and word.isdecimal():
            data = data[int(word)]
        elif isinstance(data, dict):
            data = data[word]
        else:
            raise LookupError(word)
    return data


def _check_url(url: object, where: str) -> None:
    parts, fits = None, False
    try:
        if isinstance(url, str):
            parts = urlsplit(url)
            # A port that is none raises ValueError.
            fits = parts.scheme in ("http", "https") and parts.port != 0
            fits = fits and bool(parts.hostname) and not re.search(r"\s", url)
    except ValueError:
        fits = False
    if parts is not None and "@" in parts.netloc:
        raise SettingError(
            f"{where}: holds a name or a password; give it as a header, from the environment"
        )
    if not fits:
        shown = url.rpartition("@")[2].partition("?")[0] if isinstance(url, str) else url
        raise SettingError(f"{where} is {shown!r:.80}; it must be an address, https://HOST/PATH")


def _check_request(request: Mapping[str, Any], stateful: bool, where: str) -> None:
    try:
        json.dumps(request, allow_nan=False, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise SettingError(
            f"{where}: request is no JSON object ({error}); put dates in quotes, and let names be"
            " texts"
        ) from None
    names = {name for text in _texts(request) for name in _PLACEHOLDER.findall(text)}
    if unknown := sorted(names - {*PLACEHOLDERS}):
        known = ", ".join(f"${{{name}}}" for name in PLACEHOLDERS)
        raise SettingError(
            f"{where}: request has ${{{unknown[0]}}}; it may have {known}, and headers what stands"
            " in the environment"
        )
    if any("${messages}" in text and text != "${messages}" for text in _texts(request)):
        raise SettingError(f"{where}: ${{messages}} is a list, so it must be a whole value")
    needed = ("message", "session") if stateful else ("messages",)
    if absent := [name for name in needed if name not in names]:
        kind = "a stateful agent" if stateful else "an agent that remembers nothing"
        raise SettingError(f"{where}: request has no ${{{absent[0]}}}, which {kind} needs")


def _headers(
    raw: object, where: str, environ: Mapping[str, str]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The headers with what the environment says, and the values that must not be shown."""
    if not isinstance(raw, dict) or not all(
        isinstance(name, str) and isinstance(value, str) for name, value in raw.items()
    ):
        raise SettingError(f"{where}: headers must be names with texts")
    headers: dict[str, str] = {}
    secrets: list[str] = []
    for name, value in raw.items():
        names = _PLACEHOLDER.findall(value)
        if not _HEADER.fullmatch(name):
            raise SettingError(f"{where}: {name!r:.60} is no name of a header")
        if SECRET.search(name) and not names:
            raise SettingError(
                f"{where}: header {name} is written out; keep it in the environment and write"
                f" {name}: ${{NAME}}"
            )
        if absent := [one for one in names if not environ.get(one, "").strip()]:
            raise SettingError(
                f"{where}: header {name} needs the environment variable {absent[0]}, which is not"
                " set"
            )
        headers[name] = _PLACEHOLDER.sub(lambda match: environ[match[1]].strip(), value)
        if re.search(r"[\r\n]", headers[name] + name):
            raise SettingError(f"{where}: header {name} has a line break in it")
        secrets += [environ[one].strip() for one in names]
    return headers, tuple(secrets)


def _texts(value: Any) -> list[str]:
    """All texts in a template, but for its keys."""
    if isinstance(value, dict):
        return [text for one in value.values() for text in _texts(one)]
    if isinstance(value, list):
        return [text for one in value for text in _texts(one)]
    return [value] if isinstance(value, str) else []


def _filled(value: Any, known: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        whole = {key: _whole(one) for key, one in value.items()}
        return {
            key: _filled(one, known)
            for key, one in value.items()
            if not (whole[key] and known[whole[key]] is None)
        }
    if isinstance(value, list):
        return [_filled(one, known) for one in value]
    if not isinstance(value, str):
        return value
    if name := _whole(value):
        return known[name]
    return _PLACEHOLDER.sub(lambda match: str(known[match[1]] or ""), value)


def _whole(value: object) -> str:
    """The placeholder that a value is; "" for any other value."""
    match = _PLACEHOLDER.fullmatch(value) if isinstance(value, str) else None
    return match[1] if match else ""


def _digest(raw: Mapping[str, Any]) -> str:
    shown = {name: value for name, value in raw.items() if name not in ("headers", "url")}
    text = json.dumps(shown, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
