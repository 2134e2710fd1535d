"""The ceiling of a table: what one rater reaches against the others, by hand and with its clustered
interval, wherever a table is shown; and no trace of it without labels.
"""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from csc_tasks.cli import main
from csc_tasks.conversation import Label
from leaderboard.folder import load_board
from leaderboard.layout import layout
from leaderboard.page.render import render
from leaderboard.tables import as_csv, as_html, latex, markdown
from tests.support.browser import opened
from tests.support.fakes import write_corpus
from tests.support.made_results import conversation_result, conversations, right, write_run

METRICS = "overlap,strategy_in_set,strategy_agreement,strategy_set_f1"
LABEL = "One rater against the others"
NAMES = ("strategy_acc", "strategy_in_set", "strategy_agreement", "strategy_set_f1")


def rated(number, conversation):
    """Three raters at every turn; the third differs at one turn of every second conversation, and
    at two of every third. The last turn has one rater alone, who reaches nothing against nobody.
    """
    turns = list(conversation.dialogue)
    scored = conversation.scored_turns()
    for place, at in enumerate(scored):
        gold = turns[at].strategy
        differs = (place == 0 and number % 2 == 0) or (place == 1 and number % 3 == 0)
        third = ("RC", gold) if differs else (gold,)
        labels = [Label("anna", (gold,)), Label("ben", (gold,)), Label("model:small", third)]
        if at == scored[-1]:
            del labels[1:]
        turns[at] = replace(turns[at], labels=tuple(labels))
    return replace(conversation, dialogue=tuple(turns))


RATED = [rated(number, one) for number, one in enumerate(conversations(24))]


def one_turn(differs):
    """(accuracy, in set, agreement, F1) of a turn: anna and ben reach the same, the third apart.

    Where the third says RC before gold, anna has ben (gold) and the third (RC, gold) against her:
    gold and RC tie, and gold (GT 1, PR 4, ID 7) stands before RC (10) in the framework. She is
    right, in the set, agrees with one of two, and has F1 1 and 2/3. The third has two of gold
    against it: wrong, not in the set, agrees with none, F1 2/3 and 2/3.
    """
    if not differs:
        return 1, 1, 1, 1
    return 2 / 3, 2 / 3, (0.5 + 0.5 + 0) / 3, (5 / 6 + 5 / 6 + 2 / 3) / 3


