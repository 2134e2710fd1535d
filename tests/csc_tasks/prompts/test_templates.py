"""Chat templates: today's date is pinned, text goes in the form that shows, and what hides text is
refused.
"""

import json
import logging
from datetime import date, datetime
from types import SimpleNamespace

import pytest
from lm_eval import simple_evaluate
from lm_eval.models.api_models import JsonChatStr, TemplateAPI
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

from csc_tasks import TASKS_DIR, adapter
from csc_tasks.compat.transformers import pinned_date, pins_dates
from csc_tasks.errors import ModelError, SettingError
from csc_tasks.play import PlayInstance, Renderer
from csc_tasks.prompts import (
    DATE,
    ChatTemplate,
    TurnPrompt,
    date_shown,
    hides_history,
    iso_date,
    needs_parts,
    of_tokenizer,
    prints_date,
    shows_system,
)
from tests.support.chat_tokenizers import template
from tests.support.fakes import sample_conversations, write_corpus
from tests.support.models import CHATML, make_model
from tests.support.servers import chat_server
from trainers.recipe import recipe_from
from trainers.rendering import Rendering
from trainers.scoring import scoring_command

TURNS = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}{% if"
    " add_generation_prompt %}<|assistant|>{% endif %}"
)
# The four ways in which published templates come by a date, each with what it prints on DATE.
DATED = {
    "by the clock": (
        "Current date: {{ strftime_now('%Y-%m-%d') }}\n" + TURNS,
        "Current date: 2024-07-26\n",
    ),
    "by a variable, else by the clock": (
        "{% if not date_string is defined %}{% set date_string = strftime_now('%d %b %Y') %}{%"
        " endif %}Today Date: {{ date_string }}\n" + TURNS,
        "Today Date: 26 Jul 2024\n",
    ),
    "by a variable, else a day of its own": (
        "{% if not date_string is defined %}{% set date_string = '26 Jul 2024' %}{% endif %}Today"
        " Date: {{ date_string }}\n" + TURNS,
        "Today Date: 26 Jul 2024\n",
    ),
    "in a default system message": (
        "{% if messages[0].role != 'system' %}It is {{ strftime_now('%A, %d %B %Y') }}.\n{%"
        " endif %}" + TURNS,
        "It is Friday, 26 July 2024.\n",
    ),
}
PARTS = {
    # As Idefics3 and SmolVLM.
    "parts alone": (
        "{% for m in messages %}{{ m.role }}: {% for part in m.content %}{% if part.type == 'text'"
        " %}{{ part.text }}{% endif %}{% endfor %}<|end|>{% endfor %}{% if add_generation_prompt"
        " %}assistant:{% endif %}"
    ),
    # As LLaVA-NeXT: plain text in the assistant's message is an error, in the user's it is left out
    # in silence.
    "an error for the assistant": (
        "{% for m in messages %}{% if m.role == 'assistant' %}{{ ' ' + m.content[0].text +"
        " '<|end|>' }}{% else %}[INST] {% for part in m.content | selectattr('type', 'equalto',"
        " 'text') %}{{ part.text }}{% endfor %} [/INST]{% endif %}{% endfor %}"
    ),
}
HIDING = {
    "leaves out what the assistant said": (
        "{% for m in messages %}{% if m.role != 'assistant' %}{{ m.content }}{% endif %}{%"
        " endfor %}"
    ),
    "leaves out what the user said earlier": (
        "{% for m in messages %}{% if loop.last or m.role == 'assistant' %}{{ m.content }}{% endif"
        " %}{% endfor %}"
    ),
    "leaves out what the user said earlier and what the assistant said": (
        "{{ messages[-1].content }}"
    ),
    "shows what was said in another order": (
        "{% for m in messages | reverse %}{{ m.content }}{% endfor %}"
    ),
    "fails on a conversation of several turns (TemplateError: one turn)": (
        "{% if messages | length > 2 %}{{ raise_exception('one turn') }}{% endif %}{{"
        " messages[-1].content }}"
    ),
}
SILENT = {
    "nothing": "{% for m in messages %}<|{{ m.role }}|>{% endfor %}",
    "a list as it is": (
        "{% for m in messages %}{% if m.content is not string %}{{ m.content }}{% endif %}{%"
        " endfor %}"
    ),
    "an error": "{{ messages[0].content.nowhere.at_all }}",
}
ASKED = [{"role": "user", "content": "Hello?"}]


