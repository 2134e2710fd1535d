"""A request as the journal knows it: its key, and what its row says of it."""

from collections.abc import Mapping

from csc_tasks.errors import DataError
from csc_tasks.llm.backends import Backend
from csc_tasks.llm.exchange import Request
from csc_tasks.llm.journal.journal import Identity, Row
from csc_tasks.llm.journal.rows import canonical, request_key


def journal_row(backend: Backend, request: Request, parts: Mapping[str, object]) -> tuple[str, Row]:
    """The key and the row of a request; `parts` are what goes to the server. Raises DataError."""
    identity: Identity = {
        "kind": request.kind,
        "backend": backend.name,
        "model": backend.model,
        "item_id": request.item_id,
        "repeat": request.repeat,
        "attempt": request.attempt,
    }
    try:
        key = request_key(**identity, **parts)
        text = canonical(parts)
    except (UnicodeEncodeError, ValueError, TypeError) as error:
        raise DataError(
            f"{request.stage} {request.item_id}: the request cannot be written as JSON ({error})"
        ) from None
    return key, {
        **identity,
        "stage": request.stage,
        "base_url": backend.base_url,
        "request": backend.clean(text),
    }
