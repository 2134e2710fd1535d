"""Is a model worse than it was? For CI: exit status 0 (no), 1 (yes), 2 (cannot tell).

  csc gate results/ --against last/
  csc gate results/ --against last/ --metric strategy_acc --worse-by 0.02 --metric unparsed
  csc gate results/ --against last/ --junit gate.xml --markdown "$GITHUB_STEP_SUMMARY"

RESULTS and LAST are files or folders of results with logged samples, of one model or of several
(paired by name). Their runs have to have asked the same: task version, documents, prompt style,
chat template, signature of the metric. Runs that differ only in their seed, or asked several times
(csc_repeats), count as one, by each item's mean over them.

Every metric is compared on the conversations that both runs have. It is worse where it has dropped,
by a one-sided paired t test clustered by conversation at 5 %, after Holm's correction over all
metrics that are tested: identical runs fail at most 5 times in 100. --worse-by says how large a
drop matters (on the metric's own scale: 0.02 of strategy_acc are 2 points), and stands behind its
--metric: a drop that is shown to be smaller passes, and where neither that nor a drop can be shown
there are too few conversations, and the exit status is 2. The interval is the 90 % one, whose ends
are the bounds of both tests. Without --worse-by a metric without a significant drop passes, and the
drop that would have been found 4 times in 5 stands beside it, as csc power reckons it; csc power
--difference says how many conversations a smaller one takes.

Without --metric one metric of every task is tested, the one that rows of a table are put in order
by (strategy accuracy, where strategies were asked for). NAME tests a metric in all tasks that have
it, and in all languages; TASK/NAME in one task. What the earlier results have and the new ones lack
cannot be told, and never passes.
"""

import sys
from argparse import Action, ArgumentParser, Namespace
from dataclasses import dataclass
from pathlib import Path

from csc_tasks.arguments import add_json, check_known
from csc_tasks.errors import CscError, SettingError, require
from csc_tasks.metrics.consistency import consistency
from csc_tasks.metrics.result_names import metric_of, parts_of
from csc_tasks.out import replace_file
from csc_tasks.runs.names import rated
from csc_tasks.shown import shown
from csc_tasks.telling import show, show_document
from leaderboard.board import Column
from leaderboard.columns import LEADING, column, leading_column, place_of
from leaderboard.gate_pairs import CHANGEABLE, Pair, Refusal, pairs_of, read_runs
from leaderboard.gate_report import Compared, Outcome, as_document, as_junit, as_markdown, as_text
from leaderboard.numbers.drops import change, corrected
from leaderboard.numbers.scales import scale_of

STATUS = {"pass": 0, "worse": 1, "cannot tell": 2}


@dataclass(slots=True)
class Wanted:
    """A metric to be tested, as it was named, and the drop that matters."""

    name: str
    margin: float | None = None

    def matches(self, task: str, name: str) -> bool:
        """Whether it names this result of this task, in one language or in all."""
        of, _, metric = self.name.rpartition("/")
        return of in ("", task) and metric in (name, parts_of(name)[0])


class _Metric(Action):
    def __call__(self, parser, namespace, values, option_string=None):
        namespace.metric = [*(namespace.metric or ()), Wanted(values)]


