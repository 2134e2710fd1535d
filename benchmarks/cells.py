"""Cells of a benchmark: commands in processes of their own, several at once, each run after what it
needs and only once.

What a cell runs, and what it was made from, stands in OUT/cells/NAME.json with the seconds it took
(wall and CPU); its output in OUT/logs/NAME.log. After a kill the same table goes on where it was.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from csc_tasks.out import replace_file

PRIOR = 120
"""Seconds of work that went as expected: the few first cells shall not tell for all."""
SMALLEST_LEFT = 90
"""Seconds from which on the time left is told in minutes."""
LOOK = 0.05
"""Seconds between two looks at what runs."""
NEEDED_MEMORY = 4 * 2**30
"""Bytes that a cell may take."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One command. name: also of its record and its log. makes: the file or folder it writes.
    needs: cells whose outcome it reads. seconds: what it takes on one core, for the time left.
    resumes: whether it goes on by itself after a kill. prints: whether what it prints is the
    outcome.
    """

    name: str
    words: tuple[str, ...]
    makes: Path
    needs: tuple[str, ...] = ()
    seconds: float = 20
    resumes: bool = False
    prints: bool = False


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0))


def usual_jobs() -> int:
    """A cell a core, where there is memory for that."""
    import psutil

    room = psutil.virtual_memory().available // NEEDED_MEMORY
    return max(1, min(cores(), room))


def run_all(
    cells: Sequence[Cell],
    out: Path,
    under: Sequence[str] = (),
    minutes: float | None = None,
    jobs: int = 1,
) -> int:
    """Run what has not run, `jobs` cells at once; 1 where one failed: those that run then are
    waited for, and no other is started.

    under: words that every command is run under. minutes: after which no cell is started.
    """
    table = _Table(cells, out, under, jobs)
    begun = time.monotonic()
    try:
        while table.waiting or table.running:
            late = minutes is not None and time.monotonic() - begun > 60 * minutes
            if not late and not table.failed:
                table.start()
            elif not table.running:
                if not table.failed:
                    left = time_left(cells, table.records, jobs)
                    print(f"not run after {minutes:g} min: {len(table.waiting)} cells; {left}")
                break
            table.look()
    finally:
        table.end()
    return 1 if table.failed else 0


@dataclass(slots=True)
class _Table:
    """The cells of a run, and what has become of each."""

    cells: Sequence[Cell]
    out: Path
    under: Sequence[str]
    jobs: int
    records: dict[str, dict] = field(init=False)
    waiting: list[Cell] = field(init=False)
    running: dict[int, tuple[Cell, "subprocess.Popen[bytes]", float]] = field(default_factory=dict)
    failed: bool = False

    def __post_init__(self) -> None:
        self.records = {cell.name: read_record(self.out, cell.name) for cell in self.cells}
        self.waiting = list(self.cells)

    def start(self) -> None:
        """What may run now, in the order of the table."""
        undone = {cell.name for cell in self.waiting}
        undone |= {cell.name for cell, _, _ in self.running.values()}
        for cell in list(self.waiting):
            if undone.intersection(cell.needs):
                continue
            number = 1 + self.cells.index(cell)
            place, record = f"[{number}/{len(self.cells)}] {cell.name}", self.records[cell.name]
            if has_run(cell, self.records):
                print(f"{place}: has run ({record['seconds']:.0f} s)", flush=True)
                undone.discard(cell.name)
            elif len(self.running) < self.jobs:
                print(f"{place}; {time_left(self.cells, self.records, self.jobs)}", flush=True)
                self._start(cell)
            else:
                continue
            self.waiting.remove(cell)

    def _start(self, cell: Cell) -> None:
        due = what_is_due(cell, self.records)
        if not (cell.resumes and due.items() <= self.records[cell.name].items()):
            remove(cell.makes)
        write_record(self.out, cell.name, due)
        self.records[cell.name] = due
        log = log_of(self.out, cell)
        log.parent.mkdir(parents=True, exist_ok=True)
        threads = str(max(1, cores() // self.jobs))
        usual = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
        env = usual | {"OMP_NUM_THREADS": threads} | os.environ
        outcome = printed(self.out, cell) if cell.prints else Path(os.devnull)
        with log.open("wb") as said, outcome.open("wb") as made:
            words, stdout = [*self.under, *cell.words], made if cell.prints else said
            process = subprocess.Popen(words, env=env, stdout=stdout, stderr=said)
        self.running[process.pid] = cell, process, time.monotonic()

    def look(self) -> None:
        """See to those that have ended."""
        for number, (cell, process, started) in list(self.running.items()):
            ended, status, usage = os.wait4(number, os.WNOHANG)
            if not ended:
                continue
            del self.running[number]
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                self._tell_failure(cell, process.returncode)
                continue
            if cell.prints:
                replace_file(cell.makes, printed(self.out, cell).read_text(encoding="utf-8"))
                printed(self.out, cell).unlink()
            self.records[cell.name] |= {
                "expected": cell.seconds,
                "seconds": round(time.monotonic() - started, 1),
                "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
                "ended": time.time(),
            }
            write_record(self.out, cell.name, self.records[cell.name])
        if self.running:
            time.sleep(LOOK)

    def _tell_failure(self, cell: Cell, status: int) -> None:
        self.failed = True
        log = log_of(self.out, cell)
        text = log.read_text(encoding="utf-8", errors="replace")
        if cell.prints:
            text += printed(self.out, cell).read_text(encoding="utf-8", errors="replace")
        print("\n".join(text.splitlines()[-5:]), file=sys.stderr)
        print(
            f"error: {cell.name} ended with status {status} ({log}); the same command goes on from"
            f" here: {shlex.join(cell.words)}",
            file=sys.stderr,
        )

    def end(self) -> None:
        """Leave no process behind."""
        for _, process, _ in self.running.values():
            process.terminate()
        for _, process, _ in self.running.values():
            process.wait()


def what_is_due(cell: Cell, records: Mapping[str, Mapping]) -> dict:
    """What tells this run of a cell from others: its command, and when what it reads was made."""
    made_from = {name: records[name].get("ended") for name in cell.needs}
    return {"words": list(cell.words), "made_from": made_from}


def has_run(cell: Cell, records: Mapping[str, Mapping]) -> bool:
    """Whether a cell's outcome is there, and was made by its command from what there is now."""
    record = records[cell.name]
    same = what_is_due(cell, records).items() <= record.items()
    return same and "ended" in record and cell.makes.exists()


