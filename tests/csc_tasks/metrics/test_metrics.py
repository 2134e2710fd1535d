"""The table of metrics: known answers, and the same numbers by other routes (sacrebleu,
scikit-learn, rouge_score, plain loops).
"""

import dataclasses
import json
import math
import random
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import rouge_score.rouge_scorer
import sacrebleu
import sklearn.metrics

from csc_tasks.errors import DataError, SettingError
from csc_tasks.framework import BY_ID, STRATEGY_IDS
from csc_tasks.metrics import METRICS, select
from csc_tasks.metrics.overlap import corpus_bleu, longest_common_subsequence
from csc_tasks.metrics.segment import chinese_tokens, tokens

CHARACTERS = "您好请问有什么可以帮到查询余额卡号码，。？1a "
WORDS = (
    "hello",
    "how",
    "can",
    "i",
    "help",
    "you",
    "with",
    "your",
    "card",
    ",",
    "the",
    "balance",
    "is",
    "20",
    "$",
    "thanks",
    ".",
)

# Replies that have broken metrics elsewhere: nothing, white space, one character, marks only,
# emoji, both languages, lone surrogate.
ODD = [
    "",
    " ",
    "\n\t",
    "好",
    "a",
    "，",
    "...",
    "👍",
    "👨‍👩‍👧",
    "您好 hello",
    "**",
    "[手机号码]",
    "\u3000",
    "\ud83d",
    "a" * 5000,
    "好" * 5000,
]

OVERLAP = [name for name, metric in METRICS.items() if metric.default]
TEXT = [name for name in OVERLAP if METRICS[name].of == "reply"]


def value(name, predictions, references, language="zh", clusters=None):
    metric = METRICS[name]
    scores = metric.function(predictions, references, language)
    return metric.estimate(scores.items, clusters or [f"c{i}" for i in range(len(predictions))])


def drawn_texts(seed, n, language):
    random.seed(seed)
    if language == "zh":
        return ["".join(random.choices(CHARACTERS, k=random.randrange(0, 40))) for _ in range(n)]
    return [" ".join(random.choices(WORDS, k=random.randrange(0, 25))) for _ in range(n)]


# --- the table


def test_every_metric_says_what_it_is():
    assert OVERLAP == [
        "strategy_acc",
        "strategy_macro_f1",
        "stage_overlap",
        "failed",
        "unparsed",
        "truncated",
        "history_truncated",
        "empty",
        "thinking_cut",
        "bleu_2",
        "bleu_4",
        "rouge_l",
        "rouge_l_default",
    ]
    for name, metric in METRICS.items():
        assert metric.name == name
        assert metric.of in ("strategy", "reply", "flag")
        assert metric.per and set(metric.per) <= {"turn", "answer"}
        assert metric.by_language == (metric.of == "reply")
        assert metric.higher_is_better == (metric.of != "flag")
        assert metric.range[0] < metric.range[1]
        if metric.default:
            assert metric.extra is None
            assert metric.range == ((0, 100) if name.startswith("bleu") else (0, 1))
        direction = "higher is better" if metric.higher_is_better else "lower is better"
        assert (
            direction in metric.description
            and metric.description.endswith(".")
            and "; " in metric.description
        )
        assert json.dumps(metric.range)


def test_select():
    answer = [
        "failed",
        "truncated",
        "history_truncated",
        "empty",
        "thinking_cut",
        "bleu_4",
        "rouge_l",
    ]
    for names, per, expected in [
        (None, "turn", OVERLAP),
        ("overlap", "turn", OVERLAP),
        ("all", "turn", [name for name, metric in METRICS.items() if "turn" in metric.per]),
        (None, "answer", answer),
        ("all", "answer", [name for name, metric in METRICS.items() if "answer" in metric.per]),
        ("bleu_4,rouge_l", "turn", ["bleu_4", "rouge_l"]),
        (" rouge_l , bleu_4,bleu_4,", "answer", ["bleu_4", "rouge_l"]),
        (["rouge_l"], "turn", ["rouge_l"]),
        ("bleu_2,rouge_l", "answer", ["rouge_l"]),  # one setting serves both kinds of task
        ("overlap,rouge_l", "answer", answer),
    ]:
        assert [metric.name for metric in select(names, per)] == expected


