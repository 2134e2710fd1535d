"""STAR's raw dialogues -> a csconv folder: every rule, on hand-made files."""

import argparse
import hashlib
import json
import re
from collections import Counter

import pytest

from builders import star
from builders.star_labels import MAPPING, STRATEGY_OF, UNLABELLED
from csc_tasks.errors import DataError, SettingError
from csc_tasks.framework import BY_ID, TOPICS


def user(text):
    return {"Agent": "User", "Action": "utter", "Text": text}


def picked(label, text):
    return {
        "Agent": "Wizard",
        "Action": "pick_suggestion",
        "ActionLabel": label,
        "ActionLabelOptions": [label],
        "Text": text,
    }


def typed(text, **more):
    return {"Agent": "Wizard", "Action": "utter", "Text": text, **more}


def raw_dialogue(number, events, level="Complete", tasks=("bank_balance",)):
    return {
        "DialogueID": number,
        "CompletionLevel": level,
        "Events": events,
        "FORMAT-VERSION": 7,
        "Scenario": {
            "Domains": ["bank"],
            "WizardCapabilities": [{"Domain": task.split("_")[0], "Task": task} for task in tasks],
        },
    }


def balance(number, *extra, **settings):
    """A completed dialogue of four turns that no other number shares the wording of."""
    events = [
        user(f"My balance, please ({number})"),
        picked("ask_name", "Could I get your full name, please?"),
        user("Jane Doe"),
    ]
    return raw_dialogue(
        number, [*events, picked("bank_inform_balance", "Your balance is 5."), *extra], **settings
    )


@pytest.fixture
def source(tmp_path):
    """write(dialogues...) puts raw files into a clone-like folder and returns it."""

    def write(*dialogues):
        folder = tmp_path / "STAR" / "dialogues"
        folder.mkdir(parents=True, exist_ok=True)
        for dialogue in dialogues:
            (folder / f"{dialogue['DialogueID']}.json").write_text(
                json.dumps(dialogue), encoding="utf-8"
            )
        return folder.parent

    return write


def read(folder):
    return star.read_dialogues(star.dialogue_files(folder))


def build(folder, out, *more):
    parser = argparse.ArgumentParser()
    star.add_arguments(parser)
    star.main(parser.parse_args(["--source", str(folder), "--out", str(out), *more]))


