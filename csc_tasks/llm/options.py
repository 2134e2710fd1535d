"""The options that every verb shares which asks a language model."""

import json
import os
import re
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar
from urllib.parse import urlsplit

from csc_tasks.errors import SettingError
from csc_tasks.llm.accepted import FORMS, THINKING_TOKENS

# Few enough to cost little, many enough to tell a bad model from bad luck.
STOP_AFTER = 30

_STAGED = re.compile(r"([\w.-]+)=(.*)", re.DOTALL)

# Fields of a request that are secrets: sampling is written into the dataset, and a command into the
# record of a part.
_SECRET = re.compile(
    r"api[-_]?key|authori[sz]ation|password|secret|credential|(access|auth|bearer)[-_]?token",
    re.IGNORECASE,
)

# What `ask` itself puts into a request.
RESERVED = {"model", "messages", "response_format", "stream", "n"}

Value = TypeVar("Value")


def add_llm_arguments(parser: ArgumentParser, required: bool = True) -> None:
    """Add them; `csc_tasks.llm.client.llm_from_args` reads them. `required=False` is for verbs that
    can do without a model.
    """
    group = parser.add_argument_group("language model")
    _add_model(group.add_argument, required)
    _add_sending(group.add_argument)
    _add_requests(group.add_argument)


def _add_model(add: Callable[..., object], required: bool) -> None:
    """Who is asked, and where it is recorded."""
    add(
        "--llm",
        action="append",
        required=required,
        default=None if required else [],
        metavar="[STAGE=]BACKEND:MODEL",
        help=(
            "who answers: openai:MODEL (any OpenAI-compatible server), batch:MODEL (the same by its"
            " Batch API, at half the price and within a day; for stages that do not wait for one"
            " another) or scripted (offline stand-in); repeatable, one stage or all others"
        ),
    )
    add(
        "--batch-command",
        metavar="CMD",
        help=(
            "have the files of batch:MODEL answered by a command that takes -i, -o and --model, as"
            " 'vllm run-batch' does, instead of a server"
        ),
    )
    add(
        "--base-url",
        metavar="URL",
        help=(
            "the server, with its /v1 (default: OPENAI_BASE_URL, else OpenAI's); the key is"
            " OPENAI_API_KEY"
        ),
    )
    add(
        "--journal",
        metavar="FILE",
        help="where every request is recorded and read again (default: beside the output)",
    )


def _add_sending(add: Callable[..., object]) -> None:
    """How fast and how patiently."""
    add(
        "--concurrency",
        type=int,
        default=16,
        metavar="N",
        help="most requests out at once; fewer while the server says 429 (default: 16)",
    )
    add(
        "--timeout",
        type=float,
        default=300.0,
        metavar="S",
        help="seconds for one reply (default: 300)",
    )
    add(
        "--retries",
        type=int,
        default=6,
        metavar="N",
        help="tries again after a transport error or 5xx, with growing pauses (default: 6)",
    )
    add(
        "--attempts",
        type=int,
        default=3,
        metavar="N",
        help="replies asked for until one is well-formed, else the item goes (default: 3)",
    )
    add(
        "--max-wait",
        type=float,
        default=300.0,
        metavar="S",
        help="stop when the server keeps everything waiting this long (default: 300)",
    )
    add(
        "--stop-after-failures",
        type=int,
        default=STOP_AFTER,
        metavar="K",
        help=(
            "stop, and say why, when nine of ten of the last K items fail alike; 0: never (default:"
            f" {STOP_AFTER})"
        ),
    )
    add(
        "--retry-dropped",
        action="store_true",
        help=(
            "ask again what an earlier run gave up because the server answered others and not it"
            " (too long, timed out, ...)"
        ),
    )


def _add_requests(add: Callable[..., object]) -> None:
    """What is in a request, and what all of them may cost."""
    add(
        "--sampling",
        action="append",
        default=[],
        metavar="[STAGE=]JSON",
        help=(
            'request fields to set or (null) leave out, as in \'{"temperature": 0.7, "max_tokens":'
            " null}'; wins over the verb's own"
        ),
    )
    add(
        "--max-tokens",
        action="append",
        default=[],
        metavar="[STAGE=]N",
        help=(
            "most tokens of a reply, 0 for no bound (default: what the stage needs, and"
            f" {THINKING_TOKENS:,} more for a model that thinks first)"
        ),
    )
    add(
        "--response-format",
        action="append",
        default=[],
        metavar="[STAGE=]FORM",
        help=(
            "how JSON is asked for: json-schema, json-object or text, in the prompt's words alone"
            " (default: in this order, the first that the server takes; text for a model that"
            " thinks in its reply)"
        ),
    )
    add(
        "--price",
        action="append",
        default=[],
        metavar="[STAGE=]IN,OUT",
        help="price of a million tokens in and out, as in 0.15,0.60",
    )
    add(
        "--max-requests",
        type=int,
        metavar="N",
        help="stop after N requests, those of earlier runs in the journal included",
    )
    add(
        "--max-cost",
        type=float,
        metavar="X",
        help="stop when X was spent, earlier runs included; goes over it by one reply at most",
    )


