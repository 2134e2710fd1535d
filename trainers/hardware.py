"""What the machine can do: number format, 4-bit weights, and whether a base model fits into its
memory.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from csc_tasks.errors import ModelError, SettingError, require

M_MMAP_THRESHOLD = -3
"""The parameter's number in glibc's malloc.h."""

LARGE_BLOCK = 128 * 1024
"""Bytes from which a block is large; what glibc starts with."""


@dataclass(frozen=True, slots=True)
class Precision:
    """A number format ("bf16", "fp16" or "fp32") and why it was taken."""

    name: str
    reason: str

    @property
    def dtype(self):
        """The torch dtype."""
        import torch

        return {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}[self.name]

    @property
    def dtype_name(self) -> str:
        """As lm_eval's model arguments spell it."""
        return {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}[self.name]


def choose_precision(wanted: str) -> Precision:
    """The format asked for, or with "auto" the best the hardware has. Raises SettingError for one
    that it cannot do.
    """
    import torch

    cuda = torch.cuda.is_available()
    if wanted == "auto":
        if cuda and torch.cuda.is_bf16_supported(including_emulation=False):
            return Precision("bf16", f"{torch.cuda.get_device_name()} computes in bf16")
        if cuda:
            return Precision("fp16", f"{torch.cuda.get_device_name()} has no bf16")
        return Precision("fp32", "there is no GPU, and CPUs train fastest and most exactly in fp32")
    if wanted == "fp16" and not cuda:
        raise SettingError("precision: fp16 needs a CUDA GPU; leave it at auto")
    if wanted == "bf16" and cuda and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise SettingError(
            f"precision: {torch.cuda.get_device_name()} has no bf16; leave it at auto"
        )
    return Precision(wanted, "the recipe asks for it")


def quantization_config(precision: Precision, double: bool):
    """bitsandbytes' NF4 with 16- or 32-bit computing."""
    from transformers import BitsAndBytesConfig

    require("bitsandbytes", "train", "4-bit training (quantization: nf4)")
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=double,
        bnb_4bit_compute_dtype=precision.dtype,
        # FSDP shards tensors of one type only, so the packed weights are stored in the type of
        # everything else.
        bnb_4bit_quant_storage=precision.dtype if precision.name != "fp32" else None,
    )


def check_memory(
    needed: Mapping[str, float], kind: str, free: float | None, where: str, parts: int = 1
) -> None:
    """Raise ModelError when a base's weights do not fit into `free` bytes (None: not known), with
    what would fit.

    needed: bytes of the weights in each kind (fp32, bf16, nf4; `kind` among them). `parts`: over
    how many such places they are spread. What training needs beside them is in memory.estimate.
    """
    if free is None or needed[kind] <= free * parts:
        return
    free *= parts
    where = f"{where} ({parts} of them)" if parts > 1 else where
    fitting = [
        name for name in ("bf16", "nf4") if needed[name] <= free and needed[name] < needed[kind]
    ]
    ways = [{"bf16": "precision: bf16", "nf4": "quantization: nf4"}[name] for name in fitting]
    smaller = f"a base of at most {100 * free / needed['nf4']:.0f} % of its size"
    raise ModelError(
        f"the base's weights take {needed[kind] / 1e9:.1f} GB in {kind},"
        f" and {where} has {free / 1e9:.1f} GB free; what would fit: {' or '.join(ways) or smaller}"
    )


def shards(processes: int) -> int:
    """Over how many processes the base's weights are spread: under FSDP, of which `accelerate
    launch` tells, all; else each has its own.
    """
    return processes if os.environ.get("ACCELERATE_USE_FSDP", "").lower() == "true" else 1


def is_first_process() -> bool:
    """Whether this process prints, scores and publishes (under `accelerate launch` there are
    several).
    """
    return os.environ.get("RANK", "0") == "0"


def release_memory() -> None:
    """Give the memory of a training that has ended back, so that the next model, or the process
    that scores this one, finds it free.
    """
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def return_freed_blocks() -> None:
    """Have glibc give every freed block of 128 KiB or more back to the system at once.

    By itself it does so until the first large block is freed, and keeps blocks of up to that size
    afterwards (M_MMAP_THRESHOLD in mallopt(3)). In training what layers keep for the backward pass
    then comes to lie between freed temporaries, and the process grows by hundreds of megabytes that
    nothing uses. Given back, every block costs the time that the system takes to fill a new one
    with zeros. Elsewhere than on Linux with glibc nothing changes.
    """
    import ctypes

    try:
        ctypes.CDLL("libc.so.6").mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK)
    except (OSError, AttributeError):
        return


def free_memory() -> tuple[float | None, str]:
    """Free bytes where the model will be, and the name of that place."""
    import torch

    if torch.cuda.is_available():
        return float(torch.cuda.mem_get_info()[0]), torch.cuda.get_device_name()
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return (
            next(
                float(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable")
            ),
            "this machine",
        )
    except (OSError, StopIteration, ValueError):
        return None, "this machine"


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on the GPU or off it."""
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and (
        "can't allocate memory" in str(error) or "out of memory" in str(error).lower()
    )


def what_would_fit(
    batch_size: int, accumulation: int, max_length: int, checkpointing: bool, quantized: bool
) -> str:
    """What to change after memory ran out in training, the cheapest way first."""
    if not checkpointing:
        return "gradient_checkpointing: true (about 20 % slower, the same result)"
    if batch_size > 1:
        half = batch_size // 2
        return (
            f"batch_size: {half} with accumulation: {accumulation * batch_size // half} (the same"
            " result)"
        )
    if not quantized:
        return "quantization: nf4"
    return f"max_length: {max_length // 2} (longer rows lose oldest turns), or a smaller base"
