"""Which audits can be believed? Each is made again from the conversations of its runs and the
recorded ones, where both are here, and held against what the report says.

Which conversations a report is about is said by the content of its runs, so that it ranks no other
run. A report whose runs or corpus are not here is claimed; one that says something else than its
runs give is refused.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from math import isclose
from pathlib import Path
from typing import Any

from csc_tasks import corpora
from csc_tasks.corpora import Corpus
from csc_tasks.errors import CscError, DataError, MissingSplit
from csc_tasks.shown import shown
from leaderboard.audit.auditing import audit
from leaderboard.audit.live_files import LiveFile, read_live
from leaderboard.audit.reading import pair, played_of
from leaderboard.customer_audit import AuditedDimension, CustomerAudit
from leaderboard.reading.audits import CLAIMED, REFUSED, REPEATED, Report

DEMO = "demo"
TOLERANCE = 0.01
"""Within which two machines' numbers of one audit agree: shares of a few thousand divisions, and
distances in standard deviations.
"""
SETTINGS = {
    "customer_prompt": "prompt of the customer",
    "customer_temperature": "temperature of the customer",
    "briefs": "briefs",
    "max_turns": "turns at most",
    "corpus": "content of the corpus",
}
"""What a report repeats of its runs, in words."""


def believe(
    audits: Sequence[CustomerAudit], samples: Iterable[Path], names: Sequence[str]
) -> list[Report]:
    """What is to be thought of each audit. samples: samples files that are here; names: of the
    corpora that are trusted here (the demo always is).
    """
    if not audits:
        return []
    here: dict[str, list[Path]] = {}
    read: dict[str, LiveFile] = {}
    for file in samples:
        live = read_live(file)
        for customer in live.customers:
            digest = live.run_of(customer).sha256
            here.setdefault(digest, []).append(file)
            read[digest] = live
    load = cache(corpora.load)  # audits of several customers are of one corpus
    return [_report(one, here, read, names, load) for one in audits]


def _report(
    claimed: CustomerAudit,
    here: Mapping[str, Sequence[Path]],
    read: Mapping[str, LiveFile],
    names: Sequence[str],
    load: Callable[..., Corpus],
) -> Report:
    own = [run.sha256 for run in claimed.runs]
    files = frozenset(file for digest in own for file in here.get(digest, ()))
    missing = len(own) - sum(digest in here for digest in own)
    if missing or not own:
        which = f"{missing} of its {len(own)} runs are" if own else "the runs that it is about are"
        why = f"{which} not here with their samples"
        return Report(claimed, CLAIMED, why, files)
    corpus = _recorded(claimed, names, load)
    if corpus is None:
        why = "no corpus that is trusted here (--corpus) has its recorded conversations"
        return Report(claimed, CLAIMED, why, files)
    why = _contradiction(claimed, [read[digest] for digest in own], corpus)
    return Report(claimed, REFUSED if why else REPEATED, why, files)


def _recorded(
    claimed: CustomerAudit, names: Sequence[str], load: Callable[..., Corpus]
) -> Corpus | None:
    """The trusted corpus with the recorded conversations of an audit."""
    for name in dict.fromkeys((*names, DEMO)):
        try:
            corpus = load(name, claimed.config, claimed.split)
        except (MissingSplit, DataError):
            # A manifest, or a folder of something else: no texts to hold anything against.
            continue
        if corpus.content_hash == claimed.recorded:
            return corpus
    return None


def _contradiction(claimed: CustomerAudit, files: Sequence[LiveFile], corpus: Corpus) -> str:
    """What an audit says that its runs do not give, in a sentence; "" where there is nothing."""
    customers = sorted({name for file in files for name in file.customers})
    if claimed.customer not in customers:
        listed = ", ".join(map(shown, customers))
        return f"it is about {shown(claimed.customer)}, and its runs were played with {listed}"
    try:
        played = played_of(files, claimed.customer, "its runs")
        for name, words in SETTINGS.items():
            says, there = getattr(claimed, name), getattr(played, name)
            if says != there and there is not None:
                return f"{words}: it says {_short(says)}, and its runs have {_short(there)}"
        pairs = pair(played, corpus.items, claimed.language)
        if len(pairs.played) != claimed.conversations:
            return (
                f"it says {claimed.conversations} conversations, and its runs have"
                f" {len(pairs.played)}"
            )
        return difference(claimed, audit(played, pairs, corpus, claimed.seed))
    except CscError as error:
        return f"it cannot be made again: {shown(str(error))}"


def difference(claimed: CustomerAudit, made: CustomerAudit) -> str:
    """The first thing that an audit says and that is not so when it is made again, in a sentence;
    "" where there is none.
    """
    if (claimed.verdict, claimed.failed) != (made.verdict, made.failed):
        return f"it says {_verdict(claimed)}, and its conversations give {_verdict(made)}"
    there = {dimension.id: dimension for dimension in made.dimensions}
    if [one.id for one in claimed.dimensions] != list(there):
        return "it has other dimensions than an audit has"
    for dimension in claimed.dimensions:
        if name := _differs(dimension, there[dimension.id]):
            says, gives = (getattr(one, name) for one in (dimension, there[dimension.id]))
            what = f"{dimension.title.lower()}, {name}"
            if isinstance(says, float) and isinstance(gives, float):
                return f"{what}: it says {says:.3g}, and its conversations give {gives:.3g}"
            return f"{what}: not what its conversations give"
    ours = made.model_dump(exclude={"hash"})
    for name, value in claimed.model_dump(exclude={"hash", "corpus_name", "revision"}).items():
        if not _same(value, ours[name]):
            return f"{name}: not what its conversations give"
    return ""


def _differs(claimed: AuditedDimension, made: AuditedDimension) -> str:
    theirs, ours = claimed.model_dump(), made.model_dump()
    return next((name for name in theirs if not _same(theirs[name], ours[name])), "")


def _same(claimed: Any, made: Any) -> bool:
    """Whether two values are the same but for what machines differ in."""
    if isinstance(claimed, dict) and isinstance(made, dict):
        return claimed.keys() == made.keys() and all(_same(claimed[key], made[key]) for key in made)
    if isinstance(claimed, list | tuple) and isinstance(made, list | tuple):
        return len(claimed) == len(made) and all(map(_same, claimed, made))
    if isinstance(claimed, float) and isinstance(made, float):
        return isclose(claimed, made, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return bool(claimed == made)


def _verdict(one: CustomerAudit) -> str:
    return f"{one.verdict} on {', '.join(one.failed)}" if one.failed else one.verdict


def _short(value: object) -> str:
    return (
        "nothing"
        if value is None
        else shown(f"{value:.60}" if isinstance(value, str) else str(value))
    )
