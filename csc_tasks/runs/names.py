"""The names in a run's files, formed and read here alone: of files, numbers and columns of ratings.

What the number of a metric is called csc_tasks/metrics/result_names.py says.

Ratings stand in `judge_NAME_DIMENSION` (of `csc judge`, 0..100) and `human_DIMENSION` (of `csc
human import`, 1..5). Beside the dimensions stand `overall`, the mean of a rating's dimensions, and
`missing`, 1 where nothing usable came. `csc judge facts` writes `judge_NAME_unsupported`, 1 where
the judge found a fact in the reply that nothing supports, and `judge_NAME_unsupported_missing`. All
are of a sample: most items of a samples file have none. `label_NAME_METRIC` (of `csc label
samples`) are metrics of strategies that a labeller read from the replies afterwards.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from csc_tasks.errors import DataError
from csc_tasks.file_names import safe_name
from csc_tasks.metrics import METRICS

TASK = re.compile(r"cscx?_[a-z0-9_]{1,60}", re.ASCII)
SAMPLES = re.compile(r"samples_(?P<task>cscx?_\w+?)_(?P<stamp>\d{4}-\d\d-\d\dT[\d.-]+)\.jsonl")
RESULTS = re.compile(r"results_(?P<stamp>.+)\.json")

SIX = ("accuracy", "helpfulness", "understanding", "coherence", "informativeness", "empathy")
FOUR = ("human_likeness", "continuity", "tone", "resolution")
DIMENSIONS = (*SIX, *FOUR)
OVERALL = "overall"
MISSING = "missing"
UNSUPPORTED = "unsupported"
FACTS = (UNSUPPORTED, f"{UNSUPPORTED}_{MISSING}")
WHAT = (OVERALL, *DIMENSIONS, MISSING, *FACTS)
AFTERWARDS = tuple(
    metric.name
    for metric in sorted(METRICS.values(), key=lambda metric: metric.order)
    if metric.of_choice and metric.ranked and metric.statistic is None
)
"""The metrics of strategies that are means over turns."""
HUMAN = "human"
PEOPLE = "People"


def samples_name(task: str, stamp: str) -> str:
    """The name of a task's samples file; all files of a run have one stamp."""
    return f"samples_{task}_{stamp}.jsonl"


def results_name(stamp: str) -> str:
    """The name of a run's results file."""
    return f"results_{stamp}.json"


def task_of(samples: Path) -> str:
    """The task that a samples file is about, by its name."""
    return _named(SAMPLES, samples)["task"]


def stamp_of(samples: Path) -> str:
    """The stamp of a samples file."""
    return _named(SAMPLES, samples)["stamp"]


def results_stamp(results: Path) -> str:
    """The stamp of a results file."""
    return _named(RESULTS, results)["stamp"]


def _named(pattern: re.Pattern[str], file: Path) -> re.Match[str]:
    match = pattern.fullmatch(file.name)
    if match is None:
        raise DataError(f"{file}: is not named as lm_eval names a run's files; rename it back")
    return match


def results_beside(samples: Path) -> Path:
    """The results file that was written with a samples file."""
    return samples.with_name(results_name(stamp_of(samples)))


def folder_name(model: str) -> str:
    """The folder of a model's runs."""
    return safe_name(model)


def value_keys(name: str) -> tuple[str, str]:
    """The keys of a result's value and of its standard error in `results[task]`."""
    return f"{name},none", f"{name}_stderr,none"


def judge_prefix(judge: str) -> str:
    """What the columns of a judge begin with."""
    return f"judge_{judge}"


def label_prefix(labeller: str) -> str:
    """What the columns of a labeller begin with."""
    return f"label_{labeller}"


def rating_column(prefix: str, what: str) -> str:
    """The column of a dimension, OVERALL, MISSING or one of FACTS, or of one of AFTERWARDS.
    prefix: HUMAN, a judge's or a labeller's.
    """
    return f"{prefix}_{what}"


def higher_is_better(column: str) -> bool:
    """Whether more is better: not where a column counts what is unsupported or missing."""
    return not column.endswith((f"_{UNSUPPORTED}", f"_{MISSING}"))


@dataclass(frozen=True, slots=True)
class Rated:
    """Whose ratings a column holds ("Judge NAME" or PEOPLE), and of what (one of WHAT); or whose
    labels ("Labelled by NAME") it rests on, and which metric (of AFTERWARDS) it is.
    """

    rater: str
    what: str
    afterwards: bool = False

    @property
    def label(self) -> str:
        """`Judge NAME: human-likeness`, `Judge NAME: unsupported facts`, `Labelled by NAME:
        Strategy accuracy`.
        """
        if self.what in METRICS and self.afterwards:
            return f"{self.rater}: {METRICS[self.what].label}"
        if self.what in FACTS:
            return f"{self.rater}: unsupported facts{', missing' if self.absent else ''}"
        return f"{self.rater}: {self.what.replace('_', '-')}"

    @property
    def absent(self) -> bool:
        """Whether the column says how much is missing."""
        return self.what.endswith(MISSING)

    @property
    def place(self) -> tuple[str, int]:
        """Sorts columns: judges by name, then people; overall, the dimensions, missing, facts."""
        order = (*AFTERWARDS, *WHAT).index(self.what)
        return self.rater if self.rater != PEOPLE else "~", order

    @property
    def share(self) -> bool:
        """Whether it is a share, 0 to 1."""
        return self.absent or self.afterwards or self.what in FACTS


def rated(name: str) -> Rated | None:
    """What a result name says of ratings; None for one that is of none."""
    # From the end: of what is missing, the longer name first.
    for what in reversed(WHAT):
        if name == rating_column(HUMAN, what) and what not in FACTS:
            return Rated(PEOPLE, what)
        judge = name.removeprefix("judge_").removesuffix(f"_{what}")
        if judge and name == rating_column(judge_prefix(judge), what):
            return Rated(f"Judge {judge}", what)
    for what in (*AFTERWARDS, MISSING):
        labeller = name.removeprefix("label_").removesuffix(f"_{what}")
        if labeller and name == rating_column(label_prefix(labeller), what):
            return Rated(f"Labelled by {labeller}", what, afterwards=True)
    return None


def rating_range(name: str) -> tuple[float, float]:
    """Ratings by a judge are 0 to 100, by people 1 to 5; what counts is a share, and so is what
    rests on labels.
    """
    rating = rated(name)
    if rating is not None and rating.share:
        return 0.0, 1.0
    return (1.0, 5.0) if name.startswith(f"{HUMAN}_") else (0.0, 100.0)
