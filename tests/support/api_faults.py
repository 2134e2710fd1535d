"""API servers that misbehave: what they do to which turn, and a run of lm_eval against them."""

import pytest
from lm_eval import simple_evaluate
from lm_eval.api.registry import get_model
from lm_eval.tasks import TaskManager

from csc_tasks import TASKS_DIR
from csc_tasks.prompts import instructions
from tests.support.llm_server import Act
from tests.support.playing import untimed

LIMIT = len(instructions("en", "predict")) + 330
"""Room for some turns of history, not for all: instructions, the tail and a reply of twelve."""
TASKS = ["csc_conv_ref", "csc_conv_gen", "csc_qa"]
BOTH_APIS = pytest.mark.parametrize("api", ["chat", "completions"])
CONNECTIONS = pytest.mark.parametrize("connections", [1, 4])
GOOD = Act("[Greeting] all is well")


def backend(api, url, connections=1, **settings):
    settings = {"max_retries": 2, "timeout": 30, **settings}
    if api == "chat":
        return get_model("local-chat-completions")(
            model="stub", base_url=f"{url}/chat/completions", num_concurrent=connections, **settings
        )
    settings = {"tokenizer_backend": None, **settings}
    return get_model("local-completions")(
        model="stub", base_url=f"{url}/completions", num_concurrent=connections, **settings
    )


def evaluate(lm, corpus, tasks, metadata=None, **options):
    settings = {"csc_corpus": str(corpus), "csc_qa_corpus": str(corpus)} | (metadata or {})
    manager = TaskManager(include_path=str(TASKS_DIR), include_defaults=False, metadata=settings)
    chat = "chat" in type(lm).__name__.lower()
    return simple_evaluate(
        lm,
        tasks=tasks,
        task_manager=manager,
        bootstrap_iters=0,
        apply_chat_template=chat,
        gen_kwargs="max_gen_toks=12",
        **options,
    )


def text_of(body):
    """All that a request shows the model."""
    if "prompt" in body:
        return body["prompt"] if isinstance(body["prompt"], str) else "".join(body["prompt"])
    return "\n".join(message["content"] for message in body["messages"])


def is_bad(body):
    """One turn of one conversation, and one question, are what the servers of these tests stumble
    over.
    """
    text = text_of(body)
    card = "My card was charged twice for order 1182."
    return (
        f"{card} (1)" in text and f"{card} (2)" not in text
    ) or "Where is my refund? mid" in text


def stumbling(act):
    return lambda body, number: act if is_bad(body) else GOOD


def records(results, task):
    return [
        untimed(record)
        for sample in results["samples"][task]
        for record in sample["answers" if "qa" in task else "turns"]
    ]


def too_long(tokens, limit, form="numbers"):
    """A refusal as OpenAI words it, as llama.cpp does, and without any number."""
    if form == "numbers":
        said = (
            f"This model's maximum context length is {limit} tokens. However, your messages"
            f" resulted in {tokens} tokens."
        )
        return Act(status=400, body={"error": {"message": said, "code": "context_length_exceeded"}})
    if form == "fields":
        fields = {"type": "exceed_context_size_error", "n_prompt_tokens": tokens, "n_ctx": limit}
        return Act(
            status=400,
            body={"error": {"message": "the request exceeds the available context size"} | fields},
        )
    return Act(
        status=500, body={"error": {"message": "the prompt is too long for the context window"}}
    )
