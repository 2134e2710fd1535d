"""From results files to a board: the numbers of the run, rows that may stand together, and files
that nobody should trust.
"""

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from csc_tasks.cli import main
from csc_tasks.errors import DataError, SettingError
from leaderboard.collect import collect
from leaderboard.earlier_board import check_out
from leaderboard.folder import load_board, load_report, load_samples
from leaderboard.numbers.measured import Options
from tests.support.fakes import gold_replies, write_corpus
from tests.support.made_results import (
    change_line,
    conversation_result,
    conversations,
    csc_of,
    numbered,
    right,
    run_lm_eval,
    write_run,
)

ITEMS = conversations(12)
HELD = Path(tempfile.mkdtemp(prefix="csc-held-"))
PLAIN = Options(seed=0, draw=3, audit=False, evidence={}, corpora=(str(HELD),))
TASK = "csc_conv_ref"


@pytest.fixture(scope="module", autouse=True)
def held():
    """The corpus of ITEMS, which the collector trusts."""
    write_corpus(HELD, ITEMS, [])
    yield
    shutil.rmtree(HELD)


def run(root, name="org/one", answer=None, change=None, tasks=(TASK,), items=ITEMS, **arguments):
    return write_run(
        root,
        name,
        [conversation_result(task, items, answer or numbered(3)) for task in tasks],
        change,
        **arguments,
    )


def board_of(*paths, out, split=(), **more):
    return collect(list(map(Path, paths)), out, PLAIN, split, **more)


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


# Rows that cannot be compared


def provenance(**values):
    return lambda results: csc_of(results).update(values)


def unsigned(results):
    csc_of(results)["signatures"]["bleu_2"] = "bleu|another:version"


def limited(results):
    results["n-samples"][TASK] = {"original": 600, "effective": 12}


def older(results):
    results["configs"][TASK]["metadata"]["version"] = 0.9


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        (provenance(content_hash="f" * 16), "corpus", "with content ffffffffffffffff"),
        (provenance(prompt="chat"), "prompt", "prompt style is single"),
        (provenance(format="json"), "prompt", "single-json for org/two"),
        (provenance(reask=1), "prompt", "single-reask for org/two"),
        (lambda results: results.update(chat_template=None), "chat_template", "not applied"),
        (older, "version", "task version is"),
        (limited, "limit", "12 documents"),
        (unsigned, "signatures", "signature of bleu_2 is"),
    ],
)
def test_rows_that_differ_are_an_error_or_separate_tables(tmp_path, change, field, words):
    run(tmp_path / "runs", "org/one")
    run(tmp_path / "runs", "org/two", change=change)
    with pytest.raises(DataError, match="rows that cannot be compared") as error:
        board_of(tmp_path / "runs", out=tmp_path / "board")
    assert (
        words in str(error.value)
        and "org/one" in str(error.value)
        and "org/two" in str(error.value)
    )
    assert f"--split-by {field}" in str(error.value) and not (tmp_path / "board").exists()
    board = board_of(tmp_path / "runs", out=tmp_path / "board", split=[field])
    assert [len(table.rows) for table in board.tables] == [1, 1]
    assert len({table.id for table in board.tables}) == 2 and not any(
        table.comparisons for table in board.tables
    )
    with pytest.raises(SettingError, match="there are version, corpus"):
        board_of(tmp_path / "runs", out=tmp_path / "board", split=["colour"])


def test_tables_of_several_corpora_are_titled_by_their_names(tmp_path):
    """Not by their hashes, which say nothing to a reader; two contents of one name need a digit."""
    names = {"one": "org/first", "two": "/home/somebody/second"}
    for name, corpus in names.items():
        change = provenance(corpus=corpus, content_hash=name[0] * 16)
        run(tmp_path / "runs", f"org/{name}", change=change)
    board = board_of(tmp_path / "runs", out=tmp_path / "board", split=["corpus"])
    assert [table.title for table in board.tables] == [
        "Conversations (corpus: org/first)",
        "Conversations (corpus: second)",
    ]
    run(
        tmp_path / "runs", "org/three", change=provenance(corpus="org/first", content_hash="e" * 16)
    )
    board = board_of(tmp_path / "runs", out=tmp_path / "board", split=["corpus"])
    assert sorted(table.title for table in board.tables) == [
        "Conversations (corpus: org/first, content eeeeeeee)",
        "Conversations (corpus: org/first, content oooooooo)",
        "Conversations (corpus: second)",
    ]


