"""The tasks end to end through lm_eval with models that answer from a function."""

import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
import sacrebleu
from lm_eval import simple_evaluate
from lm_eval.loggers import EvaluationTracker
from lm_eval.tasks import TaskManager

from csc_tasks import TASKS_DIR, corpora, play
from csc_tasks.errors import DataError, ModelError, SettingError
from csc_tasks.framework import STRATEGIES
from csc_tasks.languages import language as language_of
from csc_tasks.languages.labels import strategy_name
from csc_tasks.play import PlayInstance, generate
from csc_tasks.prompts import TurnPrompt
from tests.support.fakes import (
    FakeLM,
    gold_replies,
    sample_conversations,
    sample_questions,
    write_corpus,
)

BENCHMARK = {"csc_conv_ref", "csc_conv_gen", "csc_qa"}
ABLATIONS = {
    "cscx_strategy_choice",
    "cscx_conv_ref_vanilla",
    "cscx_conv_ref_oracle",
    "cscx_conv_ref_forced",
    "cscx_conv_gen_forced",
    "cscx_conv_live",
    "cscx_qa_full",
    "cscx_qa_last",
    "cscx_qa_none",
    "cscx_qa_grounded",
    "cscx_qa_early",
    "cscx_qa_mid",
    "cscx_qa_late",
}

en, zh = language_of("en").words, language_of("zh").words


@pytest.fixture
def corpus(tmp_path):
    return write_corpus(tmp_path / "corpus")


def run(model, corpus, tasks, metadata=None, **options):
    settings = {"csc_corpus": str(corpus), "csc_qa_corpus": str(corpus)} | (metadata or {})
    manager = TaskManager(include_path=str(TASKS_DIR), include_defaults=False, metadata=settings)
    options = {"bootstrap_iters": 0, **options}
    return simple_evaluate(model, tasks=list(tasks), task_manager=manager, **options)


def value(results, task, metric):
    return results["results"][task][f"{metric},none"]


def records(results, task):
    unit = "answers" if "qa" in task else "turns"
    return [record for sample in results["samples"][task] for record in sample[unit]]


def test_task_names_are_exactly_the_published_ones():
    index = TaskManager(include_path=str(TASKS_DIR), include_defaults=False)
    assert set(index.all_subtasks) == BENCHMARK | ABLATIONS
    assert set(index.all_groups) == {"csc"}
    # A group or tag named csc_* would load tasks twice with --tasks 'csc_*'.
    assert {name for name in index.all_tasks if name.startswith("csc_")} == BENCHMARK


def test_gold_replies_score_full_marks_in_both_contexts(corpus):
    gold = gold_replies(corpus)
    results = run(FakeLM(gold.__getitem__), corpus, ["csc_conv_ref", "csc_conv_gen"])
    for task in ("csc_conv_ref", "csc_conv_gen"):
        assert value(results, task, "turns") == len(gold) == 22
        assert (
            value(results, task, "strategy_acc")
            == value(results, task, "strategy_macro_f1")
            == value(results, task, "stage_overlap")
            == 1
        )
        assert value(results, task, "unparsed") == value(results, task, "empty") == 0
        for language in ("zh", "en"):
            assert value(results, task, f"bleu_2_{language}") == pytest.approx(100)
            assert value(results, task, f"bleu_4_{language}") == pytest.approx(100)
            assert value(results, task, f"rouge_l_{language}") == 1


def test_always_greeting_scores_the_share_of_greeting(corpus):
    def greet(prompt):
        return "[礼貌问候] 您好" if zh.HISTORY in prompt else "[Greeting] Hello"

    results = run(FakeLM(greet), corpus, ["csc_conv_ref", "csc_conv_gen"])
    labels = [c.dialogue[i].strategy for c in sample_conversations() for i in c.scored_turns()]
    share = labels.count("GT") / len(labels)
    assert value(results, "csc_conv_ref", "strategy_acc") == pytest.approx(share)
    assert value(results, "csc_conv_gen", "strategy_acc") == pytest.approx(share)
    # Greeting: every greeting found, all else called greeting too; eleven labels have gold turns
    # here, F1 is 0 for ten of them.
    supported = len(set(labels))
    assert value(results, "csc_conv_ref", "strategy_macro_f1") == pytest.approx(
        2 * share / (share + 1) / supported
    )


