"""`csc`: one word or two name a verb, and only the module behind that verb is imported.

A verb's module has a docstring (the help text), `add_arguments(parser)` and `main(args)`; it runs
as `python -m MODULE` too if it ends with

    if __name__ == "__main__":
        standalone(add_arguments, main, __doc__)

Exit status: 0, or what `main` returned; 1 for an error the user can fix (a CscError: one line); 2
for a misuse of the options; 130 when interrupted; 141 when the reader of the output has gone. What
a disk or its owner refuses is one line too. Anything else is a bug and keeps its traceback.
"""

import importlib
import os
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher

from csc_tasks import __version__
from csc_tasks.arguments import QUIET, Parser, add_quiet
from csc_tasks.errors import CscError, SettingError, check_not_shadowed, missing_libraries
from csc_tasks.out import STORAGE
from csc_tasks.telling import STDOUT, speaking

AddArguments = Callable[[ArgumentParser], object]
Main = Callable[[Namespace], int | None]
"""What a verb's module has; `main` returns an exit status, or None for 0."""

# verb -> (module, summary), in the order in which the overview shows them
COMMANDS = {
    "build demo": ("builders.demo", "the embedded demo corpus, rebuilt byte for byte"),
    "build star": ("builders.star", "a labelled conversation dataset from STAR's raw dialogues"),
    "build transcripts": (
        "builders.transcripts.build",
        "your own conversations, as support tools export them, as a dataset without labels",
    ),
    "build rolecs": (
        "builders.rolecs.build",
        "synthetic support conversations by role-playing language models",
    ),
    "build qa": ("builders.qa.build", "context-summarised questions from recorded conversations"),
    "build qa-stages": (
        "builders.qa.stages",
        "the stage (early, mid, late) of every question of a QA corpus, by a language model",
    ),
    "build briefs": (
        "builders.briefs.build",
        "briefs from which the customers of live conversations are played",
    ),
    "build passages": (
        "builders.passages",
        "passages for every question of a QA corpus, looked up in a folder of policies",
    ),
    "build csconv": (
        "builders.csconv.build",
        "recorded support conversations rewritten, every supporter turn with its strategy",
    ),
    "build hold-out": (
        "builders.hold_out_folder",
        "a dataset without the references of its test split, which you keep for csc verify",
    ),
    "build profiles": (
        "builders.profiles.build",
        "a pool of customer profiles for role-playing, from conversations",
    ),
    "build merge": ("builders.merge", "the parts of a build (--shard) into one dataset folder"),
    "train": (
        "trainers.train",
        "a LoRA or QLoRA adapter on a dataset, and the command that scores it",
    ),
    "train tiny": ("trainers.tiny", "a tiny stand-in chat model from scratch, on the CPU"),
    "recipes": (
        "trainers.shipped_recipes",
        "the settings of a training that come with csc-tasks, by name",
    ),
    "convert": (
        "trainers.convert",
        "a GGUF file as an ordinary model folder, for what trains, quantises or serves",
    ),
    "label run": (
        "builders.labels.run",
        "the strategy of every supporter turn, by language models as raters; nothing is rewritten",
    ),
    "label export": (
        "builders.labels.export",
        "a dataset's turns before people who label them: a sheet each, blind to other labels",
    ),
    "label import": (
        "builders.labels.importing",
        "people's labels into a new dataset folder",
    ),
    "label report": (
        "leaderboard.judging.label_report",
        "how far the raters of a labelled corpus agree, people and models, and what divides them",
    ),
    "label samples": (
        "builders.labels.samples",
        "the strategies in logged replies, read afterwards, for agents that name none",
    ),
    "review export": (
        "builders.review.export",
        "a dataset's conversations before reviewers: a table and a page, offline",
    ),
    "review import": (
        "builders.review.importing",
        "reviewers' decisions into a new dataset folder",
    ),
    "stats": (
        "builders.statistics_report",
        "what a dataset holds: sizes, lengths, topics, strategies, as tables and figures",
    ),
    "push": ("builders.push", "publish a dataset folder on the Hub, one commit"),
    "evaluate": (
        "csc_tasks.evaluate",
        "a model on the benchmark: `lm_eval run`, checked before the model is loaded",
    ),
    "score": ("csc_tasks.score", "metrics from logged samples, without asking a model again"),
    "verify": (
        "csc_tasks.verify.command",
        "results against a corpus you hold: documents, replies and every number, again",
    ),
    "baselines": (
        "leaderboard.baselines",
        "what a score is worth on a corpus: majority, bigram, echo",
    ),
    "collect": (
        "leaderboard.collect",
        "a board from results: intervals, comparisons, diagnosis, tables and a page",
    ),
    "tables": ("leaderboard.tables", "a board's tables as Markdown, CSV, LaTeX or HTML"),
    "reproduce": (
        "leaderboard.reproduce.command",
        "the tables and figures of both papers, for your own corpora and results",
    ),
    "power": (
        "leaderboard.power",
        "how many conversations a comparison needs, or what it can find",
    ),
    "variance": (
        "leaderboard.variance",
        "live conversations: how much is the conversation, the customer and chance",
    ),
    "trial": (
        "leaderboard.trial.command",
        "your conversations and several models or agents: which one to choose, on one page",
    ),
    "gate": (
        "leaderboard.gate",
        "is a model worse than it was? exit status 0, 1 or 2, for CI",
    ),
    "publish": (
        "leaderboard.publishing.publish",
        "a board on the Hub: results as a dataset, page as a Space, numbers on model pages",
    ),
    "export": (
        "leaderboard.export.command",
        "results in the format of another collection: Every Eval Ever, turn by turn",
    ),
    "doctor": (
        "csc_tasks.doctor.examine",
        "what works on this machine, what does not, and what to do about it",
    ),
    "judge": (
        "leaderboard.judging.judge",
        "language models rate replies: six dimensions, with everything needed to doubt them",
    ),
    "judge facts": (
        "leaderboard.judging.facts",
        "language models look for facts in replies that nothing supports, beside the rule",
    ),
    "pairwise": (
        "leaderboard.judging.pairwise",
        "language models compare models in both orders; Bradley-Terry scores",
    ),
    "human export": (
        "leaderboard.judging.human_export",
        "blinded rating sheets for people: offline pages and CSV",
    ),
    "human import": (
        "leaderboard.judging.human_import",
        "filled rating sheets, checked, as ratings and columns",
    ),
    "agreement": (
        "leaderboard.judging.agreement",
        "how far judges and people can be believed: one report",
    ),
    "audit-customer": (
        "leaderboard.audit.command",
        "can the customer of a live run be believed? its conversations beside recorded people's",
    ),
    "customers": (
        "leaderboard.audit.survival_command",
        "does the order of the models survive another customer? live runs beside each other",
    ),
    "journal": (
        "csc_tasks.llm.journal.cli",
        "journals of LLM requests: stats, costs, export, merge, salvage",
    ),
    "completion": (
        "csc_tasks.completion",
        "print what makes a shell complete verbs and options (bash, zsh, tcsh)",
    ),
    "metric-path": (
        "csc_tasks.metric_path",
        "print the file that Hugging Face evaluate loads our metrics from",
    ),
    "tasks": (
        "csc_tasks.autoload.locate",
        "print the folder of the task files, for lm_eval --include_path",
    ),
}

