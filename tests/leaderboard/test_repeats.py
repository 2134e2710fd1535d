"""Runs that differ only in their seed are one row. The numbers are worked out by hand from a table
of which turn was right in which run.
"""

import csv
import hashlib
import io
import json
import shutil
import tempfile
from dataclasses import replace
from math import exp, log
from pathlib import Path
from statistics import mean, stdev

import pytest

from csc_tasks.cli import main
from csc_tasks.errors import DataError
from csc_tasks.runs.writing import as_results
from csc_tasks.verify import Trust
from leaderboard.collect import collect
from leaderboard.folder import load_board, load_report
from leaderboard.numbers.measured import Options
from leaderboard.page.render import write_page
from leaderboard.plain_table import as_text
from leaderboard.publishing import flat
from leaderboard.publishing.eval_results import entries
from leaderboard.publishing.publications import raw_files
from leaderboard.tables import as_csv, as_html, latex, markdown
from tests.support.browser import opened
from tests.support.fakes import write_corpus
from tests.support.made_results import (
    change_line,
    conversation_result,
    conversations,
    csc_of,
    write_run,
)

TASK = "csc_conv_ref"
ITEMS = conversations(2, ("GT", "PR"))
HELD = Path(tempfile.mkdtemp(prefix="csc-held-"))
CORPORA = tuple(str(HELD / str(size)) for size in (2, 4))
PLAIN = Options(0, draw=2, audit=False, evidence={}, corpora=CORPORA)
SAMPLING = {"do_sample": True, "temperature": 0.7}
# Two turns of the first conversation, two of the second: 1 where the strategy is right.
RUNS = {1: "1110", 2: "1010", 3: "1100"}
"""Per turn 3, 2, 2, 0 of three runs are right: 3/4, 2/4 and 2/4 of a run."""
ACC = f"{TASK}/strategy_acc"


@pytest.fixture(scope="module", autouse=True)
def held():
    """The corpora of the runs, which the collector trusts."""
    for size in (2, 4):
        write_corpus(HELD / str(size), conversations(size, ("GT", "PR")), [])
    yield
    shutil.rmtree(HELD)


def answered(right, text="reply"):
    """Replies that are right where `right` says so, in the order of the corpus; in a wrong one the
    text is another.
    """

    def answer(item, turn):
        place = 2 * int(item.conversation_id[-3:]) + item.scored_turns().index(turn)
        if right[place] == "1":
            return item.dialogue[turn].strategy, item.dialogue[turn].text
        return "Others", f"{text} {turn}"

    return answer


def settings(generation, **seeds):
    """How lm_eval records generation settings and its own seeds."""

    def change(results):
        results["config"] |= {"gen_kwargs": generation, **seeds}
        for config in results["configs"].values():
            config["generation_kwargs"] = {"max_gen_toks": 256, **generation}

    return change


def run(
    root,
    right,
    seed=None,
    name="org/one",
    items=ITEMS,
    change=None,
    generation=SAMPLING,
    text="reply",
):
    """One run of a table; a seed goes to gen_kwargs, as in --gen_kwargs ...,seed=7."""
    given = generation | ({} if seed is None else {"seed": seed})
    results = [conversation_result(TASK, items, answered(right, text))]

    def both(made):
        settings(given)(made)
        made["date"] += seed or 0
        if change:
            change(made)

    return write_run(root / f"{name[-3:]}-{seed}", name, results, both)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, held):
    root = tmp_path_factory.mktemp("repeats")
    for seed, right in RUNS.items():
        run(root / "runs", right, seed)
    run(root / "runs", "1111", None, "org/two")
    collected = ["collect", str(root / "runs"), "--out", str(root / "board")]
    assert main([*collected, "--corpus", CORPORA[0]]) == 0
    return root


@pytest.fixture
def board(folder):
    return load_board(folder / "board")


@pytest.fixture
def row(board):
    (table,) = board.tables
    (found,) = [row for row in table.rows if row.model == "org__one"]
    return found


def board_of(root, split=(), options=PLAIN):
    return collect([root / "runs"], root / "board", options, split)


def test_they_are_one_row_with_the_mean_and_the_spread(board, row):
    assert sorted(row.model for row in board.tables[0].rows) == ["org__one", "org__two"]
    value, spread = row.values[ACC], row.spreads[ACC]
    assert value.value == pytest.approx(7 / 12)
    assert spread.values == (0.75, 0.5, 0.5) and spread.runs == 3
    # Deviations 2/12, -1/12, -1/12: variance (6/144) / 2.
    assert spread.sd == pytest.approx((6 / 144 / 2) ** 0.5)
    assert (spread.least, spread.most) == (0.5, 0.75)
    (other,) = [row for row in board.tables[0].rows if row.model == "org__two"]
    assert other.spreads == {} and other.repeats == {}


