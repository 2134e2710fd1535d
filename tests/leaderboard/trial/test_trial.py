"""`csc trial` from transcripts to the page, its steps in this process: local stubs for a model's
server and an agent, and the offline stand-in for labels.
"""

import json
import random

import pytest

from csc_tasks.cli import main
from leaderboard.trial import command, steps
from tests.support.agent_server import Told, agent_server
from tests.support.browser import PHONE, opened
from tests.support.quick_lm_eval import only_our_tasks
from tests.support.servers import chat_server

TURNS = (
    ("user", "My parcel 4711 has not arrived, mail me at anna.b@posteo.de please."),
    ("assistant", "Good morning, I am sorry to hear that. When did you order?"),
    ("user", "Two weeks ago."),
    ("assistant", "I have sent it again, it arrives on Monday. Anything else?"),
    ("user", "No, thank you."),
    ("assistant", "Thank you for calling, goodbye."),
)


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    """Each step is the verb itself: starting Python and lm_eval again takes seconds."""
    ran = []

    def status_of(words):
        ran.append(words)
        return main(words)

    monkeypatch.setattr(steps, "status_of", status_of)
    only_our_tasks(monkeypatch)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    return ran


@pytest.fixture
def source(tmp_path):
    lines = []
    for number in range(6):
        messages = [{"role": role, "content": f"{text} ({number})"} for role, text in TURNS]
        lines.append(json.dumps({"messages": messages}))
    file = tmp_path / "chats.jsonl"
    file.write_text("\n".join(lines) + "\n")
    return file


def named(body):
    names = ("Greeting", "Problem Refinement", "Appreciation and Closure")
    return f"[{random.Random(str(body)).choice(names)}] It is order 99812.", "stop"


def test_transcripts_end_in_one_sentence_and_a_page(tmp_path, source, capsys, in_this_process):
    out = tmp_path / "trial"
    with (
        chat_server(named) as server,
        agent_server(
            lambda body, _: Told({"choices": [{"message": {"content": "Hello, I can help."}}]})
        ) as agent,
    ):
        server.usage = {"prompt_tokens": 400, "completion_tokens": 20}
        words = [
            *("trial", str(source), "--out", str(out), "--label-llm", "scripted"),
            *("--candidates", f"openai:stub,base_url={server.url}", f"shop={agent.url}"),
            *("--tasks", "csc_conv_gen", "--raters", "1", "--price", "stub=1,10"),
        ]
        assert main(words) == 0
        said = capsys.readouterr().out
        asked = len(server.asked), len(agent.asked)
        # Everything is there: the same command asks nobody again, and ends in the same sentence.
        count = len(in_this_process)
        assert main(words) == 0
        assert (len(server.asked), len(agent.asked)) == asked == (18, 18)
        again = capsys.readouterr().out.splitlines()[-1]
        assert main([*words, "--json", "--quiet"]) == 0
        document = json.loads(capsys.readouterr().out)
        assert len(in_this_process) == count
    verbs = [" ".join(words[:2]) for words in in_this_process]
    assert verbs == [
        *("build transcripts", "label run", "evaluate --model", "evaluate --model"),
        *("label samples", "label samples", f"collect {out / 'read' / 'stub'}"),
    ]
    # Both machines are this one, so nothing was listed and nobody was asked.
    assert "would be sent" not in said
    assert "anna.b@posteo.de" not in str([body for *_, body in agent.asked])
    sentence = said.splitlines()[-1]
    assert sentence == again == document["sentence"]
    assert document["chosen"][0] == document["candidates"][0]["name"]
    by_name = {one["name"]: one for one in document["candidates"]}
    assert by_name.keys() == {"stub", "shop"}
    told = by_name["stub"]["tasks"]["csc_conv_gen"]
    assert (told["tokens_in/conversation"]["value"], told["cost/conversation"]["value"]) == (
        1200,
        pytest.approx(0.0018),
    )
    (pair,) = document["pairs"]
    first, second = (by_name[pair[end]]["value"]["value"] for end in ("better", "than"))
    assert pair["ahead"] == pytest.approx(first - second)
    assert f"{first * document['scale']:.1f} %" in sentence
    assert "Labelled by scripted: Strategy accuracy (csc_conv_gen)" in sentence
    page = (out / command.PAGE).read_text("utf-8")
    assert sentence in page
    # 3 turns a conversation: 1,200 tokens at 1 a million and 60 at 10 are 0.0018.
    assert "1.80 (1.80 to 1.80) for 1,000 conversations" in page or "1.80 for 1,000" in page
    assert "<small>1,200" in page
    assert "csc label samples" in page
    with opened(out / command.PAGE, size=PHONE, scripts=False) as (shown, complaints):
        assert shown.title() == sentence
        assert shown.locator("tbody tr").count() == 3
        assert shown.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
        assert not complaints


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--candidates", "hf:a", "hf:b", "--policy", "x"], "--policy: questions about it are"),
        (["--candidates", "hf:a"], "--candidates: give two or more"),
        (["--candidates", "hf:a", "hf:b", "--limit", "1"], "--limit 1: must be at least 2"),
        (["--candidates", "hf:a", "hf:b", "--price", "x"], "price 'x' is not IN,OUT"),
        (["--candidates", "hf:a", "hf:b", "--tasks", "csc_conv_gem"], "--tasks csc_conv_gem"),
        (["--candidates", "hf:a", "openai:b"], "nobody is there to be asked; give --yes to go on"),
    ],
)
def test_what_is_wrong_is_one_line_before_anything_runs(
    tmp_path, source, capsys, in_this_process, words, said
):
    assert main(["trial", str(source), "--out", str(tmp_path / "trial"), *words]) == 1
    assert capsys.readouterr().err.startswith(f"error: {said}")
    assert not in_this_process
    assert not (tmp_path / "trial").exists()