HELP = ("-h", "--help", "help")


def main(argv: Sequence[str] | None = None) -> int:
    """Run `csc` with these words (default: the command line's) and return the exit status."""
    words = sys.argv[1:] if argv is None else list(argv)
    return guarded(lambda: dispatch(words))


def standalone(add_arguments: AddArguments, main: Main, doc: str | None) -> None:
    """Run one verb's module as a program of its own and exit with its status: what `python -m
    builders.star` does.
    """
    spec = sys.modules["__main__"].__spec__
    prog = f"python -m {spec.name}" if spec else None

    def work() -> int:
        with missing_libraries(prog or sys.argv[0], spec.name if spec else ""):
            return run(prog, doc, add_arguments, main, sys.argv[1:])

    sys.exit(guarded(work))


def dispatch(words: list[str]) -> int:
    """Find the verb at the start of `words` and run it with the rest; raises SettingError where
    there is none.
    """
    if not words or words[0] in HELP:
        print(overview())
        return 0
    if words[0] in ("-V", "--version"):
        print(f"csc-tasks {__version__}")
        return 0
    for length in (2, 1):
        verb = " ".join(words[:length])
        if verb in COMMANDS:
            check_not_shadowed(f"csc {verb}", COMMANDS[verb][0])
            with missing_libraries(f"csc {verb}", COMMANDS[verb][0]):
                module = importlib.import_module(COMMANDS[verb][0])
                more = "".join(
                    f"csc {longer}: {COMMANDS[longer][1]}\n" for longer in starting_with(verb)
                )
                return run(
                    f"csc {verb}",
                    module.__doc__,
                    module.add_arguments,
                    module.main,
                    words[length:],
                    more,
                )
    if starting_with(words[0]) and (len(words) == 1 or words[1] in HELP):
        print(overview(words[0]))
        return 0
    raise SettingError(unknown(words))


