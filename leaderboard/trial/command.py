"""Which model should answer your customers? From conversations as you have them to one page.

  csc trial tickets.json --candidates hf:Qwen/Qwen3-4B hf:ORG/OTHER --out trial
  csc trial calls.csv --candidates openai:gpt-5-mini shop=http://localhost:9000/chat --out trial \\
      --label-llm openai:gpt-5 --policy docs/ --price gpt-5-mini=0.25,2

SOURCE is what csc build transcripts reads, or a dataset folder. Candidates are models on this
machine (hf:MODEL, with further arguments of lm_eval as in hf:BASE,peft=ADAPTER), of OpenAI's API or
a server like it (openai:MODEL,base_url=http://HOST/v1), and deployed agents (an address, or the
YAML file that describes one). Each is one `csc evaluate`.

This runs verbs that can be run by hand, one process each, and prints every command before: csc
build transcripts (personal data masked), csc label run (with --label-llm), csc build qa and csc
build passages (with --policy), csc evaluate for every candidate, csc label samples (where an agent
is among them), csc collect. The same command goes on where it was stopped. It ends with a page
(page.html) and one sentence: which to choose, or that they cannot be told apart yet and how many
more conversations it may take.

Without --label-llm there are no strategies: candidates are compared by the words that their replies
share with the recorded ones, which the page says.

Before anything is sent, the hosts that would receive customers' text are listed, and you are asked
(--yes: go on). This machine is not listed, and where nothing leaves it nothing is asked.
"""

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path

from csc_tasks import TASKS_DIR
from csc_tasks.arguments import add_json, check_known
from csc_tasks.errors import DataError, SettingError, require
from csc_tasks.out import check_writable, replace_file, say_earlier
from csc_tasks.shown import shown
from csc_tasks.telling import show, show_document, tally, tell
from csc_tasks.trackers import TRACKERS, check_tracker
from leaderboard.gate_pairs import read_runs
from leaderboard.numbers.efficiency import prices_of
from leaderboard.numbers.measured import Measured, Options
from leaderboard.trial.candidates import OPENAI, WAYS, Candidate, candidates_of, hosts
from leaderboard.trial.decision import decide
from leaderboard.trial.document import as_document
from leaderboard.trial.page import Told, as_page
from leaderboard.trial.planning import Plan, folders_of, steps_of
from leaderboard.trial.reporting import report
from leaderboard.trial.steps import RECORD, run_steps

