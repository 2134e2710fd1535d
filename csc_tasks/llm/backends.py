"""Who answers a request: the `openai` package speaking to any compatible server, or functions of
ours that play an LLM (`scripted`).

A backend has `name`, `model`, `base_url`, an async `complete(request)` that returns a Reply or a
Failure (it does not raise for what a server does), and an async `close()`. It tries once; trying
again is `csc_tasks.llm.client`'s business.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

from csc_tasks import refusals
from csc_tasks.errors import SettingError, require
from csc_tasks.llm import responses
from csc_tasks.llm.accepted import Accepted
from csc_tasks.llm.exchange import Failure, Reply, Request, Usage

if TYPE_CHECKING:
    from openai import APIStatusError, AsyncOpenAI

OPENAI_URL = "https://api.openai.com/v1"


Response = Reply | Failure | responses.Rejected


class Backend(Protocol):
    """What `csc_tasks.llm.client` needs of one. `at_once` is how many requests it wants together;
    0: as many as the user says.
    """

    name: str
    model: str
    base_url: str
    timeout: float
    at_once: int

    async def complete(self, request: Request) -> Reply | Failure:
        """Ask once."""

    async def close(self) -> None:
        """Let go of connections."""

    def clean(self, text: str) -> str:
        """`text` without what must not be kept (the key)."""

    def left_out(self) -> list[str]:
        """What the server refused and was not told in any form."""

    def bound(self, request: Request) -> int | None:
        """The most tokens of the reply to this request, None for no bound."""

    def holds(self, key: str) -> bool:
        """Whether the request with this key is out since an earlier run, and `complete` will not
        send it again.
        """

    def waits_for(self) -> str:
        """What the user sees of a wait that is longer than a reply's, "" for none."""


class OpenAI:
    """A chat model behind an OpenAI-compatible server.

    The key lives in the client and in `clean`, a function that takes it out of text; nothing else
    here holds or shows it.
    """

    name = "openai"
    at_once = 0

    def __init__(
        self, model: str, *, base_url: str = OPENAI_URL, api_key: str = "", timeout: float = 300.0
    ) -> None:
        if not model:
            raise SettingError("--llm openai needs a model: openai:MODEL")
        key = api_key.strip()
        # The HTTP library would name a header it cannot send, and so the key in it.
        if not key.isascii() or not key.isprintable():
            raise SettingError("OPENAI_API_KEY holds characters that no key has; set it again")
        if not key and base_url == OPENAI_URL:
            raise SettingError(
                "OPENAI_API_KEY is not set; set it, or name another server with --base-url"
            )
        openai = require("openai", "build", "--llm openai")
        self.model, self.base_url, self.timeout = model, base_url, timeout
        # Our own retries know of the journal and the budget; the package's would not be counted.
        self._connect: Callable[[], AsyncOpenAI] = lambda: openai.AsyncOpenAI(
            api_key=key or "none",
            base_url=base_url,
            timeout=timeout,
            max_retries=0,
            http_client=_transport(openai),
        )
        self.clean = refusals.cleaner(key)
        self.status_error: type[APIStatusError] = openai.APIStatusError
        # What the server refused, so that only the first requests learn it.
        self.accepted = Accepted(model)
        self._client: AsyncOpenAI | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def __repr__(self) -> str:
        return f"OpenAI({self.model!r}, base_url={self.base_url!r})"

    async def complete(self, request: Request) -> Reply | Failure:
        """Ask once; a reply that is not there in full after `timeout` seconds is a Failure."""
        if request.kind == "moderation":
            return responses.cleaned(await self._moderated(request), self.clean)
        body = self.accepted.body(self.model, request)
        # `post` instead of `chat.completions.create` leaves out the copying of the body through
        # typed classes, a third of the CPU time per request.
        response = await self._post("/chat/completions", body, responses.read)
        if isinstance(response, responses.Rejected):
            response = responses.judge(response, body, self.accepted, request)
        elif isinstance(response, Reply):
            self.accepted.answered(request)
        return responses.cleaned(response, self.clean)

    async def close(self) -> None:
        """Close the connections of this event loop; a later request opens new ones."""
        client, self._client = self._client, None
        if client is not None and self._loop is asyncio.get_running_loop():
            await client.close()

    def left_out(self) -> list[str]:
        """What the server refused and was not told in any form."""
        return self.accepted.left_out()

    def bound(self, request: Request) -> int | None:
        """The most tokens of the reply to this request, None for no bound."""
        return self.accepted.most(request)

    def holds(self, key: str) -> bool:
        """Nothing outlives a connection."""
        return False

    def waits_for(self) -> str:
        """Nothing."""
        return ""

    def client(self) -> "AsyncOpenAI":
        """The connections of the event loop that runs."""
        if self._client is None or self._loop is not asyncio.get_running_loop():
            self._client, self._loop = self._connect(), asyncio.get_running_loop()
        return self._client

    async def _moderated(self, request: Request) -> Reply | Failure:
        body = moderation_body(self.model, request)
        response = await self._post("/moderations", body, responses.read_moderation)
        if isinstance(response, responses.Rejected):
            return responses.judge(response, {}, self.accepted, request)
        return response

    async def _post(
        self,
        path: str,
        body: Mapping[str, object],
        read: Callable[[object], Response],
    ) -> Response:
        """One POST: a Reply, a Failure, or a Rejected for a status that is no 2xx. Nothing raised
        here leaves: its frames hold the key.
        """
        client = self.client()
        try:
            # The client's own timeout is per read: a server that sends a byte now and then would
            # never reach it.
            async with asyncio.timeout(self.timeout):
                data = await client.post(path, body=body, cast_to=object)
        except TimeoutError:
            return Failure("timeout", f"no reply within {self.timeout:g} s")
        except self.status_error as error:
            return responses.Rejected(error.status_code, dict(error.response.headers), error.body)
        except Exception as error:
            return responses.broken(error)
        return read(data)


