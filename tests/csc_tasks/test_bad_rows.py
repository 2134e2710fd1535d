"""Rows that cannot be read: all of them in one error, or left out, named and counted."""

import json

import pytest

from csc_tasks import corpora
from csc_tasks.errors import DataError, UnknownStrategy
from csc_tasks.verify import Trust, trusted_corpora
from tests.support.fakes import gold_replies, sample_conversations, sample_questions
from tests.support.handed_in import hand_in, verdicts

LABELS = [
    ("策略12 其他", "Others"),
    ("策略12 其它", "Others"),
    ("其他", "Others"),
    ("其它", "Others"),
]


def published(words, label="策略1 礼貌问候"):
    return {
        "dialogue": [
            {"speaker": "客户", "text": f"{words}，我的银行卡昨天在商场里丢了"},
            {"speaker": "客服", "strategy": label, "text": "您好，请您不要着急。"},
        ],
        "source": "账户和交易管理",
    }


def write(root, rows, name="csconv/test.jsonl"):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")
    return root


def failure(root, **options):
    with pytest.raises(DataError) as caught:
        corpora.load(str(root), "csconv", "test", **options)
    return caught.value


BAD = {
    2: (published("二", "聊天"), "turn 1: strategy '聊天' is not one of the 12"),
    4: ("only text", "found 'only text'; a row is a JSON object"),
    5: ({**published("五"), "language": "xx"}, "language 'xx' is not one of"),
    6: ({**published("六"), "dialogue": "no list"}, "dialogue is the text 'no list'"),
    8: ({**published("八"), "dialogue": []}, "the dialogue is empty"),
    9: ({"dialogue": [{"speaker": "客服", "text": 5}]}, "a turn needs 'speaker' and 'text'"),
    11: ({"text": "a row of something else"}, "found the columns text"),
}
"""Row -> what is in it and what is said of it; each is found at another step of reading."""
NUMBERS = range(1, 13)


@pytest.fixture
def mixed(tmp_path):
    return write(tmp_path, [BAD[n][0] if n in BAD else published(f"第{n}行") for n in NUMBERS])


def test_all_of_them_are_named_in_one_line_in_the_order_of_the_file(mixed):
    text = str(failure(mixed))
    assert text.startswith(f"{mixed}: 7 rows cannot be read: ") and "\n" not in text
    parts = text.removeprefix(f"{mixed}: 7 rows cannot be read: ").split(" | ")
    for (number, (_, problem)), part in zip(BAD.items(), parts, strict=True):
        assert f"row {number}" in part and problem in part
    # Who can choose is told what.
    assert "csc_bad_rows" not in text
    assert (
        str(failure(mixed, bad_rows="error"))
        == f"{text}; csc_bad_rows=drop (--bad-rows drop) leaves such rows out"
    )


def test_left_out_they_are_counted_and_the_rest_is_as_if_they_had_never_been(mixed, tmp_path):
    corpus = corpora.load(str(mixed), "csconv", "test", bad_rows="drop")
    alone = write(tmp_path / "good", [published(f"第{n}行") for n in NUMBERS if n not in BAD])
    good = corpora.load(str(alone), "csconv", "test")
    assert corpus.items == good.items and corpus.content_hash == good.content_hash
    assert corpus.counts == {**good.counts, "bad rows left out": 7}
    assert "; 7 bad rows left out" in corpus.summary()
    assert len(corpus.left_out) == 7 and good.left_out == ()
    for (number, (_, problem)), line in zip(BAD.items(), corpus.left_out, strict=True):
        assert f"row {number}" in line and problem in line


def test_they_have_no_say_in_the_language_of_the_others(tmp_path):
    """Too short to tell: the corpus says what it is in, and three bad rows would outvote it."""
    short = {"dialogue": [{"speaker": "agent", "strategy": "AC", "text": "OK 1234"}]}
    english = {"dialogue": [{"speaker": "agent", "strategy": "RC", "text": "We close at five."}]}
    outvoting = [{**published(words, "聊天"), "language": "zh"} for words in "一二三"]
    root = write(tmp_path, [short, {**english, "language": "en"}, *outvoting])
    corpus = corpora.load(str(root), "csconv", "test", bad_rows="drop")
    assert corpus.languages == ["en"] and len(corpus.items) == 2


