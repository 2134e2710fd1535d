"""Part i of n of a build: which items it asks about.

An item belongs to a part by the hash of its name alone, so any n divides the work evenly and the
same item is always in the same part. A build with a part looks at all items and goes the same way
as one without; only requests that no journal has answered and that belong to another part are not
sent (`Elsewhere`).
"""

from dataclasses import dataclass

from csc_tasks.draws import RANGE, draw
from csc_tasks.errors import SettingError
from csc_tasks.llm.outcomes import Dropped


@dataclass(frozen=True, slots=True)
class Shard:
    """Part `number` (1 to `count`) of a build; number 0 owns nothing and only reads what the others
    have asked.
    """

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """`3/8`; raises SettingError for anything else."""
        number, slash, count = text.partition("/")
        if not (slash and number.isdecimal() and count.isdecimal() and int(count) >= 1):
            raise SettingError(f"--shard {text}: it is I/N, as in 3/8")
        if int(number) > int(count):
            raise SettingError(f"--shard {text}: the parts are 1/{count} to {count}/{count}")
        return cls(int(number), int(count))

    def owns(self, item_id: str) -> bool:
        """Whether a request about this item is sent; `conversation/3` goes with its
        conversation.
        """
        place = draw(f"shard {item_id.partition('/')[0]}") * self.count // RANGE
        return place + 1 == self.number

    @property
    def joins(self) -> bool:
        """Whether this is the one that puts the parts together."""
        return self.number == 0

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


class Elsewhere(Dropped):
    """A request that another part sends."""

    def __init__(self, stage: str, item_id: str) -> None:
        super().__init__("belongs to another part", f"{stage}, {item_id}")
