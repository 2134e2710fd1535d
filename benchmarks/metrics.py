"""Speed and memory of BERTScore: batches of like length against one warm bert-score call per pair,
on a random model of BERT's size.

  python -m benchmarks.metrics [--pairs 2000] [--hidden 768] [--layers 8] [--device cpu]
  python -m benchmarks.metrics --memory 2000 20000 [--hidden 128] [--layers 2]

Replies and references have CSConv's lengths, about 49 Chinese characters and at most 200; a tenth
of the pairs stand there twice. The first form scores the same pairs both ways in one run,
bert-score's half before and half after, and prints a Markdown row; the second prints the peak
memory of scoring each number of pairs in a process of its own.
"""

import argparse
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from csc_tasks.metrics import METRICS, LearnedSettings, bertscore
from csc_tasks.metrics.batching import Work, score_once

CHARACTERS = "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面而方后多定行学法所民得经"  # noqa: E501
SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def drawn_pairs(count: int, repeated: float = 0.1, seed: int = 0) -> tuple[list[str], list[str]]:
    """Replies and references; the share `repeated` of the pairs are copies of earlier ones, in
    random places.
    """
    draw = random.Random(seed)

    def say() -> str:
        return "".join(
            draw.choices(CHARACTERS, k=min(200, max(2, round(draw.lognormvariate(3.75, 0.55)))))
        )

    pairs = [(say(), say()) for _ in range(round(count * (1 - repeated)))]
    pairs += draw.choices(pairs, k=count - len(pairs))
    draw.shuffle(pairs)
    replies, references = zip(*pairs, strict=True)
    return list(replies), list(references)


def make_model(folder: Path, hidden: int, layers: int) -> Path:
    """A BERT with bert-base-chinese's shape for hidden=768 (12 heads, a vocabulary of 21,128), of
    which all `layers` layers are used.
    """
    import torch
    from transformers import BertConfig, BertModel, BertTokenizer

    torch.manual_seed(0)
    tokens = {token: i for i, token in enumerate([*SPECIAL_TOKENS, *dict.fromkeys(CHARACTERS)])}
    config = BertConfig(
        vocab_size=21128,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=max(1, hidden // 64),
        intermediate_size=4 * hidden,
    )
    BertModel(config).eval().save_pretrained(folder)
    BertTokenizer(vocab=tokens, model_max_length=512).save_pretrained(folder)
    return folder


def speed(args: argparse.Namespace, folder: Path) -> None:
    """Print one row: both times, their ratio, the largest difference of a score, and the share of
    padding.
    """
    from bert_score import BERTScorer

    replies, references = drawn_pairs(args.pairs)
    library = BERTScorer(model_type=str(folder), num_layers=args.layers, device=args.device)
    scorer, done = bertscore.load(str(folder), args.layers), []

    def one_by_one(start: int, end: int) -> tuple[list[float], float]:
        begun = time.perf_counter()
        scores = [library.score([replies[i]], [references[i]])[2].item() for i in range(start, end)]
        return scores, time.perf_counter() - begun

    def in_batches(pairs: list[tuple[str, str]], work: Work) -> list[float]:
        done.append(work)
        return scorer.score(pairs, args.device, args.batch_size, work)

    one_by_one(0, 2)
    score_once("warm", replies[:2], references[:2], args.batch_size, in_batches)
    before, seconds_before = one_by_one(0, args.pairs // 2)
    begun = time.perf_counter()
    ours = score_once("bertscore", replies, references, args.batch_size, in_batches)
    seconds = time.perf_counter() - begun
    after, seconds_after = one_by_one(args.pairs // 2, args.pairs)
    work, both = done[-1], seconds_before + seconds_after
    difference = max(abs(a - b) for a, b in zip(ours, before + after, strict=True))
    print(
        "|pairs|different, each scored once|model|device|one call a pair|in batches|faster|largest"
        " difference|padding|"
    )
    print("|---:|---:|---|---|---:|---:|---:|---:|---:|")
    print(
        f"|{args.pairs:,}|{work.pairs:,}|{args.layers} layers of"
        f" {args.hidden}|{args.device}|{both:.1f} s|{seconds:.1f}"
        f" s|{both / seconds:.2f}x|{difference:.0e}|{100 * work.padding:.1f} %|",
        flush=True,
    )


def memory(args: argparse.Namespace, folder: Path) -> None:
    """Print a row for each number of pairs: peak memory of a process that scores them, and what
    scoring added to it.
    """
    print("|pairs|model|peak memory|of which scoring|\n|---:|---|---:|---:|")
    for pairs in args.memory:
        command = [
            sys.executable,
            "-m",
            "benchmarks.metrics",
            "--score",
            str(folder),
            "--pairs",
            str(pairs),
            "--layers",
            str(args.layers),
        ]
        command += ["--batch-size", str(args.batch_size), "--device", args.device]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        ready, peak = (int(word) for word in run.stdout.split()[-2:])
        print(
            f"|{pairs:,}|{args.layers} layers of {args.hidden}|{peak / 1024:.0f}"
            f" MB|{(peak - ready) / 1024:.0f} MB|",
            flush=True,
        )


def score_only(args: argparse.Namespace) -> None:
    """Print this process's peak memory in kilobytes, when one pair has been scored and when all
    have.
    """
    settings = LearnedSettings(
        bertscore_model=args.score,
        bertscore_layer=args.layers,
        device=args.device,
        batch_size=args.batch_size,
    )
    METRICS["bertscore"].score(["好"], ["好"], "zh", settings)
    ready = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    METRICS["bertscore"].score(*drawn_pairs(args.pairs), "zh", settings)
    print(ready, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=2000)
    parser.add_argument("--hidden", type=int, default=768)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--memory", type=int, nargs="+", metavar="PAIRS")
    parser.add_argument(
        "--score",
        metavar="FOLDER",
        help="score --pairs with the model of FOLDER and print only the memory",
    )
    args = parser.parse_args()
    if args.score:
        score_only(args)
        return
    with tempfile.TemporaryDirectory() as folder:
        model = make_model(Path(folder, "model"), args.hidden, args.layers)
        (memory if args.memory else speed)(args, model)


if __name__ == "__main__":
    main()
