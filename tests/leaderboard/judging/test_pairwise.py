"""Pairwise judging: Bradley-Terry against the literature and a direct maximisation, flips, order,
and the verb from end to end.
"""

import json
from dataclasses import replace

import numpy as np
import pytest

from csc_tasks.cli import main
from leaderboard.judging import effects
from leaderboard.judging.bradley_terry import fit, indistinguishable
from leaderboard.judging.ratings import Comparison, read_comparisons
from leaderboard.judging.strengths import ranking
from tests.support.judged_models import curt, gold, wordy, write_model
from tests.support.llm_server import Act, llm_server

# Agresti, Categorical Data Analysis, Table 10.10: the 1987 season of the American League's eastern
# division; wins[i][j]: i beat j.
TEAMS = ("Milwaukee", "Detroit", "Toronto", "New York", "Boston", "Cleveland", "Baltimore")
BASEBALL = np.array(
    [
        [0, 7, 9, 7, 7, 9, 11],
        [6, 0, 7, 5, 11, 9, 9],
        [4, 6, 0, 7, 7, 8, 12],
        [6, 8, 6, 0, 6, 7, 10],
        [6, 2, 6, 7, 0, 7, 12],
        [4, 4, 5, 6, 6, 0, 6],
        [2, 4, 1, 3, 1, 7, 0],
    ]
)


def test_the_baseball_example_of_the_textbook():
    found = fit(BASEBALL, np.zeros((7, 7)))
    assert found.nu == 0 and not found.bounded
    # Printed with two decimals, Baltimore set to 0.
    assert found.theta - found.theta[6] == pytest.approx(
        [1.58, 1.44, 1.29, 1.25, 1.11, 0.68, 0.0], abs=0.005
    )


def directly(wins, ties):
    """Davidson's likelihood, written down once more and maximised by scipy: (theta of mean 0,
    nu).
    """
    from scipy.optimize import minimize

    k = len(wins)

    def loss(parameters):
        strength, nu = np.exp(np.append(parameters[:-1], 0.0)), np.exp(parameters[-1])
        total = 0.0
        for i in range(k):
            for j in range(i + 1, k):
                tie = nu * np.sqrt(strength[i] * strength[j])
                whole = strength[i] + strength[j] + tie
                total += wins[i, j] * np.log(strength[i] / whole) + wins[j, i] * np.log(
                    strength[j] / whole
                )
                total += ties[i, j] * np.log(tie / whole)
        return -total

    found = minimize(loss, np.zeros(k), method="BFGS", options={"gtol": 1e-9}).x
    theta = np.append(found[:-1], 0.0)
    return theta - theta.mean(), np.exp(found[-1])


@pytest.mark.parametrize("seed", range(3))
def test_ties_against_a_direct_maximisation(seed):
    draw = np.random.default_rng(seed)
    k = 3 + seed
    wins = draw.integers(1, 15, (k, k)) * (1 - np.eye(k, dtype=int))
    ties = np.triu(draw.integers(1, 12, (k, k)), 1)
    ties += ties.T
    found, (theta, nu) = fit(wins, ties), directly(wins, ties)
    assert found.theta == pytest.approx(theta, abs=1e-6)
    assert float(found.nu) == pytest.approx(nu, abs=1e-6)


def test_two_models_by_hand():
    """Two models, Davidson: theta difference is log(w / l), and nu = t / sqrt(w l)."""
    found = fit(np.array([[0, 8], [2, 0]]), np.array([[0, 4], [4, 0]]))
    assert float(found.theta[0] - found.theta[1]) == pytest.approx(np.log(4), abs=1e-9)
    assert float(found.nu) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize(
    ("wins", "ties"),
    [
        ([[0, 5], [0, 0]], [[0, 0], [0, 0]]),
        ([[0, 0], [0, 0]], [[0, 5], [5, 0]]),
        ([[0, 5], [0, 0]], [[0, 5], [5, 0]]),
        ([[0, 5, 0], [3, 0, 0], [0, 0, 0]], [[0, 0, 0]] * 3),
    ],
)
def test_without_a_maximum_scores_stay_finite_and_it_is_said(wins, ties):
    found = fit(np.array(wins), np.array(ties))
    assert found.bounded and np.isfinite(found.theta).all()
    assert (found.theta[0] >= found.theta[1]) or wins[0][1] == 0


