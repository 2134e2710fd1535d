"""A report on two corpora: what was measured on one never stands with the other, whatever they are
called. Expected differences are computed from the samples files with sacrebleu.
"""

import csv
import io
import json
from dataclasses import replace

import pytest
import sacrebleu

from csc_tasks.cli import main
from leaderboard.folder import load_board
from tests.support.fakes import sample_questions, write_corpus
from tests.support.handed_in import hand_in
from tests.support.made_results import conversations, run_lm_eval
from tests.support.report_example import talker

TASKS = ("csc_conv_ref", "cscx_conv_ref_vanilla", "cscx_conv_ref_oracle")
LEVELS = dict(zip(("Predict", "Vanilla", "Oracle"), TASKS, strict=True))


def other_conversations(count):
    return [
        replace(
            item,
            conversation_id=f"other-{item.conversation_id}",
            dialogue=tuple(replace(turn, text=f"{turn.text} again") for turn in item.dialogue),
        )
        for item in conversations(count)
    ]


@pytest.fixture(scope="module", params=["two names", "one name"])
def report(request, tmp_path_factory):
    """(folder of the report, folder of each corpus' run by its number of conversations)."""
    root = tmp_path_factory.mktemp("two")
    names = ("a/first", "b/second") if request.param == "two names" else ("a/same", "b/same")
    folders = [
        write_corpus(root / name, items, [])
        for name, items in zip(names, (conversations(12), other_conversations(9)), strict=True)
    ]
    runs = {}
    for size, folder, share in zip((12, 9), folders, (10, 4), strict=True):
        runs[size] = run_lm_eval(
            root / "runs" / str(size), folder, TASKS, talker(str(size), share), "org/m"
        )
    words = ["reproduce", *map(str, folders), "--results", str(root / "runs")]
    assert main([*words, "--out", str(root / "out")]) == 0
    return root / "out", runs


def bleu(run, task):
    """Corpus BLEU of all turns of a samples file."""
    (file,) = run.rglob(f"samples_{task}_2*.jsonl")
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    turns = [turn for line in lines for turn in line["turns"]]
    replies, golds = ([turn[key] for turn in turns] for key in ("reply", "reference"))
    return sacrebleu.corpus_bleu(replies, [golds]).score


def table_of(file):
    return list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))))


def test_differences_stand_below_the_table_of_their_own_corpus(report):
    out, runs = report
    files = sorted(out.glob("table-8-*-contrasts.csv"))
    assert len(files) == 2
    sizes = set()
    for file in files:
        rows = table_of(file)
        assert len(rows) == 3
        (size,) = {int(row["Conversations"]) for row in rows}
        sizes.add(size)
        for row in rows:
            one, other = (bleu(runs[size], LEVELS[name]) for name in row["Contrast"].split(" − "))
            assert float(row["BLEU-4: difference"]) == pytest.approx(one - other, abs=1e-6)
        # The table above it is of the same replies.
        for row in table_of(file.with_name(file.name.replace("-contrasts", ""))):
            assert float(row["BLEU-4"]) == pytest.approx(bleu(runs[size], LEVELS[row["Shown"]]))
    assert sizes == {12, 9}


def test_a_board_says_of_which_corpus_a_contrast_is(report, capsys):
    out, _ = report
    board = load_board(out / "board")
    where = {one.within for one in board.contrasts}
    assert len(where) == 2 and all(text.startswith("corpus: ") for text in where)
    tables = {table.id: table for table in board.tables}
    for one in board.contrasts:
        (text,) = {f"({one.within})" in tables[id_].title for id_ in one.tables}
        assert text and one.tables
    capsys.readouterr()
    assert main(["tables", str(out / "board"), "--table", "contrasts", "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    # Each is told from the others by what it says of itself.
    texts = ("family", "within", "first_task", "second_task", "metric")
    named = [tuple(row[key] for key in texts) for row in rows]
    assert len(set(named)) == len(named)
    assert main(["tables", str(out / "board"), "--table", "contrasts"]) == 0
    printed = capsys.readouterr().out
    lines = [line for line in printed.splitlines() if line.startswith("| org")]
    assert len(lines) == len({"|".join(line.split("|")[:5]) for line in lines}) > 0


def test_summaries_of_one_corpus_are_not_contrasted_with_those_of_another_of_the_same_ids(tmp_path):
    """Both were made from the same calls, so their ids are the same, and their questions differ."""
    for name, mark in (("first", ""), ("second", " else")):
        questions = [
            replace(one, client_question=one.client_question + mark) for one in sample_questions()
        ]
        folder = write_corpus(tmp_path / name, questions=questions)
        short = [replace(one, history_summary="short").to_row() for one in questions]
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in short)
        (folder / "qa_short").mkdir()
        (folder / "qa_short" / "test.jsonl").write_text(text, encoding="utf-8")
    for name, variant in (("first", None), ("second", "short"), ("first", "short")):
        settings = {"csc_qa_corpus": str(tmp_path / name), "csc_qa_variant": variant}
        out = tmp_path / "runs" / f"{name}-{variant}"
        hand_in(out, ["csc_qa"], lambda _: "It arrives.", settings)
    words = ["collect", str(tmp_path / "runs"), "--out", str(tmp_path / "board")]
    words += ["--split-by", "corpus"]
    for name in ("first", "second"):
        words += ["--corpus", str(tmp_path / name)]
    assert main(words) == 0
    (made,) = load_board(tmp_path / "board").contrasts
    assert (made.family, made.within) == ("summaries", "corpus: first")
