"""What an adapter of ours says about the prompts it was trained on: scoring it on others is possible, and is said."""

import json
from collections.abc import Mapping
from pathlib import Path

RECORD = "csc_adapter.json"


def mismatch(metadata: Mapping, style: str) -> str | None:
    """A sentence when lm_eval's model arguments name an adapter that was trained on another prompt style than `style`, else None.

    lm_eval puts the model arguments into a task's metadata. Adapters that are not ours, or not here but on the Hub, say nothing.
    """
    folder = metadata.get("peft")
    try:
        record = json.loads(Path(str(folder), RECORD).read_text(encoding="utf-8"))
        trained = record["style"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    if trained == style:
        return None
    return (
        f"{folder} was trained on csc_prompt={trained} and is asked with csc_prompt={style}: its scores say little; "
        f'score it with --metadata \'{{"csc_prompt": "{trained}"}}\''
    )
