"""What was guessed, before anything is written, and what was counted, in lines."""

from collections.abc import Iterator, Mapping

from builders.transcripts.reading import Transcripts
from builders.transcripts.shapes import LINES, TABLE
from builders.transcripts.speakers import known_role
from builders.transcripts.tau2 import KIND

SHOWN = 12
"""So many speakers are shown."""
_WIDTH = 60


def shape_lines(transcripts: Transcripts) -> Iterator[str]:
    """How the records are read."""
    shape, files = transcripts.shape, transcripts.files
    what = f"{len(files):,} files" if len(files) > 1 else files[0].name
    yield f"{transcripts.source}: {shape.kind} ({what})"
    if shape.kind == KIND:
        yield "  what user and assistant said to each other; calls of tools are left out"
    elif shape.kind == LINES:
        yield f"  lines that open with a name, in {shape.columns['turns']}"
    else:
        columns = ", ".join(f"{part}={column}" for part, column in shape.columns.items())
        yield f"  columns: {columns} (change with --columns)"
    for note in shape.notes:
        yield f"  note: {note}"
    if shape.kind == TABLE and "time" in shape.columns:
        yield f"  times: {shape.time_form}"


def speaker_lines(transcripts: Transcripts) -> Iterator[str]:
    """Who is taken for what, those in most conversations first."""
    rows, total = transcripts.store.shown_labels(SHOWN)
    yield "speakers (change with --agents):"
    for name, role, conversations, why in rows:
        shown = name if len(name) <= _WIDTH else f"{name[:_WIDTH]}..."
        known = f"{role}, {why}" if role else "not known"
        yield f"  {shown!r}: {known} (in {conversations:,} conversations)"
    if total > len(rows):
        yield f"  and {total - len(rows):,} more"
    if any(not known_role(name) and why.startswith("guessed") for name, _, _, why in rows):
        yield "  note: guessed roles can be wrong; look at them, or give --agents NAME,NAME"


def counts_of(transcripts: Transcripts, masked: Mapping[str, int], dropped: Mapping) -> dict:
    """The counts for the screen, the card and build.json; no names of people in them."""
    counts = transcripts.reading.counts
    problems = {
        name.removeprefix("problems: "): n
        for name, n in sorted(counts.items())
        if name.startswith("problems: ")
    }
    return {
        "records_read": counts["records_read"],
        "problems": problems,
        "utterances_left_out": dict(sorted(transcripts.utterances_left_out.items())),
        "texts_cut_or_converted": dict(sorted(transcripts.cut.items())),
        "turns_merged_into_the_one_before": counts["turns_merged_into_the_one_before"],
        "conversations_left_out": counts["conversations_left_out"] + sum(dropped.values()),
        "conversations_left_out_at_the_end": dict(sorted(dropped.items())),
        "masked": dict(sorted(masked.items())),
    }
