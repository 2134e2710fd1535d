"""Bad input: one clear error, with file, row, what was found, and what would do."""

import json

import pytest

from csc_tasks import corpora
from csc_tasks.errors import DataError, UnknownStrategy
from tests.support.corpus_rows import (
    GOOD,
    PUBLISHED,
    QUESTION,
    changed,
    failure,
    load_rows,
    turns,
    write,
)

BAD_ROWS = [
    (
        "wrong columns",
        {"question": "x", "answer": "y"},
        "csconv",
        ["row 2", "found the columns question, answer", "'dialogue' (or turns, messages)"],
    ),
    ("no columns", {}, "csconv", ["row 2", "found the columns none"]),
    (
        "a question where conversations are asked for",
        QUESTION,
        "csconv",
        ["row 2", "client_question", "conversations have 'dialogue'"],
    ),
    (
        "a conversation where questions are asked for",
        GOOD,
        "qa",
        ["row 2", "found the columns conversation_id, language", "QA rows have", "client_question"],
    ),
    (
        "unknown label",
        turns({}, {"strategy": "提供建義"}, row=PUBLISHED),
        "csconv",
        ["row 2: turn 1", "'提供建義' is not one of the 12", "closest: 提供建议"],
    ),
    (
        "unknown numbered label",
        turns({}, {"strategy": "策略6 提供建義"}, row=PUBLISHED),
        "csconv",
        ["turn 1", "closest: 提供建议"],
    ),
    (
        "contradicting label",
        turns({}, {"strategy": "策略5 提供建议"}, row=PUBLISHED),
        "csconv",
        ["turn 1", "'策略5 提供建议'", "closest: 提供建议"],
    ),
    (
        "English near miss",
        turns({}, {"strategy": "EMOTIONAL MANAGMENT"}, row=PUBLISHED),
        "csconv",
        ["closest: Emotional Management"],
    ),
    (
        "unknown id",
        turns({}, {"strategy": "GTT"}),
        "csconv",
        ["row 2 (a): turn 1", "'GTT' is not one of the 12", "closest: GT"],
    ),
    (
        "a name that is none",
        turns({}, {"strategy": "情感管"}),
        "csconv",
        ["row 2 (a): turn 1", "'情感管'", "closest: 情感管理"],
    ),
    (
        "a label that is a number",
        turns({}, {"strategy": 5}),
        "csconv",
        ["row 2 dialogue turn 1", "strategy is 5", "text"],
    ),
    (
        "a label that is a list",
        turns({}, {"strategy": ["GT", "EM"]}),
        "csconv",
        ["dialogue turn 1", "['GT', 'EM']"],
    ),
    (
        "a label that is NaN",
        turns({}, {"strategy": float("nan")}, row=PUBLISHED),
        "csconv",
        ["dialogue turn 1", "strategy is nan"],
    ),
    (
        "a customer's label",
        turns({"strategy": "GT"}),
        "csconv",
        ["row 2 (a): turn 0", "customer turn carries strategy 'GT'"],
    ),
    (
        "a published customer's label",
        turns({"strategy": "策略1"}, row=PUBLISHED),
        "csconv",
        ["row 2: turn 0", "customer turn carries strategy 'GT'"],
    ),
    ("empty dialogue", changed(GOOD, dialogue=[]), "csconv", ["row 2", "the dialogue is empty"]),
    (
        "empty published dialogue",
        changed(PUBLISHED, dialogue=[]),
        "csconv",
        ["row 2", "the dialogue is empty"],
    ),
    (
        "no dialogue",
        changed(GOOD, dialogue=None),
        "csconv",
        ["row 2", "dialogue is None", "list of turns"],
    ),
    (
        "no published dialogue",
        changed(PUBLISHED, dialogue=None),
        "csconv",
        ["row 2", "dialogue is None", "list of turns"],
    ),
    (
        "a dialogue that is text",
        changed(GOOD, dialogue="Client: hi"),
        "csconv",
        ["row 2", "dialogue is the text 'Client: hi'", "list of turns"],
    ),
    (
        "a dialogue of columns",
        changed(GOOD, dialogue={"speaker": ["customer"], "text": ["x"]}),
        "csconv",
        ["row 2", "dialogue is {'speaker'", "list of turns"],
    ),
    (
        "a dialogue that is a number",
        changed(GOOD, dialogue=3),
        "csconv",
        ["row 2", "dialogue is 3", "list of turns"],
    ),
    (
        "a turn that is text",
        changed(GOOD, dialogue=["hello"]),
        "csconv",
        ["row 2 dialogue turn 0", "found 'hello'", "'speaker' and 'text'"],
    ),
    (
        "no supporter turn",
        changed(GOOD, dialogue=GOOD["dialogue"][:1]),
        "csconv",
        ["row 2", "there is no supporter turn"],
    ),
    (
        "null text",
        turns({"text": None}),
        "csconv",
        ["row 2 dialogue turn 0", "'text': None", "needs 'speaker' and 'text' as text"],
    ),
    (
        "null published text",
        turns({"text": None}, row=PUBLISHED),
        "csconv",
        ["row 2 dialogue turn 0", "'text': None"],
    ),
    ("text that is NaN", turns({"text": float("nan")}), "csconv", ["row 2 dialogue turn 0", "nan"]),
    (
        "no text",
        turns({}, {"text": ...}),
        "csconv",
        ["row 2 dialogue turn 1", "'speaker' and 'text'"],
    ),
    (
        "blank text",
        turns({}, {"text": " \n\u3000"}),
        "csconv",
        ["row 2 (a): turn 1", "the text is empty"],
    ),
    (
        "unknown speaker",
        turns({"speaker": "system"}),
        "csconv",
        ["row 2", "turn 0", "speaker 'system' is not one of supporter, customer"],
    ),
    (
        "unknown published speaker",
        turns({"speaker": "机器人"}, row=PUBLISHED),
        "csconv",
        ["row 2: turn 0", "'机器人'", "supporter, customer", "客服"],
    ),
    (
        "null speaker",
        turns({"speaker": None}, row=PUBLISHED),
        "csconv",
        ["row 2 dialogue turn 0", "'speaker': None"],
    ),
    (
        "unknown language",
        changed(GOOD, language="xx"),
        "csconv",
        ["row 2 (a)", "language 'xx' is not one of zh, en"],
    ),
    (
        "an id that is NaN",
        changed(GOOD, conversation_id=float("nan")),
        "csconv",
        ["row 2", "conversation_id is nan"],
    ),
    (
        "a topic that is a list",
        changed(GOOD, topic=["x"]),
        "csconv",
        ["row 2", "topic is ['x']", "must be text"],
    ),
    (
        "a lone surrogate",
        turns({"text": "\ud83d"}),
        "csconv",
        ["row 2", "a lone surrogate (\\ud83d"],
    ),
    (
        "a lone surrogate in a published row",
        turns({"text": "\ude00x"}, row=PUBLISHED),
        "csconv",
        ["row 2", "a lone surrogate (\\ude00"],
    ),
    ("a row that is a list", [1, 2], "csconv", ["row 2", "found [1, 2]", "a row is a JSON object"]),
    ("a row that is text", "hello", "qa", ["row 2", "found 'hello'"]),
    (
        "no question",
        changed(QUESTION, client_question=None),
        "qa",
        ["row 2", "client_question missing"],
    ),
    (
        "a blank question",
        changed(QUESTION, client_question=" "),
        "qa",
        ["row 2 (q)", "client_question is empty"],
    ),
    (
        "no answers",
        changed(QUESTION, agent_answer="", refined_agent_answer=" "),
        "qa",
        ["row 2 (q)", "refined_agent_answer and agent_answer are both empty"],
    ),
    (
        "a null answer",
        changed(QUESTION, refined_agent_answer=None),
        "qa",
        ["row 2", "refined_agent_answer missing"],
    ),
    (
        "an answer that is a list",
        changed(QUESTION, agent_answer=["x"]),
        "qa",
        ["row 2", "agent_answer is ['x']", "must be text"],
    ),
    (
        "no question id",
        changed(QUESTION, conversation_id=...),
        "qa",
        ["row 2", "conversation_id missing"],
    ),
    (
        "unknown stage",
        changed(QUESTION, stage="middle"),
        "qa",
        ["row 2 (q)", "stage 'middle' is not one of early, mid, late or null"],
    ),
    (
        "a position that is no number",
        changed(QUESTION, turn_index="first"),
        "qa",
        ["row 2", "turn_index is 'first'", "whole number"],
    ),
    ("half a position", changed(QUESTION, turn_index=1.5), "qa", ["row 2", "turn_index is 1.5"]),
    (
        "a position that is NaN",
        changed(QUESTION, turns_total=float("nan")),
        "qa",
        ["row 2", "turns_total is nan"],
    ),
    (
        "a position outside",
        changed(QUESTION, turn_index=3),
        "qa",
        ["row 2 (q)", "turn_index 3 is not a position among turns_total 3"],
    ),
    ("a negative position", changed(QUESTION, turn_index=-1), "qa", ["row 2 (q)", "turn_index -1"]),
    (
        "an unknown history speaker",
        changed(QUESTION, conversation_history=[{"speaker": "bot", "text": "x"}]),
        "qa",
        ["row 2 (q)", "conversation_history 0", "speaker 'bot' is not one of supporter, customer"],
    ),
    (
        "null history text",
        changed(QUESTION, conversation_history=[{"speaker": "customer", "text": None}]),
        "qa",
        ["row 2 conversation_history turn 0", "'text': None"],
    ),
    (
        "a history that is a number",
        changed(QUESTION, conversation_history=7),
        "qa",
        ["row 2", "conversation_history is 7"],
    ),
]


