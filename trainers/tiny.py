"""Train a tiny stand-in chat model from scratch, on the CPU, in three minutes.

    csc train tiny [CORPUS] --out DIR
    lm_eval --model hf --model_args pretrained=DIR --tasks csc_conv_ref --apply_chat_template \\
        --metadata '{"csc_corpus": "demo", "csc_prompt": "chat"}'

It lets the whole pipeline run without a download: a tokenizer and a Qwen3 model of about two
million parameters learn the train splits of one corpus (configs rolecs, csconv and qa, as far as
they exist; never another split) in the very prompts that the tasks send with csc_prompt=chat. The
model knows nothing else and is no baseline for anything.

--minutes counts everything, and how many steps fit depends on the machine; with --epochs the same
seed, threads and library versions give the same weights. The folder is written in one step at the
end, and only over a model that this command wrote.
"""

import contextlib
import time
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from csc_tasks import __version__, corpora
from csc_tasks.arguments import add_corpus, corpus_of
from csc_tasks.conversation import Conversation
from csc_tasks.errors import DataError, MissingSplit, SettingError
from csc_tasks.out import say_earlier
from csc_tasks.question import Question
from csc_tasks.telling import tally, tell
from trainers.tiny_folder import FORMAT, check_target, save
from trainers.tiny_model import Shape, new_model, train
from trainers.tiny_text import Encoded, encode, examples_of, train_tokenizer

SPLIT = "train"
CONFIGS = ("rolecs", "csconv", "qa")
"""In the order in which they are read."""


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc train tiny`."""
    parser.add_argument(
        "--out", required=True, metavar="DIR", help="the folder to write the model to"
    )
    add_corpus(
        parser, "; only its train splits are read (default: demo)", old="--corpus", default="demo"
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        help="of the first weights and the order of the examples (default: 0)",
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--minutes",
        type=float,
        default=3.0,
        help="how long the whole command may take (default: 3)",
    )
    length.add_argument(
        "--epochs", type=float, help="how often to read the examples, however long that takes"
    )
    parser.add_argument(
        "--without-strategies",
        action="store_true",
        help="show it dialogues without strategies: a base for csc train",
    )
    parser.add_argument(
        "--threads",
        type=int,
        default=1,
        help="CPU threads (default: 1; steps this small gain little from more)",
    )


def main(args: Namespace) -> None:
    """Train a stand-in model from scratch into args.out, and print its size and losses."""
    # An adapter that is to learn the strategies' names trains input and output embeddings apart.
    shape = Shape(tied=not args.without_strategies)
    record = train_tiny(
        corpus_of(args),
        Path(args.out),
        args.seed,
        args.minutes,
        args.epochs,
        args.threads,
        shape,
        strategies=not args.without_strategies,
    )
    tell(
        f"Wrote {args.out}: {record['parameters']:,} parameters, {record['epochs']} epochs in"
        f" {record['steps']:,} steps, loss {record['loss_first']:.2f} -> {record['loss_last']:.2f},"
        f" {record['seconds']:.0f} s"
    )


def train_tiny(
    corpus: str,
    out: Path,
    seed: int = 0,
    minutes: float = 3.0,
    epochs: float | None = None,
    threads: int = 1,
    shape: Shape | None = None,
    strategies: bool = True,
) -> dict:
    """Train on the train splits of `corpus`, write the model folder `out` and return the record
    that its tiny.json holds.

    `minutes` is the time for everything; it does not count when `epochs` is given. Without
    `strategies` the model sees dialogues and instructions that have none (the variant "vanilla" of
    the prompts). Raises SettingError when `out` holds anything but a model of ours or a number is
    not above 0, DataError when the corpus has no train split or nothing in it to learn.
    """
    started = time.monotonic()
    shape = shape or Shape()
    # Looked at as it was given: a link that leads nowhere is most likely a disk that is not there.
    if check_target(Path(out)):
        say_earlier(f"{out} holds an earlier model, which this one replaces at the end")
    out = Path(out).resolve()
    for name, value in (("minutes", minutes), ("epochs", epochs), ("threads", threads)):
        if value is not None and value <= 0:
            raise SettingError(f"--{name} {value:g}: must be greater than 0")

    import torch

    torch.set_num_threads(threads)
    splits = read_corpus(corpus)
    items = _read_items(splits, shape.most_items)
    tokenizer = train_tokenizer(items, shape.vocabulary, shape.positions)
    counts: Counter = Counter()
    examples = _examples(items, tokenizer, shape.positions, counts, strategies)
    tally("; ".join(f"{count:,} {what}" for what, count in counts.items() if count))
    if not examples:
        raise DataError(
            f"{corpus}: its {SPLIT} splits have no labelled supporter turn and no question, so"
            " there is nothing to learn"
        )
    torch.manual_seed(seed)
    model = new_model(tokenizer, shape)
    trained = train(model, examples, shape, seed, epochs, started + 60 * minutes)
    record = {
        "format": FORMAT,
        "csc_tasks": __version__,
        **_about_data(splits, counts),
        "strategies": strategies,
        "seed": seed,
        "threads": threads,
        "shape": asdict(shape),
        "parameters": model.num_parameters(),
        **trained,
        "seconds": round(time.monotonic() - started, 1),
    }
    return save(model, tokenizer, record, out)


def _read_items(splits: Sequence[corpora.Corpus], most: int) -> list[Conversation | Question]:
    """The first `most` items of each split; what was read is said."""
    items: list[Conversation | Question] = []
    for split in splits:
        used = split.items[:most]
        items += used
        more = f"; the first {len(used):,} are read" if len(used) < len(split.items) else ""
        tally(f"{split.summary()}{more}")
    return items


def _examples(
    items: Sequence[Conversation | Question],
    tokenizer,
    positions: int,
    counts: Counter,
    strategies: bool,
) -> list[Encoded]:
    variant = "predict" if strategies else "vanilla"
    return [
        encode(example, tokenizer)
        for item in items
        for example in examples_of(item, tokenizer, positions, counts, variant)
    ]


def _about_data(splits: Sequence[corpora.Corpus], counts: Counter) -> dict:
    """What the record says about the data."""
    keys = ("name", "config", "split", "revision", "content_hash")
    return {
        "corpus": [{key: getattr(split, key) for key in keys} for split in splits],
        "languages": sorted({language for split in splits for language in split.languages}),
        "counts": dict(counts),
    }


def read_corpus(name: str) -> list[corpora.Corpus]:
    """The train split of every config that has one. Raises DataError when none has: no other split
    is read in its place.
    """
    if name == "demo" or Path(name).is_dir():
        splits = [
            corpora.load(name, config, SPLIT)
            for config in CONFIGS
            if corpora.available(name, config, SPLIT)
        ]
    elif Path(name).exists():
        raise DataError(
            f"{name} is a file, which does not say which split it holds; give a dataset folder,"
            f" with files CONFIG/{SPLIT}*"
        )
    else:
        splits = list(_hub_splits(name))
    if not splits:
        raise DataError(
            f"{name}: none of {', '.join(CONFIGS)} has a {SPLIT} split; what the benchmark asks"
            " about is never trained on"
        )
    return splits


def _hub_splits(name: str) -> Iterator[corpora.Corpus]:
    for config in CONFIGS:
        with contextlib.suppress(MissingSplit):
            yield corpora.load(name, config, SPLIT)


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
