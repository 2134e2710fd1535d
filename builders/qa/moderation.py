"""Moderation that fails closed: a conversation goes on only when it was judged, and judged to be
clean.

`--moderation openai:MODEL` asks a moderation endpoint about every turn, `llm` the model of the
stage `moderate` about the conversation,
`none` nobody. An error, a refusal or a reply of another form drops the conversation, as a flag
does.
"""

from collections import Counter
from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from builders.qa.conversations import Chosen
from builders.transcript import history
from builders.wording import templates
from csc_tasks.llm.client import LLM
from csc_tasks.llm.outcomes import Dropped
from csc_tasks.llm.reply_form import Form, Judged

STAGE = "moderate"


Category = Literal["harassment", "hate", "sexual", "violence", "self-harm", "illegal"]


class Verdict(Judged):
    """A chat model's reply: why, whether something is wrong, and what; the last two must agree."""

    flagged: bool
    categories: Annotated[list[Category], Field(max_length=len(get_args(Category)))]

    @model_validator(mode="after")
    def _agree(self) -> "Verdict":
        if self.flagged and not self.categories:
            raise ValueError("flagged is true, but no category is named")
        if self.categories and not self.flagged:
            raise ValueError(f"flagged is false, but there are categories: {self.categories}")
        return self


class Result(Form):
    """What a moderation endpoint says of one text."""

    flagged: bool
    categories: list[str]


class Results(Form):
    """What it says of all of them."""

    results: list[Result]


class Moderator:
    """Judges conversations; `endpoint` says whether the stage's model is a moderation endpoint.
    `flagged` counts categories.
    """

    def __init__(self, llm: LLM, endpoint: bool) -> None:
        self.llm, self.endpoint = llm, endpoint
        self.flagged: Counter = Counter()

    async def check(self, chosen: Chosen) -> None:
        """Return when the conversation is clean; raises Dropped otherwise, and what `LLM.ask`
        raises.
        """
        categories = await (self._by_endpoint(chosen) if self.endpoint else self._by_model(chosen))
        if categories is not None:
            self.flagged.update(categories or ["no category named"])
            raise Dropped(f"{STAGE}: flagged", ", ".join(categories))

    async def _by_model(self, chosen):
        messages = templates(chosen.raw.language).messages(
            "qa_moderate", history=history(chosen.used, chosen.raw.language, strategies=False)
        )
        answer = await self.llm.ask(
            stage=STAGE,
            messages=messages,
            item_id=chosen.conversation_id,
            reply=Verdict,
            sampling={"temperature": 0},
            language=chosen.raw.language,
        )
        return answer.parsed.categories if answer.parsed.flagged else None

    async def _by_endpoint(self, chosen):
        messages = [{"role": "user", "content": turn.text} for turn in chosen.used]
        answer = await self.llm.ask(
            stage=STAGE,
            messages=messages,
            item_id=chosen.conversation_id,
            reply=Results,
            kind="moderation",
        )
        results = answer.parsed.results
        if len(results) != len(messages):
            raise Dropped(
                f"{STAGE}: malformed reply", f"{len(results)} results for {len(messages)} texts"
            )
        if any(result.flagged or result.categories for result in results):
            return sorted({category for result in results for category in result.categories})
        return None
