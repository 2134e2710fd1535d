"""csc_repeats: every turn or question asked several times within one run, by planted replies whose
numbers are worked out by hand.
"""

import json
import re
from collections import Counter
from itertools import pairwise

import pytest
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager

from csc_tasks import TASKS_DIR
from csc_tasks.checks import check_run
from csc_tasks.errors import SettingError
from csc_tasks.settings import read_settings
from csc_tasks.tasks import ConversationTask
from tests.support.fakes import FakeLM, gold_replies, write_corpus
from tests.support.repeated import SAMPLING, planted, two_conversations


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"), two_conversations())


def run(model, corpus, tasks=("csc_conv_ref",), metadata=None, **options):
    settings = {"csc_corpus": str(corpus), "csc_qa_corpus": str(corpus), "csc_repeats": 3}
    settings |= metadata or {}
    manager = TaskManager(include_path=str(TASKS_DIR), include_defaults=False, metadata=settings)
    options = {"gen_kwargs": SAMPLING, "bootstrap_iters": 0, **options}
    return simple_evaluate(model, tasks=list(tasks), task_manager=manager, **options)


@pytest.fixture(scope="module")
def results(corpus):
    return run(FakeLM(planted(corpus)), corpus)


def test_the_headline_is_the_mean_over_repeats_with_conversations_as_clusters(results):
    numbers = results["results"]["csc_conv_ref"]
    assert numbers["turns,none"] == 18
    assert numbers["strategy_acc,none"] == pytest.approx(10 / 18)
    # a: 6 of 12 right, b: 4 of 6: each sum is 2/3 from 5/9 of its turns. sqrt(2/1 * 2 * 4/9) / 18.
    assert numbers["strategy_acc_stderr,none"] == pytest.approx(2 / 27)
    # F1 of GT, PR, ID, AC, PS: 2/3 1 1 0 1; 1 0 1 0 1; 2/3 0 0 0 1. Of all replies together: 0.62.
    f1 = [(2 / 3 + 3) / 5, 3 / 5, (2 / 3 + 1) / 5]
    assert numbers["strategy_macro_f1,none"] == pytest.approx(sum(f1) / 3)
    assert numbers["strategy_macro_f1,none"] != pytest.approx(0.62)


def test_how_often_all_replies_are_right_is_in_the_results(results):
    numbers = results["results"]["csc_conv_ref"]
    # Right three times: turn 0 of a, turn 1 of b, of six turns. Lowest accuracies: a 1/4, b 1/2.
    assert numbers["strategy_acc_pass_3,none"] == pytest.approx(2 / 6)
    assert numbers["strategy_acc_worst_3,none"] == pytest.approx((1 / 4 + 1 / 2) / 2)
    # Two conversations whose values are 1/8 from their mean: sqrt(2/1 * 2 * (1/8)^2) / 2 = 1/8.
    assert numbers["strategy_acc_worst_3_stderr,none"] == pytest.approx(1 / 8)
    higher = results["higher_is_better"]["csc_conv_ref"]
    assert higher["strategy_acc_pass_3"] is higher["strategy_acc_worst_3"] is True
    signatures = results["configs"]["csc_conv_ref"]["metadata"]["csc"]["signatures"]
    assert signatures["strategy_acc_pass_3"].startswith("pass^k|k:3|of:strategy_acc")


def test_the_samples_hold_every_reply_one_repeat_after_another(results):
    assert results["configs"]["csc_conv_ref"]["metadata"]["csc"]["repeats"] == 3
    for line in results["samples"]["csc_conv_ref"]:
        turns = [turn["turn"] for turn in line["turns"]]
        each = len(turns) // 3
        assert turns == turns[:each] * 3
        assert [turn["repeat"] for turn in line["turns"]] == [0] * each + [1] * each + [2] * each
        wrong = re.compile(r"wrong in repeat (\d)")
        for turn, resps in zip(line["turns"], line["resps"], strict=True):
            if said := wrong.fullmatch(turn["reply"]):
                assert int(said[1]) == turn["repeat"] and resps[0].endswith(turn["reply"])
        assert len(line["strategy_acc"][1]) == len(line["arguments"]) == len(turns)


def test_in_generated_context_a_repeat_is_a_conversation_of_its_own(corpus):
    firsts = Counter()

    def reply(prompt):
        said = re.findall(r"mine in (\d)", prompt)
        assert len(set(said)) < 2  # never the turns of two repeats in one history
        if said:
            return f"[Greeting] mine in {said[0]}"
        firsts[prompt] += 1
        return f"[Greeting] mine in {firsts[prompt] - 1}"

    results = run(FakeLM(reply), corpus, ["csc_conv_gen"])
    assert set(firsts.values()) == {3}
    for line in results["samples"]["csc_conv_gen"]:
        assert [turn["reply"] for turn in line["turns"]] == [
            f"mine in {turn['repeat']}" for turn in line["turns"]
        ]


