"""One API server: requests go out, and again where that makes sense; what comes back is an answer
or why there is none.

lm_eval's backend says what a request looks like (`_create_payload`, `header`) and how a response is
read. Its own calls know neither a lasting failure from a passing one nor what the server's error
says, so the sending is done here.
"""

import asyncio
import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from lm_eval.api.model import LM

from csc_tasks import refusals
from csc_tasks.errors import SettingError
from csc_tasks.play.answers import tokens
from csc_tasks.play.api import connections
from csc_tasks.play.failures import Failure
from csc_tasks.play.stopwatch import Stopwatch
from csc_tasks.refusals import Parameters, TooLong
from csc_tasks.timing import REQUEST, Timing

if TYPE_CHECKING:
    from aiohttp import ClientResponse
    from lm_eval.models.api_models import JsonChatStr

Outcome = TypeVar("Outcome")

FINAL = {401, 402, 403, 404, 405, 407}
LONGEST_WAIT = 300.0
"""Seconds a turn waits for a server that says "too fast" and answers nothing else meanwhile."""
MOST_BUSY = 30
"""So many times one turn may be told "too fast" while others are answered."""
REDIRECTS = 5
"""So many redirects of one request are followed, within its own origin."""
LARGEST = 2**26
"""Bytes of a response; a reply has a few thousand."""


class TooLarge(Exception):
    """A response has more bytes than any reply."""


class Elsewhere(Exception):
    """A server redirects to another one, which must not get what was meant for it."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What a server sent. first: when the first token of the reply was there, None where it came
    whole.
    """

    raw: bytes
    status: int
    headers: dict[str, str]
    first: float | None = None


async def rest(seconds: float) -> None:
    """Wait before the next try."""
    await asyncio.sleep(seconds)


