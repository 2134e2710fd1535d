"""Customer profiles as numbers: how alike they are, and whether customers speak as theirs say."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from csc_tasks.conversation import CUSTOMER, Conversation
from csc_tasks.corpus_statistics import (
    THRESHOLDS,
    AlignmentPoint,
    ProfileAlignment,
    ProfileOverlap,
)
from csc_tasks.draws import digest
from csc_tasks.metrics.cluster import estimate
from csc_tasks.metrics.segment import chinese_tokens

if TYPE_CHECKING:
    import numpy

MOST_PROFILES = 2_000
"""Above so many distinct profiles, overlap is measured on this many of them (the first by hash): it
takes time and memory to the square.
"""


def words(text: str) -> list[str]:
    """The words of a text (Chinese: characters), lower-cased and without marks."""
    return [token for token in chinese_tokens(text) if token.isalnum()]


def profile_overlap(profiles: Iterable[str]) -> ProfileOverlap:
    """Word overlap between distinct profiles."""
    import numpy

    distinct = sorted(set(profiles), key=lambda text: (digest(text), text))
    measured = distinct[:MOST_PROFILES]
    if len(measured) < 2:
        return ProfileOverlap(
            distinct=len(distinct),
            measured=len(measured),
            mean_pair=None,
            mean_nearest=None,
            pairs=(),
            nearest=(),
        )
    sets = [set(words(text)) for text in measured]
    # A word of one profile alone is shared with nobody: it counts in the sizes and needs no column.
    columns = {
        word: i
        for i, word in enumerate(
            sorted(w for w, n in Counter(w for own in sets for w in own).items() if n > 1)
        )
    }
    holds = numpy.zeros((len(sets), len(columns)), dtype=numpy.float32)
    for row, own in enumerate(sets):
        holds[row, [columns[word] for word in own if word in columns]] = 1
    sizes = numpy.array([len(own) for own in sets], dtype=numpy.float64)
    shared = (holds @ holds.T).astype(numpy.float64)
    either = sizes[:, None] + sizes[None, :] - shared
    # Two profiles without a single word are alike.
    overlap = numpy.divide(shared, either, out=numpy.ones_like(shared), where=either > 0)
    pairs = overlap[numpy.triu_indices(len(sets), k=1)]
    numpy.fill_diagonal(overlap, -1)
    nearest = overlap.max(axis=1)
    return ProfileOverlap(
        distinct=len(distinct),
        measured=len(measured),
        mean_pair=float(pairs.mean()),
        mean_nearest=float(nearest.mean()),
        pairs=tuple(float((pairs >= threshold).mean()) for threshold in THRESHOLDS),
        nearest=tuple(float((nearest >= threshold).mean()) for threshold in THRESHOLDS),
    )


def profile_alignment(items: Sequence[Conversation]) -> ProfileAlignment | None:
    """What customers have said so far against their own profile and against the others, after each
    of their utterances; None with fewer than two profiles, or where no customer with one speaks.
    """
    import numpy

    told = [
        (item.profile, [turn.text for turn in item.dialogue if turn.speaker == CUSTOMER])
        for item in items
        if item.profile
    ]
    told = [(profile, texts) for profile, texts in told if texts]
    profiles = sorted({profile for profile, _ in told})
    if len(profiles) < 2:
        return None
    tokens = [words(profile) for profile in profiles]
    columns = {word: i for i, word in enumerate(sorted({w for own in tokens for w in own}))}
    frequency = Counter(word for own in tokens for word in set(own))
    idf = numpy.array(
        [numpy.log((1 + len(profiles)) / (1 + frequency[word])) + 1 for word in columns]
    )
    vectors = {
        profile: _unit(_counts(own, columns) * idf)
        for profile, own in zip(profiles, tokens, strict=True)
    }
    everybody = numpy.sum(list(vectors.values()), axis=0)
    after: dict[int, list[tuple[str, float, float]]] = {}
    for profile, texts in told:
        own, spoken = vectors[profile], numpy.zeros(len(columns))
        others = (everybody - own) / (len(profiles) - 1)
        for k, text in enumerate(texts, start=1):
            spoken += _counts(words(text), columns) * idf
            vector = _unit(spoken)
            after.setdefault(k, []).append((profile, float(own @ vector), float(others @ vector)))
    return ProfileAlignment(
        profiles=len(profiles),
        conversations=len(told),
        points=tuple(_point(k, after[k]) for k in sorted(after)),
    )


def _point(k: int, values: Sequence[tuple[str, float, float]]) -> AlignmentPoint:
    names = [profile for profile, _, _ in values]
    difference = estimate([aligned - other for _, aligned, other in values], names)
    return AlignmentPoint(
        utterances=k,
        conversations=len(values),
        profiles=len(set(names)),
        aligned=sum(aligned for _, aligned, _ in values) / len(values),
        random=sum(other for _, _, other in values) / len(values),
        stderr=difference.stderr,
    )


def _counts(tokens: Iterable[str], columns: Mapping[str, int]) -> "numpy.ndarray":
    import numpy

    counts = numpy.zeros(len(columns))
    for token in tokens:
        if token in columns:
            counts[columns[token]] += 1
    return counts


def _unit(vector: "numpy.ndarray") -> "numpy.ndarray":
    """The vector with length 1; of length 0 as it is."""
    import numpy

    return vector / (numpy.linalg.norm(vector) or 1)
