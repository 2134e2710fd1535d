"""`csc build transcripts --format tau2`: what both sides said, and nothing of tools."""

import json

import pytest

from csc_tasks import cli
from csc_tasks.corpora import load

HELLO = "Hi! How can I help you today?"
ASKS = "I would like to exchange my keyboard for one with clicky switches, please."
REPLY = "Your exchange is requested; an e-mail with the address follows within the hour."
CALL = {"id": "c1", "name": "get_order_details", "arguments": {"order_id": "#W2378156"}}
SAID = [("supporter", HELLO), ("customer", ASKS), ("supporter", REPLY)]


def message(role, content, **more):
    return {"role": role, "content": content, "turn_idx": 0, "cost": 0.1, **more}


# As tau2-bench writes it, shortened: a call without text, one with text that goes to the tool, its
# answer, and the customer's mark at the end.
MESSAGES = [
    message("assistant", HELLO, tool_calls=None),
    message("user", ASKS, tool_calls=None),
    message("assistant", None, tool_calls=[{**CALL, "requestor": "assistant"}]),
    {"role": "tool", "id": "c1", "content": '{"secret": 1}', "requestor": "assistant"},
    message("assistant", "Let me look that up.", tool_calls=[{**CALL, "requestor": "assistant"}]),
    {"role": "tool", "id": "c1", "content": '{"secret": 2}', "requestor": "assistant"},
    message("assistant", REPLY, tool_calls=None),
    message("user", "###STOP###", tool_calls=None),
]
TASK = {"id": "0", "description": {"notes": None}, "evaluation_criteria": {"actions": []}}
SIMULATION = {"id": "s1", "task_id": "0", "termination_reason": "user_stop", "messages": MESSAGES}
TAU = {"task_id": 0, "reward": 0.0, "info": {"task": {"user_id": "mia"}}, "trial": 0}


def build(source, out, *options):
    words = ["build", "transcripts", str(source), "--format", "tau2", "--out", str(out)]
    return cli.main([*words, *options])


def dialogues(folder):
    items = load(str(folder), "csconv", "test").items
    return sorted([(turn.speaker, turn.text) for turn in item.dialogue] for item in items)


def written(tmp_path, shape):
    """The same simulation as one file, as a folder of files, and as tau-bench has it."""
    source = tmp_path / "source"
    source.mkdir()
    whole = {"timestamp": "t", "info": {"seed": 1}, "tasks": [TASK], "simulations": [SIMULATION]}
    if shape == "folder":
        index = [{"id": "s1", "task_id": "0", "trial": 0, "reward": 1.0}]
        results = {"tasks": [TASK], "simulation_index": index}
        (source / "results.json").write_text(json.dumps(results))
        (source / "simulations").mkdir()
        (source / "simulations" / "s1.json").write_text(json.dumps(SIMULATION))
        return source
    traj = [message("system", "# Policy"), *MESSAGES]
    file = source / "run.json"
    file.write_text(json.dumps(whole if shape == "file" else [TAU | {"traj": traj}]))
    return file


@pytest.mark.parametrize("shape", ["file", "folder", "tau"])
def test_only_what_both_sides_read_is_a_turn(shape, tmp_path, capsys):
    assert build(written(tmp_path, shape), tmp_path / "out") == 0
    assert dialogues(tmp_path / "out") == [SAID]
    build_json = json.loads((tmp_path / "out" / "build.json").read_text())
    counts = build_json["counts"]
    system = {"a system line": 1} if shape == "tau" else {}
    assert counts["utterances_left_out"] == system | {
        "a call of a tool": 1,
        "nothing but a mark that ends a simulation": 1,
        "text beside a call of a tool": 1,
        "the answer of a tool": 2,
    }
    assert counts["records_read"] == 1 and counts["problems"] == {}
    assert build_json["settings"]["format"] == "tau2"
    assert (
        "customers and agents are language models" in (tmp_path / "out" / "README.md").read_text()
    )
    assert "customers are played by a language model" in capsys.readouterr().out


def test_what_cannot_be_used_is_counted(tmp_path, capsys):
    """A voice run, an agent whose tools answer through the customer, and a mark in a text."""
    closing = [*MESSAGES[:-1], message("user", "Thanks, bye! ###STOP###")]
    react = [message("user", ASKS), message("assistant", REPLY), message("user", "API output: {}")]
    file = tmp_path / "run.json"
    rows = [
        {"task_id": "1", "messages": None, "ticks": [{}]},
        {"task_id": "2", "traj": react},
        {"task_id": "3", "messages": closing},
    ]
    file.write_text(json.dumps({"simulations": rows}))
    assert build(file, tmp_path / "out") == 0
    assert dialogues(tmp_path / "out") == [[*SAID, ("customer", "Thanks, bye!")]]
    counts = json.loads((tmp_path / "out" / "build.json").read_text())["counts"]
    assert counts["records_read"] == 3
    assert counts["problems"] == {"a row of it cannot be read": 1, "no turns": 1}
    assert counts["texts_cut_or_converted"] == {"a mark that ends a simulation": 1}


def test_options_and_files_that_do_not_fit_get_one_line(tmp_path, capsys):
    file = written(tmp_path, "file")
    assert build(file, tmp_path / "out", "--agents", "Anna") == 1
    assert "--format tau2 knows columns and speakers" in capsys.readouterr().err
    file.write_text(json.dumps([{"messages": MESSAGES}]))
    assert build(file, tmp_path / "out") == 1
    assert "nobody says anything in it" in capsys.readouterr().err


def test_a_single_conversation_with_calls_of_tools_is_one_conversation_without_the_option(tmp_path):
    file = tmp_path / "one.json"
    file.write_text(json.dumps({"messages": MESSAGES[:-1]}))
    words = ["build", "transcripts", str(file), "--out", str(tmp_path / "out")]
    assert cli.main(words) == 0
    ((*_, last),) = dialogues(tmp_path / "out")
    assert last[0] == "supporter" and last[1].endswith(REPLY)