class Server:
    """The server of one API backend, for one event loop: an async context manager that holds its
    connections.

    parameters: what it takes. answered: how many requests it has answered so far, of all
    conversations.
    """

    def __init__(self, lm: LM, parameters: Parameters, answered: Callable[[], int]) -> None:
        if not lm.base_url:
            raise SettingError(
                "--model_args has no base_url: base_url=http://HOST:PORT/v1/chat/completions, or"
                " .../v1/completions"
            )
        self.lm, self.parameters, self.answered = lm, parameters, answered
        try:
            self.headers = {name: str(value).strip() for name, value in lm.header.items()}
        except ValueError as error:
            # lm_eval's backends say so where the environment has no key.
            raise SettingError(str(error)) from None
        secrets = [
            value.removeprefix("Bearer ")
            for name, value in self.headers.items()
            if name.lower() != "content-type"
        ]
        parts = urlsplit(str(lm.base_url))
        # Some gateways take their key as a parameter of the address.
        secrets += [parts.password or "", *(value for _, value in parse_qsl(parts.query))]
        self.cleaners = [refusals.cleaner(secret.strip()) for secret in secrets]
        self.slots = asyncio.Semaphore(connections(lm))

    async def __aenter__(self) -> "Server":
        from aiohttp import ClientSession, ClientTimeout, TCPConnector

        connector = TCPConnector(limit=connections(self.lm), ssl=self.lm.verify_certificate)
        self.session = ClientSession(
            connector=connector, timeout=ClientTimeout(total=self.lm.timeout)
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()

    def payload(
        self,
        message: "str | JsonChatStr | list[int]",
        kwargs: dict[str, Any] | None,
        generate: bool = True,
    ) -> dict[str, Any]:
        """The request's body as lm_eval's backend makes it. message: a prompt, or its tokens."""
        lm = self.lm
        try:
            body: dict[str, Any] = lm._create_payload(
                lm.create_message([message]),
                generate=generate,
                gen_kwargs=copy.deepcopy(kwargs),
                seed=lm._seed,
            )
        except AssertionError as error:
            raise SettingError(
                f"the backend {type(lm).__name__} cannot ask this: {error}"
            ) from None
        return body

    async def ask(
        self,
        payload: dict[str, Any],
        read: Callable[[Any], Outcome | Failure],
        watch: Stopwatch | None = None,
    ) -> Outcome | TooLong | Failure:
        """What `read` makes of the response; TooLong or a Failure where there is none, after as
        many tries as make sense.

        `read(outputs)` returns an answer or a Failure. `watch` is told what the try took that was
        answered: how often a server that is too busy was asked is no part of its latency.
        """
        tries = rejections = 0
        waited, answered = 0.0, self.answered()
        async with self.slots:
            while True:
                outcome = await self._once(payload, read, watch)
                if outcome is None:
                    continue
                if not isinstance(outcome, Failure) or outcome.kind not in (
                    "odd",
                    "server",
                    "busy",
                ):
                    return outcome
                if outcome.kind == "busy":
                    rejections += 1
                    pause = outcome.wait or min(30.0, 2.0 ** (rejections - 1))
                    waited = pause if self.answered() > answered else waited + pause
                    answered = self.answered()
                    if waited > LONGEST_WAIT or rejections > MOST_BUSY:
                        return outcome
                else:
                    tries += 1
                    if tries >= self.lm.max_retries or not self.again(outcome):
                        return outcome
                    # lm_eval's own waits.
                    pause = min(10.0, max(1.0, 0.5 * 2 ** (tries - 1)))
                # The slot stays taken meanwhile: a server that is too busy gets fewer requests.
                await rest(pause)

    def again(self, failure: Failure) -> bool:
        """Whether a request that failed in this way may be sent again."""
        return True

    def tokens(self, outputs: object) -> tuple[int | None, int | None]:
        """The tokens of prompt and reply as the server counted them."""
        return tokens(outputs)

    async def read(self, response: "ClientResponse") -> Sent:
        """A response whose headers are there."""
        pieces: list[bytes] = []
        async for chunk in response.content.iter_any():
            pieces.append(chunk)
            if sum(map(len, pieces)) > LARGEST:
                raise TooLarge
        return Sent(b"".join(pieces), response.status, dict(response.headers))

    async def _exchanged(self, body: dict[str, Any]) -> Sent:
        """What comes back for a body. A redirect is followed within the origin alone: headers and
        texts are for nobody else.
        """
        from yarl import URL

        url = URL(str(self.lm.base_url))
        for _ in range(REDIRECTS):
            async with self.session.post(
                url, json=body, headers=self.headers, allow_redirects=False
            ) as response:
                place = response.headers.get("Location")
                if not 300 <= response.status < 400 or place is None:
                    return await self.read(response)
                target = url.join(URL(place))
                if target.origin() != url.origin():
                    raise Elsewhere(
                        f"{response.status}: the server redirects to {target.host}, where nothing"
                        " is sent; give that address if it is yours"
                    )
                if response.status not in (307, 308):
                    raise Elsewhere(
                        f"{response.status}: the server redirects to {target.path} without the"
                        " request; give that address"
                    )
                url = target
        raise Elsewhere(f"the server redirects more than {REDIRECTS} times")

    async def _once(
        self,
        payload: dict[str, Any],
        read: Callable[[Any], Outcome | Failure],
        watch: Stopwatch | None = None,
    ) -> Outcome | TooLong | Failure | None:
        """One try. None: the server refused a parameter, and the same is to be asked again without
        it.
        """
        import aiohttp

        body = self.parameters.accepted(payload)
        started = perf_counter()
        try:
            sent = await self._exchanged(body)
        except TooLarge:
            return Failure("odd", "too large", f"the response has more than {LARGEST:,} bytes")
        except Elsewhere as error:
            return Failure("final", "redirect", self._clean(str(error)))
        except TimeoutError:
            return Failure("server", "timed out", f"no reply within {self.lm.timeout} s")
        except (ValueError, aiohttp.ClientSSLError) as error:
            # ValueError: an address that is none, or one with a name and password beside a key in
            # the header.
            return Failure(
                "final", type(error).__name__, self._clean(f"{type(error).__name__}: {error}")
            )
        except (aiohttp.ClientError, OSError) as error:
            connected = not isinstance(error, aiohttp.ClientConnectorError)
            return Failure(
                "server",
                "connection lost" if connected else "no connection",
                self._clean(f"{type(error).__name__}: {error}"),
            )
        ended = perf_counter()
        raw, status, headers = sent.raw, sent.status, sent.headers
        outputs = _json(raw)
        if status < 300 and outputs is None:
            return Failure(
                "odd",
                "not JSON",
                self._clean(f"the response is not JSON: {raw.decode(errors='replace')}"),
            )
        fault = refusals.error_of(raw.decode(errors="replace") if outputs is None else outputs)
        if status < 300 and not (isinstance(outputs, dict) and outputs.get("error")):
            outcome = read(outputs)
            if isinstance(outcome, Failure):
                return _with(outcome, self._clean(outcome.detail))
            if watch:
                first = None if sent.first is None else sent.first - started
                watch.add(Timing(REQUEST, first, ended - started, *self.tokens(outputs)))
            return outcome
        if status < 300:
            # Some gateways send the error of the server behind them with status 200.
            code = fault.get("code") if isinstance(fault, dict) else None
            status = code if type(code) is int and 400 <= code < 600 else 500
        refusal = self._judge(status, headers, fault, body)
        if isinstance(refusal, TooLong):
            return TooLong(refusal.limit, refusal.tokens, self._clean(refusal.said))
        return refusal if refusal is None else _with(refusal, self._clean(refusal.detail))

    def _judge(
        self, status: int, headers: dict[str, str], error: object, body: dict[str, Any]
    ) -> TooLong | Failure | None:
        """What an error means; None: a parameter was refused, which is noted."""
        detail = f"{status}: {refusals.message(error)}"
        too_long = refusals.too_long(error)
        if too_long is not None and status not in (401, 402, 403, 404, 429):
            return too_long
        if refusals.filtered(status, error):
            return Failure("item", "content filter", detail)
        if self.parameters.learn(status, error, body) is not None:
            return None
        wait = refusals.retry_after(headers)
        if status == 429 and refusals.no_credit(error):
            return Failure("final", "no credit", detail)
        if status == 429 or (status == 503 and wait is not None):
            return Failure("busy", f"HTTP {status}", detail, wait)
        if status in (408, 409, 425) or status >= 500:
            return Failure("server", f"HTTP {status}", detail)
        return Failure("final" if status in FINAL else "item", f"HTTP {status}", detail)

    def _clean(self, text: str) -> str:
        for clean in self.cleaners:
            text = clean(text)
        # Cut last: half a secret would no longer be found.
        return refusals.shortened(" ".join(text.split()), 300)


def _with(failure: Failure, detail: str) -> Failure:
    return Failure(failure.kind, failure.reason, detail, failure.wait)


def _json(raw: bytes) -> Any:
    """The response as JSON; None where it is none."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None