@pytest.mark.parametrize(
    ("row", "config", "parts"), [pytest.param(*case, id=name) for name, *case in BAD_ROWS]
)
@pytest.mark.parametrize(("form", "suffix"), [("lines", "jsonl"), ("array", "json")])
def test_a_bad_row_gives_one_clear_error(tmp_path, row, config, parts, form, suffix):
    """As ASCII JSON, so that a lone surrogate can be written; the good row before it is row 1."""
    good = {
        "csconv": changed(GOOD, conversation_id="good"),
        "qa": changed(QUESTION, conversation_id="good"),
    }[config]
    path = tmp_path / f"file.{suffix}"
    texts = [json.dumps(good), json.dumps(row)]
    path.write_text("\n".join(texts) if form == "lines" else f"[{', '.join(texts)}]")
    with pytest.raises(DataError) as caught:
        corpora.load(str(path), config, "test")
    text = str(caught.value)
    assert text.startswith(str(path)) and "\n" not in text
    for part in parts:
        assert part in text


def test_every_problem_of_a_row_is_named_at_once(tmp_path):
    text = failure(
        tmp_path,
        [changed(turns({"text": ""}, {"strategy": "XX", "speaker": "bot"}), language="xx")],
    )
    for part in (
        "language 'xx'",
        "turn 0: the text is empty",
        "turn 1: speaker 'bot'",
        "turn 1: strategy 'XX'",
    ):
        assert part in text


