"""Labels of several raters on a turn: read and written both ways, their majority, and every rule
they must keep; a corpus without them is what it was.
"""

import json
from dataclasses import replace

import pytest

from csc_tasks import corpora
from csc_tasks.conversation import Conversation, Label, Turn
from csc_tasks.errors import DataError, UnknownStrategy
from csc_tasks.labels import majority, row_labels_hash, without_labels
from tests.support.fakes import sample_conversations, write_corpus

ANNA = {"rater": "anna", "strategies": ["PS", "ID"]}
BEN = {"rater": "ben", "strategies": ["ID"]}
MODEL = {"rater": "model:small", "strategies": ["PS"]}


def row(*labels, strategy="PS", speaker="supporter", text="Try again."):
    turn = {"speaker": speaker, "strategy": strategy, "text": text, "labels": list(labels)}
    return {
        "conversation_id": "one",
        "language": "en",
        "topic": "Others",
        "source": "test",
        "dialogue": [
            {"speaker": "customer", "strategy": "", "text": "It does not work."},
            turn,
            {"speaker": "supporter", "strategy": "AC", "text": "Goodbye."},
        ],
    }


def test_labels_are_read_and_written_as_they_were():
    given = row(ANNA, BEN, MODEL)
    read = Conversation.from_row(given, "here")
    assert read.dialogue[1].labels == (
        Label("anna", ("PS", "ID")),
        Label("ben", ("ID",)),
        Label("model:small", ("PS",)),
    )
    assert [label.by_model for label in read.dialogue[1].labels] == [False, False, True]
    assert json.loads(json.dumps(read.to_row())) == given


@pytest.mark.parametrize("empty", [None, [], ()])
def test_a_turn_without_labels_has_no_key(empty):
    given = row()
    given["dialogue"][1]["labels"] = empty
    assert "labels" not in Conversation.from_row(given, "here").to_row()["dialogue"][1]


def test_strategies_may_go_by_name():
    named = {"rater": "anna", "strategies": ["Providing Suggestions", "传达信息", "信息传达"]}
    with pytest.raises(UnknownStrategy, match="strategy '传达信息' of rater 'anna' is not one of"):
        Conversation.from_row(row(named), "here")
    named["strategies"].remove("传达信息")
    read = Conversation.from_row(row(named), "here")
    assert read.dialogue[1].labels[0].strategies == ("PS", "ID")


@pytest.mark.parametrize(
    ("firsts", "most"),
    [
        (["ID", "PS", "PS"], "PS"),
        # A tie: the number in the framework decides (EM 5, PS 6, AC 11), not the order here.
        (["PS", "EM"], "EM"),
        (["AC", "PS", "EM"], "EM"),
        (["AC", "PS", "AC", "PS", "GT"], "PS"),
        (["Others"], "Others"),
        ([], ""),
    ],
)
def test_the_majority_is_of_the_main_strategies(firsts, most):
    labels = [Label(f"r{i}", (name, "RC")) for i, name in enumerate(firsts)]
    assert majority(labels) == most


