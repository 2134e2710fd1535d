"""Tables as text: the numbers of the board, marks where it has them, nothing that a name could
break.
"""

import csv
import io
import json
import re
from html.parser import HTMLParser

import pytest

from csc_tasks.cli import main
from csc_tasks.errors import DataError
from leaderboard.board import Board, Value
from leaderboard.joined_table import joined
from leaderboard.layout import interval_text
from leaderboard.plain_table import as_text
from leaderboard.reading.reported import read_reported
from leaderboard.tables import as_csv, as_html, latex, markdown
from tests.support.board_example import BASE, example_board, write_example
from tests.support.fakes import write_corpus
from tests.support.made_results import conversation_result, conversations, right, write_run

REPORTED = {
    "paper": "A paper",
    "note": "Not ours.",
    "table6_csconv": {
        "columns": [
            "model",
            "size",
            "fine_tuned_on",
            "ref_bleu2",
            "ref_rougeL",
            "ref_strategy_acc",
            "gen_bleurt",
        ],
        "rows": [
            ["GPT-4o", None, None, 8.13, 4.12, 42.58, 51.48],
            ["LLaMA", "8B", "RoleCS", 11.06, 6.93, 42.15, None],
        ],
    },
}


@pytest.fixture
def board():
    return example_board()


def markdown_rows(text):
    """Label -> cells of the first Markdown table, but for what says how far they can be trusted."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    assert len({len(row) for row in rows}) == 1
    assert rows[0][:2] == ["Model", "Trust"]
    return {row[0]: row[2:] for row in rows[2:]}, [rows[0][0], *rows[0][2:]]


def test_markdown(board):
    text = markdown(board, board.tables[0])
    rows, heads = markdown_rows(text)
    assert heads[1:] == [
        f"{group}<br>{name} ↑"
        for name in ("Strategy accuracy", "BLEU-4 en")
        for group in ("Reference context", "Generated context")
    ]
    # 0.57 with 0.53 to 0.61, best; percent with one digit. BLEU is on its own scale, with two.
    assert rows["&emsp;+ base-7b-rolecs"] == [
        "**57.0** ± 4.0",
        "46.0 ± 4.0",
        "9.10 ± 0.04",
        "7.70 ± 0.04",
    ]
    assert rows["*bigram*"][0] == "<u>46.0</u> ± 4.0" and rows["*bigram*"][2] == "–"
    assert rows["GPT-4o"][0] == "42.6" and "±" not in rows["GPT-4o"][0]
    assert "| GPT-4o | reported |" in text
    assert r"\<script\>alert(1)\</script\>" in rows and "<script>" not in text
    assert "### Conversations" in text and r"strategy\_acc\|labels:12" in text
    # All columns: macro-F1 comes in; the short table has no note about it.
    assert len(markdown_rows(markdown(board, board.tables[0], every=True))[1]) == 7


def test_latex(board):
    text = latex(board, board.tables[0])
    assert (
        r" & \multicolumn{2}{c}{Strategy accuracy $\uparrow$} &"
        r" \multicolumn{1}{c}{Reference context} & \multicolumn{1}{c}{Generated context} \\" in text
    )
    assert r"\cmidrule(lr){3-4} \cmidrule(lr){5-5} \cmidrule(lr){6-6}" in text
    assert (
        r"Model & Trust & Reference context & Generated context & BLEU-4 en $\uparrow$ & BLEU-4 en"
        r" $\uparrow$ \\" in text
    )
    assert (
        r"\quad + base-7b-rolecs & re-scored & \textbf{57.0} {\scriptsize$\pm$4.0}" in text
        and r"\underline{46.0}" in text
    )
    assert r"\textless{}script\textgreater{}alert(1)" in text and r"95 \%" in text
    body = text[text.index(r"\midrule") :]
    assert body.index("bigram") < body.index("Reported, not measured here") < body.index("GPT-4o")
    # Every row has the columns of the head.
    assert {
        line.count("&")
        for line in text.splitlines()
        if line.endswith(r"\\") and "multicolumn" not in line
    } == {5}
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")


def test_an_asymmetric_interval_is_shown_by_its_bounds(board):
    """The interval of a bounded value is seldom symmetric: 0.27 with 0.10 to 0.58 is not 0.27 ±
    0.24, which would reach from 0.03 to 0.51.
    """
    table = board.tables[0]
    skewed = Value(
        value=0.27, stderr=0.11, low=0.10, high=0.58, items=504, clusters=60, method="logit"
    )
    rows = list(table.rows)
    rows[0] = rows[0].model_copy(
        update={"values": rows[0].values | {"csc_conv_ref/bleu_4_en": skewed}}
    )
    table = table.model_copy(update={"rows": tuple(rows)})
    label = board.models[BASE].label
    assert markdown_rows(markdown(board, table))[0][label][0:3:2] == [
        "41.0 ± 4.0",
        "0.27 (0.10 to 0.58)",
    ]
    (line,) = [line for line in latex(board, table).splitlines() if line.startswith(f"{label} &")]
    assert r"& 35.0 {\scriptsize$\pm$4.0} & 0.27 {\scriptsize(0.10 to 0.58)} &" in line
    assert ">0.27 <small>(0.10 to 0.58)</small><" in as_html(board, table)
    # A share is in percent, its bounds too.
    shares = Value(value=0.5, low=0.25, high=0.625, items=8, clusters=8, method="logit")
    rows[0] = rows[0].model_copy(
        update={"values": rows[0].values | {"csc_conv_ref/strategy_acc": shares}}
    )
    table = table.model_copy(update={"rows": tuple(rows)})
    assert markdown_rows(markdown(board, table))[0][label][0] == "50.0 (25.0 to 62.5)"


class Cells(HTMLParser):
    """Rows of cells, and every tag that was opened."""

    def __init__(self):
        super().__init__()
        self.rows, self.tags = [], set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data):
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def test_html(board):
    text = as_html(board, board.tables[0])
    parsed = Cells()
    parsed.feed(text)
    assert "script" not in parsed.tags
    rows = {row[0]: row[1:] for row in parsed.rows}
    assert rows["<script>alert(1)</script>"][0] == "re-scored"
    assert rows["<script>alert(1)</script>"][1].startswith("31.0 ± 4.0")
    assert (
        "<strong>57.0</strong>" in text
        and "<u>46.0</u>" in text
        and '<tr class="reported">' in text
    )


def test_csv_has_every_number(board):
    rows = list(csv.DictReader(io.StringIO(as_csv(board, board.tables))))
    found = {(row["model"], row["task"], row["metric"]): row for row in rows}
    assert float(found["org/base-7b-rolecs", "csc_conv_ref", "strategy_macro_f1"]["value"]) == 0.48
    assert found["org/base-7b-rolecs", "csc_conv_ref", "strategy_acc"]["mark"] == "best"
    assert found["org/base-7b-rolecs", "csc_conv_ref", "strategy_acc"]["base"] == "org/base-7b"
    assert found["GPT-4o", "csc_conv_ref", "strategy_acc"]["kind"] == "reported"
    measured = sum(len(row.values) for row in board.tables[0].rows)
    assert len(rows) == measured + 1


@pytest.mark.parametrize("table", [None, "breakdowns"])
def test_json_holds_what_csv_holds(tmp_path, capsys, table):
    """Cell by cell, with numbers as numbers and null for what is empty."""
    root = write_example(tmp_path / "board")
    words = ["tables", str(root), *(["--table", table] if table else [])]
    assert main([*words, "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert main([*words, "--format", "json"]) == 0
    objects = json.loads(capsys.readouterr().out)
    assert rows and [list(one) for one in objects] == [list(row) for row in rows]
    for one, row in zip(objects, rows, strict=True):
        texts = {name: "" if cell is None else str(cell) for name, cell in one.items()}
        assert texts == row | ({"contradicted": row["contradicted"].title()} if not table else {})
    assert {type(one["value"]) for one in objects} <= {float, type(None)}


def test_csv_says_why_a_number_has_no_interval(board):
    (table,) = board.tables
    row = table.rows[0]
    bare = Value(value=0.4, items=0, clusters=0, method="none", reason="sample unknown")
    values = row.values | {"csc_conv_ref/strategy_acc": bare}
    changed = table.model_copy(update={"rows": (row.model_copy(update={"values": values}),)})
    first, second, *_ = csv.DictReader(io.StringIO(as_csv(board, [changed])))
    assert (first["method"], first["reason"], first["low"]) == ("none", "sample unknown", "")
    assert (second["method"], second["reason"]) == ("t", "")
    note = "N/A: the items behind the number are not known here."
    for write in (markdown, latex, as_html):
        assert note in write(board, changed).replace("\\", "")


def test_csv_of_the_breakdowns_has_the_corrected_p_of_a_group(tmp_path, capsys):
    board = str(write_example(tmp_path / "board"))
    assert main(["tables", board, "--format", "csv", "--table", "breakdowns"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    # 13 groups in each task's diagnosis: two models have two, two have one.
    assert len(rows) == 6 * 13
    found = {(row["model"], row["task"], row["by"], row["group"]): row for row in rows}
    row = found["org/base-7b", "csc_conv_gen", "turn_index", "3"]
    assert [row[name] for name in ("metric", "clusters", "p_holm")] == [
        "strategy_acc",
        "20",
        "0.031",
    ]
    assert float(row["value"]) == pytest.approx(0.65)
    assert found["org/base-7b", "csc_conv_gen", "turn_index", "4"]["p_holm"] == ""


def test_a_name_is_no_formula(board):
    models = board.models | {
        BASE: (
            board.models[BASE].model_copy(
                update={"name": "=HYPERLINK(0)", "label": "a|b\n`c`\x1b[2J"}
            )
        )
    }
    changed = board.model_copy(update={"models": models})
    assert "'=HYPERLINK(0)" in as_csv(changed, changed.tables)
    rows, _ = markdown_rows(markdown(changed, changed.tables[0]))
    assert "a\\|b \\`c\\`\ufffd\\[2J" in rows and "\x1b" not in latex(changed, changed.tables[0])


def test_the_command(tmp_path, capsys):
    board = str(write_example(tmp_path / "board"))
    for form, words in (
        ("md", "**57.0**"),
        ("latex", r"\textbf{57.0}"),
        ("html", "<strong>57.0</strong>"),
        ("csv", ",0.57,"),
    ):
        assert main(["tables", board, "--format", form]) == 0
        assert words in capsys.readouterr().out
    assert main(["tables", board, "--table", "nothing"]) == 1
    assert "there are conversations" in capsys.readouterr().err
    assert main(["tables", board, "--table", "breakdowns"]) == 1
    assert "printed as CSV or JSON alone; add --format csv or json" in capsys.readouterr().err
    assert main(["tables", str(tmp_path / "nowhere")]) == 1
    assert "there is no such folder" in capsys.readouterr().err


# Reported rows


def test_reported_rows_are_read_for_the_columns_there_are(tmp_path, board):
    file = tmp_path / "reported.json"
    file.write_text(json.dumps(REPORTED), encoding="utf-8")
    rows, notes = read_reported(file, board.tables[0].columns)
    assert [(row.name, row.size, row.tuned_on) for row in rows] == [
        ("GPT-4o", None, None),
        ("LLaMA", "8B", "RoleCS"),
    ]
    # Percent in the paper, a share here.
    assert rows[0].values == {"csc_conv_ref/strategy_acc": pytest.approx(0.4258)}
    assert (
        any("without a column here: ref_bleu2, ref_rougeL, gen_bleurt" in note for note in notes)
        and "Not ours." in notes
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.pop("paper"),
        lambda data: data.update(table6_csconv=[]),
        lambda data: data["table6_csconv"]["rows"].append(["short"]),
        lambda data: data["table6_csconv"]["rows"][0].__setitem__(5, "high"),
        lambda data: data["table6_csconv"]["rows"][0].__setitem__(0, None),
        lambda data: data["table6_csconv"]["columns"].__setitem__(0, "name"),
    ],
)
def test_reported_rows_of_another_form_are_refused(tmp_path, board, change):
    data = json.loads(json.dumps(REPORTED))
    change(data)
    file = tmp_path / "reported.json"
    file.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(DataError, match=r"reported\.json"):
        read_reported(file, board.tables[0].columns)


def test_reported_rows_are_never_ranked(tmp_path, capsys):
    """A paper's 99 % takes the bold from nobody, and stands in no comparison."""
    items = conversations(12)
    for name, share in (("org/a", 1), ("org/b", 0.5)):
        write_run(
            tmp_path / "runs", name, [conversation_result("csc_conv_ref", items, right(share))]
        )
    data = json.loads(json.dumps(REPORTED))
    data["table6_csconv"]["rows"][0][5] = 99.9
    (tmp_path / "reported.json").write_text(json.dumps(data), encoding="utf-8")
    words = [
        "collect",
        str(tmp_path / "runs"),
        "--out",
        str(tmp_path / "board"),
        "--reported",
        str(tmp_path / "reported.json"),
        "--corpus",
        str(write_corpus(tmp_path / "corpus", items, [])),
    ]
    assert main([*words, "--no-fact-audit"]) == 0
    capsys.readouterr()
    assert main(["tables", str(tmp_path / "board")]) == 0
    rows, _ = markdown_rows(capsys.readouterr().out)
    assert any("**100.0**" in cell for cell in rows["org/a"]) and "99.9" in rows["GPT-4o"]
    table = Board.model_validate_json((tmp_path / "board" / "board.json").read_bytes()).tables[0]
    assert {slug for c in table.comparisons for slug in (c.a, c.b)} == {"org__a", "org__b"} and len(
        table.reported
    ) == 2


