"""Contrasts within one model, against statsmodels, sacrebleu and numbers worked out by hand."""

import numpy as np
import pytest
import sacrebleu
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.multitest import multipletests

from csc_tasks.cli import main
from leaderboard import contrast_tables
from leaderboard.collect import collect
from leaderboard.folder import load_board
from leaderboard.numbers.contrasts import CLAIMED
from leaderboard.numbers.measured import Options
from tests.support.fakes import write_corpus
from tests.support.made_results import conversation_result, conversations, write_run

ITEMS = conversations(40)
REF, GEN = "csc_conv_ref", "csc_conv_gen"
VANILLA, ORACLE = "cscx_conv_ref_vanilla", "cscx_conv_ref_oracle"
MODEL = "org__one"


def said(seed, good):
    """Replies of which about a share `good` repeats the gold text, the others a part of it; half of
    the strategies are right. Some conversations are easier.
    """
    random = np.random.default_rng(seed)
    texts = {}
    for item in ITEMS:
        ease = random.normal(0, 0.15)
        for turn in item.scored_turns():
            gold = item.dialogue[turn]
            whole = random.random() < good + ease
            text = gold.text if whole else f"well then {gold.text.split()[0]} {turn}"
            right = random.random() < 0.5 + ease
            texts[item.conversation_id, turn] = (gold.strategy if right else "Others", text)
    return lambda item, turn: texts[item.conversation_id, turn]


def result(task, answer, chooses=True):
    if chooses:
        return conversation_result(task, ITEMS, answer)
    return conversation_result(task, ITEMS, lambda *at: (None, answer(*at)[1]), chooses=False)


PREDICT = said(1, 0.4)
RESULTS = {
    REF: result(REF, PREDICT),
    GEN: result(GEN, PREDICT),
    VANILLA: result(VANILLA, said(2, 0.4), chooses=False),
    ORACLE: result(ORACLE, said(3, 0.8), chooses=False),
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("held"), ITEMS, [])


@pytest.fixture(scope="module")
def folder(tmp_path_factory, corpus):
    """One model in all four tasks, and its adapter in one of them."""
    root = tmp_path_factory.mktemp("contrasts")
    write_run(root / "runs", "org/one", list(RESULTS.values()))
    adapted = [conversation_result(REF, ITEMS, said(4, 0.4))]
    write_run(root / "runs", "org/its-adapter", adapted, _adapter, peft="org/its-adapter")
    words = ["collect", str(root / "runs"), "--out", str(root / "board"), "--corpus", str(corpus)]
    assert main(words) == 0
    return root / "board"


def _adapter(results):
    results["config"]["model_args"]["pretrained"] = "org/one"


@pytest.fixture(scope="module")
def board(folder):
    return load_board(folder)


def contrast(board, first, second):
    (found,) = [
        one for one in board.contrasts if (one.first.level, one.second.level) == (first, second)
    ]
    return found


def number(found, metric):
    (one,) = [one for one in found.numbers if one.metric == metric]
    return one


def items_of(task, metric):
    """Per turn, in the order of the run: what a metric says of it, and its conversation."""
    made = RESULTS[task]
    ids = [record["conversation_id"] for record in made.records]
    return np.asarray(made.columns[metric].items, dtype=float), ids


def test_every_pair_that_differs_in_one_condition_stands_on_the_board(board):
    assert [(one.family, one.first.level, one.second.level) for one in board.contrasts] == [
        ("strategies", "Predict", "Vanilla"),
        ("strategies", "Oracle", "Predict"),
        ("strategies", "Oracle", "Vanilla"),
        ("context", "Reference context", "Generated context"),
        ("adapter", "org/its-adapter", "base"),
    ]
    assert contrast(board, "Oracle", "Vanilla").first.task == ORACLE
    assert contrast(board, "org/its-adapter", "base").second.model == MODEL


