"""Reading corpora: every schema that is read, ids and order, which files are chosen, and one clear
error for every kind of bad input.
"""

import csv
import hashlib
import json
import random
import re

import pytest

from csc_tasks import corpora
from csc_tasks.conversation import Turn
from csc_tasks.errors import DataError, MissingSplit, UnknownStrategy
from csc_tasks.framework import STRATEGIES
from csc_tasks.languages.labels import strategy_name
from tests.support.fakes import sample_conversations, sample_questions

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


# --- our own layout

ITEMS = {
    "csconv": sample_conversations(),
    "rolecs": sample_conversations(),
    "qa": sample_questions(),
    "qa_short": sample_questions(),
}


@pytest.mark.parametrize("config", ITEMS)
@pytest.mark.parametrize(
    ("form", "name"),
    [
        ("parquet", "test-00000-of-00001.parquet"),
        ("parquet", "test.parquet"),
        ("lines", "test.jsonl"),
        ("lines", "test.json"),
        ("array", "test.json"),
    ],
)
def test_a_dataset_folder_is_read_back_whole(tmp_path, config, form, name):
    write(tmp_path / config / name, [item.to_row() for item in ITEMS[config]], form)
    corpus = corpora.load(str(tmp_path), config, "test")
    assert sorted(corpus.items, key=str) == sorted(ITEMS[config], key=str)
    assert (corpus.config, corpus.split, corpus.revision, corpus.counts, corpus.languages) == (
        config,
        "test",
        None,
        {},
        ["en", "zh"],
    )
    assert corpus.content_hash == corpora.content_hash(corpus.items)
    assert (
        f"{len(ITEMS[config])} {'questions' if config.startswith('qa') else 'conversations'}"
        f" ({config}/test, en+zh)" in corpus.summary()
    )


def test_role_plays_keep_their_three_columns(tmp_path):
    row = changed(GOOD, profile="a nurse", scenario="a lost card", goal="a new card")
    (item,) = corpora.load(
        str(write(tmp_path / "rolecs" / "train.jsonl", [row]).parents[1]), "rolecs", "train"
    ).items
    assert item.to_row(roles=True) == row and (item.profile, item.scenario, item.goal) == (
        "a nurse",
        "a lost card",
        "a new card",
    )


def test_the_demo_is_a_corpus_where_it_is_present():
    """The demo is written by a builder; whatever of it is there must read without a change."""
    for config, split in (("csconv", "test"), ("csconv", "train"), ("qa", "test")):
        if corpora.available("demo", config, split):
            corpus = corpora.load("demo", config, split)
            assert corpus.items and not corpus.counts
        else:
            with pytest.raises(MissingSplit, match=f"demo: no {config}/{split} found; there is"):
                corpora.load("demo", config, split)


@pytest.mark.parametrize(
    ("form", "suffix"),
    [("lines", "jsonl"), ("array", "json"), ("parquet", "parquet"), ("lines", "txt")],
)
def test_one_file_is_a_corpus(tmp_path, form, suffix):
    corpus = load_rows(
        tmp_path, [GOOD, changed(GOOD, conversation_id="b")], form=form, suffix=suffix
    )
    assert {item.conversation_id for item in corpus.items} == {"a", "b"}


def test_shards_are_read_together(tmp_path):
    for i in range(3):
        write(
            tmp_path / "csconv" / f"test-{i:05}-of-00003.parquet",
            [changed(GOOD, conversation_id=f"c{i}")],
            "parquet",
        )
    assert len(corpora.load(str(tmp_path), "csconv", "test").items) == 3
    (tmp_path / "csconv" / "test-00001-of-00003.parquet").unlink()
    with pytest.raises(
        DataError,
        match=r"csconv/test has 2 of 3 files .*test-00000-of-00003.*fetch or build it again",
    ):
        corpora.load(str(tmp_path), "csconv", "test")


def test_the_same_split_twice_is_not_added_up(tmp_path):
    write(tmp_path / "csconv" / "test.jsonl", [GOOD])
    write(tmp_path / "data" / "csconv" / "test.jsonl", [GOOD])
    with pytest.raises(
        DataError,
        match=(
            r"csconv/test is there more than once \(csconv/test.jsonl, data/csconv/test.jsonl\);"
            r" give the"
        ),
    ):
        corpora.load(str(tmp_path), "csconv", "test")
    assert len(corpora.load(str(tmp_path / "data"), "csconv", "test").items) == 1
    write(tmp_path / "new" / "CSConv.json", [PUBLISHED])
    write(tmp_path / "new" / "backup" / "CSConv.json", [PUBLISHED])
    with pytest.raises(DataError, match=r"more than once \(CSConv.json, backup/CSConv.json\)"):
        corpora.load(str(tmp_path / "new"), "csconv", "test")
    write(tmp_path / "x" / "csconv" / "test.parquet", [GOOD], "parquet")
    write(tmp_path / "x" / "csconv" / "test-00000-of-00001.parquet", [GOOD], "parquet")
    with pytest.raises(DataError, match="more than once"):
        corpora.load(str(tmp_path / "x"), "csconv", "test")


