"""`csc publish` as a user runs it: a process of its own against a loopback Hub, and what reads the
published repositories back.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from huggingface_hub import parse_eval_result_entries

from csc_tasks import hub
from csc_tasks.cli import main
from csc_tasks.errors import DataError
from leaderboard import folder
from leaderboard.board import Value
from leaderboard.page import render as page_render
from leaderboard.publishing import eval_results, flat, publications
from tests.support import board_example as example
from tests.support import hub_rules
from tests.support.hub_server import READER, WRITER, environment, hub_server

ROOT = Path(__file__).resolve().parents[3]
CORPUS, COMMIT = "org/csconv", "c" * 40
RESULTS, SPACE = "org/csc-results", "org/csc-leaderboard"
ARGUMENTS = ("publish", "board", "--repo-id", RESULTS, "--space", SPACE, "--eval-results")
FILE = eval_results.PATH


def hub_board(**changed):
    """The example on a corpus of the Hub at a known commit; `changed` replaces settings."""
    board = example.example_board()
    table = board.tables[0]
    setting = table.setting.model_copy(
        update={"corpus": CORPUS, "revision": COMMIT, "prompt": "single"} | changed
    )
    return board.model_copy(update={"tables": (table.model_copy(update={"setting": setting}),)})


def write(root, board=None):
    example.write_example(root)
    folder.replace_file(root / "board.json", folder.dumped(board or hub_board()))
    return root


@pytest.fixture
def server():
    with hub_server() as running:
        yield running


@pytest.fixture
def csc(server, tmp_path):
    """Runs csc in `tmp_path` against the loopback Hub; (exit status, output, error output), in
    which there is never a token.
    """

    def run(*words, **settings):
        env = (
            os.environ | environment(server, tmp_path / "hf") | {"PYTHONPATH": str(ROOT)} | settings
        )
        command = [sys.executable, "-m", "csc_tasks.cli", *words]
        done = subprocess.run(
            command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        for token in (WRITER, READER, "Bearer"):
            assert token not in done.stdout + done.stderr
        return done.returncode, done.stdout, done.stderr

    return run


def test_without_push_nothing_leaves_the_machine(server, tmp_path, csc):
    write(tmp_path / "board")
    status, printed, error = csc(*ARGUMENTS)
    assert (status, error, server.requests) == (0, "", [])
    for line in (
        f"dataset {RESULTS} (public, if it is created now) at {server.url}: one commit to main",
        f"space {SPACE} (public, if it is created now) at {server.url}: one commit to main",
        f"model org/base-7b at {server.url}: a pull request with .eval_results/csc.yaml",
        (
            f"  {CORPUS} csc_conv_gen: 35.0 (Strategy accuracy in %, 95 % interval 31.0 to 39.0,"
            " 504 items in 60 conversations, single prompt, chat template, task version 1.0)"
        ),
        "  left out: baseline/bigram: a baseline",
        "  left out: <script>alert(1)</script>: not the name of a repository",
    ):
        assert line in printed.splitlines()
    assert printed.endswith(
        "Dry run: nothing was sent; the files are in board/publish. Add --push to publish.\n"
    )
    assert (tmp_path / "board/publish/dataset/README.md").is_file()


def test_all_three_and_a_second_time_without_a_commit(server, tmp_path, csc):
    root = write(tmp_path / "board")
    server.create("org/base-7b", {"config.json": b"{}"}, kind="model")
    status, printed, error = csc(*ARGUMENTS, "--push")
    assert (status, error) == (0, "")
    assert (
        "model org/base-7b-rolecs: no such repository, or the token may not see it; skipped"
        in printed
    )
    results, space, model = (
        server.repository(RESULTS),
        server.repository(SPACE, "space"),
        server.repository("org/base-7b", "model"),
    )
    raw = {
        f"raw/{slug}/results_2026.json"
        for slug in (example.BASE, example.ADAPTER, example.AWKWARD, example.BIGRAM)
    }
    tables = {f"{config}/test-00000-of-00001.parquet" for config in ("results", "comparisons")}
    assert results.files().keys() == {".gitattributes", "README.md", "board.json", *raw, *tables}
    assert space.files().keys() == {".gitattributes", "README.md", "board.json", "index.html"}
    assert space.files()["index.html"] == (root / "index.html").read_bytes()
    assert yaml.safe_load(space.files()["README.md"].decode().split("---")[1])["sdk"] == "static"
    # The model's own branch is as it was; the proposal waits.
    assert FILE not in model.files()
    entries = yaml.safe_load(model.files("refs/pr/1")[FILE])
    assert entries[0] == {
        "dataset": {"id": CORPUS, "task_id": "csc_conv_ref", "revision": COMMIT},
        "value": 41.0,
        "date": "2026-11-20",
        "source": {
            "url": f"{server.url}/spaces/{SPACE}",
            "name": "csc-tasks leaderboard",
            "org": "org",
        },
        "notes": (
            "Strategy accuracy in %, 95 % interval 37.0 to 45.0, 504 items in 60 conversations,"
            " single prompt, chat template, task version 1.0"
        ),
    }
    assert [entry["dataset"]["task_id"] for entry in entries] == ["csc_conv_ref", "csc_conv_gen"]
    before = {
        name: (len(found.commits), dict(found.refs)) for name, found in server.repositories.items()
    }
    status, printed, error = csc(*ARGUMENTS, "--push")
    assert (status, error) == (0, "")
    assert printed.count("nothing has changed") == 3
    assert {
        name: (len(found.commits), dict(found.refs)) for name, found in server.repositories.items()
    } == before
    # A model less: its raw file goes, in one commit.
    board = hub_board()
    kept = tuple(row for row in board.tables[0].rows if row.model != example.AWKWARD)
    write(
        root,
        board.model_copy(update={"tables": (board.tables[0].model_copy(update={"rows": kept}),)}),
    )
    assert csc("publish", "board", "--repo-id", RESULTS, "--push")[0] == 0
    assert (
        f"raw/{example.AWKWARD}/results_2026.json" not in results.files()
        and len(results.commits) == 3
    )


def test_what_datasets_reads_back(server, tmp_path, csc):
    write(tmp_path / "board")
    assert csc("publish", "board", "--repo-id", RESULTS, "--tag", "2026-11", "--push")[0] == 0
    read = "datasets.load_dataset('org/csc-results', 'results', split='test', revision='2026-11')"
    script = f"import datasets, json; rows = {read}; print(json.dumps([len(rows), rows[0]]))"
    env = os.environ | environment(server, tmp_path / "hf")
    done = subprocess.run(
        [sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True
    )
    rows, first = json.loads(done.stdout.splitlines()[-1])
    assert rows == 6 + 6 + 3 + 2
    wanted = {
        "model": "org/base-7b",
        "task": "csc_conv_ref",
        "metric": "strategy_acc",
        "value": 0.41,
        "clusters": 60,
        "corpus": CORPUS,
        "limit": None,
        "chat_template": True,
        "raw": f"raw/{example.BASE}/results_2026.json",
    }
    assert {name: first[name] for name in wanted} == wanted


def test_entries_of_others_stay_and_ours_are_replaced(server, tmp_path, csc):
    other = {"dataset": {"id": "other/bench", "task_id": "all"}, "value": 1.5}
    old = {"dataset": {"id": CORPUS, "task_id": "csc_conv_ref"}, "value": 12.0}
    held = {FILE: yaml.safe_dump([old, other]).encode()}
    server.create("org/base-7b", held, kind="model")
    server.create("org/base-7b-rolecs", {FILE: b"{broken: ["}, kind="model")
    write(tmp_path / "board")
    status, _, error = csc(
        "publish", "board", "--repo-id", RESULTS, "--eval-results", "org/base-7b", "--push"
    )
    assert (status, error) == (0, "")
    entries = yaml.safe_load(server.repository("org/base-7b", "model").files("refs/pr/1")[FILE])
    assert [entry["value"] for entry in entries] == [1.5, 41.0, 35.0]
    assert entries[1]["source"]["url"] == f"{server.url}/datasets/{RESULTS}"
    status, _, error = csc(
        "publish", "board", "--repo-id", RESULTS, "--eval-results", "org/base-7b-rolecs", "--push"
    )
    assert status == 1 and "is no list of evaluation results; mend it there first" in error
    assert "refs/pr/1" not in server.repository("org/base-7b-rolecs", "model").refs


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ("publish", "board"),
            (
                "nothing to publish: give --repo-id ORG/NAME (the results), --space ORG/NAME (the"
                " page) or both"
            ),
        ),
        (
            ("publish", "absent", "--repo-id", RESULTS),
            "absent: there is no such folder; make a board with: csc collect",
        ),
        (("publish", "board", "--repo-id", "nothub"), "'nothub' is not the name of a repository"),
        (
            (*ARGUMENTS, "baseline/bigram"),
            "--eval-results baseline/bigram: baseline/bigram: a baseline",
        ),
        ((*ARGUMENTS, "org/unknown"), "--eval-results org/unknown: the board has no such model"),
    ],
)
def test_wishes_that_cannot_be_met(server, tmp_path, csc, words, says):
    write(tmp_path / "board")
    status, _, error = csc(*words)
    assert status == 1 and says in error and error.count("\n") == 1
    assert server.requests == []


def test_a_reader_is_told_and_a_stranger_repository_is_left_alone(server, tmp_path, csc):
    write(tmp_path / "board")
    status, _, error = csc("publish", "board", "--repo-id", RESULTS, "--push", HF_TOKEN=READER)
    assert (
        status == 1 and "403" in error and f"csc publish board --repo-id {RESULTS} --push" in error
    )
    server.create(SPACE, {"app.py": b"x"}, kind="space")
    status, _, error = csc("publish", "board", "--space", SPACE, "--push")
    assert status == 1 and "holds other files (app.py) and no board.json" in error


def test_tokens_and_paths_never_go_out(tmp_path, capsys):
    board = hub_board()
    root = write(tmp_path / "board", board)
    raw = root / "raw" / example.BASE / "results_2026.json"
    raw.write_text('{"model_args": "api_key=sk-' + "a1" * 20 + '"}', encoding="utf-8")
    own = ["--pii", str(tmp_path / "pii.yaml")]
    assert main(["publish", str(root), "--repo-id", RESULTS, *own]) == 1
    printed = capsys.readouterr()
    assert f"  in raw/{example.BASE}/results_2026.json\n" in printed.out
    assert "error: 1 access token found (see the list): never publish one" in printed.err
    assert "a1a1" not in printed.out + printed.err
    raw.unlink()
    with pytest.raises(DataError, match="is missing; make the board again"):
        publications.results_publication(root, board, RESULTS, None, "mit")
    (tmp_path / "secret.json").write_text("{}")
    raw.symlink_to(tmp_path / "secret.json")
    with pytest.raises(DataError, match="is no file of raw/"):
        publications.raw_files(root, board)
    for name in (
        "raw/../../secret.json",
        "/etc/passwd",
        "board.json",
        "raw/a/../../../secret.json",
    ):
        run = board.tables[0].rows[0].runs["csc_conv_ref"].model_copy(update={"raw": name})
        row = board.tables[0].rows[0].model_copy(update={"runs": {"csc_conv_ref": run}})
        table = board.tables[0].model_copy(update={"rows": (row,)})
        with pytest.raises(DataError, match="is no file of raw/"):
            publications.raw_files(root, board.model_copy(update={"tables": (table,)}))


def test_personal_data_in_the_page_are_listed_and_refused(tmp_path, capsys):
    board = hub_board()
    root = write(tmp_path / "board", board)
    sample = example.example_samples()["conversations"]
    turn = (
        sample.conversations[0]
        .dialogue[0]
        .model_copy(update={"text": "Call me on (415) 867-5309, I am ann.lee@mailbox.org"})
    )
    talk = sample.conversations[0].model_copy(
        update={"dialogue": (turn, *sample.conversations[0].dialogue[1:])}
    )
    folder.replace_file(
        root / "samples/conversations.json",
        folder.dumped(sample.model_copy(update={"conversations": (talk,)})),
    )
    accepted = tmp_path / "pii.yaml"
    words = ["publish", str(root), "--space", SPACE, "--pii", str(accepted)]
    assert main(words) == 1
    printed = capsys.readouterr()
    assert "(see the list): 1 e-mail (1 place), 1 phone (1 place) not accepted" in printed.err
    assert re.search(
        r"^  phone \(415\) \*\*\*-\*\*09  [0-9a-f]{16}  in samples/conversations c1$",
        printed.out,
        re.MULTILINE,
    )
    assert "e-mail a***@***.org" in printed.out
    # Whole names and numbers: three digits may well stand in a finding's random name.
    assert not re.search(r"867-5309|8675309|ann\.lee", printed.out + printed.err)
    lines = [line for line in printed.out.splitlines() if line.startswith("- {finding: ")]
    filled = [re.sub('""', '"made up"', line) for line in lines]
    accepted.write_text(accepted.read_text("utf-8") + "\n".join(filled), "utf-8")
    assert main(words) == 0
    assert f"  all accepted in {accepted}\n" in capsys.readouterr().out
    # The dataset of results holds no conversation.
    assert main(["publish", str(root), "--repo-id", RESULTS]) == 0
    assert "personal data: none found" in capsys.readouterr().out


def test_what_lies_beside_a_large_page_goes_with_it(tmp_path, monkeypatch):
    root = write(tmp_path / "board")
    monkeypatch.setattr(page_render, "FIRST_VIEW", 0)
    sent = publications.space_publication(root, hub_board(), SPACE, None, False)
    beside = {name: file for name, file in sent.files.items() if name.startswith("page/")}
    assert len(beside) == 8 and all(file.is_file() for file in beside.values())
    # Those of a page that has become small again are taken away.
    assert all(re.fullmatch(sent.stale, name) for name in beside)
    assert not re.fullmatch(sent.stale, "page/deeper/x.js")


def test_flat_rows_hold_every_value_and_equal_bytes(tmp_path):
    board = hub_board()
    rows = list(flat.results(board))
    assert sum(row["model"] == "<script>alert(1)</script>" for row in rows) == 3
    assert [
        row["value"] for row in rows if row["metric"] == "bleu_4" and row["task"] == "csc_conv_gen"
    ] == [4.9, 7.7]
    assert {row["language"] for row in rows if row["metric"] == "bleu_4"} == {"en"}
    assert not any(row["model"] == "GPT-4o" for row in rows), "what a paper reports is not ours"
    pair = next(iter(flat.comparisons(board)))
    assert (pair["a"], pair["b"], pair["metric"], pair["clusters"]) == (
        "org/base-7b-rolecs",
        "org/base-7b",
        "strategy_acc",
        60,
    )
    assert (pair["difference"], pair["low"], pair["high"], pair["p_holm"]) == pytest.approx(
        (0.16, 0.118, 0.202, 3e-9)
    )
    one, two = (
        flat.write_parquet(rows, tmp_path / name).read_bytes()
        for name in ("one.parquet", "two.parquet")
    )
    assert one == two


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (
            {"corpus": "demo", "revision": None},
            "the corpus demo is not a dataset of the Hub at a known commit",
        ),
        (
            {"corpus": "data/mine/here"},
            "the corpus data/mine/here is not a dataset of the Hub at a known commit",
        ),
        ({"limit": 5}, "limited to 5 documents"),
    ],
)
def test_tables_that_no_model_page_can_cite(changed, reason):
    assert eval_results.entries(hub_board(**changed), "https://x") == (
        {},
        [f"table conversations: {reason}"],
    )


def test_a_model_that_is_a_folder_here_is_no_repository_there(tmp_path, monkeypatch):
    (tmp_path / "org" / "base-7b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    found, left_out = eval_results.entries(hub_board(), "https://x")
    assert (
        found.keys() == {"org/base-7b-rolecs"}
        and "org/base-7b: a folder on this machine" in left_out
    )


def test_every_field_of_an_entry_is_filled_but_the_hubs_own():
    """What huggingface_hub reads back, and the loopback Hub's rules on it."""
    for owner in ({"source_org": "org"}, {"source_user": "me"}):
        made = eval_results.entries(hub_board(), "https://x.test/page", owner)[0]["org/base-7b"]
        text = yaml.safe_dump(made).encode()
        assert hub_rules.refusals("model", {FILE: text}, {FILE}) == []
        for entry in parse_eval_result_entries(yaml.safe_load(text)):
            absent = {name for name, value in vars(entry).items() if value is None}
            assert absent == {"verify_token", "source_user", "source_org"} - owner.keys()
    broken = made[0] | {"value": "41 %", "date": "yesterday", "score": 1}
    text = yaml.safe_dump([broken]).encode()
    assert hub_rules.refusals("model", {FILE: text}, {FILE}) == [
        f"{FILE}: an entry has unknown keys: score",
        f"{FILE}: value must be a number",
        f"{FILE}: date: 'yesterday' is no ISO-8601 date",
    ]


@pytest.mark.parametrize(("name", "kind"), [("writer", "user"), ("org", "org"), ("others", None)])
def test_whose_the_numbers_are(monkeypatch, name, kind):
    account = {"name": "writer", "orgs": [{"name": "second"}, {"name": "org"}]}
    monkeypatch.setattr("huggingface_hub.HfApi.whoami", lambda self: account)
    assert hub.owner_kind(name, "again") == kind


def test_values_without_an_interval_and_other_settings_of_one_task():
    board = hub_board()
    table = board.tables[0]
    bare = Value(value=0.5, items=3, clusters=1, method="none")
    row = table.rows[0].model_copy(update={"values": {"csc_conv_ref/strategy_acc": bare}})
    twice = tuple(table.model_copy(update={"id": name, "rows": (row,)}) for name in ("one", "two"))
    found, left_out = eval_results.entries(board.model_copy(update={"tables": twice}), "https://x")
    assert [entry["notes"] for entry in found["org/base-7b"]] == [
        "Strategy accuracy in %, 3 items in 1 conversation, single prompt, chat template, task"
        " version 1.0"
    ]
    assert left_out == [
        "org/base-7b, csc_conv_ref in table two: under other settings it is there already"
    ]
