"""Which passages a question gets: from a folder, from a file, and never its answer."""

import json
from dataclasses import replace

import pytest

from csc_tasks import corpora
from csc_tasks.conversation import HELD_OUT
from csc_tasks.errors import DataError, SettingError
from csc_tasks.evidence import FileEvidence, evidence_hash, look_up, open_evidence
from csc_tasks.evidence.choosing import LONGEST
from tests.support.fakes import sample_questions

EN, ZH = sample_questions()[0], sample_questions()[3]


def folder(root, **files):
    root.mkdir(exist_ok=True)
    for name, text in files.items():
        (root / f"{name}.md").write_text(text, encoding="utf-8")
    return str(root)


def passages(root, rows):
    file = root / "passages.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(file)


def test_a_folder_gives_the_best_and_a_file_of_them_the_same_with_the_same_hash(tmp_path):
    place = folder(
        tmp_path / "policies",
        a="# Refunds\nA refund comes back to the card in 5 days.",
        b="# Phones\nA refund of it needs the box and the bill, and the form that we send you.",
        c="# 退款\n退款3天到账。",
    )
    found = look_up(open_evidence(place), [EN, ZH], 1)
    assert found.texts(EN) == ("Refunds\nA refund comes back to the card in 5 days.",)
    assert found.texts(ZH) == ("退款\n退款3天到账。",)
    (chosen,) = found.by_question[EN.conversation_id, EN.turn_index]
    assert chosen.source == "a.md#1" and chosen.score > 0 and not chosen.cut
    rows = [
        {"conversation_id": q.conversation_id, "turn": q.turn_index, "passages": found.texts(q)}
        for q in (ZH, EN)
    ]
    again = look_up(open_evidence(passages(tmp_path, rows)), [EN, ZH], None)
    assert (again.texts(EN), again.texts(ZH)) == (found.texts(EN), found.texts(ZH))
    assert again.hash == found.hash
    assert look_up(open_evidence(place), [EN, ZH], 2).hash != found.hash


def test_the_query_is_the_question_and_the_summary_and_never_an_answer(tmp_path):
    place = folder(tmp_path / "p", a="Alpha rules.", b="Beta rules.", c="Gamma rules.")
    asked = replace(EN, client_question="alpha?", history_summary="", agent_answer="gamma gamma")
    evidence = open_evidence(place)
    assert look_up(evidence, [asked], 3).texts(asked) == ("Alpha rules.",)
    told = replace(asked, history_summary="They spoke of beta.")
    assert set(look_up(evidence, [told], 3).texts(told)) == {"Alpha rules.", "Beta rules."}


def test_a_file_gives_passages_of_the_conversation_then_of_the_turn(tmp_path):
    rows = [
        {"conversation_id": EN.conversation_id, "turn": 0, "passages": ["two", "three"]},
        {"conversation_id": EN.conversation_id, "passages": ["one"]},
        {"conversation_id": EN.conversation_id, "turn": 7, "passages": ["of another turn"]},
    ]
    evidence = open_evidence(passages(tmp_path, rows))
    assert look_up(evidence, [EN, ZH], None).texts(EN) == ("one", "two", "three")
    assert look_up(evidence, [EN, ZH], 2).texts(EN) == ("one", "two")
    counts = look_up(evidence, [EN, ZH], None).counts()
    assert counts == {"questions": 2, "without_passages": 1, "passages": 3, "cut": 0}


def test_a_long_passage_is_cut_and_counted():
    evidence = FileEvidence("f", {EN.conversation_id: {None: ["x" * (LONGEST + 1), "y" * LONGEST]}})
    found = look_up(evidence, [EN], None)
    assert [len(text) for text in found.texts(EN)] == [LONGEST, LONGEST]
    assert found.counts()["cut"] == 1


def test_a_passage_that_holds_the_answer_stops_everything():
    answer = "The refund arrives\nwithin 3 days."
    for name in ("agent_answer", "refined_agent_answer"):
        asked = replace(EN, **{name: answer})
        evidence = FileEvidence(
            "f", {EN.conversation_id: {None: [f"Rule: {answer.replace(chr(10), ' ')} End"]}}
        )
        with pytest.raises(DataError, match=f"{EN.conversation_id} turn 0 holds its {name}"):
            look_up(evidence, [asked], None)
    # What is held out is not there, and a few characters may stand anywhere.
    for text in (HELD_OUT, "Yes."):
        asked = replace(EN, agent_answer=text, refined_agent_answer=text)
        evidence = FileEvidence("f", {EN.conversation_id: {None: [f"Rule: {text} End"]}})
        assert look_up(evidence, [asked], None).counts()["passages"] == 1


def test_evidence_for_other_questions_is_an_error():
    with pytest.raises(DataError, match=r"other\.jsonl: has no passage for any of the 2 questions"):
        look_up(FileEvidence("other.jsonl", {"another": {None: ["x"]}}), [EN, ZH], None)


def test_a_place_that_is_not_there():
    with pytest.raises(SettingError, match=r"'nowhere': there is no such file or folder; give"):
        open_evidence("nowhere")


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_the_demos_policies_have_passages_for_every_question_and_no_answer(split):
    """Beside the check of `look_up`: not even a sentence of an answer stands in a policy."""
    questions = corpora.load("demo", "qa", split).items
    evidence = open_evidence("demo")
    assert look_up(evidence, questions, None).counts() == {
        "questions": len(questions),
        "without_passages": 0,
        "passages": 3 * len(questions),
        "cut": 0,
    }
    policies = "".join(" ".join(p.text for p in evidence.policies.passages).split())
    for question in questions:
        for answer in (question.agent_answer, question.refined_agent_answer):
            for sentence in answer.replace("。", ". ").replace("，", ". ").split(". "):
                bare = "".join(sentence.split())
                assert len(bare) < 12 or bare not in policies


def test_the_hash_of_no_evidence():
    assert evidence_hash({}) == "none"
