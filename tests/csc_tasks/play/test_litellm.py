"""lm_eval's LiteLLM backend: played the plain way, which the results say. LiteLLM is replaced by a
client that answers from a function.
"""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from tests.csc_tasks.play.test_backends import how, run
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
def test_litellm_is_played_the_plain_way(asked, tmp_path, caplog, connections):
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
    reason = "the backend LiteLLMChatCompletion is asked through its own methods"
    assert caplog.text.count(f"csc: plain play ({reason})") == 1
    gold = [turn.strategy for talk in sample_conversations() for turn in talk.dialogue]
    scored = [strategy for strategy in gold if strategy]
    scores = results["results"]["csc_conv_gen"]
    assert scores["turns,none"] == len(asked) == len(scored)
    assert {payload["model"] for payload in asked} == {"openai/stand-in"}
    assert all(payload["messages"][-1]["role"] == "user" for payload in asked)
    # The strategy in every reply was read: all are IV.
    assert scores["strategy_acc,none"] == pytest.approx(scored.count("IV") / len(scored))
