"""The diagnosis of one model against counts made by hand and, for stage order, against trying every
assignment.
"""

import dataclasses
import itertools
import json
import random
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import sklearn.metrics

from csc_tasks.conversation import Conversation, Turn
from csc_tasks.errors import DataError
from csc_tasks.evidence import read_evidence
from csc_tasks.framework import BY_ID, STAGES, STRATEGY_IDS
from csc_tasks.metrics.stage_order import fewest_backward_moves
from csc_tasks.question import Question
from csc_tasks.runs.finding import find_results
from csc_tasks.runs.results_file import read_results
from leaderboard.numbers import context_gap, diagnose
from leaderboard.numbers.assemble import gaps, variants
from leaderboard.numbers.fact_audit import Support
from leaderboard.numbers.measured import Options, measure
from tests.support.made_results import (
    conversation_result,
    conversations,
    csc_of,
    numbered,
    question_result,
    right,
    write_run,
)

PLAIN = Options(seed=0, draw=3, audit=True, evidence={})


def measured(root, options=PLAIN):
    """task -> Measured of the one run below `root`."""
    return {
        m.task: measure(m, options) for file in find_results([root]) for m in read_results(file, [])
    }


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    root = tmp_path_factory.mktemp("run")
    items = conversations(9, ("GT", "EM", "ID", "EM", "AC"))
    results = [
        conversation_result("csc_conv_ref", items, numbered(3)),
        conversation_result("csc_conv_gen", items, right(0.5)),
    ]
    write_run(root, "org/one", results)
    return measured(root)


def test_stage_order_is_the_best_of_all_assignments():
    draw = random.Random(0)
    place = {stage.id: i for i, stage in enumerate(STAGES)}

    def by_trying(strategies):
        sets = [
            [place[stage] for stage in BY_ID[s].stages] for s in strategies if s and BY_ID[s].stages
        ]
        return min(
            sum(b < a for a, b in itertools.pairwise(way)) for way in itertools.product(*sets)
        )

    for _ in range(1500):
        strategies = [draw.choice([*STRATEGY_IDS, None]) for _ in range(draw.randint(0, 8))]
        assert fewest_backward_moves(strategies) == by_trying(strategies), strategies


def test_stage_order_by_hand():
    assert fewest_backward_moves(["GT", "IV", "RP", "PR", "PS", "RI", "FR", "AC"]) == 0
    # Emotional Management may be in the stage of what comes before or after it.
    assert fewest_backward_moves(["GT", "EM", "RP", "EM", "RI", "EM", "AC"]) == 0
    assert fewest_backward_moves(["AC", "GT"]) == 1
    assert fewest_backward_moves(["RI", "GT", None, "Others", "AC", "RP"]) == 2
    assert fewest_backward_moves([]) == 0


def test_where_nothing_is_parsed_there_is_no_order_to_keep(tmp_path):
    """Nine conversations without one parsed strategy: no share of them is "in order", gold's is."""
    items = conversations(9, ("GT", "EM", "ID", "EM", "AC"))
    nothing = conversation_result("csc_conv_ref", items, lambda item, turn: (None, "a reply"))
    write_run(tmp_path, "org/none", [nothing])
    found = measured(tmp_path)["csc_conv_ref"].diagnosis["stage_order"]
    for value in (found.predicted, found.difference, found.predicted_in_order):
        assert (value.value, value.low, value.items, value.clusters) == (None, None, 0, 0)
    assert (found.gold.value, found.gold_in_order.value, found.gold.clusters) == (0.0, 1.0, 9)


def test_a_conversation_without_a_parsed_strategy_is_left_out_of_the_order(tmp_path):
    """Of four, two are parsed, and one of them goes back (AC before GT): half of two."""
    items = conversations(4, ("GT", "AC"))
    answers = {
        item.conversation_id: pair
        for item, pair in zip(
            items, ((None, None), ("AC", "GT"), (None, "Others"), ("GT", "AC")), strict=True
        )
    }

    def answer(item, turn):
        return answers[item.conversation_id][item.scored_turns().index(turn)], "a reply"

    write_run(tmp_path, "org/some", [conversation_result("csc_conv_ref", items, answer)])
    found = measured(tmp_path)["csc_conv_ref"].diagnosis["stage_order"]
    assert (found.predicted_in_order.value, found.predicted_in_order.clusters) == (0.5, 2)
    assert (found.predicted.value, found.difference.value, found.difference.clusters) == (
        0.5,
        0.5,
        2,
    )


