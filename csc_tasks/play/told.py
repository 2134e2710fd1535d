"""How long a prompt may be, as an API server's refusals tell."""

from typing import TYPE_CHECKING

from csc_tasks.refusals import TooLong

if TYPE_CHECKING:
    from lm_eval.models.api_models import JsonChatStr

MOST = 6
"""After so many refusals of one turn its whole history is left out."""


class Told:
    """What a server's refusals have told one conversation about the length of prompts.

    Kept for each conversation, not for the run: what a prompt leaves out must not depend on which
    conversation was played first. `least` is how many of the oldest turns are surely too many.
    """

    def __init__(self) -> None:
        self.limit: int | None = None
        self.rate = 0.0
        self.least = 0
        self._refusals = 0

    def refused(
        self, too_long: TooLong, prompt: "str | JsonChatStr", dropped: int, droppable: int
    ) -> None:
        """The server refused `prompt`, from which `dropped` of `droppable` turns were left out."""
        self._refusals += 1
        step = 1
        if too_long.limit and too_long.tokens:
            self.limit, self.rate = too_long.limit, too_long.tokens / size(prompt)
        else:
            step = 2 ** (self._refusals - 1)
        self.least = min(dropped + step, droppable) if self._refusals < MOST else droppable

    def accepted(self) -> None:
        """The server took the prompt asked last."""
        self._refusals = 0

    def fits(self, prompt: "str | JsonChatStr", reply_tokens: int) -> bool:
        """Whether the prompt fits by the server's own numbers; true where it named none."""
        return self.limit is None or size(prompt) * self.rate <= self.limit - reply_tokens


def size(prompt: "str | JsonChatStr") -> int:
    """Bytes of a prompt: text, or lm_eval's JSON of chat messages."""
    return len(prompt.encode("utf-8"))
