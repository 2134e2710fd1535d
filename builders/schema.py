"""What each config of a dataset folder holds: one table of columns, and the `datasets.Features`
made from it, with and without the labels of several raters.
"""

from collections.abc import Iterable, Mapping

from builders.rows import Ordered, Rows
from csc_tasks.errors import DataError, SettingError
from csc_tasks.live.stored import CONFIG as BRIEFS

SPLITS = ("train", "validation", "test")

# Name -> (type, meaning). A type is the name of an Arrow type, a mapping of names to types for a
# list of such records, or a list of one type for a list of values.
_CONVERSATION = {
    "conversation_id": (
        "string",
        "made from the content: the same conversation always has the same id",
    ),
    "language": ("string", "`zh` or `en`"),
    "topic": (
        "string",
        "one of the eight topics of CSConv, in English; empty where it is not known",
    ),
    "source": ("string", "where the conversation comes from"),
    "dialogue": (
        {"speaker": "string", "strategy": "string", "text": "string"},
        (
            "the turns as spoken; `speaker` is `supporter` or `customer`; `strategy` is one of the"
            ' twelve ids, and `""` on customer turns and unlabelled supporter turns'
        ),
    ),
}
COLUMNS = {
    "csconv": _CONVERSATION,
    "rolecs": (
        _CONVERSATION
        | {
            "profile": ("string", "who the customer is"),
            "scenario": ("string", "what happened"),
            "goal": ("string", "what the customer wants"),
        }
    ),
    "qa": {
        "conversation_id": (
            "string",
            "made from the content: the same conversation always has the same id",
        ),
        "turn_index": ("int32", "which customer-agent pair of the conversation this is, from 0"),
        "turns_total": ("int32", "how many pairs the conversation has, where known"),
        "stage": ("string", "`early`, `mid` or `late`, where labelled"),
        "language": ("string", "`zh` or `en`"),
        "topic": (
            "string",
            "one of the eight topics of CSConv, in English; empty where it is not known",
        ),
        "source": ("string", "where the conversation comes from"),
        "instruction": ("string", "the system prompt"),
        "conversation_history": (
            {"speaker": "string", "text": "string"},
            "the turns before the question",
        ),
        "history_summary": ("string", "those turns, summarised"),
        "client_question": ("string", "the customer's turn that is answered"),
        "agent_answer": ("string", "the answer as given"),
        "refined_agent_answer": ("string", "the answer rewritten: the reference"),
    },
}
COLUMNS[BRIEFS] = {
    "conversation_id": ("string", "of the conversation that it is the brief of"),
    "language": ("string", "`zh` or `en`"),
    "facts": (
        {"name": "string", "value": "string"},
        "what the customer knows and may tell, as it told it",
    ),
    "aim": ("string", "what the customer wants"),
    "manner": ("string", "how the customer writes"),
    "mood": ("string", "how the customer feels at the start"),
    "unknown": (["string"], "what the customer does not know yet"),
}
NULLABLE = frozenset({"turns_total", "stage"})

LABELS = (
    "`dialogue.labels`",
    (
        "what each of several raters says of a supporter turn: `rater`, and `strategies` in order,"
        " the main one first (a model's name starts with `model:`); `strategy` is what most raters"
        " name first, of a tie the earliest of the twelve"
    ),
)
"""Name and meaning of what turns of a conversation carry where several raters labelled it."""


def columns(config: str) -> dict[str, tuple]:
    """Name -> (type, meaning) of a config's columns; raises SettingError for a config that does not
    exist.
    """
    base = "qa" if config.startswith("qa_") else config
    if base not in COLUMNS:
        raise SettingError(
            f"config {config!r} does not exist; there are {', '.join(COLUMNS)} and qa_<name>"
        )
    return COLUMNS[base]


def is_labelled(parts: Iterable[Rows]) -> bool:
    """Whether turns in one of these splits carry labels; of `Ordered` rows, whether they may."""
    return any(
        part.labelled if isinstance(part, Ordered) else any(map(_has_labels, part))
        for part in parts
    )


def _has_labels(row: Mapping) -> bool:
    return any(turn.get("labels") for turn in row.get("dialogue", ()))


def features(config: str, labelled: bool = False):
    """The `datasets.Features` of a config; labelled: with the labels of several raters."""
    from datasets import Features, Value

    def feature(kind):
        if isinstance(kind, list):
            return [Value(kind[0])]
        return (
            Value(kind)
            if isinstance(kind, str)
            else [{name: Value(inner) for name, inner in kind.items()}]
        )

    described = {name: feature(kind) for name, (kind, _) in columns(config).items()}
    if labelled:
        described["dialogue"][0]["labels"] = [
            {"rater": Value("string"), "strategies": [Value("string")]}
        ]
    return Features(described)


def unlabelled(row: dict) -> dict:
    """A row for a file without labels; raises DataError where it has some, which Arrow would drop
    without a word.
    """
    if _has_labels(row):
        raise DataError(
            f"{row['conversation_id']}: turns carry labels, but the rows were announced without"
        )
    return row


def stored(row: dict) -> dict:
    """A row as a file whose turns have labels holds it: an empty list where a turn has none."""
    return {**row, "dialogue": [{"labels": [], **turn} for turn in row["dialogue"]]}


def as_made(row: dict) -> dict:
    """A row out of such a file: no `labels` where a turn has none."""
    if not any("labels" in turn for turn in row.get("dialogue", ())):
        return row
    turns = [
        {name: value for name, value in turn.items() if value or name != "labels"}
        for turn in row["dialogue"]
    ]
    return {**row, "dialogue": turns}
