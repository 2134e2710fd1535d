"""Does a customer's turn answer what was said to it? Judged by what recorded people answered to the
likest things that a supporter said, in other conversations.

A reply is expected to look like the customers' replies to the nearest supporter turns (cosine of
TF-IDF). Coherence is a rank: among the customer's own other turns, and among turns of others, how
many fit less well than the one that was said? 0.5 is chance.
"""

import itertools
import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csc_tasks.draws import draw
from leaderboard.audit.turns import Talk

NEAREST = 25
CANDIDATES = 400
"""Nearest supporter turns that are kept of each; some of them are of the conversation itself."""
NEAR = 0.2
"""Cosine of the nearest supporter turn below which nothing is known of what to answer."""
OTHERS = 30
FEATURES = 800
_DIGITS = re.compile(r"\d+")


class Answers:
    """What recorded customers answered: fitted once on recorded conversations, then asked about
    any. A conversation is never judged by itself.
    """

    def __init__(self, recorded: Sequence[Talk]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        pairs = [
            (talk.conversation_id, turn.before, turn.text)
            for talk in recorded
            for turn in talk.turns
            if turn.before
        ]
        self.last: tuple[Talk, tuple[float, float]] | None = None
        self.ids = np.asarray([id_ for id_, _, _ in pairs])
        self.enough = len(set(self.ids.tolist())) > 1
        if not self.enough:
            return
        self.asked = TfidfVectorizer(
            analyzer=_supporter_terms, sublinear_tf=True, min_df=1, dtype=np.float32
        )
        self.replied = TfidfVectorizer(
            analyzer=_customer_terms, max_features=FEATURES, sublinear_tf=True, dtype=np.float32
        )
        self.columns = self.asked.fit_transform([before for _, before, _ in pairs]).T.tocsr()
        self.replies = _dense(self.replied.fit_transform([text for _, _, text in pairs]))
        self.near: dict[str, tuple[NDArray[Any], NDArray[Any]]] = {}
        order = sorted(range(len(pairs)), key=lambda i: draw(f"{pairs[i][0]}\n{i}"))
        self.pool = np.asarray(order[: 4 * OTHERS])

    def ranks(self, talk: Talk) -> tuple[float, float]:
        """(rank among its own other turns, rank among turns of others), each the mean over the
        turns that answer something; NaN where nothing can be said.
        """
        if self.last is None or self.last[0] is not talk:
            self.last = talk, self._ranks(talk)
        return self.last[1]

    def _ranks(self, talk: Talk) -> tuple[float, float]:
        answering = [turn for turn in talk.turns if turn.before]
        if not self.enough or not answering:
            return math.nan, math.nan
        self._look_up({turn.before for turn in answering} - self.near.keys())
        own = _dense(self.replied.transform([turn.text for turn in answering]))
        pool = self.pool[self.ids[self.pool] != talk.conversation_id][:OTHERS]
        others = self.replies[pool]
        among_own, among_others = [], []
        for i, turn in enumerate(answering):
            expected = self._expected(turn.before, talk.conversation_id)
            if expected is None:
                continue
            fits = own @ expected
            rest = np.delete(fits, i)
            # A turn that was said twice is no rival to itself.
            rest = rest[[answering[j].words != turn.words for j in range(len(fits)) if j != i]]
            if len(rest):
                among_own.append(_rank(fits[i], rest))
            if len(others):
                among_others.append(_rank(fits[i], others @ expected))
        return _mean(among_own), _mean(among_others)

    def _look_up(self, texts: set[str]) -> None:
        """Find the nearest supporter turns of each of these."""
        if not texts:
            return
        ordered = sorted(texts)
        likeness = _dense(self.asked.transform(ordered) @ self.columns)
        for text, row in zip(ordered, likeness, strict=True):
            near = np.argpartition(-row, min(CANDIDATES, len(row)) - 1)[:CANDIDATES]
            near = near[np.lexsort((near, -row[near]))]
            self.near[text] = near, row[near]

    def _expected(self, before: str, own: str) -> NDArray[Any] | None:
        """What a reply to `before` looks like in conversations other than `own`; None where nothing
        near it was said there.
        """
        places, likeness = self.near[before]
        foreign = self.ids[places] != own
        places, likeness = places[foreign][:NEAREST], likeness[foreign][:NEAREST]
        if not len(likeness) or likeness[0] < NEAR:
            return None
        return np.asarray(likeness @ self.replies[places])


def _rank(value: float, rivals: NDArray[Any]) -> float:
    less = np.count_nonzero(rivals < value - 1e-6)
    more = np.count_nonzero(rivals > value + 1e-6)
    return 0.5 + (less - more) / (2 * len(rivals))


def _supporter_terms(text: str) -> list[str]:
    words = _terms(text)
    return [*words, *(f"{a} {b}" for a, b in itertools.pairwise(words))]


def _customer_terms(text: str) -> list[str]:
    """Words, with numbers by their length alone and whether there are few or many words: an account
    number answers a question for one, whatever its digits.
    """
    words = _terms(text)
    return [*words, f"length {min(5, len(words).bit_length())}"]


def _terms(text: str) -> list[str]:
    from csc_tasks.metrics.segment import chinese_tokens

    return chinese_tokens(_DIGITS.sub(lambda match: f" n{len(match[0])} ", text))


def _dense(matrix: Any) -> NDArray[Any]:
    return np.asarray(matrix.toarray())


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan
