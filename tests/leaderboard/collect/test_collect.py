"""From results files to a board: the numbers of the run, what is compared, what is told."""

import hashlib
import json

import pytest

from csc_tasks.cli import main
from leaderboard.folder import load_board, load_report, load_samples
from tests.support.collecting import ITEMS, TASK, board_of, run
from tests.support.fakes import gold_replies, write_corpus
from tests.support.made_results import (
    change_line,
    conversations,
    csc_of,
    numbered,
    right,
    run_lm_eval,
)


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """A run of lm_eval with half the replies right, and the baselines of its corpus."""
    root = tmp_path_factory.mktemp("real")
    corpus = write_corpus(root / "corpus", train=conversations(3))
    gold, flips = gold_replies(corpus), iter([0, 1, 1, 0, 1] * 40)
    tasks = ["csc_conv_ref", "csc_conv_gen", "csc_qa", "cscx_conv_ref_vanilla"]
    run_lm_eval(
        root / "out",
        corpus,
        tasks,
        lambda prompt: gold[prompt] if prompt in gold and next(flips) else "[Greeting] 三个 days",
    )
    assert main(["baselines", str(corpus), "--out", str(root / "out")]) == 0
    words = ["collect", str(root / "out"), "--out", str(root / "board"), "--corpus", str(corpus)]
    assert main(words) == 0
    return root


def test_the_numbers_are_those_of_the_run(real):
    board = load_board(real / "board")
    results = json.loads(
        next((real / "out" / "org__fake").glob("results_*.json")).read_text(encoding="utf-8")
    )["results"]
    rows = {table.id: [row.model for row in table.rows] for table in board.tables}
    assert rows.pop("questions") == ["org__fake", "baseline__echo"]
    assert rows.keys() == {"conversations", "strategy-variants"}
    for model, *baselines, last in rows.values():
        assert (model, last) == ("org__fake", "baseline__echo")
        assert set(baselines) == {
            f"baseline__{name}"
            for name in ("majority", "bigram", "position", "share", "customer", "combined")
        }
        assert baselines.index("baseline__bigram") < baselines.index("baseline__majority")
    for table in board.tables:
        row = table.rows[0]
        assert set(row.runs) <= set(results) and row.values
        for key, value in row.values.items():
            task, _, name = key.partition("/")
            said, error = (results[task][f"{name}{part},none"] for part in ("", "_stderr"))
            assert (
                (value.value, value.stderr) == pytest.approx((said, error))
                if said != "N/A"
                else value.value is None
            ), key
    assert {c.signature for t in board.tables for c in t.columns if c.metric == "strategy_acc"} == {
        "strategy_acc|labels:12|unparsed:wrong"
    }


def test_a_board_is_complete_and_the_same_every_time(real, tmp_path):
    board = load_board(real / "board")
    for slug in board.models:
        assert load_report(real / "board", slug).diagnoses
    for table in board.tables:
        sample = load_samples(real / "board", table.id)
        assert sample.conversations and "org__fake" in sample.conversations[0].turns[0].replies
        for run_ in (run_ for row in table.rows for run_ in row.runs.values()):
            copied = json.loads((real / "board" / run_.raw).read_text(encoding="utf-8"))
            (source,) = (
                json.loads(file.read_text(encoding="utf-8"))
                for file in (real / "out").rglob("results_*.json")
                if hashlib.sha256(file.read_bytes()).hexdigest() == run_.sha256
            )
            assert copied["results"] == source["results"]
    assert (real / "board" / "index.html").stat().st_size > 10_000
    assert (
        main(
            [
                "collect",
                str(real / "out"),
                "--out",
                str(tmp_path / "again"),
                "--jobs",
                "1",
                "--corpus",
                str(real / "corpus"),
            ]
        )
        == 0
    )
    files = [
        file.relative_to(real / "board")
        for file in sorted((real / "board").rglob("*"))
        if file.is_file()
    ]
    assert files == [
        file.relative_to(tmp_path / "again")
        for file in sorted((tmp_path / "again").rglob("*"))
        if file.is_file()
    ]
    assert all(
        (real / "board" / file).read_bytes() == (tmp_path / "again" / file).read_bytes()
        for file in files
    )


def test_processes_give_the_same_board(tmp_path, monkeypatch):
    from leaderboard.numbers import measuring as module

    for name in ("org/one", "org/two"):
        run(tmp_path / "runs", name, right(0.5))
    alone = board_of(tmp_path / "runs", out=tmp_path / "alone")
    monkeypatch.setattr(module, "WORTH_A_PROCESS", 0)
    assert board_of(tmp_path / "runs", out=tmp_path / "two", jobs=2) == alone


