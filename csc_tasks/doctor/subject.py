"""The model that `csc doctor --model` looks at."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class Subject:
    """A model that is looked at, and what its scoring command has to say.

    folder: where its files are. gguf: the one of them that holds it in that format. config,
    tokenizer, skeleton: what transformers reads of it; the skeleton is the model without its
    weights. arguments, settings, stop: what --model_args, --metadata and --gen_kwargs are given.
    """

    name: str
    folder: Path
    adapter: Path | None
    gguf: Path | None = None
    config: Any = None
    tokenizer: Any = None
    skeleton: Any = None
    arguments: dict[str, object] = field(default_factory=dict)
    settings: dict[str, str | int] = field(default_factory=dict)
    stop: str | None = None

    @property
    def reading(self) -> dict[str, str]:
        """What transformers is told beside the folder."""
        return {"gguf_file": self.gguf.name} if self.gguf else {}

    @property
    def templated(self) -> bool:
        """Whether prompts go through a chat template."""
        return bool(getattr(self.tokenizer, "chat_template", None))


def in_bytes(size: float) -> str:
    """A number of bytes for people."""
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
