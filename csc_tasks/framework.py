"""The customer-support framework: twelve strategies, five stages, eight topics, as ids and numbers.

The only table of its kind. Prompts, reply reading, metrics, dataset cards and statistics all read
it; what strategies, stages and topics are called is a matter of the language
(`csc_tasks.languages`).
Source: Tables 1 and 2 of arXiv 2508.04423; the numbers are the published Chinese numbering.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stage:
    """One of the five stages a support conversation moves through."""

    id: str


@dataclass(frozen=True, slots=True)
class Strategy:
    """One of the twelve support strategies.

    `stages` are the ids of the stages the strategy belongs to (Table 2); "Others" belongs to none.
    """

    number: int
    id: str
    stages: tuple[str, ...]


STAGES = (
    Stage("Connecting"),
    Stage("Identifying"),
    Stage("Exploring"),
    Stage("Resolving"),
    Stage("Maintaining"),
)

STRATEGIES = (
    Strategy(1, "GT", ("Connecting",)),
    Strategy(2, "IV", ("Connecting",)),
    Strategy(3, "RP", ("Identifying",)),
    Strategy(4, "PR", ("Identifying", "Exploring")),
    Strategy(5, "EM", ("Identifying", "Exploring", "Resolving", "Maintaining")),
    Strategy(6, "PS", ("Exploring", "Resolving")),
    Strategy(7, "ID", ("Exploring", "Resolving")),
    Strategy(8, "RI", ("Resolving",)),
    Strategy(9, "FR", ("Resolving", "Maintaining")),
    Strategy(10, "RC", ("Maintaining",)),
    Strategy(11, "AC", ("Maintaining",)),
    Strategy(12, "Others", ()),
)

TOPICS = (
    "Account and Transaction Management",
    "Product Consultation",
    "Technical Support and Online Services",
    "Complaints and Dispute Resolution",
    "Marketing and Promotion Activities",
    "Risk Management and Security",
    "Financial Consulting and Planning",
    "Others",
)
"""The ids of the eight topics of CSConv (Table 4 of the paper): their English names."""

BY_ID = {strategy.id: strategy for strategy in STRATEGIES}
BY_NUMBER = {strategy.number: strategy for strategy in STRATEGIES}
STRATEGY_IDS = tuple(BY_ID)


def likeliest(values: Sequence[float]) -> str:
    """The id of the strategy with the highest of twelve values, which are in the table's order; of
    equal ones the first.
    """
    return STRATEGY_IDS[max(range(len(STRATEGY_IDS)), key=values.__getitem__)]
