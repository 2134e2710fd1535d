"""Let language models look for unsupported facts in replies: the fact audit of csc collect, by
judges instead of by rule.

    csc judge facts results/ --llm openai:MODEL --out audited/
    csc judge facts results/ --llm openai:MODEL --evidence passages.jsonl --turns 3 --out audited/
    csc judge facts judged/ --llm scripted --out both/  offline stand-in; ratings that judged/ has
                                                        are kept

SAMPLES are files that `lm_eval --log_samples` wrote, or folders of them. What is audited are single
replies, in generated context too. A sample of them, stratified by topic and stage, is the same for
every model and every judge. A judge is shown the reply and what the rule of csc collect counts as
support: the history, the summary, the instruction, the question, the passages of the reply
(cscx_qa_grounded shows them) and those of --evidence (lines of {"conversation_id": "...", "turn":
3, "passages": ["..."]}, turn is optional; csc build passages writes them). In generated context the
model's own earlier turns are shown under a name of their own and support nothing. It lists the
names, numbers, amounts, dates and codes in the reply, each with its words as they stand there and
whether it is supported. An answer with words that do not stand in the reply, or of another form, is
asked for again --attempts times at most; the reply is then missing, never without unsupported
facts. An empty reply has no facts, and nobody is asked about it. A turn that failed is not asked
about either; it is counted apart and has no verdict. Each --llm is a judge, named NAME in --llm
NAME=openai:MODEL or else after its model; where options say STAGE, that name is meant. Judges on
another server: run again with its --base-url and the folder just written as SAMPLES.

--out gets facts.jsonl (every reply with the facts that each judge and the rule found), facts.json
(judges, prompts, sample, counts, rates and Fleiss' kappa with the rule), run.json (times, costs)
and, per model, the results and samples files with judge_NAME_unsupported (1 where the judge found
at least one unsupported fact) and judge_NAME_unsupported_missing in them (read by csc collect).
Every request is in the journal: a run that was stopped or killed goes on by the same command and
asks nothing twice.
"""

import asyncio
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from csc_tasks.evidence import evidence_hash, read_evidence
from csc_tasks.llm.items import run_items
from csc_tasks.llm.outcomes import Answer, Refused
from csc_tasks.llm.progress import Progress
from csc_tasks.llm.runs import run_record
from csc_tasks.runs.names import FACTS as PARTS
from csc_tasks.shown import shown
from csc_tasks.telling import show, tally, tell
from leaderboard.board import Value
from leaderboard.judging import llm_judges
from leaderboard.judging.asking import prompt_hashes
from leaderboard.judging.fact_asking import (
    PROMPT_VERSION,
    TEMPLATE,
    Audited,
    Verdict,
    ask_facts,
    audited,
)
from leaderboard.judging.fact_ratings import FactRating, columns, counted, fact_column, rates
from leaderboard.judging.rating_columns import write_columns
from leaderboard.judging.ratings import FAILED_TURN, failed_words, write_lines
from leaderboard.judging.units import chosen_tasks, read_models

