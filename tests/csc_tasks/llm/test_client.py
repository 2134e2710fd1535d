"""One request, one answer: what is sent, how it is read, and whose settings win."""

import asyncio

import pytest

from csc_tasks.errors import DataError, SettingError
from csc_tasks.llm.backends import register_scripted
from csc_tasks.llm.exchange import Reply, Usage
from csc_tasks.llm.outcomes import Fatal, Refused
from tests.support.llm_asking import (
    GOOD,
    KEY,
    Said,
    ask,
    rows,
    user,
)
from tests.support.llm_server import Act, echo, in_turn, llm_server


def test_a_plain_answer(make):
    with llm_server(in_turn(Act("  hello you\n"))) as server:
        llm = make(server.url, api_key=KEY)
        answer = ask(llm, sampling={"temperature": 0.5, "max_tokens": 20})
    assert (answer.text, answer.parsed, answer.thinking, answer.refused) == (
        "hello you",
        None,
        "",
        "",
    )
    assert (answer.usage, answer.model, answer.attempts) == (Usage(10, 5), "model-served", 1)
    (body,) = server.asked
    assert body.pop("seed") >= 0
    assert body == {
        "model": "model",
        "messages": user("hello"),
        "temperature": 0.5,
        "max_tokens": 20,
    }
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"
    (row,) = rows(llm)
    assert (row["state"], row["tries"], row["stage"], row["item_id"], row["outcome"]) == (
        "done",
        1,
        "test",
        "hello",
        "ok",
    )
    assert row["reply"]["text"] == "  hello you\n" and row["request"]["messages"] == user("hello")


def test_a_structured_answer_is_asked_for_by_its_schema(make):
    with llm_server(in_turn(Act(GOOD))) as server:
        answer = ask(make(server.url), reply=Said)
    assert answer.parsed == Said(text="fine", finished=False)
    form = server.asked[0]["response_format"]
    assert (
        form["type"] == "json_schema"
        and form["json_schema"]["name"] == "Said"
        and form["json_schema"]["strict"] is True
    )
    assert form["json_schema"]["schema"]["required"] == ["text", "finished"]
    assert form["json_schema"]["schema"]["additionalProperties"] is False


@pytest.mark.parametrize(
    ("act", "thinking", "output"),
    [
        (Act("<think>so and so</think>\nfine"), "so and so", 5),
        (Act("fine", message={"reasoning_content": "so and so"}), "so and so", 5),
        (Act("fine", message={"reasoning": "so and so"}), "so and so", 5),
        (Act("<think>and so</think>fine", message={"reasoning_content": "so"}), "so\nand so", 5),
        (Act("[THINK]so and so[/THINK]fine"), "so and so", 5),
        (
            Act(
                "<|channel|>analysis<|message|>so and"
                " so<|end|><|start|>assistant<|channel|>final<|message|>fine"
            ),
            "so and so",
            5,
        ),
        (Act([{"type": "text", "text": "fi"}, {"type": "text", "text": "ne"}]), "", 5),
        (Act("fine", usage=None), "", None),
        (Act("fine", usage={"prompt_tokens": "10", "completion_tokens": True}), "", None),
    ],
)
def test_what_servers_add_to_an_answer(make, act, thinking, output):
    with llm_server(in_turn(act)) as server:
        answer = ask(make(server.url))
    assert (answer.text, answer.thinking, answer.usage.output) == ("fine", thinking, output)


def test_thinking_tokens_are_counted_apart(make):
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 50,
        "completion_tokens_details": {"reasoning_tokens": 45},
    }
    with llm_server(in_turn(Act("fine", usage=usage))) as server:
        llm = make(server.url)
        assert ask(llm).usage == Usage(10, 50, 45)
    assert [
        (t.input_tokens, t.output_tokens, t.thinking_tokens, t.uncounted)
        for t in llm.journal.totals()
    ] == [(10, 50, 45, 0)]