def test_garbage_is_unparsed_and_wrong(corpus):
    results = run(FakeLM(lambda prompt: "I like turtles"), corpus, ["csc_conv_ref"])
    assert value(results, "csc_conv_ref", "unparsed") == 1
    assert value(results, "csc_conv_ref", "strategy_acc") == 0
    assert {record["reply"] for record in records(results, "csc_conv_ref")} == {"I like turtles"}


def test_generated_context_holds_own_turns_and_gold_customer_turns(corpus):
    count = iter(range(1000))

    def reply(prompt):
        return (
            f"[Feedback Request] own reply {next(count)}"
            if en.HISTORY in prompt
            else f"[反馈请求] 自己的回复{next(count)}"
        )

    model = FakeLM(reply)
    results = run(model, corpus, ["csc_conv_gen"])
    for sample in results["samples"]["csc_conv_gen"]:
        language = sample["doc"]["language"]
        own = [turn["reply"] for turn in sample["turns"]]
        dialogue = sample["doc"]["dialogue"]
        for k, turn in enumerate(sample["turns"]):
            prompt = sample["arguments"][k][0]
            said = prompt.split(en.HISTORY if language == "en" else zh.HISTORY)[1]
            before = dialogue[: turn["turn"]]
            for earlier in before:
                if earlier["speaker"] == "customer" or not earlier["strategy"]:
                    assert earlier["text"] in said, (
                        "customer turns and unlabelled supporter turns stay gold"
                    )
                else:
                    assert earlier["text"] not in said, "gold supporter turns must be replaced"
            name = "Feedback Request" if language == "en" else "反馈请求"
            # Each own earlier turn, with its tag, once and in order.
            assert re.findall(r"(?:own reply |自己的回复)\d+", said) == [
                re.search(r"(?:own reply |自己的回复)\d+", text)[0] for text in own[:k]
            ]
            assert said.count(f"[{name}]") == k


def test_unparsed_and_empty_replies_re_enter_as_agreed(corpus):
    answers = {
        "en": iter(["no tag here", "", None, "<think>[Greeting] x"] * 50),
        "zh": iter(["没有标签", "", None, "<think>嗯"] * 50),
    }

    def reply(prompt):
        return next(answers["en" if en.HISTORY in prompt else "zh"])

    results = run(FakeLM(reply), corpus, ["csc_conv_gen"])
    seen = set()
    for sample in results["samples"]["csc_conv_gen"]:
        words = en if sample["doc"]["language"] == "en" else zh
        for k in range(1, len(sample["turns"])):
            previous = sample["turns"][k - 1]
            line = f"\n{words.SUPPORTER}{previous['reply'] or words.NO_REPLY}\n"
            assert line in sample["arguments"][k][0] + "\n"
            assert "think" not in sample["arguments"][k][0]
            seen.add(bool(previous["reply"]))
    assert seen == {True, False}
    assert value(results, "csc_conv_gen", "empty") > 0


