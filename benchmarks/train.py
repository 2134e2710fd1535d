"""Training against TRL's own command on the same turns: learned tokens per CPU second, and how many
tokens shared rows save.

  python -m benchmarks.train --model demo/base [--conversations 60]
  python -m benchmarks.train --model SmolLM2 --corpus star csconv --conversations 2 --turns 5 \\
      --batch 2 --length 512
  python -m benchmarks.train --model demo/base --scored

The same conversations, one epoch, one LoRA of rank 16 on every linear layer, one process and
thread:
`trl sft` on prompt and completion (text as our chat rows have it, one row a supporter turn), `csc
train` on the same rows, and `csc train` on shared rows, one after the other, --rounds times. Times
are CPU seconds of the training loop alone. Prints a Markdown row per program and round, and below
the table the loss of every step: both programs draw the same rows with the same seed, and no
dropout, so that a row a turn has to have the same losses in both.

--scored trains by the demo's recipe on the whole training split, once on shared rows and once on a
row a turn with as many turns a step, and has lm_eval score both adapters: do fewer tokens teach as
much?
"""

import argparse
import dataclasses
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.train_clock import SAYS, SAYS_LOSSES
from csc_tasks import corpora
from csc_tasks.conversation import SUPPORTER, Conversation
from trainers.rendering import Rendering
from trainers.rows import build_rows
from trainers.scoring import score

RECIPE = Path(__file__).resolve().parents[1] / "trainers" / "recipes" / "demo.yaml"
TURNS = 9
"""Turns a conversation of the demo teaches, on average: so many rows a step make a row a turn take
as many steps as shared rows.
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--model", required=True, help="what csc train tiny --without-strategies wrote"
    )
    parser.add_argument("--conversations", type=int, default=60)
    parser.add_argument(
        "--scored", action="store_true", help="accuracy of shared rows and of a row a turn"
    )
    parser.add_argument(
        "--corpus",
        nargs=2,
        default=("demo", "rolecs"),
        metavar=("CORPUS", "CONFIG"),
        help="of whose train split the first conversations are learned",
    )
    parser.add_argument("--turns", type=int, help="supporter turns a conversation is cut after")
    parser.add_argument("--length", type=int, default=1024, help="tokens of the longest row")
    parser.add_argument("--batch", type=int, default=8, help="rows a step")
    parser.add_argument("--rounds", type=int, default=1, help="how often the programs take turns")
    args = parser.parse_args()
    if args.scored:
        scored(args.model)
        return
    corpus, config = args.corpus
    items = corpora.load(corpus, config, "train").items[: args.conversations]
    if args.turns:
        items = [cut(item, args.turns) for item in items]
    print(
        "|program|rows|tokens|learned tokens|CPU seconds|learned tokens per"
        " CPU second|peak memory|\n|---|---:|---:|---:|---:|---:|---:|"
    )
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        (root / "data" / config).mkdir(parents=True)
        lines = [json.dumps(item.to_row(), ensure_ascii=False) + "\n" for item in items]
        (root / "data" / config / "train.jsonl").write_text("".join(lines), encoding="utf-8")
        sizes = write_prompt_completion(args.model, items, root / "trl", args.length)
        losses: dict[str, str] = {}
        for number in range(args.rounds):
            name = "`trl sft`, a row a turn"
            *measured, losses[name] = trl_sft(args, root)
            print_row(name, sizes, measured)
            for name, pack in (
                ("`csc train`, a row a turn", "false"),
                ("`csc train`, shared rows", "true"),
            ):
                counts, *measured, losses[name] = csc_train(
                    args, root, root / f"csc-{pack}-{number}", pack
                )
                sizes_here = (counts[key] for key in ("rows", "tokens", "tokens learned"))
                print_row(name, tuple(sizes_here), measured)
    print("\nLoss of every step:\n")
    for name, listed in losses.items():
        print(f"- {name}: {listed}")


def print_row(name: str, sizes: tuple[int, ...], measured: Sequence[float]) -> None:
    """sizes: rows, tokens and learned tokens. measured: CPU seconds and peak memory in GB."""
    seconds, memory = measured
    cells = [name, *(f"{size:,}" for size in sizes), f"{seconds:.1f}"]
    cells += [f"{sizes[-1] / seconds:,.1f}", f"{memory:.2f} GB"]
    print(f"|{'|'.join(cells)}|", flush=True)


def cut(item: Conversation, turns: int) -> Conversation:
    """The conversation up to this supporter turn."""
    spoken = [place for place, turn in enumerate(item.dialogue) if turn.speaker == SUPPORTER]
    end = spoken[min(turns, len(spoken)) - 1] + 1
    return dataclasses.replace(item, dialogue=item.dialogue[:end])


def clocked(*words: str) -> tuple[float, float, str]:
    """(CPU seconds of the training loop, peak memory of the process in GB, losses) of a module."""
    said = run("-m", "benchmarks.train_clock", *words)
    seconds = re.search(rf"{SAYS} ([\d.]+)", said)
    peak = re.search(r"VmHWM:\s+(\d+) kB", said)
    losses = re.search(rf"{SAYS_LOSSES} (.*)", said)
    return float(seconds[1]), int(peak[1]) * 1024 / 1e9, losses[1]


def write_prompt_completion(model: str, items, folder: Path, length: int) -> tuple[int, int, int]:
    """The rows as `trl sft` reads them; returns how many rows, tokens and learned tokens they
    are.
    """
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    rows, counts = build_rows(
        items, Rendering(tokenizer, True), "chat", length, pack=False, quiet=True
    )
    folder.mkdir()
    with (folder / "train.jsonl").open("w", encoding="utf-8") as stream:
        for row in rows:
            ((start, _),) = row.targets
            pair = {
                "prompt": tokenizer.decode(row.ids[:start]),
                "completion": tokenizer.decode(row.ids[start:]),
            }
            stream.write(json.dumps(pair, ensure_ascii=False) + "\n")
    return len(rows), counts["tokens"], counts["tokens learned"]


def trl_sft(args: argparse.Namespace, root: Path) -> tuple[float, float, str]:
    """What `clocked` measures of trl's own command."""
    words = [
        "--model_name_or_path",
        args.model,
        "--dataset_name",
        str(root / "trl"),
        "--output_dir",
        str(root / "trl-out"),
        "--use_cpu",
    ]
    words += [
        "--bf16",
        "false",
        "--gradient_checkpointing",
        "false",
        "--max_length",
        str(args.length),
        "--num_train_epochs",
        "1",
    ]
    words += [
        "--per_device_train_batch_size",
        str(args.batch),
        "--use_peft",
        "--lora_r",
        "16",
        "--lora_target_modules",
        "all-linear",
    ]
    words += [
        "--train_sampling_strategy",
        "random",
        "--seed",
        "0",
        "--lora_dropout",
        "0",
        "--logging_steps",
        "1",
        "--save_strategy",
        "no",
        "--report_to",
        "none",
        "--disable_tqdm",
        "true",
    ]
    words += ["--dtype", "float32", "--learning_rate", "1e-3"]
    return clocked("trl.scripts.sft", *words)


