"""Models in GGUF files (llama.cpp's format): which a name stands for, and what to do with one where
ordinary weights are needed.

transformers unpacks such a file to full size when it loads it: `DIR` with `gguf_file=FILE` in
lm_eval's model arguments. It can then play and be scored, with adapters on it; it cannot be saved,
quantised to NF4 or fetched in parts, which training and merging need.
"""

from pathlib import Path

SUFFIX = ".gguf"


def gguf_files(name: str | Path) -> list[Path]:
    """The GGUF files that a model's name stands for: itself, or those of a folder that holds no
    ordinary model.
    """
    path = Path(name).expanduser()
    if path.suffix == SUFFIX:
        return [path] if path.is_file() else []
    if (path / "config.json").is_file() or not path.is_dir():
        return []
    return sorted(path.glob(f"*{SUFFIX}"))


def why_not(name: str | Path, purpose: str) -> str | None:
    """One line where `name` is a GGUF file and `purpose` needs ordinary weights, else None."""
    files = gguf_files(name)
    if not files:
        return None
    return (
        f"{name}: a GGUF file, and {purpose} takes ordinary weights; unpack it once and name that"
        f" folder: csc convert {files[0]} --out DIR"
    )