def test_half_a_win_each_way_is_added_where_there_is_no_maximum():
    """3 wins to 0 are taken as 3.5 to 0.5: a difference of log 7. The pair that is beaten both ways
    keeps its wins as they are.
    """
    found = fit(np.array([[0, 3], [0, 0]]), np.zeros((2, 2)))
    assert found.bounded
    assert float(found.theta[0] - found.theta[1]) == pytest.approx(np.log(7), abs=1e-9)
    # With 5 ties: nu = t / sqrt(w l) = 5 / sqrt(3.5 * 0.5); ties are not added to.
    found = fit(np.array([[0, 3], [0, 0]]), np.array([[0, 5], [5, 0]]))
    assert float(found.theta[0] - found.theta[1]) == pytest.approx(np.log(7), abs=1e-9)
    assert float(found.nu) == pytest.approx(5 / np.sqrt(1.75), abs=1e-9)
    # A chain: 0 beats 1, 1 beats 2, 0 and 2 never met and get no half wins, so each step is log 7
    # and the whole way twice that.
    found = fit(np.array([[0, 3, 0], [0, 0, 3], [0, 0, 0]]), np.zeros((3, 3)))
    assert found.theta == pytest.approx([np.log(7), 0, -np.log(7)], abs=1e-9)
    # Nobody met the third model: every pair gets half wins, so that it stands in the middle of two
    # who are log 7 apart.
    found = fit(np.array([[0, 3, 0], [0, 0, 0], [0, 0, 0]]), np.zeros((3, 3)))
    assert found.theta[2] == pytest.approx(0, abs=1e-9) and found.theta[0] == pytest.approx(
        -found.theta[1], abs=1e-9
    )
    assert not fit(np.array([[0, 3], [1, 0]]), np.zeros((2, 2))).bounded


def test_very_uneven_tables_are_fitted_to_the_maximum():
    """Full steps of Newton's method leave the table here. At the maximum every model has its
    expected score and ties their number.

    With a tie as half a win for both these are Davidson's likelihood equations (1970, section 4).
    """
    wins = np.array([[0, 0, 0.5], [0, 0, 126895.5], [2.5, 0.5, 0]])
    ties = np.array([[0, 0, 6.0], [0, 0, 0], [6, 0, 0]])
    found = fit(wins - 0.5 * (wins > 0), ties)
    assert found.bounded
    strength = np.exp(found.theta)
    tie = float(found.nu) * np.sqrt(np.outer(strength, strength))
    whole = strength[:, None] + strength[None, :] + tie
    met = (wins + wins.T + ties) * (1 - np.eye(3))
    expected = (met * (strength[:, None] + tie / 2) / whole).sum(axis=1)
    assert expected == pytest.approx((wins + ties / 2).sum(axis=1), abs=1e-4)
    assert (met * tie / whole).sum() / 2 == pytest.approx(6, abs=1e-6)


def test_many_tables_at_once_are_each_their_own():
    draw = np.random.default_rng(4)
    wins = draw.integers(0, 4, (50, 4, 4)) * (1 - np.eye(4, dtype=int))
    ties = np.triu(draw.integers(0, 3, (50, 4, 4)), 1)
    ties = ties + ties.transpose(0, 2, 1)
    together = fit(wins, ties)
    for i in range(50):
        alone = fit(wins[i], ties[i])
        assert together.theta[i] == pytest.approx(alone.theta, abs=1e-7) and bool(
            together.bounded[i]
        ) == bool(alone.bounded)


def test_sets_that_cannot_be_told_apart():
    """0 ~ 1, 1 ~ 2, 0 above 2, 3 below all: {0, 1}, {1, 2}, {3}."""
    same = {(0, 1), (1, 2)}
    low, high = np.full((4, 4), 0.5), np.full((4, 4), 1.0)
    for i, j in same | {(j, i) for i, j in same} | {(i, i) for i in range(4)}:
        low[i, j], high[i, j] = -1, 1
    assert indistinguishable(low, high, [0, 1, 2, 3]) == [[0, 1], [1, 2], [3]]


def compared(a, b, unit, forward, backward, **more):
    return Comparison(
        "j",
        "openai:j",
        a,
        b,
        "csc_qa",
        unit,
        unit,
        "en",
        "Others",
        "",
        more.get("length_a", 10),
        more.get("length_b", 10),
        forward,
        backward,
    )


@pytest.mark.parametrize(
    ("forward", "backward", "winner", "flipped"),
    [
        ("first", "second", "a", False),
        ("second", "first", "b", False),
        ("tie", "tie", "tie", False),
        ("first", "first", "tie", True),
        ("second", "second", "tie", True),
        ("first", "tie", "tie", False),
        ("first", None, None, False),
        (None, None, None, False),
    ],
)
def test_a_flip_is_a_tie_and_half_an_answer_is_none(forward, backward, winner, flipped):
    found = compared("x", "y", "c", forward, backward)
    assert (found.winner, found.flipped) == (winner, flipped)


