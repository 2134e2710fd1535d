"""ROUGE-L: known answers, and the same numbers from rouge_score and plain loops."""

import random

import pytest
import rouge_score.rouge_scorer

from csc_tasks.metrics import METRICS
from csc_tasks.metrics.overlap import longest_common_subsequence
from csc_tasks.metrics.segment import chinese_tokens, tokens
from tests.support.metric_values import ODD, drawn_texts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("您好，请问", ["您", "好", "，", "请", "问"]),
        ("iPhone15多少钱？", ["iphone15", "多", "少", "钱", "？"]),
        ("余额 12.50 元", ["余", "额", "12", ".", "50", "元"]),
        ("APP里的 log_in 按钮", ["app", "里", "的", "log", "_", "in", "按", "钮"]),
        ("“稍等”……", ["“", "稍", "等", "”", "…", "…"]),
        ("ＡＢ１", ["ａ", "ｂ", "１"]),  # full-width letters and digits, one by one
        ("𠮷𠮶野家", ["𠮷", "𠮶", "野", "家"]),  # characters outside the basic plane
        ("好的👍👍", ["好", "的", "👍", "👍"]),
        ("Café ありがとう", ["café", "あ", "り", "が", "と", "う"]),
        ("[手机号码]**", ["[", "手", "机", "号", "码", "]", "*", "*"]),
        (" \n\t\u3000", []),
        ("", []),
    ],
)
def test_chinese_tokens(text, expected):
    assert chinese_tokens(text) == expected
    assert tokens(text, "zh") == expected


# 我想查余额 / 我想查询余额: 5 common characters, 2*5/(5+6). 请稍等一下 / 请您等一等: 请 等 一 are
# common in order: 2*3/10. 有什么可以帮您 / 可以帮您什么: the longer of 可以帮您 (4) and 什么 (2):
# 2*4/(7+6). "please hold the line" / "hold the line please": hold the line: 2*3/8.
@pytest.mark.parametrize(
    ("language", "reply", "reference", "expected"),
    [
        ("zh", "我想查余额", "我想查询余额", 10 / 11),
        ("zh", "请稍等一下", "请您等一等", 6 / 10),
        ("zh", "有什么可以帮您", "可以帮您什么", 8 / 13),
        ("zh", "您好", "您好", 1),
        ("zh", "您好", "再见", 0),
        ("zh", "余额100元", "余额 100 元", 1),  # white space is no token
        ("zh", "好，", "好,", 1 / 2),  # full-width and ASCII comma differ
        ("zh", "请打开APP", "请打开app", 1),
        ("zh", "👍", "👍", 1),
        ("zh", "", "您好", 0),
        ("zh", "", "", 0),
        ("en", "please hold the line", "hold the line please", 6 / 8),
        ("en", "Thanks for calling!", "thanks, for calling", 1),
        ("en", "waiting", "wait", 0),  # no stemming
        ("en", "👍", "👍", 0),  # rouge_score's tokens are letters and digits only
    ],
)
def test_rouge_l_by_hand(language, reply, reference, expected):
    for pair in ((reply, reference), (reference, reply)):  # F1 is symmetric
        assert METRICS["rouge_l"].function([pair[0]], [pair[1]], language).items == [
            pytest.approx(expected, abs=1e-15)
        ]


def test_rouge_scores_default_tokenizer_cannot_see_chinese():
    same = "您好，请问有什么可以帮您？"
    assert METRICS["rouge_l_default"].function([same], [same], "zh").items == [0.0]
    assert METRICS["rouge_l"].function([same], [same], "zh").items == [1.0]
    # and two different sentences that share one digit score 1
    assert METRICS["rouge_l_default"].function(["请等3天"], ["3号窗口办理"], "zh").items == [1.0]


class Tokenizer:
    def __init__(self, language):
        self.language = language

    def tokenize(self, text):
        return tokens(text, self.language)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_rouge_l_equals_rouge_score(language):
    references = drawn_texts(1, 150, language) + ODD[:-2]
    predictions = drawn_texts(2, 150, language) + ODD[:-2][::-1]
    own = rouge_score.rouge_scorer.RougeScorer(["rougeL"], tokenizer=Tokenizer(language))
    default = rouge_score.rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False)
    pairs = list(zip(references, predictions, strict=True))
    expected = [
        own.score(reference, prediction)["rougeL"].fmeasure for reference, prediction in pairs
    ]
    plain = [
        default.score(reference, prediction)["rougeL"].fmeasure for reference, prediction in pairs
    ]
    assert METRICS["rouge_l"].function(predictions, references, language).items == pytest.approx(
        expected, abs=1e-12
    )
    assert METRICS["rouge_l_default"].function(
        predictions, references, language
    ).items == pytest.approx(plain, abs=1e-12)
    if language == "en":
        assert expected == plain
    assert sum(expected) > 20


def test_longest_common_subsequence_equals_the_table():
    random.seed(7)
    for _ in range(300):
        left = random.choices(
            "abcd", k=random.randrange(0, 90)
        )  # beyond 64: more than one machine word
        right = random.choices("abcde", k=random.randrange(0, 90))
        row = [0] * (len(right) + 1)
        for a in left:
            above = row[:]
            for j, b in enumerate(right):
                row[j + 1] = above[j] + 1 if a == b else max(above[j + 1], row[j])
        assert longest_common_subsequence(left, right) == row[-1]