def test_the_interval_is_about_conversations(row):
    # Means of the turns 1, 2/3 | 2/3, 0: each conversation is 1/2 away from twice 7/12.
    value = row.values[ACC]
    assert value.stderr == pytest.approx((2 / 1 * (0.5**2 + 0.5**2)) ** 0.5 / 4)
    assert (value.items, value.clusters, value.method) == (4, 2, "logit")
    # t with one degree of freedom on the logit, whose slope at 7/12 is 144/35.
    half = 12.706204736 / 4 * 144 / 35
    assert value.low == pytest.approx(1 / (1 + exp(-(log(7 / 5) - half))))
    assert value.high == pytest.approx(1 / (1 + exp(-(log(7 / 5) + half))))


def test_pass_k_and_worst_of_k(row):
    # All three runs are right in the first turn alone; 1/2 and 0 are the lowest accuracies.
    passed, worst = row.values[f"{ACC}_pass_3"], row.values[f"{ACC}_worst_3"]
    assert passed.value == pytest.approx(1 / 4) and passed.items == 4
    # 1 - 2/4 and 0 - 2/4 away.
    assert passed.stderr == pytest.approx((2 * (0.5**2 + 0.5**2)) ** 0.5 / 4)
    assert worst.value == pytest.approx((1 / 2 + 0) / 2) and worst.items == 2
    assert worst.stderr == pytest.approx((2 * (0.25**2 + 0.25**2)) ** 0.5 / 2)
    assert (passed.clusters, worst.clusters) == (2, 2)
    # Shares: their intervals stay between 0 and 1.
    assert all(0 < one.low < one.value < one.high < 1 for one in (passed, worst))


def test_every_run_is_named_and_copied(folder, row):
    assert [one.repeat for one in row.repeats[TASK]] == ["seed=1", "seed=2", "seed=3"]
    assert row.runs[TASK].sha256 == row.repeats[TASK][-1].sha256
    originals = [file.read_bytes() for file in (folder / "runs").rglob("results_*.json")]
    hashes = {hashlib.sha256(data).hexdigest() for data in originals}
    assert {one.sha256 for one in row.repeats[TASK]} < hashes and len(hashes) == 4
    copies = [json.loads((folder / "board" / one.raw).read_bytes()) for one in row.repeats[TASK]]
    assert [copy["config"]["gen_kwargs"]["seed"] for copy in copies] == [1, 2, 3]


def test_a_model_asked_twice_has_pass_2_and_so_has_one_asked_three_times(tmp_path):
    for seed, right in RUNS.items():
        run(tmp_path / "runs", right, seed)
    for seed in (1, 2):
        run(tmp_path / "runs", RUNS[seed], seed, "org/two")
    (table,) = board_of(tmp_path).tables
    rows = {row.model: row.values for row in table.rows}
    assert {column.metric for column in table.columns if "pass" in column.metric} == {
        "strategy_acc_pass_2",
        "strategy_acc_pass_3",
    }
    # 3, 2, 2, 0 of three: C(3,2)/3 + C(2,2)/3 twice, over four turns.
    assert rows["org__one"][f"{ACC}_pass_2"].value == pytest.approx((1 + 1 / 3 + 1 / 3) / 4)
    # Accuracies 1, 1/2, 1 and 1/2, 1/2, 0: the lowest is in two of three pairs.
    assert rows["org__one"][f"{ACC}_worst_2"].value == pytest.approx(
        ((2 * 0.5 + 1) / 3 + (2 * 0 + 0.5) / 3) / 2
    )
    assert rows["org__two"][f"{ACC}_pass_2"].value == pytest.approx(2 / 4)
    assert f"{ACC}_pass_3" not in rows["org__two"]


def test_models_are_compared_on_the_means_of_their_turns(board):
    (pair,) = [one for one in board.tables[0].comparisons if one.column == ACC]
    assert (pair.a, pair.b) == ("org__one", "org__two")
    assert pair.difference == pytest.approx(7 / 12 - 1)
    # The other is right everywhere: the difference varies as the means do.
    assert pair.stderr == pytest.approx(1 / 4) and pair.items == 4 and pair.clusters == 2


