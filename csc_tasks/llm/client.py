"""Asking language models: one request, one checked reply, one row in the journal.

    with LLM.from_specs(["openai:MODEL"], Journal("build.journal.sqlite"), concurrency=16) as llm:
        answer = await llm.ask(stage="summary", messages=[...], reply=Summary, item_id=row_id)

`ask` returns an Answer or raises what `csc_tasks.llm.outcomes` draws. A request that the journal
holds is not sent again. `run_items` plays a worker over many items. Every verb that asks shares the
options of `add_llm_arguments`, and gets its LLM by `llm_from_args`.
"""

import asyncio
import hashlib
import os
import random
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from csc_tasks.errors import DataError, SettingError
from csc_tasks.llm.backends import OPENAI_URL, Backend, OpenAI, ScriptedLLM
from csc_tasks.llm.budget import Budget, Price
from csc_tasks.llm.exchange import Reply, Request, Usage
from csc_tasks.llm.journal import Journal, canonical, request_key
from csc_tasks.llm.options import (
    by_stage,
    check_numbers,
    checked_sampling,
    checked_url,
    parse_specs,
)
from csc_tasks.llm.outcomes import (
    Answer,
    Dropped,
    Fatal,
    JournalLost,
    Malformed,
    Refused,
    Stopped,
    Unreachable,
)
from csc_tasks.llm.pace import Pace
from csc_tasks.llm.replies import WrongForm, check_text, parse_reply, reply_schema
from csc_tasks.refusals import INSTEAD, Parameters
from csc_tasks.thinking import of_name, separate

if TYPE_CHECKING:
    from pydantic import BaseModel

BACKENDS: dict[str, Callable[..., Backend]] = {
    "openai": OpenAI,
    "scripted": lambda model, **_: ScriptedLLM(model),
}

# A request that is told "too fast" this often, while others are answered, is itself what the server
# does not want.
MOST_REJECTIONS = 20

schema_of = cache(reply_schema)