@pytest.fixture(scope="module")
def tokenizer():
    import transformers
    from tokenizers import Tokenizer, models

    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel({"?": 0}, "?")), unk_token="?", eos_token="?"
    )


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def clock(monkeypatch):
    """Sets the clock that transformers gives to templates."""
    from transformers.utils import chat_template_utils

    def set_to(*when):
        monkeypatch.setattr(
            chat_template_utils, "datetime", SimpleNamespace(now=lambda: datetime(*when))
        )

    return set_to


def backends(tokenizer, text):
    """Name -> the way in which a backend of lm_eval renders a chat template in this process, and
    the trainer's.
    """
    tokenizer.chat_template = text
    model = SimpleNamespace(
        tokenizer=tokenizer,
        chat_template_args={},
        tokenizer_backend="huggingface",
        tokenized_requests=True,
    )
    return {
        "hf": lambda messages: HFLM.apply_chat_template(model, messages),
        "completions with tokens": lambda messages: TemplateAPI.apply_chat_template(
            model, messages
        ),
        # As lm_eval's vllm backend, which cannot be imported without vllm, calls its tokenizer.
        "vllm": lambda messages: tokenizer.apply_chat_template(
            messages,
            tokenize=False,
            add_generation_prompt=True,
            continue_final_message=False,
            chat_template=text,
            enable_thinking=True,
        ),
        "trainer": of_tokenizer(tokenizer),
    }


def run(model, model_args, corpus, metadata=None, task="csc_conv_gen", **options):
    settings = {
        "csc_corpus": str(corpus),
        "csc_play": "plain",
        "csc_metrics": "bleu_4",
        **(metadata or {}),
    }
    manager = TaskManager(
        include_path=str(TASKS_DIR),
        include_defaults=False,
        metadata=settings | {"peft": options.pop("peft", None)},
    )
    options = {
        "bootstrap_iters": 0,
        "gen_kwargs": "max_gen_toks=4",
        "apply_chat_template": True,
        "limit": 1,
        **options,
    }
    return simple_evaluate(
        model, model_args=model_args, tasks=[task], task_manager=manager, **options
    )


# The date


def test_the_installed_transformers_lets_its_date_be_pinned():
    assert pins_dates()


@pytest.mark.parametrize("name", DATED)
def test_every_backend_gives_templates_the_same_date_whatever_the_day(name, tokenizer, clock):
    text, printed = DATED[name]
    prompts = set()
    for when in ((2026, 11, 28, 23, 59, 59), (2026, 11, 29, 0, 0, 1)):
        clock(*when)
        for apply in backends(tokenizer, text).values():
            prompts.add(ChatTemplate(apply)(ASKED))
    assert prompts == {f"{printed}<|user|>Hello?<|end|><|assistant|>"}


@pytest.mark.parametrize("name", DATED)
def test_another_date_can_be_chosen(name, tokenizer):
    text, printed = DATED[name]
    apply = backends(tokenizer, text)["hf"]
    for way in ("2024-07-26", "26 Jul 2024", "Friday, 26 July 2024"):
        printed = printed.replace(
            way,
            {"2024-07-26": "2025-01-02", "26 Jul 2024": "02 Jan 2025"}.get(
                way, "Thursday, 02 January 2025"
            ),
        )
    assert ChatTemplate(apply, "2025-01-02")(ASKED).startswith(printed)
    assert prints_date(apply) is True and date_shown(apply, "2025-01-02") == "2025-01-02"


def test_a_template_without_a_date_has_none(tokenizer):
    apply = backends(tokenizer, TURNS)["hf"]
    assert (
        prints_date(apply) is False
        and date_shown(apply, DATE) is None
        and date_shown(None, DATE) is None
    )


def test_a_date_is_pinned_for_our_own_prompts_alone(tokenizer, clock):
    clock(2026, 11, 28)
    tokenizer.chat_template = "{{ strftime_now('%Y-%m-%d') }} {{ date_string is defined }}"

    def now():
        return tokenizer.apply_chat_template(ASKED, tokenize=False)

    before = dict(tokenizer.init_kwargs)
    assert now() == "2026-11-28 False"
    with pinned_date(date(2001, 2, 3)):
        assert now() == "2001-02-03 True"
        with pinned_date(date(2001, 2, 4)):
            assert now() == "2001-02-04 True"
        assert now() == "2001-02-03 True"
    with pytest.raises(KeyError), pinned_date(date(2001, 2, 3)):
        raise KeyError
    assert now() == "2026-11-28 False" and tokenizer.init_kwargs == before


