"""The parts of benchmarks/gpu.sh, each a process of its own that prints rows of a Markdown table.

  python -m benchmarks.gpu needs
  python -m benchmarks.gpu play --size 7B --batch 256 --exchanges 3 5
  python -m benchmarks.gpu vllm --size 7B --batch 256 --exchanges 3 5
  python -m benchmarks.gpu nf4 --size 7B
  python -m benchmarks.gpu fsdp

Models are random, of benchmarks/play.py's sizes, made from a configuration on the device itself:
nothing is downloaded. With --device cpu and the size 2M every part is the same code.
"""

import argparse
import importlib.util
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import play
from csc_tasks.conversation import Conversation

NEEDED = {
    "play": ("torch", "transformers", "tokenizers", "lm_eval", "yaml", "sacrebleu"),
    "nf4": ("bitsandbytes", "peft", "trl", "datasets", "accelerate", "pyarrow"),
    "vllm": ("vllm",),
}
"""What each kind of part imports; `nf4` and `vllm` need what `play` does as well."""
TASK = "csc_conv_ref"
FSDP = Path(__file__).resolve().parents[1] / "trainers" / "recipes" / "accelerate_fsdp.yaml"


def needs(args: argparse.Namespace) -> int:
    """What is there and what is missing; 2 where not even conversations can be played."""
    absent = {
        part: [name for name in names if importlib.util.find_spec(name) is None]
        for part, names in NEEDED.items()
    }
    for part, names in absent.items():
        print(f"{part}: {'missing ' + ', '.join(names) if names else 'all there'}")
    if absent["play"]:
        print("put wheels of what is missing into a folder and name it in WHEELS")
        return 2
    import torch

    if args.device == "cpu":
        return 0
    if not torch.cuda.is_available():
        print(f"torch {torch.__version__} sees no CUDA device; --dry-run needs none")
        return 2
    properties = torch.cuda.get_device_properties(0)
    print(f"{properties.name}, {properties.total_memory / 1e9:.0f} GB, torch {torch.__version__}")
    return 0


def play_both(args: argparse.Namespace) -> int:
    """Conversations the plain way and in lockstep, same weights, same batch."""
    import torch
    from lm_eval.models.huggingface import HFLM

    tokenizer = play.make_tokenizer()
    model = play.random_model(play.make_config(args.size, len(tokenizer)), args.dtype, args.device)
    lm = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=args.batch)
    with tempfile.TemporaryDirectory() as folder:
        corpus = corpus_of(Path(folder), args)
        # Kernels are compiled and chosen in the first calls.
        warm = play.write_corpus(Path(folder, "warm"), 1, 1, (3, 3))
        play.play(lm, warm, TASK, "auto", 4)
        results = {how: play.play(lm, corpus, TASK, how, args.reply) for how in ("plain", "auto")}
    (plain, replies, _), (ours, other, peak) = results["plain"], results["auto"]
    same = sum(one[1] == two[1] for one, two in zip(replies, other, strict=True))
    memory = torch.cuda.max_memory_allocated() if args.device != "cpu" else peak.bytes
    for name, seconds, note in (
        ("plain", plain, ""),
        ("lockstep", ours, f"{plain / ours:.2f}x; {same} of {len(other)} replies the same"),
    ):
        row(f"play, {name}", args, f"{len(other) / seconds:,.1f} turns/s", seconds, memory, note)
    return 0


def play_vllm(args: argparse.Namespace) -> int:
    """vLLM with prefix caching on the same prompts, all handed to it at once."""
    from vllm import LLM, SamplingParams

    tokenizer = play.make_tokenizer()
    with tempfile.TemporaryDirectory() as folder:
        prompts = prompts_of(corpus_of(Path(folder), args))
        config = play.make_config(args.size, len(tokenizer))
        config.architectures = ["Qwen2ForCausalLM"]
        config.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        llm = LLM(
            model=folder,
            load_format="dummy",
            dtype=args.dtype,
            enable_prefix_caching=True,
            max_num_seqs=args.batch,
            max_model_len=4096,
        )
        how = SamplingParams(temperature=0, max_tokens=args.reply, ignore_eos=True)
        llm.generate(prompts[:1], how, use_tqdm=False)
        start = time.perf_counter()
        llm.generate(prompts, how, use_tqdm=False)
        seconds = time.perf_counter() - start
    row("play, vLLM", args, f"{len(prompts) / seconds:,.1f} turns/s", seconds, None, "")
    return 0


