"""Playing conversations with lm_eval's HF backend: the plain way against lockstep play, same
weights, same batch size, in one process.

  python -m benchmarks.play [--sizes 30M 160M] [--batch-sizes 16 64] [--conversations 0] \\
      [--reply 32] [--tasks csc_conv_ref csc_conv_gen]
  python -m benchmarks.play --growth 100 400 1600  time a turn and memory as the corpus grows
  python -m benchmarks.play --device cuda --dtype bfloat16 --sizes 1B --batch-sizes 128

Random Qwen2 weights, conversations of CSConv's shape: the task's own instructions, 8 to 14
exchanges. Plain and ours take turns; replies are compared turn by turn, and a turn that differs is
looked at again: were the two best logits within 1e-4? (Of meaning in float32 only.) Seconds are CPU
time, or the wall's on a GPU. Prints Markdown rows.
"""

import argparse
import json
import logging
import random
import resource
import sys
import tempfile
import threading
from pathlib import Path

from benchmarks.play_bound import clock_of, lower_bound
from benchmarks.turns import conversations
from csc_tasks import TASKS_DIR
from csc_tasks.prompts import instructions

SIZES = {
    # hidden, intermediate, layers, heads, key-value heads
    "2M": (128, 512, 4, 4, 2),
    "30M": (512, 1536, 8, 8, 2),
    "160M": (1024, 2816, 12, 16, 4),
    "500M": (896, 4864, 24, 14, 2),
    "1B": (2048, 5504, 22, 16, 4),
    "7B": (3584, 18944, 28, 28, 4),
}
VOCABULARY = 2048


def make_tokenizer():
    """About one token for each Chinese character of the conversations."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    said = [turn.text for conversation in conversations(50, 14) for turn in conversation.dialogue]
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    how = {
        "vocab_size": VOCABULARY,
        "initial_alphabet": alphabet,
        "max_token_length": 6,
        "show_progress": False,
    }
    trainer = trainers.BpeTrainer(special_tokens=specials, **how)
    backend.train_from_iterator([*said, *[instructions("zh", "predict")] * 20], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        model_max_length=8192,
    )


def make_config(size: str, tokens: int):
    """Configuration of a Qwen2 of a named size with a vocabulary of so many tokens."""
    from transformers import Qwen2Config

    hidden, intermediate, layers, heads, groups = SIZES[size]
    return Qwen2Config(
        vocab_size=tokens,
        hidden_size=hidden,
        intermediate_size=intermediate,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=groups,
        max_position_embeddings=8192,
        eos_token_id=2,
        pad_token_id=0,
        bos_token_id=None,
        tie_word_embeddings=True,
    )


def random_model(config, dtype: str, device: str):
    """A Qwen2 with random weights, made where it will be."""
    import torch
    from transformers import Qwen2ForCausalLM

    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, dtype))
    try:
        with torch.device(device):
            return Qwen2ForCausalLM(config)
    finally:
        torch.set_default_dtype(before)


def make_model(folder: Path, size: str, dtype: str, device: str) -> None:
    """A random Qwen2 of a named size, saved with its tokenizer."""
    tokenizer = make_tokenizer()
    model = random_model(make_config(size, len(tokenizer)), dtype, device)
    print(
        f"{size}: {sum(p.numel() for p in model.parameters()) / 1e6:.0f}M parameters",
        file=sys.stderr,
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def write_corpus(
    folder: Path, count: int, seed: int = 0, exchanges: tuple[int, int] = (8, 14)
) -> Path:
    """Conversations with a number of exchanges between these two, as the test split of csconv."""
    draw = random.Random(seed)
    made = [c.to_row() for c in conversations(count, 14, seed)]
    for row in made:
        row["dialogue"] = row["dialogue"][: 2 * draw.randint(*exchanges)]
    path = folder / "csconv" / "test.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in made), encoding="utf-8"
    )
    return folder


class Peak:
    """Peak memory while a block runs, over what the process had at its start, in bytes: sampled on
    the CPU, counted by torch on a GPU.

    `held` is what is left of it when the block ends and what was freed has been given back: prompts
    and records that lm_eval will log.
    """

    def __init__(self, device: str) -> None:
        self.device = device

    def __enter__(self) -> "Peak":
        import torch

        if self.device != "cpu":
            torch.cuda.reset_peak_memory_stats()
            self.start = torch.cuda.memory_allocated()
            return self
        self.start = self.top = resident()
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def watch(self) -> None:
        while not self.stop.wait(0.02):
            self.top = max(self.top, resident())

    def __exit__(self, *_) -> None:
        import torch

        if self.device != "cpu":
            torch.cuda.synchronize()
            self.top = torch.cuda.max_memory_allocated()
            held = torch.cuda.memory_allocated()
        else:
            self.stop.set()
            self.thread.join()
            trim()
            held = resident()
        self.bytes, self.held = self.top - self.start, held - self.start


def resident() -> int:
    """Resident memory of this process in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def trim() -> None:
    """Give freed memory back, so that the next peak is its own."""
    import ctypes
    import gc

    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)


