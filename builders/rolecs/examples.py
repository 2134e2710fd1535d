"""The conversations that `--roles none` shows to the writer: of training splits, and never one that
models are tested on.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from csc_tasks import corpora
from csc_tasks.conversation import Conversation, content_id
from csc_tasks.errors import DataError, MissingSplit, SettingError

TRAINING = ("csconv", "rolecs")
TESTED = "csconv"


def examples_from(name: str, languages: Sequence[str], shots: int) -> dict[str, list[Conversation]]:
    """Language -> the first `shots` labelled conversations of the training splits (csconv/train,
    rolecs/train) of a dataset folder, a Hub id or `demo`.

    Raises SettingError for a file, which does not say which split it holds, and for a language
    without an example; DataError for a corpus without a training split, or one of whose
    conversations stands in a test split too, its own or the demo's.
    """
    if Path(name).expanduser().is_file():
        raise SettingError(
            f"--examples {name}: a file does not say which split it holds; give a dataset folder"
            " (csconv/train* or rolecs/train*), a Hub id or demo"
        )
    splits = list(_splits(name, TRAINING, "train"))
    if not splits:
        raise DataError(
            f"--examples {name}: it has neither csconv/train nor rolecs/train; test splits are not"
            " shown to the writer"
        )
    labelled = [item for split in splits for item in split.items if item.labelled_turns()]
    _refuse_tested(name, labelled)
    chosen = {
        language: [item for item in labelled if item.language == language][:shots]
        for language in languages
    }
    if missing := [language for language, examples in chosen.items() if not examples]:
        raise SettingError(
            f"--examples {name}: no labelled conversation in {missing[0]!r} in its training splits"
            " to show as an example"
        )
    return chosen


def _refuse_tested(name: str, items: Sequence[Conversation]) -> None:
    """Raise DataError where one of these conversations stands in a test split."""
    for tested in dict.fromkeys((name, "demo")):
        for split in _splits(tested, (TESTED,), "test"):
            marks = {mark for item in split.items for mark in _marks(item)}
            both = [item.conversation_id for item in items if marks & set(_marks(item))]
            if both:
                raise DataError(
                    f"--examples {name}: {len(both)} of its training conversations also stand in"
                    f" {tested} {TESTED}/test, which models are tested on (first: {both[0]}); take"
                    " them out of the training split"
                )


def _splits(name: str, configs: Sequence[str], split: str) -> Iterator[corpora.Corpus]:
    """One split of every config that has it."""
    for config in configs:
        try:
            yield corpora.load(name, config, split)
        except MissingSplit:
            continue


def _marks(item: Conversation) -> tuple[str, str]:
    """What tells that two conversations are one: the id, and all that is said, whatever its
    labels.
    """
    said = [(turn.speaker, " ".join(turn.text.split())) for turn in item.dialogue]
    return item.conversation_id, content_id("said", said)
