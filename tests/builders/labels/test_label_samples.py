"""csc label samples: strategies read from logged replies afterwards, in columns of their own."""

import json
import math

import pytest

from csc_tasks.cli import main
from csc_tasks.runs.names import rated
from leaderboard.folder import load_board
from tests.support.handed_in import hand_in
from tests.support.label_sets import csc, labelled, talk, utterance, write_set
from tests.support.llm_server import Act, llm_server

ACC, MISSING = "label_reader_strategy_acc", "label_reader_missing"
TALKS = [talk("Ann", ("GT", "IV", "AC")), talk("Bob", ("GT", "PR", "AC"))]
GREETS = "Hello there."


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A run in which the model greets at every turn, and one that names no strategy."""
    root = tmp_path_factory.mktemp("runs")
    corpus = {"csc_corpus": str(write_set(root / "corpus", TALKS))}

    def reply(prompt):
        return f"[Emotional Management] {GREETS}"

    hand_in(root / "results", ["csc_conv_ref", "csc_conv_gen"], reply, corpus)
    hand_in(root / "vanilla", ["cscx_conv_ref_vanilla"], lambda prompt: GREETS, corpus)
    hand_in(root / "silent", ["csc_conv_ref"], lambda prompt: "[Greeting]", corpus)
    hand_in(root / "late", ["csc_conv_ref"], lambda prompt: GREETS * ("My card" in prompt), corpus)
    return root


def greeting(body: dict, number: int = 0) -> Act:
    """A labeller that takes everything for a greeting."""
    return labelled("Greeting")


def label(root, out, script=greeting, *options, runs="results"):
    """The server's requests; the labeller is called reader."""
    with llm_server(script) as server:
        words = ["--llm", "openai:m", "--name", "reader", "--base-url", server.url]
        status = csc("label", "samples", root / runs, *words, "--out", out, *options)
    assert status == 0
    return server.asked


def numbers(folder):
    """Task -> the results of the only model."""
    (file,) = folder.rglob("results_*.json")
    return json.loads(file.read_text(encoding="utf-8"))["results"]


def test_accuracy_is_that_of_what_was_read_and_own_choices_stay(root, tmp_path, capsys):
    """Two of the six gold strategies are a greeting, none is Emotional Management."""
    asked = label(root, tmp_path / "out")
    assert len(asked) == 12  # two talks, three turns, two tasks
    assert {utterance(body) for body in asked} == {GREETS}
    for own in numbers(tmp_path / "out").values():
        assert own[f"{ACC},none"] == pytest.approx(2 / 6)
        assert own["strategy_acc,none"] == 0.0
        assert own[f"{MISSING},none"] == 0.0
        # Every conversation has the same share, so nothing varies.
        assert own[f"{ACC}_stderr,none"] == pytest.approx(0, abs=1e-12)
    assert "label_reader_strategy_acc: 0.333" in capsys.readouterr().out
    lines = (tmp_path / "out" / "labels.jsonl").read_text().splitlines()
    assert len(lines) == 12
    assert json.loads(lines[0])["labels"] == [{"rater": "model:m", "strategies": ["GT"]}]
    # Again: the journal answers.
    assert label(root, tmp_path / "out") == []


def test_the_labeller_sees_the_conversation_as_the_model_had_it(root, tmp_path):
    """In generated context its own turns, in reference context the gold ones; never a strategy."""
    asked = label(root, tmp_path / "out", greeting)
    prompts = [body["messages"][1]["content"] for body in asked]
    last = [
        text for text in prompts if "My card of Ann is gone." in text and "\nCustomer: Ann" in text
    ]
    assert len(last) == 2
    own, gold = sorted(last, key=lambda text: "What is your name" in text)
    assert own.count(GREETS) == 3 and gold.count(GREETS) == 1
    assert "Hello, how can I help you?" in gold and "Hello, how can I help you?" not in own
    assert not any("Emotional" in text or "[" in text for text in prompts)


def test_an_agent_that_names_no_strategy_gets_a_number(root, tmp_path):
    label(root, tmp_path / "out", runs="vanilla")
    (own,) = numbers(tmp_path / "out").values()
    assert own[f"{ACC},none"] == pytest.approx(2 / 6)
    assert "strategy_acc,none" not in own


def test_a_reply_without_words_is_wrong_and_nobody_is_asked(root, tmp_path, capsys):
    asked = label(root, tmp_path / "out", runs="late")
    # Of six replies the two greetings are empty; the other four are greetings where none is due.
    assert len(asked) == 4
    (own,) = numbers(tmp_path / "out").values()
    assert own[f"{ACC},none"] == 0.0 and own[f"{MISSING},none"] == 0.0
    lines = (tmp_path / "out" / "labels.jsonl").read_text().splitlines()
    assert {json.loads(line)["turn"] for line in lines} == {2, 4}
    # Where no reply has words there is nothing to say.
    capsys.readouterr()
    words = ["--llm", "scripted", "--out", tmp_path / "none"]
    assert csc("label", "samples", root / "silent", *words) == 1
    assert "all 6 replies are empty or failed" in capsys.readouterr().err


