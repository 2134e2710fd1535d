"""A dataset whose turns carry labels of several raters: parquet and card, and everything that reads
its turns; one without labels keeps its bytes.
"""

import hashlib
import json
from dataclasses import replace

import pyarrow.parquet
import pytest

from builders.cards.render import Card
from builders.dataset import read_folder, write_folder
from builders.hold_out import hold_out
from builders.review.verdicts import Fix, Verdict, corrected
from builders.rows import Ordered
from csc_tasks import corpora
from csc_tasks.conversation import Conversation, Label
from csc_tasks.errors import DataError
from csc_tasks.pii import find_in_row
from csc_tasks.verify.manifest import entry_of, read_manifest
from tests.support.fakes import sample_conversations

CARD = Card("Two", "For tests.", "mit", ("en",), "Made up.", "By hand.", ("Small.",))
LABELS = (Label("anna", ("PS", "ID")), Label("model:small", ("ID",)))


def labelled(one, rater="anna"):
    """The first labelled turn with two raters."""
    at = one.labelled_turns()[0]
    labels = (replace(LABELS[0], rater=rater), LABELS[1])
    turns = [replace(t, labels=labels) if i == at else t for i, t in enumerate(one.dialogue)]
    return replace(one, dialogue=tuple(turns))


PLAIN = sample_conversations()
RATED = [labelled(PLAIN[0]), *PLAIN[1:]]


def written(out, items, split="test"):
    rows = {"csconv": {split: [item.to_row() for item in items]}}
    write_folder(out, rows, CARD, {"counts": {}}, {})
    return out


def file_of(folder):
    return folder / "csconv" / "test-00000-of-00001.parquet"


def test_labels_come_back_from_parquet(tmp_path):
    folder = written(tmp_path / "rated", RATED)
    record, rows = read_folder(folder)
    by_id = {item.conversation_id: item for item in RATED}
    assert rows["csconv"]["test"] == [by_id[name].to_row() for name in sorted(by_id)]
    read = corpora.load(str(folder), "csconv", "test")
    assert {item.conversation_id: item for item in read.items} == by_id
    described = record["splits"]["csconv"]["test"]
    assert (described["turns_with_labels"], described["raters"]) == (
        1,
        {"anna": 1, "model:small": 1},
    )


def test_datasets_reads_the_labels(tmp_path):
    from datasets import load_dataset

    folder = written(tmp_path / "rated", RATED)
    loaded = load_dataset(str(folder), "csconv", split="test", cache_dir=str(tmp_path / "cache"))
    labels = [turn["labels"] for row in loaded for turn in row["dialogue"]]
    assert [one for one in labels if one] == [[label.to_json() for label in LABELS]]
    assert all(one == [] for one in labels if not one), "an empty list where there are none"


def test_without_labels_nothing_of_a_folder_changes(tmp_path):
    """The bytes of the rows as they were before a turn could carry labels."""
    folder = written(tmp_path / "plain", PLAIN)
    schema = pyarrow.parquet.read_schema(file_of(folder))
    turn = schema.field("dialogue").type.value_type
    assert [turn.field(i).name for i in range(turn.num_fields)] == ["speaker", "strategy", "text"]
    described = read_folder(folder)[0]["splits"]["csconv"]["test"]
    assert not {"turns_with_labels", "raters"} & described.keys()
    for name in ("README.md", "build.json", "manifest.json"):
        text = (folder / name).read_text(encoding="utf-8")
        assert "labels" not in text and "rater" not in text, name
    rows = sorted((item.to_row() for item in PLAIN), key=lambda row: row["conversation_id"])
    lines = (
        json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n"
        for row in rows
    )
    assert described["content_sha256"] == hashlib.sha256("".join(lines).encode()).hexdigest()


def test_the_manifest_says_where_there_are_labels(tmp_path):
    plain = read_manifest(written(tmp_path / "plain", PLAIN) / "manifest.json")
    rated = read_manifest(written(tmp_path / "rated", RATED) / "manifest.json")
    before, after = (one.splits["csconv", "test"] for one in (plain, rated))
    assert [replace(entry, labels=None) for entry in after] == list(before)
    own = {entry.key: entry.labels for entry in after if entry.labels}
    assert own == {RATED[0].conversation_id: entry_of(RATED[0]).labels}


def test_the_card_names_the_raters_and_the_column(tmp_path):
    card = (written(tmp_path / "rated", RATED) / "README.md").read_text(encoding="utf-8")
    assert "| csconv | test | anna | 1 | 100.0% |" in card
    assert "| csconv | test | model:small | 1 | 100.0% |" in card
    assert "| `dialogue.labels` | what each of several raters says" in card


def test_rows_that_were_announced_without_labels_may_have_none(tmp_path):
    rows = sorted((item.to_row() for item in RATED), key=lambda row: row["conversation_id"])
    for announced in (False, True):
        made = Ordered(len(rows), lambda: iter(rows), labelled=announced)
        out = tmp_path / str(announced)
        if announced:
            write_folder(out, {"csconv": {"test": made}}, CARD, {"counts": {}}, {})
            assert read_folder(out)[1]["csconv"]["test"] == rows
        else:
            with pytest.raises(DataError, match="the rows were announced without"):
                write_folder(out, {"csconv": {"test": made}}, CARD, {"counts": {}}, {})


def test_a_label_with_an_unknown_key_is_refused(tmp_path):
    row = RATED[0].to_row()
    at = RATED[0].labelled_turns()[0]
    row["dialogue"][at]["labels"][0]["when"] = "today"
    with pytest.raises(DataError, match="a dataset folder says"):
        write_folder(tmp_path / "out", {"csconv": {"test": [row]}}, CARD, {"counts": {}}, {})


def test_what_is_held_out_keeps_no_label_that_tells_of_it():
    rated = [
        replace(
            one,
            dialogue=tuple(
                replace(turn, labels=LABELS) if turn.strategy else turn for turn in one.dialogue
            ),
        )
        for one in PLAIN
    ]
    held = hold_out({"csconv": {"test": [item.to_row() for item in rated]}})
    for row in held.public["csconv"]["test"]:
        one = Conversation.from_row(row, "public")
        out = set(one.held_out_turns())
        assert out
        kept = {i for i, turn in enumerate(one.dialogue) if turn.labels}
        assert kept == set(one.labelled_turns()) - out


def test_a_rater_named_by_an_address_is_found_before_publishing():
    row = labelled(PLAIN[0], rater="anna.berg@gmail.com").to_row()
    assert [match.kind for _, match in find_in_row(row)] == ["e-mail"]
    assert not list(find_in_row(RATED[0].to_row()))


def test_a_reviewer_who_rewrites_a_turn_drops_what_raters_said_of_it():
    at = RATED[0].labelled_turns()[0] + 1
    for fix, labels in (
        (Fix(at, "EM", ""), LABELS),
        (Fix(at, "", "Quite another sentence."), ()),
    ):
        verdict = Verdict(RATED[0].conversation_id, "fix", (fix,), "", "here")
        assert corrected(RATED[0], verdict).dialogue[at - 1].labels == labels