PAGE = "page.html"


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc trial`."""
    add = parser.add_argument
    add("source", metavar="SOURCE", type=Path, help="transcripts, or a dataset folder")
    add("--candidates", nargs="+", required=True, metavar="CANDIDATE", help=WAYS)
    add("--out", type=Path, required=True, metavar="DIR", help="the folder of the trial")
    add(
        "--label-llm",
        action="append",
        default=[],
        metavar="BACKEND:MODEL",
        help="who labels the strategies (as --llm of csc label run); repeatable",
    )
    add(
        "--label-base-url", metavar="URL", help="its server (default: OPENAI_BASE_URL, else OpenAI)"
    )
    add("--raters", type=int, metavar="N", help="raters a turn (default: 3)")
    add(
        "--policy",
        type=Path,
        metavar="DOCS",
        help="a folder of policies, which support facts in answers; needs --label-llm",
    )
    add(
        "--price",
        action="append",
        default=[],
        metavar="[NAME=]IN,OUT",
        help="what a million tokens of a candidate cost; repeatable",
    )
    add("--limit", type=int, metavar="N", help="only N conversations")
    add(
        "--tasks",
        default="csc_conv_ref,csc_conv_gen",
        metavar="TASK,...",
        help="what is played; the first that all have decides (default: %(default)s)",
    )
    add("--concurrent", type=int, default=4, metavar="N", help="requests at once (default: 4)")
    add("--device", metavar="DEVICE", help="where hf: candidates run, e.g. cpu")
    add("--batch-size", default="8", metavar="N", help="of hf: candidates (default: 8)")
    add("--max-tokens", type=int, metavar="N", help="of a reply (default: the tasks' 256)")
    add("--columns", metavar="PART=COLUMN,...", help="as of csc build transcripts")
    add("--agents", metavar="NAME,...", help="as of csc build transcripts")
    add("--language", metavar="CODE", help="as of csc build transcripts")
    add("--prompt", choices=("single", "chat"), help="how models are asked (default: single)")
    add("--no-mask", action="store_true", help="leave personal data as they are")
    add("--yes", action="store_true", help="do not ask before customers' text is sent")
    add(
        "--report-to",
        choices=TRACKERS,
        metavar="TRACKER",
        help=f"report every candidate's numbers to {', '.join(TRACKERS)} (default: to none)",
    )
    add_json(parser)


def main(args: Namespace) -> None:
    """Run a trial and end with its sentence. Raises SettingError, and CscError for a step that
    fails.
    """
    require("scipy.special", "leaderboard", "csc trial")
    if args.report_to:
        check_tracker(args.report_to, "--report-to ", "leave it out")
    check_writable(args.out)
    if (args.out / RECORD).exists():
        say_earlier(
            f"{args.out} holds an earlier trial, which goes on where its steps are the same"
        )
    candidates = candidates_of(args.candidates, args.concurrent)
    prices = prices_of(args.price)
    if args.policy and not args.label_llm:
        raise SettingError("--policy: questions about it are written by --label-llm; give one")
    if not args.source.exists():
        raise DataError(f"{args.source}: there is no such file or folder")
    for name, least in (("limit", 2), ("concurrent", 1), ("raters", 1), ("max_tokens", 1)):
        if (value := getattr(args, name)) is not None and value < least:
            option = name.replace("_", "-")
            raise SettingError(f"--{option} {value}: must be at least {least}")
    known = {file.stem for file in TASKS_DIR.rglob("csc*.yaml")}
    check_known("--tasks", args.tasks.split(","), sorted(known))
    receiving = hosts([*((c.url, f"candidate {c.name}") for c in candidates), *_labellers(args)])
    _ask(receiving, args)
    plan = Plan(args, candidates, _is_dataset(args.source))
    steps = steps_of(plan)
    args.out.mkdir(parents=True, exist_ok=True)
    run_steps(steps, args.out)
    options = Options(seed=0, draw=0, audit=True, evidence=plan.passages(), prices=prices)
    runs = _read(plan, candidates, options)
    decision = decide(runs, args.tasks.split(","))
    told = Told(
        corpus=args.source.name,
        labels=_labels(args, plan),
        evidence=bool(options.evidence),
        hosts=tuple(receiving),
        masked=not args.no_mask and not plan.is_dataset,
    )
    page = replace_file(args.out / PAGE, as_page(decision, runs, told, steps))
    tell(f"\n{page}: the page; {args.out / 'board' / 'index.html'}: the board\n")
    show(decision.sentence)
    where = {"page": str(page), "board": str(args.out / "board" / "board.json")}
    show_document(args.json, as_document(decision, runs) | where)
    if args.report_to:
        report(args.report_to, args.out, decision, runs)


def _read(
    plan: Plan, candidates: list[Candidate], options: Options
) -> dict[str, dict[str, Measured]]:
    """Candidate -> task -> its run."""
    notes: list[str] = []
    runs: dict[str, dict[str, Measured]] = {}
    for candidate, folder in zip(candidates, folders_of(plan), strict=True):
        read = read_runs(folder, notes, options)
        if len(read) != 1:
            raise DataError(f"{folder}: results of {len(read)} models; it must hold one")
        (tasks,) = read.values()
        runs[candidate.name] = {task: own[-1] for task, own in tasks.items()}
    for note in dict.fromkeys(notes):
        print(f"note: {note}", file=sys.stderr)
    return runs


def _labellers(args: Namespace) -> list[tuple[str, str]]:
    """(address, what for) of the models that label."""
    url = args.label_base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI
    named = [(spec, spec.rpartition("=")[2]) for spec in args.label_llm]
    return [(url, f"--label-llm {spec}") for spec, model in named if model != "scripted"]


def _ask(receiving: Mapping[str, list[str]], args: Namespace) -> None:
    """List the hosts and ask. Raises SettingError where the answer is not yes."""
    if not receiving:
        return
    mask = "with placeholders for what patterns find"
    if args.no_mask or _is_dataset(args.source):
        # A dataset folder is taken as it is: csc build transcripts masked it, or nobody did.
        mask = "as they are"
    tally(f"Customers' text (personal data {mask}) would be sent to:")
    for host, purposes in receiving.items():
        tally(f"  {shown(host)}: {', '.join(map(shown, purposes))}")
    if args.yes:
        return
    if not sys.stdin.isatty():
        raise SettingError("nobody is there to be asked; give --yes to go on")
    if input("Go on? [y/N] ").strip().lower() not in ("y", "yes"):
        raise SettingError("not confirmed; nothing was sent")


def _is_dataset(source: Path) -> bool:
    return source.is_dir() and (source / "csconv").is_dir()


def _labels(args: Namespace, plan: Plan) -> str:
    if args.label_llm:
        names = ", ".join(spec.rpartition("=")[2] for spec in args.label_llm)
        return f"Strategies are labels by {names}; csc label report says how far raters agree."
    return "" if plan.is_dataset else "Nobody labelled strategies."


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
