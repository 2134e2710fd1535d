"""Text to tokens for ROUGE-L, as the language asks for it. (BLEU uses sacrebleu's own
tokenizers.)
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from csc_tasks.errors import SettingError
from csc_tasks.languages import language as language_of
from csc_tasks.languages import languages

CHINESE_TOKENIZER = "cjk-char+word:1"
"""Names the Chinese token rule in signatures; the number after the colon moves when the rule does.
"""

# Han (all planes), kana, bopomofo, CJK punctuation and full-width forms: scripts written without
# spaces, where a run is not a word.
_UNSPACED = "\u2e80-\u9fff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\U00020000-\U0003ffff"
_CHINESE = re.compile(rf"[^\W_{_UNSPACED}]+|\S")
WORD_TOKENIZER = "words-nfc:1"
_WORD = re.compile(r"[^\W_]+")


def chinese_tokens(text: str) -> list[str]:
    """Characters: every Chinese character and every mark (Chinese or ASCII punctuation, symbol,
    emoji) is a token; a run of other letters and digits (`iphone15`, `2024`) is one token.
    Lower-cased; white space separates and is dropped. Nothing is normalised: a full-width comma and
    an ASCII comma differ.
    """
    return _CHINESE.findall(text.lower())


def english_tokens(text: str) -> list[str]:
    """rouge_score's default tokens without stemming: lower-cased runs of a-z and 0-9; everything
    else, all Chinese too, is dropped.
    """
    from rouge_score.tokenize import tokenize

    tokens: list[str] = tokenize(text, None)
    return tokens


def words(text: str) -> list[str]:
    """Lower-cased runs of letters and digits of any script, accents composed (NFC); everything else
    is dropped.
    """
    return _WORD.findall(unicodedata.normalize("NFC", text).lower())


@dataclass(frozen=True, slots=True)
class Rule:
    """How a language's text becomes tokens, and what signatures call that."""

    split: Callable[[str], list[str]]
    name: str


@cache
def rule(language: str) -> Rule:
    """The token rule of a language for ROUGE-L; raises SettingError for an unknown language."""
    own = language_of(known_language(language))
    if own.metrics.tokens == "rouge_score":
        import importlib.metadata

        return Rule(english_tokens, f"rouge_score-{importlib.metadata.version('rouge_score')}")
    return Rule(words, WORD_TOKENIZER) if own.metrics.tokens == "words" else characters(language)


@cache
def characters(language: str) -> Rule:
    """`chinese_tokens`, and the language's own letters are a token each where they are of another
    script (Hangul, Thai).
    """
    letters = language_of(language).text.letters
    own = "".join(re.findall(f"[{letters}]", "".join(map(chr, range(0x20000)))))
    if not re.sub(f"[{_UNSPACED}]", "", own):
        return Rule(chinese_tokens, CHINESE_TOKENIZER)
    pattern = re.compile(rf"[^\W_{_UNSPACED}{letters}]+|\S")
    return Rule(
        lambda text: pattern.findall(unicodedata.normalize("NFC", text).lower()),
        f"{language}-char+word:1",
    )


def tokens(text: str, language: str) -> list[str]:
    """The tokens ROUGE-L compares in `language`. Raises SettingError for a language that the
    project does not have.
    """
    return rule(language).split(text)


def known_language(language: str) -> str:
    """`language` itself, or SettingError when the overlap metrics cannot split it."""
    if language not in languages():
        known = ", ".join(languages())
        raise SettingError(
            f"overlap metrics know the languages {known}, not {language!r}; set csc_language or fix"
            " the corpus"
        )
    return language
