"""huggingface_hub: run with 1.31.0 and 2.4.0."""

from pathlib import Path


def fetched_before(name: str, kind: str, revision: str | None) -> Path | None:
    """The folder of the local cache with what was fetched of a Hub repository; it is named after
    the commit. None without one.

    Of a data set only one split of several may ever have been fetched: newer versions call such a
    snapshot incomplete and raise, with the folder in the error. Raises HFValidationError for what
    cannot be a Hub id.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(
            snapshot_download(name, repo_type=kind, revision=revision, local_files_only=True)
        )
    except LocalEntryNotFoundError as error:
        partial = getattr(error, "snapshot_path", None)
        return Path(partial) if partial else None


def transport_errors() -> tuple[type[Exception], ...]:
    """The class of what the HTTP library below raises where there is no answer. What the Hub
    answers (HfHubHTTPError) is of it too, to be caught before.
    """
    from huggingface_hub.errors import HfHubHTTPError

    return tuple(
        base
        for base in HfHubHTTPError.__mro__
        if base.__name__ == "HTTPError" and issubclass(base, Exception)
    )


def no_connection() -> tuple[type[Exception], ...]:
    """The same and whatever else says that the Hub was not reached, HF_HUB_OFFLINE among it."""
    from huggingface_hub.errors import OfflineModeIsEnabled

    return (OfflineModeIsEnabled, OSError, *transport_errors())