def finished(cells: Sequence[Cell], out: Path) -> bool:
    """Whether all that the last cell needs has run, and it too."""
    records = {cell.name: read_record(out, cell.name) for cell in cells}
    return has_run(cells[-1], records)


def time_left(cells: Sequence[Cell], records: Mapping[str, Mapping], jobs: int = 1) -> str:
    """How long the cells that have not run will take, in words: what is expected of each, times how
    long the others took against what was expected of them (before there are many of those, as
    expected), shared by `jobs` at once.
    """
    ended = [records[cell.name] for cell in cells if has_run(cell, records)]
    expected = PRIOR + sum(record["expected"] for record in ended)
    pace = (PRIOR + sum(record["seconds"] for record in ended)) / expected
    seconds = pace * sum(cell.seconds for cell in cells if not has_run(cell, records)) / jobs
    left = f"{seconds / 60:.0f} min" if seconds >= SMALLEST_LEFT else f"{seconds:.0f} s"
    return f"about {left} left"


def log_of(out: Path, cell: Cell) -> Path:
    """What a cell says on the way."""
    return out / "logs" / f"{cell.name}.log"


def printed(out: Path, cell: Cell) -> Path:
    """Where the outcome of a cell that prints it lies until it has ended well."""
    return out / "logs" / f"{cell.name}.out"


def read_record(out: Path, name: str) -> dict:
    """A cell's record; empty where there is none."""
    try:
        return json.loads((out / "cells" / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def write_record(out: Path, name: str, record: Mapping) -> None:
    """Keep a cell's record."""
    replace_file(out / "cells" / f"{name}.json", json.dumps(record, indent=2) + "\n")


def remove(path: Path) -> None:
    """What an unfinished or another run of a cell left."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
