"""What moves judges besides quality, on a handful of ratings and comparisons: every expected value
is worked out by hand.
"""

from string import ascii_lowercase

import numpy as np
import pytest
import scipy.stats
from scipy.stats import t

from csc_tasks.errors import DataError, SettingError
from csc_tasks.metrics.alpha import coincidence_sums
from csc_tasks.runs.names import DIMENSIONS, SIX
from leaderboard.judging import effects, rating_tables
from leaderboard.judging.dimensions import chosen_dimensions, dimensions_of
from leaderboard.judging.families import parse_families
from leaderboard.judging.intervals import (
    coefficient,
    jackknifed,
    mean,
    numbered,
    slope,
)
from leaderboard.judging.ratings import (
    Comparison,
    Rating,
    read_comparisons,
    read_ratings,
    write_lines,
)
from leaderboard.judging.reliability import length_section, missing_section, ranking_section
from leaderboard.judging.sampling import order, sample
from leaderboard.judging.strengths import ranking
from leaderboard.judging.units import Unit


def rating(rater, model, unit, scores, kind="judge", length=50, **more):
    asked = f"openai:{rater}" if kind == "judge" else ""
    return Rating(
        kind,
        rater,
        asked,
        model,
        "csc_qa",
        unit,
        unit.partition("/")[0],
        "en",
        "Others",
        "",
        length,
        scores,
        **more,
    )


def compared(forward, backward, length_a=10, length_b=10, a="x", b="y", unit="c"):
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
        length_a,
        length_b,
        forward,
        backward,
    )


# Comparisons


def test_order_and_length_by_hand():
    comparisons = [
        compared(
            "first", "first", unit="c1"
        ),  # a flip; the lengths are equal, so it says nothing of them
        compared("first", "second", 20, 10, unit="c2"),  # the longer a wins
        compared("tie", None, 20, 10, unit="c3"),  # one answer of two: counts for the order only
        compared("second", "second", 5, 10, unit="c4"),  # a flip, so a tie
        compared("first", "tie", 30, 10, unit="c5"),
        compared("second", "first", 5, 10, unit="c6"),  # the longer b wins
        compared(None, None, 5, 10, unit="c7"),
    ]
    found = effects.position(comparisons)
    # First minus second: c1 +1 +1, c2 +1 -1, c3 0, c4 -1 -1, c5 +1 0, c6 -1 +1 = 1 of 11 answers.
    assert (found.first.value, found.first.items, found.first.clusters) == (
        pytest.approx(1 / 11),
        11,
        6,
    )
    assert (found.flips.value, found.flips.items) == (pytest.approx(2 / 5), 5)
    assert (found.longer.value, found.longer.items) == (pytest.approx(2 / 4), 4)
    missing = effects.missing_share(comparisons)
    assert (missing.value, missing.items) == (pytest.approx(2 / 7), 7)


def test_letters_and_pairs_of_a_ranking():
    """x beats y beats z, mostly: x and z are significantly different, y from neither is."""
    said = []
    for i in range(12):
        for a, b, wins in (("x", "y", i % 3 != 0), ("y", "z", i % 3 != 1), ("x", "z", i != 0)):
            answers = ("first", "second") if wins else ("second", "first")
            said.append(compared(*answers, a=a, b=b, unit=f"c{i}"))
    found = ranking(said)
    assert [(model.model, model.won, model.lost) for model in found.models] == [
        ("x", 19, 5),
        ("y", 12, 12),
        ("z", 5, 19),
    ]
    assert list(found.differences) == [("x", "y"), ("x", "z"), ("y", "z")]
    assert found.differences["x", "z"].low > 0
    section = ranking_section(found, "j, csc_qa")
    letters = {row[0]: row[-1] for row in section.rows}
    assert found.sets == (("x", "y"), ("y", "z")) and letters == {"x": "a", "y": "ab", "z": "b"}
    assert "half a win" not in section.text
    never = ranking([compared("first", "second", unit=f"c{i}") for i in range(3)])
    assert never.bounded and "half a win each way" in ranking_section(never, "j").text


def test_two_conversations_are_enough_for_an_interval_and_one_is_not():
    two = [
        compared("first", "second", unit="c0"),
        compared("first", "second", unit="c0"),
        compared("second", "first", unit="c1"),
        compared("first", "second", unit="c1"),
    ]
    score = ranking(two).models[0].score
    assert (score.method, score.clusters) == ("t", 2)
    alone = ranking(two[:2]).models[0].score
    assert (alone.method, alone.reason) == ("none", "one conversation")


def test_whoever_always_wins_is_ahead_once_a_sign_test_over_conversations_says_so():
    """Five conversations: 2 / 2^5 = 0.06. Six: 0.03."""
    for count, sets in ((5, (("x", "y"),)), (6, (("x",), ("y",)))):
        found = ranking([compared("first", "second", unit=f"c{i}") for i in range(count)])
        (apart,) = found.differences.values()
        assert found.sets == sets and (apart.low, apart.reason) == (None, "no variation")


