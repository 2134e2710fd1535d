"""The five roles of RoleCS: what each is told, in which prompt, and the form of its reply (Section
4 of arXiv 2508.04423).

    planner              topic, profile, stages                            -> scenario, goal
    supporter assistant  history, strategies, stages, scenario             -> strategy
    supporter            history, strategy, stages, scenario               -> reply
    customer assistant   history, goal, stages, scenario                   -> direction
    customer             history without strategies, direction, profile,
                         scenario                                          -> reply, finished

Without the assistant the supporter chooses its strategy in the same reply; `write_whole` has one
role write everything at once. The last two are the baselines of Table 7.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

from pydantic import AfterValidator, Field, create_model

from builders.asking import CONVERSATION_TOKENS, ask_form
from builders.transcript import history, stage_lines, strategy_lines
from builders.turn_forms import (
    MOST_TURNS,
    FilledIn,
    Label,
    Utterance,
    WrittenTurn,
    labelled,
    utterance,
    written_turns,
)
from builders.wording import templates
from csc_tasks.conversation import Turn
from csc_tasks.framework import STRATEGIES, Strategy
from csc_tasks.languages.labels import definition, strategy_name, topic_label
from csc_tasks.llm.accepted import REPLY_TOKENS
from csc_tasks.llm.client import LLM
from csc_tasks.llm.reply_form import Content, Form

# The stages that ask, by what `--roles` says; each has a prompt of its own.
STAGES = {
    "full": (
        "planner",
        "supporter_assistant",
        "supporter",
        "customer_assistant",
        "customer",
        "judge",
    ),
    "no-assistant": ("planner", "supporter", "customer_assistant", "customer", "judge"),
    "none": ("writer", "judge"),
}
# Those that are asked once about a conversation; the others take turns.
ONCE = ("planner", "writer", "judge")


class Plan(Form):
    """What happened, and what the customer wants."""

    scenario: FilledIn
    goal: FilledIn


class Said(Form):
    """The supporter's next utterance."""

    reply: Utterance


class Direction(Form):
    """What the customer is to do next."""

    direction: Content


class CustomerSaid(Form):
    """The customer's next utterance, and whether it is the last."""

    reply: Utterance
    finished: bool


class Whole(Form):
    """A whole conversation from one reply."""

    scenario: FilledIn
    goal: FilledIn
    dialogue: Annotated[list[WrittenTurn], Field(max_length=MOST_TURNS), AfterValidator(labelled)]


@cache
def said(language: str) -> type[Said]:
    """`Said` with an utterance as long as one may be in `language`."""
    return create_model("Said", __base__=Said, reply=(utterance(language), ...))


@cache
def customer_said(language: str) -> type[CustomerSaid]:
    """`CustomerSaid`, likewise."""
    return create_model("CustomerSaid", __base__=CustomerSaid, reply=(utterance(language), ...))


@cache
def whole(language: str) -> type[Whole]:
    """`Whole`, likewise."""
    return create_model("Whole", __base__=Whole, dialogue=(written_turns(language), ...))


@cache
def chosen(language: str, offered: tuple[Strategy, ...], with_reply: bool) -> type[Form]:
    """The reply in which a strategy is chosen: its schema allows the `offered` names, and any of
    the twelve is read.

    One that is known but not offered is no malformed reply: the dialogue's rules deal with it, and
    count it.
    """
    names: list[Any] = [strategy_name(strategy.id, language) for strategy in offered]
    fields: dict[str, Any] = {
        "strategy": (Annotated[Label, Field(json_schema_extra={"enum": names})], ...)
    }
    if with_reply:
        fields["reply"] = (utterance(language), ...)
    return create_model("ChosenAndSaid" if with_reply else "Chosen", __base__=Form, **fields)


@dataclass(frozen=True, slots=True)
class Pair:
    """One conversation to be made: a topic and a customer. `id` depends on the language and these
    two alone.
    """

    id: str
    language: str
    topic: str
    profile: str

    @property
    def topic_name(self) -> str:
        return topic_label(self.topic, self.language)


