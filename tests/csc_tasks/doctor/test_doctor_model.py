"""`csc doctor --model`: what it says of models of many families, and that the command it prints is
right.
"""

import json
import shutil
import subprocess

import pytest

from csc_tasks.cli import main
from csc_tasks.doctor import BROKEN, NOTE, OK, model, model_play, model_template
from csc_tasks.doctor.subject import in_bytes
from csc_tasks.thinking import Thinking
from tests.support.chat_tokenizers import template as stock
from tests.support.play_models import random_model
from tests.support.thinking_templates import make_tokenizer, tokenizer_of
from tests.trainers.test_merge import make_adapter

IM, THINK = ("<|im_start|>",), ("<think>", "</think>")
# template -> (beginning of text, end of text, special tokens, tokens of thinking)
STOCK = {
    "qwen3": (None, "<|im_end|>", IM, THINK),
    "qwen3_5_think": (None, "<|im_end|>", IM, THINK),
    "llama3_2": ("<bos>", "<|eot_id|>", ("<|start_header_id|>", "<|end_header_id|>"), ()),
    "gemma": ("<bos>", "<eos>", ("<start_of_turn>", "<end_of_turn>"), ()),
    "gptoss": (None, "<|return|>", ("<|start|>", "<|message|>", "<|channel|>", "<|end|>"), ()),
    "deepseek_r1_distill": (None, "<eos>", ("<｜User｜>", "<｜Assistant｜>"), THINK),
    "smolvlm": (None, "<end_of_utterance>", IM, ()),
    "phi3": (None, "<|endoftext|>", ("<|user|>", "<|end|>", "<|assistant|>"), ()),
    "glm4moe": (None, "<|endoftext|>", ("[gMASK]",), THINK),
    "cohere2": (None, "<|END_OF_TURN_TOKEN|>", ("<|START_OF_TURN_TOKEN|>",), ()),
}
PLAIN = "does not think aloud"
# template -> (family and content, system role, how the line about thinking begins, stops)
SAYS = {
    "qwen3": (
        "ChatML; takes plain text",
        "shown",
        "thinks aloud (think",
        "a turn ends with <|im_end|>",
    ),
    "qwen3_5_think": (
        (
            "ChatML; takes plain text; prompts end in"
            " '|im_start|>assistant\\n<think>\\n\\n</think>\\n\\n'"
        ),
        "shown",
        (
            "thinks aloud (think: <think>..</think>; the prompt opens the thinking); switched off"
            " with enable_thinking=False; that is done in every run unless csc_think_tokens=N"
        ),
        "a turn ends with <|im_end|>",
    ),
    "llama3_2": ("Llama 3; takes plain text", "shown", PLAIN, "a turn ends with <|eot_id|>"),
    "gemma": ("Gemma; takes plain text", "refused or hidden", PLAIN, "with <end_of_turn>, where"),
    "gptoss": (
        "gpt-oss (harmony)",
        "shown",
        "thinks aloud (gpt-oss",
        "a turn ends with <|return|>",
    ),
    "deepseek_r1_distill": (
        "DeepSeek; takes plain text; prompts end in 'probe-of-a-question<｜Assistant｜><think>\\n'",
        "shown",
        (
            "thinks aloud (think: <think>..</think>; the prompt opens the thinking); the chat"
            " template cannot switch it off; replies get more tokens for it (csc_think_tokens)"
        ),
        "a turn ends with <eos>",
    ),
    "smolvlm": ("ChatML; takes text parts", "shown", PLAIN, "a turn ends with <end_of_utterance>"),
    "phi3": ("Phi; takes plain text", "shown", PLAIN, "a turn ends with <|end|>, where generation"),
    "glm4moe": ("GLM; takes plain text", "shown", "thinks aloud (think", "ends with <|endoftext|>"),
    "cohere2": ("Command; takes plain text", "shown", PLAIN, "with <|END_OF_TURN_TOKEN|>"),
}
DATED = {"llama3_2", "gptoss"}


