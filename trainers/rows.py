"""Conversations and questions -> training rows: token ids, and which of them are learned.

Every target's context is exactly the evaluation prompt of its turn. In `single` style that is one
row per supporter turn. In `chat` style targets share rows as far as the chat template allows: a row
teaches a turn when it starts with the turn's prompt and target, token by token. Templates that
render earlier turns differently from the last one (Qwen3 and DeepSeek drop thinking blocks there)
allow no sharing.

What is longer than `max_length` loses whole oldest turns: a turn's own row as few as possible;
shared rows become overlapping windows, in which each turn is learned once, in the window that shows
most of what came before it.
"""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from csc_tasks.conversation import HELD_OUT, SUPPORTER, Conversation
from csc_tasks.errors import DataError
from csc_tasks.label_counts import label_counts
from csc_tasks.prompts import TEXT, AnswerPrompt, TurnPrompt, read_answer, tagged
from csc_tasks.question import Question
from trainers.rendering import Exchange, Rendering

IGNORED = -100
"""The label of a token that is not learned."""

WINDOW_CONTEXT = 0.5
"""The share of max_length that a further window of a long conversation may spend on what its first
target's prompt shows.
"""

Asked = tuple[TurnPrompt | AnswerPrompt, str]


@dataclass(frozen=True, slots=True)
class Row:
    """Token ids and labels of one training sequence.

    `targets` says where its targets are: (first token, end), in order; the first `tags[i]` tokens
    of target i name its strategy.
    """

    conversation_id: str
    ids: list[int]
    targets: tuple[tuple[int, int], ...]
    tags: tuple[int, ...]

    @property
    def labels(self) -> list[int]:
        """The ids of learned tokens, IGNORED elsewhere."""
        labels = [IGNORED] * len(self.ids)
        for start, end in self.targets:
            labels[start:end] = self.ids[start:end]
        return labels

    def weights(self, tag: float) -> list[float]:
        """The weight of each token in the loss: `tag` where a strategy is named, else 1."""
        weights = [1.0] * len(self.ids)
        for (start, _), length in zip(self.targets, self.tags, strict=True):
            weights[start : start + length] = [tag] * length
        return weights

    def learned(self) -> int:
        """How many tokens are learned."""
        return sum(end - start for start, end in self.targets)


def _held_out(item: Conversation | Question) -> bool:
    if isinstance(item, Question):
        return HELD_OUT in (item.agent_answer, item.refined_agent_answer)
    return bool(item.held_out_turns())


class TooLong(DataError):
    """A target that does not fit into max_length with any history left out."""


def asked_of(
    item: Conversation | Question,
    style: str,
    reference: str = "refined_agent_answer",
    form: str = TEXT,
) -> list[Asked]:
    """The prompts that the tasks send about an item, each with its target; a question's answer is
    `reference`, or what there is. form: of supporter turns (csc_tasks/prompts/forms.py).

    Thinking in a target is left out; a target that is nothing else is "".
    """
    if _held_out(item):
        raise DataError(
            f"{item.conversation_id}: its references are held out, so nothing can be learned of it;"
            " train on a training split"
        )
    if isinstance(item, Question):
        other = (
            item.agent_answer if reference == "refined_agent_answer" else item.refined_agent_answer
        )
        return [
            (AnswerPrompt(item, style), read_answer(getattr(item, reference).strip() or other).text)
        ]
    asked: list[Asked] = []
    for turn in item.labelled_turns():
        gold = item.dialogue[turn]
        text = read_answer(gold.text).text
        target = text and tagged(gold.strategy, text, item.language, form)
        asked.append((TurnPrompt(item, turn, style, form=form), target))
    return asked


def rows_of(
    item: Conversation | Question,
    rendering: Rendering,
    style: str,
    max_length: int,
    counts: Counter,
    **options,
) -> list[Row]:
    """The rows that teach one item; what was made, shortened and left out is added to `counts`.

    Options: `reference` and `form` as in `asked_of`; `pack=False` gives every turn a row of its own
    in `chat` style too; `skip_too_long=True` counts targets that never fit instead of raising
    TooLong, whose text names the turn and the length it needs.
    """
    skip, pack = options.get("skip_too_long", False), options.get("pack", True)
    kind = "questions" if isinstance(item, Question) else "conversations"
    counts[kind] += 1
    reference = options.get("reference", "refined_agent_answer")
    asked = asked_of(item, style, reference, options.get("form", TEXT))
    counts[f"{kind} without a labelled supporter turn"] += not asked
    if isinstance(item, Conversation):
        counts.update(_of_raters(item))
    learnable = [pair for pair in asked if pair[1]]
    counts["targets left out, because nothing but thinking is in them"] += len(asked) - len(
        learnable
    )
    packed = pack and style == "chat" and isinstance(item, Conversation)
    split = _why_split(item) if isinstance(item, Conversation) else ""
    rows: list[Row] = []
    for drop, group in _windows(learnable, rendering, max_length, packed, skip, counts):
        made = (
            _shared(item.conversation_id, group)
            if packed
            else [_row(item.conversation_id, [exchange]) for exchange in group]
        )
        rows += made
        counts["targets"] += len(group)
        counts["targets with oldest turns left out"] += len(group) if drop else 0
        counts["further windows of conversations over the length"] += packed and drop > 0
        if packed and len(made) > 1:
            counts[f"rows more than one a conversation, because {split}"] += len(made) - 1
    counts["rows"] += len(rows)
    counts["tokens"] += sum(len(row.ids) for row in rows)
    counts["tokens learned"] += sum(row.learned() for row in rows)
    return rows


