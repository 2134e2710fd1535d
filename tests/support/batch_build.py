"""A round of requests in batches, run as a process of its own so that it can be killed:

python -m tests.support.batch_build URL JOURNAL ITEMS [COMMAND]
"""

import asyncio
import sys

from csc_tasks.cli import guarded
from csc_tasks.llm.client import LLM
from csc_tasks.llm.items import run_items
from csc_tasks.llm.journal.journal import Journal
from tests.support.llm_asking import user

PAUSE = 0.005


def main(url: str, journal: str, items: str, command: str | None = None) -> None:
    with LLM.from_specs(
        ["batch:model"],
        Journal(journal),
        base_url=url,
        first_pause=PAUSE,
        batch_command=command,
    ) as llm:

        async def worker(item: str) -> str:
            return (await llm.ask(stage="test", messages=user(item), item_id=item)).text

        outcome = asyncio.run(run_items([str(i) for i in range(int(items))], worker, llm))
        print(*outcome.values, sep="\n")


if __name__ == "__main__":
    sys.exit(guarded(lambda: main(*sys.argv[1:])))
