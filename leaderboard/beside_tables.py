"""What board.json holds beside its tables: contrasts of two runs, and what turns took."""

from pydantic import Field

from leaderboard.value import Strict, Value


class ContrastSide(Strict):
    """One of the two runs of a contrast: the slug of its row, its task, and what it has of the
    condition in which the two differ ("Oracle", "Predict").
    """

    model: str
    task: str
    level: str


class ContrastNumber(Strict):
    """One result that both runs of a contrast have, by its result name, on the conversations that
    they share with the same turns.

    first, second: the values there. difference: first minus second, with its paired interval. p:
    as of a Comparison; p_holm: corrected over all contrasts of the family in this result. alone:
    conversations with this result that only the first, and only the second has.
    """

    metric: str
    first: float | None
    second: float | None
    difference: Value
    p: float | None
    p_holm: float | None
    alone: tuple[int, int]


class Contrast(Strict):
    """Two runs of one model that differ in one condition (csc_tasks/runs/contrasts.py).

    family, title: which condition. tables: ids of those in which both runs stand. within: what the
    tables of both have been split by, in words ("corpus: demo"). skipped: result name -> why it is
    not contrasted, of those that both have.
    """

    family: str
    title: str
    first: ContrastSide
    second: ContrastSide
    tables: tuple[str, ...]
    within: str
    numbers: tuple[ContrastNumber, ...]
    skipped: dict[str, str] = Field(default_factory=dict)


class Efficiency(Strict):
    """What one model's turns in one task took. Backends told it when they were asked, so it is
    claimed, whatever its row's trust.

    table: id of a table in which its row stands. turns: how many have a timing. measured: how many
    of them took a "request" of their own (what a caller waits for), a place in a "batch" (no
    user's latency), came from a "cache" (nothing fresh), or are "untold". connections: how many
    requests were under way at once, at most. price: IN,OUT per million tokens, "" for none. runs:
    how many the turns are of; totals are of one.

    numbers: `field/statistic`. Fields: first_token_s, last_token_s (of requests alone),
    batch_first_token_s, batch_last_token_s, tokens_in, tokens_out, cost; statistics: median, p95,
    and of tokens and cost total, and conversation (the mean of a conversation's total).
    """

    model: str
    task: str
    table: str
    turns: int
    measured: dict[str, int]
    connections: int | None = None
    price: str = ""
    runs: int = 1
    numbers: dict[str, Value]

    def value(self, name: str) -> float | None:
        """A number, None where there is none."""
        found = self.numbers.get(name)
        return None if found is None else found.value
