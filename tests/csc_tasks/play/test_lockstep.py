"""Lockstep play against the plain way: the same tokens on every turn, whatever model, template,
batch and history.
"""

import re

import pytest
from lm_eval.models.huggingface import HFLM
from lm_eval.models.utils_hf import stop_sequences_criteria

from csc_tasks import observe
from csc_tasks.play import eligible, likelihoods, lockstep, rows
from csc_tasks.play.renderer import Renderer
from csc_tasks.play.requests import PlayInstance
from csc_tasks.play.stop import Reply, Stop
from csc_tasks.prompts import TurnPrompt, instructions
from csc_tasks.tokens import shared_prefix
from tests.support.fakes import sample_conversations, sample_questions, write_corpus
from tests.support.models import STRICT
from tests.support.play_models import COUNTING, REWRITING, random_model
from tests.support.playing import backend, run, same

CONVERSATIONS = ["csc_conv_ref", "csc_conv_gen"]
TRIAL = 5
"""Forward passes in the trial of a model: two rows, one of them continued, two steps."""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Two conversations of three and four scored turns in two languages, and a question in each."""
    english, chinese = sample_conversations(("en",)), sample_conversations(("zh",))
    return write_corpus(
        tmp_path_factory.mktemp("corpus"),
        [english[2], chinese[1]],
        [q for q in sample_questions() if q.stage == "mid"],
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return backend(random_model(tmp_path_factory.mktemp("model")))


@pytest.mark.parametrize("templated", [False, True])
@pytest.mark.parametrize("style", ["single", "chat"])
def test_every_batch_size_gives_the_replies_of_the_plain_way(model, corpus, style, templated):
    # The ablations differ in their prompts only.
    tasks = [
        *CONVERSATIONS,
        "csc_qa",
        *(
            ["cscx_conv_ref_vanilla", "cscx_conv_ref_oracle"]
            if (style, templated) == ("chat", True)
            else []
        ),
    ]
    found = same(
        model,
        corpus,
        tasks,
        (1, 2, 5) if templated else (3,),
        metadata={"csc_prompt": style},
        apply_chat_template=templated,
    )
    records = [record for task in CONVERSATIONS for _, record in found[task]]
    # Else this would compare little: replies that end by themselves and replies that are cut, all
    # different.
    assert {record["truncated"] for record in records} == {True, False}
    assert len({record["reply"] for record in records}) > len(records) / 2


@pytest.mark.parametrize("kind", ["Qwen3", "Llama", "GPT2", "Mixtral"])
def test_other_architectures(tmp_path, corpus, kind):
    same(backend(random_model(tmp_path, kind)), corpus, CONVERSATIONS[1:], (3,))


def test_adapters_play_and_those_with_virtual_tokens_do_not(tmp_path, corpus):
    from peft import LoraConfig, PrefixTuningConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    folder = random_model(tmp_path / "base")
    lora = {
        "target_modules": ["q_proj", "v_proj"],
        "init_lora_weights": False,
        "task_type": "CAUSAL_LM",
    }
    for name, config in (
        ("lora", LoraConfig(**lora)),
        ("invoked", LoraConfig(**lora, alora_invocation_tokens=[71, 84, 28])),
        ("prefix", PrefixTuningConfig(num_virtual_tokens=4, task_type="CAUSAL_LM")),
    ):
        get_peft_model(AutoModelForCausalLM.from_pretrained(folder), config).save_pretrained(
            tmp_path / name
        )
    same(backend(folder, peft=str(tmp_path / "lora")), corpus, CONVERSATIONS[1:], (2,))
    for name, why in (("prefix", "virtual tokens"), ("invoked", "invocation tokens")):
        assert why in eligible.why_plain(backend(folder, peft=str(tmp_path / name)), [], False)


def test_eager_attention(tmp_path, corpus):
    same(
        backend(random_model(tmp_path), attn_implementation="eager"),
        corpus,
        CONVERSATIONS[1:],
        (2,),
    )


@pytest.mark.parametrize("template", [REWRITING, COUNTING, STRICT])
def test_templates_that_write_earlier_turns_anew(tmp_path, corpus, template):
    lm = backend(random_model(tmp_path, template=template))
    found = same(
        lm, corpus, CONVERSATIONS, (3,), metadata={"csc_prompt": "chat"}, apply_chat_template=True
    )
    prompts = [arguments[0] for arguments, _ in found["csc_conv_ref"]]
    assert template == STRICT or any("(last said)" in prompt for prompt in prompts)


def test_overlong_histories_lose_the_same_turns(tmp_path, corpus, monkeypatch):
    reserved = []
    rows = lockstep.Rows
    monkeypatch.setattr(
        lockstep, "Rows", lambda *of, slots, **more: reserved.append(slots) or rows(*of, **more)
    )
    positions = len(instructions("en", "predict").encode()) + 250
    lm = backend(random_model(tmp_path, positions=positions))
    found = same(lm, corpus, CONVERSATIONS, (3,), metadata={"csc_language": "en"})
    assert {record["history_truncated"] for _, record in found["csc_conv_ref"]} == {True, False}
    # No more slots are taken at once than the model's length.
    assert set(reserved) == {positions}


def test_stop_strings_thoughts_and_penalties(tmp_path, model, corpus):
    one = CONVERSATIONS[1:]
    found = same(
        model, corpus, one, (3,), gen_kwargs={"max_gen_toks": 24, "until": ["a", "\u00e9", "zz"]}
    )
    assert not any("a" in record["reply"] for _, record in found["csc_conv_gen"])
    folder = random_model(tmp_path)
    same(backend(folder, think_end_token="b"), corpus, one, (3,))
    same(backend(folder, think_end_token=40), corpus, one, (3,))
    same(model, corpus, one, (3,), gen_kwargs={"max_gen_toks": 10, "repetition_penalty": 1.8})


def test_half_precision_plays_too(tmp_path, corpus):
    lm = backend(random_model(tmp_path), dtype="bfloat16")
    expected, _ = run(lm, corpus, CONVERSATIONS[:1], "plain")
    found, passes = run(lm, corpus, CONVERSATIONS[:1], "auto", 3)
    assert passes > 0
    # Rounding differs with the shape of a pass; most replies are the same all the same.
    agreeing = [
        one == other
        for one, other in zip(found["csc_conv_ref"], expected["csc_conv_ref"], strict=True)
    ]
    assert sum(agreeing) >= len(agreeing) / 2


@pytest.mark.parametrize(("batch_size", "templated"), [(1, True), (3, False)])
def test_strategy_choice_gives_the_same_likelihoods(model, corpus, batch_size, templated):
    task = "cscx_strategy_choice"
    expected, _ = run(model, corpus, [task], "plain", 4, apply_chat_template=templated)
    found, passes = run(model, corpus, [task], "auto", batch_size, apply_chat_template=templated)
    assert passes > 0
    for (asked, one), (asked_too, other) in zip(found[task], expected[task], strict=True):
        assert (
            asked == asked_too
            and one["strategy"] == other["strategy"]
            and one["strategy_norm"] == other["strategy_norm"]
        )
        assert one["loglikelihoods"] == pytest.approx(other["loglikelihoods"], abs=1e-3)


def test_options_are_split_where_lm_eval_splits_them(model):
    renderer = Renderer(model, None)
    for prompt in (
        "Hello\nCustomer: hi\nSupporter:",
        "one line",
        "ends with space  \n",
        "a\n\nb\n",
    ):
        names = [" [Greeting]", "[Others]", " [\u5176\u5b83]"]
        context, options = likelihoods.option_tokens(renderer, prompt, names)
        assert [(context, option) for option in options] == [
            model._encode_pair(prompt, name) for name in names
        ]


class Joining:
    """A tokenizer whose tokens are a prompt's words, but for `[A]` after a line break, which takes
    that break and the word before it with it.
    """

    def tok_encode(self, text, add_special_tokens=True):
        return [hash(part) for part in re.findall(r"say\n\[A\]|\w+|\s|[^\w\s]", text)]

    tokens = tok_encode

    @property
    def lm(self):
        return self


def test_a_token_that_reaches_from_the_prompt_into_a_name_counts_to_every_name():
    """lm_eval would compare `]` with `B]` here, or nothing with something."""
    prompt, options = likelihoods.option_tokens(Joining(), "You\nsay\n", ["[A]", "[B]"])
    encoded = Joining().tok_encode
    assert prompt == encoded("You\n")
    assert options == [encoded("say\n[A]"), encoded("say\n[B]")]
    assert [len(one) for one in options] == [1, 5]
    # Without such a token it is cut where lm_eval cuts.
    prompt, options = likelihoods.option_tokens(Joining(), "You\nsay\n", ["[C]", "[B]"])
    assert (prompt, options) == (encoded("You\nsay"), [encoded("\n[C]"), encoded("\n[B]")])


def test_the_plain_way_refuses_a_name_that_is_joined_to_the_prompt(monkeypatch):
    """Whichever of the twelve it is."""
    from types import SimpleNamespace

    from csc_tasks.errors import ModelError
    from csc_tasks.framework import STRATEGIES
    from csc_tasks.play import plain

    names = [f"[{number}]" for number in range(len(STRATEGIES) - 1)]
    asked = SimpleNamespace(doc={}, arguments=("You\nsay\n", {}), metadata=("task", 0, 1))
    encode = Joining().tok_encode
    lm = SimpleNamespace(
        tok_encode=encode,
        _encode_pair=lambda prompt, name: (
            encode(prompt.rstrip()),
            encode(prompt + name)[len(encode(prompt.rstrip())) :],
        ),
        loglikelihood=lambda instances: [(0.0, False)] * len(instances),
    )
    chosen = []
    chain = SimpleNamespace(choose=chosen.append)
    monkeypatch.setattr(plain, "options", lambda request: [*names, "[B]"])
    plain._choose(lm, [(chain, asked)])
    assert chosen == [[0.0] * len(STRATEGIES)]
    monkeypatch.setattr(plain, "options", lambda request: [*names, "[A]"])
    with pytest.raises(ModelError, match="reach from the prompt into the names"):
        plain._choose(lm, [(chain, asked)])


def test_what_prompts_have_in_common_is_computed_once(model, corpus, monkeypatch):
    made = []
    create = rows.Rows.__init__
    monkeypatch.setattr(
        rows.Rows,
        "__init__",
        lambda self, *args, **spare: made.append(self) or create(self, *args, **spare),
    )
    found, _ = run(model, corpus, ["csc_conv_ref"], "auto", 3)
    # The last one made plays; the first is the trial's.
    played = made[-1]
    encoded = [model.tok_encode(arguments[0]) for arguments, _ in found["csc_conv_ref"]]
    different, seen = 0, []
    for prompt in encoded:
        different += len(prompt) - max([0, *(shared_prefix(prompt, other) for other in seen)])
        seen.append(prompt)
    # A prefix of another row is not worth copying for a few tokens.
    assert different <= played.encoded <= different + rows.SHORTEST_COPY * len(encoded)
    assert played.asked == sum(map(len, encoded))


def test_a_cached_run_asks_for_nothing_twice(model, corpus, tmp_path):
    options = {"use_cache": str(tmp_path / "cache")}
    tasks = [*CONVERSATIONS, "cscx_strategy_choice"]
    first, passes = run(model, corpus, tasks, "auto", 3, **options)
    again, more = run(model, corpus, tasks, "auto", 3, **options)
    assert again == first and passes > 0
    # Not even the trial of the model is repeated.
    assert more == 0
    plain, _ = run(model, corpus, tasks, "plain", 1, **options)
    assert plain == first, "the keys are lm_eval's own"


def test_an_interrupted_run_continues(model, corpus, tmp_path, monkeypatch):
    class Stopped(Exception):
        pass

    expected, _ = run(model, corpus, ["csc_conv_gen"], "auto", 2)
    options = {"use_cache": str(tmp_path / "cache")}
    text = Stop.text
    left = iter(range(3))

    def stopping(self, reply):
        if next(left, None) is None:
            raise Stopped
        return text(self, reply)

    monkeypatch.setattr(Stop, "text", stopping)
    with pytest.raises(Stopped):
        run(model, corpus, ["csc_conv_gen"], "auto", 2, **options)
    asked = []
    monkeypatch.setattr(Stop, "text", lambda self, reply: asked.append(reply) or text(self, reply))
    found, _ = run(model, corpus, ["csc_conv_gen"], "auto", 2, **options)
    assert found == expected and len(asked) == len(expected["csc_conv_gen"]) - 3


def test_few_conversations_fill_the_batch_with_runs_of_their_turns():
    conversation = sample_conversations(("en",))[0]

    def turns(count, generated):
        return [
            PlayInstance(
                "csc_generate",
                {},
                ("", {}),
                turn,
                prompt=TurnPrompt(conversation, turn),
                generated=generated,
            )
            for turn in range(count)
        ]

    both = [turns(5, False), turns(3, False), turns(4, True)]
    spread = lockstep._spread(both, 9)
    # In generated context a turn needs the one before it.
    assert [len(run) for run in spread] == [2, 2, 1, 1, 1, 1, 4]
    assert [turn for run in spread for turn in run] == [
        turn for conversation in both for turn in conversation
    ]
    assert lockstep._spread(both, 3) == lockstep._spread(both, 2) == both


REFUSED = {
    "a sliding window": ("Mistral", {"sliding_window": 64}, "window"),
    "some layers with a window": ("Gemma3Text", {}, "window"),
    "layers with a window that no cache knows of": (
        "GPTNeo",
        {
            "num_layers": 2,
            "num_heads": 4,
            "attention_types": [[["global", "local"], 1]],
            "window_size": 256,
        },
        "a window or",
    ),
    "a recurrent state": ("Mamba", {"state_size": 8}, "recurrent state"),
    "positions that depend on the length": (
        "Llama",
        {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}},
        "dynamic RoPE",
    ),
    "no positions of its own": ("Bloom", {"n_layer": 2, "n_head": 4}, "no position_ids"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_models_that_need_whole_prompts_play_plainly_and_say_why(tmp_path, corpus, caplog, name):
    kind, settings, why = REFUSED[name]
    lm = backend(random_model(tmp_path, kind, **settings))
    caplog.set_level("INFO", logger="lm_eval")
    caplog.clear()
    _, passes = run(lm, corpus, ["csc_conv_ref"], "auto", 4, metadata={"csc_subset": 1})
    said = [
        (record.levelname, record.getMessage())
        for record in caplog.records
        if "lockstep play is off" in record.getMessage()
    ]
    assert passes == 0 and len(said) == 2
    assert all(level == "WARNING" and why in text for level, text in said)


def test_other_reasons_for_the_plain_way(model, tmp_path, monkeypatch):
    def why(**changes):
        with monkeypatch.context() as patch:
            for name, value in changes.items():
                patch.setattr(model, name, value)
            return eligible.why_plain(model, [], False)

    assert why() is None
    assert "encoder-decoder" in why(backend="seq2seq")
    assert "truncation=True" in why(truncation=True)
    with monkeypatch.context() as patch:
        patch.setattr(model, "enable_thinking", True, raising=False)
        assert (
            "thinks first" in eligible.why_plain(model, [], True)
            and eligible.why_plain(model, [], False) is None
        )
    with monkeypatch.context() as patch:
        for setting, value in {
            "num_beams": 1,
            "no_repeat_ngram_size": 0,
            "min_length": 0,
            "length_penalty": 1.0,
            "top_k": 20,
        }.items():
            patch.setattr(model.model.generation_config, setting, value)
        assert why() is None
    with monkeypatch.context() as patch:
        patch.setattr(model.model, "generate", lambda *_, **__: None)
        assert "a `generate` of its own" in why()
    prompt = TurnPrompt(sample_conversations(("en",))[0], 0)
    nothing = PlayInstance("csc_generate", {}, ("", {"max_gen_toks": 0}), 0, prompt=prompt)
    assert "max_gen_toks=0" in eligible.why_plain(model, [nothing], False)
    for setting, value in {
        "no_repeat_ngram_size": 3,
        "cache_implementation": "quantized",
        "num_beams": 2,
        "max_new_tokens": 99,
    }.items():
        with monkeypatch.context() as patch:
            patch.setattr(model.model.generation_config, setting, value)
            assert str(value) in eligible.why_plain(model, [], False)
    with monkeypatch.context() as patch:
        patch.setattr(model.model.config, "_attn_implementation", "flex_attention")
        assert "flex_attention" in eligible.why_plain(model, [], False)

    class Steered(HFLM):
        def _model_call(self, *args, **kwargs):
            return super()._model_call(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(model, "__class__", Steered)
        assert "`_model_call` of its own" in eligible.why_plain(model, [], False)


def test_a_cache_that_does_not_work_is_found_out(model, monkeypatch):
    monkeypatch.setattr(eligible, "_TRIALS", {})
    shared = shared_prefix
    monkeypatch.setattr(
        rows, "shared_prefix", lambda one, other: min(len(other), shared(one, other) + 2)
    )
    assert "its logits differed" in eligible.why_plain(model, [], False)
    assert "its logits differed" in eligible.why_plain(model, [], False, 10), "it is remembered"
    eligible._TRIALS.clear()
    monkeypatch.setattr(rows.Rows, "step", lambda *_: 1 / 0)
    assert "a trial failed (ZeroDivisionError" in eligible.why_plain(model, [], False)


def test_what_shows_in_long_prompts_only_is_found_out(tmp_path, corpus, monkeypatch):
    lm = backend(
        random_model(
            tmp_path, "GPTNeo", **REFUSED["layers with a window that no cache knows of"][1]
        )
    )
    # As a model whose config says nothing of its windows.
    monkeypatch.setattr(lm.model.config, "attention_layers", ["global", "global"])
    assert eligible.why_plain(lm, [], False) is None
    _, passes = run(lm, corpus, ["csc_conv_ref"], "auto", 3, metadata={"csc_subset": 1})
    assert passes == TRIAL


@pytest.mark.parametrize(
    "reply", ["so it ends here, at length", "x<|im_start|>", list("<|im_start|>"), "no end"]
)
def test_stop_strings_end_replies_where_lm_eval_ends_them(model, reply, monkeypatch):
    import torch

    stop = Stop(model)
    # Here only strings end a reply.
    stop.ends = set()
    stops = ["<|im_start|>", " ends here, at length", stop.eos]
    tokens = (
        [token for part in reply for token in model.tok_encode(part)]
        if isinstance(reply, list)
        else model.tok_encode(reply)
    )
    growing = Reply((), len(tokens), stops, 1.0, 1)
    for token in tokens:
        growing.tokens.append(token)
        theirs = stop_sequences_criteria(model.tokenizer, stops, 0, 1)(
            torch.tensor([growing.tokens]), None
        )
        assert stop.reached(growing) == bool(theirs.any())
    whole = {"context": torch.zeros(1, 0), "max_length": len(tokens), "stop": stops}
    with monkeypatch.context() as patch:
        patch.setattr(model.model.generation_config, "eos_token_id", 2)
        cut = observe._cut_rows(model, torch.tensor([tokens]), whole)
    assert cut == [not stop.reached(growing) and not stop.inside(growing)]


def test_a_transformers_that_caches_otherwise_plays_plainly(model, corpus, monkeypatch):
    """What the library lacks is a reason like any other, never an error in the middle of a run."""
    import transformers

    monkeypatch.delattr("transformers.cache_utils.DynamicLayer")
    _, passes = run(model, corpus, ["csc_conv_ref"], "auto", metadata={"csc_subset": 1})
    assert passes == 0
    why = eligible.why_plain(model, [], False)
    assert (
        why.startswith(f"transformers {transformers.__version__} does not fit it: ")
        and "DynamicLayer" in why
    )


def test_sampling_plays_plainly(model, corpus):
    for kwargs in (
        {"max_gen_toks": 4, "do_sample": True, "temperature": 0.7},
        {"max_gen_toks": 4, "num_beams": 2},
    ):
        _, passes = run(
            model,
            corpus,
            ["csc_conv_ref"],
            "auto",
            4,
            metadata={"csc_subset": 1},
            gen_kwargs=kwargs,
        )
        assert passes == 0


def test_progress_shows_turns_tokens_a_second_and_the_time_left(model, corpus, capsys):
    run(model, corpus, ["csc_conv_ref"], "auto", 3)
    shown = capsys.readouterr().err
    assert re.search(
        r"csc: replies: 100%.* 7/7 \[\d\d:\d\d<\d\d:\d\d, .*turn/s, [\d,]+ tokens/s\]", shown
    )
