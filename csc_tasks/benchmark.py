"""What the benchmark reads of a dataset: the one place that tells it to those who make datasets.

The tasks themselves are loaded by lm_eval alone; a test compares this table with what they read.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads a config: the benchmark's tasks, and the setting of `--metadata` that names the
    corpus.
    """

    tasks: tuple[str, ...]
    setting: str


SPLIT = "test"
"""The split that every task reads."""

# Variants of the summaries (qa_<name>) are read on request and are no benchmark of their own.
READERS: Mapping[str, Reader] = {
    "csconv": Reader(("csc_conv_ref", "csc_conv_gen"), "csc_corpus"),
    "qa": Reader(("csc_qa",), "csc_qa_corpus"),
}
"""Config -> who reads it."""


def readers(splits: Mapping[str, Iterable[str]]) -> dict[str, Reader]:
    """Config -> who reads it, of a dataset's `splits` (config -> names of splits)."""
    return {config: reader for config, reader in READERS.items() if SPLIT in splits.get(config, ())}
