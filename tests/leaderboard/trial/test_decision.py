"""The sentence: one model is chosen where it is significantly better, and else the number of
conversations that may tell is that of csc power.
"""

from dataclasses import replace

import pytest
from statsmodels.stats.power import TTestPower

from csc_tasks.errors import DataError
from leaderboard.gate_pairs import read_runs
from leaderboard.trial.decision import decide
from tests.support.made_results import conversation_result, conversations, right, write_run

REF = "csc_conv_ref"
ITEMS = conversations(24)


def first_wrong(every, text="gold answer"):
    """Wrong on the first turn of every so-manieth conversation."""

    def answer(item, turn):
        number = int(item.conversation_id[-3:])
        wrong = turn == item.scored_turns()[0] and number % every == 0
        return ("Others" if wrong else item.dialogue[turn].strategy), text

    return answer


def runs(root, answers, items=ITEMS, tasks=(REF,)):
    read = {}
    for name, answer in answers.items():
        write_run(root / name, name, [conversation_result(task, items, answer) for task in tasks])
        (own,) = read_runs(root / name, []).values()
        read[name] = {task: of[0] for task, of in own.items()}
    return read


def test_the_better_one_is_chosen(tmp_path):
    decision = decide(runs(tmp_path, {"a": first_wrong(2), "b": right(1.0)}), [REF])
    # Wrong on 12 of 96 turns, in half of 24 conversations: SE sqrt(0.015625 / 23), t 2.069.
    assert decision.sentence == (
        "Choose b: Strategy accuracy (csc_conv_ref) 100.0 %, 12.5 points (95 % interval 7.1 to"
        " 17.9) ahead of a."
    )
    assert decision.chosen == ("b",)


def test_those_that_cannot_be_told_apart_are_named_with_what_it_takes(tmp_path):
    decision = decide(runs(tmp_path, {"a": first_wrong(12), "b": right(1.0)}), [REF])
    # 2 of 24 conversations are lower by a quarter.
    mean, spread = 2 / 24 / 4, (2 / 24 * 22 / 24 * 24 / 23) ** 0.5 / 4
    needed = TTestPower().solve_power(effect_size=mean / spread, power=0.8, alpha=0.05)
    (pair,) = decision.pairs.values()
    assert pair.more == -(-needed // 1) - 24
    assert decision.chosen == ("b", "a")
    assert decision.sentence.startswith(
        f"b or a: not distinguishable yet, about {pair.more} more conversations; Strategy accuracy"
    )


def test_where_nothing_differs_no_number_is_named(tmp_path):
    decision = decide(runs(tmp_path, {"a": right(1.0), "b": right(1.0)}), [REF])
    assert decision.sentence.startswith(
        "a or b: not distinguishable yet, no number of conversations can be named that would tell;"
    )


def test_the_first_and_all_that_are_like_it_are_named(tmp_path):
    answers = {"a": first_wrong(2), "b": first_wrong(12), "c": right(1.0)}
    decision = decide(runs(tmp_path, answers), [REF])
    assert decision.chosen == ("c", "b")
    assert list(decision.order) == ["c", "b", "a"]
    assert decision.pairs["c", "a"].gap.significant


def test_without_labels_replies_decide_and_the_sentence_says_so(tmp_path):
    bare = [
        replace(one, dialogue=tuple(replace(turn, strategy="") for turn in one.dialogue))
        for one in ITEMS
    ]

    def gold(item, turn):
        return None, item.dialogue[turn].text

    read = runs(tmp_path, {"a": lambda item, turn: (None, "no"), "b": gold}, bare)
    decision = decide(read, [REF])
    # Nothing varies: 1 - u * 2 with u = 1 - 0.025^(1/24) = 0.1425.
    assert decision.sentence == (
        "Choose b: ROUGE-L (csc_conv_ref) 100.00 %, 100.00 points (95 % interval 71.51 to 100.00)"
        " ahead of a. Compared by likeness to the recorded replies: no strategies are labelled."
    )


def test_the_first_task_that_all_have_decides(tmp_path):
    read = runs(tmp_path, {"a": right(0.5), "b": right(1.0)}, tasks=(REF, "csc_conv_gen"))
    assert decide(read, [REF, "csc_conv_gen"]).column.task == REF
    del read["a"][REF]
    assert decide(read, [REF, "csc_conv_gen"]).column.task == "csc_conv_gen"
    with pytest.raises(DataError, match="no ranked metric in common in csc_conv_ref"):
        decide(read, [REF])


def on(root, **candidates):
    """Name -> (answer, the conversations that it was asked)."""
    read = {}
    for name, (answer, items) in candidates.items():
        read |= runs(root, {name: answer}, items)
    return read


def test_the_order_is_that_on_the_conversations_that_all_have(tmp_path):
    """a is right in 12 other conversations and never in those that b has too, where b is right on
    the first of four turns: 50 % against 25 %, and yet b is the better one.
    """

    def late(item, turn):
        wrong = int(item.conversation_id[-3:]) < 12
        return ("Others" if wrong else item.dialogue[turn].strategy), "x"

    decision = decide(on(tmp_path, a=(late, ITEMS), b=(right(0.25), ITEMS[:12])), [REF])
    assert list(decision.order) == ["b", "a"]
    assert {name: value.value for name, value in decision.order.items()} == {"b": 0.25, "a": 0.0}
    assert decision.why.endswith(", on the 12 of 24 conversations that all have whole")
    assert decision.pairs["b", "a"].gap.ahead == 0.25
    # 12 conversations that all differ alike: Clopper and Pearson leave 26.5 % to be otherwise.
    assert decision.chosen == ("b", "a")


def test_without_a_conversation_in_common_nothing_is_chosen(tmp_path):
    apart = on(tmp_path, a=(right(1.0), ITEMS[:12]), b=(right(0.25), ITEMS[12:]))
    with pytest.raises(DataError, match="no conversation in common"):
        decide(apart, [REF])


def test_turns_that_failed_count_as_wrong(tmp_path):
    """Half of a's four turns have no reply, and it is right on the others: 50 %, not 100 %."""

    def half(item, turn):
        answered = item.scored_turns().index(turn) % 2
        return (item.dialogue[turn].strategy if answered else None), "x" if answered else ""

    decision = decide(runs(tmp_path, {"a": half, "b": right(0.75)}), [REF])
    assert {name: value.value for name, value in decision.order.items()} == {"b": 0.75, "a": 0.5}
    assert decision.chosen == ("b",)
