"""Time and memory of a board: 20 models on 25,970 turns each, from samples files to the page.

  python -m benchmarks.leaderboard [--models 20] [--conversations 1855] [--turns 14] [--jobs 2] \\
      [--no-fact-audit]

Writes a corpus and samples files of the shape and size that `lm_eval --log_samples` gives (prompts
included; replies and scores drawn at random), then runs `csc collect` in a process of its own,
which verifies them against the corpus: every score is computed again, and differs. Prints a
Markdown table; the memory is that of the largest process, and of all of them together.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.turns import conversations
from csc_tasks import __version__, corpora
from csc_tasks.framework import BY_ID, STRATEGY_IDS
from csc_tasks.languages.labels import strategy_name
from csc_tasks.metrics import METRICS
from csc_tasks.prompts import TurnPrompt
from csc_tasks.runs.task_version import task_version

NAMES = (
    "strategy_acc",
    "strategy_macro_f1",
    "stage_overlap",
    "unparsed",
    "truncated",
    "history_truncated",
    "empty",
    "bleu_2",
    "bleu_4",
    "rouge_l",
    "rouge_l_default",
)
PHRASES = (
    "非常抱歉给您带来不便，",
    "我马上为您核实处理，",
    "请您稍等片刻好吗？",
    "退款{}个工作日内到账，",
    "金额是{}元，",
    "工号{}为您服务，",
    "感谢您的耐心等待。",
    "您的建议我们会反馈给相关部门，",
    "这项业务需要先核对身份，",
    "如果还有其他问题请随时联系我们。",
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=int, default=20)
    parser.add_argument("--conversations", type=int, default=1855)
    parser.add_argument("--turns", type=int, default=14)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--no-fact-audit", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="csc-benchmark-") as folder:
        size = write(Path(folder) / "results", args.models, args.conversations, args.turns)
        print(
            f"{args.models} samples files of {size / args.models / 2**20:.0f} MB written",
            file=sys.stderr,
        )
        command = [
            sys.executable,
            "-m",
            "leaderboard.collect",
            f"{folder}/results",
            "--out",
            f"{folder}/board",
            "--corpus",
            f"{folder}/results/corpus.jsonl",
            "--jobs",
            str(args.jobs),
        ]
        started = time.perf_counter()
        run = subprocess.Popen(
            command + ["--no-fact-audit"] * args.no_fact_audit, stdout=subprocess.DEVNULL
        )
        together = 0
        while run.poll() is None:
            together = max(together, memory(run.pid))
            time.sleep(0.1)
        seconds = time.perf_counter() - started
        if run.returncode:
            sys.exit(run.returncode)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        largest = used.ru_maxrss / 2**20
        page = (Path(folder) / "board" / "index.html").stat().st_size / 2**20
        turns = args.models * args.conversations * args.turns
        print(
            "|models|turns|read|seconds|CPU seconds|largest process|all"
            " processes|page|\n|---|---:|---:|---:|---:|---:|---:|---:|"
        )
        print(
            f"|{args.models}|{turns:,}|{size / 2**30:.1f}"
            f" GB|{seconds:.1f}|{used.ru_utime + used.ru_stime:.1f}|{largest:.2f}"
            f" GB|{together / 2**30:.2f} GB|{page:.1f} MB|"
        )


def memory(pid: int) -> int:
    """Resident bytes of a process and its children (0 where /proc is not there)."""
    total = 0
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    total += next(
        (int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS")), 0
    )
    return total + sum(memory(int(child)) for child in children)


def write(root: Path, models: int, count: int, turns: int) -> int:
    """Results and samples of `models` models on the same conversations; returns the bytes of all
    samples files.
    """
    made = corpora.load(str(_corpus(root, count, turns)), "csconv", "test").items
    fixed = [parts(number, conversation) for number, conversation in enumerate(made)]
    signatures = {name: METRICS[name].score([], [], "zh").signature for name in NAMES}
    size = 0
    for model in range(models):
        draw = random.Random(model)
        folder = root / f"org__model-{model:02}"
        folder.mkdir(parents=True)
        items: dict[str, list] = {name: [] for name in NAMES}
        clusters = []
        file = folder / "samples_csc_conv_ref_2026-11-20T20-00-00.000000.jsonl"
        with file.open("w", encoding="utf-8") as stream:
            for conversation, (head, tail) in zip(made, fixed, strict=True):
                records, own = reply(conversation, draw, 0.3 + 0.02 * model)
                for name in NAMES:
                    items[name] += own[name]
                clusters += [conversation.conversation_id] * len(records)
                said = json.dumps([[raw(record)] for record in records], ensure_ascii=False)
                scores = {
                    key: [conversation.conversation_id, own[name]]
                    for name in NAMES
                    for key in (name, f"{name}_stderr")
                }
                rest = json.dumps({"turns": records} | scores, ensure_ascii=False)[1:]
                stream.write(f'{head}, "resps": {said}, "filtered_resps": {said}, {tail}, {rest}\n')
        size += file.stat().st_size
        numbers = {"alias": "csc_conv_ref", "sample_len": count, "turns,none": len(clusters)}
        for name in NAMES:
            found = METRICS[name].estimate(items[name], clusters)
            numbers |= {f"{name},none": found.value, f"{name}_stderr,none": found.stderr}
        csc = {
            "project": __version__,
            "corpus": "benchmark",
            "config": "csconv",
            "split": "test",
            "revision": None,
            "rows": count,
            "content_hash": corpora.content_hash(made),
            "languages": ["zh"],
            "counts": {},
            "signatures": signatures,
            "prompt": "single",
        }
        version = task_version("csc_conv_ref")
        results = {
            "results": {"csc_conv_ref": numbers},
            "configs": {"csc_conv_ref": {"metadata": {"version": version, "csc": csc}}},
            "higher_is_better": {
                "csc_conv_ref": {name: METRICS[name].higher_is_better for name in NAMES}
            },
            "n-samples": {"csc_conv_ref": {"original": count, "effective": count}},
            "versions": {"csc_conv_ref": version},
            "config": {
                "model": "hf",
                "model_args": {"pretrained": f"org/model-{model:02}"},
                "limit": None,
            },
            "model_name": f"org/model-{model:02}",
            "date": 1.79e9,
            "chat_template": "{{ messages }}",
        }
        (folder / "results_2026-11-20T20-00-00.000000.json").write_text(
            json.dumps(results), encoding="utf-8"
        )
    return size


def _corpus(root: Path, count: int, turns: int) -> Path:
    file = root / "corpus.jsonl"
    root.mkdir(parents=True, exist_ok=True)
    rows = (json.dumps(item.to_row(), ensure_ascii=False) for item in conversations(count, turns))
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return file


def raw(record: dict) -> str:
    """A reply as the model wrote it."""
    if record["strategy"] is None:
        return record["reply"]
    return f"[{strategy_name(record['strategy'], 'zh')}] {record['reply']}"


def parts(number: int, conversation) -> tuple[str, str]:
    """What every model's line of a conversation has in common: its opening with the prompts, and
    the hashes.
    """
    prompts = [
        TurnPrompt(conversation, turn, "single", "predict") for turn in conversation.scored_turns()
    ]
    asked = {
        f"gen_args_{i}": {"arg_0": p.plain(p.messages()), "arg_1": {"max_gen_toks": 256}}
        for i, p in enumerate(prompts)
    }
    opening = {
        "doc_id": number,
        "doc": conversation.to_row(),
        "target": str([p.target() for p in prompts]),
        "arguments": asked,
    }
    hashes = {
        "filter": "none",
        "metrics": ["turns", *NAMES],
        "doc_hash": "0" * 64,
        "prompt_hash": "0" * 64,
        "target_hash": "0" * 64,
    }
    return json.dumps(opening, ensure_ascii=False)[:-1], json.dumps(hashes)[1:-1]


def reply(conversation, draw: random.Random, right: float) -> tuple[list[dict], dict[str, list]]:
    """Records and metric items of one conversation; the strategy is right with probability `right`,
    other scores are drawn.
    """
    records: list[dict] = []
    own: dict[str, list] = {name: [] for name in NAMES}
    for turn in conversation.scored_turns():
        gold = conversation.dialogue[turn]
        chosen = gold.strategy if draw.random() < right else draw.choice([*STRATEGY_IDS, None])
        text = "".join(draw.choices(PHRASES, k=3)).format(
            *(draw.randint(2, 9999) for _ in range(3))
        )
        records.append(
            {
                "conversation_id": conversation.conversation_id,
                "turn": turn,
                "language": "zh",
                "topic": conversation.topic,
                "gold_strategy": gold.strategy,
                "gold_stages": list(BY_ID[gold.strategy].stages),
                "strategy": chosen,
                "stages": list(BY_ID[chosen].stages) if chosen else [],
                "reference": gold.text,
                "reply": text,
                "unparsed": chosen is None,
                "empty": False,
                "truncated": False,
                "history_truncated": False,
            }
        )
        counts = [draw.randint(10 - 2 * n, 20 - 4 * n) for n in range(4)]
        bleu = [len(text), len(gold.text)], counts, [len(text) - n for n in range(4)]
        own["strategy_acc"].append(float(chosen == gold.strategy))
        own["strategy_macro_f1"].append(
            [BY_ID[gold.strategy].number, BY_ID[chosen].number if chosen else 0]
        )
        own["stage_overlap"].append(draw.random())
        own["unparsed"].append(float(chosen is None))
        own["bleu_2"].append([*bleu[0], *bleu[1][:2], *bleu[2][:2]])
        own["bleu_4"].append([*bleu[0], *bleu[1], *bleu[2]])
        own["rouge_l"].append(draw.random() / 2)
        own["rouge_l_default"].append(0.0)
        for name in ("truncated", "history_truncated", "empty"):
            own[name].append(0.0)
    return records, own


if __name__ == "__main__":
    main()
