"""Which files of a corpus are read, and what is said where there is none."""

import pytest

from csc_tasks import corpora
from csc_tasks.corpora import rows
from csc_tasks.errors import DataError, MissingSplit
from tests.support.corpus_rows import GOOD, write


@pytest.mark.parametrize(
    ("files", "config", "split", "chosen"),
    [
        (
            ["csconv/test-00000-of-00001.parquet"],
            "csconv",
            "test",
            ["csconv/test-00000-of-00001.parquet"],
        ),
        (["csconv/test-00000-of-00001.parquet"], "csconv", "train", []),
        (["csconv/test.jsonl", "rolecs/train.jsonl"], "rolecs", "train", ["rolecs/train.jsonl"]),
        (
            ["csconv/test.jsonl", "qa/test.jsonl", "qa_short/test.jsonl"],
            "qa",
            "test",
            ["qa/test.jsonl"],
        ),
        (
            ["csconv/test.jsonl", "qa/test.jsonl", "qa_short/test.jsonl"],
            "qa_short",
            "test",
            ["qa_short/test.jsonl"],
        ),
        (["csconv/test.jsonl", "qa_short/test.jsonl"], "qa", "test", []),
        (["csconv/test.jsonl"], "qa", "test", []),
        (["data/csconv/test.jsonl"], "csconv", "test", ["data/csconv/test.jsonl"]),
        (["one/csconv/test.jsonl", "two/csconv/test.jsonl"], "csconv", "test", []),
        (
            ["csconv/latest.jsonl", "csconv/test2.jsonl", "csconv/test-extra.jsonl"],
            "csconv",
            "test",
            [],
        ),
        (
            ["qa/test-00000-of-00002.parquet", "qa/test-00001-of-00002.parquet"],
            "qa",
            "test",
            ["qa/test-00000-of-00002.parquet", "qa/test-00001-of-00002.parquet"],
        ),
        (["csconv/test.jsonl", "csconv/test.parquet"], "csconv", "test", ["csconv/test.parquet"]),
        (["data/CSConv.json", "data/RoleCS.json"], "csconv", "test", ["data/CSConv.json"]),
        (["data/CSConv.json", "data/RoleCS.json"], "rolecs", "train", ["data/RoleCS.json"]),
        (["data/CSConv.json", "data/RoleCS.json"], "csconv", "train", []),
        (["csconv.jsonl"], "csconv", "test", ["csconv.jsonl"]),
        (["data/CSConv.json", "csconv/test.jsonl"], "csconv", "test", ["csconv/test.jsonl"]),
        (["data/CSConv_old.json"], "csconv", "test", []),
        (["data/train.csv", "data/test.csv"], "qa", "test", ["data/test.csv"]),
        (["test.csv", "validation.csv"], "qa", "validation", ["validation.csv"]),
        (["data/test-00000-of-00001.parquet"], "qa", "test", ["data/test-00000-of-00001.parquet"]),
        (["data/test.csv"], "csconv", "test", []),
        (["README.md", "build.json", "eval.yaml"], "csconv", "test", []),
    ],
)
def test_which_files_are_chosen(files, config, split, chosen):
    assert corpora.choose_files(files, config, split) == chosen
    assert corpora.choose_files(reversed(files), config, split) == chosen


def test_a_missing_split_says_what_there_is(tmp_path):
    write(tmp_path / "csconv" / "train.jsonl", [GOOD])
    for config, split in (
        ("csconv", "test"),
        ("qa", "test"),
        ("rolecs", "train"),
        ("qa_short", "test"),
    ):
        with pytest.raises(MissingSplit) as caught:
            corpora.load(str(tmp_path), config, split)
        assert (
            str(caught.value)
            == f"{tmp_path}: no {config}/{split} found; there is csconv/train.jsonl. "
            "A dataset folder has CONFIG/SPLIT-*.parquet (configs csconv, rolecs, qa)"
        )
        assert not corpora.available(str(tmp_path), config, split)
    assert corpora.available(str(tmp_path), "csconv", "train")
    for i in range(20):
        write(tmp_path / "other" / f"{i:02}.json", [GOOD])
    with pytest.raises(MissingSplit, match=r"other/10\.json, \.\.\.\. A dataset"):
        corpora.load(str(tmp_path), "csconv", "test")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(MissingSplit, match=r"there is no \.parquet, \.jsonl, \.json, \.csv file"):
        corpora.load(str(empty), "csconv", "test")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "Nobody/nothing",
            (
                "no such file or folder here, and the Hub cannot be reached and nothing of it is in"
                " the local cache"
            ),
        ),
        ("Nobody/nothing@main", "the Hub cannot be reached"),
        ("nothing", "the Hub cannot be reached"),
        ("./no/such/folder", "no such file or folder here, and not a Hub dataset id"),
        ("/no/such/file.json", "no such file or folder here"),
        ("~/no-such-folder", "no such file or folder here"),
        ("", "no such file or folder here"),
        ("a b", "not a Hub dataset id"),
        ("x" * 5000, "no such file or folder here"),
        ("a\0b", "no such file or folder here"),
    ],
)
def test_a_corpus_that_is_nowhere(name, said):
    """Tests run with HF_HUB_OFFLINE=1: this is what a run without the Hub says."""
    with pytest.raises(DataError) as caught:
        corpora.load(name, "csconv", "test")
    text = str(caught.value)
    assert text.startswith(f"{name}: ") and said in text
    assert text.endswith("a Hub dataset id you can reach, or demo")


def test_each_file_is_read_once(tmp_path, monkeypatch):
    read = []
    original = rows.read_text
    monkeypatch.setattr(
        rows, "read_text", lambda path, *more: read.append(path.name) or original(path, *more)
    )
    write(tmp_path / "csconv" / "test.jsonl", [GOOD])
    write(tmp_path / "csconv" / "train.jsonl", [GOOD])
    corpora.load(str(tmp_path), "csconv", "test")
    assert read == ["test.jsonl"]
