"""A corpus name, file, folder or Hub id -> conversations or questions, whatever public schema they are in.

Read are our dataset folders (and Hub repositories of that layout), the embedded demo, the published CSConv/RoleCS files
(DianJin/DianJin-CSC-Data) and the published QA rows (Lakshan2003/customer-support-client-agent-conversations).
Nothing is dropped in silence: what a reader changes or leaves out is in `Corpus.counts`.
"""

import csv
import hashlib
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from csc_tasks.conversation import CUSTOMER, SUPPORTER, Conversation, Turn, content_id, detect_language
from csc_tasks.errors import DataError, MissingSplit
from csc_tasks.framework import strategy, topic_name
from csc_tasks.question import Question

DEMO_DIR = Path(__file__).resolve().parent / "demo"
CONFIGS = ("csconv", "rolecs", "qa")
SUFFIXES = (".parquet", ".jsonl", ".json", ".csv")
PUBLISHED_FILES = {"csconv": "CSConv", "rolecs": "RoleCS"}
PUBLISHED_SPLITS = {"csconv": "test", "rolecs": "train"}
PUBLISHED_SPEAKERS = {"客服": SUPPORTER, "客户": CUSTOMER, "supporter": SUPPORTER, "customer": CUSTOMER}
HISTORY_SPEAKERS = {"client": CUSTOMER, "customer": CUSTOMER, "agent": SUPPORTER, "supporter": SUPPORTER, "客户": CUSTOMER, "客服": SUPPORTER}
_HISTORY_LINE = re.compile(r"\s*(client|customer|agent|supporter|客户|客服)\s*[:：]\s*(.*)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Corpus:
    """What was read. `items` are Conversations (csconv, rolecs) or Questions (qa) in sha256(id) order, so that a prefix is a random sample.

    `revision` is the resolved commit of a Hub repository, else None. `content_hash` identifies the items whatever file they came in.
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
        return f"{self.name}{at}: {len(self.items)} {kind} ({self.config}/{self.split}, {'+'.join(self.languages)}){done}"


def load(name: str, config: str, split: str, revision: str | None = None) -> Corpus:
    """Read one split of a corpus.

    name: `demo`, a folder, a file, or a Hub dataset id (optionally `ORG/NAME@REVISION`). config: csconv, rolecs, qa or qa_<variant>.
    Raises DataError that names file and row, or, when there is no such split, says what there is.
    """
    if name == "demo":
        root, commit = DEMO_DIR, None
    elif Path(name).exists():
        root, commit = Path(name), None
    else:
        root, commit = _from_hub(name, config, split, revision)
    if root.is_file():
        files = [root]
    else:
        listed = _relative_files(root)
        files = [root / file for file in choose_files(listed, config, split)]
        if not files:
            raise MissingSplit(f"{name}: no {config}/{split} found; {_listing(listed)}")
    counts: Counter = Counter()
    read = _read_question if config.startswith("qa") else _read_conversation
    items = []
    for file in files:
        shown = file.name if root.is_file() else file.relative_to(root).as_posix()
        for number, row in _rows(file):
            items.append(read(row, f"{name} {shown} row {number}", config, counts))
    if not items:
        raise DataError(f"{name}: {config}/{split} has no rows")
    items = sorted(_with_unique_ids(items, counts), key=_order)
    return Corpus(name, config, split, tuple(items), commit, content_hash(items), dict(counts))


def available(name: str, config: str, split: str) -> bool:
    """Whether a local corpus (`demo` or a folder) has this split."""
    root = DEMO_DIR if name == "demo" else Path(name)
    return root.is_dir() and bool(choose_files(_relative_files(root), config, split))


def content_hash(items: Iterable) -> str:
    """sha256 (16 hex digits) over the items' rows in order."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(json.dumps(item.to_row(), ensure_ascii=False, sort_keys=True).encode() + b"\n")
    return digest.hexdigest()[:16]


def _order(item) -> tuple:
    key = f"{item.conversation_id}/{item.turn_index}" if isinstance(item, Question) else item.conversation_id
    return hashlib.sha256(key.encode()).hexdigest(), key


def _with_unique_ids(items: list, counts: Counter) -> Iterator:
    """Rows that share an id would be one cluster twice over: identical content is numbered on, differing content is an error."""
    seen: Counter = Counter()
    first: dict = {}
    for item in items:
        key = (item.conversation_id, item.turn_index) if isinstance(item, Question) else item.conversation_id
        seen[key] += 1
        if seen[key] == 1:
            first[key] = item
            yield item
        elif item != first[key]:
            raise DataError(f"id {key!r} stands for two different rows; ids must be unique")
        else:
            counts["identical rows kept under a numbered id"] += 1
            yield replace(item, conversation_id=f"{item.conversation_id}-{seen[key]}")


def choose_files(files: Iterable[str], config: str, split: str) -> list[str]:
    """Of a folder's or repository's relative paths, those of one split: our layout first, then the published ones.

    Published are CSConv.* (csconv/test) and RoleCS.* (rolecs/train) anywhere, and for `qa` a file named after the split.
    """
    paths = [path for path in map(PurePosixPath, sorted(files)) if path.suffix in SUFFIXES]
    of_split = [path for path in paths if re.fullmatch(rf"{re.escape(split)}(-\d+-of-\d+)?", path.stem)]
    found = [path for path in of_split if path.parent in (PurePosixPath(config), PurePosixPath("data", config))]
    if not found and split == PUBLISHED_SPLITS.get(config):
        found = [path for path in paths if path.stem.casefold() == PUBLISHED_FILES[config].casefold()]
    if not found and config == "qa":
        found = [path for path in of_split if path.parent.name not in CONFIGS and not path.parent.name.startswith("qa_")]
    suffix = min((path.suffix for path in found), key=SUFFIXES.index, default="")
    return [path.as_posix() for path in found if path.suffix == suffix]


def _relative_files(root: Path) -> list[str]:
    return [file.relative_to(root).as_posix() for file in root.rglob("*") if file.suffix in SUFFIXES and file.is_file()]


def _listing(files: list[str]) -> str:
    """What a folder or repository holds instead, for an error."""
    shown = ", ".join(sorted(files)[:12]) + (", ..." if len(files) > 12 else "")
    return f"there is {shown or 'no ' + ', '.join(SUFFIXES) + ' file'}. A dataset folder has CONFIG/SPLIT-*.parquet (configs {', '.join(CONFIGS)})"


def _rows(file: Path) -> Iterator[tuple[int, Mapping]]:
    """Rows of a parquet file, a CSV file, a JSON array or JSON lines, numbered from 1."""
    if file.suffix == ".parquet":
        import pyarrow.parquet

        try:
            table = pyarrow.parquet.read_table(file)
        except (OSError, ValueError) as error:
            raise DataError(f"{file}: not a readable parquet file ({error})") from None
        yield from enumerate(table.to_pylist(), 1)
        return
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: not UTF-8 (byte {error.start} is 0x{error.object[error.start]:02x}); save the file as UTF-8") from None
    if file.suffix == ".csv":
        yield from enumerate(csv.DictReader(io.StringIO(text, newline="")), 1)
        return
    if text.lstrip().startswith("["):
        try:
            rows = json.loads(text)
        except ValueError as error:
            raise DataError(f"{file}: broken JSON array ({error})") from None
        numbered: Iterable = enumerate(rows, 1)
    else:
        numbered = _json_lines(file, text)
    for number, row in numbered:
        if not isinstance(row, Mapping):
            raise DataError(f"{file} row {number}: found {type(row).__name__}; a row is a JSON object")
        yield number, row


def _json_lines(file: Path, text: str) -> Iterator[tuple[int, object]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except ValueError as error:
                raise DataError(f"{file} line {number}: broken JSON ({error}); found {line[:80]!r}") from None


def _read_conversation(row: Mapping, where: str, config: str, counts: Counter) -> Conversation:
    if "conversation_id" in row and "dialogue" in row and "language" in row:
        return Conversation.from_row(row, where)
    if "dialogue" not in row:
        raise DataError(
            f"{where}: found the columns {', '.join(map(str, row)) or 'none'}; "
            "conversations have 'dialogue' and 'source' (published) or also conversation_id, language and topic (dataset folder)"
        )
    return _published_conversation(row, where, config, counts)


def _published_conversation(row: Mapping, where: str, config: str, counts: Counter) -> Conversation:
    """A row of CSConv.json or RoleCS.json: `dialogue: [{speaker: 客服|客户, strategy, text}]` and `source`, which is the topic."""
    turns = []
    for i, turn in enumerate(row["dialogue"] or []):
        if not isinstance(turn, Mapping) or not isinstance(turn.get("text"), str):
            raise DataError(f"{where} turn {i}: found {turn!r}; a turn needs 'speaker' and 'text' as text")
        speaker = PUBLISHED_SPEAKERS.get(str(turn.get("speaker")).strip())
        if speaker is None:
            raise DataError(f"{where} turn {i}: speaker {turn.get('speaker')!r} is not one of {', '.join(PUBLISHED_SPEAKERS)}")
        label = str(turn.get("strategy") or "").strip()
        try:
            turns.append(Turn(speaker, turn["text"], strategy(label).id if label else ""))
        except DataError as error:
            raise type(error)(f"{where} turn {i}: {error}") from None
    spoken = [[turn.speaker, turn.strategy, turn.text] for turn in turns]
    name = PUBLISHED_FILES.get(config, config)
    conversation = Conversation(
        content_id(config, spoken), detect_language(" ".join(turn.text for turn in turns)), topic_name(str(row.get("source") or "")), name, tuple(turns)
    )
    if problems := conversation.problems():
        raise DataError(f"{where}: {'; '.join(problems)}")
    counts["ids made from content"] += 1
    return conversation


def _read_question(row: Mapping, where: str, config: str, counts: Counter) -> Question:
    if "client_question" not in row:
        raise DataError(f"{where}: found the columns {', '.join(map(str, row)) or 'none'}; QA rows have client_question, refined_agent_answer and so on")
    if "language" in row and not isinstance(row.get("conversation_history"), str):
        return Question.from_row(row, where)
    row = dict(row)
    if isinstance(row.get("conversation_history"), str):
        row["conversation_history"] = _history_from_text(row["conversation_history"], where, counts)
    if not row.get("language"):
        row["language"] = detect_language(f"{row['client_question']} {row.get('agent_answer')}")
    row.setdefault("source", "published")
    return Question.from_row(row, where)


def _history_from_text(text: str, where: str, counts: Counter) -> list[dict]:
    """The published string form: lines that start with `Client:` or `Agent:`; other lines go on with the turn before them."""
    turns: list[dict] = []
    for line in text.split("\n"):
        if match := _HISTORY_LINE.fullmatch(line):
            turns.append({"speaker": HISTORY_SPEAKERS[match[1].lower()], "text": match[2].strip()})
        elif turns:
            turns[-1]["text"] += f"\n{line}"
        elif line.strip():
            raise DataError(f"{where}: conversation_history opens with {line[:60]!r}; expected a line that starts with 'Client:' or 'Agent:'")
    for turn in turns:
        turn["text"] = turn["text"].strip()
    spoken = [turn for turn in turns if turn["text"]]
    counts["empty history lines left out"] += len(turns) - len(spoken)
    return spoken


def _from_hub(name: str, config: str, split: str, revision: str | None) -> tuple[Path, str]:
    """Fetch only the files of one split of a Hub dataset; returns the local folder and the resolved commit."""
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    repo, _, at = name.partition("@")
    revision = revision or at or None
    ways_out = "give csc_corpus/csc_qa_corpus=FOLDER, a Hub dataset id you can reach, or demo"
    try:
        try:
            info = HfApi().dataset_info(repo, revision=revision)
        except HfHubHTTPError:
            raise
        except (OfflineModeIsEnabled, OSError, *(base for base in HfHubHTTPError.__mro__ if base.__name__ == "HTTPError")):
            # No connection: which exception says so depends on the HTTP library below huggingface_hub.
            # Offline, whatever was fetched before still serves; its folder is named after the commit.
            root = Path(snapshot_download(repo, repo_type="dataset", revision=revision, local_files_only=True))
            return root, root.name
        listed = [sibling.rfilename for sibling in info.siblings or []]
        wanted = choose_files(listed, config, split)
        if not wanted:
            raise MissingSplit(f"{name}: no {config}/{split} found; {_listing(listed)}")
        root = Path(snapshot_download(repo, repo_type="dataset", revision=info.sha, allow_patterns=wanted))
    except HFValidationError:
        raise DataError(f"{name}: no such file or folder, and not a Hub dataset id; {ways_out}") from None
    except LocalEntryNotFoundError:
        raise DataError(f"{name}: the Hub cannot be reached and nothing of it is in the local cache; {ways_out}") from None
    except HfHubHTTPError as error:
        reason = str(error).strip().splitlines()[0]
        raise DataError(f"{name}: the Hub answered: {reason}; {ways_out}") from None
    return root, info.sha