def run(
    prog: str | None,
    doc: str | None,
    add_arguments: AddArguments,
    main: Main,
    words: list[str],
    epilog: str | None = None,
) -> int:
    """Parse `words` with the verb's own arguments and call its `main`; the exit status is what it
    returns, or 0.
    """
    parser = Parser(
        prog=prog, description=doc, epilog=epilog, formatter_class=RawDescriptionHelpFormatter
    )
    add_arguments(parser)
    add_quiet(parser)
    if parser.get_default("passes_on") and words[:1] not in (["-h"], ["--help"]):
        # Another program's options: argparse must leave them alone.
        passed_on = [word for word in words if word != QUIET]
        words = [*(word for word in words if word == QUIET), "--", *passed_on]
    args = parser.parse_args(words)
    args.command_words = [word for word in words if word != QUIET]
    with speaking(args.quiet, document=getattr(args, "json", None) == STDOUT):
        return main(args) or 0


def guarded(work: Callable[[], int]) -> int:
    """Call `work` and turn what it raises into an exit status, as the module's docstring says."""
    try:
        try:
            status = work()
        except SystemExit:  # argparse, after it has printed the help
            sys.stdout.flush()
            raise
        sys.stdout.flush()
        return status
    except CscError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        if not stdout_is_broken():
            raise
        return 141
    except OSError as error:
        if error.errno not in STORAGE:
            raise
        place = f"{error.filename}: " if error.filename else ""
        print(f"error: {place}{error.strerror}", file=sys.stderr)
        return 1


def stdout_is_broken() -> bool:
    """Whether nobody reads our output any more (another pipe or socket may have broken instead); if
    so, close it quietly.
    """
    import select

    try:
        watch = select.poll()
        watch.register(sys.stdout.fileno(), 0)
        broken = any(state & (select.POLLERR | select.POLLHUP) for _, state in watch.poll(0))
    except (OSError, ValueError):  # output that is no file
        return False
    if broken:
        # The interpreter flushes once more at exit and would complain then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return broken


def starting_with(word: str) -> list[str]:
    """The verbs of two words whose first is `word`."""
    return [verb for verb in COMMANDS if verb.startswith(word + " ")]


def overview(word: str = "") -> str:
    """The list of verbs, or of those under one first word."""
    verbs = starting_with(word) if word else list(COMMANDS)
    width = max(map(len, verbs))
    lines = [f"usage: csc {word or '<verb>'} ...", ""]
    lines += [f"  {verb:<{width}}  {COMMANDS[verb][1]}" for verb in verbs]
    lines += ["", "`csc <verb> --help` says what a verb does and which options it takes."]
    if not word:
        lines.append(
            "Evaluate with `csc evaluate` or lm_eval itself: lm_eval --model hf --model_args"
            " pretrained=DIR --tasks 'csc_*'"
        )
    return "\n".join(lines)


def unknown(words: list[str]) -> str:
    """One line for a verb that does not exist: what was typed and the closest one that does."""
    typed = words[0] if len(words) == 1 or words[1].startswith("-") else " ".join(words[:2])

    def likeness(verb: str) -> float:
        return max(SequenceMatcher(None, verb, given).ratio() for given in {typed, words[0]})

    closest = max(COMMANDS, key=likeness)
    shown = typed if starting_with(words[0]) else words[0]
    return f"unknown verb {shown!r} (closest: {closest}); `csc --help` lists them all"


if __name__ == "__main__":
    sys.exit(main())
