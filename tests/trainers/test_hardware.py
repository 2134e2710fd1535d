"""What the machine can do: number formats, and whether a base fits into its memory."""

import pytest

from csc_tasks.errors import ModelError, SettingError
from trainers import hardware


def test_a_base_that_does_not_fit_is_refused_with_what_would():
    # 7 billion weights: 28 GB in fp32, 14 in bf16, about 4 in NF4.
    with pytest.raises(
        ModelError,
        match=(
            r"7\.00 billion weights take 28\.0 GB in fp32, and here has 20\.0 GB .*precision: bf16"
            r" or q"
        ),
    ):
        hardware.check_memory(7_000_000_000, "fp32", 20e9, "here")
    with pytest.raises(ModelError, match=r"what would fit: quantization: nf4$"):
        hardware.check_memory(7_000_000_000, "bf16", 8e9, "here")
    with pytest.raises(ModelError, match=r"a base of at most 3\.6 billion parameters"):
        hardware.check_memory(7_000_000_000, "nf4", 2e9, "here")
    hardware.check_memory(7_000_000_000, "nf4", 8e9, "here")
    hardware.check_memory(7_000_000_000, "fp32", None, "here")


def test_under_fsdp_the_base_is_spread_over_all_processes(monkeypatch):
    monkeypatch.delenv("ACCELERATE_USE_FSDP", raising=False)
    assert hardware.shards(4) == 1
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    assert hardware.shards(4) == 4
    # 70 billion weights in NF4 take 39 GB: too much for one GPU of 24, not for two.
    with pytest.raises(ModelError, match=r"here has 24\.0 GB"):
        hardware.check_memory(70_000_000_000, "nf4", 24e9, "here")
    hardware.check_memory(70_000_000_000, "nf4", 24e9, "here", 2)
    with pytest.raises(ModelError, match=r"here \(2 of them\) has 20\.0 GB"):
        hardware.check_memory(70_000_000_000, "nf4", 10e9, "here", 2)


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
