"""A reply that cannot be used goes back with what is wrong, in the language of the prompt."""

import asyncio

import pytest

from csc_tasks.languages import languages
from csc_tasks.llm.outcomes import Malformed
from csc_tasks.llm.repair import HEAD, PROBLEM, TAIL, demand, excerpt, with_repair
from tests.support.llm_asking import GOOD, Said, ask_all, rows, user
from tests.support.llm_server import Act, in_turn
from tests.support.virtual_time import run


def asked_of(make_virtual, script, **arguments):
    """(the answer or the error, the bodies that were sent) of one question in virtual time."""
    bodies = []

    def keeping(body, number):
        bodies.append(body)
        return script(body, number)

    llm, _ = make_virtual(keeping, **arguments.pop("settings", {}))

    async def work():
        given = {"stage": "test", "messages": user("hello"), "item_id": "a", "reply": Said}
        try:
            return await llm.ask(**given | arguments)
        except Malformed as error:
            return error

    return run(work()), bodies, llm


def test_the_malformed_reply_and_what_is_wrong_go_back(make_virtual):
    script = in_turn(Act("Sure!"), Act('{"text": "fine"}'), Act(GOOD))
    answer, bodies, llm = asked_of(make_virtual, script, sampling={"temperature": 0})
    assert answer.parsed == Said(text="fine", finished=False) and answer.attempts == 3
    first, second, third = (body["messages"] for body in bodies)
    assert first == user("hello")
    assert [message["role"] for message in second] == ["user", "assistant", "user"]
    assert second[1]["content"] == "Sure!"
    assert "not JSON: Expecting value at line 1 column 1" in second[2]["content"]
    # Both replies stand in the third: the same prompt is never sent twice.
    assert third[:3] == second and third[3]["content"] == '{"text": "fine"}'
    assert "finished: Field required" in third[4]["content"]
    assert [row["attempt"] for row in rows(llm)] == [0, 1, 2]


def test_the_same_bad_reply_again_is_never_the_same_prompt_again(make_virtual):
    error, bodies, _ = asked_of(
        make_virtual, in_turn(Act("no")), sampling={"temperature": 0}, settings={"attempts": 4}
    )
    assert isinstance(error, Malformed) and len(error.problems) == 4
    assert len({str(body["messages"]) for body in bodies}) == 4


def test_a_stopped_conversation_is_replayed(make_virtual, make):
    script = in_turn(Act("Sure!"), Act(GOOD))
    asked_of(make_virtual, script)
    answer, bodies, llm = asked_of(make_virtual, script)
    assert answer.parsed.text == "fine" and bodies == [] and llm.replayed == 2


def test_a_server_that_repairs_when_told_costs_one_request_more(make_virtual):
    def script(body, number):
        return Act(GOOD if "JSON" in body["messages"][-1]["content"] else "Of course: fine")

    llm, server = make_virtual(script)
    outcome = ask_all(llm, range(20), reply=Said, run=run)
    assert len(outcome.results) == 20 and server.count == 40


@pytest.mark.parametrize(
    ("language", "words"), [("zh", "不能用：the reply is empty"), ("es", "no se puede usar: the")]
)
def test_it_is_told_in_the_language_of_the_prompt(make_virtual, language, words):
    answer, bodies, _ = asked_of(make_virtual, in_turn(Act(""), Act(GOOD)), language=language)
    assert answer.parsed.text == "fine"
    assert words in bodies[1]["messages"][2]["content"]
    # Not every server takes an empty message.
    assert bodies[1]["messages"][1]["content"].strip()


def test_a_cut_reply_is_told_to_be_shorter(make_virtual):
    script = in_turn(Act('{"text": "and so', finish="length"), Act(GOOD))
    _, bodies, _ = asked_of(make_virtual, script)
    assert "Be shorter" in bodies[1]["messages"][2]["content"]
    assert "shorter" not in demand("not JSON", "en")


def test_a_huge_reply_goes_back_cut(make_virtual):
    huge = '{"text": "' + "x" * 1_000_000
    error, bodies, _ = asked_of(make_virtual, in_turn(Act(huge)))
    assert isinstance(error, Malformed)
    assert max(len(str(body["messages"])) for body in bodies) < 2 * (HEAD + TAIL + PROBLEM) + 1000


def test_what_goes_back_can_be_sent():
    assert excerpt("a" * 4000 + "b" * 4000) == "a" * HEAD + " [...] " + "b" * TAIL
    messages = with_repair(user("q"), "half \ud83d\x00 and\x07", "p" * 9000, "en")
    str(messages).encode()
    assert messages[1]["content"] == "half ?\ufffd and\ufffd"
    assert len(messages[2]["content"]) < PROBLEM + 300


def test_a_model_without_room_for_the_repair_is_dropped_for_its_reply(make_virtual):
    def script(body, number):
        if len(body["messages"]) == 1:
            return Act("prose")
        error = {"message": "too long", "code": "context_length_exceeded"}
        return Act(status=400, body={"error": error})

    for _ in range(2):
        error, _, _ = asked_of(make_virtual, script)
        assert isinstance(error, Malformed) and error.reason == "test: malformed reply"
        assert "not JSON" in error.detail


@pytest.mark.parametrize("code", list(languages()))
def test_every_shipped_language_says_it(code):
    told = demand("PROBLEM", code)
    assert "PROBLEM" in told and "${" not in told
    assert code == "en" or told != demand("PROBLEM", "en")


def test_a_moderation_endpoint_is_asked_the_same_again(make_virtual):
    llm, _ = make_virtual(in_turn(Act(GOOD)))
    seen = []

    async def odd(request):
        from csc_tasks.llm.exchange import Reply

        seen.append(request.messages)
        return Reply("not JSON")

    llm.backends[""].complete = odd

    async def work():
        with pytest.raises(Malformed):
            await llm.ask(
                stage="test", messages=user("x"), item_id="a", reply=Said, kind="moderation"
            )

    asyncio.run(work())
    assert seen == [user("x")] * 3
