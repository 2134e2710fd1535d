"""What an adapter of ours says about the prompts it was trained on: scoring it on others is
possible, and is said.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

RECORD = "csc_adapter.json"
MERGED_RECORD = "csc_merged.json"
"""In a folder that holds base and adapter as one model."""


def mismatch(metadata: Mapping[str, Any], style: str, today: str, form: str = "text") -> str | None:
    """A sentence when lm_eval's model arguments name an adapter, or a base merged with one, that
    was trained on other prompts, else None.

    They are others when their style is not `style`, their form of replies not `form`, or when they
    show a date that is not `today`.
    lm_eval puts the model arguments into a task's metadata. Adapters that are not ours, or not here
    but on the Hub, say nothing.
    """
    folder, name = (
        (metadata["peft"], RECORD)
        if metadata.get("peft")
        else (metadata.get("pretrained"), MERGED_RECORD)
    )
    try:
        record = json.loads(Path(str(folder), name).read_text(encoding="utf-8"))
        # An adapter whose prompts show no date, or one from before it was recorded, goes with any.
        trained = {
            "csc_prompt": record["style"],
            "csc_format": record.get("format", "text"),
            "csc_date": record.get("date") or today,
        }
    except (OSError, ValueError, LookupError, TypeError):
        return None
    asked = {"csc_prompt": style, "csc_format": form, "csc_date": today}
    if trained == asked:
        return None
    other = [key for key, value in trained.items() if value != asked[key]]
    was, now = (
        " and ".join(f"{key}={settings[key]}" for key in other) for settings in (trained, asked)
    )
    settings = json.dumps({key: trained[key] for key in other})
    return (
        f"{folder} was trained on {was} and is asked with {now}: its scores say little; score it"
        f" with --metadata '{settings}'"
    )
