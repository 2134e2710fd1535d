"""From a pair of topic and profile to a conversation that is kept, or to the reason why not: play
it, apply the rules, ask the judge.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from builders.review.judged import Judgement
from builders.rolecs import dialogue, filters, quality
from builders.rolecs.roles import Pair, Roles
from builders.transcript import example_text
from csc_tasks.conversation import Conversation, content_id
from csc_tasks.llm.client import LLM
from csc_tasks.llm.outcomes import Dropped

# The prompts of each `--roles`, for build.json.
_CUSTOMER_SIDE = ("rolecs_customer_assistant", "rolecs_customer")
PROMPTS = {
    "full": (
        "rolecs_planner",
        "rolecs_supporter_assistant",
        "rolecs_supporter",
        *_CUSTOMER_SIDE,
        "rolecs_judge",
    ),
    "no-assistant": ("rolecs_planner", "rolecs_supporter_alone", *_CUSTOMER_SIDE, "rolecs_judge"),
    "none": ("rolecs_whole", "rolecs_judge"),
}


class Maker:
    """Makes conversations one way (`roles`: full, no-assistant or none) and counts what happens on
    the way.

    `judged_no`: criterion -> conversations; `refused`: rule -> choices asked for again; `ended_by`:
    who -> conversations, kept or not. `judged`: what the judge said of each, in any order.
    """

    def __init__(
        self, llm: LLM, roles: str, examples: Mapping[str, Sequence[Conversation]], seed: int
    ) -> None:
        self.llm, self.roles, self.seed = llm, roles, seed
        self.examples = {
            language: example_text(chosen, language) for language, chosen in examples.items()
        }
        self.judged_no: Counter = Counter()
        self.judged: list[Judgement] = []
        self.refused: Counter = Counter()
        self.ended_by: Counter = Counter()

    async def make(self, pair: Pair) -> Conversation:
        """The conversation of this pair; raises Dropped with the reason, and what `LLM.ask`
        raises.
        """
        item_id = content_id("rolecs", pair.id, self.seed)
        conversation = await self._play(pair, item_id)
        if reason := filters.first_reason(conversation):
            raise Dropped(f"rule: {reason}", conversation.conversation_id)
        verdict = await quality.judge(self.llm, conversation, item_id)
        failed = verdict.failed()
        self.judged_no.update(failed)
        self.judged.append(
            Judgement(
                conversation.conversation_id,
                conversation.language,
                conversation.topic,
                "judge",
                verdict.reason,
                failed,
                conversation.dialogue if failed else (),
            )
        )
        if failed:
            detail = f"{', '.join(failed)}: {verdict.reason}"
            raise Dropped("judge: not all five criteria hold", detail)
        return conversation

    async def _play(self, pair, item_id):
        roles = Roles(self.llm, pair, item_id)
        if self.roles == "none":
            whole = await roles.write_whole(self.examples[pair.language], dialogue.CAP)
            turns, scenario, goal = (
                tuple(turn.turn() for turn in whole.dialogue),
                whole.scenario,
                whole.goal,
            )
        else:
            played = await dialogue.play(roles, self.refused, assistant=self.roles == "full")
            turns, scenario, goal = played.turns, played.scenario, played.goal
            self.ended_by[played.ended_by] += 1
        content = [[turn.speaker, turn.strategy, turn.text] for turn in turns]
        return Conversation(
            content_id("rolecs", pair.language, content),
            pair.language,
            pair.topic,
            "RoleCS",
            turns,
            pair.profile,
            scenario,
            goal,
        )