def test_both_values_their_difference_and_its_interval_are_those_of_statsmodels(board):
    found = number(contrast(board, "Oracle", "Vanilla"), "rouge_l")
    one, ids = items_of(ORACLE, "rouge_l")
    other, _ = items_of(VANILLA, "rouge_l")
    codes = np.unique(ids, return_inverse=True)[1]
    fit = OLS(one - other, np.ones(len(one))).fit(
        cov_type="cluster", cov_kwds={"groups": codes}, use_t=True
    )
    (low, high), (p,) = fit.conf_int(0.05)[0], fit.pvalues
    apart = found.difference
    assert (found.first, found.second) == pytest.approx((one.mean(), other.mean()))
    assert (apart.value, apart.stderr) == pytest.approx((fit.params[0], fit.bse[0]))
    assert (apart.low, apart.high, found.p) == pytest.approx((low, high, p))
    assert (apart.items, apart.clusters, found.alone) == (160, 40, (0, 0))
    assert apart.low > 0, "it was planted"


def test_a_corpus_metric_is_jackknifed_jointly_as_sacrebleu_does(board):
    def bleu(task, left_out=None):
        rows = [r for r in RESULTS[task].records if r["conversation_id"] != left_out]
        replies, golds = [r["reply"] for r in rows], [[r["reference"] for r in rows]]
        return sacrebleu.corpus_bleu(replies, golds).score

    found = number(contrast(board, "Oracle", "Vanilla"), "bleu_4")
    apart = bleu(ORACLE) - bleu(VANILLA)
    without = np.array(
        [bleu(ORACLE, c.conversation_id) - bleu(VANILLA, c.conversation_id) for c in ITEMS]
    )
    error = np.sqrt(39 / 40 * np.sum((without - without.mean()) ** 2))
    assert (found.first, found.second) == pytest.approx((bleu(ORACLE), bleu(VANILLA)))
    assert (found.difference.value, found.difference.stderr) == pytest.approx((apart, error))
    assert found.difference.low < apart < found.difference.high


def test_where_there_is_no_difference_the_interval_holds_0(board):
    same = contrast(board, "Reference context", "Generated context")
    names = {one.metric for one in same.numbers}
    assert {"strategy_acc", "strategy_macro_f1", "bleu_4", "rouge_l", "unparsed"} <= names
    assert {one.difference.value for one in same.numbers} == {0.0}
    assert {one.p for one in same.numbers} == {1.0}
    by_chance = number(contrast(board, "Predict", "Vanilla"), "rouge_l")
    assert by_chance.difference.low < 0 < by_chance.difference.high
    # 0 of 40 conversations: at most 1 - 0.025^(1/40) of all differ, by 1 at most.
    edge = 1 - 0.025 ** (1 / 40)
    acc = number(same, "strategy_acc").difference
    assert (acc.low, acc.high, acc.method) == (pytest.approx(-edge), pytest.approx(edge), "exact")
    bleu = number(same, "bleu_4").difference
    assert (bleu.low, bleu.high, bleu.reason) == (None, None, "no variation")


def test_p_is_corrected_over_a_family_in_one_metric(board):
    own = [one for one in board.contrasts if one.family == "strategies"]
    numbers = [number(one, "rouge_l") for one in own]
    corrected = multipletests([one.p for one in numbers], method="holm")[1]
    assert [one.p_holm for one in numbers] == pytest.approx(list(corrected))
    adapter = number(contrast(board, "org/its-adapter", "base"), "rouge_l")
    assert adapter.p_holm == adapter.p, "it is alone in its family"


def test_what_is_only_claimed_is_not_contrasted(tmp_path, corpus):
    write_run(tmp_path / "runs", "org/one", [RESULTS[REF], RESULTS[VANILLA]])
    options = Options(0, draw=0, audit=False, evidence={})
    made = collect([tmp_path / "runs"], tmp_path / "board", options)
    (found,) = made.contrasts
    assert found.numbers == ()
    assert {*found.skipped.values()} == {CLAIMED}
    (text,) = [
        note
        for table in contrast_tables.contrast_tables(made, False)
        for note in table.notes
        if "BLEU-4" in note
    ]
    assert text.startswith(f"org/one, Predict − Vanilla: not contrasted, {CLAIMED}: ")
