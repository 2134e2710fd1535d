"""Latency, tokens and cost beside quality: numbers worked out by hand, intervals that hold, and
what a forged timing can do (nothing).
"""

import csv
import io
import json
import statistics

import numpy as np
import pytest

from csc_tasks.cli import main
from csc_tasks.timing import FIELDS, Timing
from leaderboard.efficiency_tables import efficiency_tables
from leaderboard.folder import load_board
from leaderboard.numbers.efficiency import Timings, efficiency, pooled, quantile
from tests.support.browser import opened
from tests.support.made_results import (
    conversation_result,
    conversations,
    csc_of,
    right,
    write_run,
)

TASK = "csc_conv_ref"
FAST, SLOW, LOCAL = "org/fast", "org/slow", "org/local"


def seconds(conversation, turn):
    """Of a planted turn: between 0.5 and 1.7."""
    return 0.5 + (conversation * 7 % 11) / 10 + turn / 100


def write(root, name, timing, share=1.0, connections=4, price=None):
    """A run whose turns took what `timing(conversation, turn)` says."""
    result = conversation_result(TASK, conversations(40), right(share))
    for record in result.records:
        took = timing(int(record["conversation_id"][-3:]), record["turn"])
        record["timing"] = took.to_json()

    def change(results):
        csc_of(results)["play"] = {"mode": "concurrent", "connections": connections}
        if price:
            csc_of(results)["price"] = price

    return write_run(root / name.replace("/", "-"), name, [result], change)


def request(conversation, turn):
    took = seconds(conversation, turn)
    return Timing("request", took / 4, took, 100 + turn, 20 + conversation, 0.001)


def in_a_batch(conversation, turn):
    return Timing("batch", 20.0, 50.0 + conversation, 300, 40)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    root = tmp_path_factory.mktemp("results")
    write(root, FAST, request, price="1,2")
    write(root, SLOW, lambda *place: Timing("request", None, 3 * seconds(*place), 10, 5), 0.5)
    write(root, LOCAL, in_a_batch, 0.25)
    return root


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    rows = [item.to_row() for item in conversations(40)]
    file = folder / "corpus.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def folder(results, corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("board") / "board"
    words = ["collect", str(results), "--out", str(out), "--corpus", str(corpus)]
    assert main([*words, "--price", f"{SLOW}=1000,2000", "--no-fact-audit"]) == 0
    return out


@pytest.fixture(scope="module")
def by_model(folder):
    board = load_board(folder)
    return {board.models[one.model].name: one for one in board.efficiency}


def test_medians_percentiles_and_totals(by_model):
    turns = [(c, t) for c in range(40) for t in (1, 3, 5, 7)]
    took = [seconds(*place) for place in turns]
    fast = by_model[FAST].numbers
    assert fast["last_token_s/median"].value == pytest.approx(statistics.median(took), abs=1e-4)
    p95 = statistics.quantiles(took, n=20, method="inclusive")[-1]
    assert fast["last_token_s/p95"].value == pytest.approx(p95, abs=1e-4)
    assert fast["first_token_s/median"].value == pytest.approx(
        statistics.median(took) / 4, abs=1e-4
    )
    assert fast["tokens_in/total"].value == sum(100 + t for _, t in turns)
    assert fast["tokens_out/total"].value == sum(20 + c for c, _ in turns)
    assert fast["cost/total"].value == pytest.approx(0.16)
    assert fast["cost/conversation"].value == pytest.approx(0.004)
    assert by_model[FAST].measured == {"request": 160}
    assert by_model[FAST].connections == 4
    assert by_model[FAST].price == "1,2"


def test_a_totals_interval_is_that_of_other_conversations(by_model):
    each = [4 * (20 + c) for c in range(40)]
    total = by_model[FAST].numbers["tokens_out/total"]
    # t with 39 degrees of freedom, on the log of the total.
    error = 2.0227 * statistics.stdev(each) * 40**0.5
    assert total.low == pytest.approx(sum(each) * np.exp(-error / sum(each)), rel=1e-3)
    assert total.high == pytest.approx(sum(each) * np.exp(error / sum(each)), rel=1e-3)
    assert (total.items, total.clusters) == (160, 40)


def test_a_price_at_collecting_stands_for_the_recorded_one(by_model):
    # 10 x 1000 + 5 x 2000 a million, of 160 turns
    assert by_model[SLOW].numbers["cost/total"].value == pytest.approx(160 * 0.02)
    assert by_model[SLOW].price == "1000,2000"
    assert "cost/total" not in by_model[LOCAL].numbers


