"""talkmap's table as a source: rows in no order, grouped and sorted without filling memory."""

import csv
import gzip
import random
import tempfile
from datetime import datetime

import pytest

from builders.sources import (
    Reading,
    read_source,
    talkmap,
)
from csc_tasks.errors import DataError
from tests.support.source_reading import read

HEADER = "conversation_id,speaker,date_time,text\r\n"


@pytest.fixture
def table(tmp_path):
    """table(lines) writes a CSV file under the corpus's header and returns it."""

    def write(lines, name="calls.csv", header=HEADER):
        path = tmp_path / name
        data = lines if isinstance(lines, bytes) else (header + lines).encode()
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return write


def texts(found):
    return {c.source_id: [(turn.speaker, turn.text) for turn in c.turns] for c in found}


def test_talkmap_rows_are_grouped_and_sorted_by_the_parsed_time(table):
    path = table(
        "b,client,2023-01-02 10:00:00,second\r\n"
        "a,agent,2023-01-01 09:00:09,after nine\r\n"
        "a,client,2023-01-01 09:00:10.500000,last\r\n"
        "a,client,2023-01-01 09:00:09.250000,between\r\n"
        "b,agent,2023-01-02 09:59:59.999999,first\r\n"
        'a,agent,2023-01-01 09:00:10,"He said ""no"",\nand left"\r\n'
        "b,client,2023-01-02 10:00:00,third; same time\r\n"
        "b,agent,2023-01-02T10:00:01+00:00,\r\n"
        "b,client,2023-01-02 10:00:00,second\r\n"
    )
    found, reading = read(path)
    # As text, 09:00:09.25 would come before 09:00:09 in no order that a person meant, and 10:00:00
    # before 09:59:59.999999.
    assert texts(found) == {
        "a": [
            ("supporter", "after nine"),
            ("customer", "between"),
            ("supporter", 'He said "no", and left'),
            ("customer", "last"),
        ],
        "b": [("supporter", "first"), ("customer", "second third; same time")],
    }
    assert {(c.language, c.topic, c.source) for c in found} == {("en", "", "talkmap")}
    assert reading.counts == {
        "rows_read": 9,
        "rows_left_out: text is null": 1,
        "rows_left_out: duplicate": 1,
        "conversations_read": 2,
        "turns_merged_into_the_one_before": 1,
    }
    assert reading.problems == []


@pytest.mark.parametrize(
    ("bad", "reason", "place"),
    [
        (
            "b,robot,2023-01-01 10:00:00,beep\r\n",
            "unknown speaker",
            "calls.csv, line 3 (conversation b)",
        ),
        (
            "b,,2023-01-01 10:00:00,beep\r\n",
            "unknown speaker",
            "calls.csv, line 3 (conversation b)",
        ),
        (
            "b,agent,yesterday,beep\r\n",
            "date_time is no time",
            "calls.csv, line 3 (conversation b)",
        ),
        ("b,agent,,beep\r\n", "date_time is no time", "calls.csv, line 3 (conversation b)"),
        (
            "b,agent,2023-01-01 10:00:00,one,too many\r\n",
            "row has another number of cells",
            "calls.csv, line 3",
        ),
        ("b,agent\r\n", "row has another number of cells", "calls.csv, line 3"),
    ],
)
def test_a_bad_talkmap_row_costs_its_whole_conversation_and_is_reported(table, bad, reason, place):
    rest = "b,client,2023-01-01 10:00:01,half of it\r\nc,client,2023-01-01 10:00:00,good too\r\n"
    path = table("a,agent,2023-01-01 10:00:00,good\r\n" + bad + rest)
    found, reading = read(path)
    assert texts(found) == {"a": [("supporter", "good")], "c": [("customer", "good too")]}
    assert reading.counts["conversations_left_out"] == reading.counts[f"problems: {reason}"] == 1
    assert reading.problems[0].startswith(f"{place}: {reason}")


def test_talkmap_bytes_that_are_no_text_and_rows_without_an_id(table):
    lines = (
        b"a,agent,2023-01-01 10:00:00,caf\xe9\r\n,agent,2023-01-01"
        b" 10:00:00,whose?\r\nb,agent,2023-01-01 10:00:00,caf\xc3\xa9\r\n\r\n"
    )
    found, reading = read(table(HEADER.encode() + lines))
    assert texts(found) == {"b": [("supporter", "café")]}
    assert (
        reading.counts["problems: text is not valid Unicode"]
        == reading.counts["problems: no conversation_id"]
        == 1
    )
    assert reading.problems[1].startswith("calls.csv, line 3: no conversation_id")


