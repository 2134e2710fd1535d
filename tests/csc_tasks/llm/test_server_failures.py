"""What a server may do wrong, against real sockets, and what becomes of the run."""

from collections import Counter

import pytest

from csc_tasks.llm.outcomes import Fatal, GivenUp, Stopped
from tests.support.llm_asking import GOOD, Said, ask, ask_all, ask_all_virtually, rows
from tests.support.llm_server import Act, in_turn, llm_server


# What is tried again, and as what it is counted. A published client tried everything 1,500 times,
# wrong keys included.
@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (Act(status=500), "server"),
        (
            Act(
                status=502, body=b"<html>bad gateway</html>", headers={"Content-Type": "text/html"}
            ),
            "server",
        ),
        (Act(status=503), "server"),
        (Act(status=529), "server"),
        (Act(drop=True), "transport"),
        (Act(cut=True), "transport"),
        (Act(body=b'{"choices": [{"mess'), "transport"),
        (
            Act(body=b"<html>please log in</html>", headers={"Content-Type": "text/html"}),
            "transport",
        ),
        (Act(body=b"[" * 100_000), "transport"),
        (Act(body=[1, 2]), "transport"),
        (Act(body={"detail": "loading"}), "transport"),
        (Act(body={"error": {"message": "upstream is down", "code": 502}}), "server"),
        (Act(body={"error": "odd"}), "server"),
        (Act(status=503, headers={"Retry-After": "0.02"}), "busy"),
        (Act(status=429), "busy"),
        (Act(body={"error": {"message": "slow down", "code": 429}}), "busy"),
    ],
)
def test_transport_failures_are_tried_again(make, act, kind):
    with llm_server(in_turn(act, act, then=Act("fine"))) as server:
        llm = make(server.url)
        assert ask(llm).text == "fine"
    assert server.count == 3
    assert llm.failures == Counter({kind: 2})
    (row,) = rows(llm)
    assert (row["state"], row["tries"]) == ("done", 3)


@pytest.mark.parametrize("act", [Act(delay=60), Act(trickle=1), Act(status=408)])
def test_a_reply_that_takes_too_long_is_a_timeout(make, act):
    """Nothing for a minute, one byte a second, or the server's own word: none is there in full when
    the time is over, on any machine.
    """
    with llm_server(in_turn(act)) as server:
        llm = make(server.url, timeout=0.2)
        with pytest.raises(GivenUp, match=r"test: timed out: (no reply within 0\.2 s|408)"):
            ask(llm, sampling={"temperature": 0})
    assert llm.failures == Counter(timeout=1)
    (row,) = rows(llm)
    assert (row["state"], row["tries"], row["outcome"]) == ("failed", 1, "timed out")


def test_a_server_that_is_gone_stops_the_run_after_a_bounded_number_of_tries(make):
    with llm_server(in_turn(Act(status=500))) as server:
        llm = make(server.url, retries=3)
        with pytest.raises(
            Stopped, match=r"no reply in 4 tries, at last 500: no luck .*nothing else was answered"
        ):
            ask_all(llm, range(20), concurrency=1)
        assert server.count == 4
        assert rows(llm)[0]["state"] == "failed"
        url = server.url
    with pytest.raises(Stopped, match="no reply in 2 tries"):  # nobody listens any more
        ask(make(url, retries=1))


def test_one_request_the_server_dies_of_does_not_keep_the_others(make_virtual):
    def script(body, number):
        return Act(status=500) if body["messages"][-1]["content"] == "3" else Act(delay=0.02)

    llm, server = make_virtual(script, retries=2)
    for runs, expected in enumerate([7 + 3, 0], 1):
        outcome = ask_all_virtually(llm, range(8), concurrency=2)
        assert [item for item, _ in outcome.drops] == [3]
        assert outcome.dropped == Counter({"test: unreachable": 1})
        assert [row["item_id"] for row in rows(llm) if row["state"] != "done"] == ["3"]
        # The same command again asks for nothing.
        assert server.count == expected, runs
        llm, server = make_virtual(script, retries=2)
    # Unless the user says so.
    llm, server = make_virtual(script, retries=2, retry_dropped=True)
    assert ask_all_virtually(llm, range(8)).dropped == Counter({"test: unreachable": 1})
    assert server.count == 3


@pytest.mark.parametrize("status", [401, 402, 403, 404])
def test_other_4xx_stop_the_build_at_once_with_the_servers_words(make, status):
    body = {"error": {"message": "the model 'model' does not exist", "code": "nope"}}
    with llm_server(in_turn(Act(status=status, body=body, delay=0.02))) as server:
        llm = make(server.url)
        with pytest.raises(
            Fatal,
            match=(
                f"openai:model at {server.url} .*test, .*{status}: the model 'model' does not exist"
            ),
        ):
            ask_all(llm, range(100), concurrency=4)
        assert server.count <= 4
        with pytest.raises(Fatal):
            ask(llm)
        assert server.count <= 4


