"""What a corpus holds, counted: the numbers of stats.json (csc_tasks/corpus_statistics.py says what
each is).
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

from builders.profile_statistics import profile_alignment, profile_overlap
from csc_tasks.conversation import HELD_OUT, SUPPORTER, Conversation, Turn
from csc_tasks.corpus_statistics import (
    END,
    OTHERS,
    START,
    ConversationStatistics,
    LabelStatistics,
    Originals,
    QuestionStatistics,
    Sizes,
    without_others_percent,
)
from csc_tasks.framework import STRATEGY_IDS, TOPICS
from csc_tasks.label_counts import label_counts
from csc_tasks.languages import language as of
from csc_tasks.metrics.alpha import coincidence_sums, nominal_alpha
from csc_tasks.question import QA_STAGES, REFERENCES, Question

NONE = "(none)"
_PLACES = {name: i for i, name in enumerate(STRATEGY_IDS)}


def of_conversations(
    items: Sequence[Conversation], originals: Mapping[str, Sequence[Turn]] | None = None
) -> ConversationStatistics:
    """The statistics of conversations, all in one language. originals: the recordings beside them,
    by conversation id.
    """
    labels = [[item.dialogue[i].strategy for i in item.labelled_turns()] for item in items]
    counts = Counter(label for own in labels for label in own)
    strategies = {name: counts[name] for name in STRATEGY_IDS}
    # A label that is held out might be one more, or the same again.
    unique = [len(set(own) - {OTHERS}) for own in labels if own and HELD_OUT not in own]
    profiles = {item.profile for item in items if item.profile}
    return ConversationStatistics(
        sizes=sizes([(item.dialogue, item.language) for item in items]),
        labelled=sum(strategies.values()),
        unlabelled=sum(
            turn.speaker == SUPPORTER and not turn.strategy
            for item in items
            for turn in item.dialogue
        ),
        strategy_use_without_others_percent=without_others_percent(strategies),
        strategies=strategies,
        topics=_topics(items),
        transitions=transitions(labels),
        unique_strategies=dict(sorted(Counter(unique).items())),
        avg_unique_strategies=_mean(unique),
        profiles=profile_overlap(profiles) if profiles else None,
        alignment=profile_alignment(items),
        originals=_originals(items, originals or {}),
        labels=_labels(items),
    )


def _labels(items: Sequence[Conversation]) -> LabelStatistics | None:
    """What several raters say of these conversations' turns; None where nobody does."""
    turns = [turn for item in items for turn in item.dialogue if turn.labels]
    if not turns:
        return None
    raters = {label.rater: label.by_model for turn in turns for label in turn.labels}
    firsts = [[_PLACES[label.strategies[0]] for label in turn.labels] for turn in turns]
    alpha = float(nominal_alpha(coincidence_sums(firsts, len(_PLACES)).sum(axis=0)))
    counts = asdict(label_counts(turns))
    return LabelStatistics(
        utterances=counts.pop("labelled"),
        raters=len(raters),
        models=sum(raters.values()),
        alpha=None if math.isnan(alpha) else alpha,
        **counts,
    )


def _originals(
    items: Sequence[Conversation], originals: Mapping[str, Sequence[Turn]]
) -> Originals | None:
    """The sizes of the recordings that these conversations were made from; None without any."""
    recorded = [
        (originals[item.conversation_id], item.language)
        for item in items
        if item.conversation_id in originals
    ]
    if not recorded:
        return None
    return Originals(sizes=sizes(recorded), missing=len(items) - len(recorded))


def sizes(dialogues: Sequence[tuple[Sequence[Turn], str]]) -> Sizes:
    """How many and how long the utterances of dialogues (turns, language) are."""
    turns = [(turn, language) for spoken, language in dialogues for turn in spoken]
    supporter = [(turn, language) for turn, language in turns if turn.speaker == SUPPORTER]
    customer = [(turn, language) for turn, language in turns if turn.speaker != SUPPORTER]
    return Sizes(
        conversations=len(dialogues),
        utterances=len(turns),
        supporter_utterances=len(supporter),
        customer_utterances=len(customer),
        avg_utterances_per_conversation=_ratio(len(turns), len(dialogues)),
        avg_supporter_utterances_per_conversation=_ratio(len(supporter), len(dialogues)),
        avg_customer_utterances_per_conversation=_ratio(len(customer), len(dialogues)),
        avg_utterance_length=_mean(_lengths(turns)),
        avg_supporter_utterance_length=_mean(_lengths(supporter)),
        avg_customer_utterance_length=_mean(_lengths(customer)),
        held_out=sum(turn.text == HELD_OUT for turn, _ in turns),
    )


def _lengths(turns: Iterable[tuple[Turn, str]]) -> list[int]:
    """The lengths of those that are not held out."""
    return [length(turn.text, language) for turn, language in turns if turn.text != HELD_OUT]


def of_questions(items: Sequence[Question]) -> QuestionStatistics:
    """The statistics of questions, all in one language."""
    shown = [item for item in items if not is_held_out(item)]
    stages = Counter(item.stage or NONE for item in items)
    columns = {
        "conversation_history": [
            sum(length(turn.text, item.language) for turn in item.conversation_history)
            for item in shown
        ]
    }
    for name in ("history_summary", "client_question", *reversed(REFERENCES)):
        given = shown if name in REFERENCES else items
        columns[name] = [length(getattr(item, name), item.language) for item in given]
    return QuestionStatistics(
        questions=len(items),
        conversations=len({item.conversation_id for item in items}),
        held_out=len(items) - len(shown),
        avg_history_turns=_mean([len(item.conversation_history) for item in shown]),
        avg_lengths={name: _mean(lengths) for name, lengths in columns.items()},
        stages={
            name: stages[name] for name in (*QA_STAGES, NONE) if name in QA_STAGES or stages[name]
        },
        topics=_topics(items),
    )


def is_held_out(item: Question) -> bool:
    """Whether the corpus keeps the answer to this question to itself."""
    return any(getattr(item, name) == HELD_OUT for name in REFERENCES)


def length(text: str, language: str) -> int:
    """Characters of a Chinese text, words of an English one."""
    return len(text.split()) if of(language).text.spaced else len(text)


def transitions(conversations: Iterable[Sequence[str]]) -> dict[str, dict[str, int]]:
    """How often a strategy (or the conversation's start) is followed by which (or by its end), from
    the labels of each conversation in their order. What stands beside a label that is held out is
    not known, and not counted.
    """
    counts: Counter = Counter()
    for labels in conversations:
        if labels:
            counts.update(zip([START, *labels], [*labels, END], strict=True))
    return {
        before: {after: counts[before, after] for after in (*STRATEGY_IDS, END)}
        for before in (START, *STRATEGY_IDS)
    }


def _topics(items: Iterable[Conversation | Question]) -> dict[str, int]:
    """The eight topics in the paper's order, then whatever else occurs, most frequent first."""
    counts = Counter(item.topic or NONE for item in items)
    known = {topic: counts.pop(topic, 0) for topic in TOPICS}
    return known | dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _mean(values: Sequence[int]) -> float | None:
    return _ratio(sum(values), len(values))


def _ratio(total: int, count: int) -> float | None:
    return total / count if count else None