def test_a_metric_that_is_no_default_comes_only_when_asked_for(monkeypatch):
    monkeypatch.setitem(
        METRICS,
        "costly",
        dataclasses.replace(METRICS["rouge_l"], name="costly", default=False, extra="learned"),
    )
    for names, there in [
        (None, False),
        ("overlap", False),
        ("all", True),
        ("costly", True),
        ("overlap,costly", True),
        ("rouge_l", False),
    ]:
        assert ("costly" in [metric.name for metric in select(names, "answer")]) == there
    with pytest.raises(SettingError, match="closest: costly"):
        select("costley", "turn")


@pytest.mark.parametrize(
    ("names", "per", "text"),
    [
        (
            "rougel",
            "turn",
            (
                "metric 'rougel' does not exist \\(closest: rouge_l\\); there are overlap, all,"
                " strategy_acc, .*bleu_4"
            ),
        ),
        ("bleu_4,blue_2", "turn", "'blue_2' does not exist \\(closest: bleu_2\\)"),
        ("Bleu_4", "turn", "closest: bleu_4"),
        (
            "strategy_acc",
            "answer",
            "none of that applies to each answer; there: failed, truncated, .*rouge_l",
        ),
        ("", "turn", "asks for nothing"),
        ("rouge_l", "document", "there are turn and answer"),
    ],
)
def test_select_refuses(names, per, text):
    with pytest.raises(SettingError, match=text):
        select(names, per)


def test_text_of_another_language_is_not_split_as_if_it_were_english():
    with pytest.raises(SettingError, match=r"know the languages zh, en, .*, not 'xx'"):
        tokens("bonjour", "xx")


def test_reading_the_table_loads_no_scoring_library():
    heavy = {
        "torch",
        "transformers",
        "datasets",
        "lm_eval",
        "pandas",
        "sacrebleu",
        "rouge_score",
        "nltk",
    }
    code = "import sys, csc_tasks.metrics; print(*sys.modules)"
    root = Path(__file__).resolve().parents[3]
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    ).stdout.split()
    assert "csc_tasks.metrics" in loaded
    assert not heavy & set(loaded)


@pytest.mark.parametrize("name", OVERLAP)
def test_items_survive_json_and_functions_take_no_items(name):
    metric = METRICS[name]
    predictions, references = {
        "strategy": (["GT", None, "Others"], ["GT", "PS", "ID"]),
        "reply": (["您好", "", "请稍等"], ["您好", "好的", "请等一下"]),
        "flag": ([1.0, False, 3], None),
    }[metric.of]
    scores = metric.function(predictions, references, "zh")
    assert len(scores.items) == 3
    assert (
        scores.signature.split("|")[0] in name
    )  # bleu_2 and bleu_4 share "bleu", with the order as a field of its own
    again = json.loads(json.dumps(scores.items, allow_nan=False))
    assert metric.estimate(again, ["a", "b", "b"]) == metric.estimate(scores.items, ["a", "b", "b"])
    low, high = metric.range
    assert low <= metric.estimate(scores.items, ["a", "b", "b"]).value <= high
    nothing = metric.function([], [], "zh")
    assert nothing.items == [] and nothing.signature == scores.signature
    assert metric.estimate([], []).value is None


@pytest.mark.parametrize(
    ("name", "language", "expected"),
    [
        (
            "bleu_4",
            "zh",
            f"bleu|ngram:4|tok:zh|case:mixed|smooth:exp|eff:no|version:{version('sacrebleu')}",
        ),
        (
            "bleu_2",
            "en",
            f"bleu|ngram:2|tok:13a|case:mixed|smooth:exp|eff:no|version:{version('sacrebleu')}",
        ),
        ("rouge_l", "zh", "rouge_l|f1|tok:cjk-char+word:1|case:lower|stem:no"),
        (
            "rouge_l",
            "en",
            f"rouge_l|f1|tok:rouge_score-{version('rouge_score')}|case:lower|stem:no",
        ),
        (
            "rouge_l_default",
            "zh",
            f"rouge_l_default|f1|tok:rouge_score-{version('rouge_score')}|case:lower|stem:no",
        ),
        (
            "rouge_l_default",
            "en",
            f"rouge_l_default|f1|tok:rouge_score-{version('rouge_score')}|case:lower|stem:no",
        ),
    ],
)
def test_signatures(name, language, expected):
    assert METRICS[name].function(["a"], ["a"], language).signature == expected