def test_a_turn_with_labels_and_no_strategy_gets_their_majority():
    read = Conversation.from_row(row(BEN, ANNA, MODEL, strategy=""), "here")
    assert read.dialogue[1].strategy == "PS"
    assert read.labelled_turns() == [1, 2]


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (["anna"], "turn 1 label 0: found 'anna'; a label needs 'rater' as text"),
        ([{"rater": 3, "strategies": ["PS"]}], "a label needs 'rater' as text"),
        ([{"rater": "anna", "strategies": "PS"}], "'strategies' as a list of texts"),
        ([{"rater": "anna", "strategies": ["PS", 6]}], "'strategies' as a list of texts"),
        ([{"rater": "anna"}], "'strategies' as a list of texts"),
        ([{"rater": "anna", "strategies": []}], "turn 1: rater 'anna' names no strategy"),
        ([{"rater": " ", "strategies": ["PS"]}], "turn 1: a label names no rater"),
        ([ANNA, ANNA], "turn 1: rater 'anna' labels it 2 times"),
        ([{"rater": "anna", "strategies": ["PS", "PS"]}], "rater 'anna' names PS 2 times"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(labels, said):
    with pytest.raises(DataError) as error:
        Conversation.from_row(row(*labels), "file row 7")
    assert said in str(error.value)
    assert str(error.value).startswith("file row 7")
    assert "\n" not in str(error.value)


def test_labels_that_are_no_list_are_an_error():
    given = row()
    given["dialogue"][1]["labels"] = {"anna": "PS"}
    with pytest.raises(DataError, match=r"turn 1: labels is .*; it must be a list of"):
        Conversation.from_row(given, "here")


def test_only_supporter_turns_that_can_be_seen_carry_labels():
    with pytest.raises(DataError, match="turn 1: a customer turn carries labels"):
        Conversation.from_row(row(ANNA, strategy="", speaker="customer"), "here")
    with pytest.raises(DataError, match="turn 1: a turn that is held out carries labels"):
        Conversation.from_row(row(ANNA, strategy="[held out]", text="[held out]"), "here")


def labelled(conversation):
    """The same conversation, every labelled turn with two raters."""
    turns = (
        replace(turn, labels=(Label("anna", (turn.strategy,)), Label("ben", ("RC",))))
        if turn.strategy
        else turn
        for turn in conversation.dialogue
    )
    return replace(conversation, dialogue=tuple(turns))


def test_who_labels_a_corpus_changes_nothing_of_what_it_is(tmp_path):
    plain = sample_conversations()
    write_corpus(tmp_path / "plain", plain)
    write_corpus(tmp_path / "labelled", list(map(labelled, plain)))
    before = corpora.load(str(tmp_path / "plain"), "csconv", "test")
    after = corpora.load(str(tmp_path / "labelled"), "csconv", "test")
    assert (before.content_hash, before.labels) == (after.content_hash, None)
    assert after.labels is not None
    assert '"labels"' not in (tmp_path / "plain/csconv/test.jsonl").read_text(encoding="utf-8")


def test_a_strategy_that_most_raters_do_not_name_is_counted(tmp_path):
    items = [labelled(one) for one in sample_conversations()]
    at = items[0].labelled_turns()[0]
    turns = list(items[0].dialogue)
    other = (Label("anna", ("AC",)), Label("ben", ("AC", turns[at].strategy)))
    turns[at] = replace(turns[at], labels=other)
    write_corpus(tmp_path / "corpus", [replace(items[0], dialogue=tuple(turns)), *items[1:]])
    read = corpora.load(str(tmp_path / "corpus"), "csconv", "test")
    ties = sum(
        majority(turn.labels) != turn.strategy
        for one in items
        for turn in one.dialogue
        if turn.labels
    )
    counted = {"turns whose strategy is not what most raters name first": ties + 1}
    assert read.counts == counted
    assert f"{ties + 1} turns whose strategy is not what most raters name first" in read.summary()


@pytest.mark.parametrize("turns", [["labels", 3, None], {"labels": 1}, "labels"])
def test_a_dialogue_of_anything_has_a_hash(turns):
    assert without_labels({"dialogue": turns}) == {"dialogue": turns}
    assert row_labels_hash({"dialogue": turns}) is None


def test_the_hash_of_the_labels_is_theirs_alone(tmp_path):
    def digest(change):
        items = [labelled(one) for one in sample_conversations()]
        items[0] = change(items[0])
        write_corpus(tmp_path / "corpus", items)
        return corpora.load(str(tmp_path / "corpus"), "csconv", "test").labels

    def relabelled(one):
        at = one.labelled_turns()[0]
        turns = list(one.dialogue)
        turns[at] = replace(turns[at], labels=(Label("anna", ("AC",)), turns[at].labels[1]))
        return replace(one, dialogue=tuple(turns))

    def reworded(one):
        return replace(one, dialogue=(*one.dialogue, Turn("customer", "Thanks.")))

    assert digest(lambda one: one) != digest(relabelled)
    items = [labelled(one) for one in sample_conversations()]
    write_corpus(tmp_path / "corpus", items)
    assert digest(lambda one: replace(one, source="elsewhere")) == digest(lambda one: one)
    assert digest(reworded) != digest(lambda one: one), "a turn more is a place more for labels"
