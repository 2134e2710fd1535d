"""`csc verify`: an aligned table per run, what does not hold below it, and the exit status."""

import json

import pytest

from csc_tasks.cli import main
from tests.support.fakes import write_corpus
from tests.support.handed_in import forged, hand_in


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory):
    root = tmp_path_factory.mktemp("run")
    return hand_in(root, ["csc_qa"], lambda _: "It arrives soon", {"csc_qa_corpus": str(corpus)})


def test_an_honest_run_is_a_table_and_status_0(run, corpus, capsys):
    assert main(["verify", str(run.parent), "--corpus", str(corpus)]) == 0
    printed = capsys.readouterr().out.rstrip("\n").split("\n")
    assert printed[0] == f"org/fake: re-scored, against {corpus.name} ({run})"
    assert printed[1].split() == ["task", "metric", "claimed", "recomputed", "trust"]
    assert printed[-1] == "  nothing is contradicted"
    table = printed[1:-1]
    start = table[0].index("trust")
    assert all(line[start:] in ("trust", "re-scored") and line[start - 1] == " " for line in table)
    assert any(line.split()[:2] == ["csc_qa", "rouge_l_zh"] for line in table)


def test_a_lie_stands_below_the_table_and_the_status_is_1(run, corpus, tmp_path, capsys):
    def forge(text, lines):
        text["results"]["csc_qa"]["rouge_l_en,none"] = 0.95
        text["model_name"] = "org/\x1b[31mfake"

    results = forged(run, tmp_path, "csc_qa", forge)
    out = tmp_path / "verified.json"
    assert main(["verify", str(results), "--corpus", str(corpus), "--json", str(out)]) == 1
    printed = capsys.readouterr().out
    heading, *_ = printed.splitlines()
    assert "re-scored, contradicted, against " in heading
    line, named = [line for line in printed.splitlines() if "contradicted: " in line]
    assert "signs that nobody sees" in named
    assert line.startswith(
        "  contradicted: csc_qa rouge_l_en: not what its samples give (claimed 0.95"
    )
    assert "\x1b" not in printed
    (verdict,) = json.loads(out.read_text(encoding="utf-8"))["runs"]
    assert verdict["task"] == "csc_qa" and verdict["findings"][0]["claimed"] == "0.95"


def test_a_file_that_cannot_be_read_does_not_stop_the_others(run, corpus, tmp_path, capsys):
    forged(run, tmp_path / "a", "csc_qa", lambda text, lines: None)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "results_broken.json").write_text("{", encoding="utf-8")
    out = tmp_path / "verified.json"
    assert main(["verify", str(tmp_path), "--corpus", str(corpus), "--json", str(out)]) == 1
    printed = capsys.readouterr().out
    assert "results_broken.json: not verified" in printed and "re-scored" in printed
    written = json.loads(out.read_text(encoding="utf-8"))
    assert len(written["runs"]) == len(written["unreadable"]) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "nowhere: there is no such file"),
        (["{run}", "--corpus", "org/name"], "org/name@COMMIT"),
        (["{run}", "--references", "nowhere.jsonl"], "nowhere.jsonl: there is no such file"),
        (["{run}", "--corpus", "{run}"], "every line must be one whole JSON object"),
    ],
)
def test_bad_input_is_one_line(words, said, run, capsys):
    assert main(["verify", *(word.format(run=run) for word in words)]) == 1
    printed = capsys.readouterr()
    assert said in printed.err and printed.err.count("\n") == 1
