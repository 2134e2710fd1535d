"""BM25 over passages, by the library bm25s.

Text is split as the metrics split it (csc_tasks/metrics/segment.py): words where a language has
spaces, characters where it has none; marks are left out. A word of a query counts once, however
often it stands there.
"""

from collections.abc import Sequence
from types import ModuleType

import numpy as np
import numpy.typing as npt

from csc_tasks.errors import require
from csc_tasks.metrics.segment import tokens

K1, B = 1.5, 0.75
METHOD = f"bm25:lucene,k1={K1},b={B}"


def library(purpose: str = "looking up passages in a folder of policies") -> ModuleType:
    """bm25s; raises MissingExtra, which names the purpose, where it is not installed."""
    return require("bm25s", "retrieval", purpose)


class Index:
    """Passages that can be searched in one language.

    A passage that shares no word with a query is never an answer. Raises as `library` does.
    """

    def __init__(self, passages: Sequence[str], language: str) -> None:
        bm25s = library()
        self.language = language
        self.size = len(passages)
        split = [terms(passage, language) for passage in passages]
        self._scorer = None
        if any(split):
            self._scorer = bm25s.BM25(method="lucene", k1=K1, b=B, dtype="float64", backend="numpy")
            self._scorer.index(split, show_progress=False)

    def scores(self, query: str) -> npt.NDArray[np.float64]:
        """The score of every passage, in their order."""
        words = list(dict.fromkeys(terms(query, self.language)))
        if not words or self._scorer is None:
            return np.zeros(self.size)
        return np.asarray(self._scorer.get_scores(words), dtype=np.float64)

    def best(self, query: str, count: int) -> list[tuple[int, float]]:
        """The position and score of the `count` best passages, the best first; of equal ones the
        earlier first.
        """
        # Sums differ in their last digits from machine to machine, and must not decide.
        scores = np.round(self.scores(query), 9)
        best = np.argsort(-scores, kind="stable")[:count].tolist()
        return [(position, float(scores[position])) for position in best if scores[position] > 0]


def terms(text: str, language: str) -> list[str]:
    """The words or characters of a text, without marks."""
    return [token for token in tokens(text, language) if any(map(str.isalnum, token))]
