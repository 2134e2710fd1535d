"""The benchmark of prompts for weak models: what each way adds, and how its replies are counted."""

import pytest

from benchmarks.weak_prompts import WAYS, as_it_is, once, shown
from csc_tasks.conversation import Conversation, Turn
from csc_tasks.prompts import TurnPrompt, format_line

TURNS = (
    Turn("customer", "My card is lost.", ""),
    Turn("supporter", "Which one?", "PR"),
    Turn("customer", "The red one.", ""),
    Turn("supporter", "It is blocked.", "RI"),
)


def prompts(style="chat", names=("a", "b")):
    return [
        TurnPrompt(Conversation(name, "en", "Others", "test", TURNS), turn, style)
        for name in names
        for turn in (1, 3)
    ]


@pytest.mark.parametrize("style", ["single", "chat"])
def test_every_way_adds_to_the_prompt_only_what_it_says(style):
    (prompt, *_) = prompts(style)
    asked = {name: messages(prompt) for name, (messages, _) in WAYS.items()}
    line = format_line("en")
    plain = "\n".join(message["content"] for message in as_it_is(prompt))
    assert asked["as it is"] == asked["bracket given"] == as_it_is(prompt)
    example = "\n".join(message["content"] for message in asked["example"])
    added = "\n[Problem Refinement] Could you tell me which of your cards this is about?"
    assert example.replace(added, "") == plain and example.count(added) == 1
    (listed,) = (text for text in asked["names listed"] if "[Greeting], [" in text["content"])
    assert "[Strategy name]" not in listed["content"]
    assert listed["content"].count("[Others], then the reply\nWrite exactly one") == 1
    last = asked["format again"][-1]["content"]
    assert last.count(line) == (2 if style == "single" else 1)
    assert last.endswith(line if style == "chat" else "Supporter's next reply:")


def test_what_was_asked_is_not_asked_again(tmp_path):
    file, asked = tmp_path / "kept.json", []

    def work():
        asked.append(1)
        return ["Well"]

    first = once(file, ("chat", "as it is", 8), work)
    assert first == once(file, ("chat", "as it is", 8), work) and first[0] == ["Well"]
    assert len(asked) == 1
    once(file, ("chat", "as it is", 9), work)
    once(None, ("chat", "as it is", 8), work)
    assert len(asked) == 3


def test_replies_are_counted_by_hand():
    replies = ["[Problem Refinement] Which?", "Well", "[Greeting] Hello", "[Greeting] Hello"]
    # One of four is right, one of three that could be read.
    assert shown("strategy_acc", prompts(), replies).startswith("0.250 ± ")
    assert shown("strategy_acc_parsed", prompts(), replies).startswith("0.333 ± ")
    assert shown("format_rate", prompts(), replies).startswith("0.750 ± ")
    assert shown("strategy_acc_parsed", prompts(), ["", "?", "", ""]) == "N/A"
    # Of one conversation there is a number and no error.
    assert shown("strategy_acc_parsed", prompts(names="a"), ["[Greeting] Hello", ""]) == "0.000"
