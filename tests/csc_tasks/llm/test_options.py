"""The options that every verb shares which asks a model."""

import sys
from argparse import ArgumentParser

import pytest

from csc_tasks.errors import MissingExtra, SettingError
from csc_tasks.llm.client import LLM, llm_from_args
from csc_tasks.llm.journal.journal import Journal
from csc_tasks.llm.options import add_llm_arguments
from csc_tasks.price import Price

# Options


def parsed(*words):
    parser = ArgumentParser()
    add_llm_arguments(parser)
    return parser.parse_args(words)


def test_every_option_arrives(tmp_path):
    words = [
        "--llm",
        "openai:a",
        "--llm",
        "judge=scripted",
        "--base-url",
        "http://127.0.0.1:9/v1/",
        "--concurrency",
        "3",
        "--timeout",
        "7",
        "--retries",
        "2",
        "--attempts",
        "4",
        "--max-wait",
        "9",
        "--sampling",
        '{"top_p": null}',
        "--sampling",
        'judge={"a": "b=c"}',
        "--price",
        "1,2",
        "--price",
        "judge=3,4",
        "--max-requests",
        "5",
        "--max-cost",
        "6",
        "--retry-dropped",
        "--stop-after-failures",
        "8",
        "--max-tokens",
        "judge=300",
        "--max-tokens",
        "0",
        "--response-format",
        "judge=text",
    ]
    with llm_from_args(parsed(*words), tmp_path / "j.sqlite", stages=["planner", "judge"]) as llm:
        assert {
            stage: (backend.name, backend.model) for stage, backend in llm.backends.items()
        } == {
            "": ("openai", "a"),
            "judge": ("scripted", ""),
        }
        assert (llm.backends[""].base_url, llm.backends[""].timeout) == ("http://127.0.0.1:9/v1", 7)
        assert (llm.concurrency, llm.retries, llm.attempts, llm.max_wait, llm.retry_dropped) == (
            3,
            2,
            4,
            9,
            True,
        )
        assert llm.watch.size == 8
        # A bound is a request field like others, and no bound is one that is left out.
        assert llm.sampling == {
            "": {"top_p": None, "max_tokens": None},
            "judge": {"a": "b=c", "max_tokens": 300},
        }
        assert (llm.form("judge"), llm.form("planner")) == ("text", "auto")
        assert llm.budget.prices == {"": Price(1, 2), "judge": Price(3, 4)}
        assert (llm.budget.max_requests, llm.budget.max_cost) == (5, 6)
        assert llm.journal.path == tmp_path / "j.sqlite"
    with llm_from_args(
        parsed("--llm", "scripted", "--journal", str(tmp_path / "k")), tmp_path / "j.sqlite"
    ) as llm:
        assert llm.journal.path == tmp_path / "k"


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--llm", "gpt-4o"], "there is no backend 'gpt-4o'; there are openai, batch, scripted"),
        (["--llm", "openai"], "--llm openai needs a model"),
        (["--llm", "openai:"], "--llm openai needs a model"),
        (["--llm", "scripted:zh"], "--llm scripted takes no model"),
        (["--llm", "scripted", "--llm", "scripted"], "--llm is given twice for all other stages"),
        (
            ["--llm", "scripted", "--llm", "plan=scripted"],
            "--llm: there is no stage 'plan'; there are planner, judge",
        ),
        (["--llm", "judge=scripted"], "no --llm for planner"),
        (["--llm", "scripted", "--price", "1,2", "--price", "2,3"], "--price is given twice"),
        (["--llm", "scripted", "--price", "juge=1,2"], "--price: there is no stage 'juge'"),
        (["--llm", "scripted", "--max-tokens", "many"], "'many' is not [STAGE=]N"),
        (["--llm", "scripted", "--max-tokens", "plan=9"], "--max-tokens: there is no stage 'plan'"),
        (
            ["--llm", "scripted", "--response-format", "xml"],
            "'xml': there are json-schema, json-object, text",
        ),
        (
            ["--llm", "scripted", "--response-format", "plan=text"],
            "--response-format: there is no stage 'plan'",
        ),
        (
            ["--llm", "scripted", "--stop-after-failures", "-1"],
            "--stop-after-failures -1: at least 0",
        ),
        (["--llm", "scripted", "--sampling", "{"], "not JSON"),
        (["--llm", "scripted", "--sampling", "[1]"], "must be a JSON object"),
        (["--llm", "scripted", "--sampling", '{"messages": []}'], "sampling cannot hold messages"),
    ],
)
def test_options_that_do_not_fit(tmp_path, words, problem):
    with pytest.raises(SettingError) as caught:
        llm_from_args(
            parsed("--base-url", "http://127.0.0.1:9/v1", *words),
            tmp_path / "j",
            stages=["planner", "judge"],
        )
    assert problem in str(caught.value)
    Journal(tmp_path / "j").close()  # and the journal is free again


def test_the_openai_package_is_an_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(MissingExtra, match=r"pip install 'csc-tasks\[build\]'"):
        LLM.from_specs(["openai:model"], Journal(tmp_path / "j"), base_url="http://127.0.0.1:9/v1")
    LLM.from_specs(["scripted"], Journal(tmp_path / "k"))