FACTS = "facts.jsonl"
Question = tuple[str, str, Audited]
"""(judge, model, reply)."""


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc judge facts`."""
    parser.add_argument(
        "samples",
        nargs="+",
        type=Path,
        metavar="SAMPLES",
        help="samples files, or folders that hold them",
    )
    parser.add_argument(
        "--evidence",
        type=Path,
        metavar="FILE",
        help="retrieved passages that support facts in replies (JSON lines)",
    )
    llm_judges.add_arguments(parser, replies_only=True)


def main(args: Namespace) -> None:
    """Ask the judges about sampled replies, write what they found, and print the rates."""
    started = time.time()
    llm_judges.check_out(args, FACTS)
    evidence = read_evidence(args.evidence) if args.evidence else {}
    tasks = chosen_tasks(args.tasks, args.samples)
    models = read_models(args.samples, tasks, whole=False, strict=args.strict)
    units = llm_judges.outlines(models, args.conversations, args.turns, args.seed)
    models = [
        replace(judged, units={unit.id: judged.units[unit.id] for unit in units[judged.task]})
        for judged in models
    ]
    replies = [
        (judged.model, item) for judged in models for item in audited(judged, evidence).values()
    ]
    if args.evidence or any("passages" in item.data for _, item in replies):
        tally(
            f"evidence: passages for {sum('passages' in item.data for _, item in replies):,} of"
            f" {len(replies):,} replies"
        )
    with llm_judges.panel(args, "facts") as (llm, judges):
        ratings = asyncio.run(ask_all(llm, judges, replies))
        hashes = prompt_hashes((TEMPLATE,), llm_judges.languages_of(units))
        hash_ = evidence_hash(evidence or own_passages(item for _, item in replies))
        shown_to = (f"evidence:{hash_}", "unit:reply")
        signed = llm_judges.signed(args, judges, llm.sampling, PROMPT_VERSION, hashes, *shown_to)
        write_lines(args.out / FACTS, ratings)
        rows = rates(ratings)
        counts = {
            judge: counted([rating for rating in ratings if rating.rater == judge])
            for judge in judges
        }
        settings = ("conversations", "turns", "seed", "attempts", "sampling")
        record = {
            "settings": {name: getattr(args, name) for name in settings},
            "evidence": hash_,
            "judges": dict(judges),
            "signatures": list(signed.values()),
            "prompts": hashes,
            "sample": {task: len(own) for task, own in units.items()},
            "counts": counts,
            "rates": [{name: _plain(value) for name, value in row.items()} for row in rows],
        }
        llm_judges.write_records(
            args.out, {"facts.json": record, "run.json": run_record(llm, started)}
        )
        names = {
            fact_column(judge, part): f"judge_{part}|{text}"
            for judge, text in signed.items()
            for part in PARTS
        }
        written = write_columns(models, columns(models, judges, ratings), names, args.out)
        show(*table(rows))
        tally(*(counts_line(judge, own) for judge, own in counts.items()))
        tell(llm_judges.spent_line(llm))
    tell(
        f"Wrote {args.out / FACTS} and {len(written)} results files; next: csc collect"
        f" {args.out} ..."
    )


async def ask_all(
    llm, judges: Mapping[str, str], replies: Sequence[tuple[str, Audited]]
) -> list[FactRating]:
    """What every judge says of every reply, given as (model, reply), in a fixed order."""
    items: list[Question] = [(judge, model, reply) for model, reply in replies for judge in judges]
    asked = [item for item in items if item[2].askable]

    async def work(item: Question) -> tuple[tuple[Verdict, ...], Answer]:
        judge, _, reply = item
        return await ask_facts(llm, judge, reply)

    outcome = await run_items(asked, work, llm, Progress(len(asked), "replies"))
    answers: dict[int, tuple[tuple[Verdict, ...] | None, str, int]] = {
        id(item): (facts, "", answer.attempts) for item, (facts, answer) in outcome.results
    }
    for item, error in outcome.drops:
        tries = error.answer.attempts if isinstance(error, Refused) else llm.attempts
        answers[id(item)] = None, f"{error.reason}: {error.detail}"[:300], tries
    for item in items:
        if id(item) not in answers:
            failed = item[2].unit.failed
            answers[id(item)] = (None, FAILED_TURN, 0) if failed else ((), "", 0)
    return [_rating(judges, item, *answers[id(item)]) for item in items]


def own_passages(replies: Iterable[Audited]) -> dict[str, dict[int | None, list[str]]]:
    """The passages that judges are shown without a file of them: those of the replies' records."""
    passages: dict[str, dict[int | None, list[str]]] = {}
    for item in replies:
        if own := item.data.get("passages"):
            passages.setdefault(item.unit.conversation_id, {})[item.unit.turn] = own
    return passages


def table(rows: Sequence[Mapping]) -> list[str]:
    """The rates as a Markdown table, shares in percent."""
    lines = [
        "|task|model|judge|unsupported, judge|95 %|unsupported, rule|95 %|agree|kappa|95"
        " %|replies|missing|failed turns|"
    ]
    lines.append("|---|---|---|" + "---:|" * 10)
    for row in rows:
        by_judge, by_rule, agree = (
            _cells(row[name], 100, 1) for name in ("by_judge", "by_rule", "agreement")
        )
        cells = (
            row["task"],
            shown(row["model"]),
            row["judge"],
            *by_judge,
            *by_rule,
            agree[0],
            *_cells(row["kappa"], 1, 2),
        )
        counts = (f"{row[name]:,}" for name in ("replies", "missing", "failed_turns"))
        lines.append(f"|{'|'.join([*cells, *counts])}|")
    return lines


def counts_line(judge: str, own: Mapping) -> str:
    """The same in one line."""
    why = (
        f" ({'; '.join(f'{count:,} {problem}' for problem, count in own['problems'].items())})"
        if own["problems"]
        else ""
    )
    empty = f", {own['empty']:,} empty and not asked about" if own["empty"] else ""
    return (
        f"{judge}: {own['replies']:,} replies{empty}, {own['asked_again']:,} asked about more than"
        f" once, {own['missing']:,} missing{why}{failed_words(own['failed_turns'])};"
        f" {own['unsupported']:,} of {own['facts']:,} facts unsupported"
    )


def _rating(
    judges: Mapping[str, str],
    item: Question,
    facts: tuple[Verdict, ...] | None,
    problem: str,
    attempts: int,
) -> FactRating:
    judge, model, reply = item
    unit = reply.unit
    # A reply may hold a lone surrogate, which no file can.
    rule = tuple(replace(verdict, text=shown(verdict.text)) for verdict in reply.rule)
    return FactRating(
        judge,
        judges[judge],
        model,
        unit.task,
        unit.id,
        unit.conversation_id,
        unit.language,
        unit.topic,
        unit.stage,
        facts,
        rule,
        problem,
        attempts,
    )


def _plain(value: str | int | Value) -> str | int | dict:
    return value if isinstance(value, str | int) else value.model_dump()


def _cells(value: Value, scale: float, digits: int) -> tuple[str, str]:
    """A value and its interval; – where there is none."""
    middle = "–" if value.value is None else f"{scale * value.value:.{digits}f}"
    if value.low is None or value.high is None:
        return middle, "–"
    return middle, f"{scale * value.low:.{digits}f} to {scale * value.high:.{digits}f}"


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