def test_batch_times_are_never_latency(by_model, folder):
    local = by_model[LOCAL]
    assert not [name for name in local.numbers if name.startswith(("first_token", "last_token"))]
    assert local.numbers["batch_last_token_s/median"].value == pytest.approx(69.5)
    (table,) = efficiency_tables(load_board(folder), False)
    cells = {row[0]: dict(zip(table.heads, row, strict=True)) for row, _ in table.rows}
    assert cells[LOCAL]["Last token, s: median"] == "–"
    assert cells[LOCAL]["Batch time, s: median"].startswith("69.50†")
    assert cells[FAST]["Batch time, s: median"] == "–"
    assert cells[LOCAL]["Turns"] == "160: 160 in a batch, 4 at once"
    assert "no user's latency" in table.notes[0]


def test_quality_stands_beside_it(folder):
    (table,) = efficiency_tables(load_board(folder), False)
    cells = {row[0]: dict(zip(table.heads, row, strict=True)) for row, _ in table.rows}
    assert cells[SLOW]["Quality"].startswith("Strategy accuracy 50.0")
    assert cells[FAST]["Task"] == "Reference context"


def test_the_command_prints_it_alone_and_below_the_tables(folder, capsys):
    assert main(["tables", str(folder)]) == 0
    whole = capsys.readouterr().out
    assert whole.index("### Conversations") < whole.index("### Latency, tokens and cost")
    for name in ("md", "latex", "html"):
        assert main(["tables", str(folder), "--table", "efficiency", "--format", name]) == 0
        text = capsys.readouterr().out
        assert "Latency, tokens and cost" in text
        assert "Strategy macro-F1" not in text


