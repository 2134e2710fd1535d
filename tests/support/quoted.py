"""Reads the quoted data of a judge's prompt back, as strictly as a reader can."""

import hashlib
import json
import re


def unquote(prompt: str) -> tuple[str, dict]:
    """(what stands outside the block, the data) of a prompt with one block; raises ValueError where
    its structure is broken.
    """
    lines = prompt.split("\n")
    opening = [i for i, line in enumerate(lines) if re.fullmatch(r"<data [0-9a-f]{16}>", line)]
    closing = [i for i, line in enumerate(lines) if re.fullmatch(r"</data [0-9a-f]{16}>", line)]
    if len(opening) != 1 or len(closing) != 1 or lines[closing[0]] != f"</{lines[opening[0]][1:]}":
        raise ValueError(
            f"{len(opening)} opening and {len(closing)} closing lines, where one of each with one"
            " code belongs"
        )
    body = "\n".join(lines[opening[0] + 1 : closing[0]])
    if hashlib.sha256(body.encode()).hexdigest()[:16] != lines[opening[0]][6:-1]:
        raise ValueError("the code is not that of the data")
    return "\n".join(lines[: opening[0]] + lines[closing[0] + 1 :]), json.loads(body)
