"""A board believes nobody: what can be computed again is, forged numbers fall to recomputed ones
and are named, and only what was computed here is ranked, marked, compared or sent on.
"""

import csv
import io
import json
import re
from pathlib import Path

import pytest

from csc_tasks.cli import main
from leaderboard.board import Board, Run
from leaderboard.collect import collect
from leaderboard.folder import load_board
from leaderboard.leading import sentence
from leaderboard.numbers.measured import Options
from leaderboard.page.render import render
from leaderboard.plain_table import as_text
from leaderboard.publishing import cards, eval_results, flat
from leaderboard.standing import standing
from leaderboard.tables import as_csv, as_html, latex, markdown
from tests.support.fakes import write_corpus
from tests.support.made_results import (
    conversation_result,
    conversations,
    right,
    write_run,
)

ITEMS = conversations(24)
TASK = "csc_conv_ref"
KEY = f"{TASK}/strategy_acc"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return str(write_corpus(tmp_path_factory.mktemp("held"), ITEMS, []))


def run(root: Path, name: str, share: float, change=None, **arguments) -> Path:
    result = conversation_result(TASK, ITEMS, right(share))
    return write_run(root, name, [result], change, **arguments)


def board_of(out: Path, *paths: Path, corpora=(), **more) -> Board:
    options = Options(0, draw=2, audit=False, evidence={}, corpora=tuple(corpora))
    return collect(list(paths), out, options, **more)


def row_of(board: Board, slug: str):
    return next(row for row in board.tables[0].rows if row.model == slug)


def forge(file: Path, up: bool = True, **numbers: float) -> None:
    """Other numbers in a results file, whose samples stay. up: whether more accuracy is better."""
    results = json.loads(file.read_text(encoding="utf-8"))
    for name, number in numbers.items():
        results["results"][TASK][f"{name},none"] = number
    results["higher_is_better"][TASK]["strategy_acc"] = up
    file.write_text(json.dumps(results), encoding="utf-8")


def without_samples(file: Path) -> None:
    for samples in file.parent.glob("samples_*"):
        samples.unlink()


@pytest.fixture(scope="module")
def mixed(tmp_path_factory, corpus):
    """An honest run, one whose numbers are forged, and one that only claims."""
    root = tmp_path_factory.mktemp("mixed")
    run(root / "runs", "org/honest", 0.75)
    forge(run(root / "runs", "org/forged", 0.5), False, strategy_acc=0.99, bleu_4=61.3)
    claimed = run(root / "runs", "org/claimed", 0.25)
    forge(claimed, strategy_acc=0.995)
    without_samples(claimed)
    words = ["collect", str(root / "runs"), "--out", str(root / "board"), "--corpus", corpus]
    assert main([*words, "--no-fact-audit"]) == 0
    return root / "board"


@pytest.fixture
def board(mixed):
    return load_board(mixed)


def test_honest_runs_are_rescored_and_ranked(tmp_path, corpus):
    for name, share in (("org/a", 1), ("org/b", 0.5)):
        run(tmp_path / "runs", name, share)
    board = board_of(tmp_path / "board", tmp_path / "runs", corpora=[corpus])
    for row in board.tables[0].rows:
        assert row.trust == "re-scored" and set(row.trusts.values()) == {"re-scored"}
        assert row.runs[TASK].proven and row.runs[TASK].corpus == Path(corpus).name
        assert row.runs[TASK].findings == ()
    assert board.tables[0].best[KEY] == "org__a" and board.notes == ()


def test_without_a_trusted_corpus_nothing_is_ranked_and_it_is_said_why(tmp_path):
    for name, share in (("org/a", 1), ("org/b", 0.5)):
        run(tmp_path / "runs", name, share)
    board = board_of(tmp_path / "board", tmp_path / "runs")
    (table,) = board.tables
    assert {row.trust for row in table.rows} == {"claimed"}
    # The numbers are there, and are those of the replies.
    assert [row.values[KEY].value for row in table.rows] == [1.0, 0.5]
    assert not table.best and not table.second and not table.comparisons
    assert "no trusted corpus has csconv/test; give one with --corpus" in board.notes[0]
    assert "org/a" in board.notes[0] and "org/b" in board.notes[0]
    assert sentence(table, board.models).startswith(
        "Nobody leads: no row has a number for strategy accuracy (reference context) that was"
        " computed again here (csc collect --corpus); not ranked"
    )


