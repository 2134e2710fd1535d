"""Whatever the Hub or the way to it throws, as one HubError in one line."""

from collections.abc import Iterator
from contextlib import contextmanager

from csc_tasks.compat.huggingface_hub import transport_errors
from csc_tasks.errors import CscError, HubError
from csc_tasks.hub.address import endpoint, without_secrets

HINTS = {
    401: "log in with `hf auth login` or set HF_TOKEN",
    403: "the token needs write access to this repository or its organisation",
    404: "check the name; a private repository needs a token that may read it",
    412: "somebody else publishes there at this moment",
    429: "too many requests; wait a few minutes",
}


@contextmanager
def one_line(where: str, again: str) -> Iterator[None]:
    """Whatever the Hub or the way to it throws becomes one HubError in one line."""
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    transport = transport_errors()
    expected: tuple[type[Exception], ...] = (OSError, ValueError, RuntimeError, *transport)
    try:
        yield
    except CscError:
        raise
    except expected as error:
        # The LFS client wraps what went wrong; the innermost cause says it.
        cause: BaseException = error
        while cause.__cause__ is not None and not isinstance(cause, HfHubHTTPError):
            cause = cause.__cause__
        if isinstance(cause, HfHubHTTPError):
            status = cause.response.status_code
            answer = (cause.server_message or cause.response.reason_phrase).rstrip(".")
            what = f"the Hub answered {status}: {answer}" + (
                f"; {HINTS[status]}" if status in HINTS else ""
            )
        elif isinstance(error, OfflineModeIsEnabled):
            what = "HF_HUB_OFFLINE forbids every connection; unset it"
        elif isinstance(error, transport):
            what = f"{endpoint()} cannot be reached ({error or type(error).__name__})"
        elif isinstance(error, UnicodeError):
            what = "the token holds characters that no token has; set HF_TOKEN again"
        else:
            what = f"{type(error).__name__}: {error}"
        raise HubError(again_text(where, what, again)) from None


def again_text(where: str, what: str, again: str) -> str:
    """An error of one line: where, what the Hub said without secrets, and how to try again."""
    short = " ".join(without_secrets(what).split())
    return f"{where}: {short[:400]}; every file is still here. To try again: {again}"
