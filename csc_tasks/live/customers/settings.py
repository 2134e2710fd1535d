"""Which customer a run plays with, and how it is asked."""

from dataclasses import dataclass

from csc_tasks.errors import SettingError
from csc_tasks.live.customers.customer import RECORDED, SAME, SCRIPTED

OPENAI = "openai:"
JOURNAL = "csc_customer.journal.sqlite"


@dataclass(frozen=True, slots=True)
class CustomerSettings:
    """customer: `recorded`, `scripted`, `same` (the server of the evaluated model) or
    `openai:MODEL`. url: the server of the last, with its /v1. journal: where its requests are
    recorded. price: "IN,OUT" for a million tokens. The rest bounds and steers what is asked.
    """

    customer: str = RECORDED
    url: str | None = None
    journal: str = JOURNAL
    temperature: float = 0.7
    seed: int = 0
    max_requests: int | None = None
    max_cost: float | None = None
    price: str | None = None

    @property
    def model(self) -> bool:
        """Whether a model plays the customer."""
        return self.customer not in (RECORDED, SCRIPTED)


def check_customer(name: str) -> None:
    """Raise SettingError for a customer that there is not."""
    if name in (RECORDED, SCRIPTED, SAME) or (name.startswith(OPENAI) and name != OPENAI):
        return
    raise SettingError(
        f"csc_customer={name!r}: choose {RECORDED}, {SCRIPTED}, {SAME} (the server of the evaluated"
        f" model) or {OPENAI}MODEL (any OpenAI-compatible server: csc_customer_url)"
    )
