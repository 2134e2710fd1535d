"""Small random models of several architectures for lockstep play, whose replies end early and at
different lengths.
"""

from pathlib import Path

from tests.support.models import make_model

# A template that shows a thought only in the last assistant message: it rewrites earlier turns from
# prompt to prompt.
REWRITING = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{% if message['role'] =="
    " 'assistant' and loop.index0 >= messages|length - 2 %}(last said) {% endif %}{{"
    " message['content'] }}<|im_end|>\n{% endfor %}{% if add_generation_prompt"
    " %}<|im_start|>assistant\n{% endif %}"
)
# The number of messages stands at the top: consecutive prompts share next to nothing.
COUNTING = "{{ messages|length }} messages\n" + REWRITING

SIZES = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
}
ENDS = [2, *range(60, 76)]
"""One token in sixteen ends a reply."""


def random_model(
    folder: Path,
    kind: str = "Qwen2",
    positions: int = 4096,
    template: str | None = None,
    seed: int = 0,
    **settings,
) -> Path:
    """A random causal model of `kind`Config with the byte tokenizer of `make_model`; weights are
    spread so that replies vary.
    """
    import torch
    import transformers

    make_model(folder, positions, **({"template": template} if template else {}))
    sizes = (
        {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": positions}
        if kind == "GPT2"
        else SIZES
    )
    config = getattr(transformers, f"{kind}Config")(
        **{
            "vocab_size": 259,
            "max_position_embeddings": positions,
            "pad_token_id": 0,
            "bos_token_id": None,
            "eos_token_id": 2,
            "tie_word_embeddings": False,
            "initializer_range": 0.4,
        }
        | sizes
        | settings
    )
    torch.manual_seed(seed)
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model.generation_config.eos_token_id = ENDS
    model.save_pretrained(folder)
    return folder
