"""What a model is asked about one supporter turn: the conversation before it and its words, never a
label nor what comes after. It says why, and then names up to MOST strategies, the main one first.
"""

from collections.abc import Sequence
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, create_model

from builders.asking import ask_form
from builders.labels.raters import Rater
from builders.transcript import history, strategy_lines
from builders.turn_forms import known_strategy
from builders.wording import templates
from csc_tasks.conversation import Turn
from csc_tasks.framework import STRATEGIES
from csc_tasks.languages.labels import find_strategy, strategy_name
from csc_tasks.llm.client import LLM
from csc_tasks.llm.exchange import Message
from csc_tasks.llm.reply_form import Judged

PROMPT = "label_turn"
MOST = 3
TEMPERATURE = 0.7
"""Of every sample of a model but its first, which is greedy."""


class Labelled(Judged):
    """The model's reply: why, and the names of strategies in order."""

    strategies: list[str]

    def ids(self) -> tuple[str, ...]:
        """The strategies by id."""
        return tuple(known_strategy(name) for name in self.strategies)


@cache
def labelled_form(language: str) -> type[Labelled]:
    """The reply in which strategies are chosen by their names in `language`, which a server that
    keeps to a schema writes and nothing else; other spellings are read.
    """
    offered = tuple(strategy_name(strategy.id, language) for strategy in STRATEGIES)

    def own_name(label: object) -> object:
        named = find_strategy(label) if isinstance(label, str) else None
        return strategy_name(named.id, language) if named else label

    def each_once(chosen: list[str]) -> list[str]:
        if not 1 <= len(chosen) <= MOST:
            raise ValueError(f"names {len(chosen)} strategies, not 1 to {MOST}")
        # Named twice it is no further strategy, and the order says all that there is to say.
        return list(dict.fromkeys(chosen))

    # The names are known only now, so for a type checker this is no type.
    name: Any = Annotated[Literal[offered], BeforeValidator(own_name)]
    most = Field(json_schema_extra={"maxItems": MOST})
    kind: Any = Annotated[list[name], AfterValidator(each_once), most]
    return create_model("Labelled", __base__=Labelled, strategies=(kind, ...))


def prompt(before: Sequence[Turn], utterance: str, language: str) -> list[Message]:
    """Chat messages that ask for the strategies of `utterance`, which the supporter said after
    these turns.
    """
    return templates(language).messages(
        PROMPT,
        strategies=strategy_lines(STRATEGIES, language),
        most=str(MOST),
        history=history(before, language, strategies=False),
        utterance=" ".join(utterance.split()),
    )


async def label_turn(
    llm: LLM, rater: Rater, before: Sequence[Turn], utterance: str, language: str, item_id: str
) -> tuple[str, ...]:
    """The strategies that a rater names, by id; raises what `LLM.ask` raises."""
    reply = await ask_form(
        llm,
        labelled_form(language),
        stage=rater.stage,
        language=language,
        messages=prompt(before, utterance, language),
        item_id=item_id,
        repeat=rater.sample,
        sampling={"temperature": TEMPERATURE if rater.sample else 0},
    )
    return reply.ids()
