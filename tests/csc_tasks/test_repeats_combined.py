"""csc_repeats together with references that are held out, and with passages. Expected numbers are
worked out by hand from the planted replies.
"""

import json
from collections import Counter
from dataclasses import replace

import pytest

from csc_tasks.cli import main
from csc_tasks.conversation import HELD_OUT, Turn
from csc_tasks.evidence import open_evidence
from csc_tasks.runs.results_file import read_results
from csc_tasks.runs.samples_file import read_run
from csc_tasks.verify import Trust, Trusted, trusted_corpora
from csc_tasks.verify.examine import examine_run
from csc_tasks.verify.references import read_references
from leaderboard.folder import load_board
from tests.support.fakes import sample_questions, write_corpus
from tests.support.handed_in import forged, hand_in, verdicts
from tests.support.repeated import SAMPLING, planted, repeated_run, two_conversations

REF, VANILLA, GEN = "csc_conv_ref", "cscx_conv_ref_vanilla", "csc_conv_gen"
PASS, WORST = "strategy_acc_pass_3", "strategy_acc_worst_3"


def without(conversation, every):
    """A conversation without its last supporter turn, or without all of them."""
    scored = conversation.scored_turns()
    out = scored if every else scored[-1:]
    dialogue = [
        Turn(turn.speaker, HELD_OUT, HELD_OUT) if place in out else turn
        for place, turn in enumerate(conversation.dialogue)
    ]
    return replace(conversation, dialogue=tuple(dialogue))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The whole corpus, and the one without last turns or without all, with their references."""
    root = tmp_path_factory.mktemp("held_out")
    whole = two_conversations()
    write_corpus(root / "whole", whole)
    for name, every in (("last", False), ("all", True)):
        write_corpus(root / name, [without(one, every) for one in whole])
        rows = [
            {
                "conversation_id": one.conversation_id,
                "turn": turn,
                "reference": one.dialogue[turn].text,
                "strategy": one.dialogue[turn].strategy,
            }
            for one in whole
            for turn in (one.scored_turns() if every else one.scored_turns()[-1:])
        ]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (root / f"{name}.jsonl").write_text(text, encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def held_out_run(folders, tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    return repeated_run(out, folders / "last", planted(folders / "whole"))


def numbers(results, task=REF):
    return json.loads(results.read_text(encoding="utf-8"))["results"][task]


def test_pass_k_of_a_held_out_corpus_is_of_the_turns_that_are_known(held_out_run):
    """Known are 111 101 100 of a and 0 1 0 of b: of four turns one is right three times."""
    stated = numbers(held_out_run)
    assert stated["strategy_acc,none"] == pytest.approx(7 / 12)
    assert stated[f"{PASS},none"] == pytest.approx(1 / 4)
    assert stated[f"{WORST},none"] == pytest.approx((1 / 3 + 0) / 2)


def test_whoever_holds_the_references_has_pass_k_of_the_whole_corpus(held_out_run, folders):
    trusted = trusted_corpora([str(folders / "last")])
    (verdict,) = verdicts(held_out_run, trusted).values()
    assert not verdict.contradicted and verdict.trust is Trust.CLAIMED
    references = read_references(folders / "last.jsonl")
    (verdict,) = verdicts(held_out_run, trusted, references).values()
    assert verdict.findings == () and verdict.trust is Trust.RESCORED
    assert verdict.number("strategy_acc").recomputed.value == pytest.approx(10 / 18)
    assert verdict.number(PASS).recomputed.value == pytest.approx(2 / 6)
    assert verdict.number(WORST).recomputed.value == pytest.approx((1 / 4 + 1 / 2) / 2)


def test_the_board_has_the_verifiers_numbers(held_out_run, folders, tmp_path):
    words = ["collect", str(held_out_run), "--out", str(tmp_path), "--corpus"]
    words += [str(folders / "last"), "--references", str(folders / "last.jsonl")]
    assert main(words) == 0
    (row,) = load_board(tmp_path).tables[0].rows
    for name, value in (("strategy_acc", 10 / 18), (PASS, 2 / 6), (WORST, 3 / 8)):
        assert row.values[f"{REF}/{name}"].value == pytest.approx(value), name
        assert row.trusts[f"{REF}/{name}"] is Trust.RESCORED, name


def test_where_all_turns_are_held_out_nothing_is_known_and_then_everything(folders, tmp_path):
    def reply(prompt):
        return "[Greeting] hello"

    results = repeated_run(tmp_path, folders / "all", reply, task=GEN)
    assert {numbers(results, GEN)[f"{name},none"] for name in ("strategy_acc", PASS, WORST)} == {
        "N/A"
    }
    trusted = trusted_corpora([str(folders / "all")])
    (verdict,) = verdicts(results, trusted).values()
    assert not verdict.contradicted
    (verdict,) = verdicts(results, trusted, read_references(folders / "all.jsonl")).values()
    assert verdict.findings == () and verdict.trust is Trust.RESCORED
    # A greeting is right in the first turn of each conversation: of 4 and of 2 turns.
    assert verdict.number(PASS).recomputed.value == pytest.approx(2 / 6)
    assert verdict.number(WORST).recomputed.value == pytest.approx((1 / 4 + 1 / 2) / 2)


def invented(text, lines):
    """A gold strategy that nobody told, and right by it."""
    for line in lines:
        for record, score in zip(line["turns"], line["strategy_acc"][1], strict=True):
            if score is None:
                record["gold_strategy"] = record["strategy"] = "GT"


def all_right(text, lines):
    text["results"][REF][f"{PASS},none"] = 1.0


@pytest.mark.parametrize("forge", [invented, all_right])
@pytest.mark.parametrize("referenced", [False, True])
def test_what_is_invented_of_held_out_turns_is_contradicted(
    held_out_run, folders, tmp_path, forge, referenced
):
    results = forged(held_out_run, tmp_path, REF, forge)
    references = read_references(folders / "last.jsonl") if referenced else None
    trusted = trusted_corpora([str(folders / "last")])
    (verdict,) = verdicts(results, trusted, references).values()
    assert verdict.contradicted


# Passages


GROUNDED = ("csc_qa", "cscx_qa_grounded")


@pytest.fixture(scope="module")
def grounded(tmp_path_factory):
    """(corpus, passages, a run of three repeats that was given the first passage of each
    question, of which two are held).
    """
    root = tmp_path_factory.mktemp("grounded")
    corpus = write_corpus(root / "corpus")
    rows = [
        {
            "conversation_id": one.conversation_id,
            "turn": one.turn_index,
            "passages": ["A refund takes 12 days. 退款需要12天。", "Ask within 77 days. 77天。"],
        }
        for one in sample_questions()
    ]
    passages = root / "passages.jsonl"
    passages.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    asked = Counter()

    def reply(prompt):
        """Supported in the first repeat, in the second passage alone in the others."""
        asked[prompt] += 1
        return "12" if asked[prompt] == 1 else "77"

    settings = {"csc_qa_corpus": str(corpus), "csc_evidence": str(passages)}
    settings |= {"csc_passages": 1, "csc_repeats": 3}
    run = hand_in(root / "run", GROUNDED, reply, settings, gen_kwargs=SAMPLING)
    return corpus, passages, run


def held(corpus, passages):
    return Trusted(trusted_corpora([str(corpus)]).sources, open_evidence(str(passages)))


def test_facts_are_held_to_the_passages_in_every_repeat(grounded):
    corpus, passages, run = grounded
    for task, verdict in verdicts(run, held(corpus, passages)).items():
        assert verdict.findings == () and verdict.trust is Trust.RESCORED, task
        # Of three replies to each question two say what their one passage does not.
        assert numbers(run, task)["unsupported_facts,none"] == pytest.approx(2 / 3)
        again = verdict.number("unsupported_facts").recomputed
        assert again.value == pytest.approx(2 / 3) and again.stderr == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("task", GROUNDED)
@pytest.mark.parametrize("repeats", [{0, 1}, {1}, {2}])
def test_passages_that_one_repeat_alone_was_given_are_contradicted(
    grounded, tmp_path, task, repeats
):
    """A forger adds the second passage, which is the evidence's own, where it supports a reply,
    and computes every number anew.
    """
    corpus, passages, run = grounded
    trusted = held(corpus, passages)
    second = "Ask within 77 days. 77天。"

    def add(text, lines):
        for line in lines:
            for record in line["answers"]:
                if record["repeat"] in repeats:
                    record["passages"].append(second)

    added = forged(run, tmp_path / "added", task, add)
    (measurement,) = read_results(added, [])
    made = examine_run(measurement, read_run(measurement.samples), trusted)

    def compute(text, lines):
        items = iter(made.items["unsupported_facts"])
        for line, records in zip(lines, made.records, strict=True):
            for record, own in zip(line["answers"], records, strict=True):
                record["unsupported_facts"] = own["unsupported_facts"]
            line["unsupported_facts"][1] = [next(items) for _ in records]
        again = made.verified.number("unsupported_facts").recomputed
        own = {"unsupported_facts,none": again.value, "unsupported_facts_stderr,none": again.stderr}
        text["results"][task] |= own

    results = forged(added, tmp_path / "computed", task, compute)
    assert numbers(results, task)["unsupported_facts,none"] < 2 / 3
    (verdict,) = verdicts(results, trusted).values()
    (finding,) = verdict.findings
    assert finding.contradicts and "other passages in another repeat" in finding.line()
    assert verdict.number("unsupported_facts").trust is Trust.CLAIMED


def test_a_question_that_could_not_be_asked_in_one_repeat_is_no_lie(grounded, tmp_path):
    corpus, passages, _ = grounded
    asked = Counter()

    def reply(prompt):
        asked[prompt] += 1
        return None if asked[prompt] == 2 else "12"

    settings = {"csc_qa_corpus": str(corpus), "csc_evidence": str(passages), "csc_repeats": 2}
    settings["csc_max_failed"] = 1.0
    run = hand_in(tmp_path, GROUNDED, reply, settings, gen_kwargs=SAMPLING)
    for task, verdict in verdicts(run, held(corpus, passages)).items():
        assert verdict.findings == (), task


def test_facts_that_were_looked_for_in_one_repeat_are_not_contrasted_with_a_mean(
    grounded, tmp_path
):
    """csc_qa that was given no passages has no such metric; its audit is of the first repeat."""
    corpus, passages, _ = grounded
    plain = {"csc_qa_corpus": str(corpus), "csc_repeats": 2}
    shown = plain | {"csc_evidence": str(passages)}
    for task, settings in ((GROUNDED[0], plain), (GROUNDED[1], shown)):
        hand_in(tmp_path / "runs" / task, [task], lambda _: "77", settings, gen_kwargs=SAMPLING)
    words = ["collect", str(tmp_path / "runs"), "--out", str(tmp_path / "board")]
    assert main([*words, "--corpus", str(corpus), "--evidence", str(passages)]) == 0
    (made,) = load_board(tmp_path / "board").contrasts
    assert (made.first.task, made.second.task) == ("cscx_qa_grounded", "csc_qa")
    assert made.skipped["unsupported_facts"] == "counted in one repeat alone"
    assert "unsupported_facts" not in {number.metric for number in made.numbers}
