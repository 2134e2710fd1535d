"""What is taught is what is read: rendered, taught, decoded as lm_eval's hf backend decodes, and
read again, a reply is the same.

For every chat template that TRL ships (read from the installed package) and for the small ones in
thinking_templates.py. A token is a byte or a mark here, and marks are special tokens wherever real
tokenizers make them so.
"""

import argparse
import json
import re
import shlex
from importlib import resources
from types import SimpleNamespace

import pytest
from jinja2.exceptions import TemplateError
from lm_eval.models.huggingface import HFLM

from csc_tasks import thinking
from csc_tasks.errors import ModelError
from csc_tasks.play import PlayInstance, Renderer
from csc_tasks.play.thoughts import as_planned, plan
from csc_tasks.prompts import Reply, read_reply
from csc_tasks.settings import PlaySettings
from tests.support.fakes import sample_conversations
from tests.support.thinking_templates import TEMPLATES, make_tokenizer, tokenizer_of
from trainers.rendering import Rendering
from trainers.rows import asked_of
from trainers.scoring import scoring_command

FOLDER = resources.files("trl").joinpath("chat_templates")
STOCK = sorted(
    file.name.removesuffix(".jinja") for file in FOLDER.iterdir() if file.name.endswith(".jinja")
)
# These render nothing for messages whose content is plain text.
WANT_PARTS = ("idefics3", "smolvlm", "llava_next")
MARKS = re.compile(
    r"<\|[^|<>\s]+\|?>|<[^|<>\s]+\|>|<｜[^｜<>]+｜>|<(?:start|end)_of_\w+>|\[/?[A-Z_]{3,}\]|\[gMASK\]|<sop>"
)
THINK = ("<think>", "</think>")


def stock_tokenizer(name):
    template = FOLDER.joinpath(f"{name}.jinja").read_text(encoding="utf-8")
    special = tuple(
        dict.fromkeys(mark for mark in MARKS.findall(template) if mark != "<|endoftext|>")
    )
    return tokenizer_of(template, "<bos>", "<|endoftext|>", special, THINK)


def backend(tokenizer, arguments):
    """As much of lm_eval's hf backend as renders and decodes."""
    lm = SimpleNamespace(
        tokenizer=tokenizer,
        chat_template_args=arguments,
        enable_thinking=None,
        think_end_token=None,
        max_length=100_000,
    )
    lm.apply_chat_template = lambda messages: HFLM.apply_chat_template(lm, messages)
    lm.tok_decode = lambda tokens, skip_special_tokens=True: HFLM.tok_decode(
        lm, tokens, skip_special_tokens
    )
    return lm


@pytest.fixture(autouse=True)
def hf(monkeypatch):
    monkeypatch.setattr("csc_tasks.play.thoughts.is_hf", lambda lm: True)


def round_trip(tokenizer, style):
    rendering = Rendering(tokenizer, True)
    lm = backend(tokenizer, {})
    english, chinese = sample_conversations(("en",))[2], sample_conversations(("zh",))[1]
    asked = [(item, pair) for item in (english, chinese) for pair in asked_of(item, style)]
    requests = [
        PlayInstance("csc_generate", {}, ("", {}), 0, prompt=prompt, templated=True)
        for _, (prompt, _) in asked
    ]
    how = plan(lm, requests)
    renderer = Renderer(lm, lm.apply_chat_template, thinking=how.thinking)
    exchanges = rendering.exchanges([pair for _, pair in asked])
    for (item, (prompt, _)), request, exchange in zip(asked, requests, exchanges, strict=True):
        with as_planned(lm, how):
            sent = renderer.render(request)
            written = lm.tok_decode(exchange.target)
        assert sent == rendering.text(prompt)
        request.arguments = (sent, {})
        gold = item.dialogue[prompt.turn]
        expected = Reply(gold.strategy, gold.text)
        assert read_reply(written, renderer.reading(request, False)) == expected
        # Servers and older caches may have dropped the marks.
        if how.thinking.family is None or how.thinking.family.bare:
            assert (
                read_reply(lm.tok_decode(exchange.target), renderer.reading(request, False))
                == expected
            )


@pytest.mark.parametrize("style", ["chat", "single"])
@pytest.mark.parametrize("name", STOCK)
def test_stock_templates(name, style):
    tokenizer = stock_tokenizer(name)
    try:
        Rendering(tokenizer, True)
    except (ModelError, TemplateError):
        assert name.removesuffix("_training") in WANT_PARTS
        return
    round_trip(tokenizer, style)


def test_there_are_stock_templates():
    assert len(STOCK) >= 60 and {
        "gptoss",
        "qwen3",
        "gemma4",
        "deepseek_r1_distill",
        "muse_glimmer",
    } <= set(STOCK)


@pytest.mark.parametrize("style", ["chat", "single"])
@pytest.mark.parametrize("name", TEMPLATES)
def test_own_templates(name, style):
    round_trip(make_tokenizer(name), style)


