"""The tasks on lm_eval's own backends: real forward passes with a small random model, and chat APIs
against a loopback server.
"""

import itertools
import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager

from csc_tasks import TASKS_DIR
from csc_tasks.errors import ModelError
from csc_tasks.languages import language as language_of
from csc_tasks.prompts import instructions
from tests.support.fakes import sample_conversations, sample_questions, write_corpus
from tests.support.models import STRICT, make_model
from tests.support.play_models import random_model
from tests.support.playing import untimed
from tests.support.quick_lm_eval import only_our_tasks_in_processes
from tests.support.servers import chat_server

en, zh = language_of("en").words, language_of("zh").words


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("model"))


def run(model, model_args, corpus, tasks, metadata=None, **options):
    settings = {"csc_corpus": str(corpus), "csc_qa_corpus": str(corpus)} | (metadata or {})
    manager = TaskManager(include_path=str(TASKS_DIR), include_defaults=False, metadata=settings)
    options = {"bootstrap_iters": 0, "gen_kwargs": "max_gen_toks=12", **options}
    return simple_evaluate(
        model, model_args=model_args, tasks=tasks, task_manager=manager, **options
    )


def hf(folder, corpus, tasks, metadata=None, **options):
    return run(
        "hf",
        f"pretrained={folder},dtype=float32",
        corpus,
        tasks,
        metadata,
        **{"device": "cpu", "batch_size": 8, **options},
    )


def turns(results, task):
    return [
        untimed(record)
        for sample in results["samples"][task]
        for record in sample["answers" if "qa" in task else "turns"]
    ]


def how(results, task):
    """What the results say about how the task was played."""
    return results["configs"][task]["metadata"]["csc"]["play"]


BOTH_WAYS = pytest.mark.parametrize("play", ["auto", "plain"])


@BOTH_WAYS
@pytest.mark.parametrize(
    ("style", "templated"), [("single", False), ("single", True), ("chat", False), ("chat", True)]
)
def test_hf_runs_every_task_in_both_styles(model, corpus, style, templated, play):
    tasks = ["csc_conv_ref", "csc_conv_gen", "csc_qa", "cscx_strategy_choice"]
    options = {"apply_chat_template": templated, "system_instruction": "Stay calm."}
    results = hf(model, corpus, tasks, {"csc_prompt": style, "csc_play": play}, **options)
    prompts = [
        arguments[0]
        for sample in results["samples"]["csc_conv_gen"]
        for arguments in sample["arguments"]
    ]
    assert all(prompt.count("Stay calm.") == 1 for prompt in prompts)
    assert all(("<|im_start|>" in prompt) == templated for prompt in prompts)
    expected = {
        "single": {True: "assistant\n", False: (en.TAIL, zh.TAIL)},
        "chat": {True: "assistant\n", False: ("Supporter:", zh.SUPPORTER)},
    }
    assert all(prompt.endswith(expected[style][templated]) for prompt in prompts)
    assert {turn["history_truncated"] for turn in turns(results, "csc_conv_gen")} == {False}


def test_lockstep_play_that_is_off_is_said_at_the_end_and_stands_in_the_results(
    model, corpus, tmp_path, caplog
):
    def played(folder, play):
        caplog.clear()
        results = hf(folder, corpus, ["csc_conv_ref", "csc_qa"], {"csc_play": play}, limit=1)
        ours = [record for record in caplog.records if record.name == "lm_eval.csc_tasks"]
        off = [record for record in ours if "lockstep play is off" in record.getMessage()]
        assert all(record.levelname == "WARNING" for record in off)
        return (
            how(results, "csc_conv_ref"),
            how(results, "csc_qa"),
            [record.getMessage() for record in off],
            ours[-1].getMessage(),
        )

    caplog.set_level("INFO", logger="lm_eval")
    assert played(model, "auto")[:3] == ({"mode": "lockstep"}, {"mode": "lockstep"}, [])
    asked = {"mode": "plain", "reason": "csc_play=plain"}
    assert played(model, "plain")[:3] == (asked, asked, [])
    windowed = random_model(tmp_path, "Mistral", sliding_window=64)
    conversations, questions, off, last = played(windowed, "auto")
    assert (
        conversations == questions
        and conversations["mode"] == "plain"
        and "sliding window" in conversations["reason"]
    )
    # Once before it plays, and once a task when all is done: nothing of ours comes after that.
    assert [text.partition(": ")[0] for text in off] == ["csc", "csc_conv_ref", "csc_qa"]
    assert last == off[-1] and last.endswith(conversations["reason"])


