"""Models in GGUF files (llama.cpp's format): which a name stands for, and what to do with one where
ordinary weights are needed.

transformers unpacks such a file to full size when it loads it: `DIR` with `gguf_file=FILE` in
lm_eval's model arguments. It can then play and be scored, with adapters on it; it cannot be saved,
quantised to NF4 or fetched in parts, which training and merging need.
"""

import re
from pathlib import Path

SUFFIX = ".gguf"
PART = re.compile(r"-\d{5}-of-(\d{5})\.gguf$", re.IGNORECASE)
"""How llama.cpp names the parts of a model that it has split."""


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


def why_not(name: str | Path, purpose: str) -> str | None:
    """One line where `name` is a GGUF file and `purpose` needs ordinary weights, else None."""
    files = gguf_files(name)
    if not files:
        return None
    return (
        f"{name}: a GGUF file, and {purpose} takes ordinary weights; unpack it once and name that"
        f" folder: csc convert {files[0]} --out DIR"
    )
