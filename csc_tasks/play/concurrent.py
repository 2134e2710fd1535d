"""API backends: a few more conversations at once than the backend has connections, each asking its next turn as soon as it is answered.

lm_eval's own call waits for the slowest reply of a round. Here a slot never waits for another conversation, and a conversation's turns
follow each other, so that a server's prefix cache still holds the turn before. lm_eval's `amodel_call` sends each request.
"""

import asyncio
from collections import deque
from collections.abc import Sequence

from tqdm import tqdm

from csc_tasks.observe import cut_replies
from csc_tasks.play.book import Book
from csc_tasks.play.chains import Chain, reply_tokens
from csc_tasks.play.requests import PlayInstance, Renderer

READY = 4
"""One conversation for so many connections has its next request ready while all connections are in use."""


def is_concurrent(lm) -> bool:
    """Whether this is one of lm_eval's API backends with several connections and its requests sent one prompt each."""
    base = next((cls for cls in type(lm).__mro__ if (cls.__module__, cls.__name__) == ("lm_eval.models.api_models", "TemplateAPI")), None)
    own = ("generate_until", "get_batched_requests", "amodel_call")
    unchanged = base is not None and all(getattr(type(lm), name) is getattr(base, name) for name in own)
    return unchanged and lm._concurrent > 1 and lm._batch_size == 1


def generate(lm, conversations: Sequence[Sequence[PlayInstance]], renderer: Renderer, progress: tqdm) -> list[Chain]:
    """Play all conversations, those with the most turns first, so that no long one is left over at the end."""
    book = Book(lm)
    chains = [Chain(requests, renderer) for requests in conversations]
    with cut_replies(lm) as was_cut:
        asyncio.run(_play(book, deque(sorted(chains, key=lambda chain: -len(chain.requests))), was_cut, progress))
    return chains


async def _play(book: Book, chains: deque[Chain], was_cut, progress: tqdm) -> None:
    from aiohttp import ClientSession, ClientTimeout, TCPConnector
    from tenacity import retry, stop_after_attempt, wait_exponential

    lm = book.model
    slots = asyncio.Semaphore(lm._concurrent)
    # As in lm_eval's own call.
    retrying = retry(stop=stop_after_attempt(lm.max_retries), wait=wait_exponential(multiplier=0.5, min=1, max=10), reraise=True)
    send = retrying(lm.amodel_call)
    connector = TCPConnector(limit=lm._concurrent, ssl=lm.verify_certificate)
    async with ClientSession(connector=connector, timeout=ClientTimeout(total=lm.timeout)) as session:

        async def play() -> None:
            while chains:
                chain = chains.popleft()
                while (request := chain.ask()) is not None:
                    prompt, kwargs = request.arguments
                    known = book.reply(request.arguments)
                    if known is None:
                        what = {"messages": [_message(lm, prompt, kwargs)], "cache_keys": [request.arguments], "gen_kwargs": kwargs}
                        texts = await send(session=session, sem=slots, **what)
                        known = texts[0], was_cut(request.arguments)
                    chain.answer(*known)
                    progress.update()

        await asyncio.gather(*(play() for _ in range(lm._concurrent + -(-lm._concurrent // READY))))


def _message(lm, prompt, kwargs: dict):
    """The prompt as lm_eval sends it: tokens that fit where the backend sends tokens, else as it is."""
    if not lm.tokenized_requests:
        return prompt
    tokens = lm.tok_encode((prompt,), add_special_tokens=lm.add_bos_token)[0]
    return tokens[-(lm.max_length - reply_tokens(lm, kwargs)) :]
