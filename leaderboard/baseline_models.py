"""Strategy baselines: rules and small classifiers, made from a training split, that choose the
strategy of each supporter turn. No language model has a part in them.

All but `share` see no more than a model does at that turn.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from csc_tasks.conversation import CUSTOMER, SUPPORTER, Conversation
from csc_tasks.errors import require
from csc_tasks.framework import STRATEGY_IDS

START = ""
TENTHS = 10
LATEST = 20
"""Turn indexes from here on are one feature of the classifiers: so long dialogues are few."""
# A mark for the beginning of a text, so that an empty one has a feature too.
BEGINNING = "\N{START OF TEXT}"


@dataclass(frozen=True, slots=True)
class Moment:
    """What is known when the strategy of a supporter turn is chosen.

    previous: id of the last scored turn's strategy, START before the first. index: scored turns
    before. share: of the dialogue that lies before the turn, 0 to 1; it tells how long the dialogue
    will be. said: the customer's last utterance, "" before any. answers: whether the customer was
    the last to speak.
    """

    language: str
    previous: str
    index: int
    share: float
    said: str
    answers: bool


Choose = Callable[[Moment], str]
"""A strategy id for a moment."""
Example = tuple[Moment, str]


def moments(conversation: Conversation) -> Iterator[tuple[int, Moment]]:
    """(position, moment) of each scored turn, after the gold strategies."""
    scored = set(conversation.labelled_turns())
    previous, index, said, last = START, 0, "", ""
    for position, turn in enumerate(conversation.dialogue):
        if position in scored:
            share = position / len(conversation.dialogue)
            answers = last != SUPPORTER and bool(said)
            yield (
                position,
                Moment(conversation.language, previous, index, share, said, answers),
            )
            previous, index = turn.strategy, index + 1
        if turn.speaker == CUSTOMER:
            said = turn.text
        last = turn.speaker


def strategy_baselines(training: Sequence[Conversation]) -> dict[str, Choose]:
    """Every strategy baseline by its name, made from labelled conversations.

    Raises MissingExtra where scikit-learn is absent.
    """
    examples = [
        (moment, conversation.dialogue[turn].strategy)
        for conversation in training
        for turn, moment in moments(conversation)
    ]
    majority = majority_of(examples)
    return {
        "majority": majority,
        "bigram": commonest_by(examples, lambda moment: moment.previous, majority),
        "position": commonest_by(examples, lambda moment: moment.index, majority),
        "share": commonest_by(examples, lambda moment: int(TENTHS * moment.share), majority),
        "customer": classifier(examples, lambda moment: {"answers": moment.answers}),
        "combined": classifier(examples, _all_that_is_seen),
    }


def majority_of(examples: Sequence[Example]) -> Choose:
    """The commonest strategy of each language (ties: the earlier one in the table); a language
    without training turns uses all of them.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for moment, strategy in examples:
        counts[moment.language][strategy] += 1
        counts[""][strategy] += 1
    return lambda moment: _commonest(counts.get(moment.language) or counts[""])


def commonest_by(
    examples: Sequence[Example], what: Callable[[Moment], Hashable], majority: Choose
) -> Choose:
    """The strategy seen most often, per language, where `what` was the same; where it was never so,
    the majority.
    """
    counts: dict[tuple[str, Hashable], Counter[str]] = defaultdict(Counter)
    for moment, strategy in examples:
        counts[moment.language, what(moment)][strategy] += 1

    def choose(moment: Moment) -> str:
        seen = counts.get((moment.language, what(moment)))
        return _commonest(seen) if seen else majority(moment)

    return choose


def classifier(
    examples: Sequence[Example], features: Callable[[Moment], Mapping[str, object]]
) -> Choose:
    """A logistic regression on what the customer said last (TF-IDF of runs of 1 to 3 characters,
    which serves every script) and on `features`, one for each language; a language without training
    turns uses all of them.

    scikit-learn's defaults (L2, C = 1) and no tuning, so that nothing is fitted to a test split.
    """
    by_language: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        by_language[example[0].language].append(example)
    models: dict[str, Choose] = {}

    def choose(moment: Moment) -> str:
        # Fitted when first needed: a corpus of one language needs one.
        code = moment.language if moment.language in by_language else ""
        if code not in models:
            models[code] = _fitted(by_language.get(code) or examples, features)
        return models[code](moment)

    return choose


def _fitted(
    examples: Sequence[Example], features: Callable[[Moment], Mapping[str, object]]
) -> Choose:
    if len({strategy for _, strategy in examples}) == 1:
        return majority_of(examples)
    linear_model, named, text, sparse = (
        require(module, "leaderboard", "csc baselines")
        for module in (
            "sklearn.linear_model",
            "sklearn.feature_extraction",
            "sklearn.feature_extraction.text",
            "scipy.sparse",
        )
    )
    said = text.TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True)
    rest = named.DictVectorizer()
    known = [moment for moment, _ in examples]
    model = linear_model.LogisticRegression(max_iter=2000)
    model.fit(
        sparse.hstack(
            [said.fit_transform(map(_said, known)), rest.fit_transform(map(features, known))]
        ).tocsr(),
        [strategy for _, strategy in examples],
    )

    # Both contexts ask about the same texts.
    row_of = cache(lambda text: said.transform([text]))

    def choose(moment: Moment) -> str:
        parts = row_of(_said(moment)), rest.transform([features(moment)])
        return str(model.predict(sparse.hstack(parts).tocsr())[0])

    return choose


def _said(moment: Moment) -> str:
    return BEGINNING + moment.said


def _all_that_is_seen(moment: Moment) -> Mapping[str, object]:
    return {
        "answers": moment.answers,
        "previous": moment.previous,
        "index": str(min(moment.index, LATEST)),
    }


def _commonest(counts: Counter[str]) -> str:
    return max(STRATEGY_IDS, key=lambda strategy: (counts[strategy], -STRATEGY_IDS.index(strategy)))
