"""Thinking aloud: what belongs to the reply, how a model thinks, and that marks survive decoding.
Expected values are written by hand.
"""

import pytest

from csc_tasks import thinking
from csc_tasks.thinking import FAMILIES, Thinking, separate
from tests.support.thinking_templates import TEMPLATES, make_tokenizer

FAMILY = {family.name: family for family in FAMILIES}

# what was written -> (reply, thinking), or None where the reply ended inside its thinking
MARKED = [
    ("[Greeting] Hello", "[Greeting] Hello", ""),
    ("<think>a</think>b", "b", "a"),
    ("a</think>b", "b", "a"),
    ("<think>a</think>b<think>c</think>d", "d", "abc"),
    ("<think>a", None, "a"),
    ("<think>a</think>x<think>again", None, "axagain"),
    ("[Greeting] Hello <think>a", None, "[Greeting] Hello a"),
    ("[THINK]a[/THINK] b", "b", "a"),
    ("a[/THINK]b", "b", "a"),
    ("[THINK]a", None, "a"),
    (
        "<seed:think>a<seed:cot_budget_reflect>1</seed:cot_budget_reflect></seed:think>b",
        "b",
        "a<seed:cot_budget_reflect>1</seed:cot_budget_reflect>",
    ),
    ("<seed:think>a", None, "a"),
    ("<mm:think>a</mm:think>b", "b", "a"),
    ("<|channel>thought\na<channel|>b", "b", "thought\na"),
    ("<|channel>thought\n<channel|>b", "b", "thought"),
    ("<|channel>thought\na", None, "thought\na"),
    ("<|START_THINKING|>a<|END_THINKING|><|START_RESPONSE|>b<|END_RESPONSE|>", "b", "a"),
    ("<|START_RESPONSE|>b<|END_RESPONSE|>", "b", ""),
    ("<|START_THINKING|>a", None, "a"),
    (
        "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>b<|return|>",
        "b",
        "a",
    ),
    (
        (
            "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>commentary<|message|>c<|end|>"
            "<|start|>assistant<|channel|>final<|message|>b"
        ),
        "b",
        "ac",
    ),
    ("<|channel|>final <|constrain|>json<|message|>b<|return|>", "b", ""),
    ("<|channel|>final<|message|>b", "b", ""),
    ("<|channel|>analysis<|message|>a", None, "a"),
    ("<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final", None, "a"),
    ("<|channel|>analysis", None, ""),
    (" to=self<|message|>a<|eom|><|start|>assistant to=user<|message|>b<|eot|>", "b", "a"),
    (" to=user<|message|>b<|eot|>", "b", ""),
    (" to=self<|message|>a", None, "a"),
    # ordinary words
    (
        "An analysis of your final bill: assistantfinal",
        "An analysis of your final bill: assistantfinal",
        "",
    ),
    ("analysisfinal", "analysisfinal", ""),
    ("thought\nwe could", "thought\nwe could", ""),
    ("to=self", "to=self", ""),
    ("I think [THINKING] <thinking>", "I think [THINKING] <thinking>", ""),
    ("", "", ""),
]


@pytest.mark.parametrize(("raw", "text", "thought"), MARKED)
def test_marks_are_read_whatever_the_model(raw, text, thought):
    found = separate(raw)
    assert (found.text, found.thought, found.cut) == (text or "", thought, text is None)
    assert separate(raw, Thinking(FAMILY["think"], True)) == found


@pytest.mark.parametrize(
    ("opened", "raw", "text", "thought"),
    [
        ("<think>", "a</think>\n\nb", "b", "a"),
        ("<think>", "a", None, "a"),
        ("<think>", "", None, ""),
        ("<think>", "\n</think>\n\nb", "b", ""),
        ("<think>", "<think>a</think>b", "b", "a"),
        ("[THINK]", "a[/THINK]b", "b", "a"),
        ("[THINK]", "a", None, "a"),
        ("<|channel>", "a<channel|>b", "b", "a"),
        ("<|channel>", "a", None, "a"),
        (
            "assistant<|channel|>analysis<|message|>",
            "a<|end|><|start|>assistant<|channel|>final<|message|>b",
            "b",
            "a",
        ),
        ("assistant<|channel|>analysis<|message|>", "a", None, "a"),
        ("assistant<|channel|>final<|message|>", "b", "b", ""),
    ],
)
def test_a_thought_that_the_prompt_opens_has_to_be_closed(opened, raw, text, thought):
    found = separate(raw, Thinking(opened=opened))
    assert (found.text, found.thought, found.cut) == (text or "", thought, text is None)


