"""Customer-agent pairs: where they lie in a conversation, their stage, which of them become
questions, and the split they belong to.
"""

from collections.abc import Sequence

from csc_tasks.conversation import CUSTOMER, SUPPORTER, Turn
from csc_tasks.draws import RANGE, draw
from csc_tasks.errors import SettingError
from csc_tasks.languages import language as of
from csc_tasks.metrics.segment import chinese_tokens
from csc_tasks.question import QA_STAGES

PAIRS = ("all", "published")
SPLITS = ("train", "validation", "test")
# The published notebooks of arXiv 2602.00665: which third of a conversation the one pair is drawn
# from, and how short it may not be.
THIRDS = (0.2, 0.7, 0.1)
SHORTEST = 6


def pair_positions(turns: Sequence[Turn]) -> tuple[int, ...]:
    """Positions in `turns` of the customer's turns that the agent answers with the next turn."""
    speakers = [turn.speaker for turn in turns]
    return tuple(i for i in range(len(turns) - 1) if speakers[i : i + 2] == [CUSTOMER, SUPPORTER])


def stage_of(index: int, total: int) -> str:
    """Early, mid or late: p = (index + 0.5) / total below 0.2, in between, or from 0.9 on; exact at
    the bounds.
    """
    return QA_STAGES[(10 * index + 5 >= 2 * total) + (10 * index + 5 >= 9 * total)]


def token_count(text: str, language: str) -> int:
    """Tokens as the rule for short pairs counts them: words between white space, or characters and
    words where words are not spaced.
    """
    return len(text.split() if of(language).text.spaced else chinese_tokens(text))


def published_pair(turns: Sequence[Turn], language: str, seed: str) -> int | None:
    """Which pair (0-based) the published notebooks would draw: a third of the conversation with
    weights 0.2/0.7/0.1, a turn of that third, then the nearest pair, the earlier one of two. Pairs
    whose question or answer has under 6 tokens are skipped; None where none is left.

    The draw depends on `seed` alone, and is the same on every machine.
    """
    usable = [
        (k, at)
        for k, at in enumerate(pair_positions(turns))
        if all(token_count(turn.text, language) >= SHORTEST for turn in turns[at : at + 2])
    ]
    if not usable:
        return None
    third_draw, place = (draw(f"qa pair {seed}", which) / RANGE for which in (0, 1))
    third = (third_draw >= THIRDS[0]) + (third_draw >= THIRDS[0] + THIRDS[1])
    wanted = (third + place) / 3 * len(turns)
    return min(usable, key=lambda pair: (abs(pair[1] + 1 - wanted), pair[0]))[0]


def parse_shares(text: str) -> dict[str, int]:
    """`70,10,20` -> the percentages of train, validation and test; raises SettingError unless they
    are three that make 100.
    """
    parts = [part.strip() for part in text.split(",")]
    if (
        len(parts) != 3
        or not all(part.isdecimal() for part in parts)
        or sum(map(int, parts)) != 100
    ):
        raise SettingError(
            f"--splits {text!r} is not three percentages (whole numbers, no shares) for"
            f" {', '.join(SPLITS)} that make 100, as in 70,10,20"
        )
    return dict(zip(SPLITS, map(int, parts), strict=True))


def split_of(conversation_id: str, shares: dict[str, int]) -> str:
    """The split of a conversation: its id alone decides, so it stays there whatever else is built
    with it.
    """
    place = draw(f"qa split {conversation_id}") * 100
    bound = 0
    for split, share in shares.items():
        bound += share * RANGE
        if place < bound:
            return split
    raise AssertionError(f"the shares {shares} do not make 100")
