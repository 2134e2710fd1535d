"""Runs of cscx_conv_live with conversations that were written by hand."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from csc_tasks import corpora
from csc_tasks.conversation import Conversation
from csc_tasks.live import LiveDialogue
from csc_tasks.live.record import live_record
from csc_tasks.measuring import measure
from csc_tasks.metrics import DIALOGUE, select
from csc_tasks.runs.writing import TaskResult
from tests.support.made_results import in_order, write_run

LIVE_TASK = "cscx_conv_live"


def write_live(
    root: Path, model: str, dialogues: Sequence[LiveDialogue], items: Sequence[Conversation]
) -> Path:
    """Write the run of a model with one customer; returns the results file."""
    by_id: Mapping[str, LiveDialogue] = {one.conversation_id: one for one in dialogues}
    items = in_order([item for item in items if item.conversation_id in by_id])
    records = [
        live_record(by_id[item.conversation_id], item.topic, False, False, 0) for item in items
    ]
    languages = sorted({item.language for item in items})
    hashed = corpora.content_hash(items)
    corpus = corpora.Corpus("hand", "csconv", "test", tuple(items), None, hashed, {})
    columns = measure(records, select("overlap", DIALOGUE), languages)
    customer = dialogues[0].customer

    def say_customer(made: dict) -> None:
        csc = made["configs"][LIVE_TASK]["metadata"]["csc"]
        csc |= {
            "customer": customer,
            "customer_prompt": "0123456789abcdef",
            "briefs": "0123456789abcdef",
        }

    made = TaskResult(LIVE_TASK, "live", corpus, items, records, columns)
    return write_run(root, model, [made], say_customer)
