"""How much memory a training takes at its peak, worked out before the base's weights are loaded.

Weights and the adapter are counted. What forward and backward pass keep for a batch is found by
running one on tensors that have shapes and no values (torch's FakeTensorMode), through the very
layers, adapter and loss that are trained, and counting what lives at once: so every architecture
has its own number, and the scores over the vocabulary are in it.
"""

import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from csc_tasks.compat.trl import add_head
from trainers.hardware import Precision
from trainers.library_arguments import lora_config
from trainers.recipe import Recipe
from trainers.row_losses import only_positions

BYTES = {"fp32": 4.0, "bf16": 2.0, "fp16": 2.0}
"""Bytes a number takes."""

NF4 = {True: 0.5 + 1 / 64 + 4 / (64 * 256), False: 0.5 + 4 / 64}
"""Bytes a weight takes in NF4, with doubly quantised constants and without: half a byte, and a
constant for 64 weights, of one byte with one of four bytes for 256 constants, or of four bytes.
"""

TILE = (4096, 32768)
"""Positions and tokens of the vocabulary that trl 1.16 scores at a time."""

STATES = {"paged_adamw_8bit": 2.0}
"""Bytes that an optimizer keeps for a trained number, where it is not twice its own size."""


@dataclass(frozen=True, slots=True)
class Weights:
    """How many numbers a base has, and how many of them NF4 keeps in four bits: those of its linear
    layers but the last. Embeddings stay as they are.
    """

    all: int
    linear: int

    def size(self, precision: str, quantized: bool, double: bool) -> float:
        """Bytes they take. precision: of what is not quantised."""
        if not quantized:
            return self.all * BYTES[precision]
        return self.linear * NF4[double] + (self.all - self.linear) * BYTES[precision]


def weights_of(skeleton) -> Weights:
    """The numbers of a model without values."""
    import torch

    last = skeleton.get_output_embeddings()
    linear = sum(
        module.weight.numel()
        for module in skeleton.modules()
        if isinstance(module, torch.nn.Linear) and module is not last
    )
    return Weights(skeleton.num_parameters(), linear)


@dataclass(frozen=True, slots=True)
class Estimate:
    """Bytes at the peak of a training: of the base's weights, of the adapter with what the
    optimizer keeps for it, and of the pass over the largest batch (gradients are in it).
    """

    weights: float
    adapter: float
    batch: float
    rows: int
    length: int

    @property
    def total(self) -> float:
        return self.weights + self.adapter + self.batch

    def __str__(self) -> str:
        parts = (f"{size / 1e9:.2f}" for size in (self.weights, self.adapter, self.batch))
        base, adapter, batch = parts
        return (
            f"about {self.total / 1e9:.1f} GB at the peak, beside the program's own (base {base},"
            f" adapter and optimizer {adapter}, a batch of {self.rows} x {self.length} tokens"
            f" {batch})"
        )


def estimate(
    recipe: Recipe,
    precision: Precision,
    config,
    rows: int,
    length: int,
    learned: int,
    on_gpu: bool,
    parts: int,
) -> Estimate:
    """The memory that one process takes at the peak of this training.

    rows, length: of its largest batch. learned: tokens that a batch learns at most. parts: over how
    many processes the base's weights are spread. Raises whatever the base's code raises where it
    cannot run on shapes alone.
    """
    quantized = recipe.quantization == "nf4"
    model, weights = _adapted(recipe, precision, config)
    with _shapes_only(model):
        trained = [p for p in model.parameters() if p.requires_grad]
        adapter = sum(
            p.numel() * p.element_size()
            + p.numel() * STATES.get(recipe.optimizer, 2.0 * p.element_size())
            for p in trained
        )
        batch = _peak_of_a_step(recipe, precision, model, rows, length, learned, on_gpu)
    size = weights.size(precision.name, quantized, recipe.double_quantization)
    return Estimate(size / parts, adapter, batch, rows, length)


def _adapted(recipe: Recipe, precision: Precision, config) -> tuple[Any, Weights]:
    """(the base with its adapter, on no device; the base's numbers)."""
    import torch
    from peft import get_peft_model
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        base = AutoModelForCausalLM.from_config(config, dtype=precision.dtype)
        weights = weights_of(base)
        add_head(base)
        if recipe.quantization == "nf4":
            _unpack_when_used(base)
        model = get_peft_model(base, lora_config(recipe), low_cpu_mem_usage=True)
    if recipe.quantization == "nf4" and precision.name == "bf16":
        # As trl trains it: see trainer._adapter_in_fp32.
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.to(torch.bfloat16)
    return model, weights