class LLM:
    """All models of one build, their journal and their budget. A context manager that closes the
    journal.

    `backends`: stage -> backend, "" for every other stage. `retries` bounds tries after transport
    errors and 5xx, `attempts` the replies asked for until one is well-formed, `max_wait` the
    seconds a server may keep everything waiting. With `drop_unreachable` an item whose request
    fails on every try, while others are answered, is dropped instead of left for the next run.
    `first_pause` is the first of the doubling pauses between tries. One event loop at a time.
    """

    def __init__(
        self,
        backends: Mapping[str, Backend],
        journal: Journal,
        budget: Budget,
        *,
        concurrency: int = 16,
        retries: int = 6,
        attempts: int = 3,
        max_wait: float = 300.0,
        drop_unreachable: bool = False,
        seed: int = 0,
        sampling: Mapping[str, Mapping] | None = None,
        first_pause: float = 0.5,
    ) -> None:
        if not 1 <= concurrency <= 1000:
            raise SettingError(f"concurrency {concurrency} is not in 1..1000")
        if retries < 0 or attempts < 1:
            raise SettingError(f"retries {retries} and attempts {attempts}: at least 0 and 1")
        self.backends, self.journal, self.budget = dict(backends), journal, budget
        self.concurrency, self.retries, self.attempts, self.max_wait = (
            concurrency,
            retries,
            attempts,
            max_wait,
        )
        self.drop_unreachable, self.seed, self.sampling, self.first_pause = (
            drop_unreachable,
            seed,
            dict(sampling or {}),
            first_pause,
        )
        budget.carry_over(journal.totals())
        self.sent = self.answered = self.replayed = self.in_flight = 0
        self.failures: Counter = Counter()
        self.tell: Callable[[str], None] = lambda line: print(line, file=sys.stderr)
        self.stopped: Exception | None = None
        self._last_answer = 0.0
        self._loop = None

    @classmethod
    def from_specs(
        cls,
        specs: Sequence[str],
        journal: Journal,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        timeout: float = 300.0,
        prices: Mapping[str, Price] | None = None,
        max_requests: int | None = None,
        max_cost: float | None = None,
        **settings,
    ) -> "LLM":
        """From `[STAGE=]BACKEND:MODEL` specs; `base_url` and `api_key` default to OPENAI_BASE_URL
        and OPENAI_API_KEY.

        `settings` are those of the class. Raises SettingError, and MissingExtra when the openai
        package is not installed.
        """
        parsed = parse_specs(specs, BACKENDS)
        # Offline, a base URL in the environment is nobody's business.
        online = any(backend != "scripted" for backend, _ in parsed.values())
        url = (
            checked_url(base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI_URL)
            if online
            else ""
        )
        key = os.environ.get("OPENAI_API_KEY", "") if api_key is None else api_key
        made: dict[tuple[str, str], Backend] = {}
        backends = {}
        for stage, (backend, model) in parsed.items():
            # Stages that share a model share its connections and its pace.
            if (backend, model) not in made:
                made[backend, model] = BACKENDS[backend](
                    model, base_url=url, api_key=key, timeout=timeout
                )
            backends[stage] = made[backend, model]
        return cls(backends, journal, Budget(prices or {}, max_requests, max_cost), **settings)

    def __repr__(self) -> str:
        return f"LLM({self.backends!r}, journal={str(self.journal.path)!r})"

    def __enter__(self) -> "LLM":
        return self

    def __exit__(self, *_) -> None:
        self.journal.close()

    async def ask(
        self,
        *,
        stage: str,
        messages: list[dict],
        item_id: str,
        reply: "type[BaseModel] | None" = None,
        repeat: int = 0,
        sampling: Mapping | None = None,
        kind: str = "chat",
    ) -> Answer:
        """Ask the model of `stage` about the item; `repeat` tells apart askings that are meant to
        be independent.

        With `reply`, the answer's `parsed` is that model; the messages must say themselves that
        JSON is wanted and of which form, because not every server takes a schema. `sampling`
        (temperature, max_tokens, ...) goes into the request; what the user gave wins. `kind`
        "moderation" asks a moderation endpoint about the text of each message (see `Request`),
        without schema, seed and sampling. Raises Refused, Malformed, Unreachable, Stopped, Fatal or
        JournalLost.
        """
        backend = self._backend(stage)
        chat = kind == "chat"
        schema = schema_of(reply) if reply and chat else None
        settings = checked_sampling(
            {**(sampling or {}), **self.sampling.get("", {}), **self.sampling.get(stage, {})}
        )
        problems: list[str] = []
        for attempt in range(self.attempts):
            seeded = {"seed": self._seed(stage, item_id, repeat, attempt), **settings}
            seeded = {name: value for name, value in seeded.items() if value is not None and chat}
            request = Request(stage, item_id, repeat, attempt, messages, schema, seeded, kind)
            outcome, problem, answer = await self._recorded(backend, request, reply)
            if outcome == "refused":
                raise Refused(f"{stage}: refused", problem, answer)
            if outcome == "ok":
                return answer
            problems.append(problem)
        raise Malformed(f"{stage}: malformed reply", problems)

    def models(self) -> dict[str, str]:
        """stage -> `backend:model` ("others" for the stages without one of their own): the same in
        two identical builds, for build.json.
        """
        return {
            stage or "others": f"{backend.name}:{backend.model}".rstrip(":")
            for stage, backend in self.backends.items()
        }

    def left_out(self) -> list[str]:
        """`backend:model: parameter` for every parameter that a server refused and that was left
        out.
        """
        backends = {
            f"{backend.name}:{backend.model}": backend for backend in self.backends.values()
        }
        return [
            f"{name}: {parameter}"
            for name, backend in sorted(backends.items())
            for parameter in getattr(backend, "parameters", Parameters()).left_out()
        ]

    def spent(self) -> dict:
        """What was asked and what it cost, for run.json: of this run, and of each stage over all
        runs of the journal.
        """
        stages = {stage: asdict(spent) for stage, spent in self.budget.stages.items()}
        return {
            "sent": self.sent,
            "replayed": self.replayed,
            "failures": dict(self.failures),
            "cost": self.budget.cost,
            "stages": stages,
        }

    async def disconnect(self) -> None:
        """Close the connections of this event loop; whoever ran the loop calls it last."""
        for backend in set(self.backends.values()):
            await backend.close()

    def stop(self, reason: Exception) -> None:
        """Send nothing more: what waits or comes raises `reason`; what is out may still come in,
        and what is recorded can be read.
        """
        self.stopped = self.stopped or reason
        if self._loop is not None:
            for pace in self._paces.values():
                pace.close(self.stopped)
            self._halt.set()

    async def _recorded(self, backend, request, model):
        """What `_read` makes of the reply to a request, from the journal or from the backend."""
        parts = {
            "messages": request.messages,
            "schema": request.schema,
            "sampling": request.sampling,
        }
        row = {
            "kind": request.kind,
            "backend": backend.name,
            "base_url": backend.base_url,
            "model": backend.model,
        }
        row |= {"item_id": request.item_id, "repeat": request.repeat, "attempt": request.attempt}
        try:
            key = request_key(**row, **parts)
            row |= {"stage": request.stage, "request": backend.clean(canonical(parts))}
        except (UnicodeEncodeError, ValueError, TypeError) as error:
            raise DataError(
                f"{request.stage} {request.item_id}: the request cannot be written as JSON"
                f" ({error})"
            ) from None
        self._on_this_loop()
        # The same request asked twice at once is sent once; the second reads what the first
        # recorded.
        async with self._locks.setdefault(key, asyncio.Lock()):
            recorded = self.journal.reply(key)
            if recorded is not None:
                self.replayed += 1
                # A resumed build first reads thousands of rows; the bar and Ctrl-C need a turn in
                # between.
                await asyncio.sleep(0)
                found = Reply(**{**recorded, "usage": Usage(**recorded["usage"])})
                return _read(found, model, request.attempt)
            try:
                return await self._send(backend, request, model, key, row)
            except (Stopped, Fatal, JournalLost) as error:
                self.stop(error)
                raise

    async def _send(self, backend, request, model, key, row):
        """Send until there is a reply, within the bounds; every try is in the journal before it is
        out.
        """
        pace, answered, started = self._paces[id(backend)], self.answered, self._loop.time()
        failures = rejections = 0
        where = (
            f"{backend.name}:{backend.model} at {backend.base_url} ({request.stage},"
            f" {request.item_id})"
        )
        while True:
            generation = await pace.enter(again=rejections > 0)
            self.in_flight += 1
            try:
                if self.stopped:
                    raise self.stopped
                self.budget.admit(request.stage)
                self.journal.send(key, **row)
                self.sent += 1
                sent_at = self._loop.time()
                found = await backend.complete(request)
                if isinstance(found, Reply):
                    pace.succeeded(self._loop.time() - sent_at)
                    self.answered, self._last_answer = self.answered + 1, self._loop.time()
                    reading = _read(found, model, request.attempt)
                    self.journal.finish(key, asdict(found), *reading[:2], found.usage)
                    self.budget.add(request.stage, found.usage)
                    return reading
                self.failures[found.kind] += 1
                self.journal.fail(key, found.message)
                if found.kind == "busy":
                    rejections += 1
                    pause = pace.rejected(generation, found.retry_after)
                elif found.kind == "timeout":
                    pace.slow_down(generation)
            finally:
                self.in_flight -= 1
                pace.leave()
            if found.kind == "fatal":
                raise Fatal(f"{where}: {found.message}")
            if found.kind == "unsupported":
                self._without(backend, found)
            elif found.kind == "busy":
                self._bear(
                    request.stage,
                    found,
                    rejections,
                    max(started, self._last_answer),
                    answered,
                    where,
                )
                await self._rest(pause)
            else:
                failures += 1
                if failures > self.retries:
                    self._give_up(
                        request.stage,
                        f"{where}: no reply in {failures} tries, at last {found.message}",
                        answered,
                    )
                await self._rest(
                    min(30.0, self.first_pause * 2 ** (failures - 1)) * random.uniform(0.8, 1.2)
                )

    def _bear(self, stage, found, rejections, since, answered, where):
        """Go on after a 429, unless waiting makes no sense."""
        if (found.retry_after or 0) > self.max_wait:
            raise Stopped(
                f"{where}: {found.message}; the server asks to wait {found.retry_after:,.0f} s"
                f" (--max-wait {self.max_wait:g}): run the same command again then"
            )
        if self._loop.time() - since > self.max_wait:
            raise Stopped(
                f"{where}: {found.message}; nothing was answered for {self.max_wait:g} s: run the"
                " same command again later"
            )
        if rejections > MOST_REJECTIONS:
            self._give_up(
                stage, f"{where}: rejected {rejections} times, at last {found.message}", answered
            )

    def _give_up(self, stage, said, answered):
        """This request alone is hopeless if others were answered meanwhile; else the server is
        gone.
        """
        if self.answered > answered:
            raise (
                Dropped(f"{stage}: unreachable", said)
                if self.drop_unreachable
                else Unreachable(said)
            )
        raise Stopped(
            f"{said}; nothing else was answered meanwhile: run the same command again when the"
            " server is back"
        )

    def _without(self, backend, found):
        note = (
            f"{backend.name}:{backend.model} does not take {found.feature}:"
            f" {INSTEAD[found.feature]} ({found.message})"
        )
        if (backend.model, found.feature) not in self._noted:
            self._noted.add((backend.model, found.feature))
            self.tell(note)

    async def _rest(self, seconds):
        """Sleep, or raise at once when the run is stopped."""
        try:
            async with asyncio.timeout(seconds):
                await self._halt.wait()
        except TimeoutError:
            return
        raise self.stopped

    def _backend(self, stage):
        found = self.backends.get(stage) or self.backends.get("")
        if found is None:
            raise SettingError(
                f"no --llm for the stage {stage!r}; give --llm {stage}=BACKEND:MODEL, or --llm"
                " BACKEND:MODEL for all"
            )
        return found

    def _seed(self, stage, item_id, repeat, attempt):
        """A seed of its own for every request: a server that keeps to seeds would else repeat a
        malformed reply for ever.
        """
        text = canonical([self.seed, stage, item_id, repeat, attempt])
        return (
            int.from_bytes(hashlib.sha256(text.encode(errors="surrogatepass")).digest()[:4], "big")
            >> 1
        )

    def _on_this_loop(self):
        """Gates, locks and events belong to one event loop; a builder may run several, one after
        the other.
        """
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop = loop
            self._paces = {
                id(backend): Pace(self.concurrency, self.first_pause)
                for backend in self.backends.values()
            }
            self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
            self._halt = asyncio.Event()
            self._noted: set[tuple[str, str]] = set()
            if self.stopped:
                self.stop(self.stopped)


