"""Agreement and bias against the literature, other libraries and simulated studies whose truth is
known.
"""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from csc_tasks.metrics.alpha import coincidence_sums
from leaderboard.judging import coefficients, effects, rating_tables
from leaderboard.judging.dimensions import middle, score_class
from leaderboard.judging.families import family, parse_families
from leaderboard.judging.intervals import mean, slope
from leaderboard.judging.ratings import Rating, read_ratings, write_lines
from leaderboard.judging.reliability import report
from leaderboard.reliability_report import Report, as_html, as_markdown, load_report

# Fleiss (1971), Table 1 as reprinted in many places: 10 subjects, 14 raters, 5 categories.
FLEISS = [
    [0, 0, 0, 0, 14],
    [0, 2, 6, 4, 2],
    [0, 0, 3, 5, 6],
    [0, 3, 9, 2, 0],
    [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0],
    [3, 2, 6, 3, 0],
    [2, 5, 3, 2, 2],
    [6, 5, 2, 1, 0],
    [0, 2, 2, 3, 7],
]

# Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), Section E: 4 observers, 12 units,
# missing data.
KRIPPENDORFF = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]


def units_of(table):
    return [[value for value in column if value is not None] for column in zip(*table, strict=True)]


def by_definition(units, distance):
    """Alpha from its definition: observed over expected disagreement, pair by pair, no matrix and
    no sums.
    """
    units = [unit for unit in units if len(unit) > 1]
    values = [value for unit in units for value in unit]
    n = len(values)
    observed = (
        sum(
            distance(a, b) / (len(unit) - 1)
            for unit in units
            for i, a in enumerate(unit)
            for j, b in enumerate(unit)
            if i != j
        )
        / n
    )
    expected = sum(
        distance(a, b) for i, a in enumerate(values) for j, b in enumerate(values) if i != j
    ) / (n * (n - 1))
    return 1 - observed / expected


def ordinal_distance(units):
    values = [value for unit in units if len(unit) > 1 for value in unit]

    def distance(a, b):
        low, high = min(a, b), max(a, b)
        return (
            sum(low <= value <= high for value in values)
            - (values.count(low) + values.count(high)) / 2
        ) ** 2

    return distance


def alphas(units, categories=6):
    sums = coincidence_sums(units, categories).sum(axis=0)
    interval = coefficients.interval_alpha(coefficients.interval_sums(units).sum(axis=0))
    return (
        float(coefficients.ordinal_alpha(sums)),
        float(interval),
    )


def test_fleiss_kappa_of_the_original_table():
    units = [
        [category for category, count in enumerate(row) for _ in range(count)] for row in FLEISS
    ]
    assert float(
        coefficients.kappa(coefficients.kappa_sums(units, 5).sum(axis=0), 14)
    ) == pytest.approx(0.210, abs=5e-4)


def test_fleiss_kappa_is_that_of_statsmodels():
    from statsmodels.stats.inter_rater import fleiss_kappa

    draw = np.random.default_rng(1)
    for raters in (2, 3, 6):
        table = draw.multinomial(raters, [0.1, 0.2, 0.3, 0.25, 0.15], size=40)
        units = [
            [category for category, count in enumerate(row) for _ in range(count)] for row in table
        ]
        ours = float(coefficients.kappa(coefficients.kappa_sums(units, 5).sum(axis=0), raters))
        assert ours == pytest.approx(fleiss_kappa(table, method="fleiss"), abs=1e-9)


def test_krippendorffs_alpha_of_the_published_example():
    assert alphas(units_of(KRIPPENDORFF)) == pytest.approx((0.815, 0.849), abs=1e-3)


def test_krippendorffs_alpha_is_what_its_definition_gives():
    draw = np.random.default_rng(2)
    for _ in range(5):
        truth = draw.integers(0, 5, 30)
        units = [
            [int(np.clip(t + draw.integers(-1, 2), 0, 5)) for _ in range(draw.integers(1, 5))]
            for t in truth
        ]
        expected = (
            by_definition(units, ordinal_distance(units)),
            by_definition(units, lambda a, b: (a - b) ** 2),
        )
        assert alphas(units) == pytest.approx(expected, abs=1e-9)


def test_spearman_is_that_of_scipy_with_ties_and_with_repeated_items():
    from scipy.stats import spearmanr

    draw = np.random.default_rng(3)
    x, y = draw.integers(0, 12, 60).astype(float), draw.integers(0, 6, 60).astype(float)
    times = draw.multinomial(60, np.full(60, 1 / 60), size=4)
    found = coefficients.spearman(x, y, times.astype(float))
    for row, ours in zip(times, found, strict=True):
        assert ours == pytest.approx(
            spearmanr(np.repeat(x, row), np.repeat(y, row)).statistic, abs=1e-9
        )