# What a model writes that thinks, before its reply; and how the reply begins. `arguments` switch
# thinking on where that is needed.
THOUGHTS = {
    "always opened": ({}, "[Greeting]? Hm.", "\n</think>\n\n"),
    "opened by default": ({"enable_thinking": True}, "[Greeting]? Hm.", "\n</think>\n\n"),
    "by the model": ({"enable_thinking": True}, "<think>\n[Greeting]? Hm.", "\n</think>\n\n"),
    "closed by default": ({"thinking": True}, "[Greeting]? Hm.", "</think>"),
    "not to be seen": ({}, "<think>[Greeting]? Hm.", "</think>"),
    "mistral": ({}, "[THINK][Greeting]? Hm.", "[/THINK]"),
    "seed": ({"thinking_budget": 512}, "<seed:think>[Greeting]? Hm.", "</seed:think>"),
    "gemma": ({"enable_thinking": True}, "<|channel>thought\n[Greeting]? Hm.", "<channel|>"),
    "gpt-oss": (
        {},
        "<|channel|>analysis<|message|>[Greeting]? Hm.",
        "<|end|><|start|>assistant<|channel|>final<|message|>",
    ),
    "muse-glimmer": (
        {},
        " to=self<|message|>[Greeting]? Hm.",
        "<|eom|><|start|>assistant to=user<|message|>",
    ),
    "cohere": (
        {"reasoning": True},
        "<|START_THINKING|>[Greeting]? Hm.",
        "<|END_THINKING|><|START_RESPONSE|>",
    ),
}


@pytest.mark.parametrize("name", THOUGHTS)
def test_a_model_that_thinks_is_read_without_it(name):
    arguments, thought, joint = THOUGHTS[name]
    tokenizer = make_tokenizer(name)
    lm = backend(tokenizer, arguments)
    item, *_ = sample_conversations(("en",))
    prompt = asked_of(item, "chat")[1][0]
    request = PlayInstance("csc_generate", {}, ("", {}), 0, prompt=prompt, templated=True)
    how = plan(lm, [request])
    assert how.switch == {} and how.tokens == (0 if how.thinking.thinks is None else 2048)
    with as_planned(lm, how):
        renderer = Renderer(lm, lm.apply_chat_template, thinking=how.thinking)
        request.arguments = (renderer.render(request), {})

        def read(text):
            tokens = tokenizer(text + tokenizer.eos_token, add_special_tokens=False)["input_ids"]
            return read_reply(lm.tok_decode(tokens), renderer.reading(request, False))

        assert read(f"{thought}{joint}[Emotional Management] I am sorry.") == Reply(
            "EM", "I am sorry."
        )
        assert read(thought) == Reply(None, "", True)
        assert read(f"{thought}{joint}") == Reply(None, "")


def test_every_family_has_a_template_of_its_own():
    families = {thinking.of_tokenizer(make_tokenizer(name)).family for name in TEMPLATES}
    # MiniMax M3 differs from the first in its marks alone.
    assert {family.name for family in thinking.FAMILIES} - {"minimax"} == {
        family.name for family in families if family
    }


def record_of(rendering):
    """As much of an adapter's record as the scoring command is made from."""
    recipe = {
        "model": "org/base",
        "revision": None,
        "configs": ["csconv"],
        "style": "chat",
        "language": None,
        "chat_template": True,
    }
    return {
        "recipe": recipe,
        "dtype": "bfloat16",
        "data": [{"config": "csconv"}],
        "tested": {"csconv": "demo"},
        "template_arguments": rendering.template_arguments,
        "thinks": rendering.thinking.thinks is True,
    }


@pytest.mark.parametrize(
    ("name", "arguments", "tokens"),
    [
        ("plain", {}, None),
        ("always opened", {}, 0),
        ("opened by default", {"enable_thinking": False}, None),
        ("closed by default", {}, None),
        ("seed", {"chat_template_args": {"thinking_budget": 0}}, None),
        ("gpt-oss", {}, 0),
        ("cohere", {"chat_template_args": {"reasoning": False}}, None),
    ],
)
def test_the_scoring_command_asks_as_was_trained(name, arguments, tokens):
    from lm_eval._cli.utils import MergeDictAction

    rendering = Rendering(make_tokenizer(name), True)
    words = shlex.split(scoring_command(record_of(rendering), "out"))
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--model_args", nargs="+", action=MergeDictAction)
    parser.add_argument("--metadata", type=json.loads)
    given, _ = parser.parse_known_args(words[1:])
    expected = {"pretrained": "org/base", "peft": "out", "dtype": "bfloat16"} | arguments
    assert given.model_args == expected
    assert given.metadata.get("csc_think_tokens") == tokens
    # What lm_eval's hf backend makes of these arguments renders the trained prompt, and gives no
    # tokens for thinking.
    shown = given.model_args.get("chat_template_args", {})
    lm = backend(
        rendering.tokenizer,
        shown | {key: value for key, value in given.model_args.items() if key == "enable_thinking"},
    )
    item, *_ = sample_conversations(("en",))
    prompt = asked_of(item, "chat")[1][0]
    request = PlayInstance(
        "csc_generate",
        {},
        ("", {}),
        0,
        prompt=prompt,
        templated=True,
        settings=PlaySettings(think_tokens=tokens),
    )
    decided = plan(lm, [request])
    assert (decided.switch, decided.tokens) == ({}, 0)
    assert Renderer(lm, lm.apply_chat_template, thinking=decided.thinking).render(
        request
    ) == rendering.text(prompt)
