"""What two sequences of token ids have in common."""

import pytest

from csc_tasks.tokens import shared_prefix


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ([], [], 0),
        ([1], [], 0),
        ([1, 2, 3], [1, 2, 3], 3),
        ([1, 2, 3], [1, 2, 3, 4, 5], 3),
        ([1, 2, 3, 4], [1, 2, 9, 4], 2),
        ([9, 2, 3], [1, 2, 3], 0),
        # What is equal again after the first difference does not count.
        ([1, 2, 3, 4, 5, 6, 7], [1, 8, 3, 4, 5, 6, 7], 1),
    ],
)
def test_the_shared_prefix_ends_at_the_first_difference(one, other, shared):
    assert shared_prefix(one, other) == shared_prefix(other, one) == shared