def test_a_corpus_metric_is_the_mean_of_the_runs_and_is_left_out_by_conversation(tmp_path):
    """Against the values that the runs themselves have, whole and without one conversation."""
    items = conversations(4, ("GT", "PR"))
    rights = {1: "11101001", 2: "10100110", 3: "01101011"}
    for seed, right in rights.items():
        run(tmp_path / "runs", right, seed, items=items)
    run(tmp_path / "runs", "11110000", None, "org/two", items)
    (table,) = board_of(tmp_path).tables

    rows = {row.model: row for row in table.rows}
    for name in ("strategy_macro_f1", "bleu_4"):
        values = [estimate_of(name, right, items) for right in rights.values()]
        value, spread = rows["org__one"].values[f"{TASK}/{name}"], rows["org__one"].spreads
        assert value.value == pytest.approx(mean(values)) and value.low is None
        assert value.reason == "few conversations"
        assert spread[f"{TASK}/{name}"].sd == pytest.approx(stdev(values))
        other = estimate_of(name, "11110000", items)
        (pair,) = [one for one in table.comparisons if one.column == f"{TASK}/{name}"]
        assert pair.difference == pytest.approx(mean(values) - other)
        # Four conversations, each left out in turn, in all runs at once.
        without = [
            mean(
                estimate_of(name, right, [item for item in items if item is not left])
                for right in rights.values()
            )
            for left in items
        ]
        squares = sum((one - mean(without)) ** 2 for one in without)
        if name == "bleu_4":
            assert value.stderr == pytest.approx((3 / 4 * squares) ** 0.5)


def estimate_of(name, right, items):
    """What a run of these conversations says."""
    made = as_results("x", {}, [conversation_result(TASK, items, answered(right))])
    return made["results"][TASK][f"{name},none"]


def test_lm_evals_own_seed_makes_repeats_where_replies_are_sampled(tmp_path):
    for number, right in RUNS.items():
        seeds = {"random_seed": number, "numpy_seed": number, "torch_seed": number}
        run(tmp_path / "runs" / str(number), right, change=settings(SAMPLING, **seeds))
    (table,) = board_of(tmp_path).tables
    assert [one.repeat for one in table.rows[0].repeats[TASK]] == [
        "--seed 1",
        "--seed 2",
        "--seed 3",
    ]


def test_seeds_of_lm_eval_that_were_set_one_by_one_are_named_one_by_one(tmp_path):
    for number, right in RUNS.items():
        seeds = {"random_seed": 0, "numpy_seed": 1234, "torch_seed": number}
        run(tmp_path / "runs" / str(number), right, change=settings(SAMPLING, **seeds))
    (table,) = board_of(tmp_path).tables
    assert [one.repeat for one in table.rows[0].repeats[TASK]] == [f"torch_seed={n}" for n in RUNS]


def test_greedy_runs_with_other_seeds_of_lm_eval_are_the_same_run(tmp_path):
    for number, right in RUNS.items():
        run(
            tmp_path / "runs" / str(number),
            right,
            change=lambda made, number=number: settings({"do_sample": False}, torch_seed=number)(
                made
            ),
        )
    board = board_of(tmp_path)
    assert not board.tables[0].rows[0].repeats and "3 runs with the same settings" in board.notes[0]


def test_greedy_repeats_have_no_pass_k(tmp_path):
    """A server's greedy replies may differ all the same, and then their spread is shown."""
    for seed, right in RUNS.items():
        run(tmp_path / "runs", right, seed, generation={"do_sample": False, "temperature": 0.0})
    board = board_of(tmp_path)
    (table,) = board.tables
    assert table.rows[0].spreads[ACC].runs == 3
    assert not any("pass" in column.metric for column in table.columns)
    why = "greedy, the same whatever the seed, so there is no pass^k"
    assert any(why in note for note in board.notes)


def test_of_two_runs_of_one_repeat_the_newest_counts(tmp_path):
    for seed, right in RUNS.items():
        run(tmp_path / "runs", right, seed)
    run(
        tmp_path / "runs" / "again",
        "1111",
        1,
        change=lambda made: made.update(date=made["date"] + 60),
    )
    board = board_of(tmp_path)
    (found,) = board.tables[0].rows
    assert sorted(found.spreads[ACC].values) == [0.5, 0.5, 1.0]
    assert "2 runs with the same settings; kept" in board.notes[0]


def test_another_temperature_is_another_row(tmp_path):
    run(tmp_path / "runs", "1110", 1)
    run(tmp_path / "runs", "1010", 2, generation=SAMPLING | {"temperature": 1.0})
    (table,) = board_of(tmp_path).tables
    assert len(table.rows) == 2 and not any(row.repeats for row in table.rows)


