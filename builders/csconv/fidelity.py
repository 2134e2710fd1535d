"""How true the rewritten conversations are to their originals: which facts are still there, and how
the supporter's strategies changed.

Facts (names, numbers, amounts, dates, codes) are found by patterns, `csc_tasks.metrics.facts`, in
every conversation. For the strategies a language model labels the supporter turns of originals as
well, which costs a request each: of a sample only.
"""

from collections import Counter
from collections.abc import Sequence

from builders.csconv.asking import Asking
from builders.csconv.maker import Pair
from builders.sources import raw_id
from csc_tasks.conversation import SUPPORTER
from csc_tasks.framework import BY_ID
from csc_tasks.llm.client import LLM
from csc_tasks.llm.items import run_items
from csc_tasks.llm.progress import Progress
from csc_tasks.metrics.facts import has_rules, kept


def facts_report(pairs: Sequence[Pair]) -> dict:
    """Counts over all pairs: the originals' facts, those kept, masked by a placeholder and lost,
    and those the rewrites added, by kind.
    """
    total: Counter = Counter()
    lost: Counter = Counter()
    added: Counter = Counter()
    for pair in pairs:
        if not has_rules(pair.conversation.language):
            total["conversations in a language without fact rules"] += 1
            continue
        before = "\n".join(turn.text for turn in pair.original.turns)
        after = "\n".join(turn.text for turn in pair.conversation.dialogue)
        facts = kept(before, after, pair.conversation.language)
        total.update(
            {"kept": facts.kept, "replaced by a placeholder": facts.masked, "lost": len(facts.lost)}
        )
        lost.update(fact.kind for fact in facts.lost)
        added.update(fact.kind for fact in facts.added)
    return {
        "facts_of_the_originals": dict(sorted(total.items())),
        "facts_lost": dict(sorted(lost.items())),
        "facts_added": dict(sorted(added.items())),
    }


async def strategies_report(llm: LLM, pairs: Sequence[Pair]) -> dict:
    """Counts over the sample `pairs`: strategies of the originals' supporter turns as `llm` labels
    them, and of the rewrites of the same.

    An original that cannot be labelled is counted, and left out on both sides. Raises what
    `run_items` raises.
    """

    async def label(pair: Pair) -> list[str]:
        return await Asking(llm, pair.original.language).label(
            pair.original.turns, raw_id(pair.original)
        )

    outcome = await run_items(pairs, label, llm, Progress(len(pairs), "originals labelled"))
    before = Counter(strategy for labels in outcome.values for strategy in labels)
    after = Counter(
        turn.strategy
        for pair, _ in outcome.results
        for turn in pair.conversation.dialogue
        if turn.speaker == SUPPORTER
    )
    return {
        "originals_labelled": len(outcome.results),
        "originals_not_labelled": dict(sorted(outcome.dropped.items())),
        "strategies_before": {name: before[name] for name in BY_ID if before[name]},
        "strategies_after": {name: after[name] for name in BY_ID if after[name]},
    }
