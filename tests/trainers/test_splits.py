"""Which conversations are trained on and held out, and that none of them is tested."""

import dataclasses
import itertools
import json

import pytest

from csc_tasks.errors import DataError, SettingError
from tests.support.fakes import sample_conversations, sample_questions
from trainers import scoring
from trainers.splits import draw_conversations, hold_out, read_split, read_training_data
from trainers.summary import data_lines


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "".join(json.dumps(row.to_row(), ensure_ascii=False) + "\n" for row in rows),
        encoding="utf-8",
    )


def test_a_conversation_that_is_also_in_a_test_split_is_refused(tmp_path):
    items = sample_conversations()
    write(tmp_path / "data/rolecs/train.jsonl", items[:3])
    write(tmp_path / "elsewhere/csconv/test.jsonl", items[2:])
    assert read_training_data([str(tmp_path / "data")], ["rolecs"], None, 0, []).tested == {}
    with pytest.raises(
        DataError,
        match=(
            r"1 conversations to train on also stand in .*elsewhere"
            rf" csconv/test.*{items[2].conversation_id}"
        ),
    ):
        read_training_data(
            [str(tmp_path / "data")], ["rolecs"], None, 0, [str(tmp_path / "elsewhere")]
        )
    write(tmp_path / "data/csconv/test.jsonl", items[:1])
    with pytest.raises(DataError, match="also stand in"):
        read_training_data([str(tmp_path / "data")], ["rolecs"], None, 0, [])
    # The same dialogue under another id, as the published corpora have it in each config, and
    # without its strategies.
    unlabelled = tuple(dataclasses.replace(turn, strategy="") for turn in items[1].dialogue)
    write(
        tmp_path / "data/csconv/test.jsonl",
        [dataclasses.replace(items[1], conversation_id="csconv-1", dialogue=unlabelled)],
    )
    with pytest.raises(DataError, match=rf"1 conversations .*{items[1].conversation_id}"):
        read_training_data([str(tmp_path / "data")], ["rolecs"], None, 0, [])
    # A question and a dialogue of one conversation share its id.
    write(tmp_path / "data/csconv/test.jsonl", items[3:])
    questions = sample_questions()
    write(tmp_path / "data/qa/train.jsonl", questions)
    write(tmp_path / "other/qa/test.jsonl", questions[:1])
    with pytest.raises(DataError, match="qa/test"):
        read_training_data([str(tmp_path / "data")], ["qa"], None, 0, [str(tmp_path / "other")])


def test_a_validation_split_is_used_where_there_is_one_and_else_a_share_of_the_conversations(
    tmp_path,
):
    items = sample_conversations()
    write(tmp_path / "a/rolecs/train.jsonl", items)
    found = read_training_data([str(tmp_path / "a")], ["rolecs", "qa"], None, 0.4, [])
    assert (len(found.train), len(found.validation)) == (3, 2) and not set(found.train) & set(
        found.validation
    )
    again = read_training_data([str(tmp_path / "a")], ["rolecs"], None, 0.4, [])
    assert again.validation == found.validation
    write(tmp_path / "a/rolecs/validation.jsonl", items[:1])
    write(tmp_path / "a/rolecs/train.jsonl", items[1:])
    found = read_training_data([str(tmp_path / "a")], ["rolecs"], "en", 0.4, [])
    assert [item.conversation_id for item in found.validation] == [items[0].conversation_id]
    assert {item.language for item in (*found.train, *found.validation)} == {"en"}
    assert read_training_data([str(tmp_path / "a")], ["rolecs"], None, 0, []).validation == ()


def test_a_language_is_held_out_of_too_whatever_the_other_languages_have(tmp_path):
    items = sample_conversations()
    write(tmp_path / "a/rolecs/train.jsonl", items)
    for language in ("zh", "en"):
        found = read_training_data([str(tmp_path / "a")], ["rolecs"], language, 0.2, [])
        assert len(found.validation) == 1 and {
            item.language for item in (*found.train, *found.validation)
        } == {language}
    # A validation split that has nothing in this language is none.
    write(tmp_path / "a/rolecs/train.jsonl", items[1:])
    write(tmp_path / "a/rolecs/validation.jsonl", items[:1])
    other = {"zh": "en", "en": "zh"}[items[0].language]
    assert (
        len(read_training_data([str(tmp_path / "a")], ["rolecs"], other, 0.2, []).validation) == 1
    )
    # Of one that has both languages only the rows of this one.
    write(tmp_path / "a/rolecs/train.jsonl", items[:2] + items[4:])
    write(tmp_path / "a/rolecs/validation.jsonl", items[2:4])
    assert {item.language for item in items[2:4]} == {"zh", "en"}
    for language in ("zh", "en"):
        found = read_training_data([str(tmp_path / "a")], ["rolecs"], language, 0.2, [])
        assert [item.language for item in found.validation] == [language]


