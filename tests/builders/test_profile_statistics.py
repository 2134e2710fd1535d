"""Profiles: overlap counted by hand and with sets, alignment a second time by scikit-learn."""

from itertools import combinations

import pytest

from builders import profile_statistics
from builders.profile_statistics import profile_overlap
from csc_tasks.corpus_statistics import THRESHOLDS
from tests.builders.test_statistics import many


@pytest.mark.parametrize("language", ["zh", "en"])
def test_profile_overlap_is_that_of_word_sets(language):
    profiles = [item.profile for item in many(language)]
    found = profile_overlap(profiles)
    sets = [
        set(profile.replace(", ", "" if language == "zh" else " ")) - {" "}
        for profile in sorted(set(profiles))
    ]
    if language == "en":
        sets = [set(profile.split(", ")) for profile in sorted(set(profiles))]
    overlap = {
        (i, j): len(a & b) / len(a | b) for (i, a), (j, b) in combinations(enumerate(sets), 2)
    }
    nearest = [max(value for pair, value in overlap.items() if i in pair) for i in range(len(sets))]
    assert (found.distinct, found.measured) == (len(sets), len(sets))
    assert found.mean_pair == pytest.approx(sum(overlap.values()) / len(overlap))
    assert found.mean_nearest == pytest.approx(sum(nearest) / len(nearest))
    assert found.pairs == pytest.approx(
        [sum(v >= t for v in overlap.values()) / len(overlap) for t in THRESHOLDS]
    )
    assert found.nearest == pytest.approx(
        [sum(v >= t for v in nearest) / len(nearest) for t in THRESHOLDS]
    )


def test_profiles_at_the_edges(monkeypatch):
    alike = profile_overlap(["A calm teacher.", "a calm teacher"])
    assert (alike.mean_pair, alike.pairs[-1]) == (1, 1)
    apart = profile_overlap(["one", "two", "three"])
    assert (apart.mean_pair, apart.pairs[0], apart.pairs[1]) == (0, 1, 0)
    assert profile_overlap(["one", "one"]).pairs == ()
    monkeypatch.setattr(profile_statistics, "MOST_PROFILES", 5)
    some = profile_overlap([f"word{i} other" for i in range(8)])
    assert (some.distinct, some.measured) == (8, 5)
    assert some == profile_overlap([f"word{i} other" for i in reversed(range(8))]), (
        "the sample depends on the texts alone"
    )
