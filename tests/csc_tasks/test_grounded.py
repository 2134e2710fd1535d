"""cscx_qa_grounded end to end: planted policies with planted facts, shown to a model that quotes
them, and audited, verified and compared with csc_qa.
"""

import json
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from csc_tasks import corpora
from csc_tasks.cli import main
from csc_tasks.errors import DataError, MissingExtra, SettingError
from csc_tasks.evidence import FileEvidence, evidence_hash, open_evidence, read_evidence
from csc_tasks.languages import language
from csc_tasks.play import Played
from csc_tasks.records import unsupported_facts
from csc_tasks.runs.conditions import conditions
from csc_tasks.runs.contrasts import difference
from csc_tasks.runs.finding import find_samples
from csc_tasks.runs.results_file import read_results
from csc_tasks.runs.samples_file import read_run
from csc_tasks.tasks import GroundedTask
from csc_tasks.verify import Trust, Trusted, trusted_corpora
from csc_tasks.verify.rerun import Asked, command_of
from leaderboard.judging.fact_asking import audited
from leaderboard.judging.units import read_models
from leaderboard.numbers.inference import paired, shared
from leaderboard.numbers.measured import Options, measure
from tests.support.fakes import sample_questions, write_corpus
from tests.support.handed_in import forged, hand_in, verdicts

TASKS = ("csc_qa", "cscx_qa_grounded")
POLICIES = {
    "refunds.md": "# Refunds\n\nA refund takes 12 days and costs $4.\n",
    "refunds-zh.txt": "退款需要12天到账，手续费4元。\n",
    "phones.html": "<h1>Phones</h1><p>A refund of a phone needs its box. Ask within 77 days.</p>",
    "app.md": "# App\n\nClose it.\n",
}
LOOKED_UP = {
    "en": [
        "Refunds\nA refund takes 12 days and costs $4.",
        "Phones\nA refund of a phone needs its box. Ask within 77 days.",
    ],
    "zh": ["退款需要12天到账，手续费4元。"],
}
"""What is found by hand: of four passages these share a word with the questions and summaries."""