def test_questions_are_asked_several_times(tmp_path):
    corpus = write_corpus(tmp_path)
    asked = Counter()

    def reply(prompt):
        asked[prompt] += 1
        return f"answer {asked[prompt]}"

    results = run(FakeLM(reply), corpus, ["csc_qa", "cscx_qa_none", "cscx_conv_ref_vanilla"])
    for name in ("csc_qa", "cscx_qa_none"):
        for line in results["samples"][name]:
            assert [record["repeat"] for record in line["answers"]] == [0, 1, 2]
            assert len({record["reply"] for record in line["answers"]}) == 3
    assert results["results"]["csc_qa"]["answers,none"] == 18
    assert results["results"]["cscx_conv_ref_vanilla"]["turns,none"] == 66


def test_asking_once_is_as_it_was(corpus):
    gold = gold_replies(corpus)

    def plain(metadata):
        return run(FakeLM(gold.__getitem__), corpus, metadata=metadata, gen_kwargs=None)

    once, unset = plain({"csc_repeats": 1}), plain({"csc_repeats": None})
    assert once["results"] == unset["results"]
    assert json.dumps(once["samples"], default=str) == json.dumps(unset["samples"], default=str)
    assert "repeats" not in once["configs"]["csc_conv_ref"]["metadata"]["csc"]
    assert all(
        "repeat" not in turn for line in once["samples"]["csc_conv_ref"] for turn in line["turns"]
    )


@pytest.mark.parametrize(
    "given", [None, "temperature=0.7", "do_sample=True", "do_sample=False,temperature=0.7"]
)
def test_greedy_replies_are_refused_before_the_model_is_asked(corpus, given):
    model = FakeLM(planted(corpus))
    with pytest.raises(SettingError) as refused:
        run(model, corpus, gen_kwargs=given)
    line = str(refused.value)
    assert line.startswith("csc_repeats=3: replies are greedy") and "\n" not in line
    assert "would be the same; add --gen_kwargs do_sample=True,temperature=0.7" in line
    assert model.asked == []
    # csc evaluate and the start-up hook know it before the model is loaded.
    metadata = {"csc_corpus": str(corpus), "csc_repeats": 3}
    manager = TaskManager(include_path=str(TASKS_DIR), include_defaults=False, metadata=metadata)
    options = {"tasks": ["csc_conv_ref"], "task_manager": manager, "gen_kwargs": given}
    with pytest.raises(SettingError, match="replies are greedy"):
        check_run(options)
    check_run(options | {"tasks": ["csc_conv_ref"], "gen_kwargs": SAMPLING})


def test_likelihoods_are_the_same_every_time(corpus):
    with pytest.raises(SettingError, match="cscx_strategy_choice compares log-likelihoods") as no:
        run(FakeLM(str), corpus, ["cscx_strategy_choice"])
    assert "\n" not in str(no.value) and "leave the task out" in str(no.value)


def test_lm_evals_own_repeats_would_be_copies(corpus):
    config = {"task": "csc_conv_ref", "test_split": "test", "repeats": 3}
    config["metadata"] = {"csc_corpus": str(corpus)}
    with pytest.raises(SettingError, match="which ask again by csc_repeats=3"):
        ConversationTask(config)


@pytest.mark.parametrize("given", [0, -1, "many", 2.5, True])
def test_the_setting_is_a_whole_number(given):
    with pytest.raises(SettingError, match=r"csc_repeats=.*whole number of at least 1"):
        read_settings({"csc_repeats": given}, {})
    assert read_settings({}, {"CSC_REPEATS": "5"}).repeats == 5
    assert read_settings({}, {}).repeats == 1


def test_limit_counts_conversations_and_ranks_share_them(corpus):
    results = run(FakeLM(planted(corpus)), corpus, limit=1)
    (line,) = results["samples"]["csc_conv_ref"]
    assert results["n-samples"]["csc_conv_ref"] == {"original": 2, "effective": 1}
    assert len(line["turns"]) == 3 * len({turn["turn"] for turn in line["turns"]})


def test_the_same_is_asked_in_every_repeat(corpus):
    model = FakeLM(planted(corpus))
    run(model, corpus)
    assert len(model.asked) == 18
    thirds = [sorted(model.asked[start : start + 6]) for start in (0, 6, 12)]
    assert all(one == other for one, other in pairwise(thirds))
