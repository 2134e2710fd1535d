"""`csc build ... --hold-out`: the folder has no answers, runs on it have no numbers against them,
and whoever holds them computes the same numbers as on the whole corpus.
"""

import json

import pyarrow.parquet
import pytest

from csc_tasks import corpora
from csc_tasks.cli import main
from csc_tasks.verify import Trust, trusted_corpora
from csc_tasks.verify.references import read_references
from tests.support.fakes import sample_questions, write_corpus
from tests.support.handed_in import forged, hand_in, verdicts

OVERLAP = ("rouge_l_en", "rouge_l_zh", "bleu_4_en", "bleu_4_zh")


def build(corpus, out, *more: str) -> int:
    words = ["build", "qa-stages", str(corpus), "--out", str(out), "--llm", "scripted"]
    return main([*words, *more])


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """(the whole dataset, the public one, the file of references)."""
    root = tmp_path_factory.mktemp("held_out")
    corpus = write_corpus(root / "corpus")
    references = root / "kept" / "references.parquet"
    assert build(corpus, root / "whole") == 0
    assert build(corpus, root / "public", "--hold-out", str(references)) == 0
    return root / "whole", root / "public", references


def reply(prompt: str) -> str:
    """Partly right."""
    return ("It arrives within days, thank you", "三个工作日")[len(prompt) % 2]


@pytest.fixture(scope="module")
def runs(built, tmp_path_factory):
    """The same model on the whole corpus and on the public one."""
    whole, public, _ = built
    root = tmp_path_factory.mktemp("runs")
    return [
        hand_in(root / corpus.name, ["csc_qa"], reply, {"csc_qa_corpus": str(corpus)})
        for corpus in (whole, public)
    ]


def test_no_answer_is_in_the_public_folder(built):
    _, public, references = built
    kept = {row["reference"] for row in pyarrow.parquet.read_table(references).to_pylist()}
    assert kept == {question.refined_agent_answer for question in sample_questions()}
    table = pyarrow.parquet.read_table(next(public.rglob("test-*.parquet"))).to_pylist()
    for row in table:
        assert row["refined_agent_answer"] == row["agent_answer"] == "[held out]"
        assert row["conversation_history"] == [] and row["client_question"]
    text = "".join(file.read_text("utf-8") for file in public.iterdir() if file.is_file())
    assert not any(answer in text for answer in kept)
    record = json.loads((public / "build.json").read_text(encoding="utf-8"))
    assert record["held_out"]["rows"] == len(kept) == 6
    assert "csc verify --references" in (public / "README.md").read_text(encoding="utf-8")


def test_the_whole_build_is_as_it_was(built):
    whole, _, _ = built
    assert "held_out" not in json.loads((whole / "build.json").read_text(encoding="utf-8"))
    assert "held out" not in (whole / "README.md").read_text(encoding="utf-8")


def test_a_run_has_no_numbers_against_what_is_held_out(runs):
    results = json.loads(runs[1].read_text(encoding="utf-8"))
    numbers = results["results"]["csc_qa"]
    assert {numbers[f"{name},none"] for name in OVERLAP} == {"N/A"}
    assert (numbers["empty,none"], numbers["answers,none"]) == (0.0, 6)
    assert results["configs"]["csc_qa"]["metadata"]["csc"]["held_out"] == 6
    samples = next(runs[1].parent.glob("samples_*")).read_text(encoding="utf-8")
    assert not any(question.refined_agent_answer in samples for question in sample_questions())


def test_whoever_holds_the_references_gets_the_numbers_of_the_whole_corpus(built, runs):
    _, public, references = built
    true = json.loads(runs[0].read_text(encoding="utf-8"))["results"]["csc_qa"]
    trusted = trusted_corpora([str(public / "manifest.json")])
    (bare,) = verdicts(runs[1], trusted).values()
    assert bare.trust is Trust.CLAIMED and not bare.contradicted
    (verified,) = verdicts(runs[1], trusted, read_references(references)).values()
    assert verified.findings == () and verified.trust is Trust.RESCORED
    for name in OVERLAP:
        assert true[f"{name},none"] > 0 and verified.number(name).shown.value == pytest.approx(
            true[f"{name},none"]
        )
        assert verified.number(name).shown.stderr == pytest.approx(true[f"{name}_stderr,none"])


def test_replies_cannot_be_replaced_by_references(built, runs, tmp_path):
    """The forger has only what is public: the marker itself, and numbers out of thin air."""
    _, public, references = built

    def forge(text, lines):
        for line in lines:
            (record,) = line["answers"]
            record["reply"] = record["reference"] = line["doc"]["refined_agent_answer"]
            line["resps"] = [[record["reply"]]]
        text["results"]["csc_qa"]["rouge_l_en,none"] = 1.0

    file = forged(runs[1], tmp_path, "csc_qa", forge)
    trusted = trusted_corpora([str(public)])
    (verified,) = verdicts(file, trusted, read_references(references)).values()
    named = {finding.item for finding in verified.findings if finding.contradicts}
    assert {"reference", "rouge_l_en"} <= named
    assert verified.number("rouge_l_en").shown.value < 0.2
    (bare,) = verdicts(file, trusted).values()
    assert bare.trust is Trust.CLAIMED


def test_a_reference_that_the_file_lacks_is_said(built, runs, tmp_path):
    _, public, references = built
    table = pyarrow.parquet.read_table(references)
    pyarrow.parquet.write_table(table.slice(1), tmp_path / "some.parquet")
    (verified,) = verdicts(
        runs[1], trusted_corpora([str(public)]), read_references(tmp_path / "some.parquet")
    ).values()
    assert verified.trust is Trust.CLAIMED and not verified.contradicted
    assert "1 references are held out" in verified.findings[-1].sentence


@pytest.mark.parametrize(
    ("task", "more", "words"),
    [
        ("cscx_qa_full", {}, "cannot be run"),
        ("csc_qa", {"csc_qa_reference": "agent_answer"}, "refined_agent_answer alone"),
    ],
)
def test_what_cannot_be_run_without_is_one_line(task, more, words, built, tmp_path):
    _, public, _ = built
    with pytest.raises(Exception, match=words):
        hand_in(tmp_path, [task], reply, {"csc_qa_corpus": str(public)} | more)


@pytest.mark.parametrize(
    ("name", "words"),
    [("new/answers.parquet", "is published"), ("answers.csv", "ends in .parquet")],
)
def test_a_place_that_will_not_do(name, words, built, tmp_path, capsys):
    corpus = write_corpus(tmp_path / "corpus")
    assert build(corpus, tmp_path / "new", "--hold-out", str(tmp_path / name)) == 1
    assert words in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_an_earlier_file_is_not_replaced(built, tmp_path, capsys):
    _, _, references = built
    corpus = write_corpus(tmp_path / "corpus")
    assert build(corpus, tmp_path / "new", "--hold-out", str(references)) == 1
    assert "there is such a file already" in capsys.readouterr().err


def test_a_marked_reference_is_read_as_any_other_row(built):
    _, public, _ = built
    items = corpora.load(str(public), "qa", "test").items
    assert {item.agent_answer for item in items} == {"[held out]"}
