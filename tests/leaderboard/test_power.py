"""Sample sizes against statsmodels, a table everybody knows, and a simulation."""

import json

import numpy as np
import pytest
import scipy.stats
from statsmodels.stats.power import TTestPower

from csc_tasks.cli import main
from leaderboard.numbers.paired_power import (
    Plan,
    achieved_power,
    assumed_spread,
    conversations_needed,
    detectable_difference,
    half_width,
)
from tests.support.board_example import ADAPTER, AWKWARD, BASE, BIGRAM, write_example


@pytest.mark.parametrize(
    ("effect", "count", "alpha"),
    [(0.5, 34, 0.05), (0.2, 199, 0.05), (0.1, 20, 0.01), (1.0, 5, 0.05), (0.05, 9, 0.1)],
)
def test_power_is_that_of_statsmodels(effect, count, alpha):
    expected = TTestPower().power(effect, count, alpha, alternative="two-sided")
    assert achieved_power(Plan(2.0, alpha), count, 2.0 * effect) == pytest.approx(
        expected, abs=1e-9
    )
    assert achieved_power(Plan(2.0, alpha), count, -2.0 * effect) == pytest.approx(
        expected, abs=1e-9
    )


def test_a_medium_effect_needs_34_pairs():
    # Cohen's d 0.5, 80 % power, two-sided 5 %: 34 pairs (G*Power, R's pwr.t.test: n = 33.37); 90 %:
    # 44 (43.99 -> 44).
    assert conversations_needed(Plan(1.0), 0.5) == 34
    assert conversations_needed(Plan(1.0, power=0.9), 0.5) == 44
    assert detectable_difference(Plan(1.0), 50) == pytest.approx(
        TTestPower().solve_power(nobs=50, power=0.8, alpha=0.05), abs=1e-5
    )


def test_needed_and_detectable_undo_each_other():
    for spread in (0.05, 0.2, 3.0):
        needed = conversations_needed(Plan(spread), 0.04 * spread)
        assert (
            achieved_power(Plan(spread), needed, 0.04 * spread)
            >= 0.8
            > achieved_power(Plan(spread), needed - 1, 0.04 * spread)
        )
        assert detectable_difference(Plan(spread), needed) == pytest.approx(0.04 * spread, rel=1e-3)


def test_far_from_zero_power_is_one_and_never_undefined():
    for shift in (5, 20, 36, 38, 60, 500):
        assert achieved_power(Plan(1.0), 1000, shift / np.sqrt(1000)) == pytest.approx(
            1.0, abs=1e-2
        )
    assert achieved_power(Plan(1.0), 1, 3.0) == 0.0
    assert achieved_power(Plan(1.0), 30, 0.0) == pytest.approx(0.05)


def test_the_assumed_spread_by_simulation():
    """Two models' hits, correlated on a turn and alike within a conversation, drawn many times."""
    random = np.random.default_rng(1)
    rate, turns, icc, correlation = 0.4, 6, 0.2, 0.3
    # A turn's difference of variance 2 p q (1 - r), icc of it shared by the conversation.
    variance = 2 * rate * (1 - rate) * (1 - correlation)
    shared = random.normal(scale=np.sqrt(icc * variance), size=(40_000, 1))
    differences = shared + random.normal(scale=np.sqrt((1 - icc) * variance), size=(40_000, turns))
    assert assumed_spread(rate, turns, icc, correlation) == pytest.approx(
        differences.mean(axis=1).std(), rel=0.02
    )
    assert assumed_spread(0.5, 1, 0.0, 0.0) == pytest.approx(np.sqrt(0.5))


def test_the_interval_is_that_of_the_t_test():
    values = np.random.default_rng(2).normal(size=25)
    low, high = scipy.stats.t.interval(0.95, 24, values.mean(), scipy.stats.sem(values))
    assert half_width(Plan(values.std(ddof=1)), 25) == pytest.approx((high - low) / 2)


