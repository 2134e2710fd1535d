"""Prompts through chat templates as lm_eval applies them, and cut to what a model can read."""

import itertools
from types import SimpleNamespace

import pytest

from csc_tasks.framework import STRATEGIES
from csc_tasks.languages.labels import strategy_name
from csc_tasks.prompts import AnswerPrompt, TurnPrompt, instructions
from csc_tasks.prompts.template import shows_system, without_system
from tests.support.made_prompts import (
    CONTEXTS,
    LANGUAGES,
    STYLES,
    VARIANTS,
    chinese,
    conversation,
    english,
    mentioned,
    prompts,
    question,
)


def loop(body, end):
    return (
        "{% for message in messages %}"
        + body
        + "{% endfor %}{% if add_generation_prompt %}"
        + end
        + "{% endif %}"
    )


ALTERNATE = (
    "{% if (message.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must"
    " alternate, user first') }}{% endif %}"
)
# name -> (template, whether it shows a system message, how a prompt ends)
TEMPLATES = {
    "marks around every message": (
        loop("<|start|>{{ message.role }}\n{{ message.content }}<|end|>\n", "<|start|>assistant\n"),
        True,
        "<|start|>assistant\n",
    ),
    "headers and trimmed text": (
        "{{ bos_token }}"
        + loop(
            "<|{{ message.role }}|>\n\n{{ message.content | trim }}<|eot|>", "<|assistant|>\n\n"
        ),
        True,
        "<|assistant|>\n\n",
    ),
    "strict, system joins the first user message": (
        "{% set first = '' %}{% if messages[0].role == 'system' %}{% set first ="
        " messages[0].content + '\n\n' %}{% set messages = messages[1:] %}{% endif %}"
        + loop(
            ALTERNATE + "{% if message.role == 'user' %}[INST] {{ first if loop.first else '' }}{{"
            " message.content }} [/INST]{% else %} {{ message.content }}</s>{% endif %}",
            "",
        ),
        True,
        " [/INST]",
    ),
    "strict, refuses a system message": (
        "{% if messages[0].role == 'system' %}{{ raise_exception('system role not supported') }}{%"
        " endif %}"
        + loop(
            ALTERNATE + "<turn>{{ 'model' if message.role == 'assistant' else message.role }}\n{{"
            " message.content | trim }}</turn>\n",
            "<turn>model\n",
        ),
        False,
        "<turn>model\n",
    ),
    "drops a system message without a word": (
        loop(
            "{% if message.role != 'system' %}{{ message.role | upper }}: {{ message.content }}\n{%"
            " endif %}",
            "ASSISTANT:",
        ),
        False,
        "ASSISTANT:",
    ),
    "demands a user message at the end": (
        "{% if messages[-1].role != 'user' %}{{ raise_exception('the last message must be from the"
        " user') }}{% endif %}"
        + loop("<{{ message.role }}>{{ message.content }}</{{ message.role }}>", "<assistant>"),
        True,
        "<assistant>",
    ),
    "opens the thinking itself": (
        loop(
            "{% set said = message.content.split('</think>')[-1] %}<|start|>{{ message.role }}\n{{"
            " said }}<|end|>\n",
            "<|start|>assistant\n<think>\n",
        ),
        True,
        "<|start|>assistant\n<think>\n",
    ),
}


@pytest.fixture(scope="module")
def tokenizer():
    import transformers
    from tokenizers import Tokenizer, models

    words = Tokenizer(models.WordLevel({"?": 0}, "?"))
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token="?", bos_token="?"
    )


def renderer(tokenizer, template):
    """play's Renderer over lm_eval's own way of applying a template."""
    from lm_eval.models.huggingface import HFLM

    from csc_tasks.play import Renderer

    tokenizer.chat_template = template
    model = SimpleNamespace(tokenizer=tokenizer, chat_template_args={})
    return Renderer(None, lambda messages: HFLM.apply_chat_template(model, messages))


def request(prompt, system_instruction=None, templated=True):
    from csc_tasks.play import PlayInstance

    return PlayInstance(
        "csc_generate",
        {},
        ("", {}),
        0,
        prompt=prompt,
        system_instruction=system_instruction,
        templated=templated,
    )


