"""Label the strategies in logged replies: for agents that name none, and to see whether a model
does what it says.

    csc label samples results/ --llm openai:MODEL --out labelled/
    csc collect labelled/ --out board/

RESULTS are files that `lm_eval --log_samples` wrote, or folders of them; runs of conversations are
taken. The labeller is shown the conversation up to a reply (in generated context with the model's
own turns) and the reply, without whose it is, and names its strategy, or up to three in order.
--raters N asks several, dealt out as csc label run does, and takes what most name first.

--out gets per model the results and samples files with the columns `label_NAME_strategy_acc` and so
on beside those that they had: the accuracy that the run would have, had it chosen what the labeller
read from its replies. Tables call them "Labelled by NAME": they rest on the labeller, whom csc
label report compares with people, and never stand for a run's own choices. A reply that is empty or
failed counts as wrong, as everywhere; one whose label is lost is missing, and counted. labels.jsonl
has every label, labels.json what was asked. Every request is in the journal beside --out: the same
command goes on where it was stopped and asks nothing twice.
"""

import asyncio
import hashlib
import json
import re
from argparse import ArgumentParser, Namespace
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

from builders import outlook, runner
from builders.cards.render import count_lines
from builders.executors import without_executor
from builders.labels.asking import PROMPT, label_turn
from builders.labels.columns import write_columns
from builders.labels.raters import Rater, model_name, raters_of
from builders.labels.replies import LoggedReply, logged_replies
from builders.plan import add_plan
from builders.wording import check_building, prompt_hashes
from csc_tasks.arguments import check_known
from csc_tasks.errors import DataError, SettingError
from csc_tasks.labels import MODEL, Label
from csc_tasks.llm.client import LLM
from csc_tasks.llm.items import run_items
from csc_tasks.llm.options import add_llm_arguments
from csc_tasks.llm.progress import Progress
from csc_tasks.out import replace_file
from csc_tasks.runs.finding import find_samples
from csc_tasks.runs.names import task_of
from csc_tasks.runs.quarantine import STRICT_HELP
from csc_tasks.runs.writing import check_out
from csc_tasks.telling import show, tally, tell

