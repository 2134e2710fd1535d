"""Let language models rate replies: six dimensions from 0 to 100, four more for answers to
questions.

    csc judge results/ --llm openai:MODEL --out judged/
    csc judge results/ --llm openai:MODEL --llm other=openai:MODEL2 --again 0.2 --out judged/
    csc judge results/ --llm scripted --out judged/                                offline stand-in

SAMPLES are files that `lm_eval --log_samples` wrote, or folders of them. A sample of conversations,
stratified by topic and stage, is the same for every model and every judge. A judge sees one reply
after its history, or, in generated context, the conversation as the model played it; never whose it
is. It must give a whole number for every dimension asked, by its name; any other reply is asked
again --attempts times at most, and is then missing, never 0. Nobody is asked about a turn that
failed (in generated context: a conversation with one in it): there is no reply of the model's to
rate; such turns are counted apart. Each --llm is a judge, named NAME in
--llm NAME=openai:MODEL or else after its model; where options say STAGE, that name is meant. Judges
on another server: run again with its --base-url and the folder just written as SAMPLES.

--out gets ratings.jsonl (scores and the judge's reason for them; read by csc agreement), judge.json
(models, prompts, sample, counts), run.json (times, costs) and, per model, the results and samples
files with the columns judge_NAME_DIMENSION in them (read by csc collect). A column's signature
names judge, prompt version, dimensions, sample and whether the reference was shown. Every request
is in the journal: a run that was stopped or killed goes on by the same command and asks nothing
twice. --again 0.2 asks about a fifth of the units a second time, which shows how steady a judge is.
"""

import asyncio
import time
from argparse import ArgumentParser, Namespace
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from csc_tasks.arguments import check_share
from csc_tasks.errors import SettingError
from csc_tasks.llm.items import run_items
from csc_tasks.llm.outcomes import Answer
from csc_tasks.llm.progress import Progress
from csc_tasks.llm.runs import run_record
from csc_tasks.runs.names import DIMENSIONS, judge_prefix, rating_column
from csc_tasks.shown import shown
from csc_tasks.telling import show, tally, tell
from leaderboard.judging import llm_judges
from leaderboard.judging.asking import RATED, prompt_hashes, rate
from leaderboard.judging.dimensions import chosen_dimensions, dimensions_of
from leaderboard.judging.intervals import mean
from leaderboard.judging.rating_columns import columns_of, write_columns
from leaderboard.judging.ratings import FAILED_TURN, RATINGS, Rating, failed_words, write_lines
from leaderboard.judging.sampling import order
from leaderboard.judging.units import Judged, Unit, chosen_tasks, read_models

