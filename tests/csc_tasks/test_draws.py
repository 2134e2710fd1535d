"""Draws that a text alone decides."""

import hashlib
from statistics import mean

from csc_tasks.draws import RANGE, digest, draw


def test_a_draw_is_the_first_bytes_of_the_text_s_sha256():
    # printf 'csconv split 0 a' | sha256sum
    assert (
        hashlib.sha256(b"csconv split 0 a")
        .hexdigest()
        .startswith(f"{draw('csconv split 0 a'):016x}")
    )
    assert digest("abc").hex() == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
    assert [draw("abc", which) for which in range(4)] == [
        0xBA7816BF8F01CFEA,
        0x414140DE5DAE2223,
        0xB00361A396177A9C,
        0xB410FF61F20015AD,
    ]


def test_a_lone_surrogate_draws_as_well():
    assert 0 <= draw("broken \ud83d") < RANGE


def test_the_draws_of_many_ids_are_spread_evenly():
    draws = [draw(f"split 7 conversation-{n}") for n in range(4_000)]
    # The mean of 4,000 uniform numbers: 1/2 with a standard error of 0.0046.
    assert abs(mean(draws) / RANGE - 0.5) < 0.02
    assert abs(sum(one < 0.2 * RANGE for one in draws) / 4_000 - 0.2) < 0.03