def test_numbers_equal_other_libraries_from_the_samples_file(corpus, tmp_path):
    """What the file holds is enough to recompute BLEU with sacrebleu and the clustered errors with
    plain numpy.
    """
    flips = iter([0, 1, 1, 0, 1, 0, 0, 1, 1, 1] * 10)
    gold = gold_replies(corpus)

    def sometimes(prompt):
        return (
            gold[prompt]
            if next(flips)
            else (
                "[Greeting] Hello there, how can I help?"
                if en.HISTORY in prompt
                else "[情感管理] 非常理解您的心情。"
            )
        )

    results = run(FakeLM(sometimes), corpus, ["csc_conv_ref"])
    tracker = EvaluationTracker(output_path=str(tmp_path / "out"))
    tracker.general_config_tracker.model_name_sanitized = "fake"
    tracker.save_results_aggregated(
        results={k: v for k, v in results.items() if k != "samples"}, samples=results["samples"]
    )
    tracker.save_results_samples("csc_conv_ref", results["samples"]["csc_conv_ref"])
    lines = (
        next((tmp_path / "out").rglob("samples_csc_conv_ref_*.jsonl"))
        .read_text(encoding="utf-8")
        .splitlines()
    )
    turns = [turn for line in lines for turn in json.loads(line)["turns"]]
    written = json.loads(
        next((tmp_path / "out").rglob("results_*.json")).read_text(encoding="utf-8")
    )["results"]["csc_conv_ref"]

    clusters = [turn["conversation_id"] for turn in turns]
    accuracy = np.array([turn["strategy"] == turn["gold_strategy"] for turn in turns], dtype=float)
    groups = {c: [i for i, other in enumerate(clusters) if other == c] for c in clusters}
    total = sum(
        sum(accuracy[i] - accuracy.mean() for i in members) ** 2 for members in groups.values()
    )
    expected = math.sqrt(len(groups) / (len(groups) - 1) * total) / len(turns)
    assert written["strategy_acc,none"] == pytest.approx(accuracy.mean(), abs=1e-12)
    assert written["strategy_acc_stderr,none"] == pytest.approx(expected, abs=1e-6)

    for language, tokenize in (("zh", "zh"), ("en", "13a")):
        ours = [turn for turn in turns if turn["language"] == language]
        for order in (2, 4):
            bleu = sacrebleu.BLEU(tokenize=tokenize, max_ngram_order=order)

            def score(some, bleu=bleu):
                return bleu.corpus_score(
                    [t["reply"] for t in some], [[t["reference"] for t in some]]
                ).score

            assert written[f"bleu_{order}_{language},none"] == pytest.approx(score(ours), abs=1e-6)
            names = sorted({turn["conversation_id"] for turn in ours})
            left_out = [score([t for t in ours if t["conversation_id"] != name]) for name in names]
            mean = sum(left_out) / len(names)
            error = math.sqrt(
                (len(names) - 1) / len(names) * sum((theta - mean) ** 2 for theta in left_out)
            )
            assert written[f"bleu_{order}_{language}_stderr,none"] == pytest.approx(error, abs=1e-6)


def test_provenance_and_signatures_stand_in_the_results(corpus):
    results = run(FakeLM(lambda prompt: "x"), corpus, ["csc_conv_ref", "csc_qa"])
    found = results["configs"]["csc_conv_ref"]["metadata"]["csc"]
    loaded = corpora.load(str(corpus), "csconv", "test")
    assert found["content_hash"] == corpora.content_hash(loaded.items)
    assert (found["rows"], found["languages"], found["prompt"], found["corpus"]) == (
        5,
        ["en", "zh"],
        "single",
        str(corpus),
    )
    measured = {name for name in results["higher_is_better"]["csc_conv_ref"]}
    assert measured == set(found["signatures"])
    assert (
        "tok:zh" in found["signatures"]["bleu_4_zh"]
        and "tok:13a" in found["signatures"]["bleu_4_en"]
    )
    assert results["configs"]["csc_qa"]["metadata"]["csc"]["reference"] == "refined_agent_answer"


def test_limit_is_a_nested_sample_and_subset_the_same(corpus):
    ids = {}
    for limit in (1, 2, 4):
        results = run(FakeLM(lambda prompt: "x"), corpus, ["csc_conv_ref"], limit=limit)
        ids[limit] = [
            sample["doc"]["conversation_id"] for sample in results["samples"]["csc_conv_ref"]
        ]
    assert ids[1] == ids[2][:1] == ids[4][:1] and ids[2] == ids[4][:2]
    results = run(FakeLM(lambda prompt: "x"), corpus, ["csc_conv_ref"], {"csc_subset": 2})
    assert [
        sample["doc"]["conversation_id"] for sample in results["samples"]["csc_conv_ref"]
    ] == ids[2]
    assert results["configs"]["csc_conv_ref"]["metadata"]["csc"]["rows"] == 2


def test_one_language_has_plain_names_and_its_own_prompts(corpus):
    model = FakeLM(lambda prompt: "x")
    results = run(model, corpus, ["csc_conv_ref"], {"csc_language": "zh"})
    assert (
        "bleu_4,none" in results["results"]["csc_conv_ref"]
        and "bleu_4_zh,none" not in results["results"]["csc_conv_ref"]
    )
    assert all(zh.HISTORY in prompt for prompt in model.asked)


