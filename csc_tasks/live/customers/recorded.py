"""The recorded customer: it says what the customer of the recorded conversation said, chosen to
fit what was asked. It needs no model and always does the same.

Its first words are the recorded ones. After that, in this order: a turn that fills a slot which was
asked for (also one that it said before: it was asked again); where the supporter closes (goodbye,
is there anything else), the turn that was said to that, or its last; where something was asked, the
turn that BM25 finds for it among those not said yet, by the words of the recorded exchange (what
was asked there, and what the customer said); where nothing was asked, the next turn that was no
answer to a question either, but for the last. Where none fits it says so. It ends the conversation
with its last turn, gives up when nothing fits three times in a row, and is transferred when it is
told so.
"""

from concurrent.futures import Future
from functools import lru_cache

import numpy as np

from csc_tasks.conversation import CUSTOMER, SUPPORTER, Conversation
from csc_tasks.evidence.index import K1, B, library
from csc_tasks.languages import language
from csc_tasks.live.asked import live_words, matches, questions, slots_asked, terms
from csc_tasks.live.customers.customer import Move, Part, known
from csc_tasks.live.dialogue import GAVE_UP, SATISFIED, TRANSFERRED, LiveTurn

PATIENCE = 3
"""So many times in a row nothing fits before it gives up."""
VERSION = "recorded:1"
"""Names the rules in a run's record; the number moves when they do."""


class Exchange:
    """Something the customer said in the recorded conversation: `asked`, the supporter's words
    before it, "" at the beginning, and `said`.
    """

    def __init__(self, asked: str, said: str, code: str) -> None:
        self.asked, self.said = asked, said
        self.slots = frozenset(slots_asked(asked, code))
        self.answers = bool(questions(asked, code))
        self.closes = matches(live_words(code).closings, asked)


class RecordedCustomer:
    """Plays every customer as it was recorded."""

    def answer(self, part: Part, turns: tuple[LiveTurn, ...]) -> "Future[Move]":
        """What fits the last of these turns."""
        return known(_move(part.conversation, turns))

    def close(self) -> None:
        """Nothing is open."""


def exchanges(conversation: Conversation) -> list[Exchange]:
    """What the customer said in a recorded conversation, neighbouring turns as one."""
    code = conversation.language
    joint = " " if language(code).text.spaced else ""
    made: list[tuple[list[str], list[str]]] = []
    before = ""
    for turn in conversation.dialogue:
        if turn.speaker == SUPPORTER:
            if before != SUPPORTER:
                made.append(([], []))
            made[-1][0].append(turn.text)
        else:
            if not made:
                made.append(([], []))
            made[-1][1].append(turn.text)
        before = turn.speaker
    return [Exchange(joint.join(asked), joint.join(said), code) for asked, said in made if said]


def _move(conversation: Conversation, turns: tuple[LiveTurn, ...]) -> Move:
    script = _Script.of(conversation)
    used = script.used(turns)
    words = live_words(conversation.language)
    if not script.exchanges:
        return Move(words.unfit, GAVE_UP, unfit=True)
    if not any(turn.speaker == CUSTOMER for turn in turns):
        return script.say([0], used)
    heard = turns[-1].text
    if matches(words.transfers, heard):
        return Move(words.transferred, TRANSFERRED)
    fitting = script.fitting(heard, used)
    if fitting:
        return script.say(fitting, used)
    own = [turn for turn in turns if turn.speaker == CUSTOMER]
    stuck = len(own) >= PATIENCE - 1 and all(turn.unfit for turn in own[1 - PATIENCE :])
    return Move(words.unfit, GAVE_UP if stuck else "", unfit=True)


class _Script:
    """What one recorded customer has to say, ready to be looked up."""

    def __init__(self, conversation: Conversation) -> None:
        self.code = conversation.language
        self.exchanges = exchanges(conversation)
        self.joint = " " if language(self.code).text.spaced else ""
        words = [terms(f"{one.asked} {one.said}", self.code) for one in self.exchanges]
        self.scorer = None
        if any(words):
            bm25s = library("a recorded customer (csc_customer=recorded)")
            self.scorer = bm25s.BM25(method="lucene", k1=K1, b=B, dtype="float64", backend="numpy")
            self.scorer.index(words, show_progress=False)

    @staticmethod
    @lru_cache(maxsize=4096)
    def of(conversation: Conversation) -> "_Script":
        """That of a conversation, made once."""
        return _Script(conversation)

    def used(self, turns: tuple[LiveTurn, ...]) -> set[int]:
        """The places of what was said already."""
        said = [turn.text for turn in turns if turn.speaker == CUSTOMER and not turn.unfit]
        places: set[int] = set()
        for text in said:
            rest = text
            # What was said together stands in one turn, in the order of the recording.
            for place, one in enumerate(self.exchanges):
                if rest == one.said or rest.startswith(one.said + self.joint):
                    places.add(place)
                    rest = rest[len(one.said) :].removeprefix(self.joint)
                if not rest:
                    break
        return places

    def say(self, places: list[int], used: set[int]) -> Move:
        """The turns at these places, as one; the last of all ends the conversation."""
        text = self.joint.join(self.exchanges[place].said for place in places)
        over = len(self.exchanges) - 1 in places or used | {*places} == {
            *range(len(self.exchanges))
        }
        return Move(text, SATISFIED if over else "")

    def fitting(self, heard: str, used: set[int]) -> list[int]:
        """The places of the turns that fit what was heard; none where nothing does."""
        slots = {*slots_asked(heard, self.code)}
        if filling := self._filling(slots, used):
            return filling
        unused = [place for place in range(len(self.exchanges)) if place not in used]
        if not unused:
            return []
        if matches(live_words(self.code).closings, heard):
            return [next((place for place in unused if self.exchanges[place].closes), unused[-1])]
        if slots:  # asked for something that it never told
            return []
        if not questions(heard, self.code):
            free = [place for place in unused if not self.exchanges[place].answers]
            # Its last words are for the end.
            return [place for place in free if place != len(self.exchanges) - 1][:1]
        return self._found(" ".join(questions(heard, self.code)), unused)

    def _filling(self, slots: set[str], used: set[int]) -> list[int]:
        """The first turn that answers each slot, one not yet said before one that was."""
        places = set()
        for slot in slots:
            there = [i for i, one in enumerate(self.exchanges) if slot in one.slots]
            there.sort(key=lambda place: (place in used, place))
            places.update(there[:1])
        return sorted(places)

    def _found(self, question: str, unused: list[int]) -> list[int]:
        words = list(dict.fromkeys(terms(question, self.code)))
        if not words or self.scorer is None:
            return []
        # Sums differ in their last digits from machine to machine, and must not decide.
        scores = np.round(np.asarray(self.scorer.get_scores(words), dtype=np.float64), 9)
        best = max(unused, key=lambda place: (scores[place], -place))
        return [best] if scores[best] > 0 else []
