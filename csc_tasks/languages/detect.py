"""Which language a text is in, where its row does not say it.

Chinese is told by its characters, the others by py3langid. A guess counts only where there is
enough text and the detector is sure; rows that are too short or mixed take what most of the corpus
is in. A language without a folder is refused: nothing is ever scored as another language.
"""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

from csc_tasks.errors import DataError
from csc_tasks.languages import OWN_FOLDERS, languages

CHARACTERS = 600
"""So much of a text is looked at."""
FEWEST_LETTERS = 20
SURE = 0.8
CHINESE = "zh"


def chinese(text: str) -> bool:
    """Whether at least three in ten of the letters are Chinese characters and next to none Japanese
    or Korean ones.
    """
    letters = [c for c in text if c.isalpha()]
    han = sum("\u4e00" <= c <= "\u9fff" or "\u3400" <= c <= "\u4dbf" for c in letters)
    others = sum("\u3040" <= c <= "\u30ff" or "\uac00" <= c <= "\ud7af" for c in letters)
    return bool(letters) and han >= 0.3 * len(letters) and others <= 0.1 * len(letters)


def detect(text: str) -> str | None:
    """The ISO 639-1 code of the text's language, or None where the text is too short or the
    detector is not sure.

    The code may be of a language that the project does not have.
    """
    text = text[:CHARACTERS]
    if chinese(text):
        return CHINESE
    # Marks belong to the letters of many scripts.
    if sum(unicodedata.category(c)[0] in "LM" for c in text) < FEWEST_LETTERS:
        return None
    code, probability = _detector().classify(text)
    return code if probability >= SURE else None


@cache
def _detector() -> Any:
    from py3langid import langid

    return langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)


def in_another_language(text: str, code: str) -> bool:
    """Whether the text is surely in another language than `code`."""
    if code == CHINESE:
        return not chinese(text)
    guess = detect(text)
    return guess is not None and guess != code


def settle(
    rows: Sequence[tuple[str, str]], declared: Counter[str], counts: Counter[str]
) -> list[str | DataError]:
    """The languages of rows that declare none: `rows` are (where, text), `declared` counts the
    languages of the other rows. For a row in a language that the project does not have, a DataError
    that names the row.

    Adds to `counts` how many took the corpus' most frequent language. Raises DataError where
    nothing in the corpus says what a short row is in.
    """
    guesses = [detect(text) for _, text in rows]
    settled: list[str | DataError | None] = [
        DataError(
            f"{where}: no language is declared, and the text looks like {guess!r}"
            f" ({' '.join(text.split())[:60]!r}); there are {', '.join(languages())}. If it is"
            " one of them, give the rows a `language`; else add a folder for it"
            f" ({OWN_FOLDERS})"
        )
        if guess is not None and guess not in languages()
        else guess
        for (where, text), guess in zip(rows, guesses, strict=True)
    ]
    sure = [one for one in settled if isinstance(one, str)]
    unsure = settled.count(None)
    if not unsure:
        return [one for one in settled if one is not None]
    known = declared + Counter(sure)
    # Where no row tells by itself, all of them together may.
    together = None if known else detect(" ".join(text for _, text in rows))
    most = known.most_common(1)[0][0] if known else together
    if most is None or most not in languages():
        where, text = rows[guesses.index(None)]
        raise DataError(
            f"{where}: no language is declared, and {' '.join(text.split())[:60]!r} is too little"
            f" or too mixed to tell it; give the rows a `language` ({', '.join(languages())}), or"
            f" add a folder for theirs ({OWN_FOLDERS})"
        )
    counts["languages taken from most of the corpus (too short or mixed to tell)"] += unsure
    return [most if one is None else one for one in settled]
