"""What a journal's requests add up to: counts, tokens and seconds of every stage and model."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Rows = list[tuple[Any, ...]]  # what SQLite gives has no types of Python's


@dataclass(frozen=True, slots=True)
class Totals:
    """What a journal says of one stage and model. Tokens are those the server counted; `uncounted`
    replies came without a count. The `given_up` are among the `failed`.

    `asked` are the questions, each of one request or more: a reply is used if it is well-formed
    `at_first`, or `repaired` by a later attempt that was told what was wrong.
    """

    stage: str
    backend: str
    model: str
    items: int
    rows: int
    tries: int
    done: int
    failed: int
    sent: int
    malformed: int
    refused: int
    given_up: int
    uncounted: int
    input_tokens: int
    output_tokens: int
    thinking_tokens: int
    seconds: float
    asked: int
    at_first: int
    repaired: int


def totals_of(fetch: Callable[[str], Rows]) -> list[Totals]:
    query = """
        SELECT stage, backend, model, count(DISTINCT item_id), count(*), sum(tries),
            sum(state = 'done'), sum(state = 'failed'), sum(state = 'sent'),
            sum(outcome IS 'malformed'), sum(outcome IS 'refused'),
            sum(state = 'failed' AND outcome IS NOT NULL),
            sum(state = 'done' AND (input_tokens IS NULL OR output_tokens IS NULL)),
            coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0),
            coalesce(sum(thinking_tokens), 0),
            coalesce(sum(CASE state WHEN 'done' THEN ended - last_sent END), 0.0),
            sum(attempt = 0), sum(attempt = 0 AND outcome IS 'ok'),
            sum(attempt > 0 AND outcome IS 'ok')
        FROM requests GROUP BY stage, backend, model ORDER BY min(rowid)"""
    return [Totals(*row) for row in fetch(query)]
