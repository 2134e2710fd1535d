"""Print the file that makes every metric here usable from Hugging Face evaluate, outside lm_eval
and offline:

    import evaluate, subprocess
    path = subprocess.check_output(["csc", "metric-path"], text=True).strip()
    rouge = evaluate.load(path, "rouge_l")
    rouge.compute(predictions=["您好"], references=["您好！"], language="zh")
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from csc_tasks.telling import show


def add_arguments(parser: ArgumentParser) -> None:
    """`csc metric-path` takes no arguments."""


def main(args: Namespace) -> None:
    """Print the path."""
    show(Path(__file__).resolve().parent / "metrics" / "csc_metric.py")
