"""Models that think aloud, played: the same in lockstep, plainly and by several connections;
thoughts are no replies and never re-enter.
"""

import hashlib
import itertools
import json
import logging

import pytest
from lm_eval import simple_evaluate
from lm_eval.api.model import LM
from lm_eval.models.huggingface import HFLM
from lm_eval.models.utils import postprocess_generated_text
from lm_eval.tasks import TaskManager

from csc_tasks import TASKS_DIR
from csc_tasks.play import rows
from csc_tasks.prompts import TurnPrompt
from tests.support.fakes import sample_conversations, sample_questions, write_corpus
from tests.support.playing import untimed
from tests.support.servers import chat_server
from tests.support.thinking_templates import make_tokenizer

GENERATED = "csc_conv_gen"
MARKS = ("<think>", "</think>", "[THINK]", "[/THINK]", "<|channel>", "<channel|>")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Two conversations and two questions."""
    english, chinese = sample_conversations(("en",)), sample_conversations(("zh",))
    questions = [question for question in sample_questions() if question.stage == "mid"]
    return write_corpus(tmp_path_factory.mktemp("corpus"), [english[2], chinese[1]], questions)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """(name of a template, how often its marks are written) -> folder of a random model."""
    made = {}

    def make(name, often=3.0):
        if (name, often) not in made:
            made[name, often] = random_model(
                tmp_path_factory.mktemp("model"), make_tokenizer(name), often
            )
        return made[name, often]

    return make


def random_model(folder, tokenizer, often):
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(3)
    sizes = {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    }
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        max_position_embeddings=8192,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        tie_word_embeddings=False,
        initializer_range=0.4,
        **sizes,
    )
    model = Qwen2ForCausalLM(config)
    marks = tokenizer.convert_tokens_to_ids(
        [mark for mark in MARKS if mark in tokenizer.get_vocab()]
    )
    with torch.no_grad():
        for token in marks:
            model.lm_head.weight[token] *= often
    model.generation_config.eos_token_id = [tokenizer.eos_token_id, *range(60, 76)]
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def run(lm, corpus, tasks, metadata=None, model_args=None, **options):
    settings = {"csc_corpus": str(corpus), "csc_qa_corpus": str(corpus), "csc_prompt": "chat"} | (
        metadata or {}
    )
    manager = TaskManager(include_path=str(TASKS_DIR), include_defaults=False, metadata=settings)
    options = {
        "bootstrap_iters": 0,
        "apply_chat_template": True,
        "gen_kwargs": "max_gen_toks=12",
        **options,
    }
    return simple_evaluate(lm, model_args=model_args, tasks=tasks, task_manager=manager, **options)


def hf(folder, batch_size=1, **options):
    return HFLM(
        pretrained=str(folder), dtype="float32", device="cpu", batch_size=batch_size, **options
    )


def records(results, task):
    return [
        untimed(record)
        for sample in results["samples"][task]
        for record in sample["answers" if "qa" in task else "turns"]
    ]


def arguments(results, task):
    return [pair for sample in results["samples"][task] for pair in sample["arguments"]]


def lines_about_thinking(caplog):
    return [
        record.getMessage()
        for record in caplog.records
        if "think" in record.getMessage() and record.name == "lm_eval.csc_tasks"
    ]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("always opened", {}),
        ("always opened", {"think_end_token": "</think>"}),
        ("mistral", {}),
        ("gemma", {"think_end_token": "x"}),
    ],
)
def test_lockstep_and_the_plain_way_read_the_same(models, corpus, name, options, monkeypatch):
    passes = []
    forward = rows.Rows._forward
    monkeypatch.setattr(rows.Rows, "_forward", lambda *given: passes.append(1) or forward(*given))
    tasks = [GENERATED, "csc_qa"]
    plain = run(
        hf(models(name), **options), corpus, tasks, {"csc_play": "plain", "csc_think_tokens": 20}
    )
    assert passes == []
    lockstep = run(hf(models(name), 3, **options), corpus, tasks, {"csc_think_tokens": 20})
    assert passes
    for task in tasks:
        assert records(lockstep, task) == records(plain, task)
        assert arguments(lockstep, task) == arguments(plain, task)
    found = records(plain, GENERATED) + records(plain, "csc_qa")
    if not options:
        # Else nothing would be shown: replies after a thought, and thoughts without a reply.
        assert {record["thinking_cut"] for record in found} == {True, False}
        raw = [
            text
            for task in tasks
            for sample in plain["samples"][task]
            for texts in sample["resps"]
            for text in texts
        ]
        assert any(mark in text for text in raw for mark in MARKS)
    opened = 1 if name == "always opened" else 0
    for record in found:
        assert not any(mark in record["reply"] for mark in MARKS)
        assert not record["thinking_cut"] or record["empty"]
    for prompt, _ in arguments(plain, GENERATED):
        assert sum(prompt.count(mark) for mark in MARKS) == opened + (
            2 if "Think between [THINK]" in prompt else 0
        )


def test_a_thought_that_the_prompt_opens_and_nothing_closes_is_no_reply(models, corpus):
    """Every reply of this model is cut before it could close the thought: none is scored as if it
    were one.
    """
    settings = {"csc_think_tokens": 0, "csc_language": "en"}
    results = run(
        hf(models("always opened", 0.0)),
        corpus,
        [GENERATED, "csc_qa"],
        settings,
        gen_kwargs="max_gen_toks=5",
    )
    for task in (GENERATED, "csc_qa"):
        found = records(results, task)
        assert {(record["reply"], record["empty"], record["thinking_cut"]) for record in found} == {
            ("", True, True)
        }
        assert (
            results["results"][task]["thinking_cut,none"]
            == results["results"][task]["empty,none"]
            == 1.0
        )
        # They did write something, and it stands in the log.
        assert all(
            text
            for sample in results["samples"][task]
            for texts in sample["resps"]
            for text in texts
        )
    histories = [prompt for prompt, _ in arguments(results, GENERATED)]
    assert sum(prompt.count("(no reply)") for prompt in histories) == sum(range(len(histories)))


def test_an_end_mark_given_as_a_number_counts_as_that_token_only(models, corpus):
    """lm_eval's think_end_token may be a token id; a letter that is written by other tokens is
    none.
    """
    (token,) = make_tokenizer("plain")("e", add_special_tokens=False)["input_ids"]
    tasks = [GENERATED]
    plain = run(hf(models("plain"), think_end_token=token), corpus, tasks, {"csc_play": "plain"})
    lockstep = run(hf(models("plain"), 3, think_end_token=token), corpus, tasks)
    assert records(lockstep, GENERATED) == records(plain, GENERATED)


class Recorded:
    """The budget and the line of a run."""

    def __init__(self, results, caplog, task=GENERATED):
        self.limits = {kwargs["max_gen_toks"] for _, kwargs in arguments(results, task)}
        self.ends = {prompt.rpartition("assistant")[2] for prompt, _ in arguments(results, task)}
        self.stated = results["configs"][task]["metadata"]["csc"]["thinking"]
        self.lines = lines_about_thinking(caplog)
        caplog.clear()


def test_thinking_is_switched_off_or_gets_tokens_of_its_own_and_one_line_says_which(
    models, corpus, caplog
):
    caplog.set_level(logging.INFO)
    monkey = {"csc_language": "en"}

    def recorded(name, metadata=None, **options):
        return Recorded(
            run(hf(models(name), **options), corpus, [GENERATED], monkey | (metadata or {})), caplog
        )

    off = recorded("opened by default")
    assert (off.limits, off.ends) == ({12}, {"\n<think>\n\n</think>\n\n"})
    assert off.stated == {
        "family": "think",
        "thinks": False,
        "switched_off": {"enable_thinking": False},
        "tokens": 0,
    }
    assert off.lines == [
        "csc: this model can think aloud: switched off in its chat template"
        " (enable_thinking=False); csc_think_tokens=N lets it think for N tokens"
    ]
    on = recorded("opened by default", {"csc_think_tokens": 7})
    assert (on.limits, on.ends, on.stated["tokens"]) == ({19}, {"\n<think>\n"}, 7)
    assert on.lines == [
        "csc: this model's template opens a thinking block (<think>): each reply may have 7 tokens"
        " more for it (csc_think_tokens)"
    ]
    asked = recorded(
        "opened by default",
        {"csc_think_tokens": 5},
        enable_thinking=True,
        think_end_token="</think>",
    )
    assert (asked.limits, asked.ends, asked.stated["switched_off"]) == ({17}, {"\n<think>\n"}, {})
    said = recorded("opened by default", enable_thinking=False)
    assert (said.limits, said.ends, said.stated["thinks"], said.lines) == (
        {12},
        {"\n<think>\n\n</think>\n\n"},
        False,
        [],
    )
    none = recorded("plain")
    assert (none.limits, none.stated["tokens"], none.lines) == ({12}, 0, [])
    useless = recorded("plain", {"csc_think_tokens": 5})
    assert useless.limits == {12} and "changes nothing" in useless.lines[0]
    never = recorded("always opened", {"csc_think_tokens": 0})
    assert (never.limits, never.ends) == (
        {12},
        {"\n<think>\n"},
    ) and "gets no tokens for it" in never.lines[0]


def test_without_a_setting_a_model_that_cannot_help_it_gets_the_default(models, corpus):
    from csc_tasks.play import PlayInstance
    from csc_tasks.play.thoughts import THINK_TOKENS, budgeted, plan

    lm = hf(models("always opened"))
    requests = [
        PlayInstance(
            "csc_generate",
            {},
            ("", {"max_new_tokens": 12, "until": ["x"]}),
            0,
            prompt=TurnPrompt(sample_conversations(("en",))[0], 0),
            templated=True,
        )
    ] * 2
    how = plan(lm, requests)
    assert (how.tokens, THINK_TOKENS, lm.max_length) == (2048, 2048, 8192)
    budgeted(lm, requests, how)
    assert requests[0].arguments[1] == {"max_gen_toks": 2060, "until": ["x"]}
    lm._max_length = 1000
    assert plan(lm, requests).tokens == 250


def test_prompts_leave_room_for_the_thinking(models, corpus):
    """The prompt of a model with little room loses turns for the thinking's tokens too."""
    lm = hf(models("always opened"), max_length=3200)
    without = run(
        lm,
        corpus,
        ["csc_conv_ref"],
        {"csc_think_tokens": 0, "csc_language": "en"},
        gen_kwargs="max_gen_toks=4",
    )
    longest = max(len(lm.tok_encode(prompt)) for prompt, _ in arguments(without, "csc_conv_ref"))
    assert not any(record["history_truncated"] for record in records(without, "csc_conv_ref"))
    tokens = lm.max_length - 4 - longest + 1
    results = run(
        lm,
        corpus,
        ["csc_conv_ref"],
        {"csc_think_tokens": tokens, "csc_language": "en"},
        gen_kwargs="max_gen_toks=4,until=e",
    )
    assert any(record["history_truncated"] for record in records(results, "csc_conv_ref"))
    assert all(
        len(lm.tok_encode(prompt)) + 4 + tokens <= 3200
        for prompt, _ in arguments(results, "csc_conv_ref")
    )


