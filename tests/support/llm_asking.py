"""Asking a model in tests: one question or many, in an event loop of their own."""

import asyncio
import io

from pydantic import BaseModel

from csc_tasks.llm.items import run_items
from csc_tasks.llm.journal.reading import read_rows
from csc_tasks.llm.progress import Progress
from tests.support import virtual_time

KEY = "sk-planted-7f3a9c1e5b2d8064"


# A certificate nobody trusts, for 127.0.0.1, and its worthless key.
CERTIFICATE = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgWYrfnlaT/GS23eYd
XCEwaMZDaNdvlK2GypYq5hUFvsyhRANCAASmT+XD2/FByMrhuiPCXygbvCaB6ejM
CIw3z7JKOVsAgyWovF/tVv/JamLba3L9WJ1U9UHBGRq0FGDNV8AbKeH1
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBnDCCAUGgAwIBAgIUXdmc2JaxwAIPYW9GpEehddwHR48wCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMDE4NDg1OFoYDzIxMjYxMDI3
MTg0ODU4WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASmT+XD2/FByMrhuiPCXygbvCaB6ejMCIw3z7JKOVsAgyWovF/tVv/J
amLba3L9WJ1U9UHBGRq0FGDNV8AbKeH1o28wbTAdBgNVHQ4EFgQUNJWmUFagt54j
g0UDjz76J0GPGJEwHwYDVR0jBBgwFoAUNJWmUFagt54jg0UDjz76J0GPGJEwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSQAwRgIhAMfLM0tpTkCDnjFzL1fiOjMOY3gAySDDr7EmYQhq0yNcAiEA
tYshyDiI6u5inmFtD9V1CIbpfN/gJo4gl0oh42Xn174=
-----END CERTIFICATE-----
"""


class Said(BaseModel):
    text: str
    finished: bool


GOOD = '{"text": "fine", "finished": false}'


def user(text):
    return [{"role": "user", "content": text}]


def ask(llm, text="hello", **arguments):
    """One question in an event loop of its own."""

    async def work():
        try:
            return await llm.ask(
                **{"stage": "test", "messages": user(text), "item_id": text, **arguments}
            )
        finally:
            await llm.disconnect()

    return asyncio.run(work())


def ask_all(llm, items, concurrency=None, reply=None, run=asyncio.run, **arguments):
    """One question per item."""

    async def worker(item):
        answer = await llm.ask(
            stage="test", messages=user(str(item)), item_id=str(item), reply=reply, **arguments
        )
        return answer.text

    return run(
        run_items(items, worker, llm, Progress(len(items), stream=io.StringIO()), concurrency)
    )


def ask_all_virtually(llm, items, concurrency=None):
    return ask_all(llm, items, concurrency, run=virtual_time.run)


def rows(llm):
    return list(read_rows(llm.journal.path))
