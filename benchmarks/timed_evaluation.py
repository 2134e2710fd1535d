"""One lm_eval run, and what asking the model cost: CPU and wall seconds, without start and scoring.

  python -m benchmarks.timed_evaluation TIMES.json [--server PID] -- --model hf --tasks ...

Seconds are of this process and those it started, and of the server's where its number is given.
Runs in any environment that has lm_eval and csc-tasks.
"""

import argparse
import json
import os
import time
from pathlib import Path

from benchmarks.serving import cpu_seconds


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("times", type=Path)
    parser.add_argument("--server", type=int)
    parser.add_argument("arguments", nargs="+", help="of lm_eval, after --")
    args = parser.parse_args()

    from lm_eval.api.model import LM

    import csc_tasks.play  # noqa: F401 - gives LM its csc_generate
    from csc_tasks import evaluate

    asked = LM.csc_generate
    clocks = {
        "client": lambda: cpu_seconds([os.getpid()]),
        "server": lambda: cpu_seconds([args.server]) if args.server else 0.0,
        "wall": time.perf_counter,
    }
    spent = dict.fromkeys(clocks, 0.0)

    def timed(self, requests):
        started = {name: clock() for name, clock in clocks.items()}
        try:
            return asked(self, requests)
        finally:
            for name, clock in clocks.items():
                spent[name] += clock() - started[name]

    LM.csc_generate = timed
    evaluate.main(argparse.Namespace(words=args.arguments))
    args.times.write_text(json.dumps(spent), encoding="utf-8")


if __name__ == "__main__":
    main()
