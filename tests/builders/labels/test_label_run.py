"""csc label run: raters label every supporter turn, from what came before it and nothing else."""

import json

import pytest

from builders.dataset import read_record
from builders.labels.raters import raters_of, samples_there
from csc_tasks.corpora import load
from csc_tasks.errors import SettingError
from csc_tasks.labels import Label
from csc_tasks.llm.journal.reading import read_rows
from tests.support.handed_in import hand_in
from tests.support.label_sets import (
    NAMES,
    by_model,
    by_words,
    csc,
    labelled,
    talk,
    turns_of,
    utterance,
    write_set,
)
from tests.support.llm_server import Act, llm_server


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.fixture
def folder(tmp_path):
    return write_set(tmp_path / "calls")


def names_of(*specs, count=None, known=()):
    return [rater.name for rater in raters_of(specs, count, known)]


def test_raters_are_dealt_out_and_numbered():
    assert names_of("openai:A") == ["model:A", "model:A#2", "model:A#3"]
    assert names_of("openai:A", "openai:B") == ["model:A", "model:B", "model:A#2"]
    assert names_of("openai:A", "rater-1=openai:B") == ["model:B", "model:A", "model:A#2"]
    assert names_of("openai:A", "batch:B", "openai:C", "openai:D")[3] == "model:D"
    assert names_of("openai:/home/ann/models/tiny", count=1) == ["model:tiny"]
    assert names_of("scripted", count=1) == ["model:scripted"]
    # Samples that a corpus has are not taken again, whatever holes there are.
    assert samples_there(["model:A", "model:A#3", "anna", "corpus"]) == {"model:A": 3}
    assert names_of("openai:A", count=2, known=["model:A#3"]) == ["model:A#4", "model:A#5"]


@pytest.mark.parametrize(
    ("specs", "count", "problem"),
    [
        (["openai:A", "openai:B"], 1, "names 2 models for --raters 1"),
        (["rater-4=openai:A", "openai:B"], 3, "no such rater; there are rater-1, rater-2, rater-3"),
        (["rater-1=openai:A"], 2, "no --llm for rater-2"),
        (["openai:A"], 0, "--raters 0: at least 1"),
        (["openai:A"], 1_000_000, "--raters 1000000: at least 1, and at most 100"),
        (["rater-1=openai:A", "rater-1=openai:B"], 2, "given twice for rater-1"),
    ],
)
def test_raters_that_do_not_go_together_are_one_line(specs, count, problem):
    with pytest.raises(SettingError, match=problem):
        raters_of(specs, count)


def test_three_models_label_every_turn_and_the_corpus_can_be_scored(folder, tmp_path, capsys):
    """A and B go by the words; C calls all of it a greeting, which the other two outvote."""
    script = by_model(A=by_words, B=by_words, C=lambda body: labelled("GT"))
    out = tmp_path / "labelled"
    with llm_server(script) as server:
        words = ["--llm", "openai:A", "--llm", "openai:B", "--llm", "openai:C"]
        status = csc("label", "run", folder, *words, "--base-url", server.url, "--out", out)
    assert status == 0
    # Four talks, three turns, three raters, each asked once.
    assert len(server.asked) == 36
    for turn in turns_of(out).values():
        assert [label.rater for label in turn.labels] == ["model:A", "model:B", "model:C"]
    strategies = {place: turn.strategy for (_, place), turn in turns_of(out).items()}
    assert strategies == {0: "GT", 2: "IV", 4: "AC"}
    ids = [label.strategies for label in turns_of(out)[talk("Ann").conversation_id, 2].labels]
    assert ids == [("IV", "PR"), ("IV", "PR"), ("GT",)]
    # What the tasks read.
    assert all(len(one.labelled_turns()) == 3 for one in load(str(out), "csconv", "test").items)
    record = read_record(out)
    assert record["builder"] == "test" and record["counts"]["made"] == 4
    assert record["counts"]["labelling_supporter_turns_by_their_number_of_raters"] == {"of 3": 12}
    assert record["counts"]["labelling_labels_that_name_several_strategies"] == 8
    (labelling,) = record["labellings"]
    assert labelling["raters"] == {f"model:{name}": f"openai:{name}" for name in "ABC"}
    assert list(labelling["prompts"]) == ["en/label_turn"]
    card = (out / "README.md").read_text()
    assert "Recorded talks." in card and "not labelled" not in card and "Only short ones." in card
    assert "`model:A` (`openai:A`)" in card
    printed = capsys.readouterr().out
    assert "supporter turns by their number of raters: 12 of 3" in printed
    assert f"csc label report {out}" in printed


