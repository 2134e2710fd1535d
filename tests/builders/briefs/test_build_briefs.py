"""csc build briefs, by rule and by a model."""

import json
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO

import pyarrow.parquet as pq
import pytest

from builders.briefs.asking import customer_lines
from csc_tasks import corpora
from csc_tasks.cli import main
from csc_tasks.live import Brief
from csc_tasks.live.briefs import brief_by_rule
from csc_tasks.live.stored import briefs_of
from tests.support.fakes import write_corpus
from tests.support.live import ORDER, SECOND
from tests.support.llm_server import Act, llm_server


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"), [ORDER, SECOND], [])


def csc(*words):
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        status = main(list(map(str, words)))
    return status, out.getvalue(), err.getvalue()


def briefs(folder):
    rows = pq.read_table(folder / "briefs" / "test-00000-of-00001.parquet").to_pylist()
    return {row["conversation_id"]: Brief.from_json(row, "x") for row in rows}


def counts(folder):
    return json.loads((folder / "build.json").read_text())["counts"]


def test_rules_make_them_offline_and_the_task_reads_what_was_written(corpus, tmp_path):
    for name, words in (("a", ()), ("b", ("--llm", "none"))):
        status, printed, error = csc("build", "briefs", corpus, *words, "--out", tmp_path / name)
        assert (status, error) == (0, "")
        assert "briefs by rule: 2" in printed
    assert briefs(tmp_path / "a") == {
        item.conversation_id: brief_by_rule(item) for item in (ORDER, SECOND)
    }
    same = [(tmp_path / name / "build.json").read_bytes() for name in ("a", "b")]
    assert same[0] == same[1]
    read = corpora.load(str(tmp_path / "a"), "csconv", "test")
    assert read.content_hash == corpora.load(str(corpus), "csconv", "test").content_hash
    found = briefs_of(read, read.items)
    assert found.source == "stored" and len(found.briefs) == 2
    assert not list(tmp_path.glob("*.sqlite"))


def test_a_folder_with_briefs_goes_on_as_any_other(corpus, tmp_path):
    datasets = pytest.importorskip("datasets")
    assert csc("build", "briefs", corpus, "--out", tmp_path / "a")[0] == 0
    rows = datasets.load_dataset(str(tmp_path / "a"), "briefs", split="test")
    assert rows[0]["unknown"] is not None and set(rows.column_names) >= {"facts", "aim", "mood"}
    status, _, error = csc("review", "export", tmp_path / "a", "--out", tmp_path / "review")
    assert status == 0, error
    assert "brief: aim: My parcel has not arrived" in (tmp_path / "review/review.csv").read_text()


REPLY = {
    "facts": [
        {"name": "order number", "value": "ab-48213"},
        {"name": "colour", "value": "bright green"},
    ],
    "aim": "wants the parcel",
    "manner": "short and cross",
    "mood": "annoyed",
    "unknown": ["when it comes"],
}


def test_a_model_sees_the_customer_alone_and_is_held_to_its_words(corpus, tmp_path):
    def script(body, number):
        quoted = "savings" in json.dumps(body)
        reply = REPLY | ({"aim": SECOND.dialogue[2].text + " It is closed."} if quoted else {})
        return Act(json.dumps(reply | ({"facts": []} if quoted else {})))

    with llm_server(script) as server:
        words = ["--llm", "openai:m", "--base-url", server.url, "--out", tmp_path / "a"]
        status, _, error = csc("build", "briefs", corpus, *words)
    assert status == 0, error
    made = briefs(tmp_path / "a")["order"]
    assert [(fact.name, fact.value) for fact in made.facts] == [("order number", "ab-48213")]
    assert (made.aim, made.unknown) == ("wants the parcel", ("when it comes",))
    assert counts(tmp_path / "a")["facts_left_out_that_the_customer_did_not_say"] == 1
    asked = json.dumps([body["messages"] for body in server.asked])
    for conversation in (ORDER, SECOND):
        for turn in conversation.dialogue:
            assert (turn.text in asked) == (turn.speaker == "customer")


def test_a_quotation_and_a_broken_reply_become_briefs_by_rule_and_are_counted(corpus, tmp_path):
    quotation = "The warehouse sends a replacement parcel tomorrow."

    def script(body, number):
        if "savings" in json.dumps(body):
            return Act(json.dumps(REPLY | {"facts": []}))
        return Act(json.dumps(REPLY | {"aim": quotation}))

    with llm_server(script) as server:
        words = ["--llm", "openai:m", "--base-url", server.url, "--out", tmp_path / "a"]
        status, _, error = csc("build", "briefs", corpus, *words)
    assert status == 0, error
    assert briefs(tmp_path / "a")["order"] == brief_by_rule(ORDER)
    assert briefs(tmp_path / "a")["second"].aim == "wants the parcel"
    why = counts(tmp_path / "a")["briefs_by_rule_instead"]
    assert why == {"it quotes the recorded supporter": 1}


def test_the_stand_in_makes_what_the_rules_make_of_the_customers_words(tmp_path):
    status, _, error = csc("build", "briefs", "demo", "--llm", "scripted", "--out", tmp_path / "a")
    assert status == 0, error
    items = {item.conversation_id: item for item in corpora.load("demo", "csconv", "test").items}
    made = briefs(tmp_path / "a")
    assert made.keys() == items.keys()
    rules = {name: brief_by_rule(item) for name, item in items.items()}
    assert all(made[name].aim == rules[name].aim for name in items)
    assert counts(tmp_path / "a")["briefs_by_the_model"] == len(items)


def test_supporter_turns_are_gaps():
    assert customer_lines(SECOND).splitlines() == [
        "…",
        "Customer: I want to close my savings account.",
        "…",
        "Customer: I cannot remember it.",
        "…",
        "Customer: Thank you, bye.",
    ]


def test_a_plan_is_for_a_model(corpus, tmp_path):
    status, _, error = csc("build", "briefs", corpus, "--plan", "5", "--out", tmp_path / "a")
    assert status == 1 and "are for briefs that a model makes" in error


def test_briefs_follow_their_conversations_when_references_are_held_out(corpus, tmp_path):
    assert csc("build", "briefs", corpus, "--out", tmp_path / "a")[0] == 0
    words = ["--out", tmp_path / "b", "--hold-out", tmp_path / "references.parquet"]
    status, _, error = csc("build", "hold-out", tmp_path / "a", *words)
    assert status == 0, error
    public = corpora.load(str(tmp_path / "b"), "csconv", "test")
    made = {brief.conversation_id: brief.aim for brief in briefs_of(public, public.items).briefs}
    assert made.keys().isdisjoint({"order", "second"})
    assert sorted(made.values()) == sorted(brief_by_rule(item).aim for item in (ORDER, SECOND))
