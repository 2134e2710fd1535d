"""What the papers' tables and figures are made of (papers.yaml), for `csc reproduce` and for rows
that are printed in a paper.

Nobody else pairs a paper's table with tasks and metrics: `leaderboard` asks here.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict

FILE = Path(__file__).with_name("papers.yaml")
Maker = Literal[
    "metrics",
    "variants",
    "parts",
    "ratings",
    "agreement",
    "wins",
    "sweep",
    "sweep_figure",
    "summaries",
    "corpora",
    "unsupported",
    "corpus_sizes",
    "corpus_topics",
    "corpus_strategies",
    "corpus_transitions",
    "corpus_unique",
    "corpus_alignment",
    "corpus_questions",
]


class _Read(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Paper(_Read):
    """A paper. corpora: Hub ids of its own data; only beside numbers of these its printed values
    are shown.
    """

    citation: str
    corpora: tuple[str, ...]


class Printed(_Read):
    """Where the values that the paper prints stand in a file of them.

    key: of the table in that file. label: its columns that name a row. columns: the others -> the
    column of ours they belong to (TASK/METRIC, or METRIC where the task is the row's), or a heading
    where we have no such column; of a corpus' sizes, the name in stats.json. language: of its text
    metrics.
    """

    key: str
    label: tuple[str, ...] = ()
    columns: dict[str, str]
    language: str | None = None


class PaperExhibit(_Read):
    """A table or figure. number: what the paper calls it ("Table 6", or "Follow-up" to it).

    maker: how it is made of what there is (leaderboard/reproduce). table: kind of a board's table,
    or the config of a corpus' numbers (nothing: all). tasks, metrics: what of it is shown, in this
    order; nothing: all. optional: metrics that nobody misses. key: the recipe key of a sweep.
    contrasts: the family of contrasts beside it (csc_tasks/runs/contrasts.py). command: how to get
    what it is made of; CORPUS stands for the corpus' name.
    """

    name: str
    paper: str
    number: str
    title: str
    maker: Maker
    command: str
    table: str = ""
    tasks: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    key: str = ""
    contrasts: str = ""
    reported: Printed | None = None

    @property
    def place(self) -> str:
        """Where it stands: `arXiv 2508.04423, Table 6`."""
        return f"{papers().papers[self.paper].citation}, {self.number}"


class Papers(_Read):
    """All of papers.yaml."""

    papers: Mapping[str, Paper]
    exhibits: tuple[PaperExhibit, ...]

    def of(self, exhibit: PaperExhibit) -> Paper:
        """The paper of an exhibit."""
        return self.papers[exhibit.paper]


@cache
def papers() -> Papers:
    """The papers and their tables and figures, in the order of a report."""
    return Papers.model_validate(yaml.safe_load(FILE.read_text(encoding="utf-8")))
