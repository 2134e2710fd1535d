"""Models in GGUF files (llama.cpp's format): which a name stands for, and what to do with one where
ordinary weights are needed.

transformers unpacks such a file to full size when it loads it: `DIR` with `gguf_file=FILE` in
lm_eval's model arguments. It can then play and be scored, with adapters on it; it cannot be saved,
quantised to NF4 or fetched in parts, which training and merging need.
"""

import re
from pathlib import Path

from csc_tasks.compat.transformers import (
    gguf_split,
    knows_gguf_split,
    learn_gguf_split,
    why_no_gguf_splits,
)

SUFFIX = ".gguf"
PART = re.compile(r"-\d{5}-of-(\d{5})\.gguf$", re.IGNORECASE)
"""How llama.cpp names the parts of a model that it has split."""

LIKE_GPT2 = {
    "gpt-2",
    "phi-2",
    "gigachat",
    "a.x-4.0",
    "mellum",
    "mpt",
    "olmo",
    "jais",
    "exaone4",
    "trillion",
    "granite-docling",
}
"""Vocabularies, by their name in `tokenizer.ggml.pre`, that llama.cpp splits texts for as for
GPT-2's; transformers does that with every name that it does not know.
"""
DIGIT_BY_DIGIT = {
    "starcoder",
    "refact",
    "command-r",
    "smollm",
    "codeshell",
    "exaone",
    "minerva-7b",
}
"""Vocabularies that llama.cpp splits every digit off for, and then what lies between as GPT-2 does.
transformers (5.24) knows none of them.
"""
DIGITS_OFF = r"\p{N}|'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?[^\s\p{L}\p{N}]+|\s+(?=\p{N})|\s+(?!\S)|\s+"
"""The same in one pass: white space before a digit stays together as it does before an end."""


def gguf_files(name: str | Path) -> list[Path]:
    """The GGUF files that a model's name stands for: itself, or those of a folder that holds no
    ordinary model.
    """
    path = Path(name).expanduser()
    if path.suffix.lower() == SUFFIX:
        return [path] if path.is_file() else []
    if (path / "config.json").is_file() or not path.is_dir():
        return []
    return sorted(file for file in path.glob("*") if file.suffix.lower() == SUFFIX)


def one_of_several(file: Path) -> str | None:
    """One line where the file is a part of a model, which transformers would fill up with random
    weights, else None.
    """
    part = PART.search(file.name)
    if part is None or int(part[1]) == 1:
        return None
    first = PART.sub(f"-00001-of-{part[1]}{SUFFIX}", file.name)
    whole = PART.sub(SUFFIX, file.name)
    return (
        f"{file}: one of the {int(part[1])} files of a model, and transformers reads a single one;"
        f" join them first: llama-gguf-split --merge {first} {whole}"
    )


def splits_as_learned(file: Path) -> str | None:
    """Have transformers split texts for a GGUF file's vocabulary as its merges were learned, for
    all tokenizers that are loaded from here on: otherwise some texts, such as two spaces before a
    number, become tokens that the model never saw together. One line where it is not known how,
    else None.

    A file that cannot be read is left to who loads it.
    """
    can_learn = why_no_gguf_splits() is None
    for known in DIGIT_BY_DIGIT if can_learn else ():
        learn_gguf_split(known, DIGITS_OFF)
    try:
        name = gguf_split(file)
    except Exception:  # Its reader raises whatever the bytes make it raise.
        return None
    if name is None or name in LIKE_GPT2 or (can_learn and knows_gguf_split(name)):
        return None
    how = f"as {name!r}, which transformers does not know" if name else "in a way it does not say"
    return (
        f"{file.name}: its vocabulary was learned on texts split {how}: some texts become other"
        " tokens than in llama.cpp; take the model's own tokenizer where you have it"
    )


def why_not(name: str | Path, purpose: str) -> str | None:
    """One line where `name` is a GGUF file and `purpose` needs ordinary weights, else None."""
    files = gguf_files(name)
    if not files:
        return None
    return (
        f"{name}: a GGUF file, and {purpose} takes ordinary weights; unpack it once and name that"
        f" folder: csc convert {files[0]} --out DIR"
    )
