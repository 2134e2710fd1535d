"""Samples for raters are nested, in proportion, and a matter of the corpus and the seed alone."""

import random
from argparse import Namespace
from collections import Counter
from itertools import pairwise

import pytest

from leaderboard.judging.human_export import draw
from leaderboard.judging.sampling import in_proportion, sample, sample_units
from leaderboard.judging.units import Unit

STAGES = ("Connecting", "Identifying", "Exploring", "Resolving", "Maintaining")


def unit(conversation, turn, stage, topic="A", language="en", task="csc_conv_ref"):
    id_ = f"{task}/{conversation}/{turn}"
    answers = task == "csc_qa"
    return Unit(
        id_, task, conversation, turn, language, topic, stage, (), "x", "y", answers=answers
    )


def corpus(seed, conversations=60, task="csc_conv_ref"):
    """Conversations of 1 to 9 turns of uneven topics, languages and stages."""
    rng = random.Random(seed)
    units = []
    for number in range(conversations):
        topic, language = rng.choice("AAAABBC"), rng.choice(("en", "en", "zh"))
        for turn in range(rng.randint(1, 9)):
            stage = rng.choices(STAGES, (5, 2, 4, 3, 1))[0]
            units.append(unit(f"c{number}", turn, stage, topic, language, task))
    return units


def ids(units):
    return {unit.id for unit in units}


@pytest.mark.parametrize("seed", range(5))
def test_a_larger_sample_holds_the_smaller_one(seed):
    units = corpus(seed)
    for turns in (1, 2, 3, 5, 12):
        for fewer, more in pairwise((1, 2, 3, 7, 20, 21, 30, 40, 59, 60, 100)):
            assert ids(sample(units, fewer, turns, seed)) <= ids(sample(units, more, turns, seed))
    for conversations in (1, 7, 20, 60, 100):
        for fewer, more in pairwise((1, 2, 3, 4, 9, 12)):
            smaller = ids(sample(units, conversations, fewer, seed))
            assert smaller <= ids(sample(units, conversations, more, seed))
    assert ids(sample(units, 20, 2, seed)) <= ids(sample(units, 41, 3, seed)), "both at once"
    assert ids(sample(units, 60, 9, seed)) == ids(units), "everything in the end"


@pytest.mark.parametrize("seed", range(5))
def test_answers_for_people_are_nested_and_as_many_as_asked_for(seed):
    """More answers than conversations: all first turns, then second ones, whatever the number."""
    units = corpus(seed, task="csc_qa")
    drawn = [ids(draw(units, Namespace(answers=n, seed=seed))) for n in range(1, len(units) + 20)]
    assert [len(one) for one in drawn] == [min(n, len(units)) for n in range(1, len(units) + 20)]
    assert all(fewer <= more for fewer, more in pairwise(drawn))
    assert max(Counter(u.conversation_id for u in sample_units(units, 60, seed)).values()) == 1
    assert ids(sample_units(units, 60, seed)) == ids(sample(units, 60, 1, seed)), "as judges do"


def test_conversations_for_people_are_those_of_the_judges():
    units = corpus(3)
    people = draw(units, Namespace(conversations=25, seed=4))
    assert people == sample(units, 25, 1, 4) and ids(people) <= ids(sample(units, 40, 3, 4))


def test_every_conversation_gets_its_turns():
    units = corpus(1)
    lengths = Counter(unit.conversation_id for unit in units)
    drawn = Counter(unit.conversation_id for unit in sample(units, 60, 3, 0))
    assert drawn == {name: min(3, length) for name, length in lengths.items()}


def test_groups_take_turns_by_websters_divisors():
    """Seats of parties with 53, 24 and 23 votes: quotients 53, 24, 23, 17.7, 10.6, 8, 7.7, 7.6,
    5.9, 4.8, 4.8, 4.6.
    """
    votes = {("a",): 53, ("b",): 24, ("c",): 23}
    line = "".join(name[0] for name in in_proportion(votes, 12, seed=0))
    assert line[:9] == "abcaabcaa" and Counter(line[:10]) == {"a": 6, "b": 2, "c": 2}
    assert Counter("".join(n[0] for n in in_proportion(votes, 500, 0))) == {
        "a": 53,
        "b": 24,
        "c": 23,
    }
    # Equal groups: each once before any twice, and not always the same one first.
    equal = {("A",): 7, ("B",): 7, ("C",): 7}
    assert {in_proportion(equal, 1, seed)[0] for seed in range(20)} == equal.keys()
    assert set(in_proportion(equal, 3, 1)) == equal.keys()


@pytest.mark.parametrize("turns", [1, 2])
def test_stages_stay_in_proportion(turns):
    """Every conversation has every stage, so nothing forces a choice: the sample's stages are the
    corpus's to within one unit.
    """
    units = [unit(f"c{c}", t, STAGES[t % 5]) for c in range(50) for t in range(5)]
    for conversations in (5, 13, 20, 40):
        drawn = Counter(u.stage for u in sample(units, conversations, turns, seed=1))
        expected = conversations * turns / 5
        assert all(abs(drawn[stage] - expected) <= 1 for stage in STAGES)


def test_the_order_of_the_units_does_not_matter():
    units = corpus(2)
    assert sample(units[::-1], 30, 2, 5) == sample(units, 30, 2, 5) != sample(units, 30, 2, 6)