def files_of(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


# What a dialogue becomes


def test_turns_are_what_was_said_in_order(source):
    (conversation,) = read(source(balance(7))).conversations
    assert [(turn.speaker, turn.strategy, turn.text) for turn in conversation.dialogue] == [
        ("customer", "", "My balance, please (7)"),
        ("supporter", "IV", "Could I get your full name, please?"),
        ("customer", "", "Jane Doe"),
        ("supporter", "ID", "Your balance is 5."),
    ]
    assert (conversation.language, conversation.source) == ("en", "STAR/7")
    assert conversation.problems() == []


def test_what_is_not_said_is_left_out_and_counted(source):
    noise = [
        {"Agent": "UserGuide", "Action": "instruct", "Text": "Ask for your balance."},
        {"Agent": "Wizard", "Action": "request_suggestions", "Text": "balance"},
        {"Agent": "Wizard", "Action": "query", "APIName": "bank_balance"},
        {"Agent": "KnowledgeBase", "Action": "return_item", "Item": {}},
        {"Agent": "User", "Action": "complete"},
    ]
    reading = read(source(balance(7, *noise)))
    assert len(reading.conversations[0].dialogue) == 4
    assert reading.not_said == {
        "UserGuide instruct": 1,
        "Wizard request_suggestions": 1,
        "Wizard query": 1,
        "KnowledgeBase return_item": 1,
        "User complete": 1,
    }


def test_typed_and_custom_replies_stay_without_a_label(source):
    events = [
        typed("How many people?"),
        picked("custom", "Guests "),
        typed("Thank you and goodbye!", ActionLabel="restaurant_bye"),
    ]
    reading = read(source(balance(7, *events)))
    assert [(turn.strategy, turn.text) for turn in reading.conversations[0].dialogue[-3:]] == [
        ("", "How many people?"),
        ("", "Guests"),
        ("AC", "Thank you and goodbye!"),
    ]
    assert reading.unlabelled == {"without a label": 1, "labelled custom": 1}


def test_neighbours_of_one_speaker_are_never_merged(source):
    reading = read(
        source(balance(7, picked("anything_else", "Anything else?"), user("No"), user("Thanks")))
    )
    assert [turn.text for turn in reading.conversations[0].dialogue[-4:]] == [
        "Your balance is 5.",
        "Anything else?",
        "No",
        "Thanks",
    ]


def test_empty_texts_are_left_out_and_spaces_trimmed_and_both_counted(source):
    reading = read(source(balance(7, user("  "), picked("goodbye_1", ""), user(" Bye \n"))))
    assert [turn.text for turn in reading.conversations[0].dialogue[4:]] == ["Bye"]
    assert reading.texts == {"left out because empty": 2, "with spaces trimmed off their ends": 1}


def test_dialogues_that_cannot_be_used_are_dropped_by_reason(source):
    folder = source(
        balance(1),
        balance(2, level="EarlyDisconnectDuringDialogue"),
        balance(3, level="DisconnectDuringDialogue"),
        raw_dialogue(4, [picked("hello", "Hello, how can I help?")]),
        raw_dialogue(5, [user("Hi"), typed("Hi"), picked("custom", "Well?")]),
        raw_dialogue(6, [user("Hi"), picked("hello", " ")]),
    )
    reading = read(folder)
    assert [conversation.source for conversation in reading.conversations] == ["STAR/1"]
    assert reading.dropped == {
        "not completed (EarlyDisconnectDuringDialogue)": 1,
        "not completed (DisconnectDuringDialogue)": 1,
        "no customer turn": 1,
        "no labelled supporter turn": 2,
    }
    assert reading.texts["left out because empty"] == 0, "counts speak of kept dialogues only"


def test_exact_duplicates_are_dropped_and_the_lower_number_stays(source):
    original, copy = balance(9), balance(9) | {"DialogueID": 10}
    reading = read(source(copy, original))
    assert [conversation.source for conversation in reading.conversations] == ["STAR/9"]
    assert reading.dropped == {"duplicate of another dialogue": 1}


@pytest.mark.parametrize(
    ("tasks", "topic"),
    [
        (("bank_balance",), "Account and Transaction Management"),
        (("bank_fraud_report",), "Risk Management and Security"),
        (("weather",), "Others"),
        (("restaurant_book", "trivia"), "Others"),
        (("bank_balance", "bank_fraud_report"), "Others"),
        (("restaurant_book", "bank_balance"), "Others"),
    ],
)
def test_topic_comes_from_the_tasks_of_the_scenario(source, tasks, topic):
    (conversation,) = read(source(balance(7, tasks=tasks))).conversations
    assert conversation.topic == topic
    assert topic in set(TOPICS)


def test_ids_come_from_number_and_wording_not_from_labels(source):
    (first,) = read(source(balance(7))).conversations
    relabelled = balance(7)
    relabelled["Events"][1]["ActionLabel"] = "hello"
    (second,) = read(source(relabelled)).conversations
    assert second.dialogue[1].strategy == "GT"
    assert first.conversation_id == second.conversation_id
    (other,) = read(source(balance(7, user("Bye")))).conversations
    assert other.conversation_id != first.conversation_id


# What stops a build


def test_unmapped_labels_are_one_error_that_lists_them_all(source):
    unknown = picked("bank_inform_balanse", "Your balance is 5.")
    folder = source(
        balance(1, unknown, unknown),
        balance(2, unknown),
        balance(3, picked("ship_sink", "Gone.")),
        balance(4),
    )
    with pytest.raises(DataError) as caught:
        read(folder)
    text = str(caught.value)
    assert "2 action labels have no strategy" in text
    place = f"{folder / 'dialogues' / '1.json'}: Events[4]"
    assert (
        f"'bank_inform_balanse' in 2 files (first {place}; closest known: bank_inform_balance)"
        in text
    )
    assert "'ship_sink' in 1 file (first" in text
    assert "builders/star_labels.py" in text


def test_labels_of_dialogues_that_are_dropped_anyway_do_not_matter(source):
    assert (
        read(
            source(
                balance(1),
                balance(2, picked("ship_sink", "Gone."), level="DisconnectDuringDialogue"),
            )
        ).files
        == 2
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            b'{"DialogueID": 3,\n "Events": [}',
            "3.json: broken JSON, perhaps cut off (Expecting value, line 2, column 13)",
        ),
        (b'{"DialogueID": "caf\xe9"}', "3.json: not UTF-8 (byte 19 is 0xe9)"),
        (
            b"[1, 2]",
            (
                "3.json: found a list; a STAR dialogue is an object with DialogueID,"
                " CompletionLevel, Events, Scenario"
            ),
        ),
        (
            b'{"DialogueID": 3, "Scenario": {}}',
            "3.json: CompletionLevel, Events missing or of the wrong kind",
        ),
    ],
)
def test_an_unreadable_file_stops_the_build_and_is_named(source, content, said):
    folder = source(balance(1))
    (folder / "dialogues" / "3.json").write_bytes(content)
    with pytest.raises(DataError, match=re.escape(said)):
        read(folder)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ("hello", "Events[4]: found hello; an event is an object"),
        ({"Agent": "User"}, "Events[4]: found {'Agent': 'User'}"),
        ({"Agent": "User", "Action": "utter"}, "Events[4]: Text is 'None'"),
        (
            {"Agent": "Wizard", "Action": "utter", "Text": "Hi", "ActionLabel": ["hello"]},
            "ActionLabel \"['hello']\"; both must be text",
        ),
        (user("\ud83d"), "holds lone surrogates"),
    ],
)
def test_a_broken_event_is_named_by_file_and_place(source, event, said):
    with pytest.raises(DataError) as caught:
        read(source(balance(8, event)))
    assert said in str(caught.value)
    assert "8.json" in str(caught.value)


