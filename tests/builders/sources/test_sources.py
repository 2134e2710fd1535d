"""Recorded conversations: each source's form, and every fault reported with its place while reading
goes on.
"""

import gzip
import json
import random
import zipfile
from argparse import ArgumentParser
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

import pytest

from builders.sources import (
    FORMATS,
    RawConversation,
    Reading,
    add_source_arguments,
    format_of,
    read_source,
)
from builders.sources.progress import ReadingProgress
from builders.sources.raw import LISTED
from csc_tasks.conversation import Turn
from csc_tasks.errors import DataError, SettingError
from tests.support.source_reading import read


def turn(speaker, text):
    return {"speaker": speaker, "text": text}


def row(number, *turns, **more):
    turns = turns or (turn("customer", "Hello"), turn("supporter", f"Hello, case {number}"))
    return {"conversation_id": number, "turns": list(turns), "language": "en", **more}


@pytest.fixture
def jsonl(tmp_path):
    """jsonl(rows...) writes each row as a line (bytes as they are) and returns the file."""

    def write(*rows, name="calls.jsonl"):
        path = tmp_path / name
        lines = [
            (
                line
                if isinstance(line, bytes)
                else json.dumps(line, ensure_ascii=False).encode() + b"\n"
            )
            for line in rows
        ]
        data = b"".join(lines)
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return write


# JSONL


def test_a_jsonl_row_becomes_a_conversation_with_clean_merged_turns(jsonl):
    path = jsonl(
        row(
            "c1",
            turn("customer", " Hi \n there "),
            turn("客户", "anyone?"),
            turn("Agent", "Yes."),
            turn("agent", ""),
            topic="产品咨询",
        ),
        row(17, language="zh", source="kiosk", topic="gardening"),
        row("c3", turn("客户", "你好，我想查一下订单"), turn("客服", "好的"), language=""),
    )
    found, reading = read(path)
    assert found == [
        RawConversation(
            "c1",
            "en",
            "Product Consultation",
            "calls",
            (Turn("customer", "Hi there anyone?"), Turn("supporter", "Yes.")),
        ),
        RawConversation(
            "17",
            "zh",
            "",
            "kiosk",
            (Turn("customer", "Hello"), Turn("supporter", "Hello, case 17")),
        ),
        RawConversation(
            "c3",
            "zh",
            "",
            "calls",
            (Turn("customer", "你好，我想查一下订单"), Turn("supporter", "好的")),
        ),
    ]
    assert reading.problems == []
    assert reading.counts == {
        "conversations_read": 3,
        "turns_merged_into_the_one_before": 1,
        "turns_left_out_because_empty": 1,
        "topics_not_among_the_eight_and_so_unknown": 1,
    }
    assert [c.language for c in read(path, language="en")[0]] == ["en", "zh", "en"]


@pytest.mark.parametrize(
    ("bad", "reason", "place"),
    [
        (b"{nonsense}\n", "not JSON", "calls.jsonl, line 2"),
        (b"\xff\xfe{}\n", "not UTF-8", "calls.jsonl, line 2"),
        (b"[" * 100_000 + b"\n", "not JSON", "calls.jsonl, line 2"),
        ([1, 2], "no object with a list of turns", "calls.jsonl, line 2"),
        (
            {"conversation_id": "x", "turns": "hello"},
            "no object with a list of turns",
            "calls.jsonl, line 2",
        ),
        ({"turns": []}, "no conversation_id", "calls.jsonl, line 2"),
        (
            row("x", turn("customer", None)),
            "text is null",
            "calls.jsonl, line 2 (conversation x): turn 0",
        ),
        (
            row("x", turn("customer", "a"), turn("supporter", 5)),
            "text is no text",
            "calls.jsonl, line 2 (conversation x): turn 1",
        ),
        (
            row("x", turn("robot", "beep")),
            "unknown speaker",
            "calls.jsonl, line 2 (conversation x): turn 0",
        ),
        (
            row("x", {"text": "beep"}),
            "unknown speaker",
            "calls.jsonl, line 2 (conversation x): turn 0",
        ),
        (row("x", "beep"), "unknown speaker", "calls.jsonl, line 2 (conversation x): turn 0"),
        (row("x", turn("customer", "  ")), "no text", "calls.jsonl, line 2 (conversation x)"),
        (
            {"conversation_id": "x", "language": "en", "turns": []},
            "no text",
            "calls.jsonl, line 2 (conversation x)",
        ),
        (row("first"), "conversation_id occurs twice", "calls.jsonl, line 2 (conversation first)"),
        (row("x", language="xx"), "unknown language", "calls.jsonl, line 2 (conversation x)"),
        (row("x", topic=["a"]), "a field is no text", "calls.jsonl, line 2"),
        (
            (
                b'{"conversation_id": "x", "language": "en", "turns": [{"speaker": "customer",'
                b' "text": "\\ud800"}]}\n'
            ),
            "text is not valid Unicode",
            "calls.jsonl, line 2 (conversation x): turn 0",
        ),
    ],
)
def test_a_bad_jsonl_line_is_reported_with_its_place_and_reading_goes_on(jsonl, bad, reason, place):
    found, reading = read(jsonl(row("first"), bad, b"\n", row("last")))
    assert [c.source_id for c in found] == ["first", "last"]
    assert reading.counts == {
        "conversations_read": 2,
        "conversations_left_out": 1,
        f"problems: {reason}": 1,
    }
    assert len(reading.problems) == 1 and reading.problems[0].startswith(f"{place}: {reason}")


