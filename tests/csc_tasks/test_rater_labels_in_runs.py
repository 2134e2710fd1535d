"""Runs on a corpus whose turns several raters labelled: numbers made again by other means, what
stays as it was, what csc verify and csc score do with them, and replies that name several
strategies.
"""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import f1_score
from sklearn.preprocessing import MultiLabelBinarizer

from csc_tasks.cli import main
from csc_tasks.conversation import Label
from csc_tasks.errors import DataError, SettingError
from csc_tasks.framework import STRATEGY_IDS
from csc_tasks.labels import without_labels
from csc_tasks.runs.samples_file import read_run
from csc_tasks.verify import trusted_corpora
from tests.csc_tasks.test_tasks import run, value
from tests.support.fakes import FakeLM, sample_conversations, write_corpus
from tests.support.handed_in import forged, hand_in, verdicts

LABELLED = ("strategy_in_set", "strategy_agreement", "strategy_set_f1")
SAME = ("strategy_acc", "strategy_acc_parsed", "format_rate", "strategy_macro_f1", "stage_overlap")
REPLIES = (
    "[Greeting] Hello",
    "[Identity Verification + Greeting] Hello, your name?",
    "[Greeting] Hello. [Problem Refinement] What happened?",
    "[Appreciation and Closure] Goodbye",
    "Nothing to read here",
)
NAMED = (["GT"], ["IV", "GT"], ["GT", "PR"], ["AC"], [])
READ_AS_ONE = ("GT", None, None, "AC", None)
TASKS = ["csc_conv_ref", "csc_conv_gen", "cscx_strategy_choice", "cscx_conv_ref_vanilla"]


def which(prompt):
    """One of REPLIES, by the length of the prompt."""
    return len(prompt) % len(REPLIES)


def answer(prompt):
    return REPLIES[which(prompt)]