def test_a_system_message_moves_into_the_first_user_message_and_nothing_else_moves():
    system, first, answer = (
        {"role": role, "content": role} for role in ("system", "user", "assistant")
    )
    moved = without_system([system, first, answer, first])
    assert moved == [{"role": "user", "content": "system\n\nuser"}, answer, first]
    assert without_system([first, answer]) == [first, answer]
    assert system["content"] == "system" and first["content"] == "user", (
        "what was given is not changed"
    )


def test_an_api_that_renders_no_text_is_taken_to_show_the_system_message():
    assert shows_system(lambda messages: messages)
    assert shows_system(lambda messages: " ".join(message["content"] for message in messages))
    assert not shows_system(lambda messages: messages[-1]["content"])


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("style", STYLES)
def test_every_template_takes_every_conversation(name, style, tokenizer):
    template, shows, end = TEMPLATES[name]
    rendering = renderer(tokenizer, template)
    assert rendering.template().shows_system == shows
    for language, variant in itertools.product(LANGUAGES, VARIANTS):
        for speakers in ("S", "CS", "SCS", "CSSCCSS", "CCSS", "SSSCCC" * 3 + "S"):
            for prompt in prompts(speakers, language, style, variant):
                text = rendering.render(request(prompt))
                assert mentioned(text) == list(range(prompt.turn))
                assert text.count(instructions(language, variant)) == 1
                assert text.endswith(end)


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_takes_questions_and_a_system_instruction(name, tokenizer):
    template, _, end = TEMPLATES[name]
    rendering = renderer(tokenizer, template)
    for style in STYLES:
        for prompt in [AnswerPrompt(question(), style, context) for context in CONTEXTS] + prompts(
            "SCS", "en", style, "predict"
        ):
            text = rendering.render(request(prompt, "Be brief, Ann."))
            assert text.count("Be brief, Ann.") == 1 and text.endswith(end)
            own = (
                english.QA_INSTRUCTION
                if isinstance(prompt, AnswerPrompt)
                else instructions("en", "predict")
            )
            assert text.index("Be brief, Ann.") < text.index(own)
            plain = rendering.render(request(prompt, "Be brief, Ann.", templated=False))
            assert plain.startswith("Be brief, Ann.\n\n" + own)


def test_a_refused_system_message_opens_the_first_user_message(tokenizer):
    rendering = renderer(tokenizer, TEMPLATES["strict, refuses a system message"][0])
    prompt = TurnPrompt(conversation("CSCS"), 3, "chat")
    tag = strategy_name(STRATEGIES[1].id, "en")
    first = f"{instructions('en', 'predict')}\n\ntext0."
    assert (
        rendering.render(request(prompt)) == f"<turn>user\n{first}</turn>\n<turn>model\n[{tag}]"
        " text1.</turn>\n<turn>user\ntext2.</turn>\n<turn>model\n"
    )


def test_single_prompts_share_their_prefix_through_a_template(tokenizer):
    for name, (template, _, _) in TEMPLATES.items():
        rendering = renderer(tokenizer, template)
        before = None
        for prompt in prompts("SCSCSCS", "zh", "single", "predict"):
            head = rendering.render(request(prompt)).rsplit("\n\n" + chinese.TAIL, 1)[0]
            assert before is None or head.startswith(before), name
            before = head


def test_a_prompt_that_is_too_long_loses_as_few_turns_as_possible():
    from csc_tasks.play import Renderer

    for style in STYLES:
        prompt = TurnPrompt(conversation("CS" * 20), 39, style)
        whole, instructed = (len(prompt.plain(prompt.messages(drop))) for drop in (0, 39))
        for room in (whole, whole - 1, (whole + instructed) // 2, instructed):
            model = SimpleNamespace(max_length=room + 5, tok_encode=list, tokenizer=object())
            text, dropped = Renderer(model, None).fitting(request(prompt, templated=False), 5)
            assert mentioned(text) == list(range(dropped, 39)) and len(text) <= room
            assert dropped == 0 or len(prompt.plain(prompt.messages(dropped - 1))) > room
