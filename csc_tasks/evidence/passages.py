"""The file of passages: JSON lines of `{"conversation_id": "...", "turn": 3, "passages": ["..."]}`.

`turn` is the position of the reply (of a question its turn_index); without it the passages are for
every reply of the conversation. `csc build passages` writes such a file, with other keys beside
these; a file of one's own retrieval has the same form.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from csc_tasks.errors import DataError
from csc_tasks.reading import json_lines

Passages = Mapping[str, Mapping[int | None, Sequence[str]]]
"""conversation id -> turn, or None for all of them -> passages, the best first."""


def read_evidence(file: Path) -> dict[str, dict[int | None, list[str]]]:
    """Read a file of passages. Raises DataError that names file and line."""
    evidence: dict[str, dict[int | None, list[str]]] = {}
    for number, row in json_lines(file, "give a file of passages, one JSON object a line"):
        try:
            key = row["conversation_id"], row.get("turn")
            passages = row["passages"]
            sound = (
                isinstance(key[0], str)
                and (key[1] is None or type(key[1]) is int)
                and isinstance(passages, list)
            )
            if not sound or not all(isinstance(passage, str) for passage in passages):
                raise TypeError("wrong types")
        except (KeyError, TypeError, AttributeError):
            wanted = '{"conversation_id": "...", "turn": 3, "passages": ["..."]} (turn is optional)'
            raise DataError(f"{file} line {number}: not {wanted}") from None
        evidence.setdefault(key[0], {}).setdefault(key[1], []).extend(passages)
    return evidence


def evidence_hash(evidence: Passages) -> str:
    """16 hex digits of the SHA-256 of all passages with their places, whatever the order of the
    file's lines; "none" without any.
    """
    if not evidence:
        return "none"
    rows = [
        (id_, -1 if turn is None else turn, list(texts))
        for id_, own in evidence.items()
        for turn, texts in own.items()
    ]
    return hashlib.sha256(json.dumps(sorted(rows)).encode()).hexdigest()[:16]
