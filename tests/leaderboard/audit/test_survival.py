"""csc customers: orders of models with several customers, against counts by hand and scipy."""

import json

import numpy as np
import pytest
from scipy.stats import kendalltau

from csc_tasks.cli import main
from csc_tasks.conversation import Conversation, Turn
from csc_tasks.errors import DataError
from csc_tasks.live import LiveDialogue, LiveTurn
from leaderboard.audit.candidates import read_candidates
from leaderboard.audit.survival import kendall, taus
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
    changes = sections["Change against csc_conv_gen"]
    # There the second of two turns repeats the first one's question.
    own = next(row for row in changes if row[:2] == ["Repeated questions", "org/a"])
    assert [cell["value"] for cell in own[2:]] == [0.5, -0.5, 0.25]
    printed = capsys.readouterr().out
    assert "customer scripted: not audited" in printed
    assert "<td>org/a</td>" in (tmp_path / "out" / "customers.html").read_text()


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
