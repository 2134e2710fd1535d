"""lm_eval's `--use_cache` for replies that do not come through its own `generate_until` or `loglikelihood`."""

from lm_eval.api.model import CachingLM, hash_args

from csc_tasks.observe import MARK


class Book:
    """What earlier runs have answered, and where this run's answers go, under the keys that lm_eval itself uses."""

    def __init__(self, lm) -> None:
        self.model, self.cache = (lm.lm, lm.dbdict) if isinstance(lm, CachingLM) else (lm, {})

    def reply(self, arguments: tuple) -> tuple[str, bool] | None:
        """(text, whether the token limit cut it) of a cached reply. As in lm_eval, sampled replies are never taken from the cache."""
        key = hash_args("generate_until", arguments)
        if arguments[1].get("do_sample") or key not in self.cache:
            return None
        return self.cache[key], hash_args(MARK, arguments) in self.cache

    def keep_reply(self, arguments: tuple, text: str, cut: bool) -> None:
        self.model.cache_hook.add_partial("generate_until", arguments, text)
        if cut:
            self.model.cache_hook.add_partial(MARK, arguments, True)

    def likelihoods(self, prompt: str, options: list[str]) -> list[float] | None:
        """The options' log-likelihoods where all of them are cached."""
        if not self.cache:
            return None
        keys = [hash_args("loglikelihood", (prompt, option)) for option in options]
        return [self.cache[key][0] for key in keys] if all(key in self.cache for key in keys) else None

    def keep_likelihoods(self, prompt: str, options: list[str], answers: list[tuple[float, bool]]) -> None:
        for option, answer in zip(options, answers, strict=True):
            self.model.cache_hook.add_partial("loglikelihood", (prompt, option), answer)
