"""Building qa against a chat server, and the summaries of one talk by it."""

import asyncio
import io
import json

from builders.qa.conversations import choose
from builders.qa.summarise import Summariser, Variant
from builders.qa.tokens import TokenCounter
from builders.sources import RawConversation
from csc_tasks.cli import main
from csc_tasks.conversation import CUSTOMER, SUPPORTER, Turn
from csc_tasks.llm.client import LLM
from csc_tasks.llm.items import run_items
from csc_tasks.llm.journal.journal import Journal
from csc_tasks.llm.progress import Progress
from tests.support.llm_server import llm_server

TALK = [f"This is part {i} of the talk." for i in range(8)]
CLEAN = json.dumps({"reason": "Polite talk.", "flagged": False, "categories": []})


def build(source, out, server, *options, llm=("openai:m",)):
    """Run the command against the server; returns its exit status."""
    specs = [word for spec in llm for word in ("--llm", spec)]
    return main(
        [
            "build",
            "qa",
            "--source",
            str(source),
            *specs,
            "--base-url",
            server.url,
            "--out",
            str(out),
            *map(str, options),
        ]
    )


def chosen(texts=TALK, first=CUSTOMER):
    """One conversation of these texts, speakers in turn, every pair wanted."""
    second = SUPPORTER if first == CUSTOMER else CUSTOMER
    turns = tuple(Turn((first, second)[i % 2], text) for i, text in enumerate(texts))
    (found,), _ = choose([RawConversation("c", "en", "", "test", turns)], "all", 0, None)
    return found


def run(tmp_path, server, items, worker, **settings):
    """Run `worker(llm, item)` over the items; returns (the outcome, the llm)."""
    journal = Journal(tmp_path / f"{len(list(tmp_path.iterdir()))}.sqlite")
    with LLM.from_specs(["openai:m"], journal, base_url=server.url, **settings) as llm:

        async def work(item):
            return await worker(llm, item)

        return (
            asyncio.run(run_items(items, work, llm, Progress(len(items), stream=io.StringIO()))),
            llm,
        )


def summaries(tmp_path, script, most=250, **settings):
    """(pair -> summary or Dropped, the bodies asked, the summariser) for the talk; `script(body,
    number)` answers.
    """
    kept = []

    async def worker(llm, item):
        kept.append(Summariser(llm, Variant(tokens=most), TokenCounter()))
        return await kept[0].run(item)

    with llm_server(script) as server:
        outcome, _ = run(tmp_path, server, [chosen()], worker, **settings)
    return outcome.values[0], server.asked, kept[0]


def said(body):
    return body["messages"][1]["content"]
