"""A folder -> one commit on the Hub.

`Publication` says what goes where, `publish` sends it: files that the repository already holds are
left out, and when nothing is left there is no commit. What the files mean is the caller's business.
The token is the one that huggingface_hub finds (HF_TOKEN or
`hf auth login`), the server the one that HF_ENDPOINT names; neither a token nor a password in that
address is ever printed.
"""

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from csc_tasks.errors import CscError, HubError, SettingError
from csc_tasks.refusals import retry_after

# What the Hub puts into a new repository itself.
ADDED_BY_THE_HUB = frozenset({".gitattributes", ".gitignore", "README.md", "LICENSE"})
# How often a commit is tried while the Hub is busy and says for how long, and the longest such
# wait in seconds.
TRIES, LONGEST_WAIT = 5, 600

_HINTS = {
    401: "log in with `hf auth login` or set HF_TOKEN",
    403: "the token needs write access to this repository or its organisation",
    404: "check the name; a private repository needs a token that may read it",
    412: "somebody else publishes there at this moment",
    429: "too many requests; wait a few minutes",
}


@dataclass(frozen=True, slots=True)
class Publication:
    """What one commit is to bring about. `files` maps paths in the repository to local files.

    passengers: paths that are sent along with other changes but are no reason for a commit (they
    differ between identical builds).
    stale: an expression; a file of the repository whose whole path it matches and that is not in
    `files` is deleted.
    marker: a repository that holds data but not this path was made by somebody else and is only
    changed by a pull request.
    """

    repo_id: str
    files: Mapping[str, Path]
    message: str
    repo_type: str = "dataset"
    private: bool = False
    pull_request: bool = False
    tag: str | None = None
    passengers: frozenset[str] = frozenset()
    stale: str = ""
    marker: str | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", self.repo_id, re.ASCII):
            raise SettingError(
                f"{self.repo_id!r} is not the name of a repository; it looks like ORG/NAME"
            )
        if self.tag is not None and not re.fullmatch(r"[A-Za-z0-9][\w.-]*", self.tag, re.ASCII):
            raise SettingError(
                f"{self.tag!r} cannot be a tag; letters, digits, '.', '-' and '_' can, as in v1.0"
            )
        if self.tag is not None and self.pull_request:
            raise SettingError(
                "a pull request is not tagged: publish with --pr, and tag what was merged by"
                " publishing again with --tag"
            )

    def lines(self) -> list[str]:
        """What would be sent, where to, and who could read it, as text."""
        width = max(map(len, self.files))
        sizes = {path: file.stat().st_size for path, file in self.files.items()}
        how = "a pull request" if self.pull_request else "one commit to main"
        wishes = [how, *([f"tag {self.tag}"] if self.tag else [])]
        visibility = "private" if self.private else "public, if it is created now"
        listed = [
            f"{self.repo_type} {self.repo_id} ({visibility}) at {endpoint()}: {', '.join(wishes)}"
        ]
        for path, size in sizes.items():
            note = "  goes along with other changes only" if path in self.passengers else ""
            listed.append(f"  {path:<{width}}  {readable_size(size):>9}{note}")
        return [*listed, f"  {len(sizes)} files, {readable_size(sum(sizes.values()))}"]


@dataclass(frozen=True, slots=True)
class Published:
    """What happened: the commit that now holds the files, whether it is new, and where to look at
    it.
    """

    commit: str
    url: str
    new: bool
    created: bool
    changed: tuple[str, ...] = field(default=())


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
    with _one_line(where, again):
        created = _create_where_absent(api, publication, say)
        for attempt in (1, 2):
            info = api.repo_info(publication.repo_id, repo_type=publication.repo_type)
            _check_visibility(publication, info)
            held = _held(api, publication, info.sha)
            changes = _changes(publication, held)
            _check_owner(publication, held)
            _check_tag(api, publication, info.sha if not changes else None)
            if not changes:
                say(f"nothing has changed: {where} holds these files already (commit {info.sha})")
                done = Published(info.sha, _page(publication, info.sha), False, created)
                break
            if publication.pull_request and (number := _open_request(api, publication)):
                url = f"{_page(publication)}/discussions/{number}"
                say(f"nothing has changed: pull request {url} holds these files already")
                return Published(info.sha, url, False, created)
            say(
                f"{where} ({'private' if info.private else 'public'}) is at commit {info.sha}; to"
                " be sent:"
            )
            for path, what in changes.items():
                say(f"  {what:<9} {path}")
            commit = _patiently(
                lambda changes=changes, parent=info.sha: _commit(api, publication, changes, parent),
                say,
                sleep,
            )
            if commit is not None:
                url = commit.pr_url or _page(publication, commit.oid)
                _check_arrived(api, publication, commit.oid)
                say(f"{'opened pull request' if commit.pr_url else 'published'} {url}")
                done = Published(commit.oid, url, True, created, tuple(changes))
                break
            if attempt == 2:
                raise HubError(
                    _text(where, f"412: {_HINTS[412]}, and did so twice in a row", again)
                )
            say(f"{where} was changed meanwhile; comparing again")
    if publication.tag:
        with _one_line(
            f"{where} holds the files (commit {done.commit}), but the tag {publication.tag} is"
            " missing",
            again,
        ):
            _tag(api, publication, done.commit, say)
    return done


