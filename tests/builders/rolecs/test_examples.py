"""The examples that a writer is shown stand in no test split."""

import json
from dataclasses import replace

import pytest

from builders.rolecs.build import chosen_examples
from builders.rolecs.examples import examples_from
from csc_tasks import corpora
from csc_tasks.cli import main
from csc_tasks.conversation import Conversation, Turn
from csc_tasks.errors import DataError, SettingError


def conversation(name, words, language="en", strategy="GT", roles=False):
    turns = (Turn("customer", words), Turn("supporter", f"about {words}", strategy))
    row = Conversation(name, language, "Others", "made", turns).to_row()
    return {**row, "profile": "p", "scenario": "s", "goal": "g"} if roles else row


def folder(root, **splits):
    """config_split=rows."""
    for name, rows in splits.items():
        config, split = name.split("_")
        (root / config).mkdir(parents=True, exist_ok=True)
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
        (root / config / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


def said(conversations):
    return {tuple(turn.text for turn in item.dialogue) for item in conversations}


def test_the_demos_examples_are_of_its_training_split():
    examples = examples_from("demo", ("en", "zh"), 3)
    shown = said([item for own in examples.values() for item in own])
    assert {code: len(own) for code, own in examples.items()} == {"en": 3, "zh": 3}
    assert shown <= said(corpora.load("demo", "rolecs", "train").items)
    assert shown.isdisjoint(said(corpora.load("demo", "csconv", "test").items))
    assert all(item.language == code for code, own in examples.items() for item in own)


def test_a_rolecs_folder_is_accepted_and_only_labelled_conversations_are_shown(tmp_path):
    rows = [
        conversation("a", "first", roles=True),
        conversation("b", "second", strategy="", roles=True),
        conversation("c", "third", roles=True),
    ]
    root = folder(tmp_path / "made", rolecs_train=rows)
    assert said(examples_from(str(root), ("en",), 5)["en"]) == {
        ("first", "about first"),
        ("third", "about third"),
    }


def test_test_conversations_are_not_taken_even_where_there_is_nothing_else(tmp_path):
    root = folder(tmp_path / "tests", csconv_test=[conversation("a", "first")])
    with pytest.raises(DataError, match="neither csconv/train nor rolecs/train; test splits are"):
        examples_from(str(root), ("en",), 1)
    for file in (root / "csconv" / "test.jsonl", corpora.DEMO_DIR / "csconv" / "test.jsonl"):
        with pytest.raises(SettingError, match="a file does not say which split it holds"):
            examples_from(str(file), ("en",), 1)


def test_training_conversations_that_are_tested_too_are_an_error(tmp_path):
    """By what is said, whatever id, labels and spaces it has; by the id; and of the demo's test
    split in somebody else's folder.
    """
    tested = conversation("a", "first words")
    again = conversation("other", "first   words", strategy="AC")
    for name, copy in (("said", again), ("id", conversation("a", "no"))):
        root = folder(tmp_path / name, csconv_train=[copy], csconv_test=[tested])
        message = r"1 of its training conversations also stand in .* csconv/test.*first: (a|other)"
        with pytest.raises(DataError, match=message):
            examples_from(str(root), ("en",), 1)
    item = next(c for c in corpora.load("demo", "csconv", "test").items if c.language == "en")
    copied = replace(item, conversation_id="mine").to_row()
    root = folder(tmp_path / "demo-copy", csconv_train=[conversation("b", "x"), copied])
    with pytest.raises(DataError, match=r"also stand in demo csconv/test.*first: mine"):
        examples_from(str(root), ("en",), 1)


def test_misuse_of_examples_is_one_line(tmp_path, capsys):
    root = folder(tmp_path / "en", csconv_train=[conversation("a", "first")])
    for given, message in (
        (str(root), "no labelled conversation in 'zh' in its training splits"),
        (str(root / "csconv" / "train.jsonl"), "a file does not say which split it holds"),
    ):
        words = ["--llm", "scripted", "--roles", "none", "--examples", given]
        assert main(["build", "rolecs", *words, "--out", str(tmp_path / "out")]) == 1
        error = capsys.readouterr().err
        assert message in error and error.startswith("error: ") and error.count("\n") == 1


def test_the_other_roles_take_no_examples():
    from argparse import Namespace

    assert chosen_examples(Namespace(roles="full", examples=None), ("en",)) == {}
