"""models/<slug>.json and samples/<table>.json as data: the diagnosis of one model, and
conversations with every model's replies.
"""

from typing import Literal

from pydantic import Field

from leaderboard.board import FORMAT, Strict, Value


class StrategyScore(Strict):
    """One strategy. precision is None where it was never predicted, recall where it has no gold
    turn.
    """

    strategy: str
    gold: int
    predicted: int
    precision: float | None
    recall: float | None
    f1: float | None


class Confusion(Strict):
    """counts[i][j]: turns with gold strategy labels[i] answered with predicted[j]; predicted ends
    with "unparsed".
    """

    labels: tuple[str, ...]
    predicted: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


class Transitions(Strict):
    """gold[i][j], predicted[i][j]: how often strategy `after[j]` followed `before[i]` (before
    starts with "START").

    distance: mean total variation between the rows of both, weighted by gold counts; 0 the same, 1
    disjoint. A step from or to an unparsed turn is in neither (`skipped`).
    """

    before: tuple[str, ...]
    after: tuple[str, ...]
    gold: tuple[tuple[int, ...], ...]
    predicted: tuple[tuple[int, ...], ...]
    distance: float | None
    skipped: int


class StageOrder(Strict):
    """Backward moves between stages per conversation: the fewest over all ways to give each turn
    one of its strategy's stages. Conversations without a turn in a stage have no order and are left
    out; where all are, values are None.
    """

    predicted: Value
    gold: Value
    difference: Value
    predicted_in_order: Value
    gold_in_order: Value


class Group(Strict):
    """One group of a breakdown; values by result name.

    p_holm: by result name, of the group being like the items outside it, corrected over the groups
    of the breakdown; absent where there is nothing to test.
    """

    name: str
    items: int
    clusters: int
    values: dict[str, Value]
    p_holm: dict[str, float] = Field(default_factory=dict)


class Breakdown(Strict):
    """by: stage (of the gold strategy; a turn counts in each of its stages), topic, language,
    turn_index (1 = the first scored turn), or part (early, mid, late of a question's conversation).
    """

    by: Literal["stage", "topic", "language", "turn_index", "part"]
    groups: tuple[Group, ...]


class GapPoint(Strict):
    """One turn index (1 = the first scored turn): both contexts and reference minus generated.
    p_holm: of there being no difference, corrected over the turns of the curve.
    """

    turn_index: int
    reference: Value
    generated: Value
    difference: Value
    p_holm: float | None = None


class ContextGap(Strict):
    """Reference minus generated context for one metric, on the turns of the conversations that both
    runs have.

    first_significant: first turn index with p_holm below 0.05; the intervals of the points are of
    one turn each and name none.
    """

    metric: str
    overall: Value
    points: tuple[GapPoint, ...]
    first_significant: int | None


class Divergence(Strict):
    """Where the strategies chosen in the two contexts first differ: firsts[k] conversations at turn
    index k + 1, `never` not at all.
    """

    conversations: int
    never: int
    median: float | None
    firsts: tuple[int, ...]


class Lengths(Strict):
    """Length of replies and references: [mean, 5 %, median, 95 %], in characters (zh) or words
    (en); None for references that are all held out.
    """

    language: str
    unit: Literal["characters", "words"]
    items: int
    reply: tuple[float, float, float, float]
    reference: tuple[float, float, float, float] | None


class FactExample(Strict):
    """A fact in a reply that nothing the model was given supports."""

    conversation_id: str
    turn: int
    kind: str
    text: str
    reply: str


class FactAudit(Strict):
    """Names, numbers, amounts, dates and codes in replies that neither history, summary nor
    instruction (nor evidence) holds.

    hallucination_rate: share of replies with at least one; unsupported_share: of all facts. kinds:
    kind -> [facts, unsupported].
    """

    hallucination_rate: Value
    facts: int
    unsupported: int
    kinds: dict[str, tuple[int, int]]
    support: tuple[str, ...]
    examples: tuple[FactExample, ...]


class Variant(Strict):
    """One metric of csc_qa under one variant of the summaries (config qa, qa_<name>), and minus
    config qa on shared conversations. within: of which corpus and prompt style, in words, "" where
    all are of one. claimed: nobody here computed both of the value and config qa's again.
    """

    config: str
    within: str = ""
    claimed: bool = False
    metric: str
    value: Value
    difference: Value | None


class Diagnosis(Strict):
    """What can be said about one model in one task of one table. None where it does not apply (no
    strategies, no samples).
    """

    table: str
    task: str
    unparsed: Value | None = None
    confusion: Confusion | None = None
    strategies: tuple[StrategyScore, ...] = ()
    transitions: Transitions | None = None
    stage_order: StageOrder | None = None
    breakdowns: tuple[Breakdown, ...] = ()
    lengths: tuple[Lengths, ...] = ()
    facts: FactAudit | None = None


class TableGaps(Strict):
    """The context gap of one table that has both contexts."""

    table: str
    gaps: tuple[ContextGap, ...]
    divergence: Divergence | None


class ModelReport(Strict):
    """models/<slug>.json."""

    format: Literal[2] = FORMAT
    slug: str
    diagnoses: tuple[Diagnosis, ...] = ()
    gaps: tuple[TableGaps, ...] = ()
    variants: tuple[Variant, ...] = ()


class Reply(Strict):
    """One model's reply to one turn. strategy: an id, or None where unparsed or none was asked for.
    scores: by result name.
    """

    strategy: str | None
    unparsed: bool | None
    text: str
    truncated: bool | None = None
    failed: bool | None = None
    thinking_cut: bool | None = None
    unsupported: tuple[str, ...] = ()
    scores: dict[str, float] = Field(default_factory=dict)


class SampleTurn(Strict):
    """One scored turn or question. turn: position in the dialogue; index: 1 = the first scored one.
    replies: slug -> task -> Reply.
    """

    turn: int
    index: int
    strategy: str | None
    reference: str
    question: str | None = None
    replies: dict[str, dict[str, Reply]]


class Spoken(Strict):
    """One utterance of the gold dialogue; strategy is "" for customers, unlabelled turns and
    questions' histories.
    """

    speaker: str
    strategy: str
    text: str


class SampleConversation(Strict):
    """A conversation of the sample. dialogue: the gold one in full (for a question: the history
    before it).
    """

    conversation_id: str
    language: str
    topic: str
    source: str
    part: str | None = None
    summary: str | None = None
    instruction: str | None = None
    dialogue: tuple[Spoken, ...]
    turns: tuple[SampleTurn, ...]


class SampleSet(Strict):
    """samples/<table>.json: the same seeded sample of conversations for every model of a table.
    total: conversations there are.
    """

    format: Literal[2] = FORMAT
    table: str
    seed: int
    total: int
    conversations: tuple[SampleConversation, ...]
