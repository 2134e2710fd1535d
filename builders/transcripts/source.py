"""Transcripts as a source of other builders (`--source`): guessed columns and speakers are shown on
stderr, personal data stay (the builders have rules of their own for them).
"""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from builders.sources.raw import RawConversation, Reading
from builders.transcripts.reading import Choices, Transcripts
from builders.transcripts.report import shape_lines, speaker_lines
from csc_tasks.languages import languages
from csc_tasks.languages.detect import detect


def read(path: Path, reading: Reading, language: str | None) -> Iterator[RawConversation]:
    """The conversations of a source in the order of their ids there; `language` is that of all,
    None for that of their text.
    """
    with Transcripts(path, None, Choices(), reading) as transcripts:
        print("\n".join(shape_lines(transcripts)), file=sys.stderr)
        transcripts.read()
        print("\n".join(speaker_lines(transcripts)), file=sys.stderr)
        for raw in transcripts.conversations(path.name.partition(".")[0]):
            place = f"{path.name} (conversation {raw.source_id})"
            code = language or detect(" ".join(turn.text for turn in raw.turns))
            if code and code in languages():
                yield replace(raw, language=code)
                continue
            reading.counts["conversations_read"] -= 1
            if code is None:
                reading.leave_out(
                    "no language and too little text to tell it", place, "give --source-language"
                )
            else:
                known = ", ".join(languages())
                reading.leave_out("unknown language", place, f"looks like {code!r}; known: {known}")