@pytest.mark.parametrize("name", ["always opened", "gpt-oss", "opened by default", "plain"])
def test_strategies_are_compared_where_the_reply_begins(models, corpus, name):
    """A strategy's name inside a thought says nothing about the strategy that is chosen."""
    ends = {
        "always opened": "assistant\n<think>\n\n</think>\n\n",
        "gpt-oss": "<|start|>assistant<|channel|>final<|message|>",
        "opened by default": "assistant\n<think>\n\n</think>\n\n",
        "plain": "assistant\n",
    }
    task = "cscx_strategy_choice"
    both = [
        run(hf(models(name)), corpus, [task], {"csc_play": play, "csc_language": "en"})
        for play in ("auto", "plain")
    ]
    for results in both:
        assert all(prompt.endswith(ends[name]) for prompt, _ in arguments(results, task))
    for one, other in zip(*(records(results, task) for results in both), strict=True):
        assert list(one["loglikelihoods"].values()) == pytest.approx(
            list(other["loglikelihoods"].values()), abs=1e-4
        )


SECRET = "I should greet first"
# (content or message, finish_reason) -> what is read: the reply, or None where the thinking was cut
SENT = [
    (({"content": "[Greeting] hi", "reasoning_content": SECRET}, "stop"), "hi"),
    (({"content": "[Greeting] hi", "reasoning": SECRET}, "stop"), "hi"),
    (({"content": None, "reasoning_content": SECRET}, "length"), None),
    (({"content": "", "reasoning": SECRET}, "length"), None),
    ((None, "length"), None),
    ((f"<think>{SECRET}</think>[Greeting] hi", "stop"), "hi"),
    ((f"{SECRET}</think>[Greeting] hi", "stop"), "hi"),
    ((f"<think>{SECRET}", "length"), None),
    ((f"[THINK]{SECRET}[/THINK][Greeting] hi", "stop"), "hi"),
    (
        (
            (
                f"<|channel|>analysis<|message|>{SECRET}<|end|><|start|>assistant<|channel"
                f"|>final<|message|>[Greeting] hi"
            ),
            "stop",
        ),
        "hi",
    ),
    (({"content": None, "reasoning_content": SECRET}, "stop"), ""),
    ((None, "stop"), ""),
    (
        (
            [
                {"type": "thinking", "thinking": [{"type": "text", "text": SECRET}]},
                {"type": "text", "text": "[Greeting] hi"},
            ],
            "stop",
        ),
        "hi",
    ),
]