def test_forged_numbers_are_replaced_named_and_counted(board, mixed, capsys):
    row = row_of(board, "org__forged")
    assert row.values[KEY].value == 0.5 and row.values[f"{TASK}/bleu_4"].value < 61
    found = {one.item: (one.claimed, one.recomputed) for one in row.runs[TASK].findings}
    assert found["strategy_acc"] == ("0.99", "0.5") and found["bleu_4"][0] == "61.3"
    assert found["strategy_acc higher_is_better"] == ("false", "true")
    notes = " ".join(board.notes)
    assert "1 result with statements that do not hold:" in notes
    assert "(claimed 0.99, recomputed 0.5)" in notes
    assert row_of(board, "org__honest").runs[TASK].findings == ()
    text = render(mixed).text
    assert f"Statements that do not hold ({len(found)})" in text
    assert "claimed 0.99, recomputed 0.5" in text
    # Which way is up is the metric's.
    assert next(c for c in board.tables[0].columns if c.key == KEY).higher_is_better


def test_the_terminal_names_and_counts_what_does_not_hold(tmp_path, corpus, capsys):
    run(tmp_path / "runs", "org/honest", 1)
    forge(run(tmp_path / "runs", "org/forged", 0.5), False, strategy_acc=7.5)
    words = ["collect", str(tmp_path / "runs"), "--out", str(tmp_path / "board")]
    assert main([*words, "--corpus", corpus, "--no-fact-audit"]) == 0
    said = capsys.readouterr()
    assert "(claimed 7.5, recomputed 0.5)" in said.err
    assert "\nrows: 2 re-scored; statements that do not hold: 3\n\nConversations: " in said.out


def test_only_what_was_computed_here_is_ranked_marked_and_compared(board):
    (table,) = board.tables
    assert row_of(board, "org__claimed").trust == "claimed"
    assert {slug for c in table.comparisons for slug in (c.a, c.b)} == {
        "org__honest",
        "org__forged",
    }
    assert table.best[KEY] == "org__honest"
    # Its 99.5 % stand below.
    assert [row.model for row in table.rows] == ["org__honest", "org__forged", "org__claimed"]
    found = standing(table, board.models)
    assert list(found.order) == ["org__honest", "org__forged"]
    assert found.claimed == ("org__claimed",) and found.missing == ()
    said = sentence(table, board.models)
    assert (
        said.startswith("org/honest leads in")
        and "nobody here computed it again: org/claimed" in said
    )


def test_every_form_shows_how_far_numbers_can_be_trusted(board, mixed):
    (table,) = board.tables
    rows = markdown(board, table).splitlines()
    (row,) = [row for row in rows if row.startswith("| org/claimed | claimed |")]
    assert "99.5\u2020" in row and "**" not in row
    assert any(row.startswith("| org/honest | re-scored | **75.0**") for row in rows)
    assert r"org/claimed & claimed & 99.5$^\dagger$" in latex(board, table)
    html = as_html(board, table)
    assert '<th scope="row">org/claimed</th><td>claimed</td><td>99.5\u2020' in html
    assert "org/honest   re-scored" in as_text(board, table)
    assert "\u2020 claimed, not computed again here: not ranked" in as_text(board, table)
    lines = [line.split(",") for line in as_csv(board, [table]).splitlines()]
    place = lines[0].index("trust")
    assert {line[place] for line in lines[1:] if line[1] == "org/claimed"} == {"claimed"}
    assert {line[place] for line in lines[1:] if line[1] == "org/honest"} == {"re-scored"}
    flat_rows = {(row["model"], row["metric"]): row for row in flat.results(board)}
    assert flat_rows["org/claimed", "strategy_acc"]["trust"] == "claimed"
    assert flat_rows["org/honest", "strategy_acc"]["run_trust"] == "re-scored"
    expected = "rows: 2 re-scored, 1 claimed; statements that do not hold:"
    assert expected in cards.dataset_card(board, "org/r", ("results",), "mit", None)
    assert expected in cards.space_card(board, None)
    page = render(mixed).text
    assert '<span class="trust claimed">claimed</span>' in page
    assert '<span class="trust re-scored">re-scored</span>' in page
    raw = json.loads((mixed / "board.json").read_text(encoding="utf-8"))
    assert {row["model"]: row["trusts"][KEY] for row in raw["tables"][0]["rows"]} == {
        "org__honest": "re-scored",
        "org__forged": "re-scored",
        "org__claimed": "claimed",
    }


