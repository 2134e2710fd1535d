"""What a corpus holds, as numbers: Tables 3 to 5 and Figures 3 and 5 of arXiv 2508.04423 for any
conversations, and sizes of questions.

Lengths are characters of a Chinese text (white space and marks included) and words between white
space of an English one; languages are therefore never counted together. "Strategy use without
Others" is the share of labelled supporter utterances whose label is not Others.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from csc_tasks.conversation import SUPPORTER, Conversation
from csc_tasks.draws import digest
from csc_tasks.framework import STRATEGY_IDS, TOPICS
from csc_tasks.languages import language as of
from csc_tasks.metrics.segment import chinese_tokens
from csc_tasks.question import QA_STAGES, Question

START, END = "start", "end"
OTHERS = "Others"
MOST_PROFILES = 2_000
"""Above so many distinct profiles, overlap is measured on this many of them (the first by hash): it
takes time and memory to the square.
"""
THRESHOLDS = tuple(step / 20 for step in range(21))


@dataclass(frozen=True, slots=True)
class ProfileOverlap:
    """How alike customer profiles are. Overlap of two: words they share by words in either
    (Chinese: characters), 0 to 1.

    `measured` of `distinct` profiles were compared. `pairs` and `nearest` are the curves over
    THRESHOLDS: the share of pairs, and of profiles with their most similar other, whose overlap is
    at least the threshold. The means go with them; all is empty below two.
    """

    distinct: int
    measured: int
    mean_pair: float | None
    mean_nearest: float | None
    pairs: tuple[float, ...]
    nearest: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ConversationStatistics:
    """Conversations of one language in one split. Averages are None where there is nothing to
    average.
    """

    conversations: int
    utterances: int
    supporter_utterances: int
    customer_utterances: int
    avg_utterances_per_conversation: float | None
    avg_supporter_utterance_length: float | None
    avg_customer_utterance_length: float | None
    labelled: int
    strategies: Mapping[str, int]
    topics: Mapping[str, int]
    transitions: Mapping[str, Mapping[str, int]]
    profiles: ProfileOverlap | None

    @property
    def strategy_use_without_others_percent(self) -> float | None:
        """0 to 100, of the labelled supporter utterances."""
        return 100 * (1 - self.strategies[OTHERS] / self.labelled) if self.labelled else None

    def share(self, strategy: str) -> float | None:
        """0 to 1, of the labelled supporter utterances, Others included."""
        return self.strategies[strategy] / self.labelled if self.labelled else None


@dataclass(frozen=True, slots=True)
class QuestionStatistics:
    """Questions of one language in one split."""

    questions: int
    conversations: int
    avg_history_turns: float | None
    avg_lengths: Mapping[str, float | None]
    stages: Mapping[str, int]
    topics: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Part:
    """The statistics of one language in one split."""

    config: str
    split: str
    language: str
    numbers: ConversationStatistics | QuestionStatistics

    @property
    def name(self) -> str:
        """What heads its column."""
        return f"{self.config}/{self.split} {self.language}"


def of_talks(parts: Iterable[Part]) -> list[tuple[str, ConversationStatistics]]:
    """(name, numbers) of the parts that are conversations."""
    return [
        (part.name, part.numbers)
        for part in parts
        if isinstance(part.numbers, ConversationStatistics)
    ]


def of_conversations(items: Sequence[Conversation]) -> ConversationStatistics:
    """The statistics of conversations, all in one language."""
    turns = [(turn, item.language) for item in items for turn in item.dialogue]
    supporter = [
        length(turn.text, language)
        for turn, language in turns
        if turn.speaker == SUPPORTER and not turn.held_out
    ]
    customer = [
        length(turn.text, language) for turn, language in turns if turn.speaker != SUPPORTER
    ]
    labels = Counter(turn.strategy for turn, _ in turns if turn.strategy and not turn.held_out)
    profiles = sorted({item.profile for item in items if item.profile})
    return ConversationStatistics(
        conversations=len(items),
        utterances=len(turns),
        supporter_utterances=sum(turn.speaker == SUPPORTER for turn, _ in turns),
        customer_utterances=len(customer),
        avg_utterances_per_conversation=_mean([len(item.dialogue) for item in items]),
        avg_supporter_utterance_length=_mean(supporter),
        avg_customer_utterance_length=_mean(customer),
        labelled=labels.total(),
        strategies={name: labels[name] for name in STRATEGY_IDS},
        topics=_topics(items),
        transitions=transitions(items),
        profiles=profile_overlap(profiles) if profiles else None,
    )


def of_questions(items: Sequence[Question]) -> QuestionStatistics:
    """The statistics of questions, all in one language."""
    texts = ("history_summary", "client_question", "agent_answer", "refined_agent_answer")
    stages = Counter(item.stage for item in items)
    return QuestionStatistics(
        questions=len(items),
        conversations=len({item.conversation_id for item in items}),
        avg_history_turns=_mean([len(item.conversation_history) for item in items]),
        avg_lengths={
            name: _mean([length(getattr(item, name), item.language) for item in items])
            for name in texts
        },
        stages={stage: stages[stage] for stage in QA_STAGES},
        topics=_topics(items),
    )


def length(text: str, language: str) -> int:
    """Characters of a Chinese text, words of an English one."""
    return len(text.split()) if of(language).text.spaced else len(text)


def transitions(items: Iterable[Conversation]) -> dict[str, dict[str, int]]:
    """How often a strategy (or the conversation's start) is followed by which (or by its end).
    Unlabelled turns between are skipped.
    """
    counts: Counter = Counter()
    for item in items:
        labels = [item.dialogue[i].strategy for i in item.scored_turns()]
        if labels:
            counts.update(zip([START, *labels], [*labels, END], strict=True))
    return {
        before: {after: counts[before, after] for after in (*STRATEGY_IDS, END)}
        for before in (START, *STRATEGY_IDS)
    }


def profile_overlap(profiles: Iterable[str]) -> ProfileOverlap:
    """Word overlap between distinct profiles (Figure 5 shows such a curve without a formula: this
    one is the project's own).
    """
    import numpy

    distinct = sorted(set(profiles), key=lambda text: (digest(text), text))
    measured = distinct[:MOST_PROFILES]
    if len(measured) < 2:
        return ProfileOverlap(len(distinct), len(measured), None, None, (), ())
    words = [{token for token in chinese_tokens(text) if token.isalnum()} for text in measured]
    # A word of one profile alone is shared with nobody: it counts in the sizes and needs no column.
    columns = {
        word: i
        for i, word in enumerate(
            sorted(w for w, n in Counter(w for own in words for w in own).items() if n > 1)
        )
    }
    holds = numpy.zeros((len(words), len(columns)), dtype=numpy.float32)
    for row, own in enumerate(words):
        holds[row, [columns[word] for word in own if word in columns]] = 1
    sizes = numpy.array([len(own) for own in words], dtype=numpy.float64)
    shared = (holds @ holds.T).astype(numpy.float64)
    either = sizes[:, None] + sizes[None, :] - shared
    # Two profiles without a single word are alike.
    overlap = numpy.divide(shared, either, out=numpy.ones_like(shared), where=either > 0)
    pairs = overlap[numpy.triu_indices(len(words), k=1)]
    numpy.fill_diagonal(overlap, -1)
    nearest = overlap.max(axis=1)
    curves = [
        tuple(float((values >= threshold).mean()) for threshold in THRESHOLDS)
        for values in (pairs, nearest)
    ]
    return ProfileOverlap(
        len(distinct), len(measured), float(pairs.mean()), float(nearest.mean()), *curves
    )


def _topics(items: Iterable[Conversation | Question]) -> dict[str, int]:
    """The eight topics in the paper's order, then whatever else occurs, most frequent first."""
    counts = Counter(item.topic or "(none)" for item in items)
    known = {topic: counts.pop(topic, 0) for topic in TOPICS}
    return known | dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _mean(values: Sequence[int]) -> float | None:
    return sum(values) / len(values) if values else None