def test_how_the_requests_were_played_does_not_part_rows(tmp_path):
    run(tmp_path / "runs", "org/one", change=provenance(play={"mode": "lockstep"}))
    run(
        tmp_path / "runs",
        "org/two",
        change=provenance(play={"mode": "plain", "reason": "csc_play=plain"}),
    )
    board = board_of(tmp_path / "runs", out=tmp_path / "board")
    assert [len(table.rows) for table in board.tables] == [2]


def test_two_commits_of_a_corpus_are_not_mixed(tmp_path):
    for name in ("one", "two"):
        run(tmp_path / "runs", f"org/{name}", change=provenance(revision=name * 10))
    with pytest.raises(DataError, match="corpus revision is oneoneone"):
        board_of(tmp_path / "runs", out=tmp_path / "board")


def test_a_baseline_stands_in_every_table_of_its_corpus(tmp_path):
    run(tmp_path / "runs", "org/one")
    run(tmp_path / "runs", "org/one", change=provenance(prompt="chat"))

    def baseline(results):
        results["config"]["model"] = "baseline/majority"
        del csc_of(results)["prompt"], results["chat_template"]

    run(tmp_path / "runs", "baseline/majority", right(0.25), change=baseline)
    board = board_of(tmp_path / "runs", out=tmp_path / "board", split=["prompt"])
    assert [sorted(row.model for row in table.rows) for table in board.tables] == [
        ["baseline__majority", "org__one"]
    ] * 2
    assert {table.setting.prompt for table in board.tables} == {"single", "chat"}
    assert {d.table for d in load_report(tmp_path / "board", "org__one").diagnoses} == {
        table.id for table in board.tables
    }


def test_rows_of_one_name_are_labelled_with_the_settings_that_differ(tmp_path):
    run(
        tmp_path / "old",
        "org/one",
        right(0.25),
        change=lambda r: r.update(date=1_700_000_000.0),
        batch_size=1,
    )
    run(tmp_path / "new", "org/one", right(1), device="cuda")
    run(tmp_path / "half", "org/one", right(0.5), dtype="bfloat16")
    folders = (tmp_path / "new", tmp_path / "old", tmp_path / "half")
    board = board_of(*folders, out=tmp_path / "board", replace=True)
    # How it was run (device, batch size) does not make another model; another type of number does.
    assert {
        board.models[row.model].label: row.values[f"{TASK}/strategy_acc"].value
        for row in board.tables[0].rows
    } == {
        "org/one (dtype=bfloat16)": 0.5,
        "org/one (dtype=default)": 1.0,
    }


def test_one_model_with_and_without_thinking_is_two_rows(tmp_path):
    def thought(tokens):
        return lambda results: csc_of(results).update(
            thinking={"family": "think", "thinks": True, "switched_off": {}, "tokens": tokens}
        )

    run(tmp_path / "on", "org/one", right(1), change=thought(2048))
    run(tmp_path / "off", "org/one", right(0.5), change=thought(0))
    board = board_of(tmp_path / "on", tmp_path / "off", out=tmp_path / "board")
    assert {
        board.models[row.model].label: row.values[f"{TASK}/strategy_acc"].value
        for row in board.tables[0].rows
    } == {
        "org/one (thinking=up to 2048 tokens)": 1.0,
        "org/one (thinking=default)": 0.5,
    }


def test_duplicates_are_told(tmp_path):
    old = run(
        tmp_path / "old", "org/one", right(0.25), change=lambda r: r.update(date=1_700_000_000.0)
    )
    new = run(tmp_path / "new", "org/one", right(1))
    board = board_of(tmp_path, out=tmp_path / "board")
    assert board.notes == (
        f"org/one, {TASK}: 2 runs with the same settings; kept {new.name}, left out {old.name}",
    )
    assert board.tables[0].rows[0].values[f"{TASK}/strategy_acc"].value == 1.0
    # The copy in the board is no third run, and the folder can be made again.
    assert board_of(tmp_path, out=tmp_path / "board") == board


