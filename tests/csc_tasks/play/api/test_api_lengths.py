"""API servers whose model cannot read a whole prompt: the oldest turns are left out."""

import json

import pytest

from csc_tasks.errors import ModelError
from csc_tasks.languages import language as language_of
from tests.support.api_faults import (
    BOTH_APIS,
    CONNECTIONS,
    GOOD,
    LIMIT,
    backend,
    evaluate,
    records,
    text_of,
    too_long,
)
from tests.support.fakes import sample_conversations, sample_questions, write_corpus
from tests.support.llm_server import Act, llm_server

en = language_of("en").words


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
