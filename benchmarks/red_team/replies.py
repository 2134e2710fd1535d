"""Records that are not what the raw replies say, prompts that are not the task's, and names."""

import os
import time
from pathlib import Path

from benchmarks.red_team.forgery import INVENTED, NOT_OURS, forgery
from benchmarks.red_team.forging import (
    Lines,
    Text,
    consistent,
    csc,
    numbers,
    records,
    renamed,
)
from csc_tasks.framework import BY_ID, STRATEGY_IDS
from csc_tasks.languages.labels import strategy_name
from csc_tasks.prompts import tagged
from csc_tasks.runs.task_record import SHIPPED
from csc_tasks.runs.task_version import task_version


def choose(turn: dict, strategy: str) -> None:
    """As if this strategy had been chosen."""
    turn |= {"strategy": strategy, "stages": list(BY_ID[strategy].stages), "unparsed": False}


def say(line: dict, raws: list[str]) -> None:
    """As if the model had replied this."""
    line["resps"] = [[raw] for raw in raws]
    line["filtered_resps"] = list(raws)


# Records


@forgery("strategies in the records become the gold ones", "strategy: not what the documents")
def _gold(text: Text, lines: Lines) -> None:
    for turn in records(lines):
        choose(turn, turn["gold_strategy"])
    consistent(text, lines)


@forgery("replies in the records become the references", "reply: not what")
@forgery("the same of answers", "reply: not what", task="csc_qa")
def _references(text: Text, lines: Lines) -> None:
    for record in records(lines):
        record |= {"reply": record["reference"], "empty": False}
    consistent(text, lines)


@forgery("references in the records become the replies", "reference: not what")
@forgery("the same of answers, references", "reference: not what", task="csc_qa")
def _replied(text: Text, lines: Lines) -> None:
    for record in records(lines):
        record["reference"] = record["reply"] or record["reference"]
    consistent(text, lines)


@forgery("gold labels in the records become the predictions", "gold_strategy")
def _labels(text: Text, lines: Lines) -> None:
    for turn in records(lines):
        chosen = turn["strategy"] or turn["gold_strategy"]
        turn |= {"gold_strategy": chosen, "gold_stages": list(BY_ID[chosen].stages)}
    consistent(text, lines)


@forgery("a raw label with a Cyrillic letter, read as gold", "strategy: not what")
def _lookalike(text: Text, lines: Lines) -> None:
    for line in lines:
        raws = []
        for turn, (raw,) in zip(line["turns"], line["resps"], strict=True):
            if line["doc"]["language"] == "en" and turn["strategy"] != turn["gold_strategy"]:
                name = strategy_name(turn["gold_strategy"], "en")
                other = name.translate(str.maketrans("eoacp", "\u0435\u043e\u0430\u0441\u0440"))
                raw = f"[{other[:3]}zz {other}] {turn['reply']}"
                choose(turn, turn["gold_strategy"])
            raws.append(raw)
        say(line, raws)
    consistent(text, lines)


@forgery("unparsed is 'no' in every record", "unparsed: not what")
def _no(text: Text, lines: Lines) -> None:
    for turn in records(lines):
        turn["unparsed"] = "no"


@forgery("no reply is unparsed", "unparsed: not what the documents")
def _parsed(text: Text, lines: Lines) -> None:
    for turn in records(lines):
        turn["unparsed"] = False
    consistent(text, lines)


@forgery("wrong replies called failed", "failed: not what")
def _failed(text: Text, lines: Lines) -> None:
    for turn in records(lines):
        if turn["strategy"] != turn["gold_strategy"]:
            turn |= {"failed": True, "failure": "HTTP 500"}
    consistent(text, lines)


@forgery("truncated is -1", "truncated: not what")
def _flag(text: Text, lines: Lines) -> None:
    for turn in records(lines):
        turn["truncated"] = -1


@forgery("no raw replies", "no raw reply for each of them")
def _no_raw(text: Text, lines: Lines) -> None:
    for line in lines:
        line.pop("resps")


