"""What the machine can do: number formats, and whether a base fits into its memory."""

import pytest

from csc_tasks.errors import ModelError, SettingError
from trainers import hardware

SEVEN = {"fp32": 28e9, "fp16": 14e9, "bf16": 14e9, "nf4": 4.5e9}
"""Bytes of seven billion weights in each kind."""


def test_a_base_that_does_not_fit_is_refused_with_what_would():
    with pytest.raises(
        ModelError,
        match=r"weights take 28\.0 GB in fp32, and here has 20\.0 GB .*precision: bf16 or q",
    ):
        hardware.check_memory(SEVEN, "fp32", 20e9, "here")
    with pytest.raises(ModelError, match=r"what would fit: quantization: nf4$"):
        hardware.check_memory(SEVEN, "bf16", 8e9, "here")
    with pytest.raises(ModelError, match=r"a base of at most 40 % of its size"):
        hardware.check_memory(SEVEN, "nf4", 1.8e9, "here")
    hardware.check_memory(SEVEN, "nf4", 8e9, "here")
    hardware.check_memory(SEVEN, "fp32", None, "here")


def test_under_fsdp_the_base_is_spread_over_all_processes(monkeypatch):
    monkeypatch.delenv("ACCELERATE_USE_FSDP", raising=False)
    assert hardware.shards(4) == 1
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    assert hardware.shards(4) == 4
    # Ten times as many take 45 GB in NF4: too much for one GPU of 24, not for two.
    seventy = {kind: 10 * size for kind, size in SEVEN.items()}
    with pytest.raises(ModelError, match=r"here has 24\.0 GB"):
        hardware.check_memory(seventy, "nf4", 24e9, "here")
    hardware.check_memory(seventy, "nf4", 24e9, "here", 2)
    with pytest.raises(ModelError, match=r"here \(2 of them\) has 20\.0 GB"):
        hardware.check_memory(seventy, "nf4", 10e9, "here", 2)


def test_after_memory_ran_out_the_cheapest_way_comes_first():
    assert hardware.what_would_fit(8, 2, 512, False, False).startswith(
        "gradient_checkpointing: true"
    )
    assert (
        hardware.what_would_fit(8, 2, 512, True, False)
        == "batch_size: 4 with accumulation: 4 (the same result)"
    )
    assert hardware.what_would_fit(1, 2, 512, True, False) == "quantization: nf4"
    assert hardware.what_would_fit(1, 2, 512, True, True).startswith("max_length: 256")


def test_the_precision_is_chosen_by_the_hardware_and_said(monkeypatch):
    import torch

    assert (found := hardware.choose_precision("auto")).name == "fp32" and "no GPU" in found.reason
    assert hardware.choose_precision("bf16").dtype_name == "bfloat16"
    with pytest.raises(SettingError, match="fp16 needs a CUDA GPU"):
        hardware.choose_precision("fp16")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Old GPU")
    for capable, expected in ((True, "bf16"), (False, "fp16")):
        monkeypatch.setattr(
            torch.cuda, "is_bf16_supported", lambda including_emulation, capable=capable: capable
        )
        assert hardware.choose_precision("auto").name == expected
    with pytest.raises(SettingError, match="Old GPU has no bf16"):
        hardware.choose_precision("bf16")
