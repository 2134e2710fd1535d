"""Deployed agents as an lm_eval model: what they are told, in which session, what becomes of their
replies, and that nothing secret leaves.
"""

import asyncio
import itertools
import json
from collections import defaultdict
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest
from lm_eval import simple_evaluate
from lm_eval.api.registry import get_model
from lm_eval.tasks import TaskManager

from csc_tasks import TASKS_DIR, autoload
from csc_tasks.errors import CscError, ModelError, SettingError
from csc_tasks.play import server as transport
from csc_tasks.play.agent.description import follow, read_agent
from csc_tasks.play.agent.exchange import SSE, AgentServer
from csc_tasks.play.agent.model import AgentLM
from csc_tasks.refusals import Parameters
from tests.support.agent_server import Told, agent_server
from tests.support.fakes import sample_conversations, write_corpus

KEY = "agent-key-0123456789"
STATEFUL = """
url: {url}
headers:
  X-Api-Key: ${{AGENT_KEY}}
request: {{session: "${{session}}", text: "${{message}}", language: "${{language}}"}}
reply: output.0.text
stateful: true
"""
STATELESS = """
url: {url}
request:
  history: ${{messages}}
  options: {{stream: false, limit: 3}}
reply: text
tokens: {{in: used.in, out: used.out}}
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Keys in the environment, no waiting, and a clock that goes on when it is looked at."""
    monkeypatch.setenv("AGENT_KEY", KEY)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)

    async def rest(seconds):
        pass

    ticks = itertools.count()
    monkeypatch.setattr(transport, "rest", rest)
    monkeypatch.setattr(transport, "perf_counter", lambda: next(ticks) / 4)
    monkeypatch.setattr("csc_tasks.play.agent.exchange.perf_counter", lambda: next(ticks) / 4)


def described(tmp_path, text, url, **arguments):
    file = tmp_path / "agent.yaml"
    file.write_text(text.format(url=url), encoding="utf-8")
    return AgentLM(model="bot", agent=str(file), **arguments)


def evaluate(lm, corpus, *tasks, metadata=None, **options):
    settings = {"csc_corpus": str(corpus), "csc_qa_corpus": str(corpus)} | (metadata or {})
    manager = TaskManager(include_path=str(TASKS_DIR), include_defaults=False, metadata=settings)
    options = {"bootstrap_iters": 0, **options}
    return simple_evaluate(lm, tasks=list(tasks), task_manager=manager, **options)


def said(conversations):
    """Id -> what the customer says before each scored turn, as one text."""
    told = {}
    for item in conversations:
        scored, start = item.scored_turns(), 0
        for turn in scored:
            words = [t.text for t in item.dialogue[start:turn] if t.speaker == "customer"]
            told.setdefault(item.conversation_id, []).append("\n".join(words))
            start = turn + 1
    return told


def test_a_stateful_agent_hears_each_conversation_in_order_in_a_session_of_its_own(
    corpus, tmp_path
):
    heard = defaultdict(list)

    def answer(body, number):
        heard[body["session"]].append(body["text"])
        text = f"reply {len(heard[body['session']])} to {body['session'][:4]}"
        return Told({"output": [{"text": text}]})

    with agent_server(answer) as made:
        lm = described(tmp_path, STATEFUL, made.url, num_concurrent=3)
        results = evaluate(lm, corpus, "csc_conv_gen")
    expected = said(sample_conversations())
    by_first = {tuple(texts) for texts in heard.values()}
    assert len(heard) == len(expected) == 5
    for texts in expected.values():
        # Where the customer says nothing a stage direction stands in.
        assert any(
            len(own) == len(texts)
            and all(a == b or (not b and a) for a, b in zip(own, texts, strict=True))
            for own in by_first
        )
    for sample in results["samples"]["csc_conv_gen"]:
        replies = [record["reply"] for record in sample["turns"]]
        assert [reply.split()[1] for reply in replies] == list(map(str, range(1, len(replies) + 1)))
        assert len({reply.split()[-1] for reply in replies}) == 1
    assert {headers["x-api-key"] for _, headers, _ in made.asked} == {KEY}
    assert {body["language"] for _, _, body in made.asked} == {"en", "zh"}
    assert KEY not in json.dumps(results, default=str)


