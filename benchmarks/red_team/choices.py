"""Runs that forced strategies, asked for JSON, or asked again, called something else."""

from benchmarks.red_team.forgery import INVENTED, forgery
from benchmarks.red_team.forging import Lines, Text, consistent, csc, numbers, records
from benchmarks.red_team.numbers import set_both, set_number
from benchmarks.red_team.replies import as_task, choose, say
from csc_tasks.framework import STRATEGY_IDS
from csc_tasks.languages.labels import strategy_name
from csc_tasks.prompts import tagged

REF, GEN = "cscx_conv_ref_forced", "cscx_conv_gen_forced"


def favour_gold(turn: dict) -> None:
    """As if the gold name had been the likeliest."""
    gold = turn["gold_strategy"]
    turn["loglikelihoods"] = dict.fromkeys(STRATEGY_IDS, -900.0) | {gold: -1.0}
    choose(turn, gold)


@forgery("forced, the likelihoods made to favour gold", "is not begun with", task=REF)
@forgery("the same in generated context", "is not begun with", task=GEN)
def _favoured(text: Text, lines: Lines) -> None:
    for turn in records(lines):
        favour_gold(turn)
    consistent(text, lines)


@forgery("the same, and the prompts end with gold", task=REF, principle=INVENTED)
def _begun(text: Text, lines: Lines) -> None:
    for line in lines:
        for number, turn in enumerate(line["turns"]):
            sent = line["arguments"][f"gen_args_{number}"]
            own, gold = (
                f"[{strategy_name(turn[name], turn['language'])}]"
                for name in ("strategy", "gold_strategy")
            )
            sent["arg_0"] = sent["arg_0"].removesuffix(own) + gold
    _favoured(text, lines)


@forgery("forced by likelihoods, called forced by a server", "chosen by", task=REF)
def _written(text: Text, lines: Lines) -> None:
    for turn in records(lines):
        del turn["loglikelihoods"]
        gold = strategy_name(turn["gold_strategy"], turn["language"])
        choose(turn, turn["gold_strategy"])
        turn["written_strategy"] = f"[{gold}]"
    consistent(text, lines)


@forgery("as asked, called forced", "is not begun with")
def _asked_as_forced(text: Text, lines: Lines) -> None:
    as_task(text, REF)
    csc(text)["forced"] = {"choice": "log-likelihood", "reply": "prefix"}
    for line in lines:
        for turn in line["turns"]:
            favour_gold(turn)
        line["metrics"] = [
            name
            for name in line["metrics"]
            if not name.startswith(("format_rate", "strategy_acc_parsed"))
        ]
    for name in ("format_rate", "strategy_acc_parsed"):
        del numbers(text)[f"{name},none"], numbers(text)[f"{name}_stderr,none"]
    consistent(text, lines)


@forgery("forced, called as asked", "it gives a strategy", task=REF)
def _forced_as_asked(text: Text, lines: Lines) -> None:
    as_task(text, "csc_conv_ref")
    del csc(text)["forced"]
    for line in lines:
        for turn in line["turns"]:
            del turn["loglikelihoods"]
        say(line, [tagged(t["strategy"], t["reply"], t["language"]) for t in line["turns"]])
    consistent(text, lines)


@forgery("a format rate of 1, in the results alone", "format_rate: not what")
def _rate(text: Text, lines: Lines) -> None:
    set_number(text, "format_rate", 1.0, 0.0)


@forgery("a format rate of 1, in results and items", "format_rate items")
def _rates(text: Text, lines: Lines) -> None:
    set_both(text, lines, "format_rate", 1.0)


@forgery("unparsed turns right where parsed", "strategy_acc_parsed items")
def _right(text: Text, lines: Lines) -> None:
    set_both(text, lines, "strategy_acc_parsed", 1.0)


@forgery("asked for text, called JSON", "another form of replies")
def _json(text: Text, lines: Lines) -> None:
    csc(text)["format"] = "json"


@forgery("asked for JSON, called text", "another form of replies", again=True)
def _text(text: Text, lines: Lines) -> None:
    del csc(text)["format"]


@forgery("asked again, called asked once, with the first replies", "first_reply", again=True)
def _once(text: Text, lines: Lines) -> None:
    for turn in records(lines):
        turn["reasked"] = False
    consistent(text, lines)


@forgery("asked again, called asked once, without them", "it asks again", again=True)
def _hidden(text: Text, lines: Lines) -> None:
    for turn in records(lines):
        turn["reasked"] = False
        turn.pop("first_reply", None)
    consistent(text, lines)


@forgery("a run that asks again, called one that does not", "it asks again", again=True)
def _never(text: Text, lines: Lines) -> None:
    del csc(text)["reask"]
    for turn in records(lines):
        del turn["reasked"]
        turn.pop("first_reply", None)


@forgery("a good first reply thrown away, called unreadable", "first_reply", again=True)
def _drawn_twice(text: Text, lines: Lines) -> None:
    for turn in records(lines):
        if turn["reasked"]:
            turn["first_reply"] = tagged("GT", "Hello.", turn["language"])


@forgery("no turn asked again, in results and items", "reasked items", again=True)
def _share(text: Text, lines: Lines) -> None:
    set_both(text, lines, "reasked", 0.0)