@pytest.mark.parametrize(("order", "language"), [(2, "zh"), (4, "zh"), (2, "en"), (4, "en")])
def test_the_bleu_signature_says_what_sacrebleu_says(order, language):
    bleu = sacrebleu.BLEU(tokenize={"zh": "zh", "en": "13a"}[language], max_ngram_order=order)
    bleu.corpus_score(["a"], [["a"]])
    ours = METRICS[f"bleu_{order}"].function(["a"], ["a"], language).signature.split("|")
    assert set(str(bleu.get_signature()).split("|")) - {"nrefs:1"} <= set(ours)


# --- strategies


@pytest.mark.parametrize(
    ("predicted", "gold", "acc", "stages"),
    [
        ("GT", "GT", 1, 1),
        ("GT", "IV", 0, 1),  # both Connecting only
        ("GT", "RI", 0, 0),  # Connecting; Resolving
        ("RP", "PR", 0, 1 / 2),  # Identifying; Identifying, Exploring
        ("EM", "PR", 0, 2 / 4),  # four stages, two of them PR's
        ("PR", "PS", 0, 1 / 3),  # Identifying, Exploring; Exploring, Resolving
        ("FR", "RC", 0, 1 / 2),  # Resolving, Maintaining; Maintaining
        ("EM", "GT", 0, 0),  # everything but Connecting
        ("Others", "Others", 1, 1),
        ("Others", "EM", 0, 0),
        ("EM", "Others", 0, 0),
        (None, "EM", 0, 0),
        (None, "Others", 0, 0),
    ],
)
def test_one_turn(predicted, gold, acc, stages):
    assert METRICS["strategy_acc"].function([predicted], [gold], "zh").items == [acc]
    assert METRICS["stage_overlap"].function([predicted], [gold], "zh").items == pytest.approx(
        [stages]
    )


def test_stage_overlap_is_symmetric_and_one_only_for_equal_stage_sets():
    for one in STRATEGY_IDS:
        for other in STRATEGY_IDS:
            there, back = METRICS["stage_overlap"].function([one, other], [other, one], "en").items
            assert there == back
            assert (there == 1) == (set(BY_ID[one].stages) == set(BY_ID[other].stages))


def test_macro_f1_by_hand():
    # GT: 1 of 2 found, 1 wrong guess: F1 = 2*1/(2*1+1+1) = 1/2. PS: 1 of 1, nothing wrong: 1. ID: 0
    # of 1: 0. "Others" is guessed once but has no gold turn, and one GT turn is unparsed: neither
    # adds a label. (1/2 + 1 + 0) / 3 = 1/2.
    predicted = ["GT", None, "PS", "GT"]
    gold = ["GT", "GT", "PS", "ID"]
    assert METRICS["strategy_macro_f1"].function(predicted, gold, "zh").items == [
        [1, 1],
        [1, 0],
        [6, 6],
        [7, 1],
    ]
    assert value("strategy_macro_f1", predicted, gold).value == pytest.approx(1 / 2, abs=1e-15)
    assert value("strategy_macro_f1", ["GT", "Others"], ["GT", "GT"]).value == pytest.approx(
        2 / 3, abs=1e-15
    )
    assert value("strategy_macro_f1", [None, None], ["GT", "Others"]).value == 0
    assert value("strategy_macro_f1", list(STRATEGY_IDS), list(STRATEGY_IDS)).value == 1


