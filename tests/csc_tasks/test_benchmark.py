"""What the benchmark says it reads, against the tasks that lm_eval loads."""

import yaml

from csc_tasks import TASKS_DIR
from csc_tasks.benchmark import READERS, SPLIT, readers


def leaves():
    """Name -> settings of each shipped task of the benchmark."""
    files = sorted(TASKS_DIR.glob("csc_*.yaml"))
    # `!function` is lm_eval's own tag.
    loader = type("Loader", (yaml.SafeLoader,), {})
    loader.add_constructor("!function", lambda _, node: node.value)
    read = [yaml.load(file.read_text(encoding="utf-8"), loader) for file in files]
    return {settings["task"]: settings for settings in read}


def test_the_readers_are_the_tasks_that_the_benchmark_ships():
    named = [task for reader in READERS.values() for task in reader.tasks]
    assert sorted(named) == sorted(leaves()) == ["csc_conv_gen", "csc_conv_ref", "csc_qa"]
    shared = yaml.safe_load((TASKS_DIR / "_csc_yaml").read_text(encoding="utf-8"))
    assert shared["test_split"] == SPLIT


def test_a_task_s_class_reads_the_config_and_the_setting_that_stand_here():
    for config, reader in READERS.items():
        assert reader.setting.startswith("csc_")
        for task in reader.tasks:
            kind = leaves()[task]["class"].rpartition(".")[2]
            of_questions = kind == "QuestionTask"
            assert (config, reader.setting) == (
                ("qa", "csc_qa_corpus") if of_questions else ("csconv", "csc_corpus")
            )


def test_only_a_test_split_is_read():
    assert readers({"csconv": ["train"], "rolecs": ["train"], "qa": ["train", "test"]}) == {
        "qa": READERS["qa"]
    }
    assert readers({"qa_short": ["test"]}) == {}