def which(messages):
    """Which of SENT answers these messages: any, but always the same."""
    return hashlib.sha256(json.dumps(messages).encode()).digest()[0] % len(SENT)


@pytest.mark.parametrize("concurrent", [1, 4])
def test_what_a_server_sends_of_its_thinking_is_no_reply(tmp_path, concurrent):
    corpus = write_corpus(tmp_path / "corpus")
    tasks = ["csc_conv_ref", "cscx_conv_ref_vanilla", GENERATED]
    args = {"model": "stub", "num_concurrent": concurrent}
    read = []
    for _ in range(2):
        with chat_server(lambda body: SENT[which(body["messages"])][0]) as server:
            given = {
                "model_args": args | {"base_url": server.url},
                "use_cache": str(tmp_path / "cache"),
            }
            results = run("local-chat-completions", corpus, tasks, **given)
        assert not any(SECRET in str(body["messages"]) for body in server.asked)
        read.append({})
        for task in tasks:
            for (prompt, _), record in zip(
                arguments(results, task), records(results, task), strict=True
            ):
                read[-1].setdefault(which(json.loads(prompt[0])), set()).add(
                    (record["reply"], record["thinking_cut"])
                )
    expected = {number: {(text or "", text is None)} for number, (_, text) in enumerate(SENT)}
    # The second time the replies come from the cache.
    assert read == [expected, expected]
    assert len(server.asked) < 10