def test_confusion_and_strategy_scores(run):
    diagnosis = run["csc_conv_ref"].diagnosis
    table = diagnosis["confusion"]
    at = {label: i for i, label in enumerate(table.predicted)}
    # Nine conversations GT EM ID EM AC: the last turn is unparsed; in cases 0, 3, 6 everything is
    # EM.
    counts = np.asarray(table.counts)
    assert counts.sum() == 45 and counts[at["AC"], at["unparsed"]] == 9
    assert (counts[at["GT"], at["GT"]], counts[at["GT"], at["EM"]], counts[at["EM"], at["EM"]]) == (
        6,
        3,
        18,
    )
    assert diagnosis["unparsed"].value == pytest.approx(0.2)
    gold = ["GT", "EM", "ID", "EM", "AC"] * 9
    ours = [
        label
        for case in range(9)
        for label in (["GT", "EM", "ID", "EM"] if case % 3 else ["EM"] * 4) + ["unparsed"]
    ]
    expected = sklearn.metrics.precision_recall_fscore_support(
        gold, ours, labels=["GT", "EM", "ID"]
    )
    scores = {score.strategy: score for score in diagnosis["strategies"]}
    for i, label in enumerate(("GT", "EM", "ID")):
        found = scores[label]
        assert (found.precision, found.recall, found.f1, found.gold) == pytest.approx(
            tuple(row[i] for row in expected)
        )
    assert (scores["AC"].precision, scores["AC"].recall, scores["AC"].f1) == (None, 0.0, 0.0)
    assert (scores["RC"].precision, scores["RC"].recall, scores["RC"].f1) == (None, None, None)


def test_transitions(run):
    found = run["csc_conv_ref"].diagnosis["transitions"]
    row, column = (
        {label: i for i, label in enumerate(found.before)},
        {label: i for i, label in enumerate(found.after)},
    )
    assert found.gold[row["START"]][column["GT"]] == 9 and found.gold[row["EM"]][column["AC"]] == 9
    assert (
        found.predicted[row["START"]][column["GT"]] == 6
        and found.predicted[row["START"]][column["EM"]] == 3
    )
    # The step to the unparsed last turn is no step.
    assert found.predicted[row["EM"]][column["AC"]] == 0 and found.skipped == 9
    # By hand: START 1/3 apart (9 steps), GT 0 (9); from EM: gold ID 1/2, AC 1/2, ours ID 6/15, EM
    # 9/15 -> 0.6 (18); ID 0 (9).
    assert found.distance == pytest.approx((9 / 3 + 18 * 0.6) / 45)


def test_stage_order_of_a_run(run):
    found = run["csc_conv_gen"].diagnosis["stage_order"]
    # Right on GT EM ID (three of five turns), then Others twice: no stage, no move.
    assert (found.predicted.value, found.gold.value, found.gold_in_order.value) == (0.0, 0.0, 1.0)
    assert (found.predicted.clusters, found.predicted_in_order.value, found.difference.value) == (
        9,
        1.0,
        0.0,
    )


def test_steps_back_are_counted_per_conversation(tmp_path):
    """In every second conversation the reply to the closing turn is a greeting: one step back in
    half of them.
    """
    items = conversations(4, ("GT", "PS", "AC"))

    def answer(item, turn):
        back = item.scored_turns().index(turn) == 2 and int(item.conversation_id[-1]) % 2
        return "GT" if back else item.dialogue[turn].strategy, "text"

    write_run(tmp_path, "org/one", [conversation_result("csc_conv_ref", items, answer)])
    diagnosis = measured(tmp_path)["csc_conv_ref"].diagnosis
    found = diagnosis["stage_order"]
    assert (found.predicted.value, found.gold.value, found.difference.value) == (0.5, 0.0, 0.5)
    assert (found.predicted_in_order.value, found.gold_in_order.value) == (0.5, 1.0)
    # PS is always right: as many predicted as there are.
    scores = {score.strategy: score for score in diagnosis["strategies"]}
    assert (scores["PS"].precision, scores["PS"].recall, scores["PS"].f1) == (1.0, 1.0, 1.0)
    assert (scores["GT"].precision, scores["GT"].recall, scores["GT"].f1) == pytest.approx(
        (4 / 6, 1.0, 8 / 10)
    )


