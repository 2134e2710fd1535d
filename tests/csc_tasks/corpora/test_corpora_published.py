"""Reading the published corpora: conversations, labels and questions in every form."""

import json

import pytest

from csc_tasks import corpora
from csc_tasks.conversation import Turn
from csc_tasks.framework import STRATEGIES
from csc_tasks.languages.labels import strategy_name
from tests.support.corpus_rows import (
    GOOD,
    PUBLISHED,
    PUBLISHED_QUESTION,
    QUESTION,
    changed,
    dialogue,
    failure,
    load_rows,
    turns,
    write,
)


@pytest.mark.parametrize("config", ["csconv", "rolecs"])
@pytest.mark.parametrize("place", ["", "data", "deep/er"])
@pytest.mark.parametrize("form", ["array", "lines"])
def test_published_conversations(tmp_path, config, place, form):
    write(
        tmp_path / place / {"csconv": "CSConv.json", "rolecs": "RoleCS.json"}[config],
        [PUBLISHED],
        form,
    )
    other = {"csconv": "RoleCS.json", "rolecs": "CSConv.json"}[config]
    write(tmp_path / place / other, [turns({"text": "另一份"}, row=PUBLISHED)], form)
    corpus = corpora.load(str(tmp_path), config, {"csconv": "test", "rolecs": "train"}[config])
    (item,) = corpus.items
    assert dialogue(item) == [
        ("customer", "", "我的卡丢了，[手机号码]"),
        ("supporter", "GT", "您好。"),
        ("supporter", "IV", "**请提供姓名**"),
        ("customer", "", "张三"),
        ("supporter", "EM", "请别着急。"),
    ]
    assert (item.language, item.topic) == ("zh", "Account and Transaction Management")
    assert item.source == {"csconv": "CSConv", "rolecs": "RoleCS"}[config]
    assert item.scored_turns() == [1, 2, 4]
    assert (
        corpus.counts == {"ids made from content": 1}
        and "1 ids made from content" in corpus.summary()
    )


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: strategy.id)
def test_every_published_form_of_a_label(tmp_path, strategy):
    number = strategy.number
    zh, en = strategy_name(strategy.id, "zh"), strategy_name(strategy.id, "en")
    forms = [
        f"策略{number} {zh}",
        f"策略{number}: {zh}",
        f"策略{number}：{zh}",
        f"策略{number}、{zh}",
        f"策略{number}.{zh}",
        f" 策略{number}  {zh} ",
        f"策略{number}",
        zh,
        en,
        en.lower(),
        strategy.id,
    ]
    rows = [
        turns({}, {"strategy": form}, {"text": f"第{i}"}, row=PUBLISHED)
        for i, form in enumerate(forms)
    ]
    assert {item.dialogue[1].strategy for item in load_rows(tmp_path, rows).items} == {strategy.id}


@pytest.mark.parametrize("label", ["", None, ..., "  "])
def test_supporter_turns_may_be_unlabelled(tmp_path, label):
    (item,) = load_rows(tmp_path, [turns({}, {"strategy": label}, row=PUBLISHED)]).items
    assert item.dialogue[1] == Turn("supporter", "您好。", "") and item.scored_turns() == [2, 4]


def test_published_questions(tmp_path):
    for split in ("train", "validation", "test"):
        write(
            tmp_path / "data" / f"{split}.csv",
            [changed(PUBLISHED_QUESTION, conversation_id=split)],
            "csv",
        )
    (item,) = corpora.load(str(tmp_path), "qa", "test").items
    assert item.conversation_id == "test" and (
        item.language,
        item.stage,
        item.turn_index,
        item.turns_total,
    ) == ("en", None, 0, None)
    assert [(turn.speaker, turn.text) for turn in item.conversation_history] == [
        ("customer", "Hi"),
        ("supporter", "Hello\nhow can I help?"),
        ("customer", "My card"),
    ]
    assert (item.instruction, item.history_summary, item.refined_agent_answer) == (
        "You are Ann.",
        "A card.",
        "Yes, it is lost.",
    )