def test_more_sets_than_letters_get_numbers():
    """53 models that all differ: a to z, then a1 to z1, then a2."""
    from leaderboard.board import Value
    from leaderboard.judging.strengths import Ranking, Strength

    names = [f"m{i:02}" for i in range(53)]
    score = Value(value=0.0, items=1, clusters=1, method="none")
    found = Ranking(
        tuple(Strength(name, score, 0, 0, 0) for name in names),
        tuple((name,) for name in names),
        {},
        False,
        1,
        0,
    )
    assert [row[-1] for row in ranking_section(found, "j").rows] == [
        *ascii_lowercase,
        *(f"{letter}1" for letter in ascii_lowercase),
        "a2",
    ]


# Ratings


def test_what_a_judge_adds_is_over_the_mean_of_all_others():
    """The others' mean is 40 for both replies, of three for one and of one for the other; the judge
    gives 60 and 50: 10 for a doubling.
    """
    said = []
    for i in range(3):
        said += [
            rating("a", "gpt-1", f"c{i}/0", {"tone": 60}, length=200),
            rating(
                "a", "qwen", f"c{i}/0", {"tone": 40, "accuracy": 60}, length=100
            ),  # its dimensions' mean is 50
            *(
                rating(other, "gpt-1", f"c{i}/0", {"tone": score}, length=200)
                for other, score in (("b", 40), ("c", 60), ("d", 20))
            ),
            rating(
                "person", "qwen", f"c{i}/0", {"tone": 2, "accuracy": 3}, kind="human", length=100
            ),  # 30 and 50
        ]
    raw, beyond = effects.length(said, "a")
    assert (raw.value, beyond.value) == (pytest.approx(10), pytest.approx(10))
    own = effects.self_preference(said, "a", "openai:gpt-4o", {})
    # 20 more than the others for its kin, 10 more for the rest. The family is that of the model
    # that was asked.
    assert (own.value, own.items, own.clusters) == (pytest.approx(10), 3, 3)
    # The judge's own name comes first.
    assert effects.self_preference(
        said, "a", "openai:gpt-4o", {"a": "qwen"}
    ).value == pytest.approx(-10)
    # Nobody is kin, or everybody.
    assert effects.self_preference(said, "a", "openai:llama", {}).value is None
    assert effects.self_preference(said, "a", "openai:gpt-4o", {"qwen": "gpt"}).value is None
    # Replies of one length, or of none, say nothing of length.
    assert (
        effects.length(
            [rating("a", m, "c/0", {"tone": s}, length=7) for m, s in (("x", 10), ("y", 90))], "a"
        )[0].value
        is None
    )
    silent = [
        rating("a", m, "c/0", {"tone": s}, length=size)
        for m, s, size in (("x", 0, 0), ("y", 60, 100), ("z", 70, 200))
    ]
    assert effects.length(silent, "a")[0].value == pytest.approx(10)


def test_stability_by_hand():
    said = [
        rating("a", "m", "c0/0", {"tone": 50, "accuracy": 80}),
        rating("a", "m", "c0/0", {"tone": 60, "accuracy": 85}, repeat=1),
        rating("a", "m", "c1/0", {"tone": 20, "accuracy": 7}),
        rating("a", "m", "c1/0", {"tone": 20}, repeat=1),
        rating("a", "m", "c2/0", {"tone": 99}),
        rating("a", "m", "c2/0", None, repeat=1),  # the second is missing
        rating("a", "m", "c3/0", {"tone": 1}, repeat=1),  # the first is
    ]
    found = effects.stability(said)
    # 50 and 60 are classes 3 and 4; 80 and 85 both 5; 20 and 20 both 2.
    assert (found.difference.value, found.same_class.value) == (
        pytest.approx(5),
        pytest.approx(2 / 3),
    )
    assert (found.difference.items, found.difference.clusters) == (3, 2)
    # Alpha: 2 (10^2 + 5^2) / 6 observed; over 30 ordered pairs of 50 60 80 85 20 20 expected 2 (6 *
    # 20525 - 315^2) / 30 = 1595.
    assert found.alpha.value == pytest.approx(1 - (250 / 6) / 1595)
    assert effects.stability(said[:1]) is None


def test_a_judge_who_saw_no_two_lengths_has_no_line_about_length():
    said = [rating("a", m, "c/0", {"tone": s}, length=n) for m, s, n in (("x", 1, 8), ("y", 9, 16))]
    said += [rating("b", "x", "c/0", {"tone": 5}, length=8)]
    section = length_section(said, ["a", "b"])
    assert [row[0] for row in section.rows] == ["a"]
    assert length_section(said, ["b"]) is None


