"""csc build qa against a chat server: errors of every stage, the moderation endpoint, defaults."""

import json

import pytest

from builders.qa.moderation import Moderator
from tests.support.built_folders import files_of, record_of
from tests.support.llm_server import Act, llm_server
from tests.support.qa_builds import all_rows
from tests.support.qa_recordings import (
    asked_stage,
    over_http,
    played,
    recordings,
    spoken,
    write_source,
)
from tests.support.qa_with_models import CLEAN, build, chosen, run, said


@pytest.fixture
def source(tmp_path):
    """Three talks of 8 turns; what the second one's customer says is marked."""
    rows = [
        spoken(
            f"c{n}", [f"Talk {n}{'!' if n == 1 else ','} part {i} of the matter." for i in range(8)]
        )
        for n in range(3)
    ]
    return write_source(tmp_path / "calls.jsonl", rows)


BAD = {
    "garbage": (Act("Sure, here you are"), "malformed reply"),
    "nothing": (Act(""), "malformed reply"),
    "no choice": (Act(None, choices=[]), "malformed reply"),
    "another form": (Act('{"text": "fine"}'), "malformed reply"),
    "cut": (Act('{"answer": "It is', finish="length"), "malformed reply"),
    "refusal": (Act(None, message={"refusal": "no"}), "refused"),
    "filtered": (
        Act(status=400, body={"error": {"message": "filtered", "code": "content_filter"}}),
        "refused",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_an_answer_that_cannot_be_refined_is_dropped(tmp_path, source, name):
    """Never is the answer as it was passed off as the refined one."""
    act, reason = BAD[name]

    def script(body, number):
        stage = asked_stage(body["messages"])
        return (
            act
            if stage == "refine" and "The agent's answer: Talk 1!" in said(body)
            else over_http()(body, number)
        )

    with llm_server(script) as server:
        assert build(source, tmp_path / "set", server, "--moderation", "none") == 0
    counts, rows = record_of(tmp_path / "set")["counts"], all_rows(tmp_path / "set")
    assert (
        counts["pairs_dropped"] == {f"refine: {reason}": 4}
        and counts["pairs_kept"] == len(rows) == 8
    )
    assert not any(row["agent_answer"].startswith("Talk 1!") for row in rows)
    assert all(row["refined_agent_answer"] != row["agent_answer"] for row in rows)


MODERATION = {
    "garbage": ("I see nothing wrong here.", "malformed reply"),
    "text for a truth": (
        '{"reason": "Why.", "flagged": "false", "categories": []}',
        "malformed reply",
    ),
    "a contradiction": (
        '{"reason": "Why.", "flagged": false, "categories": ["hate"]}',
        "malformed reply",
    ),
    "another contradiction": (
        '{"reason": "Why.", "flagged": true, "categories": []}',
        "malformed reply",
    ),
    "an unknown kind": (
        '{"reason": "Why.", "flagged": true, "categories": ["rude"]}',
        "malformed reply",
    ),
    "half of it": ('{"reason": "Why.", "flagged": false}', "malformed reply"),
    "no reason": ('{"flagged": false, "categories": []}', "malformed reply"),
    "a flag": (
        '{"reason": "Why.", "flagged": true, "categories": ["hate", "violence"]}',
        "flagged",
    ),
    "a refusal": (None, "refused"),
}


@pytest.mark.parametrize("name", MODERATION)
def test_what_is_not_judged_clean_is_dropped_whole(tmp_path, source, name):
    text, reason = MODERATION[name]

    def script(body, number):
        if asked_stage(body["messages"]) == "moderate":
            act = Act(text) if text else Act(None, message={"refusal": "no"})
            return act if "Talk 1!" in said(body) else Act(CLEAN)
        assert "Talk 1!" not in said(body), (
            "something was asked about a conversation that is not clean"
        )
        return over_http()(body, number)

    with llm_server(script) as server:
        assert build(source, tmp_path / "set", server) == 0
    counts = record_of(tmp_path / "set")["counts"]
    assert (
        counts["conversations_dropped"] == {f"moderate: {reason}": 1} and counts["pairs_kept"] == 8
    )
    assert counts["moderation_flagged"] == (
        {"hate": 1, "violence": 1} if reason == "flagged" else {}
    )
    assert not any("Talk 1!" in json.dumps(row) for row in all_rows(tmp_path / "set"))


def judged(body, flagged=(), short=0):
    """What a moderation endpoint answers."""
    results = [
        {
            "flagged": any(mark in text for mark in flagged),
            "categories": {"hate": any(mark in text for mark in flagged), "violence": False},
        }
        for text in body["input"]
    ]
    return Act(body={"id": "modr-1", "model": "omni", "results": results[: len(results) - short]})


def test_the_moderation_endpoint_judges_every_turn(tmp_path, source):
    def script(body, number):
        return (
            judged(body, flagged=["Talk 1! part 5"])
            if "input" in body
            else over_http()(body, number)
        )

    with llm_server(script) as server:
        assert (
            build(source, tmp_path / "set", server, "--moderation", "openai:omni-moderation-latest")
            == 0
        )
        asked = [
            body
            for body, path in zip(server.asked, server.paths, strict=True)
            if path == "/v1/moderations"
        ]
    assert len(asked) == 3 and {tuple(body) for body in asked} == {("model", "input")}
    assert {body["model"] for body in asked} == {"omni-moderation-latest"} and {
        len(body["input"]) for body in asked
    } == {8}
    record = record_of(tmp_path / "set")
    assert record["counts"]["conversations_dropped"] == {"moderate: flagged": 1} and record[
        "counts"
    ]["moderation_flagged"] == {"hate": 1}
    assert record["models"] == {
        "moderate": "openai:omni-moderation-latest",
        "summary": "openai:m",
        "refine": "openai:m",
    }
    assert "`openai:omni-moderation-latest`" in (tmp_path / "set" / "README.md").read_text(
        encoding="utf-8"
    )
    # Started again, everything is read from the journal.
    before = files_of(tmp_path / "set")
    with llm_server(script) as again:
        again.url = server.url
        assert (
            build(source, tmp_path / "set", again, "--moderation", "openai:omni-moderation-latest")
            == 0
        )
        assert again.count == 0
    assert files_of(tmp_path / "set") == before


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (lambda body: judged(body, short=1), "moderate: malformed reply"),
        (lambda body: Act(body={"results": [{"flagged": None}] * 8}), "moderate: malformed reply"),
        (
            lambda body: Act(
                body={"results": [{"flagged": False, "categories": {"hate": True}}] * 8}
            ),
            "moderate: flagged",
        ),
        (
            lambda body: Act(
                status=400, body={"error": {"message": "no", "code": "content_policy_violation"}}
            ),
            "moderate: refused",
        ),
    ],
)
def test_an_endpoint_that_does_not_judge_fails_closed(tmp_path, act, reason):
    async def worker(llm, item):
        return await Moderator(llm, endpoint=True).check(item)

    with llm_server(lambda body, number: act(body)) as server:
        outcome, _ = run(tmp_path, server, [chosen()], worker)
    assert outcome.dropped == {reason: 1}


