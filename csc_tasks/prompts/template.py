"""Messages as a chat template takes them: what is done for templates that refuse or hide a system message.

Evaluation and training use the same functions, so that a model is trained on the very prompt it is asked with.
"""

from collections.abc import Callable

from csc_tasks.prompts.render import Messages

_PROBE = "system-message-probe"


def shows_system(chat_template: Callable[[Messages], object]) -> bool:
    """Whether a system message shows in what `chat_template` renders; one that renders no text (a chat API's) is taken to show it."""
    rendered = chat_template([{"role": "system", "content": _PROBE}, {"role": "user", "content": "probe"}])
    return not isinstance(rendered, str) or _PROBE in rendered


def without_system(messages: Messages) -> Messages:
    """`messages` with a leading system message put in front of the first user message instead."""
    if messages[0]["role"] != "system":
        return messages
    system, first, *rest = messages
    return [first | {"content": f"{system['content']}\n\n{first['content']}"}, *rest]
