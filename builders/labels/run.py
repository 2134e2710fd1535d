"""Label what the supporter does, turn by turn, with language models as raters.

    csc label run DIR --llm openai:MODEL                      three samples of one model
    csc label run DIR --llm openai:A --llm openai:B --llm openai:C --out LABELLED
    csc label run DIR --llm scripted                          offline stand-in

DIR is a dataset folder with conversations, such as csc build transcripts writes. For every
supporter turn each rater is shown the conversation up to it, never what comes after nor another's
label, says why, and names one strategy, or up to three in order. Nothing is rewritten. LABELLED
(default: DIR-labelled) is the same dataset with `labels` on the turns; `strategy` is what most
raters name first, of a tie the earliest of the twelve. Every task and metric can be run on it at
once; csc label report says how far the raters agree.

--raters N (default: 3) deals the models out, so that two models and three raters are A, B and a
second sample of A. The first sample of a model is greedy, further ones are drawn at a temperature
of 0.7. Each rater is a stage, rater-1 to rater-N, for --llm, --price, --sampling. A model is called
`model:NAME` among the labels, its second sample `model:NAME#2`; labels that DIR has already stay,
and a model that is among them gives further samples. A strategy that DIR came with stays as it is,
and counts as the label of a rater called `corpus`.

Every request is in the journal beside LABELLED: the same command goes on where it was stopped and
asks nothing twice. A rater whose reply cannot be used has no label on that turn, which is counted.
"""

