"""The audit lets people pass and catches planted customers, each kind on its own dimension. Small;
in full it is benchmarks/audit_customer.py.
"""

import random
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from benchmarks.audit_customer import read_people
from benchmarks.planted_customers import OWN_DIMENSION, planted
from leaderboard.audit.answers import Answers
from leaderboard.audit.comparing import compare
from leaderboard.audit.cues import cues_of
from leaderboard.audit.dimensions import Context
from leaderboard.audit.measuring import measure
from leaderboard.audit.turns import talks_of
from tests.support.talks import people

SIZE = 30
PLAYED = np.arange(2 * SIZE) < SIZE
STAR = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "star"


@cache
def setting(source):
    """(recorded conversations, what they are measured with) of the demo or of STAR."""
    recorded = read_people(STAR, 160) if source == "star" else people(source)
    talks = talks_of(recorded, recorded[0].language)
    return recorded, Context(cues_of(recorded[0].language), Answers(talks))


def failed(kind, source, number=0):
    """The dimensions that a planted run fails on."""
    recorded, context = setting(source)
    generator = random.Random(f"{kind} {number}")
    chosen = generator.sample(recorded, SIZE)
    fakes = [planted(kind, dialogue, generator) for dialogue in chosen]
    measured = measure(talks_of([*fakes, *chosen], chosen[0].language), context)
    results = compare(measured, PLAYED, seed=number, quick=True)
    return [result.dimension.id for result in results if result.failed]


@pytest.mark.parametrize("kind", OWN_DIMENSION)
def test_a_planted_customer_fails_on_its_own_dimension(kind):
    assert OWN_DIMENSION[kind] in failed(kind, "en")


@pytest.mark.parametrize("kind", ["agreeing", "inventing", "leaking", "polite", "shuffled"])
def test_in_chinese_too(kind):
    assert OWN_DIMENSION[kind] in failed(kind, "zh")


@pytest.mark.parametrize("kind", ["shuffled", "inventing", "single"])
def test_among_people_of_star(kind):
    if not STAR.is_dir():
        pytest.skip("shared/data is not here")
    assert OWN_DIMENSION[kind] in failed(kind, "star")


def test_what_is_not_changed_does_not_fail():
    """An order of turns has nothing to do with their length, questions or courtesy."""
    own = {"turns", "length", "sentences", "acts", "questions", "politeness", "invented", "leaking"}
    assert not own & set(failed("shuffled", "en"))


@pytest.mark.parametrize("source", ["en", "zh"])
def test_people_pass_against_people(source):
    recorded, context = setting(source)
    measured = measure(talks_of(recorded, source), context)
    failures = 0
    for number in range(12):
        chosen = np.random.default_rng(number).choice(len(recorded), 2 * SIZE, replace=False)
        results = compare(measured.rows(chosen), PLAYED, seed=number, quick=True)
        failures += any(result.failed for result in results)
    # 4 of 12 or more have a chance of 0.2 % where each has one of 5 %.
    assert failures < 4


def test_a_customer_who_says_what_people_said_is_no_distance_away():
    recorded, context = setting("en")
    chosen = recorded[:SIZE]
    results = compare(measure(talks_of([*chosen, *chosen], "en"), context), PLAYED)
    assert not any(result.failed for result in results)
    for result in results:
        none = 0.5 if result.dimension.id == "classifier" else 0.0
        assert result.distance == pytest.approx(none, abs=1e-5)
        assert result.low == pytest.approx(none, abs=1e-5)


def test_what_a_language_has_no_words_for_is_not_applicable():
    recorded = [
        type(dialogue).from_json(dialogue.to_json() | {"language": "de"}, "x")
        for dialogue in people("en")[:6]
    ]
    talks = talks_of(recorded, "de")
    missing = measure(talks, Context(cues_of("de"), Answers(talks))).missing
    lists = ["acts", "questions", "friction", "politeness", "sentiment", "endings", "agreeing"]
    assert missing == {
        **dict.fromkeys([*lists, "leaking"], "no file of cues for this language"),
        "invented": "no brief, or no rules that find facts in this language",
    }