def test_an_effect_of_order_is_found():
    draw = np.random.default_rng(5)
    said = []
    for c in range(400):
        better = draw.choice(["a", "b"])
        seen = [draw.random() < 0.3 for _ in range(2)]
        forward = "first" if seen[0] or better == "a" else "second"
        backward = "first" if seen[1] or better == "b" else "second"
        said.append(compared("x", "y", f"c{c}", forward, backward))
    found = effects.position(said)
    # Without seeing, first and second are equally often right: P(first) = 0.3 + 0.7 / 2, so first
    # minus second = 0.3.
    assert found.first.low < 0.3 < found.first.high and found.first.low > 0.2
    assert found.flips.low < 0.3 < found.flips.high
    assert found.longer.value is None


def test_longer_replies_win():
    said = [
        compared("x", "y", f"c{i}", "first", "second", length_a=20 if i % 4 else 5)
        for i in range(40)
    ]
    assert effects.position(said).longer.value == 0.5


def test_a_ranking_counts_and_leaves_out_what_has_no_verdict():
    said = [compared("x", "y", f"c{i}", "first", "second") for i in range(6)]
    said += [compared("x", "y", f"d{i}", "second", "first") for i in range(2)]
    said += [compared("x", "y", "e0", "tie", "tie"), compared("x", "y", "e1", "first", None)]
    found = ranking(said)
    assert [(model.model, model.won, model.tied, model.lost) for model in found.models] == [
        ("x", 6, 1, 2),
        ("y", 2, 1, 6),
    ]
    assert (found.comparisons, found.unusable, found.bounded) == (9, 1, False)
    difference = found.differences["x", "y"]
    assert (
        difference.value == pytest.approx(np.log(3), abs=1e-9)
        and difference.low < np.log(3) < difference.high
    )
    assert found.sets == (("x", "y"),)
    assert ranking(said[-1:]) is None
    assert ranking([replace(c, conversation_id="one") for c in said]).models[0].score.low is None


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    root = tmp_path_factory.mktemp("results")
    for name, talk in (("org/gold", gold), ("org/curt", curt), ("org/wordy", wordy)):
        write_model(root, name, talk, documents=12)
    return root


def test_the_verb_with_the_scripted_judge(results, tmp_path, capsys):
    command = [
        "pairwise",
        str(results),
        "--llm",
        "scripted",
        "--tasks",
        "csc_qa",
        "--conversations",
        "10",
        "--out",
        str(tmp_path / "out"),
    ]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "csc_qa: 10 of 12 answers" in said and "|org/gold|" in said
    comparisons = read_comparisons([tmp_path / "out"])
    assert len(comparisons) == 3 * 10
    assert {(c.a, c.b) for c in comparisons} == {
        ("org/curt", "org/gold"),
        ("org/curt", "org/wordy"),
        ("org/gold", "org/wordy"),
    }
    record = json.loads((tmp_path / "out" / "pairwise.json").read_text(encoding="utf-8"))
    assert (
        record["sample"] == {"csc_qa": 10}
        and "orders:both|reference:hidden" in record["signatures"][0]
    )
    before = (tmp_path / "out" / "comparisons.jsonl").read_bytes()
    assert main(command) == 0
    assert "0 requests sent, 60 read" in capsys.readouterr().out
    assert (tmp_path / "out" / "comparisons.jsonl").read_bytes() == before


def test_a_judge_who_always_says_first_makes_only_ties(results, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    verdict = '{"reason": "It comes first.", "better": "first"}'
    with llm_server(lambda body, number: Act(verdict)) as server:
        words = [
            "pairwise",
            str(results),
            "--llm",
            "openai:m",
            "--base-url",
            server.url,
            "--tasks",
            "csc_conv_gen",
            "--conversations",
            "4",
        ]
        assert main([*words, "--out", str(tmp_path)]) == 0
        prompts = [body["messages"] for body in server.asked]
    comparisons = read_comparisons([tmp_path])
    assert {(c.forward, c.backward, c.winner, c.flipped) for c in comparisons} == {
        ("first", "first", "tie", True)
    }
    assert {(c.forward_reason, c.backward_reason) for c in comparisons} == {
        ("It comes first.", "It comes first.")
    }
    assert effects.position(comparisons).first.value == 1.0
    assert "org/" not in json.dumps(prompts), "the judge must not learn whose replies it compares"
    assert len(prompts) == 3 * 4 * 2


def test_one_model_alone_is_an_error(results, capsys, tmp_path):
    assert (
        main(
            [
                "pairwise",
                str(results / "org__gold"),
                "--llm",
                "scripted",
                "--out",
                str(tmp_path / "out"),
            ]
        )
        == 1
    )
    assert "there are no two models with the same task" in capsys.readouterr().err