def test_a_models_page_is_sent_nothing_that_was_only_claimed(board):
    setting = board.tables[0].setting.model_copy(
        update={"corpus": "org/data", "revision": "0123abc"}
    )
    table = board.tables[0].model_copy(update={"setting": setting})
    sent, left_out = eval_results.entries(
        board.model_copy(update={"tables": (table,)}), "https://x"
    )
    assert set(sent) == {"org/honest", "org/forged"} and sent["org/forged"][0]["value"] == 50.0
    assert left_out == [f"org/claimed, {TASK}: claimed, not re-scored here"]


def test_diagnosis_and_samples_are_made_of_the_replies(tmp_path, corpus):
    """Records that say the right strategy, over replies that do not."""
    file = run(tmp_path / "runs", "org/forged", 0)
    (samples,) = file.parent.glob("samples_*")
    lines = [json.loads(line) for line in samples.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        for record in line["turns"]:
            record |= {"strategy": record["gold_strategy"], "reply": "as good as gold"}
    samples.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    board = board_of(tmp_path / "board", tmp_path / "runs", corpora=[corpus])
    assert row_of(board, "org__forged").values[KEY].value == 0
    report = json.loads((tmp_path / "board" / "models" / "org__forged.json").read_text())
    counts = report["diagnoses"][0]["confusion"]["counts"]
    assert sum(counts[i][i] for i in range(len(counts))) == 0
    assert "as good as gold" not in (
        tmp_path / "board" / "samples" / "conversations.json"
    ).read_text(encoding="utf-8")


def test_an_edited_corpus_is_claimed_and_its_findings_quote_no_text(tmp_path, corpus):
    file = run(tmp_path / "runs", "org/edited", 1)
    (samples,) = file.parent.glob("samples_*")
    text = samples.read_text(encoding="utf-8")
    samples.write_text(text.replace("gold answer 1", "a reply 3"), encoding="utf-8")
    board = board_of(tmp_path / "board", tmp_path / "runs", corpora=[corpus])
    row = row_of(board, "org__edited")
    assert row.trust == "claimed" and not row.runs[TASK].proven
    assert any("not those of the trusted corpus" in one.sentence for one in row.runs[TASK].findings)
    assert "gold answer" not in repr(row.runs) and not board.tables[0].best


def test_two_who_hand_in_one_name_are_two_rows_until_one_replaces_the_other(tmp_path, corpus):
    old = {"date": 1_700_000_000.0}
    run(tmp_path / "theirs", "org/one", 1, lambda results: results.update(old))
    run(tmp_path / "somebody", "org/one", 0.25)
    folders = (tmp_path / "theirs", tmp_path / "somebody")
    board = board_of(tmp_path / "board", *folders, corpora=[corpus])
    assert {
        board.models[row.model].label: row.values[KEY].value for row in board.tables[0].rows
    } == {
        "org/one (handed in=theirs)": 1.0,
        "org/one (handed in=somebody)": 0.25,
    }
    assert board.notes[0].startswith("org/one: handed in from somebody and theirs;")
    assert str(tmp_path) not in repr(board.models)
    newest = board_of(tmp_path / "board", *folders, corpora=[corpus], replace=True)
    (row,) = newest.tables[0].rows
    assert row.values[KEY].value == 0.25 and newest.models[row.model].label == "org/one"
    # Below one argument the newest stands, whoever wrote it.
    whole = board_of(tmp_path / "whole", tmp_path, corpora=[corpus])
    assert [row.values[KEY].value for row in whole.tables[0].rows] == [0.25]


def test_folders_of_one_name_are_told_apart_and_files_named_twice_read_once(tmp_path, corpus):
    run(tmp_path / "a" / "results", "org/one", 1)
    run(tmp_path / "b" / "results", "org/one", 0.5)
    folders = (tmp_path / "a" / "results", tmp_path / "b" / "results")
    board = board_of(tmp_path / "board", *folders, corpora=[corpus])
    assert {model.settings["handed in"] for model in board.models.values()} == {
        "a/results",
        "b/results",
    }
    again = board_of(tmp_path / "board", folders[0], folders[0], corpora=[corpus])
    assert len(again.tables[0].rows) == 1 and again.notes == ()


def test_a_board_of_before_is_made_again():
    assert {"trust", "proven", "corpus"} <= {
        name for name, field in Run.model_fields.items() if field.is_required()
    }


def test_baselines_of_the_demo_are_rescored(tmp_path, capsys):
    assert main(["baselines", "demo", "--out", str(tmp_path / "results")]) == 0
    words = ["collect", str(tmp_path / "results"), "--out", str(tmp_path / "board")]
    assert main([*words, "--no-fact-audit"]) == 0
    board = load_board(tmp_path / "board")
    rows = {row.model: row for row in board.tables[0].rows}
    assert {row.trust for table in board.tables for row in table.rows} == {"re-scored"}
    scores = {
        "baseline__bigram": (0.446, 0.330),
        "baseline__majority": (0.112, 0.112),
    }
    for slug, numbers in scores.items():
        keys = (KEY, KEY.replace("_ref", "_gen"))
        assert tuple(rows[slug].values[key].value for key in keys) == pytest.approx(
            numbers, abs=5e-4
        )
    echo = [rows["baseline__echo"].values[f"{TASK}/bleu_4_{code}"].value for code in ("zh", "en")]
    assert echo == pytest.approx([2.00, 1.93], abs=5e-3)


def test_ratings_stand_in_their_own_column_where_the_replies_are_proven(mixed, board):
    """Nobody can compute a rating again: it is claimed, and counts for what it is."""
    (table,) = board.tables
    column = table.columns[0].model_copy(
        update={"key": f"{TASK}/judge_j_tone", "metric": "judge_j_tone", "rater": "Judge j"}
    )
    assert row_of(board, "org__honest").ranks(column)
    assert not row_of(board, "org__claimed").ranks(column)


def test_a_row_whose_files_contradict_themselves_says_so_in_its_badge(board, mixed):
    badges = {row.model: row.badge for row in board.tables[0].rows}
    assert badges == {
        "org__honest": "re-scored",
        "org__forged": "re-scored, contradicted",
        "org__claimed": "claimed",
    }
    raw = json.loads((mixed / "board.json").read_text(encoding="utf-8"))["tables"][0]["rows"]
    assert {row["model"]: row["runs"][TASK]["contradicted"] for row in raw} == {
        "org__honest": False,
        "org__forged": True,
        "org__claimed": False,
    }
    (table,) = board.tables
    for text in (markdown(board, table), latex(board, table), as_text(board, table, 200)):
        (line,) = [
            line for line in text.splitlines() if "forged" in line and "contradicted" in line
        ]
        assert "re-scored, contradicted" in line
        assert not [one for one in text.splitlines() if "honest" in one and "contradicted" in one]
    html = as_html(board, table)
    assert html.count("<td>re-scored, contradicted</td>") == 1 and "<td>re-scored</td>" in html
    lines = list(csv.DictReader(io.StringIO(as_csv(board, [table]))))
    assert {(line["model"], line["contradicted"]) for line in lines} == {
        ("org/honest", "false"),
        ("org/forged", "true"),
        ("org/claimed", "false"),
    }
    numbers = {(row["model"], row["contradicted"]) for row in flat.results(board)}
    assert numbers == {("org/honest", False), ("org/forged", True), ("org/claimed", False)}
    page = render(mixed).text
    assert '<span class="trust re-scored contradicted">re-scored, contradicted</span>' in page
    assert '"trust":"re-scored, contradicted"' in page.replace('": "', '":"')


def test_replies_that_two_models_share_are_said(tmp_path, corpus):
    def said(text):
        return lambda item, turn: ("GT", f"{text} {item.conversation_id} {turn}")

    for name, text in (("first", "one"), ("second", "one"), ("other", "another")):
        result = conversation_result(TASK, ITEMS, said(text))
        write_run(tmp_path / "runs", f"org/{name}", [result])
    board = board_of(tmp_path / "board", tmp_path / "runs", corpora=[corpus])
    (note,) = board.notes
    # Without the folder: a board is published.
    assert re.fullmatch(
        r"org/second, csc_conv_ref: replies to 24 of 24 documents are those of org/first"
        r" \(results_[^/]*\.json\)",
        note,
    )
    assert {row.badge for row in board.tables[0].rows} == {"re-scored"}