def test_a_scenario_without_tasks_is_an_error(source):
    broken = balance(8)
    broken["Scenario"] = {"Domains": ["bank"]}
    with pytest.raises(DataError, match=r"8\.json: Scenario: WizardCapabilities must be a list"):
        read(source(broken))


def test_source_may_be_the_clone_its_dialogues_or_a_parent(source):
    clone = source(balance(10), balance(9))
    for folder in (clone, clone / "dialogues", clone.parent):
        assert [path.name for path in star.dialogue_files(folder)] == ["9.json", "10.json"]


def test_a_source_without_dialogues_is_an_error(tmp_path, source):
    with pytest.raises(DataError, match="is not a folder"):
        star.dialogue_files(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"holds no dialogues/\*\.json"):
        star.dialogue_files(tmp_path)
    clone = source(balance(1))
    second = tmp_path / "STAR2" / "dialogues"
    second.mkdir(parents=True)
    (second / "1.json").write_text("{}")
    with pytest.raises(DataError, match="several dialogues/ folders"):
        star.dialogue_files(clone.parent)


def test_nothing_usable_is_an_error_with_the_reasons(source, tmp_path):
    folder = source(balance(1, level="DisconnectDuringDialogue"))
    with pytest.raises(
        DataError,
        match=r"none of the 1 dialogues can be used.*1 not completed \(DisconnectDuringDialogue\)",
    ):
        build(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_foreign_target_is_refused_before_any_work(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(SettingError, match="is not empty"):
        build(tmp_path / "nowhere", tmp_path)


# The table


def test_the_table_names_each_label_once_and_only_known_strategies():
    labels = [label for _, _, text in MAPPING for label in text.split()]
    assert [label for label, n in Counter(labels).items() if n > 1] == []
    assert {strategy for strategy, _, _ in MAPPING} <= set(BY_ID)
    assert not UNLABELLED & set(labels)
    assert len(labels) == len(STRATEGY_OF) == 181


@pytest.mark.parametrize(
    ("label", "strategy"),
    [
        ("hello", "GT"),
        ("ask_name", "IV"),
        ("bank_ask_pin", "IV"),
        ("bank_ask_mothers_maiden_name", "IV"),
        ("bank_ask_fraud_details", "PR"),
        ("hotel_ask_name", "PR"),
        ("restaurant_ask_confirm_booking", "RP"),
        ("bank_inform_balance", "ID"),
        ("weather_inform_forecast", "ID"),
        ("bank_inform_cannot_authenticate", "ID"),
        ("restaurant_inform_unavailable", "ID"),
        ("bank_inform_nothing_found", "ID"),
        ("bank_inform_fraud_report_submitted", "RI"),
        ("restaurant_inform_booking_failed", "RI"),
        ("anything_else", "FR"),
        ("goodbye_1", "AC"),
        ("trivia_bye", "AC"),
        ("restaurant_bye", "AC"),
        ("out_of_scope", "Others"),
    ],
)
def test_decisions_of_the_table(label, strategy):
    assert STRATEGY_OF[label] == strategy


# The folder


def test_two_builds_are_the_same_bytes_apart_from_run_json(source, tmp_path):
    folder = source(*(balance(number) for number in range(40)))
    build(folder, tmp_path / "one")
    build(folder, tmp_path / "elsewhere" / "two")
    one, two = files_of(tmp_path / "one"), files_of(tmp_path / "elsewhere" / "two")
    assert (
        one.keys()
        == two.keys()
        == {
            "README.md",
            "build.json",
            "run.json",
            "manifest.json",
            "csconv/train-00000-of-00001.parquet",
            "csconv/test-00000-of-00001.parquet",
        }
    )
    assert [name for name in one if one[name] != two[name] and name != "run.json"] == []


def test_the_seed_moves_dialogues_between_splits_and_is_recorded(source, tmp_path):
    folder = source(*(balance(number) for number in range(40)))
    tested = []
    for seed in ("0", "1"):
        build(folder, tmp_path / seed, "--seed", seed)
        record = json.loads((tmp_path / seed / "build.json").read_text(encoding="utf-8"))
        assert record["settings"] == {"seed": int(seed), "test_share": 0.2}
        assert record["counts"]["dialogues_read"] == record["counts"]["dialogues_kept"] == 40
        tested.append(record["splits"]["csconv"]["test"]["content_sha256"])
    assert tested[0] != tested[1]


def test_a_split_is_about_a_fifth_and_depends_on_the_id_alone():
    ids = [hashlib.sha256(str(i).encode()).hexdigest() for i in range(5_000)]
    share = sum(star.split_of(one, 0) == "test" for one in ids) / len(ids)
    assert 0.18 < share < 0.22
    assert [star.split_of(one, 0) for one in ids] == [
        star.split_of(one, 0) for one in reversed(ids)
    ][::-1]


def test_a_split_nothing_fell_into_is_said_and_not_written(source, tmp_path, capsys):
    build(source(balance(1)), tmp_path / "out")
    written = {path.name.split("-")[0] for path in (tmp_path / "out" / "csconv").iterdir()}
    assert len(written) == 1
    (absent,) = {"train", "test"} - written
    assert f"No dialogue fell into the {absent} split" in capsys.readouterr().out
