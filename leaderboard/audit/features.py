"""What of a conversation can be counted in its customer's turns alone: lengths, acts, courtesy,
friction, mood, words. NaN: it says nothing of that.
"""

import math
from collections.abc import Callable, Iterable

from leaderboard.audit.cues import Cues
from leaderboard.audit.turns import Talk, Turn

WINDOW = 30
"""Words in which different ones are counted, so that longer conversations have no fewer."""
SHORT = 8
"""Words up to which a turn that agrees says nothing else."""


def turn_count(talk: Talk) -> float:
    """log2 of the customer's turns."""
    return math.log2(max(1, len(talk.turns)))


def turn_length(talk: Talk) -> float:
    """log2 of the words in a turn, on average."""
    return math.log2(max(0.5, _mean(len(turn.words) for turn in talk.turns)))


def longest_turn(talk: Talk) -> float:
    """log2 of the words in the longest turn."""
    return math.log2(max((len(turn.words) for turn in talk.turns), default=1) or 1)


def length_spread(talk: Talk) -> float:
    """The standard deviation of log2 words over the turns: some are long, some are short."""
    logs = [math.log2(max(1, len(turn.words))) for turn in talk.turns]
    if len(logs) < 2:
        return math.nan
    mean = sum(logs) / len(logs)
    return math.sqrt(sum((log - mean) ** 2 for log in logs) / len(logs))


def sentence_count(talk: Talk) -> float:
    """Sentences in a turn, on average."""
    return _mean(turn.sentences for turn in talk.turns)


def several_sentences(talk: Talk) -> float:
    """The share of turns with more than one sentence."""
    return _mean(turn.sentences > 1 for turn in talk.turns)


def share_with(cue: str) -> Callable[[Talk, Cues], float]:
    """The share of turns with a cue."""
    return lambda talk, cues: _mean(cues.has(cue, turn.text) for turn in talk.turns)


def count_of(cue: str) -> Callable[[Talk, Cues], float]:
    """How often a cue stands in a turn, on average."""
    return lambda talk, cues: _mean(cues.count(cue, turn.text) for turn in talk.turns)


def with_digits(talk: Talk) -> float:
    """The share of turns that hold a number in digits."""
    return _mean(any(map(str.isdigit, turn.text)) for turn in talk.turns)


def agreeing_answers(talk: Talk, cues: Cues) -> float:
    """Of the turns that answer the supporter, the share that opens with agreement."""
    answers = [turn for turn in talk.turns if turn.before]
    return _mean(cues.has("agree", turn.text) for turn in answers) if answers else math.nan


def only_agreeing(talk: Talk, cues: Cues) -> float:
    """The share of turns that agree and say no more."""
    return _mean(cues.has("agree", turn.text) and len(turn.words) <= SHORT for turn in talk.turns)


def mood_in(part: int) -> Callable[[Talk, Cues], float]:
    """Kind less unkind words per turn in one third of the conversation (0, 1, 2)."""

    def mood(talk: Talk, cues: Cues) -> float:
        turns = talk.turns
        own = [turn for i, turn in enumerate(turns) if 3 * i // max(1, len(turns)) == part]
        return _mean(_mood(turn, cues) for turn in own) if own else math.nan

    return mood


def mood_change(talk: Talk, cues: Cues) -> float:
    """The mood of the last turn less that of the first."""
    if len(talk.turns) < 2:
        return math.nan
    return _mood(talk.turns[-1], cues) - _mood(talk.turns[0], cues)


def different_words(talk: Talk) -> float:
    """Different words in a window of 30, as a share, averaged over all windows; of a shorter
    conversation undefined.
    """
    words = [word for turn in talk.turns for word in turn.words]
    if len(words) < WINDOW:
        return math.nan
    counts: dict[str, int] = {}
    total = 0.0
    for i, word in enumerate(words):
        counts[word] = counts.get(word, 0) + 1
        if i >= WINDOW:
            gone = words[i - WINDOW]
            counts[gone] -= 1
            if not counts[gone]:
                del counts[gone]
        if i >= WINDOW - 1:
            total += len(counts) / WINDOW
    return total / (len(words) - WINDOW + 1)


def repeated_turns(talk: Talk) -> float:
    """The share of turns that were said before, word for word."""
    seen: set[tuple[str, ...]] = set()
    again = 0
    for turn in talk.turns:
        again += turn.words in seen
        seen.add(turn.words)
    return again / len(talk.turns) if talk.turns else math.nan


def repeated_runs(talk: Talk) -> float:
    """The share of runs of three words that stood in an earlier turn."""
    seen: set[tuple[str, ...]] = set()
    again = total = 0
    for turn in talk.turns:
        own = set(zip(turn.words, turn.words[1:], turn.words[2:], strict=False))
        again += len(own & seen)
        total += len(own)
        seen |= own
    return again / total if total else 0.0


def word_length(talk: Talk) -> float:
    """Letters in a word, on average."""
    return _mean(len(word) for turn in talk.turns for word in turn.words)


def ends_with(cue: str) -> Callable[[Talk, Cues], float]:
    """Whether the customer's last turn has a cue."""
    return lambda talk, cues: float(cues.has(cue, talk.turns[-1].text)) if talk.turns else math.nan


def last_length(talk: Talk) -> float:
    """log2 of the words in the customer's last turn."""
    return math.log2(max(1, len(talk.turns[-1].words))) if talk.turns else math.nan


def runs(talk: Talk) -> frozenset[tuple[str, ...]]:
    """The pairs and triples of words that the customer says, within turns: what two conversations
    can share.
    """
    found: set[tuple[str, ...]] = set()
    for turn in talk.turns:
        words = ("^", *turn.words, "$")
        found |= set(zip(words, words[1:], words[2:], strict=False))
    return frozenset(found)


def _mood(turn: Turn, cues: Cues) -> float:
    return cues.count("positive", turn.text) - cues.count("negative", turn.text)


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed) if listed else math.nan
