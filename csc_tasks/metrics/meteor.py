"""METEOR (Banerjee & Lavie, 2005; parameters of Lavie & Agarwal, 2007) by nltk: word matches in
three stages and how scattered they are.

What matches is the language's `meteor`. wordnet (English): words that are equal, share a Porter
stem, or are WordNet synonyms. stem:NAME: words that are equal or share a stem of that Snowball
stemmer. characters (Chinese): characters that are equal, and only the latin words among them are
stemmed.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from csc_tasks.errors import ModelError, SettingError, require
from csc_tasks.languages import language as language_of
from csc_tasks.metrics.cluster import Scores
from csc_tasks.metrics.overlap import check_texts
from csc_tasks.metrics.segment import WORD_TOKENIZER, characters, known_language, words

NAME = "meteor"
# nltk's word_tokenize needs a downloaded model only to find sentence ends; this rule does without.
# The number moves with the rule.
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_ENGLISH_TOKENIZER = "treebank:1"


def meteor(
    predictions: list[str], references: list[str], language: str, settings: object = None
) -> Scores:
    """METEOR per item: alpha 0.9, beta 3, gamma 0.5, words lower-cased.

    Unit: one reply, 0-1, higher is better; a reply or reference without words scores 0, and even a
    perfect reply stays a little below 1.
    Limit: nltk looks stems up in WordNet where the stem stage went before, so many synonyms are
    missed; in Chinese, Japanese and Korean it compares characters.
    `settings` is there because every metric with a `check` takes it; nothing in it matters here.
    Raises DataError for a reply or reference that is not text, SettingError for a language that the
    project does not have, and what
    `check` raises.
    """
    check_texts(predictions, references)
    rules = _rules(known_language(language))
    from nltk.translate.meteor_score import single_meteor_score

    items = [
        float(
            single_meteor_score(
                rules.tokens(reference), rules.tokens(prediction), str.lower, rules, rules
            )
        )
        for prediction, reference in zip(predictions, references, strict=True)
    ]
    return Scores(items, rules.signature)


def check(language: str, settings: object = None) -> None:
    """Raise MissingExtra without nltk and, for a language that asks for it, ModelError where nltk
    has no WordNet that can be read.
    """
    _rules(known_language(language))


@dataclass(slots=True, eq=False)
class _Rules:
    """What nltk asks its stemmer (`stem`) and its WordNet (`synsets`), each word looked up once."""

    tokens: Callable[[str], list[str]]
    stem: Callable[[str], str]
    synsets: Callable[[str], list[Any]]
    signature: str


@cache
def _rules(language: str) -> _Rules:
    nltk = require("nltk", "learned", NAME)
    from nltk.stem.porter import PorterStemmer

    stem = lru_cache(maxsize=1 << 16)(PorterStemmer().stem)
    fixed = f"{NAME}|alpha:0.9|beta:3|gamma:0.5|case:lower"
    mode = language_of(language).metrics.meteor
    if mode == "characters":
        own = characters(language)
        return _Rules(
            own.split,
            stem,
            lambda word: [],
            f"{fixed}|tok:{own.name}|stages:exact+stem|nltk:{nltk.__version__}",
        )
    if mode != "wordnet":
        named = mode.removeprefix("stem:")
        stem = lru_cache(maxsize=1 << 16)(_snowball(named, language))
        return _Rules(
            words,
            stem,
            lambda word: [],
            f"{fixed}|tok:{WORD_TOKENIZER}|stages:exact+stem-{named}|nltk:{nltk.__version__}",
        )
    from nltk.tokenize import NLTKWordTokenizer

    wordnet = _wordnet()
    split = NLTKWordTokenizer().tokenize

    def treebank(text: str) -> list[str]:
        return [word for sentence in _SENTENCE_END.split(text) for word in split(sentence)]

    return _Rules(
        treebank,
        stem,
        lru_cache(maxsize=1 << 16)(wordnet.synsets),
        f"{fixed}|tok:{_ENGLISH_TOKENIZER}|stages:exact+stem+wordnet-{wordnet.get_version()}|nltk:{nltk.__version__}",
    )


def _snowball(name: str, language: str) -> Callable[[str], str]:
    from nltk.stem.snowball import SnowballStemmer

    if name not in SnowballStemmer.languages:
        there = ", ".join(SnowballStemmer.languages)
        raise SettingError(
            f"{NAME} ({language}): nltk has no Snowball stemmer {name!r}; there are {there}"
        )
    stem: Callable[[str], str] = SnowballStemmer(name).stem
    return stem


def _wordnet() -> Any:
    from nltk.corpus import wordnet

    try:
        wordnet.ensure_loaded()
        # Loading opens little; looking a word up opens the rest.
        wordnet.synsets("help")
        wordnet.get_version()
    except (LookupError, OSError, ValueError) as error:
        reason = next(line.strip() for line in str(error).splitlines() if line.strip(" *"))
        raise ModelError(
            f"{NAME} (en) needs WordNet, which nltk cannot read ({reason}); get it with: python -m"
            " nltk.downloader wordnet, or name the folder that holds corpora/wordnet in NLTK_DATA"
            " (nltk reads no file that others may write: chmod -R go-w), or choose other metrics"
            " with csc_metrics"
        ) from None
    return wordnet
