"""Messages as a chat template takes them, and which templates are refused.

Templates differ in what they take: some refuse or hide a system message, some show no text unless a
message's content is a list of parts, some print today's date. Each of these is found out by
rendering a probe. Evaluation and training use the same functions, so that a model is trained on the
very prompt it is asked with.

An `apply` below is a callable that takes messages and returns the prompt, for example
`HFLM.apply_chat_template` or `of_tokenizer(tokenizer)`. Where it returns anything but text
(lm_eval's chat API backends send the messages themselves), the server renders the template: it is
taken to show everything, and whether it prints a date is not known.
"""

from collections.abc import Callable, Sequence
from datetime import date
from functools import cached_property
from typing import Any

from csc_tasks.compat.transformers import pinned_date
from csc_tasks.errors import ModelError
from csc_tasks.prompts.render import Messages, system, user

DATE = "2024-07-26"
"""Today, for chat templates, unless `csc_date` names another day. It never moves, so that two runs
of the same evaluation ask the same prompts. This is the day that Llama 3's templates print where
they have no clock, so Llama 3.1's prompts stay as its template writes them.
"""

SERVER_DATE = "server"
"""What is recorded in place of a date where a server renders the template with a clock of its own.
"""

Apply = Callable[..., Any]

_PROBE = "probe-of-a-user-message"
_SYSTEM_PROBE = "probe-of-a-system-message"
# What is said in a conversation, and what it is called where a template hides it.
_HISTORY = (
    ("user", "probe-of-an-earlier-question", "what the user said earlier"),
    ("assistant", "probe-of-an-earlier-answer", "what the assistant said"),
    ("user", _PROBE, "what the user said last"),
)
# Two days on which every usual way to write a date differs, day and month included.
_DAYS = (date(2001, 2, 3), date(2014, 11, 25))


def iso_date(text: str) -> date:
    """The day that `text` (YYYY-MM-DD) names; ValueError, with what would do, for any other
    text.
    """
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:
        raise ValueError(f"must be a day as YYYY-MM-DD, for example {DATE}")
    return day


class ChatTemplate:
    """A model's chat template as every prompt of ours uses it; what it needs is found out once.

    `apply` renders messages, `today` is the date it is given (ISO form).
    """

    def __init__(self, apply: Apply, today: str = DATE) -> None:
        self.apply = apply
        self.today = today

    def __call__(self, messages: Messages) -> Any:
        """The prompt for `messages`. ModelError for a template that does not show all of them."""
        if any(message["role"] == "assistant" for message in messages):
            self.check_history()
        return self.render(messages)

    def render(self, messages: Messages, **options: object) -> Any:
        """As a call, and whatever the template hides. Options are handed to `apply`."""
        if messages[0]["role"] == "system" and not self.shows_system:
            messages = without_system(messages)
        with pinned_date(iso_date(self.today)):
            return self.apply(as_parts(messages) if self.needs_parts else messages, **options)

    @cached_property
    def needs_parts(self) -> bool:
        """As the function of this name."""
        return needs_parts(self.apply)

    @cached_property
    def shows_system(self) -> bool:
        """As the function of this name."""
        return shows_system(self.apply)

    @cached_property
    def prints_date(self) -> bool | None:
        """As the function of this name."""
        return prints_date(self.apply)

    def check_history(self) -> None:
        """Raise ModelError where a conversation of several turns cannot be shown."""
        if self._hides:
            raise ModelError(self._hides)

    @cached_property
    def _hides(self) -> str | None:
        return hides_history(self.apply)


def needs_parts(apply: Apply) -> bool:
    """Whether content must be a list of parts, `[{"type": "text", "text": ...}]`, for its text to
    show.

    Raises ModelError for a template that shows what the user says in neither form.
    """
    failures = []
    for parts in (False, True):
        try:
            rendered = _rendered(apply, [user(_PROBE)], parts)
        except Exception as error:  # A template is somebody else's program: it can fail in any way.
            failures.append(_in_one_line(error))
            continue
        if not isinstance(rendered, str):
            return False
        # A template that prints its messages as they are prints a list of parts, too.
        printed_list = parts and ("'type'" in rendered or '"type"' in rendered)
        if _PROBE in rendered and not printed_list:
            return parts
    why = f" ({failures[0]})" if failures else ""
    raise ModelError(
        "this model's chat template does not show what the user says, neither as plain text nor as"
        f" text parts{why}; take another template, or run without --apply_chat_template"
    )


