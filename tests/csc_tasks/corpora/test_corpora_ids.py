"""Ids, the order of items, and the hash of a corpus' content."""

import hashlib
import json
import random
import re

from tests.support.corpus_rows import GOOD, PUBLISHED, QUESTION, changed, failure, load_rows, turns


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