def test_rescored_results_are_newer(tmp_path):
    run(tmp_path / "runs", "org/one")
    assert (
        main(
            [
                "score",
                str(tmp_path / "runs"),
                "--metrics",
                "bleu_2",
                "--out",
                str(tmp_path / "runs" / "again"),
            ]
        )
        == 0
    )
    board = board_of(tmp_path / "runs", out=tmp_path / "board")
    assert len(board.tables[0].rows) == 1 and "2 runs with the same settings" in board.notes[0]
    (again,) = (tmp_path / "runs" / "again").rglob("results_*.json")
    assert again.name in board.notes[0].split("kept ")[1].split(",")[0]


def test_without_samples_there_are_numbers_and_no_comparison(tmp_path):
    run(tmp_path / "runs", "org/one")
    file = run(tmp_path / "runs", "org/two", right(0.5))
    for samples in file.parent.glob("samples_*"):
        samples.unlink()
    board = board_of(tmp_path / "runs", out=tmp_path / "board")
    row = next(row for row in board.tables[0].rows if row.model == "org__two")
    assert row.values[f"{TASK}/strategy_acc"].value == 0.5 and not row.runs[TASK].samples
    assert (
        not board.tables[0].comparisons
        and not board.tables[0].best
        and "no samples file" in board.notes[0]
    )


def test_files_of_a_later_lm_eval_are_read(tmp_path):
    def later(results):
        results |= {"new_thing": {"a": [1]}, "chat_template_sha": 5}
        results["config"]["another"] = "thing"
        results["results"]["hellaswag"] = {"acc,none": 0.5}
        results["configs"]["hellaswag"] = {"metadata": {}}
        csc_of(results)["project"] = "9.0"

    run(tmp_path / "runs", "org/one", change=later)
    board = board_of(tmp_path / "runs", out=tmp_path / "board")
    assert (
        board.tables[0].rows[0].runs[TASK].project == "9.0"
        and "not csc tasks: hellaswag" in board.notes[0]
    )


# Files that nobody should trust


def broken(file, text):
    file.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "broken JSON"),
        ('{"results": {', "broken JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("[]", "not a results file"),
        ("{}", "results: Field required"),
        ('{"results": NaN}', "NaN is no number"),
        (
            '{"results": 5, "configs": {}, "config": {}, "model_name": "x", "date": 1.0}',
            "results: Input should be",
        ),
        (
            '{"results": {}, "configs": {}, "config": {}, "model_name": "x", "date": 1.0}',
            "no results of a csc task",
        ),
        (
            '{"results": {}, "configs": {}, "config": {}, "model_name": ["x"], "date": 1.0}',
            "model_name: Input should be",
        ),
        (
            '{"results": {}, "configs": {}, "config": {}, "model_name": "x", "date": 1e300}',
            "date: Input should be",
        ),
    ],
)
def test_a_results_file_that_is_none(tmp_path, text, words, capsys):
    (tmp_path / "results_1.json").write_text(text, encoding="utf-8")
    assert (
        main(["collect", str(tmp_path / "results_1.json"), "--out", str(tmp_path / "board")]) == 1
    )
    error = capsys.readouterr().err
    assert words in error and "results_1.json" in error and "Traceback" not in error
    assert not (tmp_path / "board").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda r: r["results"][TASK].update({"strategy_acc,none": "high"}),
            "strategy_acc is 'high'",
        ),
        (
            lambda r: r["results"][TASK].update({"strategy_acc,none": 10**400}),
            "is no number that can be used",
        ),
        (lambda r: r["results"][TASK].update({"turns,none": -3}), "the number of turns"),
        (lambda r: r["configs"][TASK].update(metadata=[]), "metadata.csc is missing"),
        (lambda r: csc_of(r).update(signatures=["x"]), "metadata.csc.signatures"),
        (lambda r: r["results"].update({TASK: {"turns,none": 3}}), "there is no metric"),
    ],
)
def test_wrong_types_in_a_results_file(tmp_path, change, words):
    file = run(tmp_path / "runs")
    results = json.loads(file.read_text(encoding="utf-8"))
    change(results)
    broken(file, json.dumps(results))
    with pytest.raises(DataError, match=words):
        board_of(tmp_path / "runs", out=tmp_path / "board")