def test_the_command(tmp_path, capsys):
    assert main(["power", "--difference", "0.05", "--turns", "14", "--rate", "0.4"]) == 0
    spread = assumed_spread(0.4, 14, 0.05, 0.3)
    needed = int(np.ceil(TTestPower().solve_power(0.05 / spread, power=0.8, alpha=0.05)))
    out = capsys.readouterr().out
    assert (
        f"{needed} conversations (about {needed * 14:,} turns)" in out
        and "design effect 1.65" in out
    )
    board = str(write_example(tmp_path / "board"))
    assert (
        main(["power", "--board", board, "--conversations", "60", "--models", BASE, ADAPTER]) == 0
    )
    # The example's comparison: SE 0.021 over 60 conversations.
    expected = TTestPower().solve_power(nobs=60, power=0.8, alpha=0.05) * 0.021 * np.sqrt(60)
    assert f"60 conversations: detectable difference {expected:.4f}" in capsys.readouterr().out
    assert main(["power", "--board", board, "--comparisons", "10"]) == 0
    assert "0.00500 for the strictest one" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give --turns and --rate"),
        (["--rate", "1.2", "--turns", "5"], "--rate 1.2: must be a share, above 0 and below 1"),
        (["--rate", "40", "--turns", "5"], "40 percent are 0.4"),
        (
            ["--rate", "0.4", "--turns", "5", "--difference", "3"],
            "--difference 3: must be a share, at least 0 and below 1; 3 percent",
        ),
        (["--rate", "0.4", "--turns", "5", "--difference", "-3"], "3 percent are 0.03"),
        (["--rate", "0.4", "--turns", "5", "--alpha", "5"], "5 percent are 0.05"),
        (["--rate", "0.4", "--turns", "5", "--icc", "2"], "--icc 2: must be a share"),
        (
            ["--rate", "0.4", "--turns", "5", "--correlation", "2"],
            "must lie between -1 and below 1",
        ),
        (
            ["--rate", "0.4", "--turns", "5", "--conversations", "1"],
            "must be between 2 and 10,000,000",
        ),
        (["--rate", "0.4", "--turns", "5", "--difference", "0"], "no number of conversations"),
        (["--rate", "0.4", "--turns", "5", "--difference", "1e-9"], "more than 10,000,000"),
        (["--board", "nowhere"], "there is no such folder"),
    ],
)
def test_what_cannot_be_planned_is_said(words, message, capsys):
    assert main(["power", *words]) == 1
    assert message in capsys.readouterr().err


def test_what_a_board_cannot_say(tmp_path, capsys):
    board = str(write_example(tmp_path / "board"))
    for words, message in (
        (["--difference", "3"], "--difference 3: must be a share, at least 0 and below 1; 3 perc"),
        (["--metric", "x/y"], "--metric x/y: there is no such one"),
        (["--metric", "csc_conv_gen/strategy_acc"], "no paired comparison"),
        (["--models", "nobody", BASE], "model nobody: there is no such one"),
        (["--rank", BASE, "org/base-7b"], "are one model; name two"),
        (["--rank", BASE, AWKWARD], f"between {BASE} and {AWKWARD} to measure in"),
        (["--rank", BASE, ADAPTER, "--difference", "0.1"], "--rank and --difference"),
        (["--rank", BASE, ADAPTER, "--models", BASE, ADAPTER], "--rank and --models"),
    ):
        assert main(["power", "--board", board, *words]) == 1
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1
    assert main(["power", "--rank", "a", "b", "--rate", "0.4", "--turns", "3"]) == 1
    assert "--rank is about a board; give --board DIR" in capsys.readouterr().err