def llm_from_args(args: Namespace, journal_path: Path | str, stages: Iterable[str] = ()) -> LLM:
    """The LLM that the options of `add_llm_arguments` describe; `journal_path` is used where
    --journal is not given.

    With `stages`, the verb's own, an option for another stage is an error, and so is a stage
    without a model.
    """
    stages = tuple(stages)
    check_numbers(args)
    specs = parse_specs(args.llm, BACKENDS)
    prices = by_stage(args.price, Price.parse, "--price")
    sampling = by_stage(args.sampling, checked_sampling, "--sampling")
    for option, given in (("--llm", specs), ("--price", prices), ("--sampling", sampling)):
        if unknown := [stage for stage in given if stage and stages and stage not in stages]:
            raise SettingError(
                f"{option}: there is no stage {unknown[0]!r}; there are {', '.join(stages)}"
            )
    if missing := [stage for stage in stages if stage not in specs and "" not in specs]:
        raise SettingError(
            f"no --llm for {', '.join(missing)}; give --llm BACKEND:MODEL for all stages or one for"
            " each"
        )
    journal = Journal(args.journal or journal_path)
    try:
        return LLM.from_specs(
            args.llm,
            journal,
            base_url=args.base_url,
            timeout=args.timeout,
            prices=prices,
            max_requests=args.max_requests,
            max_cost=args.max_cost,
            concurrency=args.concurrency,
            retries=args.retries,
            attempts=args.attempts,
            max_wait=args.max_wait,
            drop_unreachable=args.drop_unreachable,
            seed=getattr(args, "seed", None) or 0,
            sampling=sampling,
        )
    except BaseException:
        journal.close()
        raise


def _read(found: Reply, model, attempt: int):
    """(ok | malformed | refused, what is wrong, the Answer) of one reply; a replayed one is read by
    the same rules.
    """
    said = separate(found.text or "", of_name(found.model))
    thinking = "\n".join(filter(None, (found.thinking, said.thought)))
    answer = Answer(said.text, None, thinking, found.usage, found.refusal, found.model, attempt + 1)
    if found.refusal:
        return "refused", found.refusal, answer
    try:
        if model is not None:
            return "ok", "", replace(answer, parsed=parse_reply(said.text, model))
        check_text(said.text)
    except WrongForm as error:
        return (
            "malformed",
            f"cut at the token limit; {error}" if found.finish == "length" else str(error),
            answer,
        )
    if found.finish == "length":
        return "malformed", "cut at the token limit", answer
    return "ok", "", answer
