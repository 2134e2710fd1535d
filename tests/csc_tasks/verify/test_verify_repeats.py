"""A run that asked several times is verified whole: every repeat, and what is said over them."""

import json

import pytest

from csc_tasks.cli import main
from csc_tasks.runs.finding import find_samples
from csc_tasks.runs.results_file import read_results
from csc_tasks.runs.samples_file import read_run
from csc_tasks.verify import Trust, examine, trusted_corpora
from csc_tasks.verify.copies import copies
from csc_tasks.verify.rerun import Asked, command_of, draw
from tests.support.fakes import write_corpus
from tests.support.handed_in import forged, hand_in
from tests.support.quick_lm_eval import only_our_tasks_in_processes
from tests.support.repeated import SAMPLING, planted, repeated_run, two_conversations

TASK = "csc_conv_ref"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"), two_conversations())


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory):
    return repeated_run(tmp_path_factory.mktemp("run"), corpus, planted(corpus))


def verified(results, corpus):
    (measurement,) = read_results(results, [])
    return examine(measurement, trusted_corpora([str(corpus)]))


def test_an_honest_run_is_re_scored_in_every_repeat(run, corpus):
    verdict = verified(run, corpus)
    assert verdict.findings == () and verdict.proven and verdict.trust is Trust.RESCORED
    assert verdict.number("strategy_acc").recomputed.value == pytest.approx(10 / 18)
    assert verdict.number("strategy_acc_pass_3").recomputed.value == pytest.approx(1 / 3)
    assert verdict.number("strategy_acc_worst_3").recomputed.value == pytest.approx(3 / 8)


def of_conversation_a(lines):
    return next(line for line in lines if line["doc"]["conversation_id"] == "a")


def better(text, lines):
    """The last repeat's first wrong turn is right."""
    record = of_conversation_a(lines)["turns"][9]
    record["strategy"] = record["gold_strategy"]


def other_raw(text, lines):
    of_conversation_a(lines)["resps"][11][0] = "[Greeting] never said"


def always_right(text, lines):
    text["results"][TASK]["strategy_acc_pass_3,none"] = 1.0


def items_of_pass(text, lines):
    of_conversation_a(lines)["strategy_acc_pass_3"][1][1] = 1.0


def another_k(text, lines):
    text["results"][TASK]["strategy_acc_pass_2,none"] = 0.9


def signed_otherwise(text, lines):
    signatures = text["configs"][TASK]["metadata"]["csc"]["signatures"]
    signatures["strategy_acc_pass_3"] = "pass^k|k:3|of:strategy_acc|per:turn|estimate:any"


def pooled(text, lines):
    """macro-F1 of all replies together, which is more than its mean over repeats."""
    text["results"][TASK]["strategy_macro_f1,none"] = 0.62


@pytest.mark.parametrize(
    ("forge", "item"),
    [
        (better, "strategy"),
        (other_raw, "strategy"),
        (always_right, "strategy_acc_pass_3"),
        (items_of_pass, "strategy_acc_pass_3 items"),
        (another_k, "strategy_acc_pass_2"),
        (pooled, "strategy_macro_f1"),
        (signed_otherwise, "strategy_acc_pass_3 signature"),
    ],
)
def test_what_a_repeat_never_gave_is_contradicted(run, corpus, tmp_path, forge, item):
    verdict = verified(forged(run, tmp_path, TASK, forge), corpus)
    assert item in {finding.item for finding in verdict.findings if finding.contradicts}


def without(line, places):
    for key in ("turns", "resps"):
        line[key] = [value for i, value in enumerate(line[key]) if i not in places]


def a_repeat_is_left_out(text, lines):
    """The worst of three repeats of a conversation."""
    without(of_conversation_a(lines), range(8, 12))


def turns_are_left_out(text, lines):
    without(of_conversation_a(lines), (9, 10))


def repeats_are_swapped(text, lines):
    turns = of_conversation_a(lines)["turns"]
    turns[0]["repeat"], turns[4]["repeat"] = 1, 0


def only_one_is_told(text, lines):
    del text["configs"][TASK]["metadata"]["csc"]["repeats"]


def a_million_are_told(text, lines):
    metadata = text["configs"][TASK]["metadata"]
    metadata["csc"]["repeats"] = metadata["csc_repeats"] = 10**6


def no_number_is_told(text, lines):
    text["configs"][TASK]["metadata"]["csc"]["repeats"] = "many"