def test_a_date_that_is_given_to_the_template_wins(tokenizer):
    tokenizer.chat_template = DATED["by a variable, else by the clock"][0]
    assert ChatTemplate(of_tokenizer(tokenizer, date_string="01 Apr 2025"))(ASKED).startswith(
        "Today Date: 01 Apr 2025\n"
    )


@pytest.mark.parametrize("name", ["llama3_2", "gptoss"])
def test_stock_templates_print_the_fixed_date_in_training_and_evaluation(name, tokenizer, clock):
    clock(2026, 11, 28)
    shown = {"llama3_2": "Today Date: 26 Jul 2024", "gptoss": "Current date: 2024-07-26"}[name]
    conversation = sample_conversations()[0]
    prompt = TurnPrompt(conversation, conversation.scored_turns()[-1], "chat")
    tokenizer.chat_template = template(name)
    trained = Rendering(tokenizer, True)
    renderer = Renderer(None, backends(tokenizer, template(name))["hf"])
    asked = renderer.render(
        PlayInstance("csc_generate", {}, ("", {}), 0, prompt=prompt, templated=True)
    )
    assert trained.text(prompt) == asked and asked.count(shown) == 1 and "2026" not in asked
    assert trained.date == DATE


def test_a_run_resumed_after_midnight_asks_nothing_twice(corpus, tmp_path, clock, monkeypatch):
    folder = make_model(
        tmp_path / "model", template="Today is {{ strftime_now('%d %B %Y') }}.\n" + CHATML
    )
    asked = []
    generate = HFLM.generate_until
    monkeypatch.setattr(
        HFLM,
        "generate_until",
        lambda self, requests, **more: asked.extend(requests) or generate(self, requests, **more),
    )
    arguments = {"device": "cpu", "batch_size": 4, "use_cache": str(tmp_path / "cache")}
    results = []
    for when in ((2026, 11, 28, 23, 59), (2026, 11, 29, 0, 1)):
        clock(*when)
        results.append(run("hf", f"pretrained={folder},dtype=float32", corpus, **arguments))
    turns = results[0]["results"]["csc_conv_gen"]["turns,none"]
    assert len(asked) == turns and all(
        request.args[0].startswith("Today is 26 July 2024.\n") for request in asked
    )
    assert all(
        result["configs"]["csc_conv_gen"]["metadata"]["csc"]["date"] == DATE for result in results
    )
    # Another date is another prompt.
    run("hf", f"pretrained={folder},dtype=float32", corpus, {"csc_date": "2025-03-01"}, **arguments)
    assert len(asked) == 2 * turns and asked[-1].args[0].startswith("Today is 01 March 2025.\n")


def test_results_say_where_a_server_renders_the_template(corpus, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "not-a-key")
    with chat_server(lambda body: ("[Greeting] hi", "stop")) as server:
        results = run(
            "local-chat-completions", f"model=stub,base_url={server.url},num_concurrent=1", corpus
        )
        assert all(
            isinstance(message["content"], str)
            for body in server.asked
            for message in body["messages"]
        )
    assert results["configs"]["csc_conv_gen"]["metadata"]["csc"]["date"] == "server"


def test_a_server_can_be_given_the_date(corpus, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "not-a-key")
    given = {"chat_template_kwargs": {"date_string": "26 Jul 2024"}}
    with chat_server(lambda body: ("[Greeting] hi", "stop")) as server:
        run(
            "local-chat-completions",
            f"model=stub,base_url={server.url},num_concurrent=1",
            corpus,
            gen_kwargs=given,
        )
        assert server.asked and all(
            body["chat_template_kwargs"] == {"date_string": "26 Jul 2024"} for body in server.asked
        )


@pytest.mark.parametrize(
    "text",
    ["tomorrow", "2024-7-26", "20240726", "2024-02-30", "26 Jul 2024", "2024-07-26T00:00", ""],
)
def test_a_date_is_a_day_that_exists(text):
    with pytest.raises(ValueError, match="YYYY-MM-DD, for example 2024-07-26"):
        iso_date(text)


