"""Commands that ask the real model, as a user types them, and what must hold of them whatever the
model writes.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

from benchmarks.serving import Served
from csc_tasks.llm.journal.reading import read_rows

# Short replies, so that a test is over soon; two attempts, so that repair has its turn.
ASKING = ("--max-tokens", "160", "--attempts", "2", "--concurrency", "4")


def ask(words: list[str], out: Path, server: Served, *options: str, stage: str = "") -> "Outcome":
    """Run `csc WORDS --out OUT` with the server's model, in every stage or in this one alone: the
    stand-in then plays the others.
    """
    command = [sys.executable, "-m", "csc_tasks.cli", *words, "--out", str(out)]
    asked = f"openai:{server.model}"
    command += ["--llm", "scripted", "--llm", f"{stage}={asked}"] if stage else ["--llm", asked]
    command += ["--base-url", server.base, *ASKING, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode in (0, 1), done.stderr
    return Outcome(done, out)


def ask_twice(words: list[str], out: Path, server: Served, *options: str) -> "Outcome":
    """`ask`, and once more into the same folder: the journal answers everything, with the same
    result to the byte. Returns the first.
    """
    first = ask(words, out, server, *options)
    requests, files = first.requests(), first.files()
    assert requests
    if out.exists():
        out.rename(out.with_name(f"{out.name}-first"))
    second = ask(words, out, server, *options)
    assert second.requests() == requests
    assert second.files() == files
    if first.ok:
        run = json.loads((out / "run.json").read_text())
        assert run["requests_sent"] == 0
        assert run["requests_read_from_the_journal"] >= len(requests)
    else:
        assert second.error == first.error
    return second


class Outcome:
    """What a command left: its exit status, words, files and journal."""

    def __init__(self, done: "subprocess.CompletedProcess[str]", out: Path) -> None:
        self.ok, self.stdout, self.stderr, self.out = (
            done.returncode == 0,
            done.stdout,
            done.stderr,
            out,
        )

    @property
    def error(self) -> str:
        """The error that a user reads, from `error: ` on."""
        assert not self.ok and "error: " in self.stderr, self.stderr
        return self.stderr[self.stderr.index("error: ") :]

    @property
    def journal(self) -> Path:
        (path,) = self.out.parent.glob(f"{self.out.name}.*journal.sqlite")
        return path

    def requests(self) -> list[tuple]:
        """What every request of the journal is, and how often it was sent."""
        return [
            (row["key"], row["stage"], row["attempt"], row["outcome"], row["tries"])
            for row in read_rows(self.journal)
        ]

    def stages(self) -> set[str]:
        return {stage for _, stage, *_ in self.requests()}

    def files(self) -> dict[str, bytes]:
        """Everything in the folder but run.json, which has times in it."""
        return {
            path.relative_to(self.out).as_posix(): path.read_bytes()
            for path in sorted(self.out.rglob("*"))
            if path.is_file() and path.name != "run.json"
        }

    def counts(self) -> dict:
        """The counts of build.json."""
        counts: dict = json.loads((self.out / "build.json").read_text(encoding="utf-8"))["counts"]
        return counts

    def listed(self, name: str) -> int:
        """The sum of the numbers that the last line with `name` has, as in `dropped: 2 judge: no, 1
        planner: refused`; the line is one of the plan or of the error that nothing was kept.
        """
        listed = re.search(rf"{name}: ([^;\n]*)", self.stdout if self.ok else self.error)
        assert listed, self.stdout + self.stderr
        numbers = re.findall(r"(?:^|, )([\d,]*\d) ", listed[1])
        return sum(int(number.replace(",", "")) for number in numbers)
