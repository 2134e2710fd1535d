"""Reference context: a conversation's longest prompt, encoded before its turns are played."""

from collections.abc import Iterable

from csc_tasks.play.chains import Chain
from csc_tasks.play.requests import PlayInstance
from csc_tasks.tokens import shared_prefix

SUFFIX = 32
"""A turn's prompt may end in at most this many tokens that the longest one does not have there,
such as a question after the history; where it has more, history was dropped or written anew.
"""


class Ahead:
    """Which prompts are worth encoding before those of the turns that come first."""

    def __init__(self, chains: Iterable[Chain]) -> None:
        """chains: those of reference context have one request each, a conversation's in order."""
        self.last: dict[tuple[str | None, int | None, int], Chain] = {}
        for chain in chains:
            if len(chain.requests) == 1 and not chain.requests[0].generated:
                self.last[chain.requests[0].conversation] = chain

    def prompt(self, request: PlayInstance, tokens: list[int]) -> list[int] | None:
        """The tokens of the longest prompt of the request's conversation, once, when the first of
        its turns is played; None where it would not save that turn and those after it anything.

        tokens: the request's own prompt.
        """
        chain = self.last.pop(request.conversation, None)
        if chain is None or chain.requests[0] is request:
            return None
        last = chain.ask()
        if last is None:
            return None
        longest = chain.renderer.tokens(last.arguments[0])
        shared = shared_prefix(tokens, longest)
        return longest[:-1] if shared + SUFFIX >= len(tokens) else None
