"""Who labels. A model is a rater called `model:NAME`, a further sample of it `model:NAME#2`; a
person goes by the name on the sheet. What a corpus came with is the label of `corpus`.

Models are dealt out: three raters of one model are a greedy reply and two drawn ones, three of two
models are A, B and a second sample of A. A sample has the same number, and so the same requests,
however many raters there are.
"""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from csc_tasks.errors import SettingError
from csc_tasks.labels import MODEL, OWN
from csc_tasks.llm.options import by_stage

RATERS = 3
MOST_RATERS = 100
"""Of one labelling; a number beyond is a slip of the hand, and every rater is asked every turn."""
LONGEST_NAME = 40

_SAMPLE = re.compile(r"(.+)#([1-9]\d*)")
_PERSON = re.compile(r"\w[\w. -]*")


@dataclass(frozen=True, slots=True)
class Rater:
    """A model that labels. stage: its name in the journal and in options. asked: BACKEND:MODEL.
    sample: from 0; the first is greedy.
    """

    stage: str
    name: str
    asked: str
    sample: int


def raters_of(specs: Sequence[str], count: int | None, known: Collection[str] = ()) -> list[Rater]:
    """The raters of `--llm` and `--raters`; `known` are the raters that the corpus has, whose
    samples are not asked for again.

    Raises SettingError for a stage that is no rater's, and for more models than raters.
    """
    staged = by_stage([spec for spec in specs if _stage_of(spec)], str, "--llm")
    dealt = [spec for spec in specs if not _stage_of(spec)]
    count = max(RATERS, len(specs)) if count is None else count
    if not 1 <= count <= MOST_RATERS:
        raise SettingError(f"--raters {count}: at least 1, and at most {MOST_RATERS}")
    stages = [f"rater-{number}" for number in range(1, count + 1)]
    if unknown := [stage for stage in staged if stage not in stages]:
        raise SettingError(
            f"--llm {unknown[0]}=...: there is no such rater; there are {', '.join(stages)}"
        )
    free = [stage for stage in stages if stage not in staged]
    if len(dealt) > len(free):
        raise SettingError(
            f"--llm names {len(specs)} models for --raters {count}; give --raters {len(specs)}"
        )
    if free and not dealt:
        raise SettingError(f"no --llm for {', '.join(free)}; give --llm BACKEND:MODEL for them")
    asked = staged | {stage: dealt[i % len(dealt)] for i, stage in enumerate(free)}
    samples = samples_there(known)
    raters = []
    for stage in stages:
        model = model_name(asked[stage])
        sample = samples[model]
        samples[model] += 1
        raters.append(Rater(stage, sample_name(model, sample), asked[stage], sample))
    return raters


def model_name(asked: str) -> str:
    """The name of a model as a rater: without its server and without folders."""
    backend, _, model = asked.partition(":")
    plain = model or backend
    if plain.startswith(("/", "~", ".")) or "\\" in plain:
        plain = re.split(r"[\\/]", plain.rstrip("\\/"))[-1]
    return f"{MODEL}{plain}"


def sample_name(model: str, sample: int) -> str:
    """The rater that a sample of a model is."""
    return f"{model}#{sample + 1}" if sample else model


def samples_there(raters: Collection[str]) -> Counter[str]:
    """Model -> how many samples of it were taken, counted up to the last."""
    taken: Counter[str] = Counter()
    for rater in raters:
        if rater.startswith(MODEL):
            numbered = _SAMPLE.fullmatch(rater)
            model, number = (numbered[1], int(numbered[2])) if numbered else (rater, 1)
            taken[model] = max(taken[model], number)
    return taken


def check_person(name: str) -> str:
    """A person's name as a rater; raises SettingError for one that stands for something else, or
    that no file can be called.
    """
    if name == OWN or name.startswith(MODEL):
        raise SettingError(
            f"{name!r} is no name for a person: {OWN!r} are the labels that a corpus came with, and"
            f" {MODEL!r} begins the name of a model"
        )
    if len(name) > LONGEST_NAME or not _PERSON.fullmatch(name):
        raise SettingError(
            f"{name[:60]!r} is no name for a person here: letters, digits, spaces, . _ and -, at"
            f" most {LONGEST_NAME}"
        )
    return name


def _stage_of(spec: str) -> str:
    staged = re.match(r"([\w.-]+)=", spec)
    return staged[1] if staged else ""
