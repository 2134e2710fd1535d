"""Plays conversations with a deployed agent: as many at once as it has connections, the turns of
each one by one and in order.

A stateless agent is sent the whole history, a stateful one what the customer has said since its
last turn, in a session of its own.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from lm_eval.api.model import LM

from csc_tasks.errors import ModelError
from csc_tasks.languages import language
from csc_tasks.play.agent.exchange import AgentServer
from csc_tasks.play.answers import Answer
from csc_tasks.play.book import Book
from csc_tasks.play.chains import Chain
from csc_tasks.play.concurrent import Asking, answered
from csc_tasks.play.failures import Failure, Tally
from csc_tasks.play.renderer import Renderer
from csc_tasks.play.requests import PlayInstance
from csc_tasks.play.server import Server
from csc_tasks.play.told import Told
from csc_tasks.prompts import SPOKEN, TEXT, TurnPrompt
from csc_tasks.refusals import TooLong


def as_spoken(lm: LM, requests: Sequence[PlayInstance]) -> None:
    """Make the requests' prompts what an agent is told: what was said, and nothing of ours. Raises
    ModelError for a task that an agent cannot be asked.
    """
    for request in requests:
        prompt = request.prompt
        if request.chooses or request.forced:
            raise ModelError(f"{request.task_name}: an agent gives no log-likelihoods")
        if isinstance(prompt, TurnPrompt):
            if prompt.variant == "oracle":
                raise ModelError(f"{request.task_name}: an agent is not told any strategy")
            if lm.description.stateful and not request.generated:
                raise ModelError(
                    f"{request.task_name} puts the gold supporter's turns into the history, and a"
                    " stateful agent remembers its own: ask it csc_conv_gen, or describe it as"
                    " stateless"
                )
            request.prompt = replace(prompt, style=SPOKEN, variant="vanilla", form=TEXT)
        else:
            request.prompt = replace(prompt, style=SPOKEN)
        request.templated = True


def _chain(requests: Sequence[PlayInstance], renderer: Renderer, tally: Tally) -> Chain:
    stateful = renderer.lm.description.stateful
    return Chain(requests, renderer, tally, told=None if stateful else Told())


async def _reply(server: Server, book: Book, chain: Chain, request: PlayInstance) -> None:
    assert isinstance(server, AgentServer)
    stateful = server.agent.stateful
    # A session has not heard what a cache answers.
    known = None if stateful else book.reply(request.arguments)
    if known is not None:
        chain.watch.add(book.cached_timing(request.arguments))
        chain.answer(known[0], None)
        return

    async def ask() -> Answer | TooLong | Failure:
        messages, session = json.loads(request.arguments[0].prompt), server.session_of(chain)
        words = language(request.prompt.language).words
        last = messages[-1]["content"]
        body = server.agent.body(
            {
                "message": session.news(messages, words.CONTINUE) if stateful else last,
                "messages": messages,
                "session": session.id,
                "language": request.prompt.language,
            }
        )
        return await server.ask(body, partial(server.reply, session), chain.watch)

    answer = await answered(book, chain, request, ask)
    if answer is None:
        return
    book.keep_reply(request.arguments, answer.text, False, chain.watch.last)
    # Whether a limit of its own cut the reply an agent does not tell.
    chain.answer(answer.text, None)


AGENTS_REPLIES = Asking(_chain, _reply, AgentServer)