@pytest.mark.parametrize(
    "form", [("lines", "jsonl"), ("array", "json"), ("csv", "csv"), ("parquet", "parquet")]
)
def test_published_questions_in_any_form(tmp_path, form):
    assert (
        load_rows(tmp_path, [PUBLISHED_QUESTION], "qa", *form).items
        == load_rows(tmp_path, [PUBLISHED_QUESTION], "qa").items
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("Client: a", [("customer", "a")]),
        ("client : a\nAGENT:b", [("customer", "a"), ("supporter", "b")]),
        ("\n\nClient: a\n\nAgent: b\n\n", [("customer", "a"), ("supporter", "b")]),
        ("Client: a\r\nAgent: b\r\nmore\r\n", [("customer", "a"), ("supporter", "b\nmore")]),
        (
            "Client: a\n\n1. one\n2. two: three\nAgent: b",
            [("customer", "a\n\n1. one\n2. two: three"), ("supporter", "b")],
        ),
        ("Client:\na\nb\nAgent: c", [("customer", "a\nb"), ("supporter", "c")]),
        ("客户：一\n客服：二", [("customer", "一"), ("supporter", "二")]),
        ("Agent: first\nAgent: second", [("supporter", "first"), ("supporter", "second")]),
        ("Client: the agent: said so", [("customer", "the agent: said so")]),
        ("Client: a\nAgent:\nClient: b", [("customer", "a"), ("customer", "b")]),
    ],
)
def test_a_history_of_lines(tmp_path, text, expected):
    corpus = load_rows(
        tmp_path, [changed(PUBLISHED_QUESTION, conversation_history=text, language="en")], "qa"
    )
    assert [(turn.speaker, turn.text) for turn in corpus.items[0].conversation_history] == expected
    assert corpus.counts == (
        {"empty history lines left out": 1} if "Agent:\nClient" in text else {}
    )


def test_a_history_that_opens_with_nobody(tmp_path):
    text = failure(
        tmp_path,
        [
            PUBLISHED_QUESTION,
            changed(PUBLISHED_QUESTION, conversation_history="Hello there\nAgent: hi"),
        ],
        "qa",
    )
    assert (
        "row 2: conversation_history opens with 'Hello there'" in text
        and "'Client:' or 'Agent:'" in text
    )


def test_questions_in_csv_need_no_nulls(tmp_path):
    row = changed(
        QUESTION, turn_index="2", turns_total="", stage="", conversation_history="Client: Hi"
    )
    (item,) = load_rows(tmp_path, [row], "qa", "csv", "csv").items
    assert (item.turn_index, item.turns_total, item.stage) == (2, None, None)
    with_lists = changed(
        QUESTION, conversation_history=json.dumps(QUESTION["conversation_history"])
    )
    assert (
        load_rows(tmp_path, [with_lists], "qa", "csv", "csv").items
        == load_rows(tmp_path, [QUESTION], "qa").items
    )


def test_conversations_in_csv_hold_their_dialogue_as_json(tmp_path):
    row = changed(GOOD, dialogue=json.dumps(GOOD["dialogue"], ensure_ascii=False))
    assert (
        load_rows(tmp_path, [row], form="csv", suffix="csv").items
        == load_rows(tmp_path, [GOOD]).items
    )
    text = failure(
        tmp_path, [changed(GOOD, dialogue=str(GOOD["dialogue"]))], form="csv", suffix="csv"
    )
    assert (
        "row 1: dialogue is the text \"[{'speaker'" in text and "in a CSV file: a JSON list" in text
    )


def test_long_csv_fields(tmp_path):
    """Python's csv module refuses fields over 128 KiB unless told otherwise."""
    row = changed(
        PUBLISHED_QUESTION, conversation_history="Client: " + "a" * 200_000, language="en"
    )
    (item,) = load_rows(tmp_path, [row], "qa", "csv", "csv").items
    assert len(item.conversation_history[0].text) == 200_000
