"""The dataset folder every builder writes: parquet files, card, build.json and run.json, put into
place in one step.

    out/README.md  build.json  run.json  {config}/{split}-00000-of-00001.parquet
                   (figures/*.png and stats.json by csc stats; eval.yaml: cards/registration.py)

The folder is a Hub dataset repository as it lies there: `datasets.load_dataset(out, config)` reads
it. Two builds from the same rows give the same bytes in every file but run.json.
"""

import json
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

import csc_tasks
from builders.cards import registration
from builders.cards.render import FIGURES, Card, render_card, yaml_text
from builders.checked_rows import check_names, check_owners, checked_rows
from builders.description import Description, describe_rows
from builders.rows import Rows
from builders.schema import SPLITS, as_made, features, is_labelled, stored, unlabelled
from csc_tasks.errors import DataError, SettingError
from csc_tasks.file_names import stays_inside
from csc_tasks.live import Brief
from csc_tasks.out import is_new, replace_file, replace_folder, say_earlier
from csc_tasks.verify.manifest import NAME as MANIFEST
from csc_tasks.verify.manifest import ManifestWriter

FORMAT = "csc-tasks dataset folder, version 1"
"""Written into build.json; a folder without it is never replaced."""

ROW_GROUP = 1_000
"""Rows of a parquet row group: small ones let the Hub's viewer and streaming readers fetch a page
without the whole file."""

STATISTICS = "stats.json"
TEXT_FILES = ("README.md", registration.NAME, "build.json", "run.json", MANIFEST, STATISTICS)


def check_target(out: Path) -> None:
    """Raise SettingError unless `out` may be written: it is absent, empty, or a dataset folder of
    ours with nothing else in it.

    Builders call it before they start to work: it says so where an earlier dataset will be
    replaced. `write_folder` looks again.
    """
    if _holds_ours(out):
        say_earlier(f"{out} holds an earlier dataset, which this one replaces at the end")


def _holds_ours(out: Path) -> bool:
    """Whether there is an earlier dataset of ours in `out`; raises as `check_target` does."""
    if is_new(out):
        return False
    record = read_record(out)
    if record is None:
        raise SettingError(
            f"{out} is not empty and is not a dataset folder of this project; give an empty folder"
            " or a new one"
        )
    if strangers := _strangers(out, record):
        raise SettingError(
            f"{out} holds files besides its dataset ({strangers}); move them away or give another"
            " folder"
        )
    return True


def read_record(folder: Path) -> dict | None:
    """What build.json says of a dataset folder of ours; None for any other folder."""
    try:
        record = json.loads((folder / "build.json").read_text(encoding="utf-8"))
        files = _dataset_files(record)
        # The names decide what is read, sent and deleted.
        known = record["format"] == FORMAT and all(stays_inside(name) for name in files)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    return record if known else None


def read_folder(folder: Path) -> tuple[dict, dict[str, dict[str, list[dict]]]]:
    """The record and the rows (config -> split -> rows) of a finished dataset folder, as it would
    be published.

    Raises SettingError for a folder that is not one of ours or holds other files, DataError for one
    that is not whole: a file is missing, or rows are not those that build.json and the card
    describe.
    """
    if not folder.is_dir():
        raise SettingError(f"{folder} is no folder; give a dataset folder that a builder wrote")
    record = read_record(folder)
    if record is None:
        raise SettingError(
            f"{folder} is not a dataset folder of this project (no build.json of ours in it)"
        )
    if strangers := _strangers(folder, record):
        raise SettingError(
            f"{folder} holds files besides its dataset ({strangers}); move them away"
        )
    if missing := [
        name for name in ("README.md", *_dataset_files(record)) if not (folder / name).is_file()
    ]:
        raise DataError(f"{folder}: {', '.join(missing)} missing; build it again")
    rows: dict[str, dict[str, list[dict]]] = {}
    for config, splits in record["splits"].items():
        for split, described in splits.items():
            part = _read_parquet(folder / parquet_name(config, split))
            try:
                as_described = describe_rows(config, part) == described
            except (KeyError, TypeError):  # other columns than ours
                as_described = False
            if not as_described:
                raise DataError(
                    f"{folder}: {config}/{split} does not hold the rows that build.json and the"
                    " card describe; build it again"
                )
            rows.setdefault(config, {})[split] = part
    return record, rows


def _dataset_files(record: Mapping) -> list[str]:
    return [
        parquet_name(config, split)
        for config, splits in record["splits"].items()
        for split in splits
    ]


