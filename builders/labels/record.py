"""What build.json says of labels, and what can be done with a labelled folder."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from builders.source_folder import contents, kept_record


def with_labelling(record: Mapping, labelling: Mapping, counts: Mapping) -> dict:
    """A folder's build.json after a labelling: what made it before, the labelling, and its counts
    behind those there were.
    """
    labellings = [*record.get("labellings", ()), {**labelling, "labelled_rows": contents(record)}]
    name = f"labelling_{len(labellings)}" if len(labellings) > 1 else "labelling"
    named = {f"{name}_{key}": value for key, value in counts.items()}
    return kept_record(record) | {
        "labellings": labellings,
        "counts": {**record.get("counts", {}), **named},
    }


def next_lines(out: Path) -> Iterator[str]:
    """What can be done with the folder now."""
    yield f"Wrote {out}: conversations whose supporter turns have labels."
    yield f"  agreement: csc label report {out}"
    yield (
        "  evaluate:  lm_eval --model hf --model_args pretrained=MODEL --tasks"
        f' csc_conv_ref,csc_conv_gen --apply_chat_template --metadata \'{{"csc_corpus": "{out}"}}\''
    )
    yield f"  people:    csc label export {out} --people NAME,NAME --out SHEETS"