def test_rows_of_the_paper_fit(shared_data, board):
    rows, notes = read_reported(
        shared_data / "papers" / "csc_2508.04423_tables.json", board.tables[0].columns
    )
    found = {(row.name, row.size, row.tuned_on): row.values for row in rows}
    assert len(rows) == 11
    assert found["Qwen2.5-Instruct", "7B", "RoleCS"]["csc_conv_gen/strategy_acc"] == pytest.approx(
        0.3052
    )
    assert "not measured here, not ranked" in notes[0]


def test_what_has_no_interval_says_so_and_the_terminal_says_why(board):
    table = board.tables[0]
    rows = list(table.rows)
    value = rows[0].values["csc_conv_ref/strategy_acc"]
    few = value.model_copy(
        update={"low": None, "high": None, "method": "none", "reason": "few conversations"}
    )
    rows[0] = rows[0].model_copy(
        update={"values": rows[0].values | {"csc_conv_ref/strategy_acc": few}}
    )
    table = table.model_copy(update={"rows": tuple(rows)})
    label = board.models[rows[0].model].label
    assert markdown_rows(markdown(board, table))[0][label][0].endswith("41.0 (N/A)")
    text = as_text(board, table)
    assert "41.0 (N/A)" in text
    assert "N/A: too few conversations for an interval that holds" in text
    assert "N/A" not in as_text(board, board.tables[0])


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (0.3704, 0.4504, "± 4.0"),
        (0.3700, 0.4520, "(37.0 to 45.2)"),
        (0.0, 0.8, "(0.0 to 80.0)"),
    ],
)
def test_half_a_width_is_shown_where_both_are_the_same_in_the_digits_shown(board, low, high, shown):
    table = board.tables[0]
    column = next(c for c in table.columns if c.key == "csc_conv_ref/strategy_acc")
    value = Value(value=0.4103, low=low, high=high, items=504, clusters=60, method="logit")
    assert interval_text(value, column) == shown


