"""A customer who is played by another model, asked through csc_tasks/llm: one request for each of
its turns, a row in the journal for each, replayed when the run is started again, within a budget.

The requests of all conversations go out at once, from a thread with an event loop of its own, while
the evaluated model plays on.
"""

import asyncio
import hashlib
import os
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Literal

from csc_tasks.conversation import CUSTOMER
from csc_tasks.errors import ModelError, SettingError
from csc_tasks.languages import SHIPPED, language
from csc_tasks.live.asked import live_words
from csc_tasks.live.customers.customer import Move, Part
from csc_tasks.live.customers.settings import OPENAI, CustomerSettings
from csc_tasks.live.dialogue import Brief, LiveTurn
from csc_tasks.llm.backends import OPENAI_URL
from csc_tasks.llm.backends import OpenAI as OpenAIModel
from csc_tasks.llm.budget import Budget, Price
from csc_tasks.llm.client import LLM
from csc_tasks.llm.journal.journal import Journal
from csc_tasks.llm.options import checked_url
from csc_tasks.llm.outcomes import Dropped, Fatal, JournalLost, Stopped
from csc_tasks.llm.prompting import Prompts, render
from csc_tasks.llm.reply_form import Form, Text

STAGE = "customer"
TEMPLATE = "customer"
TOKENS = 400
NAMED = {
    "--base-url": "csc_customer_url",
    "--max-cost": "csc_customer_max_cost",
    "--price": "csc_customer_price",
}
"""What the options of other verbs are called here."""


class CustomerReply(Form):
    """What a model that plays a customer answers with."""

    say: Text
    ending: Literal["goes_on", "satisfied", "gave_up", "transferred"]
    goal_reached: bool


class ModelCustomer:
    """Plays every customer with one model.

    `where` names the server where it is not the setting's. Raises SettingError, and MissingExtra
    when the openai package is not installed.
    """

    def __init__(self, settings: CustomerSettings, url: str | None, spec: str) -> None:
        self.settings = settings
        prices = {STAGE: Price.parse(settings.price)} if settings.price else {}
        journal = Journal(Path(settings.journal))
        try:
            self.llm = LLM.from_specs(
                [spec],
                journal,
                base_url=url or settings.url,
                prices=prices,
                max_requests=settings.max_requests,
                max_cost=settings.max_cost,
                seed=settings.seed,
            )
        except BaseException:
            journal.close()
            raise
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def answer(self, part: Part, turns: tuple[LiveTurn, ...]) -> "Future[Move]":
        """What the model answers; the future raises ModelError where the run cannot go on."""
        return asyncio.run_coroutine_threadsafe(self._answer(part, turns), self.loop)

    def close(self) -> None:
        """Drop what is out, and close connections and journal."""

        async def end() -> None:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            await self.llm.disconnect()

        asyncio.run_coroutine_threadsafe(end(), self.loop).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()
        self.llm.journal.close()

    async def _answer(self, part: Part, turns: tuple[LiveTurn, ...]) -> Move:
        said = sum(turn.speaker == CUSTOMER for turn in turns)
        try:
            answer = await self.llm.ask(
                stage=STAGE,
                messages=messages(part.brief, turns),
                item_id=f"{part.brief.conversation_id}/{said}",
                reply=CustomerReply,
                repeat=part.repeat,
                sampling={"temperature": self.settings.temperature},
                tokens=TOKENS,
                language=part.brief.language,
            )
        except (Stopped, Fatal, JournalLost) as error:
            raise ModelError(
                f"the customer ({self.settings.customer}): {error}; what it said is in"
                f" {self.settings.journal}, and the same command goes on from there"
            ) from None
        except Dropped as error:
            return Move("", failed=error.reason)
        reply = answer.parsed
        assert isinstance(reply, CustomerReply), "the client reads replies as they were asked for"
        ending = "" if reply.ending == "goes_on" else reply.ending
        return Move(reply.say, ending, reply.goal_reached)


def check_model(settings: CustomerSettings) -> None:
    """Raise SettingError, or MissingExtra, where the customer's model cannot be asked: known before
    the evaluated model is loaded. Nothing is sent.
    """
    try:
        prices = {STAGE: Price.parse(settings.price)} if settings.price else {}
        Budget(prices, settings.max_requests, settings.max_cost)
        if settings.customer.startswith(OPENAI):
            OpenAIModel(
                settings.customer.removeprefix(OPENAI),
                base_url=checked_url(
                    settings.url or os.environ.get("OPENAI_BASE_URL") or OPENAI_URL
                ),
                api_key=os.environ.get("OPENAI_API_KEY", ""),
            )
    except SettingError as error:
        text = str(error)
        for option, setting in NAMED.items():
            text = text.replace(option, setting)
        raise SettingError(text) from None


def messages(brief: Brief, turns: tuple[LiveTurn, ...]) -> list[dict[str, str]]:
    """What the model is asked: its brief, and the conversation so far."""
    own, words = language(brief.language), live_words(brief.language)
    names = own.speakers
    lines = []
    for turn in turns:
        name = names.customer if turn.speaker == CUSTOMER else names.supporter
        # A line break inside a turn would let its text pose as somebody else's turn.
        lines.append(f"{name}{own.text.colon}{' '.join(turn.text.split()) or words.silence}")
    facts = [
        render(words.fact, {"name": fact.name, "value": fact.value}, "live.yaml")
        for fact in brief.facts
    ]
    return _prompts(brief.language).messages(
        TEMPLATE,
        aim=brief.aim,
        facts="\n".join(facts) or words.nothing,
        unknown=("; " if own.text.spaced else "；").join(brief.unknown) or words.nothing,
        manner=brief.manner,
        mood=brief.mood,
        language=own.native,
        dialogue="\n".join(lines) or words.starts,
    )


def prompt_version(codes: list[str]) -> str:
    """16 hex digits of the templates of these languages, for a run's record."""
    texts = [_prompts(code).text(TEMPLATE) for code in sorted(codes)]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def check_template(code: str) -> None:
    """Raise SettingError where a language has no prompt for a model that plays a customer."""
    live_words(code)
    if not (SHIPPED / code / f"{TEMPLATE}.txt").is_file():
        raise SettingError(f"language {code}: there is no {TEMPLATE}.txt in its folder")


def _prompts(code: str) -> Prompts:
    return Prompts(code, SHIPPED)