@pytest.mark.parametrize(
    ("seed", "labels"),
    [(0, STRATEGY_IDS), (1, STRATEGY_IDS[:5]), (2, ("GT", "Others")), (3, ("EM",))],
)
def test_macro_f1_and_its_error_equal_scikit_learn_with_fixed_labels(seed, labels):
    random.seed(seed)
    gold = random.choices(labels, k=150)
    predicted = [random.choice([g, g, random.choice(STRATEGY_IDS), None]) for g in gold]
    clusters = [f"c{random.randrange(13)}" for _ in gold]
    # A label that one conversation alone supports: it must stay a label when that conversation is
    # left out.
    gold.append("RC")
    predicted.append("RC")
    clusters.append("c0")
    support = sorted(set(gold))

    def f1(keep):
        return sklearn.metrics.f1_score(
            [g for g, k in zip(gold, keep, strict=True) if k],
            [p or "unparsed" for p, k in zip(predicted, keep, strict=True) if k],
            labels=support,
            average="macro",
            zero_division=0,
        )

    found = value("strategy_macro_f1", predicted, gold, clusters=clusters)
    names = sorted(set(clusters))
    thetas = [f1([cluster != name for cluster in clusters]) for name in names]
    assert found.value == pytest.approx(f1([True] * len(gold)), abs=1e-12)
    expected = math.sqrt(
        (len(names) - 1) / len(names) * sum((t - np.mean(thetas)) ** 2 for t in thetas)
    )
    assert found.stderr == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", ["strategy_acc", "strategy_macro_f1", "stage_overlap"])
def test_strategy_metrics_refuse_what_is_no_strategy(name):
    for predicted, gold, text in [
        (["情感管理"], ["EM"], "item 0: predicted strategy '情感管理'"),
        (["EM", ""], ["EM", "EM"], "item 1: predicted strategy ''"),
        (["EM"], [""], "item 0: gold strategy '' .*unlabelled turn is not scored"),
        (["EM"], [None], "item 0: gold strategy None"),
        (["EM"], ["EM", "GT"], "1 predicted strategies but 2 gold"),
    ]:
        with pytest.raises(DataError, match=text):
            METRICS[name].function(predicted, gold, "zh")


def test_logged_macro_f1_items_are_checked():
    for items in ([[0, 1]], [[1, 13]], [[1, 2, 3]], [1.0]):
        with pytest.raises(DataError, match="gold number"):
            METRICS["strategy_macro_f1"].estimate(items, ["a"])


@pytest.mark.parametrize("name", ["failed", "unparsed", "truncated", "history_truncated", "empty"])
def test_flags_are_shares(name):
    assert METRICS[name].function([1.0, 0.0, True, False, 0, 7], None, "zh").items == [
        1.0,
        0.0,
        1.0,
        0.0,
        0.0,
        1.0,
    ]
    for bad in (None, "yes", float("nan"), -1):
        with pytest.raises(DataError, match=f"item 1: {name} is"):
            METRICS[name].function([0, bad], None, "zh")


# --- BLEU


# 我想查余额 / 我想查询余额: 5 of 5 characters, 3 of 4 pairs (我想 想查 余额), length 5 against 6.
# The 3-grams: 我想查 of 我想查 想查余 查余额: 1 of 3; the 4-grams: 0 of 2, smoothed to a half
# match: 1/(2*2). "the card is lost" / "the card was lost": 3 of 4 words, 1 of 3 pairs, 0 of 2, 0 of
# 1: a half and a quarter match.
@pytest.mark.parametrize(
    ("name", "language", "reply", "reference", "expected"),
    [
        (
            "bleu_2",
            "zh",
            "我想查余额",
            "我想查询余额",
            100 * math.exp(1 - 6 / 5) * (1 * 3 / 4) ** (1 / 2),
        ),
        (
            "bleu_4",
            "zh",
            "我想查余额",
            "我想查询余额",
            100 * math.exp(1 - 6 / 5) * (1 * 3 / 4 * 1 / 3 * 1 / 4) ** (1 / 4),
        ),
        ("bleu_2", "en", "the card is lost", "the card was lost", 100 * (3 / 4 * 1 / 3) ** (1 / 2)),
        (
            "bleu_4",
            "en",
            "the card is lost",
            "the card was lost",
            100 * (3 / 4 * 1 / 3 * 1 / 4 * 1 / 4) ** (1 / 4),
        ),
        ("bleu_4", "zh", "您好，请问有什么可以帮您", "您好，请问有什么可以帮您", 100),
        ("bleu_2", "zh", "你们", "您好", 0),  # no match at all is 0, not a smoothed something
        (
            "bleu_4",
            "zh",
            "您好",
            "您好",
            0,
        ),  # too short for 4-grams: sacrebleu's corpus score without effective order
        ("bleu_2", "zh", "您好", "您好", 100),
        ("bleu_2", "zh", "", "您好", 0),
        (
            "bleu_2",
            "en",
            "Hello there",
            "hello there",
            100 * (1 / 2 * 1 / 2) ** (1 / 2),
        ),  # case counts
    ],
)
def test_bleu_by_hand(name, language, reply, reference, expected):
    assert value(name, [reply], [reference], language).value == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize(("language", "tokenizer"), [("zh", "zh"), ("en", "13a")])
