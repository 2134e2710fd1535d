"""A dataset folder to review."""

import pytest

from builders.dataset import write_folder
from builders.review.originals import write_originals
from csc_tasks.conversation import Turn
from tests.support.reviews import CARD, HARD, PLAIN


@pytest.fixture
def dataset(tmp_path):
    """dataset(conversations, ...) writes a folder, with the originals of the first two beside
    it.
    """

    def write(conversations=(*PLAIN, *HARD), originals=2):
        out = tmp_path / "set"
        rows = {"csconv": {"test": [one.to_row() for one in conversations]}}
        write_folder(
            out,
            rows,
            CARD,
            {"builder": "test", "settings": {}, "counts": {"made": len(conversations)}},
            {},
        )
        if originals:
            recorded = (
                Turn("customer", "=raw, my number is 12"),
                Turn("supporter", "Noted. </script>"),
            )
            write_originals(
                out,
                {
                    one.conversation_id: (f"src{i}", recorded)
                    for i, one in enumerate(conversations[:originals])
                },
            )
        return out

    return write