def train_nf4(args: argparse.Namespace) -> int:
    """Steps of NF4 QLoRA as csc train makes them: tokens a second, and the peak of memory."""
    import torch

    from trainers.qlora import train_adapter
    from trainers.recipe import recipe_from

    lines: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        play.make_model(root / "base", args.size, args.dtype, args.device)
        train_corpus(root / "data", args.conversations)
        play.trim()
        settings = {
            "model": str(root / "base"),
            "data": [str(root / "data")],
            "chat_template": False,
            "validation_share": 0.0,
            "max_length": args.length,
            "batch_size": args.batch,
            "accumulation": 1,
            "epochs": 1.0,
            "checkpoints": 100000.0,
        }
        recipe = recipe_from(settings, "gpu")
        if args.device != "cpu":
            torch.cuda.reset_peak_memory_stats()
        record = train_adapter(recipe, root / "out", say=lines.append)
    said = next((line for line in lines if line.startswith("memory: ")), "")
    print("\n".join(lines), file=sys.stderr)
    peak = torch.cuda.max_memory_allocated() if args.device != "cpu" else None
    tokens = record["counts"]["tokens"]
    rate = f"{tokens / record['seconds']:,.0f} tokens/s" if record["seconds"] else "-"
    note = f"{record['steps']} steps; {said.partition(',')[0]}"
    row("NF4 QLoRA", args, rate, record["seconds"], peak, note)
    return 0


def check_fsdp(args: argparse.Namespace) -> int:
    """The shipped FSDP configuration, read as accelerate reads it; on a GPU a training of one
    process by it.
    """
    from accelerate.commands.config.config_args import load_config_from_file

    config = load_config_from_file(str(FSDP))
    kind = f"{config.distributed_type}".rpartition(".")[2]
    if args.device == "cpu":
        row("FSDP configuration", args, "read", 0.0, None, f"{kind}, {config.mixed_precision}")
        return 0
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        play.make_model(root / "base", args.size, args.dtype, args.device)
        train_corpus(root / "data", 1)
        command = ["-m", "accelerate.commands.launch", "--config_file", str(FSDP)]
        command += ["--num_processes", "1", "-m", "trainers.train"]
        command += ["--model", f"{root / 'base'}", "--corpus", f"{root / 'data'}"]
        command += ["--out", f"{root / 'out'}", "--chat-template", "false"]
        command += ["--validation-share", "0", "--epochs", "1", "--accumulation", "1"]
        done = subprocess.run([sys.executable, *command], env=os.environ | {"RANK": "0"})
        if done.returncode:
            return done.returncode
        steps = json.loads((root / "out" / "csc_adapter.json").read_text())["steps"]
    seconds = time.perf_counter() - start
    row("FSDP configuration", args, "trained", seconds, None, f"{kind}, 1 process, {steps} steps")
    return 0


def row(what: str, args: argparse.Namespace, rate: str, seconds: float, memory, note: str) -> None:
    """One row of the table. memory: bytes, or None where it was not measured."""
    shown = f"{memory / 1e9:.1f} GB" if memory is not None else "-"
    cells = [what, args.size, args.dtype, args.batch, rate, f"{seconds:.1f} s", shown, note]
    print(f"|{'|'.join(map(str, cells))}|", flush=True)


def corpus_of(folder: Path, args: argparse.Namespace) -> Path:
    """As many conversations as the batch has rows."""
    return play.write_corpus(folder / "corpus", args.batch, exchanges=tuple(args.exchanges))


def train_corpus(folder: Path, count: int) -> None:
    """The same kind of conversations as a train split."""
    play.write_corpus(folder, count, seed=2)
    (folder / "csconv" / "test.jsonl").rename(folder / "csconv" / "train.jsonl")


def prompts_of(corpus: Path) -> list[str]:
    """Every prompt of the task, in order: the reference context needs no reply for the next."""
    from csc_tasks.prompts import TurnPrompt

    path = corpus / "csconv" / "test.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    items = (Conversation.from_row(json.loads(line), str(path)) for line in lines)
    prompts = (TurnPrompt(item, turn) for item in items for turn in item.scored_turns())
    return [prompt.plain(prompt.messages()) for prompt in prompts]


PARTS = {
    "needs": needs,
    "play": play_both,
    "vllm": play_vllm,
    "nf4": train_nf4,
    "fsdp": check_fsdp,
}


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--size", default="2M", choices=play.SIZES)
    parser.add_argument("--batch", type=int, default=4, help="rows")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--reply", type=int, default=24, help="tokens of every reply")
    parser.add_argument(
        "--exchanges", nargs=2, type=int, default=(8, 14), help="least and most a conversation has"
    )
    parser.add_argument(
        "--conversations", type=int, default=4, help="nf4: how many are learned, a row a turn"
    )
    parser.add_argument("--length", type=int, default=2048, help="nf4: tokens of the longest row")
    args = parser.parse_args(words)
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    return PARTS[args.part](args)


if __name__ == "__main__":
    sys.exit(main())
