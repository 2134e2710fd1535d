"""`csc push` as a user runs it: a process of its own against a loopback Hub."""

import fnmatch
import json
import re

import yaml

from builders import push
from builders.cards import registration
from builders.dataset import read_folder
from csc_tasks import cli
from tests.support import hub_rules
from tests.support.hub_server import WRITER
from tests.support.pushing import TEST, data, rows, write


def test_without_push_nothing_leaves_the_machine(server, tmp_path, csc):
    write(tmp_path / "out")
    status, printed, error = csc(
        "push", "out", "--repo-id", "org/name", "--private", "--tag", "v1.0"
    )
    assert (status, error, server.requests) == (0, "", [])
    assert f"dataset org/name (private) at {server.url}: one commit to main, tag v1.0" in printed
    for name, content in data(tmp_path / "out").items():
        size = f"{len(content) / 1000:.1f} kB" if len(content) >= 1000 else f"{len(content)} B"
        assert re.search(rf"^  {re.escape(name)} +{size}", printed, re.MULTILINE), name
    assert printed.endswith(
        "licence: mit\npersonal data: none found\nDry run: nothing was sent. Add --push to"
        " publish.\n"
    )


def test_an_eval_yaml_the_hub_would_refuse_stays_here_and_is_named(server, tmp_path, csc):
    write(tmp_path / "out")
    claim = {"name": "x", "description": "y", "evaluation_framework": "lm-evaluation-harness"}
    (tmp_path / "out" / "eval.yaml").write_text(yaml.safe_dump(claim | {"tasks": []}), "utf-8")
    status, printed, error = csc("push", "out", "--repo-id", "org/name", "--push")
    assert (status, error) == (0, "")
    assert (
        "left out: eval.yaml: the Hub knows no evaluation framework 'lm-evaluation-harness'"
        in printed
    )
    assert "eval.yaml" not in server.repository("org/name").files()
    assert (tmp_path / "out" / "eval.yaml").is_file()
    # A framework of the user's own goes out, and the Hub has the last word.
    (tmp_path / "out" / "eval.yaml").write_text(
        yaml.safe_dump(claim | {"evaluation_framework": "mine", "tasks": []}), "utf-8"
    )
    status, _, error = csc("push", "out", "--repo-id", "org/name", "--push")
    assert status == 1 and error.count("\n") == 1
    assert "400: eval.yaml: evaluation_framework: 'mine' is unknown" in error


def test_an_eval_yaml_with_a_registered_framework_is_accepted(
    server, tmp_path, monkeypatch, published
):
    monkeypatch.setattr(registration, "FRAMEWORK", "lm-evaluation-harness")
    monkeypatch.setattr(hub_rules, "FRAMEWORKS", hub_rules.FRAMEWORKS | {registration.FRAMEWORK})
    folder = write(tmp_path / "registered")
    files = data(folder)
    assert yaml.safe_load(files["eval.yaml"])["tasks"] == [
        {"id": task, "config": config, "split": "test"}
        for task, config in (
            ("csc_conv_ref", "csconv"),
            ("csc_conv_gen", "csconv"),
            ("csc_qa", "qa"),
        )
    ]
    assert hub_rules.refusals("dataset", files, files.keys()) == []
    del files["csconv/test-00000-of-00001.parquet"]
    assert hub_rules.refusals("dataset", files, files.keys()) == [
        "README.md: configs: csconv: no file is csconv/test-*.parquet"
    ]


def test_the_viewer_shows_every_data_file_once(published):
    """What a card's configs name are all parquet files of the repository, each in one split."""
    files = published.files()
    shown = [
        path
        for one in hub_rules.front_matter(files)["configs"]
        for part in one["data_files"]
        for path in fnmatch.filter(files, part["path"])
    ]
    assert sorted(shown) == sorted(path for path in files if path.endswith(".parquet"))
    assert len(shown) == 4


def test_a_folder_of_an_earlier_version_gets_its_manifest(server, tmp_path, csc):
    write(tmp_path / "out")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    (tmp_path / "out" / "manifest.json").unlink()
    status, printed, _ = csc("push", "out", "--repo-id", "org/name")
    assert status == 0 and "manifest.json" in printed
    written = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert written == manifest | {"dataset": "org/name"}


