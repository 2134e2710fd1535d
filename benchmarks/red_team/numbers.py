"""Numbers, items, directions and counts that are not those of the samples."""

import json
from pathlib import Path

from benchmarks.red_team.forgery import forgery
from benchmarks.red_team.forging import Lines, Text, csc, numbers, records, unit_of
from csc_tasks.metrics import METRICS
from csc_tasks.runs.writing import as_numbers


def set_number(text: Text, name: str, value: object, stderr: object = 0.01) -> None:
    """A number and its standard error."""
    numbers(text)[f"{name},none"] = value
    numbers(text)[f"{name}_stderr,none"] = stderr


def set_both(text: Text, lines: Lines, name: str, value: float, stderr: float = 0.0) -> None:
    """The same item for every record, and the number that goes with them."""
    set_items(lines, name, value)
    set_number(text, name, value, stderr)


def set_items(lines: Lines, name: str, value: object) -> None:
    """The same item for every record."""
    for line in lines:
        own = [line["doc"]["conversation_id"], [value] * len(line[unit_of(lines)])]
        line[name] = line[f"{name}_stderr"] = own
        if name not in line["metrics"]:
            line["metrics"] += [name, f"{name}_stderr"]


@forgery("accuracy 0.97, in the results alone", "strategy_acc: not what its samples give")
def _raised(text: Text, lines: Lines) -> None:
    set_number(text, "strategy_acc", 0.97)


@forgery("all items 1.0, and the number with them", "strategy_acc items")
@forgery("both contexts: the same in generated context", "strategy_acc items", task="csc_conv_gen")
def _items(text: Text, lines: Lines) -> None:
    for name in ("strategy_acc", "stage_overlap"):
        set_both(text, lines, name, 1.0)


@forgery("all items 42", "strategy_acc items")
def _items_42(text: Text, lines: Lines) -> None:
    set_items(lines, "strategy_acc", 42)


@forgery("one wrong item in ten called right", "strategy_acc items")
def _few_items(text: Text, lines: Lines) -> None:
    items = [item for line in lines for item in line["strategy_acc"][1]]
    wrong = [i for i, item in enumerate(items) if not item]
    for i in wrong[::10] or wrong[:1]:
        items[i] = 1.0
    start = 0
    for line in lines:
        own = items[start : start + len(line["turns"])]
        start += len(own)
        line["strategy_acc"] = line["strategy_acc_stderr"] = [line["doc"]["conversation_id"], own]
    made = METRICS["strategy_acc"].estimate(items, [r["conversation_id"] for r in records(lines)])
    numbers(text).update(as_numbers("strategy_acc", made))


@forgery("bleu_4_en 61.3, one column of a language", "bleu_4_en: not what")
def _column(text: Text, lines: Lines) -> None:
    set_number(text, "bleu_4_en", 61.3)


@forgery("macro F1 0.9 beside an honest accuracy", "strategy_macro_f1: not what")
def _macro(text: Text, lines: Lines) -> None:
    set_number(text, "strategy_macro_f1", 0.9)


@forgery("ROUGE-L of answers, items and number", "rouge_l_en items", task="csc_qa")
def _rouge(text: Text, lines: Lines) -> None:
    for line in lines:
        language = line["doc"]["language"]
        line["rouge_l_en"][1] = [0.8 if language == "en" else None]
    set_number(text, "rouge_l_en", 0.8, 0.0)


@forgery("an accuracy of 7.5", "outside the range")
def _impossible(text: Text, lines: Lines) -> None:
    set_number(text, "strategy_acc", 7.5)


@forgery("a standard error of -0.02", "never negative")
def _negative(text: Text, lines: Lines) -> None:
    numbers(text)["strategy_acc_stderr,none"] = -0.02


@forgery("a standard error ten times smaller", "strategy_acc stderr")
def _surer(text: Text, lines: Lines) -> None:
    numbers(text)["strategy_acc_stderr,none"] /= 10


@forgery("no standard error at all", "strategy_acc stderr")
def _sure(text: Text, lines: Lines) -> None:
    numbers(text)["strategy_acc_stderr,none"] = "N/A"


