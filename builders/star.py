"""Build a labelled csconv dataset from STAR's raw dialogues.

    csc build star --source STAR --out DIR

`--source` is a clone of github.com/RasaHQ/STAR, its `dialogues/` folder, or a folder that holds the
clone. Each completed dialogue becomes one conversation: the customer is STAR's User, the supporter
its Wizard. The replies that the Wizard picked carry an action label, which
`builders/star_labels.py` maps to one of the twelve strategies; replies typed freely stay in the
dialogue without a label. Nothing is merged. About a fifth of the dialogues becomes the test split,
by a hash of their content and `--seed`. What was read, kept and dropped is printed and written into
the card and build.json.
"""

import time
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from builders.cards.render import contents_table, count_lines
from builders.cards.star import CARD
from builders.dataset import check_target, write_folder
from builders.star_labels import STRATEGY_OF, UNLABELLED
from csc_tasks.conversation import CUSTOMER, SUPPORTER, Conversation, Turn, content_id
from csc_tasks.draws import RANGE, draw
from csc_tasks.errors import DataError
from csc_tasks.framework import BY_ID
from csc_tasks.reading import read_json
from csc_tasks.telling import tally, tell

TEST_SHARE = 0.2

# The events in which somebody says something to the other side. The rest is what the agent did with
# the tool (request_suggestions, query, select_task, ...), what the knowledge base returned,
# instructions to the customer, and the customer's click on "complete".
SAID = {
    ("User", "utter"): CUSTOMER,
    ("Wizard", "utter"): SUPPORTER,
    ("Wizard", "pick_suggestion"): SUPPORTER,
}

# The two bank tasks of STAR; its other tasks (restaurants, weather, quizzes, ...) are none of
# CSConv's topics.
TOPIC_OF_TASK = {
    "bank_balance": "Account and Transaction Management",
    "bank_fraud_report": "Risk Management and Security",
}

REQUIRED: dict[str, type | tuple[type, ...]] = {
    "DialogueID": (int, str),
    "CompletionLevel": str,
    "Events": list,
    "Scenario": dict,
}


