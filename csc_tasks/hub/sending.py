"""One commit that brings a repository to hold a publication's files, or none; and reading back."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from csc_tasks.errors import HubError, SettingError
from csc_tasks.hub.errors import HINTS, again_text, one_line
from csc_tasks.hub.publication import Publication, Published, changes_to, held_files, page_of
from csc_tasks.refusals import retry_after

if TYPE_CHECKING:
    from huggingface_hub import CommitInfo, DatasetInfo, HfApi, KernelInfo, ModelInfo, SpaceInfo

# What the Hub puts into a new repository itself.
ADDED_BY_THE_HUB = frozenset({".gitattributes", ".gitignore", "README.md", "LICENSE"})
# How often a commit is tried while the Hub is busy and says for how long, and the longest such
# wait in seconds.
TRIES, LONGEST_WAIT = 5, 600


def publish(
    publication: Publication,
    again: str,
    say: Callable[[str], None] = print,
    sleep: Callable[[float], None] = time.sleep,
) -> Published:
    """Bring the repository to hold exactly these files, by one commit or none; create it where it
    is absent. A commit that a busy Hub puts off (429 or 503 with Retry-After) is tried again then.

    again: the command that tries the same once more, for error texts. Raises HubError, and
    SettingError for a wish that cannot be met as it stands (a tag that names another commit, a
    public repository where a private one was asked for).
    """
    from huggingface_hub import HfApi

    api = HfApi()
    where = f"{publication.repo_type} {publication.repo_id}"
    with one_line(where, again):
        created = _create_where_absent(api, publication, say)
        done = _bring(api, publication, created, say, sleep)
        if done is None:
            say(f"{where} was changed meanwhile; comparing again")
            done = _bring(api, publication, created, say, sleep)
        if done is None:
            raise HubError(
                again_text(where, f"412: {HINTS[412]}, and did so twice in a row", again)
            )
    if publication.tag is not None:
        with one_line(
            f"{where} holds the files (commit {done.commit}), but the tag {publication.tag} is"
            " missing",
            again,
        ):
            _tag(api, publication, publication.tag, done.commit, say)
    return done


def _bring(
    api: "HfApi",
    publication: Publication,
    created: bool,
    say: Callable[[str], None],
    sleep: Callable[[float], None],
) -> Published | None:
    """Compare the repository with the publication and commit what differs; None when somebody else
    changed it in between.
    """
    where = f"{publication.repo_type} {publication.repo_id}"
    info = api.repo_info(publication.repo_id, repo_type=publication.repo_type)
    _check_visibility(publication, info)
    assert info.sha is not None, "the newest state of a repository is a commit"
    held = held_files(api, publication, info.sha)
    changes = changes_to(publication, held)
    _check_owner(publication, held)
    _check_tag(api, publication, info.sha if not changes else None)
    if not changes:
        say(f"nothing has changed: {where} holds these files already (commit {info.sha})")
        return Published(info.sha, page_of(publication, info.sha), False, created)
    number = _open_request(api, publication) if publication.pull_request else None
    if number:
        url = f"{page_of(publication)}/discussions/{number}"
        say(f"nothing has changed: pull request {url} holds these files already")
        return Published(info.sha, url, False, created)
    say(f"{where} ({'private' if info.private else 'public'}) is at commit {info.sha}; to be sent:")
    for path, what in changes.items():
        say(f"  {what:<9} {path}")
    commit = _patiently(partial(_commit, api, publication, changes, info.sha), say, sleep)
    if commit is None:
        return None
    url = commit.pr_url or page_of(publication, commit.oid)
    _check_arrived(api, publication, commit.oid)
    say(f"{'opened pull request' if commit.pr_url else 'published'} {url}")
    return Published(commit.oid, url, True, created)


def _create_where_absent(
    api: "HfApi", publication: Publication, say: Callable[[str], None]
) -> bool:
    name, kind = publication.repo_id, publication.repo_type
    if api.repo_exists(name, repo_type=kind):
        return False
    if publication.pull_request:
        raise SettingError(
            f"{kind} {name} does not exist (or the token may not see it); a pull request needs a"
            " repository: leave out --pr"
        )
    api.create_repo(
        name,
        repo_type=kind,
        private=publication.private,
        exist_ok=True,
        space_sdk="static" if kind == "space" else None,
    )
    say(f"created {kind} {name} ({'private' if publication.private else 'public'})")
    return True


def _check_visibility(
    publication: Publication, info: "ModelInfo | DatasetInfo | SpaceInfo | KernelInfo"
) -> None:
    if publication.private and not info.private:
        name = f"{publication.repo_type} {publication.repo_id}"
        raise SettingError(
            f"{name} is public and --private was asked for: make it private in its settings first,"
            " or leave out --private"
        )


def _check_owner(publication: Publication, held: Mapping[str, str]) -> None:
    strangers = sorted(held.keys() - ADDED_BY_THE_HUB)
    if (
        publication.marker
        and publication.marker not in held
        and strangers
        and not publication.pull_request
    ):
        named = ", ".join(strangers[:3]) + (
            f" and {len(strangers) - 3} more" if len(strangers) > 3 else ""
        )
        name = f"{publication.repo_type} {publication.repo_id}"
        raise SettingError(
            f"{name} holds other files ({named}) and no {publication.marker}; take a new name, or"
            " propose it with --pr"
        )


def _check_tag(api: "HfApi", publication: Publication, unchanged: str | None) -> None:
    """Before anything is sent: the tag must be free, or name the commit that already holds
    everything.
    """
    if publication.tag is None:
        return
    refs = api.list_repo_refs(publication.repo_id, repo_type=publication.repo_type)
    there = next((tag.target_commit for tag in refs.tags if tag.name == publication.tag), None)
    if there is not None and there != unchanged:
        raise SettingError(
            f"tag {publication.tag} of {publication.repo_id} is commit {there[:12]} already,"
            " another state; take a new tag"
        )


def _open_request(api: "HfApi", publication: Publication) -> int | None:
    """The number of an open pull request that holds these files already."""
    listed = api.get_repo_discussions(
        publication.repo_id,
        repo_type=publication.repo_type,
        discussion_type="pull_request",
        discussion_status="open",
    )
    numbers = [discussion.num for discussion in listed]
    for number in numbers:
        if not changes_to(publication, held_files(api, publication, f"refs/pr/{number}")):
            return number
    return None


def _commit(
    api: "HfApi", publication: Publication, changes: Mapping[str, str], parent: str
) -> "CommitInfo | None":
    """The commit that was made, or None when the repository has moved on since `parent`."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete
    from huggingface_hub.errors import HfHubHTTPError

    operations = [
        (
            CommitOperationDelete(path)
            if what == "deleted"
            else CommitOperationAdd(path, publication.files[path])
        )
        for path, what in sorted(changes.items())
    ]
    try:
        return api.create_commit(
            publication.repo_id,
            operations,
            commit_message=publication.message,
            repo_type=publication.repo_type,
            parent_commit=parent,
            create_pr=publication.pull_request,
        )
    except HfHubHTTPError as error:
        if error.response.status_code == 412:
            return None
        raise


