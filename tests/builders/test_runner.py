"""The frame that the builders share."""

import asyncio
import json
import subprocess
import sys
from argparse import ArgumentParser, Namespace

import pytest

from builders import runner
from builders.cards.render import Card
from builders.dataset import read_record
from builders.executors import add_executor
from csc_tasks.conversation import CUSTOMER, SUPPORTER, Conversation, Turn, content_id
from csc_tasks.errors import SettingError
from csc_tasks.llm.backends import register_scripted
from csc_tasks.llm.items import run_items
from csc_tasks.llm.options import add_llm_arguments
from csc_tasks.llm.outcomes import Stopped

CARD = Card("Title", "Summary.", "other", ("en",), "Source.", "Made.", ("Limit.",))


class Greeting(runner.Builder):
    """One conversation, in which a model greets."""

    OPTIONS = ("limit", "seed")
    stages = ("greet",)
    registered = 0

    def stand_in(self):
        type(self).registered += 1
        register_scripted("greet", lambda request: f"Hello {request.sampling['seed'] >= 0}!")

    def card(self, record):
        return CARD

    def make(self, llm):
        async def greet(item):
            messages = [{"role": "user", "content": "Greet."}]
            return (await llm.ask(stage="greet", messages=messages, item_id=item)).text

        outcome = asyncio.run(run_items(["one"], greet, llm))
        if not outcome.values:
            raise runner.NothingKept("nobody was greeted")
        (text,) = outcome.values
        turns = (Turn(CUSTOMER, "Hi."), Turn(SUPPORTER, text, "GT"))
        row = Conversation(content_id("t", text), "en", "Others", "test", turns).to_row()
        record = {
            "builder": "greeting",
            "settings": self.settings(llm, own=1),
            "models": self.models(llm),
            "counts": {"conversations": 1},
        }
        return runner.Built({"csconv": {"test": [row]}}, record, ("A note.",), ", and more")


def options(tmp_path, *words, llm="scripted"):
    parser = ArgumentParser()
    runner.add_out(parser)
    runner.add_limit(parser, "N")
    runner.add_seed(parser, "S")
    add_llm_arguments(parser)
    add_executor(parser)
    return parser.parse_args(["--out", str(tmp_path / "out"), "--llm", llm, *words])


def test_a_build_writes_the_folder_and_prints_counts_notes_and_places(tmp_path, capsys):
    runner.run(Greeting, options(tmp_path))
    out = tmp_path / "out"
    assert {path.name for path in out.iterdir()} == {
        "README.md",
        "build.json",
        "csconv",
        "manifest.json",
        "run.json",
    }
    printed = capsys.readouterr().out.split("\n")
    assert printed[0] == "conversations: 1"
    assert printed[-3:] == [
        "A note.",
        f"Wrote {out}; its README.md says how to load it. Every request is in"
        f" {out}.journal.sqlite, and more",
        "",
    ]


def test_settings_stand_in_build_json_in_one_order(tmp_path):
    runner.run(Greeting, options(tmp_path, "--limit", "3", "--seed", "4"))
    record = read_record(tmp_path / "out")
    assert list(record["settings"].items()) == [
        ("limit", 3),
        ("seed", 4),
        ("own", 1),
        ("sampling", {}),
    ]
    assert record["models"] == {"greet": "scripted"}


def test_a_second_run_reads_the_journal_and_replaces_the_folder(tmp_path, capsys):
    runner.run(Greeting, options(tmp_path))
    first = (tmp_path / "out" / "build.json").read_bytes()
    runner.run(Greeting, options(tmp_path))
    assert (tmp_path / "out" / "build.json").read_bytes() == first
    run = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))
    assert (run["requests_sent"], run["requests_read_from_the_journal"]) == (0, 1)
    assert "holds an earlier dataset" in capsys.readouterr().err


def test_a_limit_below_one_is_refused_before_anything_is_made(tmp_path):
    with pytest.raises(SettingError, match=r"^--limit 0: at least 1$"):
        runner.run(Greeting, options(tmp_path, "--limit", "0"))
    assert list(tmp_path.iterdir()) == []


def test_numbers_are_checked_by_the_option_s_own_name():
    args = Namespace(per_topic=0, fidelity=None)
    runner.check_least(args, fidelity=5)
    with pytest.raises(SettingError, match=r"^--per-topic 0: at least 1$"):
        runner.check_least(args, per_topic=1)


def test_the_stand_in_is_registered_only_where_it_plays(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    before = Greeting.registered
    words = ("--retries", "0", "--max-wait", "0")
    with pytest.raises(Stopped, match=r"127\.0\.0\.1"):
        runner.run(Greeting, options(tmp_path, *words, llm="openai:some-model"))
    assert Greeting.registered == before
    runner.run(Greeting, options(tmp_path))
    assert Greeting.registered == before + 1


def test_the_builders_are_there_where_the_stand_in_is_not():
    # None in sys.modules is an import that fails.
    script = """
import sys
sys.modules["builders.scripted"] = None
from csc_tasks.cli import main
for verb in ("csconv", "rolecs", "qa", "qa-stages", "profiles"):
    try:
        main(["build", verb, "--help"])
    except SystemExit as stopped:
        assert stopped.code == 0
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("--llm [STAGE=]BACKEND:MODEL") >= 5