# --- the published files


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


# --- odd but sound files


def test_a_byte_order_mark_and_windows_line_ends(tmp_path):
    for name, text in (
        ("a.jsonl", json.dumps(GOOD) + "\r\n"),
        ("a.json", json.dumps([GOOD], indent=1).replace("\n", "\r\n")),
    ):
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + text.encode())
        assert corpora.load(str(tmp_path / name), "csconv", "test").items[0].conversation_id == "a"
    write(tmp_path / "q.csv", [PUBLISHED_QUESTION], "csv")
    (tmp_path / "q.csv").write_bytes(b"\xef\xbb\xbf" + (tmp_path / "q.csv").read_bytes())
    assert corpora.load(str(tmp_path / "q.csv"), "qa", "test").items[0].conversation_id == "p1"


def test_line_separators_inside_json_lines(tmp_path):
    """U+2028, U+0085 and the like are text in JSON; only a line feed ends a row."""
    text = "一\u2028二\u2029三\x85四\x1c五"
    (item,) = load_rows(tmp_path, [turns({"text": text})]).items
    assert item.dialogue[0].text == text


def test_blank_lines_are_no_rows(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(
        "\n" + json.dumps(GOOD) + "\n\n   \n" + json.dumps(changed(GOOD, conversation_id="b")),
        encoding="utf-8",
    )
    assert len(corpora.load(str(path), "csconv", "test").items) == 2


def test_ids_that_are_numbers(tmp_path):
    (item,) = load_rows(tmp_path, [changed(GOOD, conversation_id=17)]).items
    assert item.conversation_id == "17"
    (asked,) = load_rows(
        tmp_path, [changed(QUESTION, conversation_id=17, turn_index=1.0, turns_total=3.0)], "qa"
    ).items
    assert (asked.conversation_id, asked.turn_index, asked.turns_total) == ("17", 1, 3)
    (kept,) = load_rows(tmp_path, [PUBLISHED | {"conversation_id": "mine"}]).items
    assert kept.conversation_id == "mine"


def test_numbers_from_pandas(tmp_path):
    import pandas

    path = tmp_path / "test.parquet"
    rows = [changed(QUESTION), changed(QUESTION, conversation_id="r", turns_total=None, stage=None)]
    pandas.DataFrame(rows).to_parquet(path)
    items = {item.conversation_id: item for item in corpora.load(str(path), "qa", "test").items}
    assert items["q"].to_row() == QUESTION
    assert (items["r"].turns_total, items["r"].stage) == (None, None)


def test_extra_columns_are_no_matter(tmp_path):
    (item,) = load_rows(tmp_path, [changed(GOOD, split="test", notes=[1, 2])]).items
    assert item.to_row() == GOOD


def test_a_home_folder_is_found(tmp_path, monkeypatch):
    write(tmp_path / "csconv" / "test.jsonl", [GOOD])
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(corpora.load("~", "csconv", "test").items) == 1


# --- ids and order


def test_ids_come_from_content_not_from_position(tmp_path):
    random.seed(3)
    rows = [turns({"text": f"第{i}个问题"}, row=PUBLISHED) for i in range(20)]
    first = load_rows(tmp_path, rows)
    for _ in range(3):
        random.shuffle(rows)
        again = load_rows(tmp_path, rows)
        assert (again.items, again.content_hash) == (first.items, first.content_hash)
    fewer = load_rows(tmp_path, rows[:5])
    assert set(fewer.items) <= set(first.items)
    assert all(re.fullmatch("csconv-[0-9a-f]{16}", item.conversation_id) for item in first.items)
    # The label is part of the content, its spelling is not.
    respelled = load_rows(
        tmp_path,
        [turns({}, {"strategy": "GT"}, {"strategy": "Identity Verification"}, row=PUBLISHED)],
    )
    assert respelled.items == load_rows(tmp_path, [PUBLISHED]).items
    relabelled = load_rows(tmp_path, [turns({}, {"strategy": "EM"}, row=PUBLISHED)])
    assert relabelled.items[0].conversation_id != respelled.items[0].conversation_id


def test_an_id_of_content_is_pinned(tmp_path):
    """Worked out with hashlib alone: an id that changes would break every comparison with earlier
    samples.
    """
    spoken = [
        ["customer", "", "我的卡丢了，[手机号码]"],
        ["supporter", "GT", "您好。"],
        ["supporter", "IV", "**请提供姓名**"],
        ["customer", "", "张三"],
        ["supporter", "EM", "请别着急。"],
    ]
    canonical = json.dumps([spoken], ensure_ascii=False, separators=(",", ":"))
    expected = "csconv-" + hashlib.sha256(canonical.encode()).hexdigest()[:16]
    assert load_rows(tmp_path, [PUBLISHED]).items[0].conversation_id == expected


def test_items_come_in_order_of_their_hashed_ids(tmp_path):
    rows = [changed(GOOD, conversation_id=f"c{i}") for i in range(50)]
    ids = [item.conversation_id for item in load_rows(tmp_path, rows).items]
    assert (
        ids
        == sorted(ids, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
        != sorted(ids)
    )
    # A smaller corpus comes in the order of the larger one: `--limit` and subsets are nested.
    assert [item.conversation_id for item in load_rows(tmp_path, rows[::3]).items] == [
        name for name in ids if int(name[1:]) % 3 == 0
    ]
    asked = [changed(QUESTION, turn_index=i, turns_total=None) for i in range(30)]
    order = [item.turn_index for item in load_rows(tmp_path, asked, "qa").items]
    assert order == sorted(range(30), key=lambda i: hashlib.sha256(f"q/{i}".encode()).hexdigest())


def test_the_content_hash_moves_with_any_content(tmp_path):
    hashes = {
        load_rows(tmp_path, [row]).content_hash
        for row in (
            GOOD,
            changed(GOOD, conversation_id="b"),
            changed(GOOD, language="en"),
            changed(GOOD, topic=""),
            turns({"text": "x"}),
            turns({}, {"strategy": "EM"}),
        )
    }
    assert len(hashes) == 6


def test_identical_rows_are_kept_and_counted(tmp_path):
    corpus = load_rows(tmp_path, [PUBLISHED, PUBLISHED, PUBLISHED])
    one = load_rows(tmp_path, [PUBLISHED]).items[0].conversation_id
    assert {item.conversation_id for item in corpus.items} == {one, f"{one}-2", f"{one}-3"}
    assert corpus.counts["identical rows kept under a numbered id"] == 2
    # The number never lands on an id that is there already.
    corpus = load_rows(
        tmp_path, [changed(GOOD, conversation_id=name) for name in ("a", "a-2", "a")]
    )
    assert sorted(item.conversation_id for item in corpus.items) == ["a", "a-2", "a-3"]
    twice = load_rows(tmp_path, [QUESTION, QUESTION], "qa")
    assert {(item.conversation_id, item.turn_index) for item in twice.items} == {
        ("q", 1),
        ("q-2", 1),
    }


def test_one_id_for_two_rows_is_an_error(tmp_path):
    text = failure(tmp_path, [GOOD, changed(GOOD, conversation_id="b"), turns({"text": "x"})])
    assert (
        "row 3: the id 'a' stands for another row too" in text
        and "row 1; ids must be unique" in text
    )
    load_rows(tmp_path, [QUESTION, changed(QUESTION, turn_index=2)], "qa")
    assert "row 2: the id 'q/1' stands for another row too" in failure(
        tmp_path, [QUESTION, changed(QUESTION, client_question="x")], "qa"
    )


# --- which files


@pytest.mark.parametrize(
    ("files", "config", "split", "chosen"),
    [
        (
            ["csconv/test-00000-of-00001.parquet"],
            "csconv",
            "test",
            ["csconv/test-00000-of-00001.parquet"],
        ),
        (["csconv/test-00000-of-00001.parquet"], "csconv", "train", []),
        (["csconv/test.jsonl", "rolecs/train.jsonl"], "rolecs", "train", ["rolecs/train.jsonl"]),
        (
            ["csconv/test.jsonl", "qa/test.jsonl", "qa_short/test.jsonl"],
            "qa",
            "test",
            ["qa/test.jsonl"],
        ),
        (
            ["csconv/test.jsonl", "qa/test.jsonl", "qa_short/test.jsonl"],
            "qa_short",
            "test",
            ["qa_short/test.jsonl"],
        ),
        (["csconv/test.jsonl", "qa_short/test.jsonl"], "qa", "test", []),
        (["csconv/test.jsonl"], "qa", "test", []),
        (["data/csconv/test.jsonl"], "csconv", "test", ["data/csconv/test.jsonl"]),
        (["one/csconv/test.jsonl", "two/csconv/test.jsonl"], "csconv", "test", []),
        (
            ["csconv/latest.jsonl", "csconv/test2.jsonl", "csconv/test-extra.jsonl"],
            "csconv",
            "test",
            [],
        ),
        (
            ["qa/test-00000-of-00002.parquet", "qa/test-00001-of-00002.parquet"],
            "qa",
            "test",
            ["qa/test-00000-of-00002.parquet", "qa/test-00001-of-00002.parquet"],
        ),
        (["csconv/test.jsonl", "csconv/test.parquet"], "csconv", "test", ["csconv/test.parquet"]),
        (["data/CSConv.json", "data/RoleCS.json"], "csconv", "test", ["data/CSConv.json"]),
        (["data/CSConv.json", "data/RoleCS.json"], "rolecs", "train", ["data/RoleCS.json"]),
        (["data/CSConv.json", "data/RoleCS.json"], "csconv", "train", []),
        (["csconv.jsonl"], "csconv", "test", ["csconv.jsonl"]),
        (["data/CSConv.json", "csconv/test.jsonl"], "csconv", "test", ["csconv/test.jsonl"]),
        (["data/CSConv_old.json"], "csconv", "test", []),
        (["data/train.csv", "data/test.csv"], "qa", "test", ["data/test.csv"]),
        (["test.csv", "validation.csv"], "qa", "validation", ["validation.csv"]),
        (["data/test-00000-of-00001.parquet"], "qa", "test", ["data/test-00000-of-00001.parquet"]),
        (["data/test.csv"], "csconv", "test", []),
        (["README.md", "build.json", "eval.yaml"], "csconv", "test", []),
    ],
)
def test_which_files_are_chosen(files, config, split, chosen):
    assert corpora.choose_files(files, config, split) == chosen
    assert corpora.choose_files(reversed(files), config, split) == chosen


def test_a_missing_split_says_what_there_is(tmp_path):
    write(tmp_path / "csconv" / "train.jsonl", [GOOD])
    for config, split in (
        ("csconv", "test"),
        ("qa", "test"),
        ("rolecs", "train"),
        ("qa_short", "test"),
    ):
        with pytest.raises(MissingSplit) as caught:
            corpora.load(str(tmp_path), config, split)
        assert (
            str(caught.value)
            == f"{tmp_path}: no {config}/{split} found; there is csconv/train.jsonl. "
            "A dataset folder has CONFIG/SPLIT-*.parquet (configs csconv, rolecs, qa)"
        )
        assert not corpora.available(str(tmp_path), config, split)
    assert corpora.available(str(tmp_path), "csconv", "train")
    for i in range(20):
        write(tmp_path / "other" / f"{i:02}.json", [GOOD])
    with pytest.raises(MissingSplit, match=r"other/10\.json, \.\.\.\. A dataset"):
        corpora.load(str(tmp_path), "csconv", "test")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(MissingSplit, match=r"there is no \.parquet, \.jsonl, \.json, \.csv file"):
        corpora.load(str(empty), "csconv", "test")


# --- bad input: one clear error, with file, row, what was found, and what would do

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


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "Nobody/nothing",
            (
                "no such file or folder here, and the Hub cannot be reached and nothing of it is in"
                " the local cache"
            ),
        ),
        ("Nobody/nothing@main", "the Hub cannot be reached"),
        ("nothing", "the Hub cannot be reached"),
        ("./no/such/folder", "no such file or folder here, and not a Hub dataset id"),
        ("/no/such/file.json", "no such file or folder here"),
        ("~/no-such-folder", "no such file or folder here"),
        ("", "no such file or folder here"),
        ("a b", "not a Hub dataset id"),
        ("x" * 5000, "no such file or folder here"),
        ("a\0b", "no such file or folder here"),
    ],
)
def test_a_corpus_that_is_nowhere(name, said):
    """Tests run with HF_HUB_OFFLINE=1: this is what a run without the Hub says."""
    with pytest.raises(DataError) as caught:
        corpora.load(name, "csconv", "test")
    text = str(caught.value)
    assert text.startswith(f"{name}: ") and said in text
    assert text.endswith("a Hub dataset id you can reach, or demo")


def test_each_file_is_read_once(tmp_path, monkeypatch):
    read = []
    original = type(tmp_path).read_text
    monkeypatch.setattr(
        type(tmp_path),
        "read_text",
        lambda path, **kwargs: read.append(path.name) or original(path, **kwargs),
    )
    write(tmp_path / "csconv" / "test.jsonl", [GOOD])
    write(tmp_path / "csconv" / "train.jsonl", [GOOD])
    corpora.load(str(tmp_path), "csconv", "test")
    assert read == ["test.jsonl"]
