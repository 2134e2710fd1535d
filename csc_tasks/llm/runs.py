"""What every build that asks a language model writes down about the asking: the models into
build.json, times and costs into run.json.
"""

import time
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from csc_tasks.llm.client import LLM


def stage_models(llm: "LLM", stages: Iterable[str]) -> dict[str, str]:
    """Stage -> `backend:model`."""
    backends = {stage: llm.backends.get(stage) or llm.backends[""] for stage in stages}
    return {
        stage: f"{backend.name}:{backend.model}".rstrip(":") for stage, backend in backends.items()
    }


def run_record(llm: "LLM", started: float) -> dict[str, object]:
    """What run.json says of a run that began at `started` (seconds since 1970); `stages` and `cost`
    include the journal's earlier runs.
    """
    stages: dict[str, dict[str, float]] = {}
    for part in llm.journal.totals():
        stages[f"{part.stage} {part.backend}:{part.model}".rstrip(":")] = {
            "requests": part.tries,
            "asked": part.asked,
            "well_formed_at_first": part.at_first,
            "well_formed_after_repair": part.repaired,
            "malformed": part.malformed,
            "refused": part.refused,
            "given_up": part.given_up,
            "input_tokens": part.input_tokens,
            "output_tokens": part.output_tokens,
            "seconds": round(part.seconds, 1),
        }
    return {
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        "seconds": round(time.time() - started, 1),
        "requests_sent": llm.sent,
        "requests_answered": llm.answered,
        "requests_read_from_the_journal": llm.replayed,
        "failures": dict(llm.failures),
        "left_out": llm.left_out(),
        "dropped_without_a_reply": [asdict(row) for row in llm.journal.all_given_up()],
        "stages": stages,
        "cost": llm.budget.cost,
    }