def the_best_one_is_handed_in_alone(text, lines):
    only_one_is_told(text, lines)
    for line in lines:
        without(line, range(len(line["turns"]) // 3, len(line["turns"])))


@pytest.mark.parametrize(
    "forge",
    [
        a_repeat_is_left_out,
        turns_are_left_out,
        repeats_are_swapped,
        only_one_is_told,
        a_million_are_told,
        no_number_is_told,
        the_best_one_is_handed_in_alone,
    ],
)
def test_repeats_that_are_not_all_there_are_contradicted(run, corpus, tmp_path, capsys, forge):
    results = forged(run, tmp_path, TASK, forge)
    assert main(["verify", str(results), "--corpus", str(corpus)]) == 1
    printed = capsys.readouterr().out
    assert "contradicted" in printed and "Traceback" not in printed
    verdict = verified(results, corpus)
    assert verdict.contradicted and verdict.trust is not Trust.RESCORED


def test_csc_score_computes_every_repeat_again(run, corpus, tmp_path):
    def without_numbers(text, lines):
        text["results"] = {TASK: {"turns,none": 18}}

    forged(run, tmp_path / "bare", TASK, without_numbers)
    assert main(["score", str(tmp_path / "bare"), "--out", str(tmp_path / "scored")]) == 0
    (results,) = (tmp_path / "scored").rglob("results_*.json")
    claimed = json.loads(run.read_text(encoding="utf-8"))["results"][TASK]
    again = json.loads(results.read_text(encoding="utf-8"))["results"][TASK]
    names = ("strategy_acc", "strategy_macro_f1", "bleu_4", "strategy_acc_pass_3")
    for key in [f"{name}{end}" for name in names for end in (",none", "_stderr,none")]:
        assert again[key] == claimed[key]
    assert verified(results, corpus).trust is Trust.RESCORED


def test_asking_again_asks_as_often_and_compares_repeat_by_repeat(run, corpus, capsys, monkeypatch):
    (logged,) = [read_run(file) for file in find_samples([run.parent])]
    drawn = draw([logged], 18, 0)
    assert len({(one.name, one.repeat) for one in drawn}) == 18
    words = command_of(logged, ["a/1", "a/1", "b/1"], Asked("hf", "x"), "here", run.parent)
    settings = json.loads(words[words.index("--metadata") + 1])
    assert settings["csc_repeats"] == 3 and settings["csc_turns"] == ["a/1", "b/1"]
    assert json.loads(words[words.index("--gen_kwargs") + 1])["do_sample"] is True
    there = {(one.name, one.repeat): one.reply for one in drawn}
    command = ["verify", str(run), "--corpus", str(corpus), "--rerun", "18"]
    command += ["--model", "hf", "--model_args", "pretrained=x"]

    def again(replies):
        monkeypatch.setattr("csc_tasks.verify.rerun.replies", lambda *_: replies)
        status = main(command)
        return status, capsys.readouterr().out

    status, printed = again(there)
    assert status == 0 and "18 of 18 replies are the same" in printed
    assert "a/1 (repeat 2)" in printed
    # Sampled replies are other ones where no seed reaches the model: that is no lie.
    status, printed = again(dict.fromkeys(there, "[] another"))
    assert status == 0 and "0 of 18 replies are the same" in printed
    assert "they are sampled, so that may be chance" in printed


def test_the_model_itself_is_asked_again(tmp_path, corpus, capsys, monkeypatch):
    from lm_eval.models.huggingface import HFLM

    from tests.support.play_models import random_model

    monkeypatch.setenv(*only_our_tasks_in_processes(tmp_path / "start").popitem())
    folder = random_model(tmp_path / "model")
    model = HFLM(pretrained=str(folder), device="cpu", dtype="float32")
    results = hand_in(
        tmp_path / "run",
        ["csc_conv_gen"],
        str,
        {"csc_corpus": str(corpus), "csc_repeats": 2},
        model=model,
        gen_kwargs=f"{SAMPLING},max_gen_toks=6",
    )
    command = ["verify", str(results), "--corpus", str(corpus), "--rerun", "4", "--device", "cpu"]
    command += ["--model", "hf", "--model_args", f"pretrained={folder},dtype=float32"]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "of 4 replies are the same" in printed and "claimed nothing" not in printed
    assert "recomputed nothing" not in printed


def test_a_repeat_that_was_handed_in_under_another_name_is_seen(tmp_path, monkeypatch):
    corpus = write_corpus(tmp_path / "corpus")
    replies = iter(range(10_000))
    options = {"gen_kwargs": SAMPLING}

    def number(prompt):
        return f"[Greeting] reply {next(replies)}"

    settings = {"csc_corpus": str(corpus), "csc_qa_corpus": str(corpus), "csc_repeats": 2}
    settings["csc_language"] = "en"
    run = hand_in(tmp_path / "run", [TASK], number, settings, **options)
    measurements = read_results(run, [])

    def last_alone(text, lines):
        text["model_name"] = "org/thief"
        metadata = text["configs"][TASK]["metadata"]
        del metadata["csc"]["repeats"], metadata["csc_repeats"]
        for line in lines:
            without(line, range(len(line["turns"]) // 2))
            for record in line["turns"]:
                del record["repeat"]

    stolen = read_results(forged(run, tmp_path / "stolen", TASK, last_alone), [])
    monkeypatch.setattr("csc_tasks.verify.copies.DISTINCT", 2)
    (finding,) = copies([*measurements, *stolen])
    assert "replies to 3 of 3 documents are those of" in finding.sentence
