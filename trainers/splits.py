"""Which conversations and questions are trained on: train splits, and never anything that the
benchmark asks about.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from csc_tasks import corpora
from csc_tasks.conversation import Conversation, content_id
from csc_tasks.corpora.bad_rows import BAD_ROWS
from csc_tasks.draws import digest
from csc_tasks.errors import DataError, MissingSplit, SettingError
from csc_tasks.question import Question

TRAIN, VALIDATION, TEST = "train", "validation", "test"
Item = Conversation | Question
TESTED = ("csconv", "qa")
"""The configs whose test splits the benchmark asks about."""


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What is trained on and what is held out, and the corpora they came from."""

    train: tuple[Item, ...]
    validation: tuple[Item, ...]
    sources: tuple[corpora.Corpus, ...]
    set_aside: int
    """Rows of train splits left out, because their conversation is held out in another config or
    corpus.
    """
    tested: Mapping[str, str]
    """csconv or qa -> the first of the corpora that were asked for that has such a test split."""
    absent: tuple[str, ...]
    """Configs that were asked for and have a train split in none of the corpora."""
    not_drawn: int = 0
    """Conversations that are left out, because fewer were asked for."""

    def conversations(self) -> int:
        """How many conversations are learned."""
        return len(_ids(self.train))


def read_training_data(
    names: Sequence[str],
    configs: Sequence[str],
    language: str | None,
    validation_share: float,
    tested: Sequence[str],
    size: int | None = None,
    seed: int = 0,
    bad_rows: str = BAD_ROWS[0],
) -> TrainingData:
    """Read the train splits of `configs` in the corpora `names`, and hold some of them out.

    Held out are the corpora's own validation splits (while `validation_share` is above 0) and, of a
    corpus without one, that share of its conversations, the first in sha256(id) order. Of the rest
    `size` conversations are learned (None: all), drawn with `seed`: a smaller size is part of a
    larger one. bad_rows: of BAD_ROWS, what is done about rows that cannot be read.

    Raises SettingError when there are not as many, DataError when a corpus has no train split or
    the rows of another, when nothing is left, or when a conversation id also stands in a test split
    of one of the corpora or of `tested`.
    """
    if not names:
        raise SettingError("data: name at least one dataset folder or Hub id to train on")
    train: list[Item] = []
    validation: list[Item] = []
    sources: list[corpora.Corpus] = []
    for name in names:
        learned = _train_splits(name, configs, sources, bad_rows)
        held_out = list(read_split(name, configs, VALIDATION, bad_rows)) if validation_share else []
        sources += learned + held_out
        for split in held_out:
            validation += _spoken(split, language)
        with_validation = {split.config for split in held_out if _spoken(split, language)}
        for split in learned:
            share = 0 if split.config in with_validation else validation_share
            rest, held = hold_out(_spoken(split, language), share)
            train += rest
            validation += held
    if not train:
        raise DataError(
            f"{', '.join(names)}: no {language or ''} conversation or question to train on"
        )
    with_tests = refuse_tested((*train, *validation), dict.fromkeys([*tested, *names]), bad_rows)
    shown = {mark for item in validation for mark in marks(item)}
    # A conversation of several data sets must not be learned from one and held out of another.
    apart = tuple(item for item in train if shown.isdisjoint(marks(item)))
    if not apart:
        raise DataError(
            f"{', '.join(names)}: every conversation is held out for validation; lower"
            " validation_share"
        )
    absent = tuple(
        config
        for config in configs
        if config not in {split.config for split in sources if split.split == TRAIN}
    )
    drawn = apart if size is None else draw_conversations(apart, size, seed)
    return TrainingData(
        drawn,
        tuple(validation),
        tuple(sources),
        len(train) - len(apart),
        with_tests,
        absent,
        len(_ids(apart)) - len(_ids(drawn)),
    )


