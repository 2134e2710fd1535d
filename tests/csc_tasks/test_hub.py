"""Publishing files over a real socket: what becomes a commit, what does not, and what every refusal
of the Hub looks like.
"""

import hashlib
import re

import pytest

from csc_tasks.errors import CscError, SettingError
from csc_tasks.hub import (
    HubError,
    Publication,
    address,
    publication,
    publish,
    readable_size,
    sending,
)
from tests.support.hub_server import READER, WRITER, blob_id, hub_server

AGAIN = "csc push out --repo-id org/name --push"
FILES = {
    "README.md": b"---\nlicense: mit\n---\n# One\n",
    "data/a.parquet": b"PAR1 rows",
    "build.json": b"{}",
    "run.json": b"{1}",
}


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A loopback Hub that this process talks to. The library reads these once, when it is imported,
    so they are changed in its module.
    """
    from huggingface_hub import constants

    with hub_server() as running:
        monkeypatch.setattr(constants, "ENDPOINT", running.url)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
        monkeypatch.setenv("HF_TOKEN", WRITER)
        monkeypatch.setenv("NO_PROXY", "*")
        yield running


@pytest.fixture
def files(tmp_path):
    """Writes files below one folder and returns them as a publication wants them."""

    def write(contents):
        made = {}
        for name, data in contents.items():
            made[name] = tmp_path / "files" / name
            made[name].parent.mkdir(parents=True, exist_ok=True)
            made[name].write_bytes(data)
        return made

    return write


def sent(said):
    """The paths that the lines name as new, changed or deleted."""
    return sorted(line.split()[1] for line in said if line.startswith("  "))


@pytest.fixture
def send(server, files):
    """Publishes contents to org/name; returns what happened and the lines that were said."""

    def run(contents=FILES, **settings):
        sleep = settings.pop("sleep", None)
        settings = {
            "message": "Publish",
            "passengers": frozenset({"run.json"}),
            "stale": r"data/.*",
            "marker": "build.json",
        } | settings
        said = []
        clock = {"sleep": sleep} if sleep else {}
        return (
            publish(
                Publication(settings.pop("repo_id", "org/name"), files(contents), **settings),
                AGAIN,
                said.append,
                **clock,
            ),
            said,
        )

    return run


def refused(run, *args, kind=HubError, **settings):
    """The text of the error that a publication ends in: one line, without a token."""
    with pytest.raises(kind) as caught:
        run(*args, **settings)
    text = str(caught.value)
    assert "\n" not in text
    assert WRITER not in text and READER not in text and "Bearer" not in text
    return text


def test_a_new_repository_gets_every_file_in_one_commit(server, send):
    done, said = send()
    made = server.repository("org/name")
    assert {path: data for path, data in made.files().items() if path != ".gitattributes"} == FILES
    assert made.messages == ["initial commit", "Publish"]
    assert (done.commit, done.new, done.created) == (made.refs["main"], True, True)
    assert not made.private
    assert said[0] == "created dataset org/name (public)"
    assert (
        said[-1]
        == f"published {server.url}/datasets/org/name/commit/{done.commit}"
        == f"published {done.url}"
    )
    assert sent(said) == sorted(FILES)


def test_publishing_again_without_a_change_makes_no_commit_and_uploads_nothing(server, send):
    first, _ = send()
    server.requests.clear()
    again, said = send()
    assert (again.commit, again.new, again.created) == (first.commit, False, False)
    assert {method for method, _ in server.requests} == {"GET"}
    assert said == [
        f"nothing has changed: dataset org/name holds these files already (commit {first.commit})"
    ]


def test_a_passenger_alone_is_no_reason_for_a_commit_but_goes_along(server, send):
    send()
    assert not send(FILES | {"run.json": b"{2}"})[0].new
    assert server.repository("org/name").files()["run.json"] == b"{1}"
    done, said = send(FILES | {"run.json": b"{3}", "build.json": b"{9}"})
    assert done.new and sent(said) == ["build.json", "run.json"]
    assert server.repository("org/name").files()["run.json"] == b"{3}"


@pytest.mark.parametrize("path", ["data/a.parquet", "README.md"], ids=["lfs", "regular"])
def test_only_what_has_changed_is_sent(server, send, path):
    send()
    server.requests.clear()
    done, said = send(FILES | {path: FILES[path] + b"more"})
    assert done.new and sent(said) == [path]
    assert f"  changed   {path}" in said
    assert server.asked("PUT", "/large/") == (path == "data/a.parquet")
    files = server.repository("org/name").files()
    assert files[path] == FILES[path] + b"more" and len(files) == 5


def test_hashes_are_those_of_lfs_and_of_git(tmp_path):
    for data in (b"", b"text\n", b"\0" * (3 << 20)):
        (tmp_path / "file").write_bytes(data)
        assert publication.hashes(tmp_path / "file") == (
            hashlib.sha256(data).hexdigest(),
            blob_id(data),
        )
    # `printf 'text\n' | git hash-object --stdin`
    assert blob_id(b"text\n") == "8e27be7d6154a1f68ea9160ef0e18691d20560dc"


def test_a_file_that_is_no_longer_there_is_deleted_if_it_was_ours(server, send):
    send(FILES | {"data/b.parquet": b"PAR1 more"})
    server.repository("org/name").commit(
        "main", server.repository("org/name").files() | {"notes.md": b"by hand"}, "a note"
    )
    done, said = send()
    assert done.new and sent(said) == ["data/b.parquet"] and "  deleted   data/b.parquet" in said
    assert set(server.repository("org/name").files()) == {*FILES, ".gitattributes", "notes.md"}


def test_a_repository_of_somebody_else_is_not_overwritten(server, send):
    server.create("org/name", {"README.md": b"# Mine", "train.csv": b"a,b"})
    text = refused(send, kind=SettingError)
    assert (
        "dataset org/name holds other files (train.csv) and no build.json" in text
        and "--pr" in text
    )
    assert server.asked("POST", "") == 0
    assert send(pull_request=True)[0].new
    server.create("org/web", {"README.md": b"---\nlicense: mit\n---\n"})
    assert send(repo_id="org/web")[0].new, "a repository made in the browser has a README already"


def test_private_means_private(server, send):
    assert send(private=True)[1][0] == "created dataset org/name (private)"
    assert server.repository("org/name").private
    assert not send(private=True)[0].new
    assert not send()[0].new, "a private repository stays private without the option"
    assert server.repository("org/name").private
    server.create("org/open")
    assert "org/open is public and --private was asked for" in refused(
        send, kind=SettingError, repo_id="org/open", private=True
    )
    assert len(server.repository("org/open").commits) == 1


def test_a_pull_request_leaves_main_alone_and_is_opened_once(server, send):
    send()
    main = server.repository("org/name").refs["main"]
    changed = FILES | {"data/a.parquet": b"PAR1 other"}
    done, said = send(changed, pull_request=True)
    made = server.repository("org/name")
    assert made.refs["main"] == main and made.files("refs/pr/1")["data/a.parquet"] == b"PAR1 other"
    assert (
        said[-1]
        == f"opened pull request {server.url}/datasets/org/name/discussions/1"
        == f"opened pull request {done.url}"
    )
    again, said = send(changed, pull_request=True)
    assert not again.new and "refs/pr/2" not in made.refs
    assert said == [
        f"nothing has changed: pull request {server.url}/datasets/org/name/discussions/1 holds"
        " these files already"
    ]
    assert send(FILES | {"data/a.parquet": b"PAR1 third"}, pull_request=True)[0].url.endswith(
        "/discussions/2"
    )
    assert not send(pull_request=True)[0].new, "what main holds already needs no request"


def test_a_pull_request_needs_a_repository(server, send):
    assert "does not exist" in refused(send, kind=SettingError, pull_request=True)
    assert server.repositories == {}


def test_a_tag_names_the_commit_and_never_moves(server, send):
    done, said = send(tag="v1.0")
    made = server.repository("org/name")
    assert made.tags == {"v1.0": done.commit} and said[-1] == f"tag v1.0 is commit {done.commit}"
    assert not send(tag="v1.0")[0].new
    assert not send(tag="v1.1")[0].new, "a second name for the same commit"
    assert made.tags == dict.fromkeys(("v1.0", "v1.1"), done.commit)
    server.requests.clear()
    text = refused(send, FILES | {"build.json": b"{2}"}, kind=SettingError, tag="v1.0")
    assert f"tag v1.0 of org/name is commit {done.commit[:12]} already" in text
    assert {method for method, _ in server.requests} == {"GET"}, "found before anything is sent"


def test_a_tag_of_an_earlier_commit_is_refused_although_nothing_has_changed(server, send):
    """The files are there already, so no commit would be made; the tag still names other files."""
    first, _ = send(tag="v1.0")
    changed = FILES | {"build.json": b"{2}"}
    second, _ = send(changed)
    assert second.new and second.commit != first.commit
    server.requests.clear()
    text = refused(send, changed, kind=SettingError, tag="v1.0")
    assert f"tag v1.0 of org/name is commit {first.commit[:12]} already, another state" in text
    assert {method for method, _ in server.requests} == {"GET"}
    assert server.repository("org/name").tags == {"v1.0": first.commit}


def test_a_tag_that_fails_says_that_the_commit_is_there(server, send):
    server.fail("POST", "/tag/", 500)
    text = refused(send, tag="v1.0")
    commit = server.repository("org/name").refs["main"]
    assert text.startswith(
        f"dataset org/name holds the files (commit {commit}), but the tag v1.0 is missing: the Hub"
        " answered 500"
    )
    assert text.endswith(f"To try again: {AGAIN}")
    assert not send(tag="v1.0")[0].new
    assert server.repository("org/name").tags == {"v1.0": commit}


@pytest.mark.parametrize(
    "name", ["", "name", "org/name/more", "org name/x", "/name", "org/", "../x", "org/näme", "-a/b"]
)
def test_names_that_are_no_repository(files, name):
    with pytest.raises(SettingError, match="it looks like ORG/NAME"):
        Publication(name, files(FILES), "m")


def test_wishes_that_exclude_each_other(files):
    with pytest.raises(SettingError, match="cannot be a tag"):
        Publication("org/name", files(FILES), "m", tag="v 1")
    with pytest.raises(SettingError, match="a pull request is not tagged"):
        Publication("org/name", files(FILES), "m", tag="v1", pull_request=True)


# What can go wrong


def moving(server, times):
    """A stand-in for the handler's commit: before the next commits somebody else's arrives, and the
    Hub answers 412 by itself.
    """
    found, original, left = (
        server.repository("org/name"),
        server.RequestHandlerClass._commit,
        [times],
    )

    def commit(handler, repository, revision, parent, lines):
        if left[0]:
            left[0] -= 1
            parent = found.commit(
                "main", found.files() | {"notes.md": b"%d" % left[0]}, "somebody else's"
            )
        original(handler, repository, revision, parent, lines)

    return commit


def test_a_repository_that_moves_meanwhile_is_compared_again_once(server, send, monkeypatch):
    send()
    monkeypatch.setattr(server.RequestHandlerClass, "_commit", moving(server, 1))
    done, said = send(FILES | {"build.json": b"{2}"})
    made = server.repository("org/name")
    assert done.new and made.refs["main"] == done.commit
    assert made.files()["build.json"] == b"{2}" and made.files()["notes.md"] == b"0", (
        "nobody's change is lost"
    )
    assert "dataset org/name was changed meanwhile; comparing again" in said


def test_a_repository_that_keeps_moving_is_an_error(server, send, monkeypatch):
    send()
    monkeypatch.setattr(server.RequestHandlerClass, "_commit", moving(server, 2))
    text = refused(send, FILES | {"build.json": b"{2}"})
    assert "412: somebody else publishes there" in text and text.endswith(AGAIN)


@pytest.mark.parametrize("status", [429, 503])
def test_a_commit_is_tried_again_when_a_busy_hub_says_when(server, send, status):
    server.create("org/name")
    server.fail("POST", "/commit/", status, headers={"Retry-After": "7"}, times=2)
    waits = []
    done, said = send(sleep=waits.append)
    assert waits == [7.0, 7.0] and done.new
    assert server.repository("org/name").files()["build.json"] == b"{}"
    assert len(server.repository("org/name").messages) == 2, "the first one and ours, once"
    again = f"the Hub is busy ({status}); trying the commit again in 7 s"
    assert said.count(again) == 2


def test_a_date_to_wait_for_counts_from_the_servers_clock(server, send, monkeypatch):
    server.create("org/name")
    monkeypatch.setattr(
        server.RequestHandlerClass,
        "date_time_string",
        lambda *_: "Sat, 28 Nov 2026 10:00:00 GMT",
    )
    when = {"Retry-After": "Sat, 28 Nov 2026 10:01:30 GMT"}
    server.fail("POST", "/commit/", 503, headers=when)
    waits = []
    assert send(sleep=waits.append)[0].new and waits == [90.0]


@pytest.mark.parametrize(
    ("status", "headers", "times", "tries"),
    [
        (429, {}, 1, 1),
        (503, {}, 1, 1),
        (500, {"Retry-After": "1"}, 1, 1),
        (429, {"Retry-After": "3600"}, 1, 1),
        (429, {"Retry-After": "1"}, 99, 5),
    ],
)
def test_a_commit_is_not_waited_for_for_ever(server, send, status, headers, times, tries):
    server.create("org/name")
    server.fail("POST", "/commit/", status, {"error": "busy"}, headers, times)
    waits = []
    text = refused(send, sleep=waits.append)
    assert f"the Hub answered {status}" in text and text.endswith(AGAIN)
    assert len(waits) == tries - 1 and server.asked("POST", "/commit/") == tries


def test_a_commit_that_arrived_though_the_hub_said_busy_is_not_made_twice(
    server, send, monkeypatch
):
    server.create("org/name")
    original, left = server.RequestHandlerClass._commit, [1]

    def commit(handler, *arguments):
        if not left[0]:
            return original(handler, *arguments)
        left[0] -= 1
        sent = handler._send
        handler._send = lambda *_: None
        original(handler, *arguments)
        handler._send = sent
        return handler._send(503, {"error": "busy"}, {"Retry-After": "1"})

    monkeypatch.setattr(server.RequestHandlerClass, "_commit", commit)
    done, _ = send(sleep=lambda _: None)
    assert len(server.repository("org/name").messages) == 2
    assert done.commit == server.repository("org/name").refs["main"]


@pytest.mark.parametrize(
    ("token", "said"),
    [
        (
            READER,
            (
                "the Hub answered 403: You don't have the rights to write to org/name; the token"
                " needs write access"
            ),
        ),
        (
            "",
            (
                "the Hub answered 401: Invalid username or password; log in with `hf auth login` or"
                " set HF_TOKEN"
            ),
        ),
        (
            "hf_SomebodyElsesTokenOfLongAgo0000",
            "the Hub answered 401: Invalid credentials in Authorization header",
        ),
        ("hf_中文", "the token holds characters that no token has"),
    ],
)
@pytest.mark.parametrize("exists", [True, False])
def test_a_token_that_may_not_write(server, send, monkeypatch, token, said, exists):
    if exists:
        server.create("org/name")
    monkeypatch.setenv("HF_TOKEN", token)
    text = refused(send)
    assert said in text and text.endswith(f"every file is still here. To try again: {AGAIN}")
    assert not token or token not in text
    assert sum(len(made.messages) for made in server.repositories.values()) == exists


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("POST", "/commit/", 500, "the Hub answered 500: out of order"),
        ("POST", "/commit/", 0, "cannot be reached"),
        ("PUT", "/large/", 403, "the Hub answered 403: out of order"),
        ("POST", "/validate-yaml", 400, "the card is not"),
        ("POST", "/commit/", 429, "too many requests; wait a few minutes"),
        ("GET", "/api/datasets/org/name", 503, "the Hub answered 503: out of order"),
        ("GET", "/api/datasets/org/name", 0, "cannot be reached"),
        ("POST", "/repos/create", 400, "the Hub answered 400: out of order"),
        (
            "POST",
            "/preupload/",
            404,
            "check the name; a private repository needs a token that may read it",
        ),
        ("POST", "/info/lfs/", 413, "the Hub answered 413: out of order"),
    ],
)
def test_every_failure_is_one_line_and_the_next_try_works(
    server, send, files, method, path, status, said
):
    body = {
        "error": f"out of order for {WRITER}",
        "errors": [{"message": "the card is not"}],
        "warnings": [],
    }
    server.fail(method, path, status, body)
    text = refused(send)
    assert (
        said in text
        and text.startswith("dataset org/name: ")
        and text.endswith(f"every file is still here. To try again: {AGAIN}")
    )
    assert {name: file.read_bytes() for name, file in files(FILES).items()} == FILES
    server.faults.clear()
    assert send()[0].new
    assert server.repository("org/name").messages == ["initial commit", "Publish"]


def test_an_answer_that_got_lost_is_no_second_commit(server, send, monkeypatch):
    """The commit is made, the connection drops: the next try finds everything in place."""
    original = server.RequestHandlerClass._send

    def lose(handler, status, answer=b"", headers=None):
        if "/commit/" in handler.path and handler.command == "POST":
            handler.close_connection = True
        else:
            original(handler, status, answer, headers)

    monkeypatch.setattr(server.RequestHandlerClass, "_send", lose)
    assert "cannot be reached" in refused(send)
    monkeypatch.setattr(server.RequestHandlerClass, "_send", original)
    assert not send()[0].new
    assert server.repository("org/name").messages == ["initial commit", "Publish"]


def test_files_that_a_gitignore_there_keeps_out_are_named(server, send):
    server.create("org/name", {".gitignore": b"*.parquet\n"})
    assert "is without data/a.parquet; does a .gitignore there leave it out?" in refused(send)


def test_no_connection_at_all(server, send, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://somebody:secret@127.0.0.1:9")
    text = refused(send)
    assert "http://***@127.0.0.1:9 cannot be reached" in text and "secret" not in text
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE forbids every connection" in refused(send)


def test_a_bug_keeps_its_traceback(server, send, monkeypatch):
    monkeypatch.setattr(sending, "changes_to", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        send()


# What is said before


def test_what_would_be_sent_is_listed_with_sizes(server, files):
    lines = Publication(
        "org/name", files(FILES), "m", tag="v1", passengers=frozenset({"run.json"})
    ).lines()
    assert (
        lines[0]
        == f"dataset org/name (public, if it is created now) at {server.url}: one commit to main,"
        " tag v1"
    )
    assert lines[1:-1] == [
        "  README.md            27 B",
        "  data/a.parquet        9 B",
        "  build.json            2 B",
        "  run.json              3 B  goes along with other changes only",
    ]
    assert lines[-1] == "  4 files, 41 B"
    assert "(private)" in Publication("org/name", files(FILES), "m", private=True).lines()[0]
    assert (
        ": a pull request"
        in Publication("org/name", files(FILES), "m", pull_request=True).lines()[0]
    )


@pytest.mark.parametrize(("kind", "page"), [("model", ""), ("space", "spaces/")])
def test_models_and_spaces_are_published_the_same_way(server, send, kind, page):
    done, said = send(
        {"adapter.safetensors": b"weights"},
        repo_type=kind,
        repo_id="org/adapter",
        marker=None,
        stale="",
    )
    assert server.repository("org/adapter", kind).refs["main"] == done.commit
    assert done.url == f"{server.url}/{page}org/adapter/commit/{done.commit}"
    assert said[0] == f"created {kind} org/adapter (public)" and said[1].startswith(
        f"{kind} org/adapter (public) is at commit "
    )


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (12_345_678, "12.3 MB"),
        (5e10, "50.0 GB"),
    ],
)
def test_sizes_read_well(size, text):
    assert readable_size(size) == text


def test_errors_of_the_hub_are_errors_a_user_can_act_on():
    assert issubclass(HubError, CscError)
    assert not re.search(
        r"hf_[A-Za-z0-9]{8}", address.without_secrets(f"Bearer {WRITER} and {READER}")
    )