def test_a_seed_beside_another_difference_is_no_repeat(tmp_path):
    run(tmp_path / "runs", "1110", 1)
    run(tmp_path / "runs", "1010", 2, change=lambda made: made["config"].update(model_dtype="f16"))
    with pytest.raises(DataError, match="two runs of csc_conv_ref that differ in model_dtype"):
        board_of(tmp_path)


def test_repeats_with_the_same_replies_are_pointed_at(tmp_path):
    for seed in (1, 2):
        run(tmp_path / "same" / "runs", "1110", seed)
        run(tmp_path / "other" / "runs", "1110", seed, text=f"words{seed}")
    same, other = (board_of(tmp_path / name).notes for name in ("same", "other"))
    assert any("did their seed reach the model?" in note for note in same)
    assert not any("did their seed reach the model?" in note for note in other)


def test_a_repeat_without_samples_is_left_out_where_others_have_some(tmp_path):
    for seed, right in RUNS.items():
        run(tmp_path / "runs", right, seed)
    next((tmp_path / "runs" / "one-3").rglob("samples_*.jsonl")).unlink()
    board = board_of(tmp_path)
    (found,) = board.tables[0].rows
    assert found.spreads[ACC].values == (0.75, 0.5)
    assert any("repeats without samples are left out: " in note for note in board.notes)


def test_without_any_samples_there_is_a_mean_and_no_interval(tmp_path):
    for seed, right in RUNS.items():
        run(tmp_path / "runs", right, seed)
    for file in (tmp_path / "runs").rglob("samples_*.jsonl"):
        file.unlink()
    (found,) = board_of(tmp_path).tables[0].rows
    value = found.values[ACC]
    assert value.value == pytest.approx(7 / 12) and value.low is None and value.method == "none"
    assert found.spreads[ACC].runs == 3


def test_a_metric_that_one_run_lacks_is_the_mean_of_the_others(tmp_path):
    def forget(made):
        for part in ("results", "higher_is_better"):
            for name in [name for name in made[part][TASK] if name.startswith("stage_overlap")]:
                del made[part][TASK][name]
        del csc_of(made)["signatures"]["stage_overlap"]

    for seed, right in RUNS.items():
        run(tmp_path / "runs", right, seed, change=forget if seed == 2 else None)
    (found,) = board_of(tmp_path).tables[0].rows
    key = f"{TASK}/stage_overlap"
    first, missing, last = found.spreads[key].values
    assert missing is None and found.spreads[key].runs == 2
    assert found.values[key].value == pytest.approx((first + last) / 2)


def test_the_tables_say_it_in_every_format(board):
    (table,) = board.tables
    beside = "(×3, sd 14.4)"
    assert beside in markdown(board, table) and beside in as_html(board, table)
    assert r"($\times$3, sd 14.4)" in latex(board, table)
    text = as_text(board, table)
    assert beside in text and "×N: mean over N runs, sd between them" in text
    assert "×3, sd 0.4: the mean over 3 runs" in markdown(board, table)
    rows = list(csv.DictReader(io.StringIO(as_csv(board, board.tables))))
    (one,) = [one for one in rows if (one["model"], one["metric"]) == ("org/one", "strategy_acc")]
    assert (one["runs"], one["min"], one["max"]) == ("3", "0.5", "0.75")
    (two,) = [one for one in rows if (one["model"], one["metric"]) == ("org/two", "strategy_acc")]
    assert (two["runs"], two["sd"]) == ("1", "")


def test_board_json_holds_it_as_data(folder):
    data = json.loads((folder / "board" / "board.json").read_text(encoding="utf-8"))
    (row,) = [row for row in data["tables"][0]["rows"] if row["model"] == "org__one"]
    assert row["spreads"][ACC]["values"] == [0.75, 0.5, 0.5]
    assert [run["repeat"] for run in row["repeats"][TASK]] == ["seed=1", "seed=2", "seed=3"]


def test_a_board_without_repeats_is_as_before(tmp_path):
    run(tmp_path / "runs", "1110", 1)
    board = board_of(tmp_path, options=replace(PLAIN, draw=1))
    (table,) = board.tables
    assert not any("×3" in note for note in table.footnotes)
    assert "×" not in markdown(board, table)


def test_the_page_says_it_with_and_without_javascript(folder):
    page_file = write_page(folder / "board")
    assert '<small class="spread">×3, sd 14.4</small>' in page_file.read_text(encoding="utf-8")
    with opened(page_file) as (page, complaints):
        cell = page.locator('tr[data-model="org__one"] td').first
        assert "×3, sd 14.4" in cell.inner_text()
        page.locator('tr[data-model="org__one"] a').first.click()
        page.get_by_role("columnheader", name="Between runs").wait_for()
        assert "50.0 to 75.0" in page.locator("main").inner_text()
        assert "Diagnosis and conversations are of the newest" in page.locator("main").inner_text()
        page.get_by_text("Where these numbers come from").first.click()
        assert "seed=2" in page.locator("main").inner_text()
    assert complaints == []


