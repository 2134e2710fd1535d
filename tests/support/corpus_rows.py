"""Rows of every schema that corpora are read from, written into files and read back."""

import csv
import json

import pytest

from csc_tasks import corpora
from csc_tasks.errors import DataError

GOOD = {
    "conversation_id": "a",
    "language": "zh",
    "topic": "Others",
    "source": "test",
    "dialogue": [
        {"speaker": "customer", "strategy": "", "text": "您好"},
        {"speaker": "supporter", "strategy": "GT", "text": "您好！"},
    ],
}
QUESTION = {
    "conversation_id": "q",
    "turn_index": 1,
    "turns_total": 3,
    "stage": "mid",
    "language": "en",
    "topic": "Others",
    "source": "test",
    "instruction": "",
    "conversation_history": [
        {"speaker": "customer", "text": "Hi"},
        {"speaker": "supporter", "text": "Hello"},
    ],
    "history_summary": "They greet.",
    "client_question": "Where is it?",
    "agent_answer": "On its way.",
    "refined_agent_answer": "It is on its way.",
}
PUBLISHED = {
    "dialogue": [
        {"speaker": "客户", "strategy": "", "text": "我的卡丢了，[手机号码]"},
        {"speaker": "客服", "strategy": "策略1 礼貌问候", "text": "您好。"},
        {"speaker": "客服", "strategy": "策略2: 确认身份", "text": "**请提供姓名**"},
        {"speaker": "客户", "text": "张三"},
        {"speaker": "客服", "strategy": "情感管理", "text": "请别着急。"},
    ],
    "source": "账户和交易管理",
}
PUBLISHED_QUESTION = {
    "conversation_id": "p1",
    "instruction": "You are Ann.",
    "conversation_history": "Client: Hi\nAgent: Hello\nhow can I help?\nClient: My card",
    "history_summary": "A card.",
    "client_question": "Is it lost?",
    "agent_answer": "Yes.",
    "refined_agent_answer": "Yes, it is lost.",
}


def changed(row, **changes):
    """A copy of `row` with keys changed, or taken out where the value is `...`."""
    return {
        key: value
        for key, value in (json.loads(json.dumps(row)) | changes).items()
        if value is not ...
    }


def turns(*changes, row=GOOD):
    """`row` whose first turns carry these changes."""
    made = changed(row)
    for i, change in enumerate(changes):
        made["dialogue"][i] = changed(made["dialogue"][i], **change)
    return made


def write(path, rows, form="lines"):
    path.parent.mkdir(parents=True, exist_ok=True)
    if form == "lines":
        path.write_text(
            "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8"
        )
    elif form == "array":
        path.write_text(json.dumps(rows, ensure_ascii=False, indent=1), encoding="utf-8")
    elif form == "csv":
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        import pyarrow
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path


def load_rows(tmp_path, rows, config="csconv", form="lines", suffix="jsonl"):
    """The rows as a file of their own, read."""
    return corpora.load(str(write(tmp_path / f"file.{suffix}", rows, form)), config, "test")


def failure(tmp_path, rows, config="csconv", form="lines", suffix="jsonl"):
    """What reading the rows raises: one line, opening with the file."""
    with pytest.raises(DataError) as caught:
        load_rows(tmp_path, rows, config, form, suffix)
    text = str(caught.value)
    assert "\n" not in text and text.startswith(str(tmp_path / f"file.{suffix}")), text
    return text


def dialogue(item):
    return [(turn.speaker, turn.strategy, turn.text) for turn in item.dialogue]
