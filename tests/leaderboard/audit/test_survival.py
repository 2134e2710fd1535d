"""csc customers: orders of models with several customers, against counts by hand and scipy."""

import itertools
import json
import random as chance

import numpy as np
import pytest
from scipy.stats import kendalltau

from csc_tasks.cli import main
from csc_tasks.conversation import Conversation, Turn
from csc_tasks.errors import DataError
from csc_tasks.live import LiveDialogue, LiveTurn
from leaderboard.audit.candidates import read_candidates
from leaderboard.audit.survival import kendall, taus
from leaderboard.audit.survival_report import survival_report
from leaderboard.reading.audits import Badge
from tests.support.live_runs import write_live
from tests.support.made_results import conversation_result, write_run

ITEMS = [
    Conversation(
        f"c{number}",
        "en",
        "Others",
        "hand",
        (
            Turn("customer", f"Case {number}"),
            Turn("supporter", "What is your name?", "IV"),
            Turn("customer", "Ada"),
            Turn("supporter", "Your parcel is on its way.", "ID"),
        ),
    )
    for number in range(12)
]


def played(customer, again):
    """Conversations of four supporter turns, of which `again(number)` ask what was asked before."""
    dialogues = []
    for number, item in enumerate(ITEMS):
        turns = [LiveTurn("customer", "Hello")]
        for i in range(4):
            text = "What is your name?" if i <= again(number) else f"Noted, number {i}."
            turns += [LiveTurn("supporter", text, "IV"), LiveTurn("customer", "Ada")]
        dialogues.append(
            LiveDialogue(
                item.conversation_id, customer, None, tuple(turns), "satisfied", None, "en"
            )
        )
    return dialogues


def test_kendall_is_scipys():
    random = np.random.default_rng(3)
    means = random.normal(size=(30, 5, 3)).round(1)  # with ties
    ours = kendall(means)
    for i, a, b in [(i, a, b) for i in range(30) for a, b in ((0, 1), (0, 2), (1, 2))]:
        expected = kendalltau(means[i, :, a], means[i, :, b]).statistic
        assert ours[i, a, b] == pytest.approx(expected, nan_ok=True)


def test_intervals_say_whether_an_order_is_settled():
    random = np.random.default_rng(4)
    apart = np.asarray([0.0, 1.0, 2.0])[None, :, None]
    settled = apart + random.normal(scale=0.3, size=(40, 3, 3))
    value = taus(settled)[-1, -1]
    assert (value.value, value.low, value.high) == (1, 1, 1)
    open_ = random.normal(scale=3, size=(40, 3, 3))
    value = taus(open_)[0, 1]
    assert value.high - value.low > 1
    assert taus(settled[:3])[0, 1].value is None


def test_fewer_repeated_questions_with_one_customer_and_more_with_another(tmp_path, capsys):
    write_live(tmp_path / "r", "org/a", played("openai:x", lambda n: 0), ITEMS)
    write_live(tmp_path / "r", "org/b", played("openai:x", lambda n: 1 + n % 2), ITEMS)
    write_live(tmp_path / "s", "org/a", played("scripted", lambda n: 3), ITEMS)
    write_live(tmp_path / "s", "org/b", played("scripted", lambda n: 1), ITEMS)
    gen = conversation_result(
        "csc_conv_gen", ITEMS, lambda item, turn: ("IV", "What is your name?")
    )
    for model in ("org/a", "org/b"):
        write_run(tmp_path / "gen", model, [gen])
    words = [*map(str, (tmp_path / "r", tmp_path / "s", tmp_path / "gen"))]
    assert main(["customers", *words, "--out", str(tmp_path / "out")]) == 0
    report = json.loads((tmp_path / "out" / "customers.json").read_text())
    sections = {section["title"]: section["rows"] for section in report["sections"]}
    rows = sections["Repeated questions (lower is better), 12 conversations"]
    # Of four turns: none and 1 or 2 with the model, 3 and 1 with the script.
    means = [[cell["value"] for cell in row[1:]] for row in rows[:2]]
    assert means == [[0, 0.75], [pytest.approx(0.375), 0.25]]
    assert rows[2][0] == "tau with the order of openai:x"
    assert [rows[2][2][name] for name in ("value", "low", "high")] == [-1, -1, -1]
    assert rows[3] == ["in words", "–", "another model first"]
    assert "Two models can only be put the same way round or the other way round" in str(report)
    assert "With few models" not in str(report)
    assert report["notes"][1:4] == [
        "customer openai:x: not audited",
        "customer scripted: not audited",
        "none of these customers may rank models: their orders are shown, and rank nobody",
    ]
    changes = sections["Change against csc_conv_gen"]
    # There the second of two turns repeats the first one's question.
    own = next(row for row in changes if row[:2] == ["Repeated questions", "org/a"])
    assert [cell["value"] for cell in own[2:]] == [0.5, -0.5, 0.25]
    printed = capsys.readouterr().out
    assert "customer scripted: not audited" in printed
    assert "<td>org/a</td>" in (tmp_path / "out" / "customers.html").read_text()


