"""board.json as data: every table with its numbers, intervals and paired comparisons.

A board folder, which `csc collect` writes and the tables, the page and publishing read
(leaderboard/folder.py), holds

  board.json            Board (this module)
  models/<slug>.json    ModelReport: what one model does well and badly, per table and task
                        (leaderboard/model_report.py)
  samples/<table>.json  SampleSet: a seeded sample of conversations with every model's replies
                        (leaderboard/model_report.py)
  raw/<slug>/*.json     the results files the numbers came from, with what may be published of them
                        (csc_tasks/runs/public.py; without the samples)
  index.html, page/*.js the page, and what of it is loaded when it is looked at (page/render.py)
  reliability.json      how far the ratings can be believed, where `csc collect` was given a report
                        (leaderboard/reliability_report.py)

Every model refuses fields it does not know, and numbers that are not finite. Numbers are on the
metric's own scale; `Column.scale` says what to multiply them by for showing (100 for shares). Names
and texts come from models and corpora: whoever shows them escapes them.
"""

from typing import Any, Final, Literal

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from csc_tasks.verify import Trust, badge, together
from leaderboard.beside_tables import Contrast as Contrast
from leaderboard.beside_tables import ContrastNumber as ContrastNumber
from leaderboard.beside_tables import ContrastSide as ContrastSide
from leaderboard.beside_tables import Efficiency as Efficiency
from leaderboard.value import Method as Method
from leaderboard.value import Reason as Reason
from leaderboard.value import Strict as Strict
from leaderboard.value import Value as Value

FORMAT: Final = 2
CONTRASTS, BREAKDOWNS, EFFICIENCY = "contrasts", "breakdowns", "efficiency"
"""What these are called where tables are called by their ids: no table has one of them."""
TITLE = "Customer-support conversation leaderboard"


class Setting(Strict):
    """What all rows of a table have in common, apart from the documents, which stand per task in
    `Table.documents`.

    chat_template: whether one was applied. limit: documents asked about where --limit cut them,
    else None. config: csconv, qa, or qa_<variant of the summaries>. reference: for questions, which
    column was the reference. customer: who played it in live conversations; audit: what an audit
    of it says; audit_page: its page, as a path in the board folder.
    """

    corpus: str
    config: str
    split: str
    revision: str | None = None
    languages: tuple[str, ...]
    task_version: str
    prompt: str | None = None
    chat_template: bool | None = None
    limit: int | None = None
    reference: str | None = None
    customer: str | None = None
    audit: str | None = None
    audit_page: str | None = None


class Column(Strict):
    """One column: a metric of a task. `key` is `task/result name`, e.g. `csc_conv_ref/bleu_4_zh`.

    group: heading above the columns of one task ("Reference context"). headline: part of the short
    table. ranked: best and second are marked. rater: whose ratings it holds ("Judge NAME",
    "People"), None for what is computed. whole: they are of whole conversations.
    audits: a judge's fact audit of single replies, which no reliability report is about.
    afterwards: of strategies that a labeller read from the replies (csc label samples), not of the
    run's own choices.
    """

    key: str
    task: str
    group: str
    metric: str
    language: str | None = None
    label: str
    higher_is_better: bool
    scale: float
    digits: int
    signature: str
    headline: bool
    ranked: bool
    rater: str | None = None
    whole: bool = False
    audits: bool = False
    afterwards: bool = False


class Finding(Strict):
    """Something in a results file that does not hold. item: the metric, key or document. claimed,
    recomputed: numbers as text, "" where there is none.
    """

    item: str
    claimed: str
    recomputed: str
    sentence: str


class Run(Strict):
    """Where one row's numbers of one task came from. `raw` is a path below the board folder, sha256
    that of the file it was made from. date: ISO 8601, UTC. repeat: what tells it from the other
    runs of its row, as `seed=7`.

    trust: of its numbers together. corpus: the trusted corpus that its documents were compared
    with, "" for none. proven: they are all there and those of that corpus, with the raw reply to
    every scored turn. findings: what does not hold; contradicted: whether there is any.
    """

    date: str
    documents: int
    items: int
    conversations: int | None
    samples: bool
    raw: str
    sha256: str
    task_version: str
    project: str | None = None
    lm_eval_version: str | None = None
    git_hash: str | None = None
    seconds: float | None = None
    trust: Trust
    corpus: str
    proven: bool
    findings: tuple[Finding, ...] = ()
    contradicted: bool = False
    repeat: str = ""


class Spread(Strict):
    """How a number varies between the runs of one row, on the metric's own scale.

    runs: how many have it. values: of each, in the order of `Row.repeats`; None where a run lacks
    it. sd: their standard deviation (runs - 1), not an error of their mean. least, most: the
    smallest and the largest.
    """

    runs: int
    values: tuple[float | None, ...]
    sd: float
    least: float
    most: float


