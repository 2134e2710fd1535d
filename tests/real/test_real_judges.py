"""The judges with a real model of 135M parameters behind a real server: every reply that was asked
about is rated or counted as missing, and a second run asks nothing.
"""

import json

import pytest

from csc_tasks.runs.names import SIX
from tests.support.judged_models import curt, gold, write_model
from tests.support.real_builds import ask_twice

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("real")]

SAMPLE = ["--conversations", "2", "--tasks", "csc_conv_ref"]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    root = tmp_path_factory.mktemp("results")
    for name, talk in (("org/gold", gold), ("org/curt", curt)):
        write_model(root, name, talk, documents=2, tasks=("csc_conv_ref",), language="en")
    return root


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_ratings(server, results, tmp_path):
    judged = ask_twice(["judge", str(results), *SAMPLE], tmp_path / "judged", server)
    assert judged.ok, judged.stderr
    ratings = lines(judged.out / "ratings.jsonl")
    (counts,) = json.loads((judged.out / "judge.json").read_text())["counts"].values()
    assert len(ratings) == counts["asked"] == 4  # two models, two replies each
    missing = [rating for rating in ratings if rating["scores"] is None]
    assert len(missing) == counts["missing"] == sum(counts["problems"].values())
    for rating in ratings:
        if rating["scores"] is not None:
            assert set(rating["scores"]) == set(SIX)
            assert all(0 <= score <= 100 for score in rating["scores"].values())
        else:
            assert rating["problem"]


def test_comparisons(server, results, tmp_path):
    compared = ask_twice(["pairwise", str(results), *SAMPLE], tmp_path / "compared", server)
    assert compared.ok, compared.stderr
    comparisons = lines(compared.out / "comparisons.jsonl")
    (counts,) = json.loads((compared.out / "pairwise.json").read_text())["counts"].values()
    assert len(comparisons) == counts["pairs"] == 2
    verdicts = [(one["forward"], one["backward"]) for one in comparisons]
    assert {verdict for pair in verdicts for verdict in pair} <= {"first", "second", "tie", None}
    assert counts["missing"] == sum(None in pair for pair in verdicts)


def test_facts(server, results, tmp_path):
    audited = ask_twice(["judge", "facts", str(results), *SAMPLE], tmp_path / "audited", server)
    assert audited.ok, audited.stderr
    ratings = lines(audited.out / "facts.jsonl")
    assert len(ratings) == 4
    for rating in ratings:
        # A fact is words of the reply, or the answer is missing with a reason.
        assert rating["problem"] if rating["facts"] is None else not rating["problem"]
