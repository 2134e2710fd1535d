"""Text to tokens for ROUGE-L, in Chinese and English. (BLEU uses sacrebleu's own `zh` and `13a` tokenizers.)"""

import re

from csc_tasks.errors import SettingError
from csc_tasks.framework import LANGUAGES

CHINESE_TOKENIZER = "cjk-char+word:1"
"""Names the Chinese token rule in signatures; the number after the colon moves when the rule does."""

# Han (all planes), kana, bopomofo, CJK punctuation and full-width forms: scripts written without spaces, where a run is not a word.
_UNSPACED = "\u2e80-\u9fff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\U00020000-\U0003ffff"
_CHINESE = re.compile(rf"[^\W_{_UNSPACED}]+|\S")


def chinese_tokens(text: str) -> list[str]:
    """Characters: every Chinese character and every mark (Chinese or ASCII punctuation, symbol, emoji) is a token; a run of other
    letters and digits (`iphone15`, `2024`) is one token. Lower-cased; white space separates and is dropped. Nothing is normalised: a
    full-width comma and an ASCII comma differ.
    """
    return _CHINESE.findall(text.lower())


def english_tokens(text: str) -> list[str]:
    """rouge_score's default tokens without stemming: lower-cased runs of a-z and 0-9; everything else, all Chinese too, is dropped."""
    from rouge_score.tokenize import tokenize

    return tokenize(text, None)


def tokens(text: str, language: str) -> list[str]:
    """The tokens ROUGE-L compares in `language` ("zh" or "en"). Raises SettingError for any other language."""
    known_language(language)
    return chinese_tokens(text) if language == "zh" else english_tokens(text)


def known_language(language: str) -> str:
    """`language` itself, or SettingError when the overlap metrics cannot split it."""
    if language not in LANGUAGES:
        known = " and ".join(LANGUAGES)
        raise SettingError(f"overlap metrics know the languages {known}, not {language!r}; set csc_language or fix the corpus")
    return language