def test_an_unknown_label_has_its_own_class(tmp_path):
    with pytest.raises(UnknownStrategy):
        load_rows(tmp_path, [turns({}, {"strategy": "聊天"}, row=PUBLISHED)])


def test_errors_in_a_folder_name_the_file_in_it(tmp_path):
    write(tmp_path / "csconv" / "test.jsonl", [GOOD, turns({"text": ""})])
    with pytest.raises(DataError) as caught:
        corpora.load(str(tmp_path), "csconv", "test")
    assert str(caught.value) == f"{tmp_path} csconv/test.jsonl row 2 (a): turn 0: the text is empty"


BAD_FILES = [
    (
        "broken line",
        "a.jsonl",
        json.dumps(GOOD) + '\n{"conversation_id": "b", "dia',
        ["row 2", "broken JSON", 'found \'{"conversation_id": "b", "dia\''],
    ),
    (
        "a row over two lines",
        "a.jsonl",
        json.dumps(GOOD, indent=1),
        ["row 1", "broken JSON", "one whole JSON object"],
    ),
    (
        "broken array",
        "a.json",
        json.dumps([GOOD, GOOD])[:-20],
        ["broken JSON array", "one array of rows, or one row a line"],
    ),
    ("two arrays", "a.json", "[]\n[]", ["broken JSON array"]),
    ("nested without end", "a.json", "[" * 100_000, ["broken JSON array"]),
    ("nested line", "a.jsonl", '{"a":' * 100_000, ["row 1", "broken JSON"]),
    (
        "GBK",
        "a.jsonl",
        json.dumps(GOOD, ensure_ascii=False).encode("gbk"),
        ["not UTF-8 (byte ", "0x", "save the file as UTF-8"],
    ),
    ("GBK table", "a.csv", "conversation_id,dialogue\n1,您好\n".encode("gbk"), ["not UTF-8"]),
    ("UTF-16", "a.json", json.dumps([GOOD]).encode("utf-16"), ["not UTF-8 (byte 0 is 0xff)"]),
    ("empty file", "a.json", "", ["the file has no rows (a.json)"]),
    ("blank file", "a.jsonl", "\n \n", ["has no rows"]),
    ("empty array", "a.json", "[]", ["has no rows"]),
    ("header only", "a.csv", "conversation_id,dialogue\n", ["has no rows"]),
    ("prose", "a.txt", "Hello there.\n", ["row 1", "broken JSON", "found 'Hello there.'"]),
    ("not parquet", "a.parquet", "PAR1 or not", ["not a readable parquet file"]),
    ("empty parquet", "a.parquet", "", ["not a readable parquet file"]),
    ("cut parquet", "a.parquet", None, ["not a readable parquet file"]),
    (
        "more fields than names",
        "a.csv",
        "conversation_id,language,dialogue\na,zh,[],x\n",
        ["row 1", "more fields than the header names (conversation_id, language"],
    ),
    (
        "fewer fields than names",
        "a.csv",
        "conversation_id,language,dialogue\na,zh\n",
        ["row 1", "dialogue is None"],
    ),
    (
        "another delimiter",
        "a.csv",
        "conversation_id;language;dialogue\na;zh;[]\n",
        ["row 1", "found the columns conversation_id;language;dialogue"],
    ),
]


@pytest.mark.parametrize(
    ("name", "content", "parts"), [pytest.param(*case, id=name) for name, *case in BAD_FILES]
)
def test_a_bad_file_gives_one_clear_error(tmp_path, name, content, parts):
    path = tmp_path / name
    if content is None:
        whole = write(tmp_path / "whole.parquet", [GOOD] * 3, "parquet").read_bytes()
        content = whole[: len(whole) // 2]
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError) as caught:
        corpora.load(str(path), "csconv", "test")
    assert str(caught.value).startswith(str(path)) and len(str(caught.value)) < 500
    for part in parts:
        assert part in str(caught.value)