def read(repo_id: str, path: str, repo_type: str, again: str) -> bytes | None:
    """The newest state of one file of a repository; None where the repository is without it. Raises
    HubError.

    again: as for `publish`.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import EntryNotFoundError

    with _one_line(f"{repo_type} {repo_id}", again):
        try:
            return Path(HfApi().hf_hub_download(repo_id, path, repo_type=repo_type)).read_bytes()
        except EntryNotFoundError:
            return None


def exists(repo_id: str, repo_type: str, again: str) -> bool:
    """Whether there is such a repository and the token may see it. Raises HubError where that
    cannot be found out.
    """
    from huggingface_hub import HfApi

    with _one_line(f"{repo_type} {repo_id}", again):
        return HfApi().repo_exists(repo_id, repo_type=repo_type)


def endpoint() -> str:
    """The address of the Hub, without a user or password."""
    from huggingface_hub import constants

    return _without_secrets(constants.ENDPOINT)


def readable_size(size: int) -> str:
    """Bytes in the units people use: `512 B`, `4.1 kB`, `1.2 MB`."""
    if size < 1_000:
        return f"{size} B"
    unit, shown = next(
        ((u, size / d) for u, d in (("kB", 1e3), ("MB", 1e6)) if size / d < 999.95),
        ("GB", size / 1e9),
    )
    return f"{shown:.1f} {unit}"


def _create_where_absent(api, publication: Publication, say: Callable[[str], None]) -> bool:
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


def _check_visibility(publication: Publication, info) -> None:
    if publication.private and not info.private:
        name = f"{publication.repo_type} {publication.repo_id}"
        raise SettingError(
            f"{name} is public and --private was asked for: make it private in its settings first,"
            " or leave out --private"
        )


def _held(api, publication: Publication, revision: str) -> dict[str, str]:
    """Path -> hash of what the repository holds: sha256 of an LFS file, git's blob id of any
    other.
    """
    entries = api.list_repo_tree(
        publication.repo_id, recursive=True, revision=revision, repo_type=publication.repo_type
    )
    return {
        entry.path: entry.lfs.sha256 if entry.lfs else entry.blob_id
        for entry in entries
        if hasattr(entry, "blob_id")
    }


def _changes(publication: Publication, held: Mapping[str, str]) -> dict[str, str]:
    """Path -> new, changed or deleted; empty when only passengers differ."""
    found = {
        path: "changed" if path in held else "new"
        for path, file in publication.files.items()
        if held.get(path) not in _hashes(file)
    }
    gone = [
        path
        for path in held
        if path not in publication.files and re.fullmatch(publication.stale, path)
    ]
    found |= dict.fromkeys(gone, "deleted")
    return found if found.keys() - publication.passengers else {}


def _hashes(file: Path) -> tuple[str, str]:
    """A local file's sha256 and git blob id: which of the two the Hub shows depends on how it
    stores the file.
    """
    sha256, blob = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % file.stat().st_size)
    with file.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            sha256.update(chunk)
            blob.update(chunk)
    return sha256.hexdigest(), blob.hexdigest()


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


def _check_tag(api, publication: Publication, unchanged: str | None) -> None:
    """Before anything is sent: the tag must be free, or name the commit that already holds
    everything.
    """
    if publication.tag is None:
        return
    refs = api.list_repo_refs(publication.repo_id, repo_type=publication.repo_type)
    there = next((tag.target_commit for tag in refs.tags if tag.name == publication.tag), None)
    if there not in (None, unchanged):
        raise SettingError(
            f"tag {publication.tag} of {publication.repo_id} is commit {there[:12]} already,"
            " another state; take a new tag"
        )


def _open_request(api, publication: Publication) -> int | None:
    """The number of an open pull request that holds these files already."""
    listed = api.get_repo_discussions(
        publication.repo_id,
        repo_type=publication.repo_type,
        discussion_type="pull_request",
        discussion_status="open",
    )
    numbers = [discussion.num for discussion in listed]
    return next(
        (n for n in numbers if not _changes(publication, _held(api, publication, f"refs/pr/{n}"))),
        None,
    )


def _commit(api, publication: Publication, changes: Mapping[str, str], parent: str):
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


def _patiently(commit: Callable, say: Callable[[str], None], sleep: Callable[[float], None]):
    """What `commit` returns, called again for as long as the Hub says how long to wait. Had a put
    off commit arrived after all, the next try would meet a newer parent and make no second one.
    """
    from huggingface_hub.errors import HfHubHTTPError

    for attempt in range(1, TRIES + 1):
        try:
            return commit()
        except HfHubHTTPError as error:
            status = error.response.status_code
            seconds = retry_after(error.response.headers) if status in (429, 503) else None
            if seconds is None or seconds > LONGEST_WAIT or attempt == TRIES:
                raise
            say(f"the Hub is busy ({status}); trying the commit again in {seconds:,.0f} s")
        sleep(seconds)


def _check_arrived(api, publication: Publication, commit: str) -> None:
    """A .gitignore in the repository makes the client leave files out without a word."""
    if left_out := _changes(publication, _held(api, publication, commit)):
        named = ", ".join(left_out)
        raise HubError(
            f"commit {commit[:12]} of {publication.repo_id} is without {named}; does a .gitignore"
            " there leave it out?"
        )


def _tag(api, publication: Publication, commit: str, say: Callable[[str], None]) -> None:
    refs = api.list_repo_refs(publication.repo_id, repo_type=publication.repo_type)
    if not any(tag.name == publication.tag for tag in refs.tags):
        api.create_tag(
            publication.repo_id,
            tag=publication.tag,
            revision=commit,
            repo_type=publication.repo_type,
        )
    say(f"tag {publication.tag} is commit {commit}")


def page(repo_id: str, repo_type: str) -> str:
    """The address at which a browser shows a repository."""
    return f"{endpoint()}/{'' if repo_type == 'model' else f'{repo_type}s/'}{repo_id}"


def _page(publication: Publication, commit: str = "") -> str:
    return page(publication.repo_id, publication.repo_type) + (
        f"/commit/{commit}" if commit else ""
    )


@contextmanager
def _one_line(where: str, again: str) -> Iterator[None]:
    """Whatever the Hub or the way to it throws becomes one HubError in one line."""
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    # Which class says that there is no connection depends on the HTTP library below
    # huggingface_hub.
    transport = tuple(base for base in HfHubHTTPError.__mro__ if base.__name__ == "HTTPError")
    try:
        yield
    except CscError:
        raise
    except (OSError, ValueError, RuntimeError, *transport) as error:
        # The LFS client wraps what went wrong; the innermost cause says it.
        cause: BaseException = error
        while cause.__cause__ is not None and not isinstance(cause, HfHubHTTPError):
            cause = cause.__cause__
        if isinstance(cause, HfHubHTTPError):
            status = cause.response.status_code
            answer = (cause.server_message or cause.response.reason_phrase).rstrip(".")
            what = f"the Hub answered {status}: {answer}" + (
                f"; {_HINTS[status]}" if status in _HINTS else ""
            )
        elif isinstance(error, OfflineModeIsEnabled):
            what = "HF_HUB_OFFLINE forbids every connection; unset it"
        elif isinstance(error, transport):
            what = f"{endpoint()} cannot be reached ({error or type(error).__name__})"
        elif isinstance(error, UnicodeError):
            what = "the token holds characters that no token has; set HF_TOKEN again"
        else:
            what = f"{type(error).__name__}: {error}"
        raise HubError(_text(where, what, again)) from None


def _text(where: str, what: str, again: str) -> str:
    short = " ".join(_without_secrets(what).split())
    return f"{where}: {short[:400]}; every file is still here. To try again: {again}"


def _without_secrets(text: str) -> str:
    """`text` without the token in use, anything that looks like one, and a password in an
    address.
    """
    from huggingface_hub import get_token

    if token := get_token():
        text = text.replace(token, "***")
    text = re.sub(r"\bhf_[A-Za-z0-9]{8,}", "***", text)
    return re.sub(r"(?<=://)[^/@\s]+@", "***@", text)
