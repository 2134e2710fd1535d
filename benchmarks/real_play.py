"""A real chat model on a real bank: the plain way against lockstep play, and the least that anyone
must compute.

  python -m benchmarks.real_play --model DIR --corpus DIR [--batch-size 16] [--conversations 16] \\
      [--turns 4 7] [--reply 24] [--tasks csc_conv_ref csc_conv_gen] [--ways plain auto] \\
      [--save FILE] [--profile]

`--conversations` are spread evenly over those that have `--turns` scored turns. Replies are
compared turn by turn, and a turn that differs is looked at again: were the two best logits within
1e-4? (Of meaning in float32 only.) Seconds are CPU time. `--save` keeps every way's seconds and
replies in a JSON file, and what is there is not run again: a long comparison can be measured in
parts. Prints Markdown rows.
"""

import argparse
import json
import logging
import os
from pathlib import Path
from typing import Any

from benchmarks.play import compare, play
from benchmarks.play_bound import lower_bound


def chosen(corpus: str, turns: tuple[int, int], count: int) -> list[int]:
    """Places of `count` conversations in the test split, spread over those of so many scored
    turns.
    """
    from csc_tasks.corpora import load

    scored = [len(item.scored_turns()) for item in load(corpus, "csconv", "test").items]
    fitting = [place for place, number in enumerate(scored) if turns[0] <= number <= turns[1]]
    step = max(1, len(fitting) // count)
    return fitting[::step][:count]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", required=True)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--conversations", type=int, default=16)
    parser.add_argument("--turns", type=int, nargs=2, default=(4, 7))
    parser.add_argument("--reply", type=int, default=24)
    parser.add_argument("--tasks", nargs="+", default=["csc_conv_ref", "csc_conv_gen"])
    parser.add_argument("--ways", nargs="+", default=["plain", "auto"], choices=["plain", "auto"])
    parser.add_argument("--prompt", default="chat", choices=["single", "chat"])
    parser.add_argument("--save", type=Path)
    parser.add_argument("--profile", action="store_true", help="where the time of lockstep goes")
    args = parser.parse_args()

    from lm_eval.models.huggingface import HFLM

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    os.environ["TQDM_DISABLE"] = "1"
    lm = HFLM(pretrained=args.model, dtype="float32", device="cpu", batch_size=args.batch_size)
    places = chosen(args.corpus, tuple(args.turns), args.conversations)
    measured: dict[str, Any] = {}
    if args.save and args.save.exists():
        measured = json.loads(args.save.read_text(encoding="utf-8"))
    for task in args.tasks:
        for way in args.ways:
            name = f"{task}/{way}"
            if name in measured:
                continue
            options = {
                "samples": {task: places},
                "apply_chat_template": True,
                "metadata": {"csc_prompt": args.prompt},
            }
            if args.profile:
                seconds, turns = profiled(lm, args, task, way, options)
            else:
                seconds, turns, _ = play(lm, Path(args.corpus), task, way, args.reply, **options)
            measured[name] = {"seconds": seconds, "turns": turns}
            if args.save:
                args.save.write_text(json.dumps(measured), encoding="utf-8")
        print(row(lm, args, task, measured, len(places)), flush=True)


def profiled(lm, args, task: str, way: str, options: dict[str, Any]) -> tuple[float, list]:
    """The same as `play`, with torch's operators and Python's functions of the longest time
    printed.
    """
    import cProfile
    import pstats

    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU]) as operators:
        functions = cProfile.Profile()
        seconds, turns, _ = functions.runcall(
            play, lm, Path(args.corpus), task, way, args.reply, **options
        )
    averages = operators.key_averages()
    print(averages.table(sort_by="self_cpu_time_total", row_limit=18, max_name_column_width=50))
    pstats.Stats(functions).sort_stats("tottime").print_stats(18)
    return seconds, turns


def row(lm, args, task: str, measured: dict[str, Any], conversations: int) -> str:
    """One row of the table, as far as it has been measured."""
    plain, ours = (measured.get(f"{task}/{way}") for way in ("plain", "auto"))
    anyone = ours or plain
    bound, parts = lower_bound(lm, anyone["turns"], args.batch_size)
    cells = [args.batch_size, task, args.reply, conversations, len(anyone["turns"])]
    cells += [parts["asked"], parts["unique"], parts["generated"]]
    for way in (plain, ours):
        cells.append(f"{way['seconds']:.1f} s" if way else "-")
    cells.append(f"{plain['seconds'] / ours['seconds']:.2f}x" if plain and ours else "-")
    cells.append(f"{bound:.1f} s ({parts['encoding']:.1f} + {parts['decoding']:.1f})")
    cells.append(f"{anyone['seconds'] / bound:.2f}x")
    if plain and ours:
        wrong, close = compare(lm, plain["turns"], ours["turns"])
        cells.append(f"{wrong + close} ({close})")
    return f"|{'|'.join(map(str, cells))}|"


if __name__ == "__main__":
    main()
