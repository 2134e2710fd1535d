"""References that stay with the maintainers: rows without them for everybody, and a file with them
for `csc verify --references`.

Of questions in test splits the answers are held out: both answer columns say `[held out]`, and the
history before a question is left out, because it quotes the answers of the questions before. Of
conversations in test splits it is the text and strategy of supporter turns: of the last one that is
scored, or of all that are. Training and validation splits stay whole.
"""

from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from builders.rows import Rows, changed
from csc_tasks.conversation import HELD_OUT, HOW_TO_LABEL, Conversation, content_id
from csc_tasks.errors import DataError, SettingError
from csc_tasks.live.stored import CONFIG as BRIEFS
from csc_tasks.question import REFERENCES

SPLIT = "test"
COLUMNS = (*REFERENCES, "conversation_history")
TURN_COLUMNS = ("dialogue.text", "dialogue.strategy")
LAST, ALL = "last", "all"
LIMIT = (
    "The answers of the test split are held out: both answer columns say `[held out]`, and the"
    " history before a question is empty. Runs have no numbers against references until whoever"
    " holds them has run `csc verify --references`. Tasks that show the history cannot be run."
)
LIMITS_OF_TURNS = {
    LAST: (
        "The last supporter turn that is scored in each conversation of the test split is held out:"
        " its text and its strategy say `[held out]`. Runs have no numbers against it until whoever"
        " holds it has run `csc verify --references`; earlier turns are scored as ever."
    ),
    ALL: (
        "All supporter turns that are scored in the test split are held out: their texts and"
        " strategies say `[held out]`. Runs have no numbers against them until whoever holds them"
        " has run `csc verify --references`. Only generated context (`csc_conv_gen`) can be run: in"
        " reference context the gold turns are the history of later ones."
    ),
}

Configs = Mapping[str, Mapping[str, Rows]]
"""config -> split -> rows."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A dataset without what is held out. public: its rows. references: the rows of the file that
    csc verify reads. record: what build.json says. limits: what the card says. repeated: how many
    of the references stand in the public rows all the same, since somebody says the same there.
    """

    public: dict[str, dict[str, Rows]]
    references: list[dict]
    record: dict
    limits: tuple[str, ...]
    repeated: int