def test_csv_has_every_number(folder, by_model, capsys):
    assert main(["tables", str(folder), "--table", "efficiency", "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == sum(len(one.numbers) for one in by_model.values())
    assert {row["trust"] for row in rows} == {"claimed"}
    (row,) = [
        row
        for row in rows
        if (row["model"], row["field"], row["statistic"]) == (FAST, "last_token_s", "p95")
    ]
    value = by_model[FAST].numbers["last_token_s/p95"]
    assert float(row["value"]) == value.value
    assert (float(row["low"]), float(row["high"])) == (value.low, value.high)
    assert (row["requests"], row["batch"], row["connections"]) == ("160", "0", "4")
    assert (row["quality_metric"], float(row["quality"])) == ("strategy_acc", 1.0)


@pytest.mark.parametrize(
    ("price", "named"),
    [
        ("org/none=1,2", "no model of this name; there are: org/fast, org/local, org/slow"),
        ("1", "price '1' is not IN,OUT"),
    ],
)
def test_a_price_that_fits_nothing_is_named(results, tmp_path, price, named, capsys):
    words = ["collect", str(results), "--out", str(tmp_path / "b"), "--price", price]
    assert main([*words, "--no-fact-audit"]) == 1
    assert named in capsys.readouterr().err


def test_the_page_shows_it_without_a_script_too(folder):
    text = (folder / "index.html").read_text(encoding="utf-8")
    shown = text[text.index('<section class="card" id="efficiency">') :]
    assert "Latency, tokens and cost" in shown
    assert shown.index("org/fast") < shown.index("</section>")


def test_the_picture_has_a_cross_a_row_and_no_batch(folder):
    with opened(folder / "index.html") as (page, complaints):
        picture = page.locator("#efficiency svg")
        assert "Strategy accuracy (Reference context) against cost" in picture.get_attribute(
            "aria-label"
        )
        # Two with a cost, which does not vary and so has no arm.
        assert picture.locator("g[class^=line]").count() == 2
        assert picture.locator("g[class^=line] line").count() == 2
        page.get_by_role("combobox", name="Against").select_option("last_token_s/median")
        titles = page.locator("#efficiency svg title").all_text_contents()
        assert picture.locator("g[class^=line] line").count() == 4
        assert [title.split(":")[0] for title in sorted(titles)] == [FAST, SLOW]
    assert complaints == []


def test_a_forged_timing_changes_no_other_number_and_is_claimed(results, corpus, folder, tmp_path):
    board = load_board(folder)
    for file in results.rglob("samples_*.jsonl"):
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        for line in lines:
            for record in line["turns"]:
                record["timing"] = Timing("request", 1e-4, 2e-4, 1, 1, 0.0).to_json()
        copy = tmp_path / "forged" / file.relative_to(results)
        copy.parent.mkdir(parents=True)
        copy.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        (source,) = file.parent.glob("results_*.json")
        (copy.parent / source.name).write_bytes(source.read_bytes())
    words = ["collect", str(tmp_path / "forged"), "--corpus", str(corpus), "--no-fact-audit"]
    assert main([*words, "--out", str(tmp_path / "board")]) == 0
    forged = load_board(tmp_path / "board")
    assert forged.tables == board.tables
    assert forged.notes == board.notes
    assert {str(row.trust) for row in forged.tables[0].rows} == {"re-scored"}
    (table,) = efficiency_tables(forged, False)
    latency = table.heads.index("Last token, s: median")
    assert all(cells[latency].startswith("0.00020") for cells, _ in table.rows)
    assert all("†" in cells[latency] for cells, _ in table.rows)
    assert main(["verify", str(tmp_path / "forged"), "--corpus", str(corpus)]) == main(
        ["verify", str(results), "--corpus", str(corpus)]
    )


def test_a_timing_that_is_none_sets_the_file_aside(results, tmp_path, capsys):
    for file in (results / "org-fast").rglob("*"):
        if file.is_file():
            copy = tmp_path / "bad" / file.name
            copy.parent.mkdir(exist_ok=True)
            text = file.read_text(encoding="utf-8")
            copy.write_text(text.replace('"tokens_in": 101', '"tokens_in": "x"', 1), "utf-8")
    words = ["collect", str(tmp_path / "bad"), "--out", str(tmp_path / "b"), "--strict"]
    assert main([*words, "--no-fact-audit"]) == 1
    assert "timing.tokens_in is 'x'; it must be a whole number" in capsys.readouterr().err


def told(tokens):
    """Three conversations of two turns each, with these tokens in (None: not told)."""
    numbers = {name: np.full(6, np.nan) for name in FIELDS}
    numbers["tokens_in"] = np.array([np.nan if n is None else n for n in tokens], dtype=float)
    return Timings(tuple("aabbcc"), ("request",) * 6, numbers)


def test_what_repeats_did_not_tell_is_no_conversation_without_cost():
    whole, some = told([1, 2, 3, 4, 5, 6]), told([10, 20, None, 30, None, None])
    numbers = efficiency("m", TASK, "t", pooled([whole, some])).numbers
    # The mean of 21 and 60; a has 3 and 30, b 7 and 30, c 11 alone.
    assert numbers["tokens_in/total"].value == pytest.approx(40.5)
    assert numbers["tokens_in/conversation"].value == pytest.approx((16.5 + 18.5 + 11) / 3)
    assert numbers["tokens_in/conversation"].items == numbers["tokens_in/total"].items == 9
    alike = efficiency("m", TASK, "t", pooled([whole, whole])).numbers
    assert alike["tokens_in/total"].value == 21
    assert alike["tokens_in/conversation"].value == 7


def test_a_total_says_of_how_many_turns_it_is(tmp_path):
    def some(conversation, turn):
        return Timing() if turn == 7 else Timing("request", None, 1.0, 10, 5)

    write(tmp_path / "r", FAST, some)
    words = ["collect", str(tmp_path / "r"), "--out", str(tmp_path / "board"), "--no-fact-audit"]
    assert main([*words, "--price", "1000,2000"]) == 0
    (table,) = efficiency_tables(load_board(tmp_path / "board"), False)
    cells = dict(zip(table.heads, table.rows[0][0], strict=True))
    # 40 conversations of which three turns in four told.
    assert cells["Tokens in"].startswith("1,200†")
    assert cells["Tokens in"].endswith(", of 120 turns")
    assert cells["Cost"].endswith(", of 120 turns")
    assert "turns" not in cells["Last token, s: median"]


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_the_interval_of_a_quantile_holds(share):
    """Lognormal latencies, whose conversations differ: the true quantile is in 95 %, here at least
    in 90 % of 300 runs of 60 conversations.
    """
    random = np.random.default_rng(5)
    normal = statistics.NormalDist(0, (0.4**2 + 0.5**2) ** 0.5)
    truth = np.exp(normal.inv_cdf(share))
    within = 0
    for _ in range(300):
        own = random.normal(0, 0.4, 60).repeat(6) + random.normal(0, 0.5, 360)
        value = quantile(np.exp(own), [f"{place // 6}" for place in range(360)], share)
        assert value.low <= value.value <= value.high
        within += value.low <= truth <= value.high
    assert within >= 270


def test_few_conversations_have_no_interval():
    value = quantile(np.arange(20.0), [f"{place // 4}" for place in range(20)], 0.95)
    assert (value.value, value.low, value.reason) == (18.05, None, "few conversations")
