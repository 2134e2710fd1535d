"""Runs a module as `python -m` does and prints the CPU seconds that training took in it, whoever's
trainer it is, the peak of its memory and its losses: loading libraries and weights is not counted.

  python -m benchmarks.train_clock trainers.train --model ...
"""

import runpy
import sys
import time
from pathlib import Path

SAYS = "CPU seconds of training:"
SAYS_LOSSES = "Losses:"


def main() -> None:
    from transformers import Trainer

    train = Trainer.train

    def timed(self, *args, **kwargs):
        start = time.process_time()
        try:
            return train(self, *args, **kwargs)
        finally:
            print(f"\n{SAYS} {time.process_time() - start:.2f}", flush=True)
            lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
            print(next(line for line in lines if line.startswith("VmHWM")), flush=True)
            losses = [str(one["loss"]) for one in self.state.log_history if "loss" in one]
            print(SAYS_LOSSES, ", ".join(losses), flush=True)

    Trainer.train = timed
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
