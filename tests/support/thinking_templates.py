"""Small chat templates written for the tests: one for every way in which models think aloud, with
the marks their tokenizers have.

name -> (template, beginning of text or None, end of text, special tokens, added tokens that are no
special ones)
"""

_TURNS = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
)
_THINK = ("<think>", "</think>")
_CHATML = ("<|im_start|>", "<|im_end|>")

TEMPLATES = {
    "plain": (_TURNS + "{% endif %}", None, "<|im_end|>", _CHATML, ()),
    # DeepSeek-R1's distills: the prompt opens the thought, and nothing switches that off.
    "always opened": (_TURNS + "<think>\n{% endif %}", None, "<|im_end|>", _CHATML, _THINK),
    # Qwen3.5 and Nemotron 3: opened in the prompt unless it is switched off.
    "opened by default": (
        _TURNS
        + "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{%"
        " else %}<think>\n{% endif %}{% endif %}",
        None,
        "<|im_end|>",
        _CHATML,
        _THINK,
    ),
    # Qwen3: the model opens the thought itself unless it is switched off.
    "by the model": (
        _TURNS
        + "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{%"
        " endif %}{% endif %}",
        None,
        "<|im_end|>",
        _CHATML,
        _THINK,
    ),
    # DeepSeek-V3.1: closed in the prompt unless another argument switches it on.
    "closed by default": (
        _TURNS + "{% if thinking is defined and thinking %}<think>{% else %}</think>{% endif %}{%"
        " endif %}",
        None,
        "<|im_end|>",
        _CHATML,
        _THINK,
    ),
    # LFM2.5: the template only drops earlier thoughts; whether the model thinks cannot be seen.
    "not to be seen": (
        (
            "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{"
            " m['content'].split('</think>')[-1] }}<|im_end|>\n{% endfor %}{% if"
            " add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
        ),
        None,
        "<|im_end|>",
        _CHATML,
        _THINK,
    ),
    # Magistral: marks that are special tokens, opened by the model.
    "mistral": (
        (
            "<s>{% for m in messages %}{% if m['role'] == 'system' %}[SYSTEM_PROMPT]{{ m['content']"
            " }} Think between [THINK] and [/THINK].[/SYSTEM_PROMPT]{% elif m['role'] == 'user'"
            " %}[INST]{{ m['content'] }}[/INST]{% else %}{{ m['content'] }}</s>{% endif %}{%"
            " endfor %}"
        ),
        "<s>",
        "</s>",
        ("[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[INST]", "[/INST]", "[THINK]", "[/THINK]"),
        (),
    ),
    # Seed-OSS: a budget of 0 closes the thought in the prompt.
    "seed": (
        (
            "<seed:bos>{% for m in messages %}<seed:bos>{{ m['role'] }}\n{{ m['content']"
            " }}<seed:eos>{% endfor %}{% if add_generation_prompt %}<seed:bos>assistant\n{% if"
            " thinking_budget is defined and thinking_budget == 0 %}<seed:think>\n</seed:think>{%"
            " endif %}{% endif %}"
        ),
        "<seed:bos>",
        "<seed:eos>",
        ("<seed:think>", "</seed:think>"),
        (),
    ),
    # Gemma 4: special marks around a labelled thought, switched on in the system message.
    "gemma": (
        (
            "<bos>{% if enable_thinking %}<|turn>system\n<|think|><turn|>\n{% endif %}{% for m in"
            " messages %}<|turn>{{ 'model' if m['role'] == 'assistant' else m['role'] }}\n{{"
            " m['content'].split('<channel|>')[-1] }}<turn|>\n{% endfor %}{% if"
            " add_generation_prompt %}<|turn>model\n{% endif %}"
        ),
        "<bos>",
        "<turn|>",
        ("<|turn>", "<|think|>", "<|channel>", "<channel|>"),
        (),
    ),
    # gpt-oss: thoughts and the reply are messages of one turn, told apart by their channel.
    "gpt-oss": (
        (
            "{% for m in messages %}<|start|>{{ m['role'] }}{% if m['role'] == 'assistant'"
            " %}<|channel|>final{% endif %}<|message|>{{ m['content'] }}{{ '<|return|>' if"
            " loop.last and m['role'] == 'assistant' else '<|end|>' }}{% endfor %}{% if"
            " add_generation_prompt %}<|start|>assistant{% endif %}"
        ),
        None,
        "<|return|>",
        ("<|start|>", "<|channel|>", "<|message|>", "<|end|>", "<|call|>"),
        (),
    ),
    # Muse Glimmer: messages told apart by whom they are for.
    "muse-glimmer": (
        (
            "{% for m in messages %}{% if m['reasoning_content'] %}<|start|>assistant"
            " to=self<|message|>{{ m['reasoning_content'] }}<|eom|>{% endif %}<|start|>{{ m['role']"
            " }}{% if m['role'] == 'assistant' %} to=user{% endif %}<|message|>{{ m['content']"
            " }}<|eot|>{% endfor %}{% if add_generation_prompt %}<|start|>assistant{% endif %}"
        ),
        None,
        "<|eot|>",
        ("<|start|>", "<|message|>", "<|eom|>"),
        (),
    ),
    # Command A: marks around the thought and around the reply.
    "cohere": (
        (
            "{% for m in messages %}<|START_OF_TURN_TOKEN|>{{ m['role'] }}{% if m['role'] =="
            " 'assistant' %}<|START_RESPONSE|>{{ m['content'] }}<|END_RESPONSE|>{% else %}{{"
            " m['content'] }}{% endif %}<|END_OF_TURN_TOKEN|>{% endfor %}{% if"
            " add_generation_prompt %}<|START_OF_TURN_TOKEN|>assistant{% if reasoning is defined"
            " and not reasoning %}<|START_THINKING|><|END_THINKING|>{% endif %}{% endif %}"
        ),
        None,
        "<|END_OF_TURN_TOKEN|>",
        (
            "<|START_OF_TURN_TOKEN|>",
            "<|START_RESPONSE|>",
            "<|END_RESPONSE|>",
            "<|START_THINKING|>",
            "<|END_THINKING|>",
        ),
        (),
    ),
    # Kimi K3: marks put together from three special tokens; the prompt opens the thought, and the
    # reply has marks of its own.
    "kimi-k3": (
        (
            "{% for m in messages %}<|open|>message {{ m['role'] }}<|sep|>{% if m['role'] =="
            " 'assistant' %}<|open|>think<|sep|><|close|>think<|sep|><|open|>response<|sep|>{{"
            " m['content'] }}<|close|>response<|sep|>{% else %}{{ m['content'] }}{% endif"
            " %}<|close|>message<|sep|><|im_end|>{% endfor %}{% if add_generation_prompt"
            " %}<|open|>message assistant<|sep|><|open|>think<|sep|>{% endif %}"
        ),
        None,
        "<|im_end|>",
        ("<|open|>", "<|close|>", "<|sep|>"),
        (),
    ),
}


def make_tokenizer(name: str):
    """A byte-level tokenizer (a token is a byte or a mark) with one of these templates."""
    template, bos, eos, special, added = TEMPLATES[name]
    return tokenizer_of(template, bos, eos, special, added)


def tokenizer_of(
    template: str, bos: str | None, eos: str, special: tuple[str, ...], added: tuple[str, ...] = ()
):
    """As `make_tokenizer`, for any template and marks."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    marks = list(dict.fromkeys(["<pad>", eos, *([bos] if bos else []), *special]))
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    bare = Tokenizer(models.BPE({letter: number for number, letter in enumerate(letters)}, []))
    bare.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bare.decoder = decoders.ByteLevel()
    bare.add_special_tokens(marks)
    bare.add_tokens([AddedToken(mark, special=False, normalized=False) for mark in added])
    more = {"bos_token": bos} if bos else {}
    return PreTrainedTokenizerFast(
        tokenizer_object=bare,
        eos_token=eos,
        pad_token="<pad>",
        chat_template=template,
        clean_up_tokenization_spaces=False,
        **more,
    )
