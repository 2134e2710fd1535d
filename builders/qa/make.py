"""From chosen conversations to questions, in three rounds: moderate every conversation, summarise,
refine the answers of what is left.

Each round asks about all items before the next begins, so nothing is paid for that an earlier round
drops. A pair becomes a row only when every variant of its summary holds, so all variants have the
same rows.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from builders.qa import fidelity
from builders.qa.conversations import Chosen
from builders.qa.moderation import Moderator
from builders.qa.pairs import stage_of
from builders.qa.refine import refine
from builders.qa.summarise import Summariser, Variant
from builders.qa.tokens import TokenCounter
from builders.wording import templates
from csc_tasks.framework import TOPICS
from csc_tasks.languages.labels import topic_label
from csc_tasks.llm.client import LLM
from csc_tasks.llm.items import run_items
from csc_tasks.llm.outcomes import Dropped
from csc_tasks.llm.progress import Progress
from csc_tasks.question import QA_STAGES, Question

PROMPTS = (
    "qa_moderate",
    "qa_summary",
    "qa_summary_again",
    "qa_refine",
    "qa_instruction",
    "qa_instruction_topic",
)


@dataclass(slots=True)
class Made:
    """What became of the conversations. `questions`: config -> rows, the same pairs in each; the
    counts are by reason.
    """

    questions: dict[str, list[Question]] = field(default_factory=dict)
    conversations: int = 0
    conversations_dropped: Counter = field(default_factory=Counter)
    flagged: Counter = field(default_factory=Counter)
    pairs: int = 0
    pairs_dropped: Counter = field(default_factory=Counter)
    again: Counter = field(default_factory=Counter)
    counted_by: Counter = field(default_factory=Counter)

    @property
    def rows(self) -> list[Question]:
        """The rows of the config `qa`."""
        return self.questions.get("qa", [])

    def report(self) -> dict:
        """The counts for the screen, the card and build.json."""
        rows = self.rows
        counts = {
            "conversations_tried": self.conversations,
            "conversations_dropped": dict(sorted(self.conversations_dropped.items())),
            "moderation_flagged": dict(sorted(self.flagged.items())),
            "pairs_tried": self.pairs,
            "pairs_dropped": dict(sorted(self.pairs_dropped.items())),
            "pairs_kept": len(rows),
            "conversations_with_a_pair_kept": len({row.conversation_id for row in rows}),
            "rows_by_stage": {
                stage: sum(row.stage == stage for row in rows) for stage in QA_STAGES
            },
            "rows_by_language": dict(sorted(Counter(row.language for row in rows).items())),
            "rows_by_source": dict(sorted(Counter(row.source for row in rows).items())),
            "summaries_asked_for_again_because_too_long": dict(sorted(self.again.items())),
            "summary_tokens_counted_by": dict(sorted(self.counted_by.items())),
        }
        counts |= {
            f"facts_in_{config}": fidelity.summary_facts(questions)
            for config, questions in self.questions.items()
        }
        counts["facts_in_refined_answers"] = fidelity.answer_facts(rows)
        counts["refined_answers_equal_to_the_answer"] = sum(
            row.refined_agent_answer == row.agent_answer for row in rows
        )
        return counts


@dataclass(frozen=True, slots=True)
class Job:
    """A pair whose answer is to be refined; `summaries` in the order of the variants."""

    chosen: Chosen
    pair: int
    summaries: list[str]


async def make(
    llm: LLM,
    conversations: Sequence[Chosen],
    variants: Sequence[Variant],
    moderation: str,
    counter: TokenCounter,
) -> Made:
    """Ask about all conversations; `variants` opens with the one of the config `qa`, `moderation`
    is none, llm or an endpoint's spec.
    """
    made = Made(conversations=len(conversations))
    passed = list(conversations)
    if moderation != "none":
        passed = await _moderated(llm, passed, moderation, made)
    summaries = await _summarise(llm, passed, variants, counter, made)
    if llm.open_rounds:
        passed = [
            chosen
            for chosen in passed
            if all((chosen.conversation_id, one.name) in summaries for one in variants)
        ]
    jobs: list[Job] = []
    for chosen in passed:
        made.pairs += len(chosen.wanted)
        for pair in chosen.wanted:
            of_pair = [summaries[chosen.conversation_id, one.name][pair] for one in variants]
            failed = [summary for summary in of_pair if isinstance(summary, Dropped)]
            if failed:
                made.pairs_dropped[failed[0].reason] += 1
            else:
                jobs.append(Job(chosen, pair, [str(summary) for summary in of_pair]))

    async def refined(job: Job) -> str:
        return await refine(llm, job.chosen, job.pair)

    outcome = await run_items(jobs, refined, llm, Progress(len(jobs), "answers refined"))
    made.pairs_dropped.update(outcome.dropped)
    for i, variant in enumerate(variants):
        made.questions[variant.config] = [
            question(job.chosen, job.pair, job.summaries[i], answer)
            for job, answer in outcome.results
        ]
    return made


async def _moderated(
    llm: LLM, conversations: Sequence[Chosen], moderation: str, made: Made
) -> list[Chosen]:
    """The conversations that pass; counts the others in `made`."""
    moderator = Moderator(llm, endpoint=moderation != "llm")
    progress = Progress(len(conversations), "conversations moderated")
    outcome = await run_items(conversations, moderator.check, llm, progress)
    made.conversations = outcome.ended
    made.conversations_dropped, made.flagged = outcome.dropped, moderator.flagged
    return [chosen for chosen, _ in outcome.results]


async def _summarise(
    llm: LLM,
    conversations: Sequence[Chosen],
    variants: Sequence[Variant],
    counter: TokenCounter,
    made: Made,
) -> dict[tuple[str, str], dict[int, str | Dropped]]:
    """(conversation id, variant's name) -> pair -> summary or Dropped."""
    summarisers = [Summariser(llm, variant, counter) for variant in variants]
    jobs = [(chosen, summariser) for chosen in conversations for summariser in summarisers]

    async def summarised(job: tuple[Chosen, Summariser]) -> dict[int, str | Dropped]:
        return await job[1].run(job[0])

    progress = Progress(len(jobs), "conversations summarised")
    outcome = await run_items(jobs, summarised, llm, progress)
    for summariser in summarisers:
        made.counted_by.update(summariser.counted_by)
        if summariser.again:
            made.again[summariser.variant.config] = summariser.again
    return {
        (chosen.conversation_id, summariser.variant.name): summaries
        for (chosen, summariser), summaries in outcome.results
    }


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
