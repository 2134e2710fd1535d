"""Look up passages for every question of a corpus in a folder of policies, and write them down.

    csc build passages POLICIES --corpus QA --out passages.jsonl
    lm_eval ... --tasks csc_qa,cscx_qa_grounded --metadata '{"csc_evidence": "passages.jsonl"}'
    csc collect results/ --evidence passages.jsonl

POLICIES is a folder of text, Markdown, HTML or JSON lines ({"text": "...", "title": "..."}); `demo`
names the one that is part of the package. Documents are cut at headings and paragraphs, and BM25
looks up what a question and its summary say, never an answer. The file has a line a question, the
best passage first: {"conversation_id": ..., "turn": ..., "passages": [...], "sources": [...],
"scores": [...]}. A task that is given the folder shows the same passages; with the file a run can
be repeated when the policies have changed, csc judge facts and csc collect audit with the same
passages, and csc verify compares.
"""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path

from csc_tasks import corpora
from csc_tasks.errors import SettingError
from csc_tasks.evidence import (
    COUNT,
    FolderEvidence,
    LookedUp,
    counts_line,
    look_up,
    open_evidence,
)
from csc_tasks.evidence.index import METHOD
from csc_tasks.out import replace_file
from csc_tasks.question import Question
from csc_tasks.telling import tally, tell


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc build passages`."""
    parser.add_argument("policies", metavar="POLICIES", help="a folder of policies, or demo")
    parser.add_argument(
        "--corpus",
        required=True,
        metavar="QA",
        help="the questions: demo, a folder, a file or ORG/NAME@REVISION",
    )
    parser.add_argument(
        "--split", default="test", help="the split of the questions (default: %(default)s)"
    )
    parser.add_argument(
        "--variant", metavar="NAME", help="look up by the summaries of the config qa_NAME"
    )
    parser.add_argument(
        "--passages",
        type=int,
        default=COUNT,
        metavar="N",
        help="passages for a question, at most (default: %(default)s)",
    )
    parser.add_argument(
        "--out", required=True, type=Path, metavar="FILE", help="the file to write (JSON lines)"
    )


def main(args: Namespace) -> None:
    """Look up, write, and say what was found."""
    if args.passages < 1:
        raise SettingError(f"--passages {args.passages}: at least 1")
    evidence = open_evidence(args.policies)
    if not isinstance(evidence, FolderEvidence):
        raise SettingError(f"{args.policies}: is a file; give a folder of policies")
    config = f"qa_{args.variant}" if args.variant else "qa"
    questions = corpora.load(args.corpus, config, args.split).items
    looked_up = look_up(evidence, questions, args.passages)
    replace_file(args.out, rows(questions, looked_up))
    tally(f"{len(evidence.policies.passages):,} passages in {args.policies}, {METHOD}")
    if skipped := evidence.policies.skipped:
        more = f" and {len(skipped) - 5:,} more" if len(skipped) > 5 else ""
        tally(f"not read: {', '.join(skipped[:5])}{more}")
    tally(f"{counts_line(looked_up.counts())}; hash {looked_up.hash}")
    tell(f"Wrote {args.out}; next: csc_evidence={args.out} for cscx_qa_grounded")


def rows(questions: Sequence[Question], looked_up: LookedUp) -> Iterator[str]:
    """The lines of the file, in the order in which the tasks ask."""
    for question in questions:
        key = question.conversation_id, question.turn_index
        chosen = looked_up.by_question[key]
        row = {
            "conversation_id": question.conversation_id,
            "turn": question.turn_index,
            "passages": [passage.text for passage in chosen],
            "sources": [passage.source for passage in chosen],
            "scores": [passage.score for passage in chosen],
        }
        yield json.dumps(row, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
