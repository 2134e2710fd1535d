"""Near-duplicates among texts: embeddings by one of three models, and which texts stay.

`tfidf` works offline on words and Chinese characters; `st:MODEL` is a sentence-transformers model,
`openai:MODEL` an embeddings endpoint.
"""

import os
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from csc_tasks.errors import ModelError, SettingError, require

THRESHOLD = 0.85
# Rows of one product: at 16,000 profiles its result takes 64 MB.
BLOCK = 1024
# Texts of one request to an embeddings endpoint.
BATCH = 256
# Products this close to the threshold are computed again in double precision, so that neither the
# block size nor the number of threads decides about them.
UNSURE = 1e-4

_TOKEN = re.compile(r"[a-z0-9]+|[\u3400-\u9fff]", re.IGNORECASE)


def check_model(model: str) -> None:
    """Raise SettingError for what `embed` does not know."""
    kind, _, name = model.partition(":")
    if model != "tfidf" and (kind not in ("st", "openai") or not name):
        raise SettingError(f"--embed {model!r} is not tfidf, st:MODEL or openai:MODEL")


def embed(texts: Sequence[str], model: str, base_url: str | None = None):
    """A unit vector for every text, as rows of a float32 array or a sparse matrix; `model` is
    tfidf, st:MODEL or openai:MODEL.

    Raises SettingError for another model, MissingExtra without its library, ModelError when the
    endpoint does not answer.
    """
    import numpy as np

    check_model(model)
    kind, _, name = model.partition(":")
    if model == "tfidf":
        library = require("sklearn.feature_extraction.text", "build", "--embed tfidf")
        return library.TfidfVectorizer(analyzer=tokens, dtype=np.float32).fit_transform(texts)
    if kind == "st":
        encoder = require(
            "sentence_transformers", "learned", "--embed st:MODEL"
        ).SentenceTransformer(name)
        return unit_rows(encoder.encode(list(texts), batch_size=64, show_progress_bar=False))
    return unit_rows(_endpoint(texts, name, base_url))


def hashed(texts: Sequence[str]):
    """A unit vector for every text, as rows of a sparse matrix: how often each of its `tokens`
    occurs. It depends on the text alone, so that texts may come in rounds.
    """
    import numpy as np

    library = require("sklearn.feature_extraction.text", "build", "csc build")
    vectorizer = library.HashingVectorizer(
        analyzer=tokens, n_features=2**20, alternate_sign=False, norm="l2", dtype=np.float32
    )
    return vectorizer.transform(texts)


class FirstOnes:
    """The texts that stay, of texts that come in rounds: what stays is what `first_of_each` keeps
    of all rounds together. Above a cosine of 1 there is nothing: all stay.
    """

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self._stay: Any = None

    def of(self, texts: Sequence[str]) -> list[int]:
        """The positions, in this round, of the texts that stay."""
        if self.threshold >= 1:
            return list(range(len(texts)))
        if not texts:
            return []
        sparse = require("scipy.sparse", "build", "csc build")
        vectors = hashed(texts)
        before = 0 if self._stay is None else self._stay.shape[0]
        if before:
            vectors = sparse.vstack([self._stay, vectors], format="csr")
        stay = first_of_each(vectors, self.threshold)
        self._stay = vectors[stay]
        return [position - before for position in stay if position >= before]


def tokens(text: str) -> list[str]:
    """Words of letters and digits, Chinese characters, and pairs of neighbours of either."""
    parts = _TOKEN.findall(text.lower())
    return parts + [f"{first} {second}" for first, second in pairwise(parts)]


def unit_rows(rows):
    """The rows as float32 of length 1; a row of zeros stays, and is like nothing."""
    import numpy as np

    rows = np.asarray(rows, dtype=np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths == 0, 1, lengths)


def first_of_each(vectors, threshold: float = THRESHOLD, block: int = BLOCK) -> list[int]:
    """The positions that stay: going from the first row to the last, a row goes when its cosine
    with one that stays is above `threshold`.

    `vectors` are unit rows, dense or sparse. The order alone decides which of two stays; the block
    size does not matter. Needs one product of each block with the rows that stay: 16,000 x 1,024
    takes seconds and about 300 MB.
    """
    import numpy as np

    stay: list[int] = []
    for start in range(0, vectors.shape[0], block):
        rows = vectors[start : start + block]
        before = len(stay)
        with_earlier = _product(rows, vectors[np.array(stay, dtype=np.int64)])
        among = _product(rows, rows)
        added: list[int] = []
        for i in range(rows.shape[0]):
            here = vectors[start + i]
            if before and _above(with_earlier[i], here, vectors, stay[:before], threshold):
                continue
            if added and _above(
                among[i, added], here, vectors, [start + j for j in added], threshold
            ):
                continue
            added.append(i)
        stay += [start + i for i in added]
    return stay


def _above(cosines, here, vectors, there, threshold):
    """Whether any cosine is above the threshold; those too close to tell are computed exactly.
    `there` are the rows they belong to.
    """
    import numpy as np

    if (cosines > threshold + UNSURE).any():
        return True
    return any(
        _exact(here, vectors[there[i]]) > threshold
        for i in np.flatnonzero(cosines > threshold - UNSURE)
    )


def _exact(first, second) -> float:
    import numpy as np

    if hasattr(first, "toarray"):
        first, second = first.toarray()[0], second.toarray()[0]
    return float(np.dot(first.astype(np.float64), second.astype(np.float64)))


def _product(left, right):
    product = left @ right.T
    return product.toarray() if hasattr(product, "toarray") else product


def _endpoint(texts, name, base_url):
    openai = require("openai", "build", "--embed openai:MODEL")
    url = base_url or os.environ.get("OPENAI_BASE_URL")
    key = os.environ.get("OPENAI_API_KEY", "").strip()
    if not key and not url:
        raise SettingError(
            "OPENAI_API_KEY is not set; set it, name another server with --base-url, or use --embed"
            " tfidf"
        )
    rows = []
    try:
        with openai.OpenAI(api_key=key or "none", base_url=url, max_retries=6) as client:
            for start in range(0, len(texts), BATCH):
                embeddings = client.embeddings.create(
                    model=name, input=list(texts[start : start + BATCH]), encoding_format="float"
                ).data
                rows += [item.embedding for item in sorted(embeddings, key=lambda item: item.index)]
    except openai.OpenAIError as error:
        reason = str(error).replace(key, "[key]") if len(key) >= 8 else str(error)
        raise ModelError(
            f"--embed openai:{name}: {reason:.300}; run the command again, or use --embed tfidf"
        ) from None
    if len(rows) != len(texts):
        raise ModelError(
            f"--embed openai:{name} returned {len(rows):,} embeddings for {len(texts):,} texts"
        )
    return rows