def test_predict_only_keeps_replies_and_measures_nothing(corpus):
    results = run(
        FakeLM(lambda prompt: "[Greeting] hi"),
        corpus,
        ["csc_conv_gen", "csc_qa"],
        predict_only=True,
    )
    assert set(results["results"]["csc_conv_gen"]) >= {"bypass,none", "turns,none"}
    assert "strategy_acc,none" not in results["results"]["csc_conv_gen"]
    assert all(record["reply"] == "hi" for record in records(results, "csc_conv_gen"))
    assert len(records(results, "csc_qa")) == 6


def test_system_instruction_comes_first(corpus):
    model = FakeLM(lambda prompt: "x")
    run(model, corpus, ["csc_conv_ref", "csc_qa"], system_instruction="Be brief.")
    assert all(prompt.startswith("Be brief.\n\n") for prompt in model.asked)


def test_gen_kwargs_reach_the_model_and_keep_our_stops(corpus):
    seen = []

    class Watching(FakeLM):
        def generate_until(self, requests):
            seen.extend(request.args[1] for request in requests)
            return super().generate_until(requests)

    run(
        Watching(lambda prompt: "x"),
        corpus,
        ["csc_conv_ref"],
        gen_kwargs="max_gen_toks=32,temperature=0.5,do_sample=true",
    )
    assert all(kwargs["max_gen_toks"] == 32 and kwargs["temperature"] == 0.5 for kwargs in seen)
    assert {tuple(kwargs["until"]) for kwargs in seen} == {
        ("\nCustomer:", "\nSupporter:"),
        ("\n客户：", "\n客服："),
    }


def test_an_interrupted_run_continues_from_the_cache_and_asks_nothing_twice(corpus, tmp_path):
    class Stopped(Exception):
        pass

    gold = gold_replies(corpus)
    left = iter(range(9))

    def until_stopped(prompt):
        if next(left, None) is None:
            raise Stopped
        return gold[prompt]

    first = FakeLM(until_stopped)
    with pytest.raises(Stopped):
        run(first, corpus, ["csc_conv_gen"], use_cache=str(tmp_path / "cache"))
    second = FakeLM(gold.__getitem__)
    results = run(second, corpus, ["csc_conv_gen"], use_cache=str(tmp_path / "cache"))
    assert value(results, "csc_conv_gen", "strategy_acc") == 1
    answered = first.asked[:-1]
    assert len(answered) == 9 and not set(answered) & set(second.asked)
    assert sorted(answered + second.asked) == sorted(gold)
    third = FakeLM(gold.__getitem__)
    again = run(third, corpus, ["csc_conv_gen"], use_cache=str(tmp_path / "cache"))
    assert (
        third.asked == [] and again["results"]["csc_conv_gen"] == results["results"]["csc_conv_gen"]
    )