@BOTH_WAYS
def test_reference_and_generated_context_agree_on_first_turns(model, corpus, play):
    results = hf(model, corpus, ["csc_conv_ref", "csc_conv_gen"], {"csc_play": play})
    for one, other in zip(
        results["samples"]["csc_conv_ref"], results["samples"]["csc_conv_gen"], strict=True
    ):
        assert untimed(one["turns"][0]) == untimed(other["turns"][0])


@BOTH_WAYS
def test_cut_replies_are_the_ones_that_did_not_end_by_themselves(model, corpus, play):
    """Recomputed with transformers alone: generate again from the logged prompt and look for an end
    token.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    results = hf(
        model,
        corpus,
        ["csc_conv_ref"],
        {"csc_play": play},
        batch_size=3,
        gen_kwargs="max_gen_toks=6",
    )
    tokenizer, network = (
        AutoTokenizer.from_pretrained(model),
        AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32),
    )
    checked = set()
    for sample in results["samples"]["csc_conv_ref"]:
        for arguments, record in zip(sample["arguments"], sample["turns"], strict=True):
            ids = tokenizer(arguments[0], return_tensors="pt").input_ids
            new = network.generate(ids, max_new_tokens=6, do_sample=False)[
                0, ids.shape[1] :
            ].tolist()
            text = tokenizer.decode(new, skip_special_tokens=False)
            ended = tokenizer.eos_token_id in new or any(
                stop in text for stop in arguments[1]["until"]
            )
            assert record["truncated"] == (not ended)
            checked.add(record["truncated"])
    assert True in checked


def test_an_end_token_or_stop_string_is_no_cut():
    """The rule itself on hand-made outputs, since a random model rarely ends."""
    import types

    import torch

    from csc_tasks.observe import _cut_rows

    lm = types.SimpleNamespace(
        backend="causal",
        tokenizer=types.SimpleNamespace(eos_token_id=2),
        model=types.SimpleNamespace(generation_config=types.SimpleNamespace(eos_token_id=[2, 5])),
        tok_decode=lambda tokens, skip_special_tokens: "".join(chr(96 + token) for token in tokens),
    )
    output = torch.tensor([[9, 9, 1, 3, 4], [9, 9, 1, 2, 0], [9, 9, 5, 0, 0], [9, 9, 24, 25, 26]])
    kwargs = {"context": output[:, :2], "max_length": 5, "stop": ["xyz"]}
    assert _cut_rows(lm, output, kwargs) == [True, False, False, False]
    assert _cut_rows(lm, output, kwargs | {"max_length": 6}) == [False] * 4


@BOTH_WAYS
def test_cut_replies_survive_the_cache(model, corpus, tmp_path, play):
    options = {
        "use_cache": str(tmp_path / "cache"),
        "gen_kwargs": "max_gen_toks=6",
        "metadata": {"csc_play": play},
    }
    first = hf(model, corpus, ["csc_conv_gen"], **options)
    second = hf(model, corpus, ["csc_conv_gen"], **options)
    assert turns(first, "csc_conv_gen") == turns(second, "csc_conv_gen")
    assert any(turn["truncated"] for turn in turns(second, "csc_conv_gen"))


@BOTH_WAYS
def test_overlong_prompts_lose_whole_oldest_turns_and_never_instructions(tmp_path, corpus, play):
    conversation = max(sample_conversations(("en",)), key=lambda c: len(c.dialogue))
    limit = len(instructions("en", "predict").encode()) + 420
    small = make_model(tmp_path / "small", positions=limit)
    results = hf(
        small, corpus, ["csc_conv_ref", "csc_conv_gen"], {"csc_language": "en", "csc_play": play}
    )
    assert 0 < results["results"]["csc_conv_ref"]["history_truncated,none"] < 1
    for task in ("csc_conv_ref", "csc_conv_gen"):
        for sample in results["samples"][task]:
            for arguments, record in zip(sample["arguments"], sample["turns"], strict=True):
                prompt = arguments[0]
                # One byte is one token in this model.
                assert len(prompt.encode()) + 12 <= limit
                assert prompt.startswith(instructions("en", "predict"))
                said = (
                    prompt.split(en.HISTORY)[1]
                    .removesuffix(f"\n\n{en.TAIL}")
                    .strip("\n")
                    .split("\n")
                )
                whole = record["turn"]
                assert record["history_truncated"] == (len(said) < whole)
                if task == "csc_conv_ref" and whole:
                    lines = [turn["text"] for turn in sample["doc"]["dialogue"][:whole]][
                        -len(said) :
                    ]
                    assert all(text in line for text, line in zip(lines, said, strict=True)), (
                        "what is left is the newest turns, each whole"
                    )
                if record["history_truncated"]:
                    # As few turns as needed: the next older one would not have fitted.
                    older = sample["doc"]["dialogue"][whole - len(said) - 1]["text"]
                    assert (
                        len(prompt.encode()) + 12 + len(older.encode()) + len(en.CUSTOMER) > limit
                        or task == "csc_conv_gen"
                    )
    assert conversation.conversation_id in {
        s["doc"]["conversation_id"] for s in results["samples"]["csc_conv_ref"]
    }


def test_a_model_too_short_for_the_instructions_is_refused(tmp_path, corpus):
    short = make_model(tmp_path / "short", positions=400)
    with pytest.raises(
        ModelError,
        match=r"instructions and question alone take \d+ tokens, the model has room for \d+",
    ):
        hf(short, corpus, ["csc_conv_ref"])


@BOTH_WAYS
def test_one_question_whose_instruction_does_not_fit_is_one_failed_answer(model, tmp_path, play):
    one, *others = sample_questions()
    long = replace(one, instruction="Say it again. " * 400)
    corpus = write_corpus(tmp_path, questions=[long, *others])
    results = hf(model, corpus, ["csc_qa"], {"csc_play": play})
    assert results["results"]["csc_qa"]["failed,none"] == pytest.approx(1 / 6)
    failed = [record for record in turns(results, "csc_qa") if record["failed"]]
    assert [
        (record["conversation_id"], record["reply"], record["failure"]) for record in failed
    ] == [(one.conversation_id, "", "prompt too long")]
    with pytest.raises(
        ModelError,
        match=(
            r"HFLM: 1 of 6 turns failed .*csc_max_failed=0 allows.*instructions and question alone"
            r" take"
        ),
    ):
        hf(model, corpus, ["csc_qa"], {"csc_play": play, "csc_max_failed": 0})


def test_turns_whose_instructions_do_not_fit_are_failed_choices(model, tmp_path):
    conversation = sample_conversations(("en",))[0]
    corpus = write_corpus(tmp_path, conversations=[conversation])
    limit = len(instructions("en", "predict").encode()) + 60
    short = make_model(tmp_path / "short", positions=limit)
    found = {}
    for play in ("auto", "plain"):
        results = hf(
            short, corpus, ["cscx_strategy_choice"], {"csc_play": play, "csc_max_failed": 1}
        )
        found[play] = [
            (record["failed"], record["strategy"])
            for record in turns(results, "cscx_strategy_choice")
        ]
        assert results["results"]["cscx_strategy_choice"]["failed,none"] == 1
    assert found["auto"] == found["plain"] == [(True, None)] * 5


def test_templates_without_system_and_with_strict_turns_keep_the_instructions(tmp_path, corpus):
    strict = make_model(tmp_path / "strict", template=STRICT)
    results = hf(
        strict, corpus, ["csc_conv_ref", "csc_qa"], {"csc_prompt": "chat"}, apply_chat_template=True
    )
    for sample in results["samples"]["csc_conv_ref"]:
        for arguments in sample["arguments"]:
            assert instructions(sample["doc"]["language"], "predict") in arguments[0]
            assert arguments[0].startswith("<turn>user\n")


@BOTH_WAYS
def test_auto_batch_size_is_measured_once(model, corpus, monkeypatch, play):
    from lm_eval.models.huggingface import HFLM

    measured = []
    monkeypatch.setattr(
        HFLM, "_detect_batch_size", lambda self, *args, **kwargs: measured.append(1) or 4
    )
    hf(model, corpus, ["csc_conv_gen", "csc_qa"], {"csc_play": play}, batch_size="auto")
    assert len(measured) == 1


def test_two_ranks_give_the_numbers_of_one(model, corpus, tmp_path):
    """Through accelerate on two processes, as a user would start it. One rank plays the plain way,
    which compares the ways too.
    """
    command = [
        "-m",
        "lm_eval",
        "--model",
        "hf",
        "--model_args",
        f"pretrained={model},dtype=float32",
        "--include_path",
        str(TASKS_DIR),
        "--tasks",
        "csc_conv_ref,csc_conv_gen,csc_qa",
        "--gen_kwargs",
        "max_gen_toks=6",
        "--batch_size",
        "4",
        "--log_samples",
        "--device",
        "cpu",
    ]
    settings = {"csc_corpus": str(corpus), "csc_qa_corpus": str(corpus)}
    launch = [
        "-m",
        "accelerate.commands.launch",
        "--cpu",
        "--num_processes",
        "2",
        "--num_machines",
        "1",
        "--main_process_port",
        "0",
    ]
    environment = os.environ | {"CSC_TASKS_AUTOLOAD": "0"}
    environment |= only_our_tasks_in_processes(tmp_path / "start")
    found = {}
    for name, prefix, play in (("one", [], "plain"), ("two", launch, "auto")):
        metadata = json.dumps(settings | {"csc_play": play})
        subprocess.run(
            [
                sys.executable,
                *prefix,
                *command,
                "--metadata",
                metadata,
                "--output_path",
                str(tmp_path / name),
            ],
            check=True,
            env=environment,
            capture_output=True,
            timeout=300,
            cwd=tmp_path,
        )
        found[name] = json.loads(
            next((tmp_path / name).rglob("results_*.json")).read_text(encoding="utf-8")
        )
    for task in ("csc_conv_ref", "csc_conv_gen", "csc_qa"):
        one, two = found["one"]["results"][task], found["two"]["results"][task]
        assert set(one) == set(two)
        for metric, value in one.items():
            assert two[metric] == pytest.approx(value), (task, metric)
        assert how(found["one"], task) == {"mode": "plain", "reason": "csc_play=plain"}
        assert how(found["two"], task) == {"mode": "lockstep"}
    assert found["two"]["results"]["csc_conv_gen"]["turns,none"] == 22


@pytest.mark.parametrize("concurrent", [1, 4])
@pytest.mark.parametrize("backend", ["local-chat-completions", "openai-chat-completions"])
def test_chat_apis_play_generated_context(corpus, backend, concurrent, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "not-a-key")

    def answer(body):
        k = sum(message["role"] == "assistant" for message in body["messages"])
        if "客服" in body["messages"][0]["content"]:
            return (
                (None, "stop")
                if k == 1
                else (f"[情感管理] 第{k}句", "length" if k == 2 else "stop")
            )
        return f"[Emotional Management] own {k}", "length" if k == 2 else "stop"

    with chat_server(answer) as server:
        results = run(
            backend,
            f"model=stub,base_url={server.url},num_concurrent={concurrent}",
            corpus,
            ["csc_conv_gen", "csc_qa"],
            {"csc_prompt": "chat"},
            apply_chat_template=True,
        )
    generated = results["samples"]["csc_conv_gen"]
    assert len(server.asked) == 22 + 6
    for body in server.asked:
        assert body["messages"][0]["role"] == "system"
        roles = [message["role"] for message in body["messages"][1:]]
        assert roles[0] == roles[-1] == "user" and all(a != b for a, b in itertools.pairwise(roles))
    for sample in generated:
        for k, (arguments, record) in enumerate(
            zip(sample["arguments"], sample["turns"], strict=True)
        ):
            messages = json.loads(
                arguments[0][0] if isinstance(arguments[0], (list, tuple)) else arguments[0]
            )
            own = [message["content"] for message in messages if message["role"] == "assistant"]
            gold = [turn["text"] for turn in sample["doc"]["dialogue"] if turn["strategy"]]
            assert not any(text in content for text in gold for content in own)
            if sample["doc"]["language"] == "zh" and k > 1:
                assert any(zh.NO_REPLY in content for content in own)
            if record["reply"] and own:
                assert record["truncated"] == (record["reply"] in ("own 2", "第2句"))
    assert how(results, "csc_conv_gen") == {"mode": "concurrent", "connections": concurrent}
    # A null answer is an empty, unparsed reply, not the text of a placeholder.
    empty = [turn for turn in turns(results, "csc_conv_gen") if turn["empty"]]
    assert empty and all(turn["strategy"] is None and turn["reply"] == "" for turn in empty)


def test_an_interrupted_api_run_asks_for_nothing_twice(corpus, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "not-a-key")
    limit = 9

    def answer(body):
        if len(server.asked) > limit:
            raise ConnectionError("the server has gone")
        return "[Greeting] hi", "stop"

    arguments = {"apply_chat_template": True, "use_cache": str(tmp_path / "cache")}
    with chat_server(answer) as server:
        server.handle_error = lambda *_: None
        backend = f"model=stub,base_url={server.url},num_concurrent=1,max_retries=1"
        with pytest.raises(Exception):  # noqa: B017 - whatever the HTTP library raises
            run("local-chat-completions", backend, corpus, ["csc_conv_gen"], **arguments)
        first = [json.dumps(body["messages"]) for body in server.asked[:limit]]
        limit = 10**6
        server.asked.clear()
        results = run("local-chat-completions", backend, corpus, ["csc_conv_gen"], **arguments)
        second = [json.dumps(body["messages"]) for body in server.asked]
    assert not set(first) & set(second)
    assert len(first) + len(second) == results["results"]["csc_conv_gen"]["turns,none"] == 22