@forgery("the name of a baseline, which has no raw replies", "it logs no raw replies")
def _baseline(text: Text, lines: Lines) -> None:
    _gold(text, lines)
    for line in lines:
        line.pop("resps")
    text["config"]["model"] = "baseline/majority"


@forgery("a choice other than its likelihoods", "strategy: not what", task="cscx_strategy_choice")
def _choice(text: Text, lines: Lines) -> None:
    for turn in records(lines):
        choose(turn, turn["gold_strategy"])
        turn["strategy_norm"] = turn["gold_strategy"]
    consistent(text, lines)


@forgery("likelihoods of the gold name alone", "loglikelihoods", task="cscx_strategy_choice")
def _likelihoods(text: Text, lines: Lines) -> None:
    for turn in records(lines):
        turn["loglikelihoods"] = {turn["gold_strategy"]: -1.0}
        choose(turn, turn["gold_strategy"])
    consistent(text, lines)


# Thinking


@forgery("a mark of thinking chosen to fit the replies", "is no mark that ends a thought")
def _fitting(text: Text, lines: Lines) -> None:
    for line in lines:
        raws = []
        for turn in line["turns"]:
            gold = tagged(turn["gold_strategy"], turn["reference"], turn["language"])
            raws.append(f"{line['resps'][0][0]} or rather {gold}")
            choose(turn, turn["gold_strategy"])
            turn["reply"] = turn["reference"]
        say(line, raws)
    text["config"]["model_args"] = "pretrained=org/fake,think_end_token=or rather "
    consistent(text, lines)


@forgery("a thought cut off, called a reply", "thinking_cut: not what")
def _uncut(text: Text, lines: Lines) -> None:
    for line in lines:
        say(line, [f"<think>{raw}" for (raw,) in line["resps"]])
    consistent(text, lines)


# Tasks and prompts


def as_task(text: Text, name: str) -> None:
    """Call a run another task, in all that describes it."""
    renamed(text, name)
    text["versions"][name] = text["configs"][name]["metadata"]["version"] = task_version(name)
    csc(text).update(SHIPPED[name].to_json())


@forgery("reference context called generated", "the gold supporter's turns")
def _ref_as_gen(text: Text, lines: Lines) -> None:
    as_task(text, "csc_conv_gen")
    consistent(text, lines)


@forgery("generated context called reference", "the model's turns", task="csc_conv_gen")
def _gen_as_ref(text: Text, lines: Lines) -> None:
    as_task(text, "csc_conv_ref")
    consistent(text, lines)


@forgery(
    "the strategy was given, called chosen", "gives the gold strategy", task="cscx_conv_ref_oracle"
)
def _oracle(text: Text, lines: Lines) -> None:
    as_task(text, "csc_conv_ref")
    for line in lines:
        raws = []
        for turn in line["turns"]:
            choose(turn, turn["gold_strategy"])
            raws.append(tagged(turn["gold_strategy"], turn["reply"], turn["language"]))
        say(line, raws)
        line["metrics"] = ["turns", "strategy_acc", *line["metrics"][1:]]
    consistent(text, lines)


@forgery("the whole history, called the summary", "shows the history", task="cscx_qa_full")
def _full(text: Text, lines: Lines) -> None:
    as_task(text, "csc_qa")
    consistent(text, lines)


@forgery("answers in the prompts", "it shows the reference", task="csc_qa")
@forgery("replies in the prompts", "it shows the reference")
def _shown(text: Text, lines: Lines) -> None:
    for line in lines:
        unit = "turns" if "turns" in line else "answers"
        for i, record in enumerate(line[unit]):
            sent = line["arguments"][f"gen_args_{i}"]
            sent["arg_0"] = f"Hint: {record['reference']}\n{sent['arg_0']}"


@forgery("no prompts", "nobody can see what the model was asked")
def _unasked(text: Text, lines: Lines) -> None:
    for line in lines:
        line.pop("arguments")


