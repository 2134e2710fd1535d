"""Profiles: overlap counted by hand and with sets, alignment a second time by scikit-learn."""

import math
from itertools import combinations

import pytest

from builders import profile_statistics
from builders.profile_statistics import profile_alignment, profile_overlap
from csc_tasks.conversation import Conversation, Turn
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


def talk(name, profile, *said):
    """A conversation in which the customer says these; "" stands for a supporter's turn."""
    turns = tuple(Turn("customer", text) if text else Turn("supporter", "yes") for text in said)
    return Conversation(name, "en", "Others", "t", turns, profile=profile)


def test_customers_against_profiles_by_hand():
    """Two profiles that share one of their two words: idf of the shared word is 1, of the others
    1 + ln 1.5.
    """
    rare = 1 + math.log(1.5)
    norm = math.hypot(1, rare)
    found = profile_alignment(
        [
            talk("a", "calm teacher", "Teacher!", "", "calm, calm and unknown"),
            talk("b", "calm nurse", "", "who knows"),
            talk("c", "", "teacher"),
        ]
    )
    assert (found.profiles, found.conversations) == (2, 2)
    first, second = found.points
    assert (first.utterances, first.conversations, first.profiles) == (1, 2, 2)
    # "Teacher" is one of the two words of a's profile and none of b's; b's customer says nothing.
    assert first.aligned == pytest.approx(rare / norm / 2)
    assert first.random == 0
    assert first.stderr == pytest.approx(rare / norm / 2)
    spoken = math.hypot(2, rare)
    assert (second.utterances, second.conversations, second.stderr) == (2, 1, None)
    assert second.aligned == pytest.approx((2 + rare * rare) / spoken / norm)
    assert second.random == pytest.approx(2 / spoken / norm)


def test_without_two_profiles_there_is_nothing_to_compare():
    assert profile_alignment([]) is None
    assert profile_alignment([talk("a", "calm", "calm"), talk("b", "calm", "yes")]) is None
    assert profile_alignment([talk("a", "calm", ""), talk("b", "hasty", "yes")]) is None