class Model(Strict):
    """A model (or baseline) with the settings that tell its rows apart.

    slug: its name in paths and links, [A-Za-z0-9._-]. base: slug of the model an adapter sits on
    (it may have no rows of its own).
    """

    slug: str
    name: str
    label: str
    kind: Literal["model", "adapter", "baseline"]
    base: str | None = None
    base_name: str | None = None
    parameters: int | None = None
    settings: dict[str, str] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Row(Strict):
    """One model in one table. `values` has a Value per column key that was measured, and `trusts`
    says of each whether it was computed again here; `runs` a Run per task.

    Where runs differ in nothing but their seed, a value is the mean over them with an interval
    about conversations, `spreads` says by column key how far they are apart, `repeats` names all of
    them per task, from the oldest to the newest, and `runs` has the newest. Such a value is trusted
    where all of its runs are.
    """

    model: str
    runs: dict[str, Run]
    values: dict[str, Value]
    trusts: dict[str, Trust]
    repeats: dict[str, tuple[Run, ...]] = Field(default_factory=dict)
    spreads: dict[str, Spread] = Field(default_factory=dict)

    @property
    def all_runs(self) -> tuple[tuple[str, Run], ...]:
        """(task, run) of every run behind the row."""
        return tuple(
            (task, run)
            for task, newest in self.runs.items()
            for run in self.repeats.get(task) or (newest,)
        )

    @property
    def trust(self) -> Trust:
        """Of all its numbers together."""
        return together([run.trust for _, run in self.all_runs])

    def contradicted(self, task: str | None = None) -> bool:
        """Whether files of a task, or of any, claim what does not hold."""
        return any(run.contradicted for of, run in self.all_runs if task in (None, of))

    @property
    def badge(self) -> str:
        """What a row shows of its trust: also whether its files claim what does not hold."""
        return badge(self.trust, self.contradicted())

    def ranks(self, column: Column) -> bool:
        """Whether its number of a column may be compared and ranked: it was computed again here, or
        is a rating (which nobody can compute again) of replies that are proven to be the run's.
        """
        if column.rater:
            proven = [run.proven for task, run in self.all_runs if task == column.task]
            return bool(proven) and all(proven)
        return self.trusts.get(column.key) is Trust.RESCORED


class Comparison(Strict):
    """a minus b on their shared conversations. p: two-sided t test, exact where nothing varies;
    p_holm: corrected over all pairs of the column.
    """

    column: str
    a: str
    b: str
    difference: float
    stderr: float | None
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None
    items: int
    clusters: int


class Reported(Strict):
    """A row printed in a paper. Nobody here measured it; it is never ranked."""

    name: str
    size: str | None
    tuned_on: str | None
    source: str
    values: dict[str, float]


class Ceiling(Strict):
    """What one rater of a turn reaches against its others, by column key. proven: the labels are
    those of a trusted corpus.
    """

    values: dict[str, Value]
    proven: bool


class Table(Strict):
    """Rows that can be compared.

    kind: conversations (reference and generated context), strategy_variants, strategy_choice,
    questions, question_context, question_stages.
    documents: task -> content hash of what was asked. best, second: column key -> slug; absent
    where no paired interval separates them. ceiling: where several raters labelled the turns.
    """

    id: str
    kind: str
    title: str
    setting: Setting
    documents: dict[str, str]
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    reported: tuple[Reported, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    best: dict[str, str] = Field(default_factory=dict)
    second: dict[str, str] = Field(default_factory=dict)
    footnotes: tuple[str, ...] = ()
    ceiling: Ceiling | None = None

    @model_serializer(mode="wrap")
    def _without_absent(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A table without raters is written without a ceiling."""
        written: dict[str, Any] = whole(self)
        if self.ceiling is None:
            written.pop("ceiling", None)
        return written


class SetAside(Strict):
    """A file that could not be used: its path relative to what was given, and why."""

    file: str
    reason: str


class Board(Strict):
    """board.json. date: of the newest run (ISO 8601, UTC). models: by slug. notes: what the reader
    of the files said (duplicates, ...). quarantine: the files that could not be used. contrasts: of
    runs of one model, whichever tables they stand in. efficiency: of the rows whose samples say
    what their turns took.
    """

    format: Literal[2] = FORMAT
    title: str = TITLE
    project: str
    date: str
    seed: int
    confidence: float = 0.95
    models: dict[str, Model]
    tables: tuple[Table, ...]
    contrasts: tuple[Contrast, ...] = ()
    efficiency: tuple[Efficiency, ...] = ()
    notes: tuple[str, ...] = ()
    quarantine: tuple[SetAside, ...] = ()
