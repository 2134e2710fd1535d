"""Corpus items as the documents of an lm_eval task."""

from collections.abc import Mapping
from typing import Any


class Documents(list[dict[str, Any]]):
    """Rows as lm_eval wants them: a list that also knows its column names."""

    @property
    def features(self) -> dict[str, Any]:
        """The column names, as a mapping, which is all that lm_eval asks for."""
        return dict.fromkeys(self[0]) if self else {}


def document_key(row: Mapping[str, Any]) -> str:
    """What tells documents of one task apart."""
    conversation: str = row["conversation_id"]
    return f"{conversation}/{row['turn_index']}" if "turn_index" in row else conversation