def _of_raters(item: Conversation) -> dict[str, int]:
    """What is learned where several raters labelled a turn: its strategy, whatever they say."""
    counts = label_counts(item.dialogue[turn] for turn in item.labelled_turns())
    return {
        "supporter turns with labels of several raters": counts.several,
        "of these on which raters disagree": counts.disagreed,
        "of these learned with the earliest strategy of a tie": counts.tied,
        "of these learned with another strategy than most raters name first": counts.other,
    }


def _windows(
    asked: Sequence[Asked],
    rendering: Rendering,
    max_length: int,
    packed: bool,
    skip: bool,
    counts: Counter,
) -> Iterator[tuple[int, list[Exchange]]]:
    """(oldest turns left out, the exchanges to learn with that history), every target once."""
    waiting = list(zip(asked, rendering.exchanges(asked), strict=True))
    fitting = [exchange for _, exchange in waiting if len(exchange) <= max_length]
    if fitting:
        yield 0, fitting
    long = [pair for pair, exchange in waiting if len(exchange) > max_length]
    while long:
        first, *_ = long
        drop = _fewest_dropped(first, rendering, max_length)
        if drop is None:
            if not skip:
                raise TooLong(_too_long(first, rendering, max_length))
            counts["targets left out, because they never fit"] += 1
            long = long[1:]
            continue
        if not packed:
            yield drop, rendering.exchanges([first], drop)
            long = long[1:]
            continue
        # A window that shows as much as fits would hold one target; this one keeps room for the
        # targets that follow.
        roomier = _fewest_dropped(first, rendering, int(max_length * WINDOW_CONTEXT)) or drop
        window = list(
            itertools.takewhile(
                lambda one: len(one) <= max_length, rendering.exchanges(long, roomier)
            )
        )
        yield roomier, window
        long = long[len(window) :]


def _fewest_dropped(pair: Asked, rendering: Rendering, room: int) -> int | None:
    """The fewest oldest turns (at least one) without which a prompt and its target take at most
    `room` tokens; None where none helps.
    """
    low, high = 1, pair[0].droppable()
    if high < low or len(rendering.exchanges([pair], high)[0]) > room:
        return None
    while low < high:
        middle = (low + high) // 2
        if len(rendering.exchanges([pair], middle)[0]) <= room:
            high = middle
        else:
            low = middle + 1
    return low


def _too_long(pair: Asked, rendering: Rendering, max_length: int) -> str:
    prompt = pair[0]
    needed = len(rendering.exchanges([pair], prompt.droppable())[0])
    if isinstance(prompt, TurnPrompt):
        where = (
            f"{prompt.conversation.conversation_id} turn {prompt.turn}: instructions and reply"
            " alone"
        )
    else:
        where = f"{prompt.question.conversation_id}: instruction, summary, question and answer"
    return (
        f"{where} take {needed} tokens and max_length is {max_length}: raise max_length, or leave"
        " such targets out with too_long: skip"
    )


def _shared(conversation_id: str, exchanges: Sequence[Exchange]) -> list[Row]:
    """As few rows as possible: a row of the last turn teaches every earlier turn whose prompt and
    target it starts with.
    """
    made: list[list[Exchange]] = []
    for exchange in reversed(exchanges):
        start = exchange.prompt + exchange.target
        holder = next(
            (
                group
                for group in made
                if (group[-1].prompt + group[-1].target)[: len(start)] == start
            ),
            None,
        )
        if holder is None:
            holder = []
            made.append(holder)
        holder.insert(0, exchange)
    return [_row(conversation_id, group) for group in reversed(made)]


def _row(conversation_id: str, exchanges: Sequence[Exchange]) -> Row:
    last = exchanges[-1]
    targets = tuple((len(one.prompt), len(one)) for one in exchanges)
    return Row(
        conversation_id, last.prompt + last.target, targets, tuple(one.tag for one in exchanges)
    )


def _why_split(item: Conversation) -> str:
    speakers = [turn.speaker for turn in item.dialogue]
    twice = any(one == other == SUPPORTER for one, other in itertools.pairwise(speakers))
    return (
        "the supporter speaks twice in a row"
        if twice
        else "the chat template renders earlier turns differently"
    )


def build_rows(
    items: Iterable[Conversation | Question],
    rendering: Rendering,
    style: str,
    max_length: int,
    quiet: bool = False,
    **options,
) -> tuple[list[Row], Counter]:
    """The rows of all items, and what was counted. Shows progress; options as in `rows_of`.

    Raises DataError when there is nothing to learn, or a target fits in no way.
    """
    from tqdm import tqdm

    counts: Counter = Counter()
    rows = [
        row
        for item in tqdm(items, desc="rows", unit="item", delay=2, disable=quiet)
        for row in rows_of(item, rendering, style, max_length, counts, **options)
    ]
    if not rows:
        raise DataError(
            "nothing to learn: there is no labelled supporter turn and no question that fits; every"
            " label would be masked"
        )
    return rows, counts
