"""What makes lockstep play's passes fast, each against the usual way of computing the same."""

import pytest
import torch

from csc_tasks.play import attention, eligible, linears, rows
from csc_tasks.play.rows import Rows
from csc_tasks.play.stop import Stop
from tests.support.fakes import sample_conversations, write_corpus
from tests.support.play_models import random_model
from tests.support.playing import backend, run, same


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Two conversations of seven scored turns together, in two languages."""
    english, chinese = sample_conversations(("en",)), sample_conversations(("zh",))
    return write_corpus(tmp_path_factory.mktemp("corpus"), [english[2], chinese[1]], [])


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return backend(random_model(tmp_path_factory.mktemp("model"), "Llama"))


@pytest.fixture
def shared(monkeypatch):
    """How many tokens the rows shared in every step that made use of it."""
    lengths = []
    sharing = rows.sharing
    monkeypatch.setattr(rows, "sharing", lambda *args: lengths.append(args[2]) or sharing(*args))
    return lengths


@pytest.mark.parametrize("kind", ["Qwen2", "Qwen3", "Llama", "GPT2", "Mixtral", "Phi3", "Gemma"])
def test_replies_are_those_of_the_plain_way(tmp_path, corpus, kind, shared, monkeypatch):
    """Packed weights, and instructions that all rows share, in reference context."""
    monkeypatch.setattr(linears, "SMALLEST", 1)
    lm = backend(random_model(tmp_path, kind))
    same(lm, corpus, ["csc_conv_ref"], (3,), apply_chat_template=True)
    assert shared and min(shared) >= attention.LEAST


@pytest.mark.parametrize("style", ["single", "chat"])
def test_rows_stay_full_until_no_turn_is_left(model, corpus, style, monkeypatch):
    assert eligible.why_plain(model, [], False, 4000) is None, "no other trial follows"
    steps, started = [], []
    step, new_reply = Rows.step, Stop.new_reply
    monkeypatch.setattr(Rows, "step", lambda self, ids: steps.append(ids) or step(self, ids))
    monkeypatch.setattr(
        Stop,
        "new_reply",
        lambda self, *asked: started.append(len(steps)) or new_reply(self, *asked),
    )
    run(
        model,
        corpus,
        ["csc_conv_ref"],
        "auto",
        3,
        apply_chat_template=True,
        metadata={"csc_prompt": style},
    )
    assert len(started) == 7
    # One row in four may wait for its last tokens to be encoded, which with three rows is none.
    assert all(None not in ids for ids in steps[: started[-1]])


def test_attention_over_a_shared_prefix_is_usual_attention(model):
    """Grouped heads, rows of other lengths, one that is idle and holds something else."""
    start = list(range(3, 3 + attention.LEAST + 6))
    prompts = [[*start, 200], [*start, *range(100, 140)], [9, 8, 7], [*start, 5, 6]]

    def logits(can_share: bool) -> tuple[torch.Tensor, tuple[int, int] | None]:
        made = Rows(model, 4)
        made.can_share = made.can_share and can_share
        made.encode(range(4), prompts)
        made.step([11, 12, None, 13])
        return made.step([21, 22, None, 23])[[0, 1, 3]], made._shared

    usual, nothing = logits(False)
    ours, together = logits(True)
    assert nothing == (0, 0) and together == (0, len(start))
    torch.testing.assert_close(ours, usual, rtol=1e-4, atol=1e-4)
    assert model.model.config._attn_implementation == "sdpa"


def test_rows_that_share_little_or_are_alone_share_nothing(model):
    made = Rows(model, 2)
    made.encode([0, 1], [list(range(3, 60)), list(range(4, 70))])
    made.step([5, 6])
    assert made._shared == (0, 0)
    alone = Rows(model, 1)
    alone.encode([0], [list(range(3, 200))])
    alone.step([5])
    assert alone._shared == (0, 0)


def test_attention_with_arguments_of_its_own_is_left_to_transformers(model):
    torch.manual_seed(0)
    query, key = torch.randn(2, 4, 1, 8), torch.randn(2, 2, 90, 8)
    mask = torch.ones(2, 1, 1, 90, dtype=torch.bool)
    layer = model.model.model.layers[0].self_attn
    with pytest.raises(ValueError, match="softcap"):
        attention._attention(layer, query, key, key, mask, softcap=30.0)
    ours, _ = attention._attention(layer, query, key, key, mask, sliding_window=64)
    expected = torch.nn.functional.scaled_dot_product_attention(
        query, key, key, mask, enable_gqa=True
    )
    torch.testing.assert_close(ours, expected.transpose(1, 2))


def test_only_float32_on_a_cpu_with_attention_that_can_be_exchanged(model, tmp_path):
    assert attention.can_share(model.model)
    half = backend(random_model(tmp_path / "half"), dtype="bfloat16")
    assert not attention.can_share(half.model)
    eager = backend(random_model(tmp_path / "eager"), attn_implementation="eager")
    assert not attention.can_share(eager.model)


def test_packed_layers_give_the_same_and_are_put_back(model, monkeypatch):
    monkeypatch.setattr(linears, "SMALLEST", 1)
    inner = model.model
    ids = torch.arange(3, 40)[None]
    layers = [module for module in inner.modules() if type(module) is torch.nn.Linear]
    with torch.no_grad():
        expected = inner(ids).logits
        with linears.packed(inner):
            assert all("forward" in layer.__dict__ for layer in layers) and len(layers) > 10
            actual = inner(ids).logits
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)
        assert not any("forward" in layer.__dict__ for layer in layers)
        assert torch.equal(inner(ids).logits, expected)


def test_packed_bfloat16_is_the_same_to_the_last_bit(monkeypatch):
    """Where this processor multiplies bfloat16 in oneDNN; elsewhere the layers stay as they are."""
    monkeypatch.setattr(linears, "SMALLEST", 1)
    torch.manual_seed(0)
    layers = [torch.nn.Linear(72, 500), torch.nn.Linear(500, 40, bias=False)]
    model = torch.nn.Sequential(*layers).bfloat16()
    for count in (1, 2, 7, 16, 100):
        states = torch.randn(count, 72, dtype=torch.bfloat16)
        with torch.no_grad():
            expected = model(states)
            with linears.packed(model):
                here = torch.ops.mkldnn._is_mkldnn_bf16_supported()
                assert all(("forward" in layer.__dict__) == here for layer in layers)
                assert torch.equal(model(states), expected)


def test_bfloat16_that_is_not_the_same_is_left_alone(monkeypatch):
    monkeypatch.setattr(linears, "SMALLEST", 1)
    torch.manual_seed(0)
    layer = torch.nn.Linear(64, 64).bfloat16()
    sums = linears._multiply
    monkeypatch.setattr(linears, "_multiply", lambda *args: sums(*args) * (1 + 2**-7))
    with linears.packed(layer):
        assert "forward" not in layer.__dict__


def test_a_layer_with_a_bias_and_one_column_of_a_pass(monkeypatch):
    monkeypatch.setattr(linears, "SMALLEST", 1)
    torch.manual_seed(0)
    layer = torch.nn.Linear(24, 40)
    states = torch.randn(3, 5, 24)
    with torch.no_grad():
        expected = layer(states[:, -1:])
        with linears.packed(layer):
            torch.testing.assert_close(layer(states[:, -1:]), expected)


def test_autocast_computes_in_its_own_type(tmp_path, corpus, monkeypatch):
    """Packed weights would be given states in bfloat16, which they do not take."""
    monkeypatch.setattr(linears, "SMALLEST", 1)
    lm = backend(random_model(tmp_path), mixed_precision_dtype="bfloat16")
    with linears.packed(lm.model, lm.mixed_precision_dtype):
        assert not any("forward" in module.__dict__ for module in lm.model.modules())
    samples, passes = run(lm, corpus, ["csc_conv_ref"], "auto", gen_kwargs="max_gen_toks=2")
    assert passes and len(samples["csc_conv_ref"]) == 7


def test_layers_are_put_back_after_an_interruption(model, corpus, monkeypatch):
    monkeypatch.setattr(linears, "SMALLEST", 1)
    packed_layers = []

    def interrupted(self, ids):
        packed_layers.extend(m for m in model.model.modules() if "forward" in m.__dict__)
        raise KeyboardInterrupt

    monkeypatch.setattr(Rows, "step", interrupted)
    monkeypatch.setattr(eligible, "_tried", lambda *_: None)
    with pytest.raises(KeyboardInterrupt):
        run(model, corpus, ["csc_conv_ref"], "auto")
    assert packed_layers
    assert not any("forward" in module.__dict__ for module in model.model.modules())


@pytest.mark.parametrize("how", ["no room", "no oneDNN", "an operator that has changed", "wrong"])
def test_layers_stay_as_they_are_where_packing_is_not_possible(model, monkeypatch, caplog, how):
    caplog.set_level("INFO", "lm_eval.csc_tasks")
    monkeypatch.setattr(linears, "SMALLEST", 1)
    if how == "no room":
        monkeypatch.setattr(linears, "_free_memory", lambda: 1000)
    elif how == "no oneDNN":
        monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    elif how == "wrong":
        monkeypatch.setattr(linears, "_multiply", lambda *args: args[-1] @ args[1].to_dense())
    else:
        monkeypatch.setattr(linears, "_multiply", lambda *_: torch.ops.mkldnn.no_such_operator)
    with linears.packed(model.model):
        assert not any("forward" in module.__dict__ for module in model.model.modules())
    assert ("weights are not packed" in caplog.text) == (how == "no room")


def test_only_plain_layers_in_float32_or_bfloat16_are_packed():
    class Own(torch.nn.Linear):
        pass

    watched = torch.nn.Linear(200, 200)
    watched.__dict__["forward"] = watched.forward
    module = torch.nn.ModuleList(
        [Own(200, 200), torch.nn.Linear(200, 200).half(), torch.nn.Linear(8, 8), watched]
    )
    assert linears._layers(module) == []
    module.extend([torch.nn.Linear(200, 200), torch.nn.Linear(200, 200).bfloat16()])
    assert linears._layers(module) == list(module[-2:])


def test_memory_within_a_container(tmp_path, monkeypatch):
    monkeypatch.setattr(linears, "OWN_GROUP", tmp_path / "none")
    monkeypatch.setattr(linears, "MEMORY", tmp_path / "meminfo")
    monkeypatch.setattr(linears, "CONTAINER", tmp_path)
    assert linears._free_memory() == 0
    (tmp_path / "meminfo").write_text("MemTotal:  9000 kB\nMemAvailable:    4000 kB\n")
    assert linears._free_memory() == 4000 * 1024
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("500\n")
    assert linears._free_memory() == 4000 * 1024
    (tmp_path / "memory.max").write_text("1500\n")
    assert linears._free_memory() == 1000


def test_memory_within_a_job_of_a_batch_system(tmp_path, monkeypatch):
    """Its control group is not the root of what a process sees; a limit may stand above it."""
    (tmp_path / "meminfo").write_text("MemAvailable:    4000 kB\n")
    (tmp_path / "cgroup").write_text("1:name=x:/else\n0::/system.slice/job_7/step_0\n")
    job = tmp_path / "system.slice" / "job_7"
    (job / "step_0").mkdir(parents=True)
    monkeypatch.setattr(linears, "MEMORY", tmp_path / "meminfo")
    monkeypatch.setattr(linears, "CONTAINER", tmp_path)
    monkeypatch.setattr(linears, "OWN_GROUP", tmp_path / "cgroup")
    assert linears._free_memory() == 4000 * 1024
    for folder, limit in ((job / "step_0", "max"), (job, "9000"), (tmp_path, "9500")):
        (folder / "memory.max").write_text(f"{limit}\n")
        (folder / "memory.current").write_text("2000\n")
    assert linears._free_memory() == 7000


def test_slots_that_will_be_needed_are_there_from_the_start(model):
    """Adding some copies the whole cache, so what is expected is taken at once; more may come."""
    reserved, grown = Rows(model, 2, slots=300), Rows(model, 2)
    prompts = [list(range(3, 40)), list(range(50, 80))]
    logits = [rows.encode([0, 1], prompts) for rows in (reserved, grown)]
    held = [(rows.layers[0].keys.shape[2], rows.layers[0].keys) for rows in (reserved, grown)]
    assert [slots for slots, _ in held] == [384, 128]
    # Nobody looks at what was reserved, and it is no NaN.
    assert not held[0][1][:, :, 40:].any()
    assert all(torch.equal(logits[0][row], logits[1][row]) for row in (0, 1))
    longer = [3 + place % 200 for place in range(400)]
    after = [rows.encode([0], [longer])[0] for rows in (reserved, grown)]
    assert reserved.layers[0].keys.shape[2] == grown.layers[0].keys.shape[2] == 512
    assert torch.equal(*after)
