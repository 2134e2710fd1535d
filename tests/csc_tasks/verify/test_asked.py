"""What of a logged prompt is compared: its text without what JSON and templates do to it; and what
of one cannot be.
"""

import json
import re
from itertools import product

import pytest

from csc_tasks.prompts import Reply, TurnPrompt, tagged
from csc_tasks.runs.task_record import SHIPPED
from csc_tasks.verify.asked import asked, wrong
from tests.support.fakes import sample_conversations


def bare(text: str) -> str:
    found = asked({"arguments": {"gen_args_0": {"arg_0": text}}}, 0)
    assert found is not None
    return found.text


def test_white_space_quotes_and_backslashes_of_every_kind_go():
    every = "".join(map(chr, range(0x3100)))
    assert bare(every) == re.sub(r"[\s\"'\\]+", "", every)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("one\\ntwo\\\\n three", "onetwothree"),
        ("\\u60a8好 \\\\u597d", "您好好"),
        ('it\\\'s \\"so\\"', "itsso"),
        ("\\unknown", "unknown"),
        ("\u3000全 角\x1c", "全角"),
    ],
)
def test_the_escapes_of_json_are_undone(text, left):
    assert bare(text) == left


TASKS = {
    "predict": "csc_conv_ref",
    "vanilla": "cscx_conv_ref_vanilla",
    "oracle": "cscx_conv_ref_oracle",
}
LABELLED = "Hello, and then [Greeting]"
"""An unparsed reply, which re-enters as it is, and ends as a forced prompt does."""


def said_of(task, form, prompt, own=None, begun=""):
    """What is said of a prompt in messages and in plain text, each in one set."""
    said = set()
    messages = prompt.messages(0, {k: Reply(None, text) for k, text in (own or {}).items()})
    assistant = [{"role": "assistant", "content": begun}] if begun else []
    for text in (json.dumps([*messages, *assistant]), prompt.plain(messages) + begun):
        sent = asked({"arguments": {"gen_args_0": {"arg_0": text}}}, 0)
        chosen = {"chosen": prompt.conversation.dialogue[prompt.turn].strategy} if begun else {}
        item, reference = prompt.conversation, "not in it, and long enough"
        said.add(
            wrong(sent, SHIPPED[task], item, prompt.turn, own or {}, reference, form=form, **chosen)
        )
    return said


def prompts(variant, form, style):
    return [
        TurnPrompt(one, turn, style, variant, form)
        for one in sample_conversations()
        for turn in one.scored_turns()
    ]


@pytest.mark.parametrize("style", ["single", "chat"])
def test_a_prompt_is_told_from_that_of_another_task_or_form(style):
    for variant, form in product(TASKS, ("text", "json")):
        if form == "json" and variant != "predict":
            continue
        for prompt in prompts(variant, form, style):
            for other, other_form in product(TASKS, ("text", "json")):
                said = said_of(TASKS[other], other_form, prompt)
                if (other == variant and other_form == form) or (
                    other == variant and variant != "predict"
                ):
                    assert said == {""}
                elif variant == "oracle" and other == "predict":
                    assert said <= {"it gives the gold strategy", "it gives a strategy"}
                elif variant == "predict":
                    assert said == {"it asks for another form of replies"}


@pytest.mark.parametrize("style", ["single", "chat"])
def test_a_reply_that_is_begun_is_told_from_one_that_is_not(style):
    for prompt in prompts("predict", "text", style):
        gold = prompt.conversation.dialogue[prompt.turn].strategy
        begun = tagged(gold, "", prompt.language).strip()
        assert said_of("csc_conv_ref", "text", prompt, begun=begun) == {"it gives a strategy"}
        assert said_of("cscx_conv_ref_forced", "text", prompt, begun=begun) == {""}
        earlier = [turn for turn in prompt.conversation.scored_turns() if turn < prompt.turn]
        own = dict.fromkeys(earlier, LABELLED)
        assert said_of("csc_conv_gen", "text", prompt, own) == {""}
