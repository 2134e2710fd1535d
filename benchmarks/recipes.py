"""The two recipes for support conversations, measured: rolecs_paper.yaml (the paper's single
prompt, a row a turn) against rolecs.yaml (turns as chat messages, a row a conversation).

  csc train tiny --without-strategies --epochs 1.75 --out base
  python -m benchmarks.recipes --model base --corpus demo --configs rolecs --conversations 120 \\
      --seeds 0 1 --out measured

For every seed both recipes learn the same conversations from the same base, at the same settings
(TINY: what a base of three million parameters needs instead of the QLoRA settings), and in the same
number of steps: a step is one conversation, or as many turns as a conversation has on average. Each
adapter is scored in its own style. Prints a Markdown row per recipe and seed, then each recipe's
mean over the seeds and the difference, single minus chat, with 95 % intervals: conversations are
the clusters, and a turn counts with its mean over the seeds. What is trained and scored in --out
already is not done again.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from csc_tasks import corpora
from csc_tasks.runs.samples_file import read_run
from leaderboard.board import Value
from leaderboard.numbers.inference import Clustered, clustered, paired, value_of
from leaderboard.numbers.intervals import SHARE
from trainers.scoring import scoring_command

RECIPES = Path(__file__).resolve().parents[1] / "trainers" / "recipes"
STYLES = {"single": "rolecs_paper", "chat": "rolecs"}
TASKS = ("csc_conv_ref", "csc_conv_gen")
TINY = shlex.split(
    "--quantization none --modules-to-save embed_tokens,lm_head --strategy-weight 6"
    " --learning-rate 2e-3 --lora-alpha 64 --lora-dropout 0 --adam-beta2 0.98 --warmup 0.05"
    " --gradient-checkpointing false --validation-share 0 --accumulation 1 --checkpoints 100000"
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", required=True, help="the base of both")
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--configs", default="rolecs")
    parser.add_argument("--conversations", type=int, default=120, help="learned by each adapter")
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--limit", type=int, help="score so many conversations")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    turns = turns_each(args.corpus, args.configs)
    print(
        "|recipe|seed|rows|tokens seen|steps|seconds|reference|generated|\n|---|" + "---:|" * 7,
        flush=True,
    )
    samples: dict[str, list[Path]] = {style: [] for style in STYLES}
    for seed in args.seeds:
        for style in STYLES:
            out = args.out / f"{style}-{seed}"
            record = trained(args, style, seed, turns if style == "single" else 1, out)
            results = scored(record, out, args.limit)
            samples[style].append(results)
            print(row(style, seed, record, results), flush=True)
    print(
        "\n|95 % intervals|reference|generated|\n|---|---:|---:|\n" + "\n".join(compared(samples))
    )


def turns_each(corpus: str, config: str) -> int:
    """Scored turns of a training conversation, on average."""
    items = corpora.load(corpus, config, "train").items
    return round(sum(len(item.scored_turns()) for item in items) / len(items))


def trained(args: argparse.Namespace, style: str, seed: int, batch: int, out: Path) -> dict:
    """The record of an adapter; batch: rows a step."""
    given = {
        "config": RECIPES / f"{STYLES[style]}.yaml",
        "model": args.model,
        "corpus": args.corpus,
        "test-corpus": args.corpus,
        "configs": args.configs,
        "train-size": args.conversations,
        "epochs": args.epochs,
        "seed": seed,
        "batch-size": batch,
        "out": out,
    }
    words = [word for name, value in given.items() for word in (f"--{name}", str(value))]
    run("-m", "trainers.train", *words, *TINY)
    return json.loads((out / "csc_adapter.json").read_text(encoding="utf-8"))


def scored(record: dict, out: Path, limit: int | None) -> Path:
    """The folder of the adapter's results and samples."""
    folder = Path(f"{out}-results")
    if not list(folder.rglob("results_*.json")):
        words = shlex.split(scoring_command(record, out))
        words += ["--gen_kwargs", "max_gen_toks=96", "--batch_size", "64"]
        run("-m", *words, *(["--limit", str(limit)] if limit else []))
    return folder


def run(*words: str) -> None:
    """Run a module of Python in a process of its own; its output goes to stderr."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    subprocess.run([sys.executable, *words], env=env, stdout=sys.stderr, check=True)


def accuracy(folders: Sequence[Path], task: str) -> Clustered:
    """Whether each turn's strategy was right, its mean over the runs in `folders`."""
    right: dict[tuple[str, int], list[bool]] = {}
    for folder in folders:
        (file,) = folder.rglob(f"samples_{task}_*.jsonl")
        for line in read_run(file).lines:
            for record in line["turns"]:
                key = line["doc"]["conversation_id"], record["turn"]
                right.setdefault(key, []).append(record["strategy"] == record["gold_strategy"])
    assert {len(values) for values in right.values()} == {len(folders)}
    ids = list(dict.fromkeys(id_ for id_, _ in right))
    codes = np.array([ids.index(id_) for id_, _ in right])
    values = np.array([np.mean(values) for values in right.values()])
    return clustered(values, codes, ids, scale=SHARE)


def row(style: str, seed: int, record: dict, results: Path) -> str:
    """What one adapter cost and scored."""
    cells = [
        f"`{STYLES[style]}.yaml`",
        str(seed),
        f"{record['counts']['rows']:,}",
        f"{record['counts']['tokens'] * record['recipe']['epochs']:,.0f}",
        f"{record['steps']:,}",
        f"{record['seconds']:.0f}",
    ]
    cells += [interval(value_of(accuracy([results], task))) for task in TASKS]
    return f"|{'|'.join(cells)}|"


def compared(samples: dict[str, list[Path]]) -> list[str]:
    """The mean of each recipe over its seeds, and the difference."""
    columns = {
        style: [accuracy(folders, task) for task in TASKS] for style, folders in samples.items()
    }
    lines = [
        [f"`{STYLES[style]}.yaml` ({style})", *(interval(value_of(one)) for one in own)]
        for style, own in columns.items()
    ]
    pairs = zip(columns["single"], columns["chat"], strict=True)
    lines.append(["single minus chat", *(interval(paired(a, b)[0], sign="+") for a, b in pairs)])
    return [f"|{'|'.join(line)}|" for line in lines]


def interval(value: Value, sign: str = "") -> str:
    """In percent, with its 95 % interval."""
    if value.value is None or value.low is None or value.high is None:
        return "N/A"
    low, high = (100 * bound for bound in (value.low, value.high))
    return f"{100 * value.value:{sign}.1f} [{low:{sign}.1f}, {high:{sign}.1f}]"


if __name__ == "__main__":
    main()
