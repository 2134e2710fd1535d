"""`csc train --merge`:

The merged model is the adapter on its base, weights, prompts and stop marks alike, or nothing is
written.
"""

import json
import shutil
from pathlib import Path

import pytest

from csc_tasks import adapter as scoring
from csc_tasks.errors import ModelError
from tests.support.chat_tokenizers import template as stock
from tests.support.play_models import random_model
from tests.support.thinking_templates import TEMPLATES, make_tokenizer, tokenizer_of
from trainers import merge as merging
from trainers.adapter import fingerprint
from trainers.merge import merge
from trainers.merge_check import compare, demo_turns
from trainers.recipe import Recipe, as_dict
from trainers.rendering import Rendering
from trainers.served import check_prompts, name_stop, template_as_trained

# name -> (what LoraConfig is given, whether input and output embeddings differ afterwards).
# {e} and {h}: what the base calls them.
ADAPTERS = {
    "all-linear": ({"target_modules": "all-linear"}, False),
    "rslora": ({"target_modules": ["{q}"], "use_rslora": True}, False),
    "bias": ({"target_modules": ["{q}"], "bias": "lora_only"}, False),
    "embeddings": ({"target_modules": ["{q}", "{e}"]}, True),
    "head": ({"target_modules": ["{q}", "{h}"]}, True),
    "both": ({"target_modules": ["{q}", "{e}", "{h}"]}, True),
    "embeddings in full": ({"target_modules": ["{q}"], "modules_to_save": ["{e}"]}, True),
    "head in full": ({"target_modules": ["{q}"], "modules_to_save": ["{h}"]}, True),
    "both in full": ({"target_modules": ["{q}"], "modules_to_save": ["{e}", "{h}"]}, True),
    "some tokens": ({"target_modules": ["{q}"], "trainable_token_indices": [5, 70, 200]}, False),
    "tied adapters": ({"target_modules": ["{q}", "{e}"], "ensure_weight_tying": True}, False),
    "tied in full": (
        {"target_modules": ["{q}"], "modules_to_save": ["{e}"], "ensure_weight_tying": True},
        False,
    ),
    "dora": ({"target_modules": ["{q}", "{e}"], "use_dora": True}, True),
}
CASES = [
    *(("Llama", True, name) for name in ADAPTERS),
    *(("Llama", False, name) for name in ("embeddings", "head", "both in full", "dora")),
    *((kind, True, "embeddings") for kind in ("Qwen2", "Qwen3", "Gemma", "GPT2", "Qwen3Moe")),
    *((kind, True, "head") for kind in ("Qwen3", "Gemma", "GPT2")),
    ("GPT2", True, "all-linear"),
    ("GPT2", False, "both"),
]
MORE = {"Qwen3Moe": {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}}


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    """(kind, tied) -> the folder of a random base, each made once."""
    made = {}

    def get(kind, tied):
        if (kind, tied) not in made:
            folder = tmp_path_factory.mktemp("base") / f"{kind}-{tied}"
            made[kind, tied] = random_model(
                folder, kind, tie_word_embeddings=tied, **MORE.get(kind, {})
            )
        return made[kind, tied]

    return get


def load(folder):
    import torch
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def make_adapter(base: Path, out: Path, settings: dict, size: float = 0.1) -> Path:
    """An adapter with random weights for `base`."""
    import torch
    from peft import LoraConfig, get_peft_model

    model = load(base)
    gpt2 = model.config.model_type == "gpt2"
    names = {
        "{q}": "c_attn" if gpt2 else "q_proj",
        "{e}": "wte" if gpt2 else "embed_tokens",
        "{h}": "lm_head",
    }
    settings = {
        key: [names.get(one, one) for one in value] if isinstance(value, list) else value
        for key, value in settings.items()
    }
    torch.manual_seed(1)
    adapted = get_peft_model(
        model, LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=8, **settings)
    )
    for parameter in adapted.parameters():
        if parameter.requires_grad:
            parameter.data += size * torch.randn_like(parameter)
    adapted.save_pretrained(out)
    return out


def record_of(base: Path, **recipe) -> dict:
    """What a training on `base` would have recorded, as far as a merge reads it."""
    settings = {"model": str(base), "quantization": "none", **recipe}
    return {
        "recipe": as_dict(Recipe(**settings)),
        "base": fingerprint(str(base), None),
        "identity": "this training",
    }


def answers(model) -> list:
    """Logits on tokens that no merge has seen;

    Some of those that one adapter trains are among them.
    """
    import torch

    ids = torch.randint(3, 259, (2, 40), generator=torch.Generator().manual_seed(7))
    ids[0, :3] = torch.tensor([5, 70, 200])
    with torch.no_grad():
        return list(model(input_ids=ids).logits.float())


