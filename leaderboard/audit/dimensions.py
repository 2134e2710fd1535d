"""What played and recorded customers are compared on: one table of dimensions, each with what it
measures of a conversation.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from leaderboard.audit import briefs, features
from leaderboard.audit.answers import Answers
from leaderboard.audit.cues import Cues
from leaderboard.audit.turns import Talk

Needs = Literal["cues", "brief", "facts"]
Worse = Literal["both", "more", "less"]
Kind = Literal["features", "likeness", "classifier"]


@dataclass(frozen=True, slots=True)
class Context:
    """What a conversation is measured with: the cues of its language, and what recorded people
    answered to what.
    """

    cues: Cues | None
    answers: Answers


@dataclass(frozen=True, slots=True)
class Feature:
    """A number of a conversation, NaN where it says nothing of it. label: what it counts, as on the
    axis of a picture. needs: "cues" (a cues file of the language), "brief" (with facts), "facts" (a
    brief, and rules that find facts in the language); None: nothing but the turns.
    """

    label: str
    of: Callable[[Talk, Context], float]
    needs: Needs | None = None


@dataclass(frozen=True, slots=True)
class Dimension:
    """One thing that a played customer can be unlike people in. worse: which direction counts:
    "both", or one alone.
    """

    id: str
    title: str
    asks: str
    features: tuple[Feature, ...] = ()
    worse: Worse = "both"
    kind: Kind = "features"

    @property
    def needs(self) -> tuple[Needs, ...]:
        """What its features need beside the turns."""
        return tuple(dict.fromkeys(feature.needs for feature in self.features if feature.needs))


def _plain(label: str, value: Callable[[Talk], float], needs: Needs | None = None) -> Feature:
    return Feature(label, lambda talk, context: value(talk), needs)


def _cued(label: str, value: Callable[[Talk, Cues], float]) -> Feature:
    return Feature(
        label, lambda talk, context: value(talk, context.cues) if context.cues else NONE, "cues"
    )


def _briefed(label: str, value: Callable[[Talk], float]) -> Feature:
    return _plain(label, value, "brief")


NONE = float("nan")
DIMENSIONS = (
    Dimension(
        "turns",
        "Number of turns",
        "How many turns does the customer take?",
        (_plain("turns of the customer (log2)", features.turn_count),),
    ),
    Dimension(
        "length",
        "Length of turns",
        "How long are its turns, and are some short and some long?",
        (
            _plain("words in a turn (log2)", features.turn_length),
            _plain("words in the longest turn (log2)", features.longest_turn),
            _plain("spread of turn lengths (log2)", features.length_spread),
        ),
    ),
    Dimension(
        "sentences",
        "Sentences in a turn",
        "Does it say one thing at a time, or several?",
        (
            _plain("turns with more than one sentence", features.several_sentences),
            _plain("sentences in a turn", features.sentence_count),
        ),
    ),
    Dimension(
        "pace",
        "Pace of telling facts",
        "When does it tell what its brief says it knows, and how much at once?",
        (
            _briefed("facts told in the first turn", briefs.told_first),
            _briefed("facts told in the first three turns", briefs.told_early),
            _briefed("facts never told", briefs.told_never),
        ),
    ),
    Dimension(
        "acts",
        "Dialogue acts",
        "How often does it greet, ask for something, refuse, not know, give a number?",
        (
            _cued("turns that greet", features.share_with("greet")),
            _cued("turns that ask for something to be done", features.share_with("request")),
            _cued("turns that refuse", features.share_with("refuse")),
            _cued("turns that do not know", features.share_with("unknown")),
            _plain("turns with a number", features.with_digits),
        ),
    ),
    Dimension(
        "questions",
        "Questions",
        "How often does it ask?",
        (
            _cued("turns with a question", features.share_with("question")),
            _cued("question marks and question words in a turn", features.count_of("question")),
        ),
    ),
    Dimension(
        "friction",
        "Complaints and friction",
        "How often does it complain, insist, or press?",
        (
            _cued("turns that complain", features.share_with("complain")),
            _cued("turns that insist", features.share_with("insist")),
        ),
    ),
    Dimension(
        "politeness",
        "Politeness",
        "How often does it thank, ask kindly, apologise?",
        (
            _cued("thanks in a turn", features.count_of("thanks")),
            _cued("pleases in a turn", features.count_of("please")),
            _cued("apologies in a turn", features.count_of("sorry")),
        ),
    ),
    Dimension(
        "sentiment",
        "Path of the mood",
        "Which mood does it begin in, and where does that lead?",
        (
            _cued("mood in the first third", features.mood_in(0)),
            _cued("mood in the second third", features.mood_in(1)),
            _cued("mood in the last third", features.mood_in(2)),
            _cued("change of mood, last less first turn", features.mood_change),
        ),
    ),
    Dimension(
        "vocabulary",
        "Vocabulary and repetition",
        "How many different words does it use, and does it say things again?",
        (
            _plain("different words in 30", features.different_words),
            _plain("letters in a word", features.word_length),
            _plain("turns said before", features.repeated_turns),
            _plain("runs of three words said before", features.repeated_runs),
        ),
    ),
    Dimension(
        "alike",
        "One script for all",
        "Does it say in one conversation what it says in another?",
        worse="more",
        kind="likeness",
    ),
    Dimension(
        "endings",
        "Endings",
        "How does it take its leave?",
        (
            _cued("last turns that thank", features.ends_with("thanks")),
            _cued("last turns that say goodbye", features.ends_with("bye")),
            _plain("words in the last turn (log2)", features.last_length),
        ),
    ),
    Dimension(
        "invented",
        "Invented facts",
        "Does it state facts that neither its brief nor the supporter gave?",
        (
            _plain("invented facts in a turn", briefs.invented_per_turn, "facts"),
            _plain("turns with an invented fact", briefs.inventing_turns, "facts"),
        ),
        worse="more",
    ),
    Dimension(
        "agreeing",
        "Agreeing too readily",
        "How often does it just say yes?",
        (
            _cued("answers that open with agreement", features.agreeing_answers),
            _cued("turns that agree and say no more", features.only_agreeing),
        ),
        worse="more",
    ),
    Dimension(
        "leaking",
        "Leaking the brief",
        "Does it recite its brief, or speak as one who plays a role?",
        (
            _briefed("facts of the brief told in one turn", briefs.told_at_once),
            _briefed("wording of the brief recited", briefs.recited),
            _cued("turns that speak of a role or a brief", briefs.role_talk),
        ),
        worse="more",
    ),
    Dimension(
        "coherence",
        "Coherence",
        "Does a turn answer what was said to it, as far as recorded people's answers tell?",
        (
            Feature(
                "rank of a turn among the customer's own turns (0.5 is chance)",
                lambda talk, context: context.answers.ranks(talk)[0],
            ),
            Feature(
                "rank of a turn among turns of others (0.5 is chance)",
                lambda talk, context: context.answers.ranks(talk)[1],
            ),
        ),
        worse="less",
    ),
    Dimension(
        "classifier",
        "Told apart by a classifier",
        "Can its wording be told from people's, in conversations that were not learned from?",
        worse="more",
        kind="classifier",
    ),
)
