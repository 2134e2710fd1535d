"""Which turns become pairs, in which stage and split, and which conversations are chosen."""

import hashlib
from collections import Counter
from fractions import Fraction

import pytest

from builders.qa.conversations import choose
from builders.qa.pairs import pair_positions, parse_shares, published_pair, split_of, stage_of
from builders.sources import RawConversation
from csc_tasks.conversation import CUSTOMER, SUPPORTER, Turn
from csc_tasks.errors import SettingError


def turns(speakers, text="turn number {} of this little talk"):
    """`speakers` is a word of S and C."""
    return tuple(
        Turn(SUPPORTER if letter == "S" else CUSTOMER, text.format(i))
        for i, letter in enumerate(speakers)
    )


def raw(name, said, language="en"):
    return RawConversation(name, language, "", "test", said)


@pytest.mark.parametrize(
    ("speakers", "positions"),
    [
        ("CSCS", (0, 2)),
        ("SCSCS", (1, 3)),
        ("SCSC", (1,)),
        ("S", ()),
        ("C", ()),
        ("", ()),
        ("SC", ()),
    ],
)
def test_a_pair_is_a_customer_turn_that_the_agent_answers(speakers, positions):
    assert pair_positions(turns(speakers)) == positions


@pytest.mark.parametrize(
    ("index", "total", "stage"),
    [
        (0, 1, "mid"),
        (0, 2, "mid"),
        (0, 3, "early"),
        (1, 8, "early"),
        (1, 7, "mid"),
        (4, 5, "late"),
        (3, 5, "mid"),
        (8, 9, "late"),
        (3, 4, "mid"),
        (13, 15, "late"),
        (12, 15, "mid"),
    ],
)
def test_stages_at_their_bounds(index, total, stage):
    """Worked out by hand: (0 + 0.5) / 3 = 0.167; (1 + 0.5) / 8 = 0.1875, / 7 = 0.214; (4 + 0.5) / 5
    = 0.9; (3 + 0.5) / 4 = 0.875; ...
    """
    assert stage_of(index, total) == stage


def test_stages_are_exact_for_every_length():
    for total in range(1, 101):
        for index in range(total):
            p = Fraction(2 * index + 1, 2 * total)
            assert stage_of(index, total) == (
                "early" if p < Fraction(1, 5) else "late" if p >= Fraction(9, 10) else "mid"
            )


def test_the_published_draw_has_its_weights():
    """60 turns, 30 pairs, 4,000 draws: the thirds of the drawn questions have the shares 0.2, 0.7,
    0.1 (their error is below 0.01).
    """
    said = turns("CS" * 30)
    draws = Counter(published_pair(said, "en", str(i)) * 3 // 30 for i in range(4000))
    assert [draws[third] / 4000 for third in range(3)] == pytest.approx([0.2, 0.7, 0.1], abs=0.03)
    assert published_pair(said, "en", "7") == published_pair(said, "en", "7")


@pytest.mark.parametrize(
    ("language", "short", "long"),
    [
        ("en", "only five words are here", "only six words are found here"),
        ("zh", "五个字不行", "六个字就行了"),
        ("zh", "我的iPhone坏了", "我的iPhone坏了。"),
    ],
)
def test_the_published_draw_skips_short_pairs(language, short, long):
    def said(question, answer):
        return (Turn(CUSTOMER, question), Turn(SUPPORTER, answer))

    for few in ((short, long), (long, short), (short, short)):
        assert published_pair(said(*few), language, "x") is None
        assert published_pair(said(*few) + said(long, long), language, "x") == 1
    assert published_pair(said(long, long), language, "x") == 0


def test_conversations_have_5_to_100_turns_and_come_once():
    lengths = [4, 5, 6, 99, 100, 101]
    found, dropped = choose(
        [raw(str(n), turns(("CS" * 60)[:n])) for n in [*lengths, 6]], "all", 0, None
    )
    assert sorted(len(chosen.raw.turns) for chosen in found) == [5, 6, 99, 100]
    assert dropped == {"fewer than 5 turns": 1, "more than 100 turns": 1, "the same as another": 1}
    assert [chosen.conversation_id for chosen in found] == sorted(
        chosen.conversation_id for chosen in found
    )


def test_a_smaller_choice_is_part_of_a_larger_one():
    source = [raw(str(n), turns("CSCSCS", f"{n} says {{}}")) for n in range(50)]
    chosen = {
        limit: [found.raw.source_id for found in choose(source, "all", 0, limit)[0]]
        for limit in (7, 20, None)
    }
    assert (
        chosen[7] == chosen[20][:7] and chosen[20] == chosen[None][:20] and len(chosen[None]) == 50
    )
    backwards = choose(reversed(source), "all", 0, 7)[0]
    assert [found.raw.source_id for found in backwards] == chosen[7] and chosen[7] != [
        str(n) for n in range(7)
    ]


def test_splits_have_their_shares_and_depend_on_the_id_alone():
    names = [f"qa-{n}" for n in range(3000)]
    shares = parse_shares("70,10,20")
    found = Counter(split_of(name, shares) for name in names)
    assert [found[split] / 3000 for split in ("train", "validation", "test")] == pytest.approx(
        [0.7, 0.1, 0.2], abs=0.03
    )
    draw = int(hashlib.sha256(b"qa split qa-5").hexdigest()[:16], 16) / 2**64
    assert split_of("qa-5", shares) == (
        "train" if draw < 0.7 else "validation" if draw < 0.8 else "test"
    )
    assert {split_of(name, parse_shares("0,0,100")) for name in names} == {"test"}
    # A larger share of train takes from what follows and gives nothing back.
    assert all(
        split_of(name, parse_shares("80,0,20")) == "train"
        for name in names
        if split_of(name, shares) == "train"
    )


@pytest.mark.parametrize("text", ["70,30", "70,10,21", "a,b,c", "-1,1,100", "", "33.3,33.3,33.4"])
def test_shares_are_three_percentages(text):
    with pytest.raises(SettingError, match="--splits"):
        parse_shares(text)
