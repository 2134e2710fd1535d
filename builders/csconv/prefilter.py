"""The rules that a recorded conversation must keep before a language model sees it: each is a
function, turns -> why it goes, or None.

Source: the pre-filtering of CSConv (Section 3 of arXiv 2508.04423), on conversations whose
same-speaker neighbours are merged. The bounds are inclusive: what lies on one is kept.
`first_reason` applies the rules in order, and the first reason counts.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from csc_tasks.conversation import CUSTOMER, SUPPORTER, Turn

if TYPE_CHECKING:
    from builders.sources import RawConversation

FEWEST_EXCHANGES, MOST_EXCHANGES = 3, 30
MOST_CHARACTERS = 500
# Merged turns alternate, so their numbers are always in balance: what can be out of balance is how
# much is said. Our choice of bound: below a tenth of the characters one side hardly takes part.
# Half of CrossWOZ's conversations lie above 0.52, all of them in 0.35-0.79.
LEAST_SHARE = 0.1
# A customer turn of at most so many characters ("好的", "yes") says next to nothing.
SHORT_TURN = 3
LEAST_SHARE_OF_LONG_TURNS = 0.7

Rule = Callable[[Sequence[Turn]], str | None]


def exchanges(turns: Sequence[Turn]) -> int:
    """How often one side spoke and the other answered, in turns that alternate."""
    return len(turns) // 2


def too_few_exchanges(turns: Sequence[Turn]) -> str | None:
    """Fewer than FEWEST_EXCHANGES."""
    return (
        f"fewer than {FEWEST_EXCHANGES} exchanges" if exchanges(turns) < FEWEST_EXCHANGES else None
    )


def too_many_exchanges(turns: Sequence[Turn]) -> str | None:
    """More than MOST_EXCHANGES."""
    return f"more than {MOST_EXCHANGES} exchanges" if exchanges(turns) > MOST_EXCHANGES else None


def long_utterance(turns: Sequence[Turn]) -> str | None:
    """An utterance of either side of more than MOST_CHARACTERS."""
    return (
        f"an utterance of more than {MOST_CHARACTERS} characters"
        if any(len(turn.text) > MOST_CHARACTERS for turn in turns)
        else None
    )


def out_of_balance(turns: Sequence[Turn]) -> str | None:
    """Either side, whichever it is, says less than LEAST_SHARE of the characters."""
    totals = {
        speaker: sum(len(turn.text) for turn in turns if turn.speaker == speaker)
        for speaker in (CUSTOMER, SUPPORTER)
    }
    for speaker, characters in totals.items():
        if characters < LEAST_SHARE * sum(totals.values()):
            return f"{speaker} says less than {LEAST_SHARE:.0%} of it"
    return None


def short_customer_turns(turns: Sequence[Turn]) -> str | None:
    """Fewer than LEAST_SHARE_OF_LONG_TURNS of the customer's turns have more than SHORT_TURN
    characters.
    """
    lengths = [len(turn.text) for turn in turns if turn.speaker == CUSTOMER]
    long = sum(length > SHORT_TURN for length in lengths)
    # In whole numbers: 0.7 * 10 is a little more than 7.
    if 10 * long < round(10 * LEAST_SHARE_OF_LONG_TURNS) * len(lengths):
        return (
            f"fewer than {LEAST_SHARE_OF_LONG_TURNS:.0%} of the customer's turns longer than"
            f" {SHORT_TURN} characters"
        )
    return None


RULES: tuple[Rule, ...] = (
    too_few_exchanges,
    too_many_exchanges,
    long_utterance,
    out_of_balance,
    short_customer_turns,
)


def first_reason(raw: "RawConversation") -> str | None:
    """The reason of the first rule that drops the conversation, or None."""
    return next(filter(None, (rule(raw.turns) for rule in RULES)), None)


def bounds() -> dict:
    """The rules' bounds, for build.json."""
    return {
        "exchanges": [FEWEST_EXCHANGES, MOST_EXCHANGES],
        "most_characters_of_an_utterance": MOST_CHARACTERS,
        "least_share_of_characters_of_either_side": LEAST_SHARE,
        "least_share_of_customer_turns_longer_than_3_characters": LEAST_SHARE_OF_LONG_TURNS,
    }
