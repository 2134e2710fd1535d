"""A loopback stand-in for the Hub: repositories in memory behind the endpoints that huggingface_hub
and datasets use.

Commits, branches, tags, pull requests, LFS uploads and private repositories behave as on the Hub;
parquet and images are LFS files. A commit is refused for what the Hub refuses in cards, eval.yaml
and .eval_results (tests/support/hub_rules.py). Faults are put in with `server.fail(...)`.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

from tests.support.hub_rules import refusals
from tests.support.loopback import Handler, Server, running

WRITER = "hf_WriterTokenPlantedInTests0000001"
READER = "hf_ReaderTokenPlantedInTests0000002"
LARGE = (".parquet", ".png", ".safetensors", ".arrow")
WHEN = "2026-01-01T00:00:00.000Z"


@dataclass
class Repository:
    """One repository: `commits` maps a commit to its files (path -> bytes), `refs` a branch, tag or
    refs/pr/N to a commit.
    """

    kind: str
    name: str
    private: bool
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    refs: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def commit(self, ref: str, files: Mapping[str, bytes], message: str) -> str:
        """Make `files` the newest state of `ref`; returns the commit."""
        tree = sorted((path, blob_id(data)) for path, data in files.items())
        commit = hashlib.sha1(json.dumps([tree, message, len(self.commits)]).encode()).hexdigest()
        self.commits[commit] = dict(files)
        self.messages.append(message)
        self.refs[ref] = commit
        return commit

    def resolve(self, revision: str) -> str | None:
        found = self.refs.get(revision) or self.tags.get(revision)
        return found or (revision if revision in self.commits else None)

    def files(self, revision: str = "main") -> dict[str, bytes]:
        return self.commits[self.resolve(revision)]


class HubServer(Server):
    """`requests` keeps (method, path) of everything asked, in order."""

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.large: dict[str, bytes] = {}
        self.requests: list[tuple[str, str]] = []
        self.faults: list[list] = []

    @property
    def url(self) -> str:
        return self.address

    def repository(self, name: str, kind: str = "dataset") -> Repository:
        return self.repositories[kind, name]

    def create(
        self,
        name: str,
        files: Mapping[str, bytes] | None = None,
        private: bool = False,
        kind: str = "dataset",
    ) -> Repository:
        """A new repository with its first commit; `files` go into a second one."""
        made = self.repositories[kind, name] = Repository(kind, name, private)
        made.commit("main", {".gitattributes": b"*.parquet filter=lfs\n"}, "initial commit")
        if files:
            made.commit("main", made.files() | dict(files), "files")
        return made

    def fail(
        self,
        method: str,
        path: str,
        status: int,
        body: object = None,
        headers: Mapping | None = None,
        times: int = 1,
    ) -> None:
        """Answer the next `times` requests whose path matches the expression `path` with `status`;
        0 closes the connection instead.
        """
        self.faults.append([method, re.compile(path), status, body, dict(headers or {}), times])

    def asked(self, method: str, path: str) -> int:
        """How many requests of `method` matched the expression `path`."""
        return sum(m == method and bool(re.search(path, p)) for m, p in self.requests)


def blob_id(data: bytes) -> str:
    """The name git gives to a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def is_large(path: str) -> bool:
    return path.endswith(LARGE)


