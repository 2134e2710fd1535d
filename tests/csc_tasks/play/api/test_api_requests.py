"""What API servers are sent: parameters that one refuses, log-likelihoods, batches."""

import json
import logging

import pytest

from csc_tasks.errors import CscError, ModelError
from tests.support.api_faults import (
    BOTH_APIS,
    CONNECTIONS,
    GOOD,
    backend,
    evaluate,
    records,
    stumbling,
)
from tests.support.llm_server import Act, in_turn, llm_server


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