def test_cached_requests_play_like_fresh_ones(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr("lm_eval.caching.cache.PATH", str(tmp_path))
    gold = gold_replies(corpus)
    for _ in range(2):
        results = run(FakeLM(gold.__getitem__), corpus, ["csc_conv_gen"], cache_requests=True)
        assert value(results, "csc_conv_gen", "strategy_acc") == 1
    # lm_eval's cache key knows nothing of our settings; another style or corpus must not be served
    # the prompts above.
    model = FakeLM(lambda prompt: "x")
    run(model, corpus, ["csc_conv_gen"], {"csc_prompt": "chat"}, cache_requests=True)
    assert all(prompt.endswith(("Supporter:", "客服：")) for prompt in model.asked)
    other = write_corpus(tmp_path / "other", conversations=sample_conversations(("zh",)))
    assert (
        value(
            run(FakeLM(lambda prompt: "x"), other, ["csc_conv_gen"], cache_requests=True),
            "csc_conv_gen",
            "turns",
        )
        == 9
    )


def test_requests_cached_in_another_form_are_made_again(corpus, tmp_path, monkeypatch):
    """They are pickles: those of a version whose requests had other fields would not play."""
    monkeypatch.setattr("lm_eval.caching.cache.PATH", str(tmp_path / "requests"))
    (tmp_path / "requests").mkdir()

    def cached():
        run(FakeLM(lambda prompt: "x"), corpus, ["csc_conv_ref"], cache_requests=True)
        return {file.name for file in (tmp_path / "requests").iterdir()}

    first = cached()
    assert len(first) == 1 and cached() == first
    monkeypatch.setattr(play, "FORMAT", play.FORMAT + 1)
    assert len(cached() - first) == 1


def test_strategy_choice_picks_by_sum_and_by_length(corpus):
    """A model that likes short names by sum and the gold one by length-normalised likelihood."""
    by_prompt = {}
    for conversation in corpora.load(str(corpus), "csconv", "test").items:
        for turn in conversation.scored_turns():
            prompt = TurnPrompt(conversation, turn)
            by_prompt[prompt.plain(prompt.messages())] = (
                conversation.dialogue[turn].strategy,
                conversation.language,
            )

    def likelihood(text):
        prompt, _, name = text.rpartition(" [")
        gold, language = by_prompt[prompt]
        name = name[:-1]
        strategy = next(s for s in STRATEGIES if strategy_name(s.id, language) == name)
        return -1.0 * len(f"[{name}]") * (0.5 if strategy.id == gold else 1.0) - (
            50 if len(name) > 8 and strategy.id != gold else 0
        )

    results = run(FakeLM(likelihood), corpus, ["cscx_strategy_choice"])
    assert value(results, "cscx_strategy_choice", "strategy_acc_norm") == 1
    # Worked out by hand from the same rule: by sum, a gold name of twice the shortest length or
    # more loses.
    expected = []
    for gold, language in by_prompt.values():
        sums = {
            s.id: likelihood_sum(strategy_name(s.id, language), s.id == gold) for s in STRATEGIES
        }
        expected.append(max(sums, key=sums.get) == gold)
    assert value(results, "cscx_strategy_choice", "strategy_acc") == pytest.approx(
        sum(expected) / len(expected)
    )
    signed = results["configs"]["cscx_strategy_choice"]["metadata"]["csc"]["signatures"]
    assert set(signed) == set(results["higher_is_better"]["cscx_strategy_choice"])
    sample = results["samples"]["cscx_strategy_choice"][0]["turns"][0]
    assert list(sample["loglikelihoods"]) == [s.id for s in STRATEGIES]


def likelihood_sum(name, is_gold):
    return -1.0 * (len(name) + 2) * (0.5 if is_gold else 1.0) - (
        50 if len(name) > 8 and not is_gold else 0
    )


def test_ablations_show_what_they_say(corpus):
    model = FakeLM(lambda prompt: "[Greeting] hi" if en.HISTORY in prompt else "好的")
    results = run(model, corpus, ["cscx_conv_ref_vanilla", "cscx_conv_ref_oracle"])
    for task in ("cscx_conv_ref_vanilla", "cscx_conv_ref_oracle"):
        assert not any(
            name.startswith(("strategy_", "stage_", "unparsed"))
            for name in results["results"][task]
        )
        assert {record["reply"] for record in records(results, task)} == {"hi", "好的"}
    for sample in results["samples"]["cscx_conv_ref_vanilla"]:
        for arguments in sample["arguments"]:
            assert not any(
                strategy_name(s.id, sample["doc"]["language"]) in arguments[0] for s in STRATEGIES
            )
    for sample in results["samples"]["cscx_conv_ref_oracle"]:
        for turn, arguments in zip(sample["turns"], sample["arguments"], strict=True):
            name = strategy_name(turn["gold_strategy"], sample["doc"]["language"])
            assert name in arguments[0].splitlines()[-1]


def test_question_tasks_differ_in_context_and_stage(corpus):
    model = FakeLM(lambda prompt: "It arrives within three days.")
    tasks = [name for name in BENCHMARK | ABLATIONS if "qa" in name]
    results = run(model, corpus, tasks, {"csc_evidence": "demo"})
    prompts = {
        task: {s["doc"]["conversation_id"]: s["arguments"][0][0] for s in results["samples"][task]}
        for task in tasks
    }
    assert all(
        "summary late" in p or "summary mid" in p or "(none)" in p or "（无）" in p
        for p in prompts["csc_qa"].values()
    )
    assert not any(
        "summary" in prompt
        for task in ("cscx_qa_full", "cscx_qa_last", "cscx_qa_none")
        for prompt in prompts[task].values()
    )
    for conversation, prompt in prompts["cscx_qa_grounded"].items():
        words = en if en.QA_PASSAGES in prompt else zh
        start, end = prompt.index(words.QA_PASSAGES), prompt.index(words.QA_SUMMARY)
        assert prompt[:start] + prompt[end:] == prompts["csc_qa"][conversation]
    late = next(
        s["doc"]
        for s in results["samples"]["cscx_qa_full"]
        if s["doc"]["stage"] == "late" and s["doc"]["language"] == "en"
    )
    assert all(
        turn["text"] in prompts["cscx_qa_full"][late["conversation_id"]]
        for turn in late["conversation_history"]
    )
    assert {s["doc"]["stage"] for s in results["samples"]["cscx_qa_mid"]} == {"mid"}
    assert (
        value(results, "csc_qa", "answers") == 6 and value(results, "cscx_qa_early", "answers") == 2
    )
    assert (
        "bleu_2_en,none" not in results["results"]["csc_qa"]
        and "bleu_4_en,none" in results["results"]["csc_qa"]
    )


def test_bad_settings_and_corpora_stop_before_anything_is_asked(corpus, tmp_path):
    model = FakeLM(lambda prompt: "x")
    with pytest.raises(SettingError, match=r"csc_corpora.*closest: csc_corpus"):
        run(model, corpus, ["csc_conv_ref"], {"csc_corpora": "demo"})
    with pytest.raises(SettingError, match=r"csc_prompt='fancy'.*single, chat"):
        run(model, corpus, ["csc_conv_ref"], {"csc_prompt": "fancy"})
    with pytest.raises(SettingError, match=r"blue_4.*closest: bleu_4"):
        run(model, corpus, ["csc_conv_ref"], {"csc_metrics": "blue_4"})
    with pytest.raises(DataError, match="no csconv/test found"):
        run(model, write_corpus(tmp_path / "other", conversations=[]), ["csc_conv_ref"])
    staged = write_corpus(
        tmp_path / "plain",
        questions=[replace(question, stage=None) for question in sample_questions()],
    )
    with pytest.raises(DataError, match="csc build qa-stages"):
        run(model, staged, ["cscx_qa_early"])
    assert model.asked == []


def test_a_backend_that_reloads_is_refused_in_generated_context():
    conversation = sample_conversations(("en",))[0]
    model = FakeLM(lambda prompt: "x")
    model.data_parallel_size = 2
    requests = [
        PlayInstance(
            "csc_generate",
            conversation.to_row(),
            ("", {}),
            k,
            ("csc_conv_gen", 0, 1),
            prompt=TurnPrompt(conversation, turn),
            generated=True,
        )
        for k, turn in enumerate(conversation.scored_turns())
    ]
    with pytest.raises(ModelError, match="vllm serve"):
        generate(model, requests)
    assert len(generate(model, [requests[0]])) == 1


def test_what_was_read_and_left_out_is_logged_where_lm_eval_logs(tmp_path, caplog):
    unlabelled = [replace(turn, strategy="") for turn in sample_conversations(("en",))[1].dialogue]
    conversations = [
        *sample_conversations(("zh",)),
        replace(sample_conversations(("en",))[1], dialogue=tuple(unlabelled)),
    ]
    corpus = write_corpus(tmp_path / "corpus", conversations=conversations)
    caplog.set_level("INFO", logger="lm_eval")
    results = run(FakeLM(lambda prompt: "x"), corpus, ["csc_conv_ref"])
    said = [record.getMessage() for record in caplog.records if record.name.startswith("lm_eval.")]
    assert any("3 conversations (csconv/test" in line for line in said)
    assert any("1 conversations without a labelled supporter turn" in line for line in said)
    assert value(results, "csc_conv_ref", "turns") == 9
