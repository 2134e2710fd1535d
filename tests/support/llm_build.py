"""A small build, run as a process of its own so that it can be killed:

    python -m tests.support.llm_build URL JOURNAL OUT [ITEMS] [CONCURRENCY]

Each item is a dialogue of four turns in which every prompt holds the reply before it, so a lost or
changed reply changes all that follows.
"""

import asyncio
import hashlib
import json
import sys
from pathlib import Path

from pydantic import BaseModel

from csc_tasks.cli import guarded
from csc_tasks.llm.client import LLM
from csc_tasks.llm.items import run_items
from csc_tasks.llm.journal.journal import Journal
from tests.support.llm_server import Act

TURNS = 4


class Said(BaseModel):
    """One turn."""

    text: str
    finished: bool


def script(body: dict, number: int) -> Act:
    """A reply made from the request alone: one in eight is malformed, one in forty a refusal. One
    in ten requests is turned away once.
    """
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).digest()
    delay = 0.01 + digest[3] / 255 * 0.03
    if digest[1] % 40 == 0:
        return Act(None, message={"refusal": "no"}, delay=delay)
    if digest[0] % 8 == 0:
        return Act("Sure! " + digest.hex(), delay=delay)
    if number % 10 == 9:
        return Act(status=500, delay=delay)
    text = f"{digest.hex()[:12]} “好的” // https://example.org/a//b\n"
    return Act(json.dumps({"text": text, "finished": digest[2] % 6 == 0}), delay=delay)


def build(url: str, journal: str, out: str, items: int, concurrency: int) -> None:
    """Write one line per finished dialogue, and the drops."""
    with LLM.from_specs(
        ["openai:model"], Journal(journal), base_url=url, concurrency=concurrency, first_pause=0.01
    ) as llm:

        async def dialogue(item):
            history = [f"start of {item}"]
            for turn in range(TURNS):
                messages = [{"role": "user", "content": "\n".join(history)}]
                answer = await llm.ask(
                    stage=f"turn{turn}", messages=messages, reply=Said, item_id=item
                )
                history.append(answer.parsed.text)
                if answer.parsed.finished:
                    break
            return history

        outcome = asyncio.run(run_items([f"item-{i:03}" for i in range(items)], dialogue, llm))
    lines = [json.dumps([item, history], ensure_ascii=False) for item, history in outcome.results]
    lines += [json.dumps([item, error.reason, error.detail]) for item, error in outcome.drops]
    Path(out).write_text("\n".join(lines), encoding="utf-8")
    print(f"{len(outcome.results)} done, dropped {dict(sorted(outcome.dropped.items()))}")


if __name__ == "__main__":
    url, journal, out, *numbers = sys.argv[1:]
    items, concurrency = map(
        int, [*numbers, "40", "8"][:2] if len(numbers) != 1 else [*numbers, "8"]
    )
    sys.exit(guarded(lambda: build(url, journal, out, items, concurrency)))
