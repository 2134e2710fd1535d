"""The rules that a synthetic conversation must keep: each is a function, conversation -> why it is
dropped, or None.

`first_reason` applies them in order, and the first reason counts. Bounds are inclusive: what lies
on one is kept.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from itertools import groupby

from builders.wording import words
from csc_tasks.conversation import CUSTOMER, SUPPORTER, Conversation
from csc_tasks.framework import STRATEGIES
from csc_tasks.languages.detect import in_another_language
from csc_tasks.languages.labels import read_together, strategy_name

FEWEST_UTTERANCES = 8
MOST_UTTERANCES = 50
# Neither side may have less than this share of the utterances.
LEAST_SHARE = 1 / 3
FEWEST_STRATEGIES = 4
MOST_IN_A_ROW = 2

Filter = Callable[[Conversation], str | None]


@cache
def _tags(language: str) -> tuple[str, ...]:
    own = [strategy_name(s.id, code) for s in STRATEGIES for code in read_together(language)]
    return tuple(f"{left}{name}{right}" for name in own for left, right in ("[]", "【】"))


def unsound(conversation: Conversation) -> str | None:
    """A conversation that no dataset folder may hold."""
    return "unsound" if conversation.problems() else None


def unlabelled(conversation: Conversation) -> str | None:
    """A supporter turn without a strategy."""
    return (
        "supporter turn without a strategy"
        if any(t.speaker == SUPPORTER and not t.strategy for t in conversation.dialogue)
        else None
    )


def too_few_utterances(conversation: Conversation) -> str | None:
    """Fewer than FEWEST_UTTERANCES."""
    return (
        f"fewer than {FEWEST_UTTERANCES} utterances"
        if len(conversation.dialogue) < FEWEST_UTTERANCES
        else None
    )


def too_many_utterances(conversation: Conversation) -> str | None:
    """More than MOST_UTTERANCES."""
    return (
        f"more than {MOST_UTTERANCES} utterances"
        if len(conversation.dialogue) > MOST_UTTERANCES
        else None
    )


def one_sided(conversation: Conversation) -> str | None:
    """Either side, whichever it is, has less than LEAST_SHARE of the utterances."""
    for speaker in (SUPPORTER, CUSTOMER):
        utterances = sum(turn.speaker == speaker for turn in conversation.dialogue)
        if utterances < LEAST_SHARE * len(conversation.dialogue):
            return f"{speaker} says less than a third"
    return None


def wrong_opening(conversation: Conversation) -> str | None:
    """The supporter does not open, or its first two turns are not Greeting and Identity
    Verification.
    """
    used = [turn.strategy for turn in conversation.dialogue if turn.speaker == SUPPORTER]
    opens = bool(conversation.dialogue) and conversation.dialogue[0].speaker == SUPPORTER
    return (
        None
        if opens and used[:2] == ["GT", "IV"]
        else "does not open with Greeting and Identity Verification"
    )


def same_strategy_in_a_row(conversation: Conversation) -> str | None:
    """One strategy in more than MOST_IN_A_ROW supporter turns in a row, whatever the customer says
    between them.
    """
    used = [turn.strategy for turn in conversation.dialogue if turn.speaker == SUPPORTER]
    longest = max((len(list(run)) for _, run in groupby(used)), default=0)
    return (
        f"one strategy more than {MOST_IN_A_ROW} times in a row"
        if longest > MOST_IN_A_ROW
        else None
    )


def few_strategies(conversation: Conversation) -> str | None:
    """Fewer than FEWEST_STRATEGIES different strategies."""
    used = {turn.strategy for turn in conversation.dialogue if turn.strategy}
    return (
        f"fewer than {FEWEST_STRATEGIES} different strategies"
        if len(used) < FEWEST_STRATEGIES
        else None
    )


def long_utterance(conversation: Conversation) -> str | None:
    """An utterance too long for its language: about four long sentences, where one or two are
    meant.
    """
    most = words(conversation.language).longest_utterance
    return (
        f"an utterance of more than {most} characters"
        if any(len(turn.text) > most for turn in conversation.dialogue)
        else None
    )


def strategy_in_text(conversation: Conversation) -> str | None:
    """A strategy's name in brackets inside an utterance."""
    tags = _tags(conversation.language)
    tagged = any(tag in turn.text for turn in conversation.dialogue for tag in tags)
    return "a strategy tag in an utterance" if tagged else None


def repeats_itself(conversation: Conversation) -> str | None:
    """One side says an utterance of more than a few words twice, word for word."""
    utterances = Counter(
        (turn.speaker, turn.text.casefold())
        for turn in conversation.dialogue
        if len(turn.text) > 12
    )
    return "says the same twice" if any(count > 1 for count in utterances.values()) else None


def wrong_language(conversation: Conversation) -> str | None:
    """The utterances, read as a whole, are in another language."""
    text = "\n".join(turn.text for turn in conversation.dialogue)
    return "in another language" if in_another_language(text, conversation.language) else None


FILTERS: tuple[Filter, ...] = (
    unsound,
    unlabelled,
    too_few_utterances,
    too_many_utterances,
    one_sided,
    wrong_opening,
    same_strategy_in_a_row,
    few_strategies,
    long_utterance,
    strategy_in_text,
    repeats_itself,
    wrong_language,
)


def first_reason(conversation: Conversation, filters: Sequence[Filter] = FILTERS) -> str | None:
    """The reason of the first filter that drops the conversation, or None."""
    return next(filter(None, (check(conversation) for check in filters)), None)


def bounds(languages: Sequence[str]) -> dict:
    """The filters' bounds for these languages, for build.json."""
    return {
        "utterances": [FEWEST_UTTERANCES, MOST_UTTERANCES],
        "least_share_of_utterances": round(LEAST_SHARE, 4),
        "most_characters": {language: words(language).longest_utterance for language in languages},
        "fewest_strategies": FEWEST_STRATEGIES,
        "most_in_a_row": MOST_IN_A_ROW,
    }
