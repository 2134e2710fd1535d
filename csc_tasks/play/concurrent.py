"""API backends: a few more conversations at once than the backend has connections, each asking its
next turn as soon as it is answered.

lm_eval's own call waits for the slowest reply of a round, and one bad response ends it. Here a slot
never waits for another conversation, a conversation's turns follow each other, so that a server's
prefix cache still holds the turn before, and what a server refuses is one turn's matter
(server.py).
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from lm_eval.api.model import LM, TemplateLM
from tqdm import tqdm

from csc_tasks.errors import ModelError
from csc_tasks.framework import STRATEGY_IDS
from csc_tasks.play.answers import Answer, read_answer, read_likelihood
from csc_tasks.play.api import address, connections
from csc_tasks.play.book import Book
from csc_tasks.play.chains import Chain, reply_tokens
from csc_tasks.play.failures import Failure, Tally
from csc_tasks.play.forced import LIKELIHOOD, longest_name, options
from csc_tasks.play.guided import BY_NAME, find_way, reader, settings
from csc_tasks.play.live import chain_of
from csc_tasks.play.renderer import Renderer
from csc_tasks.play.requests import PlayInstance
from csc_tasks.play.server import Server
from csc_tasks.play.structured import FormParameters
from csc_tasks.play.told import Told
from csc_tasks.prompts import label_written
from csc_tasks.refusals import Parameters, TooLong
from csc_tasks.thinking import Thinking

if TYPE_CHECKING:
    from lm_eval.models.api_models import JsonChatStr

Turn = Callable[[Server, Book, Chain, PlayInstance], Awaitable[None]]
"""Asks for one turn, and books what comes of it."""
Outcome = TypeVar("Outcome")

log = logging.getLogger("lm_eval.csc_tasks")

READY = 4
"""One conversation for so many connections has its next request ready while all connections are in
use.
"""


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked: chain(requests, renderer, tally) makes the chain of a conversation, turn asks
    for one of its turns, server is the kind of server that is asked.
    """

    chain: Callable[[Sequence[PlayInstance], Renderer, Tally], Chain]
    turn: Turn
    server: type[Server] = Server


def play(
    lm: LM,
    conversations: Sequence[Sequence[PlayInstance]],
    renderer: Renderer,
    tally: Tally,
    progress: "tqdm[NoReturn]",
    asking: Asking,
) -> list[Chain]:
    """Play all conversations, those with the most turns first, so that no long one is left over at
    the end.
    """
    book = Book(lm)
    chains = [asking.chain(requests, renderer, tally) for requests in conversations]
    where = address(book.model)
    parameters = FormParameters(
        set(book.refused_parameters()), lambda sentence: log.warning("%s %s", where, sentence)
    )
    waiting = deque(sorted(chains, key=lambda chain: -len(chain.requests)))
    asyncio.run(_play(book, waiting, asking, parameters, tally, progress))
    for chain in chains:
        for request in chain.requests:
            request.left_out = tuple(parameters.left_out())
    return chains


