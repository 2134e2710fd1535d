"""Which models think, by their names."""

import pytest

from csc_tasks.thinking import thinks, thinks_in_text


@pytest.mark.parametrize(
    ("model", "in_text", "at_all"),
    [
        ("gpt-4o", False, False),
        ("gpt-5-mini", False, True),
        ("o1", False, True),
        ("openai/o4-mini", False, True),
        ("openai/gpt-oss-20b", True, True),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", True, True),
        ("deepseek-reasoner", True, True),
        ("deepseek-chat", False, False),
        ("Qwen/Qwen3-8B", True, True),
        ("Qwen/Qwen3-30B-A3B-Instruct-2507", False, False),
        ("Qwen/Qwen3-30B-A3B-Thinking-2507", True, True),
        ("Qwen/Qwen2.5-7B-Instruct", False, False),
        ("mistralai/Magistral-Small-2506", True, True),
        ("meta-llama/Llama-3.1-8B-Instruct", False, False),
        ("scripted", False, False),
    ],
)
def test_who_thinks_by_name(model, in_text, at_all):
    assert (thinks_in_text(model), thinks(model)) == (in_text, at_all)
