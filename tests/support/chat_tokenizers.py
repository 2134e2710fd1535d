"""Tokenizers for tests of training: stock chat templates (those that trl ships), and merges that
run over every boundary.
"""

import re
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

# No system role, turns that must alternate, a space before and after the user's text and before the
# reply, the end mark after it.
INSTRUCT = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('only"
    " user and assistant here') }}{% endif %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0)"
    " %}{{ raise_exception('user and assistant must alternate') }}{% endif %}{% if m['role'] =="
    " 'user' %}[INST] {{ m['content'] }} [/INST]{% else %} {{ m['content'] }}{{ eos_token }}{%"
    " endif %}{% endfor %}"
)
# name -> (beginning of text, end of text); which of them allow a conversation in one row stands in
# the test.
STOCK = {
    "qwen2_5": (None, "<|im_end|>"),
    "qwen3": (None, "<|im_end|>"),
    "qwen3_5_think": (None, "<|im_end|>"),
    "llama3": ("<|begin_of_text|>", "<|eot_id|>"),
    "gemma": ("<bos>", "<eos>"),
    "deepseek_r1_distill": ("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"),
    "phi3": (None, "<|endoftext|>"),
    "glm4moe": (None, "<|endoftext|>"),
    "gptoss": (None, "<|return|>"),
    "instruct": ("<s>", "</s>"),
}
_MARKS = re.compile(
    r"<\|[^|<>]+\|>|<｜[^｜]+｜>|<(?:start|end)_of_turn>|\[gMASK\]|<sop>|\[/?INST\]"
)


def template(name: str) -> str:
    """The chat template called `name` in STOCK."""
    if name == "instruct":
        return INSTRUCT
    return (
        resources.files("trl")
        .joinpath("chat_templates", f"{name}.jinja")
        .read_text(encoding="utf-8")
    )


def make_tokenizer(
    name: str | None, texts: Iterable[str], vocabulary: int = 700, positions: int = 100_000
):
    """A byte-level BPE tokenizer whose merges know no boundary (not even white space), with a stock
    template, or none.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    bos, eos = STOCK[name] if name else ("<s>", "</s>")
    chat = template(name) if name else None
    marks = dict.fromkeys(
        ["<pad>", eos, *([bos] if bos else []), *(_MARKS.findall(chat) if chat else [])]
    )
    bare = Tokenizer(models.BPE())
    bare.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bare.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        special_tokens=list(marks),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
        max_token_length=12,
    )
    bare.train_from_iterator(texts, trainer)
    if bos:
        # As Llama's and Gemma's: the mark is added to any text, so that a rendered prompt must not
        # get a second one.
        bare.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", special_tokens=[(bos, bare.token_to_id(bos))]
        )
    more = {"bos_token": bos} if bos else {}
    return PreTrainedTokenizerFast(
        tokenizer_object=bare,
        eos_token=eos,
        pad_token="<pad>",
        chat_template=chat,
        model_max_length=positions,
        clean_up_tokenization_spaces=False,
        **more,
    )


def save_model(folder: Path, tokenizer, positions: int = 100_000, **shape) -> Path:
    """A small random Qwen3 for this tokenizer, saved as a model folder."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(0)
    size = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
    } | shape
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        head_dim=16,
        max_position_embeddings=positions,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
        **size,
    )
    Qwen3ForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