def _patiently(
    commit: Callable[[], "CommitInfo | None"],
    say: Callable[[str], None],
    sleep: Callable[[float], None],
) -> "CommitInfo | None":
    """What `commit` returns, called again for as long as the Hub says how long to wait. Had a put
    off commit arrived after all, the next try would meet a newer parent and make no second one.
    """
    from huggingface_hub.errors import HfHubHTTPError

    for _ in range(TRIES - 1):
        try:
            return commit()
        except HfHubHTTPError as error:
            status = error.response.status_code
            seconds = retry_after(error.response.headers) if status in (429, 503) else None
            if seconds is None or seconds > LONGEST_WAIT:
                raise
            say(f"the Hub is busy ({status}); trying the commit again in {seconds:,.0f} s")
        sleep(seconds)
    return commit()


def _check_arrived(api: "HfApi", publication: Publication, commit: str) -> None:
    """A .gitignore in the repository makes the client leave files out without a word."""
    left_out = changes_to(publication, held_files(api, publication, commit))
    if left_out:
        named = ", ".join(left_out)
        raise HubError(
            f"commit {commit[:12]} of {publication.repo_id} is without {named}; does a .gitignore"
            " there leave it out?"
        )


def _tag(
    api: "HfApi", publication: Publication, tag: str, commit: str, say: Callable[[str], None]
) -> None:
    refs = api.list_repo_refs(publication.repo_id, repo_type=publication.repo_type)
    if not any(ref.name == tag for ref in refs.tags):
        api.create_tag(
            publication.repo_id,
            tag=tag,
            revision=commit,
            repo_type=publication.repo_type,
        )
    say(f"tag {tag} is commit {commit}")


def read(repo_id: str, path: str, repo_type: str, again: str) -> bytes | None:
    """The newest state of one file of a repository; None where the repository is without it. Raises
    HubError.

    again: as for `publish`.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import EntryNotFoundError

    with one_line(f"{repo_type} {repo_id}", again):
        try:
            return Path(HfApi().hf_hub_download(repo_id, path, repo_type=repo_type)).read_bytes()
        except EntryNotFoundError:
            return None


def exists(repo_id: str, repo_type: str, again: str) -> bool:
    """Whether there is such a repository and the token may see it. Raises HubError where that
    cannot be found out.
    """
    from huggingface_hub import HfApi

    with one_line(f"{repo_type} {repo_id}", again):
        return HfApi().repo_exists(repo_id, repo_type=repo_type)
