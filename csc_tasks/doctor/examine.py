"""Look at this machine and say what works, what does not, and what to do about it, one line each.

    csc doctor                          versions, extras, task discovery, accelerator, Hub and login, corpora, models of the metrics
    csc doctor Qwen/Qwen2.5-7B my/dir   these models as well: on the Hub and readable, or a folder that holds one

ok: works; note: optional and absent; broken: will fail (exit status 1). What the tasks would be given is looked at: CSC_CORPUS and the
other variables count. Nothing is fetched but a few lines of JSON, all at once and within --seconds; a token is never shown.
"""

from argparse import ArgumentParser, Namespace
from collections import Counter
from itertools import chain

from csc_tasks.doctor import BROKEN, NOTE
from csc_tasks.doctor.machine import accelerator, discovery, versions
from csc_tasks.doctor.reach import reach
from csc_tasks.errors import SettingError


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("models", nargs="*", metavar="MODEL", help="a model to look for: a folder or a Hub id")
    parser.add_argument("--seconds", type=float, default=5.0, metavar="N", help="how long to wait for the network (default 5)")


def main(args: Namespace) -> int:
    if not 0 < args.seconds <= 600:
        raise SettingError(f"--seconds {args.seconds:g}: give a number above 0 and up to 600")
    counts: Counter = Counter()
    for finding in chain(versions(), discovery(), (accelerator() for _ in range(1)), reach(args.models, args.seconds)):
        counts[finding.state] += 1
        print(finding.line(), flush=True)
    notes = f"{counts[NOTE]} note{'s' if counts[NOTE] != 1 else ''}"
    print(f"{counts[BROKEN]} broken, {notes}" if counts[BROKEN] else f"nothing is broken ({notes})")
    return 1 if counts[BROKEN] else 0


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
