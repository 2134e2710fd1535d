"""`python -m benchmarks.red_team` in small: every forgery, and an honest run of every kind."""

from collections import Counter

import pytest

from benchmarks.red_team.attack import (
    APART,
    CLAIMED,
    CONTRADICTED,
    MISSED,
    NAMED,
    attack,
    corpus_of,
    verify,
)
from benchmarks.red_team.honest import honest_runs


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    return attack(tmp_path_factory.mktemp("forged"), conversations=12, questions=10)


def test_every_forgery_is_caught_but_those_that_no_text_can_show(outcomes):
    missed = [one for one in outcomes if one.verdict == MISSED]
    assert [one.forgery.name for one in missed if not one.forgery.principle] == []
    assert len(outcomes) - len(missed) >= 95
    # What stands here as invisible really is; else it belongs to the others.
    assert {one.forgery.name for one in missed} == {
        one.forgery.name for one in outcomes if one.forgery.principle
    }


def test_how_they_are_caught(outcomes):
    verdicts = Counter(one.verdict for one in outcomes)
    assert set(verdicts) == {CONTRADICTED, CLAIMED, NAMED, APART, MISSED}
    assert verdicts[CONTRADICTED] >= 85 and verdicts[MISSED] == 6


def test_no_honest_run_is_accused(tmp_path):
    corpus = corpus_of(tmp_path / "corpus", 5, 6)
    kinds = Counter()
    for kind, results in honest_runs(tmp_path, corpus, 12, processes=False):
        status, printed, _ = verify([results], corpus, tmp_path / "verified.json")
        assert status == 0, printed
        kinds[kind] += 1
    assert sum(kinds.values()) == 12 and len(kinds) == 6