def test_it_names_no_strategy_and_nothing_of_ours_is_shown_to_it(corpus, tmp_path):
    with agent_server(lambda body, _: Told({"text": "Hi there.", "used": {"in": 7}})) as made:
        lm = described(tmp_path, STATELESS, made.url)
        results = evaluate(lm, corpus, "csc_conv_ref", "csc_conv_gen", "csc_qa", limit=2)
    for task in ("csc_conv_ref", "csc_conv_gen"):
        names = {name.partition(",")[0] for name in results["results"][task]}
        assert not names & {"strategy_acc", "unparsed", "format_rate", "stage_overlap"}
        assert {"rouge_l_en", "bleu_4_zh", "failed"} & names
        csc = results["configs"][task]["metadata"]["csc"]
        assert (csc["prompt"], csc["variant"]) == ("spoken", "vanilla")
        assert csc["play"] == {"mode": "agent", "connections": 1}
        assert "strategy_acc" not in csc["signatures"]
        for sample in results["samples"][task]:
            for record in sample["turns"]:
                assert record["strategy"] is None
                assert record["unparsed"] is None
                assert record["reply"] == "Hi there."
                assert record["timing"] == {
                    "measured": "request",
                    "first_token_s": None,
                    "last_token_s": 0.25,
                    "tokens_in": 7,
                    "tokens_out": None,
                    "cost": None,
                }
    for path, _, body in made.asked:
        assert path == "/turn"
        assert body["options"] == {"stream": False, "limit": 3}
        roles = [message["role"] for message in body["history"]]
        assert roles[0] == roles[-1] == "user"
        assert "system" not in roles
        assert "Emotional Management" not in json.dumps(body, ensure_ascii=False)
    first = results["samples"]["csc_qa"][0]["answers"][0]
    assert first["reply"] == "Hi there."


def test_reference_context_has_the_gold_supporters_turns(corpus, tmp_path):
    with agent_server(lambda body, _: Told({"text": "Hm."})) as made:
        lm = described(tmp_path, STATELESS, made.url)
        evaluate(lm, corpus, "csc_conv_ref")
        shown = [message for _, _, body in made.asked for message in body["history"]]
        made.asked.clear()
        evaluate(lm, corpus, "csc_conv_gen")
        own = [message for _, _, body in made.asked for message in body["history"]]
    gold = {t.text for item in sample_conversations() for t in item.dialogue if t.strategy}
    assert {m["content"] for m in shown if m["role"] == "assistant"} & gold
    assert "Hm." not in {m["content"] for m in shown}
    assert "Hm." in {m["content"] for m in own if m["role"] == "assistant"}


