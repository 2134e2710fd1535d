"""Whether lockstep play is for a model:

What its configuration tells and, where asked for, a trial with its weights.
"""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from csc_tasks.doctor import BROKEN, NOTE, OK, Finding
from csc_tasks.doctor.subject import Subject, in_bytes
from csc_tasks.prefix_cache import by_adapter, by_generation, by_model

SUBJECT = "lockstep play"
SLOWER = "replies are the same, and slower: every prompt is computed from its start"


def lockstep(subject: Subject, load: bool) -> Iterator[Finding]:
    """One finding; `load`: whether it is tried with the model's weights."""
    reason = why_not(subject)
    if reason:
        yield Finding(NOTE, SUBJECT, f"off: {reason}", SLOWER)
    elif load:
        yield trial(subject)
    else:
        text = "its configuration allows it; every run tries it first, and --load tries it now"
        yield Finding(OK, SUBJECT, text)


def why_not(subject: Subject) -> str | None:
    """What the model's code, configuration and adapter have against it."""
    from transformers import GenerationConfig

    adapters = []
    if subject.adapter:
        from peft import PeftConfig

        adapters.append(PeftConfig.from_pretrained(str(subject.adapter)))
    generation = subject.skeleton.generation_config
    with contextlib.suppress(OSError):
        generation = GenerationConfig.from_pretrained(subject.folder)
    return (
        by_adapter(adapters)
        or by_model(subject.skeleton)
        or by_generation(subject.skeleton, generation.to_diff_dict())
    )


def trial(subject: Subject) -> Finding:
    """What a process finds out that loads the weights; only lm_eval's may import play."""
    tokens = longest_prompt(subject.tokenizer)
    model = {"pretrained": str(subject.folder), **subject.reading}
    if subject.adapter:
        model["peft"] = str(subject.adapter)
    words = [sys.executable, "-m", "csc_tasks.play.trial", json.dumps(model), str(tokens)]
    done = subprocess.run(words, capture_output=True, text=True)
    try:
        answer = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        text = f"the model cannot be loaded ({lines[-1][:200]})"
        return Finding(BROKEN, SUBJECT, text, "look at the model's files, and at the memory")
    where = f"the model takes {in_bytes(answer['memory'])} on {answer['device']}"
    if answer["why"]:
        return Finding(NOTE, SUBJECT, f"off: {answer['why']}; {where}", SLOWER)
    text = f"on: with {tokens:,} tokens its logits are those without a cache; {where}"
    return Finding(OK, SUBJECT, text)


def longest_prompt(tokenizer: Any) -> int:
    """How many tokens the longest prompt of the embedded corpus has."""
    from csc_tasks import corpora
    from csc_tasks.prompts import TurnPrompt

    conversations = corpora.load("demo", "csconv", "test").items
    prompts = [TurnPrompt(item, item.scored_turns()[-1]) for item in conversations]
    texts = [prompt.plain(prompt.messages()) for prompt in prompts]
    return max(len(ids) for ids in tokenizer(texts)["input_ids"])
