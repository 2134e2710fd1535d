"""The manifest of a dataset folder by another way than the one that writes it."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from csc_tasks import corpora
from csc_tasks.verify.manifest import Manifest, entry_of, in_order


def manifest_of(folder: Path, dataset: str, splits: Mapping[str, Iterable[str]]) -> Manifest:
    """The manifest of a dataset folder; splits: config -> splits with at least one row.

    Rows are read as the tasks read them, so that hashes are of what a run logs.
    """
    return Manifest(
        dataset,
        None,
        {
            (config, split): in_order(map(entry_of, corpora.load(str(folder), config, split).items))
            for config, names in splits.items()
            for split in names
        },
    )