def test_no_more_than_twenty_are_listed(tmp_path):
    root = write(tmp_path, [published(f"第{n}行", "聊天") for n in range(1, 24)])
    error = failure(root)
    assert isinstance(error, UnknownStrategy), "every row has an unknown label"
    assert "23 rows cannot be read" in str(error) and str(error).endswith(" | and 3 more")
    assert "row 20:" in str(error) and "row 21:" not in str(error)
    # Nothing would be left of it, so nothing is left out.
    assert "23 rows cannot be read" in str(failure(root, bad_rows="drop"))


def test_a_row_of_another_language_and_a_second_row_of_one_id(tmp_path):
    swahili = "Habari ya asubuhi, nimepoteza kadi yangu ya benki jana sokoni na ninahitaji msaada"
    foreign = {"dialogue": [{"speaker": "customer", "text": swahili}]}
    foreign["dialogue"].append({"speaker": "agent", "strategy": "GT", "text": swahili})
    twice = [{**published(words), "conversation_id": "same"} for words in ("甲", "乙")]
    root = write(tmp_path, [foreign, published("一"), *twice])
    corpus = corpora.load(str(root), "csconv", "test", bad_rows="drop")
    assert [
        item.dialogue[0].text[0] for item in corpus.items if item.conversation_id == "same"
    ] == ["甲"]
    first, second = corpus.left_out
    assert "row 1: no language is declared" in first and "row 4: the id 'same'" in second
    assert len(corpus.items) == 2


def test_questions_and_csv_have_bad_rows_too(tmp_path):
    rows = [question.to_row() for question in sample_questions()]
    rows[1]["client_question"] = ""
    rows[2]["stage"] = "never"
    root = write(tmp_path, rows, "qa/test.jsonl")
    corpus = corpora.load(str(root), "qa", "test", bad_rows="drop")
    assert len(corpus.items) == len(rows) - 2 and corpus.counts["bad rows left out"] == 2
    table = tmp_path / "table.csv"
    cell = (
        '"' + json.dumps(published("表")["dialogue"], ensure_ascii=False).replace('"', '""') + '"'
    )
    table.write_text(f"conversation_id,dialogue\na,{cell}\nb,{cell},x\n", encoding="utf-8")
    corpus = corpora.load(str(table), "csconv", "test", bad_rows="drop")
    assert [item.conversation_id for item in corpus.items] == ["a"]
    assert "row 2: more fields than the header names" in corpus.left_out[0]


def test_a_file_that_is_broken_as_a_whole_is_no_bad_row(tmp_path):
    root = write(tmp_path, [published("一")])
    with (root / "csconv" / "test.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"dialogue": [{"spea')
    assert "row 2" in str(failure(root, bad_rows="drop"))


@pytest.mark.parametrize(("label", "strategy"), LABELS)
def test_others_with_either_character(tmp_path, label, strategy):
    corpus = corpora.load(str(write(tmp_path, [published("一", label)])), "csconv", "test")
    assert corpus.items[0].dialogue[1].strategy == strategy


def test_a_run_counts_and_names_them_and_is_verified_against_the_same_corpus(tmp_path, caplog):
    rows = [item.to_row() for item in sample_conversations(("en",))]
    bad = {**rows[0], "conversation_id": "bad", "dialogue": []}
    corpus = write(tmp_path / "corpus", [*rows, bad])
    gold = gold_replies(write(tmp_path / "good", rows))
    caplog.set_level("WARNING", logger="lm_eval")
    settings = {"csc_corpus": str(corpus)}
    with pytest.raises(DataError, match=r"row \d+ \(bad\): the dialogue is empty.*csc_bad_rows=dr"):
        hand_in(tmp_path / "stopped", ["csc_conv_ref"], gold.__getitem__, settings)
    settings["csc_bad_rows"] = "drop"
    run = hand_in(tmp_path / "run", ["csc_conv_ref"], gold.__getitem__, settings)
    assert f"row {len(rows) + 1} (bad): the dialogue is empty" in caplog.text
    results = json.loads(run.read_text(encoding="utf-8"))
    record = results["configs"]["csc_conv_ref"]["metadata"]["csc"]
    assert record["counts"]["bad rows left out"] == 1 and record["rows"] == len(rows)
    (verified,) = verdicts(run, trusted_corpora([str(corpus)])).values()
    assert verified.trust is Trust.RESCORED and verified.findings == ()
    assert "(1 bad rows left out)" in verified.corpus
