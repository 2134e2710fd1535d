"""How far the numbers of a board can be trusted, in words: what was found in each results file, and
what that means for its rows.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from csc_tasks.runs.results_file import Measurement
from csc_tasks.shown import shown
from csc_tasks.verify import Trust, Verified
from leaderboard.board import Board, Finding, Row

RULE = (
    "Re-scored: computed again here from the raw replies of a run whose documents are those of a"
    " trusted corpus. Claimed (\u2020): only handed in, or without samples or trusted corpus; never"
    " ranked, marked or compared. Partly: some numbers of a row are claimed (learned metrics always"
    " are). Ratings cannot be computed again: they are claimed, and ranked within their own column"
    " where the replies that they rate are proven. Where a file claims another number than its"
    " replies give, the one from the replies stands."
)
CLAIMED = "\u2020"
"""Stands behind a number that is not ranked, because nobody here computed it."""
CLAIMED_TITLE = "claimed, not computed again here: not ranked"
NAMES = 3
ABOUT_TEXTS = (
    *("reference", "reply", "raw reply", "gold_strategy", "gold_stages", "failure"),
    *("brief", "stored brief"),
)
"""Findings about these quote the corpus or a reply, which a board does not publish."""


def contradictions(verified: Verified) -> tuple[Finding, ...]:
    """What does not hold in one task of a results file."""
    return tuple(
        Finding(
            item=found.item,
            claimed="" if found.item in ABOUT_TEXTS else found.claimed,
            recomputed="" if found.item in ABOUT_TEXTS else found.recomputed,
            sentence=found.sentence,
        )
        for found in verified.findings
        if found.contradicts
    )


def notes(measured: Iterable[tuple[Measurement, Verified]]) -> list[str]:
    """What is to be said about a collection: why results are claimed, and what does not hold in
    them, each named and counted.
    """
    reasons: dict[str, list[str]] = defaultdict(list)
    wrong = []
    for measurement, verified in measured:
        name = f"{shown(measurement.identity.name)}, {measurement.task}"
        for found in verified.findings:
            # That there are no samples is said where they are looked for.
            if not found.contradicts and measurement.samples:
                reasons[f"{found.item}: {found.sentence}"].append(name)
        if different := contradictions(verified):
            listed = _listed(list(map(line, different)), "; ")
            wrong.append(f"{name} ({measurement.file.name}): {listed}")
    made = [
        f"not all is computed again for {_listed(names, ' and ')}: {shown(reason)}"
        for reason, names in reasons.items()
    ]
    if wrong:
        made.append(f"{_count(len(wrong), 'result')} with statements that do not hold:")
    return made + wrong


def line(found: Finding) -> str:
    """A finding in a line."""
    values = ""
    if found.claimed and found.recomputed:
        values = f" (claimed {found.claimed}, recomputed {found.recomputed})"
    return shown(f"{found.item}: {found.sentence}{values}")


def of_row(row: Row, title: str) -> list[str]:
    """What does not hold in the runs of a row, a line each; title: of the row."""
    return [
        f"{title}, {task}: {line(found)}" for task, run in row.all_runs for found in run.findings
    ]


def summary(board: Board) -> str:
    """How many rows of a board can be trusted how far, and how many statements do not hold."""
    rows = [row for table in board.tables for row in table.rows]
    counts = [(trust, sum(row.trust is trust for row in rows)) for trust in Trust]
    parts = [f"{count} {trust}" for trust, count in counts if count]
    # A run stands in every table that its task has a place in.
    runs = {(run.raw, task): len(run.findings) for row in rows for task, run in row.all_runs}
    different = sum(runs.values())
    return f"rows: {', '.join(parts)}; statements that do not hold: {different}"


def _listed(texts: Sequence[str], between: str) -> str:
    more = [f"{len(texts) - NAMES} more"] if len(texts) > NAMES else []
    return between.join([*texts[:NAMES], *more])


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
