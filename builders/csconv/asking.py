"""What CSConv asks a language model: five stages, each with a prompt and the form of its reply.

check     transcript                         -> reason, abusive, unprofessional
topic     transcript                         -> one of the eight topics
rewrite   transcript, topic, strategies, stages -> the labelled dialogue
judge     rewritten dialogue with strategies -> reason, coherent, empathetic, strategies fit
label     transcript, supporter turns numbered -> a strategy for each (fidelity report only)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, create_model

from builders.asking import CONVERSATION_TOKENS, ask_form
from builders.transcript import history, stage_lines, strategy_lines
from builders.turn_forms import MOST_TURNS, Label, MaskedUtterance, known_strategy
from builders.wording import templates
from csc_tasks.conversation import SUPPORTER, Turn
from csc_tasks.framework import STRATEGIES, TOPICS
from csc_tasks.languages.labels import topic_label
from csc_tasks.llm.accepted import REPLY_TOKENS
from csc_tasks.llm.client import LLM
from csc_tasks.llm.reply_form import Form, Judged

STAGES = ("check", "topic", "rewrite", "judge", "label")

SYSTEM = "system"
"""The speaker of notes such as "the session has ended", which some models carry over or add."""


def prompt_name(stage: str) -> str:
    """The template of a stage."""
    return f"csconv_{stage}"


class Check(Judged):
    """What speaks against using a conversation at all."""

    abusive: bool
    unprofessional: bool


class RewrittenTurn(Form):
    """One turn of the rewritten dialogue; the strategy is "" for all but the supporter."""

    speaker: Literal["supporter", "customer", "system"]
    strategy: str
    text: MaskedUtterance

    def turn(self) -> Turn:
        labelled = self.speaker == SUPPORTER and self.strategy.strip()
        return Turn(self.speaker, self.text, known_strategy(self.strategy) if labelled else "")


def _known(turns: list[RewrittenTurn]) -> list[RewrittenTurn]:
    """The turns as they are; raises ValueError for a label that is not one of the twelve, or on a
    turn that is not the supporter's.
    """
    for i, turn in enumerate(turns):
        if turn.speaker != SUPPORTER and turn.strategy.strip():
            raise ValueError(
                f"turn {i}: a {turn.speaker} turn carries the strategy {turn.strategy!r:.60}"
            )
        try:
            turn.turn()
        except ValueError as error:
            raise ValueError(f"turn {i}: {error}") from None
    return turns


class Rewritten(Form):
    """The rewritten dialogue."""

    dialogue: Annotated[list[RewrittenTurn], Field(max_length=MOST_TURNS), AfterValidator(_known)]


class Verdict(Judged):
    """The judge's reply: why, and real booleans, every one of them. Scores, "yes" and a missing
    answer are malformed.
    """

    coherent: bool
    empathetic: bool
    strategies_fit: bool

    def failed(self) -> tuple[str, ...]:
        """The criteria that were answered no."""
        return tuple(name for name in CRITERIA if not getattr(self, name))


CRITERIA = tuple(name for name in Verdict.model_fields if name not in Judged.model_fields)


class Numbered(Form):
    """The strategy of the supporter turn of this number."""

    number: int
    strategy: Label


@cache
def topic_form(language: str) -> type[Form]:
    """The reply in which a topic is chosen, by its name in `language`."""
    # The names are known only now, so for a type checker this is no type.
    name: Any = Literal[tuple(topic_label(topic, language) for topic in TOPICS)]
    return create_model("ChosenTopic", __base__=Form, topic=(name, ...))


@cache
def labels_form(count: int) -> type[Form]:
    """The reply with a strategy for each of `count` turns: all of them, in any order, none
    twice.
    """

    def complete(labels: list[Numbered]) -> list[Numbered]:
        numbers = sorted(label.number for label in labels)
        if numbers != list(range(1, count + 1)):
            raise ValueError(f"labels the turns {numbers}, not each of 1 to {count} once")
        return sorted(labels, key=lambda label: label.number)

    # The bound is for the server; the check says which are missing, too.
    most = Field(json_schema_extra={"maxItems": count})
    kind: Any = Annotated[list[Numbered], AfterValidator(complete), most]
    return create_model("Labels", __base__=Form, labels=(kind, ...))


@dataclass(frozen=True, slots=True)
class Asking:
    """The stages for conversations in one language; `item_id` names the conversation in the
    journal. All raise what `LLM.ask` raises.
    """

    llm: LLM
    language: str

    async def check(self, turns: Sequence[Turn], item_id: str) -> Check:
        """Whether the transcript can be used."""
        return await self._ask("check", Check, item_id, dialogue=self._transcript(turns))

    async def topic(self, turns: Sequence[Turn], item_id: str) -> str:
        """The English name of the transcript's topic."""
        names = [topic_label(topic, self.language) for topic in TOPICS]
        values = {
            "topics": "\n".join(f"- {name}" for name in names),
            "dialogue": self._transcript(turns),
        }
        choice = await self._ask("topic", topic_form(self.language), item_id, **values)
        return TOPICS[names.index(choice.topic)]

    async def rewrite(
        self, turns: Sequence[Turn], topic: str, bounds: tuple[int, int], item_id: str
    ) -> tuple[Turn, ...]:
        """The transcript as a labelled dialogue, within these numbers of utterances if the model
        keeps to them.
        """
        name = topic_label(topic, self.language)
        values = {
            "strategies": strategy_lines(STRATEGIES, self.language),
            "stages": stage_lines(self.language, strategies=True),
            "fewest": str(bounds[0]),
            "most": str(bounds[1]),
        }
        values |= {"topic": name, "dialogue": self._transcript(turns)}
        # Not greedy: a rewrite that has to be asked for again should come out otherwise.
        written = await self._ask(
            "rewrite", Rewritten, item_id, None, CONVERSATION_TOKENS, **values
        )
        return tuple(turn.turn() for turn in written.dialogue)

    async def judge(self, turns: Sequence[Turn], item_id: str) -> Verdict:
        """The verdict on the rewritten dialogue, which is to be kept where it failed nothing."""
        dialogue = history(turns, self.language, strategies=True)
        return await self._ask("judge", Verdict, item_id, history=dialogue)

    async def label(self, turns: Sequence[Turn], item_id: str) -> list[str]:
        """The strategies of the transcript's supporter turns, in their order."""
        numbered, count = [], 0
        for turn in turns:
            text = turn.text
            if turn.speaker == SUPPORTER:
                count += 1
                text = f"({count}) {text}"
            numbered.append(Turn(turn.speaker, text))
        values = {
            "strategies": strategy_lines(STRATEGIES, self.language),
            "count": str(count),
            "dialogue": self._transcript(numbered),
        }
        reply = await self._ask("label", labels_form(count), item_id, **values)
        return [label.strategy for label in reply.labels]

    def _transcript(self, turns):
        return history(turns, self.language, strategies=False)

    async def _ask(self, stage, form, item_id, temperature=0, tokens=REPLY_TOKENS, **values):
        messages = templates(self.language).messages(prompt_name(stage), **values)
        sampling = {} if temperature is None else {"temperature": temperature}
        return await ask_form(
            self.llm,
            form,
            stage=stage,
            language=self.language,
            messages=messages,
            item_id=item_id,
            sampling=sampling,
            tokens=tokens,
        )
