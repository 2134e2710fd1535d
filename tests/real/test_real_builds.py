"""The builders with a real model of 135M parameters behind a real server: whatever it writes, the
counts add up, the rows are valid, and a second run asks nothing.
"""

import json

import pytest

from builders.dataset import read_folder
from csc_tasks.cli import main
from csc_tasks.corpora import load
from tests.builders.test_partial import stages as question_rows
from tests.support.csconv_builds import recorded, write
from tests.support.qa_recordings import recordings, write_source
from tests.support.real_builds import ask, ask_twice

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("real")]


def calls(tmp_path, count=2):
    return write(tmp_path / "calls.jsonl", recorded(count, "en"))


def test_profiles(server, tmp_path):
    source = str(calls(tmp_path, 3))
    built = ask_twice(["build", "profiles", "--source", source], tmp_path / "pool", server)
    assert built.stages() <= {"profile", "describe"}
    if not built.ok:
        assert built.error.startswith("error: no profile could be made")
        assert built.listed("conversations dropped") == 3
        return
    counts = built.counts()
    assert counts["conversations_read"] == 3
    assert counts["profiles_kept"] + sum(counts["conversations_dropped"].values()) == 3
    # The pool is one that rolecs takes.
    words = ["build", "rolecs", "--profiles", str(built.out), "--language", "en", "--limit", "1"]
    assert main([*words, "--llm", "scripted", "--out", str(tmp_path / "played")]) == 0


def test_qa(server, tmp_path):
    source = write_source(tmp_path / "calls.jsonl", recordings(2)[2:])
    words = ["build", "qa", "--source", str(source), "--pairs", "published", "--splits", "0,0,100"]
    built = ask_twice(words, tmp_path / "qa", server)
    if not built.ok:
        assert "none of the 2 conversations gave a row" in built.error
        return
    counts = built.counts()
    assert counts["pairs_kept"] + sum(counts["pairs_dropped"].values()) == counts["pairs_tried"]
    tried, dropped = counts["conversations_tried"], counts["conversations_dropped"]
    assert tried == 2 and counts["conversations_with_a_pair_kept"] <= tried - sum(dropped.values())
    rows = load(str(built.out), "qa", "test").items
    assert len(rows) == counts["pairs_kept"]


def test_csconv(server, tmp_path):
    words = ["build", "csconv", "--source", str(calls(tmp_path)), "--fidelity", "1"]
    built = ask_twice(words, tmp_path / "csconv", server, "--max-tokens", "rewrite=900")
    names = (
        "conversations dropped by the rules",
        "conversations dropped by the check",
        "conversations dropped after rewriting",
    )
    if not built.ok:
        assert "none of the conversations can be used" in built.error
        assert sum(built.listed(name) for name in names if name in built.error) == 2
        return
    counts = built.counts()
    dropped = sum(sum(counts[name.replace(" ", "_")].values()) for name in names)
    assert counts["conversations_kept"] + dropped == 2
    assert len(load(str(built.out), "csconv", "test").items) == counts["conversations_kept"]


def test_rolecs_stops_at_its_limit_of_requests_and_goes_on(server, tmp_path):
    words = ["build", "rolecs", "--language", "en", "--limit", "1", "--topics", "Others"]
    few = ask(words, tmp_path / "rolecs", server, "--max-requests", "6")
    if few.ok or "--max-requests is" not in few.error:
        assert few.ok or "conversations can be used" in few.error
        return
    first = few.requests()
    assert len(first) == 6
    more = ask(words, tmp_path / "rolecs", server, "--max-requests", "12")
    # The first six were not asked again.
    assert more.requests()[:6] == first
    assert 6 < len(more.requests()) <= 12
    assert "planner" in more.stages()


@pytest.mark.parametrize("stage", ["customer", "judge"])
def test_rolecs_with_the_model_in_one_role(stage, server, tmp_path):
    """The others are played by the stand-in."""
    words = ["build", "rolecs", "--language", "en", "--topics", "Others", "--plan", "2"]
    built = ask(words, tmp_path / "rolecs", server, stage=stage)
    assert stage in built.stages() and built.ok
    kept = int(built.stdout.partition("kept: ")[2].split()[0])
    assert kept + built.listed("dropped") == 2


def test_stages_of_questions(server, tmp_path):
    corpus = tmp_path / "test.jsonl"
    question_rows(tmp_path)
    corpus.write_text("".join(corpus.read_text().splitlines(keepends=True)[:4]))
    built = ask_twice(["build", "qa-stages", str(corpus)], tmp_path / "staged", server)
    assert built.stages() == {"stage"}
    if not built.ok:
        assert "none of the 4 rows could be labelled" in built.error
        assert built.listed("dropped") == 4
        return
    counts = built.counts()
    assert counts["rows_labelled"] + sum(counts["rows_dropped"].values()) == 4
    record, _ = read_folder(built.out)
    assert record["splits"]["qa"]["test"]["rows"] == counts["rows_labelled"]
    assert json.dumps(record["counts"]) == json.dumps(counts)
