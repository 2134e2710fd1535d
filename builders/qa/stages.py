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
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from builders import outlook, runner
from builders.cards.qa import stages_card
from builders.cards.render import Card, count_lines
from builders.checked_rows import checked_splits
from builders.executors import add_executor
from builders.hold_out import add_hold_out
from builders.plan import add_plan
from builders.qa.labels import stage_label
from builders.qa.pairs import SPLITS
from builders.wording import prompt_hashes
from csc_tasks.arguments import CORPUS
from csc_tasks.corpora import Corpus, load
from csc_tasks.errors import MissingSplit, SettingError
from csc_tasks.llm.client import LLM
from csc_tasks.llm.items import run_items
from csc_tasks.llm.options import add_llm_arguments
from csc_tasks.llm.progress import Progress
from csc_tasks.question import Question
from csc_tasks.telling import tally

STAGE = "stage"


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc build qa-stages`."""
    add = parser.add_argument
    add("corpus", metavar="CORPUS", help=f"{CORPUS} (ORG/NAME or ORG/NAME@REVISION)")
    runner.add_out(parser)
    add(
        "--split",
        action="append",
        default=[],
        choices=SPLITS,
        help="label this split; repeatable (default: all there are)",
    )
    runner.add_limit(
        parser,
        "label N rows of each split; those of a smaller limit are among those of a larger one",
    )
    runner.add_licence(parser)
    add_hold_out(parser)
    add_plan(parser)
    runner.add_seed(parser, "another seed for the model (default: 0)")
    add_llm_arguments(parser)
    add_executor(parser)


class Stages(runner.Builder):
    """A build of the same questions with new stages."""

    OPTIONS = ("limit", "seed", "attempts", "licence")
    stages = (STAGE,)

    def __init__(self, args: Namespace) -> None:
        super().__init__(args)
        self.corpora = read_corpora(args.corpus, args.split)
        self.questions: dict[str, Sequence[Question]] = {
            split: corpus.items[: args.limit] for split, corpus in self.corpora.items()
        }
        # What could not be written is better known before anybody is asked.
        checked_splits("qa", rows_of(self.questions))
        for corpus in self.corpora.values():
            tally(corpus.summary())

    def stand_in(self) -> None:
        import builders.scripted.answerer  # noqa: F401 - registers itself

    def card(self, record: Mapping) -> Card:
        return stages_card(record, self.args.licence)

    def item_of(self, item_id: str) -> str:
        return item_id

    def make(self, llm: LLM) -> runner.Built:
        labelled, dropped = asyncio.run(label(llm, self.questions, self.pilot))
        kept = sum(map(len, labelled.values()))
        self.outlook = outlook.tried_in_order(
            "questions",
            kept,
            dropped,
            kept + dropped.total(),
            sum(map(len, self.questions.values())),
        )
        if not any(labelled.values()):
            reasons = count_lines({"dropped": dropped})[0]
            raise runner.NothingKept(
                f"none of the {sum(map(len, self.questions.values())):,} rows could be labelled,"
                f" so nothing was written; {reasons}"
            )
        filled = {split: questions for split, questions in labelled.items() if questions}
        counts = report(self.questions, labelled, dropped)
        return runner.Built({"qa": rows_of(filled)}, self.record(llm, counts))

    def record(self, llm: LLM, counts: dict) -> dict:
        """What build.json says."""
        corpora, name = self.corpora.values(), self.args.corpus
        languages = sorted({language for corpus in corpora for language in corpus.languages})
        return {
            "builder": "qa-stages",
            "settings": self.settings(llm),
            "corpus": {
                "name": Path(name).name if Path(name).expanduser().exists() else name,
                "revision": next(iter(corpora)).revision,
                "languages": languages,
                "content_hash": {
                    split: corpus.content_hash for split, corpus in self.corpora.items()
                },
            },
            "models": self.models(llm),
            "prompts": prompt_hashes(languages, ["qa_stage"]),
            "counts": counts,
        }


def main(args: Namespace) -> None:
    """Label the stage of every question of a corpus; see runner.run."""
    runner.run(Stages, args)


def rows_of(questions: Mapping[str, Sequence[Question]]) -> dict[str, list[dict]]:
    """Split -> rows."""
    return {split: [question.to_row() for question in part] for split, part in questions.items()}


def read_corpora(name: str, splits: list[str]) -> dict[str, Corpus]:
    """Split -> corpus, of the splits asked for or of all there are; a single file is the split it
    was asked for as, or test.
    """
    if Path(name).expanduser().is_file():
        if len(splits) > 1:
            raise SettingError(f"{name} is one file, which is one split; give one --split")
        split = (splits or ["test"])[0]
        return {split: load(name, "qa", split)}
    if splits:
        return {split: load(name, "qa", split) for split in splits}
    corpora: dict[str, Corpus] = {}
    missing = []
    for split in SPLITS:
        try:
            corpora[split] = load(name, "qa", split)
        except MissingSplit as error:
            missing.append(error)
    if not corpora:
        raise missing[0]
    return corpora


async def label(
    llm: LLM, questions: Mapping[str, Sequence[Question]], most: int | None = None
) -> tuple[dict[str, list[Question]], Counter]:
    """Split -> questions with their new stages, and how many could not be labelled, by reason; of
    the first `most` questions.
    """

    async def worker(item: tuple[str, Question]) -> str:
        return await stage_label(llm, item[1])

    items = [(split, question) for split, part in questions.items() for question in part][:most]
    outcome = await run_items(items, worker, llm, Progress(len(items), "questions"))
    labelled: dict[str, list[Question]] = {split: [] for split in questions}
    for (split, question), stage in outcome.results:
        labelled[split].append(replace(question, stage=stage))
    return labelled, outcome.dropped


def report(
    questions: Mapping[str, Sequence[Question]],
    labelled: Mapping[str, Sequence[Question]],
    dropped: Counter,
) -> dict:
    """The counts for the screen, the card and build.json."""
    before = {
        (question.conversation_id, question.turn_index): question.stage
        for part in questions.values()
        for question in part
    }
    stages = [
        (before[question.conversation_id, question.turn_index], question.stage)
        for part in labelled.values()
        for question in part
    ]
    counts = {
        "rows_read": len(before),
        "rows_labelled": len(stages),
        "rows_dropped": dict(sorted(dropped.items())),
        "rows_by_stage": dict(sorted(Counter(stage for _, stage in stages).items())),
    }
    changes = Counter(f"{old} to {new}" for old, new in stages if old is not None)
    if changes:
        counts["stages_before_to_stages_now"] = dict(sorted(changes.items()))
    return counts


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
