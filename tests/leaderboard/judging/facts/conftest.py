"""Runs that are audited, and one audit of them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from csc_tasks.conversation import Conversation, Turn
from tests.support.audited_facts import (
    ANSWER,
    ANSWERS,
    EVIDENCE,
    ITEMS,
    PAID,
    QUESTIONS,
    SAID,
    by_answers,
)
from tests.support.judged_models import curt, gold, wordy, write_model
from tests.support.llm_server import llm_server
from tests.support.made_results import conversation_result, question_result, write_run


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """One model in three tasks, with replies whose facts are known."""
    root = tmp_path_factory.mktemp("made")
    turns = [
        conversation_result(task, ITEMS, lambda item, turn: ("RP", SAID[turn]))
        for task in ("csc_conv_ref", "csc_conv_gen")
    ]
    write_run(root, "org/one", [*turns, question_result("csc_qa", QUESTIONS, lambda item: ANSWER)])
    return root


@pytest.fixture(scope="session")
def evidence_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("evidence") / "evidence.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in EVIDENCE), encoding="utf-8")
    return file


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    root = tmp_path_factory.mktemp("results")
    for name, talk in (
        ("org/wordy", wordy),
        ("org/other", lambda item, turn: f"{curt(item, turn)} {gold(item, turn)} $91.50 / 91.5元"),
    ):
        write_model(root, name, talk, documents=10)
    return root


@pytest.fixture(scope="session")
def answered(tmp_path_factory):
    """The folder that csc judge facts wrote when a judge answered as above, the requests it took,
    and what was printed.
    """
    root = tmp_path_factory.mktemp("answered")
    turns = (Turn("customer", PAID), Turn("supporter", "All is well.", "RP"))
    items = [Conversation(f"case-{i}", "en", "Others", "test", turns) for i in range(len(ANSWERS))]
    said = dict(zip((item.conversation_id for item in items), ANSWERS, strict=True))
    write_run(
        root / "runs",
        "org/one",
        [
            conversation_result(
                "csc_conv_ref", items, lambda item, turn: ("RP", said[item.conversation_id])
            )
        ],
    )
    with llm_server(by_answers) as server:
        words = [
            "judge",
            "facts",
            str(root / "runs"),
            "--llm",
            "m=openai:m1",
            "--base-url",
            server.url,
            "--attempts",
            "2",
        ]
        done = subprocess.run(
            [sys.executable, "-m", "csc_tasks.cli", *words, "--out", str(root / "out")],
            capture_output=True,
            text=True,
            env={**os.environ, "OPENAI_API_KEY": "none"},
            cwd=Path(__file__).resolve().parents[4],
        )
        assert done.returncode == 0, done.stderr
        return root, list(server.asked), done.stdout