def play(
    lm, corpus: Path, task: str, how: str, reply: int, metadata=None, **options
) -> tuple[float, list, "Peak"]:
    """(seconds that the model was asked for, replies in order, memory) of one run of a task.

    `options` are of lm_eval's simple_evaluate.
    """
    from lm_eval import simple_evaluate
    from lm_eval.api.model import LM
    from lm_eval.tasks import TaskManager

    import csc_tasks.play  # noqa: F401 - gives LM its csc_generate

    seconds = []
    asked = LM.csc_generate
    clock = clock_of(lm)

    def timed(self, requests):
        start = clock()
        try:
            return asked(self, requests)
        finally:
            seconds.append(clock() - start)

    manager = TaskManager(
        include_path=str(TASKS_DIR),
        include_defaults=False,
        metadata={"csc_corpus": str(corpus), "csc_play": how} | (metadata or {}),
    )
    trim()
    LM.csc_generate = timed
    try:
        with Peak(lm.device.type) as peak:
            results = simple_evaluate(
                lm,
                tasks=[task],
                task_manager=manager,
                bootstrap_iters=0,
                gen_kwargs=f"max_gen_toks={reply}",
                predict_only=True,
                **options,
            )
    finally:
        LM.csc_generate = asked
    turns = [
        (arguments, record["reply"])
        for sample in results["samples"][task]
        for arguments, record in zip(sample["arguments"], sample["turns"], strict=True)
    ]
    return sum(seconds), turns, peak