def test_a_recipe_names_its_date():
    assert recipe_from({}, "x").date == DATE
    # YAML reads an unquoted day as a date of its own.
    assert (
        recipe_from({"date": date(2025, 1, 2)}, "x").date
        == recipe_from({"date": "2025-01-02"}, "x").date
        == "2025-01-02"
    )
    with pytest.raises(SettingError, match="x: date: '2025-01-32' must be a day as YYYY-MM-DD"):
        recipe_from({"date": "2025-01-32"}, "x")


@pytest.mark.parametrize(
    ("trained", "asked", "settings"),
    [
        (("chat", "2025-01-02"), ("chat", "2025-01-02"), None),
        (("chat", None), ("chat", "2025-01-02"), None),
        (("chat", DATE), ("chat", "2025-01-02"), {"csc_date": DATE}),
        (
            ("chat", "2025-01-02"),
            ("single", DATE),
            {"csc_prompt": "chat", "csc_date": "2025-01-02"},
        ),
        (("single", None), ("chat", DATE), {"csc_prompt": "single"}),
    ],
)
def test_an_adapter_asked_on_another_date_is_warned_about(trained, asked, settings, tmp_path):
    (tmp_path / adapter.RECORD).write_text(
        json.dumps(dict(zip(("style", "date"), trained, strict=True))), encoding="utf-8"
    )
    note = adapter.mismatch({"peft": str(tmp_path)}, *asked)
    if settings is None:
        assert note is None
    else:
        assert (
            note.endswith(f"score it with --metadata '{json.dumps(settings)}'") and "\n" not in note
        )


def test_an_adapter_from_before_the_date_was_recorded_goes_with_any(tmp_path):
    (tmp_path / adapter.RECORD).write_text('{"style": "chat"}', encoding="utf-8")
    assert adapter.mismatch({"peft": str(tmp_path)}, "chat", "2025-01-02") is None


@pytest.mark.parametrize(
    ("trained", "asked", "said"),
    [
        (None, "text", None),
        ("json", "json", None),
        ("json", "text", ("json", "text")),
        (None, "json", ("text", "json")),
    ],
)
def test_an_adapter_asked_for_another_form_is_warned_about(trained, asked, said, tmp_path):
    record = {"style": "chat"} | ({"format": trained} if trained else {})
    (tmp_path / adapter.RECORD).write_text(json.dumps(record), encoding="utf-8")
    note = adapter.mismatch({"peft": str(tmp_path)}, "chat", DATE, asked)
    assert (note is None) == (said is None)
    if said:
        was, now = said
        assert f"trained on csc_format={was} and is asked with csc_format={now}" in note
        assert f"--metadata '{json.dumps({'csc_format': was})}'" in note


def test_the_scoring_command_names_a_form_of_its_own():
    recipe = {"model": "m", "revision": None, "configs": ["rolecs"], "style": "chat"}
    recipe |= {"language": None, "chat_template": True}
    record = {"dtype": "float32", "template_arguments": {}, "data": [], "tested": {}}
    for form, named in ((None, False), ("text", False), ("json", True)):
        own = {**record, "recipe": recipe | ({"format": form} if form else {})}
        assert ('"csc_format": "json"' in scoring_command(own, "a")) == named


def test_the_scoring_command_names_a_date_of_its_own():
    recipe = {
        "model": "m",
        "revision": None,
        "configs": ["rolecs"],
        "style": "chat",
        "language": None,
        "chat_template": True,
    }
    record = {
        "recipe": recipe,
        "dtype": "float32",
        "template_arguments": {},
        "data": [],
        "tested": {},
    }
    for day, named in ((None, False), (DATE, False), ("2025-01-02", True)):
        assert ('"csc_date": "2025-01-02"' in scoring_command(record | {"date": day}, "a")) == named


# Text parts


@pytest.mark.parametrize("name", PARTS)
def test_text_parts_are_sent_where_a_template_shows_no_other(name, tokenizer):
    for apply in backends(tokenizer, PARTS[name]).values():
        assert needs_parts(apply) and hides_history(apply) is None
        said = [
            *ASKED,
            {"role": "assistant", "content": "Hello."},
            {"role": "user", "content": "Where is my card?"},
        ]
        prompt = ChatTemplate(apply)(said)
        assert [prompt.count(message["content"]) for message in said] == [1, 1, 1]
        assert said[0] == {"role": "user", "content": "Hello?"}


