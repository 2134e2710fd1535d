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
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

from csc_tasks.errors import SettingError
from csc_tasks.llm.accepted import AUTO, REPLY_TOKENS
from csc_tasks.llm.backends import OPENAI_URL, Backend, OpenAI, ScriptedLLM
from csc_tasks.llm.batch.batch import Batch
from csc_tasks.llm.budget import Budget
from csc_tasks.llm.exchange import Message, Request
from csc_tasks.llm.journal.journal import Journal
from csc_tasks.llm.journal.rows import canonical
from csc_tasks.llm.options import (
    STOP_AFTER,
    by_stage,
    check_numbers,
    checked_form,
    checked_sampling,
    checked_tokens,
    checked_url,
    parse_specs,
)
from csc_tasks.llm.outcomes import Answer, GivenUp, Malformed, Refused
from csc_tasks.llm.repair import FALLBACK, with_repair
from csc_tasks.llm.replies import reply_schema
from csc_tasks.llm.responses import TOO_LONG
from csc_tasks.llm.sending import Sender
from csc_tasks.llm.watch import FAILURES, Watch
from csc_tasks.price import Price

if TYPE_CHECKING:
    from pydantic import BaseModel

BACKENDS: dict[str, Callable[..., Backend]] = {
    "openai": OpenAI,
    "batch": Batch,
    "scripted": lambda model, **_: ScriptedLLM(model),
}

# The first pause, in seconds, between tries.
FIRST_PAUSE = 0.5

schema_of = cache(reply_schema)


class Settings(TypedDict, total=False):
    """The settings of `LLM` that have a default."""

    concurrency: int
    retries: int
    attempts: int
    max_wait: float
    retry_dropped: bool
    stop_after_failures: int
    seed: int
    sampling: Mapping[str, Mapping[str, object]] | None
    response_format: Mapping[str, str] | None
    first_pause: float