@forgery("a task described as another", "describes another task than its name")
def _described(text: Text, lines: Lines) -> None:
    csc(text)["variant"] = "vanilla"


@forgery("a task of one's own", "this version of the project has no such task")
def _own(text: Text, lines: Lines) -> None:
    renamed(text, "csc_conv_best")


@forgery("another task's samples under its name", "samples", task="csc_qa")
def _samples(text: Text, lines: Lines) -> None:
    as_task(text, "csc_conv_ref")
    csc(text)["config"] = "csconv"
    numbers(text)["turns,none"] = len(lines)


@forgery("another column as the reference", "reference", task="csc_qa")
def _column(text: Text, lines: Lines) -> None:
    csc(text)["reference"] = "client_question"


# Names


@forgery("somebody else's name with a Cyrillic letter", "mixes cyrillic and latin")
def _name(text: Text, lines: Lines) -> None:
    text["model_name"] = "org/f\u0430ke"


@forgery("somebody else's name and a letter that nobody sees", "signs that nobody sees")
def _unseen(text: Text, lines: Lines) -> None:
    text["model_name"] = "org/fake\u200b"


@forgery("a small model called a large one", "asked another model")
def _large(text: Text, lines: Lines) -> None:
    text["model_name"] = "org/large-70b"
    text["config"]["model_args"] = "pretrained=org/small-1b"


@forgery("a date of next year, to displace others", "has not come yet")
def _date(text: Text, lines: Lines) -> None:
    text["date"] = time.time() + 365 * 86_400


@forgery("another model's run under one's own name", "documents are those of", beside=True)
def _copied(text: Text, lines: Lines) -> None:
    text["model_name"] = "org/mine"


@forgery("the same, a quarter of the replies changed", "documents are those of", beside=True)
def _partly_copied(text: Text, lines: Lines) -> None:
    text["model_name"] = "org/mine"
    for line in lines[::4]:
        for turn in line["turns"]:
            turn |= {"reply": "Hello.", "empty": False}
            choose(turn, "GT")
        say(line, [tagged("GT", "Hello.", t["language"]) for t in line["turns"]])
    consistent(text, lines)


def _link(folder: Path) -> None:
    file = next(folder.glob("samples_*"))
    kept = folder / "kept.jsonl"
    file.rename(kept)
    os.symlink(kept.name, file)


forgery("two models, one samples file", "documents are those of", beside=True, files=_link)(_copied)


# What no text can show


@forgery("replies replaced by the references, corpus without hold-out", principle=INVENTED)
@forgery("the same of answers, corpus without hold-out", task="csc_qa", principle=INVENTED)
def _all_gold(text: Text, lines: Lines) -> None:
    for line in lines:
        raws = []
        for record in line["turns" if "turns" in line else "answers"]:
            record |= {"reply": record["reference"], "empty": False}
            if "gold_strategy" in record:
                choose(record, record["gold_strategy"])
                raws.append(
                    tagged(record["gold_strategy"], record["reference"], record["language"])
                )
            else:
                raws.append(record["reference"])
        say(line, raws)
    consistent(text, lines)


@forgery("likelihoods that favour the gold name", task="cscx_strategy_choice", principle=INVENTED)
def _favoured(text: Text, lines: Lines) -> None:
    for turn in records(lines):
        turn["loglikelihoods"] = dict.fromkeys(STRATEGY_IDS, -900.0) | {turn["gold_strategy"]: -1.0}
        choose(turn, turn["gold_strategy"])
        turn["strategy_norm"] = turn["gold_strategy"]
    consistent(text, lines)


@forgery("cut replies called whole", principle=NOT_OURS)
def _whole(text: Text, lines: Lines) -> None:
    for turn in records(lines):
        turn["truncated"] = turn["history_truncated"] = False
    consistent(text, lines)


@forgery("a tenth of the parameters, half the time", principle=NOT_OURS)
def _small(text: Text, lines: Lines) -> None:
    text["config"]["model_num_parameters"] = 7_000_000
    text["total_evaluation_time_seconds"] = "1.5"