@pytest.mark.parametrize("alike", [True, False])
def test_bleu_and_every_leave_one_out_equal_sacrebleu(order, language, tokenizer, alike):
    references = drawn_texts(order, 40, language) + ODD
    predictions = drawn_texts(99, 40, language) + ODD[::-1]
    if alike:  # cut or keep references, so that all orders match; the unlike corpora need smoothing
        predictions = [reference[: random.randrange(5, 60)] for reference in references]
    clusters = [f"c{i % 7}" for i in range(len(references))]
    bleu = sacrebleu.BLEU(tokenize=tokenizer, max_ngram_order=order)

    def corpus(without=None):
        keep = [i for i, cluster in enumerate(clusters) if cluster != without]
        return bleu.corpus_score(
            [predictions[i] for i in keep], [[references[i] for i in keep]]
        ).score

    metric = METRICS[f"bleu_{order}"]
    scores = metric.function(predictions, references, language)
    found = metric.estimate(scores.items, clusters)
    assert found.value == pytest.approx(corpus(), abs=1e-9)
    assert found.value > 0
    thetas = [corpus(without=f"c{g}") for g in range(7)]
    items = np.array(scores.items)
    without = np.array([items[[c != f"c{g}" for c in clusters]].sum(axis=0) for g in range(7)])
    assert corpus_bleu(without) == pytest.approx(thetas, abs=1e-9)
    assert found.stderr == pytest.approx(
        math.sqrt(6 / 7 * sum((t - np.mean(thetas)) ** 2 for t in thetas)), abs=1e-9
    )


def test_corpus_bleu_equals_sacrebleu_on_any_statistics():
    # Counts no small corpus shows together: orders without matches in the middle, empty replies,
    # replies far too short or long.
    random.seed(5)
    rows = []
    for _ in range(500):
        totals = sorted((random.choice([0, 1, 7, 50]) for _ in range(4)), reverse=True)
        correct = [random.choice([0, random.randint(0, total)]) for total in totals]
        rows.append([totals[0], random.choice([0, 3, 40, 4000]), *correct, *totals])
    expected = [
        sacrebleu.BLEU.compute_bleu(r[2:6], r[6:], r[0], r[1], smooth_method="exp").score
        for r in rows
    ]
    found = corpus_bleu(np.array(rows).reshape(5, 100, 10))
    assert found.shape == (5, 100)
    assert found.ravel() == pytest.approx(expected, abs=1e-9)
    assert 50 < sum(e == 0 for e in expected) < 450


# --- ROUGE-L


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


# --- all text metrics


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("name", TEXT)
def test_odd_texts_give_numbers_in_range(name, language):
    metric = METRICS[name]
    predictions = [one for one in ODD for _ in ODD]
    references = ODD * len(ODD)
    scores = metric.function(predictions, references, language)
    assert len(scores.items) == len(ODD) ** 2
    low, high = metric.range
    if metric.statistic is None:
        assert all(low <= item <= high for item in scores.items)
    else:
        each = metric.statistic(np.array(scores.items))
        assert ((each >= low) & (each <= high)).all()
    found = metric.estimate(scores.items, [f"c{i % 5}" for i in range(len(predictions))])
    assert low <= found.value <= high
    assert math.isfinite(found.stderr)


@pytest.mark.parametrize("name", TEXT)
def test_text_metrics_refuse_what_is_no_text(name):
    for predictions, references, text in [
        ([None], ["好"], "item 0: the reply is None"),
        (["好", "好"], ["好", None], "item 1: the reference is None"),
        ([["好"]], ["好"], "item 0: the reply is"),
        (["好"], [], "1 replies but 0 references"),
    ]:
        with pytest.raises(DataError, match=text):
            METRICS[name].function(predictions, references, "zh")
    with pytest.raises(SettingError, match=r"zh, en, .*, not 'xx'|there is no language 'xx'"):
        METRICS[name].function(["a"], ["a"], "xx")
    with pytest.raises(SettingError, match="not ''"):
        METRICS[name].function([], [], "")