class LLM(Sender):
    """All models of one build, their journal and their budget. A context manager that closes the
    journal.

    `backends`: stage -> backend, "" for every other stage. `attempts`: the replies asked for until
    one is well-formed. `stop_after_failures`: the run stops when most of so many items fail alike.
    `seed` is what the seed of each request is drawn from. `sampling`: stage -> the user's request
    fields, "" for every stage; `response_format` likewise: how JSON is asked for, one of
    `csc_tasks.llm.accepted.FORMS`. The other settings, and what is counted, are those of `Sender`.
    Raises SettingError for a number out of range. One event loop at a time.
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
        retry_dropped: bool = False,
        stop_after_failures: int = STOP_AFTER,
        seed: int = 0,
        sampling: Mapping[str, Mapping[str, object]] | None = None,
        response_format: Mapping[str, str] | None = None,
        first_pause: float = FIRST_PAUSE,
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
            retry_dropped=retry_dropped,
            first_pause=first_pause,
        )
        self.attempts, self.seed, self.sampling = attempts, seed, dict(sampling or {})
        self.response_format = dict(response_format or {})
        self.watch = Watch(self, stop_after_failures)
        # The questions without a reply, those that an earlier run gave up included.
        self.given_up: list[GivenUp] = []
        # Stage -> the last request, for a diagnosis.
        self.asked: dict[str, Request] = {}

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
        batch_command: str | None = None,
        **settings: Unpack[Settings],
    ) -> "LLM":
        """From `[STAGE=]BACKEND:MODEL` specs; `base_url` and `api_key` default to OPENAI_BASE_URL
        and OPENAI_API_KEY. `batch_command` answers the files of `batch:MODEL` instead of a server.

        `settings` are those of the class. Raises SettingError, and MissingExtra when the openai
        package is not installed.
        """
        parsed = parse_specs(specs, BACKENDS)
        # Offline, a base URL in the environment is nobody's business.
        kinds = {backend for backend, _ in parsed.values()}
        online = bool(kinds - {"scripted"})
        if batch_command is not None and "batch" not in kinds:
            raise SettingError("--batch-command belongs to --llm batch:MODEL")
        batch = {
            "root": journal.path.with_name(f"{journal.path.name}.batches"),
            "command": batch_command,
            "pause": settings.get("first_pause", FIRST_PAUSE),
            "recorded": journal.has,
        }
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
                    model,
                    base_url=url,
                    api_key=key,
                    timeout=timeout,
                    **(batch if backend == "batch" else {}),
                )
            backends[stage] = made[backend, model]
        llm = cls(backends, journal, Budget(prices or {}, max_requests, max_cost), **settings)
        for made_one in made.values():
            if isinstance(made_one, Batch):
                made_one.tell = lambda line: llm.tell(line)
        return llm

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
        tokens: int = REPLY_TOKENS,
        kind: str = "chat",
        language: str = FALLBACK,
    ) -> Answer:
        """Ask the model of `stage` about the item; `repeat` tells apart askings that are meant to
        be independent.

        With `reply`, the answer's `parsed` is that model; the messages must say themselves that
        JSON is wanted and of which form, because not every server takes a schema. `sampling`
        (temperature, max_tokens, ...) goes into the request; what the user gave wins. `tokens`
        bounds the reply where neither says so, and is no part of what makes the request this one.
        `language` is that of the messages: in it a model is told why its reply cannot be used.
        `kind` "moderation" asks a moderation endpoint about the text of each message (see
        `Request`), without schema, seed and sampling. Raises Refused, Malformed, GivenUp, Failing,
        Stopped, Fatal or JournalLost.
        """
        backend = self.backend(stage)
        chat = kind == "chat"
        settings = checked_sampling(
            {**(sampling or {}), **self.sampling.get("", {}), **self.sampling.get(stage, {})}
        )
        first = Request(
            stage,
            item_id,
            repeat,
            0,
            messages,
            schema_of(reply) if reply and chat else None,
            settings if chat else {},
            kind,
            self.form(stage) if reply and chat else AUTO,
            None if "max_tokens" in settings or not chat else tokens,
        )
        self.asked[stage] = first
        try:
            answer = await self._attempts(backend, first, reply, language)
        except FAILURES as error:
            if isinstance(error, GivenUp):
                self.given_up.append(error)
            self.watch.failed(("stage", stage), error)
            raise
        self.watch.passed(("stage", stage))
        return answer

    async def _attempts(
        self,
        backend: Backend,
        first: Request,
        model: "type[BaseModel] | None",
        language: str,
    ) -> Answer:
        """Ask until a reply has the form. Each attempt has a seed of its own, and holds the replies
        before it with what is wrong with them.
        """
        stage, messages = first.stage, first.messages
        problems: list[str] = []
        for attempt in range(self.attempts):
            seed = {"seed": self._seed(stage, first.item_id, first.repeat, attempt)}
            fields = (seed if first.kind == "chat" else {}) | first.sampling
            sent = {name: value for name, value in fields.items() if value is not None}
            request = replace(first, attempt=attempt, sampling=sent, messages=messages)
            try:
                outcome, problem, answer = await self.reading(backend, request, model)
            except GivenUp as error:
                # Where chance has a part, another seed may end sooner; where it has none, the same
                # request ends the same way.
                if error.timed_out and sent.get("temperature") != 0 and attempt + 1 < self.attempts:
                    continue
                # There is no room for the malformed reply, which is what its item goes for.
                if problems and error.reason == f"{stage}: {TOO_LONG}":
                    break
                raise
            if outcome == "refused":
                raise Refused(f"{stage}: refused", problem, answer)
            if outcome == "ok":
                return answer
            problems.append(problem)
            if first.kind == "chat":
                messages = with_repair(messages, answer.text, problem, language)
        raise Malformed(f"{stage}: malformed reply", problems, answer)

    @property
    def is_part(self) -> bool:
        """Whether this run can only end as a part of a build: what it makes is not written."""
        return self.shard is not None and (self.elsewhere > 0 or not self.shard.joins)

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
            for parameter in backend.left_out()
        ]

    def backend(self, stage: str) -> Backend:
        """Who answers this stage; raises SettingError where nobody does."""
        backend = self.backends.get(stage) or self.backends.get("")
        if backend is None:
            raise SettingError(
                f"no --llm for the stage {stage!r}; give --llm {stage}=BACKEND:MODEL, or --llm"
                " BACKEND:MODEL for all"
            )
        return backend

    def form(self, stage: str) -> str:
        """How JSON is asked for in this stage, as the user said."""
        return self.response_format.get(stage, self.response_format.get("", AUTO))

    def _seed(self, stage: str, item_id: str, repeat: int, attempt: int) -> int:
        """A seed of its own for every request: a server that keeps to seeds would else repeat a
        malformed reply for ever.
        """
        text = canonical([self.seed, stage, item_id, repeat, attempt])
        digest = hashlib.sha256(text.encode(errors="surrogatepass")).digest()
        return int.from_bytes(digest[:4], "big") >> 1


def llm_from_args(
    args: Namespace,
    journal_path: Path | str,
    stages: Iterable[str] = (),
    in_turn: Iterable[str] = (),
    *,
    asks: bool = True,
) -> LLM:
    """The LLM that the options of `add_llm_arguments` describe; `journal_path` is used where
    --journal is not given.

    With `stages`, the verb's own, an option for another stage is an error, and so is a stage
    without a model. `in_turn` are those of the stages whose requests about an item wait for one
    another, which no batch can serve. Where nothing is asked (`asks` is false), no key is needed.
    Raises SettingError, and MissingExtra when the openai package is not installed.
    """
    stages = tuple(stages)
    check_numbers(args)
    specs = parse_specs(args.llm, BACKENDS)
    prices = by_stage(args.price, Price.parse, "--price")
    sampling = by_stage(args.sampling, checked_sampling, "--sampling")
    most = by_stage(args.max_tokens, checked_tokens, "--max-tokens")
    forms = by_stage(args.response_format, checked_form, "--response-format")
    options = (
        ("--llm", specs),
        ("--price", prices),
        ("--sampling", sampling),
        ("--max-tokens", most),
        ("--response-format", forms),
    )
    for option, given in options:
        unknown = [stage for stage in given if stage and stages and stage not in stages]
        if unknown:
            raise SettingError(
                f"{option}: there is no stage {unknown[0]!r}; there are {', '.join(stages)}"
            )
    for stage, tokens in most.items():
        # 0, no bound, is a field that is left out.
        sampling[stage] = sampling.get(stage, {}) | {"max_tokens": tokens or None}
    missing = [stage for stage in stages if stage not in specs and "" not in specs]
    if missing:
        raise SettingError(
            f"no --llm for {', '.join(missing)}; give --llm BACKEND:MODEL for all stages or one for"
            " each"
        )
    slow = [stage for stage in in_turn if specs.get(stage, specs.get("", ("",)))[0] == "batch"]
    if slow:
        raise SettingError(
            f"--llm batch: in {', '.join(slow)} every request waits for the reply before, and each"
            " would take a batch; name another model for these stages, as in"
            f" --llm {slow[0]}=openai:MODEL"
        )
    journal = Journal(args.journal or journal_path)
    try:
        return LLM.from_specs(
            args.llm,
            journal,
            base_url=args.base_url,
            api_key=None if asks else "none",
            timeout=args.timeout,
            prices=prices,
            max_requests=args.max_requests,
            max_cost=args.max_cost,
            batch_command=args.batch_command,
            concurrency=args.concurrency,
            retries=args.retries,
            attempts=args.attempts,
            max_wait=args.max_wait,
            retry_dropped=args.retry_dropped,
            stop_after_failures=args.stop_after_failures,
            seed=getattr(args, "seed", None) or 0,
            sampling=sampling,
            response_format=forms,
        )
    except BaseException:
        journal.close()
        raise
