"""What bash completes after `csc`, asked of bash itself."""

import shutil
import subprocess

import pytest

from csc_tasks import cli


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    import contextlib
    import io

    path = tmp_path_factory.mktemp("completion") / "csc.bash"
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert cli.main(["completion", "bash"]) == 0
    path.write_text(printed.getvalue())
    return path


def completed(script, *words):
    """The words that bash offers for the last one."""
    quoted = " ".join(f"'{word}'" for word in words)
    asked = (
        f"source {script}; COMP_WORDS=({quoted}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1));"
        ' _shtab_csc 2>/dev/null; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    return subprocess.run(
        ["bash", "-c", asked], capture_output=True, text=True, check=True
    ).stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_completes_verbs_options_and_choices(script):
    assert completed(script, "csc", "pow") == ["power"]
    assert completed(script, "csc", "train", "ti") == ["tiny"]
    assert completed(script, "csc", "build", "rolecs", "--exec") == ["--executor"]
    assert completed(script, "csc", "build", "rolecs", "--executor", "") == [
        "local",
        "slurm",
        "ray",
    ]
    assert completed(script, "csc", "power", "--no-such") == []


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_every_verb_is_completed(script):
    for word in {verb.split()[0] for verb in cli.COMMANDS}:
        assert word in completed(script, "csc", word)
    for verb in cli.COMMANDS:
        if " " in verb:
            assert verb.split()[1] in completed(script, "csc", *verb.split())