def test_only_means_are_broken_down():
    """A corpus metric of a later version is one whose items are lists, even where the first of them
    is missing.
    """
    items = {
        "rouge_l": [0.5, None],
        "bleu_4": [[1, 2], [1, 2]],
        "odd": [None, [1, 2]],
        "judge_a_overall": [None, 70],
        "judge_a_tone": [1, 2],
        "truncated": [0, 1],
        "empty": [0, 1],
        "unparsed": [0, 1],
        "bartscore_norm": [0.1, 0.2],
    }
    found = diagnose.mean_columns(SimpleNamespace(items=items))
    assert set(found) == {"rouge_l", "judge_a_overall", "unparsed"}
    assert np.array_equal(found["rouge_l"], [0.5, np.nan], equal_nan=True)
    assert np.array_equal(found["judge_a_overall"], [np.nan, 70], equal_nan=True)


def test_breakdowns(run):
    found = {
        b.by: {g.name: g for g in b.groups} for b in run["csc_conv_ref"].diagnosis["breakdowns"]
    }
    assert set(found) == {"stage", "topic", "language", "turn_index"}
    assert found["turn_index"]["1"].values["strategy_acc"].value == pytest.approx(6 / 9)
    assert found["turn_index"]["5"].values["strategy_acc"].value == 0.0
    assert found["turn_index"]["5"].values["unparsed"].value == 1.0
    # Even numbers are Others: cases 0, 2, 4, 6, 8, of which 0 and 6 get only the two EM turns
    # right.
    assert found["topic"]["Others"].values["strategy_acc"].value == pytest.approx(
        (3 * 4 + 2 * 2) / 25
    )
    assert (found["topic"]["Others"].items, found["topic"]["Others"].clusters) == (25, 5)
    # Resolving: EM, ID, EM of each conversation.
    assert found["stage"]["Resolving"].items == 27
    assert found["stage"]["Resolving"].values["strategy_acc"].value == pytest.approx(
        (6 * 3 + 3 * 2) / 27
    )


def test_lengths(run):
    (found,) = run["csc_conv_ref"].diagnosis["lengths"]
    assert (found.language, found.unit, found.items) == ("en", "words", 45)
    # References have six words; replies too, but the last turn's has four ("no label at all").
    assert found.reference == (6.0, 6.0, 6.0, 6.0)
    assert found.reply[0] == pytest.approx((4 * 6 + 4) / 5) and found.reply[2] == 6.0


def test_the_context_gap(run):
    (found,) = gaps("t", run)
    gap = next(g for g in found.gaps if g.metric == "strategy_acc")
    # Reference context: 6/9, 1, 6/9, 1, 0. Generated: 1, 1, 1, 0, 0.
    differences = [point.difference.value for point in gap.points]
    assert differences == pytest.approx([-1 / 3, 0.0, -1 / 3, 1.0, 0.0])
    assert gap.overall.value == pytest.approx(sum(differences) / 5)
    assert gap.first_significant == 4
    # EM, EM, EM, EM, unparsed against GT, EM, ID, Others, Others: from the first turn in three
    # cases, else from the fourth.
    assert (
        found.divergence.firsts == (3, 0, 0, 6)
        and found.divergence.never == 0
        and found.divergence.median == 4.0
    )


def logged(predicted, index=None, ids=("a", "b")):
    """Two turns of each of two conversations."""
    return SimpleNamespace(
        ids=list(ids),
        conversation=np.array([0, 0, 1, 1]),
        turn=np.array([1, 3, 1, 3]),
        index=np.array(index or [1, 2, 1, 2]),
        predicted=np.array(predicted),
    )


