"""The repeats of a run (`csc_repeats`): everything is asked several times, each time with
randomness of its own.

A repeat is a whole play: in generated context every conversation has its own history in each. The
repeats follow one another, so that two of them never share a batch or a key of a cache.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from lm_eval.api.model import LM

from csc_tasks.errors import SettingError

SEED_STEP = 1_000_003
"""How far apart the seeds of two repeats are: far enough that those of two runs whose seeds are
near each other differ.
"""


def seed_of(seed: object, repeat: int) -> Any:
    """The seed of a repeat where the run's is `seed`; that of repeat 0 is the run's own, as it was
    given. Raises SettingError where there is nothing to count from.
    """
    if not repeat:
        return seed
    try:
        return int(str(seed)) + repeat * SEED_STEP
    except ValueError:
        raise SettingError(
            f"--gen_kwargs seed={seed!r}: must be a whole number, because csc_repeats gives every"
            " repeat a seed of its own"
        ) from None


@contextmanager
def own_seed(lm: LM, repeat: int) -> Iterator[None]:
    """While this is open, an API backend sends the repeat's seed. Models in this process go on
    drawing where the repeat before ended.
    """
    seed = getattr(lm, "_seed", None)
    if not repeat or type(seed) is not int:
        yield
        return
    lm._seed = seed_of(seed, repeat)
    try:
        yield
    finally:
        lm._seed = seed


def check_sampled(repeats: int, generation: Mapping[str, Any]) -> None:
    """Raise SettingError where a run asks several times and its replies are greedy.

    As lm_eval's backends read it: `do_sample: false` is greedy for models in this process whatever
    the temperature, a temperature of 0 is greedy for servers.
    """
    if repeats == 1:
        return
    do_sample, temperature = generation.get("do_sample"), generation.get("temperature")
    try:
        warm = float(temperature or 0) > 0
    except (TypeError, ValueError):
        warm = True  # which the backend will judge
    if warm and str(do_sample).lower() not in ("false", "0"):
        return
    raise SettingError(
        f"csc_repeats={repeats}: replies are greedy (do_sample={do_sample},"
        f" temperature={temperature}), so all {repeats} would be the same; add --gen_kwargs"
        " do_sample=True,temperature=0.7, or leave csc_repeats out"
    )