class _WorseBy(Action):
    """Belongs to the metric that was named last."""

    def __call__(self, parser, namespace, values, option_string=None):
        if not namespace.metric or namespace.metric[-1].margin is not None:
            parser.error(f"--worse-by {values:g}: name its metric first (--metric NAME)")
        namespace.metric[-1].margin = values


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc gate`."""
    parser.add_argument("results", type=Path, metavar="RESULTS", help="the new results")
    parser.add_argument(
        "--against", type=Path, required=True, metavar="LAST", help="the results before"
    )
    parser.add_argument(
        "--metric",
        action=_Metric,
        metavar="NAME",
        help="a metric, or TASK/NAME; repeatable (default: the leading one of every task)",
    )
    parser.add_argument(
        "--worse-by",
        action=_WorseBy,
        type=float,
        metavar="D",
        help="the smallest drop that matters, of the --metric before it",
    )
    parser.add_argument(
        "--differing",
        action="append",
        choices=CHANGEABLE,
        default=[],
        metavar="FIELD",
        help=f"compare runs that differ in it ({', '.join(CHANGEABLE)}); repeatable",
    )
    parser.add_argument("--junit", type=Path, metavar="FILE", help="also write JUnit XML")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="also write Markdown")
    add_json(parser)


def main(args: Namespace) -> int:
    """Print what has become of every metric and return the exit status: 0, 1 or 2."""
    try:
        outcome = _outcome(args)
    except CscError as error:
        # Status 1 would say that the model is worse.
        outcome = Outcome((), (Refusal("", "", "", str(error)),), ())
    try:
        for file, text in ((args.junit, as_junit), (args.markdown, as_markdown)):
            if file:
                replace_file(file, text(outcome))
    except CscError as error:
        print(f"error: {error}", file=sys.stderr)
        return STATUS["cannot tell"]
    for note in outcome.notes:
        print(f"note: {note}", file=sys.stderr)
    status = STATUS[outcome.verdict]
    show(as_text(outcome))
    show_document(args.json, as_document(outcome) | {"exit_status": status})
    return status


def _outcome(args: Namespace) -> Outcome:
    require("scipy.special", "leaderboard", "csc gate")
    notes: list[str] = []
    before, now = (read_runs(path, notes) for path in (args.against, args.results))
    pairs, refusals = pairs_of(before, now, args.differing, notes)
    wanted = args.metric or []
    chosen = [(pair, *one) for pair in pairs for one in _chosen(pair, wanted)]
    _check_named(pairs, wanted)
    tested = []
    for pair, name, margin in chosen:
        made = _tested(pair, name, margin)
        if isinstance(made, Refusal):
            refusals.append(made)
        else:
            tested.append(made)
    if not tested and not refusals:
        refusals.append(Refusal("", "", "", "no ranked metric to test; name one with --metric"))
    changes = corrected([one.change for one in tested])
    return Outcome(
        tuple(
            Compared(t.model, t.column, c, t.differs) for t, c in zip(tested, changes, strict=True)
        ),
        tuple(refusals),
        tuple(dict.fromkeys(notes)),
    )


def _chosen(pair: Pair, wanted: list[Wanted]) -> list[tuple[str, float | None]]:
    """The results of a pair that are to be tested, with their margins: what the run before has."""
    names = sorted(pair.before.values, key=lambda name: (name != LEADING, place_of(name)))
    if wanted:
        return [
            (name, one.margin) for one in wanted for name in names if one.matches(pair.task, name)
        ]
    # A corpus without labels has no value in the metrics of strategies.
    there = {name: _column(pair, name) for name in names if name in pair.before.columns}
    leading = leading_column(list(there.values()))
    return [(name, None) for name, own in there.items() if leading and own.metric == leading.metric]


def _column(pair: Pair, name: str) -> Column:
    signature = pair.before.measurement.provenance.signatures.get(name, "")
    return column(pair.task, name, signature)


def _check_named(pairs: list[Pair], wanted: list[Wanted]) -> None:
    """Raise SettingError for a metric that no pair has, and for a margin that it cannot have."""
    results = [(pair.task, name) for pair in pairs for name in pair.before.values]
    for one in wanted:
        of = one.name.rpartition("/")[0]
        if of and results:
            check_known(f"--metric {one.name}: task", [of], sorted({task for task, _ in results}))
        if results and not any(one.matches(*result) for result in results):
            known = sorted({name for task, name in results if of in ("", task)})
            check_known("--metric", [one.name.rpartition("/")[2]], known)
        if one.margin is None:
            continue
        scale = scale_of(one.name.rpartition("/")[2])
        width = scale.high - scale.low
        if not 0 < one.margin < width:
            points = " (0.02 are 2 points)" if width == 1 else ""
            raise SettingError(
                f"--worse-by {one.margin:g}: a drop of {one.name} lies between 0 and"
                f" {width:g}{points}"
            )


def _tested(pair: Pair, name: str, margin: float | None) -> Compared | Refusal:
    """One metric of a pair, not yet corrected, or why it cannot be compared."""
    before, now = pair.before, pair.now
    known = _column(pair, name)

    def refused(why: str) -> Refusal:
        return Refusal(pair.model, pair.task, name, why)

    signatures = [run.measurement.provenance.signatures.get(name) for run in (before, now)]
    if name not in now.values:
        return refused("the new results do not have this metric")
    if signatures[0] != signatures[1]:
        return refused(
            f"computed in another way: {shown(str(signatures[0]))} before,"
            f" {shown(str(signatures[1]))} now"
        )
    if not any((metric_of(name), rated(name), consistency(name))):
        return refused("no metric of this version, so nobody knows which way is better")
    for run, words in ((before, "results before"), (now, "new results")):
        if name not in run.columns:
            why = "no value" if run.values[name].value is None else "no logged items"
            return refused(f"the {words} have {why} for it")
    made = change(before.columns[name], now.columns[name], known.higher_is_better, margin)
    return Compared(pair.model, known, made, pair.differs)


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
