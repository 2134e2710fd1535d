"""Tables of a report as data and as text: what a cell says, what is escaped, where a paper's values
stand, and which rows and columns there are.
"""

import csv
import io
import json
from dataclasses import replace
from typing import get_args

import pytest

from csc_tasks.errors import DataError
from csc_tasks.papers import Maker, papers
from leaderboard.columns import column as column_of
from leaderboard.model_report import Variant
from leaderboard.reproduce import board_tables, question_tables, rated_tables, sweep_tables
from leaderboard.reproduce.drawing import png
from leaderboard.reproduce.exhibits import (
    Heading,
    Missing,
    Number,
    ReportFigure,
    ReportTable,
    Row,
)
from leaderboard.reproduce.makers import MAKERS
from leaderboard.reproduce.published import read_published
from leaderboard.reproduce.sources import BoardSource, Point, Sources, Sweep
from leaderboard.reproduce.writing import as_csv, latex, markdown
from tests.support.board_example import ADAPTER, BASE, example_board, example_reports, value

(OWN,) = papers().papers["csc"].corpora
TABLE_6 = next(exhibit for exhibit in papers().exhibits if exhibit.number == "Table 6")
FIGURE_6 = next(exhibit for exhibit in papers().exhibits if exhibit.number == "Figure 6")
TABLE_7 = next(exhibit for exhibit in papers().exhibits if exhibit.number == "Table 7")


def source(corpus="demo", name="board"):
    board = example_board()
    setting = board.tables[0].setting.model_copy(update={"corpus": corpus})
    table = board.tables[0].model_copy(update={"setting": setting, "reported": ()})
    return BoardSource(name, board.model_copy(update={"tables": (table,)}), example_reports())


def published(tmp_path, **tables):
    file = tmp_path / "reported.json"
    file.write_text(json.dumps({"paper": "arXiv:2508.04423"} | tables), encoding="utf-8")
    return read_published(file)


PRINTED = {
    "columns": ["model", "size", "fine_tuned_on", "ref_strategy_acc", "ref_bleurt"],
    "rows": [["GPT-4o", None, None, 42.58, 51.27], ["Qwen", "7B", "RoleCS", 42.96, None]],
}


def test_every_kind_has_a_maker():
    assert {*MAKERS} == {*get_args(Maker)}
    names = [exhibit.name for exhibit in papers().exhibits]
    assert len(names) == len({*names})
    assert {exhibit.paper for exhibit in papers().exhibits} == {*papers().papers}


@pytest.mark.parametrize(
    ("number", "text", "interval"),
    [
        (Number(57.04, 1, 53.04, 61.04), "57.0", "± 4.0"),
        (Number(0.27, 2, 0.1, 0.58), "0.27", "(0.10 to 0.58)"),
        (Number(0.27, 2, without=True), "0.27", "(N/A)"),
        (Number(-0.001, 2), "0.00", ""),
        (Number(None, 2, 0.1, 0.2), "N/A", ""),
    ],
)
def test_a_number_says_what_is_known(number, text, interval):
    assert (number.text, number.interval) == (text, interval)


AWKWARD = ReportTable(
    "awkward",
    "A | title & <more>",
    "arXiv 1, Table 1",
    (Heading("Model"), Heading("Score ↑", "Group_1"), Heading("n")),
    (
        Row(("=cmd()|a", Number(50.0, 1, 40.0, 60.0, "best", claimed=True), 1234), "model"),
        Row(("+ b_c", None, None), "adapter"),
        Row(("base%", Number(1.5, 1), 2), "baseline"),
    ),
    ("a note with 100 % & more",),
)


def test_markdown_shows_texts_as_they_are_and_numbers_with_their_marks():
    lines = markdown(AWKWARD).splitlines()
    assert lines[0] == r"# A \| title \& \<more\>"
    assert lines[4:9] == [
        r"| Model | Group\_1<br>Score ↑ | n |",
        "|---|---:|---:|",
        r"| =cmd()\|a | **50.0**† ± 10.0 | 1,234 |",
        r"| &emsp;+ b\_c | – | – |",
        "| *base%* | 1.5 | 2 |",
    ]


