"""The memory that a training takes at its peak, against what `csc train` says of it before.

  python -m benchmarks.train_memory --model SmolLM2-135M-Instruct --corpus STAR \\
      --weights fp32 nf4 --shapes 1x256 2x512 4x1024 --learned corpus all

Every combination is a process of its own that has loaded the libraries and run one estimate, and
then does what `csc train` does: load the base, put the adapter in, and make two steps (in the
second one the optimizer's numbers are there). Rows are those of the corpus's train split, joined
end to end and cut to the length, each one token shorter than the one before, so that there is
padding; with `--learned all` every token of them is learned.

Measured on Linux, in GB of 10^9 bytes: VmHWM in training, less VmRSS before the base was loaded,
which is what the estimate is of. The kernel starts its count anew (/proc/self/clear_refs) when the
base is loaded; the peak of loading it stands beside. Weights in fp32 lie in the file until they are
used, and so are in the first, not in the second. Prints a Markdown row for each.
"""

import argparse
import gc
import itertools
import multiprocessing
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from csc_tasks import corpora
from trainers.base import load_tokenizer
from trainers.hardware import choose_precision, return_freed_blocks
from trainers.preparation import needed_memory
from trainers.recipe import recipe_from
from trainers.rendering import Rendering
from trainers.rows import Row, build_rows

GB = 1e9
STEPS = 2


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", required=True)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--config", default="csconv")
    parser.add_argument("--weights", nargs="+", default=["fp32"], choices=("fp32", "nf4"))
    parser.add_argument(
        "--checkpointing", nargs="+", default=["false", "true"], choices=("false", "true")
    )
    parser.add_argument("--shapes", nargs="+", default=["1x256"], metavar="ROWSxTOKENS")
    parser.add_argument("--learned", nargs="+", default=["corpus"], choices=("corpus", "all"))
    parser.add_argument(
        "--keep-freed",
        action="store_true",
        help="leave freed blocks with the process, as csc train does where memory is not short",
    )
    args = parser.parse_args()
    # Loaded before the processes part, so that none counts a library as the training's.
    import bitsandbytes  # noqa: F401
    import trl  # noqa: F401

    from trainers import trainer  # noqa: F401

    tokenizer, config = load_tokenizer(recipe_from({"model": args.model}, "benchmark"))
    items = corpora.load(args.corpus, args.config, "train").items
    rows, _ = build_rows(items[:60], Rendering(tokenizer, True), "chat", 2048, quiet=True)
    print(
        "|weights|checkpointing|batch|learned|estimate|measured|ratio|loading|\n"
        "|---|---|---:|---:|---:|---:|---:|---:|",
        flush=True,
    )
    ways = itertools.product(args.weights, args.checkpointing, args.learned, args.shapes)
    for weights, checkpointing, learned, shape in ways:
        count, length = map(int, shape.split("x"))
        settings = {
            "model": args.model,
            "quantization": "none" if weights == "fp32" else weights,
            "precision": "fp32",
            "gradient_checkpointing": checkpointing,
            "batch_size": count,
            "accumulation": 1,
            "epochs": 1.0,
            "validation_share": 0.0,
            "checkpoints": 100000.0,
            "max_length": length,
        }
        cut = joined(rows, count, length, learned == "all")
        words = (settings, tokenizer, config, cut, args.keep_freed)
        there, here = multiprocessing.Pipe()
        process = multiprocessing.get_context("fork").Process(target=child, args=(here, *words))
        process.start()
        here.close()
        try:
            estimate, before, loading, peak = there.recv()
        except EOFError:
            sys.exit(f"{weights} {shape} ended without a number")
        process.join()
        measured = peak - before
        cells = [weights, {"false": "no", "true": "yes"}[checkpointing]]
        cells += [f"{count} x {length}", f"{max_learned(cut, count):,}"]
        cells += [f"{estimate.total / GB:.2f}", f"{measured / GB:.2f}"]
        cells.append(f"{estimate.total / measured:.2f}")
        cells.append(f"{(loading - before) / GB:.2f}")
        print(f"|{'|'.join(cells)}|", flush=True)


def child(pipe, *words) -> None:
    """`measure` in a process of its own, whose result goes into `pipe`."""
    pipe.send(measure(*words))
    pipe.close()


def measure(settings: dict, tokenizer, config, rows: list[Row], keep_freed: bool):
    """(the estimate; bytes resident before the base was loaded, at the peak of loading it, at the
    peak of training).
    """
    from trainers.trainer import make_trainer

    recipe = recipe_from(settings, "benchmark")
    precision = choose_precision(recipe.precision)
    prepared: Any = SimpleNamespace(recipe=recipe, precision=precision, config=config)
    lessons: Any = SimpleNamespace(rows=rows)
    estimate = needed_memory(prepared, lessons, 1)
    gc.collect()
    if not keep_freed:
        return_freed_blocks()
    forget_peak()
    before = resident("VmRSS")
    with tempfile.TemporaryDirectory() as folder:
        trainer = make_trainer(recipe, precision, tokenizer, rows, [], Path(folder, "checkpoints"))
        loading = resident("VmHWM")
        forget_peak()
        trainer.train()
    if trainer.state.global_step != STEPS:
        raise RuntimeError(f"{trainer.state.global_step} steps, not {STEPS}")
    return estimate, before, loading, resident("VmHWM")


def joined(rows: list[Row], count: int, length: int, everything: bool) -> list[Row]:
    """Rows for STEPS batches of `count`, no two of one length, the longest of `length` tokens."""
    ids = [token for row in rows for token in row.ids]
    flags = [label >= 0 for row in rows for label in row.labels]
    made: list[Row] = []
    start = 0
    for number in range(STEPS * count):
        end = start + length - number
        learned = [True] * (end - start) if everything else flags[start:end]
        learned[0] = False  # nothing comes before it
        spans, place = [], 0
        for value, group in itertools.groupby(learned):
            size = len(list(group))
            if value:
                spans.append((place, place + size))
            place += size
        made.append(Row(f"{number}", ids[start:end], tuple(spans), (0,) * len(spans)))
        start = end
    return made


def max_learned(rows: list[Row], count: int) -> int:
    """Tokens that a batch learns at most."""
    return sum(sorted((row.learned() for row in rows), reverse=True)[:count])


def forget_peak() -> None:
    """Have the kernel count the peak of resident pages from now on."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def resident(what: str) -> int:
    """Bytes resident now (VmRSS) or at the peak (VmHWM)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) * 1024


if __name__ == "__main__":
    main()
