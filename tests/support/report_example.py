"""What a report is made of, small: two made-up models that lm_eval ran on the demo corpus, rated by
two judges, compared in pairs, and put into the file of a sweep as if they were its points.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from csc_tasks.cli import main
from csc_tasks.languages import languages
from tests.support.made_results import run_lm_eval

ALPHA, BETA = "org/alpha-7b", "org/beta-3b"
TASKS = (
    *("csc_conv_ref", "csc_conv_gen", "cscx_conv_ref_vanilla", "cscx_conv_ref_oracle"),
    *("csc_qa", "cscx_qa_full", "cscx_qa_none", "cscx_qa_grounded"),
)
FEWER = ("csc_conv_ref", "csc_conv_gen", "csc_qa")


def talker(salt: str, share: int) -> Callable[[str], str]:
    """A model that repeats the first `share` tenths of the last words it is shown, and adds a
    promise of 24 hours to every second reply; its strategies are drawn from the prompt's hash.
    """

    def reply(prompt: str) -> str:
        chinese = sum("\u4e00" <= sign <= "\u9fff" for sign in prompt) > len(prompt) / 10
        drawn = int(hashlib.sha256(f"{salt}{prompt}".encode()).hexdigest(), 16)
        lines = [line for line in prompt.splitlines() if line.strip()]
        words = max(lines[-4:], key=len).partition("：" if chinese else ":")[2] or lines[0]
        text = words.strip()[: max(4, len(words) * share // 10)]
        if drawn % 2:
            text += " 24 小时内答复。" if chinese else " You will hear from us within 24 hours."
        names = [*languages()["zh" if chinese else "en"].strategies.values()]
        return f"[{names[drawn % len(names)].name}] {text}"

    return reply


def write_runs(root: Path) -> Path:
    """The results and samples of both models, a folder each."""
    run_lm_eval(root / "alpha", "demo", TASKS, talker("alpha", 10), ALPHA)
    run_lm_eval(root / "beta", "demo", FEWER, talker("beta", 5), BETA)
    return root


def write_judging(runs: Path, root: Path) -> tuple[Path, Path]:
    """(ratings of two judges, comparisons of one), of the stand-in's."""
    judged, compared = root / "judged", root / "compared"
    judges = ["--llm", "one=scripted", "--llm", "two=scripted"]
    tasks = ["--tasks", "csc_conv_gen,csc_qa"]
    sizes = ["--conversations", "12"]
    assert main(["judge", str(runs), *tasks, *judges, *sizes, "--out", str(judged)]) == 0
    asked = ["--tasks", "csc_qa", "--llm", "scripted", "--conversations", "30"]
    assert main(["pairwise", str(runs), *asked, "--out", str(compared)]) == 0
    return judged, compared


def write_sweep(runs: Path, key: str = "train_size") -> Path:
    """sweep.json with both runs as points, and a third that no results are there of."""
    points = []
    for value, size, name in (("0", 0, "beta"), ("300", 300, "alpha"), ("all", 500, "")):
        file = next((runs / name).rglob("results_*.json")) if name else None
        points.append(
            {
                "value": value,
                "base": value == "0",
                "seed": None if value == "0" else 0,
                "size": size,
                "validation_loss": 2.5 - size / 1000,
                "file": file.relative_to(runs).as_posix() if file else None,
                "scores": {} if file else {"csc_conv_ref": {"strategy_acc": 0.5}},
            }
        )
    data = {"format": "csc-tasks sweep, version 1", "key": key, "limit": None, "points": points}
    file = runs / "sweep.json"
    file.write_text(json.dumps(data), encoding="utf-8")
    return file
