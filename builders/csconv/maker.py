"""From candidates to conversations that are kept: check and topic, up to so many per topic,
rewrite, rules, judge.

Every step costs more than the one before, so each takes only what the next one can use: nobody is
checked whose topic is full already, and nobody is rewritten beyond the limit of the topic.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from builders.csconv import postfilter
from builders.csconv.asking import Asking
from builders.csconv.candidates import Candidates, Place
from builders.review.judged import Judgement
from builders.sources import RawConversation, raw_id
from csc_tasks.conversation import Conversation, content_id
from csc_tasks.framework import TOPICS
from csc_tasks.llm.client import LLM
from csc_tasks.llm.items import run_items
from csc_tasks.llm.outcomes import Dropped
from csc_tasks.llm.progress import Progress

# The least share of an original's facts that a rewrite keeps or masks.
MIN_FIDELITY = 0.5


@dataclass(frozen=True, slots=True)
class Pair:
    """A conversation that is kept, and the recording it was made from."""

    conversation: Conversation
    original: RawConversation


@dataclass(slots=True)
class Made:
    """What became of the candidates."""

    kept: list[Pair] = field(default_factory=list)
    looked_at: int = 0
    topics: Counter = field(default_factory=Counter)
    over_the_topic: int = 0
    not_needed: int = 0
    dropped_before: Counter = field(default_factory=Counter)
    dropped_after: Counter = field(default_factory=Counter)
    judged_no: Counter = field(default_factory=Counter)
    judged: list[Judgement] = field(default_factory=list)
    notes_removed: int = 0


class Maker:
    """Makes conversations from `candidates` through `llm`: at most `per_topic` of each topic are
    rewritten, until `limit` are kept; of the first `pilot` candidates alone, if it is given. A
    rewrite with less than `min_fidelity` of its original's facts goes.
    """

    def __init__(
        self,
        llm: LLM,
        candidates: Candidates,
        per_topic: int,
        limit: int | None = None,
        min_fidelity: float = MIN_FIDELITY,
        pilot: int | None = None,
    ) -> None:
        self.llm, self.candidates, self.per_topic, self.limit = llm, candidates, per_topic, limit
        self.min_fidelity, self.pilot = min_fidelity, pilot
        self.made = Made()

    def make(self) -> Made:
        """Make them all."""
        return asyncio.run(self._make())

    async def _make(self) -> Made:
        """In rounds. A round never takes more candidates than are still wanted, so the outcome is
        that of taking one after the other.
        """
        made, places, position, ids = self.made, self.candidates.places()[: self.pilot], 0, set()
        while position < len(places) and (wanted := self._wanted()):
            batch, position = self._batch(places, position, wanted)
            originals = [self.candidates.read(place) for place in batch]
            screened = await run_items(
                originals, self._screen, self.llm, Progress(len(batch), "checked")
            )
            made.looked_at += screened.ended
            made.dropped_before.update(screened.dropped)
            if self.llm.elsewhere and not all(raw.topic for raw in originals):
                break  # which of a topic are rewritten is known when all parts have answered
            chosen = [(raw, topic) for raw, topic in screened.results if self._has_room(topic)]
            rewritten = await run_items(
                chosen, self._rewrite, self.llm, Progress(len(chosen), "rewritten")
            )
            made.dropped_after.update(rewritten.dropped)
            if self.llm.elsewhere:
                break
            for pair in rewritten.values:
                if pair.conversation.conversation_id in ids:
                    made.dropped_after["duplicate of another"] += 1
                    continue
                ids.add(pair.conversation.conversation_id)
                made.kept.append(pair)
            if self.llm.open_rounds:
                break
        made.not_needed = len(places) - position
        return made

    def _wanted(self) -> int:
        """How many candidates may be needed at once; 0 when the limit is reached or every topic is
        full.
        """
        room = sum(max(0, self.per_topic - self.made.topics[topic]) for topic in TOPICS)
        if not room:
            return 0
        # A topic that is rare would else be looked for one candidate at a time.
        wanted = max(room, self.llm.concurrency)
        return wanted if self.limit is None else min(wanted, self.limit - len(self.made.kept))

    def _batch(
        self, places: Sequence[Place], position: int, wanted: int
    ) -> tuple[list[Place], int]:
        """The next candidates and the position behind them: up to `wanted`, and not more of a topic
        than may still be chosen.
        """
        batch: list[Place] = []
        pending: Counter[str] = Counter()
        while position < len(places) and len(batch) < wanted:
            topic = places[position].topic
            if topic and self.made.topics[topic] >= self.per_topic:
                self.made.over_the_topic += 1
            elif topic and self.made.topics[topic] + pending[topic] >= self.per_topic:
                break
            else:
                pending[topic] += 1
                batch.append(places[position])
            position += 1
        return batch, position

    def _has_room(self, topic: str) -> bool:
        """Book a conversation of this topic; False when the topic is full."""
        if self.made.topics[topic] >= self.per_topic:
            self.made.over_the_topic += 1
            return False
        self.made.topics[topic] += 1
        return True

    async def _screen(self, raw: RawConversation) -> str:
        """The topic of a conversation that can be used."""
        asking, item_id = Asking(self.llm, raw.language), raw_id(raw)
        check = await asking.check(raw.turns, item_id)
        failed = tuple(name for name in ("abusive", "unprofessional") if getattr(check, name))
        if failed:
            self.made.judged.append(
                Judgement(
                    item_id, raw.language, raw.topic, "check", check.reason, failed, raw.turns
                )
            )
            raise Dropped(f"check: {failed[0]} talk", f"{raw.source_id}: {check.reason}")
        return raw.topic or await asking.topic(raw.turns, item_id)

    async def _rewrite(self, chosen: tuple[RawConversation, str]) -> Pair:
        raw, topic = chosen
        asking, item_id = Asking(self.llm, raw.language), raw_id(raw)
        written = await asking.rewrite(
            raw.turns, topic, (postfilter.FEWEST_UTTERANCES, postfilter.MOST_UTTERANCES), item_id
        )
        turns, notes = postfilter.without_closing_notes(written)
        self.made.notes_removed += notes
        content = [[turn.speaker, turn.strategy, turn.text] for turn in turns]
        conversation = Conversation(
            content_id("csconv", raw.language, content), raw.language, topic, raw.source, turns
        )
        if reason := postfilter.first_reason(conversation):
            raise Dropped(f"rule: {reason}", raw.source_id)
        if lost := postfilter.lost_facts(raw.turns, conversation, self.min_fidelity):
            raise Dropped(f"rule: {lost[0]}", f"{raw.source_id}: {lost[1]}")
        verdict = await asking.judge(turns, item_id)
        failed = verdict.failed()
        self.made.judged_no.update(failed)
        self.made.judged.append(
            Judgement(
                conversation.conversation_id,
                raw.language,
                topic,
                "judge",
                verdict.reason,
                failed,
                turns if failed else (),
            )
        )
        if failed:
            detail = f"{', '.join(failed)}: {verdict.reason}"
            raise Dropped("judge: not all three criteria hold", detail)
        return Pair(conversation, raw)
