"""csc label report: agreement of raters against numbers that were worked out by hand, and what
stands in the report.
"""

import json

import numpy as np
import pytest

from builders.cards.render import Card
from builders.dataset import write_folder
from csc_tasks.cli import main
from csc_tasks.conversation import Conversation, Turn
from csc_tasks.labels import Label
from csc_tasks.metrics.alpha import coincidence_sums, nominal_alpha
from leaderboard.judging.label_report import report
from leaderboard.judging.label_table import (
    agreement,
    confusion_of_all,
    dividing,
    raters_of,
    units_of,
)
from leaderboard.reliability_report import Report
from tests.leaderboard.judging.test_agreement import by_definition

CARD = Card("Talks", "Sample.", "other", ("en",), "Somewhere.", "By hand.", ("Small.",))

# (conversation, what each rater names first); "" where a rater has no label.
ANNA, BEN, ONE, TWO = "anna", "ben", "model:m", "model:m#2"
TABLE = (
    ("c0", {ANNA: "GT", BEN: "GT", ONE: "GT", TWO: "GT"}),
    ("c0", {ANNA: "IV", BEN: "PR", ONE: "IV", TWO: "IV"}),
    ("c1", {ANNA: "EM", BEN: "EM", ONE: "PS", TWO: "PS"}),
    ("c1", {ANNA: "AC", ONE: "AC", TWO: "RC"}),
    ("c2", {BEN: "PS", ONE: "PS", TWO: "PS"}),
    ("c2", {ANNA: "FR"}),
)


def conversations(table=TABLE):
    """The table's turns as conversations, a customer before each."""
    talks: dict[str, list[Turn]] = {}
    for name, firsts in table:
        labels = tuple(Label(rater, (strategy,)) for rater, strategy in firsts.items())
        strategy = labels[0].strategies[0]
        talks.setdefault(name, []).extend(
            [Turn("customer", "Well?"), Turn("supporter", f"Said {len(talks)}.", strategy, labels)]
        )
    return [Conversation(name, "en", "", "test", tuple(turns)) for name, turns in talks.items()]


def units(table=TABLE):
    return units_of(conversations(table))


def differ(a, b):
    return float(a != b)


def test_alpha_of_categories_is_its_definition():
    """Random tables with gaps, and Krippendorff's own nominal example (2011, Section C): 0.743."""
    rng = np.random.default_rng(3)
    for _ in range(20):
        drawn = [rng.integers(0, 4, rng.integers(1, 5)).tolist() for _ in range(12)]
        sums = coincidence_sums(drawn, 4).sum(axis=0)
        expected = by_definition(drawn, differ)
        assert float(nominal_alpha(sums)) == pytest.approx(expected)
    published = [
        *([1, 1, 1], [2, 2, 3, 2], [3, 3, 3, 3], [3, 3, 3, 3], [2, 2, 2, 2], [1, 2, 3, 4]),
        *([4, 4, 4, 4], [1, 1, 2, 1], [2, 2, 2, 2], [5, 5, 5], [1, 1], [3]),
    ]
    shifted = [[value - 1 for value in unit] for unit in published]
    sums = coincidence_sums(shifted, 5).sum(axis=0)
    assert float(nominal_alpha(sums)) == pytest.approx(0.743, abs=5e-4)


def test_agreement_of_two_by_hand():
    """anna and model:m share turns 0 to 3: GT GT, IV IV, EM PS, AC AC. Three of four agree.

    kappa (of pooled margins GT 2, IV 2, EM 1, PS 1, AC 2 of 8): expected (4+4+1+1+4)/64 = 14/64,
    so (3/4 - 14/64) / (1 - 14/64) = 34/50. alpha: 1 - 7 * (8 - 6) / (64 - 14) = 36/50.
    """
    result = agreement(units(), [ANNA, ONE])
    assert result.units == 4
    assert result.same.value == pytest.approx(0.75)
    assert result.kappa.value == pytest.approx(34 / 50)
    assert result.alpha.value == pytest.approx(36 / 50)
    # Over two conversations: c0 agrees in both turns, c1 in one of two.
    assert result.same.clusters == 2 and result.same.low < 0.75 < result.same.high


def test_agreement_of_all_is_over_the_turns_that_two_or_more_labelled():
    """Pairs that agree, turn by turn: 1, 3/6, 2/6, 1/3, 1."""
    result = agreement(units(), raters_of(units()))
    assert result.units == 5
    assert result.same.value == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 3 + 1) / 5)
    firsts = [list(firsts.values()) for _, firsts in TABLE]
    assert result.alpha.value == pytest.approx(by_definition(firsts, differ))


