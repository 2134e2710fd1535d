"""Which documents each rank of a distributed run plays, so that all ranks finish at about the same
time.
"""

import heapq
from collections.abc import Sequence

from csc_tasks.prompts import AnswerPrompt, TurnPrompt

REPLY_LENGTH = 100
"""Characters that writing a reply counts for beside those of the history, which are read once:
writing costs more than reading.
"""


def length(prompts: Sequence[TurnPrompt | AnswerPrompt]) -> int:
    """About how much work a document is, from its prompts: characters of its history, and more for
    each reply.
    """
    dialogue = (
        prompts[0].conversation.dialogue
        if isinstance(prompts[0], TurnPrompt)
        else prompts[0].question.conversation_history
    )
    return sum(len(turn.text) for turn in dialogue) + REPLY_LENGTH * len(prompts)


def share(lengths: Sequence[int], ranks: int) -> list[list[int]]:
    """The positions each rank takes, in order, with sums of about equal length: the longest first,
    each to the shortest sum so far.
    """
    taken: list[list[int]] = [[] for _ in range(ranks)]
    sums = [(0, rank) for rank in range(ranks)]
    for position in sorted(range(len(lengths)), key=lambda position: -lengths[position]):
        total, rank = heapq.heappop(sums)
        taken[rank].append(position)
        heapq.heappush(sums, (total + lengths[position], rank))
    return [sorted(positions) for positions in taken]
