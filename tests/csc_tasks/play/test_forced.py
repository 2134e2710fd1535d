"""Forced choice of a strategy in lockstep and plainly: the same as by full forward passes, and the
reply is written after it.
"""

import pytest
import torch
from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

from csc_tasks import TASKS_DIR
from csc_tasks.errors import ModelError
from csc_tasks.framework import STRATEGIES
from csc_tasks.languages import language
from csc_tasks.play import rows
from tests.support.fakes import sample_conversations, write_corpus
from tests.support.merged_tokens import merging_model
from tests.support.play_models import random_model
from tests.support.playing import untimed
from tests.support.thinking_templates import make_tokenizer

FORCED = ["cscx_conv_ref_forced", "cscx_conv_gen_forced"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Two conversations of three and four scored turns in two languages."""
    english, chinese = sample_conversations(("en",)), sample_conversations(("zh",))
    return write_corpus(tmp_path_factory.mktemp("corpus"), [english[2], chinese[1]], [])


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return backend(merging_model(tmp_path_factory.mktemp("model")))


def backend(folder, **options):
    return HFLM(
        pretrained=str(folder), **{"dtype": "float32", "device": "cpu", "batch_size": 1, **options}
    )


def run(lm, corpus, tasks, metadata=None, batch_size=3, **options):
    settings = {"csc_corpus": str(corpus)} | (metadata or {})
    manager = TaskManager(include_path=str(TASKS_DIR), include_defaults=False, metadata=settings)
    options = {"bootstrap_iters": 0, "gen_kwargs": "max_gen_toks=10", **options}
    lm.batch_size_per_gpu = batch_size
    return simple_evaluate(lm, tasks=tasks, task_manager=manager, **options)


def turns(results, task):
    """(prompt that was sent, record) of every turn."""
    return [
        (arguments[0], untimed(record))
        for sample in results["samples"][task]
        for arguments, record in zip(sample["arguments"], sample["turns"], strict=True)
    ]


def names(code):
    return {one.id: f"[{language(code).strategies[one.id].name}]" for one in STRATEGIES}


def sums_by_full_passes(lm, prompt, options):
    """The log-likelihood of each option after a prompt: one pass over all tokens of both, encoded
    together, from the first token that is not the prompt's.
    """
    encode = lm.tokenizer.encode
    start = len(encode(prompt.rstrip()))
    sums = {}
    for name, option in options.items():
        tokens = encode(prompt + option)
        with torch.no_grad():
            logits = lm.model(torch.tensor([tokens])).logits[0].double()
        steps = logits.log_softmax(-1)
        sums[name] = sum(float(steps[i - 1, tokens[i]]) for i in range(start, len(tokens)))
    return sums


def greedy(lm, prompt, count):
    """What the model writes after a prompt, token by token, each by a pass over everything."""
    tokens = lm.tokenizer.encode(prompt)
    ends = {lm.tokenizer.eos_token_id, *lm.model.generation_config.eos_token_id}
    written = []
    while len(written) < count:
        with torch.no_grad():
            token = int(lm.model(torch.tensor([tokens + written])).logits[0, -1].argmax())
        written.append(token)
        if token in ends:
            break
    return lm.tokenizer.decode(written, skip_special_tokens=True)


@pytest.mark.parametrize(("style", "templated"), [("chat", True), ("single", False)])
def test_choice_and_reply_are_those_of_full_forward_passes(model, corpus, style, templated):
    options = {"apply_chat_template": templated, "gen_kwargs": "max_gen_toks=5", "limit": 1}
    results = run(model, corpus, FORCED, {"csc_prompt": style}, **options)
    for task in FORCED:
        assert results["configs"][task]["metadata"]["csc"]["play"] == {"mode": "lockstep"}
        raws = [raw[0] for sample in results["samples"][task] for raw in sample["resps"]]
        for (prompt, record), raw in zip(turns(results, task), raws, strict=True):
            space = "" if templated else " "
            options = {id_: space + name for id_, name in names(record["language"]).items()}
            begun = options[record["strategy"]]
            assert prompt.endswith(begun)
            asked = prompt.removesuffix(begun)
            sums = sums_by_full_passes(model, asked, options)
            assert record["loglikelihoods"] == pytest.approx(sums, abs=1e-3)
            assert record["strategy"] == max(sums, key=sums.get)
            assert raw == greedy(model, prompt, 5)
            assert record["unparsed"] is False
    # A bracket shares a token with the name behind it: the two cannot be encoded apart.
    tokens = model.tokenizer.convert_ids_to_tokens(model.tokenizer.encode("\n[Greeting]"))
    assert any(token.startswith("[") and len(token) > 1 for token in tokens)


@pytest.mark.parametrize("templated", [True, False])
def test_every_way_to_play_gives_the_same(model, corpus, templated):
    options = {"apply_chat_template": templated}
    plain = run(model, corpus, FORCED, {"csc_play": "plain"}, **options)
    chosen = {record["strategy"] for task in FORCED for _, record in turns(plain, task)}
    assert len(chosen) > 1, "else this would compare little"
    for batch_size in (1, 5):
        lockstep = run(model, corpus, FORCED, batch_size=batch_size, **options)
        for task in FORCED:
            for (asked, one), (asked_too, other) in zip(
                turns(lockstep, task), turns(plain, task), strict=True
            ):
                assert asked == asked_too
                ours, theirs = one.pop("loglikelihoods"), other["loglikelihoods"]
                assert one == {k: v for k, v in other.items() if k != "loglikelihoods"}
                assert ours == pytest.approx(theirs, abs=1e-3)


def test_the_strategies_are_those_of_strategy_choice_and_re_enter_as_labels(model, corpus):
    results = run(model, corpus, [*FORCED, "cscx_strategy_choice"])
    chosen = [record["strategy"] for _, record in turns(results, "cscx_strategy_choice")]
    assert [record["strategy"] for _, record in turns(results, FORCED[0])] == chosen
    generated = results["samples"][FORCED[1]]
    for sample in generated:
        for number, record in enumerate(sample["turns"][:-1]):
            label = names(record["language"])[record["strategy"]]
            spoken = " ".join(f"{label} {record['reply']}".splitlines())
            assert spoken in sample["arguments"][number + 1][0]
    numbers = results["results"]
    assert numbers[FORCED[1]]["unparsed,none"] == 0
    assert "strategy_acc_parsed,none" not in numbers[FORCED[0]]
    assert numbers[FORCED[0]]["strategy_acc,none"] == pytest.approx(
        numbers["cscx_strategy_choice"]["strategy_acc,none"]
    )
    forced = results["configs"][FORCED[0]]["metadata"]["csc"]["forced"]
    assert forced == {"choice": "log-likelihood", "reply": "prefix"}


def test_a_cached_run_asks_for_nothing_twice(model, corpus, tmp_path, monkeypatch):
    passes = []
    forward = rows.Rows._forward
    monkeypatch.setattr(rows.Rows, "_forward", lambda *args: passes.append(1) or forward(*args))
    options = {"use_cache": str(tmp_path / "cache")}
    first = run(model, corpus, FORCED, **options)
    assert passes
    passes.clear()
    again = run(model, corpus, FORCED, **options)
    assert passes == []
    assert [turns(again, task) for task in FORCED] == [turns(first, task) for task in FORCED]
    # Strategy choice asks the same of the same prompts in reference context.
    passes.clear()
    run(model, corpus, ["cscx_strategy_choice"], **options)
    assert passes == []


def test_repeats_choose_the_same_and_draw_other_replies(model, corpus):
    results = run(
        model,
        corpus,
        FORCED[:1],
        {"csc_repeats": 2},
        gen_kwargs="max_gen_toks=10,do_sample=True,temperature=1.0",
    )
    records = [record for _, record in turns(results, FORCED[0])]
    by_repeat = [[one for one in records if one["repeat"] == repeat] for repeat in (0, 1)]
    assert [one["strategy"] for one in by_repeat[0]] == [one["strategy"] for one in by_repeat[1]]
    assert [one["reply"] for one in by_repeat[0]] != [one["reply"] for one in by_repeat[1]]


@pytest.mark.parametrize("play", ["auto", "plain"])
def test_a_thought_that_the_prompt_opens_is_closed_before_the_name(tmp_path, corpus, play, caplog):
    folder = random_model(tmp_path, vocab_size=300)
    make_tokenizer("always opened").save_pretrained(folder)
    lm = backend(folder)
    settings = {"csc_play": play, "csc_think_tokens": 40}
    results = run(lm, corpus, FORCED[:1], settings, apply_chat_template=True, limit=1)
    for prompt, record in turns(results, FORCED[0]):
        label = names(record["language"])[record["strategy"]]
        closed = prompt.removesuffix(label).rstrip()
        assert prompt.endswith(label) and closed.endswith("</think>")
        assert not record["thinking_cut"]
    assert "csc_think_tokens=40 changes nothing where the strategy is forced" in caplog.text


def test_a_model_that_must_think_first_is_refused_in_one_line(model, corpus, monkeypatch):
    monkeypatch.setattr(model, "enable_thinking", True)
    with pytest.raises(ModelError, match="enable_thinking=True: a forced choice is made where"):
        run(model, corpus, FORCED[:1])