@dataclass(frozen=True, slots=True)
class Roles:
    """All roles of one conversation, played by `llm`. `item_id` names the conversation in the
    journal.
    """

    llm: LLM
    pair: Pair
    item_id: str

    async def plan(self) -> Plan:
        """The planner."""
        values = {"topic": self.pair.topic_name, "profile": self.pair.profile}
        return await self._ask(
            "planner", "rolecs_planner", Plan, stages=self._stages(strategies=False), **values
        )

    async def choose(
        self, turns: Sequence[Turn], offered: tuple[Strategy, ...], scenario: str, repeat: int
    ) -> str:
        """The supporter's assistant: the id of the strategy for the next supporter turn."""
        form = chosen(self.pair.language, offered, False)
        values = {"strategies": strategy_lines(offered, self.pair.language), "scenario": scenario}
        values |= {
            "history": history(turns, self.pair.language, strategies=True),
            "stages": self._stages(),
        }
        choice = await self._ask(
            "supporter_assistant", "rolecs_supporter_assistant", form, repeat=repeat, **values
        )
        return choice.strategy

    async def support(self, turns: Sequence[Turn], strategy: Strategy, scenario: str) -> str:
        """The supporter: the next utterance, with this strategy."""
        language = self.pair.language
        meaning = definition(strategy.id, language).rstrip("。.")
        values = {
            "strategy": strategy_name(strategy.id, language),
            "definition": meaning,
            "stages": self._stages(),
            "scenario": scenario,
        }
        values["history"] = history(turns, language, strategies=True)
        answer = await self._ask("supporter", "rolecs_supporter", said(language), **values)
        return answer.reply

    async def choose_and_support(
        self, turns: Sequence[Turn], offered: tuple[Strategy, ...], scenario: str, repeat: int
    ) -> tuple[str, str]:
        """The supporter without an assistant: strategy id and utterance."""
        form = chosen(self.pair.language, offered, True)
        values = {"strategies": strategy_lines(offered, self.pair.language), "scenario": scenario}
        values |= {
            "history": history(turns, self.pair.language, strategies=True),
            "stages": self._stages(),
        }
        choice = await self._ask(
            "supporter", "rolecs_supporter_alone", form, repeat=repeat, **values
        )
        return choice.strategy, choice.reply

    async def direct(self, turns: Sequence[Turn], goal: str, scenario: str) -> str:
        """The customer's assistant: what to do next. It stands on the customer's side and sees no
        strategies either.
        """
        values = {
            "history": history(turns, self.pair.language, strategies=False),
            "goal": goal,
            "stages": self._stages(strategies=False),
            "scenario": scenario,
        }
        reply = await self._ask(
            "customer_assistant", "rolecs_customer_assistant", Direction, **values
        )
        return reply.direction

    async def speak(self, turns: Sequence[Turn], direction: str, scenario: str) -> CustomerSaid:
        """The customer."""
        values = {
            "history": history(turns, self.pair.language, strategies=False),
            "direction": direction,
            "scenario": scenario,
        }
        form = customer_said(self.pair.language)
        return await self._ask(
            "customer", "rolecs_customer", form, profile=self.pair.profile, **values
        )

    async def write_whole(self, examples: str, cap: int) -> Whole:
        """One role that writes everything, after `examples` (see `example_text`)."""
        values = {
            "strategies": strategy_lines(STRATEGIES, self.pair.language),
            "stages": self._stages(),
            "cap": str(cap),
            "examples": examples,
        }
        return await self._ask(
            "writer",
            "rolecs_whole",
            whole(self.pair.language),
            tokens=CONVERSATION_TOKENS,
            topic=self.pair.topic_name,
            profile=self.pair.profile,
            **values,
        )

    def _stages(self, strategies: bool = True) -> str:
        return stage_lines(self.pair.language, strategies=strategies)

    async def _ask(self, stage, prompt, form, repeat=0, tokens=REPLY_TOKENS, **values):
        messages = templates(self.pair.language).messages(prompt, **values)
        return await ask_form(
            self.llm,
            form,
            stage=stage,
            language=self.pair.language,
            messages=messages,
            item_id=self.item_id,
            repeat=repeat,
            tokens=tokens,
        )
