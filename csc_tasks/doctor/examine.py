"""Look at this machine and say what works, what does not, and what to do about it, one line each.

    csc doctor                         versions, extras, task discovery, accelerator, parts, Hub and
                                       login, corpora, models of the metrics
    csc doctor Qwen/Qwen2.5-7B my/dir  these models as well: on the Hub and readable, or a folder
                                       that holds one
    csc doctor --json                  the same as JSON, an object a line, for scripts
    csc doctor --model my/dir          what the project will do with a model that is here: template,
                                       thinking, stops, lockstep, memory

ok: works; note: optional and absent; off: a part that the versions installed switch off; broken:
will fail. Off and broken make the exit status 1. It needs nothing but Python itself: what cannot be
looked at for want of a library is said. What the tasks would be given is looked at: CSC_CORPUS and
the other variables count. Nothing is fetched but a few lines of JSON, all at once and within
--seconds; a token is never shown.
"""

from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from csc_tasks.arguments import add_json
from csc_tasks.doctor import BROKEN, NOTE, OFF, Finding
from csc_tasks.doctor.machine import NAME, accelerator, discovery, versions
from csc_tasks.doctor.parts import parts
from csc_tasks.errors import SettingError
from csc_tasks.telling import show, show_json_lines


def add_arguments(parser: ArgumentParser) -> None:
    """Of `csc doctor`."""
    parser.add_argument(
        "models", nargs="*", metavar="MODEL", help="a model to look for: a folder or a Hub id"
    )
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help="say what the project will do with this model (a folder, or fetched before)",
    )
    add_json(parser)
    parser.add_argument("--adapter", metavar="DIR", help="with --model: a peft adapter on it")
    parser.add_argument(
        "--load", action="store_true", help="with --model: load the weights and try lockstep play"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=5.0,
        metavar="N",
        help="how long to wait for the network (default 5)",
    )


def main(args: Namespace) -> int:
    """Print the findings; 1 where something is broken or switched off. Raises SettingError."""
    if not 0 < args.seconds <= 600:
        raise SettingError(f"--seconds {args.seconds:g}: give a number above 0 and up to 600")
    if (args.adapter or args.load) and not args.model:
        raise SettingError("--adapter and --load go with --model")
    counts: Counter[str] = Counter()
    off = []

    def looked_at() -> Iterator[dict[str, str]]:
        for finding in model(args) if args.model else findings(args.models, args.seconds):
            counts[finding.state] += 1
            if finding.state == OFF:
                off.append(finding.subject)
            show(finding.line())
            yield asdict(finding)

    show_json_lines(args.json, looked_at())
    status = 1 if counts[BROKEN] or off else 0
    notes = f"{counts[NOTE]} note{'s' if counts[NOTE] != 1 else ''}"
    if off:
        show(f"OFF with the versions installed: {', '.join(off)}")
    show(f"{counts[BROKEN]} broken, {notes}" if counts[BROKEN] else f"nothing is broken ({notes})")
    return status


def findings(models: Sequence[str], seconds: float) -> Iterator[Finding]:
    """All findings, in the order in which they are shown."""
    yield from versions()
    yield from discovery()
    yield accelerator()
    yield from parts()
    try:
        # Here and not above: it reads corpora and asks the Hub, which takes libraries.
        from csc_tasks.doctor.reach import reach

        yield from reach(models, seconds)
    except ModuleNotFoundError as error:
        yield Finding(
            BROKEN,
            "hub and corpora",
            f"not looked at, because {error.name} is not installed",
            f"pip install {NAME}",
        )


def model(args: Namespace) -> Iterator[Finding]:
    """The findings about one model."""
    from csc_tasks.doctor.model import describe

    yield from describe(args.model, args.adapter, args.load)


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
