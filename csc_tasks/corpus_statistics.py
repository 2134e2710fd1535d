"""stats.json: what a corpus holds, as numbers. `csc stats CORPUS --json FILE` writes it, `csc
reproduce` makes tables and figures of it; nothing else has to be read for them.

    format      "csc-tasks statistics, version 1"
    corpus      demo, a Hub id, or the last name in the path of a folder or file; revision: the
                resolved commit of a Hub id, else null
    sets        one for each config and split:
      config, split, documents (rows), content_hash (of the rows, the same as in the records of runs
      and adapters: it identifies the corpus), counts (what reading did to the rows, by reason)
      parts     one for each language, since lengths of different languages are never averaged:
        language, and numbers: `conversations` (ConversationStatistics) or `questions`
        (QuestionStatistics)
    build       what build.json of a dataset folder says besides (Build), else null

Units. A length is characters of a text in a language that is written without spaces (white space
and marks included) and words between white space in any other. Averages are null where there is
nothing to average. Texts that are held out (`[held out]`) are counted as utterances or questions
and as `held_out`, and are in no length. Shares are 0 to 1; names in `_percent` are 0 to 100.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from csc_tasks.errors import DataError
from csc_tasks.out import replace_file
from csc_tasks.reading import read_json

FORMAT: Literal["csc-tasks statistics, version 1"] = "csc-tasks statistics, version 1"
START, END = "start", "end"
OTHERS = "Others"
THRESHOLDS = tuple(step / 20 for step in range(21))
"""Where the curves of a ProfileOverlap are taken."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Sizes(_Record):
    """How many and how long (Tables 3 and 5 of arXiv 2508.04423). Utterances of both sides, of the
    supporter and of the customer.
    """

    conversations: int
    utterances: int
    supporter_utterances: int
    customer_utterances: int
    avg_utterances_per_conversation: float | None
    avg_supporter_utterances_per_conversation: float | None
    avg_customer_utterances_per_conversation: float | None
    avg_utterance_length: float | None
    avg_supporter_utterance_length: float | None
    avg_customer_utterance_length: float | None
    held_out: int


class ProfileOverlap(_Record):
    """How alike customer profiles are among themselves. Overlap of two: words they share by words
    in either (Chinese: characters), 0 to 1.

    `measured` of `distinct` profiles were compared. `pairs` and `nearest` are curves over
    THRESHOLDS: the share of pairs, and of profiles with their most similar other, whose overlap is
    at least the threshold. The means go with them; all is empty below two.
    """

    distinct: int
    measured: int
    mean_pair: float | None
    mean_nearest: float | None
    pairs: tuple[float, ...]
    nearest: tuple[float, ...]


class AlignmentPoint(_Record):
    """A point of ProfileAlignment: means over the `conversations`, of `profiles` customers, with at
    least `utterances` customer utterances, after that many of them.

    `aligned`: similarity to the customer's own profile; `random`: to a profile drawn from the
    others (the mean over all of them, so that nothing depends on a draw); `stderr`: of their
    difference, clustered by profile, null with one profile.
    """

    utterances: int
    conversations: int
    profiles: int
    aligned: float
    random: float
    stderr: float | None


class ProfileAlignment(_Record):
    """Whether customers speak as their profile says (Figure 5 of arXiv 2508.04423): what a
    customer has said so far against the profile, by the number of utterances.

    Similarity is the cosine, 0 to 1, of TF-IDF vectors over words (Chinese: characters) that occur
    in profiles; idf = ln((1 + n) / (1 + df)) + 1 over the n distinct profiles. The paper gives no
    formula: this one needs no weights.
    """

    profiles: int
    conversations: int
    points: tuple[AlignmentPoint, ...]


class Originals(_Record):
    """The recordings beside rewritten conversations (the "Original" column of Table 3). `sizes`
    counts theirs; `missing` conversations have none.
    """

    sizes: Sizes
    missing: int


class LabelStatistics(_Record):
    """What several raters say of supporter utterances (`csc label`). utterances: those with labels;
    raters: how many people, models and corpora say something; models: how many of them are models
    (each sample of one by itself). several: utterances that at least two raters labelled; of these,
    disagreed, tied and other (csc_tasks/label_counts.py). alpha: Krippendorff's, nominal, among all
    raters, over the strategies that they name first; null where it is not defined.
    """

    utterances: int
    raters: int
    models: int
    several: int
    disagreed: int
    tied: int
    other: int
    alpha: float | None