def shows_system(apply: Apply) -> bool:
    """Whether a system message shows in what the template renders."""
    parts = needs_parts(apply)
    try:
        rendered = _rendered(apply, [system(_SYSTEM_PROBE), user(_PROBE)], parts)
    except Exception:  # That is how a template refuses a system message.
        return False
    return not isinstance(rendered, str) or _SYSTEM_PROBE in rendered


def hides_history(apply: Apply) -> str | None:
    """Why a conversation of several turns cannot be shown with this template; None where it can."""
    parts = needs_parts(apply)
    messages = [{"role": role, "content": probe} for role, probe, _ in _HISTORY]
    fault = None
    try:
        rendered = _rendered(apply, messages, parts)
    except Exception as error:  # As in needs_parts.
        fault = f"fails on a conversation of several turns ({_in_one_line(error)})"
    else:
        if not isinstance(rendered, str):
            return None
        places = [rendered.find(probe) for _, probe, _ in _HISTORY]
        hidden = [name for place, (_, _, name) in zip(places, _HISTORY, strict=True) if place < 0]
        if hidden:
            fault = f"leaves out {' and '.join(hidden)}"
        elif places != sorted(places):
            fault = "shows what was said in another order"
    if fault is None:
        return None
    return (
        f"this model's chat template {fault}; take another template, or the prompt style single, "
        "which sends one message (csc_prompt=single; in a recipe style: single)"
    )


def prints_date(apply: Apply) -> bool | None:
    """Whether the template prints today's date; None where it is a server that renders it."""
    parts = needs_parts(apply)
    # Some print it only beside a default system message, which one of ours replaces.
    asked = [
        [user(_PROBE)],
        *([[system(_SYSTEM_PROBE), user(_PROBE)]] if shows_system(apply) else []),
    ]
    prompts = []
    for day in _DAYS:
        with pinned_date(day):
            prompts.append([_rendered(apply, messages, parts) for messages in asked])
    if not isinstance(prompts[0][0], str):
        return None
    return prompts[0] != prompts[1]


def date_shown(apply: Apply | None, today: str) -> str | None:
    """The date that prompts show when templates are given `today`.

    None without a chat template (`apply` is None) and for one that prints no date; SERVER_DATE
    where a server renders it.
    """
    prints = False if apply is None else prints_date(apply)
    if prints is None:
        return SERVER_DATE
    return today if prints else None


def of_tokenizer(tokenizer: Any, **arguments: object) -> Apply:
    """The tokenizer's chat template, applied as lm_eval's hf backend does
    (HFLM.apply_chat_template).

    That is, without the system message where the template fails on it. `arguments` are the
    template's own (`enable_thinking`). The callable's `answered` leaves out the opening of a reply.
    """

    def apply(messages: Messages, answered: bool = False) -> str:
        import jinja2

        def render(shown: Sequence[dict[str, Any]]) -> str:
            text: str = tokenizer.apply_chat_template(
                list(shown), tokenize=False, add_generation_prompt=not answered, **arguments
            )
            return text

        try:
            return render(messages)
        except jinja2.exceptions.TemplateError:
            return render([message for message in messages if message["role"] != "system"])

    return apply


def without_system(messages: Messages) -> Messages:
    """`messages` with a leading system message put in front of the first user message instead."""
    if messages[0]["role"] != "system":
        return messages
    instructions, first, *rest = messages
    return [first | {"content": f"{instructions['content']}\n\n{first['content']}"}, *rest]


def as_parts(messages: Messages) -> list[dict[str, Any]]:
    """`messages` with each text as a list of one text part."""
    return [
        message | {"content": [{"type": "text", "text": message["content"]}]}
        for message in messages
    ]


def _rendered(apply: Apply, messages: Messages, parts: bool) -> Any:
    return apply(as_parts(messages) if parts else messages)


def _in_one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
