"""Evaluate a model: `lm_eval run`, which checks first what can be known without the model.

Takes the arguments of `lm_eval run` unchanged (`csc evaluate run --help` shows them):

    csc evaluate --model hf --model_args pretrained=DIR --tasks 'csc_*' --apply_chat_template
    csc evaluate --config run.yaml
    csc evaluate --config hf --model_args pretrained=DIR      (shipped: hf, server, litellm)
    torchrun --nproc-per-node 4 -m csc_tasks.evaluate --model hf ...
    accelerate launch -m csc_tasks.evaluate --model hf ...

Settings, corpora, what the metrics need and the chat template are checked before any model is
loaded, and what is wrong is one line. `lm_eval` itself does the same where the start-up hook of
csc-tasks runs (docs/start-up-hook.md); this verb needs no hook.
"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from csc_tasks import autoload
from csc_tasks.errors import SettingError
from csc_tasks.telling import is_quiet

CONFIGS = Path(__file__).with_name("run_configs")
"""Files for lm_eval's own `run --config`; it takes every .yaml below this package for a task."""


def add_arguments(parser: ArgumentParser) -> None:
    """All words are lm_eval's."""
    parser.set_defaults(passes_on=True)
    parser.add_argument("words", nargs="*", metavar="...", help="arguments of lm_eval run")


def with_shipped_config(words: Sequence[str]) -> list[str]:
    """The words with the name of a configuration that comes with csc-tasks as its path; a file of
    that name wins.
    """
    named = list(words)
    for place, word in enumerate(named):
        option, _, name = word.partition("=")
        if option not in ("--config", "-C"):
            continue
        separate = word == option and place + 1 < len(named)
        name = named[place + 1] if separate else name
        shipped = CONFIGS / f"{name}.yml"
        if name in config_names() and not Path(name).exists():
            named[place + separate] = str(shipped) if separate else f"{option}={shipped}"
    return named


def config_names() -> list[str]:
    """The configurations that come with csc-tasks."""
    return sorted(file.stem for file in CONFIGS.glob("*.yml"))


@contextmanager
def without_bars() -> Iterator[None]:
    """No progress bar of any library: lm_eval and transformers switch theirs on whatever the
    environment says.
    """
    from tqdm import std

    bars: Any = std.tqdm  # its methods are overloaded, so that mypy lets none be replaced
    drawn = bars.__init__

    def undrawn(bar: Any, *items: Any, **settings: Any) -> None:
        drawn(bar, *items, **{**settings, "disable": True})

    bars.__init__ = undrawn
    try:
        yield
    finally:
        bars.__init__ = drawn


def main(args: Namespace) -> int | None:
    """Run lm_eval's own command line in this process; its exit status is ours."""
    autoload.install()
    words = args.words[1:] if args.words[:1] == ["run"] else args.words
    sys.argv = ["lm_eval", "run", *with_shipped_config(words)]

    from lm_eval.__main__ import cli_evaluate

    try:
        with without_bars() if is_quiet() else nullcontext():
            status: int | None = cli_evaluate()
    except ValueError as error:
        # lm_eval's words about a --metadata, --model_args or --gen_kwargs that is not JSON.
        if str(error).startswith("Invalid JSON"):
            raise SettingError(str(error)) from None
        if not str(error).startswith(autoload.NOT_FOUND):
            raise
        raise SettingError(autoload.explain(error) or str(error)) from None
    return status


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