def test_one_commit_then_none_then_only_what_changed(server, tmp_path, csc, published):
    assert published.files() == {
        ".gitattributes": published.files()[".gitattributes"],
        **data(tmp_path / "out"),
    }
    assert published.messages[1:] == [
        "Publish csconv/test (5 rows), rolecs/train (5 rows), qa/test (6 rows), qa_short/test (6"
        " rows)"
    ]
    assert published.tags == {"v1.0": published.refs["main"]}
    # Built again: run.json alone differs.
    write(tmp_path / "out", seconds=2)
    status, printed, _ = csc("push", "out", "--repo-id", "org/name", "--tag", "v1.0", "--push")
    assert status == 0 and "nothing has changed" in printed
    assert len(published.commits) == 2
    # One row changed.
    write(tmp_path / "out", rows(topic="Product Consultation"), seconds=3)
    before = published.files()
    assert csc("push", "out", "--repo-id", "org/name", "--push")[0] == 0
    after = published.files()
    assert {name for name in after if after[name] != before.get(name)} == {
        TEST,
        "build.json",
        "run.json",
        "manifest.json",
    }
    assert len(published.commits) == 3 and after.keys() == before.keys()
    # As a pull request: main stays.
    write(tmp_path / "out", {"csconv": rows()["csconv"]}, seconds=4)
    status, printed, _ = csc("push", "out", "--repo-id", "org/name", "--pr", "--push")
    assert (
        status == 0
        and f"opened pull request {server.url}/datasets/org/name/discussions/1" in printed
    )
    assert published.files() == after
    assert published.files("refs/pr/1").keys() == {
        ".gitattributes",
        *data(tmp_path / "out"),
    }, "splits that are gone go"


def test_a_failed_upload_leaves_everything_and_says_how_to_go_on(server, tmp_path, csc):
    folder = write(tmp_path / "my data")
    before = data(folder)
    server.fail("POST", "/commit/", 500, {"error": f"no luck with {WRITER}"})
    status, _, error = csc(
        "push", "my data", "--repo-id", "org/name", "--private", "--tag", "v1.0", "--push"
    )
    again = "csc push 'my data' --repo-id org/name --private --tag v1.0 --push"
    assert status == 1
    kept = "every file is still here. To try again"
    assert (
        error
        == f"error: dataset org/name: the Hub answered 500: no luck with ***; {kept}: {again}\n"
    )
    assert data(folder) == before
    status, _, error = csc(
        "push", "my data", "--repo-id", "org/name", "--private", "--tag", "v1.0", "--push"
    )
    assert (status, error) == (0, "")
    made = server.repository("org/name")
    assert made.private and made.tags == {"v1.0": made.refs["main"]} and len(made.commits) == 2


def test_without_a_token_the_error_says_what_to_do(tmp_path, csc):
    write(tmp_path / "out")
    status, _, error = csc("push", "out", "--repo-id", "org/name", "--push", HF_TOKEN=None)
    assert (
        status == 1
        and "log in with `hf auth login` or set HF_TOKEN" in error
        and error.count("\n") == 1
    )


def test_what_our_publication_may_delete():
    for path in (
        "eval.yaml",
        "figures/strategies.png",
        "csconv/train-00000-of-00002.parquet",
        "qa_short/test-00000-of-00001.parquet",
    ):
        assert re.fullmatch(push.OURS, path), path
    for path in (
        "README.md",
        "LICENSE",
        ".gitattributes",
        "data/train-00000-of-00001.parquet",
        "csconv/notes.md",
        "csconv/train.json",
    ):
        assert not re.fullmatch(push.OURS, path), path


def test_figures_are_published_with_the_card(tmp_path, capsys):
    folder = write(tmp_path / "out")
    assert cli.main(["stats", str(folder), "--card"]) == 0
    assert cli.main(["push", str(folder), "--repo-id", "org/name"]) == 0
    assert re.search(r"^  figures/strategies\.png +\d", capsys.readouterr().out, re.MULTILINE)
    record, _ = read_folder(folder)
    assert set(push.files_of(folder, record)) == data(folder).keys()