def test_latex_has_groups_rules_and_no_markup_from_outside():
    text = latex(AWKWARD)
    assert r"\multicolumn{1}{c}{} & \multicolumn{1}{c}{Group\_1} & \multicolumn{1}{c}{} \\" in text
    assert r"\cmidrule(lr){2-2}" in text
    assert r"\textbf{50.0}$^\dagger$ {\scriptsize $\pm$10.0} & 1,234 \\" in text
    assert "\\midrule\nbase\\% & 1.5 & 2" in text, "baselines stand apart"
    assert r"\item a note with 100 \% \& more" in text


def test_csv_is_unrounded_with_bounds_and_no_formula():
    rows = list(csv.reader(io.StringIO(as_csv(AWKWARD))))
    assert rows[0] == [
        "Model",
        "Group_1: Score",
        "Group_1: Score (low)",
        "Group_1: Score (high)",
        "n",
        "kind",
    ]
    assert rows[1] == ["'=cmd()|a", "50.0", "40.0", "60.0", "1234", "model"]
    assert rows[2] == ["'+ b_c", "", "", "", "", "adapter"]


def test_table_6_is_in_the_paper_s_order_with_the_marks_of_the_board():
    made = board_tables.metrics(TABLE_6, Sources(boards=(source(),)))
    table = made[0]
    assert isinstance(table, ReportTable)
    assert [(column.group, column.label) for column in table.columns[2:]] == [
        (group, label)
        for group in ("Reference context", "Generated context")
        for label in ("BLEU-4 en ↑", "Strategy accuracy ↑")
    ]
    best = [row for row in table.rows if getattr(row.cells[3], "mark", "") == "best"]
    assert [row.cells[0] for row in best] == ["+ base-7b-rolecs"]
    number = best[0].cells[3]
    assert (number.text, number.interval) == ("57.0", "± 4.0")
    assert (number.items, number.clusters, number.claimed) == (504, 60, False)
    missing = [one.reason for one in made if isinstance(one, Missing)]
    assert missing == ["no results hold BLEU-2, ROUGE-L, BERTScore, BLEURT"]
    assert ADAPTER in example_board().models


def test_printed_values_stand_beside_the_paper_s_own_corpus_alone(tmp_path):
    values = published(tmp_path, table6_csconv=PRINTED)
    both = Sources(boards=(source(), source(OWN, "other")), published=values)
    ours, own = (one for one in board_tables.metrics(TABLE_6, both) if isinstance(one, ReportTable))
    assert {ours.name, own.name} == {"table-6-demo", "table-6-dianjin-dianjin-csc-data"}
    assert not any(row.kind == "reported" for row in ours.rows)
    printed = [row for row in own.rows if row.kind == "reported"]
    assert [row.cells[:2] for row in printed] == [
        ("GPT-4o", "reported"),
        ("Qwen 7B RoleCS", "reported"),
    ]
    place = [column.label for column in own.columns].index("Strategy accuracy ↑")
    assert [row.cells[place].text for row in printed] == ["42.58", "42.96"]
    bleurt = [column.key for column in own.columns].index("csc_conv_ref/bleurt")
    assert [row.cells[bleurt] for row in own.rows[:4]] == [None] * 4, "nobody measured it here"
    assert printed[0].cells[bleurt].text == "51.27"
    marks = {getattr(cell, "mark", "") for row in printed for cell in row.cells}
    assert marks == {""}, "never ranked"
    assert any("not measured here, not ranked" in note for note in own.notes)


@pytest.mark.parametrize("value", ["high", True])
def test_a_printed_value_that_is_no_number_is_named(tmp_path, value):
    row = ["GPT-4o", None, None, value, None]
    values = published(tmp_path, table6_csconv=PRINTED | {"rows": [row]})
    own = Sources(boards=(source(OWN),), published=values)
    with pytest.raises(DataError, match="ref_strategy_acc is"):
        board_tables.metrics(TABLE_6, own)


def test_a_corpus_of_any_name_gives_safe_file_names():
    twice = Sources(boards=(source("../x y"), source("../x y", "other")))
    names = [one.name for one in board_tables.metrics(TABLE_6, twice) if hasattr(one, "name")]
    assert len({*names}) == 2
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-") for name in names)
    assert not any("/" in name or name.startswith(".") for name in names)