def test_the_same_rows_twice_are_refused_and_configs_that_are_nowhere_are_said(tmp_path):
    write(tmp_path / "a/rolecs/train.jsonl", sample_conversations())
    write(tmp_path / "b/rolecs/train.jsonl", sample_conversations())
    for names in ((tmp_path / "a", tmp_path / "a"), (tmp_path / "a", tmp_path / "b")):
        with pytest.raises(DataError, match="has the same rows as"):
            read_training_data([str(name) for name in names], ["rolecs"], None, 0, [])
    assert read_training_data(
        [str(tmp_path / "a")], ["rolecs", "qa_short"], None, 0, []
    ).absent == ("qa_short",)


def test_a_conversation_held_out_in_one_corpus_is_not_learned_from_another(tmp_path):
    items = sample_conversations()
    write(tmp_path / "a/rolecs/train.jsonl", items)
    write(tmp_path / "b/rolecs/train.jsonl", items[:2])
    write(tmp_path / "b/rolecs/validation.jsonl", items[3:4])
    found = read_training_data(
        [str(tmp_path / "a"), str(tmp_path / "b")], ["rolecs"], None, 0.2, []
    )
    held = {item.conversation_id for item in found.validation}
    assert items[3].conversation_id in held and not held & {
        item.conversation_id for item in found.train
    }
    # Five rows of a, less the one held out of it, and two of b.
    assert len(found.train) + found.set_aside == 4 + 2 and found.set_aside >= 1
    # The same dialogue under another id.
    write(tmp_path / "c/rolecs/train.jsonl", items[:2])
    write(
        tmp_path / "c/csconv/train.jsonl",
        [dataclasses.replace(items[0], conversation_id="csconv-1")],
    )
    write(
        tmp_path / "c/csconv/validation.jsonl",
        [dataclasses.replace(items[1], conversation_id="csconv-2")],
    )
    found = read_training_data([str(tmp_path / "c")], ["rolecs", "csconv"], None, 0.01, [])
    learned = {item.dialogue for item in found.train}
    assert not learned & {item.dialogue for item in found.validation}


def test_a_dialogue_held_out_under_another_id_is_set_aside(tmp_path):
    """Three dialogues are trained on in rolecs and held out, under other ids, in csconv."""
    items = sample_conversations()
    write(tmp_path / "c/rolecs/train.jsonl", items[:4])
    write(tmp_path / "c/rolecs/validation.jsonl", items[4:])
    again = [
        dataclasses.replace(item, conversation_id=f"csconv-{i}") for i, item in enumerate(items[:3])
    ]
    assert not {item.conversation_id for item in items} & {item.conversation_id for item in again}
    write(tmp_path / "c/csconv/validation.jsonl", again)
    write(
        tmp_path / "c/csconv/train.jsonl",
        [dataclasses.replace(items[3], conversation_id="csconv-3")],
    )
    found = read_training_data([str(tmp_path / "c")], ["rolecs", "csconv"], None, 0.1, [])
    assert {item.conversation_id for item in found.validation} == {
        items[4].conversation_id,
        "csconv-0",
        "csconv-1",
        "csconv-2",
    }
    # Of the five training rows only the fourth dialogue stays, which stands in both configs.
    assert [item.dialogue for item in found.train] == [items[3].dialogue] * 2
    assert found.set_aside == 3


def test_a_corpus_whose_every_dialogue_is_held_out_has_nothing_to_train_on(tmp_path):
    items = sample_conversations()
    write(tmp_path / "c/rolecs/train.jsonl", items[:2])
    again = [
        dataclasses.replace(item, conversation_id=f"again-{i}") for i, item in enumerate(items[:2])
    ]
    write(tmp_path / "c/rolecs/validation.jsonl", again)
    with pytest.raises(
        DataError, match="every conversation is held out for validation; lower validation_share"
    ):
        read_training_data([str(tmp_path / "c")], ["rolecs"], None, 0.1, [])
    # Without validation nothing is held out.
    assert len(read_training_data([str(tmp_path / "c")], ["rolecs"], None, 0, []).train) == 2


def test_a_corpus_of_the_hub_is_loaded_without_looking_for_a_folder(monkeypatch):
    from csc_tasks import corpora
    from csc_tasks.errors import MissingSplit

    def load(name, config, split, bad_rows):
        if config == "qa":
            raise MissingSplit("there is no qa")
        return (name, config, split)

    def no_folder(*_):
        raise AssertionError("a Hub id is no folder")

    monkeypatch.setattr(corpora, "load", load)
    monkeypatch.setattr(corpora, "available", no_folder)
    assert list(read_split("org/data", ["rolecs", "qa", "csconv"], "train")) == [
        ("org/data", "rolecs", "train"),
        ("org/data", "csconv", "train"),
    ]


