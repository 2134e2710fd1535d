"""csc build qa killed at any moment and run again."""

import pytest

from tests.support.built_folders import files_of
from tests.support.killed_builds import kill_and_finish, until
from tests.support.qa_builds import build
from tests.support.qa_recordings import recordings, write_source


def finished(source, tmp_path, moments):
    """How often a build that is killed at each moment was still running; it ends as one that
    nobody killed.
    """
    options = ["--variant", "short=tokens:64"]
    whole, out = tmp_path / "whole", tmp_path / "killed" / "set"
    assert build(source, whole, *options) == 0
    alive = kill_and_finish("qa", whole, out, moments, "--source", source, *options)
    assert files_of(out) == files_of(whole)
    return alive


def test_a_build_killed_in_three_stages_ends_with_the_same_bytes(source, tmp_path):
    moments = [until(9, "moderate"), until(100, "summary_short"), until(40, "refine")]
    assert finished(source, tmp_path, moments) >= 2


@pytest.mark.slow
def test_a_build_killed_twenty_times_ends_with_the_same_bytes(tmp_path):
    source = write_source(tmp_path / "calls.jsonl", recordings(40))
    steps = (("moderate", 12, 6), ("summary%", 120, 8), ("refine", 60, 6))
    moments = [until(step * n, stage) for stage, step, times in steps for n in range(1, times + 1)]
    assert finished(source, tmp_path, moments) >= 15