_NAME = re.compile(r"[\w.-]+", re.ASCII)


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc label samples`."""
    add = parser.add_argument
    add(
        "samples",
        nargs="+",
        type=Path,
        metavar="RESULTS",
        help="samples files, or folders that hold them",
    )
    runner.add_out(parser, "where labels and results go; the journal lies beside it")
    add("--raters", type=int, default=1, metavar="N", help="how many label each reply (default: 1)")
    add(
        "--name",
        metavar="NAME",
        help="what the labeller is called in the columns (default: after its models)",
    )
    add(
        "--task",
        action="append",
        default=[],
        help="only this task, e.g. csc_conv_ref; repeatable (default: all of conversations)",
    )
    runner.add_limit(
        parser, "replies in N conversations of each task, the same of every model (default: all)"
    )
    add("--strict", action="store_true", help=STRICT_HELP)
    add_plan(parser)
    runner.add_seed(parser, "another seed, another sample and other replies (default: 0)")
    add_llm_arguments(parser)
    without_executor(parser)


class SampleLabelling(runner.Builder):
    """Results files with the columns of a labeller."""

    OPTIONS = ("raters", "task", "limit", "seed", "attempts")
    later = "a column is written for all of its replies"

    def __init__(self, args: Namespace) -> None:
        super().__init__(args)
        self.raters = raters_of(args.llm, args.raters)
        args.llm = [f"{rater.stage}={rater.asked}" for rater in self.raters]
        self.stages = tuple(rater.stage for rater in self.raters)
        self.name = args.name or default_name(self.raters)
        if not _NAME.fullmatch(self.name):
            raise SettingError(f"--name {self.name!r}: letters, digits, _ . and - only")
        if args.task:
            there = sorted({task_of(file) for file in find_samples(args.samples)})
            check_known("--task", args.task, there)
        self.replies = logged_replies(args.samples, args.task, args.limit, args.seed, args.strict)
        self.languages = sorted({reply.language for reply in self.replies})
        for language in self.languages:
            check_building(language)
        self.asked = [reply for reply in self.replies if not reply.silent]
        if not self.asked:
            raise DataError(
                f"{', '.join(map(str, args.samples))}: all {len(self.replies):,} replies are empty"
                " or failed; there is nothing to label"
            )
        self.labels: dict[Path, dict[tuple[str, int], list[Label]]] = {}
        models = {reply.model for reply in self.replies}
        tally(
            f"{len(self.replies):,} replies of {len(models):,} models,"
            f" {len(self.replies) - len(self.asked):,} of them empty or failed; raters:"
            f" {', '.join(rater.name for rater in self.raters)}"
        )

    def check_target(self) -> None:
        check_out(self.args.out)

    def stand_in(self) -> None:
        from builders.scripted.labeller import register

        register(self.stages)

    def item_of(self, item_id: str) -> str:
        return item_id

    def make(self, llm: LLM) -> runner.Built:
        tried = self.asked[: self.pilot]
        given, lost = asyncio.run(self._ask(llm, tried))
        counts = {
            "replies": len(self.replies),
            "replies_empty_or_failed": len(self.replies) - len(self.asked),
            "replies_labelled": len(given),
            "labels_lost": dict(sorted(lost.items())),
        }
        self.outlook = outlook.tried_in_order(
            "replies",
            len(given),
            +Counter({"no label": len(tried) - len(given)}),
            len(tried),
            len(self.asked),
        )
        if not given:
            raise runner.NothingKept(
                f"none of the {len(tried):,} replies could be labelled, so nothing was written;"
                f" {'; '.join(count_lines({'lost': lost}))}"
            )
        self.labels = defaultdict(dict)
        rows = []
        for reply, labels in given.items():
            self.labels[reply.file][reply.place] = labels
            rows.append(
                {
                    "model": reply.model,
                    "task": reply.task,
                    "conversation_id": reply.conversation_id,
                    "turn": reply.turn,
                    "labels": [label.to_json() for label in labels],
                }
            )
        return runner.Built({"labels": {"samples": rows}}, self.record(llm, counts))

    async def _ask(
        self, llm: LLM, replies: list[LoggedReply]
    ) -> tuple[dict[LoggedReply, list[Label]], Counter[str]]:
        """Reply -> its labels in the order of the raters, and how many were lost, by reason."""

        async def worker(item: tuple[LoggedReply, Rater]) -> tuple[str, ...]:
            reply, rater = item
            return await label_turn(
                llm, rater, reply.before, reply.text, reply.language, reply.item_id
            )

        items = [(reply, rater) for reply in replies for rater in self.raters]
        outcome = await run_items(items, worker, llm, Progress(len(items), "labels"))
        given: dict[LoggedReply, list[Label]] = defaultdict(list)
        for (reply, rater), strategies in outcome.results:
            given[reply].append(Label(rater.name, strategies))
        return dict(given), Counter(error.reason for _, error in outcome.drops)

    def record(self, llm: LLM, counts: Mapping[str, object]) -> dict:
        """What labels.json says."""
        return {
            "labeller": self.name,
            "raters": {rater.name: rater.asked for rater in self.raters},
            "signature": self.signature(llm),
            "settings": self.settings(llm),
            "prompts": prompt_hashes(self.languages, [PROMPT]),
            "counts": counts,
        }

    def signature(self, llm: LLM) -> str:
        """What all columns have in common: who was asked what about which replies."""
        hashes = json.dumps(prompt_hashes(self.languages, [PROMPT]), sort_keys=True)
        sampling = json.dumps(llm.sampling, sort_keys=True, separators=(",", ":"))
        most = self.args.limit
        parts = (
            f"labellers:{'+'.join(rater.asked for rater in self.raters)}",
            f"prompt:{hashlib.sha256(hashes.encode()).hexdigest()[:8]}",
            "unit:reply",
            f"sample:{'all' if most is None else f'{most}-{self.args.seed}'}",
            *([f"sampling:{sampling}"] if llm.sampling else []),
        )
        return "|".join(parts)

    def write(self, built: runner.Built, run: Mapping, journal: Path) -> None:
        out, record = self.args.out, built.record
        lines = (
            json.dumps(row, ensure_ascii=False) + "\n" for row in built.rows["labels"]["samples"]
        )
        replace_file(out / "labels.jsonl", lines)
        for name, content in (("labels.json", record), ("run.json", run)):
            replace_file(out / name, json.dumps(content, ensure_ascii=False, indent=2) + "\n")
        written, numbers = write_columns(
            self.replies, self.labels, self.name, record["signature"], out
        )
        tally("\n".join(count_lines(record["counts"])))
        for model, task, column, made in numbers:
            value = "N/A" if made.value is None else f"{made.value:.3f}"
            error = "" if made.stderr is None else f" (standard error {made.stderr:.3f})"
            show(f"{model} {task} {column}: {value}{error}")
        files = f"{out / 'labels.jsonl'} and {len(written)} results files"
        tell(f"Wrote {files}; next: csc collect {out}")
        tell(f"Every request is in {journal}")


def default_name(raters: list[Rater]) -> str:
    """The names of the models, each once, as part of a column's name."""
    names = dict.fromkeys(model_name(rater.asked).removeprefix(MODEL) for rater in raters)
    return re.sub(r"[^\w.-]+", "-", "-".join(names), flags=re.ASCII).strip("-")


def main(args: Namespace) -> None:
    """Label the replies in samples files, and write the columns; see runner.run."""
    runner.run(SampleLabelling, args)


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
