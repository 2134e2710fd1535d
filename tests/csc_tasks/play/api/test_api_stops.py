"""API servers that misbehave: when a run stops, with one line, and how long it waits before."""

from collections import Counter

import pytest
from lm_eval import simple_evaluate
from lm_eval.api.registry import get_model
from lm_eval.tasks import TaskManager

from csc_tasks import TASKS_DIR
from csc_tasks.errors import ModelError, SettingError
from tests.support.api_faults import (
    BOTH_APIS,
    CONNECTIONS,
    GOOD,
    backend,
    evaluate,
    is_bad,
    records,
    stumbling,
    text_of,
)
from tests.support.llm_server import Act, in_turn, llm_server


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
