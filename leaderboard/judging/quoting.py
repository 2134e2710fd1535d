"""Text of models and corpora as quoted data in a judge's prompt: whatever it says, it cannot become
part of the prompt's structure.

The data is one JSON document between two lines, `<data CODE>` and `</data CODE>`. Three things hold
for any text, each enough by itself:

- a text stays inside one line, because JSON writes line breaks as escapes, and so never begins a
  line;
- no `<` or `>`, nor a character that looks the same after Unicode normalisation, stands anywhere in
  the block: they are written as JSON escapes, so a text can show no tag, neither ours nor a chat
  template's (`<|im_start|>`, `</s>`); `[INST]` is escaped too;
- CODE is a hash of the whole document, so a text would have to hold its own hash.

Characters that show nothing or reorder others (controls, zero-width and bidirectional marks, lone
surrogates) are escapes as well. All of it is JSON: a reader that decodes the document has every
text back as it was. The same data gives the same block, so a journal replays.
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping

# Besides angle brackets: what opens a control token of Mistral's and Llama 2's templates.
_ROLE = re.compile(r"\[(?=/?[A-Z_]+\])")
_UNSAFE = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def quote(data: Mapping) -> tuple[str, str]:
    """(block, code) of data that JSON can hold; see above."""
    # Line breaks of ours stand between texts only; inside texts JSON has made them escapes.
    body = "\n".join("".join(map(_safe, _ROLE.sub(r"\\u005b", line))) for line in _lines(data))
    code = hashlib.sha256(body.encode()).hexdigest()[:16]
    return f"<data {code}>\n{body}\n</data {code}>", code


def _lines(data: Mapping) -> list[str]:
    """The JSON document: a line for each entry, and for each member of an entry that is a list (a
    turn of a conversation).
    """
    lines = []
    for name, value in data.items():
        if isinstance(value, list) and value:
            members = ",\n  ".join(json.dumps(member, ensure_ascii=False) for member in value)
            lines.append(f" {json.dumps(name)}: [\n  {members}\n ]")
        else:
            lines.append(f" {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}")
    return ("{\n" + ",\n".join(lines) + "\n}").split("\n")


def _safe(character: str) -> str:
    plain = character.isascii() and character.isprintable()
    if plain and character not in "<>":
        return character
    folded = unicodedata.normalize("NFKC", character)
    if plain or unicodedata.category(character) in _UNSAFE or "<" in folded or ">" in folded:
        units = character.encode("utf-16-be", "surrogatepass")
        return "".join(f"\\u{units[i] << 8 | units[i + 1]:04x}" for i in range(0, len(units), 2))
    return character
