"""The two forms of a reply: what prompts show of them, what is read, and what a server is sent."""

import json
import re

import pytest

from csc_tasks.conversation import Conversation, Turn
from csc_tasks.errors import SettingError
from csc_tasks.languages import languages
from csc_tasks.prompts import (
    FORMS,
    Reply,
    TurnPrompt,
    ask_again_line,
    format_line,
    read_reply,
    schema,
    tagged,
)
from csc_tasks.prompts import forms as module

TURNS = (
    Turn("supporter", 'Hello, you reached "support".', "GT"),
    Turn("customer", "I was charged\ntwice."),
    Turn("supporter", "One moment.", ""),
    Turn("customer", "Well?"),
    Turn("supporter", "I am sorry.", "EM"),
)
DIALOGUE = Conversation("c", "en", "Others", "test", TURNS)
OBJECT = '{"strategy": "Greeting", "response": "Hello, you reached \\"support\\"."}'


def shown(form, style, **options):
    prompt = TurnPrompt(DIALOGUE, 4, style, form=form)
    return prompt.plain(prompt.messages(**options))


@pytest.mark.parametrize("style", ["single", "chat"])
def test_the_forms_differ_in_the_format_line_and_in_labelled_turns_alone(style):
    text, as_json = shown("text", style).splitlines(), shown("json", style).splitlines()
    pairs = [pair for pair in zip(text, as_json, strict=True) if len({*pair}) == 2]
    assert pairs[0] == (
        "Reply format: [Strategy name] reply",
        'Reply format: {"strategy": "Strategy name", "response": "reply"}',
    )
    assert pairs[1][1].startswith("Write one JSON object with exactly one strategy name")
    before = "Supporter: "
    assert pairs[2:] == [
        (f'{before}[Greeting] Hello, you reached "support".', f"{before}{OBJECT}"),
    ]


def test_the_models_own_turns_re_enter_in_the_form_that_was_asked_for():
    own = {0: Reply("PS", "Restart it."), 2: Reply(None, "{broken"), 9: Reply(None, "")}
    prompt = shown("json", "single", replies=own)
    assert 'Supporter: {"strategy": "Providing Suggestions", "response": "Restart it."}' in prompt
    assert "\nSupporter: {broken\n" in prompt


def test_only_a_prompt_that_asks_for_a_strategy_has_a_form():
    for variant in ("vanilla", "oracle"):
        asked = [TurnPrompt(DIALOGUE, 4, "single", variant, form) for form in FORMS]
        heads = {prompt.plain(prompt.messages()).partition("Conversation")[0] for prompt in asked}
        assert len(heads) == 1 and not any(prompt.names_strategy for prompt in asked)


def test_a_target_is_what_is_asked_for_and_is_read_as_itself():
    prompt = TurnPrompt(DIALOGUE, 0, form="json")
    assert prompt.target() == OBJECT
    assert read_reply(OBJECT, None, "en", "json") == Reply("GT", TURNS[0].text)


CUT = '{"strategy": "Greeting", "response": "Hel'
# written -> (strategy, text) where JSON was asked for; None: as where text was asked for
READ = {
    '{"strategy": "Greeting", "response": "Hello."}': ("GT", "Hello."),
    '```json\n{"strategy": "Greeting", "response": "Hello."}\n```': ("GT", "Hello."),
    'Supporter: {"strategy": "Greeting", "response": "Hello."}': ("GT", "Hello."),
    '{"response": "Hello.", "strategy": "Greeting"}': ("GT", "Hello."),
    '{"strategy": "GT", "response": "[Greeting] Hello."}': ("GT", "Hello."),
    '{"strategy": "Greeting", "response": "two\nlines"}': ("GT", "two\nlines"),
    # What comes behind the object is no part of the reply.
    '{"strategy": "Greeting", "response": "Hello."}\nCustomer: hi': ("GT", "Hello."),
    '{"strategy": "Greeting", "response": "a"}\n{"strategy": "Greeting", "resp': ("GT", "a"),
    # Cut by the token limit.
    CUT: ("GT", "Hel"),
    f"```json\n{CUT}": ("GT", "Hel"),
    f"{CUT}\\": ("GT", "Hel"),
    f"{CUT}\\u00e": ("GT", "Hel"),
    f"{CUT}\\u00e9": ("GT", "Helé"),
    f'{CUT} \\"lo': ("GT", 'Hel "lo'),
    '{"strategy": "Greeting", "resp': ("GT", ""),
    '{"strategy": "Greeting",': ("GT", ""),
    '{"strategy": "Greeting"': ("GT", ""),
    "[Greeting] Hello.": ("GT", "Hello."),
    # Nothing to choose from, or two choices.
    '{"strategy": "Gree': None,
    '{"strategy": "Small Talk", "response": "Nice weather."}': None,
    '{"strategy": "Greeting", "reply": "Hello."}': None,
    '{"strategy": ["Greeting"], "response": "Hello."}': None,
    '{"response": "Hello.", "strategy": "Gree': None,
    'Sure! {"strategy": "Greeting", "response": "Hello."}': None,
    '{"strategy": "Greeting", "response": "a"} {"strategy": "Others", "response": "b"}': None,
    '{"strategy": "Greeting", "response": "[Others] Hello."}': None,
    "{" * 4000: None,
}