def test_the_gap_is_over_turns_that_both_runs_know():
    """The second run has its conversations in the other order, and one score of each run is
    unknown.
    """
    reference, generated = logged([1] * 4), logged([1] * 4, ids=("b", "a"))
    unknown = float("nan")
    with_gold = {
        "score": np.array([1.0, 0.8, unknown, 0.6]),
        "only_here": np.ones(4),
        "unparsed": np.zeros(4),
    }
    with_own = {"score": np.array([0.9, 0.1, 0.5, unknown]), "unparsed": np.zeros(4)}
    (gap,) = context_gap.context_gaps(reference, generated, with_gold, with_own)
    # a: 1.0 - 0.5 at the first turn, its second is unknown in generated context; b: the second, 0.6
    # - 0.1.
    assert gap.metric == "score"
    assert [(p.turn_index, p.reference.value, p.generated.value) for p in gap.points] == [
        (1, 1.0, 0.5),
        (2, 0.6, 0.1),
    ]
    assert [p.difference.value for p in gap.points] == pytest.approx([0.5, 0.5])
    assert (gap.overall.value, gap.overall.items, gap.overall.clusters) == (
        pytest.approx(0.5),
        2,
        2,
    )
    assert gap.first_significant is None, "one conversation has no interval"
    nothing = {"score": np.full(4, unknown)}
    assert context_gap.context_gaps(reference, generated, nothing, with_own) == ()


def test_where_the_two_contexts_part(monkeypatch):
    found = context_gap.divergence(logged([1, 2, 3, 0]), logged([1, 5, 3, 0]))
    assert (found.conversations, found.never, found.median, found.firsts) == (2, 1, 2.0, (0, 1))
    # The second run has b first: a differs at its first turn, b nowhere.
    other = context_gap.divergence(logged([1, 2, 3, 0]), logged([3, 0, 4, 2], ids=("b", "a")))
    assert (other.never, other.firsts) == (1, (1,))
    same = context_gap.divergence(logged([1, 2, 3, 0]), logged([1, 2, 3, 0]))
    assert (same.never, same.median, same.firsts) == (2, None, ())
    # Where nothing was parsed nothing agrees either: one conversation counts, then none.
    half = context_gap.divergence(logged([0, 0, 3, 0]), logged([0, 0, 3, 0]))
    assert (half.conversations, half.never) == (1, 1)
    assert context_gap.divergence(logged([0] * 4), logged([0] * 4)) is None
    for one, other in (([-1] * 4, [1] * 4), ([1] * 4, [-1] * 4)):
        assert context_gap.divergence(logged(one), logged(other)) is None
    # From the last turn that is shown on, all are one.
    monkeypatch.setattr(context_gap, "MOST_TURNS", 3)
    late = context_gap.divergence(
        logged([1, 1, 1, 1], [9, 10, 9, 10]), logged([2, 2, 1, 2], [9, 10, 9, 10])
    )
    assert (late.firsts, late.median) == ((0, 0, 2), 9.5)


def test_groups_beyond_the_most_are_one_and_a_single_group_is_left_out(tmp_path, monkeypatch):
    """Topics of 3, 2, 2 and 1 conversations: with two to show, the commonest and of the two equal
    ones the first by name.
    """
    topics = ("b", "b", "b", "d", "d", "c", "c", "a")
    items = [
        dataclasses.replace(item, topic=topic)
        for item, topic in zip(conversations(8, ("GT", "AC")), topics, strict=True)
    ]
    write_run(tmp_path / "many", "org/one", [conversation_result("csc_conv_ref", items, right(1))])
    monkeypatch.setattr(diagnose, "MOST_TOPICS", 2)
    found = {
        b.by: b.groups for b in measured(tmp_path / "many")["csc_conv_ref"].diagnosis["breakdowns"]
    }
    assert [(group.name, group.clusters, group.items) for group in found["topic"]] == [
        ("b", 3, 6),
        ("c", 2, 4),
        ("(all others)", 3, 6),
    ]
    monkeypatch.setattr(diagnose, "MOST_TOPICS", 4)
    found = {
        b.by: b.groups for b in measured(tmp_path / "many")["csc_conv_ref"].diagnosis["breakdowns"]
    }
    assert [group.name for group in found["topic"]] == ["a", "b", "c", "d"]
    items = [dataclasses.replace(item, topic="b") for item in items]
    write_run(tmp_path / "one", "org/one", [conversation_result("csc_conv_ref", items, right(1))])
    found = {
        b.by: b.groups for b in measured(tmp_path / "one")["csc_conv_ref"].diagnosis["breakdowns"]
    }
    assert "topic" not in found and [group.name for group in found["language"]] == ["en"]