def test_an_endpoint_that_is_down_stops_the_build(tmp_path, source, capsys):
    """Nothing passes for moderated: the same command goes on when the server is back."""
    for act in (Act(status=500), Act(body={"choices": []}), Act(body=[])):
        with llm_server(lambda body, number, act=act: act) as server:
            assert (
                build(
                    source, tmp_path / "set", server, "--moderation", "openai:omni", "--retries", 1
                )
                == 1
            )
        error = capsys.readouterr().err.splitlines()[-1]
        assert (
            error.startswith("error: openai:omni at")
            and "run the same command again when the server is back" in error
        )
        assert not (tmp_path / "set").exists()


def test_without_llm_the_papers_models_are_asked(tmp_path, source):
    with llm_server(over_http()) as server:
        assert (
            build(
                source,
                tmp_path / "set",
                server,
                "--variant",
                "long=tokens:400",
                "--variant",
                "other=llm:openai:mine",
                llm=(),
            )
            == 0
        )
    assert record_of(tmp_path / "set")["models"] == {
        "moderate": "openai:gpt-4o-mini",
        "summary": "openai:gpt-4o-mini",
        "summary_long": "openai:gpt-4o-mini",
        "summary_other": "openai:mine",
        "refine": "openai:gpt-4.1",
    }
    models = {(asked_stage(body["messages"]), body["model"]) for body in server.asked}
    assert models == {
        ("moderate", "gpt-4o-mini"),
        ("summary", "gpt-4o-mini"),
        ("summary", "mine"),
        ("refine", "gpt-4.1"),
    }