def test_a_server_whose_thinking_has_no_marks_is_cut_where_the_user_says_that_it_thinks(corpus):
    """Its template opens the thought and the server leaves that in the text: only the limit shows
    that there is no reply.
    """
    answers = itertools.cycle(
        [
            (SECRET, "length"),
            ("[Greeting] hi", "stop"),
            (f"{SECRET}</think>[Greeting] hi", "length"),
        ]
    )
    args = {"model": "stub", "num_concurrent": 1}
    for tokens, expected in (
        (None, {(SECRET, False), ("hi", False)}),
        (100, {("", True), ("hi", False)}),
    ):
        with chat_server(lambda body: next(answers)) as server:
            metadata = {"csc_think_tokens": tokens} if tokens else {}
            found = records(
                run(
                    "local-chat-completions",
                    corpus,
                    ["csc_conv_ref"],
                    metadata,
                    args | {"base_url": server.url},
                ),
                "csc_conv_ref",
            )
        assert {body["max_tokens"] for body in server.asked} == {12 + (tokens or 0)}
        assert {(record["reply"], record["thinking_cut"]) for record in found} == expected


def test_the_name_of_the_model_tells_gpt_oss_whose_marks_a_server_dropped(corpus):
    args = {"model": "openai/gpt-oss-20b", "num_concurrent": 1}
    answers = itertools.cycle(
        [(f"analysis{SECRET}assistantfinal[Greeting] hi", "stop"), (f"analysis{SECRET}", "length")]
    )
    with chat_server(lambda body: next(answers)) as server:
        results = run(
            "local-chat-completions",
            corpus,
            ["csc_conv_ref"],
            None,
            args | {"base_url": server.url},
        )
    assert {
        (record["reply"], record["thinking_cut"]) for record in records(results, "csc_conv_ref")
    } == {("hi", False), ("", True)}
    assert {body["max_tokens"] for body in server.asked} == {12 + 2048}


