"""The same model and prompts through the servers that people run, against lm_eval's HF backend in
float32: scores, replies that differ and why, and turns per second of CPU time.

  python -m benchmarks.servers --model DIR --gguf MODEL.Q4_1.gguf --corpus DIR --out OUT \\
      --rows hf:float32 transformers:float32 llama.cpp:float32 llama.cpp:Q4_1 vllm:float32 \\
      [--tasks csc_conv_ref csc_conv_gen] [--limit 10] [--reply 48] [--slots 16] [--threads 1] \\
      [--vllm-python .venv-vllm/bin/python]

Rows: hf (lockstep play), transformers (`transformers serve`), llama.cpp (its server), vllm (`vllm
serve`), vllm-inside (lm_eval's `--model vllm`), each with a precision; llama.cpp takes the type of
the GGUF file as it is, too. The first row is what the others are compared with. `make real-vllm`
makes the environment for vLLM. CPU seconds are those of asking (user and system, the server's and
the client's), without start and scoring. Runs lie in OUT and are not repeated.
Prints a Markdown table.
"""

import argparse
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.differences import (
    Differences,
    Judge,
    Key,
    compare,
    logged_messages,
    read_turns,
    same_tokens,
    server_tokens,
)
from benchmarks.gguf_type import convert
from benchmarks.serving import COMMANDS, GGML, Served, Start, environment, serve

ROOT = Path(__file__).resolve().parents[1]
COUNTED = 5
"""So many prompts of a server that does not tell its tokens are compared by their number, the
longest among them: it has to read each for that.
"""


@dataclass(frozen=True, slots=True)
class Row:
    """What answers, and at which precision."""

    kind: str
    precision: str

    @property
    def name(self) -> str:
        """As the folder of its runs is called."""
        return f"{self.kind}-{self.precision}"


def row(text: str) -> Row:
    """KIND:PRECISION of the command line."""
    kind, _, precision = text.partition(":")
    if kind not in {*COMMANDS, "hf", "vllm-inside"}:
        raise argparse.ArgumentTypeError(
            f"{kind} is none of hf, vllm-inside, {', '.join(COMMANDS)}"
        )
    return Row(kind, precision or "float32")


def run(args: argparse.Namespace, one: Row) -> None:
    """The tasks of a row that have not been run yet, and what its server makes of prompts."""
    missing = [task for task in args.tasks if not _folder(args, one, task).is_dir()]
    tasks = args.tasks if one.kind in COMMANDS else []
    unchecked = [task for task in tasks if not _prompts(args, one, task).is_file()]
    if not missing and not unchecked:
        return
    with _server(args, one) as served:
        for task in missing:
            _evaluate(args, one, served, task)
        for task in unchecked if served is not None else ():
            _check_prompts(args, one, task, served)


@contextmanager
def _server(args: argparse.Namespace, one: Row) -> Iterator[Served | None]:
    """The server of a row; None where the model runs in lm_eval's own process."""
    if one.kind not in COMMANDS:
        yield None
        return
    model = args.model
    if one.kind == "llama.cpp":
        model = args.gguf
        if one.precision in GGML:
            model = args.out / f"{args.gguf.stem}.{GGML[one.precision]}.gguf"
            if not model.is_file():
                convert(args.gguf, model, GGML[one.precision])
    python = args.vllm_python if one.kind == "vllm" else Path(sys.executable)
    start = Start(
        one.kind,
        model,
        one.precision,
        args.threads,
        args.slots,
        args.context,
        args.eager,
        python.absolute(),
    )
    log = args.out / f"{one.name}.log"
    with serve(start, log) as served:
        yield served


def _evaluate(args: argparse.Namespace, one: Row, served: Served | None, task: str) -> None:
    """One lm_eval run in a process of its own, into the row's folder once it is whole."""
    python = args.vllm_python.absolute() if one.kind == "vllm-inside" else sys.executable
    folder = _folder(args, one, task)
    part = folder.with_name(f"{folder.name}.part")
    part.mkdir(parents=True, exist_ok=True)
    settings = {"csc_corpus": str(args.corpus.absolute()), "csc_prompt": args.prompt}
    command = [python, "-m", "benchmarks.timed_evaluation", part / "times.json"]
    command += ["--server", served.process, "--"] if served else ["--"]
    command += [*_model(args, one, served), "--tasks", task, "--apply_chat_template"]
    command += ["--limit", args.limit, "--gen_kwargs", f"max_gen_toks={args.reply}"]
    command += ["--metadata", json.dumps(settings), "--output_path", part, "--log_samples"]
    log = args.out / f"{one.name}-{task}.log"
    with log.open("wb") as output:
        subprocess.run(
            [str(word) for word in command],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment(args.threads),
            cwd=ROOT,
            check=True,
        )
    part.rename(folder)


def _model(args: argparse.Namespace, one: Row, served: Served | None) -> list[str]:
    """What lm_eval is told of the model."""
    if served is not None:
        asked = f"model={served.model},base_url={served.url},num_concurrent={args.slots}"
        return ["--model", "local-chat-completions", "--model_args", asked]
    loaded = f"pretrained={args.model.absolute()},dtype={one.precision}"
    if one.kind == "hf":
        size = ["--batch_size", str(args.slots), "--device", "cpu"]
        return ["--model", "hf", "--model_args", loaded, *size]
    loaded += f",max_model_len={args.context},max_num_seqs={args.slots},enable_prefix_caching=True"
    loaded += f",enforce_eager={args.eager}"
    return ["--model", "vllm", "--model_args", loaded, "--batch_size", "auto"]