def test_a_corpus_that_was_unlabelled_has_an_accuracy_at_once(folder, tmp_path):
    """The model greets at every turn, which is right at the first of each three."""
    assert csc("label", "run", folder, "--llm", "scripted", "--raters", 1) == 0
    corpus = {"csc_corpus": str(tmp_path / "calls-labelled")}
    results = hand_in(tmp_path / "run", ["csc_conv_ref"], lambda prompt: "[Greeting] Hi.", corpus)
    numbers = json.loads(results.read_text())["results"]["csc_conv_ref"]
    assert numbers["strategy_acc,none"] == pytest.approx(1 / 3)


def test_a_rater_sees_what_came_before_and_no_label_nor_what_comes_after(tmp_path):
    folder = write_set(tmp_path / "own", [talk("Ann", ("GT", "Others", "RC"))])
    with llm_server(by_words) as server:
        options = ["--raters", 1, "--base-url", server.url]
        csc("label", "run", folder, "--llm", "openai:A", *options)
    prompts = {utterance(body): body["messages"][1]["content"] for body in server.asked}
    middle = prompts["What is your name, please?"]
    assert "My card of Ann is gone." in middle and "Goodbye" not in middle
    # Strategies are named in the instructions alone.
    for shown in prompts.values():
        assert not any(name in shown for name in ("Greeting", "Others", "Relationship", "["))


def test_the_first_sample_is_greedy_and_more_raters_ask_only_for_what_is_new(folder, tmp_path):
    out = tmp_path / "labelled"
    with llm_server(by_words) as server:
        words = ["label", "run", folder, "--llm", "openai:A", "--base-url", server.url]
        csc(*words, "--raters", 1, "--out", out)
        assert {body["temperature"] for body in server.asked} == {0}
        csc(*words, "--raters", 3, "--out", out)
        assert [body["temperature"] for body in server.asked[12:]] == [0.7] * 24
        # Once more: the journal answers, and the folder has the same bytes.
        before = (out / "build.json").read_bytes()
        csc(*words, "--raters", 3, "--out", out)
    assert len(server.asked) == 36
    assert (out / "build.json").read_bytes() == before
    assert len({json.dumps(body) for body in server.asked[12:]}) == 24  # seeds differ


def test_a_reply_that_cannot_be_used_is_repaired_else_that_rater_has_no_label(
    folder, tmp_path, capsys
):
    """A names an unknown strategy first and is told so; B never gets it right for Bob."""

    def of_a(body):
        repaired = len(body["messages"]) > 2
        return by_words(body) if repaired else labelled("Small Talk")

    def of_b(body):
        return labelled() if "Bob" in utterance(body) else by_words(body)

    out = tmp_path / "labelled"
    with llm_server(by_model(A=of_a, B=of_b)) as server:
        models = ["--llm", "openai:A", "--llm", "openai:B", "--raters", 2]
        csc("label", "run", folder, *models, "--base-url", server.url, "--out", out)
    turns = turns_of(out)
    lost = turns.pop((talk("Bob").conversation_id, 4))
    assert lost.labels == (Label("model:A", ("AC",)),) and lost.strategy == "AC"
    assert all(len(turn.labels) == 2 for turn in turns.values())
    repair = next(body for body in server.asked if len(body["messages"]) > 2)
    assert "'Small Talk' is not one of the 12" in repair["messages"][-1]["content"] or (
        "Input should be 'Greeting'" in repair["messages"][-1]["content"]
    )
    counts = read_record(out)["counts"]
    assert counts["labelling_labels_lost"] == {"model:B: malformed reply": 1}
    assert "labels lost: 1 model:B: malformed reply" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("reply", "read"),
    [
        (["greeting"], ("GT",)),
        (["策略5 情感管理", "EM", "PS"], ("EM", "PS")),
        (["AC", "GT", "AC"], ("AC", "GT")),
        (["GT", "IV", "PR", "PS"], None),
        ([], None),
        (["Greeting and more"], None),
    ],
)
def test_which_names_are_read(reply, read, folder, tmp_path):
    out = tmp_path / "labelled"
    with llm_server(lambda body, number: labelled(*reply)) as server:
        options = ["--raters", 1, "--limit", 1, "--attempts", 1, "--base-url", server.url]
        status = csc("label", "run", folder, "--llm", "openai:A", *options, "--out", out)
    assert status == (1 if read is None else 0)
    if read:
        assert {turn.labels[0].strategies for turn in turns_of(out).values()} == {read}


def test_ties_go_to_the_earliest_of_the_twelve(folder, tmp_path):
    """PR is the fourth of the twelve, PS the sixth."""
    script = by_model(A=lambda body: labelled("PS"), B=lambda body: labelled("PR", "PS"))
    out = tmp_path / "labelled"
    with llm_server(script) as server:
        models = ["--llm", "openai:A", "--llm", "openai:B", "--raters", 2]
        csc("label", "run", folder, *models, "--base-url", server.url, "--out", out)
    assert {turn.strategy for turn in turns_of(out).values()} == {"PR"}
    counts = read_record(out)["counts"]
    assert counts["labelling_ties_settled_by_the_order_of_the_strategies"] == 12


