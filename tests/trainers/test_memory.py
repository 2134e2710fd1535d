"""The estimate of a training's memory: the weights and the adapter by hand, a batch by how it
grows.
"""

import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from trainers import memory, preparation
from trainers.hardware import Precision, choose_precision
from trainers.recipe import read_recipe

FP32 = Precision("fp32", "")


def llama(**shape):
    from transformers import LlamaConfig

    sizes = {
        "vocab_size": 100,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    }
    return LlamaConfig(**(sizes | shape))


def recipe(**keys):
    given = {"model": "x", "quantization": "none", "gradient_checkpointing": "false"} | keys
    return read_recipe(None, given)


def test_in_4_bits_embeddings_keep_their_size():
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(llama(tie_word_embeddings=False))
    weights = memory.weights_of(model)
    # A layer: q and o 64x64, k and v 64x32, three of 64x128; norms of 64: two a layer, one at last.
    linear = 2 * (2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 128)
    assert weights == memory.Weights(linear + 5 * 64 + 2 * 100 * 64, linear)
    assert weights.size("fp32", False, True) == 4 * weights.all
    # Half a byte and one of four bytes for 64 weights; twice quantised, one byte for 64 and four
    # for 64 x 256.
    rest = 2 * (5 * 64 + 2 * 100 * 64)
    assert weights.size("bf16", True, False) == linear * 0.5 + linear / 64 * 4 + rest
    assert weights.size("bf16", True, True) == pytest.approx(
        linear * 0.5 + linear / 64 + linear / 64 / 256 * 4 + rest
    )
    # Llama 3.1 8B, whose embeddings are 2 x 128,256 x 4,096: 3.6 GB and 2.1, not 4.5 in all.
    eight = memory.Weights(8_030_261_248, 6_979_321_856)
    assert eight.size("bf16", True, True) == pytest.approx(5.7e9, rel=0.01)


def test_adapter_and_optimizer_are_counted_by_hand():
    # Rank 2 on q alone: 2 x (64 + 64) numbers a layer, two layers; weight and Adam's two, in fp32.
    one = memory.estimate(
        recipe(lora_r="2", lora_target="q_proj"), FP32, llama(), 1, 8, 8, False, 1
    )
    assert one.adapter == 2 * 2 * (64 + 64) * 12
    eight_bit = recipe(lora_r="2", lora_target="q_proj", optimizer="paged_adamw_8bit")
    assert memory.estimate(eight_bit, FP32, llama(), 1, 8, 8, False, 1).adapter == 2 * 2 * 128 * 6
    halved = memory.estimate(recipe(), FP32, llama(), 1, 8, 8, False, 2)
    assert halved.weights * 2 == memory.estimate(recipe(), FP32, llama(), 1, 8, 8, False, 1).weights


def test_a_batch_grows_with_its_tokens_and_the_vocabulary_and_shrinks_by_checkpointing():
    def batch(rows=2, length=128, on_gpu=False, vocabulary=100, learned=256, **keys):
        config = llama(vocab_size=vocabulary, num_hidden_layers=4)
        given = (config, rows, length, learned, on_gpu)
        return memory.estimate(recipe(**keys), FP32, *given, 1).batch

    plain = batch()
    assert 1.8 * plain < batch(rows=4) < 2.2 * plain
    assert batch(gradient_checkpointing="true") < 0.6 * plain
    # Scores of 256 positions over 8,000 tokens are 8 MB; more than three such tensors live at once.
    assert batch(vocabulary=8000) > plain + 3 * 256 * 7900 * 4
    assert batch(vocabulary=8000, on_gpu=True) < batch(vocabulary=8000)
    # Positions that teach nothing are not scored.
    scored = batch(vocabulary=8000) - batch(vocabulary=8000, learned=10)
    assert scored > 3 * 246 * 8000 * 4


def test_what_is_there_before_is_not_counted_again():
    # 16.8 million numbers in linear layers and embeddings, 67 MB; of one batch of 8 tokens little
    # is kept: the largest tensors of a layer are 8 x 2,048 numbers, and a trained one 512 x 2.
    big = llama(hidden_size=512, intermediate_size=2048, num_hidden_layers=4, vocab_size=2000)
    q = {"lora_r": "2", "lora_target": "q_proj"}
    one = memory.estimate(recipe(**q), FP32, big, 1, 8, 8, False, 1)
    assert one.weights > 60e6
    assert one.batch < 6e6


def test_in_4_bits_one_layer_at_a_time_is_unpacked():
    wide = {"hidden_size": 512, "intermediate_size": 2048}
    q = {"lora_r": "2", "lora_target": "q_proj"}

    def batch(**shape):
        nf4 = recipe(quantization="nf4", **q)
        return memory.estimate(nf4, FP32, llama(**wide, **shape), 1, 8, 8, False, 1).batch

    plain = memory.estimate(recipe(**q), FP32, llama(**wide), 1, 8, 8, False, 1).batch
    # A matrix of 512 x 2,048 in fp32, once, not once for each of two layers.
    assert batch() == pytest.approx(plain + 512 * 2048 * 4, rel=0.1)
    assert batch(num_hidden_layers=4) < batch() + 0.5 * 512 * 2048 * 4
    # The scores' matrix is larger, and is not in 4 bits.
    assert batch(vocab_size=4000) < batch() + 0.5 * 4000 * 512 * 4