def test_plain_text_is_sent_where_it_shows(tokenizer):
    both = (
        "{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}{{"
        " m.content[0].text }}, in parts{% endif %}{% endfor %}"
    )
    for text in (TURNS, both):
        apply = backends(tokenizer, text)["hf"]
        assert not needs_parts(apply) and "in parts" not in ChatTemplate(apply)(ASKED)


def test_a_parts_template_is_asked_whole_prompts_by_lm_eval(corpus, tmp_path):
    folder = make_model(
        tmp_path / "model", template=PARTS["parts alone"].replace("<|end|>", "<|im_end|>")
    )
    results = run(
        "hf",
        f"pretrained={folder},dtype=float32",
        corpus,
        {"csc_prompt": "chat"},
        task="csc_conv_ref",
        device="cpu",
        batch_size=4,
    )
    (sample,) = results["samples"]["csc_conv_ref"]
    prompts = [arguments[0] for arguments in sample["arguments"]]
    turns = [turn["text"] for turn in sample["doc"]["dialogue"]]
    assert all(text in prompts[-1] for text in turns[: sample["turns"][-1]["turn"]])
    assert all(prompt.startswith("system: ") and "'type'" not in prompt for prompt in prompts)


# Refusals


@pytest.mark.parametrize("name", SILENT)
def test_a_template_that_shows_no_text_is_refused_in_one_line(name, tokenizer):
    for apply in backends(tokenizer, SILENT[name]).values():
        for probe in (
            needs_parts,
            shows_system,
            hides_history,
            prints_date,
            lambda apply: ChatTemplate(apply)(ASKED),
        ):
            with pytest.raises(ModelError) as caught:
                probe(apply)
            said = str(caught.value)
            assert "does not show what the user says" in said and "\n" not in said
            assert ("UndefinedError" in said) == (name == "an error")


@pytest.mark.parametrize("said", HIDING)
def test_a_template_that_hides_the_history_is_refused_in_chat_style(said, tokenizer):
    conversation = sample_conversations()[0]
    first = conversation.scored_turns()[0]
    for apply in backends(tokenizer, HIDING[said]).values():
        assert said in hides_history(apply)
        for style, refused in (("chat", True), ("single", False)):
            request = PlayInstance(
                "csc_generate",
                {},
                ("", {}),
                0,
                prompt=TurnPrompt(conversation, first, style),
                templated=True,
            )
            if refused:
                with pytest.raises(ModelError, match="csc_prompt=single") as caught:
                    Renderer(None, apply).render(request)
                assert "\n" not in str(caught.value)
            else:
                assert request.prompt.messages()[0]["content"] in Renderer(None, apply).render(
                    request
                )


def test_lm_eval_stops_before_anything_is_generated(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(HFLM, "generate_until", lambda *_, **__: pytest.fail("something was asked"))
    for name, text, metadata in (
        ("silent", SILENT["nothing"], {}),
        ("hiding", "{{ messages[-1].content }}", {"csc_prompt": "chat"}),
    ):
        folder = make_model(tmp_path / name, template=text)
        with pytest.raises(ModelError, match="this model's chat template"):
            run(
                "hf",
                f"pretrained={folder},dtype=float32",
                corpus,
                metadata,
                device="cpu",
                batch_size=4,
            )


def test_what_a_server_renders_is_not_probed():
    asked = []

    def apply(messages):
        asked.append(messages)
        return JsonChatStr(json.dumps(messages))

    assert (
        not needs_parts(apply)
        and shows_system(apply)
        and hides_history(apply) is None
        and prints_date(apply) is None
    )
    sent = [{"role": "system", "content": "Be kind."}, *ASKED]
    assert json.loads(ChatTemplate(apply)(sent).prompt) == sent


def test_what_is_done_to_prompts_is_said_once_a_task(tokenizer, caplog):
    conversation = sample_conversations()[0]
    prompt = TurnPrompt(conversation, conversation.scored_turns()[0])
    instance = PlayInstance("csc_generate", {}, ("", {}), 0, prompt=prompt, templated=True)
    with caplog.at_level(logging.INFO, "lm_eval.csc_tasks"):
        logging.getLogger("lm_eval").propagate = True
        for text in (PARTS["parts alone"], DATED["by the clock"][0]):
            renderer = Renderer(None, backends(tokenizer, text)["hf"])
            renderer.render(instance)
            renderer.render(instance)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2 and "text parts" in said[0] and "2024-07-26 (csc_date)" in said[1]