def test_a_variant_goes_to_the_model_of_summaries_and_may_have_its_own_prompt(tmp_path, source):
    prompt = tmp_path / "mine.txt"
    prompt.write_text("Sum it up!\n\n${earlier}\n\n${turns}")

    def script(body, number):
        return (
            Act("My summary.")
            if body["messages"][0]["content"].startswith("Sum it up!")
            else over_http()(body, number)
        )

    with llm_server(script) as server:
        specs = ("openai:m", "summary=openai:s")
        assert (
            build(
                source,
                tmp_path / "set",
                server,
                "--variant",
                f"mine=prompt:{prompt}",
                "--moderation",
                "none",
                llm=specs,
            )
            == 0
        )
    assert {
        body["model"]
        for body in server.asked
        if body["messages"][0]["content"].startswith("Sum it up!")
    } == {"s"}
    assert {row["history_summary"] for row in all_rows(tmp_path / "set", "qa_mine")} == {
        "",
        "My summary.",
    }
    settings = record_of(tmp_path / "set")["settings"]["variants"]
    assert (
        settings["qa"] == {"tokens": 250, "prompt": "qa_summary"}
        and len(settings["qa_mine"]["prompt"]) == 16
    )


def test_a_pair_is_in_all_variants_or_in_none(tmp_path, source):
    def script(body, number):
        if body["model"] == "bad" and "Talk 1! part 3" in said(body):
            return Act(None, message={"refusal": "no"})
        return over_http()(body, number)

    with llm_server(script) as server:
        assert (
            build(
                source,
                tmp_path / "set",
                server,
                "--variant",
                "bad=llm:openai:bad",
                "--moderation",
                "none",
            )
            == 0
        )
    counts = record_of(tmp_path / "set")["counts"]
    assert counts["pairs_dropped"] == {"summary_bad: refused": 3 - 1} and counts["pairs_kept"] == 10
    assert len(all_rows(tmp_path / "set")) == len(all_rows(tmp_path / "set", "qa_bad")) == 10


def test_a_server_with_faults_gives_the_same_set_as_one_without(tmp_path):
    source = write_source(tmp_path / "calls.jsonl", recordings(4))
    for name, faulty in (("plain", False), ("faulty", True)):
        with llm_server(over_http(faulty)) as server:
            assert build(source, tmp_path / name, server) == 0
    run = json.loads((tmp_path / "faulty" / "run.json").read_text())
    assert {"server", "transport", "busy"} <= run["failures"].keys() and sum(
        stage["malformed"] for stage in run["stages"].values()
    ) > 1
    assert (
        files_of(tmp_path / "plain") == files_of(tmp_path / "faulty")
        and len(all_rows(tmp_path / "plain")) > 40
    )


def test_a_server_that_answers_garbage_leaves_nothing_and_says_so(tmp_path, source, capsys):
    with llm_server(lambda body, number: Act("lorem ipsum 的的的 <|im_end|>")) as server:
        assert build(source, tmp_path / "set", server) == 1
        error = capsys.readouterr().err.splitlines()[-1]
        assert (
            error == "error: none of the 3 conversations gave a row, so nothing was written; "
            "conversations dropped: 3 moderate: malformed reply"
        )
        assert build(source, tmp_path / "set", server, "--moderation", "none") == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert (
        error.endswith("so nothing was written; pairs dropped: 12 refine: malformed reply")
        and not (tmp_path / "set").exists()
    )


def test_the_stand_in_flags_and_refuses_a_few(tmp_path):
    """As many as it says: 1 in 60 conversations, 1 in 150 answers, and every one with a word of
    abuse.
    """
    from builders.wording import templates

    texts = [f"Customer: I have question {i}." for i in range(1200)]
    flagged = [
        json.loads(played(templates("en").messages("qa_moderate", history=text)))["flagged"]
        for text in texts
    ]
    assert 8 < sum(flagged) < 36
    assert all(
        json.loads(played(templates("en").messages("qa_moderate", history=f"{text} You idiot!")))[
            "flagged"
        ]
        for text in texts[:20]
    )
    asked = [
        templates("en").messages(
            "qa_refine", history="-", question="And?", answer=f"It takes {i} days."
        )
        for i in range(1200)
    ]
    refined = [played(messages) for messages in asked]
    assert 2 < sum(not isinstance(found, str) for found in refined) < 18
