"""The tiny model: its shape, its batches, its loss and its training loop."""

import itertools
import math
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from csc_tasks.compat.transformers import CACHE_NAMES, cache_argument
from trainers.tiny_text import Encoded

WARM_UP_STEPS = 30
STRATEGY_WEIGHT = 5.0
"""Loss weight of a target's first token, its strategy: with weight 1 the two dozen tokens of text
after it drown it.
"""
SHOWN_STEPS = 20
"""The loss that is shown is the mean of this many steps."""


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
    made: list[list[Encoded]] = []
    for example in shuffled:
        alike = bool(made) and made[-1][0].ids[:16] == example.ids[:16]
        if alike and _size([*made[-1], example]) <= batch_tokens:
            made[-1].append(example)
        else:
            made.append([example])
    order.shuffle(made)
    return made


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
    name = cache_argument(model.model) or CACHE_NAMES[0]
    with_cache: dict[str, Any] = {name: cache, "use_cache": True}
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
    optimizer = _optimizer(model)
    order = random.Random(seed)
    endless = itertools.chain.from_iterable(
        batches(examples, shape.batch_tokens, order) for _ in itertools.count()
    )
    losses: list[float] = []
    seen, done, began = 0, 0.0, time.monotonic()
    model.train()
    with _bar() as bar:
        while done < 1:
            rate = learning_rate(shape.learning_rate, len(losses), done)
            batch = next(endless)
            losses.append(_step(model, optimizer, batch, rate))
            seen += len(batch)
            if epochs:
                done = seen / (epochs * len(examples))
            else:
                done = (time.monotonic() - began) / max(deadline - began, 1e-9)
            bar.set_postfix(loss=f"{_mean(losses[-SHOWN_STEPS:]):.3f}", refresh=False)
            bar.update(100 * min(done, 1.0) - bar.n)
    model.eval()
    few = max(1, min(SHOWN_STEPS, len(losses) // 5))
    return {
        "steps": len(losses),
        "epochs": round(seen / len(examples), 2),
        "loss_first": round(_mean(losses[:few]), 4),
        "loss_last": round(_mean(losses[-few:]), 4),
    }


def learning_rate(highest: float, steps: int, done: float) -> float:
    """The learning rate after so many steps and this share of the training: it rises for
    WARM_UP_STEPS and falls as a cosine.
    """
    rise = min(1.0, (steps + 1) / WARM_UP_STEPS)
    return highest * rise * (1 + math.cos(math.pi * done)) / 2


def _optimizer(model):
    """AdamW; only matrices decay."""
    import torch

    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() <= 1]
    return torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}],
        betas=(0.9, 0.98),
    )


def _step(model, optimizer, batch: Sequence[Encoded], rate: float) -> float:
    """One step at this learning rate; returns the loss before it."""
    import torch

    for group in optimizer.param_groups:
        group["lr"] = rate
    loss = batch_loss(model, batch)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


def _bar():
    """A progress bar in percent of the training."""
    from tqdm import tqdm

    return tqdm(
        total=100,
        desc="training",
        bar_format="{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}",
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
