"""One `--use_cache` file for several models: each gets its own replies back, and no other's."""

import pickle
import shutil
import sqlite3
from types import SimpleNamespace

import pytest
import torch
from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

from csc_tasks import TASKS_DIR, checks
from csc_tasks.errors import SettingError
from csc_tasks.play import cache
from tests.support.fakes import FakeLM, gold_replies, write_corpus
from tests.support.play_models import random_model

TASKS = ["csc_conv_ref", "cscx_strategy_choice"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return random_model(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def adapter(base, tmp_path_factory):
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    config = LoraConfig(
        target_modules=["q_proj", "v_proj"], init_lora_weights=False, task_type="CAUSAL_LM"
    )
    folder = tmp_path_factory.mktemp("adapter")
    get_peft_model(AutoModelForCausalLM.from_pretrained(base), config).save_pretrained(folder)
    return folder


def evaluate(model, corpus, tasks=TASKS, play="plain", **options):
    metadata = {"csc_corpus": str(corpus), "csc_play": play, "csc_subset": 2}
    manager = TaskManager(include_path=str(TASKS_DIR), include_defaults=False, metadata=metadata)
    return simple_evaluate(
        model,
        tasks=tasks,
        task_manager=manager,
        bootstrap_iters=0,
        gen_kwargs="max_gen_toks=8",
        **options,
    )


def backend(folder, **options):
    return HFLM(pretrained=str(folder), device="cpu", dtype="float32", batch_size=8, **options)


def replies(results):
    return [
        [turn["reply"] for turn in sample["turns"]] for sample in results["samples"]["csc_conv_ref"]
    ]


def computed(model):
    """The number of forward passes of a backend from now on, as a list that grows."""
    passes = []
    model.model.register_forward_hook(lambda *_: passes.append(1))
    return passes


@pytest.mark.parametrize("play", ["auto", "plain"])
def test_a_base_and_its_adapter_share_a_cache(base, adapter, corpus, tmp_path, play):
    file = str(tmp_path / "cache")
    alone = evaluate(backend(base, peft=str(adapter)), corpus, play=play)
    model = backend(base)
    fresh = computed(model)
    first = evaluate(model, corpus, play=play, use_cache=file)
    second = evaluate(backend(base, peft=str(adapter)), corpus, play=play, use_cache=file)
    assert replies(second) == replies(alone) != replies(first)
    assert second["results"] == alone["results"] != first["results"]
    # Both are served when they come again, and neither is asked anything.
    for model, expected in ((backend(base), first), (backend(base, peft=str(adapter)), second)):
        passes = computed(model)
        again = evaluate(model, corpus, play=play, use_cache=file)
        assert again["results"] == expected["results"]
        # Lockstep play is tried on prompts of its own before anything is asked.
        assert passes == [] if play == "plain" else len(passes) < len(fresh) / 2


def test_a_folder_trained_anew_is_another_model_and_a_copy_is_the_same(base, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(base, folder)
    before = cache.identity(backend(folder))
    assert before == cache.identity(backend(base))
    assert before != cache.identity(backend(base, add_bos_token=True))
    assert before != cache.identity(HFLM(pretrained=str(base), device="cpu", dtype="bfloat16"))
    model = backend(folder).model
    with torch.no_grad():
        next(model.parameters()).add_(0.5)
    model.save_pretrained(folder)
    assert cache.identity(backend(folder)) != before


def test_a_chat_template_belongs_to_the_model(base):
    one, other = backend(base), backend(base)
    other.tokenizer.chat_template = "{{ messages[0]['content'] }}"
    assert cache.identity(one) != cache.identity(other)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pretrained", "org/other"),
        ("model", "gpt-other"),
        ("revision", "v2"),
        ("peft", "org/adapter"),
        ("quantization", "awq"),
        ("_seed", 2),
        ("model_args", {"model": "org/other"}),
        ("model_args", {"model": "org/model", "quantization": "fp8"}),
    ],
)
def test_a_backend_without_weights_is_what_it_was_given(name, value):
    given = {
        "pretrained": "org/model",
        "model": "gpt",
        "revision": "main",
        "base_url": "http://one:8000/v1",
        "model_args": {"model": "org/model", "tensor_parallel_size": 1},
    }
    known = cache.identity(SimpleNamespace(**given))
    assert cache.identity(SimpleNamespace(**given)) == known
    assert cache.identity(SimpleNamespace(**(given | {name: value}))) != known
    # Where it runs is no part of it.
    more = {
        "model_args": {"model": "org/model", "tensor_parallel_size": 4},
        "base_url": "http://one:8001/v1",
    }
    assert cache.identity(SimpleNamespace(**(given | more))) == known


def test_an_entry_of_another_model_is_asked_again_and_kept_beside_it(corpus, tmp_path):
    gold = gold_replies(corpus)
    file = str(tmp_path / "cache")
    right, wrong = FakeLM(gold.__getitem__), FakeLM(lambda prompt: "no")
    right.pretrained, wrong.pretrained = "org/right", "org/wrong"
    one = evaluate(wrong, corpus, ["csc_conv_ref"], use_cache=file)
    two = evaluate(right, corpus, ["csc_conv_ref"], use_cache=file)
    assert one["results"]["csc_conv_ref"]["strategy_acc,none"] == 0
    assert two["results"]["csc_conv_ref"]["strategy_acc,none"] == 1
    assert len(right.asked) == len(wrong.asked) > 0
    third = FakeLM(lambda prompt: "never asked")
    third.pretrained = "org/wrong"
    again = evaluate(third, corpus, ["csc_conv_ref"], use_cache=file)
    assert third.asked == []
    assert again["results"]["csc_conv_ref"] == one["results"]["csc_conv_ref"]


@pytest.mark.parametrize("damage", ["text", "cut"])
def test_a_damaged_cache_is_one_line_before_the_model_is_loaded(corpus, tmp_path, damage):
    file = tmp_path / "cache_rank0.db"
    if damage == "text":
        file.write_text("this is no database, and long enough to have a header of one " * 40)
    else:
        evaluate(
            FakeLM(lambda prompt: "x" * 9000),
            corpus,
            ["csc_conv_ref"],
            use_cache=str(tmp_path / "cache"),
        )
        file.write_bytes(file.read_bytes()[:9000])
    run = {
        "model": "hf",
        "model_args": {"pretrained": str(tmp_path)},
        "tasks": ["csc_conv_ref"],
        "metadata": {"csc_corpus": str(corpus)},
        "use_cache": str(tmp_path / "cache"),
    }
    run["task_manager"] = TaskManager(
        include_path=str(TASKS_DIR), include_defaults=False, metadata=run["metadata"]
    )
    with pytest.raises(SettingError, match=r"cache_rank0\.db is no cache .* delete it or name"):
        checks.check_run(run)


def test_a_damaged_entry_is_one_line(tmp_path):
    class Store(dict):
        def __getitem__(self, key):
            return pickle.loads(super().__getitem__(key))

    own = cache.OwnCache(Store(), "somebody", "the.db")
    own["a"] = pickle.dumps("reply")[:-4]
    own["b"] = pickle.dumps("reply")
    with pytest.raises(SettingError, match=r"the\.db is no cache of lm_eval, or it is damaged"):
        own["a"]
    assert own["b"] == "reply" and own.get("c") is None
    with pytest.raises(KeyError):
        own["c"]


def test_a_locked_cache_is_one_line(tmp_path):
    class Locked(dict):
        def __setitem__(self, key, value):
            raise sqlite3.OperationalError("database is locked")

    with pytest.raises(SettingError, match="database is locked"):
        cache.OwnCache(Locked(), "somebody", "the.db")["a"] = "reply"