def _unpack_when_used(base) -> None:
    """Have the linear layers but the last compute as bitsandbytes does with 4 bits: with weights
    that are unpacked for one product, forward and backward, and a copy of what comes of it.
    """
    import torch

    class Unpacked(torch.autograd.Function):
        @staticmethod
        def forward(ctx, states, weight):
            ctx.weight = weight
            return states @ torch.empty_like(weight).t()

        @staticmethod
        def backward(ctx, gradient):
            return gradient @ torch.empty_like(ctx.weight), None

    def computed(layer):
        def forward(states):
            out = Unpacked.apply(states, layer.weight)
            return (out if layer.bias is None else out + layer.bias).clone()

        return forward

    last = base.get_output_embeddings()
    for module in base.modules():
        if isinstance(module, torch.nn.Linear) and module is not last:
            module.forward = computed(module)  # type: ignore[method-assign]


@contextmanager
def _shapes_only(model) -> Iterator[None]:
    """Inside, the numbers of `model` are CPU tensors without values, and so is what is made."""
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        made: dict[int, Any] = {}
        for module in model.modules():
            for table in (module._parameters, module._buffers):
                for name, one in table.items():
                    if one is None:
                        continue
                    if id(one) not in made:
                        empty = torch.empty(one.shape, dtype=one.dtype, device="cpu")
                        if isinstance(one, torch.nn.Parameter):
                            empty = torch.nn.Parameter(empty, requires_grad=one.requires_grad)
                        made[id(one)] = empty
                    table[name] = made[id(one)]
        yield


def _peak_of_a_step(
    recipe: Recipe,
    precision: Precision,
    model,
    rows: int,
    length: int,
    learned: int,
    on_gpu: bool,
) -> float:
    """Bytes that live at once, at most, in a forward and a backward pass over a batch."""
    import torch

    model.train()
    if recipe.gradient_checkpointing:
        base = model.get_base_model()
        names = ("activation_checkpointing_enable", "gradient_checkpointing_enable")
        enable = next(getattr(base, name) for name in names if hasattr(base, name))
        enable({"use_reentrant": False})
        base.enable_input_require_grads()
    ids = torch.zeros(rows, length, dtype=torch.long)
    # Padding has a mask, and with it a grouped layer repeats its keys and values.
    mask = torch.ones(rows, 1, length, length, dtype=torch.bool) if rows > 1 else None
    half = precision.name != "fp32"
    computing = torch.autocast("cpu", precision.dtype) if half else nullcontext()
    positions, vocabulary = TILE
    positions = min(positions, learned)
    width = min(vocabulary, model.config.get_text_config().vocab_size)
    number = BYTES[precision.name]
    # The tile is as wide as a large vocabulary; what a small one leaves of it is never touched.
    tile = {int(positions * vocabulary * number): int(positions * width * number)}
    with _live_bytes([*model.parameters(), *model.buffers()], tile) as live, computing:
        if on_gpu:
            # There a kernel scores one tile of learned positions after the other, in place.
            inner = model.get_base_model().base_model
            states = inner(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
            loss = states.sum()
        else:
            where = torch.zeros(learned, dtype=torch.long)
            with only_positions(model.get_base_model().base_model, where, where):
                loss = model(
                    input_ids=ids,
                    attention_mask=mask,
                    shift_labels=where[None],
                    use_cache=False,
                    fused_lm_head=True,
                ).loss
        loss.backward()
    return live.peak + positions * width * number if on_gpu else live.peak


def _live_bytes(given, touched: Mapping[int, int]):
    """A mode of torch that follows which storages are made and freed; `peak` is the most that lived
    at once. given: tensors that are there before; a view of one makes nothing. touched: size of a
    storage -> how much of it is used.
    """
    from torch import Tensor
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    class Live(TorchDispatchMode):
        def __init__(self) -> None:
            super().__init__()
            self.now = self.peak = 0
            self.known = {one.untyped_storage()._cdata for one in given}

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            results = func(*args, **(kwargs or {}))
            for leaf in tree_leaves(results):
                if isinstance(leaf, Tensor):
                    self.add(leaf.untyped_storage())
            self.peak = max(self.peak, self.now)
            return results

        def add(self, storage) -> None:
            key, size = storage._cdata, touched.get(storage.nbytes(), storage.nbytes())
            if key not in self.known:
                self.known.add(key)
                self.now += size
                weakref.finalize(storage, self.drop, key, size)

        def drop(self, key: int, size: int) -> None:
            self.known.discard(key)
            self.now -= size

    return Live()
