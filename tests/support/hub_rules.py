"""What the Hub checks in a commit, as its documentation and registry state it: the front matter of
cards, eval.yaml of a dataset, .eval_results/*.yaml of a model.

Sources: hub-docs docs/hub/eval-results.md, eval_results.yaml and datasetcard.md; huggingface.js
packages/tasks/src/eval.ts (the names below are those of one stored version).
"""

import datetime
import fnmatch
import re
from collections.abc import Iterator, Mapping, Set

import yaml

FRAMEWORKS = frozenset(
    [
        "exgentic",
        "inspect-ai",
        "math-arena",
        "mteb",
        "olmocr-bench",
        "harbor",
        "archipelago",
        "apex-evals",
        "screenspot-pro",
        "swe-bench",
        "swe-bench-pro",
        "nemo-evaluator",
        "yc-bench",
        "open-asr-leaderboard",
        "mdpbench",
        "parsebench",
        "video-mme-v2",
        "claw-eval",
        "wildclawbench",
    ]
)
SDKS = ("static", "gradio", "docker")
COLOURS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")
_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)


def refusals(kind: str, files: Mapping[str, bytes], sent: Set[str]) -> list[str]:
    """Why the Hub would refuse a commit to a repository of `kind` that then holds `files`, of which
    `sent` are in the commit.
    """
    wrong: list[str] = []
    for path in sorted(sent):
        if path == "README.md":
            wrong += _card(kind, files)
        elif path == "eval.yaml" and kind == "dataset":
            wrong += _evaluation(files)
        elif kind == "model" and re.fullmatch(r"\.eval_results/[^/]+\.yaml", path):
            wrong += [f"{path}: {line}" for line in _results(_read(files[path]))]
    return wrong


def front_matter(files: Mapping[str, bytes]) -> dict:
    """The metadata of a repository's card; {} where it has none."""
    match = re.match(r"---\n(.*?)\n---", files.get("README.md", b"").decode(), re.DOTALL)
    content = _read(match[1]) if match else {}
    return content if isinstance(content, dict) else {}


def _read(text: bytes | str) -> object:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return None


def _card(kind: str, files: Mapping[str, bytes]) -> Iterator[str]:
    metadata = front_matter(files)
    if kind == "space":
        if metadata.get("sdk") not in SDKS:
            yield f"README.md: sdk: {metadata.get('sdk')!r} is not one of {', '.join(SDKS)}"
        for key in ("colorFrom", "colorTo"):
            if metadata.get(key, COLOURS[0]) not in COLOURS:
                yield f"README.md: {key}: {metadata[key]!r} is not one of {', '.join(COLOURS)}"
        if metadata.get("app_file", "README.md") not in files:
            yield f"README.md: app_file: there is no {metadata['app_file']}"
    if kind == "dataset":
        yield from _viewer(metadata.get("configs", []), files)


def _viewer(configs: object, files: Mapping[str, bytes]) -> Iterator[str]:
    if not isinstance(configs, list) or not all(isinstance(one, dict) for one in configs):
        yield "README.md: configs: must be a list of mappings"
        return
    names = [one.get("config_name") for one in configs]
    if len(set(names)) < len(names):
        yield "README.md: configs: a config_name stands there twice"
    if sum(one.get("default") is True for one in configs) > 1:
        yield "README.md: configs: more than one default"
    for one in configs:
        for part in one.get("data_files", []):
            if not fnmatch.filter(files, part["path"]):
                yield f"README.md: configs: {one['config_name']}: no file is {part['path']}"


def _evaluation(files: Mapping[str, bytes]) -> Iterator[str]:
    content = _read(files["eval.yaml"])
    if not isinstance(content, dict):
        yield "eval.yaml: must be a mapping"
        return
    if not isinstance(content.get("name"), str) or not isinstance(content.get("description"), str):
        yield "eval.yaml: name and description are required"
    if content.get("evaluation_framework") not in FRAMEWORKS:
        yield f"eval.yaml: evaluation_framework: {content.get('evaluation_framework')!r} is unknown"
    tasks = content.get("tasks")
    if not isinstance(tasks, list) or not tasks:
        yield "eval.yaml: tasks: name at least one"
        return
    ids = [task.get("id") for task in tasks]
    if not all(ids) or len(set(ids)) < len(ids):
        yield "eval.yaml: tasks: every task needs an id of its own"
    parts = {
        (one["config_name"], part["split"])
        for one in front_matter(files).get("configs", [])
        for part in one["data_files"]
    }
    for task in tasks:
        if parts and (task.get("config"), task.get("split")) not in parts:
            yield f"eval.yaml: tasks: {task.get('id')}: no such config and split"


_KEYS = {
    "": ({"dataset", "value"}, {"verifyToken", "date", "source", "notes", "evaluation_framework"}),
    "dataset": ({"id", "task_id"}, {"revision"}),
    "source": ({"url"}, {"name", "user", "org"}),
}


def _results(content: object) -> Iterator[str]:
    if not isinstance(content, list):
        yield "must be a list of results"
        return
    for entry in content:
        for part, (required, optional) in _KEYS.items():
            held = entry if part == "" else entry.get(part)
            if held is None and part == "source":
                continue
            if not isinstance(held, dict) or not required <= held.keys():
                yield f"{part or 'an entry'} needs {', '.join(sorted(required))}"
                return
            if unknown := held.keys() - required - optional:
                yield f"{part or 'an entry'} has unknown keys: {', '.join(sorted(unknown))}"
        if not _ID.fullmatch(str(entry["dataset"]["id"])):
            yield f"dataset.id: {entry['dataset']['id']!r} is no dataset"
        if not re.fullmatch(r"[0-9a-f]{40}", entry["dataset"].get("revision", "0" * 40)):
            yield "dataset.revision is no commit"
        if isinstance(entry["value"], bool) or not isinstance(entry["value"], int | float):
            yield "value must be a number"
        if not _is_date(entry.get("date", "2026-01-01")):
            yield f"date: {entry['date']!r} is no ISO-8601 date"
        source = entry.get("source") or {"url": "https://x"}
        if not re.match(r"https?://\S+$", str(source["url"])):
            yield f"source.url: {source['url']!r} is no address"
        if {"user", "org"} <= source.keys():
            yield "source: user or org, not both"


def _is_date(text: object) -> bool:
    try:
        return isinstance(text, str) and bool(datetime.datetime.fromisoformat(text))
    except ValueError:
        return False
