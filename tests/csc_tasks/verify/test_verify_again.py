"""Runs that asked for JSON, and again for what they could not read: verified, re-scored, asked once
more, and what of them cannot be forged.
"""

import json
import zlib

import pytest

from csc_tasks.cli import main
from csc_tasks.prompts import ask_again_line
from csc_tasks.runs.finding import find_results, find_samples
from csc_tasks.runs.results_file import read_results
from csc_tasks.runs.samples_file import read_run
from csc_tasks.verify import Trust, trusted_corpora
from csc_tasks.verify.rerun import Asked, command_of
from tests.support.fakes import write_corpus
from tests.support.handed_in import forged, hand_in, verdicts

GEN = "csc_conv_gen"
HINTS = [ask_again_line(code, "json") for code in ("en", "zh")]
CUT = '{"strategy": "Greeting", "response": "May I have the last four digits of your ca'


def reply(prompt):
    """Every third prompt is answered without a strategy; some of these are mended."""
    number = zlib.crc32(prompt.encode()) % 3
    if any(hint in prompt for hint in HINTS):
        return CUT if number else "still no label"
    return (
        "no label, and long enough to be told apart",
        CUT,
        '{"strategy": "GT", "response": ""}',
    )[number]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory):
    settings = {"csc_corpus": str(corpus), "csc_format": "json", "csc_reask": 1}
    return hand_in(tmp_path_factory.mktemp("run"), ["csc_conv_ref", GEN], reply, settings)


@pytest.fixture
def trusted(corpus):
    return trusted_corpora([str(corpus)])


def test_an_honest_run_is_re_scored_whole(run, trusted):
    for verified in verdicts(run, trusted).values():
        assert [finding.line() for finding in verified.findings] == []
        assert verified.trust is Trust.RESCORED
        (asked,) = [number for number in verified.numbers if number.name == "reasked"]
        assert asked.recomputed is not None and 0.1 < asked.shown.value < 0.9
    logged = [read_run(file) for file in find_samples([run.parent])]
    records = [record for one in logged for record in one.records]
    kinds = {(record["reasked"], record["unparsed"]) for record in records}
    assert kinds == {(False, False), (True, False), (True, True)}


def first_reply(turn):
    return turn.get("first_reply")


def names_its_strategy(text, lines):
    for line in lines:
        for turn in filter(first_reply, line["turns"]):
            turn["first_reply"] = "[Greeting] a good reply, drawn twice"


def is_not_there(text, lines):
    for line in lines:
        for turn in filter(first_reply, line["turns"]):
            del turn["first_reply"]


def was_asked_once(text, lines):
    for line in lines:
        for turn in line["turns"]:
            turn["reasked"] = False
        line["reasked"][1] = line["reasked_stderr"][1] = [0.0] * len(line["turns"])
    text["results"][GEN] |= {"reasked,none": 0.0, "reasked_stderr,none": 0.0}


def never_asks_again(text, lines):
    del text["configs"][GEN]["metadata"]["csc"]["reask"]
    for name in ("reasked,none", "reasked_stderr,none"):
        del text["results"][GEN][name]
    for line in lines:
        for turn in line["turns"]:
            turn.pop("reasked")
            turn.pop("first_reply", None)
        del line["reasked"], line["reasked_stderr"]


def has_another_form(text, lines):
    del text["configs"][GEN]["metadata"]["csc"]["format"]


@pytest.mark.parametrize(
    ("forge", "items"),
    [
        (names_its_strategy, {"first_reply"}),
        (is_not_there, {"first_reply"}),
        (was_asked_once, {"first_reply"}),
        (never_asks_again, {"prompt"}),
        # A cut object is a choice only where JSON was asked for.
        (has_another_form, {"strategy", "stages", "reply", "unparsed"}),
    ],
)
def test_what_is_forged_is_named(run, trusted, tmp_path, forge, items):
    (verified,) = verdicts(forged(run, tmp_path, GEN, forge), trusted).values()
    named = {finding.item for finding in verified.findings if finding.contradicts}
    assert items <= named, [finding.line() for finding in verified.findings]


def test_csc_score_counts_them_again(run, tmp_path, capsys):
    words = ["score", str(run.parent), "--metrics", "strategy_acc", "--out", str(tmp_path / "out")]
    assert main(words) == 0
    capsys.readouterr()
    before = {one.task: one.numbers["reasked"] for one in read_results(run, [])}
    after = {
        one.task: one.numbers["reasked"]
        for file in find_results([tmp_path / "out"])
        for one in read_results(file, [])
    }
    assert after == before and len(after) == 2


def test_a_rerun_asks_as_the_run_did(run, tmp_path):
    logged = read_run(find_samples([run.parent])[0])
    words = command_of(logged, ["a/1"], Asked("hf", "pretrained=x"), "here", tmp_path)
    settings = json.loads(words[words.index("--metadata") + 1])
    assert settings["csc_format"] == "json" and settings["csc_reask"] == 1
