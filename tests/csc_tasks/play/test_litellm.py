"""lm_eval's LiteLLM backend: played the plain way, which the results say. LiteLLM is replaced by a
client that answers from a function.
"""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from tests.csc_tasks.play.test_backends import how, run, turns
from tests.support.fakes import sample_conversations, write_corpus


@pytest.fixture
def asked(monkeypatch):
    """The payloads that the stand-in for LiteLLM was given; it answers with their number."""
    payloads = []

    def completion(**payload):
        payloads.append(payload)
        content = f"[IV] Answer {len(payloads)}."
        choice = {"index": 0, "message": {"content": content}, "finish_reason": "stop"}
        return SimpleNamespace(model_dump=lambda: {"choices": [choice]})

    async def acompletion(**payload):
        return completion(**payload)

    module = ModuleType("litellm")
    module.completion, module.acompletion, module.drop_params = completion, acompletion, False
    monkeypatch.setitem(sys.modules, "litellm", module)
    return payloads


@pytest.mark.parametrize("connections", [1, 4])
def test_litellm_is_played_the_plain_way(asked, tmp_path, connections):
    corpus = write_corpus(tmp_path / "corpus")
    results = run(
        "litellm",
        f"model=openai/stand-in,num_concurrent={connections}",
        corpus,
        ["csc_conv_gen"],
        apply_chat_template=True,
    )
    assert how(results, "csc_conv_gen") == {
        "mode": "plain",
        "reason": "the backend LiteLLMChatCompletion is asked through its own methods",
    }
    answered = turns(results, "csc_conv_gen")
    labelled = sum(
        turn.strategy is not None
        for conversation in sample_conversations()
        for turn in conversation.dialogue
    )
    assert len(answered) == len(asked) == labelled
    assert {payload["model"] for payload in asked} == {"openai/stand-in"}
    assert all(payload["messages"][-1]["role"] == "user" for payload in asked)
    # Every turn got a reply of its own, and the strategy in it was read.
    assert {turn["strategy"] for turn in answered} == {"IV"}
