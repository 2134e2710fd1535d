"""Can `csc verify` be fooled, and does it accuse the honest?

  python -m benchmarks.red_team [--honest 200]

Forged submissions are made from an honest run, their numbers, items, counts and hashes made to
agree again, and handed in; honest runs of every backend are handed in beside them.
"""

import argparse
import contextlib
import io
import logging
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.red_team.attack import Outcome, attack, corpus_of, verify
from benchmarks.red_team.honest import honest_runs


def main() -> int:
    """Print both tables; 1 where a forgery was missed, or an honest run accused."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--honest", type=int, default=200, metavar="N", help="runs (default: 200)")
    args = parser.parse_args()
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="red-team-") as folder:
        root = Path(folder)
        started = time.perf_counter()
        with _quiet():
            outcomes = attack(root / "forged")
        missed = show(outcomes)
        print(f"{time.perf_counter() - started:.0f} s\n")
        started = time.perf_counter()
        accused = honest(root / "honest", args.honest)
        print(f"{time.perf_counter() - started:.0f} s")
    return int(bool(missed or accused))


def show(outcomes: list[Outcome]) -> int:
    """The table of forgeries; returns how many were missed that should not be."""
    for one in sorted(outcomes, key=lambda one: bool(one.forgery.principle)):
        name = f"{one.forgery.name} ({one.forgery.task})"
        print(f"{one.verdict:<17} {name:<80} {one.finding[:150]}")
    principle = [one for one in outcomes if one.forgery.principle]
    missed = [one for one in outcomes if not one.caught and not one.forgery.principle]
    verdicts = Counter(one.verdict for one in outcomes if not one.forgery.principle)
    print(
        f"\n{len(outcomes) - len(principle) - len(missed)} of {len(outcomes) - len(principle)}"
        f" caught: {', '.join(f'{count} {verdict}' for verdict, count in verdicts.most_common())};"
        f" {len(principle)} more that no text can show"
    )
    return len(missed)


def honest(root: Path, count: int) -> int:
    """The table of honest runs; returns how many were accused."""
    with _quiet():
        corpus = corpus_of(root / "corpus", 8, 12)
        runs = list(honest_runs(root, corpus, count))
    wrong: list[str] = []
    kinds: Counter[str] = Counter()
    trusts: Counter[str] = Counter()
    for kind, results in runs:
        status, printed, written = verify([results], corpus, root / "verified.json")
        kinds[kind] += 1
        trusts.update({str(one["trust"]) for one in written["runs"]})
        if status:
            wrong.append(f"{kind} {results}\n{printed}")
    print(*wrong, sep="\n")
    print(", ".join(f"{number} {kind}" for kind, number in kinds.items()))
    print(", ".join(f"{number} {trust}" for trust, number in trusts.items()))
    print(f"{len(runs) - len(wrong)} of {len(runs)} honest runs not accused")
    return len(wrong)


@contextlib.contextmanager
def _quiet():
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


if __name__ == "__main__":
    raise SystemExit(main())