def test_hosts_are_listed_and_only_yes_goes_on(
    tmp_path, source, capsys, monkeypatch, in_this_process
):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    answers = iter(["", "n", "no way"])
    monkeypatch.setattr("builtins.input", lambda _: next(answers))
    words = ["trial", str(source), "--out", str(tmp_path / "t"), "--label-llm", "openai:big"]
    words += ["--candidates", "hf:a", "openai:b,base_url=http://gpu.example:8/v1", "--no-mask"]
    for _ in range(3):
        assert main(words) == 1
        said = capsys.readouterr()
        assert said.out == (
            "Customers' text (personal data as they are) would be sent to:\n"
            "  gpu.example: candidate b\n"
            "  api.openai.com: --label-llm openai:big\n"
        )
        assert said.err == "error: not confirmed; nothing was sent\n"
    assert not in_this_process


def test_a_dataset_is_not_said_to_be_masked(tmp_path, capsys, in_this_process):
    """Its texts go out as they stand in it: nothing of a trial masks them."""
    (tmp_path / "data" / "csconv").mkdir(parents=True)
    words = ["trial", str(tmp_path / "data"), "--out", str(tmp_path / "t")]
    assert main([*words, "--candidates", "hf:a", "openai:b"]) == 1
    said = capsys.readouterr()
    assert said.out.startswith("Customers' text (personal data as they are) would be sent to:")
    assert not in_this_process


def test_a_trial_that_was_killed_before_it_noted_a_step_goes_on(tmp_path, source, capsys):
    """Whatever a step has left, whole, is there when the record that it is done is not."""
    out = tmp_path / "trial"
    reply = Told({"choices": [{"message": {"content": "Hello, I can help."}}]})
    with chat_server(named) as server, agent_server(lambda body, _: reply) as agent:
        words = [
            *("trial", str(source), "--out", str(out), "--label-llm", "scripted"),
            *("--candidates", f"openai:stub,base_url={server.url}", f"shop={agent.url}"),
            *("--tasks", "csc_conv_gen", "--raters", "1", "--limit", "2"),
        ]
        assert main(words) == 0
        sentence = capsys.readouterr().out.splitlines()[-1]
        asked = len(server.asked), len(agent.asked)
        record = out / "trial.json"
        steps_done = json.loads(record.read_text())["done"]
        record.write_text(json.dumps({"done": {}}))
        assert main(words) == 0, capsys.readouterr().err
        assert json.loads(record.read_text())["done"].keys() == steps_done.keys()
        # Replies come from the cache, nobody is asked again.
        assert (len(server.asked), len(agent.asked)) == asked
    assert capsys.readouterr().out.splitlines()[-1] == sentence