@pytest.mark.parametrize("units", [[[1, 1], [1, 1]], [[2, 2, 2]]])
def test_no_variation_is_undefined_and_not_perfect(units):
    assert np.isnan(alphas(units)).all()
    assert np.isnan(
        coefficients.kappa(coefficients.kappa_sums(units, 5).sum(axis=0), len(units[0]))
    )


@pytest.mark.parametrize(
    ("score", "expected"),
    [(0, 1), (19, 1), (19.9, 1), (20, 2), (39, 2), (40, 3), (60, 4), (79.5, 4), (80, 5), (100, 5)],
)
def test_classes(score, expected):
    assert score_class(score) == expected


def test_peoples_classes_stand_in_the_middle_of_theirs():
    assert [middle(likert) for likert in range(1, 6)] == [10, 30, 50, 70, 90]
    assert [score_class(middle(likert)) for likert in range(1, 6)] == [1, 2, 3, 4, 5]


def rating(rater, model, unit, scores, kind="judge", length=50, **more):
    asked = f"openai:{rater}" if kind == "judge" else ""
    given = {
        "conversation_id": unit.split("/")[0],
        "language": "en",
        "topic": "Others",
        "stage": "",
        **more,
    }
    return Rating(
        kind,
        rater,
        asked,
        model,
        "csc_qa",
        unit,
        given.pop("conversation_id"),
        given.pop("language"),
        given.pop("topic"),
        given.pop("stage"),
        length,
        scores,
        **given,
    )


def test_kappa_takes_the_commonest_number_of_ratings_and_counts_the_rest():
    said = [
        rating(r, "m", f"c{i}/0", {"tone": 20 * (i % 5)})
        for i in range(10)
        for r in ("a", "b", "c")
        if (i, r) != (3, "c")
    ]
    found = rating_tables.agreement(rating_tables.opinions(said))
    assert (found.units, found.left_out) == (10, 1)
    assert found.kappa.value == found.ordinal.value == 1.0


