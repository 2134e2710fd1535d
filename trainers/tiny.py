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
import itertools
import json
import math
import random
import time
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from csc_tasks import __version__, corpora
from csc_tasks.arguments import add_corpus, corpus_of
from csc_tasks.compat.transformers import cache_argument
from csc_tasks.errors import DataError, MissingSplit, SettingError
from csc_tasks.out import is_new, replace_folder, say_earlier
from trainers.tiny_text import Encoded, encode, examples_of, train_tokenizer

FORMAT = "csc-tasks tiny model, version 1"
"""Written into tiny.json; a folder without it is never replaced."""

ROOM = 64 << 20
"""Bytes that must be free: a model has about 12 MB, and an earlier one stays until the new one is
whole.
"""

SPLIT = "train"
CONFIGS = ("rolecs", "csconv", "qa")
WARM_UP_STEPS = 30
STRATEGY_WEIGHT = 5.0
"""Loss weight of a target's first token, its strategy: with weight 1 the two dozen tokens of text
after it drown it.
"""


@dataclass(frozen=True, slots=True)
class Shape:
    """The model, its steps, and how much it reads. The defaults learned most in three minutes on
    two cores.
    """

    vocabulary: int = 3072
    hidden: int = 256
    layers: int = 2
    heads: int = 4
    key_value_heads: int = 2
    feed_forward: int = 704
    positions: int = 2048
    tied: bool = True
    batch_tokens: int = 1000
    learning_rate: float = 1.5e-3
    most_items: int = 2000
    """Conversations or questions read of one split: more would not be seen even once in three
    minutes.
    """


def add_arguments(parser: ArgumentParser) -> None:
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
    print(
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
    items = []
    for split in splits:
        used = split.items[: shape.most_items]
        items += used
        print(
            split.summary()
            + (f"; the first {len(used):,} are read" if len(used) < len(split.items) else "")
        )
    tokenizer = train_tokenizer(items, shape.vocabulary, shape.positions)
    counts: Counter = Counter()
    variant = "predict" if strategies else "vanilla"
    examples = [
        encode(example, tokenizer)
        for item in items
        for example in examples_of(item, tokenizer, shape.positions, counts, variant)
    ]
    print("; ".join(f"{count:,} {what}" for what, count in counts.items() if count))
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
        "corpus": [
            {
                key: getattr(split, key)
                for key in ("name", "config", "split", "revision", "content_hash")
            }
            for split in splits
        ],
        "languages": sorted({language for split in splits for language in split.languages}),
        "counts": dict(counts),
        "strategies": strategies,
        "seed": seed,
        "threads": threads,
        "shape": asdict(shape),
        "parameters": model.num_parameters(),
        **trained,
        "seconds": round(time.monotonic() - started, 1),
    }
    return save(model, tokenizer, record, out)


