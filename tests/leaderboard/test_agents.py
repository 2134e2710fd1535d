"""A deployed agent, which names no strategy, beside a model in one table."""

import json

from csc_tasks.cli import main
from leaderboard.folder import load_board
from tests.support.made_results import (
    conversation_result,
    conversations,
    csc_of,
    right,
    write_run,
)

TASK = "csc_conv_gen"


def test_an_agent_stands_beside_models_without_strategies(tmp_path, capsys):
    items = conversations(40)
    write_run(
        tmp_path / "results" / "model", "org/model", [conversation_result(TASK, items, right(1))]
    )

    def spoken(results):
        csc_of(results, TASK).update(prompt="spoken", variant="vanilla", date="server")
        del results["chat_template"]

    told = conversation_result(
        TASK, items, lambda item, turn: (None, f"a reply {turn}"), chooses=False
    )
    write_run(tmp_path / "results" / "agent", "bot", [told], spoken)
    corpus = tmp_path / "corpus.jsonl"
    rows = (json.dumps(item.to_row()) + "\n" for item in items)
    corpus.write_text("".join(rows), encoding="utf-8")
    words = ["collect", str(tmp_path / "results"), "--corpus", str(corpus), "--no-fact-audit"]
    assert main([*words, "--out", str(tmp_path / "board")]) == 0
    board = load_board(tmp_path / "board")
    (table,) = board.tables
    rows = {board.models[row.model].name: row for row in table.rows}
    assert {str(row.badge) for row in rows.values()} == {"re-scored"}
    assert f"{TASK}/strategy_acc" in rows["org/model"].values
    assert not [key for key in rows["bot"].values if "strategy" in key or "unparsed" in key]
    assert f"{TASK}/rouge_l" in rows["bot"].values
    assert {(c.a, c.b) for c in table.comparisons if c.column == f"{TASK}/rouge_l"} == {
        ("bot", "org__model")
    }
    assert (table.setting.prompt, table.setting.chat_template) == ("single", True)


def test_a_run_that_only_says_it_was_an_agents_is_found_out(tmp_path, capsys):
    """Prompts that ask for strategies contradict what the file says."""
    items = conversations(40)
    told = conversation_result(
        TASK, items, lambda item, turn: (None, f"a reply {turn}"), chooses=False
    )

    def spoken(results):
        csc_of(results, TASK).update(prompt="spoken", variant="vanilla")

    file = write_run(tmp_path / "results", "bot", [told], spoken)
    (samples,) = file.parent.glob("samples_*.jsonl")
    asked = "Write exactly one strategy name in the brackets, as it stands in the list, and only"
    asked = f"Reply format: [Strategy name] reply\\n{asked} this one reply."
    text = samples.read_text(encoding="utf-8").replace("What does the supporter say?", asked)
    samples.write_text(text, encoding="utf-8")
    corpus = tmp_path / "corpus.jsonl"
    rows = (json.dumps(item.to_row()) + "\n" for item in items)
    corpus.write_text("".join(rows), encoding="utf-8")
    assert main(["verify", str(tmp_path / "results"), "--corpus", str(corpus)]) == 1
    assert "it asks for another form of replies" in capsys.readouterr().out