def adapted(base: Path, adapter: Path) -> list:
    from peft import PeftModel

    return answers(PeftModel.from_pretrained(load(base), str(adapter)).eval())


@pytest.mark.parametrize(("kind", "tied", "name"), CASES, ids=lambda value: str(value))
def test_a_merged_model_answers_as_the_adapter_does(bases, tmp_path, kind, tied, name):
    from lm_eval.models.huggingface import HFLM

    settings, apart = ADAPTERS[name]
    base, lines = bases(kind, tied), []
    adapter = make_adapter(base, tmp_path / "adapter", settings)
    wanted = adapted(base, adapter)
    assert compare(wanted, answers(load(base))).difference > 0.1
    record = merge(adapter, record_of(base), tmp_path / "merged", lines.append)
    assert record["untied"] == (["lm_head.weight"] if tied and apart else [])
    assert json.loads((tmp_path / "merged/config.json").read_text())["tie_word_embeddings"] == (
        tied and not apart
    )
    for model in (
        load(tmp_path / "merged"),
        HFLM(pretrained=str(tmp_path / "merged"), dtype="float32", device="cpu").model,
    ):
        assert compare(wanted, answers(model)).difference < 0.06
    # What was measured is said and recorded.
    written = json.loads((tmp_path / "merged/csc_merged.json").read_text())
    assert written == record and set(written["checks"]) == {
        "the merged model",
        "the merged model as written",
    }
    assert written["checks"]["the merged model"]["difference"] < 1e-5
    assert written["checks"]["the merged model as written"]["argmax"] > 0.8
    assert lines[0].startswith("the merged model: logits differ by ") and "as written" in lines[1]
    assert ("both are kept" in " ".join(lines)) == (tied and apart)


def test_a_merge_that_went_wrong_is_not_written(bases, tmp_path, monkeypatch):
    """Without taking tied embeddings apart, which is what peft does."""
    base = bases("Llama", True)
    adapter = make_adapter(base, tmp_path / "adapter", ADAPTERS["embeddings"][0])
    monkeypatch.setattr(merging.TiedWeights, "separate", lambda *_: None)
    with pytest.raises(
        ModelError,
        match=r"the merged model does not answer as base and adapter do \(logits differ by",
    ):
        merge(adapter, record_of(base), tmp_path / "merged")
    assert not (tmp_path / "merged").exists() and sorted(
        path.name for path in tmp_path.iterdir()
    ) == ["adapter"]


def test_what_lies_in_the_folder_is_what_was_checked(bases, tmp_path, monkeypatch):
    from safetensors.torch import load_file, save_file
    from transformers import LlamaForCausalLM

    base = bases("Llama", True)
    adapter = make_adapter(base, tmp_path / "adapter", ADAPTERS["all-linear"][0])
    saved = LlamaForCausalLM.save_pretrained

    def damaged(self, folder, **options):
        saved(self, folder, **options)
        weights = load_file(Path(folder, "model.safetensors"))
        weights["model.layers.1.mlp.up_proj.weight"][3, 4] += 0.01
        save_file(weights, Path(folder, "model.safetensors"), {"format": "pt"})

    monkeypatch.setattr(LlamaForCausalLM, "save_pretrained", damaged)
    with pytest.raises(
        ModelError,
        match=r"load the merged weights as they were saved \(model.layers.1.mlp.up_proj.weight\)",
    ):
        merge(adapter, record_of(base), tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_a_base_that_is_quantised_itself_is_merged_in_full(tmp_path):
    pytest.importorskip("bitsandbytes")
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    shape = {"hidden_size": 64, "intermediate_size": 128, "num_key_value_heads": 4, "head_dim": 16}
    whole = random_model(tmp_path / "whole", "Llama", tie_word_embeddings=True, **shape)
    quantization = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.float32
    )
    base = tmp_path / "base"
    shutil.copytree(whole, base)
    AutoModelForCausalLM.from_pretrained(
        whole, quantization_config=quantization, dtype=torch.float32
    ).save_pretrained(base)
    adapter = make_adapter(
        whole, tmp_path / "adapter", {"target_modules": ["q_proj", "down_proj", "embed_tokens"]}
    )
    record = merge(adapter, record_of(base), tmp_path / "merged")
    assert "quantization_config" not in json.loads((tmp_path / "merged/config.json").read_text())
    assert set(record["checks"]) == {
        "the adapter on the quantised base",
        "the merged model",
        "the merged model as written",
    }
    assert compare(adapted(base, adapter), answers(load(tmp_path / "merged"))).difference < 0.08