def read_corpus(name: str) -> list[corpora.Corpus]:
    """The train split of every config that has one. Raises DataError when none has: no other split
    is read in its place.
    """
    if name == "demo" or Path(name).is_dir():
        found = [
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
        found = list(_hub_splits(name))
    if not found:
        raise DataError(
            f"{name}: none of {', '.join(CONFIGS)} has a {SPLIT} split; what the benchmark asks"
            " about is never trained on"
        )
    return found


def _hub_splits(name: str) -> Iterator[corpora.Corpus]:
    for config in CONFIGS:
        with contextlib.suppress(MissingSplit):
            yield corpora.load(name, config, SPLIT)


def new_model(tokenizer, shape: Shape):
    """A Qwen3 with fresh weights."""
    # Not Qwen2: AutoTokenizer gives every model of that type Qwen2's own pieces, whatever the
    # folder's tokenizer says (transformers 5.23).
    from transformers import Qwen3Config, Qwen3ForCausalLM

    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_value_heads,
        head_dim=shape.hidden // shape.heads,
        intermediate_size=shape.feed_forward,
        max_position_embeddings=shape.positions,
        tie_word_embeddings=shape.tied,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return Qwen3ForCausalLM(config)


def batches(
    examples: Sequence[Encoded], batch_tokens: int, order: random.Random
) -> list[list[Encoded]]:
    """One epoch: every example once, with others that open alike and are about as long, the batches
    in random order.
    """
    shuffled = list(examples)
    order.shuffle(shuffled)
    # Lengths are rounded, so that the batches of two epochs differ.
    shuffled.sort(key=lambda example: (example.ids[:16], len(example.ids) // 32))
    found: list[list[Encoded]] = []
    for example in shuffled:
        if (
            found
            and found[-1][0].ids[:16] == example.ids[:16]
            and _size([*found[-1], example]) <= batch_tokens
        ):
            found[-1].append(example)
        else:
            found.append([example])
    order.shuffle(found)
    return found


def _size(batch: Sequence[Encoded]) -> int:
    """Tokens of a padded batch whose examples read their shared opening together."""
    shared = _shared(batch)
    return shared + len(batch) * (max(len(example.ids) for example in batch) - shared)


def _shared(batch: Sequence[Encoded]) -> int:
    """How many tokens the examples of a batch open with alike, short of the one before the first
    learned token.
    """
    limit = min(example.learned.index(True) for example in batch) - 1
    for example in batch[1:]:
        limit = next((i for i in range(limit) if example.ids[i] != batch[0].ids[i]), limit)
    return limit


def batch_loss(model, batch: Sequence[Encoded]):
    """Weighted mean cross-entropy over the learned tokens of a batch."""
    import torch
    from transformers import DynamicCache

    # The instructions are much of every prompt: they are read once per batch and not once per
    # example.
    shared = _shared(batch)
    cache = DynamicCache(config=model.config)
    with_cache = {cache_argument(model.model): cache, "use_cache": True}
    model.model(input_ids=torch.tensor([batch[0].ids[:shared]]), **with_cache)
    cache.batch_repeat_interleave(len(batch))
    # Padding is on the right, where causal attention never looks, and is not learned.
    length = max(len(example.ids) for example in batch) - shared
    ids = torch.zeros(len(batch), length, dtype=torch.long)
    learned = torch.zeros(len(batch), length, dtype=torch.bool)
    for i, example in enumerate(batch):
        ids[i, : len(example.ids) - shared] = torch.tensor(example.ids[shared:])
        learned[i, : len(example.ids) - shared] = torch.tensor(example.learned[shared:])
    hidden = model.model(input_ids=ids, **with_cache).last_hidden_state
    wanted = learned[:, 1:]
    opens = (wanted & ~learned[:, :-1])[wanted]
    losses = torch.nn.functional.cross_entropy(
        model.lm_head(hidden[:, :-1][wanted]), ids[:, 1:][wanted], reduction="none"
    )
    weights = torch.where(opens, STRATEGY_WEIGHT, 1.0)
    return (losses * weights).sum() / weights.sum()


def train(
    model,
    examples: Sequence[Encoded],
    shape: Shape,
    seed: int,
    epochs: float | None,
    deadline: float,
) -> dict:
    """Train for `epochs`, or, without them, until the monotonic clock shows `deadline`; returns
    steps, epochs, first and last loss.
    """
    import torch
    from tqdm import tqdm

    matrices, vectors = (
        [p for p in model.parameters() if (p.dim() > 1) == wanted] for wanted in (True, False)
    )
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}],
        betas=(0.9, 0.98),
    )
    order = random.Random(seed)
    endless = itertools.chain.from_iterable(
        batches(examples, shape.batch_tokens, order) for _ in itertools.count()
    )
    losses: list[float] = []
    seen, done, began = 0, 0.0, time.monotonic()
    model.train()
    with tqdm(
        total=100,
        desc="training",
        bar_format="{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}",
    ) as bar:
        while done < 1:
            rate = (
                shape.learning_rate
                * min(1.0, (len(losses) + 1) / WARM_UP_STEPS)
                * (1 + math.cos(math.pi * done))
                / 2
            )
            for group in optimizer.param_groups:
                group["lr"] = rate
            batch = next(endless)
            loss = batch_loss(model, batch)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            losses.append(loss.item())
            seen += len(batch)
            done = (
                seen / (epochs * len(examples))
                if epochs
                else (time.monotonic() - began) / max(deadline - began, 1e-9)
            )
            bar.set_postfix(loss=f"{_mean(losses[-20:]):.3f}", refresh=False)
            bar.update(100 * min(done, 1.0) - bar.n)
    model.eval()
    few = max(1, min(20, len(losses) // 5))
    return {
        "steps": len(losses),
        "epochs": round(seen / len(examples), 2),
        "loss_first": round(_mean(losses[:few]), 4),
        "loss_last": round(_mean(losses[-few:]), 4),
    }


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def check_target(out: Path) -> bool:
    """Whether `out` holds an earlier model of ours, and nothing else; False where it is absent or
    empty.

    Raises SettingError for anything else, and where it cannot be written.
    """
    if is_new(out, room=ROOM):
        return False
    present = {path.relative_to(out).as_posix() for path in out.rglob("*") if not path.is_dir()}
    try:
        record = json.loads((out / "tiny.json").read_text(encoding="utf-8"))
        written = set(record["files"]) if record["format"] == FORMAT else None
    except (OSError, ValueError, LookupError, TypeError):
        written = None
    if written is None:
        raise SettingError(
            f"{out} is not empty and not a model that csc train tiny wrote; give another folder or"
            " empty this one"
        )
    if strangers := sorted(present - written):
        raise SettingError(
            f"{out} holds {', '.join(strangers[:3])} besides its model; move that away or give"
            " another folder"
        )
    return True


def save(model, tokenizer, record: dict, out: Path) -> dict:
    """Write the model folder beside `out` and move it into place; returns the record with the names
    of its files.
    """
    with replace_folder(out) as fresh:
        model.save_pretrained(fresh)
        tokenizer.save_pretrained(fresh)
        (fresh / "README.md").write_text(readme(record), encoding="utf-8")
        record = record | {"files": sorted([*(path.name for path in fresh.iterdir()), "tiny.json"])}
        (fresh / "tiny.json").write_text(
            json.dumps(record, ensure_ascii=False, indent=2) + "\n", encoding="utf-8"
        )
        # The weights come readable by their owner only; they get the permissions that a file made
        # here has.
        (fresh / "model.safetensors").chmod((fresh / "README.md").stat().st_mode)
        check_target(out)
    return record


def readme(record: dict) -> str:
    """The model folder's README: what this is, what it saw, and how to run it."""
    read = "\n".join(
        f"- {part['name']}, {part['config']}/{part['split']}, content {part['content_hash']}"
        for part in record["corpus"]
    )
    corpus = json.dumps(record["corpus"][0]["name"])
    return README.format(
        **record,
        tag_lines="\n".join(f"- {language}" for language in record["languages"]),
        read=read,
        name=corpus,
    )


README = """---
library_name: transformers
pipeline_tag: text-generation
language:
{tag_lines}
---
# A stand-in for checking the pipeline, not a model to use

`csc train tiny` trained these {parameters:,} parameters from scratch on one small corpus ({epochs}
epochs, {seconds:.0f} s on the CPU). They exist so that evaluation, scoring and tables can be tried
without downloading a model. The model repeats the phrases of its corpus, knows nothing else, and
its scores say nothing about any method.

It read, and nothing besides:

{read}

It knows the tasks' prompts in chat style only, so both settings below are needed:

    lm_eval --model hf --model_args pretrained=THIS_FOLDER --tasks csc_conv_ref \\
        --apply_chat_template \\
        --metadata '{{"csc_corpus": {name}, "csc_qa_corpus": {name}, "csc_prompt": "chat"}}'

`tiny.json` holds the settings, the counts and the losses.
"""


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
