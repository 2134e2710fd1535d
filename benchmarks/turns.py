"""Time and memory of everything but the model: 25,000 supporter turns built, asked of a model that
answers at once, scored and logged.

  python -m benchmarks.turns [--conversations 1855] [--turns 14]

CSConv's shape: 1,855 conversations, about 14 supporter turns each. Prints a Markdown row per task.
"""

import argparse
import json
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

from csc_tasks import TASKS_DIR
from csc_tasks.conversation import Conversation, Turn, content_id
from csc_tasks.framework import STRATEGIES
from csc_tasks.languages.labels import strategy_name


def conversations(count: int, turns: int, seed: int = 0) -> list[Conversation]:
    """Chinese conversations of CSConv's shape: supporter utterances of about 49 characters,
    customer ones of about 17 (Table 3).
    """
    draw = random.Random(seed)
    characters = "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面而方后多定行学法所民得经"  # noqa: E501

    def say(length: int) -> str:
        return "".join(draw.choices(characters, k=max(2, round(draw.gauss(length, length / 3)))))

    made = []
    for number in range(count):
        dialogue = []
        for _ in range(turns):
            dialogue += [
                Turn("supporter", say(49), draw.choice(STRATEGIES).id),
                Turn("customer", say(17)),
            ]
        made.append(
            Conversation(
                content_id("benchmark", number), "zh", "Others", "benchmark", tuple(dialogue)
            )
        )
    return made


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--conversations", type=int, default=1855)
    parser.add_argument("--turns", type=int, default=14)
    args = parser.parse_args()

    from lm_eval import simple_evaluate
    from lm_eval.api.model import LM
    from lm_eval.tasks import TaskManager

    class Instant(LM):
        """Answers at once, with the clock stopped around its own work."""

        def generate_until(self, requests):
            return [
                f"[{strategy_name(STRATEGIES[i % 12].id, 'zh')}] 非常抱歉给您带来不便，"
                "我马上为您核实处理，请您稍等片刻好吗？"
                for i, _ in enumerate(requests)
            ]

        loglikelihood = loglikelihood_rolling = None

    Instant.__abstractmethods__ = frozenset()
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder, "csconv", "test.jsonl")
        corpus.parent.mkdir()
        corpus.write_text(
            "".join(
                json.dumps(c.to_row(), ensure_ascii=False) + "\n"
                for c in conversations(args.conversations, args.turns)
            ),
            encoding="utf-8",
        )
        print(
            "|task|turns|seconds|turns per second|samples file|peak"
            " memory|\n|---|---:|---:|---:|---:|---:|"
        )
        for task in ("csc_conv_ref", "csc_conv_gen"):
            start = time.perf_counter()
            manager = TaskManager(
                include_path=str(TASKS_DIR), include_defaults=False, metadata={"csc_corpus": folder}
            )
            results = simple_evaluate(
                Instant(), tasks=[task], task_manager=manager, bootstrap_iters=0
            )
            logged = sum(
                len(json.dumps(sample, ensure_ascii=False).encode())
                for sample in results["samples"][task]
            )
            seconds = time.perf_counter() - start
            turns = results["results"][task]["turns,none"]
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
                1024**2 if sys.platform != "darwin" else 1024**3
            )
            print(
                f"|{task}|{turns:,}|{seconds:.1f}|{turns / seconds:,.0f}|{logged / 1024**2:.0f}"
                f" MB|{peak:.2f} GB|",
                flush=True,
            )


if __name__ == "__main__":
    main()
