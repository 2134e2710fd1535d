"""Tiny stand-ins for a language model in every role: one function says what each stage answers, and
everything asked is kept.
"""

import json
from collections.abc import Callable
from contextlib import contextmanager

from csc_tasks.llm.budget import Budget
from csc_tasks.llm.client import LLM
from csc_tasks.llm.exchange import Reply, Request
from csc_tasks.llm.journal.journal import Journal

STRATEGIES_IN_TURN = ("RP", "PR", "EM", "PS", "ID", "RI", "FR", "RC", "AC")


class Talker:
    """A backend: `answer(request, number)` gives the text, `number` counting the requests of that
    stage from 0.
    """

    name, model, base_url = "fake", "talker", ""
    at_once = 0

    def __init__(self, answer: Callable[[Request, int], str]) -> None:
        self.answer = answer
        self.asked: list[Request] = []

    def of(self, stage: str) -> list[Request]:
        """What this stage was asked."""
        return [request for request in self.asked if request.stage == stage]

    async def complete(self, request: Request) -> Reply:
        self.asked.append(request)
        return Reply(self.answer(request, len(self.of(request.stage)) - 1))

    async def close(self) -> None:
        pass

    def holds(self, key: str) -> bool:
        return False

    def waits_for(self) -> str:
        return ""

    def clean(self, text: str) -> str:
        return text


@contextmanager
def llm_of(talker: Talker, folder, **settings):
    """An LLM that asks `talker` at every stage, with a journal in `folder`."""
    with LLM({"": talker}, Journal(folder / "journal.sqlite"), Budget({}), **settings) as llm:
        yield llm


def as_json(**values) -> str:
    return json.dumps(values, ensure_ascii=False)


def prompt(request: Request) -> str:
    """All that a request says."""
    return "\n".join(message["content"] for message in request.messages)


def well_behaved(**instead) -> Callable[[Request, int], str]:
    """Answers of the right form at every stage of an English conversation; `instead`: stage -> a
    function or text that answers it.
    """
    from csc_tasks.languages.labels import strategy_name

    def answer(request, number):
        if request.stage in instead:
            other = instead[request.stage]
            return other if isinstance(other, str) else other(request, number)
        return {
            "planner": lambda: as_json(
                scenario="SCENARIO: the card was charged twice.", goal="GOAL: the money back."
            ),
            "supporter_assistant": lambda: as_json(
                strategy=strategy_name(STRATEGIES_IN_TURN[number % len(STRATEGIES_IN_TURN)], "en")
            ),
            "supporter": lambda: as_json(
                reply=f"The supporter says sentence number {number} here."
            ),
            "customer_assistant": lambda: as_json(direction=f"DIRECTION {number}"),
            "customer": lambda: as_json(
                reply=f"The customer says sentence number {number} here.", finished=False
            ),
            "judge": lambda: as_json(
                reason="REASON: it holds together.",
                strategy_adherence=True,
                unreasonable_requests=True,
                natural=True,
                varied=True,
                in_role=True,
            ),
        }[request.stage]()

    return answer