def draw_conversations(items: Sequence[Item], size: int, seed: int) -> tuple[Item, ...]:
    """The items of `size` conversations, in the order in which they stand; those of a smaller size
    are part of those of a larger one. Raises SettingError when there are fewer conversations.
    """
    there = _ids(items)
    if size > len(there):
        raise SettingError(
            f"train_size: there are {len(there):,} conversations to learn, not {size:,}; give"
            " fewer, or all"
        )
    drawn = set(sorted(there, key=lambda id_: digest(f"train_size/{seed}/{id_}"))[:size])
    return tuple(item for item in items if item.conversation_id in drawn)


def _ids(items: Iterable[Item]) -> list[str]:
    """The ids of the conversations of some items, each once, in their order."""
    return list(dict.fromkeys(item.conversation_id for item in items))


def _train_splits(
    name: str, configs: Iterable[str], earlier: Sequence[corpora.Corpus], bad_rows: str
) -> list[corpora.Corpus]:
    """The train splits of a corpus. Raises DataError for none, or the rows of an earlier one."""
    splits = list(read_split(name, configs, TRAIN, bad_rows))
    if not splits:
        raise DataError(
            f"{name}: none of {', '.join(configs)} has a {TRAIN} split; what the benchmark asks"
            " about is never trained on"
        )
    read = {(one.config, one.content_hash): one.name for one in earlier}
    for split in splits:
        again = read.get((split.config, split.content_hash))
        if again:
            raise DataError(
                f"{name} has the same rows as {again} ({split.config}/{TRAIN}); name the data once"
            )
    return splits


def _spoken(split: corpora.Corpus, language: str | None) -> list[Item]:
    """The items of a split in this language; None: all."""
    return [item for item in split.items if language in (None, item.language)]


def read_split(
    name: str, configs: Iterable[str], split: str, bad_rows: str = BAD_ROWS[0]
) -> Iterator[corpora.Corpus]:
    """One split of every config that has it."""
    if Path(name).is_file():
        raise DataError(
            f"{name} is a file, which does not say which split it holds; give a dataset folder,"
            f" with files CONFIG/{split}*"
        )
    local = name == "demo" or Path(name).expanduser().is_dir()
    for config in configs:
        with contextlib.suppress(MissingSplit):
            if not local or corpora.available(name, config, split):
                yield corpora.load(name, config, split, bad_rows=bad_rows)


def hold_out(items: Sequence, share: float) -> tuple[list, list]:
    """(the rest, held out): held out are the first `share` of the conversations in their order, at
    least one, all rows of one conversation together.
    """
    order = _ids(items)
    held = set(order[: max(1, round(share * len(order)))]) if share and len(order) > 1 else set()
    return [item for item in items if item.conversation_id not in held], [
        item for item in items if item.conversation_id in held
    ]


def refuse_tested(
    items: Iterable[Item], names: Iterable[str], bad_rows: str = BAD_ROWS[0]
) -> dict[str, str]:
    """Raise DataError when one of these conversations also stands in a test split of the corpora
    `names`; returns which have one.

    The same is what has the same id, or says the same (see `marks`): published corpora give one
    dialogue another id in each config.
    """
    tests: dict[str, str] = {}
    same = {mark: item.conversation_id for item in items for mark in marks(item)}
    for name in names:
        for corpus in read_split(name, TESTED, TEST, bad_rows):
            tests.setdefault(corpus.config, name)
            tested = {mark for item in corpus.items for mark in marks(item)}
            both = sorted({id_ for mark, id_ in same.items() if mark in tested})
            if both:
                raise DataError(
                    f"{len(both)} conversations to train on also stand in {name}"
                    f" {corpus.config}/{TEST}, which the benchmark asks about (first: {both[0]});"
                    " take them out of the training data"
                )
    return tests


def marks(item: Item) -> tuple[str, ...]:
    """What tells that two items are the same: the conversation's id, and of a dialogue a hash of
    all that is said, whatever its labels.

    A single question may well be asked in two conversations with the same words.
    """
    if isinstance(item, Question):
        return (item.conversation_id,)
    return item.conversation_id, content_id(
        "said", [(turn.speaker, turn.text) for turn in item.dialogue]
    )
