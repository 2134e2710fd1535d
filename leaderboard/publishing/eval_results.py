"""What a board says about models of the Hub, in the form that their pages show:
`.eval_results/csc.yaml` in the model's repository.

One entry per corpus and task: the task's first ranked metric on the scale of the tables, with its
interval in the notes. Every field of EvalResultEntry is filled but verify_token, which the Hub
gives to what ran in its own jobs. Left out is what was only claimed, and what nobody could look up:
corpora without a commit on the Hub, runs under --limit, baselines, and models whose name is no Hub
id.
Form: https://huggingface.co/docs/hub/eval-results
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from csc_tasks.errors import DataError
from leaderboard.board import Board, Column, Model, Row, Table

PATH = ".eval_results/csc.yaml"
KINDS = ("conversations", "questions")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)


def entries(
    board: Board, source: str, owner: Mapping[str, str] | None = None
) -> tuple[dict[str, list[dict]], list[str]]:
    """Hub id of a model -> its entries, and a line for everything that was left out. source: the
    address the numbers can be seen at; owner: of that address, {"source_user": name} or
    {"source_org": name}, where it is known.
    """
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

    found: dict[str, list] = {}
    left_out: list[str] = []
    for table in board.tables:
        if reason := _unfit_table(table):
            left_out.append(f"table {table.id}: {reason}")
            continue
        for row in table.rows:
            model = board.models[row.model]
            if reason := _unfit_model(model):
                left_out.append(f"{model.name}: {reason}")
                continue
            for column in _scalars(table, row):
                value = row.values[column.key].value
                if value is None:
                    continue
                if not row.ranks(column):
                    left_out.append(f"{model.name}, {column.task}: claimed, not re-scored here")
                    continue
                if any(
                    (one.dataset_id, one.task_id) == (table.setting.corpus, column.task)
                    for one in found.get(model.name, ())
                ):
                    left_out.append(
                        f"{model.name}, {column.task} in table {table.id}: under other settings it"
                        " is there already"
                    )
                    continue
                found.setdefault(model.name, []).append(
                    EvalResultEntry(
                        dataset_id=table.setting.corpus,
                        task_id=column.task,
                        dataset_revision=table.setting.revision,
                        value=round(value * column.scale, column.digits),
                        date=row.runs[column.task].date[:10],
                        source_url=source,
                        source_name="csc-tasks leaderboard",
                        **(owner or {}),
                        notes=_notes(table, row, column),
                    )
                )
    return {name: eval_result_entries_to_yaml(made) for name, made in found.items()}, list(
        dict.fromkeys(left_out)
    )


def merged(ours: list[dict], there: bytes | None, where: str) -> bytes:
    """The file with our entries: those of other corpora and tasks that it holds already stay, in
    front.

    Raises DataError where the file that is there cannot be read; it would be lost.
    """
    import yaml

    kept = []
    if there is not None:
        try:
            held = yaml.safe_load(there) or []
            kept = [entry for entry in held if _key(entry) not in set(map(_key, ours))]
        except (yaml.YAMLError, UnicodeDecodeError, TypeError, KeyError, AttributeError):
            raise DataError(
                f"{where} is no list of evaluation results; mend it there first, or leave this"
                " model out"
            ) from None
    return yaml.safe_dump([*kept, *ours], sort_keys=False, allow_unicode=True, width=1000).encode()


def _key(entry: Mapping) -> tuple[str, str]:
    return entry["dataset"]["id"], entry["dataset"]["task_id"]


def _unfit_table(table: Table) -> str:
    setting = table.setting
    if table.kind not in KINDS:
        return "a diagnostic, not the benchmark"
    if setting.revision is None or not _HUB_ID.fullmatch(setting.corpus):
        return f"the corpus {setting.corpus} is not a dataset of the Hub at a known commit"
    return f"limited to {setting.limit} documents" if setting.limit is not None else ""


def _unfit_model(model: Model) -> str:
    if model.kind == "baseline":
        return "a baseline"
    if not _HUB_ID.fullmatch(model.name):
        return "not the name of a repository"
    return "a folder on this machine" if Path(model.name).exists() else ""


def _scalars(table: Table, row: Row) -> Iterator[Column]:
    """The first ranked column of every task that the row has a number for; ratings belong to their
    rater and are not among them.
    """
    for task in row.runs:
        computed = [column for column in table.columns if column.task == task and not column.rater]
        ranked = [column for column in computed if column.ranked and column.higher_is_better]
        if ranked and ranked[0].key in row.values and row.values[ranked[0].key].value is not None:
            yield ranked[0]


def _notes(table: Table, row: Row, column: Column) -> str:
    value, setting = row.values[column.key], table.setting
    shown = [column.label + (" in %" if column.scale == 100 else "")]
    if value.low is not None and value.high is not None:
        shown.append(
            f"95 % interval {value.low * column.scale:.{column.digits}f} to"
            f" {value.high * column.scale:.{column.digits}f}"
        )
    if spread := row.spreads.get(column.key):
        shown.append(
            f"mean over {spread.runs} runs with a standard deviation of"
            f" {spread.sd * column.scale:.{column.digits}f} between them"
        )
    shown.append(
        f"{value.items} items in {value.clusters} conversation{'s' * (value.clusters != 1)}"
    )
    template = {True: "chat template", False: "no chat template", None: ""}[setting.chat_template]
    shown += [
        f"{setting.prompt} prompt" if setting.prompt else "",
        template,
        f"task version {row.runs[column.task].task_version}",
    ]
    return ", ".join(filter(None, shown))