def test_facts_without_support(tmp_path):
    dialogue = (
        Turn("customer", "I paid $40 for order A1234567."),
        Turn("supporter", "You paid $40, and the fee was $7.", "RP"),
        Turn("customer", "Yes."),
        Turn("supporter", "It comes back.", "RI"),
    )
    items = [Conversation(f"c{i}", "en", "Others", "test", dialogue) for i in range(2)]
    said = {1: "You paid $40 for A1234567.", 3: "We return $7 and $99 within the week."}
    for task in ("csc_conv_ref", "csc_conv_gen"):
        write_run(
            tmp_path / task,
            "org/one",
            [conversation_result(task, items, lambda item, turn: ("RP", said[turn]))],
        )
    reference = measured(tmp_path / "csc_conv_ref")["csc_conv_ref"].diagnosis["facts"]
    assert (reference.hallucination_rate.value, reference.facts, reference.unsupported) == (
        0.5,
        8,
        2,
    )
    assert reference.kinds["amount"] == (6, 2) and reference.examples[0].text == "$99"
    # The gold supporter's $7 was never said where the model's own turns stand in its place.
    generated = measured(tmp_path / "csc_conv_gen")["csc_conv_gen"].diagnosis["facts"]
    assert (generated.hallucination_rate.value, generated.unsupported) == (0.5, 4)
    evidence = tmp_path / "evidence.jsonl"
    evidence.write_text(
        '{"conversation_id": "c0", "turn": 3, "passages": ["Refunds up to $99."]}\n\n',
        encoding="utf-8",
    )
    options = Options(0, 3, True, read_evidence(evidence))
    found = measured(tmp_path / "csc_conv_ref", options)["csc_conv_ref"]
    assert found.diagnosis["facts"].unsupported == 1 and found.unsupported == {("c1", 3): ("$99",)}
    assert "evidence" in found.diagnosis["facts"].support


def test_what_is_said_later_supports_nothing_before(tmp_path):
    """$55 is first named by the customer's second turn: the reply before it invented it, the one
    after it repeats it.
    """
    dialogue = (
        Turn("customer", "My bill is wrong."),
        Turn("supporter", "Which one?", "PR"),
        Turn("customer", "The one of $55."),
        Turn("supporter", "I see.", "RP"),
    )
    items = [Conversation(f"c{i}", "en", "Others", "test", dialogue) for i in range(2)]
    said = {1: "The one of $55?", 3: "The one of $55, yes."}
    write_run(
        tmp_path,
        "org/one",
        [conversation_result("csc_conv_ref", items, lambda item, turn: ("RP", said[turn]))],
    )
    found = measured(tmp_path)["csc_conv_ref"]
    assert (found.diagnosis["facts"].facts, found.diagnosis["facts"].unsupported) == (4, 2)
    assert found.unsupported == {("c0", 1): ("$55",), ("c1", 1): ("$55",)}


def test_what_a_document_does_not_tell_supports_nothing():
    document = {
        "conversation_id": "c0",
        "history_summary": "",
        "instruction": None,
        "client_question": "Why $5?",
    }
    support = Support(document, False, {"c0": {None: ["$6"], 2: ["$7"]}}, {})
    assert support.told == {"client_question": "Why $5?"}
    assert (support.before(0), support.before(2)) == (["Why $5?", "$6"], ["Why $5?", "$6", "$7"])
    assert (support.all(), support.passages(2)) == (["Why $5?", "$6", "$6", "$7"], ["$6", "$7"])


def test_a_turn_without_a_text_is_named():
    for turn in ("text", {"speaker": "customer"}, {"speaker": "customer", "text": 3}, None):
        with pytest.raises(DataError, match="c0: turn 1 of dialogue is"):
            Support(
                {"conversation_id": "c0", "dialogue": [{"speaker": "customer", "text": "x"}, turn]},
                False,
                {},
                {},
            )


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "[" * 9000,
        '{"conversation_id": 3, "passages": []}',
        '{"conversation_id": "a", "passages": "text"}',
        '{"conversation_id": "a", "passages": ["x", 3]}',
        '{"conversation_id": "a", "turn": "3", "passages": []}',
        '{"conversation_id": "a", "turn": true, "passages": []}',
    ],
)
def test_evidence_that_cannot_be_read(tmp_path, line):
    file = tmp_path / "evidence.jsonl"
    file.write_text('{"conversation_id": "a", "passages": ["x"]}\n' + line, encoding="utf-8")
    with pytest.raises(DataError, match=r"line 2: (not|broken JSON|nested too deeply)"):
        read_evidence(file)


