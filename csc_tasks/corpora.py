"""A corpus name, file, folder or Hub id -> conversations or questions, whatever public schema they
are in.

Read are our dataset folders (and Hub repositories of that layout), the embedded demo, the published
CSConv/RoleCS files (DianJin/DianJin-CSC-Data) and the published QA rows
(Lakshan2003/customer-support-client-agent-conversations). Nothing is dropped in silence: what a
reader changes or leaves out is in `Corpus.counts`.
"""

import csv
import hashlib
import io
import itertools
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from csc_tasks import shapes
from csc_tasks.compat.huggingface_hub import fetched_before
from csc_tasks.conversation import TEXTS, Conversation, content_id, text_of, turns_of
from csc_tasks.errors import DataError, MissingSplit, SettingError
from csc_tasks.languages.detect import settle
from csc_tasks.languages.labels import topic_name, topic_names
from csc_tasks.question import Question
from csc_tasks.reading import read_text

DEMO_DIR = Path(__file__).resolve().parent / "demo"
CONFIGS = ("csconv", "rolecs", "qa")
RECORDS = ("build.json", "run.json", "manifest.json")
"""What a builder writes beside the data."""
SPLITS = ("train", "validation", "test")
SUFFIXES = (".parquet", ".jsonl", ".json", ".csv")
PUBLISHED_FILES = {"csconv": "CSConv", "rolecs": "RoleCS"}
PUBLISHED_SPLITS = {"csconv": "test", "rolecs": "train"}
_SHARD = re.compile(r"-\d+-of-(\d+)$")
_HALF_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")
_HISTORY_LINE = re.compile(
    rf"\s*({'|'.join(shapes.SPEAKERS)})\s*[:：]\s*(.*)", re.IGNORECASE | re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Corpus:
    """What was read. `items` are Conversations (csconv, rolecs) or Questions (qa) in sha256(id)
    order, so that a prefix is a random sample.

    `revision` is the resolved commit of a Hub repository, else None. `content_hash` identifies the
    items whatever file they came in.
    `counts` holds what reading did to them, by reason.
    """

    name: str
    config: str
    split: str
    items: tuple
    revision: str | None
    content_hash: str
    counts: Mapping[str, int]

    @property
    def languages(self) -> list[str]:
        """The languages that occur, sorted."""
        return sorted({item.language for item in self.items})

    def summary(self) -> str:
        """One line for a log: what was read, from where, and everything that was changed."""
        at = f"@{self.revision[:12]}" if self.revision else ""
        kind = "questions" if self.config.startswith("qa") else "conversations"
        done = "".join(f"; {count} {reason}" for reason, count in sorted(self.counts.items()))
        return (
            f"{self.name}{at}: {len(self.items)} {kind} ({self.config}/{self.split},"
            f" {'+'.join(self.languages)}){done}"
        )


def load(name: str, config: str, split: str, revision: str | None = None) -> Corpus:
    """Read one split of a corpus.

    name: `demo`, a folder, a file, or a Hub dataset id (optionally `ORG/NAME@REVISION`). config:
    csconv, rolecs, qa or qa_<variant>. Raises DataError that names file and row, or, when there is
    no such split, says what there is; SettingError for a revision of something that is not on the
    Hub.
    """
    if revision and (name == "demo" or os.path.exists(os.path.expanduser(name))):
        raise SettingError(
            f"{name} is here and no Hub id, so it has no revision {revision!r}; leave the"
            " revision out"
        )
    if name == "demo":
        root, commit = DEMO_DIR, None
    elif os.path.exists(os.path.expanduser(name)):
        root, commit = Path(name).expanduser(), None
    else:
        root, commit = _from_hub(name, config, split, revision)
    if root.is_file():
        files = [root]
    else:
        listed = _relative_files(root)
        files = [root / file for file in _one_set(name, listed, config, split)]
    counts: Counter = Counter()
    read = _read_question if config.startswith("qa") else _read_conversation
    rows = []
    for file in files:
        shown = name if root.is_file() else f"{name} {file.relative_to(root).as_posix()}"
        rows += [(row, f"{shown} row {number}") for number, row in _rows(file, shown)]
    found = [
        (read(row, where, config, counts), where) for row, where in _with_languages(rows, counts)
    ]
    if not found:
        what = "the file" if root.is_file() else f"{config}/{split}"
        raise DataError(f"{name}: {what} has no rows ({', '.join(file.name for file in files)})")
    items = sorted(_with_unique_ids(found, counts), key=_order)
    return Corpus(name, config, split, tuple(items), commit, content_hash(items), dict(counts))


def file_config(file: Path) -> str:
    """The config that the rows of a single file belong to, by the first of them: qa, or csconv for
    conversations of any kind.
    """
    first = next(_rows(file, str(file)), (0, {}))[1]
    return "qa" if "client_question" in first else "csconv"


def available(name: str, config: str, split: str) -> bool:
    """Whether a local corpus (`demo` or a folder) has this split."""
    root = DEMO_DIR if name == "demo" else Path(name).expanduser()
    return root.is_dir() and bool(choose_files(_relative_files(root), config, split))


def content_hash(items: Iterable) -> str:
    """sha256 (16 hex digits) over the items' rows in order."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(
            json.dumps(item.to_row(), ensure_ascii=False, sort_keys=True).encode() + b"\n"
        )
    return digest.hexdigest()[:16]


def _with_languages(rows: list[tuple[Mapping, str]], counts: Counter) -> list[tuple[Mapping, str]]:
    """The rows (row, where), each with a language: the one it declares, else the one that its text
    is in.
    """
    # A row without a text is refused where it is read.
    silent = [
        i
        for i, (row, _) in enumerate(rows)
        if not row.get("language") and ("client_question" in row or shapes.turns_key(row))
    ]
    declared = Counter(
        row["language"]
        for row, _ in rows
        if isinstance(row.get("language"), str) and row["language"]
    )
    texts = [(rows[i][1], _text_of_row(*rows[i])) for i in silent]
    for i, code in zip(silent, settle(texts, declared, counts), strict=True):
        rows[i] = ({**rows[i][0], "language": code}, rows[i][1])
    return rows


def _text_of_row(row: Mapping, where: str) -> str:
    """What is said in a row of either kind."""
    if "client_question" in row:
        names = (
            "client_question",
            "agent_answer",
            "refined_agent_answer",
            "history_summary",
            "conversation_history",
        )
        return " ".join(text for name in names if isinstance(text := row.get(name), str))
    return " ".join(turn.text for turn in turns_of(row, shapes.turns_key(row), where))


def _key(item) -> str:
    return (
        f"{item.conversation_id}/{item.turn_index}"
        if isinstance(item, Question)
        else item.conversation_id
    )


def _order(item) -> tuple:
    return hashlib.sha256(_key(item).encode()).hexdigest(), _key(item)


def _with_unique_ids(found: Iterable[tuple], counts: Counter) -> Iterator:
    """Rows that share an id would be one cluster twice over: identical content is numbered on,
    differing content is an error.
    """
    found = list(found)
    taken = {item.conversation_id for item, _ in found}
    first: dict = {}
    for item, where in found:
        original, there = first.setdefault(_key(item), (item, where))
        if where == there:
            yield item
            continue
        if item != original:
            raise DataError(
                f"{where}: the id {_key(item)!r} stands for another row too, {there}; ids must be"
                " unique"
            )
        numbered = next(
            name
            for number in itertools.count(2)
            if (name := f"{item.conversation_id}-{number}") not in taken
        )
        taken.add(numbered)
        counts["identical rows kept under a numbered id"] += 1
        yield replace(item, conversation_id=numbered)


def choose_files(files: Iterable[str], config: str, split: str) -> list[str]:
    """Of a folder's or repository's relative paths, those of one split: our layout first, then the
    published ones.

    Published are CSConv.* (csconv/test) and RoleCS.* (rolecs/train) anywhere, and for `qa` a file
    named after the split.
    """
    paths = [path for path in map(PurePosixPath, sorted(files)) if path.suffix in SUFFIXES]
    of_split = [
        path for path in paths if re.fullmatch(rf"{re.escape(split)}(-\d+-of-\d+)?", path.stem)
    ]
    found = [
        path
        for path in of_split
        if path.parent in (PurePosixPath(config), PurePosixPath("data", config))
    ]
    if not found and split == PUBLISHED_SPLITS.get(config):
        found = [
            path for path in paths if path.stem.casefold() == PUBLISHED_FILES[config].casefold()
        ]
    if not found and config == "qa":
        found = [
            path
            for path in of_split
            if path.parent.name not in CONFIGS and not path.parent.name.startswith("qa_")
        ]
    suffix = min((path.suffix for path in found), key=SUFFIXES.index, default="")
    return [path.as_posix() for path in found if path.suffix == suffix]


def _one_set(name: str, files: list[str], config: str, split: str) -> list[str]:
    """`choose_files`, and DataError unless that is one file or every shard of one set."""
    chosen = choose_files(files, config, split)
    if not chosen:
        raise MissingSplit(
            f"{name}: no {config}/{split} found; {_elsewhere(files, config)}{_listing(files)}"
        )
    sets = {
        (path.parent, int(match[1]) if (match := _SHARD.search(path.stem)) else 1)
        for path in map(PurePosixPath, chosen)
    }
    (_, total), *others = sets
    if others or len(chosen) > total:
        raise DataError(
            f"{name}: {config}/{split} is there more than once ({', '.join(chosen)}); give the"
            " folder or file that is meant"
        )
    if len(chosen) < total:
        raise DataError(
            f"{name}: {config}/{split} has {len(chosen)} of {total} files ({', '.join(chosen)});"
            " fetch or build it again"
        )
    return chosen


def _elsewhere(files: list[str], config: str) -> str:
    """What to do where a config has other splits than the one asked for; "" where there is nothing
    to do.
    """
    splits = [split for split in SPLITS if choose_files(files, config, split)]
    if not splits or not config.startswith("qa"):
        return ""
    return (
        f"all its questions are in {' and '.join(splits)} (csc build qa --splits 0,0,100 puts all"
        " into test); "
    )


def _relative_files(root: Path) -> list[str]:
    found = (
        file
        for file in root.rglob("*")
        if file.suffix in SUFFIXES and file.name not in RECORDS and file.is_file()
    )
    return [file.relative_to(root).as_posix() for file in found]


def _listing(files: list[str]) -> str:
    """What a folder or repository holds instead, for an error."""
    shown = ", ".join(sorted(files)[:12]) + (", ..." if len(files) > 12 else "")
    there = shown or f"no {', '.join(SUFFIXES)} file"
    return (
        f"there is {there}. A dataset folder has CONFIG/SPLIT-*.parquet (configs"
        f" {', '.join(CONFIGS)})"
    )


def _rows(file: Path, shown: str) -> Iterator[tuple[int, Mapping]]:
    """Rows of a parquet file, a CSV file, a JSON array or JSON lines, numbered from 1 (JSON lines
    by line). `shown` opens every error.
    """
    if file.suffix == ".parquet":
        import pyarrow.parquet

        try:
            table = pyarrow.parquet.read_table(file, partitioning=None)
        except (OSError, ValueError) as error:
            raise DataError(f"{shown}: not a readable parquet file ({error})") from None
        yield from enumerate(table.to_pylist(), 1)
        return
    text = read_text(file, "give a file of conversations or questions", shown)
    if file.suffix == ".csv":
        yield from _csv_rows(text, shown)
        return
    halves = _HALF_CHARACTER.search(text)
    for number, row in (
        _json_array(text, shown) if text.lstrip().startswith("[") else _json_lines(text, shown)
    ):
        if not isinstance(row, Mapping):
            raise DataError(f"{shown} row {number}: found {row!r:.80}; a row is a JSON object")
        if halves:
            _refuse_half_characters(row, f"{shown} row {number}")
        yield number, row


def _csv_rows(text: str, shown: str) -> Iterator[tuple[int, Mapping]]:
    # The default limit of 128 KiB a field is shorter than some histories.
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    for number, row in enumerate(csv.DictReader(io.StringIO(text, newline=""), restkey=""), 1):
        if "" in row:
            header = ", ".join(filter(None, row))
            raise DataError(
                f"{shown} row {number}: more fields than the header names ({header}); quote fields"
                " that hold commas"
            )
        yield number, row


def _json_array(text: str, shown: str) -> Iterable[tuple[int, object]]:
    try:
        return enumerate(json.loads(text), 1)
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{shown}: broken JSON array ({error}); a .json file holds one array of rows, or one"
            " row a line"
        ) from None


def _json_lines(text: str, shown: str) -> Iterator[tuple[int, object]]:
    # Not splitlines: JSON text may hold U+2028 and its like as they are.
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError) as error:
                found = f"broken JSON ({error}); found {line[:80]!r}"
                raise DataError(
                    f"{shown} row {number}: {found}; every line must be one whole JSON object"
                ) from None


def _refuse_half_characters(row: Mapping, where: str) -> None:
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = f"\\u{ord(error.object[error.start]):04x}"
        raise DataError(
            f"{where}: holds half a character ({half} without its other half); mend the text"
        ) from None


def _read_conversation(row: Mapping, where: str, config: str, counts: Counter) -> Conversation:
    """A row of a dataset folder, or of CSConv.json and RoleCS.json: `{dialogue: [{speaker:
    客服|客户, strategy, text}], source}`.

    What a row does not say is found in the same way whatever else it says: an id from the content,
    the language from the text. The published files name the topic in `source`.
    """
    key = shapes.turns_key(row)
    if key is None:
        raise DataError(
            f"{where}: found the columns {', '.join(map(str, row)) or 'none'}; conversations have"
            " 'dialogue' (or turns, messages) and 'source' (published) or also conversation_id,"
            " language and topic (dataset folder)"
        )
    turns = turns_of(row, key, where)
    texts = {name: text_of(row, name, where) for name in TEXTS}
    given = texts["conversation_id"]
    if not given:
        texts["conversation_id"] = content_id(
            config, [[turn.speaker, turn.strategy, turn.text] for turn in turns]
        )
        counts["ids made from content"] += 1
    if "topic" not in row and texts["source"].strip() in topic_names().keys() | {""}:
        texts |= {"topic": texts["source"], "source": PUBLISHED_FILES.get(config, config)}
    texts["topic"] = topic_name(texts["topic"])
    conversation = Conversation(dialogue=turns, **texts)
    conversation.check(f"{where} ({given})" if given else where)
    return conversation


def _read_question(row: Mapping, where: str, config: str, counts: Counter) -> Question:
    if "client_question" not in row:
        columns = ", ".join(map(str, row)) or "none"
        raise DataError(
            f"{where}: found the columns {columns}; QA rows have"
            f" {', '.join(Question.__dataclass_fields__)}"
        )
    row = dict(row)
    history = row.get("conversation_history")
    # A CSV file of ours holds the turns as a JSON list; the published one holds lines.
    if isinstance(history, str) and not history.lstrip().startswith("[{"):
        row["conversation_history"] = _history_from_text(history, where, counts)
    row.setdefault("source", "published")
    return Question.from_row(row, where)


def _history_from_text(text: str, where: str, counts: Counter) -> list[dict]:
    """The published string form: lines that start with `Client:` or `Agent:`; other lines go on
    with the turn before them.
    """
    turns: list[dict] = []
    for line in text.split("\n"):
        if match := _HISTORY_LINE.fullmatch(line):
            turns.append({"speaker": shapes.speaker_of(match[1]), "text": match[2].strip()})
        elif turns:
            turns[-1]["text"] += f"\n{line}"
        elif line.strip():
            wanted = "a line that starts with 'Client:' or 'Agent:'"
            raise DataError(
                f"{where}: conversation_history opens with {line[:60]!r}; expected {wanted}"
            )
    for turn in turns:
        turn["text"] = turn["text"].strip()
    spoken = [turn for turn in turns if turn["text"]]
    if len(spoken) < len(turns):
        counts["empty history lines left out"] += len(turns) - len(spoken)
    return spoken


def _from_hub(name: str, config: str, split: str, revision: str | None) -> tuple[Path, str]:
    """Fetch only the files of one split of a Hub dataset; returns the local folder and the resolved
    commit.
    """
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    repo, _, at = name.partition("@")
    revision = revision or at or None
    # Which exception says that there is no connection depends on the HTTP library below
    # huggingface_hub.
    no_connection = (
        OfflineModeIsEnabled,
        OSError,
        *(base for base in HfHubHTTPError.__mro__ if base.__name__ == "HTTPError"),
    )
    elsewhere = f"{name}: no such file or folder here, and"
    ways_out = (
        "give a dataset folder or file (csc_corpus, csc_qa_corpus in lm_eval), a Hub dataset id you"
        " can reach, or demo"
    )
    try:
        try:
            info = HfApi().dataset_info(repo, revision=revision)
        except HfHubHTTPError:
            raise
        except no_connection:
            # Offline, whatever was fetched before still serves.
            root = fetched_before(repo, "dataset", revision)
            if root is None:
                raise LocalEntryNotFoundError(f"nothing of {repo} is in the local cache") from None
            _one_set(
                f"{name} (offline, what was fetched before)", _relative_files(root), config, split
            )
            return root, root.name
        listed = [sibling.rfilename for sibling in info.siblings or []]
        wanted = _one_set(name, listed, config, split)
        # By the name that was asked for and not by its commit: only then is the name found again
        # offline.
        root = Path(
            snapshot_download(repo, repo_type="dataset", revision=revision, allow_patterns=wanted)
        )
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
