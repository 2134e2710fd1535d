"""Which stages can be asked in batches, and what is said of the others."""

import pytest

from csc_tasks.cli import main
from tests.support.csconv_builds import recorded, write


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")


@pytest.fixture
def calls(tmp_path):
    return write(tmp_path / "calls.jsonl", recorded(3, "en"))


def test_a_role_play_is_refused_in_one_line(tmp_path, capsys):
    words = ["build", "rolecs", "--profiles", "demo", "--out", str(tmp_path / "set")]
    assert main([*words, "--llm", "batch:model"]) == 1
    said = capsys.readouterr().err
    assert (
        "--llm batch: in supporter_assistant, supporter, customer_assistant, customer every request"
        " waits for the reply before, and each would take a batch; name another model for these"
        " stages, as in --llm supporter_assistant=openai:MODEL"
    ) in said
    assert said.count("\n") == 1 and not (tmp_path / "set").exists()


def test_summaries_are_refused_and_the_other_stages_are_not(tmp_path, capsys, calls):
    words = ["build", "qa", "--source", str(calls), "--out", str(tmp_path / "set")]
    words += ["--base-url", "http://127.0.0.1:9/v1", "--max-requests", "0"]
    assert main([*words, "--llm", "batch:model"]) == 1
    said = capsys.readouterr().err
    assert "--llm batch: in summary every" in said and "--llm summary=openai:MODEL" in said
    # Only the bound on requests ends it now.
    assert main([*words, "--llm", "batch:model", "--llm", "summary=openai:model"]) != 0
    assert "--max-requests is 0" in capsys.readouterr().err


def test_roles_that_are_asked_once_may_go_in_batches(tmp_path, capsys):
    words = ["build", "rolecs", "--profiles", "demo", "--out", str(tmp_path / "set")]
    words += ["--base-url", "http://127.0.0.1:9/v1", "--max-requests", "0", "--limit", "2"]
    assert main([*words, "--roles", "none", "--examples", "demo", "--llm", "batch:model"]) != 0
    assert "--max-requests is 0" in capsys.readouterr().err