def test_missing_ratings_are_counted_with_their_reasons():
    said = [
        rating("a", "m", "c0/0", {"tone": 5}),
        rating("a", "m", "c1/0", {"tone": 5}, attempts=2),
    ]
    problems = ["no number; 7", "no number; 8", "refused", "refused", "refused", "too long", "odd"]
    said += [
        rating("a", "m", f"d{i}/0", None, problem=problem) for i, problem in enumerate(problems)
    ]
    (row,) = missing_section(said, []).rows
    assert row[:5] == ("a", "ratings", 9, 1, 7) and row[5].value == pytest.approx(7 / 9)
    # The three commonest, by what stands before the details.
    assert row[6:] == (0, "3 refused; 2 no number; 1 too long")
    assert missing_section([rating("p", "m", "c0/0", {"tone": 5}, kind="human")], []) is None


def test_agreement_of_raters_who_share_nothing_or_one_thing():
    apart = [rating("a", "m", "c0/0", {"tone": 50}), rating("b", "m", "c1/0", {"tone": 50})]
    found = rating_tables.agreement(rating_tables.opinions(apart))
    assert (found.units, found.left_out, found.kappa.value, found.spearman.value) == (
        0,
        0,
        None,
        None,
    )
    one = [rating(r, "m", "c0/0", {"tone": 50}) for r in "ab"]
    assert rating_tables.agreement(rating_tables.opinions(one)).spearman.items == 0
    # Two places in the same order; three raters have no rank correlation.
    two = one + [rating(r, "m", "c1/0", {"tone": 90}) for r in "ab"]
    assert rating_tables.agreement(rating_tables.opinions(two)).spearman.value == pytest.approx(1.0)
    three = two + [rating("c", "m", f"c{i}/0", {"tone": 50}) for i in range(2)]
    assert rating_tables.agreement(rating_tables.opinions(three)).spearman.value is None
    assert (coincidence_sums([[2]], 5) == 0).all(), "one rating agrees with nothing"


# Intervals


def test_a_mean_has_the_interval_of_its_clusters():
    # Clusters (1, 1, 0) and (0, 0), as in test_stats: SE 0.32, t with one degree of freedom.
    found = mean([1, 1, 0, 0, 0], ["a", "a", "a", "b", "b"])
    assert (found.value, found.stderr, found.low) == pytest.approx(
        (0.4, 0.32, 0.4 - t.ppf(0.975, 1) * 0.32)
    )


def test_a_slope_by_hand():
    # sum xy / sum x^2 = (2 + 2 + 0) / (1 + 4 + 1). Without a 2/5, without b 2/2, without c 4/5;
    # mean of these 11/15.
    found = slope([1, 2, -1], [2, 1, 0], ["a", "b", "c"])
    left_out = np.array([2 / 5, 2 / 2, 4 / 5])
    assert found.value == pytest.approx(4 / 6)
    assert found.stderr == pytest.approx(np.sqrt(2 / 3 * ((left_out - left_out.mean()) ** 2).sum()))
    assert slope([0.0, 0.0], [1.0, 2.0], ["a", "b"]).value is None


def test_a_value_that_rests_on_one_conversation_has_no_interval():
    rests = jackknifed(0.5, np.array([0.4, np.nan, 0.6]), 20)
    assert (rests.value, rests.low, rests.items, rests.clusters) == (0.5, None, 20, 3)
    assert (rests.method, rests.reason) == ("none", "no variation")
    alone = jackknifed(0.5, np.array([np.nan]), 20)
    assert (alone.value, alone.low, alone.reason) == (0.5, None, "one conversation")
    undefined = jackknifed(float("nan"), np.zeros(3), 20)
    assert (undefined.value, undefined.clusters, undefined.reason) == (None, 3, "no value")


def test_a_coefficient_is_jackknifed_over_whole_clusters():
    """Clusters of (2, 1), 3 and 8 items summed: left out by hand; statsmodels has no such thing."""
    sums = np.array([[0.1, 1.0], [0.3, 1.0], [0.8, 1.0], [0.2, 1.0]])
    clusters = ["a", "a", "b", "c"]
    found = coefficient(sums, clusters, lambda total: total[..., 0] / total[..., 1])
    # Without a 1.0 / 2, without b 0.6 / 3, without c 1.2 / 3.
    without = np.array([0.5, 0.2, 0.4])
    assert found.value == pytest.approx(1.4 / 4)
    assert found.stderr == pytest.approx(np.sqrt(2 / 3 * ((without - without.mean()) ** 2).sum()))
    # Fisher's z of the value, between -1 and 1, and the slope 1 / (1 - r^2) there.
    deviations = without - without.mean()
    bias = 2 * (without.mean() - 0.35) / (1 - 0.35**2)
    kurtosis = (deviations**4).mean() / (deviations**2).mean() ** 2
    freedom = min(max(2 / ((kurtosis - 1) / 3 + 2 / 6), 1), 2)
    half = scipy.stats.t.ppf(0.975, freedom) * found.stderr / (1 - 0.35**2)
    assert (found.low, found.high) == pytest.approx(
        tuple(np.tanh(np.arctanh(0.35) - bias + np.array([-half, half])))
    )
    assert (found.items, found.clusters) == (4, 3)
    assert coefficient(sums[:0], [], lambda total: total[..., 0]).value is None
    codes, count = numbered(["b", "a", "b"])
    assert (codes.tolist(), count) == ([0, 1, 0], 2)


