"""Linear layers of a model on a CPU, in float32 or bfloat16, with their weights in oneDNN's own
layout, while it plays.

Decoding multiplies a few rows by every weight, the vocabulary's most of all. MKL's product for so
few rows reads memory at a fraction of its speed, and weights in bfloat16 are put into that layout
anew for every product. The weights are held twice while this is open, so memory must have room for
them.
"""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

log = logging.getLogger("lm_eval.csc_tasks")

MEMORY, CONTAINER = Path("/proc/meminfo"), Path("/sys/fs/cgroup")
OWN_GROUP = Path("/proc/self/cgroup")
"""Where Linux says how much memory there is, and in which control group of the tree this process
is: a container's is the root of what it sees, a batch system's job has one further down.
"""
SHARE = 0.5
"""The second copy may take this share of the memory that is free."""
SMALLEST = 2**14
"""Weights of fewer elements are left as they are: they stay in the processor's cache."""
PROBED = (1, 33)
"""So many rows are multiplied both ways before a layer is taken."""


@contextmanager
def packed(model: "nn.Module", mixed_precision: object = None) -> Iterator[None]:
    """While this is open, the model's linear layers compute the same in less time where they can;
    everything else of the model stays as it is.

    mixed_precision: the type that autocast computes in, if any. It would give the layers states of
    that type, which packed weights do not take: nothing is packed then.
    """
    layers = [] if mixed_precision else _layers(model)
    needed, free = sum(layer.weight.nbytes for layer in layers), _free_memory()
    if needed > SHARE * free:
        log.info(
            "csc: weights are not packed, so replies take longer: a second copy of %.1f GB needs"
            " %.1f GB of free memory, and %.1f are free",
            needed / 1e9,
            needed / SHARE / 1e9,
            free / 1e9,
        )
        layers = []
    packed_layers = []
    try:
        for layer in layers:
            forward = _packed(layer)
            if forward is None:
                break
            # On the instance, in front of the class's own.
            layer.__dict__["forward"] = forward
            packed_layers.append(layer)
        yield
    finally:
        for layer in packed_layers:
            del layer.__dict__["forward"]


def _layers(model: "nn.Module") -> "list[nn.Linear]":
    """The layers that are meant: plain ones, which nothing has changed or watches."""
    import torch

    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]  # as torch has it
        return []
    return [
        module
        for module in model.modules()
        if type(module) is torch.nn.Linear
        and "forward" not in module.__dict__
        and type(module.weight) is torch.nn.Parameter
        and module.weight.dtype in (torch.float32, torch.bfloat16)
        and module.weight.device.type == "cpu"
        and module.weight.numel() >= SMALLEST
    ]


def _packed(layer: "nn.Linear") -> "Callable[[Tensor], Tensor] | None":
    """The layer's forward pass with a packed weight; None where this machine's oneDNN has none that
    gives the same: in float32 but for the order of sums, in bfloat16 to the last bit.
    """
    import torch

    try:
        operators = torch.ops.mkldnn
        weight = operators._reorder_linear_weight(layer.weight.detach())
        forward = partial(_multiply, operators._linear_pointwise, weight, layer.bias)
        same = all(_same(layer, forward, rows) for rows in PROBED)
    except (AttributeError, NotImplementedError, RuntimeError):
        return None
    return forward if same else None


def _same(layer: "nn.Linear", forward: "Callable[[Tensor], Tensor]", rows: int) -> bool:
    """Whether both give the same of so many rows."""
    import torch

    probe = torch.linspace(-1, 1, rows * layer.in_features, dtype=layer.weight.dtype)
    probe = probe.view(rows, -1)
    with torch.no_grad():
        expected = torch.nn.functional.linear(probe, layer.weight, layer.bias)
        actual = forward(probe)
    if layer.weight.dtype == torch.float32:
        return torch.allclose(actual, expected, rtol=1e-3, atol=1e-4)
    return torch.equal(actual, expected)


def _multiply(
    operator: "Callable[..., Tensor]", weight: "Tensor", bias: "Tensor | None", input: "Tensor"
) -> "Tensor":
    return operator(input, weight, bias, "none", [], "")


def _free_memory() -> int:
    """Bytes that this process may still take: what Linux has available, within the limits of its
    control group and of those above it; 0 where that is not known.
    """
    try:
        line = re.search(r"MemAvailable:\s+(\d+) kB", MEMORY.read_text())
    except OSError:
        return 0
    available = int(line[1]) * 1024 if line else 0
    return min([available, *_room_of_groups()])


def _room_of_groups() -> Iterator[int]:
    """What the limit of each control group that has one leaves."""
    try:
        own = re.search(r"^0::/(.*)$", OWN_GROUP.read_text(), re.MULTILINE)
    except OSError:
        own = None
    group = CONTAINER / own[1] if own else CONTAINER
    for folder in (group, *group.parents):
        try:
            limit, used = ((folder / name).read_text() for name in ("memory.max", "memory.current"))
            yield int(limit) - int(used)
        except (OSError, ValueError):
            # No such group is seen from here, or it has no limit ("max").
            pass
        if folder == CONTAINER:
            return
