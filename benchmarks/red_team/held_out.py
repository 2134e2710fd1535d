"""Forgeries on a corpus that holds references out: the forger has what everybody has."""

from pathlib import Path

from benchmarks.red_team.forgery import forgery
from benchmarks.red_team.forging import Lines, Text, consistent, numbers, records
from benchmarks.red_team.replies import choose, say
from builders.hold_out import ALL, LAST, hold_out, write_references
from csc_tasks import corpora
from csc_tasks.conversation import HELD_OUT, Conversation
from csc_tasks.framework import BY_ID
from csc_tasks.prompts import tagged
from csc_tasks.question import Question
from tests.support.fakes import write_corpus


def held_out(root: Path, corpus: Path, turns: str) -> tuple[Path, Path]:
    """A corpus without its references, as a folder, and the file of them. turns: LAST or ALL."""
    whole = {
        config: {"test": [one.to_row() for one in corpora.load(str(corpus), config, "test").items]}
        for config in ("csconv", "qa")
    }
    held = hold_out(whole, turns)
    conversations, questions = (held.public[config]["test"] for config in ("csconv", "qa"))
    public = write_corpus(
        root / turns,
        [Conversation.from_row(row, turns) for row in conversations],
        [Question.from_row(row, turns) for row in questions],
    )
    write_references(root / f"{turns}.parquet", held.references)
    return public, root / f"{turns}.parquet"


@forgery("replies replaced by the references that everybody has", "to the letter", held=LAST)
def _public_gold(text: Text, lines: Lines) -> None:
    for line in lines:
        for turn in line["turns"]:
            if turn["reference"]:
                turn |= {"reply": turn["reference"], "empty": False}
                choose(turn, turn["gold_strategy"])
        _say_all(line)
    consistent(text, lines)


@forgery("the same, a goodbye guessed for the others", "to the letter", held=LAST)
def _public_gold_and_a_guess(text: Text, lines: Lines) -> None:
    for line in lines:
        for turn in line["turns"]:
            if not turn["reference"]:
                turn |= {"reply": "Thank you for calling, goodbye.", "empty": False}
                choose(turn, "AC")
    _public_gold(text, lines)


@forgery("gold invented where it is held out", "reference", held=LAST)
@forgery("gold invented where all is held out", "reference", task="csc_conv_gen", held=ALL)
@forgery("answers invented where they are held out", "reference", task="csc_qa", held=ALL)
def _invented_gold(text: Text, lines: Lines) -> None:
    for record in records(lines):
        if record["reference"]:
            continue
        record["reference"] = record["reply"] or "Hello."
        if "gold_strategy" in record:
            chosen = record["strategy"] or "GT"
            record |= {"gold_strategy": chosen, "gold_stages": list(BY_ID[chosen].stages)}
    consistent(text, lines)


@forgery("a perfect score on what is held out", "strategy_acc", task="csc_conv_gen", held=ALL)
def _claimed(text: Text, lines: Lines) -> None:
    numbers(text).update({"strategy_acc,none": 1.0, "strategy_acc_stderr,none": 0.0})


@forgery("gold of wrong turns blanked, as if it were held out", "reference", held=LAST)
def _blanked(text: Text, lines: Lines) -> None:
    for turn in records(lines):
        if turn["strategy"] != turn["gold_strategy"]:
            turn |= {"reference": "", "gold_strategy": "", "gold_stages": []}
    consistent(text, lines)


@forgery("wrong turns marked as held out in the documents too", "its text or labels", held=LAST)
def _marked(text: Text, lines: Lines) -> None:
    for line in lines:
        for turn in line["turns"]:
            if turn["strategy"] != turn["gold_strategy"]:
                line["doc"]["dialogue"][turn["turn"]] |= {"text": HELD_OUT, "strategy": HELD_OUT}
    _blanked(text, lines)


def _say_all(line: dict) -> None:
    """The raw replies of what the records say."""
    turns = line["turns"]
    say(line, [tagged(t["strategy"] or "", t["reply"], t["language"]) for t in turns])