def with_pairs(folder, pairs):
    """The example's board with these comparisons (a, b, difference, SE, conversations) of one
    column, 8 turns a conversation.
    """
    comparisons = [
        {
            "column": "csc_conv_ref/strategy_acc",
            "a": a,
            "b": b,
            "difference": difference,
            "stderr": stderr,
            "low": difference - 2 * stderr,
            "high": difference + 2 * stderr,
            "p": 0.5,
            "p_holm": 1.0,
            "items": 8 * clusters,
            "clusters": clusters,
        }
        for a, b, difference, stderr, clusters in pairs
    ]
    file = write_example(folder) / "board.json"
    board = json.loads(file.read_text(encoding="utf-8"))
    board["tables"][0]["comparisons"] = comparisons
    file.write_text(json.dumps(board), encoding="utf-8")
    return str(folder)


def needed_by_statsmodels(effect):
    return int(np.ceil(TTestPower().solve_power(effect, power=0.8, alpha=0.05)))


def test_the_median_pair_is_one_of_models(tmp_path, capsys):
    """Spreads 0.02 * sqrt(100) = 0.2 and 0.03 * 10 = 0.3 of models: the median is 0.25. Those with
    the baseline, 0.9 and more, are wider and stay out.
    """
    models = [(ADAPTER, BASE, 0.1, 0.02, 100), (ADAPTER, AWKWARD, 0.2, 0.03, 100)]
    weak = [(BIGRAM, other, 0.1, 0.09, 100) for other in (BASE, ADAPTER, AWKWARD)]
    board = with_pairs(tmp_path / "board", [*models, *weak])
    assert main(["power", "--board", board, "--difference", "0.03"]) == 0
    out = capsys.readouterr().out
    assert "median of 2 pairs, 3 with baselines left out" in out and "spread 0.2500" in out
    assert f": {needed_by_statsmodels(0.03 / 0.25)} conversations" in out
    # A baseline that is named is meant.
    assert main(["power", "--board", board, "--models", BIGRAM, BASE]) == 0
    assert "spread 0.9000" in capsys.readouterr().out
    alone = with_pairs(tmp_path / "alone", weak)
    assert main(["power", "--board", alone]) == 1
    assert "all 3 paired comparisons are with baselines" in capsys.readouterr().err


def test_how_many_conversations_until_two_can_be_ranked(tmp_path, capsys):
    """SE 0.03 over 100 conversations: spread 0.3. Measured 0.04, interval -0.02 to 0.10."""
    board = with_pairs(tmp_path / "board", [(BASE, ADAPTER, -0.04, 0.03, 100)])
    assert main(["power", "--board", board, "--rank", ADAPTER, BASE]) == 0
    out = capsys.readouterr().out
    assert (
        f"{ADAPTER} minus {BASE}: +0.0400 (95 % interval -0.0200 to +0.1000, 100 conversations):"
        " they cannot be ranked yet" in out
    )
    now = TTestPower().power(0.04 / 0.3, 100, 0.05)
    assert f"100 conversations: power {now:.3f} for that difference" in out
    needed = needed_by_statsmodels(0.04 / 0.3)
    assert f"power 0.8: {needed} conversations (about {8 * needed:,} turns)" in out
    fewest = needed_by_statsmodels(0.1 / 0.3)
    assert f"interval: {fewest} conversations to no bound, as it includes 0" in out
    # Had it been 0.1 with the interval 0.04 to 0.16, they would be ranked already.
    board = with_pairs(tmp_path / "apart", [(ADAPTER, BASE, 0.1, 0.03, 100)])
    assert main(["power", "--board", board, "--rank", ADAPTER, BASE]) == 0
    out = capsys.readouterr().out
    assert "they can be ranked already" in out
    fewest, most = needed_by_statsmodels(0.16 / 0.3), needed_by_statsmodels(0.04 / 0.3)
    assert f"interval: {fewest} conversations to {most}\n" in out
    board = with_pairs(tmp_path / "same", [(ADAPTER, BASE, 0.0, 0.03, 100)])
    assert main(["power", "--board", board, "--rank", ADAPTER, BASE]) == 1
    assert "they do not differ on the 100 conversations" in capsys.readouterr().err