def csc_train(
    args: argparse.Namespace, root: Path, out: Path, pack: str
) -> tuple[dict, float, float, str]:
    """(what was counted in the rows, and what `clocked` measures) of our training."""
    words = [
        "--model",
        args.model,
        "--corpus",
        str(root / "data"),
        "--out",
        str(out),
        "--style",
        "chat",
        "--max-length",
        str(args.length),
    ]
    words += [
        "--pack-turns",
        pack,
        "--quantization",
        "none",
        "--gradient-checkpointing",
        "false",
        "--epochs",
        "1",
    ]
    words += [
        "--batch-size",
        str(args.batch),
        "--accumulation",
        "1",
        "--validation-share",
        "0",
        "--checkpoints",
        "100000",
    ]
    words += [
        "--lora-dropout",
        "0",
        "--batching",
        "random",
        "--log-every",
        "1",
        "--learning-rate",
        "1e-3",
        "--schedule",
        "linear",
        "--warmup",
        "0",
    ]
    measured = clocked("trainers.train", *words)
    record = json.loads((out / "csc_adapter.json").read_text(encoding="utf-8"))
    return record["counts"], *measured


def scored(model: str) -> None:
    """A Markdown row for each way: what it cost, and the strategy accuracy of its adapter."""
    tasks = ("csc_conv_ref", "csc_conv_gen")
    print(
        f"|rows are|rows|tokens seen|steps|seconds|{'|'.join(tasks)}|\n|---|{'---:|' * 6}",
        flush=True,
    )
    with tempfile.TemporaryDirectory() as scratch:
        for name, pack, batch in (("shared", "true", 1), ("a row a turn", "false", TURNS)):
            out = Path(scratch, pack)
            words = [
                "--config",
                str(RECIPE),
                "--model",
                model,
                "--out",
                str(out),
                "--pack-turns",
                pack,
                "--batch-size",
                str(batch),
            ]
            run("-m", "trainers.train", *words)
            record = json.loads((out / "csc_adapter.json").read_text(encoding="utf-8"))
            scores = score(record, out, None, None).numbers
            seen = record["counts"]["tokens"] * record["recipe"]["epochs"]
            cells = [
                name,
                f"{record['counts']['rows']:,}",
                f"{seen:,.0f}",
                f"{record['steps']:,}",
                f"{record['seconds']:.0f}",
            ]
            cells += [
                f"{scores[task]['strategy_acc']:.3f} ± {scores[task]['strategy_acc_stderr']:.3f}"
                for task in tasks
            ]
            print(f"|{'|'.join(cells)}|", flush=True)


def run(*words: str) -> str:
    """Run Python with these words on one thread; returns all it printed."""
    done = subprocess.run(
        [sys.executable, *words],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{' '.join(words[:2])} failed:\n{done.stderr[-3000:]}")
    return done.stdout + done.stderr


if __name__ == "__main__":
    main()
