"""References that stay with the maintainers: rows without them for everybody, and a file with them
for `csc verify --references`.

Held out are the answers of questions in test splits: both answer columns say `[held out]`, and the
history before a question is left out, because it quotes the answers of the questions before.
Training and validation splits stay whole.
"""

from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from pathlib import Path

from csc_tasks.errors import DataError, SettingError
from csc_tasks.question import HELD_OUT, REFERENCES

SPLIT = "test"
COLUMNS = (*REFERENCES, "conversation_history")
LIMIT = (
    "The answers of the test split are held out: both answer columns say `[held out]`, and the"
    " history before a question is empty. Runs have no numbers against references until whoever"
    " holds them has run `csc verify --references`. Tasks that show the history cannot be run."
)

Rows = Mapping[str, Mapping[str, Sequence[dict]]]
"""config -> split -> rows."""


def add_hold_out(parser: ArgumentParser) -> None:
    """Add `--hold-out`."""
    parser.add_argument(
        "--hold-out",
        type=Path,
        metavar="FILE",
        help=(
            "keep the answers of the test split out of the dataset, and write them to this parquet"
            " file, for csc verify --references"
        ),
    )


def check_hold_out(file: Path, out: Path) -> None:
    """Raise SettingError unless the file can be written and lies outside the dataset folder."""
    if file.suffix != ".parquet":
        raise SettingError(f"--hold-out {file}: give a file that ends in .parquet")
    if file.resolve().is_relative_to(out):
        raise SettingError(
            f"--hold-out {file}: lies in the dataset folder {out}, which is published; give a place"
            " outside"
        )
    if file.exists():
        raise SettingError(f"--hold-out {file}: there is such a file already; move it away")


def hold_out(rows: Rows) -> tuple[dict[str, dict[str, list[dict]]], list[dict]]:
    """(the rows without what is held out, the references as csc verify reads them).

    Raises DataError where there is no question in a test split, and nothing to hold out.
    """
    public: dict[str, dict[str, list[dict]]] = {}
    references: dict[tuple[str, int], dict] = {}
    for config, splits in rows.items():
        for split, part in splits.items():
            if split == SPLIT and config.partition("_")[0] == "qa":
                for row in part:
                    key = row["conversation_id"], row["turn_index"]
                    references[key] = {
                        "conversation_id": key[0],
                        "turn": key[1],
                        "reference": row[REFERENCES[0]],
                        "strategy": "",
                    }
                part = [without(row) for row in part]
            public.setdefault(config, {})[split] = list(part)
    if not references:
        raise DataError("--hold-out: there is no question in a test split, so nothing to hold out")
    return public, list(references.values())


def without(row: Mapping) -> dict:
    """A question's row without its answers and the turns before it."""
    return {**row, **dict.fromkeys(REFERENCES, HELD_OUT), "conversation_history": []}


def write_references(file: Path, references: Sequence[dict]) -> None:
    """Write what was held out."""
    import pyarrow
    import pyarrow.parquet

    file.parent.mkdir(parents=True, exist_ok=True)
    text = pyarrow.string()
    schema = pyarrow.schema(
        {"conversation_id": text, "turn": pyarrow.int32(), "reference": text, "strategy": text}
    )
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(references), schema=schema), file)