# Files and options


def test_comparison_files_are_checked(tmp_path):
    file = tmp_path / "comparisons.jsonl"
    write_lines(file, [compared("first", "tie"), compared(None, None, unit="d")])
    assert read_comparisons([tmp_path]) == [
        compared("first", "tie"),
        compared(None, None, unit="d"),
    ]
    write_lines(file, [compared("first", "both")])
    with pytest.raises(
        DataError, match=r"line 1: \('first', 'both'\) are no answers of a comparison"
    ):
        read_comparisons([tmp_path])
    # The same pair of the same unit, named the other way round.
    write_lines(file, [compared("first", "tie"), compared("first", "tie", a="y", b="x")])
    with pytest.raises(
        DataError, match=r"line 2: j has compared c before, in .*line 1; give one of them"
    ):
        read_comparisons([tmp_path])


@pytest.mark.parametrize(
    ("kind", "score", "sound"),
    [
        ("judge", 0, True),
        ("judge", 100, True),
        ("judge", -1, False),
        ("judge", 100.5, False),
        ("judge", True, False),
        ("judge", "7", False),
        ("human", 1, True),
        ("human", 5, True),
        ("human", 0, False),
        ("human", 6, False),
        ("ghost", 3, False),
    ],
)
def test_scores_outside_the_scale_are_refused(tmp_path, kind, score, sound):
    write_lines(tmp_path / "ratings.jsonl", [rating("a", "m", "c/0", {"tone": score}, kind=kind)])
    if sound:
        assert read_ratings([tmp_path])[0].scores == {"tone": score}
        return
    with pytest.raises(DataError, match=r"line 1: (tone is|kind 'ghost' is neither)"):
        read_ratings([tmp_path])


def test_dimensions_are_chosen_by_name():
    assert chosen_dimensions(" tone, accuracy,") == ("tone", "accuracy")
    with pytest.raises(SettingError, match=r"--dimensions beauty: .*there are accuracy,"):
        chosen_dimensions("tone,beauty")
    assert (
        dimensions_of("answer") == DIMENSIONS
        and dimensions_of("reply") == dimensions_of("conversation") == SIX
    )
    # In their own order; those that a kind of unit lacks are left out.
    assert dimensions_of("answer", ("tone", "accuracy")) == ("accuracy", "tone")
    assert dimensions_of("reply", ("tone", "accuracy")) == ("accuracy",)


@pytest.mark.parametrize("text", ["gpt", "=gpt", "name=", "="])
def test_a_family_needs_a_name_on_both_sides(text):
    with pytest.raises(SettingError, match="must be NAME=FAMILY"):
        parse_families([text])
    assert parse_families(["a=b=GPT"]) == {"a=b": "gpt"}


def unit(id_, stage, conversation="c"):
    return Unit(
        f"csc_qa/{conversation}/{id_}",
        "csc_qa",
        conversation,
        0,
        "en",
        "Others",
        stage,
        conversation=(),
        reply="",
        reference="",
    )


def test_turns_are_drawn_from_the_stage_that_is_furthest_behind():
    """Two thirds are of stage one. The first turn is one's, and so is the third; a tie goes to the
    first in the seed's order.
    """
    units = [unit(i, "one" if i < 4 else "two") for i in range(6)]
    assert [u.stage for u in sample(units, 1, 1, seed=0)] == ["one"]
    assert sorted(u.stage for u in sample(units, 1, 2, seed=0)) == ["one", "two"]
    assert sorted(u.stage for u in sample(units, 1, 3, seed=0)) == ["one", "one", "two"]
    by_hash = sorted(units[:4], key=lambda u: order(3, u.id))
    assert sample(units[:4], 1, 1, seed=3) == by_hash[:1]
    assert sample(units[:4], 1, 9, seed=3) == by_hash, "no more than there are"


def test_the_order_of_a_seed_never_changes():
    """Two runs are about the same sample only while this is so: sha256 of the seed, a line break
    and the id.
    """
    import hashlib

    assert order(7, "csc_qa/c/0") == hashlib.sha256(b"7\ncsc_qa/c/0").hexdigest()