def test_a_quote_that_never_closes_is_reported_and_does_not_swallow_the_file(table):
    good = "".join(
        f"c{i},agent,2023-01-01 10:00:00,row {i} of a long file with some words in it\r\n"
        for i in range(5_000)
    )
    found, reading = read(table('b,agent,2023-01-01 10:00:00,"never closed\r\n' + good))
    assert reading.counts["problems: no CSV row"] == 1
    assert (
        reading.problems[0].startswith("calls.csv, lines 2 to ") and "field" in reading.problems[0]
    )
    # What stands within the reader's limit of 128 KiB after the quote is lost, as the report says.
    assert 1_000 < len(found) < 5_000


def test_a_cut_talkmap_file_is_reported(table):
    lines = "".join(
        f"c{i % 50},agent,2023-01-01 10:00:{i % 60:02}.{i:06},row {i}\r\n" for i in range(5_000)
    )
    path = table(lines.removesuffix("row 4999\r\n").removesuffix(","))
    _, reading = read(path)
    assert reading.problems == [
        "calls.csv, line 5001: row has another number of cells (3 instead of 4: "
        "['c49', 'agent', '2023-01-01 10:00:19.004999'])"
    ]
    packed = table(lines, "calls.csv.gz")
    whole, reading = read(packed)
    assert len(whole) == 50 and reading.problems == []
    packed.write_bytes(packed.read_bytes()[:-2_000])
    part, reading = read(packed)
    assert len(part) <= 50
    assert reading.counts["problems: the file is cut off or damaged"] == 1
    assert "conversations may lack rows" in reading.problems[-1]


def test_a_table_without_the_columns_is_refused(table):
    with pytest.raises(
        DataError,
        match=r"line 1: no column speaker, date_time; found conversation_id, who, when, text",
    ):
        read(table("", header="conversation_id,who,when,text\r\n"), "talkmap")
    with pytest.raises(DataError, match="found nothing"):
        read(table(b""), "talkmap")


def test_talkmap_columns_may_stand_in_another_order_and_have_others_between(table):
    path = table(
        "hi,1,a,2023-01-01 10:00:00,agent\r\n",
        header="\ufefftext,n,conversation_id,date_time,speaker\r\n",
    )
    assert texts(read(path)[0]) == {"a": [("supporter", "hi")]}


def made_table(path, rows):
    """A random table of `rows` rows, and what it says by pandas' reckoning: grouped, first of
    duplicates, stable order by time.
    """
    pandas = pytest.importorskip("pandas")
    draw = random.Random(rows)
    lines = []
    for i in range(rows):
        moment = datetime(
            2023,
            1,
            1,
            10,
            draw.randrange(3),
            draw.randrange(60),
            draw.choice((0, draw.randrange(10**6))),
        )
        text = draw.choice(
            ("", f"row {i}", f'with "quotes", commas\nand line {draw.randrange(40)}', "yes")
        )
        lines.append(
            (
                f"id{draw.randrange(rows // 12)}",
                draw.choice(("agent", "client")),
                moment.isoformat(" "),
                text,
            )
        )
        if draw.random() < 0.1:
            lines.append(draw.choice(lines))
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("conversation_id", "speaker", "date_time", "text"), *lines])
    frame = pandas.read_csv(path).dropna()
    frame["date_time"] = pandas.to_datetime(frame["date_time"], format="ISO8601")
    frame = frame.drop_duplicates().sort_values("date_time", kind="stable")
    expected = {}
    for number, group in frame.groupby("conversation_id"):
        turns = expected.setdefault(number, [])
        for speaker, text in zip(group["speaker"], group["text"], strict=True):
            speaker, text = (
                {"agent": "supporter", "client": "customer"}[speaker],
                " ".join(text.split()),
            )
            turns[-1:] = (
                [(speaker, f"{turns[-1][1]} {text}")]
                if turns and turns[-1][0] == speaker
                else [*turns[-1:], (speaker, text)]
            )
    return expected, len(lines) - len(frame)


def test_talkmap_against_pandas_and_the_same_order_whatever_the_number_of_parts(
    tmp_path, monkeypatch
):
    path = tmp_path / "calls.csv"
    expected, left_out = made_table(path, 3_000)
    found, reading = read(path)
    assert texts(found) == expected
    assert (
        reading.counts["rows_left_out: text is null"] + reading.counts["rows_left_out: duplicate"]
        == left_out
    )
    monkeypatch.setattr(talkmap, "PART", 10_000)  # about 15 temporary files instead of one
    monkeypatch.setattr(talkmap, "BATCH", 7)
    again, reading_again = read(path)
    assert again == found and reading_again.counts == reading.counts


def test_talkmap_leaves_no_temporary_file_and_says_where_the_room_is_missing(
    table, tmp_path, monkeypatch
):
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    path = table("a,agent,2023-01-01 10:00:00,good\r\nb,agent,2023-01-01 10:00:00,good\r\n")
    some = read_source(path, Reading())
    next(some)
    assert list(place.iterdir()) == []
    some.close()

    def full(*args, **more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with pytest.raises(DataError, match=r"No space left on device; .*temporary.*TMPDIR"):
        list(read_source(path, Reading()))