def question(number, summary=""):
    history = (Turn("customer", "Hello."),)
    stage = ("early", "mid", "late")[number % 3]
    texts = summary, "Where is it?", "Here.", "It is here now."
    return Question(f"q{number}", number % 3, 3, stage, "en", "Others", "test", "", history, *texts)


def test_questions_by_part_and_by_variant(tmp_path):
    plain, short = (
        [question(i, "long summary") for i in range(6)],
        [question(i, "short") for i in range(6)],
    )

    def answer(q):
        return (
            "It is here now." if q.stage == "early" or q.history_summary == "short" else "No idea."
        )

    write_run(tmp_path / "a", "org/one", [question_result("csc_qa", plain, answer)])
    write_run(tmp_path / "b", "org/one", [question_result("csc_qa", short, answer, "qa_short")])
    one, two = measured(tmp_path / "a")["csc_qa"], measured(tmp_path / "b")["csc_qa"]
    parts = next(b for b in one.diagnosis["breakdowns"] if b.by == "part")
    assert [(g.name, g.values["rouge_l"].value) for g in parts.groups] == [
        ("early", 1.0),
        ("mid", 0.0),
        ("late", 0.0),
    ]
    found = {(v.config, v.metric): v for v in variants([one, two])}
    assert (
        found["qa", "rouge_l"].value.value == pytest.approx(1 / 3)
        and found["qa", "rouge_l"].difference is None
    )
    assert found["qa_short", "rouge_l"].difference.value == pytest.approx(2 / 3)
    assert variants([one]) == []
    assert all(v.claimed and v.within == "" for v in variants([one, two]))  # nothing is trusted


def test_variants_of_the_summaries_are_against_the_plain_ones_of_their_own_corpus(tmp_path):
    """Shares of right answers: 6 of 6 and 0 of 6 on one corpus, 2 of 6 and 6 of 6 on the other."""
    plain = [question(i, "long summary") for i in range(6)]
    short = [replace(one, history_summary="short") for one in plain]
    runs = []
    for corpus, good in (("one", {"long summary"}), ("two", {"early", "short"})):

        def answer(q, good=good):
            right = good & {q.history_summary, q.stage}
            return "It is here now." if right else "No idea."

        def name(results, corpus=corpus):
            for config in results["configs"].values():
                config["metadata"]["csc"]["corpus"] = corpus

        for config, items in (("qa", plain), ("qa_short", short)):
            result = question_result("csc_qa", items, answer, config)
            write_run(tmp_path / corpus / config, "org/one", [result], name)
            runs.append(measured(tmp_path / corpus / config)["csc_qa"])
    found = {(v.within, v.config): v for v in variants(runs) if v.metric == "rouge_l"}
    assert {key: one.value.value for key, one in found.items()} == {
        ("corpus one", "qa"): 1.0,
        ("corpus one", "qa_short"): 0.0,
        ("corpus two", "qa"): pytest.approx(1 / 3),
        ("corpus two", "qa_short"): 1.0,
    }
    assert found["corpus one", "qa_short"].difference.value == -1.0
    assert found["corpus two", "qa_short"].difference.value == pytest.approx(2 / 3)


def test_a_metric_of_a_later_version_keeps_its_number(tmp_path):
    """Means over items can be taken of any metric; a corpus metric that is not known here stands as
    the file has it.
    """
    items = conversations(4)
    result = conversation_result("csc_conv_ref", items, right(1))

    def later(results):
        entries = results["results"]["csc_conv_ref"]
        entries |= {
            "judge_overall,none": 4.5,
            "judge_overall_stderr,none": 0.1,
            "odd,none": 12.0,
            "odd_stderr,none": 1.0,
        }
        csc_of(results)["signatures"] |= {"judge_overall": "judge|v1", "odd": "odd|v1"}

    file = write_run(tmp_path, "org/one", [result], later)
    samples = next(file.parent.glob("samples_*.jsonl"))
    lines = [json.loads(line) for line in samples.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        line["judge_overall"] = [line["doc"]["conversation_id"], [4.0, 5.0, 4.0, 5.0]]
        line["odd"] = [line["doc"]["conversation_id"], [[1, 2]] * 4]
    samples.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    found = measured(tmp_path)["csc_conv_ref"]
    assert found.values["judge_overall"].value == 4.5 and "judge_overall" in found.columns
    assert found.values["odd"].value == 12.0 and "odd" not in found.columns
    assert "odd is no metric of this version" in found.notes[0]