def test_tau_and_its_interval_are_scipys_over_three_customers(tmp_path):
    """Four models, three customers: means from the samples files, tau by scipy, and an interval by
    a cluster bootstrap of its own.
    """
    random = chance.Random(5)
    models, customers = "abcd", ("openai:x", "openai:y", "scripted")
    for i, model in enumerate(models):
        for j, customer in enumerate(customers):
            asked = [random.choice([0, 1, 2, 3, i, i, i if j < 2 else 3 - i]) for _ in ITEMS]
            write_live(
                tmp_path / f"{j}", f"org/{model}", played(customer, asked.__getitem__), ITEMS
            )
    words = ["customers", str(tmp_path), "--metric", "repeated_questions"]
    assert main([*words, "--out", str(tmp_path / "out")]) == 0
    report = json.loads((tmp_path / "out" / "customers.json").read_text())
    (section,) = report["sections"]
    rows = section["rows"]

    values: dict[tuple[str, str], dict[str, float]] = {}
    for file in tmp_path.rglob("samples_*.jsonl"):
        for line in map(json.loads, file.read_text().splitlines()):
            (one,) = line["live"]
            own = values.setdefault((file.parent.name, one["customer"]), {})
            own[one["conversation_id"]] = one["repeated_questions"]
    names = sorted({name for name, _ in values})
    assert len(names) == 4 and len(values) == 12

    def orders(ids):
        return [
            [sum(values[name, customer][id_] for id_ in ids) / len(ids) for name in names]
            for customer in customers
        ]

    def pairs(ids):
        return [kendalltau(a, b).statistic for a, b in itertools.combinations(orders(ids), 2)]

    ids = [item.conversation_id for item in ITEMS]
    observed = pairs(ids)
    drawn = np.asarray([pairs(random.choices(ids, k=len(ids))) for _ in range(600)])

    def check(cell, value, draws):
        low, high = np.nanquantile(draws, [0.025, 0.975])
        assert cell["value"] == pytest.approx(value)
        # Of 600 draws the ends are known to a step of tau, which is a third for four models.
        assert cell["low"] == pytest.approx(low, abs=0.34)
        assert cell["high"] == pytest.approx(high, abs=0.34)

    for place in (0, 1):
        check(rows[4][2 + place], observed[place], drawn[:, place])
    assert rows[5][0] == "mean tau of all pairs"
    check(rows[5][1], float(np.mean(observed)), drawn.mean(axis=1))
    assert rows[4][2]["low"] < rows[4][2]["high"]
    # A third customer who puts the models the other way round.
    assert observed[0] > 0 > observed[1]
    assert "in words" not in [row[0] for row in rows] and "With few models" in section["text"]


def test_a_customer_ranks_with_an_audit_that_is_made_again(tmp_path, monkeypatch, capsys):
    """Whose customer is believed is said beside its name and in a sentence."""
    for customer in ("openai:x", "openai:y"):
        for model in ("org/a", "org/b"):
            write_live(tmp_path / customer[-1], model, played(customer, lambda n: 0), ITEMS)
    found = read_candidates([tmp_path])
    files = {customer: frozenset(own) for customer, own in found.files.items()}
    assert [len(own) for own in files.values()] == [2, 2]
    badges = {
        "openai:x": Badge("openai:x", "audit passed (report abc)", True),
        "openai:y": Badge("openai:y", "audit claimed, not recomputed: it says audit passed", False),
    }
    report = survival_report(found, badges, ["repeated_questions"], 0)
    assert report.notes[3] == (
        "may rank models: openai:x; the others' orders are shown, and rank nobody"
    )
    (section,) = report.sections
    assert section.columns == ("model", "openai:x (audit passed)", "openai:y (audit claimed)")
    # Nobody asks twice: no order, and no tau.
    assert section.rows[3] == (
        "in words", "–", "with one of the two customers the models are equal",
    )  # fmt: skip


def test_models_that_missed_a_customer_are_named(tmp_path):
    for customer, models in (("x", "abc"), ("y", "ab")):
        for model in models:
            run = played(f"openai:{customer}", lambda n: 0)
            write_live(tmp_path / customer, f"org/{model}", run, ITEMS)
    found = read_candidates([tmp_path])
    assert (found.customers, found.models) == (["openai:x", "openai:y"], ["org/a", "org/b"])


@pytest.mark.parametrize(
    ("runs", "more", "said"),
    [
        ([("a", "x")], (), "an order needs two models that talked with two customers or more"),
        ([("a", "x"), ("b", "x")], (), "org/b with openai:x"),
        (
            [("a", "x"), ("b", "x"), ("a", "y"), ("b", "y")],
            ("--metric", "bleu"),
            "--metric bleu: must be one of goal_by_rule",
        ),
    ],
)
def test_bad_input_is_one_line(runs, more, said, tmp_path, capsys):
    for model, customer in runs:
        run = played(f"openai:{customer}", lambda n: 0)
        write_live(tmp_path / "runs" / customer, f"org/{model}", run, ITEMS)
    assert main(["customers", str(tmp_path / "runs"), *more, "--out", str(tmp_path / "o")]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert not (tmp_path / "o").exists()


def test_one_name_played_in_two_ways_is_no_customer(tmp_path):
    for name, prompt in (("a", "a" * 16), ("b", "b" * 16)):
        results = write_live(tmp_path / name, name, played("openai:x", lambda _: 1), ITEMS)
        results.write_text(results.read_text().replace("0123456789abcdef", prompt))
    with pytest.raises(DataError, match="customer openai:x was played in two ways"):
        read_candidates([tmp_path])