def rated(conversation):
    """Three raters at every labelled turn but the last, whose third names another strategy at
    every other one.
    """
    turns = list(conversation.dialogue)
    for count, at in enumerate(conversation.labelled_turns()[:-1]):
        gold = turns[at].strategy
        third = ("RC", gold) if count % 2 else (gold,)
        labels = (Label("anna", (gold, "GT") if gold != "GT" else (gold,)), Label("ben", (gold,)))
        turns[at] = replace(turns[at], labels=(*labels, Label("model:small", third)))
    return replace(conversation, dialogue=tuple(turns))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A corpus with and without labels, and a run on either."""
    root = tmp_path_factory.mktemp("rated")
    write_corpus(root / "plain", sample_conversations())
    write_corpus(root / "corpus", list(map(rated, sample_conversations())))
    for name in ("plain", "corpus"):
        hand_in(root / f"of-{name}", TASKS, answer, {"csc_corpus": str(root / name)})
    hand_in(
        root / "several",
        ["csc_conv_ref", "csc_conv_gen"],
        answer,
        {"csc_corpus": str(root / "corpus"), "csc_strategies": "several"},
    )
    return root


def results_of(folder):
    return next(folder.rglob("results_*.json"))


def results(folder):
    return json.loads(results_of(folder).read_text(encoding="utf-8"))


def lines_of(folder, task):
    file = next(folder.rglob(f"samples_{task}_*.jsonl"))
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def records(folder, task="csc_conv_ref"):
    return [record for line in lines_of(folder, task) for record in line["turns"]]


def numbers(folder, task="csc_conv_ref"):
    return {
        name.removesuffix(",none"): number
        for name, number in results(folder)["results"][task].items()
    }


def clustered(items, conversations):
    """Mean and standard error over conversations, written out once more."""
    items = np.array(items, dtype=float)
    deviations = {}
    for item, name in zip(items, conversations, strict=True):
        deviations[name] = deviations.get(name, 0) + item - items.mean()
    g = len(deviations)
    spread = sum(deviation**2 for deviation in deviations.values())
    return items.mean(), (g / (g - 1) * spread) ** 0.5 / len(items)


def test_numbers_are_what_the_logged_replies_and_labels_give(root):
    by_text = dict(zip(REPLIES, NAMED, strict=True))
    items = {name: [] for name in LABELLED}
    conversations = []
    coder = MultiLabelBinarizer(classes=STRATEGY_IDS).fit([])
    for line in lines_of(root / "of-corpus", "csc_conv_ref"):
        scored = [turn for turn in line["doc"]["dialogue"] if turn["strategy"]]
        for turn, [raw] in zip(scored, line["resps"], strict=True):
            if "labels" not in turn:
                continue
            named, raters = by_text[raw], [one["strategies"] for one in turn["labels"]]
            main_one = named[0] if named else None
            counts = [sum(name in rater for rater in raters) for name in STRATEGY_IDS]
            allowed = [n for n, c in zip(STRATEGY_IDS, counts, strict=True) if c / 3 >= 1 / 3]
            items["strategy_in_set"].append(main_one in allowed)
            items["strategy_agreement"].append(np.mean([main_one == r[0] for r in raters]))
            same = np.repeat(coder.transform([named]), 3, axis=0)
            f1 = f1_score(coder.transform(raters), same, average="samples", zero_division=0)
            items["strategy_set_f1"].append(f1)
            conversations.append(line["doc"]["conversation_id"])
    own = numbers(root / "of-corpus")
    for name in LABELLED:
        value, error = clustered(items[name], conversations)
        assert 0 < value < 1
        assert own[name] == pytest.approx(value)
        assert own[f"{name}_stderr"] == pytest.approx(error)


@pytest.mark.parametrize("task", TASKS)
def test_every_other_number_stays_the_same_to_the_digit(root, task):
    plain, labelled = numbers(root / "of-plain", task), numbers(root / "of-corpus", task)
    same = {name: number for name, number in labelled.items() if not name.startswith(LABELLED)}
    assert same == plain
    if "vanilla" in task:
        assert same == labelled
    else:
        assert labelled.keys() - plain.keys() >= {*LABELLED}


def test_without_labels_nothing_new_is_written(root):
    text = results_of(root / "of-plain").read_text(encoding="utf-8")
    assert not any(name in text for name in (*LABELLED, '"labels"', "raters"))
    for line in lines_of(root / "of-plain", "csc_conv_ref"):
        assert not any("labels" in turn for turn in line["doc"]["dialogue"])
        assert not any({"labels", "strategies"} & record.keys() for record in line["turns"])


def test_asked_for_without_labels_they_have_no_number(root):
    made = run(FakeLM(answer), root / "plain", ["csc_conv_ref"], {"csc_metrics": "strategy_in_set"})
    assert value(made, "csc_conv_ref", "strategy_in_set") == "N/A"


def test_several_strategies_are_unparsed_where_one_was_asked_for(root):
    raws = [raw for line in lines_of(root / "of-corpus", "csc_conv_ref") for [raw] in line["resps"]]
    read = dict(zip(REPLIES, READ_AS_ONE, strict=True))
    own = records(root / "of-corpus")
    assert [record["strategy"] for record in own] == [read[raw] for raw in raws]
    assert {record["unparsed"] for record in own if record["strategy"] is None} == {True}
    assert not any("strategies" in record for record in own)


def test_several_strategies_are_asked_for_and_read(root):
    lines = lines_of(root / "several", "csc_conv_ref")
    named = dict(zip(REPLIES, NAMED, strict=True))
    for line in lines:
        for record, [raw] in zip(line["turns"], line["resps"], strict=True):
            assert record.get("strategies", []) == named[raw]
            assert record["strategy"] == (named[raw][0] if named[raw] else None)
            assert record["unparsed"] is (named[raw] == [])
    prompt = next(iter(lines[0]["arguments"].values()))["arg_0"]
    language = lines[0]["doc"]["language"]
    assert ("one or more strategy names" if language == "en" else "一种或多种策略") in prompt
    csc = results(root / "several")["configs"]["csc_conv_ref"]["metadata"]["csc"]
    assert csc["format"] == "several"


def test_several_strategies_of_a_reply_stand_in_the_history_that_it_makes(root):
    shown = [
        prompt["arg_0"]
        for line in lines_of(root / "several", "csc_conv_gen")
        if line["doc"]["language"] == "en"
        for prompt in line["arguments"].values()
    ]
    assert any("[Identity Verification + Greeting] Hello, your name?" in text for text in shown)
    assert any("[Greeting + Problem Refinement] Hello. What happened?" in text for text in shown)


def test_two_forms_at_once_are_refused(root):
    settings = {"csc_strategies": "several", "csc_format": "json"}
    with pytest.raises(SettingError, match="csc_strategies=several and csc_format=json"):
        run(FakeLM(answer), root / "corpus", ["csc_conv_ref"], settings)
    with pytest.raises(SettingError, match="csc_strategies='two': choose one of one, several"):
        run(FakeLM(answer), root / "corpus", ["csc_conv_ref"], {"csc_strategies": "two"})


@pytest.mark.parametrize("folder", ["of-corpus", "several"])
def test_verify_makes_them_again(root, folder):
    trusted = trusted_corpora([str(root / "corpus")])
    for task, verdict in verdicts(results_of(root / folder), trusted).items():
        assert not verdict.contradicted, (task, verdict.findings)
        trust = {number.name: number.trust.value for number in verdict.numbers}
        if "vanilla" not in task:
            assert {trust[name] for name in LABELLED} == {"re-scored"}


def test_a_run_from_before_the_labels_is_still_of_the_corpus(root):
    trusted = trusted_corpora([str(root / "corpus")])
    verdict = verdicts(results_of(root / "of-plain"), trusted)["csc_conv_ref"]
    assert verdict.proven and not verdict.contradicted


def agreeing(text, lines):
    """The raters of one document say what the replies say."""
    line = next(line for line in lines if line["doc"]["language"] == "en")
    for turn in line["doc"]["dialogue"]:
        for label in turn.get("labels", ()):
            label["strategies"] = ["GT"]
    by_turn = line["doc"]["dialogue"]
    for record in line["turns"]:
        if "labels" in record:
            record["labels"] = by_turn[record["turn"]]["labels"]


def silent(text, lines):
    """The raters of one document say nothing any more."""
    line = next(line for line in lines if any("labels" in t for t in line["doc"]["dialogue"]))
    line["doc"] = without_labels(line["doc"])
    for record in line["turns"]:
        record.pop("labels", None)


def other_signature(text, lines):
    signatures = text["configs"]["csc_conv_ref"]["metadata"]["csc"]["signatures"]
    signatures["strategy_in_set"] = re.sub(r"raters:\w+", "raters:0", signatures["strategy_in_set"])


def no_signature(text, lines):
    signatures = text["configs"]["csc_conv_ref"]["metadata"]["csc"]["signatures"]
    signatures["strategy_in_set"] = re.sub(r"\|raters:\w+", "", signatures["strategy_in_set"])


def higher(text, lines):
    text["results"]["csc_conv_ref"]["strategy_set_f1,none"] += 0.1


def made_up(text, lines):
    """A record names raters that its document does not have."""
    record = next(r for line in lines for r in line["turns"] if "labels" not in r)
    record["labels"] = [{"rater": "anna", "strategies": ["GT"]}]


@pytest.mark.parametrize(
    ("forge", "said"),
    [
        (agreeing, "what its raters say is not what they say in the trusted corpus"),
        (silent, "what its raters say is not what they say in the trusted corpus"),
        (other_signature, "the file names other labels than those of its documents"),
        (no_signature, "the file names other labels than those of its documents"),
        (higher, "not what its samples give"),
    ],
)
def test_forged_labels_and_numbers_are_found(root, tmp_path, forge, said):
    file = forged(results_of(root / "of-corpus"), tmp_path, "csc_conv_ref", forge)
    verdict = verdicts(file, trusted_corpora([str(root / "corpus")]))["csc_conv_ref"]
    assert verdict.contradicted
    assert said in [finding.sentence for finding in verdict.findings]


@pytest.mark.parametrize("names", [("plain", "corpus"), ("corpus", "plain")])
def test_of_a_corpus_with_and_without_labels_the_one_counts_that_was_asked_about(root, names):
    trusted = trusted_corpora([str(root / name) for name in names])
    for folder, corpus in (("of-corpus", "corpus"), ("of-plain", "plain")):
        verdict = verdicts(results_of(root / folder), trusted)["csc_conv_ref"]
        assert (verdict.findings, verdict.corpus) == ((), corpus)
        assert verdict.proven


def claims(form):
    def forge(text, lines):
        metadata = text["configs"]["csc_conv_ref"]["metadata"]
        for key in ("csc_strategies", "format"):
            metadata.pop(key, None)
            metadata["csc"].pop(key, None)
        if form:
            metadata["csc"]["format"] = form

    return forge


@pytest.mark.parametrize(("folder", "form"), [("several", None), ("of-corpus", "several")])
def test_a_run_that_was_asked_for_another_number_of_strategies_than_it_claims_is_found(
    root, tmp_path, folder, form
):
    file = forged(results_of(root / folder), tmp_path, "csc_conv_ref", claims(form))
    verdict = verdicts(file, trusted_corpora([str(root / "corpus")]))["csc_conv_ref"]
    said = [finding.sentence for finding in verdict.findings]
    assert verdict.contradicted
    assert any("it asks for another form of replies" in sentence for sentence in said)


def contradicting(text, lines):
    """The strategies of a reply are not led by its strategy."""
    record = next(r for line in lines for r in line["turns"] if len(r.get("strategies", ())) > 1)
    record["strategies"].reverse()


def added(text, lines):
    """A record names strategies where one was asked for."""
    for line in lines:
        for record in line["turns"]:
            record["strategies"] = [record["gold_strategy"]]


@pytest.mark.parametrize(("folder", "forge"), [("several", contradicting), ("of-corpus", added)])
def test_strategies_that_a_reply_does_not_name_are_found(root, tmp_path, folder, forge):
    file = forged(results_of(root / folder), tmp_path, "csc_conv_ref", forge)
    verdict = verdicts(file, trusted_corpora([str(root / "corpus")]))["csc_conv_ref"]
    assert verdict.contradicted
    assert "strategies" in {finding.item for finding in verdict.findings}
    made = {number.name: number.recomputed.value for number in verdict.numbers}
    honest = numbers(root / folder)
    for name in LABELLED:
        assert made[name] == pytest.approx(honest[name])


def test_raters_that_a_document_does_not_have_count_for_nothing(root, tmp_path):
    file = forged(results_of(root / "of-corpus"), tmp_path, "csc_conv_ref", made_up)
    verdict = verdicts(file, trusted_corpora([str(root / "corpus")]))["csc_conv_ref"]
    made = {number.name: number.recomputed.value for number in verdict.numbers}
    assert made["strategy_in_set"] == pytest.approx(numbers(root / "of-corpus")["strategy_in_set"])


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ("anna", "labels is 'anna'; it must be a list"),
        ([{"rater": "anna", "strategies": ["XX"]}], "strategy 'XX' of rater 'anna' is not one of"),
        ([{"rater": "anna", "strategies": []}], "rater 'anna' names no strategy"),
    ],
)
def test_broken_labels_in_samples_are_one_clear_line(root, tmp_path, labels, said):
    def broken(text, lines):
        lines[0]["turns"][0]["labels"] = labels

    file = forged(results_of(root / "of-corpus"), tmp_path, "csc_conv_ref", broken)
    with pytest.raises(DataError, match=re.escape(said)) as error:
        read_run(next(file.parent.glob("samples_*.jsonl")))
    assert "line 1" in str(error.value)


@pytest.mark.parametrize("task", [task for task in TASKS if "vanilla" not in task])
def test_score_adds_them_to_earlier_samples(root, tmp_path, task):
    out = tmp_path / "rescored"
    samples = next((root / "of-plain").rglob(f"samples_{task}_*.jsonl"))
    assert main(["score", str(samples), "--labels", str(root / "corpus"), "--out", str(out)]) == 0
    fresh, added = numbers(root / "of-corpus", task), numbers(out, task)
    for name in (*SAME[-2:], *LABELLED):
        assert (added[name], added[f"{name}_stderr"]) == pytest.approx(
            (fresh[name], fresh[f"{name}_stderr"])
        )
    csc = results(out)["configs"][task]["metadata"]["csc"]
    fresh_csc = results(root / "of-corpus")["configs"][task]["metadata"]["csc"]
    assert csc["labels"] == fresh_csc["labels"]
    for name in LABELLED:
        assert csc["signatures"][name] == fresh_csc["signatures"][name]
    verdict = verdicts(results_of(out), trusted_corpora([str(root / "corpus")]))[task]
    assert verdict.proven and not verdict.contradicted, verdict.findings


def test_score_keeps_what_the_samples_have(root, tmp_path):
    out = tmp_path / "rescored"
    samples = next((root / "of-corpus").rglob("samples_csc_conv_ref_*.jsonl"))
    assert main(["score", str(samples), "--out", str(out)]) == 0
    assert numbers(out)["strategy_set_f1"] == numbers(root / "of-corpus")["strategy_set_f1"]


def test_labels_of_another_corpus_are_refused(root, tmp_path, capsys):
    write_corpus(tmp_path / "other", list(map(rated, sample_conversations(("en",)))))
    samples = str(next((root / "of-plain").rglob("samples_csc_conv_ref_*.jsonl")))
    for corpus, said in (
        (tmp_path / "other", "was asked about as"),
        (root / "plain", "none of its turns carries labels of several raters"),
    ):
        words = ["score", samples, "--labels", str(corpus), "--out", str(tmp_path / "out")]
        assert main(words) == 1
        assert said in capsys.readouterr().err


def test_the_demo_shows_them_without_being_asked():
    made = run(
        FakeLM(answer), "demo", ["csc_conv_ref"], {"csc_metrics": "overlap", "csc_language": "en"}
    )
    # The stand-in's raters: gold first in two of three, so a reply that is right agrees with most.
    for name in LABELLED:
        assert 0 < value(made, "csc_conv_ref", name) < 1
    accuracy = value(made, "csc_conv_ref", "strategy_acc")
    assert accuracy < value(made, "csc_conv_ref", "strategy_in_set")