def test_best_and_second_only_where_the_interval_says_so(tmp_path):
    run(tmp_path / "runs", "org/best", right(1))
    run(tmp_path / "runs", "org/middle", right(0.5))
    run(tmp_path / "runs", "org/worst", right(0))
    board = board_of(tmp_path / "runs", out=tmp_path / "board")
    (table,) = board.tables
    key = f"{TASK}/strategy_acc"
    assert (table.best[key], table.second[key]) == ("org__best", "org__middle")
    assert f"{TASK}/unparsed" not in table.best
    # Two models that are right on different conversations: each pair's interval holds 0.
    run(tmp_path / "tie", "org/a", numbered(2))
    run(
        tmp_path / "tie",
        "org/b",
        lambda item, turn: numbered(2)(ITEMS[(ITEMS.index(item) + 1) % 12], turn),
    )
    (table,) = board_of(tmp_path / "tie", out=tmp_path / "tied").tables
    assert key not in table.best and key not in table.second
    (pair,) = [c for c in table.comparisons if c.column == key]
    assert pair.p > 0.05 and pair.low < 0 < pair.high


def test_holm_is_over_all_pairs_of_a_column(tmp_path):
    for i, answer in enumerate((numbered(2), numbered(3), numbered(5), right(0.5))):
        run(tmp_path / "runs", f"org/{i}", answer)
    (table,) = board_of(tmp_path / "runs", out=tmp_path / "board").tables
    pairs = sorted(
        (c for c in table.comparisons if c.column == f"{TASK}/strategy_acc"), key=lambda c: c.p
    )
    assert len(pairs) == 6
    assert pairs[0].p_holm == pytest.approx(min(1, 6 * pairs[0].p))
    assert [c.p_holm for c in pairs] == sorted(c.p_holm for c in pairs)


def test_failed_turns_are_shown_and_an_older_run_has_none_rather_than_zero(tmp_path):
    def forget(results):
        for part in ("results", "higher_is_better"):
            for name in [name for name in results[part][TASK] if name.startswith("failed")]:
                del results[part][TASK][name]
        del csc_of(results)["signatures"]["failed"]

    a_quarter = {"failed,none": 0.25, "failed_stderr,none": 0.0}
    new = run(
        tmp_path / "runs",
        "org/new",
        right(1),
        lambda results: results["results"][TASK].update(a_quarter),
    )
    old = run(tmp_path / "runs", "org/old", right(0.5), forget)
    for results, change in (
        (
            new,
            lambda line: (
                line["turns"][0].update(failed=True, reply="", strategy=None, stages=[])
                or line["failed"][1].__setitem__(0, 1.0)
                or line["resps"].__setitem__(0, [""])
            ),
        ),
        (
            old,
            lambda line: [
                line.pop("failed"),
                line["metrics"].remove("failed"),
                *(turn.pop("failed") for turn in line["turns"]),
            ],
        ),
    ):
        for number in range(len(ITEMS)):
            change_line(next(results.parent.glob("samples_*.jsonl")), number, change)
    (table,) = board_of(tmp_path / "runs", out=tmp_path / "board").tables
    key = f"{TASK}/failed"
    (column,) = [column for column in table.columns if column.key == key]
    assert (column.label, column.ranked, column.higher_is_better) == ("Failed", False, False)
    values = {row.model: row.values.get(key) for row in table.rows}
    assert values["org__new"].value == pytest.approx(0.25) and values["org__old"] is None
    turns = load_samples(tmp_path / "board", table.id).conversations[0].turns
    assert [turn.replies["org__new"][TASK].failed for turn in turns] == [True, False, False, False]
    assert {turn.replies["org__old"][TASK].failed for turn in turns} == {None}


def test_an_adapter_stands_below_its_base(tmp_path):
    run(tmp_path / "runs", "org/zebra", right(1))
    run(tmp_path / "runs", "org/base", right(0.25))
    run(
        tmp_path / "runs",
        "me/adapter",
        right(0.5),
        lambda r: r["config"].update(model_args="pretrained=org/base,peft=me/adapter"),
    )
    (table,) = (board := board_of(tmp_path / "runs", out=tmp_path / "board")).tables
    assert [board.models[row.model].label for row in table.rows] == [
        "org/zebra",
        "org/base",
        "+ adapter",
    ]
    adapter = board.models["me__adapter"]
    assert (adapter.kind, adapter.base, adapter.base_name) == ("adapter", "org__base", "org/base")