def test_a_stream_tells_when_its_first_token_came(corpus, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    events = (
        json.dumps({"choices": [{"delta": {"role": "assistant"}}]}),
        json.dumps({"choices": [{"delta": {"content": "Good "}}]}),
        json.dumps({"choices": [{"delta": {"content": "morning."}}]}),
        json.dumps({"choices": [], "usage": {"prompt_tokens": 12, "completion_tokens": 3}}),
        "[DONE]",
    )
    with agent_server(lambda body, _: Told(events=events)) as made:
        lm = AgentLM(model="bot", base_url=made.url, stream=True)
        results = evaluate(
            lm, corpus, "csc_conv_gen", limit=1, metadata={"csc_price": [1000, 10000]}
        )
    (sample,) = results["samples"]["csc_conv_gen"]
    for record in sample["turns"]:
        assert record["reply"] == "Good morning."
        # The clock is looked at when the request goes out, at the first piece, and at the end.
        assert record["timing"] == {
            "measured": "request",
            "first_token_s": 0.25,
            "last_token_s": 0.5,
            "tokens_in": 12,
            "tokens_out": 3,
            "cost": 0.042,
        }
    _, headers, body = made.asked[0]
    assert headers["authorization"] == f"Bearer {KEY}"
    assert (body["model"], body["stream"]) == ("bot", True)
    assert body.keys() == {"model", "messages", "stream", "stream_options"}


def piece(text):
    return b"data: " + json.dumps({"choices": [{"delta": {"content": text}}]}).encode()


HI = piece("Hi "), piece("you")
AFTER = b"data: [DONE]\n\n"


def of_stream(*chunks, path="choices.0.delta.content"):
    """What becomes of a response whose bytes come in these chunks; reading past the end fails."""

    async def some():
        for chunk in chunks:
            yield chunk
        raise AssertionError("the stream is not closed, and was read on")

    async def asked():
        lm = AgentLM(model="bot", base_url="http://h/x?code=code-in-address", stream=True)
        lm.description = replace(lm.description, stream=path)
        server = AgentServer(lm, Parameters(), lambda: 0)

        async def exchanged(body):
            content = SimpleNamespace(iter_any=some if AFTER in chunks else partial(closed, chunks))
            return await server.read(
                SimpleNamespace(content=content, content_type=SSE, status=200, headers={})
            )

        server._exchanged = exchanged
        return await server._once({}, partial(server.reply, server.session_of("a")))

    return asyncio.run(asked())


async def closed(chunks):
    for chunk in chunks:
        yield chunk


@pytest.mark.parametrize(
    "chunks",
    [
        (HI[0] + b"\n\n" + HI[1] + b"\n\n",),
        (HI[0] + b"\n\n", AFTER.join([HI[1] + b"\n\n", b'data: {"error": "late"}\n\n'])),
        # Closed by the reader, not by the server.
        (HI[0] + b"\n\n" + HI[1] + b"\n\n", AFTER),
        # The last line is not ended, or its event is not.
        (HI[0] + b"\n\n", HI[1]),
        (HI[0] + b"\n\n", HI[1] + b"\n"),
        # All three ends of a line, cut anywhere; a byte order mark; comments and other fields.
        (HI[0] + b"\r\r" + HI[1] + b"\r\r",),
        (HI[0] + b"\r", b"\n\r", b"\n" + HI[1][:9], HI[1][9:] + b"\r\n\r\n"),
        (b"\xef\xbb\xbf" + HI[0] + b"\n\n: ping\nevent: x\nid: 1\n" + HI[1] + b"\n\n",),
        # One event in several lines of data, and two events without an empty line between them.
        (HI[0].replace(b"[", b"\ndata: [") + b"\n\n" + HI[1] + b"\n\n",),
        (HI[0] + b"\n" + HI[1] + b"\n", b"data: [DONE]\n"),
    ],
)
def test_a_stream_is_read_to_its_end_and_no_further(chunks):
    assert of_stream(*chunks).text == "Hi you"


@pytest.mark.parametrize(
    ("chunks", "named"),
    [
        ((b": ping\n\n",), "nothing at choices.0.delta.content of any event"),
        ((b'data: {"text": "Hi"}\n\n', AFTER), "nothing at choices.0.delta.content of any event"),
        ((piece(["Hi"]) + b"\n\n",), "no text at choices.0.delta.content: ['Hi']"),
        ((HI[0] + b"\n\n", HI[1][:-4] + b"\n\n"), "the response is not JSON: {"),
        ((b"data: " + b'{"a":' * 50_000,), "the response is not JSON: {"),
        # The key stands across the place where a long reply is cut.
        ((piece(["." * 84 + "code-in-address"]) + b"\n\n",), "." * 84 + "[key]"),
    ],
)
def test_a_stream_without_a_whole_reply_is_a_failure(chunks, named):
    outcome = of_stream(*chunks)
    assert (outcome.kind, named in outcome.detail) == ("odd", True)
    assert "code-in" not in outcome.detail


def test_an_empty_reply_in_a_stream_is_a_reply():
    assert of_stream(piece(None) + b"\n\n", piece("") + b"\n\n", AFTER).text == ""


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_nothing_follows_a_redirect_to_another_host(corpus, tmp_path, status):
    with agent_server(lambda body, _: Told({"output": [{"text": "stolen"}]})) as thief:
        place = thief.url.replace("127.0.0.1", "localhost")
        redirect = Told({}, status, {"Location": place})
        with agent_server(lambda body, _: redirect) as made:
            lm = described(tmp_path, STATEFUL, made.url)
            with pytest.raises(ModelError) as error:
                evaluate(lm, corpus, "csc_conv_gen", limit=1)
    assert thief.asked == []
    assert f"{status}: the server redirects to localhost" in str(error.value)
    assert KEY not in str(error.value)


def test_a_redirect_at_home_is_followed(corpus, tmp_path):
    def answer(body, number):
        if made.asked[number][0] == "/turn":
            return Told({}, 308, {"Location": "/v2/turn"})
        return Told({"text": "moved"})

    with agent_server(answer) as made:
        results = evaluate(
            described(tmp_path, STATELESS, made.url), corpus, "csc_conv_ref", limit=1
        )
    assert all(r["reply"] == "moved" for r in results["samples"]["csc_conv_ref"][0]["turns"])


def test_a_stateless_agent_is_asked_again_and_a_stateful_one_where_it_surely_heard_nothing(
    corpus, tmp_path
):
    def fails_once(body, number):
        if not number:
            return Told({"error": "later"}, 500)
        return Told({"text": "fine", "output": [{"text": "fine"}]})

    def busy_once(body, number):
        if not number:
            return Told({"error": "later"}, 429)
        return Told({"output": [{"text": "fine"}]})

    for answer, text, task, failed in (
        (fails_once, STATELESS, "csc_conv_gen", 0),
        (fails_once, STATEFUL, "csc_conv_gen", 1),
        (busy_once, STATEFUL, "csc_conv_gen", 0),
    ):
        with agent_server(answer) as made:
            lm = described(tmp_path, text, made.url)
            results = evaluate(lm, corpus, task, limit=1)
        (sample,) = results["samples"][task]
        assert sum(record["failed"] for record in sample["turns"]) == failed
        assert len(made.asked) == len(sample["turns"]) + 1 - failed


def test_what_is_no_reply_is_a_counted_failed_turn(corpus, tmp_path):
    def answer(body, number):
        return Told({"text": ["no", "text"]} if len(body["history"]) == 1 else {"text": "fine"})

    with agent_server(answer) as made:
        lm = described(tmp_path, STATELESS, made.url)
        settings = {"csc_max_failed": 1.0}
        results = evaluate(lm, corpus, "csc_conv_ref", limit=1, metadata=settings)
    (sample,) = results["samples"]["csc_conv_ref"]
    failed = [record for record in sample["turns"] if record["failed"]]
    assert len(failed) == 1
    assert failed[0]["failure"] == "no reply"


def test_a_secret_that_an_agent_echoes_is_nowhere(corpus, tmp_path, caplog):
    def answer(body, number):
        if number == 1:
            return Told({"error": {"message": f"bad key {KEY}"}}, 400)
        return Told({"output": [{"text": f"your key is {KEY}"}]})

    with agent_server(answer) as made:
        lm = described(tmp_path, STATEFUL, made.url)
        results = evaluate(lm, corpus, "csc_conv_gen", limit=1)
    assert KEY not in json.dumps(results, default=str)
    assert KEY not in caplog.text
    assert KEY not in repr(lm.description)
    assert results["samples"]["csc_conv_gen"][0]["turns"][0]["reply"] == "your key is [key]"


def test_an_agent_that_names_its_sessions(corpus, tmp_path):
    text = """
url: {url}
request: {{id: "${{session}}", say: "${{message}}"}}
reply: say
session: id
stateful: true
"""

    def answer(body, number):
        return Told({"id": body.get("id", f"s{number}"), "say": "yes"})

    with agent_server(answer) as made:
        evaluate(described(tmp_path, text, made.url), corpus, "csc_conv_gen", limit=2)
    ids = [body.get("id") for _, _, body in made.asked]
    assert ids.count(None) == 2
    assert {one for one in ids if one} == {
        f"s{place}" for place, one in enumerate(ids) if one is None
    }


def test_a_stateful_agent_is_not_for_reference_context(corpus, tmp_path):
    lm = described(tmp_path, STATEFUL, "http://127.0.0.1:9/x")
    with pytest.raises(ModelError, match="csc_conv_ref puts the gold supporter's turns"):
        evaluate(lm, corpus, "csc_conv_ref", limit=1)
    with pytest.raises(ModelError, match="gives no log-likelihoods"):
        evaluate(lm, corpus, "cscx_strategy_choice", limit=1)
    with pytest.raises(ModelError, match="is not told any strategy"):
        evaluate(lm, corpus, "cscx_conv_ref_oracle", limit=1)


def test_lm_eval_knows_it_and_its_own_models():
    autoload.register_agents()
    assert get_model("csc-agent") is AgentLM
    assert get_model("dummy") is not None


GOOD = {"url": "http://h/x", "request": {"m": "${messages}"}, "reply": "a.b"}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"replay": "x"}, "unknown key 'replay'; known: url, headers"),
        ({"url": "ftp://h/x"}, "url is 'ftp://h/x'; it must be an address"),
        ({"url": "http://me:secret@h/x"}, "url: holds a name or a password"),
        ({"url": "http://a-secret-token@h/x"}, "url: holds a name or a password"),
        ({"url": "htp://me:secret@h/x?code=secret"}, "url: holds a name or a password"),
        ({"url": "ftp://h/x?code=secret"}, "url is 'ftp://h/x'; it must be an address"),
        ({"url": "http://h:port/x"}, "url is 'http://h:port/x'; it must be an address"),
        ({"url": "http://h o/x"}, "url is 'http://h o/x'; it must be an address"),
        ({"url": None}, "url is None; it must be an address"),
        ({"reply": None}, "reply is None; it must be a path"),
        ({"request": "x"}, "request is 'x'; it must be a JSON object"),
        ({"request": {"m": "${AGENT_KEY}"}}, "request has ${AGENT_KEY}; it may have ${message}"),
        ({"request": {"m": "so: ${messages}"}}, "${messages} is a list"),
        ({"request": {"m": "${message}"}}, "request has no ${messages}, which an agent that"),
        ({"stateful": True}, "request has no ${message}, which a stateful agent needs"),
        ({"stateful": "yes"}, "stateful is 'yes'; it must be true or false"),
        ({"reply": "a..b"}, "reply is 'a..b'; it must be a path"),
        ({"stream": 1}, "stream is 1; it must be a path"),
        ({"tokens": {"all": "x"}}, "tokens is {'all': 'x'}; it must be"),
        ({"headers": {"Authorization": "Bearer x"}}, "header Authorization is written out"),
        ({"headers": {"X": "${NOT_SET_HERE}"}}, "needs the environment variable NOT_SET_HERE"),
        ({"headers": {"X": "a\nb"}}, "header X has a line break"),
        ({"headers": {"X-Auth-Token": "secret"}}, "header X-Auth-Token is written out"),
        ({"headers": {"Authorization ": "secret"}}, "'Authorization ' is no name of a header"),
        ({"headers": {"X": "${BLANK}"}}, "needs the environment variable BLANK"),
        ({"headers": ["X"]}, "headers must be names with texts"),
    ],
)
def test_a_description_that_does_not_fit_is_one_line(tmp_path, change, named):
    file = tmp_path / "agent.yaml"
    file.write_text(json.dumps(GOOD | change), encoding="utf-8")
    with pytest.raises(SettingError) as error:
        read_agent(file, {"AGENT_KEY": KEY, "BLANK": " "})
    assert named in str(error.value)
    assert "secret" not in str(error.value)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(str(file))