def test_a_cut_jsonl_file_gives_what_came_before_the_cut(jsonl):
    whole = json.dumps(row("last")).encode()
    found, reading = read(jsonl(row("first"), whole[:30]))
    assert [c.source_id for c in found] == ["first"]
    assert (
        reading.problems[0].startswith("calls.jsonl, line 2: not JSON")
        and "may be cut off" in reading.problems[0]
    )
    # The last line of a sound file needs no line end.
    assert len(read(jsonl(row("first"), whole))[0]) == 2


def test_a_compressed_jsonl_file_is_read_and_a_cut_one_reported(jsonl):
    draw = random.Random(0)
    rows = [row(f"c{i}", turn("customer", f"{draw.random()}")) for i in range(2_000)]
    path = jsonl(*rows, name="calls.jsonl.gz")
    found, _ = read(path)
    assert len(found) == 2_000 and found[0].source == "calls"
    path.write_bytes(path.read_bytes()[:-5_000])
    found, reading = read(path)
    assert 100 < len(found) < 2_000
    assert reading.counts["problems: the file is cut off or damaged"] == 1
    assert (
        reading.problems[-1].startswith(f"calls.jsonl.gz, after line {len(found)}")
        or "not JSON" in reading.problems[-2]
    )


def test_problems_are_all_counted_and_the_first_thousand_listed(jsonl):
    _, reading = read(jsonl(*[b"x\n"] * (LISTED + 5)))
    assert reading.counts["problems: not JSON"] == LISTED + 5
    assert len(reading.problems) == LISTED


# CrossWOZ


def said(role, content):
    return {"role": role, "content": content}


CROSSWOZ = {
    "7": {
        "messages": [
            said("usr", "你好 ，\n请推荐酒店"),
            said("sys", "好的"),
            said("sys", "推荐和颐酒店"),
        ],
        "goal": [],
        "type": "单领域",
    },
    "9": {"messages": [said("usr", "谢谢"), said("sys", "不客气")]},
}


def test_crosswoz_is_read_from_a_file_an_archive_and_a_folder(tmp_path):
    plain = tmp_path / "data" / "val.json"
    plain.parent.mkdir()
    plain.write_text(json.dumps(CROSSWOZ, ensure_ascii=False, indent=1), encoding="utf-8")
    with zipfile.ZipFile(tmp_path / "val.json.zip", "w") as archive:
        archive.write(plain, "val.json")
    found, reading = read(plain)
    assert found == [
        RawConversation(
            "7",
            "zh",
            "",
            "CrossWOZ",
            (Turn("customer", "你好 ， 请推荐酒店"), Turn("supporter", "好的 推荐和颐酒店")),
        ),
        RawConversation(
            "9", "zh", "", "CrossWOZ", (Turn("customer", "谢谢"), Turn("supporter", "不客气"))
        ),
    ]
    assert reading.counts == {"conversations_read": 2, "turns_merged_into_the_one_before": 1}
    assert read(tmp_path / "val.json.zip")[0] == found
    assert read(plain.parent)[0] == found


@pytest.mark.parametrize(
    ("bad", "reason", "place"),
    [
        ({"messages": None}, "no object with a list of messages", ""),
        ([], "no object with a list of messages", ""),
        ({"messages": [said("usr", None)]}, "text is null", ": message 0"),
        ({"messages": [said("usr", "好"), said("bot", "好")]}, "unknown speaker", ": message 1"),
        ({"messages": [said("usr", 5)]}, "text is no text", ": message 0"),
        ({"messages": ["好"]}, "unknown speaker", ": message 0"),
        ({"messages": []}, "no text", ""),
    ],
)
def test_a_bad_crosswoz_dialogue_is_reported_with_its_place(tmp_path, bad, reason, place):
    path = tmp_path / "val.json"
    members = {"1": CROSSWOZ["9"], "bad": bad, **CROSSWOZ}
    path.write_text(
        "{"
        + ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in members.items())
        + "}"
    )
    found, reading = read(path)
    assert [c.source_id for c in found] == ["1", "7", "9"]
    assert reading.counts["conversations_left_out"] == reading.counts[f"problems: {reason}"] == 1
    assert reading.problems[0].startswith(f"val.json, line 2 (conversation bad){place}: {reason}")


