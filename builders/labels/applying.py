"""Labels onto the turns of conversations: whose stand there already, and which strategy all of them
make together.

Ids stay: what was said is the same, and results on the corpus before can be compared with those
after.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from csc_tasks.conversation import SUPPORTER, Conversation, Turn
from csc_tasks.errors import DataError
from csc_tasks.labels import OWN, Label, majority

Rows = Mapping[str, Mapping[str, Sequence[dict]]]
"""Config -> split -> rows of a dataset folder."""
NewLabels = Mapping[tuple[str, int], Sequence[Label]]
"""(Conversation id, position of the turn) -> labels."""


@dataclass(slots=True)
class Applied:
    """Rows with their labels, and what is to be counted."""

    rows: dict[str, dict[str, list[dict]]] = field(default_factory=dict)
    conversations: int = 0
    turns: Counter[str] = field(default_factory=Counter)
    ties: int = 0
    several: int = 0
    kept: int = 0

    def counts(self) -> dict:
        """For the screen, the card and build.json."""
        return {
            "conversations": self.conversations,
            "supporter_turns_by_their_number_of_raters": dict(sorted(self.turns.items())),
            "labels_that_name_several_strategies": self.several,
            "ties_settled_by_the_order_of_the_strategies": self.ties,
            "strategies_kept_that_the_corpus_came_with": self.kept,
        }


def conversations_in(
    rows: Rows, folder: Path, splits: Collection[str] = ()
) -> dict[str, Conversation]:
    """Id -> conversation, of these splits or of all. Raises DataError where there is none, and
    where turns are held out.
    """
    conversations = {}
    for config, parts in rows.items():
        for split, part in parts.items():
            if not _spoken(part) or (splits and split not in splits):
                continue
            for i, row in enumerate(part):
                one = Conversation.from_row(row, f"{folder} {config}/{split} row {i}")
                conversations[one.conversation_id] = one
    if not conversations:
        where = f" in {', '.join(splits)}" if splits else ""
        there = ", ".join(f"{config}/{split}" for config, parts in rows.items() for split in parts)
        raise DataError(
            f"{folder} holds no conversations{where}, whose turns could be labelled (it has"
            f" {there})"
        )
    if any(one.held_out_turns() for one in conversations.values()):
        raise DataError(
            f"{folder} holds turns out, which nobody can label; give the dataset that they were"
            " held out of"
        )
    return conversations


def raters_in(conversations: Iterable[Conversation]) -> list[str]:
    """The raters whose labels conversations have, in the order in which they appear."""
    names = (label.rater for one in conversations for turn in one.dialogue for label in turn.labels)
    return list(dict.fromkeys(names))


def supporter_turns(conversation: Conversation) -> list[int]:
    """The positions of the turns that are labelled."""
    return [i for i, turn in enumerate(conversation.dialogue) if turn.speaker == SUPPORTER]


def with_labels(turn: Turn, labels: Sequence[Label]) -> Turn:
    """The turn with these labels behind those it has.

    A strategy that no label stands behind becomes the label of `corpus` and stays the turn's
    strategy; without one that is what most raters name first.
    """
    if not labels:
        return turn
    before = turn.labels
    if turn.strategy and not before:
        before = (Label(OWN, (turn.strategy,)),)
    together = (*before, *labels)
    own = [label.strategies[0] for label in together if label.rater == OWN]
    return replace(turn, labels=together, strategy=own[0] if own else majority(together))


def apply(
    rows: Rows, conversations: Mapping[str, Conversation], labels: NewLabels, drop: bool = False
) -> Applied:
    """The rows after labelling; rows of conversations that are not among `conversations` stay as
    they are, or go where `drop` says so (a split without rows is left out).
    """
    applied = Applied()
    for config, parts in rows.items():
        for split, part in parts.items():
            left = []
            for row in part:
                one = conversations.get(row["conversation_id"]) if "dialogue" in row else None
                if one is not None:
                    left.append(_labelled(one, labels, applied).to_row(roles="profile" in row))
                elif not (drop and "dialogue" in row):
                    left.append(row)
            if left:
                applied.rows.setdefault(config, {})[split] = left
    return applied


def _labelled(one: Conversation, labels: NewLabels, applied: Applied) -> Conversation:
    turns = list(one.dialogue)
    applied.conversations += 1
    for place in supporter_turns(one):
        new = labels.get((one.conversation_id, place), ())
        turns[place] = with_labels(turns[place], new)
        raters = turns[place].labels
        own = any(label.rater == OWN for label in raters)
        applied.turns[_number(len(raters))] += 1
        applied.several += sum(len(label.strategies) > 1 for label in new)
        applied.ties += not own and is_tie(raters)
        applied.kept += own
    return replace(one, dialogue=tuple(turns))


def is_tie(labels: Sequence[Label]) -> bool:
    """Whether several strategies are named first by as many raters as any."""
    votes = Counter(label.strategies[0] for label in labels).most_common(2)
    return len(votes) > 1 and votes[0][1] == votes[1][1]


def _number(raters: int) -> str:
    return "none" if not raters else f"of {raters}"


def _spoken(part: Sequence[dict]) -> bool:
    return bool(part) and "dialogue" in part[0]