FREED = """
from pathlib import Path
from trainers.hardware import return_freed_blocks

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

if {asked}:
    return_freed_blocks()
large = b"x" * 16_000_000
del large  # from now on glibc keeps blocks of up to that size
kept, before = [], resident()
for number in range(40):  # each block is larger than every hole that others left
    temporary = b"x" * (1_000_000 + number * 50_000)
    kept.append(b"y" * (1_000_000 + number * 50_000))
    del temporary
print(resident() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux and glibc")
def test_freed_blocks_between_kept_ones_do_not_stay_with_the_process():
    def grown(asked):
        words = [sys.executable, "-c", FREED.format(asked=asked)]
        return int(subprocess.run(words, capture_output=True, text=True, check=True).stdout)

    # Kept are 40 blocks of 2 MB on average, and as much was freed.
    assert grown(True) < 85e6
    assert grown(False) > 140e6


def test_a_base_that_cannot_run_on_shapes_is_said_and_trained_all_the_same(monkeypatch):
    def refuses(*_):
        raise RuntimeError("needs numbers\nand more")

    monkeypatch.setattr(preparation, "estimate", refuses)
    row = types.SimpleNamespace(ids=[1, 2, 3], learned=lambda: 2)
    prepared = types.SimpleNamespace(recipe=recipe(), precision=FP32, config=None)
    line = preparation.provide_memory(prepared, types.SimpleNamespace(rows=[row]), 1)
    assert line == "memory: not estimated for this base (RuntimeError: needs numbers)"


def test_too_little_memory_is_said_with_what_needs_less(monkeypatch):
    monkeypatch.setattr(preparation, "free_memory", lambda: (1e5, "this machine"))
    row = types.SimpleNamespace(ids=[1] * 8, learned=lambda: 4)
    prepared = types.SimpleNamespace(
        recipe=recipe(), precision=choose_precision("fp32"), config=llama()
    )
    line = preparation.provide_memory(prepared, types.SimpleNamespace(rows=[row] * 9), 1)
    assert "a batch of 4 x 8 tokens" in line
    assert line.endswith(
        "Should it run out, this needs less: gradient_checkpointing: true"
        " (about 20 % slower, the same result)"
    )


@pytest.mark.parametrize("free, back", [(1e12, False), (2.5e6, True), (1e5, True)])
def test_freed_memory_goes_back_where_there_is_little(free, back, monkeypatch):
    asked = []
    monkeypatch.setattr(preparation, "free_memory", lambda: (free, "this machine"))
    monkeypatch.setattr(preparation, "return_freed_blocks", lambda: asked.append(1))
    row = types.SimpleNamespace(ids=[1] * 8, learned=lambda: 4)
    prepared = types.SimpleNamespace(recipe=recipe(), precision=FP32, config=llama())
    line = preparation.provide_memory(prepared, types.SimpleNamespace(rows=[row] * 9), 1)
    assert (asked == [1]) == back
    assert ("freed memory goes back at once" in line) == back


STEP = """
import re, sys
import torch
from peft import get_peft_model
from transformers import AutoModelForCausalLM
from csc_tasks.compat.trl import add_head
from tests.trainers.test_memory import FP32, llama, recipe
from trainers import memory
from trainers.hardware import return_freed_blocks
from trainers.library_arguments import lora_config
from trainers.row_losses import only_positions

def resident(what):
    return int(re.search(what + r":\\s+(\\d+) kB", open("/proc/self/status").read())[1]) * 1024

hidden, layers, learned = map(int, sys.argv[1:])
config = llama(vocab_size=30_000, hidden_size=hidden, intermediate_size=3 * hidden,
               num_hidden_layers=layers)
# Run first: it loads the code that the step runs.
estimate = memory.estimate(recipe(), FP32, config, 4, 256, learned, False, 1)
return_freed_blocks()
before = resident("VmRSS")
model = AutoModelForCausalLM.from_config(config)
add_head(model)
model = get_peft_model(model, lora_config(recipe())).train()
ids = torch.randint(30_000, (4, 256))
rows, places = torch.arange(learned) % 4, torch.arange(learned) // 4
with only_positions(model.get_base_model().base_model, rows, places):
    model(input_ids=ids, attention_mask=torch.ones_like(ids), shift_labels=ids[rows, places][None],
          use_cache=False, fused_lm_head=True).loss.backward()
optimizer = torch.optim.AdamW(p for p in model.parameters() if p.requires_grad)
optimizer.step()
print(estimate.total, resident("VmHWM") - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's own count")
@pytest.mark.parametrize(
    "hidden, layers, learned", [(64, 2, 1000), (256, 12, 40)], ids=["scores", "layers"]
)
def test_a_step_takes_what_was_estimated(hidden, layers, learned):
    """In a process of its own: peaks are those of a process. One is mostly scores, one layers."""
    words = [sys.executable, "-c", STEP, *map(str, (hidden, layers, learned))]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    estimated, measured = map(float, done.stdout.split()[-2:])
    assert estimated > 0.3e9
    assert estimated == pytest.approx(measured, rel=0.2)
