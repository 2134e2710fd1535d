"""The dataset folder: what is written, that `datasets` reads the same back, and what is never
overwritten.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from builders.cards import registration
from builders.cards.render import Card, count_lines
from builders.dataset import check_target, write_folder
from builders.schema import COLUMNS, features
from csc_tasks.errors import DataError, SettingError

ROOT = Path(__file__).resolve().parents[2]
CARD = Card(
    title="Two dialogues",
    summary="For tests.",
    licence="mit",
    copyright="Copyright (c) 2020 Nobody",
    languages=("en", "zh"),
    source="Made up.",
    made="By hand.",
    limits=("Only two.", "Both short."),
    citation="@misc{two}",
)
COUNTS = {"dialogues_read": 1_058, "dialogues_dropped": {"too short": 2, "too long": 5}}
BUILD = {"builder": "test", "settings": {"seed": 3}, "counts": COUNTS}


def conversation(name, **more):
    turns = [
        ("customer", "", "你好 \n hi"),
        ("supporter", "GT", "Hello"),
        ("supporter", "", "…"),
        ("supporter", "IV", "Who are you?"),
    ]
    dialogue = [
        {"speaker": speaker, "strategy": strategy, "text": text}
        for speaker, strategy, text in turns
    ]
    return {
        "conversation_id": name,
        "language": "en",
        "topic": "Others",
        "source": "test",
        "dialogue": dialogue,
        **more,
    }


def question(name, index, **more):
    texts = dict.fromkeys(
        (
            "instruction",
            "history_summary",
            "client_question",
            "agent_answer",
            "refined_agent_answer",
        ),
        "text",
    )
    return {
        "conversation_id": name,
        "turn_index": index,
        "turns_total": None,
        "stage": None,
        "language": "en",
        "topic": "",
        "source": "test",
        "conversation_history": [{"speaker": "customer", "text": "hi"}],
        **texts,
        **more,
    }


def all_configs():
    roles = {"profile": "p", "scenario": "s", "goal": "g"}
    asked = [question("e", 1, stage="late", turns_total=2), question("e", 0)]
    return {
        "csconv": {"test": [conversation("b"), conversation("a")], "train": [conversation("c")]},
        "rolecs": {"train": [conversation("d", **roles)]},
        "qa": {"test": asked, "train": [question("f", 0)], "validation": [question("g", 0)]},
        "qa_short": {"test": [question("e", 1), question("e", 0)]},
    }


def write(out, splits=None, run=None):
    return write_folder(out, splits or all_configs(), CARD, BUILD, run or {"seconds": 1.5})


def files_of(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def front_matter(folder):
    return yaml.safe_load((folder / "README.md").read_text(encoding="utf-8").split("---\n")[1])


def test_load_dataset_gives_the_same_rows_and_features(tmp_path):
    write(tmp_path / "out")
    # A process of its own, because the library reads these settings once, when it is imported.
    script = (
        "import json, sys, datasets\n"
        "from builders.schema import features\n"
        "found = {}\n"
        "for config in datasets.get_dataset_config_names(sys.argv[1]):\n"
        "    for split, part in datasets.load_dataset(sys.argv[1], config).items():\n"
        "        assert part.features == features(config), (config, part.features)\n"
        "        found[f'{config} {split}'] = list(part)\n"
        "print(json.dumps(found))\n"
    )
    environment = os.environ | {
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-c", script, str(tmp_path / "out")]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    loaded = json.loads(ran.stdout.splitlines()[-1])
    expected = {
        f"{config} {split}": rows
        for config, parts in all_configs().items()
        for split, rows in parts.items()
    }
    assert loaded.keys() == expected.keys()
    for name, rows in expected.items():
        assert loaded[name] == sorted(
            rows, key=lambda row: (row["conversation_id"], row.get("turn_index"))
        ), name


def test_the_corpus_reader_reads_the_folder(tmp_path):
    corpora = pytest.importorskip("csc_tasks.corpora")
    write(tmp_path / "out")
    corpus = corpora.load(str(tmp_path / "out"), "csconv", "test")
    assert sorted(item.conversation_id for item in corpus.items) == ["a", "b"]


def test_the_manifest_lists_every_document_as_tasks_read_it(tmp_path):
    write(tmp_path / "out")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["dataset"] == CARD.title
    keys = {
        config: {split: {entry["key"] for entry in entries} for split, entries in parts.items()}
        for config, parts in manifest["splits"].items()
    }
    assert keys == {
        config: {
            split: {
                row["conversation_id"] + (f"/{row['turn_index']}" if "turn_index" in row else "")
                for row in rows
            }
            for split, rows in parts.items()
        }
        for config, parts in all_configs().items()
    }


def test_the_files_and_the_front_matter_name_every_split(tmp_path):
    write(tmp_path / "out")
    names = {
        f"{config}/{split}-00000-of-00001.parquet"
        for config, parts in all_configs().items()
        for split in parts
    }
    assert files_of(tmp_path / "out").keys() == names | {
        "README.md",
        "build.json",
        "run.json",
        "manifest.json",
    }
    found = front_matter(tmp_path / "out")
    assert (found["license"], found["language"]) == ("mit", ["en", "zh"])
    assert {
        c["config_name"]: [part["split"] for part in c["data_files"]] for c in found["configs"]
    } == {
        "csconv": ["train", "test"],
        "rolecs": ["train"],
        "qa": ["train", "validation", "test"],
        "qa_short": ["test"],
    }
    for config in found["configs"]:
        for part in config["data_files"]:
            assert len(list((tmp_path / "out").glob(part["path"]))) == 1


def test_the_card_says_what_it_holds_how_to_load_and_evaluate_it_and_what_it_may_be_used_for(
    tmp_path,
):
    write(tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "| csconv | test | 2 | 8 | 4 | 2 |" in card
    assert "| IV | Identity Verification | 1 (50.0%) | 2 (50.0%) | 1 (50.0%) |" in card
    assert "- dialogues read: 1,058\n- dialogues dropped: 5 too long, 2 too short" in card
    assert 'qa = load_dataset("PATH_OR_HUB_ID", "qa")  # train, validation, test' in card
    assert "--tasks csc_conv_ref,csc_conv_gen,csc_qa" in card
    assert (
        '--metadata \'{"csc_corpus": "PATH_OR_HUB_ID", "csc_qa_corpus": "PATH_OR_HUB_ID"}\'' in card
    )
    assert "Copyright (c) 2020 Nobody\n\nPermission is hereby granted" in card
    assert "- Only two.\n- Both short." in card
    assert "@misc{two}" in card
    assert "${" not in card
    for config in ("csconv", "rolecs", "qa"):
        for name in COLUMNS[config]:
            assert f"| `{name}` |" in card


def test_there_is_no_eval_yaml_while_the_hub_knows_no_framework_of_ours(tmp_path):
    write(tmp_path / "out")
    assert not (tmp_path / "out" / "eval.yaml").exists()


def test_eval_yaml_lists_the_tasks_that_read_a_test_split(tmp_path, monkeypatch):
    monkeypatch.setattr(registration, "FRAMEWORK", "lm-evaluation-harness")
    write(tmp_path / "out")
    found = yaml.safe_load((tmp_path / "out" / "eval.yaml").read_text(encoding="utf-8"))
    assert found == {
        "name": "Two dialogues",
        "description": "For tests.",
        "evaluation_framework": "lm-evaluation-harness",
        "tasks": [
            {"id": "csc_conv_ref", "config": "csconv", "split": "test"},
            {"id": "csc_conv_gen", "config": "csconv", "split": "test"},
            {"id": "csc_qa", "config": "qa", "split": "test"},
        ],
    }


def test_a_folder_without_a_test_split_is_for_training(tmp_path, monkeypatch):
    monkeypatch.setattr(registration, "FRAMEWORK", "lm-evaluation-harness")
    write(tmp_path / "out", {"csconv": {"train": [conversation("a")]}})
    assert not (tmp_path / "out" / "eval.yaml").exists()
    assert "this dataset is for training" in (tmp_path / "out" / "README.md").read_text(
        encoding="utf-8"
    )


def test_build_json_holds_settings_counts_and_a_hash_of_the_rows(tmp_path):
    record = write(tmp_path / "out")
    assert json.loads((tmp_path / "out" / "build.json").read_text(encoding="utf-8")) == record
    assert record["settings"] == {"seed": 3} and record["counts"] == COUNTS
    test = record["splits"]["csconv"]["test"]
    assert (
        test["rows"],
        test["turns"],
        test["supporter_turns_labelled"],
        test["supporter_turns_unlabelled"],
    ) == (2, 8, 4, 2)
    assert {name: n for name, n in test["strategies"].items() if n} == {"GT": 2, "IV": 2}
    assert json.loads((tmp_path / "out" / "run.json").read_text()) == {"seconds": 1.5}


def test_the_order_of_rows_changes_no_byte_and_run_json_is_the_only_file_that_may(tmp_path):
    write(tmp_path / "one", run={"seconds": 1})
    turned = {
        config: {split: rows[::-1] for split, rows in reversed(parts.items())}
        for config, parts in all_configs().items()
    }
    write(tmp_path / "two", turned, run={"seconds": 2})
    one, two = files_of(tmp_path / "one"), files_of(tmp_path / "two")
    assert [name for name in one if one[name] != two.get(name)] == ["run.json"]
    assert one.keys() == two.keys()


def test_a_dataset_folder_of_ours_is_replaced_as_a_whole(tmp_path):
    out = tmp_path / "out"
    write(out)
    write(out, {"csconv": {"test": [conversation("z")]}})
    assert files_of(out).keys() == {
        "README.md",
        "build.json",
        "run.json",
        "manifest.json",
        "csconv/test-00000-of-00001.parquet",
    }
    assert [path.name for path in tmp_path.iterdir()] == ["out"], (
        "nothing temporary is left beside it"
    )


def test_an_empty_folder_is_filled_and_a_missing_parent_made(tmp_path):
    (tmp_path / "empty").mkdir()
    write(tmp_path / "empty")
    write(tmp_path / "a" / "b" / "out")
    assert (tmp_path / "a" / "b" / "out" / "README.md").exists() and (
        tmp_path / "empty" / "README.md"
    ).exists()
    assert (tmp_path / "empty").stat().st_mode == (tmp_path / "a").stat().st_mode, (
        "readable like any new folder"
    )


@pytest.mark.parametrize(
    "content",
    [{"notes.txt": "mine"}, {"build.json": "{}"}, {"build.json": "not json"}, {"build.json": "[]"}],
)
def test_a_folder_that_is_not_ours_is_refused_and_left_alone(tmp_path, content):
    out = tmp_path / "out"
    out.mkdir()
    for name, text in content.items():
        (out / name).write_text(text)
    with pytest.raises(
        SettingError, match=rf"{out} is not empty and is not a dataset folder of this project"
    ):
        write(out)
    assert {path.name: path.read_text() for path in out.iterdir()} == content


def test_our_folder_with_foreign_files_in_it_is_refused_and_they_are_named(tmp_path):
    out = tmp_path / "out"
    write(out)
    (out / "csconv" / "notes.txt").write_text("mine")
    before = files_of(out)
    with pytest.raises(
        SettingError, match=r"holds files besides its dataset \(csconv/notes\.txt\)"
    ):
        write(out)
    assert files_of(out) == before


def test_a_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(SettingError, match="is a file"):
        check_target(tmp_path / "out")


def test_a_failure_on_the_way_leaves_the_earlier_folder_and_no_rubbish(tmp_path, monkeypatch):
    out = tmp_path / "out"
    write(out)
    before = files_of(out)
    replace = os.replace

    def second_fails(source, target):
        if Path(source).name == "fresh":
            raise OSError("no space left")
        replace(source, target)

    monkeypatch.setattr(os, "replace", second_fails)
    with pytest.raises(OSError, match="no space left"):
        write(out, {"csconv": {"test": [conversation("z")]}})
    assert files_of(out) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(
    ("splits", "said"),
    [
        ({"csconv": {"test": []}}, "csconv, test: there are no rows"),
        ({"csconv": {"test": [conversation("a"), conversation("a")]}}, "the id a occurs twice"),
        (
            {"csconv": {"test": [conversation("a")], "train": [conversation("a")]}},
            "a is in train and in test",
        ),
        (
            {"qa": {"test": [question("a", 0)], "train": [question("a", 1)]}},
            "a is in train and in test",
        ),
        (
            {"csconv": {"test": [conversation("a", goal="g")]}},
            "columns missing: none; not known: goal",
        ),
        (
            {"rolecs": {"train": [conversation("a")]}},
            "columns missing: goal, profile, scenario; not known: none",
        ),
        ({"csconv": {"test": [conversation("a", topic=None)]}}, "topic is None; expected string"),
        ({"qa": {"test": [question("a", "0")]}}, "turn_index is '0'; expected int32"),
        ({"qa": {"test": [question("a", 0, stage="middle")]}}, "stage 'middle' is not one of"),
        (
            {
                "csconv": {
                    "test": [conversation("a", dialogue=[{"speaker": "customer", "text": "hi"}])]
                }
            },
            "dialogue must be a list of records",
        ),
        (
            {
                "csconv": {
                    "test": [
                        conversation(
                            "a", dialogue=[{"speaker": "supporter", "text": "hi", "strategy": "XX"}]
                        )
                    ]
                }
            },
            "strategy 'XX' is not one of",
        ),
    ],
)
def test_rows_that_do_not_fit_are_errors_and_nothing_is_written(tmp_path, splits, said):
    with pytest.raises(DataError) as caught:
        write(tmp_path / "out", splits)
    assert said in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_unknown_configs_and_splits_are_errors(tmp_path):
    with pytest.raises(SettingError, match="config 'chat' does not exist"):
        write(tmp_path / "out", {"chat": {"test": [conversation("a")]}})
    with pytest.raises(SettingError, match="split dev does not exist"):
        write(tmp_path / "out", {"csconv": {"dev": [conversation("a")]}})


def test_features_are_explicit():
    assert (
        str(features("csconv")["dialogue"])
        == "List({'speaker': Value('string'), 'strategy': Value('string'), 'text':"
        " Value('string')})"
    )
    assert features("qa") == features("qa_short")
    assert (features("qa")["turn_index"].dtype, features("qa")["turns_total"].dtype) == (
        "int32",
        "int32",
    )


def test_counts_read_as_lines():
    counts = {"files_read": 1_200, "dropped": {"a": 1, "b": 30, "c": 1}, "merged": {}}
    assert count_lines(counts) == ["files read: 1,200", "dropped: 30 b, 1 a, 1 c", "merged: none"]