def test_kappa_takes_the_commonest_number_of_ratings_even_where_it_is_not_the_largest():
    """Six units of two ratings and two units of three: kappa is that of the six, by statsmodels."""
    from statsmodels.stats.inter_rater import fleiss_kappa

    pairs = [(10, 10), (30, 50), (50, 50), (70, 70), (90, 70), (10, 30)]
    said = [
        rating(r, "m", f"c{i}/0", {"tone": score})
        for i, both in enumerate(pairs)
        for r, score in zip("ab", both, strict=True)
    ]
    said += [rating(r, "m", f"d{i}/0", {"tone": 50}) for i in range(2) for r in "abc"]
    found = rating_tables.agreement(rating_tables.opinions(said))
    table = np.zeros((6, 5), dtype=int)
    for i, both in enumerate(pairs):
        for score in both:
            table[i, score // 20] += 1
    assert (found.units, found.left_out) == (8, 2)
    assert found.kappa.value == pytest.approx(fleiss_kappa(table, method="fleiss"), abs=1e-9)
    assert (found.kappa.items, found.kappa.clusters) == (6, 6)
    # Six of two and six of three: the larger number is taken. All three say 50, or all say 10.
    even = said + [rating(r, "m", f"e{i}/0", {"tone": 10}) for i in range(4) for r in "abc"]
    found = rating_tables.agreement(rating_tables.opinions(even))
    assert (found.kappa.value, found.kappa.clusters, found.left_out) == (1.0, 6, 6)


def test_missing_and_second_askings_are_not_in_the_table():
    said = [
        rating("a", "m", "c/0", {"tone": 50}),
        rating("a", "m", "d/0", None, problem="malformed"),
        rating("a", "m", "c/0", {"tone": 10}, repeat=1),
    ]
    assert rating_tables.opinions(said).scores == {"a": {("m", "c/0", "tone"): 50.0}}


def test_slopes_and_means_without_anything_behind_them_are_none():
    assert mean([], []).value is None
    assert slope([0.0, 0.0], [1.0, 2.0], ["a", "b"]).value is None
    assert (
        effects.self_preference([rating("a", "m", "c/0", {"tone": 50})], "a", "openai:a", {}).value
        is None
    )


def study(seed, conversations=120, kin=0.0, length=0.0, full=False):
    """Two judges and two people rate three models whose quality is 50, 60 and 70; judge "gpt-x" may
    like length and its kin.
    """
    draw = np.random.default_rng(seed)
    found = []
    for c in range(conversations):
        hard = draw.normal(0, 8)
        for model, quality in (("gpt-small", 50.0), ("qwen", 60.0), ("llama", 70.0)):
            size = int(2 ** draw.uniform(4, 9))
            true = quality + hard + draw.normal(0, 5)
            own = true + length * (np.log2(size) - 6.5) + kin * (model == "gpt-small")
            for rater, level in (("gpt-x", own), ("other", true)):
                score = (
                    100
                    if full and rater == "other"
                    else float(np.clip(round(level + draw.normal(0, 6)), 0, 100))
                )
                found.append(rating(rater, model, f"c{c}/0", {"tone": score}, length=size))
            for rater in ("rater-1", "rater-2"):
                likert = score_class(float(np.clip(true + draw.normal(0, 8), 0, 99)))
                found.append(
                    rating(rater, model, f"c{c}/0", {"tone": likert}, kind="human", length=size)
                )
    return found


def test_the_report_finds_a_length_effect_that_was_put_in():
    raw, beyond = effects.length(study(1, length=3.0), "gpt-x")
    assert raw.low < 3.0 < raw.high and beyond.low < 3.0 < beyond.high and beyond.low > 1.5
    _, none = effects.length(study(2), "gpt-x")
    assert none.low < 0 < none.high


def test_the_report_finds_self_preference_that_was_put_in():
    found = effects.self_preference(study(3, kin=8.0), "gpt-x", "openai:gpt-x", {})
    assert found.low < 8.0 < found.high and found.low > 4.0
    assert effects.self_preference(study(3, kin=8.0), "other", "openai:other", {}).value is None
    given = effects.self_preference(study(3), "other", "openai:other", {"other": "llama"})
    assert given.low < 0 < given.high


def test_the_report_finds_a_full_scale():
    full = effects.saturation([r for r in study(4, full=True) if r.rater == "other"])
    assert (full.full.value, full.different, full.commonest, full.spread) == (1.0, 1, 100, 0.0)
    assert effects.saturation([r for r in study(4) if r.rater == "gpt-x"]).full.value < 0.05


def test_saturation_by_hand():
    """Five first askings: 100, 80, 79, 100 and 99. The top class begins at 80; a second asking and
    a missing one do not count.
    """
    scores = {"c0/0": 100, "c1/0": 80, "c2/0": 79, "c3/0": 100, "c5/0": 99}
    said = [rating("a", "m", unit, {"tone": score}) for unit, score in scores.items()]
    said += [rating("a", "m", unit, {"tone": 5}, repeat=1) for unit in scores] + [
        rating("a", "m", "c4/0", None, problem="malformed")
    ]
    found = effects.saturation(said)
    assert (found.full.value, found.top.value, found.commonest, found.commonest_share.value) == (
        0.4,
        0.8,
        100,
        0.4,
    )
    # Mean 91.6: deviations 8.4, -11.6, -12.6, 8.4, 7.4.
    assert (found.different, found.spread) == (
        4,
        pytest.approx(np.sqrt((2 * 8.4**2 + 11.6**2 + 12.6**2 + 7.4**2) / 5)),
    )
    assert (found.full.items, found.full.clusters) == (5, 5)
    # Of two equally common scores the higher is named; without a score nothing is said.
    assert (
        effects.saturation(
            [rating("a", "m", f"c{i}/0", {"tone": 10 * i}) for i in range(3)]
        ).commonest
        == 20
    )
    assert effects.saturation(said[-1:]) is None


def twice_rated():
    """Judge a gives the longer of two replies 10 points more, for one doubling, and its own family
    10 more; others see no difference.

    Asked again, a says the opposite of all that, with 60 points between: it must not matter.
    """
    said = []
    for i in range(4):
        for model, size, score in (("gpt-1", 200, 60), ("qwen", 100, 50)):
            said.append(rating("a", model, f"c{i}/0", {"tone": score}, length=size))
            said += [
                rating(other, model, f"c{i}/0", {"tone": 50}, length=size) for other in ("b", "c")
            ]
            said.append(
                rating(
                    "a",
                    model,
                    f"c{i}/0",
                    {"tone": 20 if size == 200 else 80},
                    length=size,
                    repeat=1,
                )
            )
    return said


def test_second_askings_move_no_effect():
    raw, beyond = effects.length(twice_rated(), "a")
    assert (raw.value, beyond.value) == (pytest.approx(10), pytest.approx(10))
    assert (raw.items, raw.clusters) == (8, 4)
    found = effects.self_preference(twice_rated(), "a", "openai:a", {"a": "gpt"})
    assert (found.value, found.items, found.clusters) == (pytest.approx(10), 4, 4)
    # In the other order of the lines too: the last word must not win.
    assert effects.length(twice_rated()[::-1], "a")[0].value == pytest.approx(10)
    assert effects.self_preference(
        twice_rated()[::-1], "a", "openai:a", {"a": "gpt"}
    ).value == pytest.approx(10)


def test_stability_of_what_was_asked_twice():
    draw = np.random.default_rng(5)
    said = []
    for c in range(200):
        level = draw.uniform(10, 90)
        said += [
            rating("a", "m", f"c{c}/0", {"tone": round(level + draw.normal(0, 5))}, repeat=repeat)
            for repeat in (0, 1)
        ]
    found = effects.stability(said)
    # |difference| of two normals with sd 5: 5 * 2 / sqrt(pi); alpha: 1 - 25 / (25 + 80^2 / 12).
    assert found.difference.value == pytest.approx(10 / np.sqrt(np.pi), abs=0.8)
    assert found.alpha.low < 1 - 25 / (25 + 6400 / 12) < found.alpha.high
    assert effects.stability([r for r in said if not r.repeat]) is None


def test_agreement_with_people_is_in_the_report_and_the_numbers_are_those_of_the_parts():
    said = study(6)
    found = report(said, [], {})
    titles = [section.title for section in found.sections]
    assert titles == [
        "Agreement among judges",
        "Agreement among people",
        "Agreement of two",
        "Widest disagreements",
        "Parse failures",
        "Length in ratings",
        "Self-preference",
        "Saturation",
    ]
    pairs = {row[0]: row for row in found.sections[2].rows}
    humans = "humans (mean)"
    wanted = {
        "gpt-x – other",
        f"gpt-x – {humans}",
        f"other – {humans}",
        f"judges (mean) – {humans}",
        "rater-1 – rater-2",
    }
    assert set(pairs) == wanted
    first, second = (
        [r.scores["tone"] for r in said if r.rater == rater] for rater in ("gpt-x", "other")
    )
    expected = by_definition(
        [[a, b] for a, b in zip(first, second, strict=True)], lambda a, b: (a - b) ** 2
    )
    assert pairs["gpt-x – other"][4].value == pytest.approx(expected, abs=1e-9)


def test_the_report_as_text_and_as_data_and_back(tmp_path):
    said = [
        replace(r, model="<script>alert(1)</script>|x" if r.model == "qwen" else r.model)
        for r in study(7, conversations=20)
    ]
    found = report(said, [], {"<script>": "x"}, ["judge openai:gpt-x|reference:hidden"])
    file = tmp_path / "reliability.json"
    file.write_text(found.model_dump_json())
    assert load_report(file) == found == Report.model_validate_json(file.read_bytes())
    assert "<script>" not in as_html(found)
    assert "|gpt-x – other|" in as_markdown(found) and "reference:hidden" in as_markdown(found)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("openai:gpt-4o", "gpt"),
        ("o3-mini", "gpt"),
        ("Qwen/Qwen2.5-7B-Instruct", "qwen"),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", "deepseek"),
        ("meta-llama/Llama-3.1-8B", "llama"),
        ("google/gemma-2-9b-it", "gemini"),
        ("demo/model", None),
        ("claude-sonnet", "claude"),
        ("THUDM/chatglm3-6b", "glm"),
        ("01-ai/Yi-34B", "yi"),
        ("aphid", None),
    ],
)
def test_families(name, expected):
    assert family(name, {}) == expected
    assert family(name, parse_families([f"{name}=Mine"])) == "mine"


