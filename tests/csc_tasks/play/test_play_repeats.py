"""Repeats within a run as models and servers see them: seeds, caches, samples drawn, ranks."""

import json
import os
import subprocess
import sys
from collections import Counter

import pytest
from lm_eval import simple_evaluate
from lm_eval.api.registry import get_model
from lm_eval.tasks import TaskManager

from csc_tasks import TASKS_DIR
from csc_tasks.errors import SettingError
from csc_tasks.play import seed_of
from csc_tasks.play.repeats import SEED_STEP
from csc_tasks.runs.finding import find_samples
from csc_tasks.runs.samples_file import read_run
from tests.support.fakes import FakeLM, write_corpus
from tests.support.llm_server import Act, llm_server
from tests.support.play_models import random_model
from tests.support.playing import untimed
from tests.support.quick_lm_eval import only_our_tasks_in_processes
from tests.support.repeated import SAMPLING, two_conversations

SEEDS = [1234, 1234 + SEED_STEP, 1234 + 2 * SEED_STEP]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"), two_conversations())


def evaluate(model, corpus, tasks=("csc_conv_ref",), repeats=3, **options):
    metadata = {"csc_corpus": str(corpus), "csc_repeats": repeats}
    manager = TaskManager(include_path=str(TASKS_DIR), include_defaults=False, metadata=metadata)
    options = {"gen_kwargs": SAMPLING, "bootstrap_iters": 0, **options}
    return simple_evaluate(model, tasks=list(tasks), task_manager=manager, **options)


def records(results, task="csc_conv_ref"):
    return [untimed(one) for sample in results["samples"][task] for one in sample["turns"]]


def by_seed(body, number):
    return Act(f"[Greeting] seed {body['seed']}", finish="length" if body["seed"] > 1e6 else "stop")


@pytest.mark.parametrize("kind", ["chat", "completions"])
@pytest.mark.parametrize("cached", [False, True])
def test_every_repeat_sends_a_seed_of_its_own(corpus, tmp_path, kind, cached):
    with llm_server(by_seed) as server:
        chat = kind == "chat"
        model = get_model(f"local-{'chat-' if chat else ''}completions")(
            model="stub",
            base_url=f"{server.url}/{'chat/' if chat else ''}completions",
            num_concurrent=2,
            tokenizer_backend=None,
        )
        options = {"use_cache": str(tmp_path / "cache")} if cached else {}
        tasks = ["csc_conv_ref", "csc_conv_gen"]
        results = evaluate(model, corpus, tasks, apply_chat_template=chat, **options)
        assert Counter(body["seed"] for body in server.asked) == dict.fromkeys(SEEDS, 12)
        assert model._seed == 1234
        for task in tasks:
            for record in records(results, task):
                assert record["reply"] == f"seed {SEEDS[record['repeat']]}"
                assert record["truncated"] is (record["repeat"] > 0)
        # Sampled replies are never taken from a cache, whoever left them there.
        again = evaluate(model, corpus, tasks, apply_chat_template=chat, **options)
        assert len(server.asked) == 72 and again["results"] == results["results"]


def test_a_seed_of_gen_kwargs_moves_with_the_repeat(corpus):
    with llm_server(by_seed) as server:
        model = get_model("local-chat-completions")(
            model="stub", base_url=f"{server.url}/chat/completions"
        )
        evaluate(model, corpus, apply_chat_template=True, gen_kwargs=f"{SAMPLING},seed=7")
        seeds = Counter(body["seed"] for body in server.asked)
    assert seeds == dict.fromkeys([7, 7 + SEED_STEP, 7 + 2 * SEED_STEP], 6)
    assert seed_of("x", 0) == "x" and seed_of("5", 2) == 5 + 2 * SEED_STEP
    with pytest.raises(SettingError, match="seed='x': must be a whole number"):
        seed_of("x", 1)


def test_a_cache_serves_a_repeat_its_own_replies_alone(corpus, tmp_path):
    """Where no `do_sample` is given, lm_eval caches what a temperature draws."""
    options = {
        "use_cache": str(tmp_path / "cache"),
        "gen_kwargs": {"do_sample": None, "temperature": 0.7},
    }
    once = FakeLM(lambda prompt: "[Greeting] asked once")
    evaluate(once, corpus, repeats=1, **options)
    assert len(once.asked) == 6
    numbers = iter(range(100))
    thrice = FakeLM(lambda prompt: f"[Greeting] asked {next(numbers)}")
    first = evaluate(thrice, corpus, **options)
    said = {repeat: set() for repeat in range(3)}
    for record in records(first):
        said[record["repeat"]].add(record["reply"])
    # Repeat 0 is what the run that asked once drew; the others are asked, each on its own.
    assert said[0] == {"asked once"} and len(thrice.asked) == 12
    assert len(said[1]) == len(said[2]) == 6 and not said[1] & said[2]
    silent = FakeLM(lambda prompt: pytest.fail("everything is in the cache"))
    assert records(evaluate(silent, corpus, **options)) == records(first)


def test_cached_requests_of_a_run_that_asks_once_are_not_those_of_one_that_asks_thrice(
    corpus, tmp_path, monkeypatch
):
    monkeypatch.setattr("lm_eval.caching.cache.PATH", str(tmp_path))
    for repeats, asked in ((1, 6), (3, 18), (1, 6)):
        model = FakeLM(lambda prompt: "[Greeting] hello")
        evaluate(model, corpus, repeats=repeats, cache_requests=True)
        assert len(model.asked) == asked


def test_a_model_in_this_process_draws_anew_and_the_run_can_be_repeated(corpus, tmp_path):
    from lm_eval.models.huggingface import HFLM

    folder = random_model(tmp_path / "model")
    runs = [
        evaluate(
            HFLM(pretrained=str(folder), device="cpu", dtype="float32", batch_size=8),
            corpus,
            ["csc_conv_gen"],
            gen_kwargs=f"{SAMPLING},max_gen_toks=12",
        )
        for _ in range(2)
    ]
    own = [{}, {}, {}]
    for record in records(runs[0], "csc_conv_gen"):
        own[record["repeat"]][record["conversation_id"], record["turn"]] = record["reply"]
    assert own[0] != own[1] != own[2] != own[0]
    assert records(runs[0], "csc_conv_gen") == records(runs[1], "csc_conv_gen")


@pytest.mark.slow
def test_two_ranks_ask_every_repeat(corpus, tmp_path):
    folder = random_model(tmp_path / "model")
    words = ["-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2"]
    words += ["--num_machines", "1", "--main_process_port", "0", "-m", "lm_eval"]
    words += ["--model", "hf", "--device", "cpu", "--log_samples"]
    words += ["--model_args", f"pretrained={folder},dtype=float32", "--tasks", "csc_conv_gen"]
    words += ["--include_path", str(TASKS_DIR), "--gen_kwargs", f"{SAMPLING},max_gen_toks=6"]
    settings = {"csc_corpus": str(corpus), "csc_repeats": 3}
    words += ["--metadata", json.dumps(settings), "--output_path", str(tmp_path / "out")]
    environment = os.environ | {"CSC_TASKS_AUTOLOAD": "0"}
    environment |= only_our_tasks_in_processes(tmp_path / "start")
    done = subprocess.run(
        [sys.executable, *words], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (file,) = find_samples([tmp_path / "out"])
    run = read_run(file)
    assert run.repeats == 3 and len(run.lines) == 2
    asked = Counter((record["conversation_id"], record["repeat"]) for record in run.records)
    assert asked == {("a", 0): 4, ("a", 1): 4, ("a", 2): 4, ("b", 0): 2, ("b", 1): 2, ("b", 2): 2}
