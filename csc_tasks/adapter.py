"""What an adapter of ours says about the prompts it was trained on: scoring it on others is possible, and is said."""

import json
from collections.abc import Mapping
from pathlib import Path

RECORD = "csc_adapter.json"


def mismatch(metadata: Mapping, style: str, today: str) -> str | None:
    """A sentence when lm_eval's model arguments name an adapter that was trained on other prompts, else None.

    They are others when their style is not `style`, or when they show a date that is not `today`.
    lm_eval puts the model arguments into a task's metadata. Adapters that are not ours, or not here but on the Hub, say nothing.
    """
    folder = metadata.get("peft")
    try:
        record = json.loads(Path(str(folder), RECORD).read_text(encoding="utf-8"))
        # An adapter whose prompts show no date, or one from before it was recorded, goes with any.
        trained = {"csc_prompt": record["style"], "csc_date": record.get("date") or today}
    except (OSError, ValueError, LookupError, TypeError):
        return None
    asked = {"csc_prompt": style, "csc_date": today}
    if trained == asked:
        return None
    other = [key for key, value in trained.items() if value != asked[key]]
    was, now = (" and ".join(f"{key}={settings[key]}" for key in other) for settings in (trained, asked))
    settings = json.dumps({key: trained[key] for key in other})
    return f"{folder} was trained on {was} and is asked with {now}: its scores say little; score it with --metadata '{settings}'"
