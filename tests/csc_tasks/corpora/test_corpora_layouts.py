"""Reading corpora in our own layout, and odd but sound files."""

import json

import pytest

from csc_tasks import corpora
from csc_tasks.errors import DataError, MissingSplit
from tests.support.corpus_rows import (
    GOOD,
    PUBLISHED,
    PUBLISHED_QUESTION,
    QUESTION,
    changed,
    load_rows,
    turns,
    write,
)
from tests.support.fakes import sample_conversations, sample_questions

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
