"""Training against TRL's own command on the same turns: seconds per supervised token, and how many
tokens packing saves.

  python -m benchmarks.train --model demo/base [--conversations 60]
  python -m benchmarks.train --model demo/base --scored

The same conversations of the demo, one epoch, one LoRA of rank 16 on every linear layer, batches of
eight rows, one process and thread:
`trl sft` on prompt and completion (text as our chat rows have it, one row a supporter turn), `csc
train` on the same rows, and `csc train` on shared rows. Times are those of the training loop, as
both programs measure it. Prints a Markdown row per program.

--scored trains by the demo's recipe on the whole training split, once on shared rows and once on a
row a turn with as many turns a step, and has lm_eval score both adapters: do fewer tokens teach as
much?
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from csc_tasks import corpora
from trainers.rendering import Rendering
from trainers.rows import build_rows
from trainers.scoring import score

LENGTH, BATCH = 1024, 8
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
    args = parser.parse_args()
    if args.scored:
        scored(args.model)
        return
    items = corpora.load("demo", "rolecs", "train").items[: args.conversations]
    print(
        "|program|rows|tokens|learned tokens|seconds|learned tokens per"
        " second|\n|---|---:|---:|---:|---:|---:|"
    )
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        (root / "data" / "rolecs").mkdir(parents=True)
        lines = [json.dumps(item.to_row(), ensure_ascii=False) + "\n" for item in items]
        (root / "data" / "rolecs" / "train.jsonl").write_text("".join(lines), encoding="utf-8")
        rows, tokens, learned = write_prompt_completion(args.model, items, root / "trl")
        seconds = trl_sft(args.model, root)
        print(
            "|`trl sft`, a row a"
            f" turn|{rows:,}|{tokens:,}|{learned:,}|{seconds:.1f}|{learned / seconds:,.0f}|",
            flush=True,
        )
        for name, pack in (
            ("`csc train`, a row a turn", "false"),
            ("`csc train`, shared rows", "true"),
        ):
            record = csc_train(args.model, root, pack)
            counts, seconds = record["counts"], record["seconds"]
            cells = (f"{counts[key]:,}" for key in ("rows", "tokens", "tokens learned"))
            print(
                f"|{name}|{'|'.join(cells)}|{seconds:.1f}"
                f"|{counts['tokens learned'] / seconds:,.0f}|",
                flush=True,
            )


def write_prompt_completion(model: str, items, folder: Path) -> tuple[int, int, int]:
    """The rows as `trl sft` reads them; returns how many rows, tokens and learned tokens they
    are.
    """
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    rows, counts = build_rows(
        items, Rendering(tokenizer, True), "chat", LENGTH, pack=False, quiet=True
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


def trl_sft(model: str, root: Path) -> float:
    """Seconds of trl's training loop, as it reports them."""
    words = [
        "--model_name_or_path",
        model,
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
        str(LENGTH),
        "--num_train_epochs",
        "1",
    ]
    words += [
        "--per_device_train_batch_size",
        str(BATCH),
        "--use_peft",
        "--lora_r",
        "16",
        "--lora_target_modules",
        "all-linear",
    ]
    words += [
        "--train_sampling_strategy",
        "group_by_length",
        "--save_strategy",
        "no",
        "--report_to",
        "none",
        "--disable_tqdm",
        "true",
    ]
    words += ["--dtype", "float32", "--learning_rate", "1e-3"]
    said = run("-m", "trl.scripts.sft", *words)
    return float(re.search(r"'train_runtime': '?([\d.]+)", said)[1])


def csc_train(model: str, root: Path, pack: str) -> dict:
    """The record of our training, with the seconds of its loop."""
    out = root / f"csc-{pack}"
    words = [
        "--model",
        model,
        "--corpus",
        str(root / "data"),
        "--out",
        str(out),
        "--style",
        "chat",
        "--max-length",
        str(LENGTH),
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
        str(BATCH),
        "--accumulation",
        "1",
        "--validation-share",
        "0",
        "--checkpoints",
        "100000",
    ]
    words += [
        "--lora-dropout",
        "0.05",
        "--learning-rate",
        "1e-3",
        "--schedule",
        "linear",
        "--warmup",
        "0",
    ]
    run("-m", "trainers.train", *words)
    return json.loads((out / "csc_adapter.json").read_text(encoding="utf-8"))


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
