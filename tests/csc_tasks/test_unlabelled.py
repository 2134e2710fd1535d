"""A corpus without labels: every supporter turn is asked for, metrics of the reply have numbers,
those of strategies have none, and no verb takes the lack for an error.
"""

import json
import re
from dataclasses import replace

import pytest

from builders.cards.render import Card
from builders.dataset import write_folder
from csc_tasks.cli import main
from csc_tasks.conversation import SUPPORTER
from csc_tasks.errors import DataError
from tests.csc_tasks.test_tasks import run, value
from tests.support.fakes import FakeLM, sample_conversations
from tests.support.handed_in import hand_in

CARD = Card("Support", "Sample.", "other", ("en", "zh"), "Somewhere.", "By hand.", ("Small.",))
LABELS = "csc label run labels a corpus"
TASKS = ["csc_conv_ref", "csc_conv_gen", "cscx_conv_ref_vanilla"]
ASKED = sum(t.speaker == SUPPORTER for one in sample_conversations() for t in one.dialogue)


def answer(prompt):
    """A strategy and a reply, whatever is asked."""
    return "[Greeting] Hello there"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A dataset folder without labels, and a run on it."""
    root = tmp_path_factory.mktemp("unlabelled")
    plain = [
        replace(one, dialogue=tuple(replace(turn, strategy="") for turn in one.dialogue))
        for one in sample_conversations()
    ]
    rows = [one.to_row() for one in plain]
    write_folder(root / "corpus", {"csconv": {"test": rows}}, CARD, {"counts": {}}, {})
    hand_in(root / "results", TASKS, answer, {"csc_corpus": str(root / "corpus")})
    return root


def test_every_supporter_turn_is_asked_for_and_strategies_have_no_number(root, caplog):
    caplog.set_level("INFO", logger="lm_eval")
    results = run(FakeLM(answer), root / "corpus", TASKS, {"csc_metrics": "overlap"})
    for task in TASKS:
        assert value(results, task, "turns") == ASKED
    for name in ("strategy_acc", "strategy_macro_f1", "stage_overlap"):
        assert value(results, "csc_conv_ref", name) == "N/A"
    assert value(results, "csc_conv_ref", "unparsed") == 0
    assert value(results, "csc_conv_ref", "rouge_l_en") > 0
    lines = [record.getMessage() for record in caplog.records]
    told = [line for line in lines if "no supporter turn has a strategy" in line]
    assert len(told) == len(TASKS)
    assert all(f"all {ASKED} are asked for" in line for line in told)
    assert all(LABELS in line for line in told)


def test_a_task_whose_prompts_hold_the_strategies_says_how_to_get_them(root):
    with pytest.raises(DataError, match=f"cannot be run; {LABELS}"):
        run(FakeLM(answer), root / "corpus", ["cscx_conv_ref_oracle"])


def test_verify_makes_every_number_again(root, capsys):
    main(["verify", str(root / "results"), "--corpus", str(root / "corpus")])
    printed = capsys.readouterr().out
    assert "nothing is contradicted" in printed
    assert re.search(r"strategy_acc +N/A +N/A +re-scored", printed)
    assert re.search(r"rouge_l\w* +[0-9.]+ ± [0-9.]+ +[0-9.]+ ± [0-9.]+ +re-scored", printed)
    assert "holds its references out" not in printed


def test_a_board_shows_why_strategies_have_no_number(root, capsys):
    out = root / "board"
    words = ["collect", str(root / "results"), "--corpus", str(root / "corpus"), "--out", str(out)]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert f"no gold strategies to compare with ({LABELS})" in printed
    assert "re-scored" in printed


def test_statistics_and_baselines_and_hold_out_say_it_in_a_line(root, capsys, tmp_path):
    corpus = str(root / "corpus")
    assert main(["stats", corpus]) == 0
    printed = capsys.readouterr().out
    assert f"No supporter utterance has a strategy; {LABELS}." in printed
    assert "Which strategy follows which" not in printed
    assert main(["baselines", corpus]) == 0
    printed = capsys.readouterr().out
    assert "echo alone is scored" in printed
    assert {row.split("|")[1] for row in printed.splitlines() if row.startswith("|echo")} == {
        "echo"
    }
    words = ["build", "hold-out", corpus, "--out", str(tmp_path / "o")]
    assert main([*words, "--hold-out", str(tmp_path / "r.parquet")]) == 1
    assert capsys.readouterr().err.strip().endswith(LABELS)


def test_the_card_has_no_table_of_strategies_and_names_the_tasks(root):
    card = (root / "corpus/README.md").read_text()
    assert "| GT | Greeting |" not in card
    assert "csc_conv_ref" in card
    record = json.loads((root / "corpus/build.json").read_text())
    assert record["splits"]["csconv"]["test"]["supporter_turns_unlabelled"] == ASKED