def test_what_is_published_has_every_run_and_the_spread(folder, board, row):
    (one,) = [
        one
        for one in flat.results(board)
        if (one["model"], one["metric"]) == ("org/one", "strategy_acc")
    ]
    assert (one["runs"], one["least"], one["most"]) == (3, 0.5, 0.75)
    (two,) = [
        two
        for two in flat.results(board)
        if (two["model"], two["metric"]) == ("org/two", "strategy_acc")
    ]
    assert (two["runs"], two["sd"]) == (None, None)
    files = raw_files(folder / "board", board)
    assert {run.raw for run in row.repeats[TASK]} < set(files) and len(files) == 4
    (table,) = board.tables
    setting = table.setting.model_copy(update={"corpus": "org/data", "revision": "0" * 40})
    of_the_hub = table.model_copy(update={"setting": setting})
    found, _ = entries(board.model_copy(update={"tables": (of_the_hub,)}), "https://example.org")
    said = "mean over 3 runs with a standard deviation of 14.4 between them"
    assert said in found["org/one"][0]["notes"] and said not in found["org/two"][0]["notes"]


def test_both_contexts_of_a_repeated_run_are_compared_on_the_means(tmp_path):
    """What a model loses on its own context: 7/12 against 5/12 of the turns."""
    lost = {1: "0110", 2: "0010", 3: "1100"}
    for seed, right in RUNS.items():
        results = [
            conversation_result("csc_conv_ref", ITEMS, answered(right)),
            conversation_result("csc_conv_gen", ITEMS, answered(lost[seed])),
        ]
        write_run(
            tmp_path / "runs" / str(seed),
            "org/one",
            results,
            settings(SAMPLING | {"seed": seed}),
        )
    (table,) = board_of(tmp_path).tables
    assert set(table.rows[0].repeats) == {"csc_conv_ref", "csc_conv_gen"}
    (gaps,) = load_report(tmp_path / "board", "org__one").gaps
    (gap,) = [gap for gap in gaps.gaps if gap.metric == "strategy_acc"]
    assert gap.overall.value == pytest.approx(7 / 12 - 5 / 12)
    # First turns 1 and 2/3 against 1/3 and 2/3, second ones 2/3 and 0 against 2/3 and 0.
    assert gap.points[0].reference.value == pytest.approx((1 + 2 / 3) / 2)
    assert gap.points[0].difference.value == pytest.approx((2 / 3 + 0) / 2)
    assert gap.points[1].difference.value == pytest.approx(0)


def test_samples_in_another_order_are_the_same_run(tmp_path, row):
    """Several ranks log in their own order."""
    for seed, right in RUNS.items():
        file = run(tmp_path / "runs", right, seed)
        if seed == 2:
            samples = next(file.parent.glob("samples_*.jsonl"))
            lines = samples.read_text(encoding="utf-8").splitlines()
            samples.write_text("\n".join(reversed(lines)) + "\n", encoding="utf-8")
    (found,) = board_of(tmp_path).tables[0].rows
    for name in ("", "_pass_3", "_worst_3"):
        expected, value = row.values[ACC + name], found.values[ACC + name]
        assert (value.value, value.stderr) == pytest.approx((expected.value, expected.stderr))


def test_a_row_is_trusted_where_all_its_runs_are(tmp_path, board, row):
    assert row.trust is Trust.RESCORED and {row.trusts[ACC], row.trusts[f"{ACC}_pass_3"]} == {
        Trust.RESCORED
    }
    for seed, right in RUNS.items():
        file = run(tmp_path / "runs", right, seed)
        if seed == 1:
            # An older run, and not the one that the row names first.
            samples = next(file.parent.glob("samples_*.jsonl"))
            change_line(samples, 0, lambda line: line["doc"].update(topic="Another"))
    run(tmp_path / "runs", "1111", None, "org/two")
    made = board_of(tmp_path)
    (table,) = made.tables
    (found,) = [one for one in table.rows if one.model == "org__one"]
    assert found.trusts[ACC] is Trust.CLAIMED and found.trusts[f"{ACC}_pass_3"] is Trust.CLAIMED
    assert found.trust is Trust.PARTLY and found.runs[TASK].trust is Trust.RESCORED
    assert not [one for one in table.comparisons if one.column == ACC]
    assert any("do not hold" in note for note in made.notes)