@pytest.mark.parametrize("odd", ["2024-01-01", "{1: a, b: c}"])
def test_a_request_that_no_json_can_hold_is_one_line(tmp_path, odd):
    file = tmp_path / "agent.yaml"
    file.write_text(f"url: http://h/x\nreply: a\nrequest: {{m: '${{messages}}', odd: {odd}}}")
    with pytest.raises(SettingError, match=r"agent\.yaml: request is no JSON object \("):
        read_agent(file)


@pytest.mark.parametrize("text", ["- a", "url: [", "a: !!python/object/new:os.system [x]", "a: *b"])
def test_what_is_no_plain_yaml_is_refused(tmp_path, text):
    file = tmp_path / "agent.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(CscError):
        read_agent(file)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({}, "needs a name, and either a file or an address"),
        ({"model": "bot"}, "either a file or an address"),
        ({"model": "bot", "agent": "a", "base_url": "b"}, "either a file or an address"),
        ({"model": "bot", "base_url": "http://h/x", "temprature": 1}, "'temprature'"),
    ],
)
def test_arguments_that_do_not_fit(arguments, named):
    with pytest.raises(SettingError) as error:
        AgentLM(**arguments)
    assert named in str(error.value)


def test_paths():
    assert follow({"a": [{"b": 1}]}, "a.0.b") == 1
    for path in ("a.1", "a.b", "c", "a.0.b.c"):
        with pytest.raises(LookupError):
            follow({"a": [{"b": 1}]}, path)
