"""Let language models compare models reply by reply, in both orders, and rank the models.

    csc pairwise results/model_a results/model_b --llm openai:MODEL --out compared/
    csc pairwise results/ --llm openai:MODEL --llm other=openai:MODEL2 --out compared/
        every two of the models in results/

A and B are samples files of `lm_eval --log_samples`, or folders of them. Every two models are
compared on the same sampled turns (in generated context: on the same conversations as each played
them). A judge sees a pair twice, in both orders; a verdict that changes with the order is a tie,
and one without an answer in both orders is missing. Nobody is asked about a pair in which a turn of
one of the two models failed; such pairs are counted apart. Scores are Bradley-Terry's with ties
(Davidson's model), with intervals over conversations; sets of models that are not
significantly different are shown as such. Each --llm is a judge, named NAME in --llm
NAME=openai:MODEL or else after its model; where options say STAGE, that name is meant.

--out gets comparisons.jsonl (verdicts and the judge's reasons; read by csc agreement),
pairwise.json (judges, prompts, sample, counts, rankings) and run.json. Every request is in the
journal: a run that was stopped or killed goes on by the same command and asks nothing twice.
"""

import asyncio
import time
from argparse import ArgumentParser, Namespace
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from pathlib import Path

from csc_tasks.errors import DataError
from csc_tasks.llm.items import run_items
from csc_tasks.llm.outcomes import Dropped
from csc_tasks.llm.progress import Progress
from csc_tasks.llm.runs import run_record
from csc_tasks.telling import show, tally, tell
from leaderboard.judging import llm_judges
from leaderboard.judging.asking import COMPARED, compare, prompt_hashes
from leaderboard.judging.ratings import (
    COMPARISONS,
    FAILED_TURN,
    Comparison,
    failed_words,
    write_lines,
)
from leaderboard.judging.reliability import ranking_section
from leaderboard.judging.strengths import Ranking, ranking
from leaderboard.judging.units import Judged, Unit, chosen_tasks, read_models
from leaderboard.reliability_report import Report, as_markdown


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc pairwise`."""
    parser.add_argument(
        "samples",
        nargs="+",
        type=Path,
        metavar="A B",
        help="samples files, or folders of them, of two or more models",
    )
    llm_judges.add_arguments(parser)


def main(args: Namespace) -> None:
    """Let the judges compare the models two by two, in both orders; write comparisons.jsonl and its
    records into args.out, and print the rankings.
    """
    started = time.time()
    llm_judges.check_out(args, COMPARISONS)
    models = read_models(
        args.samples, chosen_tasks(args.tasks, args.samples), args.unit == "auto", args.strict
    )
    models = compared_models(models)
    models, units = llm_judges.sampled(models, args.conversations, args.turns, args.seed)
    with llm_judges.panel(args, "pairwise") as (llm, judges):
        comparisons = asyncio.run(compare_all(llm, judges, models, units, args.show_reference))
        signed = llm_judges.signatures(
            args, judges, llm.sampling, COMPARED, llm_judges.languages_of(units), "orders:both"
        )
        write_lines(args.out / COMPARISONS, comparisons)
        rankings = rank(comparisons)
        counts = {
            judge: counted([comparison for comparison in comparisons if comparison.rater == judge])
            for judge in judges
        }
        names = ("conversations", "turns", "unit", "show_reference", "seed", "attempts", "sampling")
        record = {
            "settings": {name: getattr(args, name) for name in names},
            "judges": dict(judges),
            "signatures": list(signed.values()),
            "prompts": prompt_hashes(COMPARED, llm_judges.languages_of(units)),
            "sample": {task: len(own) for task, own in units.items()},
            "counts": counts,
            "rankings": {
                f"{judge} {task}": _plain(strengths)
                for (judge, task), strengths in rankings.items()
            },
        }
        llm_judges.write_records(
            args.out, {"pairwise.json": record, "run.json": run_record(llm, started)}
        )
        sections = [
            ranking_section(strengths, f"{judge}, {task}")
            for (judge, task), strengths in rankings.items()
        ]
        show(
            as_markdown(
                Report(title="Comparisons", notes=(), signatures=(), sections=tuple(sections))
            )
        )
        for judge, own in counts.items():
            tally(
                f"{judge}: {own['pairs']:,} pairs, {own['missing']:,} missing"
                f"{failed_words(own['failed_turns'])}"
            )
        tell(llm_judges.spent_line(llm))
    tell(f"Wrote {args.out / COMPARISONS}; next: csc agreement {args.out} --out reliability/")


def compared_models(models: Sequence[Judged]) -> list[Judged]:
    """The tasks that at least two models have; the others are named. Raises DataError where there
    is none.
    """
    by_task: dict[str, list[Judged]] = defaultdict(list)
    for judged in models:
        by_task[judged.task].append(judged)
    shared = [judged for own in by_task.values() if len(own) > 1 for judged in own]
    alone = [f"{own[0].task} ({own[0].model})" for own in by_task.values() if len(own) == 1]
    if not shared:
        raise DataError(
            f"there are no two models with the same task to compare; there are {', '.join(alone)}"
        )
    if alone:
        tally(f"left out, only one model has them: {', '.join(alone)}")
    return shared


async def compare_all(
    llm,
    judges: Mapping[str, str],
    models: Sequence[Judged],
    units: Mapping[str, Sequence[Unit]],
    reference: bool,
) -> list[Comparison]:
    """Every judge's verdicts on every two models' sampled units, in a fixed order."""
    items: list[tuple[str, Judged, Judged, str]] = [
        (judge, first, second, unit.id)
        for task, own in units.items()
        for first, second in combinations([judged for judged in models if judged.task == task], 2)
        for unit in own
        for judge in judges
    ]

    async def one(judge: str, first: Unit, second: Unit) -> tuple[str | None, str, str]:
        """(verdict, reason, problem)."""
        if first.failed or second.failed:
            return None, "", FAILED_TURN
        try:
            return *await compare(llm, judge, first, second, reference), ""
        except Dropped as error:
            return None, "", f"{error.reason}: {error.detail}"[:300]

    async def work(item: tuple[str, Judged, Judged, str]) -> Comparison:
        judge, a, b, id_ = item
        forward, reason, problem = await one(judge, a.units[id_], b.units[id_])
        backward, backward_reason, other = await one(judge, b.units[id_], a.units[id_])
        unit = a.units[id_]
        return Comparison(
            judge,
            judges[judge],
            a.model,
            b.model,
            unit.task,
            id_,
            unit.conversation_id,
            unit.language,
            unit.topic,
            unit.stage,
            unit.length,
            b.units[id_].length,
            forward,
            backward,
            problem or other,
            reason,
            backward_reason,
        )

    outcome = await run_items(items, work, llm, Progress(len(items), "comparisons"))
    return outcome.values


def counted(comparisons: Sequence[Comparison]) -> dict[str, int]:
    """What became of one judge's pairs."""
    asked = [comparison for comparison in comparisons if not comparison.failed]
    return {
        "pairs": len(comparisons),
        "failed_turns": len(comparisons) - len(asked),
        "missing": sum(comparison.winner is None for comparison in asked),
    }


def rank(comparisons: Sequence[Comparison]) -> dict[tuple[str, str], Ranking]:
    """(judge, task) -> the ranking, where there is one."""
    by_judge: dict[tuple[str, str], list[Comparison]] = defaultdict(list)
    for comparison in comparisons:
        by_judge[comparison.rater, comparison.task].append(comparison)
    rankings = {key: ranking(own) for key, own in by_judge.items()}
    return {key: strengths for key, strengths in rankings.items() if strengths}


def _plain(ranking: Ranking) -> dict:
    """A ranking as JSON holds it."""
    return {
        "models": [
            {**asdict(model), "score": model.score.model_dump()} for model in ranking.models
        ],
        "not_significantly_different": ranking.sets,
        "differences": [
            {"a": a, "b": b, **value.model_dump()} for (a, b), value in ranking.differences.items()
        ],
        "bounded": ranking.bounded,
        "comparisons": ranking.comparisons,
        "unusable": ranking.unusable,
    }


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