@pytest.mark.parametrize(("cut", "kept"), [(1, 2), (25, 1), (200, 0)])
def test_a_cut_crosswoz_file_gives_what_came_before_the_cut(tmp_path, cut, kept):
    path = tmp_path / "val.json"
    path.write_bytes(json.dumps(CROSSWOZ).encode()[:-cut])
    found, reading = read(path)
    assert [c.source_id for c in found] == ["7", "9"][:kept]
    assert reading.counts["problems: not JSON"] == 1
    assert (
        reading.problems[0].startswith("val.json: not JSON")
        and "may be cut off" in reading.problems[0]
    )


def test_a_file_that_is_no_crosswoz_is_a_problem_and_no_end(tmp_path):
    path = tmp_path / "val.json"
    for data, reason in (
        (b"", "not JSON"),
        (b"[1]", "not JSON"),
        (b"\xff", "not UTF-8"),
        (b'{"a": ' + b"[" * 100_000, "not JSON"),
    ):
        path.write_bytes(data)
        found, reading = read(path, "crosswoz")
        assert found == [] and reading.counts == {f"problems: {reason}": 1}
    archive = tmp_path / "val.json.zip"
    archive.write_bytes(b"PK\x03\x04 cut")
    found, reading = read(archive)
    assert found == [] and reading.counts == {"problems: the archive is cut off or damaged": 1}


# STAR


def event(agent, text, action="utter", **more):
    return {"Agent": agent, "Action": action, "Text": text, **more}


def dialogue(number, *events, level="Complete", tasks=("bank_balance",)):
    return {
        "DialogueID": number,
        "CompletionLevel": level,
        "Events": list(events),
        "FORMAT-VERSION": 7,
        "Scenario": {"WizardCapabilities": [{"Task": task} for task in tasks]},
    }


@pytest.fixture
def star(tmp_path):
    """star(dialogues...) writes files 1.json, 2.json, ... (text as it is) into a dialogues/ folder
    and returns the clone.
    """

    def write(*dialogues):
        folder = tmp_path / "STAR" / "dialogues"
        folder.mkdir(parents=True, exist_ok=True)
        for i, raw in enumerate(dialogues, 1):
            (folder / f"{i}.json").write_text(raw if isinstance(raw, str) else json.dumps(raw))
        return folder.parent

    return write


def test_star_is_read_as_what_the_two_sides_said(star):
    source = star(
        dialogue(
            1,
            event("User", "My  balance, please"),
            event("UserGuide", "click", "instruct"),
            event("Wizard", "", "request_suggestions"),
            event("Wizard", "Could I get your name?", "pick_suggestion", ActionLabel="ask_name"),
            event("Wizard", "Please."),
            event("User", ""),
            event("User", "Jane"),
        ),
        dialogue(
            2,
            event("User", "Hello?"),
            level="DisconnectDuringDialogue",
            tasks=("bank_balance", "trivia"),
        ),
    )
    found, reading = read(source)
    topic = "Account and Transaction Management"
    assert found == [
        RawConversation(
            "1",
            "en",
            topic,
            "STAR",
            (
                Turn("customer", "My balance, please"),
                Turn("supporter", "Could I get your name? Please."),
                Turn("customer", "Jane"),
            ),
        ),
        RawConversation("2", "en", "", "STAR", (Turn("customer", "Hello?"),)),
    ]
    assert reading.counts == {
        "conversations_read": 2,
        "events_in_which_nobody_speaks": 2,
        "turns_merged_into_the_one_before": 1,
        "turns_left_out_because_empty": 1,
    }
    assert read(source / "dialogues")[0] == found
    assert read(source / "dialogues" / "1.json")[0] == found[:1]