def reply(prompt):
    """Quotes the planted number where it was shown, and else makes one up."""
    shown = any(language(code).words.QA_PASSAGES in prompt for code in ("en", "zh"))
    number = 12 if shown and "12" in prompt else 30
    return f"It takes {number} days." if "refund" in prompt else f"需要{number}天。"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def policies(tmp_path_factory):
    root = tmp_path_factory.mktemp("policies")
    for name, text in POLICIES.items():
        (root / name).write_text(text, encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def passages(corpus, policies, tmp_path_factory):
    out = tmp_path_factory.mktemp("passages") / "passages.jsonl"
    with redirect_stdout(StringIO()) as printed:
        words = [str(policies), "--corpus", str(corpus), "--passages", "2", "--out", str(out)]
        assert main(["build", "passages", *words]) == 0
    assert "9 for 6 of 6 questions" in printed.getvalue()
    return out


@pytest.fixture(scope="module")
def run(corpus, passages, tmp_path_factory):
    return play(tmp_path_factory.mktemp("run"), corpus, csc_evidence=str(passages))


def play(root, corpus, tasks=TASKS, **settings):
    return hand_in(root, tasks, reply, {"csc_qa_corpus": str(corpus)} | settings)


def answers(results, task):
    (file,) = (file for file in find_samples([results.parent]) if f"samples_{task}_" in file.name)
    return {record["conversation_id"]: record for record in read_run(file).records}


def number(results, task, name="unsupported_facts"):
    return json.loads(results.read_text())["results"][task].get(f"{name},none")


def csc(results, task):
    return json.loads(results.read_text())["configs"][task]["metadata"]["csc"]


def held(corpus, passages):
    evidence = open_evidence(str(passages))
    return Trusted(trusted_corpora([str(corpus)]).sources, evidence)


def test_the_builder_writes_what_was_looked_up(passages):
    rows = [json.loads(line) for line in passages.read_text(encoding="utf-8").splitlines()]
    questions = {question.conversation_id: question for question in sample_questions()}
    assert {row["conversation_id"] for row in rows} == set(questions)
    for row in rows:
        question = questions[row["conversation_id"]]
        assert row["turn"] == question.turn_index
        assert sorted(row["passages"]) == sorted(LOOKED_UP[question.language])
        names = {"en": {"refunds.md#1", "phones.html#1"}, "zh": {"refunds-zh.txt#1"}}
        assert set(row["sources"]) == names[question.language]
        assert row["scores"] == sorted(row["scores"], reverse=True) and row["scores"][-1] > 0


def test_a_model_that_is_shown_the_facts_quotes_them_and_one_that_is_not_invents(run, passages):
    """Audited against the same passages: 12 days is supported, 30 days is not."""
    assert number(run, "cscx_qa_grounded") == 0.0
    assert number(run, "csc_qa") == 1.0
    evidence = read_evidence(passages)
    for task in TASKS:
        for id_, record in answers(run, task).items():
            assert record["passages"] == evidence[id_][record["turn"]]
            assert record["unsupported_facts"] == (task == "csc_qa")
    assert csc(run, "cscx_qa_grounded")["evidence"] == csc(run, "csc_qa")["audit_evidence"]
    assert csc(run, "cscx_qa_grounded")["evidence"] == evidence_hash(evidence)
    counts = {"questions": 6, "without_passages": 0, "passages": 9, "cut": 0}
    assert csc(run, "cscx_qa_grounded")["evidence_counts"] == counts
    signed = {csc(run, task)["signatures"]["unsupported_facts"] for task in TASKS}
    assert signed == {f"unsupported_facts|share|evidence:{evidence_hash(evidence)}"}


def test_the_prompt_is_that_of_csc_qa_with_the_passages_and_without_the_answer(run):
    prompts = {task: {} for task in TASKS}
    for task in TASKS:
        (file,) = (f for f in find_samples([run.parent]) if f"samples_{task}_" in f.name)
        for line in read_run(file).lines:
            prompts[task][line["doc_id"]] = line["arguments"]["gen_args_0"]["arg_0"], line["doc"]
    for id_, (prompt, doc) in prompts["cscx_qa_grounded"].items():
        words = language(doc["language"]).words
        start, end = prompt.index(words.QA_PASSAGES), prompt.index(words.QA_SUMMARY)
        assert prompt[:start] + prompt[end:] == prompts["csc_qa"][id_][0]
        assert all(text in prompt[start:end] for text in LOOKED_UP[doc["language"]])
        assert doc["refined_agent_answer"] not in prompt and doc["agent_answer"] not in prompt


def test_without_evidence_csc_qa_is_as_it_was(corpus, tmp_path):
    results = play(tmp_path, corpus, ["csc_qa"])
    assert number(results, "csc_qa") is None
    assert not {"evidence", "audit_evidence", "evidence_name"} & csc(results, "csc_qa").keys()
    assert all("passages" not in record for record in answers(results, "csc_qa").values())


def test_a_quoted_number_is_supported_with_the_passage_and_not_without(corpus):
    for question in corpora.load(str(corpus), "qa", "test").items:
        said = "It takes 12 days." if question.language == "en" else "需要12天。"
        assert unsupported_facts(question, LOOKED_UP[question.language], said) == 0
        assert unsupported_facts(question, (), said) == 1
        assert unsupported_facts(question, (), "") == 0


def test_the_folder_and_the_file_made_of_it_are_one_condition_and_other_passages_another(
    run, corpus, policies, tmp_path
):
    def of(results, task):
        return dict(conditions(json.loads(results.read_text()), task))

    folder = play(tmp_path / "a", corpus, csc_evidence=str(policies), csc_passages=2)
    other = play(tmp_path / "b", corpus, csc_evidence=str(policies), csc_passages=1)
    for task in TASKS:
        assert of(folder, task) == of(run, task)
    one, two = of(run, "cscx_qa_grounded"), of(other, "cscx_qa_grounded")
    assert {name for name in one.keys() | two.keys() if one.get(name) != two.get(name)} == {
        "csc.evidence"
    }
    # What is only audited with moves no reply.
    assert of(other, "csc_qa") == of(run, "csc_qa")


def test_whoever_holds_corpus_and_passages_has_every_number_again(run, corpus, passages, policies):
    for place in (passages, policies):
        for task, verified in verdicts(run, held(corpus, place)).items():
            assert [finding.line() for finding in verified.findings] == []
            assert verified.trust is Trust.RESCORED and verified.proven, task
            again = {one.name: one.recomputed for one in verified.numbers}
            assert again["unsupported_facts"].value == (task == "csc_qa")


def test_without_the_passages_what_rests_on_them_is_claimed(run, corpus):
    found = verdicts(run, trusted_corpora([str(corpus)]))
    for verified in found.values():
        (finding,) = verified.findings
        assert "compared with none: give the evidence" in finding.line()
        assert not finding.contradicts
    shown, plain = found["cscx_qa_grounded"], found["csc_qa"]
    assert {one.trust for one in shown.numbers} == {Trust.CLAIMED}
    assert {one.name for one in plain.numbers if one.trust is Trust.CLAIMED} == {
        "unsupported_facts"
    }


def add_passage(text, lines):
    for line in lines:
        line["answers"][0]["passages"].append("30 days, 30天")
        line["answers"][0]["unsupported_facts"] = 0


def other_hash(text, lines):
    text["configs"]["cscx_qa_grounded"]["metadata"]["csc"]["evidence"] = "0123456789abcdef"


def more_supported(text, lines):
    for line in lines:
        line["answers"][0]["unsupported_facts"] = 0


def show_passages(text, lines):
    for line in lines:
        sent = line["arguments"]["gen_args_0"]
        words = language(line["doc"]["language"]).words
        sent["arg_0"] = sent["arg_0"].replace(
            words.QA_SUMMARY, f"{words.QA_PASSAGES}\n[1] 12\n\n{words.QA_SUMMARY}"
        )


@pytest.mark.parametrize(
    ("task", "forge", "item", "words"),
    [
        ("csc_qa", add_passage, "passages", "not what the documents"),
        ("cscx_qa_grounded", add_passage, "passages", "not what the documents"),
        ("cscx_qa_grounded", other_hash, "evidence", "names other evidence"),
        ("csc_qa", more_supported, "unsupported_facts", "not what the documents"),
        ("csc_qa", show_passages, "prompt", "it shows passages"),
    ],
)
def test_a_forgery_is_found(run, corpus, passages, tmp_path, task, forge, item, words):
    results = forged(run, tmp_path, task, forge)
    (verified,) = verdicts(results, held(corpus, passages)).values()
    assert any(
        finding.contradicts and item in finding.line() and words in finding.line()
        for finding in verified.findings
    )


def test_the_audits_of_both_tasks_count_the_passages_that_stood_in_the_records(run, corpus):
    options = Options(seed=0, draw=6, audit=True, evidence={}, corpora=(str(corpus),))
    for measurement in read_results(run, []):
        audit = measure(measurement, options).diagnosis["facts"]
        wrong = 6 if measurement.task == "csc_qa" else 0
        assert (audit.facts, audit.unsupported) == (6, wrong)
        assert "passages" in audit.support
        assert audit.hallucination_rate.value == wrong / 6
    for judged in read_models([run.parent], whole=False):
        own = audited(judged, {})
        for unit, item in own.items():
            code = judged.units[unit].language
            assert sorted(item.data["passages"]) == sorted(LOOKED_UP[code])
            assert [one.supported for one in item.rule] == [judged.task != "csc_qa"]


def test_an_audit_without_passages_in_the_records_takes_those_of_the_file(
    corpus, passages, tmp_path
):
    """A reply that quotes the planted number: unsupported, and with the file supported."""
    said = {"en": "It takes 12 days.", "zh": "需要12天。"}
    results = hand_in(
        tmp_path,
        ["csc_qa"],
        lambda prompt: said["en" if "refund" in prompt else "zh"],
        {"csc_qa_corpus": str(corpus)},
    )
    (measurement,) = read_results(results, [])
    for evidence, unsupported in (({}, 6), (read_evidence(passages), 0)):
        options = Options(0, 6, True, evidence, (str(corpus),))
        assert measure(measurement, options).diagnosis["facts"].unsupported == unsupported


def test_judges_are_shown_the_same_passages(run, passages, tmp_path, capsys):
    words = [str(run.parent), "--llm", "j=scripted", "--out", str(tmp_path / "judged")]
    assert main(["judge", "facts", *words]) == 0
    printed = capsys.readouterr().out
    assert "evidence: passages for 12 of 12 replies" in printed
    rows = [line.split("|")[1:8] for line in printed.splitlines() if "|j|" in line]
    assert {(row[0], row[3], row[5]) for row in rows} == {
        ("csc_qa", "100.0", "100.0"),
        ("cscx_qa_grounded", "0.0", "0.0"),
    }
    record = json.loads((tmp_path / "judged" / "facts.json").read_text(encoding="utf-8"))
    assert record["evidence"] == evidence_hash(read_evidence(passages))


def test_the_demo_works_as_it_is(tmp_path):
    asked = []

    def quote(prompt):
        asked.append(prompt)
        words = language("en" if language("en").words.QA_SUMMARY in prompt else "zh").words
        passages = prompt.split(f"{words.QA_PASSAGES}\n[1] ")[1].split("\n\n")[0]
        return passages.split("\n[2] ")[0]

    results = hand_in(tmp_path, ["cscx_qa_grounded"], quote, {"csc_qa_corpus": "demo"})
    assert len(asked) == 53 and number(results, "cscx_qa_grounded") == 0
    assert csc(results, "cscx_qa_grounded")["evidence_name"] == "demo"
    # Both are part of the package, so a verifier holds them.
    (verified,) = verdicts(results, trusted_corpora([])).values()
    assert [finding.line() for finding in verified.findings] == []
    assert verified.trust is Trust.RESCORED


def test_what_is_missing_is_one_line_before_anything_is_asked(
    corpus, policies, tmp_path, monkeypatch
):
    with pytest.raises(SettingError, match=r"cscx_qa_grounded shows passages.*csc_evidence"):
        play(tmp_path, corpus, ["cscx_qa_grounded"])
    with pytest.raises(SettingError, match="'nowhere': there is no such file or folder"):
        play(tmp_path, corpus, csc_evidence="nowhere")
    answer = sample_questions()[0].refined_agent_answer
    leaking = tmp_path / "leaking"
    leaking.mkdir()
    (leaking / "refund.txt").write_text(f"My refund. {answer}")
    with pytest.raises(
        DataError, match=r"passage \(refund\.txt#1\) .* holds its (refined_)?agent_answer"
    ):
        play(tmp_path, corpus, csc_evidence=str(leaking))
    monkeypatch.setitem(sys.modules, "bm25s", None)
    with pytest.raises(MissingExtra, match=r"pip install 'csc-tasks\[retrieval\]'"):
        play(tmp_path, corpus, csc_evidence=str(policies))


def test_without_the_library_a_demo_run_is_claimed_and_not_accused(tmp_path, monkeypatch):
    results = hand_in(
        tmp_path, ["cscx_qa_grounded"], lambda prompt: "x", {"csc_qa_corpus": "demo"}, 3
    )
    monkeypatch.setitem(sys.modules, "bm25s", None)
    monkeypatch.setattr("csc_tasks.verify.trusted._demo_policies", lambda: open_evidence("demo"))
    (verified,) = verdicts(results, trusted_corpora([])).values()
    (finding,) = verified.findings
    assert "csc-tasks[retrieval]" in finding.line() and not finding.contradicts
    assert verified.trust is Trust.CLAIMED


def test_passages_that_had_no_room_are_not_in_the_record(corpus, passages):
    settings = {"csc_qa_corpus": str(corpus), "csc_evidence": str(passages)}
    config = {"task": "cscx_qa_grounded", "test_split": "test", "output_type": "generate_until"}
    task = GroundedTask(config | {"metadata": settings})
    question = next(item for item in task.items.values() if item.language == "en")
    (prompt,) = task.requests_of(question)
    for left_out in (None, 0, 1, 2):
        played = Played("12 days, 77 days", False, left_out)
        record = task.record(prompt, played)
        shown = list(prompt.passages)[: 2 - (left_out or 0)]
        assert record["passages"] == shown
        text = " ".join(shown)
        assert record["unsupported_facts"] == ("12" not in text) + ("77" not in text)
        assert record["history_truncated"] == (None if left_out is None else left_out > 0)


def test_a_verifier_accepts_fewer_passages_only_from_the_front(run, corpus, passages, tmp_path):
    def forge(text, lines):
        for line in lines:
            record = line["answers"][0]
            record["passages"] = record["passages"][1:] or ["x"]

    results = forged(run, tmp_path, "cscx_qa_grounded", forge)
    (verified,) = verdicts(results, held(corpus, passages)).values()
    assert any(f.contradicts and "passages" in f.line() for f in verified.findings)


def test_asking_again_shows_what_was_shown(run, corpus, tmp_path):
    (file,) = (f for f in find_samples([run.parent]) if "grounded" in f.name)
    logged = read_run(file)
    words = command_of(logged, ["a/1"], Asked("hf", "pretrained=x"), str(corpus), tmp_path)
    settings = json.loads(words[words.index("--metadata") + 1])
    again = read_evidence(Path(settings["csc_evidence"]))
    assert again == {
        id_: {record["turn"]: record["passages"]}
        for id_, record in answers(run, "cscx_qa_grounded").items()
    }


def test_a_record_whose_passages_are_no_texts_is_named(run, tmp_path):
    def forge(text, lines):
        lines[0]["answers"][0]["passages"] = ["x", 3]

    results = forged(run, tmp_path, "cscx_qa_grounded", forge)
    (file,) = find_samples([results.parent])
    with pytest.raises(DataError, match=r"passages is \['x', 3\]; it must be a list of texts"):
        read_run(file)


def test_held_passages_of_a_file_are_taken_by_place():
    first = sample_questions()[0]
    evidence = FileEvidence("f", {first.conversation_id: {0: ["a", "b"]}})
    assert [one.text for one in evidence.of(first, 1)] == ["a"]


def test_the_two_tasks_of_a_model_are_paired_question_by_question(run, corpus, passages):
    """Six questions, all wrong without the passages and none with them: the difference is -1."""
    measurements = {one.task: one for one in read_results(run, [])}
    found = difference(measurements["csc_qa"], measurements["cscx_qa_grounded"])
    assert (found.family, found.in_order) == ("passages", ("Summary and passages", "Summary"))
    evidence = read_evidence(passages)
    options = Options(0, 6, True, evidence, (str(corpus),))
    columns = {
        task: measure(one, options).columns["unsupported_facts"]
        for task, one in measurements.items()
    }
    apart, _ = paired(*shared(columns["cscx_qa_grounded"], columns["csc_qa"]))
    assert (apart.value, apart.items) == (-1.0, 6) and apart.low == -1.0 and apart.high < 0