def test_an_adapter_is_not_merged_into_another_base(bases, tmp_path):
    base = tmp_path / "base"
    shutil.copytree(bases("Llama", True), base)
    adapter, record = (
        make_adapter(base, tmp_path / "adapter", ADAPTERS["all-linear"][0]),
        record_of(base),
    )
    load(bases("Llama", False)).save_pretrained(base)
    with pytest.raises(ModelError, match="has changed since this adapter was trained on it"):
        merge(adapter, record, tmp_path / "merged")
    # One that was made for a larger vocabulary fits no base of this kind.
    grown = tmp_path / "grown"
    shutil.copytree(bases("Llama", True), grown)
    model = load(grown)
    model.resize_token_embeddings(300)
    model.save_pretrained(grown)
    larger = make_adapter(grown, tmp_path / "larger", ADAPTERS["embeddings in full"][0])
    with pytest.raises(
        ModelError, match=r"larger does not fit its base \(RuntimeError: .*size mismatch"
    ):
        merge(larger, record_of(bases("Llama", True)), tmp_path / "merged")


def test_the_difference_between_logits():
    import torch

    # Spread around each position's mean: 8 in squares; what they differ by: 2 at one place, so 4.
    one = [torch.tensor([[1.0, -1.0, 1.0, -1.0], [-1.0, 1.0, -1.0, 1.0]])]
    other = [torch.tensor([[1.0, 1.0, 1.0, -1.0], [-1.0, 1.0, -1.0, 1.0]])]
    other[0][0, 1] = 1.0
    found = compare(one, other)
    assert (found.difference, found.positions) == (pytest.approx((4 / 8) ** 0.5), 2)
    assert compare(one, one).difference == 0 and compare(one, one).argmax == 1
    assert (
        compare(one, [torch.full((2, 4), float("nan"))]).difference != compare(one, one).difference
    )
    assert compare(one, [torch.zeros(2, 5)]).difference == float("inf")


def as_served(tokenizer, tmp_path, style="chat"):
    """(training's prompts, what lm_eval sends with the saved tokenizer, what was changed)."""
    from lm_eval.models.huggingface import HFLM
    from transformers import AutoTokenizer, Qwen3Config, Qwen3ForCausalLM

    tokenizer.save_pretrained(tmp_path / "base")
    rendering, asked = (
        Rendering(AutoTokenizer.from_pretrained(tmp_path / "base"), True),
        demo_turns(style),
    )
    served = AutoTokenizer.from_pretrained(tmp_path / "base")
    lines = template_as_trained(served, rendering, asked)
    served.save_pretrained(tmp_path / "merged")
    served = AutoTokenizer.from_pretrained(tmp_path / "merged")
    check_prompts(served, rendering, asked)
    size = {
        "hidden_size": 8,
        "intermediate_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "num_key_value_heads": 1,
    }
    lm = HFLM(
        Qwen3ForCausalLM(Qwen3Config(vocab_size=len(tokenizer), head_dim=8, **size)),
        tokenizer=served,
        device="cpu",
    )
    prompts = []
    for prompt, _ in asked:
        messages = prompt.messages()
        if not rendering.takes_system:
            head, first, *rest = messages
            messages = [first | {"content": f"{head['content']}\n\n{first['content']}"}, *rest]
        ids = lm.tok_batch_encode([lm.apply_chat_template(messages)])[0][0].tolist()
        prompts.append(ids)
    return rendering.exchanges(asked), prompts, lines


def marks_of(name):
    """A tokenizer with a template that trl ships."""
    ends = {
        "qwen3": "<|im_end|>",
        "qwen3_5_think": "<|im_end|>",
        "qwen2_5": "<|im_end|>",
        "nemotron_3_nano": "<|im_end|>",
    }
    bos = (
        "<｜begin▁of▁sentence｜>"
        if name == "deepseek_r1_distill"
        else "<bos>"
        if name == "gemma"
        else None
    )
    eos = ends.get(name, "<eos>")
    return tokenizer_of(
        stock(name),
        bos,
        eos,
        ("<|im_start|>", "<start_of_turn>", "<end_of_turn>"),
        ("<think>", "</think>"),
    )