def add_hold_out(parser: ArgumentParser, turns: bool = False, required: bool = False) -> None:
    """Add `--hold-out`; turns: and `--hold-out-turns`, which a dataset of conversations needs."""
    parser.add_argument(
        "--hold-out",
        type=Path,
        required=required,
        metavar="FILE",
        help=(
            f"keep the {'supporter turns' if turns else 'answers'} of the test split out of the"
            " dataset, and write them to this parquet file, for csc verify --references"
        ),
    )
    if turns:
        parser.add_argument(
            "--hold-out-turns",
            choices=(LAST, ALL),
            default=LAST,
            help=(
                "the supporter turns to hold out: the last of each conversation, or all, with"
                " which only csc_conv_gen can be run (default: last)"
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


def _named(row: Mapping[str, str], names: Mapping[str, str]) -> str:
    """The new id of a row, or its own where it keeps it."""
    return names.get(row["conversation_id"], row["conversation_id"])


def hold_out(rows: Configs, turns: str = LAST) -> HeldOut:
    """A dataset without what is held out; turns: LAST or ALL.

    Raises DataError where there is nothing in a test split to hold out, where something is held out
    already, and where what is to be held out stands in a training or validation split too.
    """
    public: dict[str, dict[str, Rows]] = {}
    answers: dict[tuple[str, int], dict] = {}
    tested: list[tuple[str, Conversation]] = []
    for config, splits in rows.items():
        for split, part in splits.items():
            own = part
            if split == SPLIT and config.partition("_")[0] == "qa":
                for row in part:
                    key = row["conversation_id"], row["turn_index"]
                    answers[key] = _reference(*key, row[REFERENCES[0]], "")
                own = changed(part, without)
            elif split == SPLIT and "dialogue" in next(iter(part), ()):
                tested += [(config, Conversation.from_row(row, config)) for row in part]
            public.setdefault(config, {})[split] = own
    _check_apart(rows, [conversation for _, conversation in tested])
    spoken = [_of_turns(conversation, turns) for _, conversation in tested]
    names = _new_names([row for own in spoken for row in own])
    for config in dict.fromkeys(config for config, _ in tested):
        public[config][SPLIT] = [
            without_turns(row, {own["turn"] for own in references}, names)
            for (of, conversation), references in zip(tested, spoken, strict=True)
            if of == config
            for row in [conversation.to_row(roles="profile" in next(iter(rows[config][SPLIT])))]
        ]
    if SPLIT in public.get(BRIEFS, {}):
        # A brief goes by its conversation's id, and holds nothing of the supporter.
        public[BRIEFS][SPLIT] = changed(
            public[BRIEFS][SPLIT],
            lambda row: row | {"conversation_id": _named(row, names)},
        )
    said = [
        {**row, "conversation_id": names[row["conversation_id"]], "original_id": original}
        for own in spoken
        for row in own
        for original in [row["conversation_id"]]
    ]
    references = [*answers.values(), *said]
    if not references:
        raise DataError(
            "--hold-out: there is no question and no labelled supporter turn in a test split, so"
            f" nothing to hold out; {HOW_TO_LABEL}"
        )
    if any(HELD_OUT in (row["reference"], row["strategy"]) for row in references):
        raise DataError("--hold-out: this dataset holds its references out already")
    columns = [*(COLUMNS if answers else ()), *(TURN_COLUMNS if said else ())]
    record: dict = {"rows": len(references), "columns": columns}
    limits: tuple[str, ...] = (LIMIT,) if answers else ()
    if said:
        record["turns"] = turns
        limits += (LIMITS_OF_TURNS[turns],)
    wanted = {row["reference"] for row in references}
    said_all_the_same = {text for text in _texts(public) if text in wanted}
    repeated = sum(row["reference"] in said_all_the_same for row in references)
    return HeldOut(public, references, record, limits, repeated)


def without(row: Mapping) -> dict:
    """A question's row without its answers and the turns before it."""
    return {**row, **dict.fromkeys(REFERENCES, HELD_OUT), "conversation_history": []}


def without_turns(row: Mapping, turns: set[int], names: Mapping[str, str]) -> dict:
    """A conversation's row, under its new name, without the texts and strategies of `turns`."""
    dialogue = [
        _held_out(turn) if position in turns else turn
        for position, turn in enumerate(row["dialogue"])
    ]
    return {
        **row,
        "conversation_id": names.get(row["conversation_id"], row["conversation_id"]),
        "dialogue": dialogue,
    }


def _held_out(turn: Mapping) -> dict:
    """A turn without its text, its strategy, and what raters say of it, which would tell both."""
    own = {name: value for name, value in turn.items() if name != "labels"}
    return own | {"text": HELD_OUT, "strategy": HELD_OUT}


def without_counts(record: Mapping, held: HeldOut) -> dict:
    """What build.json says of a dataset without what is held out: counts of strategies, which would
    tell of the turns, are left out.
    """
    counts = record.get("counts", {})
    if "turns" in held.record:
        counts = {name: count for name, count in counts.items() if "strateg" not in name}
    return {**record, "counts": counts, "held_out": held.record}


def kept_note(held: HeldOut, file: Path, also: str = "") -> str:
    """What to print of what is held out, and what to do with it; also: what else to keep."""
    answers = sum("original_id" not in row for row in held.references)
    turns = len(held.references) - answers
    parts = [f"{n:,} {what}" for n, what in ((answers, "answers"), (turns, "turns")) if n]
    note = f"{' and '.join(parts)} are held out; keep {file}{also} to yourself"
    if held.repeated and turns:
        note += (
            f". {held.repeated:,} of their texts stand in the dataset all the same, because"
            " somebody says the same elsewhere"
        )
    return note


def write_references(file: Path, references: Sequence[dict]) -> None:
    """Write what was held out."""
    import pyarrow
    import pyarrow.parquet

    file.parent.mkdir(parents=True, exist_ok=True)
    text = pyarrow.string()
    columns = {"conversation_id": text, "turn": pyarrow.int32(), "reference": text}
    columns["strategy"] = text
    if any("original_id" in row for row in references):
        columns["original_id"] = text
    table = pyarrow.Table.from_pylist(list(references), schema=pyarrow.schema(columns))
    pyarrow.parquet.write_table(table, file)


def _reference(conversation_id: str, turn: int, text: str, strategy: str) -> dict:
    return {
        "conversation_id": conversation_id,
        "turn": turn,
        "reference": text,
        "strategy": strategy,
    }


def _of_turns(conversation: Conversation, turns: str) -> list[dict]:
    """What is held out of a conversation; of one without a labelled supporter turn nothing is."""
    scored = conversation.labelled_turns()
    return [
        _reference(
            conversation.conversation_id,
            turn,
            conversation.dialogue[turn].text,
            conversation.dialogue[turn].strategy,
        )
        for turn in (scored if turns == ALL else scored[-1:])
    ]


def _new_names(references: Sequence[dict]) -> dict[str, str]:
    """Old id -> new id of the conversations that something is held out of.

    An id is made of the content, so that a guess could be tried against it: the new one is made of
    all that is held out, which nobody can guess.
    """
    key = content_id("key", sorted([row["reference"], row["strategy"]] for row in references))
    ids = dict.fromkeys(row["conversation_id"] for row in references)
    return {old: content_id(old.partition("-")[0] or "held", key, old) for old in ids}


def _check_apart(rows: Configs, tested: Sequence[Conversation]) -> None:
    """Raise DataError where a conversation that is tested is trained on too, by id or content."""
    if not tested:
        return
    ids = {conversation.conversation_id for conversation in tested}
    said = {_wording(conversation.to_row()) for conversation in tested}
    for config, splits in rows.items():
        for split, part in splits.items():
            for row in part if split != SPLIT else ():
                if row["conversation_id"] in ids or ("dialogue" in row and _wording(row) in said):
                    raise DataError(
                        f"--hold-out: {row['conversation_id']} in {config}/{split} is a"
                        " conversation of the test split too, so its turns would not be held out;"
                        " take it out there"
                    )


def _wording(row: Mapping) -> tuple:
    return tuple((turn["speaker"], turn["text"]) for turn in row["dialogue"])


def _texts(rows: Configs) -> Iterator[str]:
    """The turns and answers that everybody sees."""
    for splits in rows.values():
        for part in splits.values():
            for row in part:
                yield from (turn["text"] for turn in row.get("dialogue", ()))
                yield from (turn["text"] for turn in row.get("conversation_history", ()))
                yield from (row[name] for name in REFERENCES if name in row)