def expected():
    """Metric -> (value, low, high) over the three turns of a conversation that have three raters,
    by t on the logit of the clustered mean.
    """
    sums, sizes = [], []
    for number in range(24):
        turns = [one_turn(number % 2 == 0), one_turn(number % 3 == 0), one_turn(False)]
        sums.append(np.sum(turns, axis=0))
        sizes.append(len(turns))
    sums, sizes, g = np.array(sums), np.array(sizes), 24
    values = sums.sum(axis=0) / sizes.sum()
    deviations = sums - sizes[:, None] * values
    errors = np.sqrt(g / (g - 1) * (deviations**2).sum(axis=0)) / sizes.sum()
    half = stats.t.ppf(0.975, g - 1) * errors / (values * (1 - values))
    logit = np.log(values / (1 - values))
    low, high = (1 / (1 + np.exp(-(logit + by))) for by in (-half, half))
    return dict(zip(NAMES, zip(values, low, high, strict=True), strict=True))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A board of two models on the labelled corpus, and one on the same without labels."""
    root = tmp_path_factory.mktemp("ceiling")
    plain = conversations(24)
    for name, items in (("rated", RATED), ("plain", plain)):
        write_corpus(root / name, items)
        for model, share in (("org/good", 0.75), ("org/poor", 0.5)):
            tasks = [
                conversation_result(
                    task, items, right(share), METRICS if name == "rated" else "overlap"
                )
                for task in ("csc_conv_ref", "csc_conv_gen")
            ]
            write_run(root / f"of-{name}", model, tasks)
        words = ["collect", str(root / f"of-{name}"), "--corpus", str(root / name)]
        assert main([*words, "--out", str(root / f"board-{name}"), "--no-fact-audit"]) == 0
    return root


@pytest.fixture
def board(root):
    return load_board(root / "board-rated")


def test_it_is_what_the_raters_reach_among_themselves(board):
    [table] = board.tables
    assert table.ceiling.proven
    for task in ("csc_conv_ref", "csc_conv_gen"):
        for name, numbers in expected().items():
            value = table.ceiling.values[f"{task}/{name}"]
            assert (value.value, value.low, value.high) == pytest.approx(numbers)
            assert (value.items, value.clusters, value.method) == (72, 24, "logit")
    assert {key.partition("/")[2] for key in table.ceiling.values} == {*NAMES}


def percent(number):
    return f"{100 * number:.1f}"


def shown():
    """What stands in a cell of strategy accuracy."""
    value, low, high = expected()["strategy_acc"]
    return f"{percent(value)} ({percent(low)} to {percent(high)})"


def test_every_form_of_a_table_has_the_row_below_the_models(board):
    [table] = board.tables
    columns, lines = layout(board, table, every=True)
    assert [line.label for line in lines] == ["org/good", "org/poor", LABEL]
    assert lines[-1].kind == lines[-1].trust == "ceiling"
    by_key = {c.key: cell for c, cell in zip(columns, lines[-1].cells, strict=True)}
    assert by_key["csc_conv_ref/bleu_4"].number == "–"
    text = markdown(board, table)
    assert f"| *{LABEL}* | ceiling | {shown()} |" in text
    assert "Ceiling: one rater of a turn against its others" in text
    tex = latex(board, table)
    assert rf"{LABEL} & ceiling & {percent(expected()['strategy_acc'][0])} {{\scriptsize(" in tex
    assert tex.index(r"\midrule", tex.index("org/poor")) < tex.index(LABEL)
    assert f'<tr class="ceiling"><th scope="row">{LABEL}</th><td>ceiling</td>' in as_html(
        board, table
    )


def test_csv_has_it_unrounded(board):
    rows = list(csv.DictReader(io.StringIO(as_csv(board, board.tables))))
    own = {(row["task"], row["metric"]): row for row in rows if row["kind"] == "ceiling"}
    assert len(own) == 2 * len(NAMES)
    for name, numbers in expected().items():
        row = own["csc_conv_gen", name]
        assert row["model"] == LABEL
        assert [float(row[key]) for key in ("value", "low", "high")] == pytest.approx(numbers)
        assert (row["items"], row["clusters"], row["mark"]) == ("72", "24", "")
        assert row["signature"].partition("|")[0] == name


def test_joined_and_terminal_have_it(root, capsys):
    assert main(["tables", str(root / "board-rated"), "--joined", "strategy_acc"]) == 0
    assert f"| made | – | *{LABEL}* | {shown()} |" in capsys.readouterr().out
    words = ["collect", str(root / "of-rated"), "--corpus", str(root / "rated"), "--no-fact-audit"]
    assert main([*words, "--out", str(root / "again")]) == 0
    printed = capsys.readouterr().out
    line = next(line for line in printed.splitlines() if line.startswith(LABEL))
    assert line.removeprefix(LABEL).split()[0] == "ceiling"
    assert shown() in line
    assert "org/good" in printed.rsplit("rows:", 1)[1], "who leads is a model, never the ceiling"


def test_without_a_trusted_corpus_it_is_marked_as_claimed(root, tmp_path):
    words = ["collect", str(root / "of-rated"), "--out", str(tmp_path / "board")]
    assert main([*words, "--no-fact-audit"]) == 0
    board = load_board(tmp_path / "board")
    assert not board.tables[0].ceiling.proven
    assert f"| *{LABEL}* | ceiling | {percent(expected()['strategy_acc'][0])}† (" in markdown(
        board, board.tables[0]
    )


def test_the_page_has_it_with_and_without_scripts(root):
    text = render(root / "board-rated").text
    assert f'<tr class="ceiling"><th class="name" scope="row">{LABEL}<small>ceiling</small>' in text
    with opened(root / "board-rated" / "index.html") as (page, complaints):
        row = page.locator("table.board tr.ceiling")
        assert row.count() == 1
        assert row.locator("th").inner_text().startswith(LABEL)
        first = row.locator("td").first
        assert first.locator(".number").inner_text() == percent(expected()["strategy_acc"][0])
        assert first.locator(".bar").count() == 1
        page.get_by_label("Group").select_option("model")
        page.wait_for_function("!document.querySelector('table.board tr.ceiling')")
        assert not complaints


def test_without_labels_there_is_no_trace_of_it(root):
    text = (root / "board-plain" / "board.json").read_text(encoding="utf-8")
    assert "ceiling" not in text
    assert "ceiling" not in json.loads(text)["tables"][0]
    board = load_board(root / "board-plain")
    assert board.tables[0].ceiling is None
    for shown_as in (markdown, latex, as_html):
        assert "rater" not in shown_as(board, board.tables[0], True).lower()
    assert "One rater" not in as_csv(board, board.tables)


def test_the_corpora_differ_in_nothing_but_the_labels(root):
    """So the accuracy of each model is the same on both boards, to the digit."""
    rows = [load_board(root / f"board-{name}").tables[0].rows for name in ("rated", "plain")]
    for labelled, plain in zip(*rows, strict=True):
        for key, value in plain.values.items():
            assert labelled.values[key] == value