Scripted = Callable[[Request], "str | Reply | Awaitable[str | Reply]"]

_SCRIPTED: dict[str, Scripted] = {}


def register_scripted(stage: str, function: Scripted) -> None:
    """Let `function(request)` play the LLM of `stage` when `--llm scripted` is given; what it
    returns must depend on the request alone.
    """
    _SCRIPTED[stage] = function


class ScriptedLLM:
    """The stand-in: the function registered for the request's stage answers, at once and
    offline.
    """

    name = "scripted"
    base_url = ""
    timeout = 0.0
    at_once = 0

    def __init__(self, model: str = "") -> None:
        if model:
            raise SettingError(f"--llm scripted takes no model, found {model!r}")
        self.model = ""

    async def complete(self, request: Request) -> Reply | Failure:
        """What the registered function says."""
        # Others get their turn, and Ctrl-C is heard, although nothing here ever waits.
        await asyncio.sleep(0)
        function = _SCRIPTED.get(request.stage)
        if function is None:
            return Failure(
                "fatal",
                f"nothing plays the stage {request.stage!r}; scripted are"
                f" {', '.join(sorted(_SCRIPTED)) or 'none'}",
            )
        returned = function(request)
        reply = await returned if inspect.isawaitable(returned) else returned
        if isinstance(reply, Reply):
            return reply
        # No tokens rather than an unknown number: nobody was asked and nothing is owed.
        return Reply(reply, usage=Usage(0, 0), model="scripted")

    async def close(self) -> None:
        """Nothing to let go of."""

    def clean(self, text: str) -> str:
        """There is no key."""
        return text

    def left_out(self) -> list[str]:
        """Nothing is."""
        return []

    def bound(self, request: Request) -> int | None:
        """There is none."""
        return None

    def holds(self, key: str) -> bool:
        """Nothing is ever out."""
        return False

    def waits_for(self) -> str:
        """Nothing."""
        return ""


def moderation_body(model: str, request: Request) -> dict[str, object]:
    """The body of a request to a moderation endpoint."""
    return {"model": model, "input": [message["content"] for message in request.messages]}


def _transport(openai: ModuleType) -> Any:
    """The package's aiohttp transport, at two thirds of the CPU time per request, or its own where
    aiohttp does not fit. Neither follows a redirect: the texts are for nobody but the server that
    was named.
    """
    try:
        return openai.DefaultAioHttpClient(follow_redirects=False)
    except RuntimeError:
        return openai.DefaultAsyncHttpxClient(follow_redirects=False)
