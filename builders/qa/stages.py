"""Label the stage (early, mid, late) of every question of a QA corpus with a language model that
never sees the answer.

    csc build qa-stages CORPUS --llm openai:MODEL --out DIR
    csc build qa-stages Lakshan2003/customer-support-client-agent-conversations --split test \\
        --llm openai:MODEL --out DIR

CORPUS is a dataset folder, a file, a Hub id or demo, in our schema or the published one. The model
is shown what came before the question (the turns, or the summary where there are none) and the
question. DIR is a dataset folder with the same rows and the new stages; rows that could not be
labelled are dropped and counted. Stages that the corpus had are compared with the new ones.
"""

import asyncio
import time
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from builders.cards.qa import stages_card
from builders.cards.render import contents_table, count_lines
from builders.dataset import check_target, write_folder
from builders.qa.pairs import SPLITS
from builders.schema import checked_splits
from csc_tasks.arguments import CORPUS
from csc_tasks.corpora import Corpus, load
from csc_tasks.errors import DataError, MissingSplit, SettingError
from csc_tasks.llm.options import add_llm_arguments
from csc_tasks.llm.runs import run_record, stage_models

STAGE = "stage"


def add_arguments(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("corpus", metavar="CORPUS", help=f"{CORPUS} (ORG/NAME or ORG/NAME@REVISION)")
    add(
        "--out",
        required=True,
        type=Path,
        metavar="DIR",
        help="the dataset folder to write; the journal lies beside it",
    )
    add(
        "--split",
        action="append",
        default=[],
        choices=SPLITS,
        help="label this split; repeatable (default: all there are)",
    )
    add(
        "--limit",
        type=int,
        metavar="N",
        help="label N rows of each split; those of a smaller limit are among those of a larger one",
    )
    add(
        "--licence",
        default="other",
        metavar="ID",
        help="the dataset's licence, as the Hub names it (default: other)",
    )
    add("--seed", type=int, default=0, metavar="N", help="another seed for the model (default: 0)")
    add_llm_arguments(parser)


def main(args: Namespace) -> None:
    import builders.scripted.answerer  # noqa: F401 - registers the stand-in
    from csc_tasks.llm.client import llm_from_args

    started = time.time()
    check_target(args.out)
    if args.limit is not None and args.limit < 1:
        raise SettingError(f"--limit {args.limit}: at least 1")
    corpora = read_corpora(args.corpus, args.split)
    rows = {split: corpus.items[: args.limit] for split, corpus in corpora.items()}
    # What could not be written is better known before anybody is asked.
    checked_splits(
        "qa", {split: [question.to_row() for question in found] for split, found in rows.items()}
    )
    for corpus in corpora.values():
        print(corpus.summary())
    out = args.out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    with llm_from_args(args, out.with_name(f"{out.name}.journal.sqlite"), [STAGE]) as llm:
        labelled, dropped = asyncio.run(label(llm, rows))
        counts = report(rows, labelled, dropped)
        if not any(labelled.values()):
            reasons = count_lines({"dropped": dropped})[0]
            raise DataError(
                f"none of the {sum(map(len, rows.values())):,} rows could be labelled, so nothing"
                f" was written; {reasons}"
            )
        build = build_record(args, llm, corpora, counts)
        run = run_record(llm, started)
    parts = {
        split: [question.to_row() for question in found]
        for split, found in labelled.items()
        if found
    }
    record = write_folder(out, {"qa": parts}, stages_card(build, args.licence), build, run)
    print("\n".join(count_lines(counts)), contents_table(record["splits"]), sep="\n\n", end="\n\n")
    print(
        f"Wrote {args.out}; its README.md says how to load it. Every request is in"
        f" {llm.journal.path}"
    )


def read_corpora(name: str, splits: list[str]) -> dict[str, Corpus]:
    """Split -> corpus, of the splits asked for or of all there are; a single file is the split it
    was asked for as, or test.
    """
    if Path(name).expanduser().is_file():
        if len(splits) > 1:
            raise SettingError(f"{name} is one file, which is one split; give one --split")
        split = (splits or ["test"])[0]
        return {split: load(name, "qa", split)}
    found = {}
    missing = None
    for split in splits or SPLITS:
        try:
            found[split] = load(name, "qa", split)
        except MissingSplit as error:
            if splits:
                raise
            missing = missing or error
    if not found:
        raise missing
    return found


async def label(llm, rows: Mapping[str, tuple]) -> tuple[dict[str, list], Counter]:
    """Split -> questions with their new stages, and how many could not be labelled, by reason."""
    from builders.qa.labels import stage_label
    from csc_tasks.llm.items import run_items
    from csc_tasks.llm.progress import Progress

    async def worker(item):
        return await stage_label(llm, item[1])

    items = [(split, question) for split, found in rows.items() for question in found]
    outcome = await run_items(items, worker, llm, Progress(len(items), "questions"))
    labelled: dict[str, list] = {split: [] for split in rows}
    for (split, question), stage in outcome.results:
        labelled[split].append(replace(question, stage=stage))
    return labelled, outcome.dropped


def report(rows: Mapping[str, tuple], labelled: Mapping[str, list], dropped: Counter) -> dict:
    """The counts for the screen, the card and build.json."""
    before = {
        (question.conversation_id, question.turn_index): question.stage
        for found in rows.values()
        for question in found
    }
    now = [
        (before[question.conversation_id, question.turn_index], question.stage)
        for found in labelled.values()
        for question in found
    ]
    changes = Counter(f"{old} to {new}" for old, new in now if old is not None)
    return {
        "rows_read": len(before),
        "rows_labelled": len(now),
        "rows_dropped": dict(sorted(dropped.items())),
        "rows_by_stage": dict(sorted(Counter(stage for _, stage in now).items())),
    } | ({"stages_before_to_stages_now": dict(sorted(changes.items()))} if changes else {})


def build_record(args: Namespace, llm, corpora: Mapping[str, Corpus], counts: dict) -> dict:
    """What build.json says: the same in two identical builds."""
    from builders.wording import templates

    first = next(iter(corpora.values()))
    languages = sorted({language for corpus in corpora.values() for language in corpus.languages})
    name = Path(args.corpus).name if Path(args.corpus).expanduser().exists() else args.corpus
    return {
        "builder": "qa-stages",
        "settings": {
            "limit": args.limit,
            "seed": args.seed,
            "attempts": args.attempts,
            "licence": args.licence,
            "sampling": llm.sampling,
        },
        "corpus": {
            "name": name,
            "revision": first.revision,
            "languages": languages,
            "content_hash": {split: corpus.content_hash for split, corpus in corpora.items()},
        },
        "models": stage_models(llm, [STAGE]),
        "prompts": {
            name: digest
            for language in languages
            for name, digest in templates(language).hashes("qa_stage").items()
        },
        "counts": counts,
    }


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