def of_record(**values):
    return lambda line: line["turns"][0].update(values)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (of_record(reply=None), "reply of a record is None"),
        (of_record(strategy=["GT"]), "strategy is .*; it must be text or null"),
        (of_record(turn=True), "turn True"),
        (of_record(turn=10**30), "turn 1000"),
        (of_record(language="xx"), "language 'xx'"),
        (of_record(conversation_id="other"), "stands under"),
        (lambda line: line.update(turns=[]), "no 'doc' and 'turns'"),
        (lambda line: line.update(turns=["x"]), "a record in 'turns' is 'x'"),
        (lambda line: line.update(doc="x"), "no 'doc' and 'turns'"),
        (lambda line: line["doc"].update(dialogue=[{"text": None}]), None),
    ],
)
def test_samples_that_do_not_hold_what_they_should(tmp_path, change, words):
    file = run(tmp_path / "runs")
    change_line(next(file.parent.glob("samples_*")), 2, change)
    if words is None:
        # Only the fact audit reads the dialogue.
        board_of(tmp_path / "runs", out=tmp_path / "board")
        words, options = "turn 0 of dialogue", Options(0, 3, True, {})
        change_line(next(file.parent.glob("samples_*")), 2, of_record(reply="That is $40."))
    else:
        options = PLAIN
    with pytest.raises(DataError, match=words):
        collect([tmp_path / "runs"], tmp_path / "other", options)
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("change", "item"),
    [
        (of_record(strategy="Greeting"), "strategy"),
        (of_record(gold_strategy=None), "gold_strategy"),
        (lambda line: line.update(strategy_acc=["x", [1.0]]), "strategy_acc items"),
        (
            lambda line: line["strategy_acc"].__setitem__(1, ["a", {}, [], 1]),
            "strategy_acc items",
        ),
        (lambda line: line["bleu_2"].__setitem__(1, [[1], [1, 2], 3, 4]), "bleu_2 items"),
        (lambda line: line["strategy_acc"][1].__setitem__(0, 0.5), "strategy_acc items"),
        (
            lambda line: line["strategy_macro_f1"][1].__setitem__(0, [99, 1]),
            "strategy_macro_f1 items",
        ),
    ],
)
def test_what_samples_say_of_their_replies_falls_to_the_replies(tmp_path, change, item):
    file = run(tmp_path / "runs")
    honest = board_of(tmp_path / "runs", out=tmp_path / "honest").tables[0].rows[0]
    change_line(next(file.parent.glob("samples_*")), 2, change)
    board = board_of(tmp_path / "runs", out=tmp_path / "board")
    (row,) = board.tables[0].rows
    assert row.values == honest.values and row.trust == "re-scored"
    assert [found.item for found in row.runs[TASK].findings] == [item]
    assert "1 result with statements that do not hold:" in board.notes


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty"),
        ("{\n", "line 1: broken JSON"),
        ("[" * 100_000, "line 1: nested too deeply"),
        ("[]\n", "line 1: no 'doc'"),
        ('{"doc": Infinity}\n', "Infinity is no number"),
        ("\xff\xfe", "line 1: not UTF-8"),
    ],
)
def test_samples_that_are_none(tmp_path, text, words):
    file = run(tmp_path / "runs")
    next(file.parent.glob("samples_*")).write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=words):
        board_of(tmp_path / "runs", out=tmp_path / "board")


def test_cut_and_doubled_samples(tmp_path):
    file = run(tmp_path / "runs")
    samples = next(file.parent.glob("samples_*"))
    whole = samples.read_text(encoding="utf-8").splitlines(keepends=True)
    samples.write_text("".join(whole[:-1]), encoding="utf-8")
    with pytest.raises(DataError, match=r"44 turns, and results_.* says 48"):
        board_of(tmp_path / "runs", out=tmp_path / "board")
    samples.write_text("".join([*whole, whole[3]]), encoding="utf-8")
    twice = json.loads(whole[3])["doc"]["conversation_id"]
    with pytest.raises(DataError, match=rf"line 13: turn 1 of {twice} stands in the file twice"):
        board_of(tmp_path / "runs", out=tmp_path / "board")