def test_the_first_of_the_conversations_that_are_also_tested_is_named(tmp_path):
    items = [
        dataclasses.replace(item, conversation_id=f"id-{i}")
        for i, item in enumerate(sample_conversations())
    ]
    write(tmp_path / "a/rolecs/train.jsonl", items)
    write(tmp_path / "a/csconv/test.jsonl", items)
    with pytest.raises(
        DataError, match=r"5 conversations to train on also stand in .*csconv/test.*\(first: id-0\)"
    ):
        read_training_data([str(tmp_path / "a")], ["rolecs"], None, 0, [])


def test_all_rows_of_one_conversation_are_held_out_together():
    class Item:
        def __init__(self, name):
            self.conversation_id = name

    items = [Item(name) for name in "aabbcd"]
    kept, held = hold_out(items, 0.5)
    assert [item.conversation_id for item in held] == list("aabb") and [
        item.conversation_id for item in kept
    ] == list("cd")
    assert hold_out(items, 0)[1] == [] and hold_out(items[:2], 0.5)[1] == []


def test_only_train_splits_are_read(tmp_path):
    write(tmp_path / "csconv/test.jsonl", sample_conversations())
    with pytest.raises(DataError, match="has a train split"):
        read_training_data([str(tmp_path)], ["rolecs", "csconv"], None, 0.1, [])
    with pytest.raises(DataError, match="which split it holds"):
        read_training_data([str(tmp_path / "csconv/test.jsonl")], ["csconv"], None, 0.1, [])
    with pytest.raises(SettingError, match="name at least one"):
        read_training_data([], ["csconv"], None, 0.1, [])


def test_a_smaller_training_size_is_part_of_a_larger_one_and_nothing_else_moves(tmp_path):
    items = sample_conversations()
    write(tmp_path / "c/rolecs/train.jsonl", items)
    name = [str(tmp_path / "c")]
    whole = read_training_data(name, ["rolecs"], None, 0.2, [])
    assert (whole.conversations(), whole.not_drawn) == (4, 0)
    drawn = {}
    for seed in range(6):
        sizes = [
            read_training_data(name, ["rolecs"], None, 0.2, [], size, seed) for size in (1, 2, 3, 4)
        ]
        for smaller, larger in itertools.pairwise(sizes):
            assert set(smaller.train) < set(larger.train) <= set(whole.train)
        assert [data.conversations() for data in sizes] == [1, 2, 3, 4]
        assert [data.not_drawn for data in sizes] == [3, 2, 1, 0]
        assert all(data.validation == whole.validation for data in sizes)
        # In the order of the corpus: the whole is one training, with a size and without.
        assert sizes[-1].train == whole.train
        assert list(sizes[1].train) == [item for item in whole.train if item in sizes[1].train]
        drawn[seed] = sizes[0].train
    assert len(set(drawn.values())) > 1
    with pytest.raises(SettingError, match="train_size: there are 4 conversations to learn, not 5"):
        read_training_data(name, ["rolecs"], None, 0.2, [], 5)


def test_all_rows_of_a_drawn_conversation_are_learned():
    questions = sample_questions()
    twice = [
        dataclasses.replace(one, conversation_id=f"c{number % 3}")
        for number, one in enumerate(questions * 3)
    ][:6]
    drawn = draw_conversations(twice, 2, 0)
    assert len(drawn) == 4 and len({one.conversation_id for one in drawn}) == 2


def test_bad_rows_are_an_error_or_left_out_in_every_split(tmp_path):
    items = sample_conversations()
    for split, own in (("train", items[:2]), ("validation", items[2:3]), ("test", items[3:4])):
        path = tmp_path / "csconv" / f"{split}.jsonl"
        write(path, own)
        with path.open("a", encoding="utf-8") as stream:
            stream.write('{"conversation_id": "x", "language": "en", "dialogue": []}\n')
    read = [str(tmp_path)], ["csconv"], None, 0.1, []
    with pytest.raises(DataError, match=r"csc_bad_rows=drop \(--bad-rows drop\) leaves such rows"):
        read_training_data(*read)
    data = read_training_data(*read, bad_rows="drop")
    assert (len(data.train), len(data.validation)) == (2, 1)
    assert data.tested == {"csconv": str(tmp_path)}
    lines = list(data_lines(data))
    assert sum("; 1 bad rows left out" in line for line in lines) == 2
    for split, number in (("train", 3), ("validation", 2)):
        named = f"csconv/{split}.jsonl row {number} (x): the dialogue is empty"
        assert any(line.startswith("left out: ") and named in line for line in lines)


def test_what_is_left_out_of_training_is_left_out_of_scoring():
    record = {"recipe": {"style": "chat", "language": None, "bad_rows": "drop"}, "tested": {}}
    assert scoring._settings(record, ["csconv"], []) == {
        "csc_prompt": "chat",
        "csc_bad_rows": "drop",
    }
    for earlier in ({}, {"bad_rows": "error"}):
        recipe = {"style": "chat", "language": None, **earlier}
        assert scoring._settings({"recipe": recipe, "tested": {}}, ["csconv"], []) == {
            "csc_prompt": "chat"
        }
