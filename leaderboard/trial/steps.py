"""The steps of a trial: verbs of csc, each run as a process of its own, printed before it runs, and
not run again once it has ended well.

What has been done is kept in trial.json, by a digest of the command and of all that it rests on. A
folder in which a step was done otherwise (other conversations, other settings) is refused: results
of two trials would stand side by side. Candidates may be added.
"""

import hashlib
import json
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from csc_tasks.errors import CscError, SettingError
from csc_tasks.out import replace_file
from csc_tasks.reading import read_json
from csc_tasks.telling import stdout_of_steps, tell

RECORD = "trial.json"


@dataclass(frozen=True, slots=True)
class Step:
    """words: of csc. makes: what is there when it is done. after: names of the steps that it rests
    on. source: files outside that it reads. again: it may be done once more, over what it made.
    """

    name: str
    words: tuple[str, ...]
    makes: Path
    after: tuple[str, ...] = ()
    source: tuple[Path, ...] = ()
    again: bool = False

    @property
    def command(self) -> str:
        """As it is typed."""
        return shlex.join(["csc", *self.words])


def run_steps(steps: Sequence[Step], folder: Path) -> None:
    """Run what is not done yet, in order. Raises CscError for a step that fails."""
    done = _done(folder)
    digests: dict[str, str] = {}
    for step in steps:
        digests[step.name] = digest = _digest(step, digests)
        if not step.again and done.get(step.name, digest) != digest:
            raise SettingError(
                f"--out {folder}: {step.name} was made there from other files or with other"
                " settings; give another --out, or remove that folder"
            )
    for number, step in enumerate(steps, 1):
        digest = digests[step.name]
        there = done.get(step.name) == digest and step.makes.exists()
        tell(f"\n[{number}/{len(steps)}] {'done: ' if there else ''}{step.command}")
        if there:
            continue
        status = status_of(step.words)
        if status:
            raise CscError(
                f"step {number}, {step.name}, ended with status {status} (its own lines stand"
                " above); the same csc trial goes on from there"
            )
        if not step.makes.exists():
            raise CscError(f"step {number}, {step.name}: it has not made {step.makes}")
        done = {**done, step.name: digest}
        replace_file(folder / RECORD, json.dumps({"done": done}, indent=1) + "\n")


def status_of(words: Sequence[str]) -> int:
    """Run a verb of csc in a process of its own; its exit status."""
    command = [sys.executable, "-m", "csc_tasks.cli", *words]
    return subprocess.run(command, stdout=stdout_of_steps(), check=False).returncode


def _done(folder: Path) -> Mapping[str, str]:
    file = folder / RECORD
    if not file.exists():
        return {}
    record = read_json(file, "remove it to do all steps again")
    done = record.get("done") if isinstance(record, dict) else None
    return done if isinstance(done, dict) else {}


def _digest(step: Step, digests: Mapping[str, str]) -> str:
    files = [
        [str(path), *((path.stat().st_size, path.stat().st_mtime_ns) if path.exists() else ())]
        for path in step.source
    ]
    told = [step.words, [digests[name] for name in step.after], files]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()
