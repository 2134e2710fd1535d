"""Make the briefs that customers of live conversations (cscx_conv_live) are played from.

    csc build briefs CORPUS --out DIR
    csc build briefs CORPUS --llm openai:MODEL --out DIR

CORPUS is a dataset folder, a file, a Hub id or demo with conversations. DIR is a dataset folder
with the same conversations and a config `briefs`: for each what its customer knows, wants and does
not know yet, how it writes and how it feels. Evaluate with csc_corpus=DIR.

Without --llm (or with --llm none) rules make them, offline. A model is shown what the customer said
and not a word of the supporter; what it names as a fact has to stand in the customer's words, or is
left out and counted. A brief that the model does not give, or that quotes the recorded supporter
all the same, is made by rule and counted. csc review export shows briefs beside the conversations.
"""

import asyncio
import time
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from builders import outlook, runner
from builders.briefs.asking import STAGE, Made, ask_brief
from builders.cards.briefs import card
from builders.cards.render import Card, contents_table, count_lines
from builders.dataset import check_target, write_folder
from builders.executors import add_executor
from builders.plan import add_plan
from builders.wording import prompt_hashes
from csc_tasks.arguments import CORPUS
from csc_tasks.conversation import Conversation
from csc_tasks.corpora import Corpus, load
from csc_tasks.corpora.files import SPLITS
from csc_tasks.errors import MissingSplit, SettingError
from csc_tasks.live import Brief
from csc_tasks.live.briefs import METHOD, brief_by_rule
from csc_tasks.live.stored import CONFIG
from csc_tasks.llm.client import LLM
from csc_tasks.llm.items import run_items
from csc_tasks.llm.options import add_llm_arguments
from csc_tasks.llm.progress import Progress
from csc_tasks.telling import tally, tell