async def _play(
    book: Book,
    chains: deque[Chain],
    asking: Asking,
    parameters: Parameters,
    tally: Tally,
    progress: "tqdm[NoReturn]",
) -> None:
    async with asking.server(book.model, parameters, lambda: tally.answered) as server:
        forced = [request for chain in chains for request in chain.requests if request.forced]
        if forced:
            way = await _forcing(server, book, forced[0], chains[0].renderer.thinking)
            for request in forced:
                request.forcing = way

        async def play() -> None:
            while chains:
                chain = chains.popleft()
                done = 0
                while (request := await _next(chain)) is not None:
                    await asking.turn(server, book, chain, request)
                    progress.update(chain.position - done)
                    done = chain.position
                progress.update(chain.position - done)

        # While a customer thinks, its conversation needs no connection.
        slots = connections(book.model) * (2 if any(c.requests[0].live for c in chains) else 1)
        players = [asyncio.create_task(play()) for _ in range(slots + slots // READY)]
        try:
            await asyncio.gather(*players)
        finally:
            for player in players:
                player.cancel()
            await asyncio.gather(*players, return_exceptions=True)
            if parameters.refused:
                book.keep_refused_parameters(parameters.refused)


async def _next(chain: Chain) -> PlayInstance | None:
    """The chain's next request, when the customer has spoken whom it waits for."""
    if chain.coming is not None:
        await asyncio.wrap_future(chain.coming)
    return chain.ask()


async def _reply(server: Server, book: Book, chain: Chain, request: PlayInstance) -> None:
    """Ask for one reply, and book what comes of it."""
    if request.choosing:
        await _forced(server, book, chain, request)
        return
    prompt, kwargs = request.arguments
    known = book.reply(request.arguments)
    if known is not None:
        chain.watch.add(book.cached_timing(request.arguments))
        chain.answer(*known)
        return

    async def ask() -> Answer | TooLong | Failure:
        payload = server.payload(_message(book.model, prompt, kwargs), kwargs | _begins(request))
        return await server.ask(payload, partial(read_answer, book.model), chain.watch)

    answer = await answered(book, chain, request, ask)
    if answer is None:
        return
    text = answer.text
    if "stop" in server.parameters.refused:
        # The server was not told where to stop.
        for stop in kwargs.get("until") or []:
            text = text.split(stop)[0]
    book.keep_reply(request.arguments, text, answer.cut, chain.watch.last)
    chain.answer(text, answer.cut)


async def answered(
    book: Book,
    chain: Chain,
    request: PlayInstance,
    ask: Callable[[], Awaitable[Outcome | TooLong | Failure]],
) -> Outcome | None:
    """What `ask` brings. None where that is no answer: the chain asks a prompt that was too long
    again, shorter, and else the turn has failed. What is known to be too long is not asked.
    """
    outcome = book.too_long(request.arguments) or await ask()
    if isinstance(outcome, TooLong):
        book.keep_too_long(request.arguments, outcome)
        chain.shorten(outcome)
        return None
    if isinstance(outcome, Failure):
        chain.fail(outcome)
        return None
    chain.tally.answer()
    return outcome


async def _forcing(
    server: Server, book: Book, request: PlayInstance, thinking: Thinking
) -> dict[str, str]:
    """How this server chooses a strategy; found out once, before anything is asked."""
    way = book.forcing()
    if way is None:
        chat = request.templated and not server.lm.tokenized_requests
        way = await find_way(server, request.arguments[1], _message, thinking, chat)
        book.keep_forcing(way)
    log.info("%s: a strategy is chosen by %s", address(server.lm), " and ".join(way.values()))
    return way


def _begins(request: PlayInstance) -> dict[str, Any]:
    """The parameters with which a server goes on with a message that was begun for it."""
    way = request.forcing
    if way is None or request.chosen is None or isinstance(request.arguments[0], str):
        return {}
    return BY_NAME[way["choice"]].begins or {}


async def _forced(server: Server, book: Book, chain: Chain, request: PlayInstance) -> None:
    """Ask for the strategy of a forced request, and book what comes of it."""
    assert request.forcing is not None, "a server's way is known before anything is asked"
    if request.forcing["choice"] == LIKELIHOOD:
        await _choice(server, book, chain, request)
        return
    lm, prompt = book.model, request.arguments[0]
    names = [option.strip(" []") for option in options(request)]
    kwargs = settings(request.arguments[1], BY_NAME[request.forcing["choice"]], names)
    known = book.reply((prompt, kwargs))
    read = reader(lm, names, chain.renderer.thinking)
    if known is not None:
        chain.watch.add(book.cached_timing((prompt, kwargs)))
        chain.force(STRATEGY_IDS[names.index(str(label_written(known[0])[1]))], known[0])
        return

    async def ask() -> tuple[int, str] | TooLong | Failure:
        payload = server.payload(_message(lm, prompt, kwargs), kwargs)
        return await server.ask(payload, read, chain.watch)

    answer = await answered(book, chain, request, ask)
    if answer is None:
        return
    position, written = answer
    book.keep_reply((prompt, kwargs), written, False, chain.watch.last)
    chain.force(STRATEGY_IDS[position], written)


async def _choice(server: Server, book: Book, chain: Chain, request: PlayInstance) -> None:
    """Ask for the twelve log-likelihoods of one turn, and book what comes of it."""
    sums = []
    for option in options(request):
        value = await _likelihood(server, book, chain, request, option)
        if value is None:
            return
        sums.append(value)
    chain.choose(sums)


async def _likelihood(
    server: Server, book: Book, chain: Chain, request: PlayInstance, option: str
) -> float | None:
    """The log-likelihood of one name after the prompt; None where there is no answer."""
    lm, prompt = book.model, request.arguments[0]
    known = book.likelihood(prompt, option)
    if known is not None:
        return known

    async def ask() -> tuple[float, bool] | TooLong | Failure:
        tokens, lengths, _ = lm.batch_loglikelihood_requests(
            [[((prompt, option), *lm._encode_pair(prompt, option))]]
        )
        payload = server.payload(tokens[0], None, generate=False)
        read = partial(read_likelihood, lm, tokens=tokens, lengths=lengths)
        return await server.ask(payload, read, chain.watch)

    answer = await answered(book, chain, request, ask)
    if answer is None:
        return None
    book.keep_likelihoods(prompt, [option], [answer])
    return answer[0]


REPLIES = Asking(
    lambda requests, renderer, tally: chain_of(requests)(requests, renderer, tally, told=Told()),
    _reply,
)
CHOICES = Asking(
    lambda requests, renderer, tally: Chain(
        requests, renderer, tally, longest_name(requests[0]), Told()
    ),
    _choice,
)
"""The twelve names' log-likelihoods after every prompt, each as a request of its own
(`check_likelihoods`).
"""


def _message(
    lm: LM, prompt: "str | JsonChatStr", kwargs: dict[str, Any]
) -> "str | JsonChatStr | list[int]":
    """The prompt as lm_eval sends it: tokens that fit where the backend sends tokens, else as it
    is.
    """
    if not lm.tokenized_requests:
        return prompt
    tokens: list[int] = lm.tok_encode((prompt,), add_special_tokens=lm.add_bos_token)[0]
    return tokens[-(lm.max_length - reply_tokens(lm, kwargs)) :]


def check_likelihoods(lm: LM) -> None:
    """Raise ModelError where the backend gives no log-likelihoods of a prompt."""
    try:
        if type(lm).loglikelihood is not TemplateLM.loglikelihood:
            # Backends that give none say so whatever they are asked.
            lm.loglikelihood([])
    except (NotImplementedError, AssertionError) as error:
        raise ModelError(
            f"{type(lm).__name__} gives no log-likelihoods, which this task needs: {error}"
        ) from None
    if lm.tokenizer is None:
        raise ModelError(
            "log-likelihoods need a tokenizer: tokenizer_backend=huggingface,tokenizer=FOLDER in"
            " --model_args"
        )