@forgery("a bad number called N/A", "unparsed: not what its samples give")
def _hidden(text: Text, lines: Lines) -> None:
    set_number(text, "unparsed", "N/A", "N/A")


@forgery("unparsed is better when higher", "unparsed higher_is_better")
def _upside_down(text: Text, lines: Lines) -> None:
    text["higher_is_better"]["csc_conv_ref"]["unparsed"] = True


@forgery("the number as text, '0.97'", "it must be a number or N/A")
def _text(text: Text, lines: Lines) -> None:
    set_number(text, "strategy_acc", "0.97")


@forgery("the number NaN", "NaN is no number")
def _nan(text: Text, lines: Lines) -> None:
    set_number(text, "strategy_acc", float("nan"))


def _twice(folder: Path) -> None:
    file = next(folder.glob("results_*"))
    text = file.read_text(encoding="utf-8")
    at = text.index('"strategy_acc_stderr,none"')
    file.write_text(f'{text[:at]}"strategy_acc,none": 0.97, {text[at:]}', encoding="utf-8")
    assert json.loads(file.read_text(encoding="utf-8"))


@forgery("a key twice, the second time better", "stands twice in one object", files=_twice)
def _key_twice(text: Text, lines: Lines) -> None:
    pass


@forgery("1e30 turns", "turns")
def _many(text: Text, lines: Lines) -> None:
    numbers(text)["turns,none"] = 1e30


@forgery("an invented metric, csat 0.99", "csat: this version knows no metric")
def _invented(text: Text, lines: Lines) -> None:
    set_both(text, lines, "csat", 0.99, 0.01)
    text["higher_is_better"]["csc_conv_ref"]["csat"] = True
    csc(text)["signatures"]["csat"] = "csat|share"


@forgery("strategy_acc with a Cyrillic letter", "knows no metric")
def _lookalike(text: Text, lines: Lines) -> None:
    set_items(lines, "str\u0430tegy_acc", 1.0)
    set_number(text, "str\u0430tegy_acc", 0.99)


@forgery("strategy accuracy of answers", "needs what answers do not have", task="csc_qa")
def _not_there(text: Text, lines: Lines) -> None:
    set_both(text, lines, "strategy_acc", 1.0, 0.01)


@forgery("BLEU in Spanish, where nobody speaks it", "no document is in this language")
def _language(text: Text, lines: Lines) -> None:
    set_number(text, "bleu_4_es", 88.0)


@forgery("another way of counting in the signature", "signature")
def _signature(text: Text, lines: Lines) -> None:
    csc(text)["signatures"]["bleu_4_en"] = "bleu|ngram:4|tok:none|case:lower|smooth:floor"


@forgery("BERTScore above what its items say", "bertscore_en: not what")
def _learned(text: Text, lines: Lines) -> None:
    set_items(lines, "bertscore_en", 0.6)
    set_number(text, "bertscore_en", 0.93, 0.0)


@forgery("BERTScore without items", "bertscore_en items")
def _learned_bare(text: Text, lines: Lines) -> None:
    set_number(text, "bertscore_en", 0.93)


@forgery(
    "results without samples",
    "samples: there are none",
    files=lambda folder: next(folder.glob("samples_*")).unlink(),
)
def _bare(text: Text, lines: Lines) -> None:
    set_number(text, "strategy_acc", 0.97)


@forgery("an older task version, whose numbers nobody makes", "made with task version")
def _older(text: Text, lines: Lines) -> None:
    set_number(text, "strategy_acc", 0.97)
    text["configs"]["csc_conv_ref"]["metadata"]["version"] = 1.0
    text["versions"]["csc_conv_ref"] = 1.0


@forgery(
    "the samples cut off in the middle",
    "cannot be read",
    files=lambda folder: _cut(next(folder.glob("samples_*"))),
)
def _cut_off(text: Text, lines: Lines) -> None:
    set_number(text, "strategy_acc", 0.97)


def _cut(file: Path) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: len(data) * 2 // 3])