CONVERSATIONS = "csconv"
NONE = "none"
TEMPLATE = "brief"


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc build briefs`."""
    parser.add_argument(
        "corpus", metavar="CORPUS", help=f"{CORPUS} (ORG/NAME or ORG/NAME@REVISION)"
    )
    runner.add_out(parser)
    runner.add_limit(
        parser,
        "N conversations of each split; those of a smaller limit are among those of a larger one",
    )
    runner.add_licence(parser)
    add_plan(parser)
    runner.add_seed(parser, "another seed for the model (default: 0)")
    add_llm_arguments(parser, required=False)
    add_executor(parser)


def main(args: Namespace) -> None:
    """Make the briefs of a corpus: by rule, or see runner.run."""
    if args.llm in ([], [NONE]):
        _by_rule(args)
    else:
        runner.run(Briefs, args)


class Briefs(runner.Builder):
    """A build of the same conversations with briefs that a model made."""

    OPTIONS = ("limit", "seed", "attempts", "licence")
    stages = (STAGE,)

    def __init__(self, args: Namespace) -> None:
        super().__init__(args)
        self.corpora, self.conversations = _read(args)

    def stand_in(self) -> None:
        import builders.scripted.briefs  # noqa: F401 - registers itself

    def card(self, record: Mapping) -> Card:
        return card(record, self.args.licence)

    def item_of(self, item_id: str) -> str:
        return item_id

    def make(self, llm: LLM) -> runner.Built:
        items = [(split, one) for split, part in self.conversations.items() for one in part]
        tried = items[: self.pilot]

        async def worker(item: tuple[str, Conversation]) -> Made:
            return await ask_brief(llm, item[1])

        outcome = asyncio.run(run_items(tried, worker, llm, Progress(len(tried), "conversations")))
        made = {item[1].conversation_id: one for item, one in outcome.results}
        kept = sum(one.brief is not None for one in made.values())
        self.outlook = outlook.tried_in_order(
            "conversations", len(tried), Counter[str](), len(tried), len(items)
        )
        why = outcome.dropped + Counter(one.why for one in made.values() if one.why)
        if not kept:
            raise runner.NothingKept(
                f"the model made none of the {len(tried):,} briefs, so nothing was written;"
                f" {count_lines({'not_made': why})[0]} (--llm none makes them by rule)"
            )
        briefs = {
            split: [_brief(one, made.get(one.conversation_id)) for one in part]
            for split, part in self.conversations.items()
        }
        counts: dict[str, object] = {
            "briefs": len(items),
            "briefs_by_the_model": kept,
            "briefs_by_rule_instead": dict(sorted(why.items())),
            "facts": sum(len(one.facts) for part in briefs.values() for one in part),
            "facts_left_out_that_the_customer_did_not_say": sum(
                one.left_out for one in made.values()
            ),
        }
        return runner.Built(_rows(self.conversations, briefs), self._record(llm, counts))

    def _record(self, llm: LLM, counts: Mapping[str, object]) -> dict:
        languages = sorted({c for corpus in self.corpora.values() for c in corpus.languages})
        return {
            "builder": "briefs",
            "settings": self.settings(llm),
            "corpus": _source(self.args.corpus, self.corpora),
            "models": self.models(llm),
            "prompts": prompt_hashes(languages, [TEMPLATE]),
            "counts": counts,
        }


def _brief(conversation: Conversation, made: Made | None) -> Brief:
    """What the model made, or what rules make where it made nothing that can be used."""
    if made is not None and made.brief is not None:
        return made.brief
    return brief_by_rule(conversation)


def _by_rule(args: Namespace) -> None:
    """Write the dataset with briefs by rule, without asking anybody."""
    if getattr(args, "plan", None) is not None or args.executor or args.shard:
        raise SettingError("--plan, --shard and --executor are for briefs that a model makes")
    started = time.time()
    runner.check_least(args, limit=1)
    check_target(args.out)
    corpora, conversations = _read(args)
    briefs = {split: [brief_by_rule(one) for one in part] for split, part in conversations.items()}
    made = [brief for part in briefs.values() for brief in part]
    counts = {
        "briefs": len(made),
        "briefs_by_rule": len(made),
        "facts": sum(len(brief.facts) for brief in made),
        "briefs_without_facts": sum(not brief.facts for brief in made),
    }
    record = {
        "builder": "briefs",
        "settings": {"method": METHOD, "limit": args.limit, "licence": args.licence},
        "corpus": _source(args.corpus, corpora),
        "counts": counts,
    }
    run = {"seconds": round(time.time() - started, 1)}
    rows = _rows(conversations, briefs)
    args.out.resolve().parent.mkdir(parents=True, exist_ok=True)
    written = write_folder(args.out, rows, card(record, args.licence), record, run)
    tally(*count_lines(counts), end="\n\n")
    tell(contents_table(written["splits"]))
    tell(f"\nWrote {args.out}: evaluate with csc_corpus={args.out} (cscx_conv_live)")


def _read(args: Namespace) -> tuple[dict[str, Corpus], dict[str, Sequence[Conversation]]]:
    """The splits of conversations that the corpus has, whole and up to the limit."""
    corpora: dict[str, Corpus] = {}
    missing: MissingSplit | None = None
    splits = ("test",) if Path(args.corpus).expanduser().is_file() else SPLITS
    for split in splits:
        try:
            corpora[split] = load(args.corpus, CONVERSATIONS, split)
        except MissingSplit as error:
            missing = error
    if not corpora and missing is not None:
        raise missing
    for corpus in corpora.values():
        tally(corpus.summary())
        if any(item.held_out_turns() for item in corpus.items):
            tally("note: turns are held out; briefs do not need them")
    return corpora, {split: corpus.items[: args.limit] for split, corpus in corpora.items()}


def _rows(
    conversations: Mapping[str, Sequence[Conversation]], briefs: Mapping[str, Sequence[Brief]]
) -> dict[str, dict[str, list[dict]]]:
    return {
        CONVERSATIONS: {split: [c.to_row() for c in part] for split, part in conversations.items()},
        CONFIG: {split: [brief.to_json() for brief in part] for split, part in briefs.items()},
    }


def _source(name: str, corpora: Mapping[str, Corpus]) -> dict[str, object]:
    """What build.json says of the corpus."""
    return {
        "name": Path(name).name if Path(name).expanduser().exists() else name,
        "revision": next(iter(corpora.values())).revision,
        "languages": sorted({code for corpus in corpora.values() for code in corpus.languages}),
        "content_hash": {split: corpus.content_hash for split, corpus in corpora.items()},
    }


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