@pytest.mark.parametrize("style", ["single", "chat"])
@pytest.mark.parametrize(
    "name", ["qwen3", "qwen3_5_think", "nemotron_3_nano", "opened by default", "by the model"]
)
def test_thinking_that_was_switched_off_stays_off_unless_it_is_asked_for(name, style, tmp_path):
    from transformers import AutoTokenizer

    tokenizer = make_tokenizer(name) if name in TEMPLATES else marks_of(name)
    trained, prompts, (line,) = as_served(tokenizer, tmp_path, style)
    assert prompts == [exchange.prompt for exchange in trained]
    assert "switched off in the chat template (enable_thinking=False)" in line
    merged, question = (
        AutoTokenizer.from_pretrained(tmp_path / "merged"),
        [{"role": "user", "content": "Hello"}],
    )
    options = {"tokenize": False, "add_generation_prompt": True}
    for asked in (True, False):
        rendered = merged.apply_chat_template(question, enable_thinking=asked, **options)
        assert rendered == tokenizer.apply_chat_template(question, enable_thinking=asked, **options)


@pytest.mark.parametrize("style", ["single", "chat"])
@pytest.mark.parametrize("name", ["deepseek_r1_distill", "always opened"])
def test_a_thought_that_the_template_opens_is_closed_at_once(name, style, tmp_path):
    tokenizer = make_tokenizer(name) if name in TEMPLATES else marks_of(name)
    trained, prompts, (line,) = as_served(tokenizer, tmp_path, style)
    for exchange, ids in zip(trained, prompts, strict=True):
        row = exchange.prompt + exchange.target
        assert row[: len(ids)] == ids and len(ids) > len(exchange.prompt)
        assert (
            tokenizer.decode(ids).endswith("<think>\n\n</think>\n\n")
            and "[" in tokenizer.decode(row[len(ids) :])[:1]
        )
    assert "closes it where it opens it" in line


def test_a_thought_is_left_to_the_model_where_its_end_and_the_reply_share_a_token(tmp_path):
    """No prompt can end inside a token; the model was trained to write this one."""
    from tests.support.chat_tokenizers import make_tokenizer as learned

    tokenizer = learned("deepseek_r1_distill", ["\n</think>\n\n[" * 50] * 9)
    trained, prompts, lines = as_served(tokenizer, tmp_path)
    assert lines == [] and prompts == [exchange.prompt for exchange in trained]
    assert any("\n[" in tokenizer.decode([token]) for token in trained[0].target[:3])


@pytest.mark.parametrize("name", ["qwen2_5", "gemma", "plain", "closed by default", "gpt-oss"])
def test_an_ordinary_template_stays_byte_for_byte(name, tmp_path):
    tokenizer = make_tokenizer(name) if name in TEMPLATES else marks_of(name)
    trained, prompts, lines = as_served(tokenizer, tmp_path)
    assert lines == [] and prompts == [exchange.prompt for exchange in trained]
    assert (
        tmp_path / "merged/chat_template.jinja"
    ).read_bytes() == tokenizer.chat_template.encode()


def test_a_template_that_would_render_other_prompts_is_found_out(tmp_path):
    rendering = Rendering(marks_of("qwen3"), True)
    with pytest.raises(ModelError, match="would not render the prompts it was trained on"):
        check_prompts(marks_of("qwen3"), rendering, demo_turns("single"))


def test_the_mark_that_ended_every_turn_is_one_to_stop_at(bases, tmp_path):
    """A base whose template ends a turn with a mark that is not its end of text;

    Its other settings stay as they are.
    """
    base = tmp_path / "base"
    shutil.copytree(bases("Llama", True), base)
    # As some published bases have them; transformers itself refuses to save these again.
    settings = {"eos_token_id": 0, "do_sample": False, "temperature": 0.6}
    (base / "generation_config.json").write_text(json.dumps(settings))
    adapter, lines = make_adapter(base, tmp_path / "adapter", ADAPTERS["all-linear"][0]), []
    merge(adapter, record_of(base), tmp_path / "merged", lines.append)
    found = json.loads((tmp_path / "merged/generation_config.json").read_text())
    assert found["eos_token_id"] == [0, 2] and (found["do_sample"], found["temperature"]) == (
        False,
        0.6,
    )
    assert any(line.startswith("stops: <|im_end|>") for line in lines)
    assert load(tmp_path / "merged").generation_config.eos_token_id == [0, 2]
    assert not name_stop(tmp_path / "merged", 2)


def test_a_merged_model_asked_with_another_prompt_style_is_reported(tmp_path):
    (tmp_path / "csc_merged.json").write_text(json.dumps({"style": "chat", "date": None}))
    asked = {"pretrained": str(tmp_path)}
    assert scoring.mismatch(asked, "chat", "2024-07-26") is None
    assert "was trained on csc_prompt=chat and is asked with csc_prompt=single" in scoring.mismatch(
        asked, "single", "2024-07-26"
    )
    assert scoring.mismatch({"pretrained": "somewhere/else"}, "single", "2024-07-26") is None