@pytest.mark.parametrize(
    ("bad", "reason", "place"),
    [
        ('{"DialogueID": 2, "Compl', "no STAR dialogue", "2.json"),
        ("[]", "no STAR dialogue", "2.json"),
        ({"DialogueID": 2}, "no STAR dialogue", "2.json"),
        (dialogue(2, tasks=()) | {"Scenario": {}}, "no STAR dialogue", "2.json"),
        (dialogue(2, event("User", "a"), event("User", None)), "text is null", "2.json: Events[1]"),
        (dialogue(2, event("User", 5)), "text is no text", "2.json: Events[0]"),
        (
            dialogue(2, {"Agent": "User"}),
            "no event with the texts Agent and Action",
            "2.json: Events[0]",
        ),
        (dialogue(2, event("Robot", "beep")), "no text", "2.json"),
        (dialogue(2, event("User", "\ud800")), "no STAR dialogue", "2.json"),
    ],
)
def test_a_bad_star_dialogue_is_reported_with_its_place(star, bad, reason, place):
    found, reading = read(
        star(dialogue(1, event("User", "a")), bad, dialogue(3, event("User", "b")))
    )
    assert [c.source_id for c in found] == ["1", "3"]
    assert reading.counts["conversations_left_out"] == reading.counts[f"problems: {reason}"] == 1
    assert reading.problems[0].startswith(f"{place}: {reason}")


def test_progress_is_a_line_on_stderr(capsys, monkeypatch):
    clock = iter((0.0, 10.0, 40.0, 50.0))
    monkeypatch.setattr("builders.sources.progress.time.monotonic", lambda: next(clock))
    with ReadingProgress("calls.csv", 4 << 20) as progress:
        for position in (1 << 20, 2 << 20, 3 << 20):
            progress.at(position)
    assert capsys.readouterr().err == "reading calls.csv: 50% of 4 MB, 40 s left\n"


# any source


def test_the_format_is_told_by_the_name_or_the_first_characters(tmp_path, star):
    (tmp_path / "a.json").write_text(json.dumps(dialogue(1)))
    (tmp_path / "b.json").write_text(json.dumps(CROSSWOZ))
    for name, kind in (
        ("a.json", "star"),
        ("b.json", "crosswoz"),
        ("x.jsonl", "jsonl"),
        ("x.jsonl.gz", "jsonl"),
        ("x.csv", "talkmap"),
        ("x.csv.gz", "talkmap"),
        ("val.json.zip", "crosswoz"),
    ):
        assert format_of(tmp_path / name) == kind
    assert format_of(star(dialogue(1))) == "star"
    with pytest.raises(
        SettingError, match="--format jsonl, crosswoz, star, talkmap, dataset, transcripts"
    ):
        format_of(tmp_path / "calls.docx")


def test_a_source_that_is_not_there_and_a_format_that_does_not_exist_are_refused_at_once(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        read_source(tmp_path / "none.jsonl", Reading())
    with pytest.raises(SettingError, match="'xml' does not exist"):
        read_source(tmp_path, Reading(), "xml")
    with pytest.raises(DataError, match="no dialogues"):
        list(read_source(tmp_path, Reading()))


def test_the_arguments():
    parser = ArgumentParser()
    add_source_arguments(parser)
    args = parser.parse_args(["--source", "calls.jsonl"])
    assert (args.source, args.format, args.source_language) == (Path("calls.jsonl"), "auto", None)
    assert (
        parser.parse_args(["--source", "x", "--format", "star", "--source-language", "zh"]).format
        in FORMATS
    )


def test_shared_crosswoz_against_an_independent_count(shared_data):
    found, reading = read(shared_data / "crosswoz" / "val.json.zip")
    with zipfile.ZipFile(shared_data / "crosswoz" / "val.json.zip") as archive:
        raw = json.loads(archive.read("val.json"))
    assert [c.source_id for c in found] == list(raw)
    assert sum(len(c.turns) for c in found) == sum(len(one["messages"]) for one in raw.values())
    assert reading.counts == {"conversations_read": 500} and reading.problems == []


def test_shared_star_against_an_independent_count(shared_data):
    found, reading = read(shared_data / "star")
    expected = defaultdict(list)
    for path in (shared_data / "star" / "dialogues").glob("*.json"):
        for one in json.loads(path.read_text(encoding="utf-8"))["Events"]:
            if (
                one["Agent"] in ("User", "Wizard")
                and one["Action"] in ("utter", "pick_suggestion")
                and one["Text"].strip()
            ):
                expected[path.stem].append(one["Agent"])
    assert Counter(c.source_id for c in found) == Counter(expected.keys())
    changes = {
        number: 1 + sum(a != b for a, b in pairwise(agents)) for number, agents in expected.items()
    }
    assert {c.source_id: len(c.turns) for c in found} == changes
    assert (
        reading.counts["conversations_left_out"]
        == reading.counts["problems: no text"]
        == 1058 - len(expected)
    )
