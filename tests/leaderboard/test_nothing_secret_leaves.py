"""Runs that hold secrets in every place where lm_eval writes something down go through every verb
that reads results: nothing secret is written or printed, and what is none is still there.
"""

import gzip
import json
import zlib

import pytest

from csc_tasks.cli import main
from csc_tasks.runs.conditions import conditions
from csc_tasks.runs.results_file import read_results
from leaderboard.folder import load_board
from tests.support.hostile_run import SECRETS, TASK, write_hostile
from tests.support.made_results import conversation_result, conversations, right, write_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The results files of both hostile runs, in a folder of their own."""
    root = tmp_path_factory.mktemp("in")
    return [write_hostile(root / str(number), as_text) for number, as_text in enumerate((0, 1))]


def leaks(folder, printed=""):
    """(place, secret) of every secret in what was written below a folder, names of files included,
    and in what was printed; compressed parts are looked into.
    """
    places = {"printed": printed.encode()}
    for path in folder.rglob("*"):
        places[f"name of {path.name}"] = path.relative_to(folder).as_posix().encode()
        if path.is_file():
            places[path.name] = _opened(path)
    return [
        (place, secret)
        for place, data in places.items()
        for secret in SECRETS
        if secret.encode() in data or json.dumps(secret)[1:-1].encode() in data
    ]


def _opened(path):
    if path.suffix == ".parquet":
        import pyarrow.parquet

        return json.dumps(pyarrow.parquet.read_table(path).to_pylist()).encode() + path.read_bytes()
    data = path.read_bytes()
    for unpack in (gzip.decompress, zlib.decompress):
        try:
            data += unpack(data)
        except (OSError, EOFError, zlib.error):
            continue
    return data


def said(capfd):
    captured = capfd.readouterr()
    return captured.out + captured.err


@pytest.fixture(scope="module")
def board(runs, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    paths = [str(file.parent) for file in runs]
    assert main(["collect", *paths, "--out", str(out / "board")]) == 0
    return out / "board"


def test_the_search_finds_what_there_is(runs):
    """In the files that lm_eval wrote all of them stand."""
    assert {secret for file in runs for _, secret in leaks(file.parent)} == set(SECRETS)


def test_a_board_its_page_tables_and_publication_hold_no_secret(runs, board, tmp_path, capfd):
    paths = [str(file.parent) for file in runs]
    again = tmp_path / "board"
    assert main(["collect", *paths, "--out", str(again)]) == 0
    printed = said(capfd)
    assert "left out of what may be published" in printed and "model_args.my_password" in printed
    for form in ("md", "csv", "latex", "html"):
        assert main(["tables", str(again), "--format", form, "--columns", "all"]) == 0
    words = ["--repo-id", "org/results", "--space", "org/page", "--eval-results"]
    assert main(["publish", str(again), *words]) == 0
    printed += said(capfd)
    assert "Dry run" in printed and (again / "publish" / "dataset" / "results").is_dir()
    assert leaks(tmp_path, printed) == []


def test_what_is_no_secret_is_still_there(board):
    models = {model.name: model for model in load_board(board).models.values()}
    assert set(models) == {"support-lora", "org/base-7b"}
    adapter, base = models["support-lora"], models["org/base-7b"]
    assert (adapter.kind, adapter.base_name) == ("adapter", "base-7b")
    expected = {
        "revision": "v2.1",
        "dtype": "bfloat16",
        "load_in_4bit": "true",
        "bnb_4bit_quant_type": "nf4",
        "add_bos_token": "true",
        "prefix_token_id": "2",
        "tokenizer": "ours",
    }
    assert expected.items() <= adapter.settings.items()
    assert adapter.settings["gen_kwargs"].startswith('{"do_sample": true, "temperature": 0.7, "un')
    assert {"dtype": "float16", "quantization": "awq"}.items() <= base.settings.items()
    assert base.settings["gen_kwargs"].startswith("temperature=0.7,do_sample=True")
    assert len(adapter.settings["other settings"]) == 8
    (table,) = load_board(board).tables
    assert table.setting.corpus == "calls" and table.setting.chat_template
    column = next(column for column in table.columns if column.metric == "strategy_acc")
    assert column.signature.endswith("|model:scorer")


def test_the_copies_of_the_files_read_as_the_files_do(runs, board, tmp_path):
    """Also for whoever downloads them: the same model, conditions and numbers."""
    copies = {}
    for file in (board / "raw").rglob("results_*.json"):
        (measured,) = read_results(file, [])
        copies[measured.identity] = measured
    for file in runs:
        (source,) = read_results(file, [])
        copy = copies[source.identity]
        assert (copy.numbers, copy.conditions) == (source.numbers, source.conditions)
        assert copy.provenance == source.provenance and copy.templated


@pytest.mark.parametrize(
    "words",
    [
        ["score", "--metrics", "bleu_2"],
        ["judge", "--llm", "scripted", "--conversations", "2", "--dimensions", "accuracy"],
    ],
    ids=lambda words: words[0],
)
def test_verbs_that_write_runs_again_write_no_secret(runs, tmp_path, capfd, words):
    """The instruction stays in them: asking again needs it, and they stay here."""
    paths = [str(file.parent) for file in runs]
    assert main([words[0], *paths, *words[1:], "--out", str(tmp_path / "out")]) == 0
    found = leaks(tmp_path, said(capfd))
    assert {secret for _, secret in found} <= {"internal-plan-b"}
    # They are the same runs as before to whoever collects both.
    written = sorted((tmp_path / "out").rglob("results_*.json"))
    assert {conditions(json.loads(file.read_text(encoding="utf-8")), TASK) for file in written} == {
        conditions(json.loads(file.read_text(encoding="utf-8")), TASK) for file in runs
    }


@pytest.mark.parametrize(
    "words",
    [
        ["human export", "--raters", "2", "--conversations", "2", "--seed", "1"],
        ["judge facts", "--llm", "scripted", "--conversations", "2"],
        ["pairwise", "--llm", "scripted", "--conversations", "2"],
    ],
    ids=lambda words: words[0],
)
def test_studies_and_audits_hold_no_secret(runs, tmp_path, capfd, words):
    paths = [str(file.parent) for file in runs]
    assert main([*words[0].split(), *paths, *words[1:], "--out", str(tmp_path / "out")]) == 0
    found = leaks(tmp_path, said(capfd))
    assert {secret for _, secret in found} <= {"internal-plan-b"}


def test_the_card_of_an_adapter_holds_no_secret(runs, tmp_path, capfd):
    from tests.support.hostile_run import HOME
    from trainers.adapter_card import write_card
    from trainers.recipe import Recipe, as_dict

    recipe = as_dict(Recipe(model=f"{HOME}/models/base-7b", data=(f"{HOME}/corpora/calls",)))
    source = {"name": f"{HOME}/corpora/calls", "config": "rolecs", "split": "train"}
    numbers = dict.fromkeys(("steps", "trained_parameters", "epochs", "seconds", "processes"), 1)
    record = numbers | {
        "recipe": recipe,
        "tested": {"csconv": f"{HOME}/corpora/calls"},
        "data": [source | {"revision": None, "content_hash": "0" * 16}],
        "csc_tasks": "0.1.0",
        "style": "single",
        "chat_template": True,
        "template_arguments": {},
        "counts": {"rows": 3},
        "dtype": "bfloat16",
        "languages": ["en"],
        "train_loss": 1.0,
        "validation_loss": None,
    }
    write_card(record, tmp_path, [file.parent for file in runs])
    assert leaks(tmp_path, said(capfd)) == []
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "`base-7b`, a model that is not on the Hub" in card
    assert "`support-lora`, adapter of `base-7b`, add_bos_token=true" in card


def test_runs_that_differ_in_a_setting_are_two_rows(tmp_path):
    """`add_bos_token` and `prefix_token_id` are settings, no tokens."""
    result = conversation_result(TASK, conversations(4), right(0.5))
    for number, given in enumerate(({"add_bos_token": True}, {"add_bos_token": False}, {})):
        write_run(tmp_path / "in" / str(number), "org/one", [result], **given)
    write_run(tmp_path / "in" / "3", "org/one", [result], prefix_token_id=2)
    words = [str(tmp_path / "in"), "--out", str(tmp_path / "board")]
    assert main(["collect", *words]) == 0
    labels = sorted(model.label for model in load_board(tmp_path / "board").models.values())
    assert labels == [
        "org/one (add_bos_token=default, prefix_token_id=2)",
        "org/one (add_bos_token=default, prefix_token_id=default)",
        "org/one (add_bos_token=false, prefix_token_id=default)",
        "org/one (add_bos_token=true, prefix_token_id=default)",
    ]
    for copy in (tmp_path / "board" / "raw").rglob("results_*.json"):
        given = json.loads(copy.read_text(encoding="utf-8"))["config"]["model_args"]
        assert given.get("prefix_token_id") in (None, 2)
        assert given.get("add_bos_token") in (None, True, False)


def test_runs_that_differ_in_what_is_not_published_are_two_rows(tmp_path):
    """Two models of one last component, and an argument that no list has; a key is none."""
    result = conversation_result(TASK, conversations(4), right(0.5))
    write_run(tmp_path / "in" / "0", "/models/first/final", [result])
    write_run(tmp_path / "in" / "1", "/models/second/final", [result], api_key="one-key")
    write_run(tmp_path / "in" / "2", "/models/second/final", [result], api_key="two-key")
    write_run(tmp_path / "in" / "3", "/models/second/final", [result], made_up="a secret mode")
    words = [str(tmp_path / "in"), "--out", str(tmp_path / "board")]
    assert main(["collect", *words]) == 0
    board = load_board(tmp_path / "board")
    assert [model.name for model in board.models.values()] == ["final"] * 3
    hashes = {model.settings["other settings"] for model in board.models.values()}
    assert len(hashes) == 3
    assert sum("2 runs with the same settings" in note for note in board.notes) == 1