@pytest.mark.parametrize("written", READ, ids=[text[:60] for text in READ])
def test_what_is_read_where_json_was_asked_for(written):
    wanted = READ[written] or (None, written.removeprefix("Supporter: "))
    reply = read_reply(written, None, "en", "json")
    assert (reply.strategy, reply.text) == wanted


def test_a_cut_object_is_no_choice_where_text_was_asked_for():
    assert read_reply(CUT, None, "en") == Reply(None, CUT)


def test_reading_takes_a_time_that_is_linear_in_the_length():
    for part in ('{"strategy": "', '"strategy": "', "\\", '{"strategy": "Greeting", "response": "'):
        assert read_reply(part * 20_000, None, "en", "json").thinking_cut is False


@pytest.mark.parametrize("code", languages())
def test_every_shipped_language_asks_for_both_forms(code):
    names = [strategy.name for strategy in languages()[code].strategies.values()]
    assert schema(code)["properties"]["strategy"]["enum"] == names and len(names) == 12
    assert [*schema(code)["properties"]] == schema(code)["required"] == ["strategy", "response"]
    for line in (format_line(code, "json"), ask_again_line(code, "json")):
        example = json.loads(re.search(r"\{.*?\}", line)[0])
        assert [*example] == ["strategy", "response"]
        # The names stand for a name and a reply, and are none of the twelve.
        assert read_reply(json.dumps(example), None, code, "json").strategy is None
    assert format_line(code) == languages()[code].words.FORMAT
    bracket = re.search(r"\[.*?\]\s\S+?[^\s)）]*", ask_again_line(code))[0]
    assert bracket in format_line(code), "both show the same form"
    assert "\n" not in ask_again_line(code) + ask_again_line(code, "json")
    for form in FORMS:
        target = tagged("EM", "text", code, form)
        assert read_reply(target, None, code, form) == Reply("EM", "text")


def test_a_language_of_ones_own_may_lack_them_and_says_so(monkeypatch):
    english = languages()["en"]
    bare = english.words.model_copy(update={"FORMAT_JSON": None, "ASK_AGAIN": None})
    own = english.model_copy(update={"words": bare})
    monkeypatch.setattr(module, "language", lambda code: own)
    assert format_line("en") == english.words.FORMAT
    with pytest.raises(SettingError, match=r"'en' has no FORMAT_JSON in its prompts\.yaml"):
        format_line("en", "json")
    with pytest.raises(SettingError, match="has no ASK_AGAIN in"):
        ask_again_line("en")


def test_asking_again_shows_the_reply_and_the_form():
    prompt = TurnPrompt(DIALOGUE, 4, "chat", form="json")
    asked = prompt.messages()
    again = prompt.asked_again(asked, Reply(None, "Well\nwell."))
    assert again[: len(asked)] == asked
    assert [(one["role"], one["content"]) for one in again[len(asked) :]] == [
        ("assistant", "Well\nwell."),
        ("user", ask_again_line("en", "json")),
    ]
    single = TurnPrompt(DIALOGUE, 4)
    (before,), (message,) = (
        single.messages(),
        single.asked_again(single.messages(), Reply(None, "Well\nwell.")),
    )
    hint = "(That reply is not in the reply format. Write it again as: [Strategy name] reply)"
    assert message["content"] == (
        f"{before['content']}\nWell well.\n\n{hint}\n\nSupporter's next reply:"
    )
    (nothing,) = single.asked_again(single.messages(), Reply(None, ""))
    assert "Supporter's next reply:\n(no reply)\n\n" in nothing["content"]