def test_tables_of_one_kind_are_joined(board):
    """Two styles of one corpus, the second without the adapter: each row says where it belongs,
    baselines stand once, and a column that one of them lacks has a dash there.
    """
    first = board.tables[0]
    second = first.model_copy(
        update={
            "id": "conversations-2",
            "title": f"{first.title} (prompt: other)",
            "setting": first.setting.model_copy(update={"prompt": "other"}),
            "rows": tuple(r for r in first.rows if board.models[r.model].kind != "adapter"),
            "columns": tuple(c for c in first.columns if c.task == "csc_conv_ref"),
        }
    )
    text = joined(board, [first, second], ["strategy_acc"])
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    assert rows[0][:3] == ["Corpus", "Prompt", "Model"]
    assert [cell.partition("<br>")[0] for cell in rows[0][3:]] == [
        "Reference context",
        "Generated context",
    ]
    prompts = [first.setting.prompt, "other"]
    named = [(row[1], row[2].removeprefix("&emsp;")) for row in rows[1:]]
    assert named.count(("–", "*bigram*")) == 1
    for prompt in prompts:
        assert (prompt, "base-7b") in [(p, name.rpartition("/")[2]) for p, name in named]
    adapters = [prompt for prompt, name in named if name.startswith("+ ")]
    assert adapters == [prompts[0]]
    # The numbers are those of the tables, without marks, which say nothing across tables.
    (adapter,) = [row for row in rows if row[2].startswith("&emsp;+")]
    assert adapter[3:] == ["57.0 ± 4.0", "46.0 ± 4.0"] and "**" not in text
    others = [row for row in rows if row[1] == "other"]
    assert others and all(row[4] == "–" for row in others)
    assert "prompt style other" in text