def test_the_order_of_the_lines_does_not_matter(tmp_path):
    """Several ranks may log in any order."""
    run(tmp_path / "runs", "org/one", right(0.5))
    file = run(tmp_path / "runs", "org/two")
    before = board_of(tmp_path / "runs", out=tmp_path / "board").tables[0]
    samples = next(file.parent.glob("samples_*"))
    samples.write_text(
        "".join(reversed(samples.read_text(encoding="utf-8").splitlines(keepends=True))),
        encoding="utf-8",
    )
    after = board_of(tmp_path / "runs", out=tmp_path / "board").tables[0]
    assert [c.p for c in after.comparisons] == pytest.approx([c.p for c in before.comparisons])


def test_names_cannot_leave_the_folder(tmp_path):
    """Hostile names of models, variants and texts: all that is written lies in --out, and the names
    are only names.
    """
    names = {
        "../../../evil": "evil",
        "/etc/passwd": "passwd",
        "<script>alert(1)": "<script>alert(1)",
        "..": "unnamed",
        "": "unnamed",
        "x" * 500: "x" * 200,
        "a\nb": "a\nb",
        "模型/七": "模型/七",
        "con\x00": "con\x00",
    }
    for i, name in enumerate(names):
        file = run(tmp_path / "runs" / str(i))
        file.write_text(
            json.dumps(json.loads(file.read_text(encoding="utf-8")) | {"model_name": name}),
            encoding="utf-8",
        )
    before = set(tmp_path.rglob("*"))
    board = board_of(tmp_path / "runs", out=tmp_path / "out" / "board")
    assert sorted(model.name for model in board.models.values()) == sorted(names.values())
    written = set(tmp_path.rglob("*")) - before
    assert all(
        Path(os.path.realpath(path)).is_relative_to(tmp_path.resolve() / "out") for path in written
    )
    assert len(list((tmp_path / "out" / "board" / "models").iterdir())) == len(names)
    # A lone surrogate is no name at all.
    file.write_text(
        json.dumps(json.loads(file.read_text(encoding="utf-8")) | {"model_name": "\ud800"}),
        encoding="utf-8",
    )
    with pytest.raises(DataError, match="lone surrogates"):
        board_of(file, out=tmp_path / "other")


def test_lone_surrogates_in_texts_are_refused(tmp_path):
    file = run(tmp_path / "runs")
    samples = next(file.parent.glob("samples_*"))
    change_line(samples, 0, lambda line: line["doc"].update(topic="half \\ud800"))
    samples.write_text(
        samples.read_text(encoding="utf-8").replace("\\\\ud800", "\\ud800"), encoding="utf-8"
    )
    assert "\\ud800" in samples.read_text(encoding="utf-8")
    with pytest.raises(DataError, match=r"line 1: holds lone surrogates \(\\ud800 without"):
        board_of(tmp_path / "runs", out=tmp_path / "board")


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    run(tmp_path / "runs", "org/one")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").write_text("text", encoding="utf-8")
    with pytest.raises(SettingError, match=r"holds other things \(thesis.txt\)"):
        check_out(tmp_path / "home")
    with pytest.raises(SettingError, match="is a file"):
        check_out(tmp_path / "home" / "thesis.txt")
    with pytest.raises(DataError, match="there is no such file"):
        board_of(tmp_path / "nowhere", out=tmp_path / "board")
    with pytest.raises(DataError, match="no results file"):
        board_of(tmp_path / "home", out=tmp_path / "board")


def test_what_an_earlier_board_left_goes(tmp_path):
    run(tmp_path / "a", "org/one")
    run(tmp_path / "b", "org/two")
    board_of(tmp_path / "a", tmp_path / "b", out=tmp_path / "board")
    board_of(tmp_path / "b", out=tmp_path / "board")
    assert [file.name for file in (tmp_path / "board" / "models").iterdir()] == ["org__two.json"]
    assert [file.name for file in (tmp_path / "board" / "raw").iterdir()] == ["org__two"]


def test_a_board_that_was_changed_is_refused(tmp_path):
    run(tmp_path / "runs", "org/one")
    board_of(tmp_path / "runs", out=tmp_path / "board")
    file = tmp_path / "board" / "board.json"
    data = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(data | {"colour": "red"}), encoding="utf-8")
    with pytest.raises(DataError, match=r"colour: Extra inputs are not permitted"):
        load_board(tmp_path / "board")
    with pytest.raises(DataError, match=r"no board\.json"):
        load_board(tmp_path)
    with pytest.raises(DataError, match="is no name of a file"):
        load_report(tmp_path / "board", "../../x")