@dataclass(frozen=True, slots=True)
class Reading:
    """The conversations of a source and what was counted on the way; all but `files` and `dropped`
    speak of kept dialogues only.
    """

    files: int
    conversations: list[Conversation] = field(default_factory=list)
    dropped: Counter = field(default_factory=Counter)
    unlabelled: Counter = field(default_factory=Counter)
    texts: Counter = field(default_factory=Counter)
    not_said: Counter = field(default_factory=Counter)


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc build star`."""
    parser.add_argument(
        "--source",
        required=True,
        metavar="DIR",
        help="a clone of the STAR repository, or its dialogues/ folder",
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="the dataset folder to write")
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        help="changes which dialogues are the test split (default: 0)",
    )


def main(args: Namespace) -> None:
    """Write the dialogues of args.source as a dataset folder; raises DataError where none can be
    used.
    """
    started = time.time()
    out = Path(args.out)
    check_target(out)
    reading = read_dialogues(dialogue_files(Path(args.source)))
    counts = reading_counts(reading)
    if not reading.conversations:
        reasons = count_lines({"dropped": reading.dropped})[0]
        raise DataError(
            f"{args.source}: none of the {reading.files:,} dialogues can be used, so nothing was"
            f" written; {reasons}"
        )
    splits: dict[str, list[dict]] = {"train": [], "test": []}
    for conversation in reading.conversations:
        splits[split_of(conversation.conversation_id, args.seed)].append(conversation.to_row())
    build = {
        "builder": "star",
        "settings": {"seed": args.seed, "test_share": TEST_SHARE},
        "counts": counts,
    }
    run = {
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        "seconds_reading": round(time.time() - started, 1),
    }
    record = write_folder(
        out, {"csconv": {split: rows for split, rows in splits.items() if rows}}, CARD, build, run
    )
    tally(*count_lines(counts), end="\n\n")
    tell(contents_table(record["splits"]), end="\n\n")
    for split, rows in splits.items():
        if not rows:
            tally(f"No dialogue fell into the {split} split, so it was not written.")
    tell(f"Wrote {out}; its README.md says how to load it and how to evaluate a model on it.")


def dialogue_files(source: Path) -> list[Path]:
    """The dialogue files below `source` in the order of their numbers; raises DataError when there
    are none or several clones.
    """
    if not source.is_dir():
        raise DataError(
            f"{source} is not a folder; give a clone of github.com/RasaHQ/STAR or its dialogues/"
            " folder"
        )
    for folders in ([source / "dialogues"], sorted(source.glob("*/dialogues")), [source]):
        holding = [folder for folder in folders if any(folder.glob("*.json"))]
        if len(holding) > 1:
            raise DataError(
                f"{source} holds several dialogues/ folders ({', '.join(map(str, holding))}); give"
                " one of them"
            )
        if holding:
            return sorted(
                holding[0].glob("*.json"),
                key=lambda path: (
                    int(path.stem) if path.stem.isdecimal() else float("inf"),
                    path.name,
                ),
            )
    raise DataError(
        f"{source} holds no dialogues/*.json; give a clone of github.com/RasaHQ/STAR or its"
        " dialogues/ folder"
    )


def read_dialogues(files: Sequence[Path]) -> Reading:
    """Read `files`, keep what is a sound labelled dialogue and count the rest.

    Raises DataError for a file that cannot be read as a STAR dialogue, and one for all action
    labels that the table does not know.
    """
    reading = Reading(len(files))
    unmapped: dict[str, list[str]] = {}
    seen: set[tuple] = set()
    for path in files:
        raw = load_dialogue(path)
        if raw["CompletionLevel"] != "Complete":
            reading.dropped[f"not completed ({raw['CompletionLevel']})"] += 1
            continue
        counted = Reading(1)
        turns = tuple(spoken_turns(raw, path, counted, unmapped))
        if reason := drop_reason(turns, seen):
            reading.dropped[reason] += 1
            continue
        seen.add(wording(turns))
        for total, part in (
            (reading.unlabelled, counted.unlabelled),
            (reading.texts, counted.texts),
            (reading.not_said, counted.not_said),
        ):
            total.update(part)
        number = str(raw["DialogueID"])
        # The id leaves the strategies out: correcting the table changes no id and moves no dialogue
        # to the other split.
        conversation_id = content_id("star", number, wording(turns))
        reading.conversations.append(
            Conversation(conversation_id, "en", topic_of(raw, path), f"STAR/{number}", turns)
        )
    if unmapped:
        raise DataError(unmapped_labels(unmapped))
    return reading


def spoken_turns(
    raw: dict, path: Path, counted: Reading, unmapped: dict[str, list[str]]
) -> Iterator[Turn]:
    """The turns of one dialogue in the order of its events; counts into `counted` and notes where
    unknown action labels are in `unmapped`.
    """
    for i, event in enumerate(raw["Events"]):
        place = f"{path}: Events[{i}]"
        if not isinstance(event, dict) or not all(
            isinstance(event.get(key), str) for key in ("Agent", "Action")
        ):
            raise DataError(
                f"{place}: found {str(event)[:80]}; an event is an object with the texts Agent and"
                " Action"
            )
        speaker = SAID.get((event["Agent"], event["Action"]))
        if speaker is None:
            counted.not_said[f"{event['Agent']} {event['Action']}"] += 1
            continue
        text, label = event.get("Text"), event.get("ActionLabel", "")
        if not isinstance(text, str) or not isinstance(label, str):
            raise DataError(
                f"{place}: Text is {str(text)[:80]!r}, ActionLabel {str(label)[:80]!r}; both must"
                " be text"
            )
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise DataError(
                f"{place}: Text holds a lone surrogate, which is no character; fetch this"
                " file again"
            )
        if label and label not in STRATEGY_OF and label not in UNLABELLED:
            unmapped.setdefault(label, []).append(place)
        if not text.strip():
            counted.texts["left out because empty"] += 1
            continue
        counted.texts["with spaces trimmed off their ends"] += text != text.strip()
        strategy = STRATEGY_OF.get(label, "") if speaker == SUPPORTER else ""
        if speaker == SUPPORTER and not strategy:
            counted.unlabelled[f"labelled {label}" if label else "without a label"] += 1
        yield Turn(speaker, text.strip(), strategy)


def load_dialogue(path: Path) -> dict:
    """The JSON of one STAR dialogue; raises DataError that names the file and the place when it is
    not one.
    """
    raw = read_json(path, "fetch this file again")
    if not isinstance(raw, dict):
        raise DataError(
            f"{path}: found a {type(raw).__name__}; a STAR dialogue is an object with"
            f" {', '.join(REQUIRED)}"
        )
    wrong = [key for key, kinds in REQUIRED.items() if not isinstance(raw.get(key), kinds)]
    if wrong:
        raise DataError(
            f"{path}: {', '.join(wrong)} missing or of the wrong kind; a STAR dialogue is an object"
            f" with {', '.join(REQUIRED)}"
        )
    return raw


def drop_reason(turns: Sequence[Turn], seen: set[tuple]) -> str | None:
    """Why a completed dialogue is not used, or None; `seen` holds the wording of the dialogues kept
    so far.
    """
    if not any(turn.speaker == CUSTOMER for turn in turns):
        return "no customer turn"
    if not any(turn.strategy for turn in turns):
        return "no labelled supporter turn"
    if wording(turns) in seen:
        return "duplicate of another dialogue"
    return None


def wording(turns: Sequence[Turn]) -> tuple:
    """Who says what: equal for two dialogues when one is an exact duplicate of the other."""
    return tuple((turn.speaker, turn.text) for turn in turns)


def topic_of(raw: dict, path: Path) -> str:
    """The topic of the tasks that the scenario gave the agent; a scenario that spans several topics
    is "Others".
    """
    capabilities = raw["Scenario"].get("WizardCapabilities")
    if not isinstance(capabilities, list) or not all(
        isinstance(one, dict) and isinstance(one.get("Task"), str) for one in capabilities
    ):
        raise DataError(
            f"{path}: Scenario: WizardCapabilities must be a list of objects with a Task"
        )
    topics = {TOPIC_OF_TASK.get(one["Task"], "Others") for one in capabilities}
    return topics.pop() if len(topics) == 1 else "Others"


def split_of(conversation_id: str, seed: int) -> str:
    """ "test" for about a fifth of the ids, else "train"; depends on the id and the seed alone."""
    place = draw(f"star split {seed} {conversation_id}")
    return "test" if place < TEST_SHARE * RANGE else "train"


def unmapped_labels(unmapped: dict[str, list[str]]) -> str:
    """The one error about action labels that the table does not know."""
    listing = []
    for label, places in sorted(unmapped.items()):
        files = len({place.rpartition(": ")[0] for place in places})
        closest = get_close_matches(label, STRATEGY_OF, n=1, cutoff=0.0)[0]
        listing.append(
            f"{label!r} in {files:,} {'file' if files == 1 else 'files'} (first {places[0]};"
            f" closest known: {closest})"
        )
    return (
        f"{len(listing)} action labels have no strategy: {'; '.join(listing)}. Add them to MAPPING"
        " in builders/star_labels.py"
    )


def reading_counts(reading: Reading) -> dict:
    """What was read, kept and dropped, for the screen, the card and build.json."""
    supporter = [
        [turn for turn in c.dialogue if turn.speaker == SUPPORTER] for c in reading.conversations
    ]
    strategies = Counter(turn.strategy for turns in supporter for turn in turns if turn.strategy)
    return {
        "dialogues_read": reading.files,
        "dialogues_kept": len(reading.conversations),
        "dialogues_dropped": dict(reading.dropped),
        "dialogues_by_topic": dict(Counter(c.topic for c in reading.conversations)),
        "customer_turns": sum(
            turn.speaker == CUSTOMER for c in reading.conversations for turn in c.dialogue
        ),
        "supporter_turns": sum(map(len, supporter)),
        "supporter_turns_labelled": strategies.total(),
        "supporter_turns_unlabelled": dict(reading.unlabelled),
        "dialogues_with_an_unlabelled_supporter_turn": sum(
            any(not turn.strategy for turn in turns) for turns in supporter
        ),
        "strategies": {name: strategies[name] for name in BY_ID if strategies[name]},
        "texts": {name: n for name, n in reading.texts.items() if n},
        "events_in_which_nobody_speaks": dict(sorted(reading.not_said.items())),
    }


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
