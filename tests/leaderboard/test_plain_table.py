"""The table in a terminal, aligned and no wider than a screen; who leads stands below all."""

import unicodedata

import pytest

from csc_tasks.cli import main
from leaderboard.leading import sentence
from leaderboard.plain_table import as_text
from tests.support.board_example import AWKWARD, BASE, example_board
from tests.support.fakes import write_corpus
from tests.support.made_results import conversation_result, conversations, right, write_run


@pytest.fixture
def board():
    return example_board()


def width(line):
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in line)


def grid(text):
    """The lines from the three of the heading to the last row."""
    lines = text.splitlines()
    rule = next(i for i, line in enumerate(lines) if line.startswith("---"))
    return lines[rule - 3 : lines.index("", rule)]


def test_the_table(board):
    text = as_text(board, board.tables[0])
    lines = text.splitlines()
    assert lines[0].startswith("Conversations: corpus demo (csconv/test, en and zh);")
    contexts, metrics, heads, rule, *rows = grid(text)
    # The leading metric in both contexts, then the rest.
    assert contexts.split() == ["Reference", "Generated", "Reference", "Generated"]
    assert metrics.split() == ["Strategy", "Strategy", "BLEU-4", "BLEU-4"]
    assert heads.split() == ["Model", "Trust", *["accuracy", "↑"] * 2, *["en", "↑"] * 2]
    assert set(rule) == {"-"}
    # 0.57 with 0.53 to 0.61 and best; BLEU without its interval; what was not measured is a dash.
    assert rows[1].startswith("+ base-7b-rolecs ")
    assert rows[1].split()[2:] == [
        "re-scored",
        "57.0",
        "±",
        "4.0*",
        "46.0",
        "±",
        "4.0",
        "9.10",
        "7.70",
    ]
    assert rows[3].startswith("bigram (baseline) ")
    assert rows[3].split()[2:] == ["re-scored", "46.0", "±", "4.0+", "–", "–", "–"]
    assert rows[4].split()[:2] == ["GPT-4o", "reported"] and "<br>" not in text and "|" not in text
    # The points of one column stand below each other.
    assert len({row.index("41.0") if "41.0" in row else row.index("57.0") for row in rows[:2]}) == 1


@pytest.mark.parametrize("name", ["客服模型七号" * 9, "x" * 300, "a\nb\x1b[2J", "e\u0301" * 30])
def test_any_name_leaves_it_aligned_and_narrow(board, name):
    models = dict(board.models)
    models[BASE] = models[BASE].model_copy(update={"label": name})
    changed = board.model_copy(update={"models": models})
    lines = grid(as_text(changed, changed.tables[0]))
    combining = sum(unicodedata.combining(one) > 0 for one in lines[4])
    assert max(map(width, lines)) - combining <= 120 and "\x1b" not in "".join(lines)
    ends = {
        width(line[: line.index(" ± ")])
        for line in lines
        if " ± " in line and "e\u0301" not in line
    }
    assert len(ends) == 1


def test_what_does_not_fit_is_counted(board):
    table = board.tables[0]
    more = tuple(
        table.columns[0].model_copy(update={"key": f"csc_conv_ref/m{i}", "metric": f"m{i}"})
        for i in range(20)
    )
    wide = table.model_copy(update={"columns": (*table.columns, *more)})
    text = as_text(board, wide)
    shown = len(grid(text)[0].split())
    assert max(map(width, grid(text))) <= 120 and 4 < shown < 24
    assert text.endswith(f"; {24 - shown} more columns: csc tables")
    # However narrow, the first column is there.
    assert "41.0 ± 4.0" in as_text(board, table, width=10)


def test_collect_ends_with_who_leads_in_every_table(tmp_path, capsys):
    items = conversations(12)
    for name, share in (("org/a", 1), ("org/b", 0.5)):
        runs = [
            conversation_result("csc_conv_ref", items, right(share)),
            conversation_result("cscx_conv_ref_vanilla", items, right(share)),
        ]
        write_run(tmp_path / "runs", name, runs)
    words = ["collect", str(tmp_path / "runs"), "--out", str(tmp_path / "board")]
    words += ["--corpus", str(write_corpus(tmp_path / "corpus", items, []))]
    assert main([*words, "--no-fact-audit"]) == 0
    out = capsys.readouterr().out
    assert "<br>" not in out and "&emsp;" not in out
    variants, main_table = out.splitlines()[-2:]
    assert main_table.startswith(
        "Conversations: org/a leads in strategy accuracy (reference context) with 100.0 %, 50.0"
        " points (95 % interval "
    )
    assert main_table.endswith(" ahead of org/b.")
    assert variants.startswith("With and without strategies: ")
    assert out.index("the page") < out.index("Model ") < out.index("rows: ") < out.index(variants)


def test_a_model_without_a_number_says_so(board):
    rows = list(board.tables[0].rows)
    place = next(i for i, row in enumerate(rows) if row.model == AWKWARD)
    values = dict(rows[place].values)
    values["csc_conv_ref/strategy_acc"] = values["csc_conv_ref/strategy_acc"].model_copy(
        update={"value": None, "stderr": None, "low": None, "high": None}
    )
    rows[place] = rows[place].model_copy(update={"values": values})
    table = board.tables[0].model_copy(update={"rows": tuple(rows)})
    text = as_text(board, table)
    (row,) = [line for line in grid(text) if line.startswith("<script>")]
    assert row.split()[1:] == ["re-scored", "N/A", "–", "3.00", "–"]
    said = sentence(table, board.models)
    assert said.endswith("without such a number: <script>alert(1)</script>.")