def test_a_label_that_is_lost_is_missing_and_not_wrong(root, tmp_path):
    """The labeller has nothing to say of the first turn, where nothing was said before."""

    def script(body, number):
        nothing = "nobody has spoken yet" in body["messages"][1]["content"]
        return labelled() if nothing else labelled("IV")

    out = tmp_path / "out"
    label(root, out, script, "--attempts", 1, "--task", "csc_conv_ref")
    (own,) = numbers(out).values()
    # Of the four that are left, one gold strategy is Identity Verification.
    assert own[f"{ACC},none"] == pytest.approx(1 / 4)
    assert own[f"{MISSING},none"] == pytest.approx(2 / 6)
    counts = json.loads((out / "labels.json").read_text())["counts"]
    assert counts["labels_lost"] == {"rater-1: malformed reply": 2}


def test_several_raters_vote(root, tmp_path):
    """Two of three say AC; the third, heard alone, would be right twice as often."""
    says = {"a": "AC", "b": "AC", "c": "GT"}
    with llm_server(lambda body, number: labelled(says[body["model"]])) as server:
        words = [word for name in says for word in ("--llm", f"openai:{name}")]
        options = ["--raters", 3, "--name", "reader", "--base-url", server.url]
        csc("label", "samples", root / "vanilla", *words, *options, "--out", tmp_path / "out")
    assert len(server.asked) == 18
    (own,) = numbers(tmp_path / "out").values()
    assert own[f"{ACC},none"] == pytest.approx(2 / 6)
    record = json.loads((tmp_path / "out" / "labels.json").read_text())
    assert record["signature"].startswith("labellers:openai:a+openai:b+openai:c|prompt:")


def test_a_board_shows_it_as_the_labellers_number_beside_the_runs_own(root, tmp_path, capsys):
    label(root, tmp_path / "out", greeting, "--task", "csc_conv_ref")
    board = tmp_path / "board"
    corpus = str(root / "corpus")
    words = ["collect", str(tmp_path / "out"), "--corpus", corpus, "--out", str(board)]
    assert main([*words, "--jobs", "1"]) == 0
    table = load_board(board).tables[0]
    columns = {column.metric: column for column in table.columns}
    own, read = columns["strategy_acc"], columns[ACC]
    assert (own.afterwards, own.rater) == (False, None)
    assert (read.afterwards, read.rater) == (True, "Labelled by reader")
    assert read.label == "Labelled by reader: Strategy accuracy" and read.scale == 100.0
    # The benchmark's own column leads, and the other is ranked only within itself.
    assert table.columns[0] is own
    (row,) = table.rows
    assert row.values[own.key].value == 0.0
    assert row.values[read.key].value == pytest.approx(2 / 6)
    assert row.ranks(own) and row.ranks(read)
    assert 0.0 <= row.values[read.key].low < row.values[read.key].high <= 1.0
    notes = " ".join(table.footnotes)
    assert "Labelled afterwards: a labeller read each reply" in notes
    assert "Labelled by reader: 0 of 6 labels missing" in notes
    capsys.readouterr()
    assert main(["tables", str(board)]) == 0
    assert "Labelled by reader: Strategy accuracy" in capsys.readouterr().out


def test_names_of_columns_are_read_back():
    assert rated("label_gpt-5_strategy_in_set").rater == "Labelled by gpt-5"
    assert rated("label_a_missing_strategy_acc").rater == "Labelled by a_missing"
    assert rated("label_x_missing").absent and rated("label_x_missing").afterwards
    assert rated("label_x_bleu_4") is None and rated("label__strategy_acc") is None
    assert not rated("judge_x_overall").afterwards


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--task", "csc_conv_re"], "closest: csc_conv_ref"),
        (["--name", "a b"], "--name 'a b': letters, digits"),
        (["--limit", "0"], "--limit 0: at least 1"),
    ],
)
def test_wrong_options_are_one_line(options, problem, root, tmp_path, capsys):
    words = ["label", "samples", root / "results", "--llm", "scripted", "--out", tmp_path / "out"]
    assert csc(*words, *options) == 1
    assert problem in capsys.readouterr().err


def test_a_run_on_a_corpus_without_strategies_is_told_to_label_it(tmp_path, capsys):
    corpus = write_set(tmp_path / "plain", [talk("Ann")])
    hand_in(tmp_path / "run", ["csc_conv_ref"], lambda prompt: GREETS, {"csc_corpus": str(corpus)})
    words = ["label", "samples", tmp_path / "run", "--llm", "scripted", "--out", tmp_path / "out"]
    assert csc(*words) == 1
    error = capsys.readouterr().err
    assert "has no strategies to compare with; csc label run labels a corpus" in error


def test_a_limit_takes_the_same_conversations_of_every_model(root, tmp_path):
    label(root, tmp_path / "out", greeting, "--limit", 1, runs="")
    places = {
        row["conversation_id"]
        for row in map(json.loads, (tmp_path / "out" / "labels.jsonl").read_text().splitlines())
    }
    assert len(places) == 1
    for file in (tmp_path / "out").rglob("results_*.json"):
        for own in json.loads(file.read_text())["results"].values():
            assert math.isclose(own[f"{ACC},none"], 1 / 3) or own[f"{ACC},none"] == 0.0