def with_tokenizer(folder, tokenizer):
    """The model in `folder` with another tokenizer."""
    for name in ("chat_template.jinja", "tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink(missing_ok=True)
    tokenizer.save_pretrained(folder)
    return folder


def make(folder, template="qwen3", kind="Qwen3", **settings):
    """A random model of `kind` with a template that trl ships."""
    bos, eos, special, thinking = STOCK[template]
    random_model(folder, kind, vocab_size=300, **settings)
    tokenizer = tokenizer_of(stock(template), bos, eos, special, thinking)
    return with_tokenizer(folder, tokenizer)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return make(tmp_path_factory.mktemp("doctor") / "base")


def look(folder, *arguments):
    """subject -> (state, line) of the findings."""
    return {one.subject: (one.state, one.line()) for one in model.describe(str(folder), *arguments)}


@pytest.mark.parametrize("template", STOCK)
def test_what_is_said_of_a_chat_template(template, base, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(base, folder)
    bos, eos, special, thinking = STOCK[template]
    with_tokenizer(folder, tokenizer_of(stock(template), bos, eos, special, thinking))
    generation = json.loads((folder / "generation_config.json").read_text())
    (folder / "generation_config.json").write_text(json.dumps(generation | {"eos_token_id": None}))
    found = look(folder)
    subjects = ("chat template", "system role", "thinking", "stops")
    for subject, says in zip(subjects, SAYS[template], strict=True):
        assert says in found[subject][1]
    assert ("date" in found) == (template in DATED)
    command = found["score it with"][1]
    assert f"pretrained={folder} --tasks 'csc_*' --apply_chat_template" in command
    named = template in ("gemma", "phi3")
    assert found["stops"][0] == (NOTE if named else OK) and ("--gen_kwargs" in command) == named


@pytest.mark.parametrize(
    ("kind", "settings", "says"),
    [
        ("Llama", {}, "its configuration allows it"),
        ("Mistral", {"sliding_window": 64}, "off: it has attention over a sliding window"),
        ("Mamba", {}, "off: the model keeps a recurrent state"),
        ("Bloom", {"n_layer": 2, "n_head": 4}, "off: its forward pass takes no position_ids"),
    ],
)
def test_what_is_said_of_lockstep_play_before_a_model_is_loaded(kind, settings, says, tmp_path):
    state, line = look(make(tmp_path / "model", kind=kind, **settings))["lockstep play"]
    assert says in line and state == (NOTE if "off" in says else OK)


def test_size_length_and_generation_settings(base, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(base, folder)
    config = json.loads((folder / "config.json").read_text())
    # 300 embeddings and 300 rows of output, 32 wide; two layers of attention (4 and 2 heads of 8,
    # norms of 8) and of 48 inner units; norms of 32.
    layer = 32 * 32 * 2 + 32 * 16 * 2 + 2 * 8 + 3 * 32 * 48 + 2 * 32
    count = 2 * 300 * 32 + 2 * layer + 32
    found = look(folder)
    assert (
        f"Qwen3ForCausalLM, {count:,} parameters, {count * 4 / 1e6:.1f} MB in float32"
        in found["model"][1]
    )
    assert "4,096 tokens" in found["context"][1]
    (folder / "generation_config.json").write_text(json.dumps({"num_beams": 4}))
    (folder / "config.json").write_text(json.dumps(config | {"dtype": "bfloat16"}))
    found = look(folder)
    assert f"{count * 2 / 1e6:.1f} MB in bfloat16" in found["model"][1]
    assert "off: its generation_config sets num_beams=4" in found["lockstep play"][1]
    assert [model.in_words(n) for n in (999, 1_500_000, 7_615_616_512)] == [
        "999",
        "1.50 million",
        "7.62 billion",
    ]
    assert in_bytes(15_231_233_024) == "15.23 GB"


def test_the_trial_loads_the_model_in_another_process(base):
    state, line = look(base, None, True)["lockstep play"]
    assert (
        state == OK
        and "its logits are those without a cache; the model takes 0.1 MB on cpu" in line
    )


@pytest.mark.parametrize(
    ("out", "err", "state", "says"),
    [
        (
            'noise\n{"why": "it differs", "memory": 2e9, "device": "cpu"}',
            "",
            NOTE,
            "off: it differs; the model takes 2.00 GB on cpu",
        ),
        (
            "",
            "Traceback\nRuntimeError: no room\n",
            BROKEN,
            "the model cannot be loaded (RuntimeError: no room)",
        ),
        ("", "", BROKEN, "the model cannot be loaded (exit status -9)"),
    ],
)
def test_a_trial_that_finds_a_reason_or_does_not_end_well(base, monkeypatch, out, err, state, says):
    done = subprocess.CompletedProcess([], -9, out, err)
    monkeypatch.setattr(model_play.subprocess, "run", lambda *_, **__: done)
    found = look(base, None, True)["lockstep play"]
    assert found[0] == state and says in found[1]


def test_the_trial_is_as_long_as_the_longest_prompt_of_the_demo(base):
    """One token a byte: the longest conversation's last prompt, told by the corpus itself."""
    from transformers import AutoTokenizer

    from csc_tasks import corpora
    from csc_tasks.prompts import TurnPrompt

    longest = 0
    for item in corpora.load("demo", "csconv", "test").items:
        prompt = TurnPrompt(item, item.scored_turns()[-1])
        longest = max(longest, len(prompt.messages()[0]["content"].encode()))
    assert model_play.longest_prompt(AutoTokenizer.from_pretrained(base)) == longest


def test_a_model_without_chat_template_and_one_that_hides_what_was_said(base, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(base, folder)
    with_tokenizer(folder, tokenizer_of("", None, "<eos>", ()))
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    found = look(folder)
    assert found["chat template"][0] == NOTE and "csc_prompt=single" in found["chat template"][1]
    assert "--apply_chat_template" not in found["score it with"][1]
    # Only the last message shows: fine for single prompts, not for a conversation.
    last = "{{ messages[-1]['content'] }}<eos>"
    with_tokenizer(folder, tokenizer_of(last, None, "<eos>", ()))
    found = look(folder)
    assert "leaves out what the user said earlier" in found["chat style"][1]
    with_tokenizer(folder, tokenizer_of("nothing<eos>", None, "<eos>", ()))
    assert look(folder)["chat template"][0] == BROKEN


def test_files_that_are_missing_or_do_not_fit(base, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    for name in (str(tmp_path / "nowhere"), "org/never-fetched"):
        found = look(name)
        assert list(found) == ["model"] and found["model"][0] == BROKEN
    folder = tmp_path / "model"
    shutil.copytree(base, folder)
    (folder / "model.safetensors").rename(folder / "model-1.safetensors")
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "1 of 2 files are missing (model-2.safetensors)" in look(folder)["weights"][1]
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"vocab_size": 20}))
    assert "and the model has embeddings for 20" in look(folder)["vocabulary"][1]
    (folder / "config.json").write_text("{")
    found = look(folder)
    assert list(found) == ["model"] and "cannot be looked at (" in found["model"][1]


def test_what_is_no_model_is_named(base, tmp_path):
    adapter = make_adapter(base, tmp_path / "adapter", {"target_modules": ["q_proj"]})
    state, line = look(adapter)["model"]
    assert state == BROKEN and "an adapter, not a model" in line
    assert f"--model BASE --adapter {adapter}" in line


def test_a_model_without_its_tokenizer_is_broken(tmp_path):
    """For a Qwen2 transformers makes an empty one, and every prompt would be no token at all."""
    folder = random_model(tmp_path / "model", "Qwen2")
    assert "tokenizer" not in look(folder)
    for file in folder.iterdir():
        if file.name not in ("config.json", "generation_config.json", "model.safetensors"):
            file.unlink()
    state, line = look(folder)["tokenizer"]
    assert state == BROKEN and f"no tokenizer in {folder}" in line


def test_an_adapter_and_what_it_was_trained_on(base, tmp_path):
    adapter = make_adapter(base, tmp_path / "adapter", {"target_modules": ["q_proj", "v_proj"]})
    found = look(base, str(adapter))
    assert "LORA on q_proj, v_proj, not trained by csc train" in found["adapter"][1]
    record = {"style": "chat", "template_arguments": {"enable_thinking": False}, "stop": "<|x|>"}
    (adapter / "csc_adapter.json").write_text(json.dumps(record))
    found = look(base, str(adapter))
    assert "trained with csc_prompt=chat" in found["adapter"][1]
    command = found["score it with"][1]
    assert (
        f"peft={adapter},enable_thinking=False" in command and '{"csc_prompt": "chat"}' in command
    )
    assert "until=<|x|>" in command
    (adapter / "csc_adapter.json").write_text(json.dumps(record | {"date": "2025-02-03"}))
    command = look(base, str(adapter))["score it with"][1]
    assert '{"csc_prompt": "chat", "csc_date": "2025-02-03"}' in command
    (adapter / "csc_adapter.json").write_text(json.dumps(record | {"format": "json"}))
    command = look(base, str(adapter))["score it with"][1]
    assert '{"csc_prompt": "chat", "csc_format": "json"}' in command
    assert look(base, str(tmp_path))["adapter"][0] == BROKEN


@pytest.mark.parametrize(
    ("tied", "settings", "says"),
    [
        (True, {"target_modules": ["q_proj", "lm_head"]}, "lm_eval shares them again"),
        (
            True,
            {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens"]},
            "lm_eval shares them again",
        ),
        (
            False,
            {"target_modules": ["q_proj", "embed_tokens"]},
            "it trains 300 embeddings; lm_eval cuts them to",
        ),
        (True, {"target_modules": "all-linear"}, None),
    ],
)
def test_embeddings_that_lm_eval_cannot_load(tied, settings, says, tmp_path):
    """Each is what lm_eval's own loading makes of it."""
    from lm_eval.models.huggingface import HFLM

    from tests.trainers.test_merge import adapted, answers, compare

    folder = make(tmp_path / "model", tie_word_embeddings=tied)
    adapter = make_adapter(folder, tmp_path / "adapter", settings)
    found = look(folder, str(adapter))
    assert (says in found["embeddings"][1]) if says else "embeddings" not in found
    try:
        lm = HFLM(pretrained=str(folder), peft=str(adapter), dtype="float32", device="cpu")
        size = len(lm.tokenizer)
        given, wanted = answers(lm.model), adapted(folder, adapter)
        right = (
            compare([one[:, :size] for one in wanted], [one[:, :size] for one in given]).difference
            < 0.01
        )
    except (KeyError, RuntimeError):
        right = False
    assert right == (says is None)


def test_a_merged_model_says_how_it_was_trained(base, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(base, folder)
    (folder / "csc_merged.json").write_text(json.dumps({"model": "org/base", "style": "chat"}))
    found = look(folder)
    assert "org/base and an adapter trained with csc_prompt=chat" in found["merged from"][1]
    assert '{"csc_prompt": "chat"}' in found["score it with"][1]
    # A base that thinks and cannot be told not to: it was trained to reply at once.
    record = {"model": "org/base", "style": "chat", "thinks": True, "date": None}
    (folder / "csc_merged.json").write_text(json.dumps(record))
    assert '{"csc_prompt": "chat", "csc_think_tokens": 0}' in look(folder)["score it with"][1]


def test_a_model_whose_template_does_not_tell_whether_it_thinks(base, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(base, folder)
    state, line = look(with_tokenizer(folder, make_tokenizer("not to be seen")))["thinking"]
    assert state == NOTE and "may think aloud (think: <think>..</think>)" in line
    assert model_template.thinking_finding(Thinking()).line().endswith("does not think aloud")


def test_the_verb_as_a_user_runs_it(base, tmp_path, capsys):
    assert main(["doctor", "--model", str(base)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("ok      model               Qwen3ForCausalLM, ") and lines[
        -1
    ].startswith("nothing is broken")
    assert not any(line.startswith(("ok      python", "ok      hub")) for line in lines)
    assert main(["doctor", "--model", str(tmp_path)]) == 1
    assert main(["doctor", "--load"]) == 1
    assert "--adapter and --load go with --model" in capsys.readouterr().err