def compare(lm, plain: list, ours: list) -> tuple[int, int]:
    """(turns that differ though the plain way's two best logits were apart, turns that differ where
    they were within 1e-4).

    A prompt that differs because an earlier reply did is not counted again.
    """
    import torch

    wrong = close = 0
    for (asked, reply), (asked_too, other) in zip(plain, ours, strict=True):
        if asked[0] != asked_too[0] or reply == other:
            continue
        prompt = lm.tok_batch_encode([asked[0]])[0].to(lm.device)
        output = lm.model.generate(
            prompt,
            max_new_tokens=asked[1].get("max_gen_toks", 32),
            do_sample=False,
            output_logits=True,
            return_dict_in_generate=True,
            pad_token_id=0,
        )
        best = torch.stack(output.logits)[:, 0].topk(2).values
        if float((best[:, 0] - best[:, 1]).min()) <= 1e-4:
            close += 1
        else:
            wrong += 1
    return wrong, close


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", nargs="+", default=["30M", "160M"], choices=SIZES)
    parser.add_argument("--batch-sizes", nargs="+", type=int, default=[16, 64])
    parser.add_argument(
        "--conversations", type=int, default=0, help="0: as many as the batch has rows"
    )
    parser.add_argument(
        "--reply", type=int, default=32, help="tokens of every reply: random weights seldom end one"
    )
    parser.add_argument("--tasks", nargs="+", default=["csc_conv_ref", "csc_conv_gen"])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument(
        "--rounds",
        type=int,
        default=1,
        help="how often plain and ours take turns; the best time of each counts",
    )
    parser.add_argument(
        "--growth",
        nargs="+",
        type=int,
        help="conversations; lockstep play alone, the smallest model",
    )
    args = parser.parse_args()

    from lm_eval.models.huggingface import HFLM

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        if args.growth:
            make_model(Path(folder, "model"), "2M", args.dtype, args.device)
            lm = HFLM(
                pretrained=str(Path(folder, "model")),
                dtype=args.dtype,
                device=args.device,
                batch_size=args.batch_sizes[0],
            )
            head = (
                "|conversations|turns|seconds|ms a turn|peak memory over the start|of which held at"
                " the end|play alone|"
            )
            print(f"{head}\n|{'---:|' * head[1:].count('|')}")
            for count in args.growth:
                corpus = write_corpus(Path(folder, str(count)), count)
                seconds, turns, peak = play(lm, corpus, args.tasks[0], "auto", args.reply)
                memory = "|".join(
                    f"{size / 2**20:.0f} MB"
                    for size in (peak.bytes, peak.held, peak.bytes - peak.held)
                )
                print(
                    f"|{count:,}|{len(turns):,}|{seconds:.1f}"
                    f"|{seconds / len(turns) * 1000:.1f}|{memory}|",
                    flush=True,
                )
            return
        head = [
            "model",
            "batch",
            "task",
            "turns",
            "plain",
            "ours",
            "faster",
            "turns that differ (close calls)",
            "prompt tokens a new one",
        ]
        head += ["over the lower bound", "memory plain", "memory ours", "ours, tokens a second"]
        print(f"|{'|'.join(head)}|\n|---|---:|---|{'---:|' * (len(head) - 3)}", flush=True)
        for size in args.sizes:
            make_model(Path(folder, size), size, args.dtype, args.device)
            for batch_size in args.batch_sizes:
                corpus = write_corpus(
                    Path(folder, f"corpus-{size}-{batch_size}"), args.conversations or batch_size
                )
                lm = HFLM(
                    pretrained=str(Path(folder, size)),
                    dtype=args.dtype,
                    device=args.device,
                    batch_size=batch_size,
                )
                for task in args.tasks:
                    times: dict[str, list] = {"plain": [], "auto": []}
                    found = {}
                    for _ in range(args.rounds):
                        for how in ("plain", "auto"):
                            seconds, *found[how] = play(lm, corpus, task, how, args.reply)
                            times[how].append(seconds)
                    plain, ours = min(times["plain"]), min(times["auto"])
                    wrong, close = compare(lm, found["plain"][0], found["auto"][0])
                    bound, parts = lower_bound(
                        lm,
                        found["auto"][0],
                        min(batch_size, args.conversations or batch_size),
                    )
                    asked, unique = parts["asked"], parts["unique"]
                    memory = "|".join(
                        f"{found[how][1].bytes / 2**20:,.0f} MB" for how in ("plain", "auto")
                    )
                    cells = [
                        size,
                        batch_size,
                        task,
                        len(found["auto"][0]),
                        f"{plain:.1f} s",
                        f"{ours:.1f} s",
                        f"{plain / ours:.2f}x",
                    ]
                    speed = (asked + args.reply * len(found["auto"][0])) / ours
                    cells += [
                        f"{wrong + close} ({close})",
                        f"{asked / unique:.1f}",
                        f"{ours / bound:.2f}x",
                        memory,
                        f"{speed:,.0f}",
                    ]
                    print(f"|{'|'.join(map(str, cells))}|", flush=True)


if __name__ == "__main__":
    main()
