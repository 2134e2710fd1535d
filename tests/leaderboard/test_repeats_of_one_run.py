"""A run that asked several times (csc_repeats) is one row, as runs that differ in their seed are; a
judge rates its first repeat. The numbers are worked out by hand from the planted replies.
"""

import json
import re
from collections import Counter
from statistics import stdev

import pytest

from csc_tasks.cli import main
from csc_tasks.errors import DataError
from csc_tasks.runs.finding import find_samples
from csc_tasks.runs.results_file import read_results
from csc_tasks.runs.samples_file import read_run
from csc_tasks.verify import Trust, examine, trusted_corpora
from leaderboard.collect import collect
from leaderboard.folder import load_board
from leaderboard.judging.units import read_models
from leaderboard.numbers.measured import Options
from tests.support.fakes import write_corpus
from tests.support.handed_in import forged
from tests.support.repeated import SAMPLING, planted, repeated_run, two_conversations

TASK = "csc_conv_ref"
ACC = f"{TASK}/strategy_acc"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"), two_conversations())


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory):
    return repeated_run(tmp_path_factory.mktemp("run"), corpus, planted(corpus))


def board_of(paths, out, corpus, **more):
    options = Options(0, draw=2, audit=True, evidence={}, corpora=(str(corpus),))
    return collect(paths, out, options, **more)


