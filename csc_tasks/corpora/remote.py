"""One split of a dataset on the Hub, fetched or found in the local cache."""

from pathlib import Path

from csc_tasks.compat.huggingface_hub import fetched_before, no_connection
from csc_tasks.corpora.files import one_set, relative_files
from csc_tasks.errors import DataError


def from_hub(name: str, config: str, split: str, revision: str | None) -> tuple[Path, str]:
    """Fetch only the files of one split of a Hub dataset; returns the local folder and the resolved
    commit. Raises DataError where it cannot be had.
    """
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    repo, _, at = name.partition("@")
    revision = revision or at or None
    elsewhere = f"{name}: no such file or folder here, and"
    ways_out = (
        "give a dataset folder or file (csc_corpus, csc_qa_corpus in lm_eval), a Hub dataset id you"
        " can reach, or demo"
    )
    try:
        root = _fetched(name, repo, config, split, revision)
    except HFValidationError:
        raise DataError(f"{elsewhere} not a Hub dataset id; {ways_out}") from None
    except LocalEntryNotFoundError:
        raise DataError(
            f"{elsewhere} the Hub cannot be reached and nothing of it is in the local cache;"
            f" {ways_out}"
        ) from None
    except RevisionNotFoundError:
        raise DataError(
            f"{name}: the Hub has no revision {revision!r} of {repo}; give a commit, tag or branch"
            " of it"
        ) from None
    except RepositoryNotFoundError:
        raise DataError(
            f"{elsewhere} the Hub has no dataset {repo} that this token may read; {ways_out}"
        ) from None
    except HfHubHTTPError as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{name}: the Hub answered: {reason}; {ways_out}") from None
    return root, root.name


def _fetched(name: str, repo: str, config: str, split: str, revision: str | None) -> Path:
    """The folder with the files of the split: fetched, or without a connection what was fetched
    before. Raises what huggingface_hub raises.
    """
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        info = HfApi().dataset_info(repo, revision=revision)
    except HfHubHTTPError:
        raise
    except no_connection():
        root = fetched_before(repo, "dataset", revision)
        if root is None:
            raise LocalEntryNotFoundError(f"nothing of {repo} is in the local cache") from None
        one_set(f"{name} (offline, what was fetched before)", relative_files(root), config, split)
        return root
    listed = [sibling.rfilename for sibling in info.siblings or []]
    wanted = one_set(name, listed, config, split)
    # By the name that was asked for and not by its commit: only then is the name found again
    # offline.
    return Path(
        snapshot_download(repo, repo_type="dataset", revision=revision, allow_patterns=wanted)
    )
