"""Customer-support conversation benchmark for lm-evaluation-harness."""

from pathlib import Path

__version__ = "0.1.0"

TASKS_DIR = Path(__file__).resolve().parent
"""The folder that holds the task YAML files: what `--include_path` takes."""