class _Handler(Handler):
    server: HubServer

    def do_GET(self) -> None:
        self._handle()

    do_POST = do_PUT = do_HEAD = do_GET

    def _handle(self) -> None:
        body = self._body()
        parts = urlsplit(self.path)
        # Split before unquoting: a revision such as refs/pr/1 arrives as refs%2Fpr%2F1 and is one
        # word.
        words = [unquote(word) for word in parts.path.strip("/").split("/")]
        self.query = parse_qs(parts.query)
        with self.server.lock:
            self.server.requests.append((self.command, self.path))
            if fault := self._fault():
                _, _, status, answer, headers, _ = fault
                if status == 0:
                    self.close_connection = True
                    return
                self._send(
                    status,
                    answer if answer is not None else {"error": "a fault of the test"},
                    headers,
                )
                return
            self._route(words, body)

    def _fault(self) -> list | None:
        for fault in self.server.faults:
            if fault[0] == self.command and fault[1].search(self.path) and fault[5] > 0:
                fault[5] -= 1
                return fault
        return None

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            chunks = []
            while size := int(self.rfile.readline(), 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(chunks)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _send(self, status: int, answer: object = b"", headers: Mapping | None = None) -> None:
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        kind = "application/octet-stream" if isinstance(answer, bytes) else "application/json"
        for name, value in (
            {"Content-Type": kind, "Content-Length": str(len(data))} | dict(headers or {})
        ).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _error(self, status: int, text: str, code: str = "") -> None:
        self._send(
            status,
            {"error": text},
            {"X-Error-Code": code, "X-Error-Message": text} if code else {"X-Error-Message": text},
        )

    # Who may do what

    def _token(self) -> str | None:
        return (self.headers.get("Authorization") or "").removeprefix("Bearer ") or None

    def _may_write(self, name: str) -> bool:
        if self._token() == WRITER:
            return True
        if self._token() is None:
            self._error(401, "Invalid username or password.")
        elif self._token() == READER:
            self._error(403, f"You don't have the rights to write to {name}")
        else:
            self._error(401, "Invalid credentials in Authorization header")
        return False

    def _find(self, kind: str, name: str) -> Repository | None:
        found = self.server.repositories.get((kind, name))
        if found is None or (found.private and self._token() not in (WRITER, READER)):
            self._error(404 if self._token() else 401, "Repository not found", "RepoNotFound")
            return None
        return found

    # Which endpoint

    def _route(self, words: list[str], body: bytes) -> None:
        if words == ["api", "repos", "create"]:
            return self._create(json.loads(body))
        if words == ["api", "whoami-v2"]:
            return self._who()
        if words == ["api", "validate-yaml"]:
            return self._validate(json.loads(body)["content"])
        if words[0] == "large":
            return self._large(words[1], body)
        if words[0] == "api" and len(words) >= 4 and words[1] in ("datasets", "models", "spaces"):
            return self._api(words[1][:-1], "/".join(words[2:4]), words[4:], body)
        kind, rest = (
            (words[0][:-1], words[1:]) if words[0] in ("datasets", "spaces") else ("model", words)
        )
        if len(rest) > 4 and rest[1].endswith(".git") and rest[-1] == "batch":
            return self._batch(kind, f"{rest[0]}/{rest[1].removesuffix('.git')}", json.loads(body))
        if len(rest) > 4 and rest[2] == "resolve":
            return self._resolve(kind, "/".join(rest[:2]), rest[3], "/".join(rest[4:]))
        return self._error(404, f"no such page: {self.path}")

    def _api(self, kind: str, name: str, rest: list[str], body: bytes) -> None:
        if (found := self._find(kind, name)) is None:
            return
        verb = rest[0] if rest else "revision"
        if verb in ("preupload", "commit", "tag") and not self._may_write(name):
            return
        if verb == "refs":
            branches = [
                {"name": r, "ref": f"refs/heads/{r}", "targetCommit": c}
                for r, c in found.refs.items()
                if "/" not in r
            ]
            tags = [
                {"name": t, "ref": f"refs/tags/{t}", "targetCommit": c}
                for t, c in found.tags.items()
            ]
            return self._send(200, {"branches": branches, "tags": tags, "converts": []})
        if verb == "discussions":
            return self._discussions(found)
        revision = rest[1] if len(rest) > 1 else "main"
        if (commit := found.resolve(revision)) is None:
            return self._error(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        if verb == "revision":
            return self._send(200, self._info(found, commit))
        if verb == "preupload":
            return self._preupload(found.commits[commit], json.loads(body))
        if verb == "commit":
            return self._commit(
                found, revision, commit, [json.loads(line) for line in body.splitlines()]
            )
        if verb == "tree":
            return self._tree(found.commits[commit], "/".join(rest[2:]))
        if verb == "paths-info":
            asked = {
                path
                for key in ("paths", "paths[]")
                for path in parse_qs(body.decode()).get(key, [])
            }
            asked |= set(json.loads(body)["paths"]) if body.startswith(b"{") else set()
            return self._send(
                200,
                [e for e in self._entries(found.commits[commit], "", True) if e["path"] in asked],
            )
        if verb == "tag":
            tag = json.loads(body)["tag"]
            if tag in found.tags:
                return self._error(409, f"Tag {tag} already exists")
            found.tags[tag] = commit
            return self._send(200, {})
        return self._error(404, f"no such endpoint: {self.path}")

    # What each answers

    def _who(self) -> None:
        if self._token() not in (WRITER, READER):
            return self._error(401, "Invalid credentials in Authorization header")
        name, role = ("writer", "write") if self._token() == WRITER else ("reader", "read")
        self._send(
            200,
            {
                "type": "user",
                "name": f"the {name}",
                "orgs": [{"name": "org"}] if name == "writer" else [],
                "auth": {"accessToken": {"displayName": "test", "role": role}},
            },
        )

    def _create(self, asked: dict) -> None:
        kind, name = asked.get("type", "model"), f"{asked['organization']}/{asked['name']}"
        if not self._may_write(name):
            return
        url = f"{self.server.url}/{'' if kind == 'model' else kind + 's/'}{name}"
        if (kind, name) in self.server.repositories:
            return self._send(409, {"error": "You already created this repo", "url": url})
        private = asked.get("visibility") == "private" or asked.get("private") is True
        self.server.create(name, private=private, kind=kind)
        self._send(200, {"url": url, "name": name})

    def _validate(self, content: str) -> None:
        match = re.match(r"---\n(.*?)\n---", content, re.DOTALL)
        try:
            yaml.safe_load(match[1] if match else "")
        except yaml.YAMLError as error:
            return self._send(
                400, {"errors": [{"message": str(error).splitlines()[0]}], "warnings": []}
            )
        self._send(
            200,
            {
                "errors": [],
                "warnings": (
                    [] if match else [{"message": "empty or missing yaml metadata in repo card"}]
                ),
            },
        )

    def _info(self, found: Repository, commit: str) -> dict:
        siblings = [{"rfilename": path} for path in sorted(found.commits[commit])]
        flags = {
            "private": found.private,
            "gated": False,
            "disabled": False,
            "downloads": 0,
            "likes": 0,
            "tags": [],
        }
        return {
            "_id": "0",
            "id": found.name,
            "author": found.name.split("/")[0],
            "sha": commit,
            "siblings": siblings,
            "lastModified": WHEN,
            "createdAt": WHEN,
            **flags,
        }

    def _preupload(self, files: Mapping[str, bytes], asked: dict) -> None:
        def entry(path: str) -> dict:
            ignored = any(
                re.fullmatch(p.replace("*", ".*"), path)
                for p in files.get(".gitignore", b"").decode().split()
            )
            found = {
                "path": path,
                "uploadMode": "lfs" if is_large(path) else "regular",
                "shouldIgnore": ignored,
            }
            if path in files:
                found["oid"] = (
                    hashlib.sha256(files[path]).hexdigest()
                    if is_large(path)
                    else blob_id(files[path])
                )
            return found

        self._send(200, {"files": [entry(file["path"]) for file in asked["files"]]})

    def _batch(self, kind: str, name: str, asked: dict) -> None:
        if not self._may_write(name):
            return
        objects = []
        for wanted in asked["objects"]:
            found = {"oid": wanted["oid"], "size": wanted["size"]}
            if wanted["oid"] not in self.server.large:
                page = f"{self.server.url}/large/{wanted['oid']}"
                found["actions"] = {"upload": {"href": page}, "verify": {"href": page}}
            objects.append(found)
        self._send(200, {"transfer": "basic", "objects": objects})

    def _large(self, oid: str, body: bytes) -> None:
        if self.command == "PUT":
            if hashlib.sha256(body).hexdigest() != oid:
                return self._error(400, "the content does not fit its name")
            self.server.large[oid] = body
        self._send(200 if oid in self.server.large else 404, {})

    def _commit(self, found: Repository, revision: str, commit: str, lines: list[dict]) -> None:
        header = lines[0]["value"]
        as_request = bool(self.query.get("create_pr"))
        if header.get("parentCommit") and not as_request and header["parentCommit"] != commit:
            return self._error(412, "A commit has happened since. Please refresh and try again.")
        files = dict(found.commits[commit])
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.server.large[value["oid"]]
            elif line["key"] == "deletedFile":
                del files[value["path"]]
            else:
                return self._error(400, f"unknown operation {line['key']}")
        sent = {line["value"]["path"] for line in lines[1:] if line["key"] != "deletedFile"}
        if wrong := refusals(found.kind, files, sent):
            return self._error(400, "; ".join(wrong))
        number = 1 + sum(ref.startswith("refs/pr/") for ref in found.refs)
        made = found.commit(
            f"refs/pr/{number}" if as_request else revision, files, header["summary"]
        )
        page = f"{self.server.url}/{'' if found.kind == 'model' else found.kind + 's/'}{found.name}"
        answer = {
            "success": True,
            "commitOid": made,
            "commitUrl": f"{page}/commit/{made}",
            "hookOutput": "",
        }
        self._send(
            200, answer | ({"pullRequestUrl": f"{page}/discussions/{number}"} if as_request else {})
        )

    def _discussions(self, found: Repository) -> None:
        numbers = [int(ref.rpartition("/")[2]) for ref in found.refs if ref.startswith("refs/pr/")]
        common = {
            "status": "open",
            "isPullRequest": True,
            "createdAt": WHEN,
            "author": {"name": "writer"},
            "title": "a change",
        }
        listed = [
            common | {"num": n, "repo": {"name": found.name, "type": found.kind}} for n in numbers
        ]
        self._send(200, {"discussions": listed, "count": len(listed), "start": 0})

    def _entries(self, files: Mapping[str, bytes], folder: str, deep: bool) -> Iterator[dict]:
        seen = set()
        for path, data in sorted(files.items()):
            if folder and not path.startswith(f"{folder}/"):
                continue
            above = ["/".join(path.split("/")[:n]) for n in range(1, path.count("/") + 1)]
            for name in above:
                inside = name.startswith(f"{folder}/") if folder else True
                if (
                    inside
                    and name not in seen
                    and (deep or name.count("/") == (folder.count("/") + 1 if folder else 0))
                ):
                    seen.add(name)
                    yield {
                        "type": "directory",
                        "path": name,
                        "oid": hashlib.sha1(name.encode()).hexdigest(),
                        "size": 0,
                    }
            if deep or "/".join(path.split("/")[:-1]) == folder:
                entry = {"type": "file", "path": path, "size": len(data), "oid": blob_id(data)}
                if is_large(path):
                    oid = hashlib.sha256(data).hexdigest()
                    entry |= {
                        "oid": blob_id(oid.encode()),
                        "lfs": {"oid": oid, "size": len(data), "pointerSize": 134},
                    }
                yield entry

    def _tree(self, files: Mapping[str, bytes], folder: str) -> None:
        entries = list(
            self._entries(
                files, folder, self.query.get("recursive", ["false"])[0].lower() in ("true", "1")
            )
        )
        if folder and not entries:
            return self._error(404, f"{folder} does not exist", "EntryNotFound")
        self._send(200, entries)

    def _resolve(self, kind: str, name: str, revision: str, path: str) -> None:
        if (found := self._find(kind, name)) is None:
            return
        if (commit := found.resolve(revision)) is None:
            return self._error(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        data = found.commits[commit].get(path)
        if data is None:
            return self._send(
                404,
                {"error": "Entry not found"},
                {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit},
            )
        headers = {"ETag": f'"{blob_id(data)}"', "X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        if is_large(path):
            headers |= {
                "X-Linked-ETag": f'"{hashlib.sha256(data).hexdigest()}"',
                "X-Linked-Size": str(len(data)),
            }
        if wanted := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or ""):
            start, end = int(wanted[1]), min(int(wanted[2] or len(data) - 1), len(data) - 1)
            headers["Content-Range"] = f"bytes {start}-{end}/{len(data)}"
            return self._send(206, data[start : end + 1], headers)
        self._send(200, data, headers)


def hub_server() -> AbstractContextManager[HubServer]:
    """A running server, closed at the end."""
    return running(HubServer())


def environment(
    server: HubServer, home: Path, token: str | None = WRITER, **more: str
) -> dict[str, str]:
    """What a process needs in its environment to talk to `server` and nothing else; `home` is its
    own Hub cache.
    """
    settings = {
        "HF_ENDPOINT": server.url,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_OFFLINE": "0",
        "HF_DATASETS_OFFLINE": "0",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_IMPLICIT_TOKEN": "0",
        "NO_PROXY": "*",
        "no_proxy": "*",
    }
    return settings | ({"HF_TOKEN": token} if token else {}) | more