def _strangers(folder: Path, record: Mapping) -> str:
    """The files in `folder` that are no part of its dataset, for an error; "" where there are
    none.
    """
    present = {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()
    }
    names = sorted(present - set(_dataset_files(record)) - set(TEXT_FILES))
    names = [name for name in names if not re.fullmatch(rf"{FIGURES}/[^/]+\.png", name)]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def write_folder(
    out: Path,
    splits: Mapping[str, Mapping[str, Rows]],
    card: Card,
    build: Mapping,
    run: Mapping,
) -> dict:
    """Write the dataset folder `out` from `splits` (config -> split -> rows) and return the record
    that build.json holds.

    `build` says what made the rows (`builder`, `settings`, `counts`, ...) and is the same in two
    identical builds; `run` holds what may differ (times, costs). Rows are written one after the
    other, in the order of their ids, and `Ordered` ones never held in memory. Everything is written
    beside `out` and moved into place at the end; a dataset folder written earlier is replaced.
    Raises SettingError when `out` holds anything else, and what `checked_splits` raises for rows
    that do not fit.
    """
    out = Path(out).resolve()
    _holds_ours(out)
    with replace_folder(out) as fresh:
        with ManifestWriter(fresh) as manifest:
            described = {
                config: _write_config(fresh, config, parts, manifest)
                for config, parts in splits.items()
            }
            manifest.write(card.title)
        record = {
            "format": FORMAT,
            "csc_tasks": csc_tasks.__version__,
            **build,
            "splits": described,
        }
        replace_file(fresh / "README.md", render_card(card, record))
        if benchmark := registration.evaluation(card, record):
            replace_file(fresh / registration.NAME, yaml_text(benchmark))
        replace_file(fresh / "build.json", json.dumps(record, ensure_ascii=False, indent=2) + "\n")
        replace_file(fresh / "run.json", json.dumps(dict(run), ensure_ascii=False, indent=2) + "\n")
    return record


def filled_splits(record: Mapping) -> dict[str, list[str]]:
    """config -> the splits of it that have rows."""
    return {
        config: [split for split, described in parts.items() if described["rows"]]
        for config, parts in record["splits"].items()
    }


def parquet_name(config: str, split: str) -> str:
    """Where a split lies in the folder."""
    return f"{config}/{split}-00000-of-00001.parquet"


def parquet_size(config: str, rows: Rows) -> int:
    """The bytes that rows take in a folder."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, "rows.parquet")
        _write_parquet(path, config, rows, is_labelled([rows]))
        return path.stat().st_size


def _write_config(
    fresh: Path, config: str, parts: Mapping[str, Rows], manifest: ManifestWriter
) -> dict[str, dict]:
    """Write the splits of a config; returns their descriptions, in the order train, validation,
    test.
    """
    check_names(config, parts)
    described, files = {}, {}
    labelled = is_labelled(parts.values())
    for split in SPLITS:
        if split not in parts:
            continue
        files[split] = fresh / parquet_name(config, split)
        description = Description(config)
        rows = _noted(config, split, parts[split], description, manifest)
        if not labelled:
            rows = map(unlabelled, rows)
        _write_parquet(files[split], config, rows, labelled)
        described[split] = description.finish()
    check_owners(config, {split: _ids(file) for split, file in files.items()})
    return described


def _noted(
    config: str, split: str, rows: Rows, description: Description, manifest: ManifestWriter
) -> Iterator[dict]:
    """The rows as they are to be written; description and manifest take them in on the way."""
    for row, item in checked_rows(config, split, rows):
        description.add(row)
        if not isinstance(item, Brief):  # which nobody is asked about
            manifest.add(config, split, item)
        yield row


def _write_parquet(path: Path, config: str, rows: Iterable[dict], labelled: bool) -> None:
    import pyarrow
    import pyarrow.parquet

    path.parent.mkdir(exist_ok=True)
    schema = features(config, labelled).arrow_schema
    rest = map(stored, rows) if labelled else iter(rows)
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        group = list(islice(rest, ROW_GROUP))
        while True:
            writer.write_table(pyarrow.Table.from_pylist(group, schema=schema))
            if not (group := list(islice(rest, ROW_GROUP))):
                break


def _ids(path: Path) -> Iterator[str]:
    """The ids of the rows of a file."""
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=10_000, columns=["conversation_id"]):
            yield from batch.column(0).to_pylist()


def _read_parquet(path: Path) -> list[dict]:
    import pyarrow.parquet

    try:
        rows = pyarrow.parquet.read_table(path, partitioning=None).to_pylist()
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a readable parquet file ({error}); build it again") from None
    return list(map(as_made, rows))
