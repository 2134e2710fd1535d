"""Steps: each command is printed before it runs, runs once, and goes on where it was stopped."""

import subprocess
from dataclasses import replace

import pytest

from csc_tasks.errors import CscError, SettingError
from leaderboard.trial.steps import Step, run_steps


@pytest.fixture
def ran(monkeypatch):
    """The words of csc that ran; what they make is their last word. `fail` ends with status 3."""
    words: list[tuple[str, ...]] = []

    def run(command, stdout, check):
        # Of a verb that is not quiet: where its own output goes.
        assert (command[1:3], stdout, check) == (["-m", "csc_tasks.cli"], None, False)
        words.append(tuple(command[3:]))
        if command[3] == "fail":
            return subprocess.CompletedProcess(command, 3)
        open(command[-1], "w").close()
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", run)
    return words


def steps(folder, *names):
    return [
        Step(name, ("build", name, "--out", str(folder / name)), folder / name, names[:place])
        for place, name in enumerate(names)
    ]


def test_commands_are_printed_and_run_once(tmp_path, ran, capsys):
    run_steps(steps(tmp_path, "a b", "c"), tmp_path)
    assert [words[1] for words in ran] == ["a b", "c"]
    printed = capsys.readouterr().out.splitlines()
    assert printed[1] == f"[1/2] csc build 'a b' --out '{tmp_path}/a b'"
    run_steps(steps(tmp_path, "a b", "c"), tmp_path)
    assert len(ran) == 2
    assert capsys.readouterr().out.splitlines()[1].startswith("[1/2] done: csc build 'a b'")
    # What has gone is made again, and further steps are added.
    (tmp_path / "c").unlink()
    run_steps(steps(tmp_path, "a b", "c", "d"), tmp_path)
    assert [words[1] for words in ran[2:]] == ["c", "d"]


def test_a_step_that_fails_is_named_and_done_next_time(tmp_path, ran):
    first, second = steps(tmp_path, "a", "b")
    with pytest.raises(CscError, match=r"step 2, b, ended with status 3 .* goes on from there"):
        run_steps([first, replace(second, words=("fail", "x"))], tmp_path)
    run_steps([first, second], tmp_path)
    assert [words[1] for words in ran] == ["a", "x", "b"]


def test_a_step_that_makes_nothing_is_an_error(tmp_path, ran):
    (one,) = steps(tmp_path, "a")
    with pytest.raises(CscError, match="it has not made"):
        run_steps([replace(one, makes=tmp_path / "elsewhere")], tmp_path)


def test_a_folder_of_another_trial_is_refused_before_anything_runs(tmp_path, ran):
    source = tmp_path / "source.csv"
    source.write_text("one")
    first, second = steps(tmp_path, "a", "b")
    first = replace(first, source=(source,))
    run_steps([first, second], tmp_path)
    with pytest.raises(SettingError, match="a was made there from other files or with other"):
        run_steps(
            [replace(first, words=(*first.words[:3], "--x", *first.words[3:])), second], tmp_path
        )
    source.write_text("another")
    with pytest.raises(SettingError, match="give another --out"):
        run_steps([first, second], tmp_path)
    assert len(ran) == 2


def test_the_board_is_made_again_for_more_candidates(tmp_path, ran):
    first, board = steps(tmp_path, "a", "board")
    board = replace(board, again=True)
    run_steps([first, board], tmp_path)
    more = replace(steps(tmp_path, "z")[0], after=("a",))
    run_steps([first, more, replace(board, after=("a", "z"))], tmp_path)
    assert [words[1] for words in ran] == ["a", "board", "z", "board"]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"done": 5}'])
def test_a_broken_record_does_not_stop_a_trial_silently(tmp_path, ran, text):
    (tmp_path / "trial.json").write_text(text)
    if text in ("", "{"):
        with pytest.raises(CscError, match=r"trial\.json"):
            run_steps(steps(tmp_path, "a"), tmp_path)
    else:
        run_steps(steps(tmp_path, "a"), tmp_path)
        assert len(ran) == 1
