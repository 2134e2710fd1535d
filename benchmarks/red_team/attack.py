"""Hand every forgery in, and see what `csc verify` makes of it."""

import contextlib
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import benchmarks.red_team.choices
import benchmarks.red_team.documents
import benchmarks.red_team.held_out
import benchmarks.red_team.numbers
import benchmarks.red_team.replies  # noqa: F401  (each adds its forgeries to the list)
from benchmarks.red_team.forgery import FORGERIES, Forgery
from benchmarks.red_team.forging import write
from benchmarks.red_team.held_out import held_out
from builders.hold_out import ALL, LAST
from csc_tasks import corpora
from csc_tasks.cli import main
from csc_tasks.conversation import HELD_OUT
from csc_tasks.errors import DataError
from csc_tasks.framework import STRATEGY_IDS
from csc_tasks.languages.labels import strategy_name
from csc_tasks.runs.results_file import read_results
from leaderboard.reading.comparable import select
from tests.support.fakes import gold_replies, write_corpus
from tests.support.handed_in import hand_in

TASKS = (
    "csc_conv_ref",
    "csc_conv_gen",
    "csc_qa",
    "cscx_conv_ref_oracle",
    "cscx_strategy_choice",
    "cscx_qa_full",
    "cscx_conv_ref_forced",
    "cscx_conv_gen_forced",
)
TASKS_OF = {"": TASKS, LAST: ("csc_conv_ref", "csc_qa"), ALL: ("csc_conv_gen", "csc_qa")}
"""Turns that are held out -> the tasks to run."""
AGAIN = {"csc_format": "json", "csc_reask": 1}
"""The settings of the run that asks again."""
CONTRADICTED, CLAIMED, NAMED, APART, MISSED = (
    "contradicted",
    "claimed only",
    "named",
    "table of its own",
    "not caught",
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one forgery. finding: the line that tells, or why there can be none."""

    forgery: Forgery
    verdict: str
    finding: str

    @property
    def caught(self) -> bool:
        """Whether it gains nothing."""
        return self.verdict != MISSED


def corpus_of(root: Path, conversations: int, questions: int) -> Path:
    """A part of the demo in both languages, as a folder of its own."""
    parts = [
        corpora.load("demo", config, "test").items[:count]
        for config, count in (("csconv", conversations), ("qa", questions))
    ]
    return write_corpus(root, *parts)


def honest(root: Path, corpus: Path, held: str = "", again: bool = False) -> Path:
    """A run that is neither good nor bad: some replies are gold, some unparsed, most its own. held:
    the turns that the corpus holds out. again: it asks for JSON, and again for the unparsed.
    """
    gold = gold_replies(corpus) if held != ALL else {}

    def reply(prompt: str) -> str:
        number = sum(map(ord, prompt))
        if gold.get(prompt, HELD_OUT) != HELD_OUT and number % 5 < 2:
            return gold[prompt]
        if number % 5 == 2:
            return f"just some text for case {number}"
        spoken = "zh" if any("\u4e00" <= sign <= "\u9fff" for sign in prompt) else "en"
        label = strategy_name(STRATEGY_IDS[number % 12], spoken)
        return f"[{label}] I have looked at {number} of your orders for you"

    settings = {"csc_corpus": str(corpus), "csc_qa_corpus": str(corpus)}
    if again:
        return hand_in(root, ("csc_conv_ref",), reply, settings | AGAIN)
    return hand_in(root, TASKS_OF[held], reply, settings)


def verify(
    paths: Iterable[Path], corpus: Path, out: Path, references: Path | None = None
) -> tuple[int, str, dict]:
    """`csc verify`: exit status, what it printed, and what it wrote."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        words = [*map(str, paths), "--corpus", str(corpus), "--json", str(out)]
        words += ["--references", str(references)] if references else []
        status = main(["verify", *words])
    return status, printed.getvalue(), json.loads(out.read_text(encoding="utf-8"))


def attack(root: Path, conversations: int = 24, questions: int = 24) -> list[Outcome]:
    """Every forgery of one honest run over a part of the demo, handed in below `root`; also over
    the same part without its last turns, and without all.
    """
    corpus = corpus_of(root / "corpus", conversations, questions)
    held: dict[str, tuple[Path, Path | None]] = {"": (corpus, None)}
    held |= {turns: held_out(root / "held_out", corpus, turns) for turns in (LAST, ALL)}
    runs = {turns: honest(root / f"honest{turns}", own, turns) for turns, (own, _) in held.items()}
    asking_again = honest(root / "again", corpus, again=True)
    return [
        _try(
            one,
            asking_again if one.again else runs[one.held],
            *held[one.held],
            root / f"{number:03}",
        )
        for number, one in enumerate(FORGERIES)
    ]


def _try(forgery: Forgery, run: Path, corpus: Path, references: Path | None, root: Path) -> Outcome:
    samples = next(run.parent.glob(f"samples_{forgery.task}_2*"))
    text = json.loads(run.read_text(encoding="utf-8"))
    for part in ("results", "configs", "versions", "higher_is_better", "n-samples", "n-shot"):
        text[part] = {forgery.task: text[part][forgery.task]}
    lines = [json.loads(line) for line in samples.read_text(encoding="utf-8").splitlines()]
    original = json.loads(json.dumps(text)), json.loads(json.dumps(lines))
    forgery.edit(text, lines)
    forged = write(root / "forged", run, samples, text, lines)
    if forgery.files is not None:
        forgery.files(root / "forged")
    paths = [forged]
    if forgery.beside or forgery.apart:
        paths.insert(0, write(root / "beside", run, samples, *original))
    status, printed, written = verify(paths, corpus, root / "verified.json", references)
    telling = [
        line.strip()
        for line in printed.splitlines()
        if forgery.tells in line and line.strip().startswith(("contradicted: ", "note: "))
    ]
    if forgery.apart:
        return Outcome(forgery, *_apart(paths))
    if forgery.principle:
        return Outcome(forgery, CONTRADICTED if status else MISSED, forgery.principle)
    if not telling:
        return Outcome(forgery, MISSED, printed)
    own = [one for one in written["runs"] if one["file"] == str(forged)]
    if status:
        verdict = CONTRADICTED
    elif all(one["trust"] == "claimed" for one in own):
        verdict = CLAIMED
    else:
        verdict = NAMED
    return Outcome(forgery, verdict, telling[0])


def _apart(paths: Iterable[Path]) -> tuple[str, str]:
    """Whether the board lets a run of a part stand beside the run of the whole."""
    measured = [one for path in paths for one in read_results(path, [])]
    try:
        select(measured)
    except DataError as error:
        return APART, str(error).partition(" for ")[0]
    return MISSED, "the board puts them into one table"