@pytest.mark.parametrize(
    ("act", "error", "words"),
    [
        (
            Act(
                status=429,
                body={
                    "error": {
                        "message": "You exceeded your current quota",
                        "code": "insufficient_quota",
                    }
                },
            ),
            Fatal,
            "current quota",
        ),
        (
            Act(status=400, body={"error": {"message": "API key not valid. Please pass one."}}),
            Fatal,
            "API key not valid",
        ),
        (
            Act(status=422, body={"detail": [{"loc": ["body", "top_p"], "msg": "not a number"}]}),
            GivenUp,
            "test: rejected with 422: 422: body.top_p: not a number",
        ),
        (
            Act(status=400, body=b"no json", headers={"Content-Type": "text/plain"}),
            GivenUp,
            "400: no json",
        ),
        (Act(status=400, body=b""), GivenUp, "400"),
        (Act(status=409), GivenUp, "test: rejected with 409"),
        (Act(status=413), GivenUp, "test: too large for the server"),
        (Act(status=429, headers={"Retry-After": "3600"}), Stopped, "asks to wait 3,600 s"),
        (
            Act(status=429, headers={"Retry-After": "Fri, 01 Jan 2100 00:00:00 GMT"}),
            Stopped,
            "asks to wait",
        ),
        (
            Act(status=429, headers={"Retry-After": "0.01"}),
            Stopped,
            "nothing was answered for 0.3 s",
        ),
        (Act(status=429), Stopped, "nothing was answered for 0.3 s"),
    ],
)
def test_other_ends_of_a_request(make, act, error, words):
    with llm_server(in_turn(act)) as server, pytest.raises(error) as caught:
        ask(make(server.url, max_wait=0.3))
    assert words in str(caught.value)
    assert server.count < 60


@pytest.mark.parametrize(
    ("feature", "body"),
    [
        (
            "response_format",
            {"error": {"message": "response_format.type `json_schema` is unavailable now"}},
        ),
        (
            "response_format",
            {"error": {"message": "unknown parameter", "param": "response_format"}},
        ),
        (
            "response_format",
            {
                "detail": [
                    {
                        "loc": ["body", "response_format"],
                        "msg": "extra fields not permitted",
                        "input": {},
                    }
                ]
            },
        ),
        ("seed", {"error": {"message": "Unrecognized request argument supplied: seed"}}),
        ("seed", {"detail": [{"loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]}),
        (
            "temperature",
            {
                "error": {
                    "message": (
                        "Unsupported value: 'temperature' does not support 0.2 with this model."
                        " Only the default (1) value is supported."
                    ),
                    "param": "temperature",
                    "code": "unsupported_value",
                }
            },
        ),
        (
            "stop",
            {
                "error": {
                    "message": "Unsupported parameter: 'stop' is not supported with this model.",
                    "param": "stop",
                }
            },
        ),
        (
            "max_tokens",
            {
                "error": {
                    "message": (
                        "Unsupported parameter: 'max_tokens' is not supported with this model. Use"
                        " 'max_completion_tokens' instead."
                    ),
                    "param": "max_tokens",
                    "code": "unsupported_parameter",
                }
            },
        ),
    ],
)
def test_what_a_server_does_not_know_is_left_out_from_then_on(make, feature, body, capsys):
    status = 422 if "detail" in body else 400

    def script(asked, number):
        return (
            Act(status=status, body=body)
            if feature in asked
            else Act(f"Yes:\n```json\n{GOOD}\n```")
        )

    with llm_server(script) as server:
        llm = make(server.url)
        sampling = {"temperature": 0.2, "max_tokens": 9, "stop": ["."]}
        answers = [ask(llm, str(i), reply=Said, sampling=sampling) for i in range(3)]
        assert [answer.parsed.text for answer in answers] == ["fine"] * 3
        refused = [feature in asked for asked in server.asked]
        if feature == "response_format" and "schema" in str(body):
            # From the schema to any JSON object, to the prompt's words.
            kinds = [asked.get(feature, {}).get("type") for asked in server.asked]
            assert kinds == ["json_schema", "json_object", None, None, None]
            del server.asked[0], refused[0]
        assert refused == [True, False, False, False]
        other = {"response_format", "seed", *sampling} - {feature}
        assert all(other <= asked.keys() for asked in server.asked)
        # The token limit is not left out but told by its other name.
        limits = [asked.get("max_completion_tokens") for asked in server.asked]
        assert limits == ([None, 9, 9, 9] if feature == "max_tokens" else [None] * 4)
        assert llm.left_out() == ([] if feature == "max_tokens" else [f"openai:model: {feature}"])
        # The key does not depend on what the server takes.
        count = server.count
        assert ask(make(server.url), "0", reply=Said, sampling=sampling).parsed.text == "fine"
        assert server.count == count
    assert capsys.readouterr().err.count(f"openai:model does not take {feature}") == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_what_was_meant_for_a_server_follows_no_redirect(make, status):
    with llm_server(in_turn(Act("stolen"))) as other:
        place = f"{other.url}/chat/completions"
        with (
            llm_server(in_turn(Act(status=status, headers={"Location": place}))) as server,
            pytest.raises(Fatal, match=f"{status}: redirects to {place}; give that address"),
        ):
            ask(make(server.url))
        assert (server.count, other.count) == (1, 0)
