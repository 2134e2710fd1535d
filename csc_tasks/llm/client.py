"""Asking language models: one request, one checked reply, one row in the journal.

    with LLM.from_specs(["openai:MODEL"], Journal("build.journal.sqlite"), concurrency=16) as llm:
        answer = await llm.ask(stage="summary", messages=[...], reply=Summary, item_id=row_id)

`ask` returns an Answer or raises what `csc_tasks.llm.outcomes` draws. A request that the journal
holds is not sent again. `run_items` plays a worker over many items. Every verb that asks shares the
options of `add_llm_arguments`, and gets its LLM by `llm_from_args`.
"""

import hashlib
import os
from argparse import Namespace
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

from csc_tasks.errors import SettingError
from csc_tasks.llm.backends import OPENAI_URL, Backend, OpenAI, ScriptedLLM
from csc_tasks.llm.budget import Budget, Price
from csc_tasks.llm.exchange import Message, Request
from csc_tasks.llm.journal import Journal
from csc_tasks.llm.journal_rows import canonical
from csc_tasks.llm.options import (
    by_stage,
    check_numbers,
    checked_sampling,
    checked_url,
    parse_specs,
)
from csc_tasks.llm.outcomes import Answer, Malformed, Refused
from csc_tasks.llm.replies import reply_schema
from csc_tasks.llm.sending import Sender
from csc_tasks.refusals import Parameters

if TYPE_CHECKING:
    from pydantic import BaseModel

BACKENDS: dict[str, Callable[..., Backend]] = {
    "openai": OpenAI,
    "scripted": lambda model, **_: ScriptedLLM(model),
}

schema_of = cache(reply_schema)


class Settings(TypedDict, total=False):
    """The settings of `LLM` that have a default."""

    concurrency: int
    retries: int
    attempts: int
    max_wait: float
    drop_unreachable: bool
    seed: int
    sampling: Mapping[str, Mapping[str, object]] | None
    first_pause: float


class LLM(Sender):
    """All models of one build, their journal and their budget. A context manager that closes the
    journal.

    `backends`: stage -> backend, "" for every other stage. `attempts`: the replies asked for until
    one is well-formed. `seed` is what the seed of each request is drawn from. `sampling`: stage ->
    the user's request fields, "" for every stage. The other settings, and what is counted, are
    those of `Sender`. Raises SettingError for a number out of range. One event loop at a time.
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
        sampling: Mapping[str, Mapping[str, object]] | None = None,
        first_pause: float = 0.5,
    ) -> None:
        if retries < 0 or attempts < 1:
            raise SettingError(f"retries {retries} and attempts {attempts}: at least 0 and 1")
        super().__init__(
            backends,
            journal,
            budget,
            concurrency=concurrency,
            retries=retries,
            max_wait=max_wait,
            drop_unreachable=drop_unreachable,
            first_pause=first_pause,
        )
        self.attempts, self.seed, self.sampling = attempts, seed, dict(sampling or {})

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
        **settings: Unpack[Settings],
    ) -> "LLM":
        """From `[STAGE=]BACKEND:MODEL` specs; `base_url` and `api_key` default to OPENAI_BASE_URL
        and OPENAI_API_KEY.

        `settings` are those of the class. Raises SettingError, and MissingExtra when the openai
        package is not installed.
        """
        parsed = parse_specs(specs, BACKENDS)
        # Offline, a base URL in the environment is nobody's business.
        online = any(backend != "scripted" for backend, _ in parsed.values())
        url = ""
        if online:
            url = checked_url(base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI_URL)
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

    def __exit__(self, *_: object) -> None:
        self.journal.close()

    async def ask(
        self,
        *,
        stage: str,
        messages: list[Message],
        item_id: str,
        reply: "type[BaseModel] | None" = None,
        repeat: int = 0,
        sampling: Mapping[str, object] | None = None,
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
            fields = {name: value for name, value in seeded.items() if value is not None and chat}
            request = Request(stage, item_id, repeat, attempt, messages, schema, fields, kind)
            outcome, problem, answer = await self.reading(backend, request, reply)
            if outcome == "refused":
                raise Refused(f"{stage}: refused", problem, answer)
            if outcome == "ok":
                return answer
            problems.append(problem)
        raise Malformed(f"{stage}: malformed reply", problems)

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

    def _backend(self, stage: str) -> Backend:
        backend = self.backends.get(stage) or self.backends.get("")
        if backend is None:
            raise SettingError(
                f"no --llm for the stage {stage!r}; give --llm {stage}=BACKEND:MODEL, or --llm"
                " BACKEND:MODEL for all"
            )
        return backend

    def _seed(self, stage: str, item_id: str, repeat: int, attempt: int) -> int:
        """A seed of its own for every request: a server that keeps to seeds would else repeat a
        malformed reply for ever.
        """
        text = canonical([self.seed, stage, item_id, repeat, attempt])
        digest = hashlib.sha256(text.encode(errors="surrogatepass")).digest()
        return int.from_bytes(digest[:4], "big") >> 1


def llm_from_args(args: Namespace, journal_path: Path | str, stages: Iterable[str] = ()) -> LLM:
    """The LLM that the options of `add_llm_arguments` describe; `journal_path` is used where
    --journal is not given.

    With `stages`, the verb's own, an option for another stage is an error, and so is a stage
    without a model. Raises SettingError, and MissingExtra when the openai package is not installed.
    """
    stages = tuple(stages)
    check_numbers(args)
    specs = parse_specs(args.llm, BACKENDS)
    prices = by_stage(args.price, Price.parse, "--price")
    sampling = by_stage(args.sampling, checked_sampling, "--sampling")
    for option, given in (("--llm", specs), ("--price", prices), ("--sampling", sampling)):
        unknown = [stage for stage in given if stage and stages and stage not in stages]
        if unknown:
            raise SettingError(
                f"{option}: there is no stage {unknown[0]!r}; there are {', '.join(stages)}"
            )
    missing = [stage for stage in stages if stage not in specs and "" not in specs]
    if missing:
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