@pytest.fixture(scope="module")
def board(run, corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("board")
    assert main(["collect", str(run), "--out", str(out), "--corpus", str(corpus)]) == 0
    return load_board(out)


@pytest.fixture
def row(board):
    (table,) = board.tables
    (row,) = table.rows
    return row


def test_it_is_one_row_with_the_mean_and_the_spread_between_repeats(row):
    assert row.values[ACC].value == pytest.approx(10 / 18)
    spread = row.spreads[ACC]
    assert spread.values == pytest.approx((4 / 6, 4 / 6, 2 / 6)) and spread.runs == 3
    assert spread.sd == pytest.approx(stdev([4, 4, 2]) / 6)
    assert [run.repeat for run in row.repeats[TASK]] == ["repeat=0", "repeat=1", "repeat=2"]
    assert {run.items for run in row.repeats[TASK]} == {6} and row.runs[TASK].items == 6
    assert row.trusts[ACC] is Trust.RESCORED


def test_pass_k_and_worst_of_k_are_those_worked_out_by_hand(row):
    assert row.values[f"{ACC}_pass_3"].value == pytest.approx(2 / 6)
    assert row.values[f"{ACC}_worst_3"].value == pytest.approx((1 / 4 + 1 / 2) / 2)
    assert row.trusts[f"{ACC}_pass_3"] is Trust.RESCORED


def test_the_error_is_the_files_and_is_about_conversations(row, run):
    numbers = json.loads(run.read_text(encoding="utf-8"))["results"][TASK]
    assert row.values[ACC].stderr == pytest.approx(2 / 27)
    for name in ("strategy_acc", "strategy_macro_f1", "bleu_4", "rouge_l", "strategy_acc_pass_3"):
        assert row.values[f"{TASK}/{name}"].value == pytest.approx(numbers[f"{name},none"])
        assert row.values[f"{TASK}/{name}"].stderr == pytest.approx(numbers[f"{name}_stderr,none"])
    assert row.values[ACC].clusters == 2


def test_it_is_said_what_was_made_one(board):
    assert "org/fake, csc_conv_ref: one row of 3 repeats, repeat=0; repeat=1; repeat=2" in (
        board.notes
    )
    assert any("repeats within one run" in note for note in board.tables[0].footnotes)


def test_the_replies_to_read_are_of_the_first_repeat(run, corpus, tmp_path):
    board_of([run], tmp_path / "board", corpus)
    (file,) = (tmp_path / "board" / "samples").glob("*.json")
    text = file.read_text(encoding="utf-8")
    assert "wrong in repeat 0" in text and "wrong in repeat 1" not in text


def test_two_runs_of_three_repeats_are_six(run, corpus, tmp_path):
    other = repeated_run(
        tmp_path / "other", corpus, planted(corpus), gen_kwargs=f"{SAMPLING},seed=7"
    )
    board = board_of([run, other], tmp_path / "board", corpus, replace=True)
    (row,) = board.tables[0].rows
    assert [one.repeat for one in row.repeats[TASK]] == [
        f"repeat={repeat}, seed={seed}" for seed in ("not given", "7") for repeat in range(3)
    ]
    # Of six replies to a turn, 6 2 4 0 (a) and 2 6 (b) are right; all six of 2 of 6 turns.
    assert row.values[f"{ACC}_pass_6"].value == pytest.approx(2 / 6)
    assert row.values[ACC].value == pytest.approx(20 / 36)


def test_it_is_no_repeat_of_a_run_that_asked_once(run, corpus, tmp_path):
    """On a server that follows seeds, repeat 0 would count twice."""
    once = repeated_run(tmp_path / "once", corpus, planted(corpus), repeats=1)
    with pytest.raises(DataError, match=r"two runs of csc_conv_ref that differ in repeats"):
        board_of([run, once], tmp_path / "board", corpus, replace=True)


def test_replies_that_are_all_the_same_are_noticed(corpus, tmp_path):
    same = repeated_run(tmp_path / "run", corpus, lambda prompt: "[Greeting] hello")
    board = board_of([same], tmp_path / "board", corpus)
    assert any("two of these repeats have the same reply in every turn" in n for n in board.notes)


def test_without_samples_it_is_the_row_that_the_file_says(run, corpus, tmp_path):
    (tmp_path / run.name).write_bytes(run.read_bytes())
    board = board_of([tmp_path / run.name], tmp_path / "board", corpus)
    (row,) = board.tables[0].rows
    assert row.values[ACC].value == pytest.approx(10 / 18) and not row.spreads
    assert row.values[f"{ACC}_pass_3"].value == pytest.approx(1 / 3)
    assert row.trusts[ACC] is Trust.CLAIMED


def learned(text, lines):
    """A learned metric, which nobody computes again: the items of repeat k are all k / 10."""
    for line in lines:
        turns = line["turns"]
        line["bertscore"] = [line["doc"]["conversation_id"], [t["repeat"] / 10 for t in turns]]
        line["metrics"].append("bertscore")
    text["results"][TASK] |= {"bertscore,none": 0.1, "bertscore_stderr,none": 0.0}
    text["higher_is_better"][TASK]["bertscore"] = True
    text["configs"][TASK]["metadata"]["csc"]["signatures"]["bertscore"] = "bertscore|some"


def too_high(text, lines):
    learned(text, lines)
    text["results"][TASK]["bertscore,none"] = 0.2


def test_a_claimed_number_is_the_mean_of_its_items_over_the_repeats(run, corpus, tmp_path):
    board = board_of([forged(run, tmp_path / "a", TASK, learned)], tmp_path / "board", corpus)
    (row,) = board.tables[0].rows
    assert row.values[f"{TASK}/bertscore"].value == pytest.approx(0.1)
    assert row.spreads[f"{TASK}/bertscore"].values == pytest.approx((0, 0.1, 0.2))
    assert not [note for note in board.notes if "not compared" in note]


def test_one_that_is_not_is_shown_as_the_file_has_it_and_named(run, corpus, tmp_path):
    board = board_of([forged(run, tmp_path / "a", TASK, too_high)], tmp_path / "board", corpus)
    (row,) = board.tables[0].rows
    assert row.values[f"{TASK}/bertscore"].value == pytest.approx(0.2)
    assert f"{TASK}/bertscore" not in row.spreads
    assert any("bertscore is 0.2 in the file, and 0.1 by its" in note for note in board.notes)


def test_a_judge_rates_the_first_repeat_and_says_so(run, corpus, tmp_path, capsys):
    (judged,) = read_models([run.parent])
    replies = {unit.reply for unit in judged.with_texts(judged.units).units.values()}
    assert "wrong in repeat 0" in replies and "wrong in repeat 1" not in replies
    assert len(judged.units) == 6
    out = tmp_path / "judged"
    capsys.readouterr()
    words = ["judge", str(run.parent), "--out", str(out), "--llm", "scripted", "--turns", "9"]
    assert main(words) == 0
    assert "of its 3 repeats (csc_repeats) repeat 0 is rated" in capsys.readouterr().err
    (file,) = find_samples([out])
    for line in read_run(file).lines:
        rated = [value is not None for value in line["judge_scripted_overall"][1]]
        assert rated == [record["repeat"] == 0 for record in line["turns"]]
    # The judged copy is verified and collected as the run itself is.
    (results,) = out.rglob("results_*.json")
    (measurement,) = read_results(results, [])
    assert not examine(measurement, trusted_corpora([str(corpus)])).contradicted
    (row,) = board_of([out], tmp_path / "board", corpus).tables[0].rows
    overall = measurement.numbers["judge_scripted_overall"][0]
    assert row.values[f"{TASK}/judge_scripted_overall"].value == pytest.approx(overall)
    assert row.values[ACC].value == pytest.approx(10 / 18)


def test_a_judge_rates_the_first_play_of_a_conversation(corpus, tmp_path, capsys):
    firsts = Counter()

    def reply(prompt):
        if said := re.findall(r"mine in (\d)", prompt):
            return f"[Greeting] mine in {said[0]}"
        firsts[prompt] += 1
        return f"[Greeting] mine in {firsts[prompt] - 1}"

    run = repeated_run(tmp_path / "run", corpus, reply, task="csc_conv_gen")
    (judged,) = read_models([run.parent])
    for unit in judged.with_texts(judged.units).units.values():
        assert {text for _, text in unit.conversation if "mine" in text} == {"mine in 0"}
    out = tmp_path / "judged"
    assert main(["judge", str(run.parent), "--out", str(out), "--llm", "scripted"]) == 0
    (file,) = find_samples([out])
    for line in read_run(file).lines:
        last = len(line["turns"]) // 3 - 1
        rated = [i for i, v in enumerate(line["judge_scripted_overall"][1]) if v is not None]
        assert rated == [last]
    facts = tmp_path / "facts"
    words = ["judge", "facts", str(run.parent), "--out", str(facts), "--llm", "scripted"]
    assert main([*words, "--turns", "9"]) == 0
    (file,) = find_samples([facts])
    for line in read_run(file).lines:
        for turn, item in zip(line["turns"], line["judge_scripted_unsupported"][1], strict=True):
            assert (item is None) == (turn["repeat"] > 0)
