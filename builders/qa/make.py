"""From chosen conversations to questions: each is moderated, then summarised, then the answers of
what is left are refined.

A step of a conversation begins when the one before it is over, so nothing is paid for that an
earlier one drops. A pair becomes a row only when every variant of its summary holds, so all
variants have the same rows. What the models wrote waits in a file: memory holds counts, and of each
conversation where it lies.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from builders.qa.conversations import Chosen, Conversations
from builders.qa.fidelity import answer_facts, summary_facts
from builders.qa.moderation import Moderator
from builders.qa.pairs import SPLITS, split_of, stage_of
from builders.qa.refine import refine
from builders.qa.summarise import Summariser, Variant
from builders.qa.tokens import TokenCounter
from builders.rows import Ordered, Rows
from builders.spool import Place
from builders.wording import templates
from csc_tasks.framework import TOPICS
from csc_tasks.languages.labels import topic_label
from csc_tasks.llm.client import LLM
from csc_tasks.llm.items import run_items
from csc_tasks.llm.outcomes import Dropped
from csc_tasks.llm.progress import Progress
from csc_tasks.metrics.facts import forget_facts
from csc_tasks.question import QA_STAGES, Question

PROMPTS = (
    "qa_moderate",
    "qa_summary",
    "qa_summary_again",
    "qa_refine",
    "qa_instruction",
    "qa_instruction_topic",
)


Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Written:
    """What the models wrote about a pair; `summaries` in the order of the variants."""

    pair: int
    summaries: Sequence[str]
    refined: str


class Made:
    """What became of the conversations: counts by reason, and the rows, of the same pairs in each
    of `configs`. `kept`: position of a conversation -> how many rows it has, where it has any.
    """

    def __init__(self, chosen: Conversations, configs: Sequence[str]) -> None:
        self.chosen, self.configs = chosen, configs
        self.conversations, self.pairs, self.rows = len(chosen), 0, 0
        self.conversations_dropped: Counter[str] = Counter()
        self.flagged: Counter[str] = Counter()
        self.pairs_dropped: Counter[str] = Counter()
        self.again: Counter[str] = Counter()
        self.counted_by: Counter[str] = Counter()
        self.kept: dict[int, int] = {}
        self._spool, self._places = chosen.beside(), dict[int, Place]()
        self._stages, self._languages = Counter[str](), Counter[str]()
        self._sources, self._equal = Counter[str](), 0
        self._facts = {f"facts_in_{config}": Counter(summary_facts(())) for config in configs}
        self._facts["facts_in_refined_answers"] = Counter(answer_facts(()))

    def add(self, position: int, chosen: Chosen, written: Sequence[Written]) -> None:
        """Take the rows of a conversation in."""
        if not written:
            return
        for i, config in enumerate(self.configs):
            rows = list(_questions(chosen, written, i))
            self._facts[f"facts_in_{config}"].update(summary_facts(rows))
        self._facts["facts_in_refined_answers"].update(answer_facts(rows))
        # Texts of one conversation do not come again in another.
        forget_facts()
        self._stages.update(row.stage or "" for row in rows)
        self._languages[chosen.raw.language] += len(rows)
        self._sources[chosen.raw.source] += len(rows)
        self._equal += sum(row.refined_agent_answer == row.agent_answer for row in rows)
        self.rows += len(rows)
        self.kept[position] = len(rows)
        value = [[one.pair, one.summaries, one.refined] for one in written]
        self._places[position] = self._spool.add(value)

    def splits(self, shares: dict[str, int]) -> dict[str, dict[str, Rows]]:
        """config -> split -> rows; a split that no conversation fell into is left out."""
        positions: dict[str, list[int]] = {split: [] for split in SPLITS}
        for position in sorted(self.kept):
            positions[split_of(self.chosen.name(position), shares)].append(position)
        return {
            config: {
                split: Ordered(sum(self.kept[i] for i in own), partial(self._read, own, which))
                for split, own in positions.items()
                if own
            }
            for which, config in enumerate(self.configs)
        }

    def _read(self, positions: Iterable[int], which: int) -> Iterator[dict]:
        """The rows of these conversations with the summaries of one variant."""
        for position in positions:
            written = [Written(*one) for one in self._spool.read(self._places[position])]
            for row in _questions(self.chosen[position], written, which):
                yield row.to_row()

    def report(self) -> dict:
        """The counts for the screen, the card and build.json."""
        counts: dict = {
            "conversations_tried": self.conversations,
            "conversations_dropped": dict(sorted(self.conversations_dropped.items())),
            "moderation_flagged": dict(sorted(self.flagged.items())),
            "pairs_tried": self.pairs,
            "pairs_dropped": dict(sorted(self.pairs_dropped.items())),
            "pairs_kept": self.rows,
            "conversations_with_a_pair_kept": len(self.kept),
            "rows_by_stage": {stage: self._stages[stage] for stage in QA_STAGES},
            "rows_by_language": dict(sorted(self._languages.items())),
            "rows_by_source": dict(sorted(self._sources.items())),
            "summaries_asked_for_again_because_too_long": dict(sorted(self.again.items())),
            "summary_tokens_counted_by": dict(sorted(self.counted_by.items())),
        }
        counts |= {name: dict(facts) for name, facts in self._facts.items()}
        counts["refined_answers_equal_to_the_answer"] = self._equal
        return counts


async def make(
    llm: LLM,
    conversations: Conversations,
    variants: Sequence[Variant],
    moderation: str,
    counter: TokenCounter,
) -> Made:
    """Ask about all conversations; `variants` opens with the one of the config `qa`, `moderation`
    is none, llm or an endpoint's spec.
    """
    made = Made(conversations, [variant.config for variant in variants])
    maker = Maker(llm, variants, moderation, counter, made)
    progress = Progress(len(conversations), "conversations")
    outcome = await run_items(range(len(conversations)), maker.run, llm, progress)
    made.conversations = outcome.ended
    made.conversations_dropped, made.flagged = outcome.dropped, maker.moderator.flagged
    return made


class Maker:
    """Asks about one conversation after the other, of which several may be in work."""

    def __init__(
        self,
        llm: LLM,
        variants: Sequence[Variant],
        moderation: str,
        counter: TokenCounter,
        made: Made,
    ) -> None:
        self.llm, self.variants, self.counter, self.made = llm, variants, counter, made
        self.moderator = Moderator(llm, endpoint=moderation != "llm")
        self.moderates = moderation != "none"
        # A conversation asks about its variants and its pairs at the same time.
        self._slots = asyncio.Semaphore(llm.concurrency)

    async def run(self, position: int) -> None:
        """Ask all about a conversation, and leave it in `made`; raises Dropped where it did not
        pass, and what ends the run.
        """
        chosen, made = self.made.chosen[position], self.made
        if self.moderates:
            async with self._slots:
                await self.moderator.check(chosen)
        summarisers = [Summariser(self.llm, variant, self.counter) for variant in self.variants]
        by_variant = await self._all(partial(one.run, chosen) for one in summarisers)
        dropped: Counter[str] = Counter()
        summaries: dict[int, list[str]] = {}
        for pair in chosen.wanted:
            of_pair = [by_pair[pair] for by_pair in by_variant]
            if failed := [summary for summary in of_pair if isinstance(summary, Dropped)]:
                dropped[failed[0].reason] += 1
            else:
                summaries[pair] = [str(summary) for summary in of_pair]
        answers = await self._all(
            partial(self._refined, chosen, pair, dropped) for pair in summaries
        )
        written = [
            Written(pair, texts, answer)
            for (pair, texts), answer in zip(summaries.items(), answers, strict=True)
            if answer is not None
        ]
        made.pairs += len(chosen.wanted)
        made.pairs_dropped.update(dropped)
        for summariser in summarisers:
            made.counted_by.update(summariser.counted_by)
            if summariser.again:
                made.again[summariser.variant.config] += summariser.again
        made.add(position, chosen, written)

    async def _refined(self, chosen: Chosen, pair: int, dropped: Counter[str]) -> str | None:
        """The refined answer; None, counted, where the pair is dropped."""
        try:
            return await refine(self.llm, chosen, pair)
        except Dropped as error:
            dropped[error.reason] += 1
            return None

    async def _all(self, calls: Iterable[Callable[[], Awaitable[Result]]]) -> list[Result]:
        """The results of all, when all have ended; raises the first error among them."""

        async def in_turn(call: Callable[[], Awaitable[Result]]) -> Result:
            async with self._slots:
                return await call()

        ended = await asyncio.gather(*map(in_turn, calls), return_exceptions=True)
        results = []
        for one in ended:
            if isinstance(one, BaseException):
                raise one
            results.append(one)
        return results


def _questions(chosen: Chosen, written: Iterable[Written], which: int) -> Iterator[Question]:
    """The rows of a conversation with the summaries of one variant."""
    return (question(chosen, one.pair, one.summaries[which], one.refined) for one in written)


def question(chosen: Chosen, pair: int, summary: str, refined: str) -> Question:
    """The row of a pair."""
    raw, asked = chosen.raw, chosen.asked[pair]
    return Question(
        conversation_id=chosen.conversation_id,
        turn_index=pair,
        turns_total=len(chosen.asked),
        stage=stage_of(pair, len(chosen.asked)),
        language=raw.language,
        topic=raw.topic,
        source=raw.source,
        instruction=instruction(raw.language, raw.topic),
        conversation_history=chosen.history(pair),
        history_summary=summary,
        client_question=raw.turns[asked].text,
        agent_answer=raw.turns[asked + 1].text,
        refined_agent_answer=refined,
    )


def instruction(language: str, topic: str) -> str:
    """The system prompt of a row: one text for a language, with the topic where it is known and
    says something.
    """
    if topic not in TOPICS or topic == "Others":
        return templates(language).messages("qa_instruction")[0]["content"]
    return templates(language).messages("qa_instruction_topic", topic=topic_label(topic, language))[
        0
    ]["content"]