import asyncio
from argparse import ArgumentParser, Namespace
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from builders import outlook, runner
from builders.cards.labels import labelled_card
from builders.cards.render import Card, contents_table, count_lines
from builders.dataset import read_folder, write_folder
from builders.executors import add_executor
from builders.labels.applying import (
    Applied,
    apply,
    conversations_in,
    raters_in,
    supporter_turns,
)
from builders.labels.asking import PROMPT, label_turn
from builders.labels.raters import RATERS, Rater, raters_of
from builders.labels.record import next_lines, with_labelling
from builders.plan import add_plan
from builders.review.dataset_card import read_card
from builders.schema import SPLITS
from builders.source_folder import check_other
from builders.wording import check_building, prompt_hashes
from csc_tasks.conversation import Conversation
from csc_tasks.draws import digest
from csc_tasks.labels import Label
from csc_tasks.llm.client import LLM
from csc_tasks.llm.items import run_items
from csc_tasks.llm.options import add_llm_arguments
from csc_tasks.llm.progress import Progress
from csc_tasks.telling import tally, tell


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc label run`."""
    add = parser.add_argument
    add("folder", type=Path, metavar="DIR", help="the dataset folder to label")
    add(
        "--out",
        type=Path,
        metavar="LABELLED",
        help="the dataset folder to write; the journal lies beside it (default: DIR-labelled)",
    )
    add_raters(parser)
    add(
        "--split",
        action="append",
        default=[],
        choices=SPLITS,
        help="label this split, and write it alone; repeatable (default: all there are)",
    )
    runner.add_limit(
        parser,
        "label N conversations, and write these alone; those of a smaller limit are among those of"
        " a larger one",
    )
    add_plan(parser)
    runner.add_seed(parser, "another seed, another sample and other replies (default: 0)")
    add_llm_arguments(parser)
    add_executor(parser)


def add_raters(parser: ArgumentParser) -> None:
    """`--raters`."""
    parser.add_argument(
        "--raters",
        type=int,
        metavar="N",
        help=f"how many label each turn (default: {RATERS}, or as many as --llm names models)",
    )


class Labelling(runner.Builder):
    """The same conversations with the labels of models."""

    OPTIONS = ("raters", "split", "limit", "seed", "attempts")

    def __init__(self, args: Namespace) -> None:
        super().__init__(args)
        check_other(args.folder, self.out, "the folder to label")
        self.before, self.rows = read_folder(args.folder)
        self.source_card = read_card(args.folder / "README.md")
        every = conversations_in(self.rows, args.folder, args.split)
        for language in sorted({one.language for one in every.values()}):
            check_building(language)
        self.raters = raters_of(args.llm, args.raters, raters_in(every.values()))
        args.llm = [f"{rater.stage}={rater.asked}" for rater in self.raters]
        args.raters = len(self.raters)
        self.stages = tuple(rater.stage for rater in self.raters)
        # By a hash alone: the first are a random sample, and the same one for every limit.
        self.chosen = sorted(every.values(), key=_place(args.seed))[: args.limit]
        self.counts: dict = {}
        turns = sum(len(supporter_turns(one)) for one in self.chosen)
        tally(
            f"{args.folder}: {turns:,} supporter turns of {len(self.chosen):,} conversations;"
            f" raters: {', '.join(rater.name for rater in self.raters)}"
        )

    def stand_in(self) -> None:
        from builders.scripted.labeller import register

        register(self.stages)

    def item_of(self, item_id: str) -> str:
        return item_id.rpartition("/")[0]

    def card(self, record: Mapping) -> Card:
        return labelled_card(self.source_card, record["labellings"][-1])

    def make(self, llm: LLM) -> runner.Built:
        tried = self.chosen[: self.pilot]
        given = asyncio.run(ask_raters(llm, self.raters, tried))
        ended = {one.conversation_id: one for one in tried if given.all_ended(one)}
        labels = given.labels()
        touched = {name for name, _ in labels}
        self.outlook = outlook.tried_in_order(
            "conversations",
            len(touched & ended.keys()),
            +Counter({"no turn labelled": len(ended.keys() - touched)}),
            len(ended),
            len(self.chosen),
        )
        if not touched & ended.keys():
            reasons = "; ".join(count_lines({"lost": given.lost}))
            raise runner.NothingKept(
                f"none of the {sum(len(supporter_turns(one)) for one in tried):,} turns could be"
                f" labelled, so nothing was written; {reasons}"
            )
        applied = apply(self.rows, ended, labels, drop=True)
        return runner.Built(applied.rows, self.record(llm, applied, given))

    def record(self, llm: LLM, applied: Applied, given: "Given") -> dict:
        """What build.json says: what it said of the folder before, and of this labelling."""
        self.counts = applied.counts() | {"labels_lost": dict(sorted(given.lost.items()))}
        languages = sorted({one.language for one in self.chosen})
        return with_labelling(
            self.before,
            {
                "by": "models",
                "raters": {rater.name: rater.asked for rater in self.raters},
                "settings": self.settings(llm),
                "prompts": prompt_hashes(languages, [PROMPT]),
            },
            self.counts,
        )

    def write(self, built: runner.Built, run: Mapping, journal: Path) -> None:
        record = write_folder(self.out, built.rows, self.card(built.record), built.record, run)
        tally(*count_lines(self.counts), end="\n\n")
        tell(contents_table(record["splits"]), end="\n\n")
        for line in next_lines(self.args.out):
            tell(line)
        tell(f"Every request is in {journal}")


def main(args: Namespace) -> None:
    """Label the supporter turns of a dataset folder; see runner.run."""
    if args.out is None:
        folder = args.folder if args.folder.name else args.folder.resolve()
        args.out = folder.with_name(f"{folder.name}-labelled")
    runner.run(Labelling, args)


Item = tuple[Conversation, int, Rater]


@dataclass(slots=True)
class Given:
    """What the raters said: per item the strategies, in the order of the items; `lost` labels by
    reason; `ended` items by conversation.
    """

    results: Sequence[tuple[Item, tuple[str, ...]]]
    lost: Counter[str]
    ended: Counter[str]
    raters: int

    def all_ended(self, one: Conversation) -> bool:
        """Whether every rater's label of every turn of a conversation is given or lost."""
        return self.ended[one.conversation_id] == len(supporter_turns(one)) * self.raters

    def labels(self) -> dict[tuple[str, int], list[Label]]:
        """(Conversation id, position) -> the new labels, in the order of the raters."""
        labels: dict[tuple[str, int], list[Label]] = defaultdict(list)
        for (one, place, rater), strategies in self.results:
            labels[one.conversation_id, place].append(Label(rater.name, strategies))
        return dict(labels)


async def ask_raters(
    llm: LLM, raters: Sequence[Rater], conversations: Sequence[Conversation]
) -> Given:
    """What every rater says of every supporter turn; raises what `run_items` raises."""

    async def worker(item: Item) -> tuple[str, ...]:
        one, place, rater = item
        turn = one.dialogue[place]
        name = f"{one.conversation_id}/{place}"
        return await label_turn(llm, rater, one.dialogue[:place], turn.text, one.language, name)

    items = [
        (one, place, rater)
        for one in conversations
        for place in supporter_turns(one)
        for rater in raters
    ]
    outcome = await run_items(items, worker, llm, Progress(len(items), "labels"))
    ended = Counter(one.conversation_id for (one, _, _), _ in outcome.results)
    ended.update(one.conversation_id for (one, _, _), _ in outcome.drops)
    names = {rater.stage: rater.name for rater in raters}
    lost = Counter(_by_name(error.reason, names) for _, error in outcome.drops)
    return Given(outcome.results, lost, ended, len(raters))


def _by_name(reason: str, names: Mapping[str, str]) -> str:
    """A reason with the rater's name in place of its stage."""
    stage, colon, what = reason.partition(":")
    return f"{names.get(stage, stage)}{colon}{what}"


def _place(seed: int) -> Callable[[Conversation], bytes]:
    return lambda one: digest(f"label {seed} {one.conversation_id}")


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
