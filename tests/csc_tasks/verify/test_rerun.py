"""Asking the model again for turns drawn at random, by lm_eval as a process of its own."""

import json
import subprocess

import pytest

from csc_tasks import corpora
from csc_tasks.cli import main
from csc_tasks.errors import DataError, SettingError
from csc_tasks.named_turns import asked_turns, names_of, with_named
from csc_tasks.runs.finding import find_samples
from csc_tasks.runs.samples_file import read_run
from csc_tasks.settings import read_settings
from csc_tasks.verify.rerun import Asked, command_of, draw
from tests.support.fakes import write_corpus
from tests.support.handed_in import forged, hand_in
from tests.support.models import make_model
from tests.support.quick_lm_eval import only_our_tasks_in_processes


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def run(corpus, model, tmp_path_factory):
    from lm_eval.models.huggingface import HFLM

    return hand_in(
        tmp_path_factory.mktemp("run"),
        ["csc_conv_gen"],
        str,
        {"csc_corpus": str(corpus), "csc_prompt": "chat"},
        model=HFLM(pretrained=str(model), device="cpu", dtype="float32"),
        gen_kwargs="max_gen_toks=6",
    )


def again(results, corpus, model):
    words = ["verify", str(results), "--corpus", str(corpus), "--rerun", "3", "--seed", "5"]
    words += ["--model", "hf", "--model_args", f"pretrained={model}", "--device", "cpu"]
    return main(words)


def test_the_same_model_replies_the_same(run, corpus, model, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv(*only_our_tasks_in_processes(tmp_path / "start").popitem())
    assert again(run, corpus, model) == 0
    printed = capsys.readouterr().out
    assert (
        "3 of 3 replies are the same" in printed and "asked again (seed 5): csc_conv_gen" in printed
    )


def test_replies_that_were_never_given_are_named(run, corpus, tmp_path, capsys, monkeypatch):
    """All is consistent with the corpus and with itself, only the model never said it."""
    monkeypatch.setattr(
        "csc_tasks.verify.rerun.replies",
        lambda run, names, asked, corpus: {(name, 0): "[] what it says" for name in names},
    )

    def forge(text, lines):
        for line in lines:
            for number, turn in enumerate(line["turns"]):
                turn["reply"] = line["resps"][number][0] = "I never said this"

    results = forged(run, tmp_path, "csc_conv_gen", forge)
    assert again(results, corpus, "model") == 1
    printed = capsys.readouterr().out
    assert "0 of 3 replies are the same" in printed
    assert printed.count("another reply when it was asked again") == 3


def test_the_draw_is_the_seeds(run):
    runs = [read_run(file) for file in find_samples([run.parent])]
    drawn = draw(runs, 4, 1)
    assert drawn == draw(runs, 4, 1) != draw(runs, 4, 2)
    assert len(draw(runs, 1000, 1)) == 22 and len({one.name for one in drawn}) == 4


def test_the_command_has_the_settings_of_the_run(run, tmp_path):
    (logged,) = [read_run(file) for file in find_samples([run.parent])]
    logged.results["chat_template"] = "{{ messages }}"
    words = command_of(logged, ["a/1"], Asked("hf", "pretrained=x"), "here", tmp_path)
    settings = json.loads(words[words.index("--metadata") + 1])
    assert settings == {
        "csc_corpus": "here",
        "csc_prompt": "chat",
        "csc_turns": ["a/1"],
        "csc_metrics": "failed",
    }
    assert "--apply_chat_template" in words
    assert json.loads(words[words.index("--gen_kwargs") + 1])["max_gen_toks"] == 6


def test_named_turns_are_asked_alone_or_with_those_before_them(corpus):
    items = list(corpora.load(str(corpus), "csconv", "test").items)
    item = next(item for item in items if len(item.scored_turns()) == 5)
    first, second, third = item.scored_turns()[:3]
    names = (f"{item.conversation_id}/{third}", f"{item.conversation_id}/{first}")
    assert with_named(items, names) == [item] and with_named(items, None) == items
    assert asked_turns(item, names, generated=False) == [first, third]
    assert asked_turns(item, names, generated=True) == [first, second, third]
    assert asked_turns(item, None, generated=True) == item.scored_turns()
    questions = list(corpora.load(str(corpus), "qa", "test").items)
    assert with_named(questions, names_of(questions[2])) == [questions[2]]
    with pytest.raises(DataError, match="nobody/1"):
        with_named(items, ("nobody/1",))


def test_the_setting_takes_a_list_or_text():
    for given in (["a/1", "b/2"], "a/1, b/2"):
        assert read_settings({"csc_turns": given}, {}).turns == ("a/1", "b/2")
    assert read_settings({}, {"CSC_TURNS": "a/1"}).turns == ("a/1",)
    assert read_settings({}, {}).turns is None
    with pytest.raises(SettingError, match="csc_turns=7"):
        read_settings({"csc_turns": 7}, {})


@pytest.mark.parametrize(
    "words", [["--rerun", "0"], ["--rerun", "3"], ["--rerun", "3", "--model", "hf"]]
)
def test_a_model_has_to_be_named(words, run, capsys):
    assert main(["verify", str(run), *words]) == 1
    assert capsys.readouterr().err.startswith("error: --rerun N needs")


def test_a_model_that_cannot_be_loaded_is_one_line(run, corpus, capsys, monkeypatch):
    failed = subprocess.CompletedProcess([], 1, "", "Traceback\nOSError: no such model\n")
    monkeypatch.setattr(subprocess, "run", lambda *args, **options: failed)
    assert again(run, corpus, "nowhere") == 1
    assert capsys.readouterr().err == "error: lm_eval ended with status 1: OSError: no such model\n"