def check_numbers(args: Namespace) -> None:
    """Raise SettingError for an option of `add_llm_arguments` whose number makes no sense."""
    for name, least in (
        ("concurrency", 1),
        ("retries", 0),
        ("attempts", 1),
        ("stop_after_failures", 0),
        ("max_wait", 0),
        ("max_requests", 0),
        ("max_cost", 0),
    ):
        value = getattr(args, name)
        # Written this way round, so that nan is refused too.
        if value is not None and not value >= least:
            raise SettingError(f"--{name.replace('_', '-')} {value:g}: at least {least}")
    if not args.timeout > 0:
        raise SettingError(f"--timeout {args.timeout:g}: above 0")


def parse_specs(specs: Sequence[str], backends: Collection[str]) -> dict[str, tuple[str, str]]:
    """`[STAGE=]BACKEND:MODEL` -> {stage: (backend, model)}, "" for all other stages; raises
    SettingError.
    """

    def parse(text: str) -> tuple[str, str]:
        backend, _, model = text.partition(":")
        if backend not in backends:
            raise SettingError(
                f"--llm {text}: there is no backend {backend!r}; there are {', '.join(backends)},"
                " as in openai:MODEL"
            )
        return backend, model

    return by_stage(specs, parse, "--llm")


def by_stage(texts: Sequence[str], parse: Callable[[str], Value], option: str) -> dict[str, Value]:
    """`[STAGE=]VALUE`, repeated -> {stage: parse(VALUE)}, "" for all other stages; raises
    SettingError for a stage given twice.
    """
    values: dict[str, Value] = {}
    for text in texts:
        # A model name or JSON text may hold "=" too, but never after letters alone.
        staged = _STAGED.fullmatch(text)
        stage, value = (staged[1], staged[2]) if staged else ("", text)
        if stage in values:
            raise SettingError(f"{option} is given twice for {stage or 'all other stages'}")
        values[stage] = parse(value)
    return values


def checked_sampling(given: str | Mapping[str, object]) -> dict[str, object]:
    """Request fields, from JSON text or a mapping; raises SettingError for what is no object and
    for fields that are not the user's.
    """
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError as error:
            raise SettingError(f"--sampling {given}: not JSON ({error})") from None
        _check_secrets(given)
    if not isinstance(given, Mapping):
        raise SettingError(
            f"--sampling {given!r}: must be a JSON object, as in '{{\"temperature\": 0.7}}'"
        )
    taken = RESERVED & given.keys()
    if taken:
        raise SettingError(
            f"sampling cannot hold {', '.join(sorted(taken))}: these belong to the request itself"
        )
    return dict(given)


def _check_secrets(fields: object) -> None:
    """Raise SettingError, which does not show it, for a field of a request that holds a secret."""
    if isinstance(fields, list):
        for value in fields:
            _check_secrets(value)
    if isinstance(fields, dict):
        for name, value in fields.items():
            key = os.environ.get("OPENAI_API_KEY", "").strip()
            if _SECRET.search(name) or (len(key) >= 8 and isinstance(value, str) and key in value):
                raise SettingError(
                    f"--sampling: {name!r} holds a secret, and sampling is written into the"
                    " dataset; the key is OPENAI_API_KEY"
                )
            _check_secrets(value)


def checked_tokens(text: str) -> int:
    """A number of tokens, 0 for no bound; raises SettingError."""
    if not text.isdecimal():
        raise SettingError(f"--max-tokens {text!r} is not [STAGE=]N, a whole number from 0 on")
    return int(text)


def checked_form(text: str) -> str:
    """A way of asking for JSON; raises SettingError for another word."""
    if text not in FORMS:
        raise SettingError(f"--response-format {text!r}: there are {', '.join(FORMS)}")
    return text


def checked_url(url: str) -> str:
    """`url` without a slash at its end; raises SettingError unless it is plain http(s). Keys do not
    belong into it: it is written down.
    """
    parts = urlsplit(url)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise SettingError(
            "the base URL carries a user name, password, query or fragment; give it without, and"
            " the key as OPENAI_API_KEY"
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingError(f"base URL {url!r} is not http://HOST[:PORT]/... or https://...")
    return url.rstrip("/")