def test_a_strategy_that_the_corpus_came_with_stays_and_counts_as_a_label(tmp_path):
    """Three raters say otherwise; the turn without a strategy gets theirs."""
    folder = write_set(tmp_path / "own", [talk("Ann", ("EM", "", "RC"))])
    assert csc("label", "run", folder, "--llm", "scripted") == 0
    out = tmp_path / "own-labelled"
    first, middle, last = (turns_of(out)[talk("Ann").conversation_id, place] for place in (0, 2, 4))
    assert (first.strategy, last.strategy) == ("EM", "RC")
    assert first.labels[0] == Label("corpus", ("EM",)) and len(first.labels) == 4
    assert middle.strategy == "IV" and len(middle.labels) == 3
    # Labelled again: the labels stay, further samples stand behind them, and so does the strategy.
    assert csc("label", "run", out, "--llm", "scripted", "--raters", 1) == 0
    again = turns_of(tmp_path / "own-labelled-labelled")[talk("Ann").conversation_id, 0]
    assert again.labels[:4] == first.labels and again.strategy == "EM"
    assert again.labels[4].rater == "model:scripted#4"
    assert len(read_record(tmp_path / "own-labelled-labelled")["labellings"]) == 2


def test_a_smaller_limit_is_part_of_a_larger_one_and_a_plan_asks_no_more_than_its_pilot(
    folder, tmp_path, capsys
):
    kept = {}
    for limit in (1, 3):
        out = tmp_path / f"of-{limit}"
        csc("label", "run", folder, "--llm", "scripted", "--limit", limit, "--out", out)
        kept[limit] = {name for name, _ in turns_of(out)}
    assert (len(kept[1]), len(kept[3])) == (1, 3) and kept[1] < kept[3]
    out = tmp_path / "planned"
    csc("label", "run", folder, "--llm", "scripted", "--plan", 2, "--out", out)
    assert not out.exists()
    assert "A pilot of 2 conversations; the whole tries 4." in capsys.readouterr().out
    assert len(list(read_rows(tmp_path / "planned.journal.sqlite"))) == 2 * 3 * 3


def test_parts_joined_are_the_whole(folder, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    words = ["label", "run", folder, "--llm", "scripted", "--raters", 2]
    csc(*words, "--out", whole)
    for part in ("1/2", "2/2"):
        assert csc(*words, "--out", parts, "--shard", part) == 0
    assert csc("build", "merge", parts) == 0
    assert (parts / "build.json").read_bytes() == (whole / "build.json").read_bytes()
    assert turns_of(parts) == turns_of(whole)


def test_a_stopped_run_leaves_whole_conversations_and_goes_on(folder, tmp_path, capsys):
    out = tmp_path / "labelled"
    words = ["label", "run", folder, "--llm", "openai:A", "--raters", 1, "--concurrency", 1]
    with llm_server(by_words) as server:
        words += ["--base-url", server.url, "--out", out]
        assert csc(*words, "--max-requests", 7) == 1
        assert len(server.asked) == 7 and not out.exists()
        assert "2 rows are complete" in capsys.readouterr().err
        partial = turns_of(tmp_path / "labelled.partial")
        assert len(partial) == 6 and all(turn.strategy for turn in partial.values())
        assert csc(*words) == 0
    assert len(server.asked) == 12
    assert not (tmp_path / "labelled.partial").exists()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--split", "train"], "holds no conversations in train"),
        (["--limit", "0"], "--limit 0: at least 1"),
    ],
)
def test_wrong_options_are_one_line(options, problem, folder, capsys):
    assert csc("label", "run", folder, "--llm", "scripted", *options) == 1
    assert problem in capsys.readouterr().err


def test_nothing_is_written_where_no_turn_could_be_labelled(folder, tmp_path, capsys):
    with llm_server(lambda body, number: Act("no idea")) as server:
        options = ["--raters", 1, "--attempts", 1, "--base-url", server.url]
        assert csc("label", "run", folder, "--llm", "openai:A", *options) == 1
    error = capsys.readouterr().err
    assert "none of the 12 turns could be labelled" in error or "malformed" in error
    assert not (tmp_path / "calls-labelled").exists()


def test_an_unknown_folder_and_the_folder_itself_are_one_line(folder, tmp_path, capsys):
    assert csc("label", "run", tmp_path / "none", "--llm", "scripted") == 1
    assert "is no folder" in capsys.readouterr().err
    assert csc("label", "run", folder, "--llm", "scripted", "--out", folder) == 1
    assert "is the folder to label" in capsys.readouterr().err
    assert len(NAMES) == len({name for name, _ in turns_of(folder)})
