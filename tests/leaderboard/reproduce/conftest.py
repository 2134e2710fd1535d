"""One report on the demo corpus, made by the command, for all tests that look at it."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from csc_tasks.cli import main
from tests.support.report_example import write_judging, write_runs, write_sweep


@dataclass(frozen=True)
class DemoReport:
    """Where everything lies. words: of the command that made `out`."""

    runs: Path
    judged: Path
    compared: Path
    out: Path
    words: tuple[str, ...]


@pytest.fixture(scope="session")
def demo_report(tmp_path_factory) -> DemoReport:
    root = tmp_path_factory.mktemp("report")
    runs = write_runs(root / "runs")
    judged, compared = write_judging(runs, root)
    write_sweep(runs)
    given = [str(path) for path in (runs, judged, compared)]
    words = ("reproduce", "demo", "--results", *given, "--replace", "--out", str(root / "out"))
    assert main(list(words)) == 0
    return DemoReport(runs, judged, compared, root / "out", words)