def _check_prompts(args: argparse.Namespace, one: Row, task: str, served: Served) -> None:
    """Write which prompts the server reads as other tokens than the reference does."""
    judge = Judge(args.model)
    ours = read_turns(samples_of(args, args.rows[0], task), judge)
    theirs = read_turns(samples_of(args, one, task), judge)
    sent = dict(logged_messages(samples_of(args, one, task)))
    same = [key for key in sent if key in ours and ours[key].prompt == theirs[key].prompt]
    by_length = sorted(same, key=lambda key: len(ours[key].prompt))
    if one.kind == "transformers":
        step = max(1, (len(by_length) - 1) // (COUNTED - 1))
        by_length = by_length[::-step][:COUNTED]
    unlike = [
        key
        for key in by_length
        if not same_tokens(
            one.kind,
            server_tokens(one.kind, served.address, served.model, sent[key]),
            judge.tokens(ours[key].prompt),
        )
    ]
    checked = {"of": len(by_length), "unlike": unlike}
    _prompts(args, one, task).write_text(json.dumps(checked), encoding="utf-8")


def _folder(args: argparse.Namespace, one: Row, task: str) -> Path:
    folder: Path = args.out / one.name / task
    return folder


def _prompts(args: argparse.Namespace, one: Row, task: str) -> Path:
    file: Path = args.out / one.name / f"prompts-{task}.json"
    return file


def samples_of(args: argparse.Namespace, one: Row, task: str) -> Path:
    """The samples file of a row's run."""
    return next(_folder(args, one, task).rglob("samples_*.jsonl"))


def cells(args: argparse.Namespace, one: Row, task: str, judge: Judge) -> list[str]:
    """What the table says of a row's run of a task."""
    folder = _folder(args, one, task)
    results = json.loads(next(folder.rglob("results_*.json")).read_text(encoding="utf-8"))
    scores = results["results"][task]
    spent = json.loads((folder / "times.json").read_text(encoding="utf-8"))
    turns = int(scores["turns,none"])
    cpu = spent["server"] + spent["client"]
    differing = "-"
    if one != args.rows[0]:
        reference = read_turns(samples_of(args, args.rows[0], task), judge)
        theirs = read_turns(samples_of(args, one, task), judge)
        found = compare(reference, theirs, judge, _unlike(_prompts(args, one, task)))
        differing = said(found)
    return [
        one.kind,
        one.precision,
        task,
        str(turns),
        f"{scores['strategy_acc,none']:.3f} {_interval(scores['strategy_acc_stderr,none'])}",
        f"{scores['unparsed,none']:.2f}",
        _alike(_prompts(args, one, task)),
        differing,
        f"{spent['server']:.1f}" if spent["server"] else "-",
        f"{spent['client']:.1f}",
        f"{spent['wall']:.1f}",
        f"{turns / cpu:.2f}",
    ]


def said(found: Differences) -> str:
    """Differing turns of all with the same prompt, and why."""
    reasons = ", ".join(f"{count} {reason}" for reason, count in found.reasons.most_common())
    widest = f", at most {found.widest:.2g} in logits" if found.widest else ""
    later = f"; {found.later} with other history" if found.later else ""
    return f"{found.differ} of {found.compared}{f' ({reasons}{widest})' if reasons else ''}{later}"


def _interval(error: Any) -> str:
    """Half of a 95 % interval."""
    return f"± {1.96 * error:.3f}" if isinstance(error, float) else "N/A"


def _alike(file: Path) -> str:
    if not file.is_file():
        return "-"
    checked = json.loads(file.read_text(encoding="utf-8"))
    return f"{checked['of'] - len(checked['unlike'])} of {checked['of']}"


def _unlike(file: Path) -> set[Key]:
    """Turns whose prompts the server read as other tokens."""
    if not file.is_file():
        return set()
    return {(id_, turn) for id_, turn in json.loads(file.read_text(encoding="utf-8"))["unlike"]}


HEAD = ["server", "precision", "task", "turns", "strategy accuracy", "unparsed"]
HEAD += ["prompts with the same tokens", "replies that differ from the first row's"]
HEAD += ["CPU s of the server", "of the client", "wall s", "turns per CPU s"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True, help="a folder with safetensors")
    parser.add_argument("--gguf", type=Path, help="the same model for llama.cpp, quantised")
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rows", type=row, nargs="+", required=True, metavar="KIND:PRECISION")
    parser.add_argument("--tasks", nargs="+", default=["csc_conv_ref", "csc_conv_gen"])
    parser.add_argument("--prompt", choices=["single", "chat"], default="chat")
    parser.add_argument("--limit", type=int, default=10, help="conversations")
    parser.add_argument("--reply", type=int, default=48, help="tokens of a reply at most")
    parser.add_argument("--slots", type=int, default=16, help="conversations at once")
    parser.add_argument("--context", type=int, default=4096, help="tokens a request may have")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--eager",
        action="store_true",
        help="vLLM compiles nothing: it starts sooner, and is slower",
    )
    parser.add_argument("--vllm-python", type=Path, default=ROOT / ".venv-vllm/bin/python")
    args = parser.parse_args()
    # Ended from outside, it still ends its servers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    args.out.mkdir(parents=True, exist_ok=True)
    if args.gguf is None and any(one.kind == "llama.cpp" for one in args.rows):
        parser.error("llama.cpp needs --gguf FILE")
    for one in args.rows:
        run(args, one)
    judge = Judge(args.model)
    print(f"|{'|'.join(HEAD)}|\n|---|---|---|{'---:|' * (len(HEAD) - 3)}")
    for task in args.tasks:
        for one in args.rows:
            print(f"|{'|'.join(cells(args, one, task, judge))}|", flush=True)


if __name__ == "__main__":
    main()