Question = tuple[str, str, Unit, int]
"""(judge, model, unit, repeat)."""


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc judge`."""
    parser.add_argument(
        "samples",
        nargs="+",
        type=Path,
        metavar="SAMPLES",
        help="samples files, or folders that hold them",
    )
    parser.add_argument(
        "--dimensions",
        default="",
        metavar="A,B",
        help=f"only these of {', '.join(DIMENSIONS)} (default: all that apply)",
    )
    parser.add_argument(
        "--again",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="share of the units asked a second time (default: 0)",
    )
    llm_judges.add_arguments(parser)


def main(args: Namespace) -> None:
    """Let the judges rate sampled replies and conversations; write ratings.jsonl, its records and
    the results files with their columns into args.out, and print the means.
    """
    started = time.time()
    llm_judges.check_out(args, RATINGS)
    check_share("--again", args.again)
    chosen = chosen_dimensions(args.dimensions)
    models = read_models(
        args.samples, chosen_tasks(args.tasks, args.samples), args.unit == "auto", args.strict
    )
    models, units = llm_judges.sampled(models, args.conversations, args.turns, args.seed)
    if empty := [own[0].kind for own in units.values() if not dimensions_of(own[0].kind, chosen)]:
        raise SettingError(f"--dimensions {args.dimensions}: none of them applies to a {empty[0]}")
    with llm_judges.panel(args, "judge") as (llm, judges):
        ratings = asyncio.run(
            rate_all(llm, judges, models, units, chosen, args.show_reference, args.again, args.seed)
        )
        dimensions = [
            name
            for name in DIMENSIONS
            if any(name in dimensions_of(own[0].kind, chosen) for own in units.values())
        ]
        signed = llm_judges.signatures(
            args,
            judges,
            llm.sampling,
            RATED,
            llm_judges.languages_of(units),
            f"dimensions:{'+'.join(dimensions)}",
        )
        write_lines(args.out / RATINGS, ratings)
        record = judge_record(args, judges, units, ratings) | {"signatures": list(signed.values())}
        llm_judges.write_records(
            args.out, {"judge.json": record, "run.json": run_record(llm, started)}
        )
        written = write_columns(
            models,
            columns(models, judges, ratings),
            columns_signed(signed, units, chosen),
            args.out,
        )
        show(*table(ratings))
        tally(*counts_lines(record["counts"]))
        tell(llm_judges.spent_line(llm))
    tell(
        f"Wrote {args.out / RATINGS} and {len(written)} results files; next: csc agreement"
        f" {args.out} ..., csc collect {args.out} ..."
    )


async def rate_all(
    llm,
    judges: Mapping[str, str],
    models: Sequence[Judged],
    units: Mapping[str, Sequence[Unit]],
    chosen: Sequence[str],
    reference: bool,
    again: float,
    seed: int,
) -> list[Rating]:
    """Every judge's rating of every model's sampled units, and of a share of them a second one, in
    a fixed order.
    """
    items: list[Question] = []
    for judged in models:
        ids = [unit.id for unit in units[judged.task]]
        twice = set(sorted(ids, key=lambda id_: order(seed + 1, id_))[: round(again * len(ids))])
        for id_ in ids:
            for judge in judges:
                items += [
                    (judge, judged.model, judged.units[id_], repeat)
                    for repeat in range(2 if id_ in twice else 1)
                ]

    async def work(item: Question) -> tuple[dict[str, int], str, Answer]:
        judge, _, unit, repeat = item
        return await rate(llm, judge, unit, chosen, reference, repeat)

    asked = [item for item in items if not item[2].failed]
    outcome = await run_items(asked, work, llm, Progress(len(asked), "ratings"))
    replies: dict[int, tuple[dict[str, int] | None, str, int, str]] = {
        id(item): (scores, "", answer.attempts, reason)
        for item, (scores, reason, answer) in outcome.results
    }
    replies |= {
        id(item): (None, f"{error.reason}: {error.detail}"[:300], llm.attempts, "")
        for item, error in outcome.drops
    }
    failed = None, FAILED_TURN, 0, ""
    return [_rating(judges, item, *replies.get(id(item), failed)) for item in items]


def columns_signed(
    signed: Mapping[str, str], units: Mapping[str, Sequence[Unit]], chosen: Sequence[str]
) -> dict[str, str]:
    """Result name -> signature, from each judge's."""
    asked = {
        name for own in units.values() for unit in own for name in dimensions_of(unit.kind, chosen)
    }
    return {
        rating_column(judge_prefix(judge), column): f"judge_{column}|{signature}"
        for judge, signature in signed.items()
        for column in (*asked, "overall", "missing")
    }


def columns(
    models: Sequence[Judged], judges: Mapping[str, str], ratings: Sequence[Rating]
) -> dict[tuple[str, str], dict]:
    """(model, task) -> the columns of all judges."""
    own: dict[tuple[str, str, str], list[Rating]] = defaultdict(list)
    for rating in ratings:
        own[rating.model, rating.task, rating.rater].append(rating)
    return {
        (judged.model, judged.task): {
            name: values
            for judge in judges
            for name, values in columns_of(
                judge_prefix(judge), own[judged.model, judged.task, judge]
            ).items()
        }
        for judged in models
    }


def judge_record(
    args: Namespace,
    judges: Mapping[str, str],
    units: Mapping[str, Sequence[Unit]],
    ratings: Sequence[Rating],
) -> dict:
    """What judge.json says: the same in two identical runs."""
    names = (
        "conversations",
        "turns",
        "unit",
        "show_reference",
        "seed",
        "dimensions",
        "attempts",
        "again",
        "sampling",
    )
    counts = {}
    for judge in judges:
        own = [rating for rating in ratings if rating.rater == judge]
        asked = [rating for rating in own if not rating.failed]
        counts[judge] = {
            "asked": len(asked),
            "failed_turns": len(own) - len(asked),
            "missing": sum(rating.scores is None for rating in asked),
            "asked_again": sum(rating.attempts > 1 for rating in own),
            "problems": dict(
                sorted(
                    Counter(
                        rating.problem.partition("; ")[0] for rating in asked if rating.problem
                    ).items()
                )
            ),
        }
    return {
        "settings": {name: getattr(args, name) for name in names},
        "judges": dict(judges),
        "prompts": prompt_hashes(RATED, llm_judges.languages_of(units)),
        "sample": {task: len(own) for task, own in units.items()},
        "counts": counts,
    }


def table(ratings: Sequence[Rating]) -> list[str]:
    """One Markdown row per task, model and judge: mean over dimensions with its clustered 95 %
    interval, and how many are missing because of the judge, or were not asked about because the
    model's turn failed.
    """
    rows: dict[tuple[str, str, str], list[Rating]] = defaultdict(list)
    for rating in ratings:
        if not rating.repeat:
            rows[rating.task, rating.model, rating.rater].append(rating)
    lines = [
        "|task|model|judge|overall|95 %|rated|missing|failed turns|",
        "|---|---|---|---:|---:|---:|---:|---:|",
    ]
    for (task, model, judge), own in rows.items():
        rated = [
            (sum(rating.scores.values()) / len(rating.scores), rating.conversation_id)
            for rating in own
            if rating.scores is not None
        ]
        failed = sum(rating.failed for rating in own)
        overall = mean([score for score, _ in rated], [conversation for _, conversation in rated])
        value = "–" if overall.value is None else f"{overall.value:.1f}"
        interval = "–" if overall.low is None else f"{overall.low:.1f} to {overall.high:.1f}"
        lines.append(
            f"|{task}|{shown(model)}|{judge}|{value}|{interval}|{len(rated):,}"
            f"|{len(own) - len(rated) - failed:,}|{failed:,}|"
        )
    return lines


def counts_lines(counts: Mapping[str, Mapping]) -> list[str]:
    """What became of the questions, a line per judge."""
    lines = []
    for judge, own in counts.items():
        why = (
            f" ({'; '.join(f'{count:,} {problem}' for problem, count in own['problems'].items())})"
            if own["problems"]
            else ""
        )
        lines.append(
            f"{judge}: {own['asked']:,} asked, {own['asked_again']:,} more than once,"
            f" {own['missing']:,} missing{why}{failed_words(own['failed_turns'])}"
        )
    return lines


def _rating(
    judges: Mapping[str, str],
    item: Question,
    scores: Mapping[str, int] | None,
    problem: str,
    attempts: int,
    reason: str,
) -> Rating:
    judge, model, unit, repeat = item
    return Rating(
        kind="judge",
        rater=judge,
        asked=judges[judge],
        model=model,
        task=unit.task,
        unit=unit.id,
        conversation_id=unit.conversation_id,
        language=unit.language,
        topic=unit.topic,
        stage=unit.stage,
        length=unit.length,
        scores=None if scores is None else dict(scores),
        problem=problem,
        attempts=attempts,
        repeat=repeat,
        reason=reason,
    )


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