def test_nobody_disagrees_and_the_interval_is_exact():
    """10 conversations of one turn: 1 - 0.025^(1/10) of them may be unlike."""
    table = [(f"c{i}", {ANNA: name, ONE: name}) for i, name in enumerate(["GT", "AC"] * 5)]
    same = agreement(units(table), [ANNA, ONE]).same
    assert (same.value, same.high, same.method) == (1.0, 1.0, "exact")
    assert same.low == pytest.approx(0.025 ** (1 / 10))


def test_confusion_counts_pairs_both_ways_and_turns_that_divide_come_first():
    counts = confusion_of_all(units(TABLE[1:3]))
    assert counts == {
        ("IV", "IV"): 3,
        ("IV", "PR"): 3,
        ("PR", "IV"): 3,
        ("PR", "PR"): 0,
        ("EM", "EM"): 1,
        ("PS", "PS"): 1,
        ("EM", "PS"): 4,
        ("PS", "EM"): 4,
    }
    # A third of the pairs agree on both turns of c1: four raters before three.
    assert [(unit.conversation_id, unit.turn) for unit in dividing(units())] == [
        ("c1", 1),
        ("c1", 3),
        ("c0", 3),
    ]


def sections(made: Report):
    return {section.title: section for section in made.sections}


def test_the_report_keeps_people_and_models_apart():
    made = sections(report(conversations(), "DIR"))
    assert [row[:3] for row in made["Raters"].rows] == [
        (ANNA, "person", 5),
        (BEN, "person", 4),
        (ONE, "model", 5),
        (TWO, "model", 5),
    ]
    # Of anna's turns with others: 3/3, 2/3, 1/3, 1/2; nobody else labelled the last.
    own = made["Raters"].rows[0][-1]
    assert own.value == pytest.approx((1 + 2 / 3 + 1 / 3 + 1 / 2) / 4)
    several = {row[0]: row[1] for row in made["Agreement among several"].rows}
    assert several == {"all raters": 4, "people": 2, "samples of model:m": 2}
    kinds = {row[0]: row[1] for row in made["Agreement of two"].rows}
    assert kinds["anna – model:m"] == "people against models"
    assert kinds["anna – ben"] == "between people"
    assert kinds["model:m – model:m#2"] == "between models"
    assert kinds["people (majority) – models (majority)"] == "of several together"
    # People's majority (a tie: the earlier strategy) against that of the models, five turns.
    confusion = made["Confusion"]
    names = confusion.columns[1:]
    table = {
        (row[0], name): count
        for row in confusion.rows
        for name, count in zip(names, row[1:], strict=True)
        if count
    }
    assert table == {
        ("GT", "GT"): 1,
        ("IV", "IV"): 1,
        ("EM", "PS"): 1,
        ("AC", "RC"): 1,
        ("PS", "PS"): 1,
    }
    divide = made["Turns that divide"].rows
    assert divide[0][:4] == ("c1", 1, "EM", "EM: anna, ben; PS: model:m, model:m#2")


def test_what_the_corpus_came_with_is_neither_a_person_nor_a_model():
    table = [(name, {"corpus": "GT", **firsts}) for name, firsts in TABLE]
    made = sections(report(conversations(table), "DIR"))
    assert made["Raters"].rows[0][:2] == ("corpus", "corpus")
    kinds = [row[1] for row in made["Agreement of two"].rows]
    assert kinds.count("corpus against people") == 2 and kinds.count("corpus against models") == 2


def write(out, talks):
    rows = {"csconv": {"test": [one.to_row() for one in talks]}}
    write_folder(out, rows, CARD, {"builder": "test", "counts": {}}, {})
    return out


def test_the_verb_prints_the_report_and_writes_it_three_times(tmp_path, capsys):
    folder, out = write(tmp_path / "set", conversations()), tmp_path / "agreement"
    assert main(["label", "report", str(folder), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "|anna – model:m|people against models|4|0.75 (" in printed
    text = (out / "labels.md").read_text()
    assert text in printed
    assert Report.model_validate(json.loads((out / "labels.json").read_text()), strict=False)
    page = (out / "labels.html").read_text()
    assert "<td>EM: anna, ben; PS: model:m, model:m#2</td>" in page


def test_a_corpus_without_labels_is_told_what_to_do(tmp_path, capsys):
    plain = [
        Conversation(one.conversation_id, "en", "", "test", (Turn("supporter", "Hello."),))
        for one in conversations()
    ]
    folder = write(tmp_path / "set", plain)
    assert main(["label", "report", str(folder)]) == 1
    error = capsys.readouterr().err
    assert "no turn has labels of raters; csc label run labels a corpus" in error
    assert main(["label", "report", str(folder), "--split", "train"]) == 1
    assert "train" in capsys.readouterr().err
