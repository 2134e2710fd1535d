"""A classifier that tells played customers from recorded ones by their wording.

Ridge regression on TF-IDF (words and pairs of words, and characters of scripts without spaces) with
a small embedding of it (truncated SVD), cross-validated: no conversation helps to judge itself, and
both sides of one conversation are in one fold. Its scores are linear in the labels, so that what it
would say of labels given at random, two thousand times over, is one product of matrices.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csc_tasks.draws import draw

FOLDS = 5
RIDGE = 0.5
DIMENSIONS = 32
"""Of the embedding."""
TERMS = r"(?u)[^\W_\u2e80-\u9fff]+|[\u2e80-\u9fff]|[^\w\s]"


def wording(texts: Sequence[str]) -> NDArray[np.float64]:
    """(n, n): the products of the texts' vectors, TF-IDF and its embedding with equal weight."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    terms = TfidfVectorizer(
        token_pattern=TERMS, ngram_range=(1, 2), min_df=2, sublinear_tf=True, preprocessor=_plain
    )
    try:
        tfidf = terms.fit_transform(texts)
    except ValueError:  # no two texts share a word
        return np.eye(len(texts))
    gram = np.asarray((tfidf @ tfidf.T).toarray())
    size = min(DIMENSIONS, len(texts) - 1, tfidf.shape[1] - 1)
    if size < 1:
        return gram
    embedded = TruncatedSVD(size, random_state=0).fit_transform(tfidf)
    norms = np.linalg.norm(embedded, axis=1, keepdims=True)
    embedded = embedded / np.where(norms > 0, norms, 1.0)
    return gram + embedded @ embedded.T


def held_out_scores(gram: NDArray[Any], ids: NDArray[Any]) -> NDArray[np.float64]:
    """(n, n): the matrix that turns labels (n,) into the scores of conversations that were not
    learned from; conversations with one id are in one fold.
    """
    different = np.unique(ids)
    order = sorted(different.tolist(), key=lambda id_: draw(f"fold\n{id_}"))
    fold_of = {id_: place % FOLDS for place, id_ in enumerate(order)}
    folds = np.asarray([fold_of[id_] for id_ in ids.tolist()])
    scores = np.zeros_like(gram, dtype=float)
    for fold in range(FOLDS):
        test, train = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        if not len(test) or not len(train):
            continue
        inner, outer = gram[np.ix_(train, train)], gram[np.ix_(test, train)]
        # Centred on what was learned from: no intercept, which would tell how many of each there
        # were in the other folds.
        middle = np.eye(len(train)) - 1 / len(train)
        centred = middle @ inner @ middle
        outer = (outer - inner.mean(axis=0)) @ middle
        weights = np.linalg.solve(centred + RIDGE * np.eye(len(train)), middle)
        scores[np.ix_(test, train)] = outer @ weights
    return scores


def auc(scores: NDArray[Any], labels: NDArray[Any]) -> NDArray[np.float64]:
    """The area under the ROC curve of each column: scores and labels (n, b)."""
    # What is equal but for rounding is equal: two customers who say the same are a tie.
    scores = np.round(scores, 9)
    order = np.argsort(scores, axis=0, kind="stable")
    ordered = np.take_along_axis(scores, order, axis=0)
    ranks = _mean_ranks(ordered)
    positive = np.take_along_axis(labels, order, axis=0)
    count = positive.sum(axis=0)
    others = len(labels) - count
    sums = (ranks * positive).sum(axis=0)
    return np.asarray((sums - count * (count + 1) / 2) / (count * others))


def _mean_ranks(ordered: NDArray[Any]) -> NDArray[np.float64]:
    """The ranks of sorted columns; equal values have the mean of theirs."""
    size = len(ordered)
    place = np.arange(size)[:, None]
    new = np.ones(ordered.shape, dtype=bool)
    new[1:] = ordered[1:] != ordered[:-1]
    first = np.maximum.accumulate(np.where(new, place, 0), axis=0)
    ends = np.ones(ordered.shape, dtype=bool)
    ends[:-1] = new[1:]
    last = np.minimum.accumulate(np.where(ends, place, size)[::-1], axis=0)[::-1]
    return np.asarray((first + last) / 2 + 1.0)


def _plain(text: str) -> str:
    """Lower case, with every digit a 0: not this customer's account number, but that there is
    one.
    """
    return "".join("0" if character.isdigit() else character for character in text.lower())