def test_an_end_mark_of_the_users_works_with_a_server(corpus):
    with chat_server(lambda body: (f"{SECRET}</reason> [Greeting] hi", "stop")) as server:
        args = {"model": "stub", "think_end_token": "</reason>", "base_url": server.url}
        results = run("local-chat-completions", corpus, [GENERATED], None, args)
    assert {record["reply"] for record in records(results, GENERATED)} == {"hi"}


class EngineLM(LM):
    """As lm_eval's vLLM backend: marks stay in the text, and a think_end_token is applied to it
    before anybody else sees it.
    """

    def __init__(self, name, answer, think_end_token=None):
        super().__init__()
        self.tokenizer = make_tokenizer(name)
        self.answer = answer
        self.think_end_token = think_end_token
        self.chat_template_args, self.enable_thinking = {}, None
        self.asked = []

    @property
    def tokenizer_name(self):
        return "engine"

    def chat_template(self, chat_template=False):
        return self.tokenizer.chat_template

    def apply_chat_template(self, messages, add_generation_prompt=True):
        return self.tokenizer.apply_chat_template(
            messages,
            tokenize=False,
            add_generation_prompt=add_generation_prompt,
            enable_thinking=self.enable_thinking,
            **self.chat_template_args,
        )

    def _model_generate(self, requests):
        class Text:
            def __init__(self, text):
                self.text, self.finish_reason = text, "stop"

        class Output:
            def __init__(self, text):
                self.outputs = [Text(text)]

        return [Output(self.answer) for _ in requests]

    def generate_until(self, requests):
        self.asked += [request.args[0] for request in requests]
        outputs = self._model_generate(requests=self.asked[-len(requests) :])
        return [
            postprocess_generated_text(output.outputs[0].text, [], self.think_end_token)
            for output in outputs
        ]

    def loglikelihood(self, requests):
        raise NotImplementedError

    loglikelihood_rolling = loglikelihood


@pytest.mark.parametrize("end", [None, "</think>"])
@pytest.mark.parametrize(
    ("answer", "text"), [(f"{SECRET}\n</think>\n\n[Greeting] hi", "hi"), (SECRET, None)]
)
def test_engines_that_strip_the_thinking_themselves(corpus, end, answer, text):
    lm = EngineLM("always opened", answer, end)
    results = run(lm, corpus, [GENERATED])
    assert {
        (record["reply"], record["thinking_cut"]) for record in records(results, GENERATED)
    } == {(text or "", text is None)}
    assert not any(SECRET in prompt for prompt in lm.asked)


def test_an_argument_that_a_backend_leaves_empty_is_set(corpus):
    """vLLM's backend always passes enable_thinking, None where the user said nothing."""
    lm = EngineLM("opened by default", "[Greeting] hi")
    run(lm, corpus, [GENERATED])
    assert all(prompt.endswith("<think>\n\n</think>\n\n") for prompt in lm.asked)
    lm = EngineLM("opened by default", f"{SECRET}</think>[Greeting] hi")
    lm.enable_thinking = True
    run(lm, corpus, [GENERATED])
    assert all(prompt.endswith("<think>\n") for prompt in lm.asked)
