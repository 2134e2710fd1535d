"""lm_eval's `--use_cache` for replies that do not come through its own `generate_until` or
`loglikelihood`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from lm_eval.api.model import LM, CachingLM, hash_args

from csc_tasks.observe import MARK
from csc_tasks.refusals import TooLong
from csc_tasks.timing import CACHE, Timing

Arguments = tuple[Any, dict[str, Any]]
"""What lm_eval sends for a request: the prompt (text, or a chat as JSON) and how to generate."""

TOO_LONG = "csc_too_long"
REFUSED = "csc_refused_parameters"
FORCING = "csc_forcing"
TOKENS = "csc_tokens"


class Book:
    """What earlier runs have answered, and where this run's answers go, under the keys that lm_eval
    itself uses.
    """

    def __init__(self, lm: LM) -> None:
        cached = isinstance(lm, CachingLM)
        self.model: LM = lm.lm if cached else lm
        self.cache: Mapping[str, Any] = lm.dbdict if cached else {}

    def reply(self, arguments: Arguments) -> tuple[str, bool] | None:
        """(text, whether the token limit cut it) of a cached reply. As in lm_eval, sampled replies
        are never taken from the cache.
        """
        key = hash_args("generate_until", arguments)
        if arguments[1].get("do_sample") or key not in self.cache:
            return None
        return self.cache[key], hash_args(MARK, arguments) in self.cache

    def keep_reply(
        self, arguments: Arguments, text: str, cut: bool, took: Timing | None = None
    ) -> None:
        """Put a reply into the cache; `cut`: whether the token limit cut it. Of what it `took`, the
        tokens are kept: seconds of another run say nothing about this one.
        """
        self.model.cache_hook.add_partial("generate_until", arguments, text)
        if cut:
            self.model.cache_hook.add_partial(MARK, arguments, True)
        if took and (took.tokens_in, took.tokens_out) != (None, None):
            tokens = took.tokens_in, took.tokens_out
            self.model.cache_hook.add_partial(TOKENS, arguments, tokens)

    def cached_timing(self, arguments: Arguments) -> Timing:
        """What is known of the timing of a reply that is taken from the cache."""
        key = hash_args(TOKENS, arguments)
        tokens_in, tokens_out = self.cache.get(key, (None, None))
        return Timing(CACHE, tokens_in=tokens_in, tokens_out=tokens_out)

    def likelihoods(self, prompt: str, options: list[str]) -> list[float] | None:
        """The options' log-likelihoods where all of them are cached."""
        if not self.cache:
            return None
        values = [self.likelihood(prompt, option) for option in options]
        known = [value for value in values if value is not None]
        return known if len(known) == len(values) else None

    def likelihood(self, prompt: str, option: str) -> float | None:
        """One option's cached log-likelihood; None where it is not cached."""
        key = hash_args("loglikelihood", (prompt, option))
        return self.cache[key][0] if key in self.cache else None

    def keep_likelihoods(
        self, prompt: str, options: list[str], answers: list[tuple[float, bool]]
    ) -> None:
        """Put each option's (log-likelihood, whether it was the likeliest) into the cache."""
        for option, answer in zip(options, answers, strict=True):
            self.model.cache_hook.add_partial("loglikelihood", (prompt, option), answer)

    def too_long(self, arguments: Arguments) -> TooLong | None:
        """That the server refused this prompt as too long: a run that goes on need not hear it
        again.

        `arguments` are the request's, because the same prompt may fit beside a shorter reply.
        """
        key = hash_args(TOO_LONG, arguments)
        return TooLong(**self.cache[key]) if key in self.cache else None

    def keep_too_long(self, arguments: Arguments, too_long: TooLong) -> None:
        """Put the refusal of a prompt as too long into the cache."""
        self.model.cache_hook.add_partial(TOO_LONG, arguments, asdict(too_long))

    def forcing(self) -> dict[str, str] | None:
        """How the server chose strategies in earlier runs with this cache."""
        return self.cache.get(hash_args(FORCING, ()))

    def keep_forcing(self, way: dict[str, str]) -> None:
        """Put how the server chooses strategies into the cache."""
        self.model.cache_hook.add_partial(FORCING, (), way)

    def refused_parameters(self) -> list[str]:
        """The request parameters that the server refused in earlier runs with this cache."""
        names: list[str] = self.cache.get(hash_args(REFUSED, ()), [])
        return names

    def keep_refused_parameters(self, names: Iterable[str]) -> None:
        """Put the request parameters that the server refused into the cache."""
        self.model.cache_hook.add_partial(REFUSED, (), sorted(names))
