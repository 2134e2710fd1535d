"""API servers that misbehave: one bad turn is one failed turn, and the run ends with a table."""

from collections import Counter

import pytest
from lm_eval.utils import make_table

from tests.support.api_faults import (
    BOTH_APIS,
    CONNECTIONS,
    GOOD,
    LIMIT,
    TASKS,
    backend,
    evaluate,
    is_bad,
    records,
    stumbling,
    text_of,
    too_long,
)
from tests.support.fakes import write_corpus
from tests.support.llm_server import Act, in_turn, llm_server

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