def test_ratings_files_are_checked(tmp_path):
    from csc_tasks.errors import DataError

    said = study(8, conversations=2)
    write_lines(tmp_path / "a" / "ratings.jsonl", said)
    assert read_ratings([tmp_path]) == said
    write_lines(tmp_path / "b" / "ratings.jsonl", said[:1])
    with pytest.raises(DataError, match="has rated c0/0 of gpt-small before"):
        read_ratings([tmp_path])
    write_lines(tmp_path / "b" / "ratings.jsonl", [replace(said[0], scores={"tone": 101})])
    with pytest.raises(DataError, match=r"tone is 101; scores of kind judge are 0\.\.100"):
        read_ratings([tmp_path / "b"])
    (tmp_path / "b" / "ratings.jsonl").write_text("{}\n{")
    with pytest.raises(DataError, match="line 1: not a line of"):
        read_ratings([tmp_path / "b"])


def test_one_name_for_two_raters_is_an_error():
    from csc_tasks.errors import DataError

    said = [
        rating("a", "m", "c/0", {"tone": 50}),
        rating("a", "m", "d/0", {"tone": 3}, kind="human"),
    ]
    with pytest.raises(DataError, match=r"a is the name of two raters \(judge openai:a; human\)"):
        report(said, [], {})


def test_every_pair_of_raters_agrees_with_itself_in_any_order():
    said = rating_tables.opinions(study(9, conversations=15))
    for a, b in combinations(said.scores, 2):
        first, second = (
            rating_tables.agreement(said.of([a, b])),
            rating_tables.agreement(said.of([b, a])),
        )
        assert first.ordinal.value == pytest.approx(second.ordinal.value, abs=1e-12)
        assert first.spearman.value == pytest.approx(second.spearman.value, abs=1e-12)