@pytest.mark.parametrize(
    ("family", "raw", "text"),
    [
        ("gpt-oss", "analysisThey greet.assistantfinal[Greeting] Hello", "[Greeting] Hello"),
        ("gpt-oss", "analysisaassistantcommentarycassistantfinalb", "b"),
        ("gpt-oss", "final[Greeting] Hello", "[Greeting] Hello"),
        ("gpt-oss", "final您好", "您好"),
        ("gpt-oss", "analysisThey greet", None),
        ("gpt-oss", "finally, hello", "finally, hello"),
        ("gpt-oss", "[Greeting] the analysis is final", "[Greeting] the analysis is final"),
        ("muse-glimmer", " to=selfHm.assistant to=user[Greeting] Hello", "[Greeting] Hello"),
        ("muse-glimmer", " to=user[Greeting] Hello", "[Greeting] Hello"),
        ("muse-glimmer", " to=selfHm.", None),
        ("gemma", "thought\nHm.[Greeting] Hello", None),
        ("gemma", "thoughtful", "thoughtful"),
        ("think", "analysisaassistantfinalb", "analysisaassistantfinalb"),
    ],
)
def test_text_that_lost_its_marks_is_read_for_known_families_only(family, raw, text):
    found = separate(raw, Thinking(FAMILY[family], True))
    assert (found.text, found.cut) == (text or "", text is None)


def test_a_closing_mark_of_the_users_counts_too():
    """lm_eval's think_end_token."""
    assert separate("a</reason>b", Thinking(closing="</reason>")).text == "b"
    assert separate("ab", Thinking(closing="</reason>")).text == "ab"
    assert separate("a</reason>b", Thinking(opened="<think>", closing="</reason>")).text == "b"
    assert separate("ab", Thinking(opened="<think>", closing="</reason>")).cut


def test_the_card_names_every_family_by_its_marks_and_the_default():
    from csc_tasks import TASKS_DIR
    from csc_tasks.play.thoughts import THINK_TOKENS
    from csc_tasks.settings import HELP

    page = TASKS_DIR.parent / "docs" / "explanation" / "thinking.md"
    card = page.read_text(encoding="utf-8").replace("\\|", "|")
    for family in FAMILIES:
        if family.closing:
            assert f"`{family.opening}{family.label}..{family.closing}`" in card
        else:
            heads, joint, _ = family.bare
            assert f"{heads[0]}..{joint}" in card
    assert (
        f" {THINK_TOKENS} tokens in addition" in card and str(THINK_TOKENS) in HELP["think_tokens"]
    )


