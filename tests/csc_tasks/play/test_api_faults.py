"""API servers that misbehave: one bad turn is one failed turn, and the run ends with a table or
with one line.
"""

import json
import logging
from collections import Counter

import pytest
from lm_eval import simple_evaluate
from lm_eval.api.registry import get_model
from lm_eval.tasks import TaskManager
from lm_eval.utils import make_table

from csc_tasks import TASKS_DIR
from csc_tasks.errors import CscError, ModelError, SettingError
from csc_tasks.languages import language as language_of
from csc_tasks.play import server as play_server
from csc_tasks.prompts import instructions
from tests.support.fakes import sample_conversations, sample_questions, write_corpus
from tests.support.llm_server import Act, in_turn, llm_server
from tests.support.playing import untimed

LIMIT = len(instructions("en", "predict")) + 330
"""Room for some turns of history, not for all: instructions, the tail and a reply of twelve."""
TASKS = ["csc_conv_ref", "csc_conv_gen", "csc_qa"]
BOTH_APIS = pytest.mark.parametrize("api", ["chat", "completions"])
CONNECTIONS = pytest.mark.parametrize("connections", [1, 4])
GOOD = Act("[Greeting] all is well")

# name -> (what the server does, the reason that is counted, how often it is tried)
FAULTS = {
    "500": (Act(status=500), "HTTP 500", 2),
    "bad gateway in HTML": (Act(status=502, body=b"<html>Bad Gateway</html>"), "HTTP 502", 2),
    "error with status 200": (
        Act(body={"error": {"message": "upstream is gone", "code": 503}}),
        "HTTP 503",
        2,
    ),
    "no choices": (Act(choices=[]), "no choices in the response", 2),
    "no message": (
        Act(choices=[{"index": 0, "finish_reason": "stop"}]),
        "no message in the response",
        2,
    ),
    "half a JSON": (Act(body=b'{"choices": [{"mess'), "not JSON", 2),
    "another JSON": (Act(body=[1, 2]), "not a response", 2),
    "filtered prompt": (
        Act(status=400, body={"error": {"message": "Content Exists Risk"}}),
        "content filter",
        1,
    ),
    "filtered reply": (Act("half a se", finish="content_filter"), "content filter", 1),
    "too large": (Act(status=413), "HTTP 413", 1),
    "bad request": (
        Act(status=400, body={"error": {"message": "cannot do this one"}}),
        "HTTP 400",
        1,
    ),
    "reset": (Act(drop=True), "connection lost", 2),
    "cut off": (Act(cut=True), "connection lost", 2),
    "slow": (Act(delay=5), "timed out", 2),
}
CHAT_FAULTS = {
    "refusal": (Act(None, message={"refusal": "I cannot help with that."}), "refused", 1)
}

en = language_of("en").words


