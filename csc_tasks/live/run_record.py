"""What a run says of its customer in `metadata.csc`, which makes it the run that it is."""

from typing import Any

from csc_tasks.live.customers import RECORDED, SCRIPTED, CustomerSettings, recorded, scripted
from csc_tasks.live.customers.model import prompt_version


def customer_record(
    settings: CustomerSettings, most: int, briefs: str, source: str, languages: list[str]
) -> dict[str, Any]:
    """customer: who plays, customer_prompt: the version of its prompt or rules, briefs: their hash,
    brief_source: what made them, max_turns: the cap; of a model also its temperature and seed.
    """
    if settings.customer == RECORDED:
        version: dict[str, Any] = {"customer_prompt": recorded.VERSION}
    elif settings.customer == SCRIPTED:
        version = {"customer_prompt": scripted.VERSION}
    else:
        version = {
            "customer_prompt": prompt_version(languages),
            "customer_temperature": settings.temperature,
            "customer_seed": settings.seed,
        }
    made = {"briefs": briefs, "brief_source": source, "max_turns": most}
    return {"customer": settings.customer} | version | made