def test_ratings_of_judges_and_people_stand_beside_each_other():
    exhibit = next(one for one in papers().exhibits if one.name == "qa-ratings")
    names = ("judge_one_overall", "judge_one_tone", "human_overall", "judge_one_missing")
    columns = tuple(column_of("csc_qa", name, "signed", "Answers") for name in names)
    numbers = {
        f"csc_qa/{name}": value(number)
        for name, number in zip(names, (71.25, 60.0, 3.5, 0.0), strict=True)
    }
    of_qa = source()
    (table,) = of_qa.board.tables
    rows = tuple(
        row.model_copy(update={"values": numbers if row.model == BASE else {}})
        for row in table.rows
    )
    changed = {"kind": exhibit.table, "columns": columns, "rows": rows}
    table = table.model_copy(update=changed)
    board = of_qa.board.model_copy(update={"tables": (table,)})
    (shown,) = rated_tables.ratings(exhibit, Sources(boards=(BoardSource("board", board, {}),)))
    assert [(column.group, column.label) for column in shown.columns[2:]] == [
        ("Answers, Judge one", "overall ↑"),
        ("Answers, Judge one", "tone ↑"),
        ("Answers, People", "overall ↑"),
    ]
    assert [[one.text for one in row.cells[2:]] for row in shown.rows] == [["71.2", "60.0", "3.50"]]


def test_one_variant_alone_is_no_table_and_the_command_names_its_corpus():
    exhibit = next(one for one in papers().exhibits if one.number == "Table 8")
    of_ref = source("star")
    (table,) = of_ref.board.tables
    columns = tuple(column for column in table.columns if column.task == "csc_conv_ref")
    table = table.model_copy(update={"kind": exhibit.table, "columns": columns})
    alone = BoardSource("board", of_ref.board.model_copy(update={"tables": (table,)}), {})
    made = board_tables.variants(exhibit, Sources(boards=(alone,)))
    assert all(isinstance(one, Missing) for one in made)
    assert made[0].reason == "no results of cscx_conv_ref_vanilla, cscx_conv_ref_oracle"
    assert '"csc_corpus": "star"' in made[0].command


def test_models_on_two_corpora_stand_in_one_row():
    exhibit = TABLE_6.model_copy(update={"maker": "corpora"})
    alone = board_tables.corpora(exhibit, Sources(boards=(source(),)))
    assert [one.reason for one in alone] == [
        "results of two corpora are needed, there are only of demo"
    ]
    both = Sources(boards=(source(), source("star", "other")))
    (table,) = board_tables.corpora(exhibit, both)
    assert {column.group for column in table.columns[1:]} == {"demo", "star"}
    assert len(table.rows) == len(example_board().tables[0].rows)
    base = next(row for row in table.rows if row.cells[0] == "base-7b")
    assert len([cell for cell in base.cells if isinstance(cell, Number)]) == 8


def test_variants_of_the_summaries_stand_below_each_other_with_their_difference():
    exhibit = next(one for one in papers().exhibits if one.maker == "summaries")
    reports = example_reports()
    variants = (
        Variant(config="qa", metric="rouge_l", value=value(0.3), difference=None),
        Variant(config="qa_short", metric="rouge_l", value=value(0.25), difference=value(-0.05)),
    )
    reports[BASE] = reports[BASE].model_copy(update={"variants": variants})
    with_variants = BoardSource("board", example_board(), reports)
    (table,) = question_tables.summaries(exhibit, Sources(boards=(with_variants,)))
    assert [[getattr(cell, "text", cell) for cell in row.cells] for row in table.rows] == [
        ["base-7b", "qa", "30.00", None],
        ["base-7b", "qa_short", "25.00", "-5.00"],
    ]
    (missing,) = question_tables.summaries(exhibit, Sources(boards=(source(),)))
    assert "two variants" in missing.reason


def test_two_adapters_of_one_label_are_two_rows_on_several_corpora():
    """Labels are last parts of names: both are `+ rolecs`."""
    exhibit = next(one for one in papers().exhibits if one.maker == "corpora")
    own = []
    for corpus in ("demo", "elsewhere"):
        one = source(corpus, corpus)
        (table,) = one.board.tables
        base, adapter = (next(r for r in table.rows if r.model == slug) for slug in (BASE, ADAPTER))
        models = {
            slug: one.board.models[slug].model_copy(update={"name": name, "label": "+ rolecs"})
            for slug, name in ((BASE, "one/rolecs"), (ADAPTER, "two/rolecs"))
        }
        table = table.model_copy(update={"kind": exhibit.table, "rows": (base, adapter)})
        board = one.board.model_copy(update={"tables": (table,), "models": models})
        own.append(replace(one, board=board))
    wanted = exhibit.model_copy(update={"tasks": (), "metrics": ("strategy_acc",)})
    (table,) = board_tables.corpora(wanted, Sources(boards=tuple(own)))
    assert [[getattr(cell, "text", cell) for cell in row.cells][:2] for row in table.rows] == [
        ["+ rolecs", "41.0"],
        ["+ rolecs", "57.0"],
    ]