def test_a_request_asked_twice_at_once_is_sent_once(make):
    with llm_server(in_turn(Act(delay=0.1))) as server:
        llm = make(server.url)

        async def work():
            asked = [
                llm.ask(stage="test", messages=user("same"), item_id="1", repeat=repeat)
                for repeat in (0, 0, 0, 1)
            ]
            found = await asyncio.gather(*asked)
            await llm.disconnect()
            return found

        assert [answer.text for answer in asyncio.run(work())] == ["fine"] * 4
    assert server.count == 2  # repeat 1 is meant to be independent
    assert (llm.sent, llm.replayed) == (2, 2)


@pytest.mark.parametrize(
    "change",
    [
        {"messages": user("other")},
        {"item_id": "other"},
        {"repeat": 1},
        {"sampling": {"temperature": 0.1}},
        {"reply": Said},
    ],
)
def test_anything_that_changes_a_request_makes_it_another(make, change):
    with llm_server(in_turn(Act(GOOD))) as server:
        ask(make(server.url))
        ask(make(server.url))
        assert server.count == 1
        ask(make(server.url), **change)
        assert server.count == 2


def test_the_model_is_a_part_of_a_request_and_the_server_is_none(make):
    with llm_server(in_turn(Act())) as one, llm_server(in_turn(Act())) as two:
        for url, settings in (
            (one.url, {}),
            (one.url, {"specs": ["openai:other"]}),
            (two.url, {}),
            (two.url, {"seed": 1}),
        ):
            ask(make(url, **settings))
        assert (one.count, two.count) == (2, 1)


def test_stages_have_their_models_and_the_users_sampling_wins(make):
    with llm_server(in_turn(Act())) as server:
        llm = make(
            server.url,
            specs=["openai:a:b=c", "summary=openai:d"],
            sampling={"": {"temperature": 0.1}, "summary": {"top_p": None}},
        )
        for stage in ("planner", "summary"):
            ask(llm, stage=stage, sampling={"temperature": 0.9, "top_p": 0.5})
    sent = [
        {name: body.get(name) for name in ("model", "temperature", "top_p")}
        for body in server.asked
    ]
    assert sent == [
        {"model": "a:b=c", "temperature": 0.1, "top_p": 0.5},
        {"model": "d", "temperature": 0.1, "top_p": None},
    ]
    assert "top_p" not in server.asked[1]


def test_several_event_loops_one_after_the_other(make):
    with llm_server(echo) as server:
        llm = make(server.url, concurrency=2)
        for text in ("a", "b"):
            # Without closing anything: the connections of the first loop die with it.
            answer = asyncio.run(llm.ask(stage="test", messages=user(text), item_id=text))
            assert answer.text == f"echo {text}"


# The stand-in


def test_scripted_functions_answer_through_the_same_path(make, monkeypatch):
    monkeypatch.setattr("csc_tasks.llm.backends._SCRIPTED", {})

    async def later(request):
        return Reply(None, refusal="no")

    register_scripted(
        "customer",
        lambda request: (
            GOOD if request.attempt else f"{request.item_id} {request.sampling['seed']}"
        ),
    )
    register_scripted("supporter", later)
    llm = make(None, specs=["scripted"], api_key="")
    answer = ask(llm, stage="customer", reply=Said)
    assert answer.parsed.text == "fine" and answer.attempts == 2 and answer.usage == Usage(0, 0)
    with pytest.raises(Refused):
        ask(llm, stage="supporter")
    with pytest.raises(
        Fatal, match="nothing plays the stage 'judge'; scripted are customer, supporter"
    ):
        ask(llm, stage="judge")
    # Recorded like any other, and seeded by what is asked.
    first = rows(llm)[0]
    assert (first["backend"], first["reply"]["text"]) == (
        "scripted",
        f"hello {first['request']['sampling']['seed']}",
    )


def test_a_request_that_is_no_json_names_its_item(make):
    llm = make(None, specs=["scripted"], api_key="")
    for wrong in (
        {"messages": user("half \ud83d")},
        {"sampling": {"temperature": float("nan")}},
        {"sampling": {"stop": {1, 2}}},
    ):
        with pytest.raises(DataError, match="test conv-7: the request cannot be written as JSON"):
            ask(llm, **{"item_id": "conv-7", **wrong})
    with pytest.raises(SettingError, match="sampling cannot hold n"):
        ask(llm, sampling={"n": 2})