def test_a_table_with_fewer_columns_or_none_adds_nothing_to_the_joined_one(board):
    first = board.tables[0]
    others = tuple(c for c in first.columns if c.metric != "strategy_acc")
    questions = first.model_copy(update={"title": "Questions", "columns": others})
    fewer = first.model_copy(
        update={"columns": tuple(c for c in first.columns if c.task == "csc_conv_ref")}
    )
    alone = joined(board, [first], ["strategy_acc"])
    for tables in ([first, fewer], [fewer, first]):
        text = joined(board, tables, ["strategy_acc"])
        assert sorted(text.splitlines()) == sorted(alone.splitlines())
    assert joined(board, [first, questions], ["strategy_acc"]) == alone


def test_what_joined_cannot_do_is_one_line(tmp_path, capsys):
    folder = str(write_example(tmp_path / "board"))
    assert main(["tables", folder, "--joined", "strategy_acc,bleu_9"]) == 1
    assert "--joined bleu_9: there is no such one (closest: bleu_4)" in capsys.readouterr().err
    assert main(["tables", folder, "--joined", "--format", "csv"]) == 1
    assert "--joined is Markdown" in capsys.readouterr().err
    assert main(["tables", folder, "--joined"]) == 0
    assert capsys.readouterr().out.startswith("### Conversations\n\n| Corpus | Prompt | Model |")
