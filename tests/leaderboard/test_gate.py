"""`csc gate` on results files: exit status, what it says, JUnit XML and Markdown."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest

from csc_tasks.cli import main
from leaderboard import columns
from leaderboard.gate_pairs import Refusal
from leaderboard.gate_report import Compared, Outcome, as_junit, as_markdown
from leaderboard.numbers import drops
from leaderboard.numbers.drops import corrected
from leaderboard.numbers.inference import Clustered
from leaderboard.numbers.intervals import SHARE
from tests.support.hostile_names import HOSTILE
from tests.support.made_results import conversation_result, conversations, csc_of, right, write_run

ITEMS = conversations(40)
REF = "csc_conv_ref"


def lower_in(every):
    """Right on all turns but the first, which is wrong in every so-manieth conversation."""

    def answer(item, turn):
        first = turn == item.scored_turns()[0]
        wrong = first and int(item.conversation_id[-3:]) % every == 0
        return ("Others" if wrong else item.dialogue[turn].strategy), item.dialogue[turn].text

    return answer


def run(root, answer=None, name="org/model", items=ITEMS, tasks=(REF,), change=None, **arguments):
    results = [conversation_result(task, items, answer or right(1.0)) for task in tasks]
    return write_run(root, name, results, change, **arguments).parent.parent


def gate(capsys, *words):
    """(exit status, stdout, stderr)."""
    status = main(["gate", *map(str, words)])
    said = capsys.readouterr()
    return status, said.out, said.err


@pytest.fixture(scope="module")
def last(tmp_path_factory):
    return run(tmp_path_factory.mktemp("last"))


@pytest.fixture(scope="module")
def worse(tmp_path_factory):
    # Wrong on 10 of 160 turns: one of four in 10 of 40 conversations.
    return run(tmp_path_factory.mktemp("worse"), lower_in(4))


def test_the_same_again_passes(capsys, last):
    status, out, _ = gate(capsys, last, "--against", last)
    assert status == 0
    assert out.splitlines()[-1] == "pass: 1 metric, none is worse"
    # What tables are put in order by, and nothing else.
    assert [line.split()[:3] for line in out.splitlines() if "org/model" in line] == [
        ["org/model", REF, "Strategy"]
    ]


def test_a_drop_is_worse_and_a_rise_is_not(capsys, last, worse):
    status, out, _ = gate(capsys, worse, "--against", last)
    assert status == 1
    # -1/16 with SE sqrt(0.0117 / 39): t(0.95, 39) = 1.685 on both sides.
    wanted = (
        "worse: org/model, csc_conv_ref: Strategy accuracy was 100.0 and is 93.8, -6.2 (-9.2 to"
        " -3.3), p < 0.001 over 1 metric"
    )
    assert out.splitlines()[-1] == wanted
    assert gate(capsys, last, "--against", worse)[0] == 0


def test_the_margin_decides_between_worse_and_not(capsys, last, worse):
    asked = (worse, "--against", last, "--metric", "strategy_acc", "--worse-by")
    assert gate(capsys, *asked, "0.05")[0] == 1
    assert gate(capsys, *asked, "0.1")[0] == 0


def test_too_few_conversations_for_the_margin_say_how_many_would_do(capsys, tmp_path, last):
    new = run(tmp_path / "new", lower_in(39))
    words = ("--against", last, "--metric", "strategy_acc", "--worse-by", "0.01")
    status, out, _ = gate(capsys, new, *words)
    assert status == 2
    assert "no drop and one of 1.0 are both possible on 40 conversations; about " in out
    assert out.endswith("conversations would tell\n")


def test_lower_is_better_where_the_metric_says_so(capsys, tmp_path, last):
    def silent(item, turn):
        return (None if turn == item.scored_turns()[-1] else item.dialogue[turn].strategy), "hm"

    new = run(tmp_path / "new", silent)
    status, out, _ = gate(capsys, new, "--against", last, "--metric", "unparsed")
    assert status == 1
    assert "Unparsed was 0.0 and is 25.0" in out
    assert gate(capsys, last, "--against", new, "--metric", f"{REF}/unparsed")[0] == 0


def test_other_questions_cannot_be_compared(capsys, tmp_path, last):
    others = conversations(40, ("GT", "PS", "ID", "AC"))
    status, out, _ = gate(capsys, run(tmp_path / "new", items=others), "--against", last)
    assert status == 2
    assert out.startswith(
        "cannot tell: org/model, csc_conv_ref: the corpus was csconv/test with content "
    )


def test_another_prompt_is_compared_where_that_is_the_change(capsys, tmp_path, last):
    def change(made):
        csc_of(made)["prompt"] = "chat"

    new = run(tmp_path / "new", lower_in(4), change=change)
    status, out, _ = gate(capsys, new, "--against", last)
    assert (status, out) == (
        2,
        "cannot tell: org/model, csc_conv_ref: the prompt style was single and is chat (--differing"
        " prompt compares them)\n",
    )
    assert gate(capsys, new, "--against", last, "--differing", "prompt")[0] == 1


def test_what_is_missing_never_passes(capsys, tmp_path, last):
    both = run(tmp_path / "both", tasks=(REF, "csc_conv_gen"))
    status, out, _ = gate(capsys, last, "--against", both)
    assert (status, out.splitlines()[-1]) == (
        2,
        "cannot tell: org/model, csc_conv_gen: no new run of this task",
    )
    status, _, err = gate(capsys, both, "--against", last)
    assert (status, err) == (
        0,
        "note: org/model, csc_conv_gen: new, with nothing to be compared with\n",
    )
    status, out, _ = gate(capsys, last, "--against", last, "--metric", "strategy_ac")
    assert status == 2
    assert out.startswith("cannot tell: --metric strategy_ac: there is no such one (closest: s")

    def drop(made):
        for part in ("results", "higher_is_better"):
            for key in [key for key in made[part][REF] if key.startswith("strategy_acc")]:
                del made[part][REF][key]

    new = run(tmp_path / "new", change=drop)
    status, out, _ = gate(capsys, new, "--against", last)
    assert (status, out.splitlines()[-1]) == (
        2,
        "cannot tell: org/model, csc_conv_ref: strategy_acc: the new results do not have this"
        " metric",
    )


def test_a_metric_that_was_computed_in_another_way_is_not_compared(capsys, tmp_path, last):
    def change(made):
        csc_of(made)["signatures"]["strategy_acc"] = "another"

    status, out, _ = gate(capsys, run(tmp_path / "new", change=change), "--against", last)
    assert status == 2
    assert "strategy_acc: computed in another way: strategy_acc|" in out


def test_files_that_cannot_be_read_are_no_verdict(capsys, tmp_path, last):
    for path, words in ((tmp_path / "none", "no such"), (tmp_path, "no results")):
        status, out, _ = gate(capsys, path, "--against", last)
        assert status == 2
        assert out.startswith("cannot tell: ")
        assert words in out
        assert len(out.splitlines()) == 1
    new = run(tmp_path / "new")
    for samples in new.rglob("samples_*"):
        samples.unlink()
    status, out, _ = gate(capsys, new, "--against", last)
    assert status == 2
    assert "the new results have no logged items for it" in out


def test_one_model_a_side_is_compared_and_several_are_by_name(capsys, tmp_path, last, worse):
    renamed = run(tmp_path / "renamed", lower_in(4), name="org/model-v2")
    status, out, _ = gate(capsys, renamed, "--against", last)
    assert status == 1
    assert "org/model-v2: the two runs differ in model_name, pretrained\n" in out
    several = run(tmp_path / "several")
    run(several, lower_in(2), name="org/other")
    assert gate(capsys, several, "--against", last)[0] == 0
    status, out, _ = gate(capsys, last, "--against", several)
    assert status == 2
    assert "org/other: no run of org/other is among the new results" in out


def test_the_margin_belongs_to_a_metric_and_lies_on_its_scale(capsys, last):
    with pytest.raises(SystemExit) as exit_:
        main(["gate", str(last), "--against", str(last), "--worse-by", "0.02"])
    assert exit_.value.code == 2
    assert capsys.readouterr().err.startswith("error: --worse-by 0.02: name its metric first")
    words = ("--metric", "strategy_acc", "--worse-by", "2")
    status, out, _ = gate(capsys, last, "--against", last, *words)
    assert status == 2
    assert "a drop of strategy_acc lies between 0 and 1 (0.02 are 2 points)" in out


def test_several_metrics_are_corrected_together(capsys, last, worse):
    words = ("--metric", "strategy_acc", "--metric", "unparsed", "--metric", "rouge_l")
    _, out, _ = gate(capsys, worse, "--against", last, *words)
    assert "over 3 metrics" in out


@pytest.mark.parametrize("name", HOSTILE)
def test_junit_and_markdown_hold_whatever_a_name_holds(name):
    column = columns.column(REF, "strategy_acc", "signature")
    before = Clustered(*[tuple("abcd")] * 2, np.full(4, 4), np.array([4.0, 3, 4, 4]), None, SHARE)
    change = corrected([drops.change(before, replace(before, sums=np.zeros(4)), True)])
    refusal = Refusal(name, name, name, name)
    outcome = Outcome((Compared(name, column, change[0], (name,)),), (refusal,), ())
    suite = ET.fromstring(as_junit(outcome))
    assert suite.attrib == {"name": "csc gate", "tests": "2", "failures": "1", "errors": "1"}
    assert suite.find("testcase/failure").get("message").endswith("over 1 metric")
    lines = as_markdown(outcome).splitlines()
    assert lines[0] == "## csc gate: worse"
    # A table's row has as many cells as its head, whatever the name holds.
    cells = {re.sub(r"\\.", "", line).count("|") for line in lines if line.startswith("|")}
    assert cells == {11}


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (-0.1, -0.00004, "-5.0 (-10.0 to -0.004)"),
        (-0.1, 0.00004, "-5.0 (-10.0 to +0.004)"),
        (-0.1, 0.0, "-5.0 (-10.0 to +0.0)"),
    ],
)
def test_a_bound_beside_0_says_on_which_side_it_lies(low, high, shown):
    """It decides whether a drop is significant."""
    column = columns.column(REF, "strategy_acc", "signature")
    before = Clustered(*[tuple("abcd")] * 2, np.full(4, 4), np.array([4.0, 3, 4, 4]), None, SHARE)
    change = drops.change(before, replace(before, sums=np.array([4.0, 2, 4, 4])), True)
    (made,) = corrected([replace(change, difference=-0.05, low=low, high=high)])
    outcome = Outcome((Compared("org/model", column, made, ()),), (), ())
    assert f"| {shown} |" in as_markdown(outcome)


def test_junit_says_why_nothing_can_be_told(capsys, tmp_path, last):
    xml, markdown = tmp_path / "a" / "gate.xml", tmp_path / "gate.md"
    files = ("--junit", xml, "--markdown", markdown)
    assert gate(capsys, tmp_path / "none", "--against", last, *files)[0] == 2
    suite = ET.parse(xml).getroot()
    assert suite.attrib == {"name": "csc gate", "tests": "1", "failures": "0", "errors": "1"}
    assert "no such file" in suite.find("testcase/error").get("message")
    assert markdown.read_text("utf-8").startswith("## csc gate: cannot tell\n\ncannot tell: ")
    assert gate(capsys, last, "--against", last, *files)[0] == 0
    assert [case.attrib for case in ET.parse(xml).getroot()] == [
        {"classname": "org/model.csc_conv_ref", "name": "csc_conv_ref/strategy_acc"}
    ]
    status, _, err = gate(capsys, last, "--against", last, "--junit", last)
    assert status == 2
    assert err.startswith(f"error: {last}: cannot be written")