@pytest.fixture(autouse=True)
def pauses(monkeypatch):
    """The waits between tries, which nobody waits for here."""
    waited = []

    async def rest(seconds):
        waited.append(seconds)

    monkeypatch.setattr(play_server, "rest", rest)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted-55f0c1d2e3")
    return waited


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Three conversations with 13 scored turns, three questions."""
    questions = [question for question in sample_questions() if question.language == "en"]
    return write_corpus(tmp_path_factory.mktemp("corpus"), sample_conversations(("en",)), questions)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    from tests.support.models import make_model

    return {
        "tokenizer_backend": "huggingface",
        "tokenizer": str(make_model(tmp_path_factory.mktemp("model"))),
        "max_length": 4096,
    }


def backend(api, url, connections=1, **settings):
    settings = {"max_retries": 2, "timeout": 30, **settings}
    if api == "chat":
        return get_model("local-chat-completions")(
            model="stub", base_url=f"{url}/chat/completions", num_concurrent=connections, **settings
        )
    settings = {"tokenizer_backend": None, **settings}
    return get_model("local-completions")(
        model="stub", base_url=f"{url}/completions", num_concurrent=connections, **settings
    )


def evaluate(lm, corpus, tasks, metadata=None, **options):
    settings = {"csc_corpus": str(corpus), "csc_qa_corpus": str(corpus)} | (metadata or {})
    manager = TaskManager(include_path=str(TASKS_DIR), include_defaults=False, metadata=settings)
    chat = "chat" in type(lm).__name__.lower()
    return simple_evaluate(
        lm,
        tasks=tasks,
        task_manager=manager,
        bootstrap_iters=0,
        apply_chat_template=chat,
        gen_kwargs="max_gen_toks=12",
        **options,
    )


def text_of(body):
    """All that a request shows the model."""
    if "prompt" in body:
        return body["prompt"] if isinstance(body["prompt"], str) else "".join(body["prompt"])
    return "\n".join(message["content"] for message in body["messages"])


def is_bad(body):
    """One turn of one conversation, and one question, are what the servers of these tests stumble
    over.
    """
    text = text_of(body)
    card = "My card was charged twice for order 1182."
    return (
        f"{card} (1)" in text and f"{card} (2)" not in text
    ) or "Where is my refund? mid" in text


def stumbling(act):
    return lambda body, number: act if is_bad(body) else GOOD


def records(results, task):
    return [
        untimed(record)
        for sample in results["samples"][task]
        for record in sample["answers" if "qa" in task else "turns"]
    ]


CASES = [("chat", name) for name in FAULTS | CHAT_FAULTS] + [
    ("completions", name) for name in FAULTS
]


@CONNECTIONS
@pytest.mark.parametrize(("api", "fault"), CASES)
def test_a_bad_turn_fails_alone_and_the_next_run_asks_it_again(
    corpus, tmp_path, api, fault, connections
):
    act, reason, tries = (FAULTS | CHAT_FAULTS)[fault]
    cache = str(tmp_path / "cache")
    with llm_server(stumbling(act)) as server:
        lm = backend(api, server.url, connections)
        lm.timeout = 0.2 if fault == "slow" else 30
        metadata = {"csc_max_failed": 0.2, "csc_metrics": "strategy_acc,failed"}
        results = evaluate(lm, corpus, TASKS, metadata, use_cache=cache)
        asked = [text_of(body) for body in server.asked]
    counted = Counter(asked)
    for task, total in (("csc_conv_ref", 13), ("csc_conv_gen", 13), ("csc_qa", 3)):
        found = records(results, task)
        assert len(found) == total and results["results"][task]["failed,none"] == pytest.approx(
            1 / total
        )
        failed = [record for record in found if record["failed"]]
        assert [record["failure"] for record in failed] == [reason]
        assert failed[0]["reply"] == "" and failed[0]["empty"] and failed[0]["truncated"] is False
        assert all(
            record["reply"] in ("all is well", "[Greeting] all is well")
            for record in found
            if not record["failed"]
        )
        if task != "csc_qa":
            assert (
                failed[0]["strategy"] is None
                and failed[0]["stages"] == []
                and failed[0]["unparsed"]
            )
    assert "|failed" in make_table(results).replace(" ", "")
    bad = [text for text in counted if is_bad({"prompt": text})]
    assert [counted[text] for text in bad] == [tries] * 3, (
        "one turn in each context and one question, each tried so often"
    )
    # It re-enters generated context as no reply, and the turns after it are asked.
    assert sum("Supporter: (no reply)" in text for text in counted) == 2
    # The same run with a healthy server asks only what is missing, and ends as if nothing had
    # happened.
    with llm_server(in_turn(GOOD)) as server:
        again = evaluate(
            backend(api, server.url, connections), corpus, TASKS, metadata, use_cache=cache
        )
        second = {text_of(body) for body in server.asked}
        assert second & set(asked) == set(bad)
    for task in TASKS:
        assert again["results"][task]["failed,none"] == 0
        assert {record["reply"] for record in records(again, task)} == {
            "[Greeting] all is well" if task == "csc_qa" else "all is well"
        }


@CONNECTIONS
@BOTH_APIS
def test_every_fault_in_one_run_ends_with_a_table(tmp_path, caplog, api, connections):
    """A server that stumbles over every third conversation, each time in another way, and knows
    neither temperature nor long prompts.
    """
    from tests.csc_tasks.play.test_order import many

    faults = list(FAULTS.values())
    conversations = many(3 * len(faults))
    corpus = write_corpus(tmp_path, conversations, [])

    def script(body, number):
        if "temperature" in body:
            return Act(
                status=400,
                body={
                    "error": {"message": "Unsupported value: 'temperature'", "param": "temperature"}
                },
            )
        text = text_of(body)
        if len(text) > LIMIT:
            return too_long(len(text), LIMIT)
        opening = text.partition("Case ")[2]
        bad = opening and "(0)" not in opening and int(opening[:2]) % 3 == 0
        return faults[int(opening[:2]) // 3][0] if bad else GOOD

    with llm_server(script) as server:
        lm = backend(api, server.url, connections)
        lm.timeout = 0.2
        results = evaluate(lm, corpus, ["csc_conv_ref", "csc_conv_gen"], {"csc_max_failed": 0.2})
    table = make_table(results)
    for task in ("csc_conv_ref", "csc_conv_gen"):
        numbers, found = results["results"][task], records(results, task)
        failed = Counter(record["failure"] for record in found if record["failed"])
        assert failed == Counter(reason for _, reason, _ in faults)
        assert numbers["failed,none"] == pytest.approx(len(faults) / len(found))
        assert 0 < numbers["history_truncated,none"] < 1 and task in table
        assert results["configs"][task]["metadata"]["csc"]["left_out"] == ["temperature"]
    assert f"{2 * len(faults)} of 336 turns failed and count as wrong" in caplog.text


# --- when the run stops


@CONNECTIONS
@pytest.mark.parametrize(
    ("act", "words"),
    [
        (
            Act(status=401, body={"error": {"message": "Incorrect key: sk-planted-55f0c1d2e3."}}),
            r"401: Incorrect key: \[key\]",
        ),
        (Act(status=402, body={"error": {"message": "no credits"}}), "402: no credits"),
        (Act(status=403, body={"error": {"message": "not for you"}}), "403: not for you"),
        (Act(status=404, body={"error": {"message": "no model stub"}}), "404: no model stub"),
        (
            Act(status=429, body={"error": {"message": "quota", "code": "insufficient_quota"}}),
            "429: quota",
        ),
    ],
)
def test_what_no_try_can_mend_stops_at_once(corpus, connections, act, words):
    with llm_server(in_turn(act)) as server:
        with pytest.raises(ModelError, match=f"{words}.*no request was answered") as caught:
            evaluate(
                backend("chat", server.url, connections),
                corpus,
                ["csc_conv_gen"],
                {"csc_max_failed": 1},
            )
        assert len(server.asked) <= connections + 1
    assert "sk-planted" not in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "error", "words"),
    [
        (
            "http://anna:hunter2pass@127.0.0.1:9/v1",
            ModelError,
            "credentials encoded in URL; no request was answered",
        ),
        ("http://127.0.0.1:99999/v1", ModelError, "no request was answered"),
        ("http://[127.0.0.1/v1", SettingError, "base_url in --model_args is no address"),
        ("127.0.0.1:9/v1", ModelError, "no request was answered"),
    ],
)
def test_an_address_that_cannot_be_asked_is_one_line(corpus, address, error, words):
    with pytest.raises(error, match=words) as caught:
        evaluate(backend("chat", address), corpus, ["csc_conv_ref"])
    assert "hunter2pass" not in str(caught.value) and "\n" not in str(caught.value)


@CONNECTIONS
@BOTH_APIS
def test_a_server_that_is_not_there_is_given_up_early(corpus, pauses, api, connections):
    words = (
        r"http://127.0.0.1:9/.*no request was answered, and 5 turns in a row failed \(no"
        r" connection: 5\), .*--use_cache"
    )
    with pytest.raises(ModelError, match=words):
        evaluate(
            backend(api, "http://127.0.0.1:9/v1", connections),
            corpus,
            ["csc_conv_ref"],
            {"csc_max_failed": 1},
        )
    # One wait between the two tries of each of the five turns, and of the turns under way with
    # them.
    assert 5 <= len(pauses) <= 5 + connections and set(pauses) == {1.0}
    with llm_server(in_turn(Act(status=503))) as server:
        with pytest.raises(
            ModelError,
            match=r"no request was answered, and 5 turns in a row failed \(HTTP 503: 5\)",
        ):
            evaluate(
                backend(api, server.url, connections),
                corpus,
                ["csc_conv_ref"],
                {"csc_max_failed": 0.9},
            )
        assert len(server.asked) <= 2 * (5 + connections)


@CONNECTIONS
def test_more_failures_than_allowed_stop_the_run_and_what_was_finished_is_kept(
    corpus, tmp_path, connections
):
    cache = str(tmp_path / "cache")

    def script(body, number):
        return Act(choices=[]) if "(2)" in text_of(body) else GOOD

    with llm_server(script) as server:
        words = (
            r"2 of 13 turns failed \(no choices in the response: 2\), more than csc_max_failed=0.02"
            r" allows; the first: [\w-]+ turn \d"
        )
        with pytest.raises(ModelError, match=words):
            evaluate(
                backend("chat", server.url, connections), corpus, ["csc_conv_ref"], use_cache=cache
            )
        answered = {text_of(body) for body in server.answered if "(2)" not in text_of(body)}
    assert answered
    with llm_server(in_turn(GOOD)) as server:
        results = evaluate(
            backend("chat", server.url, connections), corpus, ["csc_conv_ref"], use_cache=cache
        )
        second = {text_of(body) for body in server.asked}
    if connections == 1:
        assert not answered & second
    assert results["results"]["csc_conv_ref"]["failed,none"] == 0


def test_how_many_may_fail_is_a_setting(corpus):
    with (
        llm_server(stumbling(Act(status=413))) as server,
        pytest.raises(ModelError, match=r"1 of 13 turns .*csc_max_failed=0 allows"),
    ):
        evaluate(backend("chat", server.url), corpus, ["csc_conv_ref"], {"csc_max_failed": 0})
    with llm_server(in_turn(Act(choices=[]))) as server:
        results = evaluate(
            backend("chat", server.url), corpus, ["csc_conv_ref", "csc_qa"], {"csc_max_failed": 1}
        )
    assert (
        results["results"]["csc_conv_ref"]["failed,none"]
        == results["results"]["csc_qa"]["failed,none"]
        == 1
    )
    assert (
        results["results"]["csc_conv_ref"]["strategy_acc,none"]
        == results["results"]["csc_conv_ref"]["bleu_4,none"]
        == 0
    )
    assert results["results"]["csc_qa"]["rouge_l,none"] == 0


@pytest.mark.parametrize(
    ("settings", "options", "words"),
    [
        ({}, {"apply_chat_template": False}, "apply_chat_template"),
        ({"base_url": None}, {"apply_chat_template": True}, "no base_url"),
    ],
)
def test_what_cannot_be_asked_is_said_in_one_line(corpus, settings, options, words):
    with llm_server(in_turn(GOOD)) as server:
        lm = get_model("local-chat-completions")(
            model="stub", **({"base_url": server.url} | settings)
        )
        manager = TaskManager(
            include_path=str(TASKS_DIR),
            include_defaults=False,
            metadata={"csc_corpus": str(corpus)},
        )
        with pytest.raises(SettingError, match=words):
            simple_evaluate(
                lm, tasks=["csc_conv_ref"], task_manager=manager, bootstrap_iters=0, **options
            )


def test_the_plain_way_stops_with_one_line_too(corpus, monkeypatch):
    import tenacity

    monkeypatch.setattr(tenacity.nap.time, "sleep", lambda seconds: None)
    with llm_server(stumbling(Act(choices="odd"))) as server:
        lm = backend("completions", server.url)
        with pytest.raises(
            ModelError, match=r"TypeError.*with csc_play=auto it is one failed turn"
        ):
            evaluate(lm, corpus, ["csc_conv_ref"], {"csc_play": "plain"})
    with pytest.raises(ModelError, match=r"127\.0\.0\.1:9/v1.*ConnectionError"):
        evaluate(
            backend("completions", "http://127.0.0.1:9/v1"),
            corpus,
            ["csc_conv_ref"],
            {"csc_play": "plain"},
        )


# --- waiting


@CONNECTIONS
def test_a_server_that_says_too_fast_is_waited_for(corpus, pauses, connections):
    told = Counter()

    def script(body, number):
        text = text_of(body)
        told[text] += 1
        if is_bad(body) and told[text] <= 4:
            return Act(
                status=429,
                headers={"Retry-After": "7"} if told[text] <= 2 else {},
                body={"error": {"message": "slow down"}},
            )
        return GOOD

    with llm_server(script) as server:
        results = evaluate(backend("chat", server.url, connections), corpus, ["csc_conv_ref"])
    assert results["results"]["csc_conv_ref"]["failed,none"] == 0
    # As the server said, then doubling: the third and fourth rejection of one turn. More often than
    # it tries after an error.
    assert pauses == [7.0, 7.0, 4.0, 8.0]


def test_a_server_that_wants_hours_or_never_stops_is_not_waited_for(corpus, pauses):
    with llm_server(stumbling(Act(status=429, headers={"Retry-After": "7200"}))) as server:
        results = evaluate(backend("chat", server.url), corpus, ["csc_conv_ref"])
    assert [
        record["failure"] for record in records(results, "csc_conv_ref") if record["failed"]
    ] == ["HTTP 429"] and pauses == []
    with llm_server(stumbling(Act(status=503, headers={"Retry-After": "60"}))) as server:
        results = evaluate(backend("chat", server.url), corpus, ["csc_conv_ref"])
    assert [
        record["failure"] for record in records(results, "csc_conv_ref") if record["failed"]
    ] == ["HTTP 503"]
    assert pauses == [60.0] * 5, "five minutes in all"


def test_a_lasting_error_is_tried_as_often_and_waited_for_as_lm_eval_does(corpus, pauses):
    with llm_server(stumbling(Act(status=500))) as server:
        evaluate(backend("chat", server.url, max_retries=7), corpus, ["csc_conv_ref"])
    # wait_exponential(multiplier=0.5, min=1, max=10) of lm_eval's own call.
    assert pauses == [1.0, 1.0, 2.0, 4.0, 8.0, 10.0]


# --- the model's length


def too_long(tokens, limit, form="numbers"):
    """A refusal as OpenAI words it, as llama.cpp does, and without any number."""
    if form == "numbers":
        said = (
            f"This model's maximum context length is {limit} tokens. However, your messages"
            f" resulted in {tokens} tokens."
        )
        return Act(status=400, body={"error": {"message": said, "code": "context_length_exceeded"}})
    if form == "fields":
        fields = {"type": "exceed_context_size_error", "n_prompt_tokens": tokens, "n_ctx": limit}
        return Act(
            status=400,
            body={"error": {"message": "the request exceeds the available context size"} | fields},
        )
    return Act(
        status=500, body={"error": {"message": "the prompt is too long for the context window"}}
    )


def short(limit, form):
    """A server that counts a token for every character."""

    def script(body, number):
        size = len(text_of(body))
        return (
            too_long(size, limit, form)
            if size + body["max_tokens"] > limit
            else Act(f"[Greeting] well {size % 7}")
        )

    return script


@BOTH_APIS
@pytest.mark.parametrize("form", ["numbers", "fields", "words"])
def test_a_prompt_that_the_server_finds_too_long_loses_its_oldest_turns(
    corpus, tmp_path, api, form
):
    limit = LIMIT
    tasks = ["csc_conv_ref", "csc_conv_gen"]
    taken, outcomes = [], []
    for connections in (1, 4):
        with llm_server(short(limit, form)) as server:
            lm = backend(api, server.url, connections)
            results = evaluate(lm, corpus, tasks, use_cache=str(tmp_path / f"cache{connections}"))
            taken.append({text_of(body) for body in server.answered})
            asked = len(server.asked)
            resumed = evaluate(lm, corpus, tasks, use_cache=str(tmp_path / f"cache{connections}"))
            assert len(server.asked) == asked, (
                "neither what was answered nor what was refused is asked again"
            )
        assert [records(resumed, task) for task in tasks] == [
            records(results, task) for task in tasks
        ]
        outcomes.append([records(results, task) for task in tasks])
        assert asked <= 2.5 * 2 * 13
        for task in tasks:
            assert results["results"][task]["failed,none"] == 0
            assert 0.2 < results["results"][task]["history_truncated,none"] < 1
            for sample in results["samples"][task]:
                check_history(sample, api, limit, close=task == "csc_conv_ref" and form != "words")
    # What is left out does not depend on how many conversations are played at once.
    assert taken[0] == taken[1] and outcomes[0] == outcomes[1]


def check_history(sample, api, limit, close):
    """What is left of a history are its newest turns, each whole, and the instructions. close: no
    fewer than would have fitted.
    """
    dialogue = sample["doc"]["dialogue"]
    for arguments, record in zip(sample["arguments"], sample["turns"], strict=True):
        prompt = arguments[0]
        text = (
            prompt
            if api == "completions"
            else json.loads(prompt[0] if isinstance(prompt, list | tuple) else prompt)[0]["content"]
        )
        said = text.split(en.HISTORY)[1].removesuffix(f"\n\n{en.TAIL}").strip("\n").split("\n")
        said = [line for line in said if line]
        whole = record["turn"]
        assert record["history_truncated"] == (len(said) < whole)
        customers = [
            turn["text"]
            for turn in dialogue[whole - len(said) : whole]
            if turn["speaker"] == "customer"
        ]
        assert [
            line.removeprefix(en.CUSTOMER) for line in said if line.startswith(en.CUSTOMER)
        ] == customers
        if record["history_truncated"] and close:
            older = dialogue[whole - len(said) - 1]
            # The tag and the speaker's name come to the text; the estimate may be off by a few
            # characters.
            assert len(text) + 12 + len(older["text"]) + 60 > limit


@CONNECTIONS
def test_instructions_that_do_not_fit_fail_the_turn(corpus, connections):
    with llm_server(short(400, "numbers")) as server:
        words = (
            r"2 of 13 turns failed \(prompt too long: 2\).*no room for .* beside a reply of 12"
            r" tokens .*: This model's maximum"
        )
        with pytest.raises(ModelError, match=words):
            evaluate(backend("chat", server.url, connections), corpus, ["csc_conv_ref"])


def test_what_was_too_long_beside_a_long_reply_is_asked_again_with_a_shorter_one(corpus, tmp_path):
    """The room for thinking counts for the server, and a smaller one is what its refusal asks
    for.
    """
    options = {"use_cache": str(tmp_path / "cache")}
    with llm_server(short(3000, "numbers")) as server:
        lm = backend("chat", server.url)
        with pytest.raises(
            ModelError, match=r"beside a reply of 3012 tokens \(max_gen_toks and csc_think_tokens\)"
        ):
            evaluate(lm, corpus, ["csc_conv_ref"], {"csc_think_tokens": 3000}, **options)
        results = evaluate(lm, corpus, ["csc_conv_ref"], {"csc_think_tokens": 1}, **options)
    assert results["results"]["csc_conv_ref"]["failed,none"] == 0
    assert results["results"]["csc_conv_ref"]["history_truncated,none"] == 0


def test_a_question_with_its_whole_history_is_shortened_too(tmp_path):
    question = next(q for q in sample_questions() if q.language == "en" and q.stage == "late")
    corpus = write_corpus(tmp_path, sample_conversations(("en",)), [question])
    with llm_server(lambda body, number: GOOD) as server:
        evaluate(backend("chat", server.url), corpus, ["cscx_qa_full"])
        longest = len(text_of(server.asked[0]))
    with llm_server(short(longest + 11, "numbers")) as server:
        results = evaluate(backend("chat", server.url), corpus, ["cscx_qa_full"])
    assert results["results"]["cscx_qa_full"]["history_truncated,none"] == 1
    assert results["results"]["cscx_qa_full"]["failed,none"] == 0
    assert "Where is my refund? 0" not in text_of(
        server.answered[0]
    ) and "It arrives within three days. 1" in text_of(server.answered[0])


@pytest.mark.parametrize("counted", [True, False])
def test_max_length_shortens_what_a_chat_server_would_cut_in_silence(corpus, tokenizer, counted):
    """Counted with a tokenizer (a token for each byte), or estimated from above (a third of the
    characters).
    """
    limit = LIMIT if counted else LIMIT // 3
    settings = (tokenizer if counted else {}) | {"max_length": limit}
    with llm_server(lambda body, number: GOOD) as server:
        results = evaluate(backend("chat", server.url, **settings), corpus, ["csc_conv_ref"])
    assert 0.2 < results["results"]["csc_conv_ref"]["history_truncated,none"] < 1
    sizes = [len(text_of(body)) for body in server.asked]
    assert len(sizes) == 13 and max(sizes) <= (limit - 12 if counted else 3 * (limit - 12))


# --- parameters that a server does not take


def strict(*names):
    """A server that answers 400 to the first of these parameters that it is sent."""

    def script(body, number):
        for name in names:
            if name in body:
                return Act(
                    status=400,
                    body={
                        "error": {
                            "message": f"Unsupported parameter: '{name}' is not supported.",
                            "param": name,
                        }
                    },
                )
        return Act("[Greeting] fine\nCustomer: and then I said\nCustomer: more")

    return script


@CONNECTIONS
@BOTH_APIS
def test_refused_parameters_are_left_out_said_once_and_recorded(
    corpus, tmp_path, caplog, api, connections
):
    names = ["temperature", "seed", "max_tokens", "stop"]
    cache = str(tmp_path / "cache")
    with caplog.at_level(logging.WARNING), llm_server(strict(*names)) as server:
        results = evaluate(
            backend(api, server.url, connections),
            corpus,
            ["csc_conv_ref", "csc_conv_gen"],
            use_cache=cache,
        )
        assert len(server.asked) <= 26 + 4 * (connections + 1)
        assert {frozenset(body) for body in server.answered} == {
            frozenset(("model", "max_completion_tokens", "messages" if api == "chat" else "prompt"))
        }
    said = [
        record.getMessage() for record in caplog.records if "does not take" in record.getMessage()
    ]
    # Chat requests carry no stop strings here, and an empty list of them is never sent.
    left_out = ["seed", "temperature"] if api == "chat" else ["seed", "stop", "temperature"]
    assert sorted(line.split("does not take ")[1].split(":")[0] for line in said) == sorted(
        [*left_out, "max_tokens"]
    )
    for task in ("csc_conv_ref", "csc_conv_gen"):
        assert results["configs"][task]["metadata"]["csc"]["left_out"] == left_out
        assert results["results"][task]["failed,none"] == 0
        if api == "completions":
            assert {record["reply"] for record in records(results, task)} == {"fine"}, (
                "cut here where the server was not told to stop"
            )
    # A run that goes on from the cache knows it, and so do its results.
    with llm_server(strict(*names)) as server:
        again = evaluate(
            backend(api, server.url, connections),
            corpus,
            ["csc_conv_ref", "csc_qa"],
            use_cache=cache,
        )
        assert len(server.asked) == len(server.answered) == 3
    assert again["configs"]["csc_conv_ref"]["metadata"]["csc"]["left_out"] == left_out


def test_nothing_is_left_out_where_nothing_is_refused(corpus):
    with llm_server(in_turn(GOOD)) as server:
        results = evaluate(backend("chat", server.url), corpus, ["csc_conv_ref"])
    assert results["configs"]["csc_conv_ref"]["metadata"]["csc"]["left_out"] == []
    assert all(
        body["temperature"] == 0 and body["seed"] == 1234 and "stop" not in body
        for body in server.asked
    )


# --- null replies


@CONNECTIONS
@pytest.mark.parametrize("play", ["auto", "plain"])
def test_a_null_reply_that_was_cut_is_truncated_and_no_failure(corpus, tmp_path, connections, play):
    def script(body, number):
        return (
            Act(None, finish="length", message={"reasoning_content": "so"})
            if is_bad(body)
            else Act("[Greeting] hi", finish="stop")
        )

    for cache in (None, str(tmp_path / "cache"), str(tmp_path / "cache")):
        with llm_server(script) as server:
            results = evaluate(
                backend("chat", server.url, connections),
                corpus,
                ["csc_conv_ref"],
                {"csc_play": play},
                use_cache=cache,
            )
        found = records(results, "csc_conv_ref")
        cut = [record for record in found if record["truncated"]]
        assert len(cut) == 1 and cut[0]["empty"] and not cut[0]["failed"]
        assert results["results"]["csc_conv_ref"]["truncated,none"] == pytest.approx(1 / 13)
    assert server.asked == [], "the second run with the cache asks nothing"


def test_text_in_parts_is_joined(corpus):
    act = Act([{"type": "text", "text": "[Greeting] "}, {"type": "text", "text": "hello"}])
    with llm_server(in_turn(act)) as server:
        results = evaluate(backend("chat", server.url), corpus, ["csc_conv_ref"])
    assert {
        (record["strategy"], record["reply"]) for record in records(results, "csc_conv_ref")
    } == {("GT", "hello")}


# --- log-likelihoods


def echoing(bad):
    """A completions server that echoes log-probabilities: a hash of each token and its place. It
    stumbles where `bad` says so.
    """

    def script(body, number):
        tokens = body["prompt"][0] if isinstance(body["prompt"][0], list) else body["prompt"]
        if bad(bytes(token % 256 for token in tokens), number):
            return Act(status=500)
        values = [-((token * 31 + place) % 97) / 10 for place, token in enumerate([*tokens, 0])]
        logprobs = {"token_logprobs": values, "top_logprobs": [{"x": value} for value in values]}
        return Act(
            choices=[{"index": 0, "text": "", "logprobs": logprobs, "finish_reason": "length"}]
        )

    return script


def test_strategy_choice_asks_as_lm_eval_does_and_a_bad_turn_fails_alone(
    corpus, tmp_path, tokenizer
):
    task, cache, one = "cscx_strategy_choice", str(tmp_path / "cache"), {"csc_subset": 1}
    with llm_server(echoing(lambda prompt, number: False)) as server:
        plain = evaluate(
            backend("completions", server.url, **tokenizer),
            corpus,
            [task],
            {"csc_play": "plain"} | one,
        )
        whole = {json.dumps(body, sort_keys=True) for body in server.asked}
        turns = len(records(plain, task))
        assert len(whole) == 12 * turns > 12
    for connections in (1, 4):
        with llm_server(echoing(lambda prompt, number: False)) as server:
            results = evaluate(
                backend("completions", server.url, connections, **tokenizer), corpus, [task], one
            )
            assert {json.dumps(body, sort_keys=True) for body in server.asked} == whole
        assert records(results, task) == records(plain, task)
    # One of the twelve names of one turn is never answered.
    first = min(whole, key=len)
    bad = bytes(token % 256 for token in json.loads(first)["prompt"][0])
    with llm_server(echoing(lambda prompt, number: prompt == bad)) as server:
        results = evaluate(
            backend("completions", server.url, **tokenizer), corpus, [task], one, use_cache=cache
        )
    failed = [record for record in records(results, task) if record["failed"]]
    assert len(failed) == 1 and failed[0]["failure"] == "HTTP 500"
    assert (
        failed[0]["strategy"] is failed[0]["strategy_norm"] is failed[0]["loglikelihoods"] is None
    )
    numbers = results["results"][task]
    assert numbers["failed,none"] == pytest.approx(1 / turns) and "failed_norm,none" not in numbers
    with llm_server(echoing(lambda prompt, number: False)) as server:
        again = evaluate(
            backend("completions", server.url, **tokenizer), corpus, [task], one, use_cache=cache
        )
        assert 1 <= len(server.asked) <= 12
    assert records(again, task) == records(plain, task)


def test_strategy_choice_on_a_chat_api_is_refused_in_one_line(corpus):
    with llm_server(in_turn(GOOD)) as server:
        for play in ("auto", "plain"):
            with pytest.raises(
                CscError, match="Loglikelihood is not supported for chat completions"
            ):
                evaluate(
                    backend("chat", server.url),
                    corpus,
                    ["cscx_strategy_choice"],
                    {"csc_play": play},
                )
        with pytest.raises(ModelError, match="need a tokenizer"):
            evaluate(backend("completions", server.url), corpus, ["cscx_strategy_choice"])
        assert server.asked == []


def test_a_batch_is_so_many_requests_at_once(corpus):
    with llm_server(stumbling(Act(status=500))) as server:
        results = evaluate(
            backend("completions", server.url, batch_size=3), corpus, ["csc_conv_ref"]
        )
        assert server.most <= 3 and all(
            isinstance(body["prompt"], list) and len(body["prompt"]) == 1 for body in server.asked
        )
    assert results["results"]["csc_conv_ref"]["failed,none"] == pytest.approx(1 / 13)