HOSTILE = {
    **{mark: mark * (100_000 // len(mark)) for family in FAMILIES for mark in family.marks()},
    "headers": "<|start|>assistant<|channel|>final<|message|>" * 2_000,
    "heads": "analysis" * 12_500,
    "joints": "analysis" + "assistantfinal" * 7_000,
    "halves": "<|channel|" * 10_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_read_in_one_pass(name, steps):
    """Python steps, not seconds: a hundred times the text costs at most about a hundred times the
    steps.
    """
    long = HOSTILE[name]
    for how in (None, *(Thinking(family, True, "<think>") for family in FAMILIES)):
        assert steps(separate, long, how) <= 150 * steps(separate, long[: len(long) // 100], how)


HOW = {
    # name -> (thinks, opened, switch, bridge); then the same with the switch
    "plain": (False, "", {}, ""),
    "always opened": (True, "<think>", {}, "\n</think>\n\n"),
    "opened by default": (True, "<think>", {"enable_thinking": False}, "\n</think>\n\n"),
    "by the model": (True, "", {"enable_thinking": False}, ""),
    "closed by default": (False, "", {}, ""),
    "not to be seen": (None, "", {}, ""),
    "mistral": (None, "", {}, ""),
    "seed": (True, "", {"thinking_budget": 0}, ""),
    "gemma": (False, "", {}, ""),
    "gpt-oss": (True, "", {}, "<|channel|>final<|message|>"),
    "muse-glimmer": (True, "", {}, " to=user<|message|>"),
    "cohere": (True, "", {"reasoning": False}, "<|START_RESPONSE|>"),
    "kimi-k3": (True, "<|open|>think<|sep|>", {}, "<|close|>think<|sep|><|open|>response<|sep|>"),
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_how_a_model_thinks(name):
    tokenizer = make_tokenizer(name)
    found = thinking.of_tokenizer(tokenizer)
    assert (found.thinks, found.opened, found.switch, found.bridge) == HOW[name]
    off = thinking.of_tokenizer(tokenizer, found.switch)
    assert (off.thinks, off.opened) == ((False, "") if found.switch else HOW[name][:2])
    assert off.switch == {}


def test_thinking_that_was_switched_on_is_seen():
    for name, switch in (
        ("gemma", "enable_thinking"),
        ("closed by default", "thinking"),
        ("by the model", "enable_thinking"),
    ):
        found = thinking.of_tokenizer(make_tokenizer(name), {switch: True})
        assert (found.thinks, found.switch) == (True, {switch: False})
    assert (
        thinking.of_tokenizer(make_tokenizer("closed by default"), {"thinking": True}).opened
        == "<think>"
    )


def test_a_line_for_people():
    assert thinking.of_tokenizer(make_tokenizer("plain")).describe() == "does not think aloud"
    assert (
        thinking.of_tokenizer(make_tokenizer("opened by default")).describe()
        == "thinks aloud (think: <think>..</think>; the prompt opens the thinking); switched off"
        " with enable_thinking=False"
    )
    assert "messages of its own" in thinking.of_tokenizer(make_tokenizer("gpt-oss")).describe()
    assert thinking.of_tokenizer(make_tokenizer("mistral")).describe().startswith("may think aloud")


def test_a_tokenizer_without_a_template_or_with_one_that_refuses():
    tokenizer = make_tokenizer("mistral")
    tokenizer.chat_template = None
    assert thinking.of_tokenizer(tokenizer) == Thinking(FAMILY["mistral"])
    tokenizer.chat_template = "{{ raise_exception('no') }} <think>"
    assert (thinking.of_tokenizer(tokenizer).thinks, thinking.of_tokenizer(tokenizer).family) == (
        None,
        FAMILY["think"],
    )
    assert thinking.of_name("openai/gpt-oss-20b").family == FAMILY["gpt-oss"]
    assert thinking.of_name("meta/Llama-3").family is None


@pytest.mark.parametrize(
    ("name", "raw", "dropped"),
    [
        ("mistral", "[THINK]Hm.[/THINK][Greeting] 您好", "Hm.[Greeting] 您好"),
        ("gemma", "<|channel>thought\nHm.<channel|>[Greeting] Hi", "thought\nHm.[Greeting] Hi"),
        ("seed", "<seed:think>Hm.</seed:think>[Greeting] Hi", "Hm.[Greeting] Hi"),
        (
            "gpt-oss",
            (
                "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<"
                "|message|>[Greeting] Hi"
            ),
            "analysisHm.assistantfinal[Greeting] Hi",
        ),
        (
            "muse-glimmer",
            " to=self<|message|>Hm.<|eom|><|start|>assistant to=user<|message|>[Greeting] Hi",
            " to=selfHm.assistant to=user[Greeting] Hi",
        ),
        ("always opened", "Hm.</think>[Greeting] Hi", "Hm.</think>[Greeting] Hi"),
    ],
)
def test_marks_survive_decoding_and_other_special_tokens_do_not(name, raw, dropped):
    tokenizer = make_tokenizer(name)
    tokens = tokenizer(raw + tokenizer.eos_token + "<pad>" * 3, add_special_tokens=False)[
        "input_ids"
    ]
    plain = tokenizer.decode(tokens, skip_special_tokens=True)
    assert plain == dropped

    def decoded(some):
        return tokenizer.decode(some, skip_special_tokens=True)

    text = thinking.decode(tokens, thinking.special_marks(tokenizer), decoded)
    assert text == raw + (
        "<|return|>" if name == "gpt-oss" else "<|eot|>" if name == "muse-glimmer" else ""
    )
    assert separate(
        text, Thinking(opened="<think>" if name == "always opened" else "")
    ).text.startswith("[Greeting]")
    assert thinking.decode(tokens, {}, decoded) == plain


def test_a_mark_that_only_looks_like_one_is_dropped_as_before():
    """Phi ends a turn with <|end|>, which is a mark of gpt-oss too."""
    from tests.support.thinking_templates import tokenizer_of

    assert (
        thinking.special_marks(tokenizer_of("{{ messages }}", None, "<|end|>", ("<|user|>",))) == {}
    )
    assert thinking.special_marks(make_tokenizer("plain")) == {}


@pytest.mark.parametrize(
    ("message", "finish", "content"),
    [
        ({"content": "hi"}, "stop", "hi"),
        ({"content": "hi"}, "length", "hi"),
        ({"content": None}, "stop", None),
        ({}, None, None),
        ({"content": None}, "length", "<think>"),
        ({"content": ""}, "length", "<think>"),
        ({"content": "hi", "reasoning_content": "hm"}, "stop", "<think></think>hi"),
        ({"content": "hi", "reasoning": "hm </think> x"}, "length", "<think></think>hi"),
        ({"content": None, "reasoning_content": "hm"}, "length", "<think>"),
        ({"content": None, "reasoning_content": "hm"}, "stop", "<think></think>"),
        ({"content": "hi", "reasoning_content": None}, "stop", "hi"),
        (
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                    {"type": "text", "text": "hi"},
                ]
            },
            "stop",
            "hi",
        ),
    ],
)
def test_what_an_api_sends_beside_the_text_is_no_reply(message, finish, content):
    assert thinking.content_of(message, finish) == content
    found = separate(content or "")
    assert found.text == ("hi" if (content or "").endswith("hi") else "")
    assert found.cut == (content == "<think>")