def sweep(key, *points):
    return Sweep("sweep.json", key, points, tuple(None for _ in points))


def point(value, size, accuracy, seed=0):
    scores = {"csc_conv_ref": {"strategy_acc": accuracy}}
    return Point(value=value, size=size, seed=seed, base=size == 0, scores=scores)


def test_a_sweep_of_sizes_is_one_figure_with_the_means_of_its_seeds():
    points = [point("0", 0, 0.1, None), point("300", 300, 0.3), point("300", 300, 0.5, 1)]
    points.append(point("all", 500, 0.6))
    table, figure = (
        one
        for one in sweep_tables.sweep_figure(
            FIGURE_6, Sources(sweeps=(sweep("train_size", *points),))
        )
        if not isinstance(one, Missing)
    )
    assert [row.cells[0] for row in table.rows] == ["0", "300", "300", "all"]
    assert [row.cells[4].value for row in table.rows] == pytest.approx([10, 30, 50, 60])
    assert all(row.cells[4].claimed for row in table.rows), "no board holds its results"
    assert isinstance(figure, ReportFigure)
    from matplotlib.figure import Figure

    drawn = Figure()
    figure.draw(drawn)
    lines = [line for line in drawn.axes[0].lines if len(line.get_xdata()) == 3]
    assert [list(line.get_ydata()) for line in lines] == [pytest.approx([10, 40, 60])]
    assert png(figure) == png(figure)


def on_two_corpora(name):
    """A board on which the base has 0.41 on demo and 0.11 on another corpus, of another file."""
    first = source(name=name)
    (table,) = first.board.tables
    row = next(row for row in table.rows if row.model == BASE)
    run = row.runs["csc_conv_ref"]
    other = run.model_copy(update={"sha256": "f" * 64})
    low = row.model_copy(
        update={
            "values": {"csc_conv_ref/strategy_acc": value(0.11)},
            "runs": dict.fromkeys(row.runs, other),
        }
    )
    setting = table.setting.model_copy(update={"corpus": "elsewhere"})
    second = table.model_copy(update={"id": "second", "setting": setting, "rows": (low,)})
    return replace(first, board=first.board.model_copy(update={"tables": (table, second)})), run


@pytest.mark.parametrize(("digest", "shown"), [("first", 41.0), ("f" * 64, 11.0), ("", 25.0)])
def test_a_point_has_the_numbers_of_its_own_file_though_its_model_was_asked_elsewhere_too(
    digest, shown
):
    board, run = on_two_corpora("board")
    name = board.board.models[BASE].name
    scores = {"csc_conv_ref": {"strategy_acc": 0.25}}
    point = Point(value="0", base=True, size=0, model=name, scores=scores)
    own = {"first": run.sha256, "": None}.get(digest, digest)
    one = Sweep("sweep.json", "train_size", (point,), (own,))
    made, *_ = sweep_tables.sweep_figure(FIGURE_6, Sources(boards=(board,), sweeps=(one,)))
    place = [column.key for column in made.columns].index("csc_conv_ref/strategy_acc")
    number = made.rows[0].cells[place]
    # Without its file it could be either: then it is what the sweep's file says.
    assert (number.value, number.claimed) == (pytest.approx(shown), digest == "")


def test_a_sweep_of_folders_is_a_table_without_a_figure():
    points = [point("/home/me/none", 10, 0.2), point("full", 10, 0.4)]
    made = sweep_tables.sweep(TABLE_7, Sources(sweeps=(sweep("data", *points),)))
    assert [type(one) for one in made] == [ReportTable, Missing]
    assert [row.cells[0] for row in made[0].rows] == ["none", "full"], "no folders of this disk"
    made = sweep_tables.sweep_figure(TABLE_7, Sources(sweeps=(sweep("data", *points),)))
    assert not any(isinstance(one, ReportFigure) for one in made)
    assert isinstance(sweep_tables.sweep(TABLE_7, Sources())[0], Missing)