class ConversationStatistics(_Record):
    """Conversations of one language in one split.

    labelled: supporter utterances with a strategy; `strategies` counts them (Figure 3), Others
    included. unlabelled: those without; a strategy that is held out is in neither. topics:
    conversations by topic (Table 4), the eight of the paper first. transitions: how often a
    strategy, or the start of a conversation, is followed by which, or by its end; unlabelled
    utterances between are passed over. unique_strategies: how many conversations use so many
    different strategies, Others not counted as one; conversations without a label, or with one that
    is held out, are left out. labels: of several raters, null where there are none.
    """

    kind: Literal["conversations"] = "conversations"
    sizes: Sizes
    labelled: int
    unlabelled: int
    strategy_use_without_others_percent: float | None
    strategies: dict[str, int]
    topics: dict[str, int]
    transitions: dict[str, dict[str, int]]
    unique_strategies: dict[int, int]
    avg_unique_strategies: float | None
    profiles: ProfileOverlap | None
    alignment: ProfileAlignment | None
    originals: Originals | None
    labels: LabelStatistics | None = None

    def share(self, strategy: str) -> float | None:
        """0 to 1, of the labelled supporter utterances, Others included."""
        return self.strategies[strategy] / self.labelled if self.labelled else None


class QuestionStatistics(_Record):
    """Questions of one language in one split (arXiv 2602.00665).

    avg_lengths: by column; of `conversation_history`, the turns together. stages: questions by
    stage (`(none)`: not labelled). held_out: questions whose answers are held out; they are in no
    average of answers or histories.
    """

    kind: Literal["questions"] = "questions"
    questions: int
    conversations: int
    held_out: int
    avg_history_turns: float | None
    avg_lengths: dict[str, float | None]
    stages: dict[str, int]
    topics: dict[str, int]


class Part(_Record):
    """What one language has in one split."""

    language: str
    numbers: ConversationStatistics | QuestionStatistics


class Set(_Record):
    """One split of one config."""

    config: str
    split: str
    documents: int
    content_hash: str
    counts: dict[str, int]
    parts: tuple[Part, ...]

    @property
    def name(self) -> str:
        """CONFIG/SPLIT."""
        return f"{self.config}/{self.split}"


class Build(_Record):
    """What build.json counted and the rows do not say; null where a builder counts no such thing.

    conversations_tried: before filtering (Table 5). strategies_before, strategies_after: supporter
    utterances by strategy in `originals_labelled` originals, as a model labelled them, and in their
    rewrites (`csc build csconv --fidelity N`).
    """

    builder: str
    conversations_tried: int | None = None
    conversations_kept: int | None = None
    originals_labelled: int | None = None
    strategies_before: dict[str, int] | None = None
    strategies_after: dict[str, int] | None = None


class CorpusStatistics(_Record):
    """What stats.json holds."""

    format: Literal["csc-tasks statistics, version 1"] = FORMAT
    corpus: str
    revision: str | None
    sets: tuple[Set, ...]
    build: Build | None

    def conversations(self) -> list[tuple[str, ConversationStatistics]]:
        """(CONFIG/SPLIT LANGUAGE, numbers) of all conversations."""
        return [
            (f"{one.name} {part.language}", part.numbers)
            for one in self.sets
            for part in one.parts
            if isinstance(part.numbers, ConversationStatistics)
        ]

    def questions(self) -> list[tuple[str, QuestionStatistics]]:
        """(CONFIG/SPLIT LANGUAGE, numbers) of all questions."""
        return [
            (f"{one.name} {part.language}", part.numbers)
            for one in self.sets
            for part in one.parts
            if isinstance(part.numbers, QuestionStatistics)
        ]


def without_others_percent(strategies: Mapping[str, int]) -> float | None:
    """Strategy use without Others, 0 to 100: labelled utterances whose label is not Others."""
    labelled = sum(strategies.values())
    return 100 * (1 - strategies.get(OTHERS, 0) / labelled) if labelled else None


def write_statistics(file: Path, statistics: CorpusStatistics) -> Path:
    """Write stats.json; the same corpus gives the same bytes. Raises SettingError where it cannot
    be written.
    """
    return replace_file(file, statistics.model_dump_json(indent=1) + "\n")


def read_statistics(file: Path) -> CorpusStatistics:
    """Read stats.json. Raises DataError that names the file and what is wrong."""
    wanted = "write it with csc stats CORPUS --json FILE"
    raw = read_json(file, wanted)
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise DataError(f"{file}: not statistics in the form {FORMAT!r}; {wanted}")
    try:
        return CorpusStatistics.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise DataError(f"{file}: {place}: {first['msg']}; {wanted}") from None
