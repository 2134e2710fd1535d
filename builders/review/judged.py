"""What the judges of a build said: DIR.judged.jsonl beside a dataset folder, a line a conversation
that is in it or that a judge dropped, with the judge's reason.

The dropped conversations are here alone, and may be recordings as they were: the file is no part of
the folder, so that `csc push` cannot publish it.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from csc_tasks.conversation import Turn, turns_of
from csc_tasks.errors import DataError
from csc_tasks.out import replace_file
from csc_tasks.reading import json_lines

CHECK = "check"
"""The stage that names what speaks against a conversation; others name the criteria it keeps."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """One judge's verdict. stage: the build's, judge or check. failed: why it was dropped, the
    criteria that do not hold or what speaks against it; () where it was kept. turns: what was
    judged, () where that is in the dataset.
    """

    conversation_id: str
    language: str
    topic: str
    stage: str
    reason: str
    failed: tuple[str, ...] = ()
    turns: tuple[Turn, ...] = ()

    def words(self) -> str:
        """The verdict in one line."""
        failed = ", ".join(self.failed)
        if self.stage == CHECK:
            return f"{self.stage}: {failed or 'nothing against it'}. {self.reason}"
        return f"{self.stage}: {f'no to {failed}' if failed else 'yes to all'}. {self.reason}"


def of_dataset(judged: Iterable[Judgement], names: Iterable[str]) -> list[Judgement]:
    """Those of the conversations `names`, which a dataset holds, and those that a judge dropped."""
    there = set(names)
    return [one for one in judged if one.failed or one.conversation_id in there]


def judged_path(folder: Path) -> Path:
    """Where the judgements about a dataset folder lie."""
    return folder.resolve().with_name(f"{folder.resolve().name}.judged.jsonl")


def read_judged(folder: Path) -> list[Judgement]:
    """The judgements about a dataset folder; [] where there is no such file. Raises DataError for a
    bad line.
    """
    path = judged_path(folder)
    if not path.is_file():
        return []
    judged = []
    for number, row in json_lines(path, "restore the file that csc build wrote"):
        place = f"{path.name}, line {number}"
        try:
            judged.append(
                Judgement(
                    conversation_id=str(row["conversation_id"]),
                    language=str(row["language"]),
                    topic=str(row["topic"]),
                    stage=str(row["stage"]),
                    reason=str(row["reason"]),
                    failed=tuple(map(str, row["failed"])),
                    turns=turns_of(row, "turns", place),
                )
            )
        except (LookupError, TypeError, AttributeError) as error:
            raise DataError(f"{place}: not a judgement of csc build ({error!r:.80})") from None
    return judged


def write_judged(folder: Path, judged: Iterable[Judgement]) -> Path:
    """Write them beside `folder`, sorted, in one step; returns the file."""
    return replace_file(judged_path(folder), sorted(map(_line, judged)))


def _line(one: Judgement) -> str:
    row = {
        "conversation_id": one.conversation_id,
        "language": one.language,
        "topic": one.topic,
        "stage": one.stage,
        "failed": one.failed,
        "reason": one.reason,
        "turns": [
            {"speaker": turn.speaker, "strategy": turn.strategy, "text": turn.text}
            for turn in one.turns
        ],
    }
    return json.dumps(row, ensure_ascii=False) + "\n"
